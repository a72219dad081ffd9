//! Lists of credentials in other orders than by age, a page at a time. Each order has an index, so that a page costs the same
//! however many there are.

use claviger_core::{Credential, CredentialStatus, Kind};
use claviger_token::{
    ApiKeyId, CertificateId, ClientSecretId, CredentialId, FederationId, PersonalAccessTokenId, PublicKeyId, TypedId,
};
use jiff::Timestamp;

use crate::{
    credential::{COLUMNS, CredentialFilter, filtered},
    error::StoreError,
    sql::{Query, Row, Value, sql, text},
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

/// A place in an order: what is compared before the id, if anything is, and the id.
type Place = (Option<Value>, String);

impl View<'_> {
    /// How many one page looks at: what few of them match is told in several pages, and not after very many were read.
    pub const LOOKED_AT: u32 = 10_000;

    /// A page of them with their newest secrets. A page after one that is not within reach, or not there, is the first.
    pub async fn credentials_in(
        &mut self,
        order: Order,
        filter: &CredentialFilter,
        page: &Page<CredentialId>,
    ) -> Result<Vec<Credential>, StoreError> {
        let after = self.after(order, page).await?;
        self.listed(order, filter, after, None, page.limit).await
    }

    /// The same among the next 10,000, if an index finds no fewer; and if the page is not full although there are more, after whom to go on.
    pub async fn look_through(
        &mut self,
        order: Order,
        filter: &CredentialFilter,
        page: &Page<CredentialId>,
    ) -> Result<(Vec<Credential>, Option<CredentialId>), StoreError> {
        let after = self.after(order, page).await?;
        let end = match is_looked_through(order, filter) {
            true => self.end_of_look(order, filter, after.clone()).await?,
            false => None,
        };
        let found = self.listed(order, filter, after, end.clone(), page.limit).await?;
        let end = end.filter(|_| found.len() < page.limit as usize);
        let end = end.map(|(_, id)| id.parse().map_err(StoreError::damaged)).transpose()?;
        Ok((found, end))
    }

    async fn listed(
        &mut self,
        order: Order,
        filter: &CredentialFilter,
        after: Option<Place>,
        end: Option<Place>,
        limit: u32,
    ) -> Result<Vec<Credential>, StoreError> {
        let query = sql("SELECT ").and(COLUMNS).and(" FROM credential k WHERE k.deleted_at IS NULL");
        let query = self.bound(filtered(query, filter), "k.organization");
        let query = query.and_if(" AND k.organization = ?", filter.organization.map(text));
        let query = order.among(query, filter);
        let query = order.until(order.behind(query, after), end).and(order.by());
        let rows = self.executor.all(query.and_bind(" LIMIT ?", i64::from(limit))).await?;
        self.with_secrets(&rows).await
    }

    /// The last that one page looks at, if there are so many: walked to by the index of the order alone.
    async fn end_of_look(
        &mut self,
        order: Order,
        filter: &CredentialFilter,
        after: Option<Place>,
    ) -> Result<Option<Place>, StoreError> {
        let key = order.key();
        let query = sql(&format!("SELECT {} AS value, k.id FROM credential k WHERE 1 = 1", key.unwrap_or("k.id")));
        let query =
            self.bound(query, "k.organization").and_if(" AND k.organization = ?", filter.organization.map(text));
        let query = match key {
            Some(_) => query.and_if(" AND k.kind = ?", filter.kind.map(Kind::as_str)),
            None => order.among(query.and_if(" AND k.principal = ?", filter.principal.map(text)), filter),
        };
        // And one more, for of exactly so many the last is no place to go on from.
        let query =
            order.behind(query, after).and(order.by()).and_bind(" LIMIT 2 OFFSET ?", i64::from(Self::LOOKED_AT) - 1);
        match &*self.executor.all(query).await? {
            [last, _] => Ok(Some((order.value(last)?, last.text("id")?))),
            _ => Ok(None),
        }
    }

    async fn after(&mut self, order: Order, page: &Page<CredentialId>) -> Result<Option<Place>, StoreError> {
        match page.after {
            Some(after) => self.place(order, after).await,
            None => Ok(None),
        }
    }

    /// Where a credential stands in an order, be it deleted meanwhile.
    async fn place(&mut self, order: Order, id: CredentialId) -> Result<Option<Place>, StoreError> {
        let key = order.key().unwrap_or("k.id");
        let query = sql(&format!("SELECT {key} AS value FROM credential k WHERE 1 = 1"));
        let query = self.bound(query.and_bind(" AND k.id = ?", text(id)), "k.organization");
        let found = self.executor.optional(query).await?;
        found.as_ref().map(|row| Ok((order.value(row)?, id.to_string()))).transpose()
    }
}

/// Whether there is no telling how many must be looked at for a page. Those of one principal are few, and then the order is not what they are
/// found by.
fn is_looked_through(order: Order, filter: &CredentialFilter) -> bool {
    let is_active = filter.status.is_some_and(|status| status.status == CredentialStatus::Active);
    let is_found = filter.expires_before.is_some()
        || filter.never_expires.is_some()
        || filter.rolling_at.is_some()
        || filter.waits;
    let is_live = filter.live_at.is_some() && !is_found;
    let is_sparse = filter.q.is_some() || filter.unused_since.is_some() || filter.created_by.is_some();
    let is_sparse = is_sparse || is_active || is_live;
    is_sparse && (filter.principal.is_none() || order.key().is_none())
}

/// The ids of a kind are between these.
fn ids_of(kind: Kind) -> [String; 2] {
    fn ids<Id: TypedId>() -> [String; 2] {
        [Timestamp::UNIX_EPOCH, Timestamp::MAX].map(|moment| Id::first_of(moment).to_string())
    }
    match kind {
        Kind::ApiKey => ids::<ApiKeyId>(),
        Kind::PersonalAccessToken => ids::<PersonalAccessTokenId>(),
        Kind::ClientSecret => ids::<ClientSecretId>(),
        Kind::PublicKey => ids::<PublicKeyId>(),
        Kind::Certificate => ids::<CertificateId>(),
        Kind::Federation => ids::<FederationId>(),
    }
}

impl Order {
    /// By age, kinds stand one after the other, for ids begin with them: only those of the kind are walked through.
    fn among(self, query: Query, filter: &CredentialFilter) -> Query {
        match filter.kind {
            Some(kind) if self.key().is_none() && filter.principal.is_none() => {
                let [first, last] = ids_of(kind);
                query.and_bind(" AND k.id >= ?", first).and_bind(" AND k.id <= ?", last)
            }
            _ => query,
        }
    }

    /// What is compared before the id, if anything is.
    fn key(self) -> Option<&'static str> {
        match self {
            Self::Newest | Self::Oldest => None,
            Self::Name => Some("LOWER(k.name)"),
            Self::EndsNext => Some(END),
        }
    }

    /// The same of a row, of its column `value`.
    fn value(self, row: &Row) -> Result<Option<Value>, StoreError> {
        Ok(match self {
            Self::Newest | Self::Oldest => None,
            Self::Name => Some(row.text("value")?.into()),
            Self::EndsNext => Some(row.int("value")?.into()),
        })
    }

    /// Those that stand behind a place.
    fn behind(self, query: Query, place: Option<Place>) -> Query {
        let operator = if self == Self::Newest { "<" } else { ">" };
        self.compared(query, operator, place)
    }

    /// Those that stand before a place, or there.
    fn until(self, query: Query, place: Option<Place>) -> Query {
        let operator = if self == Self::Newest { ">=" } else { "<=" };
        self.compared(query, operator, place)
    }

    fn compared(self, query: Query, operator: &str, place: Option<Place>) -> Query {
        match (place, self.key()) {
            // The first half says nothing that the second does not, but SQLite begins and ends in the index by it alone.
            (Some((Some(value), id)), Some(key)) => {
                let half = operator.trim_end_matches('=');
                let both = format!(" AND {key} {half}= ? AND ({key}, k.id) {operator} (?");
                query.and_bind(&both, value).and_bind(", ?)", id)
            }
            (Some((_, id)), _) => query.and_bind(&format!(" AND k.id {operator} ?"), id),
            (None, _) => query,
        }
    }

    fn by(self) -> &'static str {
        match self {
            Self::Newest => " ORDER BY k.id DESC",
            Self::Oldest => " ORDER BY k.id",
            Self::Name => " ORDER BY LOWER(k.name), k.id",
            Self::EndsNext => " ORDER BY COALESCE(k.expires_at, 9223372036854775807), k.id",
        }
    }
}
