//! `/v1/users/{id}/passkeys`: by which passkeys somebody signs in. They are made in a browser alone; here they are seen, and taken
//! away when a device is lost.

use axum::{extract::State, http::StatusCode};
use claviger_core::{Event, Passkey, SessionEnd};
use claviger_store::{StoreError, Tx};
use claviger_token::{PasskeyId, UserId};
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::{Id, Ids};
use crate::{
    app::App,
    body::Answer,
    caller::{Caller, ReadUsers, WriteUsers},
    listing::List,
    problem::{Problem, RequestError},
};

/// A passkey of a user.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Passkey)]
pub(crate) struct PasskeyView {
    id: PasskeyId,
    /// What its user calls it.
    name: String,
    /// Whether other devices of its user have it too, as far as its authenticator says.
    backed_up: bool,
    created_at: Timestamp,
    /// When somebody last signed in by it, or proved themselves once more.
    last_used_at: Option<Timestamp>,
}

impl From<Passkey> for PasskeyView {
    fn from(passkey: Passkey) -> Self {
        Self {
            id: passkey.id,
            name: passkey.name.to_string(),
            backed_up: passkey.backed_up,
            created_at: passkey.created_at,
            last_used_at: passkey.used_at,
        }
    }
}

/// List a user's passkeys
///
/// All of them: there are at most twenty.
#[utoipa::path(
    get, path = "/v1/users/{id}/passkeys", tag = "Users", operation_id = "listPasskeys",
    params(("id" = UserId, Path)),
    responses((status = 200, body = List<PasskeyView>), (status = "4XX", body = Problem)),
)]
pub(crate) async fn list(
    State(app): State<App>,
    caller: Caller<ReadUsers>,
    Id(id): Id<UserId>,
) -> Result<Answer<List<PasskeyView>>, RequestError> {
    caller.must_reach_instance()?;
    app.store.within(caller.reach()).user(id).await?.ok_or(RequestError::NotFound)?;
    let found = app.store.passkeys_of(id).await?;
    Ok(Answer(List { items: found.into_iter().rev().map(PasskeyView::from).collect(), next_cursor: None }))
}

/// Remove a user's passkey
///
/// For a device that was lost: nobody signs in by it any more, and all sessions of its user end. It may be their last way to
/// sign in; then they need a link to a new password.
#[utoipa::path(
    delete, path = "/v1/users/{id}/passkeys/{passkey}", tag = "Users", operation_id = "removePasskey",
    params(("id" = UserId, Path), ("passkey" = PasskeyId, Path)),
    responses((status = 204, description = "Gone"), (status = "4XX", body = Problem)),
)]
pub(crate) async fn remove(
    State(app): State<App>,
    caller: Caller<WriteUsers>,
    Ids(user, id): Ids<UserId, PasskeyId>,
) -> Result<StatusCode, RequestError> {
    caller.must_reach_instance()?;
    let mut tx = app.store.begin(caller.by()).await?;
    tx.authenticators(user).await?.ok_or(RequestError::NotFound)?;
    let event = removed(&mut tx, user, id).await?.ok_or(RequestError::NotFound)?;
    tx.end_sessions_of(user, None, SessionEnd::PasskeyRemoved).await?;
    tx.commit(event, app.now(), &mut app.rng()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Takes a passkey away, as its user and an administrator do. Which sessions end with it is theirs to say. Nothing if it is not there.
pub(crate) async fn removed(tx: &mut Tx<'_>, user: UserId, id: PasskeyId) -> Result<Option<Event>, StoreError> {
    let found = tx.passkeys_of(user).await?.into_iter().find(|one| one.id == id);
    let Some(passkey) = found else { return Ok(None) };
    Ok(tx.delete_passkey(user, id).await?.then(|| passkey.remove()))
}
