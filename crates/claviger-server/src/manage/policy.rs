//! `/v1/organizations/{id}/policy`: the rules for an organization's credentials, and what stricter ones would touch.

use axum::extract::State;
use claviger_core::{
    By, Credential, Effect, Event, Organization, Overlong, Policy, PolicyChanges, Reach, Tightening, Touches,
    permission,
};
use claviger_store::{CountedAmong, CredentialFilter, Narrowed, Order, Page, Tx, View};
use claviger_token::OrganizationId;
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    Authority, Id,
    inventory::{self, InventoryView},
};
use crate::{
    app::App,
    body::{Answer, Json},
    caller::{Caller, ReadOrganizations, WriteOrganizations},
    problem::{Problem, RequestError},
};

/// Show an organization's policy
#[utoipa::path(
    get, path = "/v1/organizations/{id}/policy", tag = "Organizations", operation_id = "showPolicy",
    params(("id" = OrganizationId, Path)),
    responses((status = 200, body = Policy), (status = "4XX", body = Problem)),
)]
pub(crate) async fn show(
    State(app): State<App>,
    caller: Caller<ReadOrganizations>,
    Id(id): Id<OrganizationId>,
) -> Result<Answer<Policy>, RequestError> {
    let found = app.store.within(caller.reach()).organization(id).await?;
    found.map(|organization| Answer(organization.policy)).ok_or(RequestError::NotFound)
}

/// Change an organization's policy
///
/// Stricter rules hold for the credentials that exist, too: ask `preview` first for what they touch. Lives are cut once the rules
/// stand, many in several steps; after a failure in between, repeat the request, or leave the rest to the hourly job.
#[utoipa::path(
    patch, path = "/v1/organizations/{id}/policy", tag = "Organizations", operation_id = "updatePolicy",
    params(("id" = OrganizationId, Path)), request_body = PolicyChanges,
    responses((status = 200, body = Policy), (status = "4XX", body = Problem)),
)]
pub(crate) async fn update(
    State(app): State<App>,
    caller: Caller<WriteOrganizations>,
    Id(id): Id<OrganizationId>,
    Json(changes): Json<PolicyChanges>,
) -> Result<Answer<Policy>, RequestError> {
    let organization = updated(&app, &Authority::of(&caller), id, changes).await?.commit(&app).await?;
    Ok(Answer(organization.policy))
}

/// A policy that is changed.
pub(crate) struct Updated<'a> {
    tx: Tx<'a>,
    by: &'a By,
    /// As it was, with its organization locked.
    pub(crate) before: Policy,
    organization: Organization,
    /// Where it becomes stricter.
    tightenings: Vec<Tightening>,
    event: Event,
    now: Timestamp,
}

/// A policy as it is changed, in a transaction that is not committed yet.
pub(crate) async fn updated<'a>(
    app: &'a App,
    authority: &Authority<'a>,
    id: OrganizationId,
    changes: PolicyChanges,
) -> Result<Updated<'a>, RequestError> {
    let mut tx = app.store.begin(authority.by).await?;
    let old = tx.to_change(authority.reach).organization(id).await?.ok_or(RequestError::NotFound)?;
    let (before, now) = (old.policy.clone(), app.now());
    let (organization, event) = old.update_policy(changes)?;
    tx.save_organization(&organization).await?;
    let tightenings = before.tightened_by(&organization.policy, now);
    if !tightenings.is_empty() && tx.within(authority.reach).administers_instance(id).await? {
        // Whoever administers one organization does not stop what administers the instance.
        authority.must_reach_instance()?;
    }
    if tightenings.iter().any(|tightening| tightening.effect.is_at_once()) {
        tx.raise_epochs(Narrowed::Organization(id)).await?;
    }
    Ok(Updated { tx, by: authority.by, before, organization, tightenings, event, now })
}

/// What one rule that becomes stricter does to credentials.
pub(crate) struct Touched {
    pub(crate) tightening: Tightening,
    /// How many, of those that were looked at.
    pub(crate) counted: CountedAmong,
    /// The newest of them, as far as they were looked at.
    pub(crate) newest: Vec<Credential>,
}

/// How many of those that a rule touches are told one by one before a form is saved.
const MOST_TOLD: u32 = 10;

impl Updated<'_> {
    /// What it would do to the credentials that exist, rule by rule. Others wait for this transaction, so that few are looked at.
    pub(crate) async fn touches(&mut self) -> Result<Vec<Touched>, RequestError> {
        let (id, mut all) = (self.organization.id, Vec::new());
        let mut view = self.tx.within(Reach::Organization(id));
        for tightening in &self.tightenings {
            let filter = touched_by(id, tightening.touches, self.now);
            let counted = view.count_credentials_among(&filter, View::LOOKED_AT).await?;
            let page = Page { after: None, limit: MOST_TOLD };
            let (newest, _) = view.look_through(Order::Newest, &filter, &page).await?;
            all.push(Touched { tightening: *tightening, counted, newest });
        }
        Ok(all)
    }

    /// Makes the rules count, and then cuts the lives that they do not allow.
    pub(crate) async fn commit(self, app: &App) -> Result<Organization, RequestError> {
        let Self { tx, by, organization, tightenings, event, now, .. } = self;
        tx.commit(event, now, &mut app.rng()).await?;
        for tightening in tightenings {
            if let Touches::Outliving(kind, end) = tightening.touches {
                app.cut_lives(by, organization.id, kind, Overlong { than: Some(end), end }).await?;
            }
        }
        app.cut_overlong(by, &organization).await?;
        Ok(organization)
    }
}

/// The live credentials of an organization that a stricter rule touches.
fn touched_by(id: OrganizationId, touched: Touches, now: Timestamp) -> CredentialFilter {
    // Said as a kind too, it tells which ones to look at.
    let kind = match touched {
        Touches::Kind(kind) | Touches::Outliving(kind, _) => Some(kind),
        Touches::All | Touches::Wildcards | Touches::MembersWithoutObjects | Touches::UnusedSince(_) => None,
    };
    let (organization, live_at, touched) = (Some(id), Some(now), Some(touched));
    CredentialFilter { organization, live_at, touched, kind, ..CredentialFilter::default() }
}

/// What a change of policy would touch
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PolicyPreview {
    /// The policy as it would be.
    policy: Policy,
    /// The rules that would become stricter.
    touches: Vec<TouchedByRule>,
}

/// What one stricter rule would do.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TouchedByRule {
    /// The member of the policy.
    #[schema(value_type = String, example = "pat_max_lifetime_days")]
    rule: &'static str,
    /// What would become of the credentials.
    effect: Effect,
    /// How many live credentials.
    count: i64,
    /// Whether there may be more: 100 000 credentials are looked at to count them.
    more: bool,
    /// The newest of them, 20 at most, if the caller holds `claviger:credentials:read`.
    credentials: Vec<InventoryView>,
}

/// Show what a change of an organization's policy would touch
///
/// Takes the body of the change, and changes nothing.
#[utoipa::path(
    post, path = "/v1/organizations/{id}/policy/preview", tag = "Organizations", operation_id = "previewPolicy",
    params(("id" = OrganizationId, Path)), request_body = PolicyChanges,
    responses((status = 200, body = PolicyPreview), (status = "4XX", body = Problem)),
)]
pub(crate) async fn preview(
    State(app): State<App>,
    caller: Caller<WriteOrganizations>,
    Id(id): Id<OrganizationId>,
    Json(changes): Json<PolicyChanges>,
) -> Result<Answer<PolicyPreview>, RequestError> {
    let mut view = app.store.within(caller.reach());
    let organization = view.organization(id).await?.ok_or(RequestError::NotFound)?;
    let (policy, now) = (organization.policy.update(changes)?, app.now());
    let mut touches = Vec::new();
    for Tightening { rule, effect, touches: touched } in organization.policy.tightened_by(&policy, now) {
        let filter = touched_by(id, touched, now);
        let CountedAmong { number: count, more } = view.count_credentials_among(&filter, inventory::LOOKED_AT).await?;
        let may_see = Reach::of(caller.found(), permission::CREDENTIALS_READ).is_some_and(|reach| reach.covers(id));
        let newest = match may_see {
            true => inventory::newest(&mut view, &filter).await?,
            false => Vec::new(),
        };
        let credentials = inventory::views(&app, caller.reach(), newest).await?;
        touches.push(TouchedByRule { rule, effect, count, more, credentials });
    }
    Ok(Answer(PolicyPreview { policy, touches }))
}
