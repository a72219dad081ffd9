//! A new API key: whose it is, then what it may do, then its secret, once. Where there is no service account yet, one is made on the way,
//! which holds just what its first key may do.

use askama::Template;
use axum::{extract::State, http::StatusCode, response::Response};
use claviger_core::{
    Grantor, Issued, Kind, NewApiKey, NewServiceAccount, Organization, Reach, Rejection, ServiceAccount, permission,
};
use claviger_store::{Page, Tx};
use claviger_token::{PermissionSet, ServiceAccountId};
use jiff::Timestamp;

use crate::{
    app::App,
    console::{
        credential::{
            Place,
            form::{CredentialForm, Typed, Wrong},
            made,
            once::Once,
            picker::Picker,
        },
        first_run,
        form::{CUT, Fields},
        inside::{Inside, InsideForm},
        page::{Frame, page, page_with},
        shell::Here,
        snippets::Snippets,
        trouble::Trouble,
    },
    manage::{api_key, service_account},
    problem::RequestError,
};

/// How many service accounts are offered; there is a search for the others.
const MOST: u32 = 50;

#[derive(Template)]
#[template(path = "api_key_whose.html")]
pub(crate) struct WhosePage {
    pub(crate) frame: Frame,
    pub(crate) list: String,
    pub(crate) q: String,
    pub(crate) accounts: Vec<Offered>,
    pub(crate) more: bool,
    /// Whether they may make a service account too.
    pub(crate) makes_accounts: bool,
}

/// A service account to choose.
pub(crate) struct Offered {
    pub(crate) id: String,
    pub(crate) name: String,
}

#[derive(Template)]
#[template(path = "api_key_new.html")]
pub(crate) struct NewPage {
    pub(crate) frame: Frame,
    pub(crate) list: String,
    pub(crate) once: String,
    pub(crate) resume: String,
    /// Whose it will be: an id and a name; `None`: a service account is made.
    pub(crate) account: Option<Offered>,
    /// What the new service account is called.
    pub(crate) account_name: String,
    pub(crate) form: CredentialForm,
}

/// Whose key it will be.
enum Whose {
    Existing(ServiceAccount),
    New(String),
}

/// `GET …/api-keys/new`: whose, and then `?account=` with what.
pub(crate) async fn show(State(app): State<App>, inside: Inside) -> Result<Response, Trouble> {
    let place = inside.place(&app);
    let here = may_make(&place)?;
    let fields = Fields::of_query(&inside.visit.path);
    if fields.value("account").is_empty() {
        let q = fields.value("q").trim();
        let accounts = accounts(&app, here, q).await?;
        let makes_accounts = here.person.may(permission::SERVICE_ACCOUNTS_WRITE);
        if !accounts.is_empty() || !q.is_empty() || !makes_accounts {
            return choose(&place, q, accounts, makes_accounts).await;
        }
    }
    place.must_be_fresh(inside.visit.path.clone())?;
    let (resumed, mut wrong) = (place.taken_up(), Wrong::default());
    if resumed.as_ref().is_some_and(|fields| !fields.value(CUT).is_empty()) {
        wrong.page = Some(place.frame().await?.text("form-cut"));
    }
    let name = resumed.as_ref().map(|fields| fields.value("account_name")).unwrap_or_default();
    let whose = whose(&app, here, fields.value("account"), name).await?;
    let mut typed = resumed.as_ref().map(Typed::of).unwrap_or_default();
    if typed.life.is_empty() {
        "90".clone_into(&mut typed.life);
    }
    with(&place, here, whose, typed, wrong).await
}

/// `POST …/api-keys/new`.
pub(crate) async fn submit(State(app): State<App>, form: InsideForm) -> Result<Response, Trouble> {
    let (place, fields) = (form.place(&app), &form.fields);
    let here = may_make(&place)?;
    let list = place.list();
    let once = Once::of(&app, &form.session, &list, fields)?;
    if let Some(response) = once.done(&app).await? {
        return Ok(response);
    }
    place.must_be_fresh(place.resumed(fields).unwrap_or_else(|| format!("{list}/new")))?;
    let whose = whose(&app, here, fields.value("account"), fields.value("account_name")).await?;
    let (typed, now, frame) = (Typed::of(fields), app.now(), place.frame().await?);
    // Where services ask is for who sets up the instance to know, and not for every customer.
    let snippets = if first_run::sets_up(&here.person) {
        let apis = app.store.within(Reach::Instance).catalog().await?;
        Snippets::for_any(&app, &apis, &typed.permissions)
    } else {
        None
    };
    let (tx, issued) = match make(&place, here, &whose, &typed, &frame, now).await? {
        Ok(made) => made,
        Err(wrong) => return with(&place, here, whose, typed, wrong).await,
    };
    let path = place.path(issued.credential.id);
    if let Some(response) = once.commit(&app, tx, issued.event.clone(), path, now).await? {
        return Ok(response);
    }
    made::show(&place, frame, &issued, snippets)
}

/// The key, and its service account if that is new, in a transaction that is not committed yet; or what is wrong with the form.
async fn make<'a>(
    place: &Place<'a>,
    here: &'a Here,
    whose: &Whose,
    typed: &Typed,
    frame: &Frame,
    now: Timestamp,
) -> Result<Result<(Tx<'a>, Issued), Wrong>, Trouble> {
    let (app, mut wrong) = (place.app, Wrong::default());
    let authority = place.writer()?;
    let expires_at = typed.end(now, frame, &mut wrong);
    let (rate_limits, quota) = (typed.rates(frame, &mut wrong), typed.quota(frame, &mut wrong));
    typed.must_permit(frame, &mut wrong);
    if !wrong.is_empty() {
        return Ok(Err(wrong));
    }
    let mut tx = app.store.begin(place.session.by()).await?;
    let account = match whose {
        Whose::Existing(account) => account.id,
        Whose::New(name) => {
            let permissions = typed.permissions.clone();
            let new = NewServiceAccount { permissions, ..NewServiceAccount::named(here.organization.id, name) };
            let reach = here.person.reach(permission::SERVICE_ACCOUNTS_WRITE).ok_or(Trouble::Absent)?;
            match service_account::created(app, &mut tx, reach, Grantor::Person(&here.person), &new).await {
                Ok((account, _, event)) => {
                    tx.also(event);
                    account.id
                }
                Err(RequestError::Rejected(rejection)) => return Ok(Err(of_account(&rejection, typed, frame))),
                Err(error) => return Err(error.into()),
            }
        }
    };
    let body = NewApiKey {
        objects: typed.objects(),
        environment: Some(typed.environment()),
        expires_at,
        allowed_networks: typed.networks(),
        rate_limits,
        quota,
        ..NewApiKey::named(account, &typed.name, typed.permissions.iter().map(String::as_str))
    };
    match api_key::issue(app, &mut tx, &authority, body, now).await {
        Ok(issued) => Ok(Ok((tx, issued))),
        Err(RequestError::Rejected(rejection)) => Ok(Err(Wrong::by(&rejection, typed, frame))),
        Err(error) => Err(error.into()),
    }
}

/// What is wrong with the service account, whose name has a field of its own.
fn of_account(rejection: &Rejection, typed: &Typed, frame: &Frame) -> Wrong {
    let mut wrong = Wrong::by(rejection, typed, frame);
    for (field, _) in wrong.fields.iter_mut().filter(|(field, _)| *field == "name") {
        *field = "account_name";
    }
    wrong
}

/// Who makes keys here sees the service accounts that they can be for.
fn may_make<'a>(place: &Place<'a>) -> Result<&'a Here, Trouble> {
    let here = place.here.ok_or(Trouble::Absent)?;
    here.must(permission::API_KEYS_READ)?;
    here.must(permission::API_KEYS_WRITE)?;
    here.must(permission::SERVICE_ACCOUNTS_READ)?;
    Ok(here)
}

async fn whose(app: &App, here: &Here, account: &str, name: &str) -> Result<Whose, Trouble> {
    if account.is_empty() || account == "new" {
        here.must(permission::SERVICE_ACCOUNTS_WRITE)?;
        return Ok(Whose::New(name.to_owned()));
    }
    let id: ServiceAccountId = account.parse().map_err(|_| Trouble::Absent)?;
    let found = app.store.within(Reach::Organization(here.organization.id)).service_account(id).await?;
    found.map(Whose::Existing).ok_or(Trouble::Absent)
}

async fn accounts(app: &App, here: &Here, q: &str) -> Result<Vec<ServiceAccount>, Trouble> {
    let organization = here.organization.id;
    let page = Page { after: None, limit: MOST + 1 };
    let q = (!q.is_empty()).then_some(q);
    let mut view = app.store.within(Reach::Organization(organization));
    Ok(view.service_accounts(Some(organization), q, &page).await?)
}

/// Asks whose it will be.
async fn choose(
    place: &Place<'_>,
    q: &str,
    mut accounts: Vec<ServiceAccount>,
    makes_accounts: bool,
) -> Result<Response, Trouble> {
    let more = accounts.len() > MOST as usize;
    accounts.truncate(MOST as usize);
    let shown = WhosePage {
        frame: place.frame().await?,
        list: place.list(),
        q: q.to_owned(),
        accounts: accounts.into_iter().map(Offered::of).collect(),
        more,
        makes_accounts,
    };
    Ok(page(&shown, []))
}

impl Offered {
    fn of(account: ServiceAccount) -> Self {
        Self { id: account.id.to_string(), name: account.name.to_string() }
    }
}

/// The form as it was typed, with what is wrong.
async fn with(place: &Place<'_>, here: &Here, whose: Whose, typed: Typed, wrong: Wrong) -> Result<Response, Trouble> {
    let (app, now, frame, list) = (place.app, place.app.now(), place.frame().await?, place.list());
    let organization = &here.organization;
    let mut view = app.store.within(Reach::Organization(organization.id));
    let apis = view.catalog().await?;
    let held = match &whose {
        Whose::Existing(account) => view.held(account.id.into(), organization.id).await?,
        Whose::New(_) => view.declared_permissions().await?,
    };
    let offered = can_be_given(here, organization, &held);
    let picker = Picker::of(&apis, &offered, &typed.permissions, &frame);
    let follows = matches!(whose, Whose::Existing(_))
        && organization.policy.wildcard_allowed
        && here.person.may(permission::GRANTS_WRITE);
    let picker = if follows { picker } else { picker.without_wildcards() };
    let latest = organization.policy.latest_end(Kind::ApiKey, now);
    let (account, account_name) = match whose {
        Whose::Existing(account) => (Some(Offered::of(account)), String::new()),
        Whose::New(name) => (None, name),
    };
    let status = if wrong.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    let shown = NewPage {
        once: Once::field(app),
        resume: format!("{list}/new"),
        list,
        account,
        account_name,
        form: CredentialForm {
            lives: CredentialForm::lives(latest, None, now, &frame),
            typed,
            wrong,
            picker,
            asks_environment: true,
            keeps_limits: false,
            of_client: false,
        },
        frame,
    };
    Ok(page_with(status, &shown, []))
}

/// What somebody can give of it: what they hold themselves, or anything, under the organization's ceiling.
pub(crate) fn can_be_given(here: &Here, organization: &Organization, held: &PermissionSet) -> PermissionSet {
    let under_ceiling = held.masked_by(&organization.effective_ceiling());
    if here.person.may(permission::GRANTS_WRITE) {
        return under_ceiling;
    }
    under_ceiling.iter().filter(|one| here.person.may(one.as_str())).cloned().collect()
}
