//! A database before and beside the store: opened, migrated, asked for its sealed keys, dumped for the test of secrecy.

use claviger_core::Sealed;
use jiff::Timestamp;

use crate::{
    dialect::{PoolState, Pools, SERVER_TIME},
    error::StoreError,
    migrate,
    sql::{Executor, Row, WriteTransaction, sql},
};

/// An open database.
#[derive(Debug, Clone)]
pub struct Database {
    pub(crate) pools: Pools,
}

/// What a sealed key is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyPurpose {
    /// Digests of secrets.
    Pepper,
    /// Links of the audit chains.
    AuditChain,
    /// Seeds of second factors.
    TotpSeeds,
    /// Private keys that sign tokens.
    SigningKeys,
}

impl KeyPurpose {
    /// Every purpose there is.
    pub const ALL: [Self; 4] = [Self::Pepper, Self::AuditChain, Self::TotpSeeds, Self::SigningKeys];

    fn as_str(self) -> &'static str {
        match self {
            Self::Pepper => "pepper",
            Self::AuditChain => "audit_chain",
            Self::TotpSeeds => "totp_seeds",
            Self::SigningKeys => "signing_keys",
        }
    }

    /// The name of the row that a sealed key is bound to.
    pub fn row(self, version: i64) -> String {
        format!("sealed_key/{}/{version}", self.as_str())
    }
}

impl Database {
    /// Connects. `sqlite://PATH` makes the file if need be; `postgres://…` must exist.
    pub async fn open(url: &str) -> Result<Self, StoreError> {
        Ok(Self { pools: Pools::open(url).await? })
    }

    /// Brings the schema up to this version; refuses one that a newer version wrote.
    pub async fn migrate(&self) -> Result<(), StoreError> {
        migrate::run(&self.pools).await
    }

    /// Brings an empty database to an earlier version's schema, for the test that its data still reads.
    pub async fn migrate_to(&self, version: i64) -> Result<(), StoreError> {
        migrate::run_to(&self.pools, version).await
    }

    /// The version of its schema; 0 if it has none yet.
    pub async fn schema_version(&self) -> Result<i64, StoreError> {
        let query = sql("SELECT COALESCE(MAX(version), 0) AS version FROM _sqlx_migrations");
        match Executor::Pools(&self.pools).one(query).await {
            Ok(row) => row.int("version"),
            Err(StoreError::Unavailable(sqlx::Error::Database(cause))) if names_no_table(&*cause) => Ok(0),
            Err(error) => Err(error),
        }
    }

    /// The version of the schema that this version writes.
    pub fn newest_schema() -> i64 {
        migrate::newest()
    }

    /// What time its server has; `None` for SQLite, which has no clock of its own.
    pub async fn server_time(&self) -> Result<Option<Timestamp>, StoreError> {
        match &self.pools {
            Pools::Sqlite { .. } => Ok(None),
            Pools::Postgres { .. } => Executor::Pools(&self.pools).one(sql(SERVER_TIME)).await?.time("now").map(Some),
        }
    }

    /// How many audit chains there are, and of how many the last event is not the one that the head names: a quick look
    /// that proves nothing about the events before.
    pub async fn audit_heads(&self) -> Result<(i64, i64), StoreError> {
        let query = sql("SELECT COUNT(*) AS chains, COUNT(CASE WHEN e.hash = h.hash THEN 1 END) AS sound
                         FROM audit_head h LEFT JOIN audit_event e ON e.chain = h.chain AND e.seq = h.seq");
        let row = Executor::Pools(&self.pools).one(query).await?;
        Ok((row.int("chains")?, row.int("chains")? - row.int("sound")?))
    }

    /// Whether it answers.
    pub async fn ping(&self) -> Result<(), StoreError> {
        Executor::Pools(&self.pools).one(sql("SELECT 1 AS one")).await.map(drop)
    }

    /// What it is: `SQLite` or `PostgreSQL`.
    pub fn engine(&self) -> &'static str {
        self.pools.engine()
    }

    /// How full its pools of connections are.
    pub fn pools(&self) -> Vec<PoolState> {
        self.pools.state()
    }

    /// How many waited for a connection in vain since it was opened.
    pub fn pool_timeouts(&self) -> u64 {
        self.pools.timeouts()
    }

    /// The sealed keys for a purpose, newest first.
    pub async fn sealed_keys(&self, purpose: KeyPurpose) -> Result<Vec<(i64, Sealed)>, StoreError> {
        let query = sql("SELECT version, sealed FROM sealed_key WHERE purpose = $1 ORDER BY version DESC");
        let rows = Executor::Pools(&self.pools).all(query.bind(purpose.as_str())).await?;
        rows.iter().map(|row| Ok((row.int("version")?, Sealed(row.bytes("sealed")?)))).collect()
    }

    /// Keeps a sealed key unless another process was first; read again to see whose it is.
    pub async fn offer_sealed_key(
        &self,
        purpose: KeyPurpose,
        version: i64,
        sealed: &Sealed,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut transaction = WriteTransaction::begin(&self.pools).await?;
        let insert = sql("INSERT INTO sealed_key (purpose, version, sealed, created_at) VALUES ($1, $2, $3, $4)
                          ON CONFLICT DO NOTHING");
        let insert = insert.bind(purpose.as_str()).bind(version).bind(sealed.0.as_slice()).bind(now);
        transaction.execute(insert).await?;
        transaction.commit().await
    }

    /// Closes every connection after what runs has ended.
    pub async fn close(&self) {
        self.pools.close().await;
    }

    /// Every stored value of every table, as bytes: what the tests search for plaintext secrets.
    pub async fn dump(&self) -> Result<Vec<u8>, StoreError> {
        const TABLES: &[&str] = &[
            "sealed_key",
            "signing_key",
            "organization",
            "service_account",
            "api",
            "permission",
            "role",
            "assignment",
            "person",
            "membership",
            "invitation",
            "one_time_code",
            "device_request",
            "fleet",
            "fleet_grant",
            "fleet_authority",
            "claim_code",
            "device",
            "recovery_code",
            "passkey",
            "identity",
            "session",
            "credential",
            "secret",
            "secret_use",
            "federation",
            "certificate_authority",
            "registration",
            "access_token",
            "revoked_token",
            "token_client",
            "token_status",
            "change_log",
            "audit_head",
            "audit_event",
            "usage_hour",
            "usage_day",
            "usage_permission_day",
            "usage_rank",
            "usage_flush",
            "organization_usage_hour",
            "organization_usage_day",
            "issued_hour",
            "issued_day",
            "quota_use",
            "idempotency",
            "used_jti",
            "brand",
        ];
        let mut dump = Vec::new();
        for table in TABLES {
            for row in Executor::Pools(&self.pools).all(sql(&format!("SELECT * FROM {table}"))).await? {
                for column in row.columns() {
                    dump.extend(value(&row, &column));
                    dump.push(b'\n');
                }
            }
        }
        Ok(dump)
    }
}

/// Whether the database refused a question because there is no such table.
fn names_no_table(cause: &dyn sqlx::error::DatabaseError) -> bool {
    const UNDEFINED_TABLE: &str = "42P01";
    cause.code().is_some_and(|code| code == UNDEFINED_TABLE) || cause.message().starts_with("no such table")
}

fn value(row: &Row, column: &str) -> Vec<u8> {
    let text = row.text_or_null(column).map(|text| text.map(String::into_bytes));
    text.or_else(|_| row.bytes(column).map(Some)).ok().flatten().unwrap_or_default()
}
