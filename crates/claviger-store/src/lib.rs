//! The only crate that knows SQL.
//!
//! A concrete [`Store`] on SQLite or PostgreSQL from one SQL text. Reads go through a [`View`], which
//! carries the caller's reach; writes through a [`Tx`], which cannot commit without an audit event. The
//! store decides nothing: rules come from `claviger-core`, and it knows no HTTP, no clock and no plaintext.

mod access_token;
mod api;
mod assignment;
mod audit;
mod audit_chain;
mod authenticators;
mod brand;
mod certificate;
mod certificate_authority;
mod change_log;
mod changes;
mod claim_code;
mod credential;
mod credential_order;
mod database;
mod device_request;
mod dialect;
mod enrolment;
mod error;
mod federation;
mod feed;
mod fleet;
mod fleet_authority;
mod flush;
mod found;
mod governing;
mod idempotency;
mod identity;
mod invitation;
mod lent;
mod look_alike;
mod look_ups;
mod membership;
mod migrate;
mod narrowing;
mod one_time_code;
mod organization;
mod passkey;
mod public_key;
mod quota;
mod registration;
mod role;
mod service_account;
mod session;
mod signing_key;
mod single_use;
mod sql;
mod standing;
mod token_status;
mod trim;
mod tx;
mod usage;
mod usage_report;
mod usage_roll_up;
mod user;
mod view;
mod writer;

use std::sync::Arc;

use claviger_core::ChainKey;
use claviger_token::AccessTokenClaims;
use look_ups::LookUps;

pub use audit::{AuditEvent, AuditFilter, AuditFinding, AuditReport, ChainHead};
pub use audit_chain::{ChainRun, ChainState};
pub use changes::{Changes, LogCursor, Mark};
pub use credential::{CountedAmong, CredentialFilter, Owner, StatusAt};
pub use credential_order::Order;
pub use database::{Database, KeyPurpose};
pub use dialect::PoolState;
pub use enrolment::ListedDevice;
pub use error::{NotLetIn, StoreError};
pub use feed::{ChangeFeed, FeedCursor, NoCursor, Since, Told};
pub use flush::Flush;
pub use found::{FoundCredential, FoundSecret};
pub use idempotency::{IdempotencyKey, Remembered};
pub use invitation::InvitationStatusFilter;
pub use look_alike::LookAlike;
pub use membership::{Belonging, Member};
pub use narrowing::Narrowed;
pub use quota::QuotaUses;
pub use service_account::Held;
pub use session::{FoundPortal, FoundSession};
pub use sql::TRACE_TARGET;
pub use token_status::{StatusPlace, StatusShard};
pub use tx::Tx;
pub use usage::{LastUse, RetiredUse, UsageBatch, UsagePart, UsageRanks};
pub use usage_report::{Counted, UsageFilter, Used};
pub use usage_roll_up::UsageKept;
pub use user::UserFilter;
pub use view::{Page, View};
pub use writer::settled;

/// The storage of one instance.
#[derive(Debug)]
pub struct Store {
    database: Database,
    chain_key: ChainKey,
    changes: Arc<Changes>,
    feed: ChangeFeed,
    service_accounts: LookUps<FoundSecret>,
    users: LookUps<FoundSecret>,
    access_tokens: LookUps<AccessTokenClaims>,
}

impl Store {
    /// On a migrated database whose chain key was opened.
    pub fn new(database: Database, chain_key: ChainKey, changes: Changes) -> Self {
        let turns = database.pools.look_ups_at_once();
        Self {
            database,
            chain_key,
            changes: Arc::new(changes),
            feed: ChangeFeed::new(),
            service_accounts: LookUps::new(turns),
            users: LookUps::new(turns),
            access_tokens: LookUps::new(turns),
        }
    }

    /// What changed lately, for caches.
    pub fn changes(&self) -> &Changes {
        &self.changes
    }

    /// The same for those who follow from outside.
    pub fn feed(&self) -> &ChangeFeed {
        &self.feed
    }

    /// The database below, for its health and its keys.
    pub fn database(&self) -> &Database {
        &self.database
    }
}
