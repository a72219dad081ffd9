//! What users prove themselves with, in storage: columns of their row, and recovery codes.

use claviger_core::{Authenticators, PasswordHash, Sealed, Totp};
use claviger_token::UserId;
use jiff::Timestamp;

use crate::{
    Store,
    error::StoreError,
    sql::{Executor, Query, Row, Value, sql, text},
    tx::Tx,
};

const COLUMNS: &str =
    "SELECT id, email, name, disabled_at, password, password_set_at, totp_seed, totp_confirmed_at, totp_step
                       FROM person WHERE deleted_at IS NULL";

impl Store {
    /// Those of whoever has this address, in lower case.
    pub async fn authenticators_by_email(&self, email_key: &str) -> Result<Option<Authenticators>, StoreError> {
        one(&mut self.read(), sql(COLUMNS).and_bind(" AND email_key = ?", email_key)).await
    }

    /// Those of a user.
    pub async fn authenticators(&self, user: UserId) -> Result<Option<Authenticators>, StoreError> {
        one(&mut self.read(), sql(COLUMNS).and_bind(" AND id = ?", text(user))).await
    }

    /// How many recovery codes a user has left.
    pub async fn recovery_codes_left(&self, user: UserId) -> Result<usize, StoreError> {
        left(&mut self.read(), user).await
    }
}

impl Tx<'_> {
    /// Those of a user: nobody else changes them before the end.
    pub async fn authenticators(&mut self, user: UserId) -> Result<Option<Authenticators>, StoreError> {
        let mut executor = Executor::Transaction { transaction: &mut self.inner, lock: true };
        one(&mut executor, sql(COLUMNS).and_bind(" AND id = ?", text(user))).await
    }

    /// Replaces password and authenticator app.
    pub async fn save_authenticators(&mut self, new: &Authenticators) -> Result<(), StoreError> {
        let update =
            sql("UPDATE person SET password = $2, password_set_at = $3, totp_seed = $4, totp_confirmed_at = $5,
                              totp_step = $6 WHERE id = $1");
        let totp = new.totp.as_ref();
        let update = update
            .bind(text(new.user))
            .bind(new.password.as_ref().map(|hash| hash.as_str().to_owned()))
            .bind(new.password_set_at)
            .bind(Value::Bytes(totp.map(|totp| totp.seed.0.clone())))
            .bind(totp.map(|totp| totp.enabled_at))
            .bind(totp.and_then(|totp| totp.last_step));
        self.execute(update).await.map(drop)
    }

    /// Uses up the code of a step of time, and with it all earlier ones. Of two who present it at once, one gets in.
    pub async fn use_totp_step(&mut self, user: UserId, step: i64) -> Result<bool, StoreError> {
        let update = sql("UPDATE person SET totp_step = $2 WHERE id = $1 AND (totp_step IS NULL OR totp_step < $2)");
        Ok(self.execute(update.bind(text(user)).bind(step)).await? > 0)
    }

    /// Gives a user these recovery codes and no others.
    pub async fn replace_recovery_codes(&mut self, user: UserId, digests: &[[u8; 32]]) -> Result<(), StoreError> {
        self.execute(sql("DELETE FROM recovery_code WHERE person = $1").bind(text(user))).await?;
        for digest in digests {
            let insert = sql("INSERT INTO recovery_code (person, digest) VALUES ($1, $2)");
            self.execute(insert.bind(text(user)).bind(*digest)).await?;
        }
        Ok(())
    }

    /// Uses up a recovery code, and tells how many are left; `None` if it is none of theirs, or used already.
    pub async fn use_recovery_code(
        &mut self,
        user: UserId,
        digest: [u8; 32],
        now: Timestamp,
    ) -> Result<Option<usize>, StoreError> {
        let update = sql("UPDATE recovery_code SET used_at = $3 WHERE person = $1 AND digest = $2 AND used_at IS NULL");
        if self.execute(update.bind(text(user)).bind(digest).bind(now)).await? == 0 {
            return Ok(None);
        }
        left(&mut self.inner.read(), user).await.map(Some)
    }
}

async fn one(executor: &mut Executor<'_>, query: Query) -> Result<Option<Authenticators>, StoreError> {
    executor.optional(query).await?.as_ref().map(read).transpose()
}

async fn left(executor: &mut Executor<'_>, user: UserId) -> Result<usize, StoreError> {
    let query = sql("SELECT COUNT(*) AS left_over FROM recovery_code WHERE person = $1 AND used_at IS NULL");
    usize::try_from(executor.one(query.bind(text(user))).await?.int("left_over")?).map_err(StoreError::damaged)
}

fn read(row: &Row) -> Result<Authenticators, StoreError> {
    let totp = match (row.bytes_or_null("totp_seed")?, row.time_or_null("totp_confirmed_at")?) {
        (Some(seed), Some(enabled_at)) => {
            Some(Totp { seed: Sealed(seed), enabled_at, last_step: row.int_or_null("totp_step")? })
        }
        _ => None,
    };
    let password = row.text_or_null("password")?.map(PasswordHash::from_stored).transpose();
    Ok(Authenticators {
        user: row.parse("id")?,
        email: row.text("email")?,
        name: row.text_or_null("name")?,
        disabled: row.time_or_null("disabled_at")?.is_some(),
        password: password.map_err(StoreError::damaged)?,
        password_set_at: row.time_or_null("password_set_at")?,
        totp,
    })
}
