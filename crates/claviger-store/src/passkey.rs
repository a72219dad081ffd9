//! Passkeys in storage: public keys, by what their authenticators call them.

use claviger_core::{AuthenticatorTransports, Name, Passkey};
use claviger_token::{PasskeyId, UserId};

use crate::{
    Store,
    error::StoreError,
    sql::{Executor, Query, Row, sql, text},
    tx::Tx,
};

const COLUMNS: &str =
    "SELECT id, person, relying_party, credential, public_key, sign_count, transports, backup_eligible, backed_up, name,
                              created_at, used_at FROM passkey";

/// More than anybody has (`Passkey::MOST`).
const MOST_LISTED: i64 = 100;

impl Store {
    /// All of a user's, the oldest first.
    pub async fn passkeys_of(&self, user: UserId) -> Result<Vec<Passkey>, StoreError> {
        all_of(&mut self.read(), user).await
    }

    /// The one that its authenticator calls this.
    pub async fn passkey_by_credential(&self, credential: &[u8]) -> Result<Option<Passkey>, StoreError> {
        one(&mut self.read(), sql(COLUMNS).and_bind(" WHERE credential = ?", credential)).await
    }
}

impl Tx<'_> {
    /// All of a user's, as [`Store::passkeys_of`] tells them. They stay as they are while the user is locked.
    pub async fn passkeys_of(&mut self, user: UserId) -> Result<Vec<Passkey>, StoreError> {
        all_of(&mut self.inner.read(), user).await
    }

    /// Adds one. One that somebody has already, whoever it is, is taken.
    pub async fn insert_passkey(&mut self, new: &Passkey) -> Result<(), StoreError> {
        let insert = sql("INSERT INTO passkey (id, person, relying_party, credential, public_key, sign_count,
                              transports, backup_eligible, backed_up, name, created_at, used_at)
                          VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)");
        let insert = insert
            .bind(text(new.id))
            .bind(text(new.user))
            .bind(new.relying_party.as_str())
            .bind(new.credential.as_slice())
            .bind(new.key.as_slice())
            .bind(new.sign_count)
            .bind(new.transports.to_text())
            .bind(new.backup_eligible)
            .bind(new.backed_up)
            .bind(text(&new.name))
            .bind(new.created_at)
            .bind(new.used_at);
        self.execute(insert).await.map(drop)
    }

    /// Calls one of a user's otherwise, and tells whether it was still there.
    pub async fn rename_passkey(&mut self, new: &Passkey) -> Result<bool, StoreError> {
        let update = sql("UPDATE passkey SET name = $3 WHERE id = $1 AND person = $2");
        Ok(self.execute(update.bind(text(new.id)).bind(text(new.user)).bind(text(&new.name))).await? > 0)
    }

    /// Keeps that one was used, unless it is gone or counts further by now: of two who present one count, one gets in.
    pub async fn use_passkey(&mut self, before: &Passkey, after: &Passkey) -> Result<bool, StoreError> {
        let update = sql("UPDATE passkey SET sign_count = $3, backed_up = $4, used_at = $5
                          WHERE id = $1 AND person = $2 AND sign_count = $6");
        let update = update
            .bind(text(after.id))
            .bind(text(after.user))
            .bind(after.sign_count)
            .bind(after.backed_up)
            .bind(after.used_at)
            .bind(before.sign_count);
        Ok(self.execute(update).await? > 0)
    }

    /// Takes one of a user's away, and tells whether it was still there.
    pub async fn delete_passkey(&mut self, user: UserId, id: PasskeyId) -> Result<bool, StoreError> {
        let delete = sql("DELETE FROM passkey WHERE id = $1 AND person = $2").bind(text(id)).bind(text(user));
        Ok(self.execute(delete).await? > 0)
    }
}

async fn one(executor: &mut Executor<'_>, query: Query) -> Result<Option<Passkey>, StoreError> {
    executor.optional(query).await?.as_ref().map(read).transpose()
}

async fn all_of(executor: &mut Executor<'_>, user: UserId) -> Result<Vec<Passkey>, StoreError> {
    let query = sql(COLUMNS).and_bind(" WHERE person = ?", text(user)).and(" ORDER BY id");
    executor.all(query.and_bind(" LIMIT ?", MOST_LISTED)).await?.iter().map(read).collect()
}

fn read(row: &Row) -> Result<Passkey, StoreError> {
    Ok(Passkey {
        id: row.parse("id")?,
        user: row.parse("person")?,
        relying_party: row.text("relying_party")?,
        credential: row.bytes("credential")?,
        key: row.bytes("public_key")?,
        sign_count: row.count("sign_count")?,
        transports: AuthenticatorTransports::from_text(&row.text("transports")?),
        backup_eligible: row.flag("backup_eligible")?,
        backed_up: row.flag("backed_up")?,
        name: Name::parse(&row.text("name")?).map_err(StoreError::damaged)?,
        created_at: row.time("created_at")?,
        used_at: row.time_or_null("used_at")?,
    })
}
