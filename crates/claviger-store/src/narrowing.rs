//! What loses something that its tokens may say: the epochs of those credentials are raised in the same transaction, for verifiers
//! that never ask what a credential may do now.
//!
//! What is taken away is noted where it is taken, and the epochs are raised at the commit: after every other row was locked, and
//! once, however many things were taken. Only credentials that have a place in a status list had tokens lately; of the others no token
//! could be dead. The room must not know what a right is.

use claviger_core::{Kind, Reach, Touched};
use claviger_token::{CredentialId, FleetId, OrganizationId, PrincipalId, RoleId, ServiceAccountId};
use jiff::Timestamp;

use crate::{
    dialect::HOLD_PLACES,
    error::StoreError,
    fleet,
    sql::{Query, sql, text},
    tx::Tx,
};

/// Credentials per statement.
const BATCH: usize = 1000;

/// What the log names one by one besides what the events do.
const MOST_NAMED: usize = 1000;

/// Whose credentials lose something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Narrowed {
    /// A principal's, wherever they act.
    Principal(PrincipalId),
    /// A principal's in one organization.
    Within(PrincipalId, OrganizationId),
    /// All in an organization.
    Organization(OrganizationId),
    /// Those of everybody who has a role, where they have it.
    Role(RoleId),
    /// Those of others for which a client got tokens in exchange.
    ExchangedBy(ServiceAccountId),
    /// The same of every client of an organization.
    ExchangedIn(OrganizationId),
    /// Those by which clients of an organization prove themselves with a certificate, and those of others for which such clients got tokens in
    /// exchange.
    VouchedFor(OrganizationId),
    /// Those of a fleet's devices, ended ones included.
    Fleet(FleetId),
    /// Those of others for which a fleet's devices got tokens in exchange.
    ExchangedByFleet(FleetId),
    /// Everybody's.
    All,
}

impl Narrowed {
    fn these(self, query: Query) -> Query {
        match self {
            Self::Principal(id) => query.and_bind(" AND k.principal = ?", text(id)),
            Self::Within(id, organization) => {
                query.and_bind(" AND k.principal = ?", text(id)).and_bind(" AND k.organization = ?", text(organization))
            }
            Self::Organization(id) => query.and_bind(" AND k.organization = ?", text(id)),
            Self::Role(id) => query.and_bind(
                " AND EXISTS (SELECT 1 FROM assignment a WHERE a.role = ? AND a.principal = k.principal
                              AND (a.organization = k.organization OR a.organization IS NULL))",
                text(id),
            ),
            Self::ExchangedBy(client) => query.and_bind(
                " AND EXISTS (SELECT 1 FROM token_client c WHERE c.credential = k.id AND c.client = ?)",
                text(client),
            ),
            Self::ExchangedIn(organization) => query.and_bind(
                " AND EXISTS (SELECT 1 FROM token_client c JOIN service_account s ON s.id = c.client
                              WHERE c.credential = k.id AND s.organization = ?)",
                text(organization),
            ),
            Self::VouchedFor(organization) => query
                .and_bind(" AND (k.kind = ?", Kind::Certificate.as_str())
                .and_bind(" AND k.organization = ?", text(organization))
                .and(" OR EXISTS (SELECT 1 FROM token_client c JOIN credential x ON x.principal = c.client")
                .and_bind(" WHERE c.credential = k.id AND x.kind = ?", Kind::Certificate.as_str())
                .and_bind(" AND x.organization = ?))", text(organization)),
            Self::Fleet(id) => fleet::devices_of(query.and(" AND"), "k.principal", id),
            // Not asked for each credential: a fleet may have very many devices.
            Self::ExchangedByFleet(id) => query.and_bind(
                " AND k.id IN (SELECT c.credential FROM device d JOIN token_client c ON c.client = d.account
                               WHERE d.gone_at IS NULL AND d.fleet = ?)",
                text(id),
            ),
            Self::All => query,
        }
    }

    /// Whether what is changed says by itself whose credentials these are.
    fn is_told(self) -> bool {
        match self {
            Self::Principal(_)
            | Self::Within(..)
            | Self::Organization(_)
            | Self::Role(_)
            | Self::Fleet(_)
            | Self::All => true,
            Self::ExchangedBy(_) | Self::ExchangedIn(_) | Self::VouchedFor(_) | Self::ExchangedByFleet(_) => false,
        }
    }
}

impl Tx<'_> {
    /// Notes that something is taken from these, as they are now: whatever tokens were made of them before end with the commit. To be
    /// said before what tells who they are is gone.
    pub async fn raise_epochs(&mut self, of: Narrowed) -> Result<(), StoreError> {
        self.inner.lock(HOLD_PLACES).await?;
        let query = sql("SELECT k.id FROM credential k WHERE k.revoked_at IS NULL
                         AND EXISTS (SELECT 1 FROM token_status t WHERE t.credential = k.id)");
        let rows = self.within(Reach::Instance).executor.all(of.these(query)).await?;
        for row in rows {
            if of.is_told() {
                self.narrowed.insert(row.text("id")?);
            } else {
                self.raise_epoch_of(row.parse("id")?);
            }
        }
        Ok(())
    }

    /// The same of one credential, of which nothing else is said.
    pub(crate) fn raise_epoch_of(&mut self, credential: CredentialId) {
        self.narrowed.insert(credential.to_string());
        self.untold.insert(Touched::Credential(credential));
    }

    /// What the log must name besides what the events do. Of very many it is shorter to name what all depend on.
    pub(crate) fn untold(&self) -> Vec<Touched> {
        match self.untold.len() > MOST_NAMED {
            true => vec![Touched::Catalog],
            false => self.untold.iter().copied().collect(),
        }
    }

    /// Raises the epochs of all that were noted, locked in the order of their ids.
    pub(crate) async fn raise_noted(&mut self, now: Timestamp) -> Result<(), StoreError> {
        let noted: Vec<String> = std::mem::take(&mut self.narrowed).into_iter().collect();
        for ids in noted.chunks(BATCH) {
            let ids = || ids.iter().map(|id| id.as_str().into());
            let lock = sql("SELECT id FROM credential WHERE id IN ").and_list(ids()).and(" ORDER BY id");
            self.to_change(Reach::Instance).executor.all(lock).await?;
            let raise = sql("UPDATE credential SET epoch = epoch + 1").and_bind(", epoch_raised_at = ?", now);
            self.execute(raise.and(" WHERE revoked_at IS NULL AND id IN ").and_list(ids())).await?;
        }
        Ok(())
    }
}
