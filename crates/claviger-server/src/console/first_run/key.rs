//! The third step: a service account with its first key, of an organization that is there or is made with it. The key is shown once, with
//! all that is needed to ask about it.

use askama::Template;
use axum::{extract::State, http::StatusCode, response::Response};
use claviger_core::{
    Api, Grantor, Issued, Kind, NewApiKey, NewOrganization, NewServiceAccount, Organization, Person, Reach, Rejection,
    permission,
};
use claviger_store::{Page, Tx};
use claviger_token::OrganizationId;
use jiff::{SignedDuration, Timestamp};

use super::{KEY, SettingUp, SettingUpForm, Step, a_key, apis, usual};
use crate::{
    app::App,
    console::{
        credential::{
            Place, What,
            form::{Typed as Credential, Wrong},
            made,
            once::Once,
            picker::Picker,
        },
        form::{Fields, who_resumes},
        page::{Frame, page_with},
        shell::Here,
        snippets::Snippets,
        trouble::Trouble,
    },
    manage::{Authority, api_key, organization, service_account},
    problem::RequestError,
};

/// How many organizations are offered; keys of others are made on their own pages.
const MOST: u32 = 20;

/// How long a first key lives, unless the organization wants less.
const LIFE: SignedDuration = SignedDuration::from_hours(90 * 24);

/// The value of the choice that makes an organization.
const NEW: &str = "new";

#[derive(Template)]
#[template(path = "first_run_key.html")]
pub(super) struct KeyPage {
    pub(super) frame: Frame,
    pub(super) step: Step,
    pub(super) once: String,
    pub(super) resume: &'static str,
    /// The name of a key that is there already.
    pub(super) existing: Option<String>,
    /// Id and name of each.
    pub(super) organizations: Vec<(String, String)>,
    pub(super) typed: Typed,
    pub(super) wrong: Wrong,
    pub(super) picker: Picker,
    /// How a key's text begins.
    pub(super) begins: String,
}

impl KeyPage {
    pub(super) fn makes_organization(&self) -> bool {
        self.typed.organization == NEW
    }
}

/// What was typed.
#[derive(Default)]
pub(super) struct Typed {
    /// An id, or [`NEW`].
    pub(super) organization: String,
    pub(super) organization_name: String,
    pub(super) account_name: String,
    pub(super) permissions: Vec<String>,
}

impl Typed {
    fn of(fields: &Fields) -> Self {
        let value = |name| fields.value(name).trim().to_owned();
        Self {
            organization: value("organization"),
            organization_name: value("organization_name"),
            account_name: value("account_name"),
            permissions: fields.values("permission").into_iter().map(str::to_owned).collect(),
        }
    }

    /// What is offered before anybody typed anything.
    fn starter(apis: &[Api], home: Option<&Organization>, frame: &Frame) -> Self {
        Self {
            organization: home.map_or_else(|| NEW.to_owned(), |home| home.id.to_string()),
            organization_name: String::new(),
            account_name: frame.text("first-run-account"),
            permissions: usual(apis).map(str::to_owned).into_iter().collect(),
        }
    }

    /// What the rules of a key say of it.
    fn refused(&self, rejection: &Rejection, frame: &Frame) -> Wrong {
        let typed = Credential { permissions: self.permissions.clone(), ..Credential::default() };
        let mut wrong = Wrong::by(rejection, &typed, frame);
        for (field, _) in wrong.fields.iter_mut().filter(|(field, _)| *field == "name") {
            *field = "account_name";
        }
        wrong
    }
}

/// What came of a form.
enum Outcome {
    Made(Box<(Here, Issued)>),
    /// It was sent before.
    Before(Response),
    Wrong(Wrong),
}

/// `GET /first-run/key`.
pub(in crate::console) async fn show(State(app): State<App>, who: SettingUp) -> Result<Response, Trouble> {
    who.must_make_keys()?;
    must_be_fresh(&app, &who, || KEY.to_owned())?;
    let frame = Frame::inside(&who.session, &who.visit, &app, None).await?;
    let apis = apis(&app).await?;
    let resumes = who_resumes(Some(&who.session), &who.visit);
    let typed = match Fields::taken_up(&who.visit.path, &app.peppers, &resumes) {
        Some(fields) => Typed::of(&fields),
        None => Typed::starter(&apis, app.home().await?.as_ref(), &frame),
    };
    with(&app, frame, &apis, typed, Wrong::default()).await
}

/// `POST /first-run/key` with `organization` and perhaps `organization_name`, `account_name`, `permission` and `once`.
pub(in crate::console) async fn submit(State(app): State<App>, form: SettingUpForm) -> Result<Response, Trouble> {
    let SettingUpForm { who, fields } = form;
    who.must_make_keys()?;
    let once = Once::of(&app, &who.session, KEY, &fields)?;
    if let Some(response) = once.done(&app).await? {
        return Ok(response);
    }
    must_be_fresh(&app, &who, || {
        let resumes = who_resumes(Some(&who.session), &who.visit);
        fields.resumed(&app.peppers, resumes.first().map(String::as_str)).unwrap_or_else(|| KEY.to_owned())
    })?;
    let (typed, frame) = (Typed::of(&fields), Frame::inside(&who.session, &who.visit, &app, None).await?);
    let apis = apis(&app).await?;
    let (here, issued) = match make(&app, &who, &typed, &frame, &once).await? {
        Outcome::Made(made) => *made,
        Outcome::Before(response) => return Ok(response),
        Outcome::Wrong(wrong) => return with(&app, frame, &apis, typed, wrong).await,
    };
    let snippets = Snippets::for_any(&app, &apis, &typed.permissions);
    let (session, visit) = (&who.session, &who.visit);
    let place = Place { app: &app, session, visit, here: Some(&here), what: What::ApiKeys };
    made::show(&place, frame, &issued, snippets)
}

/// A form that makes a secret is for who proved lately who they are.
fn must_be_fresh(app: &App, who: &SettingUp, next: impl FnOnce() -> String) -> Result<(), Trouble> {
    if who.session.is_fresh(app.now()) { Ok(()) } else { Err(Trouble::NotFresh { next: next() }) }
}

/// Makes all of it, or nothing.
async fn make(app: &App, who: &SettingUp, typed: &Typed, frame: &Frame, once: &Once) -> Result<Outcome, Trouble> {
    let (mut wrong, now) = (Wrong::default(), app.now());
    if typed.permissions.is_empty() {
        wrong.fields.push(("permissions", frame.text("form-permissions-choose")));
        return Ok(Outcome::Wrong(wrong));
    }
    // Before the transaction, so that it stays until that is over.
    #[expect(clippy::needless_late_init, reason = "what borrows of it may live as long as the transaction")]
    let here;
    let mut tx = app.store.begin(who.session.by()).await?;
    let home = match chosen(app, &mut tx, who, typed, frame).await? {
        Ok(home) => home,
        Err(wrong) => return Ok(Outcome::Wrong(wrong)),
    };
    here = Here { person: Person::of(who.session.user(), &who.standings, home.id), organization: home };
    let reach = here.person.reach(permission::SERVICE_ACCOUNTS_WRITE).ok_or(Trouble::Absent)?;
    let authority =
        Authority::of_person(&who.session, &here.person, permission::API_KEYS_WRITE).ok_or(Trouble::Absent)?;
    let new = NewServiceAccount {
        permissions: typed.permissions.clone(),
        ..NewServiceAccount::named(here.organization.id, &typed.account_name)
    };
    let account = match service_account::created(app, &mut tx, reach, Grantor::Person(&here.person), &new).await {
        Ok((account, _, event)) => {
            tx.also(event);
            account
        }
        Err(RequestError::Rejected(rejection)) => return Ok(Outcome::Wrong(typed.refused(&rejection, frame))),
        Err(error) => return Err(error.into()),
    };
    let body = NewApiKey {
        expires_at: Some(end(&here.organization, now)),
        ..NewApiKey::named(account.id, &typed.account_name, typed.permissions.iter().map(String::as_str))
    };
    let issued = match api_key::issue(app, &mut tx, &authority, body, now).await {
        Ok(issued) => issued,
        Err(RequestError::Rejected(rejection)) => return Ok(Outcome::Wrong(typed.refused(&rejection, frame))),
        Err(error) => return Err(error.into()),
    };
    let path = here.path(&format!("/api-keys/{}", issued.credential.id));
    if let Some(response) = once.commit(app, tx, issued.event.clone(), path, now).await? {
        return Ok(Outcome::Before(response));
    }
    Ok(Outcome::Made(Box::new((here, issued))))
}

/// Whose key it will be.
async fn chosen(
    app: &App,
    tx: &mut Tx<'_>,
    who: &SettingUp,
    typed: &Typed,
    frame: &Frame,
) -> Result<Result<Organization, Wrong>, Trouble> {
    let wrong = |field, words: &str| Wrong { fields: vec![(field, frame.text(words))], page: None };
    if typed.organization != NEW {
        if !typed.organization_name.is_empty() {
            return Ok(Err(wrong("organization_name", "first-run-organization-name-unused")));
        }
        let id: OrganizationId = typed.organization.parse().map_err(|_| Trouble::Form)?;
        let found = tx.within(Reach::Instance).organization(id).await?;
        return Ok(found.ok_or_else(|| wrong("organization", "first-run-organization-gone")));
    }
    let everywhere = |permission| claviger_core::Standing::reaches(&who.standings, permission) == [Reach::Instance];
    if !everywhere(permission::ORGANIZATIONS_WRITE) {
        return Err(Trouble::Absent);
    }
    let body = NewOrganization { name: typed.organization_name.clone(), ..NewOrganization::default() };
    match organization::created(app, tx, body).await {
        Ok((made, event)) => {
            tx.also(event);
            Ok(Ok(made))
        }
        Err(RequestError::Rejected(Rejection::Conflict { .. })) => {
            Ok(Err(wrong("organization_name", "first-run-organization-taken")))
        }
        Err(RequestError::Rejected(_)) => Ok(Err(wrong("organization_name", "name-wrong"))),
        Err(error) => Err(error.into()),
    }
}

fn end(organization: &Organization, now: Timestamp) -> Timestamp {
    let usual = now + LIFE;
    organization.policy.latest_end(Kind::ApiKey, now).map_or(usual, |latest| latest.min(usual))
}

async fn with(app: &App, frame: Frame, apis: &[Api], typed: Typed, wrong: Wrong) -> Result<Response, Trouble> {
    let page = Page { after: None, limit: MOST };
    let organizations = app.store.within(Reach::Instance).organizations(None, &page).await?;
    let offered = apis.iter().flat_map(|api| &api.permissions).map(|known| known.name.clone()).collect();
    let status = if wrong.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    let shown = KeyPage {
        step: Step::Key,
        once: Once::field(app),
        resume: KEY,
        existing: a_key(app).await?,
        organizations: organizations.into_iter().map(|one| (one.id.to_string(), one.name.to_string())).collect(),
        picker: Picker::of(apis, &offered, &typed.permissions, &frame).without_wildcards(),
        begins: format!("{}_key_", app.config.brand),
        typed,
        wrong,
        frame,
    };
    Ok(page_with(status, &shown, []))
}
