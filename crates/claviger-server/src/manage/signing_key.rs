//! `/v1/signing-keys`: the keys that sign tokens. They belong to the instance.

use axum::{extract::State, http::StatusCode};
use claviger_core::{KeyState, Reach, RotateSigningKeys, SigningKeyRecord, next_rotation};
use claviger_token::{SigningAlgorithm, SigningKeyId};
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::Id;
use crate::{
    app::App,
    body::{Answer, Post},
    caller::{Caller, ReadSigningKeys, WriteSigningKeys},
    listing::List,
    problem::{Problem, RequestError},
};

/// A key that signs tokens.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SigningKey)]
pub(crate) struct SigningKeyView {
    /// Also its `kid`.
    id: SigningKeyId,
    algorithm: SigningAlgorithm,
    state: KeyState,
    /// When it was made and published.
    created_at: Timestamp,
    /// From when it signs.
    active_at: Timestamp,
    /// From when its successor signs instead; null while there is none.
    retiring_at: Option<Timestamp>,
    /// From when it is published no more, and what it signed is refused.
    removed_at: Option<Timestamp>,
    /// When its successor is announced by itself; null if there is one, or it is removed.
    next_rotation_at: Option<Timestamp>,
}

impl SigningKeyView {
    fn new(app: &App, key: &SigningKeyRecord, now: Timestamp) -> Self {
        let alone = std::slice::from_ref(key);
        let interval = app.config.signing_key_rotation;
        let next = next_rotation(alone, key.algorithm, interval, now).filter(|_| key.retiring_at.is_none());
        Self {
            id: key.id,
            algorithm: key.algorithm,
            state: key.state(now),
            created_at: key.created_at,
            active_at: key.active_at,
            retiring_at: key.retiring_at,
            removed_at: key.removed_at,
            next_rotation_at: next,
        }
    }
}

/// List signing keys
///
/// All on one page, newest first.
#[utoipa::path(
    get, path = "/v1/signing-keys", tag = "OAuth", operation_id = "listSigningKeys",
    responses((status = 200, body = List<SigningKeyView>), (status = "4XX", body = Problem)),
)]
pub(crate) async fn list(
    State(app): State<App>,
    caller: Caller<ReadSigningKeys>,
) -> Result<Answer<List<SigningKeyView>>, RequestError> {
    caller.must_reach_instance()?;
    let mut keys = app.store.within(Reach::Instance).signing_keys().await?;
    keys.sort_by_key(|key| std::cmp::Reverse(key.id));
    let now = app.now();
    let items = keys.iter().map(|key| SigningKeyView::new(&app, key, now)).collect();
    Ok(Answer(List { items, next_cursor: None }))
}

/// Show a signing key
#[utoipa::path(
    get, path = "/v1/signing-keys/{id}", tag = "OAuth", operation_id = "showSigningKey",
    params(("id" = SigningKeyId, Path)),
    responses((status = 200, body = SigningKeyView), (status = "4XX", body = Problem)),
)]
pub(crate) async fn show(
    State(app): State<App>,
    caller: Caller<ReadSigningKeys>,
    Id(id): Id<SigningKeyId>,
) -> Result<Answer<SigningKeyView>, RequestError> {
    caller.must_reach_instance()?;
    let keys = app.store.within(Reach::Instance).signing_keys().await?;
    let key = keys.iter().find(|key| key.id == id).ok_or(RequestError::NotFound)?;
    Ok(Answer(SigningKeyView::new(&app, key, app.now())))
}

/// Rotate signing keys
///
/// The next key is published at once and signs once everybody can have fetched it; the one before stays published until the
/// last token that it signed has ended. In an emergency the new one signs at once and the old ones are removed at once, so
/// that every token that they signed is refused. The answer tells the new keys.
#[utoipa::path(
    post, path = "/v1/signing-keys/rotate", tag = "OAuth", operation_id = "rotateSigningKeys",
    request_body = RotateSigningKeys,
    responses((status = 200, body = List<SigningKeyView>), (status = "4XX", body = Problem)),
)]
pub(crate) async fn rotate(
    State(app): State<App>,
    caller: Caller<WriteSigningKeys>,
    Post { body, repeatable }: Post<RotateSigningKeys>,
) -> Result<Answer<List<SigningKeyView>>, RequestError> {
    caller.must_reach_instance()?;
    let told = |made: &[SigningKeyRecord]| {
        let now = app.now();
        List { items: made.iter().map(|key| SigningKeyView::new(&app, key, now)).collect(), next_cursor: None }
    };
    let kept = |made: &[SigningKeyRecord]| repeatable.remembered(StatusCode::OK, None, &told(made));
    let made = app.rotate_answering(caller.by(), &body, &kept).await?;
    Ok(Answer(told(&made)))
}
