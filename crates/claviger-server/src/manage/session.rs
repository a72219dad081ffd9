//! `/v1/session`: a signed-in user about their own session.

use axum::extract::State;
use claviger_core::Reach;
use claviger_token::{OrganizationId, SessionId, UserId};
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    app::App,
    body::Answer,
    problem::{Problem, RequestError},
    session::Session,
};

/// Who is signed in.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Session)]
pub(crate) struct SessionView {
    id: SessionId,
    user_id: UserId,
    /// The user's name, or address if there is none.
    name: String,
    /// The organizations that the user belongs to.
    organization_ids: Vec<OrganizationId>,
    /// To be sent as `X-CSRF-Token` with whatever changes something.
    csrf_token: String,
    /// Whether the sign-in is recent enough for making a token.
    fresh: bool,
    created_at: Timestamp,
}

/// Show the session of the browser
#[utoipa::path(
    get, path = "/v1/session", tag = "Token", operation_id = "showSession",
    responses((status = 200, body = SessionView), (status = 401, body = Problem)),
    security(("session" = [])),
)]
pub(crate) async fn show(State(app): State<App>, session: Session) -> Result<Answer<SessionView>, RequestError> {
    let organization_ids = app.store.within(Reach::Instance).organizations_of(session.user()).await?;
    Ok(Answer(SessionView {
        id: session.id(),
        user_id: session.user(),
        name: session.shown().to_owned(),
        organization_ids,
        csrf_token: session.csrf().to_owned(),
        fresh: session.is_fresh(app.now()),
        created_at: session.found().session.created_at,
    }))
}
