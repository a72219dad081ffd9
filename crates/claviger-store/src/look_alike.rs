//! Credentials whose names can be taken for each other. What a name looks like is [`Name::skeleton`]'s to say.

use claviger_core::{Credential, Name};
use claviger_token::{CredentialId, PrincipalId};
use jiff::Timestamp;

use crate::{
    dialect::Pools,
    error::StoreError,
    sql::{Executor, Row, WriteTransaction, sql, text},
    view::View,
};

/// How many are found at most: who reads them wants to know that there are some.
const MOST: usize = 5;

/// How many skeletons are computed at a time.
const BATCH: i64 = 500;

/// A credential whose name can be taken for another's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LookAlike {
    /// Which.
    pub id: CredentialId,
    /// Whose.
    pub principal: PrincipalId,
    /// How people call it.
    pub name: Name,
}

impl View<'_> {
    /// Living credentials of the same organization that are called alike, or the same by another principal. Who calls
    /// several of their own the same means to.
    pub async fn look_alikes(&mut self, of: &Credential, now: Timestamp) -> Result<Vec<LookAlike>, StoreError> {
        let (skeleton, name, principal) = (of.name.skeleton(), text(&of.name), text(of.principal));
        // Below and above instead of "not this one", and column by column, so that an index leads past a thousand of the same name
        // and owner: SQLite would look at each of them for a comparison of pairs.
        let sides = [
            (" AND k.name < ?", None),
            (" AND k.name > ?", None),
            (" AND k.name = ?", Some(" AND k.principal < ?")),
            (" AND k.name = ?", Some(" AND k.principal > ?")),
        ];
        let mut query = sql("");
        for (index, (by_name, by_principal)) in sides.into_iter().enumerate() {
            query = query
                .and(if index > 0 { " UNION ALL " } else { "" })
                .and(
                    "SELECT * FROM (SELECT k.id, k.principal, k.name FROM credential k
                                    WHERE k.revoked_at IS NULL AND k.deleted_at IS NULL",
                )
                .and_bind(" AND k.organization = ?", text(of.organization))
                .and_bind(" AND k.skeleton = ?", skeleton.as_str())
                .and_bind(by_name, name.clone());
            if let Some(by_principal) = by_principal {
                query = query.and_bind(by_principal, principal.clone());
            }
            query = query.and_bind(" AND (k.expires_at IS NULL OR k.expires_at > ?)", now);
            query = self.bound(query, "k.organization").and(&format!(" LIMIT {MOST}) AS side_{index}"));
        }
        let found = self.executor.all(query).await?;
        found.iter().take(MOST).map(read).collect()
    }
}

fn read(row: &Row) -> Result<LookAlike, StoreError> {
    Ok(LookAlike {
        id: row.parse("id")?,
        principal: row.parse("principal")?,
        name: Name::parse(&row.text("name")?).map_err(StoreError::damaged)?,
    })
}

/// Computes the skeletons that earlier schemas did not have. Safe to run on several nodes at once, and nothing where there are
/// none.
pub(crate) async fn complete(pools: &Pools) -> Result<(), StoreError> {
    loop {
        let query = sql("SELECT id, name FROM credential WHERE skeleton IS NULL").and_bind(" LIMIT ?", BATCH);
        let rows = Executor::Pools(pools).all(query).await?;
        if rows.is_empty() {
            return Ok(());
        }
        let mut update = sql("UPDATE credential SET skeleton = v.column2 FROM (VALUES ");
        for (index, row) in rows.iter().enumerate() {
            // What is no name looks like nothing, and keeps nobody from starting.
            let skeleton = Name::parse(&row.text("name")?).map(|name| name.skeleton()).unwrap_or_default();
            update = update.and(if index > 0 { ", " } else { "" }).and_list([row.text("id")?.into(), skeleton.into()]);
        }
        let mut transaction = WriteTransaction::begin_alone(pools).await?;
        transaction.execute(update.and(") AS v WHERE credential.id = v.column1")).await?;
        transaction.commit().await?;
    }
}
