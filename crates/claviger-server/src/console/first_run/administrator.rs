//! The first step: who holds the link that `serve` prints becomes the administrator of the instance, and is signed in.

use askama::Template;
use axum::{
    extract::State,
    http::{StatusCode, header},
    response::Response,
};
use claviger_core::{Actor, By, Name, NewUser, Rejection, SignInMethod, User};
use claviger_store::StoreError;

use super::{ADMINISTRATOR, API, Step};
use crate::{
    app::App,
    console::{
        credential::form::Wrong,
        form::{Fields, VisitForm},
        page::{Frame, page_with},
        security::chosen,
        sign_in::first_factor_proven,
        trouble::Trouble,
        visit::Visit,
    },
    cookies::Cookie,
    first_run::{FirstAdministrator, FirstRun, NotMade},
};

#[derive(Template)]
#[template(path = "first_run_you.html")]
pub(super) struct YouPage {
    pub(super) frame: Frame,
    pub(super) step: Step,
    pub(super) typed: Typed,
    pub(super) wrong: Wrong,
    /// Whether the organization that runs the instance is there already.
    pub(super) has_home: bool,
}

/// The fields as they stand on the page.
const ORDER: [&str; 4] = ["organization", "name", "email", "new"];

/// What was typed, but for the password.
#[derive(Default)]
pub(super) struct Typed {
    pub(super) email: String,
    pub(super) name: String,
    pub(super) organization: String,
}

impl Typed {
    fn of(fields: &Fields) -> Self {
        let value = |name| fields.value(name).trim().chars().take(300).collect();
        Self { email: value("email"), name: value("name"), organization: value("organization") }
    }

    /// What the person is called, if they say so.
    fn person(&self) -> Option<String> {
        (!self.name.is_empty()).then(|| self.name.clone())
    }
}

/// Asks who they are.
pub(super) async fn show(app: &App, visit: &Visit) -> Result<Response, Trouble> {
    must_hold_the_link(app, visit).await?;
    with(app, visit, Typed::default(), Wrong::default()).await
}

/// `POST /first-run` with `email`, `name`, `organization`, `new` and `again`.
pub(in crate::console) async fn submit(State(app): State<App>, form: VisitForm) -> Result<Response, Trouble> {
    let VisitForm { fields, visit, session } = form;
    if app.is_administered().await? {
        return Err(Trouble::NotSignedIn { next: ADMINISTRATOR.to_owned() });
    }
    let printed = must_hold_the_link(&app, &visit).await?;
    let (typed, frame) = (Typed::of(&fields), Frame::of_anybody(&visit, &app).0);
    let wrong = |typed, field, text| with(&app, &visit, typed, Wrong { fields: vec![(field, text)], page: None });
    // All of it at once.
    let person = NewUser { name: typed.person(), ..NewUser::with_email(&typed.email) };
    let made = User::create(&person, app.now(), &mut app.rng());
    let mut all = made.err().map(|rejection| told(&rejection, &frame)).unwrap_or_default();
    if app.home().await?.is_none() && Name::parse(&typed.organization).is_err() {
        all.fields.push(("organization", frame.text("name-wrong")));
    }
    let about = [typed.email.as_str(), typed.name.as_str()];
    let chosen = chosen(fields.value("new"), fields.value("again"), &about);
    let chosen = chosen.map_err(|key| all.fields.push(("new", frame.text(key)))).ok();
    all.fields.sort_by_key(|(field, _)| ORDER.iter().position(|place| place == field));
    let Some(chosen) = chosen.filter(|_| all.is_empty()) else { return with(&app, &visit, typed, all).await };
    let new = FirstAdministrator {
        email: typed.email.clone(),
        name: typed.person(),
        password: app.password_hash(chosen).await?,
        organization: typed.organization.clone(),
    };
    // Whoever holds the link was shown it by the operator.
    let by = By { actor: Actor::Operator, address: visit.from.address, request_id: visit.from.request_id.clone() };
    let user = match app.make_first_administrator(&by, printed, new).await {
        Ok(user) => user,
        Err(NotMade::TooLate) => return Err(Trouble::NotSignedIn { next: ADMINISTRATOR.to_owned() }),
        Err(NotMade::Void) => return Err(Trouble::Link),
        Err(NotMade::OrganizationRejected) => return wrong(typed, "organization", frame.text("name-wrong")).await,
        Err(NotMade::Rejected(rejection)) => return with(&app, &visit, typed, told(&rejection, &frame)).await,
        Err(NotMade::Store(StoreError::Taken(_))) => {
            return wrong(typed, "email", frame.text("first-run-email-taken")).await;
        }
        Err(NotMade::Store(error)) => return Err(error.into()),
    };
    let mut response = first_factor_proven(&app, &visit, session, user, SignInMethod::Password, API).await?;
    response.headers_mut().append(header::SET_COOKIE, Cookie::Code.clear(visit.secure));
    Ok(response)
}

/// Where theirs was printed, if it still counts.
async fn must_hold_the_link(app: &App, visit: &Visit) -> Result<FirstRun, Trouble> {
    let printed = visit.code.as_deref().and_then(|code| app.first_run_code(code)).ok_or(Trouble::Link)?;
    if app.still_holds(printed).await? { Ok(printed) } else { Err(Trouble::Link) }
}

/// What the rules say of who they are.
fn told(rejection: &Rejection, frame: &Frame) -> Wrong {
    let mut wrong = Wrong::default();
    if let Rejection::Invalid(errors) = rejection {
        for error in errors {
            wrong.fields.push(match error.pointer.as_str() {
                "/email" => ("email", frame.text("first-run-email-wrong")),
                _ => ("name", frame.text("name-wrong")),
            });
        }
    } else {
        wrong.page = Some(frame.text("form-refused"));
    }
    wrong
}

async fn with(app: &App, visit: &Visit, typed: Typed, wrong: Wrong) -> Result<Response, Trouble> {
    let (frame, cookie) = Frame::of_anybody(visit, app);
    let status = if wrong.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    let has_home = app.home().await?.is_some();
    let page = YouPage { frame, step: Step::Administrator, typed, wrong, has_home };
    Ok(page_with(status, &page, cookie))
}
