//! The first administrator of an instance, made by whoever has the database and the master key.

use claviger_core::{
    Action, ApiKey, Assignment, By, Chain, Event, Granted, Grantor, IssuingContext, NewApiKey, NewOrganization,
    NewServiceAccount, Organization, Reach, Rejection, Scope, ServiceAccount, Touched,
};
use claviger_store::{Page, StoreError, Tx};
use claviger_token::{ApiKeyId, OrganizationId, PermissionMask, Secret, ServiceAccountId};
use serde_json::json;

use crate::app::App;

const ORGANIZATION: &str = "default";
const ACCOUNT: &str = "root";
const ROLE: &str = "instance-admin";

/// What bootstrapping made. The key is shown once.
#[derive(Debug)]
pub struct Bootstrapped {
    /// Organization `default`.
    pub organization_id: OrganizationId,
    /// Service account `root`, an instance administrator.
    pub service_account_id: ServiceAccountId,
    /// Its new key.
    pub api_key_id: ApiKeyId,
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
    /// instance that has them, with `another_key`, one more key.
    pub async fn bootstrap(&self, another_key: bool) -> Result<Bootstrapped, BootstrapError> {
        let (by, now) = (By::operator(), self.now());
        let mut tx = self.store.begin(&by).await?;
        let (organization, account) = match existing(&mut tx).await? {
            Some(_) if !another_key => return Err(BootstrapError::AlreadyDone),
            Some(both) => both,
            None => self.first_administrator(&mut tx).await?,
        };
        let held = tx.within(Reach::Instance).held(account.id.into(), organization.id).await?;
        let held_everywhere = tx.within(Reach::Instance).held_everywhere(account.id.into()).await?;
        let declared = tx.within(Reach::Instance).declared_permissions().await?;
        let context = IssuingContext {
            organization: &organization,
            service_account: &account,
            held: &held,
            held_everywhere: &held_everywhere,
            declared: &declared,
            grantor: Grantor::Operator,
            brand: &self.config.brand,
        };
        let new = NewApiKey::named(account.id, "bootstrap", ["claviger:*"]);
        let issued = ApiKey::issue(new, &context, by.actor.id(), now, &mut self.rng())?;
        tx.insert_api_key(&issued.key, &self.peppers.digest(&issued.secret.hash())).await?;
        let event = Event {
            chain: Chain::Instance,
            action: Action::InstanceBootstrapped,
            target: account.id.to_string(),
            details: json!({ "organization": organization.id, "api_key": issued.key.id }),
            touched: vec![Touched::Principal(account.id.into())],
        };
        match tx.commit(event, now, &mut self.rng()).await {
            Err(StoreError::Taken(_)) => Err(BootstrapError::AlreadyDone),
            Err(error) => Err(error.into()),
            Ok(()) => Ok(Bootstrapped {
                organization_id: organization.id,
                service_account_id: account.id,
                api_key_id: issued.key.id,
                api_key: issued.secret,
            }),
        }
    }

    async fn first_administrator(&self, tx: &mut Tx<'_>) -> Result<(Organization, ServiceAccount), BootstrapError> {
        let now = self.now();
        let new = NewOrganization {
            name: "Default".to_owned(),
            slug: Some(ORGANIZATION.to_owned()),
            ..NewOrganization::default()
        };
        let (organization, _) = Organization::create(new, now, &mut self.rng())?;
        // The one organization whose members may hold what concerns the whole instance.
        let organization = Organization { ceiling: Some(PermissionMask::everything()), ..organization };
        match tx.insert_organization(&organization).await {
            Err(StoreError::Taken(_)) => return Err(BootstrapError::AlreadyDone),
            other => other?,
        }
        let new = NewServiceAccount::named(organization.id, ACCOUNT);
        let (account, _) = ServiceAccount::create(&new, now, &mut self.rng())?;
        tx.insert_service_account(&account).await?;
        let role = tx.within(Reach::Instance).role_called(ROLE, None).await?;
        let role = role.ok_or_else(|| StoreError::Damaged("the built-in roles are missing".to_owned()))?;
        let granted = Granted::Role { id: role.id, name: role.name };
        let (assignment, _) =
            Assignment::create(account.id.into(), organization.id, Scope::Instance, granted, now, &mut self.rng());
        tx.insert_assignment(&assignment).await?;
        Ok((organization, account))
    }
}

/// The administrator that an earlier bootstrap made.
async fn existing(tx: &mut Tx<'_>) -> Result<Option<(Organization, ServiceAccount)>, StoreError> {
    let mut view = tx.within(Reach::Instance);
    let Some(organization) = view.organization_by_slug(ORGANIZATION).await? else { return Ok(None) };
    let page = Page { after: None, limit: 200 };
    let accounts = view.service_accounts(Some(organization.id), Some(ACCOUNT), &page).await?;
    for account in accounts.into_iter().filter(|account| account.name.as_str() == ACCOUNT) {
        let assignments = view.assignments_of(account.id.into()).await?;
        let is_administrator = |assignment: &Assignment| {
            assignment.scope == Scope::Instance
                && matches!(&assignment.granted, Granted::Role { name, .. } if name == ROLE)
        };
        if assignments.iter().any(is_administrator) {
            return Ok(Some((organization, account)));
        }
    }
    Ok(None)
}
