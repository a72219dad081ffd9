//! Lists of credentials in other orders than by age, a page at a time. Each order has an index, so that a page costs the same
//! however many there are.

use claviger_core::Credential;
use claviger_token::CredentialId;

use crate::{
    credential::{COLUMNS, CredentialFilter, filtered},
    error::StoreError,
    sql::{Row, Value, sql, text},
    view::{Page, View},
};

/// In which order a list stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Order {
    /// What was made last comes first.
    #[default]
    Newest,
    /// What was made first does.
    Oldest,
    /// By name, whatever the letters' case.
    Name,
    /// What ends next comes first, and what never ends last.
    EndsNext,
}

/// After every end that there is; the text of the index.
const END: &str = "COALESCE(k.expires_at, 9223372036854775807)";

impl View<'_> {
    /// A page of them with their newest secrets. A page after one that is not within reach, or not there, is the first.
    pub async fn credentials_in(
        &mut self,
        order: Order,
        filter: &CredentialFilter,
        page: &Page<CredentialId>,
    ) -> Result<Vec<Credential>, StoreError> {
        let place = match page.after {
            Some(after) => self.place(order, after).await?,
            None => None,
        };
        let query = sql("SELECT ").and(COLUMNS).and(" FROM credential k WHERE k.deleted_at IS NULL");
        let query = self.bound(filtered(query, filter), "k.organization");
        let query = query.and_if(" AND k.organization = ?", filter.organization.map(text));
        let key = order.key();
        let query = match (place, key) {
            (None, _) => query,
            (Some((_, id)), None) if order == Order::Oldest => query.and_bind(" AND k.id > ?", id),
            (Some((_, id)), None) => query.and_bind(" AND k.id < ?", id),
            (Some((value, id)), Some(key)) => {
                query.and_bind(&format!(" AND ({key}, k.id) > (?"), value).and_bind(", ?)", id)
            }
        };
        let query = match (order, key) {
            (_, Some(key)) => query.and(&format!(" ORDER BY {key}, k.id")),
            (Order::Oldest, None) => query.and(" ORDER BY k.id"),
            (Order::Newest | Order::Name | Order::EndsNext, None) => query.and(" ORDER BY k.id DESC"),
        };
        let rows = self.executor.all(query.and_bind(" LIMIT ?", i64::from(page.limit))).await?;
        self.with_secrets(&rows).await
    }

    /// Where a credential stands in an order, be it deleted meanwhile.
    async fn place(&mut self, order: Order, id: CredentialId) -> Result<Option<(Value, Value)>, StoreError> {
        let query = sql(&format!("SELECT LOWER(k.name) AS name, {END} AS ends_at FROM credential k WHERE 1 = 1"));
        let query = self.bound(query.and_bind(" AND k.id = ?", text(id)), "k.organization");
        let found = self.executor.optional(query).await?;
        let value = |row: &Row| match order {
            Order::Newest | Order::Oldest | Order::Name => row.text("name").map(Value::from),
            Order::EndsNext => row.int("ends_at").map(Value::from),
        };
        found.as_ref().map(|row| Ok((value(row)?, text(id)))).transpose()
    }
}

impl Order {
    /// What is compared before the id, if anything is.
    fn key(self) -> Option<&'static str> {
        match self {
            Self::Newest | Self::Oldest => None,
            Self::Name => Some("LOWER(k.name)"),
            Self::EndsNext => Some(END),
        }
    }
}
