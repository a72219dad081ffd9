//! `/account/security/passkeys/{id}`: what a passkey is called, and its end.

use askama::Template;
use axum::{extract::State, http::StatusCode, response::Response};
use claviger_core::{Name, Passkey, SessionEnd, is_last_way_in};
use claviger_store::StoreError;
use claviger_token::PasskeyId;

use super::path;
use crate::{
    app::App,
    console::{
        form::SessionForm,
        inside::Which,
        page::{Frame, go, go_and_tell, page_with},
        security::renewed,
        trouble::Trouble,
        visit::{SignedIn, Visit},
    },
    manage::passkey,
    session::Session,
};

#[derive(Template)]
#[template(path = "passkey.html")]
pub(in crate::console) struct PasskeyPage {
    pub(in crate::console) frame: Frame,
    pub(in crate::console) path: String,
    /// What it is called now, which the form carries along.
    pub(in crate::console) name: String,
    /// What is in the field.
    pub(in crate::console) typed: String,
    /// The key of what is wrong with that.
    pub(in crate::console) wrong: Option<&'static str>,
}

#[derive(Template)]
#[template(path = "passkey_remove.html")]
pub(in crate::console) struct RemovePasskeyPage {
    pub(in crate::console) frame: Frame,
    pub(in crate::console) path: String,
    pub(in crate::console) name: String,
    /// Whether nothing else would let them in.
    pub(in crate::console) last_way: bool,
}

/// `GET /account/security/passkeys/{id}`.
pub(crate) async fn show(
    State(app): State<App>,
    Which(id): Which<PasskeyId>,
    visit: Visit,
    SignedIn(session): SignedIn,
) -> Result<Response, Trouble> {
    let passkey = find(&app, &session, id).await?;
    renaming(&app, &visit, &session, &passkey, passkey.name.to_string(), None).await
}

/// `POST /account/security/passkeys/{id}` with `name`, and `seen`: what it was called.
pub(crate) async fn rename(
    State(app): State<App>,
    Which(id): Which<PasskeyId>,
    form: SessionForm,
) -> Result<Response, Trouble> {
    let SessionForm { fields, visit, session } = form;
    let passkey = find(&app, &session, id).await?;
    let typed = fields.value("name").to_owned();
    let Ok(name) = Name::parse(typed.trim()) else {
        return renaming(&app, &visit, &session, &passkey, typed, Some("name-wrong")).await;
    };
    let mut tx = app.store.begin(session.by()).await?;
    tx.authenticators(session.user()).await?.ok_or(Trouble::Absent)?;
    let passkey = tx.passkeys_of(session.user()).await?.into_iter().find(|one| one.id == id).ok_or(Trouble::Absent)?;
    if passkey.name.as_str() != fields.value("seen") {
        drop(tx);
        return renaming(&app, &visit, &session, &passkey, typed, Some("passkey-renamed-meanwhile")).await;
    }
    if passkey.name != name {
        let (renamed, event) = passkey.rename(name);
        tx.rename_passkey(&renamed).await?;
        tx.commit(event, app.now(), &mut app.rng()).await?;
    }
    Ok(go_and_tell("/account/security", "saved", []))
}

/// `GET /account/security/passkeys/{id}/remove`: asks once more.
pub(crate) async fn ask_to_remove(
    State(app): State<App>,
    Which(id): Which<PasskeyId>,
    visit: Visit,
    SignedIn(session): SignedIn,
) -> Result<Response, Trouble> {
    let passkey = find(&app, &session, id).await?;
    must_be_fresh(&app, &session, &passkey)?;
    removing(&app, &visit, &session, &passkey, StatusCode::OK).await
}

/// `POST /account/security/passkeys/{id}/remove`.
pub(crate) async fn remove(
    State(app): State<App>,
    Which(id): Which<PasskeyId>,
    form: SessionForm,
) -> Result<Response, Trouble> {
    let SessionForm { visit, session, .. } = form;
    let shown = find(&app, &session, id).await?;
    must_be_fresh(&app, &session, &shown)?;
    let comes_by_provider = comes_by_provider(&app, &session).await?;
    let mut tx = app.store.begin(session.by()).await?;
    let user = tx.authenticators(session.user()).await?.ok_or(Trouble::Absent)?;
    let known = tx.passkeys_of(user.user).await?;
    if is_last_way_in(&user, &shown, &known, app.relying_party().as_ref(), comes_by_provider) {
        drop(tx);
        return removing(&app, &visit, &session, &shown, StatusCode::UNPROCESSABLE_ENTITY).await;
    }
    let Some(event) = passkey::removed(&mut tx, user.user, id).await? else {
        return Ok(go("/account/security", []));
    };
    let cookie = renewed(&app, &mut tx, &visit, &session, SessionEnd::PasskeyRemoved).await?;
    tx.commit(event, app.now(), &mut app.rng()).await?;
    Ok(go_and_tell("/account/security", "passkey-removed", [cookie]))
}

/// Whether the outside provider lets them in.
async fn comes_by_provider(app: &App, session: &Session) -> Result<bool, StoreError> {
    match &app.provider {
        Some(provider) => app.store.is_known_at(session.user(), &provider.at.issuer).await,
        None => Ok(false),
    }
}

async fn find(app: &App, session: &Session, id: PasskeyId) -> Result<Passkey, Trouble> {
    let own = app.store.passkeys_of(session.user()).await?;
    own.into_iter().find(|one| one.id == id).ok_or(Trouble::Absent)
}

fn must_be_fresh(app: &App, session: &Session, passkey: &Passkey) -> Result<(), Trouble> {
    if session.is_fresh(app.now()) {
        return Ok(());
    }
    Err(Trouble::NotFresh { next: format!("{}/remove", path(passkey)) })
}

async fn renaming(
    app: &App,
    visit: &Visit,
    session: &Session,
    passkey: &Passkey,
    typed: String,
    wrong: Option<&'static str>,
) -> Result<Response, Trouble> {
    let frame = Frame::inside(session, visit, app, None).await?;
    let status = if wrong.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    let page = PasskeyPage { frame, path: path(passkey), name: passkey.name.to_string(), typed, wrong };
    Ok(page_with(status, &page, []))
}

async fn removing(
    app: &App,
    visit: &Visit,
    session: &Session,
    passkey: &Passkey,
    status: StatusCode,
) -> Result<Response, Trouble> {
    let frame = Frame::inside(session, visit, app, None).await?;
    let user = app.user_of(session).await?;
    let (known, here) = (app.store.passkeys_of(user.user).await?, app.relying_party());
    let last_way = is_last_way_in(&user, passkey, &known, here.as_ref(), comes_by_provider(app, session).await?);
    let page = RemovePasskeyPage { frame, path: path(passkey), name: passkey.name.to_string(), last_way };
    Ok(page_with(status, &page, []))
}
