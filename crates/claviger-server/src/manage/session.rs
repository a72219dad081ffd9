//! `/v1/session`: a signed-in user about their own session.

use axum::extract::State;
use claviger_token::{OrganizationId, SessionId, UserId};
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    app::App,
    body::Answer,
    problem::{Problem, RequestError},
    session::AnySession,
};

/// Who is signed in.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Session)]
pub(crate) struct SessionView {
    id: SessionId,
    user_id: UserId,
    /// The user's name, or address if there is none.
    name: String,
    /// `console`, or `portal`: at the portal of one organization, and for that one alone.
    #[schema(value_type = String, example = "console")]
    kind: &'static str,
    /// The organizations that the user belongs to, as far as the session counts there.
    organization_ids: Vec<OrganizationId>,
    /// Where a portal leads back to; null in the console.
    return_url: Option<String>,
    /// To be sent as `X-CSRF-Token` with whatever changes something.
    csrf_token: String,
    /// Whether the sign-in is recent enough for making a token.
    fresh: bool,
    created_at: Timestamp,
}

/// Show the session of the browser
///
/// A session at a portal is shown to whoever sends its `X-CSRF-Token`, which the portal's pages hold.
#[utoipa::path(
    get, path = "/v1/session", tag = "Token", operation_id = "showSession",
    responses((status = 200, body = SessionView), (status = 401, body = Problem)),
    security(("session" = []), ("portal" = [])),
)]
pub(crate) async fn show(
    State(app): State<App>,
    AnySession(session): AnySession,
) -> Result<Answer<SessionView>, RequestError> {
    let organization_ids = app.store.within(session.reach()).organizations_of(session.user()).await?;
    let stored = &session.found().session;
    Ok(Answer(SessionView {
        id: session.id(),
        user_id: session.user(),
        name: session.shown().to_owned(),
        kind: stored.kind.as_str(),
        organization_ids,
        return_url: stored.return_url.clone(),
        csrf_token: session.csrf().to_owned(),
        fresh: session.is_fresh(app.now()),
        created_at: stored.created_at,
    }))
}
