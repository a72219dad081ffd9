//! `/account/security/passkeys/new`: somebody adds a passkey.

use askama::Template;
use axum::{extract::State, http::StatusCode, response::Response};
use claviger_core::{AuthenticatorTransports, Authenticators, Name, Passkey, PasskeyCreation, TooManyPasskeys};
use claviger_store::StoreError;

use super::{
    Ask, bytes,
    challenge::{Ceremony, Challenge},
};
use crate::{
    app::App,
    console::{
        form::SessionForm,
        page::{Frame, go_and_tell, page_with},
        trouble::Trouble,
        visit::{SignedIn, Visit},
    },
    session::Session,
};

const PATH: &str = "/account/security/passkeys/new";

#[derive(Template)]
#[template(path = "passkey_new.html")]
pub(in crate::console) struct NewPasskeyPage {
    pub(in crate::console) frame: Frame,
    /// What it is called unless somebody says otherwise.
    pub(in crate::console) name: String,
    /// Nothing if they have as many as they may.
    pub(in crate::console) ask: Option<Ask>,
}

/// `GET /account/security/passkeys/new`.
pub(crate) async fn show(
    State(app): State<App>,
    visit: Visit,
    SignedIn(session): SignedIn,
) -> Result<Response, Trouble> {
    must_be_fresh(&app, &session)?;
    with(&app, &visit, &session, None).await
}

/// `POST /account/security/passkeys/new` with `name`, `challenge`, `client_data`, `attestation` and `transports`.
pub(crate) async fn submit(State(app): State<App>, form: SessionForm) -> Result<Response, Trouble> {
    let SessionForm { fields, visit, session } = form;
    must_be_fresh(&app, &session)?;
    let here = app.relying_party().ok_or(Trouble::Absent)?;
    let Some(challenge) = Challenge::of(&app, Ceremony::Make, &fields) else {
        return with(&app, &visit, &session, Some("passkey-late")).await;
    };
    let (client_data, attestation) = (bytes(&fields, "client_data"), bytes(&fields, "attestation"));
    let registration = PasskeyCreation { client_data: &client_data, attestation: &attestation };
    let new = match registration.judge(&here, challenge.bytes()) {
        Ok(new) => new,
        Err(error) => {
            tracing::info!(%error, "a passkey was not added");
            return with(&app, &visit, &session, Some("passkey-not-made")).await;
        }
    };
    if !challenge.use_up(&app).await? {
        return with(&app, &visit, &session, Some("passkey-late")).await;
    }
    let now = app.now();
    let mut tx = app.store.begin(session.by()).await?;
    // Locked, so that there are no more of them at the commit than were counted.
    let user = tx.authenticators(session.user()).await?.filter(|user| !user.disabled).ok_or(Trouble::Form)?;
    // What ends the session takes the same lock: it has not ended meanwhile.
    if !tx.sessions_of(user.user).await?.iter().any(|one| one.id == session.id()) {
        return Err(Trouble::NotSignedIn { next: PATH.to_owned() });
    }
    let known = tx.passkeys_of(user.user).await?;
    // It is made already, and can be called otherwise afterwards.
    let name = Name::parse(fields.value("name").trim());
    let name = match name.or_else(|_| Name::parse(&default_name(&visit, known.len()))) {
        Ok(name) => name,
        Err(_) => return Err(Trouble::Form),
    };
    let transports = AuthenticatorTransports::from_text(fields.value("transports"));
    let added = Passkey::add(user.user, new, transports, name, known.len(), now, &mut app.rng());
    let Ok((passkey, event)) = added.map_err(|TooManyPasskeys| ()) else {
        drop(tx);
        return with(&app, &visit, &session, None).await;
    };
    match tx.insert_passkey(&passkey).await {
        Err(StoreError::Taken(_)) => {
            drop(tx);
            return with(&app, &visit, &session, Some("passkey-known")).await;
        }
        done => done?,
    }
    tx.commit(event, now, &mut app.rng()).await?;
    Ok(go_and_tell("/account/security", "passkey", []))
}

fn must_be_fresh(app: &App, session: &Session) -> Result<(), Trouble> {
    if session.is_fresh(app.now()) { Ok(()) } else { Err(Trouble::NotFresh { next: PATH.to_owned() }) }
}

async fn with(app: &App, visit: &Visit, session: &Session, wrong: Option<&'static str>) -> Result<Response, Trouble> {
    app.relying_party().ok_or(Trouble::Absent)?;
    let user: Authenticators = app.user_of(session).await?;
    let known = app.store.passkeys_of(user.user).await?;
    let frame = Frame::inside(session, visit, app, None).await?;
    let ask = match known.len() < Passkey::MOST {
        true => Ask::to_make(app, &frame.csrf, &user, &known, wrong),
        false => None,
    };
    let status = if wrong.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    Ok(page_with(status, &NewPasskeyPage { frame, name: default_name(visit, known.len()), ask }, []))
}

fn default_name(visit: &Visit, known: usize) -> String {
    visit.language.text_with("passkey-name-default", "number", &(known + 1).to_string())
}
