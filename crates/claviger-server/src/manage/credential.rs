//! What the routes of every kind of credential share: how one is shown, the bodies of its actions, who may change it, and the
//! world that issuing depends on.

use axum::http::StatusCode;
use claviger_core::{
    By, Credential, CredentialStatus, Event, Grantor, IssuingContext, Organization, Person, Reach, Rejection,
    RevokeReason, SecretRecord, permission,
};
use claviger_store::{LookAlike, StoreError, Tx, View};
use claviger_token::{
    Confirmation, CredentialId, Environment, NetworkSet, ObjectSet, OrganizationId, PermissionMask, PermissionSet,
    PrincipalId, Quota, RateLimit, Secret, ServiceAccountId, UserId,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::{
    look_alike::{LookAlikeView, LookAlikes},
    reaches_further, shown,
};
use crate::{
    app::App,
    caller::{Caller, Itself, Permitted, TokenCaller, instance_scope_needed},
    problem::RequestError,
    session::Session,
};

/// A credential of any kind; never its secret.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CredentialMembers)]
pub(crate) struct CredentialView {
    id: CredentialId,
    organization_id: OrganizationId,
    name: String,
    /// Whether another living credential of the organization is called alike, or the same and is somebody else's. Not in
    /// lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    look_alike: Option<bool>,
    /// Which, five at most, as far as you may see them: your own, and with `claviger:credentials:read` all.
    #[serde(skip_serializing_if = "Option::is_none")]
    look_alikes: Option<Vec<LookAlikeView>>,
    status: CredentialStatus,
    environment: Environment,
    permissions: PermissionMask,
    /// The objects it is limited to; null if it is not.
    objects: Option<ObjectSet>,
    /// The networks it is limited to; null if it is not.
    allowed_networks: Option<NetworkSet>,
    not_before: Option<Timestamp>,
    expires_at: Option<Timestamp>,
    disabled: bool,
    /// By whom: a principal's id, or `operator`; null if it is not disabled.
    disabled_by: Option<String>,
    revoked_at: Option<Timestamp>,
    revoke_reason: Option<RevokeReason>,
    /// The latest use of any of its secrets.
    last_used_at: Option<Timestamp>,
    /// Its secrets, the current one first, and then those that were rolled away.
    generations: Vec<GenerationView>,
    /// What must be proved with it (RFC 7800), for good; null of a bearer credential.
    cnf: Option<Confirmation>,
    /// Null if it has none.
    rate_limits: Option<Vec<RateLimit>>,
    /// Null if it has none.
    quota: Option<Quota>,
    #[schema(value_type = Object)]
    metadata: Box<RawValue>,
    created_at: Timestamp,
    /// A principal's id, or `operator`.
    created_by: String,
}

impl CredentialView {
    pub(super) fn new(credential: Credential, now: Timestamp) -> Self {
        let last_used_at = credential.last_used().map(|last| last.at);
        Self {
            id: credential.id,
            organization_id: credential.organization,
            name: credential.name.to_string(),
            look_alike: None,
            look_alikes: None,
            status: credential.status(now),
            environment: credential.environment,
            permissions: credential.permissions,
            objects: credential.objects,
            allowed_networks: credential.networks,
            not_before: credential.not_before,
            expires_at: credential.expires_at,
            disabled: credential.disabled_at.is_some(),
            disabled_by: credential.disabled_by,
            revoked_at: credential.revocation.map(|revocation| revocation.at),
            revoke_reason: credential.revocation.map(|revocation| revocation.reason),
            last_used_at,
            generations: credential.secrets.into_iter().map(|secret| GenerationView::new(secret, now)).collect(),
            cnf: credential.confirmation,
            rate_limits: shown(credential.limits.rates),
            quota: credential.limits.quota,
            metadata: credential.metadata.raw().to_owned(),
            created_at: credential.created_at,
            created_by: credential.created_by,
        }
    }

    pub(super) fn among(self, LookAlikes { any, seen }: LookAlikes) -> Self {
        Self { look_alike: Some(any), look_alikes: Some(seen), ..self }
    }
}

/// One secret of a credential.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Generation)]
pub(crate) struct GenerationView {
    /// Counts from 1.
    number: u32,
    /// `current`, `retiring` (works until `ends_at`) or `retired`.
    #[schema(value_type = String, example = "current")]
    state: &'static str,
    /// The first four characters after the prefix.
    hint: String,
    created_at: Timestamp,
    ends_at: Option<Timestamp>,
    last_used_at: Option<Timestamp>,
    /// The client's address, where the gateway or the API told it.
    last_used_from: Option<String>,
}

impl GenerationView {
    pub(super) fn new(secret: SecretRecord, now: Timestamp) -> Self {
        Self {
            number: secret.number,
            state: secret.facts().generation(now).as_str(),
            hint: secret.hint,
            created_at: secret.created_at,
            ends_at: secret.ends_at,
            last_used_at: secret.last_used_at,
            last_used_from: secret.last_used_from,
        }
    }
}

/// The one place that writes a secret into a response.
pub(crate) fn in_the_clear<S: Serializer>(secret: &Option<Secret>, serializer: S) -> Result<S::Ok, S::Error> {
    secret.as_ref().map(Secret::expose).serialize(serializer)
}

/// Body of a roll.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Roll {
    /// For how long the secret before works on, 0 to 2592000 (30 days). Without: it ends now.
    pub overlap_seconds: u32,
}

/// Body of a revocation.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Revoke {
    /// Why.
    pub reason: RevokeReason,
}

/// What somebody may do about credentials: by a credential with a permission, or as a user who is signed in.
pub(crate) struct Authority<'a> {
    pub by: &'a By,
    /// The organizations whose credentials it may touch.
    pub reach: Reach,
    /// The user whose own tokens are all that it may see of tokens.
    pub own: Option<UserId>,
    /// The one client whose secrets and keys are meant: others are not there.
    client: Option<ServiceAccountId>,
    pub grantor: Grantor<'a>,
    pub principal: PrincipalId,
    /// Where it governs the credentials of others.
    governs: Option<Reach>,
    /// Where it sees every credential, whoever's it is.
    sees_all: Option<Reach>,
    permission: &'static str,
    session: Option<&'a Session>,
}

impl<'a> Authority<'a> {
    /// Of whoever manages tokens. In a session one has one's own, wherever the session counts, and may give them whatever one
    /// holds.
    pub(super) fn over_tokens<P: Permitted>(caller: &'a TokenCaller<P>, governs: &str) -> Self {
        match caller {
            TokenCaller::Credential(caller) => Self::of_tokens(caller, governs),
            TokenCaller::Session(session) => Self::over_own(session, P::PERMISSION),
        }
    }

    /// Of somebody who is signed in and holds a permission that reaches so far.
    pub(super) fn of_session(
        session: &'a Session,
        reach: Reach,
        sees_all: Option<Reach>,
        permission: &'static str,
    ) -> Self {
        Self {
            by: session.by(),
            reach,
            own: None,
            client: None,
            grantor: Grantor::Itself,
            principal: session.user().into(),
            governs: None,
            sees_all,
            permission,
            session: Some(session),
        }
    }

    /// Of somebody who is signed in and governs what is in an organization, as far as they hold `permission` there.
    pub(crate) fn of_person(session: &'a Session, person: &'a Person, permission: &'static str) -> Option<Self> {
        let reach = person.reach(permission)?;
        let sees_all = person.reach(permission::CREDENTIALS_READ);
        let grantor = Grantor::Person(person);
        Some(Self { grantor, governs: Some(reach), ..Self::of_session(session, reach, sees_all, permission) })
    }

    /// Of somebody who is signed in, over their own tokens wherever they belong, and over nobody else's.
    pub(crate) fn over_own(session: &'a Session, permission: &'static str) -> Self {
        Self { own: Some(session.user()), ..Self::of_session(session, session.reach(), None, permission) }
    }

    /// For what concerns the whole instance: the permission must have been given with instance scope.
    pub(super) fn must_reach_instance(&self) -> Result<(), RequestError> {
        match self.reach {
            Reach::Instance => Ok(()),
            Reach::Organization(_) => Err(instance_scope_needed(self.permission)),
        }
    }

    /// Whoever administers one organization does not stop or end what administers the instance.
    pub(super) async fn must_not_reach_further(
        &self,
        tx: &mut Tx<'_>,
        principal: PrincipalId,
    ) -> Result<(), RequestError> {
        match reaches_further(&mut tx.within(self.reach), self.reach, principal).await? {
            true => self.must_reach_instance(),
            false => Ok(()),
        }
    }

    /// Before a secret is handed out: who is signed in has proved lately who they are.
    pub(crate) fn must_be_fresh(&self, now: Timestamp) -> Result<(), RequestError> {
        self.session.map_or(Ok(()), |session| session.must_be_fresh(now))
    }

    /// Who sees a secret that is made by it. At a portal that is whoever let the user in, too: they could be there in their place.
    pub(super) fn sees_secrets(&self) -> String {
        let vouched_by = self.session.and_then(|session| session.found().session.vouched_by.clone());
        vouched_by.unwrap_or_else(|| self.by.actor.id())
    }

    /// A credential's, over itself.
    pub(super) fn of_itself(itself: &'a Itself) -> Self {
        Self {
            by: itself.by(),
            reach: Reach::Organization(itself.found().organization.id),
            own: None,
            client: None,
            grantor: Grantor::Itself,
            principal: itself.found().principal.id,
            governs: None,
            sees_all: None,
            permission: "",
            session: None,
        }
    }

    /// A caller's, over keys.
    pub(super) fn of<P: Permitted>(caller: &'a Caller<P>) -> Self {
        Self {
            by: caller.by(),
            reach: caller.reach(),
            own: None,
            client: None,
            grantor: caller.grantor(),
            principal: caller.found().principal.id,
            governs: Some(caller.reach()),
            sees_all: Reach::of(caller.found(), permission::CREDENTIALS_READ),
            permission: P::PERMISSION,
            session: None,
        }
    }

    /// A caller's, over what one client proves itself by.
    pub(super) fn over_client<P: Permitted>(caller: &'a Caller<P>, client: ServiceAccountId) -> Self {
        Self { client: Some(client), ..Self::of(caller) }
    }

    /// A caller's, over tokens. A user is limited to its own, unless it holds `governs`, and then to where it holds both.
    pub(super) fn of_tokens<P: Permitted>(caller: &'a Caller<P>, governs: &str) -> Self {
        let governs = Reach::of(caller.found(), governs);
        let authority = Self { governs, ..Self::of(caller) };
        let PrincipalId::User(id) = authority.principal else { return authority };
        match governs {
            None => Self { own: Some(id), ..authority },
            Some(Reach::Instance) => authority,
            Some(there @ Reach::Organization(_)) => Self { reach: there, ..authority },
        }
    }

    /// The same over what one client proves itself by.
    pub(crate) fn over_client_of_person(
        session: &'a Session,
        person: &'a Person,
        permission: &'static str,
        client: ServiceAccountId,
    ) -> Option<Self> {
        Some(Self { client: Some(client), ..Self::of_person(session, person, permission)? })
    }

    /// A credential that it may see.
    pub(crate) async fn find(
        &self,
        view: &mut View<'_>,
        id: impl Into<CredentialId>,
    ) -> Result<Credential, RequestError> {
        let found = view.credential(id).await?;
        found.filter(|one| !self.is_hidden(one.principal)).ok_or(RequestError::NotFound)
    }

    /// A credential that it may change, locked until the end of the transaction.
    pub(super) async fn to_change(
        &self,
        app: &'a App,
        id: impl Into<CredentialId>,
    ) -> Result<(Tx<'a>, Credential), RequestError> {
        let mut tx = app.store.begin(self.by).await?;
        let credential = self.locked(&mut tx, id.into()).await?;
        Ok((tx, credential))
    }

    /// The same with the world around it. The organization is locked first, here and wherever something is made in it, so that
    /// whoever makes its policy stricter finds what this makes or is waited for.
    pub(super) async fn to_change_in_world(
        &self,
        app: &'a App,
        id: impl Into<CredentialId>,
    ) -> Result<(Tx<'a>, Credential, World), RequestError> {
        let (id, mut tx) = (id.into(), app.store.begin(self.by).await?);
        let organization = self.find(&mut tx.within(self.reach), id).await?.organization;
        tx.to_change(Reach::Instance).organization(organization).await?.ok_or(RequestError::NotFound)?;
        let credential = self.locked(&mut tx, id).await?;
        let world = World::of(&mut tx, self.reach, &credential).await?.ok_or(RequestError::NotFound)?;
        Ok((tx, credential, world))
    }

    /// Revokes a credential that it may change. It is not committed yet.
    pub(crate) async fn revoked(
        &self,
        app: &'a App,
        id: impl Into<CredentialId>,
        reason: RevokeReason,
    ) -> Result<(Tx<'a>, Credential, Event), RequestError> {
        let (mut tx, credential) = self.to_change(app, id).await?;
        let (credential, event) = credential.revoke(reason, app.now())?;
        tx.save_credential(&credential).await?;
        Ok((tx, credential, event))
    }

    /// Ends the secrets of a credential that were rolled away and still work.
    pub(crate) async fn end_overlap(
        &self,
        app: &'a App,
        id: impl Into<CredentialId>,
    ) -> Result<Credential, RequestError> {
        let (mut tx, credential) = self.to_change(app, id).await?;
        let now = app.now();
        let (credential, event) = credential.end_overlap(now)?;
        tx.save_ended_overlap(&credential, now).await?;
        tx.commit(event, now, &mut app.rng()).await?;
        Ok(credential)
    }

    /// Ends a credential that it may change, and takes it out of the lists.
    pub(super) async fn delete(&self, app: &'a App, id: impl Into<CredentialId>) -> Result<StatusCode, RequestError> {
        let (mut tx, credential) = self.to_change(app, id).await?;
        let (credential, event) = credential.delete(app.now());
        tx.save_credential(&credential).await?;
        tx.commit(event, app.now(), &mut app.rng()).await?;
        Ok(StatusCode::NO_CONTENT)
    }

    /// Whether it may change a credential that it sees, and whether it may hand it out as well. The page that shows it asks; what
    /// is done asks again, with the rows locked.
    pub(crate) async fn may(&self, app: &App, one: &Credential) -> Result<(bool, bool), RequestError> {
        let mut view = app.store.within(self.reach);
        if self.falls_short(&mut view, one).await? {
            return Ok((false, false));
        }
        let Some(organization) = view.organization(one.organization).await? else { return Ok((false, false)) };
        let held = view.held(one.principal, one.organization).await?;
        let held_everywhere = view.held_everywhere(one.principal).await?;
        let declared = view.declared_permissions().await?;
        let world = World { organization, principal: one.principal, held, held_everywhere, declared };
        Ok((true, one.may_be_handed_out(&world.context(app, self))))
    }

    async fn locked(&self, tx: &mut Tx<'_>, id: CredentialId) -> Result<Credential, RequestError> {
        let credential = self.find(&mut tx.to_change(self.reach), id).await?;
        if self.falls_short(&mut tx.within(self.reach), &credential).await? {
            return Err(instance_scope_needed(self.permission));
        }
        Ok(credential)
    }

    /// Whether a credential that it sees is somebody else's who reaches further.
    pub(super) async fn falls_short(&self, view: &mut View<'_>, of: &Credential) -> Result<bool, RequestError> {
        Ok(of.principal != self.principal && reaches_further(view, self.reach, of.principal).await?)
    }

    /// What is called like a credential that it sees.
    pub(super) async fn look_alikes(
        &self,
        view: &mut View<'_>,
        of: &Credential,
        now: Timestamp,
    ) -> Result<LookAlikes, StoreError> {
        let found = view.look_alikes(of, now).await?;
        let sees_all = self.sees_all.is_some_and(|reach| reach.covers(of.organization));
        let sees = |one: &LookAlike| sees_all || one.principal == self.principal;
        Ok(LookAlikes::new(found, sees))
    }

    fn is_hidden(&self, owner: PrincipalId) -> bool {
        matches!(owner, PrincipalId::User(_)) && self.own.is_some_and(|own| owner != own.into())
            || self.client.is_some_and(|client| owner != client.into())
    }
}

/// What issuing depends on, as it stands inside the transaction.
pub(crate) struct World {
    organization: Organization,
    principal: PrincipalId,
    held: PermissionSet,
    held_everywhere: PermissionSet,
    declared: PermissionSet,
}

impl World {
    /// Around a service account that the caller can see.
    pub(crate) async fn of_account(
        tx: &mut Tx<'_>,
        reach: Reach,
        account: ServiceAccountId,
    ) -> Result<Option<Self>, RequestError> {
        let Some(account) = tx.within(reach).service_account(account).await? else { return Ok(None) };
        Self::read(tx, reach, account.id.into(), account.organization).await
    }

    /// Around a user who belongs to an organization that the caller can see.
    pub(super) async fn of_member(
        tx: &mut Tx<'_>,
        reach: Reach,
        user: UserId,
        organization: OrganizationId,
    ) -> Result<Option<Self>, RequestError> {
        let there = Reach::Organization(organization);
        if !reach.covers(organization) || tx.within(there).user(user).await?.is_none() {
            return Ok(None);
        }
        Self::read(tx, there, user.into(), organization).await
    }

    /// Around a credential that exists.
    pub(super) async fn of(
        tx: &mut Tx<'_>,
        reach: Reach,
        credential: &Credential,
    ) -> Result<Option<Self>, RequestError> {
        match credential.principal {
            PrincipalId::ServiceAccount(id) => Self::of_account(tx, reach, id).await,
            PrincipalId::User(id) => Self::of_member(tx, reach, id, credential.organization).await,
        }
    }

    async fn read(
        tx: &mut Tx<'_>,
        reach: Reach,
        principal: PrincipalId,
        organization: OrganizationId,
    ) -> Result<Option<Self>, RequestError> {
        // Locked: what is made by these rules is there when they change.
        let Some(organization) = tx.to_change(reach).organization(organization).await? else { return Ok(None) };
        let mut view = tx.within(reach);
        let held = view.held(principal, organization.id).await?;
        let held_everywhere = view.held_everywhere(principal).await?;
        let declared = view.declared_permissions().await?;
        Ok(Some(Self { organization, principal, held, held_everywhere, declared }))
    }

    /// Where.
    pub(crate) fn organization(&self) -> &Organization {
        &self.organization
    }

    /// Whether the grantor may get hold of the key by which this principal manages its registration.
    pub(super) fn may_be_managed_by(&self, grantor: Grantor<'_>) -> Result<(), Rejection> {
        grantor.may_hold_registration(self.organization.id, &self.held_everywhere)
    }

    /// Whether the grantor may let somebody in as this principal at the organization's portal.
    pub(super) fn may_be_let_in_by(&self, grantor: Grantor<'_>) -> Result<(), Rejection> {
        let ceiling = self.organization.effective_ceiling();
        let (held, everywhere) = (self.held.masked_by(&ceiling), self.held_everywhere.masked_by(&ceiling));
        grantor.may_let_in_at_portal(self.organization.id, &held, &everywhere)
    }

    pub(super) fn context<'a>(&'a self, app: &'a App, authority: &Authority<'a>) -> IssuingContext<'a> {
        IssuingContext {
            grantor: authority.grantor,
            governs: authority.governs.is_some_and(|reach| reach.covers(self.organization.id)),
            ..self.context_of_itself(app)
        }
    }

    /// Where the principal itself gives what it holds.
    pub(crate) fn context_of_itself<'a>(&'a self, app: &'a App) -> IssuingContext<'a> {
        IssuingContext {
            organization: &self.organization,
            principal: self.principal,
            held: &self.held,
            held_everywhere: &self.held_everywhere,
            declared: &self.declared,
            grantor: Grantor::Itself,
            governs: false,
            brand: &app.config.brand,
        }
    }
}
