//! Invitations in storage. What is stored of a link is a digest of its code.

use claviger_core::{Digest, Email, Invitation, InvitationStatus};
use claviger_token::{InvitationId, OrganizationId, RoleId};
use jiff::Timestamp;

use crate::{
    error::StoreError,
    sql::{Row, sql, text, text_or_null},
    tx::Tx,
    view::{Page, View},
};

const COLUMNS: &str =
    "SELECT id, organization, email, roles, permissions, created_at, created_by, created_with, ends_at, accepted_at,
                              accepted_by, revoked_at FROM invitation";

/// A state at a moment.
#[derive(Debug, Clone, Copy)]
pub struct InvitationStatusFilter {
    /// The state.
    pub status: InvitationStatus,
    /// The moment.
    pub at: Timestamp,
}

impl View<'_> {
    /// One, in whatever state.
    pub async fn invitation(&mut self, id: InvitationId) -> Result<Option<Invitation>, StoreError> {
        let query = self.bound(sql(COLUMNS).and_bind(" WHERE id = ?", text(id)), "organization");
        self.executor.optional(query).await?.as_ref().map(read).transpose()
    }

    /// The one whose link has this code, in whatever state.
    pub async fn invitation_by_code(&mut self, digest: &Digest) -> Result<Option<Invitation>, StoreError> {
        let query = self.bound(sql(COLUMNS).and_bind(" WHERE digest = ?", digest.bytes), "organization");
        self.executor.optional(query).await?.as_ref().map(read).transpose()
    }

    /// Those of one organization.
    pub async fn invitations(
        &mut self,
        organization: OrganizationId,
        filter: Option<InvitationStatusFilter>,
        page: &Page<InvitationId>,
    ) -> Result<Vec<Invitation>, StoreError> {
        const UNUSED: &str = " AND accepted_at IS NULL AND revoked_at IS NULL";
        let query = sql(COLUMNS).and(" WHERE 1 = 1");
        let query = match filter.map(|filter| (filter.status, filter.at)) {
            None => query,
            Some((InvitationStatus::Accepted, _)) => query.and(" AND accepted_at IS NOT NULL"),
            Some((InvitationStatus::Revoked, _)) => query.and(" AND accepted_at IS NULL AND revoked_at IS NOT NULL"),
            Some((InvitationStatus::Open, at)) => query.and(UNUSED).and_bind(" AND ends_at > ?", at),
            Some((InvitationStatus::Expired, at)) => query.and(UNUSED).and_bind(" AND ends_at <= ?", at),
        };
        self.page(query, "organization", Some(organization), page, "id").await?.iter().map(read).collect()
    }
}

impl Tx<'_> {
    /// Adds one.
    pub async fn insert_invitation(&mut self, new: &Invitation, digest: &Digest) -> Result<(), StoreError> {
        let insert = sql(
            "INSERT INTO invitation (id, organization, email, email_key, roles, permissions, digest, created_at, created_by,
                            created_with, ends_at)
                          VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        );
        let roles: Vec<String> = new.roles.iter().map(ToString::to_string).collect();
        let insert = insert
            .bind(text(new.id))
            .bind(text(new.organization))
            .bind(text(&new.email))
            .bind(new.email.key())
            .bind(roles.join(" "))
            .bind(new.permissions.to_text())
            .bind(digest.bytes)
            .bind(new.created_at)
            .bind(new.created_by.as_str())
            .bind(text_or_null(new.created_with))
            .bind(new.ends_at);
        self.execute(insert).await.map(drop)
    }

    /// Keeps that it was accepted, or taken back.
    pub async fn save_invitation(&mut self, new: &Invitation) -> Result<(), StoreError> {
        let update = sql("UPDATE invitation SET accepted_at = $2, accepted_by = $3, revoked_at = $4 WHERE id = $1");
        let (accepted_at, accepted_by) = new.accepted.unzip();
        let update = update.bind(text(new.id)).bind(accepted_at).bind(text_or_null(accepted_by)).bind(new.revoked_at);
        self.execute(update).await.map(drop)
    }
}

fn read(row: &Row) -> Result<Invitation, StoreError> {
    let roles = row.text("roles")?;
    let roles: Result<Vec<RoleId>, _> = roles.split_whitespace().map(str::parse).collect();
    Ok(Invitation {
        id: row.parse("id")?,
        organization: row.parse("organization")?,
        email: Email::parse(&row.text("email")?).map_err(StoreError::damaged)?,
        roles: roles.map_err(StoreError::damaged)?,
        permissions: row.permissions("permissions")?,
        created_at: row.time("created_at")?,
        created_by: row.text("created_by")?,
        created_with: row.parse_or_null("created_with")?,
        ends_at: row.time("ends_at")?,
        accepted: row.time_or_null("accepted_at")?.zip(row.parse_or_null("accepted_by")?),
        revoked_at: row.time_or_null("revoked_at")?,
    })
}
