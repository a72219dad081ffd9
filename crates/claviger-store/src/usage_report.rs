//! How much credentials are used: reports by hour and day, the busiest, which permissions are asked for, and which access tokens are issued.
//!
//! Days are sums of hours that are there and of what became of hours that are not ([`crate::usage_roll_up`]); each use stands in one of both.

use std::{
    collections::{BTreeSet, HashMap},
    fmt::Display,
    str::FromStr,
};

use claviger_core::{Kind, Reach};
use claviger_token::{CredentialId, OrganizationId, Permission, PrincipalId, ServiceAccountId};
use jiff::Timestamp;

use crate::{
    error::StoreError,
    sql::{Query, Row, sql, text},
    usage::{DAY_MS, HOUR_MS},
    view::{View, bound_to},
};

/// Rows of the tables that one report reads, and credentials that it looks up for them, at most: what would need more is asked for in parts.
const MOST_READ: i64 = 250_000;

/// Of each kind and day so many are looked at, to find those that are busiest over several.
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
    /// Access tokens issued, by grant and hour. They are no use of a credential, and stand in a report of their own.
    GrantsByHour,
    /// Access tokens issued, by grant and day (UTC).
    GrantsByDay,
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
    /// One verdict code, permission or grant.
    pub what: Option<&'a str>,
    /// What is counted.
    pub counted: Counted,
    /// From the start of the hour or day of this moment on.
    pub from: Timestamp,
    /// Before this moment.
    pub to: Timestamp,
}

/// A line of a report: about a credential, all of an organization, or what was issued to a service account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Used<Id = CredentialId> {
    /// Whose use.
    pub id: Id,
    /// When the hour or day begins.
    pub start: Timestamp,
    /// The verdict code, the permission or the grant.
    pub what: String,
    /// How often.
    pub uses: i64,
}

impl Counted {
    fn length(self) -> i64 {
        match self {
            Self::CodesByHour | Self::GrantsByHour => HOUR_MS,
            Self::CodesByDay | Self::PermissionsByDay | Self::GrantsByDay => DAY_MS,
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
            Counted::GrantsByHour | Counted::GrantsByDay => &[],
        };
        // Few credentials are looked up one by one; without a bound on them, time is what narrows most.
        let is_narrow = filter.credential.is_some() || filter.principal.is_some() || filter.organization.is_some();
        let is_narrow = is_narrow || self.reach != Reach::Instance;
        let looked_up = if is_narrow { " + (SELECT COUNT(*) FROM k)" } else { "" };
        let mut query = sql("WITH ");
        if is_narrow {
            query = query
                .and("k AS MATERIALIZED (SELECT k.id FROM credential k WHERE 1 = 1")
                .and_if(" AND k.id = ?", filter.credential.map(text))
                .and_if(" AND k.principal = ?", filter.principal.map(text))
                .and_if(" AND k.organization = ?", filter.organization.map(text));
            query = self.bound(query, "k.organization").and_bind(" LIMIT ?), ", MOST_READ + 1);
        }
        let (before, after) = if is_narrow { self.executor.one_by_one() } else { ("", "") };
        let rows = |query: Query, (table, time, what): Table| {
            let select = format!("SELECT u.{time} AS time, u.credential AS id, u.{what} AS what, u.uses FROM ");
            let query =
                query.and(&select).and(if is_narrow { "k " } else { "" }).and(before).and(&format!("{table} u WHERE "));
            let query = query.and(if is_narrow { "u.credential = k.id" } else { "1 = 1" });
            within(query, filter, &format!("u.{time}")).and(after)
        };
        self.summed(query, looked_up, filter, tables, rows, limit).await
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
            Counted::PermissionsByDay | Counted::GrantsByHour | Counted::GrantsByDay => &[],
        };
        let reach = self.reach;
        let rows = |query: Query, (table, time, what): Table| {
            let select = format!(
                "SELECT u.{time} AS time, u.organization AS id, u.{what} AS what, u.uses FROM {table} u WHERE 1 = 1"
            );
            let query = query.and(&select).and_if(" AND u.organization = ?", filter.organization.map(text));
            within(bound_to(reach, query, "u.organization"), filter, &format!("u.{time}"))
        };
        self.summed(sql("WITH "), "", filter, tables, rows, limit).await
    }

    /// The access tokens that were issued to the service account that is the filter's principal, which may be deleted since; of nobody else there are any.
    pub async fn issued(
        &mut self,
        filter: &UsageFilter<'_>,
        limit: u32,
    ) -> Result<Option<Vec<Used<ServiceAccountId>>>, StoreError> {
        let Some(PrincipalId::ServiceAccount(client)) = filter.principal else { return Ok(Some(Vec::new())) };
        let tables: &[Table] = match filter.counted {
            Counted::GrantsByHour => &[("issued_hour", "hour", "grant_type")],
            Counted::GrantsByDay => &[("issued_hour", "hour", "grant_type"), ("issued_day", "day", "grant_type")],
            Counted::CodesByHour | Counted::CodesByDay | Counted::PermissionsByDay => &[],
        };
        let reach = self.reach;
        let rows = |query: Query, (table, time, what): Table| {
            let select = format!(
                "SELECT u.{time} AS time, u.client AS id, u.{what} AS what, u.uses
                 FROM {table} u JOIN service_account s ON s.id = u.client WHERE 1 = 1"
            );
            let query = query.and(&select).and_bind(" AND u.client = ?", text(client));
            let query = query.and_if(" AND s.organization = ?", filter.organization.map(text));
            within(bound_to(reach, query, "s.organization"), filter, &format!("u.{time}"))
        };
        self.summed(sql("WITH "), "", filter, tables, rows, limit).await
    }

    /// Sums of what `rows` selects of each table, from a snapshot: what becomes a day meanwhile is neither missed nor told twice. Rows that
    /// the filter leaves out are read all the same, and so they count as read, as does what was `looked_up` for them.
    async fn summed<Id: FromStr<Err: Display>>(
        &mut self,
        mut query: Query,
        looked_up: &str,
        filter: &UsageFilter<'_>,
        tables: &[Table],
        rows: impl Fn(Query, Table) -> Query,
        limit: u32,
    ) -> Result<Option<Vec<Used<Id>>>, StoreError> {
        if tables.is_empty() {
            return Ok(Some(Vec::new()));
        }
        query = query.and("b AS MATERIALIZED (");
        for (place, table) in tables.iter().enumerate() {
            query = query.and(if place == 0 { "SELECT * FROM (" } else { " UNION ALL SELECT * FROM (" });
            query = rows(query, *table).and_bind(&format!(" LIMIT ?) t{place}"), MOST_READ + 1);
        }
        let length = filter.counted.length();
        // How much was read comes before all that was found.
        let query = query
            .and(&format!(
                ") SELECT b.time - b.time % {length} AS start, b.id, b.what, CAST(SUM(b.uses) AS BIGINT) AS uses
                 FROM b WHERE 1 = 1"
            ))
            .and_if(" AND b.what = ?", filter.what)
            .and(&format!(
                " GROUP BY 1, 2, 3 UNION ALL SELECT -1, '', '', (SELECT COUNT(*) FROM b){looked_up} ORDER BY 1, 2, 3"
            ))
            .and_bind(" LIMIT ?", i64::from(limit) + 2);
        let found = self.executor.all(query).await?;
        // Of something that cannot be stored nothing is read.
        let Some((read, found)) = found.split_first() else { return Ok(Some(Vec::new())) };
        if found.len() > limit as usize || read.int("uses")? > MOST_READ {
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

    /// Those of these kinds in an organization that were used most since the hour `from`, with how often, the busiest first. Of each day of
    /// that time the busiest are looked at: somebody who is among them on none is not found, however many days there are.
    pub async fn busiest(
        &mut self,
        organization: OrganizationId,
        kinds: &[Kind],
        from: Timestamp,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<(CredentialId, i64)>, StoreError> {
        let first = from.as_millisecond() - from.as_millisecond().rem_euclid(DAY_MS);
        let days = (first..=now.as_millisecond()).step_by(usize::try_from(DAY_MS).unwrap_or(usize::MAX));
        let looked_at = days.flat_map(|day| kinds.iter().map(move |kind| (day, *kind)));
        let mut query = sql("WITH top AS MATERIALIZED (");
        for (place, (day, kind)) in looked_at.enumerate() {
            query = query.and(if place == 0 { "SELECT * FROM (" } else { " UNION SELECT * FROM (" });
            query = self
                .bound(query.and_bind("SELECT r.credential FROM usage_rank r WHERE r.day = ?", day), "r.organization")
                .and_bind(" AND r.organization = ?", text(organization))
                .and_bind(" AND r.kind = ?", kind.as_str())
                .and_bind(&format!(" ORDER BY r.uses DESC LIMIT ?) t{place}"), RANKED);
        }
        if query.values.is_empty() {
            return Ok(Vec::new());
        }
        let query = query
            .and_bind(
                ") SELECT r.credential FROM top CROSS JOIN usage_rank r JOIN credential k ON k.id = r.credential
                 WHERE r.organization = ? AND r.credential = top.credential AND k.deleted_at IS NULL",
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
fn within(query: Query, filter: &UsageFilter<'_>, time: &str) -> Query {
    let length = filter.counted.length();
    let next_start = |at: Timestamp| {
        let at = at.as_millisecond();
        at.saturating_add((-at).rem_euclid(length))
    };
    query
        .and_bind(&format!(" AND {time} >= ?"), next_start(filter.from))
        .and_bind(&format!(" AND {time} < ?"), next_start(filter.to))
}
