//! `POST /v1/explain`: the verify call that shows its working. Spends nothing and counts nothing.

use axum::extract::State;
use claviger_core::{Case, Granted, PermissionTrace, Reach, Rejection, Source, Step, TokenTrace, permission};
use claviger_token::{
    Brand, CredentialView, Environment, Found, OneOrMany, OrganizationView, Permission, PermissionSet, Presentation,
    PrincipalView, ProofRequest, Refusal, Required, RoleId, Verdict,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::{
    borrow::Cow,
    collections::{BTreeSet, HashMap},
    net::IpAddr,
};
use utoipa::ToSchema;

use super::{
    call::{must_be_few, of_foreign_brand, proved},
    credentials::LookedUp,
    judge::Use,
    occasion::{Occasion, Surface},
};
use crate::{
    app::App,
    body::{Answer, Json},
    caller::{Caller, Verify},
    problem::{Problem, RequestError},
    proof::Proving,
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
    #[schema(value_type = Option<String>)]
    message: Option<Cow<'static, str>>,
    credential: Option<CredentialView<'a>>,
    principal: Option<PrincipalView<'a>>,
    organization: Option<OrganizationView<'a>>,
    /// The access token itself, if it is one: `credential` is then what it was made from.
    access_token: Option<TokenTrace>,
    /// Every test, in order.
    steps: &'a [Step],
    /// Every permission that was asked for.
    permissions: &'a [PermissionTrace],
}

/// Explain a verdict
///
/// Every test in its order with the facts it looked at, and for each permission which API declares it, which assignment gives
/// it, and what takes it away. Credentials out of the caller's reach are `unknown`. Who gave a permission is shown to callers
/// with `claviger:assignments:read`, whether the ceiling leaves it out to those with `claviger:organizations:read`.
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
    let sight = Sight {
        reach: caller.reach(),
        assignments: Reach::of(caller.found(), permission::ASSIGNMENTS_READ),
        organizations: Reach::of(caller.found(), permission::ORGANIZATIONS_READ),
    };
    let credential = request.credential.0.expose();
    let looked_up = sight.seen(app.look_up(credential).await?);
    let proving = proved(&app, &looked_up, request.proof.as_ref(), request.method.as_deref(), credential)?;
    let required = Required {
        audience: request.audience.as_deref(),
        environment: request.environment,
        permissions: &request.permissions,
        objects,
        whatever_object: false,
    };
    let asked = Asked {
        required,
        client_ip: request.client_ip,
        cost: request.cost.unwrap_or(1),
        proving: &proving,
        foreign_brand: app.foreign_brand(credential),
    };
    let explained = explained(&app, sight, looked_up, &asked).await?;
    Ok(axum::response::IntoResponse::into_response(Answer(explained.view())))
}

/// How far whoever asks sees, and where they may read what an explanation tells besides.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sight {
    pub(crate) reach: Reach,
    /// Who gave a permission.
    pub(crate) assignments: Option<Reach>,
    /// What an organization may use.
    pub(crate) organizations: Option<Reach>,
}

impl Sight {
    /// What was found, as far as they see it.
    pub(crate) fn seen(&self, looked_up: LookedUp) -> LookedUp {
        let hidden = looked_up.found().is_some_and(|found| !self.reach.covers(found.organization.id));
        if hidden { LookedUp { entry: None, ..looked_up } } else { looked_up }
    }
}

/// A use that is explained.
pub(crate) struct Asked<'a> {
    pub(crate) required: Required<'a>,
    pub(crate) client_ip: Option<IpAddr>,
    pub(crate) cost: u32,
    pub(crate) proving: &'a Proving,
    /// Of a token whose brand is all that is wrong with it.
    pub(crate) foreign_brand: Option<Brand>,
}

/// A verdict with its working, and what it was made from.
pub(crate) struct Explained {
    pub(crate) looked_up: LookedUp,
    pub(crate) verdict: Verdict,
    /// Of a token whose brand is all that is wrong with it.
    pub(crate) foreign_brand: Option<Brand>,
    pub(crate) now: Timestamp,
    /// Every test, in order.
    pub(crate) steps: Vec<Step>,
    /// Every permission that was asked for.
    pub(crate) permissions: Vec<PermissionTrace>,
}

impl Explained {
    fn view(&self) -> ExplanationView<'_> {
        let (found, now) = (self.looked_up.found(), self.now);
        let message = match (self.verdict, &self.foreign_brand) {
            (Verdict::Valid, _) => None,
            (Verdict::Refused(Refusal::Malformed), Some(brand)) => Some(of_foreign_brand(brand).into()),
            (Verdict::Refused(refusal), _) => Some(Refusal::message(refusal).into()),
        };
        ExplanationView {
            valid: self.verdict.is_valid(),
            code: self.verdict.code(),
            message,
            credential: found.map(|found| CredentialView::new(found, now)),
            principal: found.map(PrincipalView::new),
            organization: found.map(OrganizationView::new),
            access_token: found.and_then(TokenTrace::of),
            steps: &self.steps,
            permissions: &self.permissions,
        }
    }
}

/// What the verdict on a use would be, and why. Nothing is spent, and nobody counts it.
pub(crate) async fn explained(
    app: &App,
    sight: Sight,
    looked_up: LookedUp,
    asked: &Asked<'_>,
) -> Result<Explained, RequestError> {
    let looked_up = sight.seen(looked_up);
    let (required, client_ip, proving) = (asked.required, asked.client_ip, asked.proving);
    let occasion = Occasion { surface: Surface::Verify, method: None, path: None, request_id: None };
    let used = Use { occasion, required, client_ip, proving, visible: None, cost: asked.cost };
    let (verdict, now) = (app.would_judge(&looked_up, &used).await, app.now());
    let found = looked_up.found();
    let stored = match found {
        Some(found) => app.store.within(sight.reach).credential(found.credential.id).await?,
        None => None,
    };
    let problem = proving.problem.map(|problem| problem.to_string());
    let (stored, proof) = (stored.as_ref(), proving.proof);
    let case =
        Case { verdict, found, stored, required: &required, client_ip, proof, proof_problem: problem.as_deref(), now };
    let permissions = match found {
        Some(found) => traces(app, sight, found, &case).await?,
        None => Vec::new(),
    };
    let steps = case.steps();
    let foreign_brand = asked.foreign_brand.clone();
    Ok(Explained { verdict, foreign_brand, now, steps, permissions, looked_up })
}

async fn traces(app: &App, sight: Sight, found: &Found, case: &Case<'_>) -> Result<Vec<PermissionTrace>, RequestError> {
    let home = found.organization.id;
    let covers = |reach: Option<Reach>| reach.is_some_and(|reach| reach.covers(home));
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
        if covers(sight.assignments) {
            trace.given_by = Some(Source::of(permission, found, &assignments, holds));
        }
        if covers(sight.organizations) { trace } else { trace.without_ceiling() }
    };
    Ok(case.required.permissions.iter().map(trace).collect())
}
