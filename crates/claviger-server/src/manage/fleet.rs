//! `/v1/fleets`: groups of devices. How a device enrols in one stands in `oauth/enrolment.rs`.

use axum::{extract::State, http::StatusCode};
use claviger_core::{
    Assignment, DeviceStatus, Event, Fleet, FleetChanges, Granted, NewFleet, Reach, Rejection, RevokeReason, Scope,
};
use claviger_store::{ListedDevice, Tx, View};
use claviger_token::{ClaimCodeId, FleetId, OrganizationId, PermissionSet, ServiceAccountId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    Authority, Id,
    claim_code::may_let_in,
    credential::Revoke,
    must_be_few,
    rights::{Wanted, targets},
};
use crate::{
    app::App,
    body::{Answer, Created, Json, Post},
    caller::{Caller, ReadFleets, WriteFleets},
    listing::{List, Listing, list_query},
    problem::{Problem, RequestError},
};

/// A fleet of devices.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Fleet)]
pub(crate) struct FleetView {
    id: FleetId,
    organization_id: OrganizationId,
    name: String,
    /// The roles that each of its devices has, by name.
    #[serde(skip_serializing_if = "Option::is_none")]
    roles: Option<Vec<String>>,
    /// The direct permissions that each of its devices has.
    #[serde(skip_serializing_if = "Option::is_none")]
    permissions: Option<Vec<String>>,
    /// How long a device's key, or its certificate, lasts, in days.
    device_lifetime_days: u32,
    /// Whether nothing enrols or renews in it.
    closed: bool,
    /// How many devices it has that did not end.
    #[serde(skip_serializing_if = "Option::is_none")]
    devices: Option<i64>,
    /// The certificate, as PEM, of the authority that issues its devices' certificates: whoever trusts this one lets in devices of this
    /// fleet. Another once the fleet was revoked.
    #[serde(skip_serializing_if = "Option::is_none")]
    certificate_authority_pem: Option<String>,
    created_at: Timestamp,
}

impl From<Fleet> for FleetView {
    fn from(fleet: Fleet) -> Self {
        Self {
            id: fleet.id,
            organization_id: fleet.organization,
            name: fleet.name.to_string(),
            roles: None,
            permissions: None,
            device_lifetime_days: fleet.device_lifetime_days,
            closed: fleet.closed_at.is_some(),
            devices: None,
            certificate_authority_pem: None,
            created_at: fleet.created_at,
        }
    }
}

impl FleetView {
    /// With what stands in the detail only.
    async fn in_full(view: &mut View<'_>, fleet: Fleet) -> Result<Self, RequestError> {
        let (roles, permissions) = names(&view.given_by_fleet(fleet.id).await?);
        let devices = Some(view.count_devices(fleet.id).await?);
        let authority = view.fleet_authority(fleet.id).await?;
        let certificate_authority_pem = authority.map(|authority| authority.certificate.to_pem());
        let (roles, permissions) = (Some(roles), Some(permissions));
        Ok(Self { roles, permissions, devices, certificate_authority_pem, ..Self::from(fleet) })
    }
}

/// A device of a fleet.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Device)]
pub(crate) struct DeviceView {
    /// Also its `client_id`. It is stopped, changed and deleted like any other service account.
    service_account_id: ServiceAccountId,
    fleet_id: FleetId,
    /// What it calls itself.
    name: String,
    status: DeviceStatus,
    /// When its key, or its certificate, ends that ends last; null if it has none.
    expires_at: Option<Timestamp>,
    /// SHA-256 thumbprint of the key that it registered last (RFC 7638).
    jwk_thumbprint: String,
    /// By which code it enrolled.
    claim_code_id: ClaimCodeId,
    enrolled_at: Timestamp,
    /// When one of its keys or certificates was used last; null if none was.
    last_used_at: Option<Timestamp>,
    /// When its fleet was revoked; null of one that goes on.
    ended_at: Option<Timestamp>,
}

impl DeviceView {
    fn new(listed: ListedDevice, now: Timestamp) -> Self {
        let ListedDevice { device, disabled, keys, last_used_at } = listed;
        Self {
            status: DeviceStatus::of(&device, disabled, &keys, now),
            service_account_id: device.account,
            fleet_id: device.fleet,
            name: device.name.to_string(),
            expires_at: keys.iter().filter_map(|(_, end)| *end).max(),
            jwk_thumbprint: device.thumbprint,
            claim_code_id: device.claim_code,
            enrolled_at: device.enrolled_at,
            last_used_at,
            ended_at: device.ended_at,
        }
    }
}

/// Filters of the list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct FleetQuery {
    /// Of one organization.
    organization_id: Option<OrganizationId>,
    /// In the name.
    q: Option<String>,
    /// 1 to 200; 50 if absent.
    limit: Option<u32>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}
list_query!(FleetQuery);

/// Filters of the list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct DeviceQuery {
    /// In the name.
    q: Option<String>,
    /// 1 to 200; 50 if absent.
    limit: Option<u32>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}
list_query!(DeviceQuery);

/// List fleets
///
/// Roles, permissions, the number of devices and the certificate of the authority stand in the detail only.
#[utoipa::path(
    get, path = "/v1/fleets", tag = "Fleets", operation_id = "listFleets", params(FleetQuery),
    responses((status = 200, body = List<FleetView>), (status = "4XX", body = Problem)),
)]
pub(crate) async fn list(
    State(app): State<App>,
    caller: Caller<ReadFleets>,
    listing: Listing<FleetQuery>,
) -> Result<Answer<List<FleetView>>, RequestError> {
    let filters = &listing.filters;
    let mut view = app.store.within(caller.reach());
    let found = view.fleets(filters.organization_id, filters.q.as_deref(), &listing.page()?).await?;
    Ok(Answer(listing.list(found, |fleet| fleet.id, FleetView::from)))
}

/// Make a fleet
///
/// What it gives, each of its devices has as a service account of its own. The caller must be able to give that.
#[utoipa::path(
    post, path = "/v1/fleets", tag = "Fleets", operation_id = "createFleet", request_body = NewFleet,
    responses((status = 201, body = FleetView), (status = "4XX", body = Problem)),
)]
pub(crate) async fn create(
    State(app): State<App>,
    caller: Caller<WriteFleets>,
    Post { body, repeatable }: Post<NewFleet>,
) -> Result<Created<FleetView>, RequestError> {
    let (mut tx, now) = (app.store.begin(caller.by()).await?, app.now());
    let (fleet, event) = created(&app, &mut tx, &Authority::of(&caller), &body, now).await?;
    let home = fleet.organization;
    let location = format!("/v1/fleets/{}", fleet.id);
    let body = FleetView::in_full(&mut tx.within(Reach::Organization(home)), fleet).await?;
    let kept = repeatable.remembered(StatusCode::CREATED, Some(&location), &body);
    tx.commit_answering(event, kept.as_ref(), now, &mut app.rng()).await?;
    Ok(Created { location, body })
}

/// A fleet by the rules as they are inside of the transaction, which is not committed yet.
pub(crate) async fn created(
    app: &App,
    tx: &mut Tx<'_>,
    authority: &Authority<'_>,
    body: &NewFleet,
    now: Timestamp,
) -> Result<(Fleet, Event), RequestError> {
    let home = body.organization_id;
    if tx.to_change(authority.reach).organization(home).await?.is_none() {
        let message = "there is no such organization, or not for you";
        return Err(Rejection::field("/organization_id", "unknown_organization", message).into());
    }
    Fleet::must_be_few(tx.within(Reach::Organization(home)).count_fleets(home).await?)?;
    hold_permissions(tx, Some(&body.permissions)).await?;
    let (fleet, event) = Fleet::create(body, now, &mut app.rng())?;
    let wanted = Wanted { roles: Some(&body.roles), permissions: Some(&body.permissions) };
    let mut gives = Vec::new();
    for (granted, permissions) in targets(tx, home, &wanted).await? {
        authority.grantor.may_give_for_good(&permissions, Some(home))?;
        if !gives.contains(&granted) {
            gives.push(granted);
        }
    }
    tx.insert_fleet(&fleet, &gives).await?;
    let its_authority = app.new_fleet_authority(fleet.id)?;
    tx.save_fleet_authority(&its_authority).await?;
    let event = its_authority.told_in(event);
    Ok((fleet, event))
}

/// Show a fleet
#[utoipa::path(
    get, path = "/v1/fleets/{id}", tag = "Fleets", operation_id = "showFleet", params(("id" = FleetId, Path)),
    responses((status = 200, body = FleetView), (status = "4XX", body = Problem)),
)]
pub(crate) async fn show(
    State(app): State<App>,
    caller: Caller<ReadFleets>,
    Id(id): Id<FleetId>,
) -> Result<Answer<FleetView>, RequestError> {
    let mut view = app.store.within(caller.reach());
    let fleet = view.fleet(id).await?.ok_or(RequestError::NotFound)?;
    Ok(Answer(FleetView::in_full(&mut view, fleet).await?))
}

/// List a fleet's devices
///
/// Newest first, those of a fleet that was revoked included. A device is a service account: disable that to stop it alone.
/// Whoever has a claim code with uses left enrols anew after a deletion, under another name and with another key: revoke the code first.
#[utoipa::path(
    get, path = "/v1/fleets/{id}/devices", tag = "Fleets", operation_id = "listDevices",
    params(("id" = FleetId, Path), DeviceQuery),
    responses((status = 200, body = List<DeviceView>), (status = "4XX", body = Problem)),
)]
pub(crate) async fn devices(
    State(app): State<App>,
    caller: Caller<ReadFleets>,
    Id(id): Id<FleetId>,
    listing: Listing<DeviceQuery>,
) -> Result<Answer<List<DeviceView>>, RequestError> {
    let (mut view, now) = (app.store.within(caller.reach()), app.now());
    view.fleet(id).await?.ok_or(RequestError::NotFound)?;
    let found = view.devices(id, listing.filters.q.as_deref(), &listing.page()?).await?;
    Ok(Answer(listing.list(found, |one| one.device.account, |one| DeviceView::new(one, now))))
}

/// Change a fleet
///
/// `roles` and `permissions` replace what its devices have by it, those that are enrolled included: what they lose, their tokens lose at
/// once. `device_lifetime_days` holds for keys that are registered from now on.
#[utoipa::path(
    patch, path = "/v1/fleets/{id}", tag = "Fleets", operation_id = "updateFleet", params(("id" = FleetId, Path)),
    request_body = FleetChanges,
    responses((status = 200, body = FleetView), (status = "4XX", body = Problem)),
)]
pub(crate) async fn update(
    State(app): State<App>,
    caller: Caller<WriteFleets>,
    Id(id): Id<FleetId>,
    Json(changes): Json<FleetChanges>,
) -> Result<Answer<FleetView>, RequestError> {
    let Updated { mut tx, fleet, event, .. } = updated(&app, &Authority::of(&caller), id, &changes).await?;
    let view = FleetView::in_full(&mut tx.within(Reach::Organization(fleet.organization)), fleet).await?;
    tx.commit(event, app.now(), &mut app.rng()).await?;
    Ok(Answer(view))
}

/// One that was changed, in a transaction that is not committed yet.
pub(crate) struct Updated<'a> {
    pub(crate) tx: Tx<'a>,
    /// As it was, with what it gave.
    pub(crate) before: (Fleet, Vec<(Granted, PermissionSet)>),
    pub(crate) fleet: Fleet,
    pub(crate) event: Event,
}

/// One as it is changed.
pub(crate) async fn updated<'a>(
    app: &'a App,
    authority: &Authority<'a>,
    id: FleetId,
    changes: &FleetChanges,
) -> Result<Updated<'a>, RequestError> {
    let (mut tx, now, grantor) = (app.store.begin(authority.by).await?, app.now(), authority.grantor);
    let before = locked(&mut tx, authority.reach, id).await?;
    let here = Reach::Organization(before.organization);
    if changes.closed.is_some()
        || changes.device_lifetime_days.is_some()
        || changes.roles.is_some()
        || changes.permissions.is_some()
    {
        must_not_reach_further(authority, &mut tx, id).await?;
    }
    hold_permissions(&mut tx, changes.permissions.as_deref()).await?;
    tx.lock_grants(id).await?;
    let reopens = changes.closed == Some(false) && before.closed_at.is_some();
    if reopens || changes.device_lifetime_days.is_some_and(|days| days > before.device_lifetime_days) {
        // Claim codes that are out come back to life, and what devices hold lasts longer, whoever gave it.
        may_let_in(&mut tx, &before, grantor).await?;
        let held = tx.within(here).held_by_devices(&before).await?;
        grantor.may_give_for_good(&held, Some(before.organization))?;
    }
    let given = tx.within(here).given_by_fleet(id).await?;
    let (roles, permissions) = names(&given);
    let (fleet, event) = before.clone().update(changes, (&roles, &permissions), now)?;
    tx.save_fleet(&fleet).await?;
    if changes.roles.is_some() || changes.permissions.is_some() {
        let gone = give(app, authority, &mut tx, &fleet, changes, given.clone()).await?;
        tx.take_from_devices(&fleet, &gone).await?;
    }
    Ok(Updated { tx, before: (before, given), fleet, event })
}

/// Revoke a fleet
///
/// Every credential of its devices ends, with every token that was made from one, and every claim code. This is final: devices enrol anew,
/// by new codes, and their names are free for that. From now on another authority issues the certificates of its devices.
#[utoipa::path(
    post, path = "/v1/fleets/{id}/revoke", tag = "Fleets", operation_id = "revokeFleet",
    params(("id" = FleetId, Path)), request_body = Revoke,
    responses((status = 200, body = FleetView), (status = "4XX", body = Problem)),
)]
pub(crate) async fn revoke(
    State(app): State<App>,
    caller: Caller<WriteFleets>,
    Id(id): Id<FleetId>,
    Post { body, repeatable }: Post<Revoke>,
) -> Result<Answer<FleetView>, RequestError> {
    let (mut tx, fleet, event) = revoked(&app, &Authority::of(&caller), id, body.reason).await?;
    let view = FleetView::in_full(&mut tx.within(Reach::Organization(fleet.organization)), fleet).await?;
    let kept = repeatable.remembered(StatusCode::OK, None, &view);
    tx.commit_answering(event, kept.as_ref(), app.now(), &mut app.rng()).await?;
    Ok(Answer(view))
}

/// One of which everything ended, in a transaction that is not committed yet.
pub(crate) async fn revoked<'a>(
    app: &'a App,
    authority: &Authority<'a>,
    id: FleetId,
    reason: RevokeReason,
) -> Result<(Tx<'a>, Fleet, Event), RequestError> {
    let (mut tx, now) = (app.store.begin(authority.by).await?, app.now());
    let fleet = locked(&mut tx, authority.reach, id).await?;
    must_not_reach_further(authority, &mut tx, id).await?;
    let (ended, codes) = tx.end_fleet(id, reason, now).await?;
    let devices = tx.end_devices(id, now).await?;
    // Who trusts the one before, without asking here, would go on to let in what has ended.
    let its_authority = app.new_fleet_authority(id)?;
    tx.save_fleet_authority(&its_authority).await?;
    let event = its_authority.told_in(fleet.revoked(reason, devices, codes)).ending(&ended);
    Ok((tx, fleet, event))
}

/// Delete a fleet
///
/// Its devices end with it, for good: their service accounts, and every credential and token of them.
#[utoipa::path(
    delete, path = "/v1/fleets/{id}", tag = "Fleets", operation_id = "deleteFleet", params(("id" = FleetId, Path)),
    responses((status = 204, description = "Gone"), (status = "4XX", body = Problem)),
)]
pub(crate) async fn delete(
    State(app): State<App>,
    caller: Caller<WriteFleets>,
    Id(id): Id<FleetId>,
) -> Result<StatusCode, RequestError> {
    let (tx, event) = deleted(&app, &Authority::of(&caller), id).await?;
    tx.commit(event, app.now(), &mut app.rng()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Ends one with all its devices, in a transaction that is not committed yet.
pub(crate) async fn deleted<'a>(
    app: &'a App,
    authority: &Authority<'a>,
    id: FleetId,
) -> Result<(Tx<'a>, Event), RequestError> {
    let (mut tx, now) = (app.store.begin(authority.by).await?, app.now());
    let fleet = locked(&mut tx, authority.reach, id).await?;
    must_not_reach_further(authority, &mut tx, id).await?;
    let (fleet, event) = fleet.delete(now);
    tx.save_fleet(&fleet).await?;
    tx.delete_grants(id).await?;
    tx.delete_fleet_authority(id).await?;
    tx.delete_accounts_of_fleet(id, now).await?;
    let (ended, _) = tx.end_fleet(id, RevokeReason::OwnerLeft, now).await?;
    tx.lose_devices(id, now).await?;
    Ok((tx, event.ending(&ended)))
}

/// One that the caller sees, with its organization before it: nobody enrols in it meanwhile, nor changes it.
pub(super) async fn locked(tx: &mut Tx<'_>, reach: Reach, id: FleetId) -> Result<Fleet, RequestError> {
    let home = tx.within(reach).fleet(id).await?.ok_or(RequestError::NotFound)?.organization;
    tx.to_change(Reach::Organization(home)).organization(home).await?.ok_or(RequestError::NotFound)?;
    tx.to_change(Reach::Organization(home)).fleet(id).await?.ok_or(RequestError::NotFound)
}

/// Whoever administers one organization does not stop or end a device that administers the instance.
async fn must_not_reach_further(authority: &Authority<'_>, tx: &mut Tx<'_>, id: FleetId) -> Result<(), RequestError> {
    let reach = authority.reach;
    let further = reach != Reach::Instance && tx.within(reach).fleet_reaches_instance(id).await?;
    if further { authority.must_reach_instance() } else { Ok(()) }
}

/// No API withdraws any of these before the end: it would take them from the fleets that give them, of which this one is none yet.
async fn hold_permissions(tx: &mut Tx<'_>, wanted: Option<&[String]>) -> Result<(), RequestError> {
    let wanted = wanted.unwrap_or_default();
    must_be_few("/permissions", wanted.len())?;
    Ok(tx.lock_declaring(wanted).await?)
}

/// Gives what is new to every device that does not have it, if whoever changes it may, and tells what its devices are to lose of what they were
/// `given`.
async fn give(
    app: &App,
    authority: &Authority<'_>,
    tx: &mut Tx<'_>,
    fleet: &Fleet,
    changes: &FleetChanges,
    given: Vec<(Granted, PermissionSet)>,
) -> Result<Vec<Granted>, RequestError> {
    let home = fleet.organization;
    let here = Reach::Organization(home);
    let wanted = Wanted { roles: changes.roles.as_deref(), permissions: changes.permissions.as_deref() };
    let targets = targets(tx, home, &wanted).await?;
    let is_wanted = |granted: &Granted| {
        let named = match granted {
            Granted::Role { .. } => wanted.roles.is_some(),
            Granted::Permission(_) => wanted.permissions.is_some(),
        };
        !named || targets.iter().any(|(target, _)| target == granted)
    };
    let (mut gives, gone): (Vec<_>, Vec<_>) =
        given.into_iter().map(|(granted, _)| granted).partition(|granted| is_wanted(granted));
    let kept = gives.len();
    for (granted, permissions) in targets {
        if !gives.contains(&granted) {
            authority.grantor.may_give_for_good(&permissions, Some(home))?;
            gives.push(granted);
        }
    }
    let added = gives.get(kept..).unwrap_or_default();
    if !added.is_empty() {
        fleet.must_be_few_to_give(tx.within(here).count_kept_devices(fleet.id).await?, gives.len())?;
    }
    for granted in added {
        let accounts = tx.within(here).devices_without(fleet, granted).await?;
        let (scope, now) = (Scope::Organization(home), app.now());
        let assignments: Vec<Assignment> = accounts
            .into_iter()
            .map(|account| Assignment::create(account.into(), home, scope, granted.clone(), now, &mut app.rng()).0)
            .collect();
        tx.insert_assignments(&assignments).await?;
    }
    tx.change_grants(fleet.id, &gone, added).await?;
    Ok(gone)
}

/// The names of the roles and the direct permissions.
pub(crate) fn names(given: &[(Granted, PermissionSet)]) -> (Vec<String>, Vec<String>) {
    let (mut roles, mut permissions) = (Vec::new(), Vec::new());
    for (granted, _) in given {
        match granted {
            Granted::Role { name, .. } => roles.push(name.clone()),
            Granted::Permission(permission) => permissions.push(permission.to_string()),
        }
    }
    (roles, permissions)
}
