//! Reads. A view always knows whose eyes it has: ids outside its reach look absent.

use claviger_core::Reach;
use claviger_token::OrganizationId;

use crate::{
    Store,
    error::StoreError,
    sql::{Executor, Query, Row, text},
};

/// Reads within a reach, from the pool or inside a transaction. Each noun adds its own in its file.
pub struct View<'a> {
    pub(crate) executor: Executor<'a>,
    pub(crate) reach: Reach,
}

/// One page of a list: newest first, by id.
#[derive(Debug, Clone, Copy)]
pub struct Page<Id> {
    /// Where the page before ended.
    pub after: Option<Id>,
    /// How many at most.
    pub limit: u32,
}

impl Store {
    pub(crate) fn read(&self) -> Executor<'_> {
        Executor::Pools(&self.database.pools)
    }

    /// Reads as somebody with this reach.
    pub fn within(&self, reach: Reach) -> View<'_> {
        View { executor: self.read(), reach }
    }
}

impl View<'_> {
    /// Adds the reach to a query whose `WHERE` stands already; `column` holds the organization.
    pub(crate) fn bound(&self, query: Query, column: &str) -> Query {
        bound_to(self.reach, query, column)
    }

    /// For a list: the reach, the asked-for organization, and the page.
    pub(crate) async fn page<Id: std::fmt::Display>(
        &mut self,
        query: Query,
        column: &str,
        organization: Option<OrganizationId>,
        page: &Page<Id>,
        id: &str,
    ) -> Result<Vec<Row>, StoreError> {
        let query = self
            .bound(query, column)
            .and_if(&format!(" AND {column} = ?"), organization.map(text))
            .and_if(&format!(" AND {id} < ?"), page.after.as_ref().map(text))
            .and(&format!(" ORDER BY {id} DESC"))
            .and_bind(" LIMIT ?", i64::from(page.limit));
        self.executor.all(query).await
    }
}

/// The same for whoever has no view at hand.
pub(crate) fn bound_to(reach: Reach, query: Query, column: &str) -> Query {
    match reach {
        Reach::Instance => query,
        Reach::Organization(id) => query.and_bind(&format!(" AND {column} = ?"), text(id)),
    }
}

/// `q` as a pattern for `LOWER(name) LIKE LOWER(?) ESCAPE '\'`. Both sides go through the engine's `LOWER`, which may
/// know no letters but the Latin ones: what was typed must find at least itself.
pub(crate) fn contains(q: &str) -> String {
    let mut pattern = String::from("%");
    for character in q.chars() {
        if matches!(character, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(character);
    }
    pattern.push('%');
    pattern
}
