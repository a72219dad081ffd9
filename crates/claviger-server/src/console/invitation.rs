//! `/invitation`: somebody comes by a link into an organization. Who is signed in joins as they are; who is not and has no
//! account under the address chooses a password, and is in.

use askama::Template;
use axum::{extract::State, http::StatusCode, response::Response};
use claviger_core::{Actor, Authenticators, By, PasswordChange, Rejection, SignInMethod, is_link_code};
use claviger_token::Secret;

use super::{
    form::{SessionForm, VisitForm},
    link::LinkCode,
    page::{Frame, go, page_with},
    query::Query,
    security::chosen,
    sign_in::first_factor_proven,
    trouble::Trouble,
    visit::{Anybody, Visit},
};
use crate::{
    accepting::{AcceptError, Invited, OpenInvitation},
    app::App,
    cookies::Cookie,
    session::Session,
};

/// What is said of a name.
const NAME_WRONG: &str = "name-wrong";

#[derive(Template)]
#[template(path = "invitation.html")]
pub(super) struct InvitationPage {
    pub(super) frame: Frame,
    pub(super) organization: String,
    pub(super) email: String,
    pub(super) shape: Shape,
    pub(super) name: String,
    /// The key of what is wrong with the form, if anything is.
    pub(super) wrong: Option<&'static str>,
}

impl InvitationPage {
    pub(super) fn name_is_wrong(&self) -> bool {
        self.wrong == Some(NAME_WRONG)
    }
}

/// What somebody has to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// They are signed in.
    Join,
    /// The address is somebody's.
    SignIn,
    /// Nobody has the address.
    Choose,
}

/// `GET /invitation?code=…`.
pub(crate) async fn show(
    State(app): State<App>,
    visit: Visit,
    Anybody(session): Anybody,
    Query(code): Query<LinkCode>,
) -> Result<Response, Trouble> {
    if let Some(moved) = code.moved("/invitation", &visit) {
        return moved;
    }
    let open = app.invitation_of(&visit).await?;
    Ok(form(&app, &visit, session.as_ref(), &open, "", None))
}

/// `POST /invitation/accept`, by somebody who is signed in.
pub(crate) async fn accept(State(app): State<App>, form: SessionForm) -> Result<Response, Trouble> {
    let SessionForm { visit, session, .. } = form;
    let code = code(&visit)?;
    app.accept_invitation(&code, Invited::User(session.user()), session.by()).await.map_err(refused)?;
    Ok(go("/", [Cookie::Code.clear(visit.secure)]))
}

/// `POST /invitation` with `name`, `new` and `again`, by somebody new.
pub(crate) async fn submit(State(app): State<App>, form: VisitForm) -> Result<Response, Trouble> {
    let VisitForm { fields, visit, session } = form;
    let (open, code) = (app.invitation_of(&visit).await?, code(&visit)?);
    let name = Some(fields.value("name").trim()).filter(|name| !name.is_empty()).map(str::to_owned);
    let wrong = |key| Ok(self::form(&app, &visit, None, &open, fields.value("name"), Some(key)));
    let about = [open.invitation.email.as_str(), name.as_deref().unwrap_or_default()];
    let chosen = match chosen(fields.value("new"), fields.value("again"), &about) {
        Ok(chosen) => chosen,
        Err(key) => return wrong(key),
    };
    let hash = app.password_hash(chosen).await?;
    let now = app.now();
    // Who it is, the event says: before it, they are nobody.
    let by = By { actor: Actor::System, address: visit.from.address, request_id: visit.from.request_id.clone() };
    let mut tx = app.store.begin(&by).await?;
    let (user, event) = match app.accept_within(&mut tx, &code, Invited::New { name }, now).await {
        Ok(accepted) => accepted,
        Err(AcceptError::Rejected(Rejection::Invalid(_))) => return wrong(NAME_WRONG),
        Err(AcceptError::Rejected(Rejection::Conflict { code: "sign_in_to_accept", .. })) => {
            return Ok(go("/sign-in?next=%2Finvitation", []));
        }
        Err(error) => return Err(refused(error)),
    };
    let user: Authenticators = tx.authenticators(user.id).await?.ok_or(Trouble::Link)?;
    let (user, password) = user.set_password(hash, PasswordChange::Chosen, now);
    tx.save_authenticators(&user).await?;
    tx.also(password);
    tx.commit(event, now, &mut app.rng()).await?;
    let mut response = first_factor_proven(&app, &visit, session, user, SignInMethod::Password, "/").await?;
    response.headers_mut().append(axum::http::header::SET_COOKIE, Cookie::Code.clear(visit.secure));
    Ok(response)
}

fn form(
    app: &App,
    visit: &Visit,
    session: Option<&Session>,
    open: &OpenInvitation,
    name: &str,
    wrong: Option<&'static str>,
) -> Response {
    let (frame, cookie) = match session {
        Some(session) => (Frame::of(session, visit, app), None),
        None => Frame::of_anybody(visit, app),
    };
    let shape = match (session, open.is_known) {
        (Some(_), _) => Shape::Join,
        (None, true) => Shape::SignIn,
        (None, false) => Shape::Choose,
    };
    let page = InvitationPage {
        frame,
        organization: open.organization.name.to_string(),
        email: open.invitation.email.to_string(),
        shape,
        name: name.chars().take(100).collect(),
        wrong,
    };
    let status = if wrong.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    page_with(status, &page, cookie)
}

fn code(visit: &Visit) -> Result<Secret, Trouble> {
    visit.code.clone().filter(|code| is_link_code(code)).map(Secret::new).ok_or(Trouble::Link)
}

/// Whatever the reason, whoever holds the link asks for a new one.
fn refused(error: AcceptError) -> Trouble {
    match error {
        AcceptError::Rejected(_) => Trouble::Link,
        AcceptError::Store(error) => Trouble::Store(error),
    }
}

impl App {
    async fn invitation_of(&self, visit: &Visit) -> Result<OpenInvitation, Trouble> {
        self.open_invitation(&code(visit)?).await?.ok_or(Trouble::Link)
    }
}
