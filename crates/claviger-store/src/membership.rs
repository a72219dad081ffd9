//! Who belongs to which organization, in storage.

use claviger_core::{Membership, RevokeReason, User};
use claviger_token::{CredentialId, OrganizationId, UserId};
use jiff::Timestamp;

use crate::{
    Store,
    credential::Owner,
    error::StoreError,
    sql::{Row, sql, text},
    tx::Tx,
    user,
    view::{Page, View, contains},
};

/// A membership, and whose it is.
#[derive(Debug, Clone, PartialEq)]
pub struct Member {
    /// Since when.
    pub membership: Membership,
    /// Who.
    pub user: User,
}

/// An organization as somebody who belongs to it knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Belonging {
    /// Which.
    pub organization: OrganizationId,
    /// Its handle in addresses.
    pub slug: String,
    /// What people call it.
    pub name: String,
}

impl Store {
    /// The organizations to which a user belongs, by name; `limit` at most.
    pub async fn belongings_of(&self, user: UserId, limit: u32) -> Result<Vec<Belonging>, StoreError> {
        let query = sql("SELECT o.id, o.slug, o.name FROM membership m JOIN organization o ON o.id = m.organization
                         WHERE m.person = $1 AND o.deleted_at IS NULL ORDER BY LOWER(o.name), o.id LIMIT $2");
        let rows = self.read().all(query.bind(text(user)).bind(i64::from(limit))).await?;
        let read = |row: &Row| {
            let (organization, slug, name) = (row.parse("id")?, row.text("slug")?, row.text("name")?);
            Ok(Belonging { organization, slug, name })
        };
        rows.iter().map(read).collect()
    }
}

impl View<'_> {
    /// One.
    pub async fn membership(
        &mut self,
        organization: OrganizationId,
        user: UserId,
    ) -> Result<Option<Membership>, StoreError> {
        let query = sql("SELECT organization, person, created_at FROM membership")
            .and_bind(" WHERE organization = ?", text(organization))
            .and_bind(" AND person = ?", text(user));
        let query = self.bound(query, "organization");
        let read = |row: &Row| {
            Ok(Membership {
                organization: row.parse("organization")?,
                user: row.parse("person")?,
                created_at: row.time("created_at")?,
            })
        };
        self.executor.optional(query).await?.as_ref().map(read).transpose()
    }

    /// Those of one organization whose address, name or external id contains `q`.
    pub async fn members(
        &mut self,
        organization: OrganizationId,
        q: Option<&str>,
        page: &Page<UserId>,
    ) -> Result<Vec<Member>, StoreError> {
        let query = sql("SELECT m.created_at AS joined_at, ").and(user::COLUMNS);
        let query = query.and(" FROM membership m JOIN person p ON p.id = m.person WHERE p.deleted_at IS NULL");
        let query = query.and_if(user::CONTAINS, q.map(contains));
        let rows = self.page(query, "m.organization", Some(organization), page, "m.person").await?;
        let read = |row: &Row| {
            let user = user::read(row)?;
            let membership = Membership { organization, user: user.id, created_at: row.time("joined_at")? };
            Ok(Member { membership, user })
        };
        rows.iter().map(read).collect()
    }

    /// Where a user belongs, as far as the reach goes.
    pub async fn organizations_of(&mut self, user: UserId) -> Result<Vec<OrganizationId>, StoreError> {
        let query = sql("SELECT organization FROM membership").and_bind(" WHERE person = ?", text(user));
        let query = self.bound(query, "organization").and(" ORDER BY organization");
        self.executor.all(query).await?.iter().map(|row| row.parse("organization")).collect()
    }
}

impl Tx<'_> {
    /// Adds one.
    pub async fn insert_membership(&mut self, new: &Membership) -> Result<(), StoreError> {
        let insert = sql("INSERT INTO membership (organization, person, created_at) VALUES ($1, $2, $3)");
        let insert = insert.bind(text(new.organization)).bind(text(new.user)).bind(new.created_at);
        self.execute(insert).await.map(drop)
    }

    /// Ends one, and with it what the user held there, the portal's sessions and links there, and the credentials there. Tells
    /// which credentials ended.
    pub async fn end_membership(
        &mut self,
        membership: &Membership,
        now: Timestamp,
    ) -> Result<Vec<CredentialId>, StoreError> {
        let (organization, user) = (membership.organization, membership.user);
        self.delete_assignments_at(organization, Some(user.into())).await?;
        for table in ["membership", "one_time_code", "session"] {
            let delete = sql(&format!("DELETE FROM {table} WHERE organization = $1 AND person = $2"));
            self.execute(delete.bind(text(organization)).bind(text(user))).await?;
        }
        self.take_back_approvals(user, Some(organization)).await?;
        self.end_credentials(Owner::Member(user, organization), RevokeReason::OwnerLeft, now).await
    }
}
