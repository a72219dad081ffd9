//! `/v1/credentials`: every credential that reaches an organization, whatever its kind, and the end of many at once.

use axum::{extract::State, http::StatusCode};
use claviger_core::{By, Credential, CredentialStatus, Kind, Reach, Rejection, RevokeReason};
use claviger_store::{CountedAmong, CredentialFilter, Order, Page, StatusAt, StoreError, View};
use claviger_token::{
    Confirmation, CredentialId, Environment, NetworkSet, ObjectSet, OrganizationId, PermissionMask, PrincipalId,
    PrincipalType,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, ToSchema};

use crate::{
    app::App,
    body::{Answer, Json},
    caller::{Caller, ReadCredentials, WriteCredentials},
    governing::Many,
    listing::{List, Listing, list_query},
    problem::{Problem, RequestError},
};

/// How many of the matching credentials a preview shows.
const SHOWN: u32 = 20;

/// Among how many credentials matching ones are counted and shown before somebody means it.
pub(crate) const LOOKED_AT: u32 = 100_000;

/// A credential, as whoever governs the organization sees it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Credential)]
pub(crate) struct InventoryView {
    id: CredentialId,
    kind: Kind,
    organization_id: OrganizationId,
    owner: OwnerView,
    name: String,
    status: CredentialStatus,
    environment: Environment,
    permissions: PermissionMask,
    /// The objects it is limited to; null if it is not.
    objects: Option<ObjectSet>,
    /// The networks it is limited to; null if it is not.
    allowed_networks: Option<NetworkSet>,
    /// What must be proved with it (RFC 7800); null of a bearer credential.
    cnf: Option<Confirmation>,
    not_before: Option<Timestamp>,
    /// Null if it never ends.
    expires_at: Option<Timestamp>,
    /// Null if it was never used.
    last_used_at: Option<Timestamp>,
    /// The client's address, where the gateway or the API told it.
    last_used_from: Option<String>,
    created_at: Timestamp,
    /// A principal's id, or `operator`.
    created_by: String,
}

/// Whose a credential is.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CredentialOwner)]
pub(crate) struct OwnerView {
    id: PrincipalId,
    #[serde(rename = "type")]
    kind: PrincipalType,
    /// A user's name, or address if there is none.
    name: String,
}

/// Filters of the list, and of what is revoked.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct InventoryQuery {
    /// Of one organization.
    pub(crate) organization_id: Option<OrganizationId>,
    /// Of one kind: `api_key`, `personal_access_token`, `client_secret`, `public_key`, `certificate` or `federation`.
    pub(crate) kind: Option<Kind>,
    /// Of one user or service account.
    pub(crate) principal_id: Option<PrincipalId>,
    /// Made by this user or service account, or by `operator`.
    pub(crate) created_by: Option<String>,
    /// In this state now.
    pub(crate) status: Option<CredentialStatus>,
    /// In the name.
    pub(crate) q: Option<String>,
    /// Made at this time or later (RFC 3339).
    pub(crate) created_from: Option<Timestamp>,
    /// Made before this time.
    pub(crate) created_before: Option<Timestamp>,
    /// That end before this time.
    pub(crate) expires_before: Option<Timestamp>,
    /// That never end, or that do.
    pub(crate) never_expires: Option<bool>,
    /// Neither used nor made since this time.
    pub(crate) unused_since: Option<Timestamp>,
    /// 1 to 200; 50 if absent.
    pub(crate) limit: Option<u32>,
    /// `next_cursor` of the page before.
    pub(crate) cursor: Option<String>,
}
list_query!(InventoryQuery);

impl InventoryQuery {
    pub(crate) fn filter(&self, now: Timestamp) -> CredentialFilter {
        CredentialFilter {
            kind: self.kind,
            organization: self.organization_id,
            principal: self.principal_id,
            created_by: self.created_by.clone(),
            status: self.status.map(|status| StatusAt { status, at: now }),
            q: self.q.clone(),
            created_from: self.created_from,
            created_before: self.created_before,
            expires_before: self.expires_before,
            never_expires: self.never_expires,
            unused_since: self.unused_since,
            ..CredentialFilter::default()
        }
    }

    /// Whether it names anything. Without, everything would be meant, and nobody who says nothing means that.
    fn is_empty(&self) -> bool {
        self.told().as_object().is_none_or(|filters| filters.values().all(serde_json::Value::is_null))
    }

    /// The filters, as the audit trail tells them.
    fn told(&self) -> serde_json::Value {
        json!({
            "organization_id": self.organization_id, "kind": self.kind, "principal_id": self.principal_id,
            "created_by": self.created_by, "status": self.status, "q": self.q, "created_from": self.created_from,
            "created_before": self.created_before, "expires_before": self.expires_before,
            "never_expires": self.never_expires, "unused_since": self.unused_since,
        })
    }
}

/// Body of a revocation of many.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = RevokeMany)]
pub(crate) struct RevokeMany {
    /// Why.
    pub(crate) reason: RevokeReason,
    /// How many the filters matched when they were counted. Absent: count, and revoke none.
    pub(crate) expected: Option<u64>,
}

/// What a revocation of many did, or would do.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RevokedMany)]
pub(crate) struct RevokedMany {
    /// How many live credentials the filters match.
    matched: u64,
    /// Whether there may be more: 100 000 credentials are looked at to count them. With 0 as `expected`, 409 `count_changed` tells how many there
    /// are.
    more: bool,
    /// How many of them ended: none where the request only counted.
    revoked: u64,
    /// The newest of those that match, 20 at most; empty once they ended.
    credentials: Vec<InventoryView>,
}

/// List credentials of every kind
///
/// The inventory of an organization: who holds what, until when, and when it was last used.
#[utoipa::path(
    get, path = "/v1/credentials", tag = "Credentials", operation_id = "listCredentials",
    params(InventoryQuery),
    responses((status = 200, body = List<InventoryView>), (status = "4XX", body = Problem)),
)]
pub(crate) async fn list(
    State(app): State<App>,
    caller: Caller<ReadCredentials>,
    listing: Listing<InventoryQuery>,
) -> Result<Answer<List<InventoryView>>, RequestError> {
    let filter = listing.filters.filter(app.now());
    let found = app.store.within(caller.reach()).credentials(&filter, &listing.page()?).await?;
    let (shown, next_cursor) = listing.cut(found, |credential| credential.id);
    Ok(Answer(List { items: views(&app, caller.reach(), shown).await?, next_cursor }))
}

/// Revoke credentials by a query
///
/// The query takes the filters of the list, at least one of them. Without `expected` it counts what would end and shows
/// some of it. With the count as `expected` they end, unless it is no longer that many (409 `count_changed`). Of many thousands
/// some have ended already if a failure comes in between; repeat the request then.
#[utoipa::path(
    post, path = "/v1/credentials/revoke", tag = "Credentials", operation_id = "revokeCredentials",
    params(InventoryQuery), request_body = RevokeMany,
    responses((status = 200, body = RevokedMany), (status = "4XX", body = Problem)),
)]
pub(crate) async fn revoke(
    State(app): State<App>,
    caller: Caller<WriteCredentials>,
    listing: Listing<InventoryQuery>,
    Json(body): Json<RevokeMany>,
) -> Result<Answer<RevokedMany>, RequestError> {
    let query = &listing.filters;
    if query.is_empty() || query.limit.is_some() || query.cursor.is_some() {
        let detail = "name at least one filter of the list (GET /v1/credentials), and neither limit nor cursor";
        return Err(RequestError::unreadable(StatusCode::BAD_REQUEST, "invalid_query", detail));
    }
    let Matched { matched, more, revoked, found } =
        revoke_matching(&app, caller.by(), caller.reach(), query, &body).await?;
    let credentials = views(&app, caller.reach(), found).await?;
    Ok(Answer(RevokedMany { matched, more, revoked, credentials }))
}

/// What a query matched, and what became of it.
pub(crate) struct Matched {
    /// How many live credentials.
    pub(crate) matched: u64,
    /// Whether there may be more.
    pub(crate) more: bool,
    /// How many of them ended.
    pub(crate) revoked: u64,
    /// The newest of them, if none ended.
    pub(crate) found: Vec<Credential>,
}

/// Counts what a query matches, or ends it, if it is as many as expected.
pub(crate) async fn revoke_matching(
    app: &App,
    by: &By,
    reach: Reach,
    query: &InventoryQuery,
    body: &RevokeMany,
) -> Result<Matched, RequestError> {
    let now = app.now();
    let filter = CredentialFilter {
        live_at: Some(now),
        // Whoever governs one organization does not end what administers the instance.
        local_only: reach != Reach::Instance,
        // What is made from now on was not counted.
        created_before: Some(query.created_before.map_or(now, |before| before.min(now))),
        ..query.filter(now)
    };
    let mut view = app.store.within(reach);
    let told = |number: i64| u64::try_from(number).unwrap_or_default();
    let Some(expected) = body.expected else {
        let CountedAmong { number, more } = view.count_credentials_among(&filter, LOOKED_AT).await?;
        let found = newest(&mut view, &filter).await?;
        return Ok(Matched { matched: told(number), more, revoked: 0, found });
    };
    let matched = told(view.count_credentials(&filter).await?);
    if expected != matched {
        let message = format!("the filters match {matched} live credentials, and not {expected}; look at them again");
        return Err(Rejection::Conflict { code: "count_changed", message }.into());
    }
    let many = Many { filter, reason: body.reason, told: query.told() };
    let revoked = app.revoke_many(by, reach, many).await?;
    Ok(Matched { matched, more: false, revoked, found: Vec::new() })
}

/// The newest of those that match, among as many as are counted.
pub(super) async fn newest(view: &mut View<'_>, filter: &CredentialFilter) -> Result<Vec<Credential>, StoreError> {
    let (mut found, mut after) = (Vec::new(), None);
    for _ in 0..LOOKED_AT.div_ceil(View::LOOKED_AT) {
        let page = Page { after, limit: SHOWN };
        let (some, looked_to) = view.look_through(Order::Newest, filter, &page).await?;
        found.extend(some);
        after = looked_to;
        if after.is_none() || found.len() >= SHOWN as usize {
            break;
        }
    }
    found.truncate(SHOWN as usize);
    Ok(found)
}

/// With the names of the owners, which are read together.
pub(super) async fn views(app: &App, reach: Reach, found: Vec<Credential>) -> Result<Vec<InventoryView>, RequestError> {
    let owners: Vec<PrincipalId> = found.iter().map(|credential| credential.principal).collect();
    let names = app.store.within(reach).principal_names(&owners).await?;
    let now = app.now();
    let view = |credential: Credential| {
        let last = credential.last_used();
        InventoryView {
            id: credential.id,
            kind: Kind::of(credential.id),
            organization_id: credential.organization,
            owner: OwnerView {
                id: credential.principal,
                kind: credential.principal.kind(),
                name: names.get(&credential.principal).cloned().unwrap_or_default(),
            },
            name: credential.name.to_string(),
            status: credential.status(now),
            environment: credential.environment,
            last_used_at: last.as_ref().map(|last| last.at),
            last_used_from: last.and_then(|last| last.from),
            permissions: credential.permissions,
            objects: credential.objects,
            allowed_networks: credential.networks,
            cnf: credential.confirmation,
            not_before: credential.not_before,
            expires_at: credential.expires_at,
            created_at: credential.created_at,
            created_by: credential.created_by,
        }
    };
    Ok(found.into_iter().map(view).collect())
}
