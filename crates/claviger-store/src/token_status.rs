//! Where the state of access tokens is told: one place in each week's lists for each epoch of a credential that tokens were made
//! from, and which of them no longer count.
//!
//! Giving a place is use, and no change: it stands outside of [`Tx`](crate::Tx), like counts. It is stored before anybody has a
//! token of it, so that none is given twice.

use std::time::Duration;

use claviger_token::{CredentialId, ServiceAccountId, StatusList, TokenStatus};
use jiff::Timestamp;
use rand::CryptoRng;

use crate::{
    Store,
    dialect::TRY_PLACES,
    error::StoreError,
    sql::{Row, WriteTransaction, sql, text},
};

/// How many places of a list are tried. A list of which a quarter is taken will soon have refused all of them to somebody, and the
/// next list begins: so there is no end to places, and none to be searched for.
const TRIES: u32 = 8;

/// How often, and after which pause, somebody tries to give a place while something is taken from somebody: for as long as a transaction may
/// last, in all.
const TRIES_TO_GIVE: u32 = 250;
const PAUSE: Duration = Duration::from_millis(20);

const WEEK_SECONDS: i64 = 7 * 24 * 60 * 60;

/// One list: those who need a place in a week begin with the first, and go on with the next when it is no longer sparse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct StatusShard {
    /// Weeks since 1970.
    pub week: i64,
    /// Which of this week, from 0.
    pub shard: i64,
}

/// A place in a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct StatusPlace {
    /// Which list.
    pub list: StatusShard,
    /// Where in it.
    pub place: u64,
}

impl StatusShard {
    /// In which week this is.
    pub fn week_of(now: Timestamp) -> i64 {
        now.as_second().div_euclid(WEEK_SECONDS)
    }
}

impl Store {
    /// The place that an epoch of a credential has in the lists of a week. It stays the same; if there is none yet, it is one that nobody
    /// had. What is read of the credential after this either is what it may do, or its tokens end with what is taken from it.
    pub async fn status_place(
        &self,
        week: i64,
        credential: CredentialId,
        epoch: u64,
        rng: &mut (dyn CryptoRng + Send),
    ) -> Result<StatusPlace, StoreError> {
        let epoch = i64::try_from(epoch).map_err(StoreError::damaged)?;
        let has = sql("SELECT shard, place FROM token_status WHERE credential = $1 AND week = $2 AND epoch = $3");
        let has = has.bind(text(credential)).bind(week).bind(epoch);
        if let Some(row) = self.read().optional(has.clone()).await? {
            return place(week, &row);
        }
        let mut transaction = self.giving_places().await?;
        let newest = sql("SELECT COALESCE(MAX(shard), 0) AS shard FROM token_status WHERE week = $1").bind(week);
        let mut shard = transaction.read().one(newest).await?.int("shard")?;
        loop {
            for _ in 0..TRIES {
                let tried = i64::try_from(rng.next_u64() % StatusList::PLACES).map_err(StoreError::damaged)?;
                let take =
                    sql("INSERT INTO token_status (week, shard, place, credential, epoch) VALUES ($1, $2, $3, $4, $5)
                                ON CONFLICT DO NOTHING");
                let take = take.bind(week).bind(shard).bind(tried).bind(text(credential)).bind(epoch);
                transaction.execute(take).await?;
                // Either the place is somebody's, or another node gave this epoch one meanwhile.
                if let Some(row) = transaction.read().optional(has.clone()).await? {
                    transaction.commit().await?;
                    return place(week, &row);
                }
            }
            shard += 1;
        }
    }

    /// Begins a transaction beside which nothing is taken from anybody.
    async fn giving_places(&self) -> Result<WriteTransaction, StoreError> {
        for _ in 0..TRIES_TO_GIVE {
            let mut transaction = WriteTransaction::begin(&self.database.pools).await?;
            if transaction.try_lock(TRY_PLACES).await? {
                return Ok(transaction);
            }
            drop(transaction);
            tokio::time::sleep(PAUSE).await;
        }
        Err(StoreError::TooSlow)
    }

    /// Keeps that a client gets tokens in exchange for a credential of somebody else's in a week. What is read of the client after this either is
    /// that it is stopped, or what stops it ends these tokens.
    pub async fn exchanged_by(
        &self,
        week: i64,
        client: ServiceAccountId,
        credential: CredentialId,
    ) -> Result<(), StoreError> {
        let mut transaction = self.giving_places().await?;
        let insert =
            sql("INSERT INTO token_client (client, credential, week) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING");
        transaction.execute(insert.bind(text(client)).bind(text(credential)).bind(week)).await?;
        transaction.commit().await
    }

    /// The places of a list that do not count, or not for now, as the credentials are at this moment; `None` if nobody has a place in it.
    pub async fn status_list(&self, list: StatusShard) -> Result<Option<Vec<(u64, TokenStatus)>>, StoreError> {
        let StatusShard { week, shard } = list;
        let any = sql("SELECT place FROM token_status WHERE week = $1 AND shard = $2 LIMIT 1");
        if self.read().optional(any.bind(week).bind(shard)).await?.is_none() {
            return Ok(None);
        }
        let query = sql("SELECT t.place, k.revoked_at, k.epoch, t.epoch AS given
                         FROM token_status t JOIN credential k ON k.id = t.credential
                         WHERE t.week = $1 AND t.shard = $2
                           AND (k.revoked_at IS NOT NULL OR k.epoch > t.epoch OR k.disabled_at IS NOT NULL
                                OR k.pending_since IS NOT NULL)");
        let rows = self.read().all(query.bind(week).bind(shard)).await?;
        let read = |row: &Row| {
            let place = u64::try_from(row.int("place")?).map_err(StoreError::damaged)?;
            let is_dead = row.int_or_null("revoked_at")?.is_some() || row.int("epoch")? > row.int("given")?;
            Ok((place, if is_dead { TokenStatus::Invalid } else { TokenStatus::Suspended }))
        };
        rows.iter().map(read).collect::<Result<_, _>>().map(Some)
    }

    /// Credentials that tokens were made from lately and that lost something or ended since then, each with the lowest epoch whose tokens
    /// count now.
    pub async fn raised_epochs(&self, since: Timestamp) -> Result<Vec<(CredentialId, u64)>, StoreError> {
        let query = sql(
            "SELECT k.id, CASE WHEN k.revoked_at IS NULL AND k.disabled_at IS NULL THEN k.epoch ELSE k.epoch + 1 END
                             AS min_epoch
                         FROM credential k WHERE k.epoch_raised_at >= $1
                           AND EXISTS (SELECT 1 FROM token_status t WHERE t.credential = k.id)
                         ORDER BY k.id",
        );
        let rows = self.read().all(query.bind(since)).await?;
        let read = |row: &Row| {
            let min_epoch = u64::try_from(row.int("min_epoch")?).map_err(StoreError::damaged)?;
            Ok((row.parse("id")?, min_epoch))
        };
        rows.iter().map(read).collect()
    }
}

fn place(week: i64, row: &Row) -> Result<StatusPlace, StoreError> {
    let list = StatusShard { week, shard: row.int("shard")? };
    Ok(StatusPlace { list, place: u64::try_from(row.int("place")?).map_err(StoreError::damaged)? })
}
