//! The change log in storage: written by every commit, followed by every process.

use std::{collections::HashSet, time::Instant};

use claviger_core::Touched;
use claviger_token::{AccessTokenId, Concerns, CredentialId, OrganizationId, PrincipalId, RoleId};
use jiff::Timestamp;

use crate::{
    Store,
    changes::{LOOK_BACK, LogCursor},
    error::StoreError,
    feed::Seen,
    sql::{Executor, Row, sql, text},
    tx::Tx,
};

/// How many rows are read at a time.
const PAGE: usize = 10_000;

/// How many holders of a role are named one by one to those who follow from outside.
const MOST_HOLDERS: usize = 1000;

impl Tx<'_> {
    /// Tells all other processes what they must forget.
    pub(crate) async fn log(&mut self, touched: &[Touched], now: Timestamp) -> Result<(), StoreError> {
        for touched in touched {
            let (kind, id) = words(touched);
            let insert = sql("INSERT INTO change_log (at, kind, id) VALUES ($1, $2, $3)");
            self.later(insert.bind(now).bind(kind).bind(id)).await?;
        }
        Ok(())
    }
}

impl Store {
    /// Where a process that starts with an empty cache begins to follow the log.
    pub async fn log_cursor(&self, now: Instant) -> Result<LogCursor, StoreError> {
        let (cursor, rows) = self.end_of_log(now).await?;
        self.changes.are_named_up_to(cursor.settled());
        self.feed.begin(rows, &cursor, now);
        Ok(cursor)
    }

    async fn end_of_log(&self, now: Instant) -> Result<(LogCursor, Vec<Seen>), StoreError> {
        let latest = format!("SELECT seq, at, kind, id FROM change_log ORDER BY seq DESC LIMIT {LOOK_BACK}");
        let rows = self.follower().all(sql(&latest)).await?;
        let rows = rows.iter().map(Logged::read).collect::<Result<Vec<_>, _>>()?;
        let numbers: Vec<i64> = rows.iter().map(|row| row.number).collect();
        Ok((LogCursor::starting_at(&numbers, now), self.concerned(rows).await))
    }

    /// Reads what the log says since, names it, and notes that the log could be read to its end.
    pub async fn follow_log(&self, cursor: &mut LogCursor, now: Instant) -> Result<(), StoreError> {
        while self.follow_log_page(cursor, now).await? == PAGE {}
        self.changes.was_read(now);
        self.feed.was_read();
        Ok(())
    }

    /// A connection that no request uses.
    fn follower(&self) -> Executor<'_> {
        Executor::Follower(&self.database.pools)
    }

    async fn follow_log_page(&self, cursor: &mut LogCursor, now: Instant) -> Result<usize, StoreError> {
        let newest = cursor.newest();
        let since = sql("SELECT seq, at, kind, id FROM change_log WHERE seq >= ").and_bind("?", newest);
        let mut rows = self.follower().all(since.and(&format!(" ORDER BY seq LIMIT {PAGE}"))).await?;
        let length = rows.len();
        if newest > 0 && rows.first().map(|row| row.int("seq")).transpose()? != Some(newest) {
            // Trimming keeps the newest row, so one that is gone means another instance or a restored backup.
            // The cursor comes first: what commits before it is read must not be cached as newer than the naming.
            let (begun, rows) = self.end_of_log(now).await?;
            *cursor = begun;
            self.changes.name_everything();
            self.changes.are_named_up_to(cursor.settled());
            self.feed.begin(rows, cursor, now);
            return Ok(0);
        }
        let missing: Vec<i64> = cursor.missing().collect();
        for chunk in missing.chunks(500) {
            let late = sql("SELECT seq, at, kind, id FROM change_log WHERE seq IN ");
            rows.extend(self.follower().all(late.and_list(chunk.iter().map(|seq| (*seq).into()))).await?);
        }
        let mut rows: Vec<Logged> = rows.iter().map(Logged::read).collect::<Result<_, StoreError>>()?;
        let numbers: Vec<i64> = rows.iter().map(|row| row.number).collect();
        // Nothing after this fails: what is observed is named.
        let fresh: HashSet<i64> = cursor.observe(&numbers, now).into_iter().collect();
        rows.retain(|row| fresh.contains(&row.number));
        let touched: Vec<Touched> = rows.iter().filter_map(|row| row.touched).collect();
        self.changes.name(&touched, now);
        self.changes.are_named_up_to(cursor.settled());
        let seen = self.concerned(rows).await;
        self.feed.add(seen, cursor, now);
        Ok(length)
    }

    /// Whom these changes concern. Of whom that cannot be found out now, they concern everybody.
    async fn concerned(&self, rows: Vec<Logged>) -> Vec<Seen> {
        let mut seen = Vec::with_capacity(rows.len());
        for Logged { number, at, touched } in rows {
            let concerns = match touched {
                Some(Touched::Credential(id)) => vec![Concerns::Credential(id)],
                Some(Touched::Principal(id)) => vec![Concerns::Principal(id)],
                Some(Touched::Organization(id)) => vec![Concerns::Organization(id)],
                Some(Touched::Role(id)) => self.who_has(id).await.unwrap_or_else(|_| vec![Concerns::Everything]),
                Some(Touched::AccessToken(id)) => {
                    self.origin_of(id).await.unwrap_or_else(|_| vec![Concerns::Everything])
                }
                Some(Touched::SigningKeys) => vec![Concerns::SigningKeys],
                Some(Touched::Catalog) | None => vec![Concerns::Everything],
            };
            seen.push(Seen { number, at, concerns });
        }
        seen
    }

    /// Those who have a role now. Whoever had it when it changed, and lost it since, was named by that.
    async fn who_has(&self, role: RoleId) -> Result<Vec<Concerns>, StoreError> {
        let holders = format!("SELECT DISTINCT principal FROM assignment WHERE role = $1 LIMIT {}", MOST_HOLDERS + 1);
        let holders = self.follower().all(sql(&holders).bind(text(role))).await?;
        if holders.len() <= MOST_HOLDERS {
            return holders.iter().map(|row| row.parse("principal").map(Concerns::Principal)).collect();
        }
        let home =
            self.follower().optional(sql("SELECT organization FROM role WHERE id = $1").bind(text(role))).await?;
        let home: Option<OrganizationId> = home.map(|row| row.parse_or_null("organization")).transpose()?.flatten();
        Ok(vec![home.map_or(Concerns::Everything, Concerns::Organization)])
    }

    /// What a token was made from. One that is not listed any more ended with all of its credential, which was named.
    async fn origin_of(&self, token: AccessTokenId) -> Result<Vec<Concerns>, StoreError> {
        let origin = sql("SELECT credential FROM revoked_token WHERE id = $1").bind(text(token));
        let origin = self.follower().optional(origin).await?;
        origin.iter().map(|row| row.parse("credential").map(Concerns::Credential)).collect()
    }
}

/// A row of the log.
struct Logged {
    number: i64,
    at: Timestamp,
    /// `None` of what only a later version knows.
    touched: Option<Touched>,
}

impl Logged {
    fn read(row: &Row) -> Result<Self, StoreError> {
        let touched = from_words(&row.text("kind")?, &row.text("id")?);
        Ok(Self { number: row.int("seq")?, at: row.time("at")?, touched })
    }
}

fn words(touched: &Touched) -> (&'static str, String) {
    match touched {
        Touched::Credential(id) => ("credential", id.to_string()),
        Touched::Principal(id) => ("principal", id.to_string()),
        Touched::Organization(id) => ("organization", id.to_string()),
        Touched::Role(id) => ("role", id.to_string()),
        Touched::Catalog => ("catalog", String::new()),
        Touched::SigningKeys => ("signing_keys", String::new()),
        Touched::AccessToken(id) => ("access_token", id.to_string()),
    }
}

/// `None` for what only a later version knows: it cannot be in this version's cache.
fn from_words(kind: &str, id: &str) -> Option<Touched> {
    match kind {
        "credential" => id.parse::<CredentialId>().ok().map(Touched::Credential),
        "principal" => id.parse::<PrincipalId>().ok().map(Touched::Principal),
        "organization" => id.parse().ok().map(Touched::Organization),
        "role" => id.parse().ok().map(Touched::Role),
        "catalog" => Some(Touched::Catalog),
        "signing_keys" => Some(Touched::SigningKeys),
        "access_token" => id.parse().ok().map(Touched::AccessToken),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use claviger_core::ChainKey;
    use tokio::time::timeout;

    use super::*;
    use crate::{Changes, Database, dialect::Pools};

    #[tokio::test]
    #[expect(clippy::disallowed_methods, reason = "a test needs some instant to count from")]
    async fn the_log_is_followed_while_look_ups_take_every_reader() {
        let directory = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", directory.path().join("claviger.db").display());
        let database = Database::open(&url).await.unwrap();
        database.migrate().await.unwrap();
        let chain_key = ChainKey::new(&zeroize::Zeroizing::new([7; 32]));
        let store = Store::new(database.clone(), chain_key, Changes::new(Instant::now()));
        let Pools::Sqlite { read, .. } = &database.pools else { panic!("not SQLite") };
        let mut taken = Vec::new();
        for _ in 0..read.options().get_max_connections() {
            taken.push(read.acquire().await.unwrap());
        }
        let follow = async {
            let mut cursor = store.log_cursor(Instant::now()).await.unwrap();
            store.follow_log(&mut cursor, Instant::now()).await.unwrap();
        };
        timeout(Duration::from_millis(500), follow).await.unwrap();
    }
}
