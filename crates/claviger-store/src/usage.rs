//! What verifying left behind, written in batches: counts, last uses, and uses of retired secrets. And reports of it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use claviger_core::{By, Credential};
use claviger_token::{CredentialId, OrganizationId, Permission};
use jiff::Timestamp;
use rand::CryptoRng;
use serde_json::{Value as Json, json};

use crate::{
    Store,
    error::StoreError,
    sql::{Row, WriteTransaction, sql, text},
    view::View,
};

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;

/// Rows of each table per transaction: others wait no longer than these take.
const CHUNK: usize = 200;

/// Each table's columns, their values in a row, and what is done if there is such a row.
type Table = (&'static str, &'static str, &'static str);

const HOURS: Table = (
    "usage_hour (credential, hour, code, uses)",
    "value ->> 0, CAST(value ->> 1 AS BIGINT), value ->> 2, CAST(value ->> 3 AS BIGINT)",
    "ON CONFLICT (credential, hour, code) DO UPDATE SET uses = usage_hour.uses + excluded.uses",
);
const DAYS: Table = (
    "usage_permission_day (credential, day, permission, uses)",
    "value ->> 0, CAST(value ->> 1 AS BIGINT), value ->> 2, CAST(value ->> 3 AS BIGINT)",
    "ON CONFLICT (credential, day, permission) DO UPDATE SET uses = usage_permission_day.uses + excluded.uses",
);
const LAST_USES: Table = (
    "secret_use (credential, number, used_at, used_from)",
    "value ->> 0, CAST(value ->> 1 AS BIGINT), CAST(value ->> 2 AS BIGINT), value ->> 3",
    "ON CONFLICT (credential, number) DO UPDATE SET used_at = excluded.used_at, used_from = excluded.used_from
     WHERE secret_use.used_at < excluded.used_at",
);

/// Everything counted since the flush before. Ordered, so that nodes that flush at once lock rows in one order.
#[derive(Debug, Default)]
pub struct UsageBatch {
    /// Verifications by credential, hour (its start in ms) and verdict code.
    pub hours: BTreeMap<(CredentialId, i64, &'static str), u64>,
    /// Permissions asked for, by credential, day (its start in ms) and permission.
    pub permission_days: BTreeMap<(CredentialId, i64, Permission), u64>,
    /// The latest use of each secret, by credential and generation.
    pub last_uses: BTreeMap<(CredentialId, u32), LastUse>,
    /// Uses of secrets that were rolled away, the last of each credential. The caller tells them, and takes out what it told.
    pub retired: BTreeMap<CredentialId, RetiredUse>,
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
}

/// What a report counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counted {
    /// Verifications by verdict code and hour.
    CodesByHour,
    /// Verifications by verdict code and day (UTC).
    CodesByDay,
    /// Permissions asked for, by day (UTC).
    PermissionsByDay,
}

/// Which use a report is about.
#[derive(Debug, Clone, Copy)]
pub struct UsageFilter {
    /// Of one credential.
    pub credential: Option<CredentialId>,
    /// Of the credentials of one organization.
    pub organization: Option<OrganizationId>,
    /// What is counted.
    pub counted: Counted,
    /// From the start of the hour or day of this moment on.
    pub from: Timestamp,
    /// Before this moment.
    pub to: Timestamp,
}

/// A line of a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Used {
    /// Which credential.
    pub credential: CredentialId,
    /// When the hour or day begins.
    pub start: Timestamp,
    /// The verdict code or the permission.
    pub what: String,
    /// How often.
    pub uses: i64,
}

impl Counted {
    fn length(self) -> i64 {
        match self {
            Self::CodesByHour => HOUR_MS,
            Self::CodesByDay | Self::PermissionsByDay => DAY_MS,
        }
    }
}

impl View<'_> {
    /// What was used, oldest first, `limit` lines at most. Keys that are deleted are told too: they were used.
    pub async fn usage(&mut self, filter: &UsageFilter, limit: u32) -> Result<Vec<Used>, StoreError> {
        let (table, time, what) = match filter.counted {
            Counted::CodesByHour | Counted::CodesByDay => ("usage_hour", "u.hour", "u.code"),
            Counted::PermissionsByDay => ("usage_permission_day", "u.day", "u.permission"),
        };
        let length = filter.counted.length();
        let select = format!(
            "SELECT {time} - {time} % {length} AS start, u.credential, {what} AS what,
                    CAST(SUM(u.uses) AS BIGINT) AS uses
             FROM {table} u JOIN credential k ON k.id = u.credential WHERE {time}"
        );
        // The bucket's own start decides, so that of two questions one after the other only one has it.
        let query = sql(&select)
            .and_bind(" >= ?", filter.from)
            .and_bind(&format!(" AND {time} - {time} % {length} >= ?"), filter.from)
            .and_bind(&format!(" AND {time} - {time} % {length} < ?"), filter.to)
            .and_if(" AND u.credential = ?", filter.credential.map(text))
            .and_if(" AND k.organization = ?", filter.organization.map(text));
        let query = self.bound(query, "k.organization").and(" GROUP BY 1, 2, 3 ORDER BY 1, 2, 3");
        let rows = self.executor.all(query.and_bind(" LIMIT ?", i64::from(limit))).await?;
        let read = |row: &Row| {
            Ok(Used {
                credential: row.parse("credential")?,
                start: row.time("start")?,
                what: row.text("what")?,
                uses: row.int("uses")?,
            })
        };
        rows.iter().map(read).collect()
    }
}

impl UsageBatch {
    /// Notes a use of a secret, unless a later one is known.
    pub fn note_last_use(&mut self, secret: (CredentialId, u32), last: LastUse) {
        let known = self.last_uses.entry(secret).or_insert_with(|| last.clone());
        if known.at < last.at {
            *known = last;
        }
    }

    /// How many rows there are to write.
    pub fn rows(&self) -> usize {
        self.hours.len() + self.permission_days.len() + self.last_uses.len() + self.retired.len()
    }
}

impl Store {
    /// Adds a batch to the roll-ups, and takes out of it what was written: after a failure the rest can be tried again.
    /// Not a change: nothing is audited.
    pub async fn flush_usage(&self, batch: &mut UsageBatch) -> Result<(), StoreError> {
        while !(batch.hours.is_empty() && batch.permission_days.is_empty() && batch.last_uses.is_empty()) {
            let hours = first(&batch.hours, |(credential, hour, code), uses| json!([credential, hour, code, uses]));
            let days =
                first(&batch.permission_days, |(credential, day, name), uses| json!([credential, day, name, uses]));
            let last_uses = first(&batch.last_uses, |(credential, number), last| {
                json!([credential, number, last.at.as_millisecond(), last.from])
            });
            // Every node writes the tables in this order, and the rows of each by their key.
            let mut transaction = WriteTransaction::begin_alone(&self.database.pools).await?;
            for (rows, (columns, values, on_conflict)) in [(hours, HOURS), (days, DAYS), (last_uses, LAST_USES)] {
                if rows != "[]" {
                    let from = self.database.pools.json_rows();
                    let insert = format!("INSERT INTO {columns} SELECT {values} FROM {from} WHERE 1 = 1 {on_conflict}");
                    transaction.execute(sql(&insert).bind(rows)).await?;
                }
            }
            transaction.commit().await?;
            drop_first(&mut batch.hours);
            drop_first(&mut batch.permission_days);
            drop_first(&mut batch.last_uses);
        }
        Ok(())
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
        let by = By::system();
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

/// The first rows of a map as one value, so that the statement is the same for any number of them.
fn first<K, V>(map: &BTreeMap<K, V>, row: impl Fn(&K, &V) -> Json) -> String {
    Json::Array(map.iter().take(CHUNK).map(|(key, value)| row(key, value)).collect()).to_string()
}

fn drop_first<K: Ord + Clone, V>(map: &mut BTreeMap<K, V>) {
    let rest = map.keys().nth(CHUNK).cloned();
    *map = rest.map(|first| map.split_off(&first)).unwrap_or_default();
}
