//! Who users are to outside OpenID Connect providers, in storage.

use claviger_core::Identity;
use claviger_token::UserId;

use crate::{
    Store,
    error::StoreError,
    sql::{Executor, Query, Row, sql, text},
    tx::Tx,
};

const COLUMNS: &str = "SELECT issuer, subject, person, created_at FROM identity";

impl Store {
    /// Whether a provider knows a user. That ends only with the user.
    pub async fn is_known_at(&self, user: UserId, issuer: &str) -> Result<bool, StoreError> {
        Ok(one(&mut self.read(), of(user, issuer)).await?.is_some())
    }
}

impl Tx<'_> {
    /// One. It is not locked: it goes only with its user, whom whoever deletes them locks first.
    pub async fn identity(&mut self, issuer: &str, subject: &str) -> Result<Option<Identity>, StoreError> {
        let query = sql(COLUMNS).and_bind(" WHERE issuer = ?", issuer).and_bind(" AND subject = ?", subject);
        one(&mut self.inner.read(), query).await
    }

    /// The one that a user has at a provider.
    pub async fn identity_of(&mut self, user: UserId, issuer: &str) -> Result<Option<Identity>, StoreError> {
        one(&mut self.inner.read(), of(user, issuer)).await
    }

    /// Adds one. Of two who add the same at once, the second is told that it is taken.
    pub async fn insert_identity(&mut self, new: &Identity) -> Result<(), StoreError> {
        let insert = sql("INSERT INTO identity (issuer, subject, person, created_at) VALUES ($1, $2, $3, $4)");
        let insert = insert.bind(new.issuer.as_str()).bind(new.subject.as_str());
        self.execute(insert.bind(text(new.user)).bind(new.created_at)).await.map(drop)
    }
}

fn of(user: UserId, issuer: &str) -> Query {
    sql(COLUMNS).and_bind(" WHERE person = ?", text(user)).and_bind(" AND issuer = ?", issuer)
}

async fn one(executor: &mut Executor<'_>, query: Query) -> Result<Option<Identity>, StoreError> {
    executor.optional(query).await?.as_ref().map(read).transpose()
}

fn read(row: &Row) -> Result<Identity, StoreError> {
    Ok(Identity {
        issuer: row.text("issuer")?,
        subject: row.text("subject")?,
        user: row.parse("person")?,
        created_at: row.time("created_at")?,
    })
}
