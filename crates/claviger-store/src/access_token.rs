//! Opaque access tokens in storage: what each says, by its digest. A token that is a JWT says it by itself and is not kept.
//!
//! Issuing one is use, and no change: it stands outside of [`Tx`](crate::Tx), like counts.

use std::collections::HashMap;

use claviger_core::Digest;
use claviger_token::AccessTokenClaims;
use jiff::Timestamp;

use crate::{
    Store,
    error::StoreError,
    found::Secret,
    look_ups::Read,
    sql::{WriteTransaction, sql, text},
};

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
