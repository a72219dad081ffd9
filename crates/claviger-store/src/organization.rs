//! Organizations in storage.

use claviger_core::{Color, Metadata, Name, Organization, PortalLook, PortalOrigins, RevokeReason, Scope, Slug};
use claviger_token::{CredentialId, OrganizationId};
use jiff::Timestamp;

use crate::{
    credential::Owner,
    error::StoreError,
    narrowing::Narrowed,
    sql::{Query, Row, limits, sql, text, text_or_null},
    tx::Tx,
    view::{Page, View, contains},
};

const COLUMNS: &str =
    "SELECT id, slug, name, external_id, ceiling, policy, limits, portal_origins, portal_name, portal_color,
                       metadata, disabled_at, created_at, deleted_at FROM organization";

impl View<'_> {
    /// One, unless it is deleted or out of reach.
    pub async fn organization(&mut self, id: OrganizationId) -> Result<Option<Organization>, StoreError> {
        let query = sql(COLUMNS).and_bind(" WHERE id = ?", text(id)).and(" AND deleted_at IS NULL");
        let query = self.bound(query, "id");
        self.executor.optional(query).await?.as_ref().map(read).transpose()
    }

    /// The one with this slug.
    pub async fn organization_by_slug(&mut self, slug: &str) -> Result<Option<Organization>, StoreError> {
        let query = sql(COLUMNS).and_bind(" WHERE slug = ?", slug).and(" AND deleted_at IS NULL");
        let query = self.bound(query, "id");
        self.executor.optional(query).await?.as_ref().map(read).transpose()
    }

    /// Those whose name, slug or external id contains `q`.
    pub async fn organizations(
        &mut self,
        q: Option<&str>,
        page: &Page<OrganizationId>,
    ) -> Result<Vec<Organization>, StoreError> {
        let found = " AND (LOWER(name) LIKE LOWER(?) ESCAPE '\\' OR slug LIKE LOWER(?) ESCAPE '\\'
                           OR LOWER(external_id) LIKE LOWER(?) ESCAPE '\\')";
        let query = sql(COLUMNS).and(" WHERE deleted_at IS NULL").and_if(found, q.map(contains));
        self.page(query, "id", None, page, "id").await?.iter().map(read).collect()
    }
}

impl Tx<'_> {
    /// Adds one.
    pub async fn insert_organization(&mut self, new: &Organization) -> Result<(), StoreError> {
        let insert = sql(
            "INSERT INTO organization (id, slug, name, external_id, ceiling, policy, limits, metadata, disabled_at,
                            portal_origins, portal_name, portal_color, created_at)
                          VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
        );
        self.execute(bound(insert, new)?.bind(new.created_at)).await.map(drop)
    }

    /// Replaces what can change of one.
    pub async fn save_organization(&mut self, new: &Organization) -> Result<(), StoreError> {
        let update = sql(
            "UPDATE organization SET slug = $2, name = $3, external_id = $4, ceiling = $5, policy = $6, limits = $7,
                          metadata = $8, disabled_at = $9, portal_origins = $10, portal_name = $11, portal_color = $12,
                          deleted_at = $13 WHERE id = $1",
        );
        self.execute(bound(update, new)?.bind(new.deleted_at)).await.map(drop)
    }

    /// Ends every service account, membership and credential in a deleted organization, so that nothing comes back with
    /// it. Tells which credentials ended.
    pub async fn end_all_in_organization(
        &mut self,
        id: OrganizationId,
        now: Timestamp,
    ) -> Result<Vec<CredentialId>, StoreError> {
        // Accounts before keys, as when one account ends: the two never wait for each other in a circle.
        let accounts = sql("UPDATE service_account SET deleted_at = $2, disabled_at = COALESCE(disabled_at, $2)
                            WHERE organization = $1 AND deleted_at IS NULL");
        self.execute(accounts.bind(text(id)).bind(now)).await?;
        // Users live on, without what they held here: with instance scope, too, it was theirs as members.
        for assignment in self.delete_assignments_at(id, None).await? {
            if assignment.scope == Scope::Instance {
                self.also(assignment.delete());
            }
        }
        let revoke = sql("UPDATE invitation SET revoked_at = $2
                          WHERE organization = $1 AND revoked_at IS NULL AND accepted_at IS NULL");
        self.execute(revoke.bind(text(id)).bind(now)).await?;
        for table in ["membership", "certificate_authority"] {
            self.execute(sql(&format!("DELETE FROM {table} WHERE organization = $1")).bind(text(id))).await?;
        }
        self.close_portal(id).await?;
        self.raise_epochs(Narrowed::ExchangedIn(id)).await?;
        self.end_credentials(Owner::Organization(id), RevokeReason::OwnerLeft, now).await
    }

    /// Ends the sessions at an organization's portal and voids the links into it.
    pub async fn close_portal(&mut self, id: OrganizationId) -> Result<(), StoreError> {
        for table in ["one_time_code", "session"] {
            self.execute(sql(&format!("DELETE FROM {table} WHERE organization = $1")).bind(text(id))).await?;
        }
        Ok(())
    }
}

/// `$1` to `$12` of the statements that write one.
fn bound(query: Query, new: &Organization) -> Result<Query, StoreError> {
    let policy = serde_json::to_string(&new.policy).map_err(StoreError::damaged)?;
    Ok(query
        .bind(text(new.id))
        .bind(text(&new.slug))
        .bind(text(&new.name))
        .bind(new.external_id.clone())
        .bind(text_or_null(new.ceiling.as_ref().map(claviger_token::PermissionMask::to_text)))
        .bind(policy)
        .bind(limits(&new.limits)?)
        .bind(new.metadata.as_str())
        .bind(new.disabled_at)
        .bind(text(&new.portal_origins))
        .bind(text_or_null(new.portal_look.name.as_ref()))
        .bind(text_or_null(new.portal_look.color)))
}

fn read(row: &Row) -> Result<Organization, StoreError> {
    Ok(Organization {
        id: row.parse("id")?,
        slug: Slug::parse(&row.text("slug")?).map_err(StoreError::damaged)?,
        name: Name::parse(&row.text("name")?).map_err(StoreError::damaged)?,
        external_id: row.text_or_null("external_id")?,
        ceiling: row.mask_or_null("ceiling")?,
        policy: serde_json::from_str(&row.text("policy")?).map_err(StoreError::damaged)?,
        limits: row.limits("limits")?,
        portal_origins: PortalOrigins::from_text(&row.text("portal_origins")?),
        portal_look: portal_look(row)?,
        metadata: Metadata::from_stored(row.text("metadata")?).map_err(StoreError::damaged)?,
        disabled_at: row.time_or_null("disabled_at")?,
        created_at: row.time("created_at")?,
        deleted_at: row.time_or_null("deleted_at")?,
    })
}

/// What a portal is called and looks like.
pub(crate) fn portal_look(row: &Row) -> Result<PortalLook, StoreError> {
    let name = row.text_or_null("portal_name")?.map(|name| Name::parse(&name));
    let color = row.text_or_null("portal_color")?.map(|color| Color::parse(&color));
    Ok(PortalLook {
        name: name.transpose().map_err(StoreError::damaged)?,
        color: color.transpose().map_err(StoreError::damaged)?,
    })
}
