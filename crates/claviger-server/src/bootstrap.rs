//! The first administrator of an instance, made by whoever has the database and the master key.

use claviger_core::{
    Action, Assignment, By, Chain, Event, Granted, Grantor, IssuingContext, Kind, NewApiKey, NewOrganization,
    NewServiceAccount, Organization, Reach, Rejection, Role, Scope, ServiceAccount, Touched,
};
use claviger_store::{Page, StoreError, Tx, View};
use claviger_token::{CredentialId, Limits, OrganizationId, PermissionMask, RoleId, Secret, ServiceAccountId};
use serde_json::json;

use crate::app::App;

/// The handle of the organization that runs the instance.
pub(crate) const ORGANIZATION: &str = "default";
const ACCOUNT: &str = "root";
const ROLE: &str = "instance-admin";

/// What bootstrapping made. The key is shown once.
#[derive(Debug)]
pub struct Bootstrapped {
    /// Organization `default`.
    pub organization_id: OrganizationId,
    /// An instance administrator: service account `root`, unless it was renamed.
    pub service_account_id: ServiceAccountId,
    /// Its new key.
    pub api_key_id: CredentialId,
    /// The key in the clear.
    pub api_key: Secret,
}

/// Why there is no new key.
#[derive(Debug, thiserror::Error)]
pub enum BootstrapError {
    /// Somebody has the first key already.
    #[error("this instance is bootstrapped already; --another-key makes one more administrator's key")]
    AlreadyDone,
    /// The database does not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A rule of ours refuses our own values.
    #[error(transparent)]
    Rejected(#[from] Rejection),
}

impl App {
    /// Makes organization `default`, service account `root` with role `instance-admin`, and one API key; on an
    /// instance that has them, with `another_key`, one more key. Whoever has the database cannot be locked out: for
    /// another key, whatever would keep it from working is changed, and the event tells what that was.
    pub async fn bootstrap(&self, another_key: bool) -> Result<Bootstrapped, BootstrapError> {
        let (by, now) = (By::operator(), self.now());
        let mut tx = self.store.begin(&by).await?;
        let existing = tx.to_change(Reach::Instance).organization_by_slug(ORGANIZATION).await?;
        let (organization, mut changed) = match existing {
            Some(_) if !another_key => return Err(BootstrapError::AlreadyDone),
            Some(organization) => mend(&mut tx, organization).await?,
            None => (self.new_organization(&mut tx).await?, vec!["organization"]),
        };
        let account = match administrator(&mut tx, organization.id).await? {
            Some(account) if account.limits.is_empty() => account,
            Some(account) => {
                changed.push("account_limits");
                let account = ServiceAccount { limits: Limits::default(), ..account };
                tx.save_service_account(&account).await?;
                account
            }
            None => {
                changed.push("administrator");
                self.new_administrator(&mut tx, organization.id).await?
            }
        };
        let held = tx.within(Reach::Instance).held(account.id.into(), organization.id).await?;
        let held_everywhere = tx.within(Reach::Instance).held_everywhere(account.id.into()).await?;
        let declared = tx.within(Reach::Instance).declared_permissions().await?;
        let context = IssuingContext {
            organization: &organization,
            principal: account.id.into(),
            held: &held,
            held_everywhere: &held_everywhere,
            declared: &declared,
            grantor: Grantor::Operator,
            governs: true,
            brand: &self.config.brand,
        };
        let mut new = NewApiKey::named(account.id, "bootstrap", ["claviger:*"]);
        new.expires_at = organization.policy.latest_end(Kind::ApiKey, now);
        let issued = new.issue(&context, by.actor.id(), now, &mut self.rng())?;
        tx.insert_credential(&issued.credential, &self.peppers.digest(&issued.secret.hash())).await?;
        let event = Event {
            chain: Chain::Instance,
            action: Action::InstanceBootstrapped,
            target: account.id.to_string(),
            details: json!({ "organization": organization.id, "api_key": issued.credential.id, "changed": changed }),
            personal: None,
            touched: vec![Touched::Organization(organization.id), Touched::Principal(account.id.into())],
        };
        match tx.commit(event, now, &mut self.rng()).await {
            Err(StoreError::Taken(_)) => Err(BootstrapError::AlreadyDone),
            Err(error) => Err(error.into()),
            Ok(()) => Ok(Bootstrapped {
                organization_id: organization.id,
                service_account_id: account.id,
                api_key_id: issued.credential.id,
                api_key: issued.secret,
            }),
        }
    }

    async fn new_organization(&self, tx: &mut Tx<'_>) -> Result<Organization, BootstrapError> {
        let new = NewOrganization {
            name: "Default".to_owned(),
            slug: Some(ORGANIZATION.to_owned()),
            ..NewOrganization::default()
        };
        let (organization, _) = Organization::create(new, self.now(), &mut self.rng())?;
        // The one organization whose members may hold what concerns the whole instance.
        let organization = Organization { ceiling: Some(PermissionMask::everything()), ..organization };
        match tx.insert_organization(&organization).await {
            Err(StoreError::Taken(_)) => Err(BootstrapError::AlreadyDone),
            other => Ok(other.map(|()| organization)?),
        }
    }

    async fn new_administrator(
        &self,
        tx: &mut Tx<'_>,
        organization: OrganizationId,
    ) -> Result<ServiceAccount, BootstrapError> {
        let now = self.now();
        let new = NewServiceAccount::named(organization, ACCOUNT);
        let (account, _) = ServiceAccount::create(&new, now, &mut self.rng())?;
        tx.insert_service_account(&account).await?;
        let granted = Granted::Role { id: role(tx).await?, name: ROLE.to_owned() };
        let (assignment, _) =
            Assignment::create(account.id.into(), organization, Scope::Instance, granted, now, &mut self.rng());
        tx.insert_assignment(&assignment).await?;
        Ok(account)
    }
}

/// Takes away whatever keeps an administrator's key in this organization from working, or from being made, and tells
/// what that was.
async fn mend(tx: &mut Tx<'_>, before: Organization) -> Result<(Organization, Vec<&'static str>), StoreError> {
    let mut after = Organization { disabled_at: None, ceiling: Some(PermissionMask::everything()), ..before.clone() };
    after.limits = Limits::default();
    after.policy.allowed_networks = None;
    after.policy.wildcard_allowed = true;
    if !after.policy.allows(Kind::ApiKey) {
        after.policy.allowed_kinds = None;
    }
    let parts = [
        ("disabled", before.disabled_at != after.disabled_at),
        ("ceiling", before.ceiling != after.ceiling),
        ("limits", before.limits != after.limits),
        ("allowed_networks", before.policy.allowed_networks != after.policy.allowed_networks),
        ("wildcard_allowed", before.policy.wildcard_allowed != after.policy.wildcard_allowed),
        ("allowed_kinds", before.policy.allowed_kinds != after.policy.allowed_kinds),
    ];
    let changed: Vec<&str> = parts.into_iter().filter(|(_, differs)| *differs).map(|(what, _)| what).collect();
    if !changed.is_empty() {
        tx.save_organization(&after).await?;
    }
    Ok((after, changed))
}

/// An enabled service account with role `instance-admin` everywhere: `root` if it is one.
async fn administrator(tx: &mut Tx<'_>, organization: OrganizationId) -> Result<Option<ServiceAccount>, StoreError> {
    let role = role(tx).await?;
    let mut view = tx.within(Reach::Instance);
    let mut page = Page { after: None, limit: 200 };
    let mut found = None;
    loop {
        let accounts = view.service_accounts(Some(organization), None, &page).await?;
        let Some(last) = accounts.last() else { return Ok(found) };
        page.after = Some(last.id);
        for account in accounts.into_iter().filter(|account| account.disabled_at.is_none()) {
            let administers = |assignment: &Assignment| {
                assignment.scope == Scope::Instance
                    && matches!(&assignment.granted, Granted::Role { id, .. } if *id == role)
            };
            if view.assignments_of(account.id.into()).await?.iter().any(administers) {
                if account.name.as_str() == ACCOUNT {
                    return Ok(Some(account));
                }
                found = Some(account);
            }
        }
    }
}

async fn role(tx: &mut Tx<'_>) -> Result<RoleId, StoreError> {
    Ok(administrators_role(&mut tx.within(Reach::Instance)).await?.id)
}

/// The role of those who administer the instance.
pub(crate) async fn administrators_role(view: &mut View<'_>) -> Result<Role, StoreError> {
    let role = view.role_called(ROLE, None).await?;
    role.ok_or_else(|| StoreError::Damaged("the built-in roles are missing".to_owned()))
}
