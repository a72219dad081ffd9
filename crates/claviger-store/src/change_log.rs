//! The change log in storage: written by every commit, followed by every process.

use std::{collections::HashSet, time::Instant};

use claviger_core::Touched;
use claviger_token::{CredentialId, PrincipalId};
use jiff::Timestamp;

use crate::{Store, changes::LogCursor, error::StoreError, sql::sql, tx::Tx};

/// How many rows are read at a time.
const PAGE: usize = 10_000;

impl Tx<'_> {
    /// Tells all other processes what they must forget.
    pub(crate) async fn log(&mut self, touched: &[Touched], now: Timestamp) -> Result<(), StoreError> {
        for touched in touched {
            let (kind, id) = words(touched);
            let insert = sql("INSERT INTO change_log (at, kind, id) VALUES ($1, $2, $3)");
            self.execute(insert.bind(now).bind(kind).bind(id)).await?;
        }
        Ok(())
    }
}

impl Store {
    /// Where a process that starts with an empty cache begins to follow the log.
    pub async fn log_cursor(&self, now: Instant) -> Result<LogCursor, StoreError> {
        let rows = self.read().all(sql("SELECT seq FROM change_log ORDER BY seq DESC LIMIT 1000")).await?;
        let numbers = rows.iter().map(|row| row.int("seq")).collect::<Result<Vec<_>, _>>()?;
        Ok(LogCursor::starting_at(&numbers, now))
    }

    /// Reads what the log says since, names it, and notes that the log could be read to its end.
    pub async fn follow_log(&self, cursor: &mut LogCursor, now: Instant) -> Result<(), StoreError> {
        while self.follow_log_page(cursor, now).await? == PAGE {}
        self.changes.was_read(now);
        Ok(())
    }

    async fn follow_log_page(&self, cursor: &mut LogCursor, now: Instant) -> Result<usize, StoreError> {
        let newest = cursor.newest();
        let since = sql("SELECT seq, kind, id FROM change_log WHERE seq >= ").and_bind("?", newest);
        let mut rows = self.read().all(since.and(&format!(" ORDER BY seq LIMIT {PAGE}"))).await?;
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
            rows.extend(self.read().all(late.and_list(chunk.iter().map(|seq| (*seq).into()))).await?);
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
        _ => None,
    }
}
