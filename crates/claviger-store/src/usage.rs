//! What verifying and issuing left behind, written in batches: counts, last uses, and uses of retired secrets. How it is read stands in
//! `usage_report.rs`, and what becomes of it with time in `usage_roll_up.rs`.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    net::IpAddr,
};

use claviger_core::{By, Credential, Kind};
use claviger_token::{CredentialId, OrganizationId, Permission, ServiceAccountId};
use jiff::Timestamp;
use rand::CryptoRng;
use serde_json::{Value as Json, json};

use crate::{
    Store,
    error::StoreError,
    flush::Flush,
    sql::{WriteTransaction, sql, text},
};

pub(crate) const HOUR_MS: i64 = 3_600_000;
pub(crate) const DAY_MS: i64 = 24 * HOUR_MS;

/// Rows of each table per transaction: others wait no longer than these take.
const CHUNK: usize = 200;

/// Each table's columns, their values in a row, and what is done if there is such a row.
type Table = (&'static str, &'static str, &'static str);

const HOURS: Table = (
    "usage_hour (credential, hour, code, uses)",
    "value ->> 0, CAST(value ->> 1 AS BIGINT), value ->> 2, CAST(value ->> 3 AS BIGINT)",
    "ON CONFLICT (credential, hour, code) DO UPDATE SET uses = usage_hour.uses + excluded.uses",
);
const ORGANIZATION_HOURS: Table = (
    "organization_usage_hour (organization, hour, code, uses)",
    "value ->> 0, CAST(value ->> 1 AS BIGINT), value ->> 2, CAST(value ->> 3 AS BIGINT)",
    "ON CONFLICT (organization, hour, code) DO UPDATE SET uses = organization_usage_hour.uses + excluded.uses",
);
const DAYS: Table = (
    "usage_permission_day (credential, day, permission, uses)",
    "value ->> 0, CAST(value ->> 1 AS BIGINT), value ->> 2, CAST(value ->> 3 AS BIGINT)",
    "ON CONFLICT (credential, day, permission) DO UPDATE SET uses = usage_permission_day.uses + excluded.uses",
);
const ISSUED: Table = (
    "issued_hour (client, hour, grant_type, uses)",
    "value ->> 0, CAST(value ->> 1 AS BIGINT), value ->> 2, CAST(value ->> 3 AS BIGINT)",
    "ON CONFLICT (client, hour, grant_type) DO UPDATE SET uses = issued_hour.uses + excluded.uses",
);
const LAST_USES: Table = (
    "secret_use (credential, number, used_at, used_from)",
    "value ->> 0, CAST(value ->> 1 AS BIGINT), CAST(value ->> 2 AS BIGINT), value ->> 3",
    "ON CONFLICT (credential, number) DO UPDATE SET used_at = excluded.used_at, used_from = excluded.used_from
     WHERE secret_use.used_at < excluded.used_at",
);

const RANKS: Table = (
    "usage_rank (organization, credential, day, kind, uses)",
    "value ->> 0, value ->> 1, CAST(value ->> 2 AS BIGINT), value ->> 3, CAST(value ->> 4 AS BIGINT)",
    "ON CONFLICT (organization, credential, day) DO UPDATE SET uses = usage_rank.uses + excluded.uses",
);

/// More credentials and days than these wait for nobody: who is busy comes again.
const MOST_RANKED: usize = 100_000;

/// Verifications by organization, credential, hour (its start in ms) and verdict code.
type Hours = BTreeMap<(OrganizationId, CredentialId, i64, &'static str), u64>;
/// Permissions asked for, by credential, day (its start in ms) and permission.
type PermissionDays = BTreeMap<(CredentialId, i64, Permission), u64>;
/// Access tokens by the client that they were issued to, hour (its start in ms) and grant.
type Issued = BTreeMap<(ServiceAccountId, i64, &'static str), u64>;
/// The latest use of each secret, by credential and generation.
type LastUses = BTreeMap<(CredentialId, u32), LastUse>;
/// Verifications by organization, credential and day (its start in ms).
pub type UsageRanks = BTreeMap<(OrganizationId, CredentialId, i64), u64>;

/// Everything counted since the flush before. Ordered, so that nodes that flush at once lock rows in one order.
#[derive(Debug, Clone, Default)]
pub struct UsageBatch {
    /// Verifications by organization, credential, hour (its start in ms) and verdict code.
    pub hours: Hours,
    /// The same by organization, credential and day, to find the busiest; written less often, by [`Store::flush_ranks`].
    pub ranks: UsageRanks,
    /// Permissions asked for, by credential, day (its start in ms) and permission.
    pub permission_days: PermissionDays,
    /// Access tokens by the client that they were issued to, hour (its start in ms) and grant. They are no verifications.
    pub issued: Issued,
    /// The latest use of each secret, by credential and generation.
    pub last_uses: LastUses,
    /// Uses of secrets that were rolled away, the last of each credential. The caller tells them, and takes out what it told.
    pub retired: BTreeMap<CredentialId, RetiredUse>,
    /// What is on its way.
    pub part: UsagePart,
}

/// What one transaction writes. It stays as it is until it is known to be written, for the answer to a commit can be lost.
#[derive(Debug, Clone, Default)]
pub struct UsagePart {
    flush: Flush,
    hours: Hours,
    permission_days: PermissionDays,
    issued: Issued,
    last_uses: LastUses,
}

impl UsagePart {
    fn rows(&self) -> usize {
        self.hours.len() + self.permission_days.len() + self.issued.len() + self.last_uses.len()
    }
}

/// When and from where a secret was last used.
#[derive(Debug, Clone)]
pub struct LastUse {
    /// When.
    pub at: Timestamp,
    /// The client's address, where the gateway told it.
    pub from: Option<String>,
}

/// A use of a secret whose overlap has ended.
#[derive(Debug, Clone)]
pub struct RetiredUse {
    /// Of which credential.
    pub credential: CredentialId,
    /// Where it acts.
    pub organization: OrganizationId,
    /// Which generation.
    pub number: u32,
    /// How to recognise the secret.
    pub hint: String,
    /// The client's address, where the gateway told it.
    pub from: Option<IpAddr>,
}

impl UsageBatch {
    /// Counts verifications that ended with this code.
    pub fn count(
        &mut self,
        (organization, credential): (OrganizationId, CredentialId),
        at: Timestamp,
        code: &'static str,
        uses: u64,
    ) {
        let at = at.as_millisecond();
        *self.hours.entry((organization, credential, at - at.rem_euclid(HOUR_MS), code)).or_default() += uses;
        self.rank((organization, credential, at - at.rem_euclid(DAY_MS)), uses);
    }

    /// Counts access tokens that a client got by a grant.
    pub fn count_issued(&mut self, client: ServiceAccountId, at: Timestamp, grant: &'static str, tokens: u64) {
        let at = at.as_millisecond();
        *self.issued.entry((client, at - at.rem_euclid(HOUR_MS), grant)).or_default() += tokens;
    }

    fn rank(&mut self, rank: (OrganizationId, CredentialId, i64), uses: u64) {
        if self.ranks.len() < MOST_RANKED || self.ranks.contains_key(&rank) {
            *self.ranks.entry(rank).or_default() += uses;
        }
    }

    /// Takes back what could not be written of its ranks.
    pub fn take_back(&mut self, ranks: UsageRanks) {
        for (rank, uses) in ranks {
            self.rank(rank, uses);
        }
    }

    /// Notes a use of a secret, unless a later one is known.
    pub fn note_last_use(&mut self, secret: (CredentialId, u32), last: LastUse) {
        let known = self.last_uses.entry(secret).or_insert_with(|| last.clone());
        if known.at < last.at {
            *known = last;
        }
    }

    /// How many rows there are to write with the next flush.
    pub fn rows(&self) -> usize {
        let counted = self.hours.len() + self.permission_days.len() + self.issued.len();
        counted + self.last_uses.len() + self.retired.len() + self.part.rows()
    }

    /// Makes the next part, unless there is one that is perhaps not written. Tells whether there is any.
    fn next_part(&mut self, now: Timestamp, rng: &mut (dyn CryptoRng + Send)) -> bool {
        if self.part.rows() == 0 {
            self.part.flush.advance(now, rng);
            self.part.hours = take_first(&mut self.hours);
            self.part.permission_days = take_first(&mut self.permission_days);
            self.part.issued = take_first(&mut self.issued);
            self.part.last_uses = take_first(&mut self.last_uses);
        }
        self.part.rows() > 0
    }
}

impl Store {
    /// Adds a batch to the roll-ups, and takes out of it what was written: after a failure the rest can be tried again, and is counted
    /// once. Not a change: nothing is audited.
    pub async fn flush_usage(
        &self,
        batch: &mut UsageBatch,
        now: Timestamp,
        rng: &mut (dyn CryptoRng + Send),
    ) -> Result<(), StoreError> {
        while batch.next_part(now, rng) {
            self.write_part(&batch.part).await?;
            let flush = std::mem::take(&mut batch.part.flush);
            batch.part = UsagePart { flush, ..UsagePart::default() };
        }
        Ok(())
    }

    async fn write_part(&self, part: &UsagePart) -> Result<(), StoreError> {
        let mut transaction = WriteTransaction::begin_alone(&self.database.pools).await?;
        if !transaction.note_flush(&part.flush).await? {
            return Ok(());
        }
        let hours = rows(&part.hours, |(_, credential, hour, code), uses| json!([credential, hour, code, uses]));
        let sums = sums(&part.hours);
        let sums = rows(&sums, |(organization, hour, code), uses| json!([organization, hour, code, uses]));
        let days = rows(&part.permission_days, |(credential, day, name), uses| json!([credential, day, name, uses]));
        let issued = rows(&part.issued, |(client, hour, grant), uses| json!([client, hour, grant, uses]));
        let last_uses = rows(&part.last_uses, |(credential, number), last| {
            json!([credential, number, last.at.as_millisecond(), last.from])
        });
        // Every node writes the tables in this order, and the rows of each by their key. An organization's sums are written
        // with what they sum, so that neither can be there without the other, and last: all nodes write the same few.
        let tables =
            [(hours, HOURS), (days, DAYS), (issued, ISSUED), (last_uses, LAST_USES), (sums, ORGANIZATION_HOURS)];
        for (rows, table) in tables {
            self.add_rows(&mut transaction, rows, table).await?;
        }
        transaction.commit().await
    }

    /// Adds to that by which the busiest are found, and takes out what was written. What a crash loses of it is missing in no count.
    pub async fn flush_ranks(&self, ranks: &mut UsageRanks) -> Result<(), StoreError> {
        while !ranks.is_empty() {
            let first = ranks.iter().take(CHUNK).map(|(rank, uses)| (*rank, *uses)).collect::<UsageRanks>();
            let rows = rows(&first, |(organization, credential, day), uses| {
                json!([organization, credential, day, Kind::of(*credential).as_str(), uses])
            });
            let mut transaction = WriteTransaction::begin_alone(&self.database.pools).await?;
            self.add_rows(&mut transaction, rows, RANKS).await?;
            transaction.commit().await?;
            take_first(ranks);
        }
        Ok(())
    }

    async fn add_rows(
        &self,
        transaction: &mut WriteTransaction,
        rows: String,
        (columns, values, on_conflict): Table,
    ) -> Result<(), StoreError> {
        if rows == "[]" {
            return Ok(());
        }
        let from = self.database.pools.json_rows();
        let insert = format!("INSERT INTO {columns} SELECT {values} FROM {from} WHERE 1 = 1 {on_conflict}");
        transaction.execute(sql(&insert).bind(rows)).await.map(drop)
    }

    /// The number of the newest secret of each of these that has one.
    pub async fn newest_secrets(
        &self,
        credentials: impl Iterator<Item = CredentialId>,
    ) -> Result<HashMap<CredentialId, u32>, StoreError> {
        let ids: BTreeSet<CredentialId> = credentials.collect();
        let mut newest = HashMap::new();
        if ids.is_empty() {
            return Ok(newest);
        }
        let query = sql("SELECT credential, MAX(number) AS number FROM secret WHERE credential IN ")
            .and_list(ids.iter().map(text))
            .and(" GROUP BY credential");
        for row in &self.read().all(query).await? {
            let number = u32::try_from(row.int("number")?).unwrap_or(u32::MAX);
            newest.insert(row.parse("credential")?, number);
        }
        Ok(newest)
    }

    /// Tells the audit trail that a retired secret was used, at most once per credential and hour, over all nodes.
    pub async fn tell_retired_use(
        &self,
        used: &RetiredUse,
        now: Timestamp,
        rng: &mut (dyn CryptoRng + Send),
    ) -> Result<(), StoreError> {
        // Nobody is known to have acted; where it came from is what leads to them.
        let by = By { address: used.from, ..By::system() };
        let mut tx = self.begin(&by).await?;
        let claim = sql("UPDATE credential SET retired_use_told_at = $2
                         WHERE id = $1 AND (retired_use_told_at IS NULL OR retired_use_told_at <= $3)");
        let claim = claim.bind(text(used.credential)).bind(now).bind(now.as_millisecond() - HOUR_MS);
        if tx.execute(claim).await? == 0 {
            return Ok(());
        }
        let event = Credential::retired_secret_used(used.credential, used.organization, used.number, &used.hint);
        tx.commit(event, now, rng).await
    }

    /// Verifications of a credential by hour and code, for tests.
    pub async fn uses(&self, credential: CredentialId) -> Result<Vec<(i64, String, i64)>, StoreError> {
        let query = sql("SELECT hour, code, uses FROM usage_hour WHERE credential = $1 ORDER BY hour, code");
        let rows = self.read().all(query.bind(text(credential))).await?;
        rows.iter().map(|row| Ok((row.int("hour")?, row.text("code")?, row.int("uses")?))).collect()
    }

    /// Permissions asked of a credential by day, for tests.
    pub async fn permission_uses(&self, credential: CredentialId) -> Result<Vec<(i64, String, i64)>, StoreError> {
        let query = sql(
            "SELECT day, permission, uses FROM usage_permission_day WHERE credential = $1 ORDER BY day, permission",
        );
        let rows = self.read().all(query.bind(text(credential))).await?;
        rows.iter().map(|row| Ok((row.int("day")?, row.text("permission")?, row.int("uses")?))).collect()
    }
}

/// What hours come to in their organizations.
fn sums(hours: &Hours) -> BTreeMap<(OrganizationId, i64, &'static str), u64> {
    let mut sums = BTreeMap::<_, u64>::new();
    for ((organization, _, hour, code), uses) in hours {
        let sum = sums.entry((*organization, *hour, *code)).or_default();
        *sum = sum.saturating_add(*uses);
    }
    sums
}

/// A map as one value, so that the statement is the same for any number of rows.
fn rows<K, V>(map: &BTreeMap<K, V>, row: impl Fn(&K, &V) -> Json) -> String {
    Json::Array(map.iter().map(|(key, value)| row(key, value)).collect()).to_string()
}

/// As many as go into one transaction.
fn take_first<K: Ord + Clone, V>(map: &mut BTreeMap<K, V>) -> BTreeMap<K, V> {
    let rest = map.keys().nth(CHUNK).cloned();
    let rest = rest.map(|first| map.split_off(&first)).unwrap_or_default();
    std::mem::replace(map, rest)
}
