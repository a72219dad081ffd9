//! `/v1/audit-events`: who did what, newest first.

use axum::{extract::State, http::StatusCode};
use claviger_store::{AuditEvent, AuditFilter};
use claviger_token::{EventId, OrganizationId, TokenHash};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};

use crate::{
    app::App,
    body::Answer,
    caller::{Caller, ReadAuditEvents},
    listing::{List, Listing, list_query},
    problem::{Problem, RequestError},
};

/// Something that happened.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AuditEvent)]
pub(crate) struct AuditEventView {
    id: EventId,
    /// Null for events of the instance.
    organization_id: Option<OrganizationId>,
    /// Its place in its chain, from 1, without gaps.
    seq: Value,
    /// When.
    #[schema(value_type = Timestamp)]
    at: Value,
    /// Such as `api_key.created`.
    #[schema(value_type = String)]
    action: Value,
    /// `{type, id, credential}`; type is `service_account`, `user`, `operator` or `system`.
    #[schema(value_type = Object)]
    actor: Value,
    /// From where, unless it was erased or is not known.
    address: Option<String>,
    /// What it happened to.
    #[schema(value_type = String)]
    target: Value,
    /// Both sides of the change.
    #[schema(value_type = Object)]
    details: Value,
    /// What it tells of a person, both sides too; null if there is nothing, or since it was erased.
    #[schema(value_type = Option<Object>)]
    personal: Value,
    /// Finds the request in the log.
    #[schema(value_type = Option<String>)]
    request_id: Value,
}

impl From<AuditEvent> for AuditEventView {
    fn from(event: AuditEvent) -> Self {
        let mut record: Map<String, Value> = serde_json::from_str(&event.record).unwrap_or_default();
        let mut take = |name: &str| record.remove(name).unwrap_or_default();
        Self {
            id: event.id,
            organization_id: event.chain.organization(),
            seq: take("seq"),
            at: take("at"),
            action: take("action"),
            actor: take("actor"),
            address: event.address,
            target: take("target"),
            details: take("details"),
            personal: event.personal.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default(),
            request_id: take("request_id"),
        }
    }
}

/// Filters of the list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct AuditEventQuery {
    /// Of one organization.
    organization_id: Option<OrganizationId>,
    /// About this id.
    target: Option<String>,
    /// By this principal, or `operator` or `system`.
    actor: Option<String>,
    /// About this credential, or done with it; also a session.
    credential: Option<String>,
    /// The same by the SHA-256 of a token that was found somewhere, in hexadecimal: whose it is can be asked without sending it.
    token_sha256: Option<String>,
    /// Such as `api_key.revoked`.
    action: Option<String>,
    /// From this moment on (RFC 3339).
    since: Option<Timestamp>,
    /// Before this moment (RFC 3339).
    until: Option<Timestamp>,
    /// 1 to 200; 50 if absent.
    limit: Option<u32>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}
list_query!(AuditEventQuery);

/// List audit events
#[utoipa::path(
    get, path = "/v1/audit-events", tag = "Audit", operation_id = "listAuditEvents",
    params(AuditEventQuery),
    responses((status = 200, body = List<AuditEventView>), (status = "4XX", body = Problem)),
)]
pub(crate) async fn list(
    State(app): State<App>,
    caller: Caller<ReadAuditEvents>,
    listing: Listing<AuditEventQuery>,
) -> Result<Answer<List<AuditEventView>>, RequestError> {
    let filters = &listing.filters;
    let mut view = app.store.within(caller.reach());
    let mut means = filters.credential.clone();
    if let Some(hash) = &filters.token_sha256 {
        let hash = TokenHash::from_hex(hash).ok_or_else(|| {
            let detail = "token_sha256 is 64 hexadecimal digits: the SHA-256 of the whole token, prefix included";
            RequestError::unreadable(StatusCode::BAD_REQUEST, "invalid_query", detail)
        })?;
        let digests: Vec<_> = app.peppers.candidates(&hash).collect();
        let found = view.credential_of(&digests).await?.map(|id| id.to_string());
        if found.is_none() || means.as_ref().is_some_and(|asked| Some(asked) != found.as_ref()) {
            return Ok(Answer(listing.list(Vec::new(), |event: &AuditEvent| event.id, AuditEventView::from)));
        }
        means = found;
    }
    let filter = AuditFilter {
        organization: filters.organization_id,
        target: filters.target.clone(),
        actor: filters.actor.clone(),
        means,
        action: filters.action.clone(),
        since: filters.since,
        until: filters.until,
        instance_only: false,
    };
    let found = view.audit_events(&filter, &listing.page()?).await?;
    Ok(Answer(listing.list(found, |event| event.id, AuditEventView::from)))
}
