//! `/v1/personal-access-tokens`: by their users, by who governs the organization, and by the SaaS for its own users.

use axum::{extract::State, http::StatusCode};
use claviger_core::{
    Approval, Credential, CredentialChanges, CredentialStatus, DeviceApproval, Event, Issued, Kind,
    NewPersonalAccessToken, Policy, Reach, Rejection, permission,
};
use claviger_store::{CredentialFilter, StatusAt, Tx};
use claviger_token::{OrganizationId, PersonalAccessTokenId, PrincipalId, Secret, UserId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    Id,
    credential::{Authority, CredentialView, Revoke, Roll, World, in_the_clear},
    look_alike::LookAlikes,
};
use crate::{
    app::App,
    body::{Answer, Created, Json, Post},
    caller::{ReadPersonalAccessTokens, TokenCaller, WritePersonalAccessTokens},
    listing::{List, Listing, list_query},
    problem::{Problem, RequestError},
};

/// A personal access token; never its secret.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PersonalAccessToken)]
pub(crate) struct PersonalAccessTokenView {
    #[schema(value_type = UserId)]
    user_id: PrincipalId,
    /// Since when it waits for an approval; null if it does not.
    pending_since: Option<Timestamp>,
    /// When it was approved; null if that was not wanted, or not yet.
    approved_at: Option<Timestamp>,
    /// By whom: a principal's id, or `operator`.
    approved_by: Option<String>,
    /// Where somebody who may approve it does so in a browser; null if it does not wait.
    approval_url: Option<String>,
    #[serde(flatten)]
    credential: CredentialView,
}

/// One with its token, which is shown this once.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = IssuedPersonalAccessToken)]
pub(crate) struct IssuedPersonalAccessToken {
    #[serde(flatten)]
    credential: PersonalAccessTokenView,
    /// Store it now; it cannot be shown again. Null when a request is repeated.
    #[serde(serialize_with = "in_the_clear")]
    #[schema(value_type = Option<String>, example = "clv_pat_…")]
    token: Option<Secret>,
}

impl IssuedPersonalAccessToken {
    pub(super) fn reveal(app: &App, one: Credential, token: Secret, now: Timestamp) -> Self {
        Self { credential: PersonalAccessTokenView::new(app, one, now), token: Some(token) }
    }

    /// As a repetition of the request sees it.
    pub(super) fn concealed(app: &App, one: &Credential, now: Timestamp) -> Self {
        Self { credential: PersonalAccessTokenView::new(app, one.clone(), now), token: None }
    }

    fn among(self, look_alikes: LookAlikes) -> Self {
        Self { credential: self.credential.among(look_alikes), ..self }
    }
}

impl PersonalAccessTokenView {
    pub(super) fn new(app: &App, one: Credential, now: Timestamp) -> Self {
        let approval_url = approval_url(app, &one, now);
        let (pending_since, approved_at, approved_by) = match &one.approval {
            None => (None, None, None),
            Some(Approval::Pending { since }) => (Some(*since), None, None),
            Some(Approval::Given { at, by }) => (None, Some(*at), Some(by.clone())),
        };
        let (user_id, credential) = (one.principal, CredentialView::new(one, now));
        Self { user_id, pending_since, approved_at, approved_by, approval_url, credential }
    }

    pub(super) fn among(self, look_alikes: LookAlikes) -> Self {
        Self { credential: self.credential.among(look_alikes), ..self }
    }
}

/// Filters of the list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct PersonalAccessTokenQuery {
    /// Of one organization.
    organization_id: Option<OrganizationId>,
    /// Of one user.
    user_id: Option<UserId>,
    /// In this state now.
    status: Option<CredentialStatus>,
    /// In the name.
    q: Option<String>,
    /// 1 to 200; 50 if absent.
    limit: Option<u32>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}
list_query!(PersonalAccessTokenQuery);

/// List personal access tokens
///
/// A user sees their own, and those of others with `claviger:credentials:read`. A signed-in user needs no credential: the cookie
/// of the session will do, with the header `X-CSRF-Token` where something is changed (`GET /v1/session` has it).
#[utoipa::path(
    get, path = "/v1/personal-access-tokens", tag = "Personal access tokens", operation_id = "listPersonalAccessTokens",
    params(PersonalAccessTokenQuery),
    responses((status = 200, body = List<PersonalAccessTokenView>), (status = "4XX", body = Problem)),
)]
pub(crate) async fn list(
    State(app): State<App>,
    caller: TokenCaller<ReadPersonalAccessTokens>,
    listing: Listing<PersonalAccessTokenQuery>,
) -> Result<Answer<List<PersonalAccessTokenView>>, RequestError> {
    let (filters, now) = (&listing.filters, app.now());
    let authority = Authority::over_tokens(&caller, permission::CREDENTIALS_READ);
    if let (Some(own), Some(asked)) = (authority.own, filters.user_id)
        && own != asked
    {
        return Ok(Answer(listing.list(
            Vec::new(),
            |one: &Credential| one.id,
            |one| PersonalAccessTokenView::new(&app, one, now),
        )));
    }
    let filter = CredentialFilter {
        kind: Some(Kind::PersonalAccessToken),
        organization: filters.organization_id,
        principal: filters.user_id.or(authority.own).map(Into::into),
        status: filters.status.map(|status| StatusAt { status, at: now }),
        q: filters.q.clone(),
        ..CredentialFilter::default()
    };
    let found = app.store.within(authority.reach).credentials(&filter, &listing.page()?).await?;
    Ok(Answer(listing.list(found, |one| one.id, |one| PersonalAccessTokenView::new(&app, one, now))))
}

/// Make a personal access token
///
/// It can do no more than its user, at any moment, and is made with no more than its maker may give. The answer holds the token,
/// once; afterwards only its digest exists. Where the organization's policy wants an approval, it works once it has that.
#[utoipa::path(
    post, path = "/v1/personal-access-tokens", tag = "Personal access tokens", operation_id = "createPersonalAccessToken",
    request_body = NewPersonalAccessToken,
    responses((status = 201, body = IssuedPersonalAccessToken), (status = "4XX", body = Problem)),
)]
pub(crate) async fn create(
    State(app): State<App>,
    caller: TokenCaller<WritePersonalAccessTokens>,
    Post { body, repeatable }: Post<NewPersonalAccessToken>,
) -> Result<Created<IssuedPersonalAccessToken>, RequestError> {
    let authority = Authority::over_tokens(&caller, permission::CREDENTIALS_WRITE);
    let now = app.now();
    let (mut tx, issued) = issued(&app, &authority, body, now).await?;
    let look_alikes = authority.look_alikes(&mut tx.within(authority.reach), &issued.credential, now).await?;
    let location = format!("/v1/personal-access-tokens/{}", issued.credential.id);
    let concealed = IssuedPersonalAccessToken::concealed(&app, &issued.credential, now).among(look_alikes.clone());
    let kept = repeatable.remembered(StatusCode::CREATED, Some(&location), &concealed);
    tx.commit_answering(issued.event, kept.as_ref(), now, &mut app.rng()).await?;
    let body = IssuedPersonalAccessToken::reveal(&app, issued.credential, issued.secret, now).among(look_alikes);
    Ok(Created { location, body })
}

/// A token by the rules as they are inside of the transaction, which is not committed yet.
pub(crate) async fn issued<'a>(
    app: &'a App,
    authority: &Authority<'a>,
    body: NewPersonalAccessToken,
    now: Timestamp,
) -> Result<(Tx<'a>, Issued), RequestError> {
    authority.must_be_fresh(now)?;
    let mut tx = app.store.begin(authority.by).await?;
    let world = owner(&mut tx, authority, &body).await?;
    let issued = body.issue(&world.context(app, authority), authority.by.actor.id(), now, &mut app.rng())?;
    let issued = issued.seen_by(&authority.sees_secrets());
    tx.insert_credential(&issued.credential, &app.peppers.digest(&issued.secret.hash())).await?;
    Ok((tx, issued))
}

/// Show a personal access token
#[utoipa::path(
    get, path = "/v1/personal-access-tokens/{id}", tag = "Personal access tokens", operation_id = "showPersonalAccessToken",
    params(("id" = PersonalAccessTokenId, Path)),
    responses((status = 200, body = PersonalAccessTokenView), (status = "4XX", body = Problem)),
)]
pub(crate) async fn show(
    State(app): State<App>,
    caller: TokenCaller<ReadPersonalAccessTokens>,
    Id(id): Id<PersonalAccessTokenId>,
) -> Result<Answer<PersonalAccessTokenView>, RequestError> {
    let authority = Authority::over_tokens(&caller, permission::CREDENTIALS_READ);
    let (mut view, now) = (app.store.within(authority.reach), app.now());
    let one = authority.find(&mut view, id).await?;
    let look_alikes = authority.look_alikes(&mut view, &one, now).await?;
    Ok(Answer(PersonalAccessTokenView::new(&app, one, now).among(look_alikes)))
}

/// Change a personal access token
///
/// What it loses, it loses at once; what it gains, the caller must be able to give. What somebody else disabled, its user enables
/// again only with `claviger:credentials:write` (403 `disabled_by_another`). Where the organization's policy wants an approval, more
/// rights or a later end wait for one, unless the caller could give it.
#[utoipa::path(
    patch, path = "/v1/personal-access-tokens/{id}", tag = "Personal access tokens", operation_id = "updatePersonalAccessToken",
    params(("id" = PersonalAccessTokenId, Path)), request_body = CredentialChanges,
    responses((status = 200, body = PersonalAccessTokenView), (status = "4XX", body = Problem)),
)]
pub(crate) async fn update(
    State(app): State<App>,
    caller: TokenCaller<WritePersonalAccessTokens>,
    Id(id): Id<PersonalAccessTokenId>,
    Json(changes): Json<CredentialChanges>,
) -> Result<Answer<PersonalAccessTokenView>, RequestError> {
    let authority = Authority::over_tokens(&caller, permission::CREDENTIALS_WRITE);
    let (mut tx, one, event) = updated(&app, &authority, id, changes).await?;
    let now = app.now();
    let look_alikes = authority.look_alikes(&mut tx.within(authority.reach), &one, now).await?;
    tx.commit(event, now, &mut app.rng()).await?;
    Ok(Answer(PersonalAccessTokenView::new(&app, one, now).among(look_alikes)))
}

/// A token as it is changed, in a transaction that is not committed yet.
pub(crate) async fn updated<'a>(
    app: &'a App,
    authority: &Authority<'a>,
    id: PersonalAccessTokenId,
    changes: CredentialChanges,
) -> Result<(Tx<'a>, Credential, Event), RequestError> {
    if !changes.only_tells() {
        authority.must_be_fresh(app.now())?;
    }
    let (mut tx, one, world) = authority.to_change_in_world(app, id).await?;
    let (one, event) = one.update(changes, &world.context(app, authority), authority.by.actor.id(), app.now())?;
    tx.save_credential(&one).await?;
    Ok((tx, one, event))
}

/// Delete a personal access token
///
/// It ends and is no longer listed. Its token stays known as revoked.
#[utoipa::path(
    delete, path = "/v1/personal-access-tokens/{id}", tag = "Personal access tokens", operation_id = "deletePersonalAccessToken",
    params(("id" = PersonalAccessTokenId, Path)),
    responses((status = 204, description = "Gone"), (status = "4XX", body = Problem)),
)]
pub(crate) async fn delete(
    State(app): State<App>,
    caller: TokenCaller<WritePersonalAccessTokens>,
    Id(id): Id<PersonalAccessTokenId>,
) -> Result<StatusCode, RequestError> {
    let authority = Authority::over_tokens(&caller, permission::CREDENTIALS_WRITE);
    let (mut tx, one) = authority.to_change(&app, id).await?;
    let (one, event) = one.delete(app.now());
    tx.save_credential(&one).await?;
    tx.commit(event, app.now(), &mut app.rng()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Roll a personal access token
///
/// It gets a new secret under the same id; the one before works on for the overlap. The answer holds the new
/// token, once. Rolling during an overlap ends the older secret at once.
#[utoipa::path(
    post, path = "/v1/personal-access-tokens/{id}/roll", tag = "Personal access tokens", operation_id = "rollPersonalAccessToken",
    params(("id" = PersonalAccessTokenId, Path)), request_body = Roll,
    responses((status = 200, body = IssuedPersonalAccessToken), (status = "4XX", body = Problem)),
)]
pub(crate) async fn roll(
    State(app): State<App>,
    caller: TokenCaller<WritePersonalAccessTokens>,
    Id(id): Id<PersonalAccessTokenId>,
    Post { body, repeatable }: Post<Roll>,
) -> Result<Answer<IssuedPersonalAccessToken>, RequestError> {
    let authority = Authority::over_tokens(&caller, permission::CREDENTIALS_WRITE);
    let now = app.now();
    let (tx, rolled) = rolled(&app, &authority, id, body.overlap_seconds, now).await?;
    let concealed = IssuedPersonalAccessToken::concealed(&app, &rolled.credential, now);
    let kept = repeatable.remembered(StatusCode::OK, None, &concealed);
    tx.commit_answering(rolled.event, kept.as_ref(), now, &mut app.rng()).await?;
    Ok(Answer(IssuedPersonalAccessToken::reveal(&app, rolled.credential, rolled.secret, now)))
}

/// A token with a new secret, in a transaction that is not committed yet.
pub(crate) async fn rolled<'a>(
    app: &'a App,
    authority: &Authority<'a>,
    id: PersonalAccessTokenId,
    overlap_seconds: u32,
    now: Timestamp,
) -> Result<(Tx<'a>, Issued), RequestError> {
    authority.must_be_fresh(now)?;
    let (mut tx, one, world) = authority.to_change_in_world(app, id).await?;
    let (context, by) = (world.context(app, authority), authority.sees_secrets());
    let rolled = one.roll(overlap_seconds, &context, by, now, &mut app.rng())?;
    tx.save_rolled_credential(&rolled.credential, &app.peppers.digest(&rolled.secret.hash())).await?;
    Ok((tx, rolled))
}

/// Revoke a personal access token
///
/// It is refused from the answer on: here at once, on every other node within a second. This is final.
#[utoipa::path(
    post, path = "/v1/personal-access-tokens/{id}/revoke", tag = "Personal access tokens", operation_id = "revokePersonalAccessToken",
    params(("id" = PersonalAccessTokenId, Path)), request_body = Revoke,
    responses((status = 200, body = PersonalAccessTokenView), (status = "4XX", body = Problem)),
)]
pub(crate) async fn revoke(
    State(app): State<App>,
    caller: TokenCaller<WritePersonalAccessTokens>,
    Id(id): Id<PersonalAccessTokenId>,
    Post { body, repeatable }: Post<Revoke>,
) -> Result<Answer<PersonalAccessTokenView>, RequestError> {
    let authority = Authority::over_tokens(&caller, permission::CREDENTIALS_WRITE);
    let (tx, one, event) = authority.revoked(&app, id, body.reason).await?;
    let body = PersonalAccessTokenView::new(&app, one, app.now());
    let kept = repeatable.remembered(StatusCode::OK, None, &body);
    tx.commit_answering(event, kept.as_ref(), app.now(), &mut app.rng()).await?;
    Ok(Answer(body))
}

/// Where somebody who may approve it does so in a browser, if it waits for that.
pub(crate) fn approval_url(app: &App, one: &Credential, now: Timestamp) -> Option<String> {
    let waits = one.status(now) == CredentialStatus::PendingApproval;
    waits.then(|| format!("{}/approvals/{}", app.config.public_url, one.id))
}

/// A token that its user approved for a device, by the rules as they are inside of the transaction. It is not stored yet.
pub(crate) async fn issue_own(
    app: &App,
    tx: &mut Tx<'_>,
    approval: &DeviceApproval,
    now: Timestamp,
    body: impl FnOnce(&Policy) -> NewPersonalAccessToken,
) -> Result<Issued, RequestError> {
    let DeviceApproval { user, organization, .. } = *approval;
    let there = Reach::Organization(organization);
    // Locked before it is asked whether they belong there, as for every token.
    let person = tx.to_change(there).user(user).await?;
    person.filter(|person| person.disabled_at.is_none()).ok_or(RequestError::NotFound)?;
    let world = World::of_member(tx, there, user, organization).await?.ok_or(RequestError::NotFound)?;
    if world.organization().disabled_at.is_some() {
        return Err(RequestError::NotFound);
    }
    let body = body(&world.organization().policy);
    Ok(body.issue(&world.context_of_itself(app), user.to_string(), now, &mut app.rng())?)
}

/// The world around the user who gets a token: named by id or external id, or whoever asks.
async fn owner(
    tx: &mut Tx<'_>,
    authority: &Authority<'_>,
    body: &NewPersonalAccessToken,
) -> Result<World, RequestError> {
    let unknown = |pointer| {
        let message = "there is no such user in that organization, or not for you";
        RequestError::from(Rejection::field(pointer, "unknown_user", message))
    };
    let (user, pointer) = match (body.user_id, &body.user_external_id, authority.principal) {
        (Some(id), None, _) => (id, "/user_id"),
        (None, Some(external_id), _) => {
            let pointer = "/user_external_id";
            let there = Reach::Organization(body.organization_id);
            // Who makes only their own does not find out whom else there is, nor where else they are themselves.
            let found = match authority.own {
                _ if !authority.reach.covers(body.organization_id) => None,
                Some(own) => {
                    let me = tx.within(there).user(own).await?;
                    Some(me.filter(|me| me.external_id.as_ref() == Some(external_id)).ok_or_else(somebody_elses)?)
                }
                None => tx.within(there).user_by_external_id(external_id).await?,
            };
            (found.ok_or_else(|| unknown(pointer))?.id, pointer)
        }
        (None, None, PrincipalId::User(id)) => (id, "/organization_id"),
        (Some(_), Some(_), _) | (None, None, PrincipalId::ServiceAccount(_)) => {
            let message = "name the user, by user_id or by user_external_id";
            return Err(Rejection::field("", "one_of", message).into());
        }
    };
    if authority.own.is_some_and(|own| own != user) {
        return Err(somebody_elses());
    }
    // Locked before it is asked whether they belong there: a token that is made while its user leaves would come back with them.
    tx.to_change(Reach::Organization(body.organization_id)).user(user).await?;
    World::of_member(tx, authority.reach, user, body.organization_id).await?.ok_or_else(|| unknown(pointer))
}

fn somebody_elses() -> RequestError {
    let needed = permission::CREDENTIALS_WRITE;
    let message = format!("a token for somebody else needs {needed}; leave the user out to make your own");
    Rejection::Forbidden { permission: needed.to_owned(), message }.into()
}
