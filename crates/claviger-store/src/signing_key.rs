//! The keys that sign tokens, in storage. They belong to the instance; who may see them is the handler's to know.

use claviger_core::{Sealed, SigningKeyRecord};

use crate::{
    error::StoreError,
    sql::{Query, Row, Value, sql, text},
    tx::Tx,
    view::View,
};

const COLUMNS: &str =
    "SELECT id, algorithm, number, sealed, created_at, active_at, retiring_at, removed_at FROM signing_key";

impl View<'_> {
    /// All of them, in any state, those of an algorithm in the order in which they were made.
    pub async fn signing_keys(&mut self) -> Result<Vec<SigningKeyRecord>, StoreError> {
        let rows = self.executor.all(sql(COLUMNS).and(" ORDER BY algorithm, number")).await?;
        rows.iter().map(read).collect()
    }
}

impl Tx<'_> {
    /// Adds one. Of two who add the next one of an algorithm at once, the second is told that it is taken.
    pub async fn insert_signing_key(&mut self, new: &SigningKeyRecord) -> Result<(), StoreError> {
        let insert = sql(
            "INSERT INTO signing_key (id, sealed, active_at, retiring_at, removed_at, algorithm, number, created_at)
                          VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        );
        let insert = bound(insert, new).bind(text(new.algorithm)).bind(new.number).bind(new.created_at);
        self.execute(insert).await.map(drop)
    }

    /// Replaces what can change of one.
    pub async fn save_signing_key(&mut self, new: &SigningKeyRecord) -> Result<(), StoreError> {
        let update =
            sql("UPDATE signing_key SET sealed = $2, active_at = $3, retiring_at = $4, removed_at = $5 WHERE id = $1");
        self.execute(bound(update, new)).await.map(drop)
    }
}

/// `$1` to `$5` of the statements that write one.
fn bound(query: Query, new: &SigningKeyRecord) -> Query {
    query
        .bind(text(new.id))
        .bind(Value::Bytes(new.sealed.as_ref().map(|sealed| sealed.0.clone())))
        .bind(new.active_at)
        .bind(new.retiring_at)
        .bind(new.removed_at)
}

fn read(row: &Row) -> Result<SigningKeyRecord, StoreError> {
    Ok(SigningKeyRecord {
        id: row.parse("id")?,
        algorithm: row.parse("algorithm")?,
        number: row.count("number")?,
        sealed: row.bytes_or_null("sealed")?.map(Sealed),
        created_at: row.time("created_at")?,
        active_at: row.time("active_at")?,
        retiring_at: row.time_or_null("retiring_at")?,
        removed_at: row.time_or_null("removed_at")?,
    })
}
