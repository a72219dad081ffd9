//! Under which brand secrets were made, and from when on. A secret's text is nowhere, so that only this tells which of them a change
//! of the brand has ended. The room must not know which brands are accepted: that is the operator's to say.

use claviger_token::Brand;
use jiff::Timestamp;

use crate::{
    database::Database,
    error::StoreError,
    sql::{Executor, WriteTransaction, sql},
};

const NEWEST: &str = "SELECT name FROM brand ORDER BY since DESC LIMIT 1";

impl Database {
    /// The brand under which secrets were made last; `None`: nobody has said so.
    pub async fn brand(&self) -> Result<Option<Brand>, StoreError> {
        let newest = Executor::Pools(&self.pools).optional(sql(NEWEST)).await?;
        newest.map(|row| row.parse("name")).transpose()
    }

    /// Remembers under which brand secrets are made from now on. As long as there is no secret, no other counts.
    pub async fn remember_brand(&self, brand: &Brand, now: Timestamp) -> Result<(), StoreError> {
        if self.brand().await?.as_ref() == Some(brand) {
            return Ok(());
        }
        let mut transaction = WriteTransaction::begin(&self.pools).await?;
        transaction.execute(sql("DELETE FROM brand WHERE NOT EXISTS (SELECT 1 FROM secret)")).await?;
        let insert = sql("INSERT INTO brand (since, name) VALUES ($1, $2)
                          ON CONFLICT (since) DO UPDATE SET name = excluded.name");
        transaction.execute(insert.bind(now).bind(brand.as_str())).await?;
        transaction.commit().await
    }

    /// The brands besides these under which secrets were made that still work but for that, oldest first. What was made before
    /// anybody said under which brand is taken for the first.
    pub async fn other_brands(&self, accepted: &[Brand], now: Timestamp) -> Result<Vec<Brand>, StoreError> {
        let mut read = Executor::Pools(&self.pools);
        let rows = read.all(sql("SELECT since, name FROM brand ORDER BY since")).await?;
        let mut ends = rows.iter().skip(1).map(|row| row.int("since"));
        let mut others: Vec<Brand> = Vec::new();
        let mut since = i64::MIN;
        for row in &rows {
            let (from, until) = (since, ends.next().transpose()?.unwrap_or(i64::MAX));
            since = until;
            let brand = row.parse("name")?;
            if accepted.contains(&brand) || others.contains(&brand) {
                continue;
            }
            let alive = sql("SELECT 1 AS one FROM secret s JOIN credential k ON k.id = s.credential
                             WHERE s.created_at >= $1 AND s.created_at < $2 AND (s.ends_at IS NULL OR s.ends_at > $3)
                               AND k.deleted_at IS NULL AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > $3)
                             LIMIT 1");
            if read.optional(alive.bind(from).bind(until).bind(now)).await?.is_some() {
                others.push(brand);
            }
        }
        Ok(others)
    }
}
