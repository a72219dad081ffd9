//! `/v1/portal-sessions`: links that let a user of the SaaS into the portal of an organization. What one opens stands in
//! `console/portal/`.

use axum::{extract::State, http::StatusCode};
use claviger_core::{NamedUser, NewPortalSession, Reach, Rejection};
use claviger_token::Secret;
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    credential::{World, in_the_clear},
    link,
};
use crate::{
    app::App,
    body::{Answer, Post},
    caller::{Caller, WritePortalSessions},
    problem::{Problem, RequestError},
};

/// A link into the portal.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PortalSession {
    /// Where a frame, or the whole page, of this user goes at once: whoever opens it is taken for them. Works once. Null when
    /// the request is repeated.
    #[serde(serialize_with = "in_the_clear")]
    #[schema(value_type = Option<String>)]
    url: Option<Secret>,
    /// When the link is dead, if it was not used before. The session that it opens lasts for an hour.
    expires_at: Timestamp,
}

/// Let a user into the portal
///
/// For the backend of a product, whose user is signed in there: they see their own tokens of this organization, and nothing else.
/// What they can hand out there as tokens, the caller must be able to give.
#[utoipa::path(
    post, path = "/v1/portal-sessions", tag = "Portal", operation_id = "createPortalSession",
    request_body = NewPortalSession,
    responses((status = 201, body = PortalSession), (status = "4XX", body = Problem)),
)]
pub(crate) async fn create(
    State(app): State<App>,
    caller: Caller<WritePortalSessions>,
    Post { body, repeatable }: Post<NewPortalSession>,
) -> Result<(StatusCode, Answer<PortalSession>), RequestError> {
    let (named, organization) = (body.user()?, body.organization_id);
    let mut tx = app.store.begin(caller.by()).await?;
    if tx.within(caller.reach()).organization(organization).await?.is_none() {
        let message = "there is no such organization, or not for you";
        return Err(Rejection::field("/organization_id", "unknown_organization", message).into());
    }
    let unknown = || Rejection::field(named.pointer(), "unknown_user", "there is no such user in that organization");
    // Locked before it is asked whether they belong there: a link that is made while its user leaves would come back with them.
    let mut there = tx.to_change(Reach::Organization(organization));
    let user = match named {
        NamedUser::Id(id) => there.user(id).await?,
        NamedUser::ExternalId(external_id) => there.user_by_external_id(external_id).await?,
    };
    let user = user.ok_or_else(unknown)?;
    let world = World::of_member(&mut tx, caller.reach(), user.id, organization).await?.ok_or_else(unknown)?;
    world.may_be_let_in_by(caller.grantor())?;
    let (by, now) = (&caller.by().actor, app.now());
    let (code, secret, event) = body.link(&user, world.organization(), by, now, &mut app.rng())?;
    tx.insert_one_time_code(&code, &app.peppers.digest(&secret.hash())).await?;
    let concealed = PortalSession { url: None, expires_at: code.ends_at };
    let kept = repeatable.remembered(StatusCode::CREATED, None, &concealed);
    tx.commit_answering(event, kept.as_ref(), now, &mut app.rng()).await?;
    let url = Some(link(&app, "portal/enter", &secret));
    Ok((StatusCode::CREATED, Answer(PortalSession { url, ..concealed })))
}
