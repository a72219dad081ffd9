//! The change log in storage: written by every commit, followed by every process.

use std::{collections::HashSet, time::Instant};

use claviger_core::Touched;
use claviger_token::{CredentialId, PrincipalId};
use jiff::Timestamp;

use crate::{
    Store,
    changes::LogCursor,
    error::StoreError,
    sql::{Executor, sql},
    tx::Tx,
};

/// How many rows are read at a time.
const PAGE: usize = 10_000;

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
        let rows = self.follower().all(sql("SELECT seq FROM change_log ORDER BY seq DESC LIMIT 1000")).await?;
        let numbers = rows.iter().map(|row| row.int("seq")).collect::<Result<Vec<_>, _>>()?;
        Ok(LogCursor::starting_at(&numbers, now))
    }

    /// Reads what the log says since, names it, and notes that the log could be read to its end.
    pub async fn follow_log(&self, cursor: &mut LogCursor, now: Instant) -> Result<(), StoreError> {
        while self.follow_log_page(cursor, now).await? == PAGE {}
        self.changes.was_read(now);
        Ok(())
    }

    /// A connection that no request uses.
    fn follower(&self) -> Executor<'_> {
        Executor::Follower(&self.database.pools)
    }

    async fn follow_log_page(&self, cursor: &mut LogCursor, now: Instant) -> Result<usize, StoreError> {
        let newest = cursor.newest();
        let since = sql("SELECT seq, kind, id FROM change_log WHERE seq >= ").and_bind("?", newest);
        let mut rows = self.follower().all(since.and(&format!(" ORDER BY seq LIMIT {PAGE}"))).await?;
        let length = rows.len();
        if newest > 0 && rows.first().map(|row| row.int("seq")).transpose()? != Some(newest) {
            // Trimming keeps the newest row, so one that is gone means another instance or a restored backup.
            // The cursor comes first: what commits before it is read must not be cached as newer than the naming.
            *cursor = self.log_cursor(now).await?;
            self.changes.name_everything();
            return Ok(0);
        }
        let missing: Vec<i64> = cursor.missing().collect();
        for chunk in missing.chunks(500) {
            let late = sql("SELECT seq, kind, id FROM change_log WHERE seq IN ");
            rows.extend(self.follower().all(late.and_list(chunk.iter().map(|seq| (*seq).into()))).await?);
        }
        let rows: Vec<(i64, Option<Touched>)> = rows
            .iter()
            .map(|row| Ok((row.int("seq")?, from_words(&row.text("kind")?, &row.text("id")?))))
            .collect::<Result<_, StoreError>>()?;
        let numbers: Vec<i64> = rows.iter().map(|(number, _)| *number).collect();
        // Nothing after this fails: what is observed is named.
        let fresh: HashSet<i64> = cursor.observe(&numbers, now).into_iter().collect();
        let touched: Vec<Touched> =
            rows.into_iter().filter(|(number, _)| fresh.contains(number)).filter_map(|(_, touched)| touched).collect();
        self.changes.name(&touched, now);
        Ok(length)
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
