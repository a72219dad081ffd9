//! What counts once, on any number of nodes: ids of assertions and of proofs, as hashes. The room must not know what they are of.

use jiff::Timestamp;

use crate::{
    Store,
    error::StoreError,
    sql::{Executor, WriteTransaction, sql},
};

impl Store {
    /// Whether this is the first use: of all who use it at once, anywhere, exactly one is told so, and it is stored by then. It
    /// stays known at least until `expires_at`, from when on it must not count anyway. Not a change: nothing is audited.
    pub async fn use_once(&self, key: [u8; 32], expires_at: Timestamp) -> Result<bool, StoreError> {
        // Whoever repeats what was used long ago waits for no writer, and keeps none from others.
        let known = sql("SELECT 1 FROM used_jti WHERE key = $1").bind(key);
        if Executor::Pools(&self.database.pools).optional(known).await?.is_some() {
            return Ok(false);
        }
        let insert = sql("INSERT INTO used_jti (key, expires_at) VALUES ($1, $2) ON CONFLICT (key) DO NOTHING");
        let mut transaction = WriteTransaction::begin(&self.database.pools).await?;
        let inserted = transaction.execute(insert.bind(key).bind(expires_at)).await?;
        transaction.commit().await?;
        Ok(inserted == 1)
    }
}
