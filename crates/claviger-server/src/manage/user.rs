//! `/v1/users`: people. Whoever reaches one organization sees its members; only instance scope changes users, for they may
//! belong to several.

use axum::{
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use claviger_core::{
    CodePurpose, NewPasswordReset, NewUser, OneTimeCode, PasswordChange, Reach, SessionEnd, User, UserByExternalId,
    UserChanges,
};
use claviger_store::{Narrowed, StoreError, Tx, UserFilter};
use claviger_token::{OrganizationId, Secret, UserId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::{IntoParams, ToSchema};

use super::{Id, credential::in_the_clear, link};
use crate::{
    app::App,
    body::{Answer, Created, Json, Post},
    caller::{Caller, ReadUsers, WriteUsers},
    listing::{List, Listing, list_query},
    problem::{Problem, RequestError},
};

/// A user.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = User)]
pub(crate) struct UserView {
    id: UserId,
    email: String,
    /// Whether the address is only claimed: whoever accepted an invitation to it has it, and nobody has shown that it is theirs.
    email_claimed: bool,
    name: Option<String>,
    external_id: Option<String>,
    /// Where they belong, as far as the caller sees.
    #[serde(skip_serializing_if = "Option::is_none")]
    organization_ids: Option<Vec<OrganizationId>>,
    #[schema(value_type = Object)]
    metadata: Box<RawValue>,
    disabled: bool,
    created_at: Timestamp,
}

impl From<User> for UserView {
    fn from(user: User) -> Self {
        Self {
            id: user.id,
            email: user.email.to_string(),
            email_claimed: user.email_claimed,
            name: user.name.map(|name| name.to_string()),
            external_id: user.external_id,
            organization_ids: None,
            metadata: user.metadata.raw().to_owned(),
            disabled: user.disabled_at.is_some(),
            created_at: user.created_at,
        }
    }
}

/// A link to a new password.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PasswordReset {
    /// For the user, and nobody else: whoever opens it chooses the password. Null when the request is repeated.
    #[serde(serialize_with = "in_the_clear")]
    #[schema(value_type = Option<String>)]
    url: Option<Secret>,
    /// When it is dead, if it was not used before.
    expires_at: Timestamp,
}

/// Filters of the list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct UserQuery {
    /// Members of one organization.
    organization_id: Option<OrganizationId>,
    /// With exactly this external id.
    external_id: Option<String>,
    /// Those who are disabled, or those who are not.
    disabled: Option<bool>,
    /// In address, name or external id.
    q: Option<String>,
    /// 1 to 200; 50 if absent.
    limit: Option<u32>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}
list_query!(UserQuery);

/// List users
///
/// Without instance scope: the members of the caller's organization.
#[utoipa::path(
    get, path = "/v1/users", tag = "Users", operation_id = "listUsers",
    params(UserQuery),
    responses((status = 200, body = List<UserView>), (status = "4XX", body = Problem)),
)]
pub(crate) async fn list(
    State(app): State<App>,
    caller: Caller<ReadUsers>,
    listing: Listing<UserQuery>,
) -> Result<Answer<List<UserView>>, RequestError> {
    let filters = &listing.filters;
    let filter = UserFilter {
        organization: filters.organization_id,
        external_id: filters.external_id.clone(),
        disabled: filters.disabled,
        q: filters.q.clone(),
    };
    let found = app.store.within(caller.reach()).users(&filter, &listing.page()?).await?;
    Ok(Answer(listing.list(found, |user| user.id, UserView::from)))
}

/// Make a user
#[utoipa::path(
    post, path = "/v1/users", tag = "Users", operation_id = "createUser",
    request_body = NewUser,
    responses((status = 201, body = UserView), (status = "4XX", body = Problem)),
)]
pub(crate) async fn create(
    State(app): State<App>,
    caller: Caller<WriteUsers>,
    Post { body, repeatable }: Post<NewUser>,
) -> Result<Created<UserView>, RequestError> {
    caller.must_reach_instance()?;
    let now = app.now();
    let (user, event) = User::create(&body, now, &mut app.rng())?;
    let password = match body.chosen_password()? {
        Some(chosen) => Some(app.password_hash(chosen).await?),
        None => None,
    };
    let mut tx = app.store.begin(caller.by()).await?;
    tx.insert_user(&user).await?;
    if let Some(password) = password {
        let own = tx.authenticators(user.id).await?.ok_or(RequestError::NotFound)?;
        let (own, chosen) = own.set_password(password, PasswordChange::Chosen, now);
        tx.save_authenticators(&own).await?;
        tx.also(chosen);
    }
    let location = format!("/v1/users/{}", user.id);
    let body = UserView::from(user);
    let kept = repeatable.remembered(StatusCode::CREATED, Some(&location), &body);
    tx.commit_answering(event, kept.as_ref(), app.now(), &mut app.rng()).await?;
    Ok(Created { location, body })
}

/// Show a user
#[utoipa::path(
    get, path = "/v1/users/{id}", tag = "Users", operation_id = "showUser",
    params(("id" = UserId, Path)),
    responses((status = 200, body = UserView), (status = "4XX", body = Problem)),
)]
pub(crate) async fn show(
    State(app): State<App>,
    caller: Caller<ReadUsers>,
    Id(id): Id<UserId>,
) -> Result<Answer<UserView>, RequestError> {
    let mut view = app.store.within(caller.reach());
    let user = view.user(id).await?.ok_or(RequestError::NotFound)?;
    let organization_ids = Some(view.organizations_of(id).await?);
    Ok(Answer(UserView { organization_ids, ..user.into() }))
}

/// Change a user
///
/// Another address or external id, and letting a disabled user in again, give what the user holds to whoever is meant from
/// then on: the caller must be able to give it. Another address or external id ends the user's sessions and voids their links.
#[utoipa::path(
    patch, path = "/v1/users/{id}", tag = "Users", operation_id = "updateUser",
    params(("id" = UserId, Path)), request_body = UserChanges,
    responses((status = 200, body = UserView), (status = "4XX", body = Problem)),
)]
pub(crate) async fn update(
    State(app): State<App>,
    caller: Caller<WriteUsers>,
    Id(id): Id<UserId>,
    Json(changes): Json<UserChanges>,
) -> Result<Answer<UserView>, RequestError> {
    caller.must_reach_instance()?;
    let mut tx = app.store.begin(caller.by()).await?;
    let user = tx.to_change(caller.reach()).user(id).await?.ok_or(RequestError::NotFound)?;
    Ok(Answer(change(&app, &caller, tx, user, &changes).await?.into()))
}

/// Delete a user
///
/// Every token and session of them ends, for good, and what is personal is erased, in the audit trail too.
#[utoipa::path(
    delete, path = "/v1/users/{id}", tag = "Users", operation_id = "deleteUser",
    params(("id" = UserId, Path)),
    responses((status = 204, description = "Gone"), (status = "4XX", body = Problem)),
)]
pub(crate) async fn delete(
    State(app): State<App>,
    caller: Caller<WriteUsers>,
    Id(id): Id<UserId>,
) -> Result<StatusCode, RequestError> {
    caller.must_reach_instance()?;
    let mut tx = app.store.begin_alone(caller.by()).await?;
    let user = tx.to_change(caller.reach()).user(id).await?.ok_or(RequestError::NotFound)?;
    let ended = tx.end_user(&user, app.now()).await?;
    tx.commit(user.delete().ending(&ended), app.now(), &mut app.rng()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Make or change the user with this external id
///
/// Of two who do it at once, one makes the user and one changes them.
#[utoipa::path(
    put, path = "/v1/users/by-external-id/{id}", tag = "Users", operation_id = "putUserByExternalId",
    params(("id" = String, Path, description = "What the SaaS calls the user")), request_body = UserByExternalId,
    responses(
        (status = 200, description = "Changed", body = UserView), (status = 201, description = "Made", body = UserView),
        (status = "4XX", body = Problem),
    ),
)]
pub(crate) async fn put_by_external_id(
    State(app): State<App>,
    caller: Caller<WriteUsers>,
    Path(external_id): Path<String>,
    Json(body): Json<UserByExternalId>,
) -> Result<Response, RequestError> {
    caller.must_reach_instance()?;
    for is_last_try in [false, true] {
        if let Some(done) = make_or_change(&app, &caller, &external_id, &body, is_last_try).await? {
            return Ok(done);
        }
    }
    Err(RequestError::NotFound)
}

/// Make a link to a new password
///
/// Claviger sends no mail: hand the link to the user. A new one voids those before. It is worth all that the user
/// can do, and so the caller must be able to give that.
#[utoipa::path(
    post, path = "/v1/users/{id}/password-reset", tag = "Users", operation_id = "resetPassword",
    params(("id" = UserId, Path)), request_body = NewPasswordReset,
    responses((status = 200, body = PasswordReset), (status = "4XX", body = Problem)),
)]
pub(crate) async fn reset_password(
    State(app): State<App>,
    caller: Caller<WriteUsers>,
    Id(id): Id<UserId>,
    Post { body, repeatable }: Post<NewPasswordReset>,
) -> Result<Answer<PasswordReset>, RequestError> {
    caller.must_reach_instance()?;
    let mut tx = app.store.begin(caller.by()).await?;
    let user = tx.to_change(caller.reach()).user(id).await?.ok_or(RequestError::NotFound)?;
    must_be_able_to_let_in(&caller, &mut tx, id).await?;
    let (by, now) = (&caller.by().actor, app.now());
    let (code, secret, event) = OneTimeCode::password_reset(&user, &body, by, now, &mut app.rng())?;
    tx.void_one_time_codes(id, CodePurpose::PasswordReset).await?;
    tx.insert_one_time_code(&code, &app.peppers.digest(&secret.hash())).await?;
    let concealed = PasswordReset { url: None, expires_at: code.ends_at };
    let kept = repeatable.remembered(StatusCode::OK, None, &concealed);
    tx.commit_answering(event, kept.as_ref(), now, &mut app.rng()).await?;
    Ok(Answer(PasswordReset { url: Some(link(&app, "password-reset", &secret)), ..concealed }))
}

/// Remove a user's second factor
///
/// For whoever lost their authenticator app and their recovery codes: signing in asks for neither until they set one up again. Ends
/// all their sessions. It is worth all that the user can do, and so the caller must be able to give that.
#[utoipa::path(
    delete, path = "/v1/users/{id}/second-factor", tag = "Users", operation_id = "removeSecondFactor",
    params(("id" = UserId, Path)),
    responses((status = 204, description = "Gone"), (status = "4XX", body = Problem)),
)]
pub(crate) async fn remove_second_factor(
    State(app): State<App>,
    caller: Caller<WriteUsers>,
    Id(id): Id<UserId>,
) -> Result<StatusCode, RequestError> {
    caller.must_reach_instance()?;
    let mut tx = app.store.begin(caller.by()).await?;
    let user = tx.authenticators(id).await?.ok_or(RequestError::NotFound)?;
    must_be_able_to_let_in(&caller, &mut tx, id).await?;
    if user.totp.is_none() {
        return Err(RequestError::NotFound);
    }
    let (user, event) = user.disable_totp();
    tx.save_authenticators(&user).await?;
    tx.replace_recovery_codes(id, &[]).await?;
    tx.end_sessions_of(id, None, SessionEnd::SecondFactorChanged).await?;
    tx.commit(event, app.now(), &mut app.rng()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Nothing if somebody else made what would be new meanwhile, perhaps this very user.
async fn make_or_change(
    app: &App,
    caller: &Caller<WriteUsers>,
    external_id: &str,
    body: &UserByExternalId,
    is_last_try: bool,
) -> Result<Option<Response>, RequestError> {
    let mut tx = app.store.begin(caller.by()).await?;
    if let Some(user) = tx.to_change(Reach::Instance).user_by_external_id(external_id).await? {
        let user = change(app, caller, tx, user, &body.to_changes()).await?;
        return Ok(Some(Answer(UserView::from(user)).into_response()));
    }
    let (user, event) = User::create(&body.to_new(external_id), app.now(), &mut app.rng())?;
    match tx.insert_user(&user).await {
        Err(StoreError::Taken(_)) if !is_last_try => return Ok(None),
        done => done?,
    }
    tx.commit(event, app.now(), &mut app.rng()).await?;
    let location = format!("/v1/users/{}", user.id);
    Ok(Some(Created { location, body: UserView::from(user) }.into_response()))
}

/// Keeps changes, unless there are none.
async fn change(
    app: &App,
    caller: &Caller<WriteUsers>,
    mut tx: Tx<'_>,
    old: User,
    changes: &UserChanges,
) -> Result<User, RequestError> {
    let (new, event) = old.clone().update(changes, app.now())?;
    if new == old {
        return Ok(new);
    }
    let is_another = new.gives_access_beyond(&old);
    if is_another {
        must_be_able_to_let_in(caller, &mut tx, new.id).await?;
    }
    tx.save_user(&new).await?;
    if is_another || new.disabled_at.is_some() {
        tx.shut_out_user(new.id).await?;
    }
    if new.disabled_at.is_some() && old.disabled_at.is_none() {
        tx.raise_epochs(Narrowed::Principal(new.id.into())).await?;
    }
    tx.commit(event, app.now(), &mut app.rng()).await?;
    Ok(new)
}

async fn must_be_able_to_let_in(
    caller: &Caller<WriteUsers>,
    tx: &mut Tx<'_>,
    user: UserId,
) -> Result<(), RequestError> {
    let held = tx.within(Reach::Instance).held_anywhere(user.into()).await?;
    Ok(caller.grantor().may_let_in(&held)?)
}
