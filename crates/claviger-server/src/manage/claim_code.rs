//! `/v1/fleets/{id}/claim-codes`: the codes by which devices enrol in a fleet. How one is used stands in `oauth/enrolment.rs`.

use axum::{extract::State, http::StatusCode};
use claviger_core::{ClaimCode, ClaimCodeStatus, Event, Grantor, NewClaimCode, Reach};
use claviger_store::Tx;
use claviger_token::{ClaimCodeId, FleetId, OrganizationId, PermissionSet, Secret};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{Authority, Id, Ids, credential::in_the_clear, fleet::locked};
use crate::{
    app::App,
    body::{Answer, Created, Post},
    caller::{Caller, ReadFleets, WriteFleets},
    listing::{List, Listing, list_query},
    problem::{Problem, RequestError},
};

/// A claim code; never the code itself.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ClaimCode)]
pub(crate) struct ClaimCodeView {
    id: ClaimCodeId,
    fleet_id: FleetId,
    organization_id: OrganizationId,
    /// The first four characters after the prefix.
    hint: String,
    /// By `open` ones devices enrol.
    status: ClaimCodeStatus,
    /// How many devices may enrol by it.
    uses: u32,
    /// How many of these still may.
    uses_left: u32,
    expires_at: Timestamp,
    revoked_at: Option<Timestamp>,
    created_at: Timestamp,
    /// All that the fleet gave when it was made. It does not count while the fleet gives more.
    permissions: PermissionSet,
    /// A principal's id, or `operator`. It counts as long as they could make it, with the credential by which they did.
    created_by: String,
}

impl ClaimCodeView {
    fn new(code: ClaimCode, now: Timestamp) -> Self {
        Self {
            status: code.status(now),
            id: code.id,
            fleet_id: code.fleet,
            organization_id: code.organization,
            hint: code.hint,
            uses: code.uses,
            uses_left: code.uses.saturating_sub(code.used),
            expires_at: code.ends_at,
            revoked_at: code.revoked_at,
            created_at: code.created_at,
            permissions: code.gives,
            created_by: code.created_by,
        }
    }
}

/// A claim code in the clear, which is shown this once.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct IssuedClaimCode {
    #[serde(flatten)]
    code: ClaimCodeView,
    /// For the devices. It cannot be shown again. Null when the request is repeated.
    #[serde(serialize_with = "in_the_clear")]
    #[schema(value_type = Option<String>, example = "clv_claim_…")]
    claim_code: Option<Secret>,
}

/// The page of the list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ClaimCodeQuery {
    /// 1 to 200; 50 if absent.
    limit: Option<u32>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}
list_query!(ClaimCodeQuery);

/// List a fleet's claim codes
///
/// Those that ended are listed for a month.
#[utoipa::path(
    get, path = "/v1/fleets/{id}/claim-codes", tag = "Fleets", operation_id = "listClaimCodes",
    params(("id" = FleetId, Path), ClaimCodeQuery),
    responses((status = 200, body = List<ClaimCodeView>), (status = "4XX", body = Problem)),
)]
pub(crate) async fn list(
    State(app): State<App>,
    caller: Caller<ReadFleets>,
    Id(fleet): Id<FleetId>,
    listing: Listing<ClaimCodeQuery>,
) -> Result<Answer<List<ClaimCodeView>>, RequestError> {
    let (mut view, now) = (app.store.within(caller.reach()), app.now());
    view.fleet(fleet).await?.ok_or(RequestError::NotFound)?;
    let found = view.claim_codes(fleet, &listing.page()?).await?;
    Ok(Answer(listing.list(found, |code| code.id, |code| ClaimCodeView::new(code, now))))
}

/// Make a claim code
///
/// The answer holds the code, once. Whoever has it gets what the fleet gives, as often as it has uses: so its maker must be able to give
/// that, now and still when a device enrols, and the code ends with the credential that made it. It does not count while the fleet gives
/// more than it did then: make a new code.
#[utoipa::path(
    post, path = "/v1/fleets/{id}/claim-codes", tag = "Fleets", operation_id = "createClaimCode",
    params(("id" = FleetId, Path)), request_body = NewClaimCode,
    responses((status = 201, body = IssuedClaimCode), (status = "4XX", body = Problem)),
)]
pub(crate) async fn create(
    State(app): State<App>,
    caller: Caller<WriteFleets>,
    Id(fleet): Id<FleetId>,
    Post { body, repeatable }: Post<NewClaimCode>,
) -> Result<Created<IssuedClaimCode>, RequestError> {
    let (mut tx, now) = (app.store.begin(caller.by()).await?, app.now());
    let (code, secret, event) = made(&app, &mut tx, &Authority::of(&caller), fleet, &body, now).await?;
    let location = format!("/v1/fleets/{fleet}/claim-codes/{}", code.id);
    let concealed = IssuedClaimCode { code: ClaimCodeView::new(code, now), claim_code: None };
    let kept = repeatable.remembered(StatusCode::CREATED, Some(&location), &concealed);
    tx.commit_answering(event, kept.as_ref(), now, &mut app.rng()).await?;
    Ok(Created { location, body: IssuedClaimCode { claim_code: Some(secret), ..concealed } })
}

/// A code by the rules as they are inside of the transaction, which is not committed yet.
pub(crate) async fn made(
    app: &App,
    tx: &mut Tx<'_>,
    authority: &Authority<'_>,
    fleet: FleetId,
    body: &NewClaimCode,
    now: Timestamp,
) -> Result<(ClaimCode, Secret, Event), RequestError> {
    let fleet = locked(tx, authority.reach, fleet).await?;
    let gives = may_let_in(tx, &fleet, authority.grantor).await?;
    fleet.must_have_few_codes(tx.within(authority.reach).count_open_claim_codes(fleet.id, now).await?)?;
    let (by, brand) = (&authority.by.actor, &app.config.brand);
    let (code, secret, event) = ClaimCode::create((&fleet, gives), body, by, brand, now, &mut app.rng())?;
    tx.insert_claim_code(&code, &app.peppers.digest(&secret.hash())).await?;
    Ok((code, secret, event))
}

/// Show a claim code
#[utoipa::path(
    get, path = "/v1/fleets/{id}/claim-codes/{claim_code}", tag = "Fleets", operation_id = "showClaimCode",
    params(("id" = FleetId, Path), ("claim_code" = ClaimCodeId, Path)),
    responses((status = 200, body = ClaimCodeView), (status = "4XX", body = Problem)),
)]
pub(crate) async fn show(
    State(app): State<App>,
    caller: Caller<ReadFleets>,
    Ids(fleet, id): Ids<FleetId, ClaimCodeId>,
) -> Result<Answer<ClaimCodeView>, RequestError> {
    let mut view = app.store.within(caller.reach());
    view.fleet(fleet).await?.ok_or(RequestError::NotFound)?;
    let code = view.claim_code(id).await?.filter(|code| code.fleet == fleet).ok_or(RequestError::NotFound)?;
    Ok(Answer(ClaimCodeView::new(code, app.now())))
}

/// Take a claim code back
///
/// No device enrols by it any more. Those that did are not touched.
#[utoipa::path(
    delete, path = "/v1/fleets/{id}/claim-codes/{claim_code}", tag = "Fleets", operation_id = "revokeClaimCode",
    params(("id" = FleetId, Path), ("claim_code" = ClaimCodeId, Path)),
    responses((status = 204, description = "Taken back"), (status = "4XX", body = Problem)),
)]
pub(crate) async fn revoke(
    State(app): State<App>,
    caller: Caller<WriteFleets>,
    Ids(fleet, id): Ids<FleetId, ClaimCodeId>,
) -> Result<StatusCode, RequestError> {
    let (tx, event) = revoked(&app, &Authority::of(&caller), fleet, id).await?;
    tx.commit(event, app.now(), &mut app.rng()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Takes one back, in a transaction that is not committed yet.
pub(crate) async fn revoked<'a>(
    app: &'a App,
    authority: &Authority<'a>,
    fleet: FleetId,
    id: ClaimCodeId,
) -> Result<(Tx<'a>, Event), RequestError> {
    let mut tx = app.store.begin(authority.by).await?;
    let fleet = locked(&mut tx, authority.reach, fleet).await?;
    let code = tx.to_change(Reach::Organization(fleet.organization)).claim_code(id).await?;
    let code = code.filter(|code| code.fleet == fleet.id).ok_or(RequestError::NotFound)?;
    let (code, event) = code.revoke(app.now())?;
    tx.save_claim_code(&code).await?;
    Ok((tx, event))
}

/// All that the fleet gives, if the grantor may let devices have it.
pub(super) async fn may_let_in(
    tx: &mut Tx<'_>,
    fleet: &claviger_core::Fleet,
    grantor: Grantor<'_>,
) -> Result<PermissionSet, RequestError> {
    let mut gives = PermissionSet::default();
    tx.lock_grants(fleet.id).await?;
    for (_, permissions) in tx.within(Reach::Organization(fleet.organization)).given_by_fleet(fleet.id).await? {
        grantor.may_give_for_good(&permissions, Some(fleet.organization))?;
        gives = gives.union(&permissions);
    }
    Ok(gives)
}
