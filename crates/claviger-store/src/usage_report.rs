//! How much credentials are used: reports by hour and day, the busiest, and which permissions are asked for.
//!
//! Days are sums of hours that are there and of what became of hours that are not ([`crate::usage_roll_up`]); each use stands in one of both.

use std::{
    collections::{BTreeSet, HashMap},
    fmt::Display,
    str::FromStr,
};

use claviger_core::Reach;
use claviger_token::{CredentialId, OrganizationId, Permission, PrincipalId};
use jiff::Timestamp;

use crate::{
    error::StoreError,
    sql::{Query, Row, sql, text},
    usage::{DAY_MS, HOUR_MS},
    view::{View, bound_to},
};

/// Rows of the tables that one report reads, at most: what would need more is asked for in parts.
const MOST_READ: i64 = 250_000;

/// Of each day so many are looked at, to find those that are busiest over several.
const RANKED: i64 = 20;

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
pub struct UsageFilter<'a> {
    /// Of one credential.
    pub credential: Option<CredentialId>,
    /// Of the credentials of one principal.
    pub principal: Option<PrincipalId>,
    /// Of the credentials of one organization.
    pub organization: Option<OrganizationId>,
    /// One verdict code or permission.
    pub what: Option<&'a str>,
    /// What is counted.
    pub counted: Counted,
    /// From the start of the hour or day of this moment on.
    pub from: Timestamp,
    /// Before this moment.
    pub to: Timestamp,
}

/// A line of a report: about a credential, or about all of an organization.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Used<Id = CredentialId> {
    /// Whose use.
    pub id: Id,
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

/// A table, and its columns for time and what was used.
type Table = (&'static str, &'static str, &'static str);

impl View<'_> {
    /// What was used, oldest first; `None` if that is more than `limit` lines, or more than a report reads. Keys that are deleted are told
    /// too: they were used.
    pub async fn usage(&mut self, filter: &UsageFilter<'_>, limit: u32) -> Result<Option<Vec<Used>>, StoreError> {
        let tables: &[Table] = match filter.counted {
            Counted::CodesByHour => &[("usage_hour", "hour", "code")],
            Counted::CodesByDay => &[("usage_hour", "hour", "code"), ("usage_day", "day", "code")],
            Counted::PermissionsByDay => &[("usage_permission_day", "day", "permission")],
        };
        // Few credentials are looked up one by one; without a bound on them, time is what narrows most. CROSS keeps SQLite to that.
        let is_narrow = filter.credential.is_some() || filter.principal.is_some() || filter.organization.is_some();
        let reach = self.reach;
        let is_narrow = is_narrow || reach != Reach::Instance;
        let rows = |query: Query, (table, time, what): Table| {
            let from = if is_narrow {
                format!("credential k CROSS JOIN {table} u")
            } else {
                format!("{table} u CROSS JOIN credential k")
            };
            let select = format!(
                "SELECT u.{time} AS time, u.credential AS id, u.{what} AS what, u.uses FROM {from}
                 WHERE u.credential = k.id"
            );
            let query = query.and(&select).and_if(" AND k.id = ?", filter.credential.map(text));
            let query = query.and_if(" AND k.principal = ?", filter.principal.map(text));
            let query = query.and_if(" AND k.organization = ?", filter.organization.map(text));
            within(bound_to(reach, query, "k.organization"), filter, &format!("u.{time}"), &format!("u.{what}"))
        };
        self.summed(filter, tables, rows, limit).await
    }

    /// The same of all the credentials of each organization together, which is as quick for many as for few.
    pub async fn organization_usage(
        &mut self,
        filter: &UsageFilter<'_>,
        limit: u32,
    ) -> Result<Option<Vec<Used<OrganizationId>>>, StoreError> {
        let tables: &[Table] = match filter.counted {
            Counted::CodesByHour => &[("organization_usage_hour", "hour", "code")],
            Counted::CodesByDay => {
                &[("organization_usage_hour", "hour", "code"), ("organization_usage_day", "day", "code")]
            }
            Counted::PermissionsByDay => &[],
        };
        let reach = self.reach;
        let rows = |query: Query, (table, time, what): Table| {
            let select = format!(
                "SELECT u.{time} AS time, u.organization AS id, u.{what} AS what, u.uses FROM {table} u WHERE 1 = 1"
            );
            let query = query.and(&select).and_if(" AND u.organization = ?", filter.organization.map(text));
            within(bound_to(reach, query, "u.organization"), filter, &format!("u.{time}"), &format!("u.{what}"))
        };
        self.summed(filter, tables, rows, limit).await
    }

    /// Sums of what `rows` selects of each table, from a snapshot: what becomes a day meanwhile is neither missed nor told twice.
    async fn summed<Id: FromStr<Err: Display>>(
        &mut self,
        filter: &UsageFilter<'_>,
        tables: &[Table],
        rows: impl Fn(Query, Table) -> Query,
        limit: u32,
    ) -> Result<Option<Vec<Used<Id>>>, StoreError> {
        if tables.is_empty() {
            return Ok(Some(Vec::new()));
        }
        let length = filter.counted.length();
        let mut query = sql(&format!(
            "SELECT b.time - b.time % {length} AS start, b.id, b.what, CAST(SUM(b.uses) AS BIGINT) AS uses,
                    COUNT(*) AS number FROM ("
        ));
        for (place, table) in tables.iter().enumerate() {
            query = query.and(if place == 0 { "SELECT * FROM (" } else { " UNION ALL SELECT * FROM (" });
            query = rows(query, *table).and_bind(&format!(" LIMIT ?) t{place}"), MOST_READ + 1);
        }
        let query = query.and(") b GROUP BY 1, 2, 3 ORDER BY 1, 2, 3").and_bind(" LIMIT ?", i64::from(limit) + 1);
        let found = self.executor.all(query).await?;
        let mut read = 0;
        for row in &found {
            read += row.int("number")?;
        }
        if found.len() > limit as usize || read > MOST_READ {
            return Ok(None);
        }
        let used = |row: &Row| {
            Ok(Used {
                id: row.parse("id")?,
                start: row.time("start")?,
                what: row.text("what")?,
                uses: row.int("uses")?,
            })
        };
        found.iter().map(used).collect::<Result<_, StoreError>>().map(Some)
    }

    /// Those of an organization that were used most since the hour `from`, with how often, the busiest first. Of each day of that time
    /// the busiest are looked at: somebody who is among them on none is not found, however many days there are.
    pub async fn busiest(
        &mut self,
        organization: OrganizationId,
        from: Timestamp,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<(CredentialId, i64)>, StoreError> {
        let first = from.as_millisecond() - from.as_millisecond().rem_euclid(DAY_MS);
        let days = (first..=now.as_millisecond()).step_by(usize::try_from(DAY_MS).unwrap_or(usize::MAX));
        let mut query = sql("WITH top AS MATERIALIZED (");
        for (place, day) in days.enumerate() {
            query = query.and(if place == 0 { "SELECT * FROM (" } else { " UNION SELECT * FROM (" });
            query = self
                .bound(query.and_bind("SELECT r.credential FROM usage_rank r WHERE r.day = ?", day), "r.organization")
                .and_bind(" AND r.organization = ?", text(organization))
                .and_bind(&format!(" ORDER BY r.uses DESC LIMIT ?) t{place}"), RANKED);
        }
        let query = query
            .and_bind(
                ") SELECT r.credential FROM top CROSS JOIN usage_rank r
                 WHERE r.organization = ? AND r.credential = top.credential",
                text(organization),
            )
            .and_bind(" AND r.day >= ? GROUP BY r.credential ORDER BY SUM(r.uses) DESC, r.credential", first)
            .and_bind(" LIMIT ?", i64::from(limit) * 4);
        let rows = self.executor.all(query).await?;
        let likely = rows.iter().map(|row| row.parse("credential"));
        let likely = likely.collect::<Result<Vec<CredentialId>, StoreError>>()?;
        let mut busiest: Vec<_> = self.uses_since(&likely, from).await?.into_iter().collect();
        busiest.sort_by_key(|(id, uses)| (std::cmp::Reverse(*uses), *id));
        busiest.truncate(limit as usize);
        Ok(busiest)
    }

    /// How often each of these was used from the hour `from` on; those that were not are left out.
    pub async fn uses_since(
        &mut self,
        credentials: &[CredentialId],
        from: Timestamp,
    ) -> Result<HashMap<CredentialId, i64>, StoreError> {
        if credentials.is_empty() {
            return Ok(HashMap::new());
        }
        let mut query = sql("SELECT u.credential, CAST(SUM(u.uses) AS BIGINT) AS uses FROM (");
        for (place, (table, time)) in [("usage_hour", "hour"), ("usage_day", "day")].into_iter().enumerate() {
            query = query.and(if place == 0 { "" } else { " UNION ALL " });
            query = query.and(&format!("SELECT t.credential, t.uses FROM {table} t WHERE t.credential IN "));
            query = query.and_list(credentials.iter().map(text)).and_bind(&format!(" AND t.{time} >= ?"), from);
        }
        let query = self.bound(query.and(") u JOIN credential k ON k.id = u.credential WHERE 1 = 1"), "k.organization");
        let rows = self.executor.all(query.and(" GROUP BY u.credential")).await?;
        rows.iter().map(|row| Ok((row.parse("credential")?, row.int("uses")?))).collect()
    }

    /// Which permissions were asked of each of these on the day of `from` or later.
    pub async fn permissions_asked(
        &mut self,
        credentials: &[CredentialId],
        from: Timestamp,
    ) -> Result<HashMap<CredentialId, BTreeSet<Permission>>, StoreError> {
        let mut asked: HashMap<CredentialId, BTreeSet<Permission>> = HashMap::new();
        if credentials.is_empty() {
            return Ok(asked);
        }
        let query = sql("SELECT DISTINCT u.credential, u.permission FROM usage_permission_day u
                         JOIN credential k ON k.id = u.credential WHERE u.credential IN ");
        let query = query.and_list(credentials.iter().map(text));
        let query = query.and_bind(" AND u.day >= ?", from.as_millisecond() - from.as_millisecond().rem_euclid(DAY_MS));
        let query = self.bound(query, "k.organization");
        for row in &self.executor.all(query).await? {
            asked.entry(row.parse("credential")?).or_default().insert(row.parse("permission")?);
        }
        Ok(asked)
    }
}

/// The start of the hour or day decides, so that of two questions one after the other only one has it.
fn within(query: Query, filter: &UsageFilter<'_>, time: &str, what: &str) -> Query {
    let length = filter.counted.length();
    query
        .and_bind(&format!(" AND {time} >= ?"), filter.from)
        .and_bind(&format!(" AND {time} < ?"), filter.to.as_millisecond().saturating_add(length))
        .and_bind(&format!(" AND {time} - {time} % {length} >= ?"), filter.from)
        .and_bind(&format!(" AND {time} - {time} % {length} < ?"), filter.to)
        .and_if(&format!(" AND {what} = ?"), filter.what)
}
