//! Opaque access tokens in storage: what each says, by its digest. A token that is a JWT says it by itself and is not kept. Of both, those that ended by
//! themselves are listed until nobody would take them any more.
//!
//! Issuing one is use, and no change: it stands outside of [`crate::Tx`], like counts.

use std::collections::HashMap;

use claviger_core::Digest;
use claviger_token::{AccessTokenClaims, AccessTokenId, CredentialId};
use jiff::Timestamp;

use crate::{
    Store,
    error::StoreError,
    found::Secret,
    look_ups::Read,
    sql::{WriteTransaction, sql, text},
    tx::Tx,
    view::View,
};

/// How many tokens of one credential are listed by themselves.
const MOST_OF_ONE: i64 = 100;

impl Store {
    /// Keeps what a new opaque token says until a day after its end.
    pub async fn insert_access_token(&self, claims: &AccessTokenClaims, digest: &Digest) -> Result<(), StoreError> {
        let insert =
            sql("INSERT INTO access_token (digest, pepper, id, claims, expires_at) VALUES ($1, $2, $3, $4, $5)");
        let insert = insert
            .bind(digest.bytes)
            .bind(digest.pepper)
            .bind(text(claims.jti))
            .bind(serde_json::to_string(claims).map_err(StoreError::damaged)?)
            .bind(Timestamp::from_second(claims.exp).map_err(StoreError::damaged)?);
        let mut transaction = WriteTransaction::begin(&self.database.pools).await?;
        transaction.execute(insert).await?;
        transaction.commit().await
    }

    /// What the tokens behind these digests say, as far as there are any. One of which only a later version understands all
    /// counts as none: what is not understood may be a restriction.
    pub(crate) async fn read_access_tokens(&self, secrets: Vec<Secret>) -> Read<AccessTokenClaims> {
        let query = sql("SELECT digest, claims FROM access_token WHERE digest IN ");
        let query = query.and_list(secrets.into_iter().map(Into::into));
        let mut found = HashMap::new();
        for row in self.read().all(query).await? {
            if let Ok(claims) = serde_json::from_str(&row.text("claims")?) {
                found.insert(row.hash("digest")?, Ok(claims));
            }
        }
        Ok(found)
    }
}

impl Tx<'_> {
    /// Lists a token that ends by itself, until it would have ended anyway. One that is listed already stays so. If many of one
    /// credential are, all that were made from it end instead: every verifier holds the list, and it is short.
    pub async fn revoke_access_token(
        &mut self,
        id: AccessTokenId,
        credential: CredentialId,
        expires_at: Timestamp,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let listed = sql("SELECT COUNT(*) AS listed FROM revoked_token WHERE credential = $1 AND expires_at > $2");
        let listed = self.inner.read().one(listed.bind(text(credential)).bind(now)).await?;
        if listed.int("listed")? >= MOST_OF_ONE {
            self.raise_epoch_of(credential);
            let shorten = sql("DELETE FROM revoked_token WHERE credential = $1").bind(text(credential));
            return self.execute(shorten).await.map(drop);
        }
        let insert = sql("INSERT INTO revoked_token (id, credential, expires_at, revoked_at) VALUES ($1, $2, $3, $4)
                          ON CONFLICT DO NOTHING");
        self.execute(insert.bind(text(id)).bind(text(credential)).bind(expires_at).bind(now)).await.map(drop)
    }
}

impl View<'_> {
    /// Every token that ended by itself and would still be taken at `now`.
    pub async fn revoked_access_tokens(&mut self, now: Timestamp) -> Result<Vec<AccessTokenId>, StoreError> {
        let query = sql("SELECT id FROM revoked_token WHERE expires_at > $1").bind(now);
        self.executor.all(query).await?.iter().map(|row| row.parse("id")).collect()
    }
}
