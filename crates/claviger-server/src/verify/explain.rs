//! `POST /v1/explain`: the verify call that shows its working. Spends nothing and counts nothing.

use axum::extract::State;
use claviger_core::{Case, Granted, PermissionTrace, Reach, Rejection, Source, Step, TokenTrace, permission};
use claviger_token::{
    CredentialView, Environment, Found, OneOrMany, OrganizationView, Permission, PermissionSet, Presentation,
    PrincipalView, ProofRequest, Refusal, Required, RoleId, Verdict,
};
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeSet, HashMap},
    net::IpAddr,
};
use utoipa::ToSchema;

use super::{
    call::{must_be_few, proved},
    credentials::LookedUp,
    judge::Use,
    occasion::{Occasion, Surface},
};
use crate::{
    app::App,
    body::{Answer, Json},
    caller::{Caller, Verify},
    problem::{Problem, RequestError},
};

/// What is to be explained: what a verify call would ask.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ExplainRequest {
    /// An API key, a personal access token or an access token.
    credential: Presentation,
    /// The identifier of the API that asks; not tested if absent.
    audience: Option<String>,
    /// Which data the checked request is about; not tested if absent.
    environment: Option<Environment>,
    /// All of these must be held; each is followed to where it comes from.
    #[serde(default)]
    permissions: Vec<Permission>,
    /// One object or a list; all must be allowed.
    object: Option<OneOrMany>,
    /// Where the checked request came from.
    #[schema(value_type = Option<String>, example = "203.0.113.9")]
    client_ip: Option<IpAddr>,
    /// What the checked request costs against a limit; 1 if absent. Nothing is spent.
    cost: Option<u32>,
    /// The HTTP method of the checked request, for a proof.
    method: Option<String>,
    /// What shows that the caller holds what the credential is bound to. Whether a proof came before is not asked, and it may come
    /// again.
    proof: Option<ProofRequest>,
}

/// A verdict with its working.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Explanation)]
pub(crate) struct ExplanationView<'a> {
    valid: bool,
    #[schema(value_type = String, example = "permission_missing")]
    code: &'static str,
    /// For people; in refusals only.
    message: Option<&'static str>,
    credential: Option<CredentialView<'a>>,
    principal: Option<PrincipalView<'a>>,
    organization: Option<OrganizationView<'a>>,
    /// The access token itself, if it is one: `credential` is then what it was made from.
    access_token: Option<TokenTrace>,
    /// Every test, in order.
    steps: Vec<Step>,
    /// Every permission that was asked for.
    permissions: Vec<PermissionTrace>,
}

/// Explain a verdict
///
/// Every test in its order with the facts it looked at, and for each permission which API declares it, which assignment gives
/// it, and what takes it away. Credentials out of the caller's reach are `unknown`. Who gave a permission is shown to callers
/// with `claviger:assignments:read`, the ceiling to those with `claviger:organizations:read`.
#[utoipa::path(
    post, path = "/v1/explain", tag = "Verify", operation_id = "explain",
    request_body = ExplainRequest,
    responses((status = 200, body = ExplanationView), (status = "4XX", body = Problem)),
)]
pub(crate) async fn explain(
    State(app): State<App>,
    caller: Caller<Verify>,
    Json(request): Json<ExplainRequest>,
) -> Result<axum::response::Response, RequestError> {
    let objects = request.object.as_ref().map_or(&[][..], OneOrMany::as_slice);
    must_be_few(&request.permissions, objects)?;
    if request.cost == Some(0) {
        return Err(Rejection::field("/cost", "out_of_range", "at least 1; nothing is spent in any case").into());
    }
    let mut looked_up = app.look_up(request.credential.0.expose()).await?;
    if looked_up.found().is_some_and(|found| !caller.reach().covers(found.organization.id)) {
        looked_up = LookedUp { entry: None, ..looked_up };
    }
    let required = Required {
        audience: request.audience.as_deref(),
        environment: request.environment,
        permissions: &request.permissions,
        objects,
        whatever_object: false,
    };
    let occasion = Occasion { surface: Surface::Verify, method: None, path: None, request_id: None };
    let (client_ip, cost) = (request.client_ip, request.cost.unwrap_or(1));
    let credential = request.credential.0.expose();
    let proving = proved(&app, &looked_up, request.proof.as_ref(), request.method.as_deref(), credential)?;
    let used = Use { occasion, required, client_ip, proving: &proving, visible: None, cost };
    let (verdict, now) = (app.would_judge(&looked_up, &used).await, app.now());
    let found = looked_up.found();
    let stored = match found {
        Some(found) => app.store.within(caller.reach()).credential(found.credential.id).await?,
        None => None,
    };
    let problem = proving.problem.map(|problem| problem.to_string());
    let (stored, required, proof) = (stored.as_ref(), &required, proving.proof);
    let case = Case { verdict, found, stored, required, client_ip, proof, proof_problem: problem.as_deref(), now };
    let permissions = match found {
        Some(found) => traces(&app, &caller, found, &case).await?,
        None => Vec::new(),
    };
    let message = match verdict {
        Verdict::Valid => None,
        Verdict::Refused(refusal) => Some(Refusal::message(refusal)),
    };
    let view = ExplanationView {
        valid: verdict.is_valid(),
        code: verdict.code(),
        message,
        credential: found.map(|found| CredentialView::new(found, now)),
        principal: found.map(PrincipalView::new),
        organization: found.map(OrganizationView::new),
        access_token: found.and_then(TokenTrace::of),
        steps: case.steps(),
        permissions,
    };
    Ok(axum::response::IntoResponse::into_response(Answer(view)))
}

async fn traces(
    app: &App,
    caller: &Caller<Verify>,
    found: &Found,
    case: &Case<'_>,
) -> Result<Vec<PermissionTrace>, RequestError> {
    let home = found.organization.id;
    let may_read = |permission| Reach::of(caller.found(), permission).is_some_and(|reach| reach.covers(home));
    let mut view = app.store.within(Reach::Instance);
    let catalog = view.catalog().await?;
    let assignments = view.assignments_of(found.principal.id).await?;
    let ids = assignments.iter().filter_map(|assignment| match &assignment.granted {
        Granted::Role { id, .. } => Some(*id),
        Granted::Permission(_) => None,
    });
    let roles = view.roles_by_id(ids.collect::<BTreeSet<_>>()).await?;
    let roles: HashMap<RoleId, PermissionSet> = roles.into_iter().map(|role| (role.id, role.permissions)).collect();
    let holds = |id| roles.get(&id).cloned().unwrap_or_default();
    let trace = |permission: &Permission| {
        let declares = |api: &&claviger_core::Api| api.permissions.iter().any(|own| own.name == *permission);
        let declared_by = catalog.iter().find(declares).map(|api| api.identifier.clone());
        let mut trace = PermissionTrace::of(permission, found, case.stored, declared_by);
        if may_read(permission::ASSIGNMENTS_READ) {
            trace.given_by = Some(Source::of(permission, found, &assignments, holds));
        }
        if !may_read(permission::ORGANIZATIONS_READ) {
            trace.within_ceiling = None;
        }
        trace
    };
    Ok(case.required.permissions.iter().map(trace).collect())
}
