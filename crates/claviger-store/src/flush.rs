//! Counts that a process writes over and over, each time once: a COMMIT whose answer is lost may have been done, and whoever tries again
//! finds out by one row.

use jiff::Timestamp;
use rand::CryptoRng;

use crate::{
    error::StoreError,
    sql::{WriteTransaction, sql},
};

/// Which write of whom. It stays with what is written until that is known to be done.
#[derive(Debug, Clone, Default)]
pub struct Flush {
    /// By whom: what that one wrote last is told by its row in `usage_flush`. Nobody's before the first.
    writer: Option<String>,
    /// When it was begun, in ms; higher than that of the one before.
    at: i64,
}

impl Flush {
    /// Goes on to the next write of the same writer.
    pub fn advance(&mut self, now: Timestamp, rng: &mut (dyn CryptoRng + Send)) {
        self.writer.get_or_insert_with(|| format!("{:016x}{:016x}", rng.next_u64(), rng.next_u64()));
        self.at = now.as_millisecond().max(self.at + 1);
    }
}

impl WriteTransaction {
    /// Notes that this is written; `false` if it was before, and only the answer to its commit did not arrive.
    pub(crate) async fn note_flush(&mut self, flush: &Flush) -> Result<bool, StoreError> {
        let note = sql("INSERT INTO usage_flush (writer, at) VALUES ($1, $2)
                        ON CONFLICT (writer) DO UPDATE SET at = excluded.at WHERE usage_flush.at < excluded.at");
        Ok(self.execute(note.bind(flush.writer.clone()).bind(flush.at)).await? > 0)
    }
}
