//! Roles in storage. An organization sees its own and the instance's.

use claviger_core::{Reach, Role, Touched};
use claviger_token::{OrganizationId, PermissionSet, RoleId};

use crate::{
    error::StoreError,
    narrowing::Narrowed,
    sql::{Query, Row, sql, text, text_or_null},
    tx::Tx,
    view::{Page, View, contains},
};

const COLUMNS: &str = "SELECT id, organization, name, description, permissions, builtin, created_at FROM role";

impl View<'_> {
    /// One.
    pub async fn role(&mut self, id: RoleId) -> Result<Option<Role>, StoreError> {
        let query = self.usable(sql(COLUMNS).and_bind(" WHERE id = ?", text(id)));
        self.executor.optional(query).await?.as_ref().map(read).transpose()
    }

    /// The role that is called this, by id or name, in one organization or (`None`) in the instance.
    /// An organization's own comes before the instance's.
    pub async fn role_called(
        &mut self,
        called: &str,
        organization: Option<OrganizationId>,
    ) -> Result<Option<Role>, StoreError> {
        let query = self.usable(sql(COLUMNS).and_bind(" WHERE (id = ? OR name = ?)", called));
        let query = match organization {
            Some(id) => query.and_bind(" AND (organization = ? OR organization IS NULL)", text(id)),
            None => query.and(" AND organization IS NULL"),
        };
        // `optional` takes the last row.
        let query = query.and(" ORDER BY CASE WHEN organization IS NULL THEN 0 ELSE 1 END");
        self.executor.optional(query).await?.as_ref().map(read).transpose()
    }

    /// Those with these ids that are still there.
    pub async fn roles_by_id(&mut self, ids: impl IntoIterator<Item = RoleId>) -> Result<Vec<Role>, StoreError> {
        let ids: Vec<_> = ids.into_iter().map(text).collect();
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let query = self.usable(sql(COLUMNS).and(" WHERE id IN ").and_list(ids));
        self.executor.all(query.and(" ORDER BY name, id")).await?.iter().map(read).collect()
    }

    /// Those whose name contains `q`; with an organization, its own and the instance's.
    pub async fn roles(
        &mut self,
        organization: Option<OrganizationId>,
        q: Option<&str>,
        page: &Page<RoleId>,
    ) -> Result<Vec<Role>, StoreError> {
        let query = self
            .usable(sql(COLUMNS).and(" WHERE 1 = 1"))
            .and_if(" AND (organization = ? OR organization IS NULL)", organization.map(text))
            .and_if(" AND LOWER(name) LIKE LOWER(?) ESCAPE '\\'", q.map(contains))
            .and_if(" AND id < ?", page.after.map(text))
            .and(" ORDER BY id DESC")
            .and_bind(" LIMIT ?", i64::from(page.limit));
        self.executor.all(query).await?.iter().map(read).collect()
    }

    /// Those that hold a permission, within reach, in the order of their names.
    pub async fn roles_holding(&mut self, permission: &str, limit: u32) -> Result<Vec<Role>, StoreError> {
        let query = self
            .usable(sql(COLUMNS).and(" WHERE 1 = 1"))
            .and_bind(" AND ' ' || permissions || ' ' LIKE ? ESCAPE '\\'", contains(&format!(" {permission} ")))
            .and(" ORDER BY name, id")
            .and_bind(" LIMIT ?", i64::from(limit));
        self.executor.all(query).await?.iter().map(read).collect()
    }

    fn usable(&self, query: Query) -> Query {
        match self.reach {
            Reach::Instance => query,
            Reach::Organization(id) => query.and_bind(" AND (organization = ? OR organization IS NULL)", text(id)),
        }
    }
}

impl Tx<'_> {
    /// Adds one.
    pub async fn insert_role(&mut self, new: &Role) -> Result<(), StoreError> {
        let insert = sql("INSERT INTO role (id, organization, name, description, permissions, builtin, created_at)
                          VALUES ($1, $2, $3, $4, $5, $6, $7)");
        let insert = insert
            .bind(text(new.id))
            .bind(text_or_null(new.organization))
            .bind(new.name.as_str())
            .bind(new.description.clone())
            .bind(new.permissions.to_text())
            .bind(new.builtin)
            .bind(new.created_at);
        self.execute(insert).await.map(drop)
    }

    /// Replaces what can change of one. Tokens of those who lose something by it end.
    pub async fn save_role(&mut self, new: &Role) -> Result<(), StoreError> {
        let before = sql("SELECT permissions FROM role WHERE id = $1").bind(text(new.id));
        if let Some(before) = self.within(Reach::Instance).executor.optional(before).await?
            && !before.permissions("permissions")?.difference(&new.permissions).is_empty()
        {
            self.raise_epochs(Narrowed::Role(new.id)).await?;
        }
        let update = sql("UPDATE role SET name = $2, description = $3, permissions = $4 WHERE id = $1");
        let update = update
            .bind(text(new.id))
            .bind(new.name.as_str())
            .bind(new.description.clone())
            .bind(new.permissions.to_text());
        self.execute(update).await.map(drop)
    }

    /// Takes permissions out of every role that holds one of them.
    pub(crate) async fn take_from_roles(&mut self, gone: &PermissionSet) -> Result<(), StoreError> {
        let rows = self.within(Reach::Instance).executor.all(sql(COLUMNS).and(" ORDER BY id")).await?;
        for row in &rows {
            if row.permissions("permissions")?.iter().any(|permission| gone.contains(permission.as_str()))
                && let Some(role) = self.to_change(Reach::Instance).role(row.parse("id")?).await?
            {
                let permissions = role.permissions.difference(gone);
                self.save_role(&Role { permissions, ..role }).await?;
            }
        }
        Ok(())
    }

    /// Removes one, and takes it from everybody.
    pub async fn delete_role(&mut self, id: RoleId) -> Result<(), StoreError> {
        self.raise_epochs(Narrowed::Role(id)).await?;
        // First: a device that enrols meanwhile has it by an assignment then.
        self.execute(sql("DELETE FROM fleet_grant WHERE role = $1").bind(text(id))).await?;
        // Named by themselves: who follows the log finds nobody any more who has the role.
        let holders = sql("SELECT DISTINCT principal FROM assignment WHERE role = $1").bind(text(id));
        for row in self.within(Reach::Instance).executor.all(holders).await? {
            self.untold.insert(Touched::Principal(row.parse("principal")?));
        }
        self.delete_assignments(|all| all.and_bind(" WHERE a.role = ?", text(id))).await?;
        self.execute(sql("DELETE FROM role WHERE id = $1").bind(text(id))).await?;
        Ok(())
    }
}

fn read(row: &Row) -> Result<Role, StoreError> {
    Ok(Role {
        id: row.parse("id")?,
        organization: row.parse_or_null("organization")?,
        name: row.text("name")?,
        description: row.text_or_null("description")?,
        permissions: row.permissions("permissions")?,
        builtin: row.flag("builtin")?,
        created_at: row.time("created_at")?,
    })
}
