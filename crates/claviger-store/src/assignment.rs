//! Assignments in storage, and what they add up to.

use claviger_core::{Assignment, Granted, Reach, Scope};
use claviger_token::{AssignmentId, OrganizationId, PermissionSet, PrincipalId, RoleId};

use crate::{
    error::StoreError,
    narrowing::Narrowed,
    sql::{Query, Row, sql, text, text_or_null},
    tx::Tx,
    view::{Page, View},
};

// No join: PostgreSQL does not lock the side of an outer join that may be missing.
const COLUMNS: &str = "SELECT a.id, a.principal, a.home, a.organization, a.role, a.permission, a.created_at,
                              (SELECT r.name FROM role r WHERE r.id = a.role) AS role_name FROM assignment a";

const DELETE: &str = "DELETE FROM assignment AS a";

impl View<'_> {
    /// One.
    pub async fn assignment(&mut self, id: AssignmentId) -> Result<Option<Assignment>, StoreError> {
        let query = sql(COLUMNS).and_bind(" WHERE a.id = ?", text(id));
        let query = self.bound(query, "a.home");
        self.executor.optional(query).await?.as_ref().map(read).transpose()
    }

    /// Those of an organization's principals, or of one principal.
    pub async fn assignments(
        &mut self,
        organization: Option<OrganizationId>,
        principal: Option<PrincipalId>,
        page: &Page<AssignmentId>,
    ) -> Result<Vec<Assignment>, StoreError> {
        let query = sql(COLUMNS).and(" WHERE 1 = 1").and_if(" AND a.principal = ?", principal.map(text));
        self.page(query, "a.home", organization, page, "a.id").await?.iter().map(read).collect()
    }

    /// All that these principals hold in one organization, or with it as their home.
    pub async fn assignments_in(
        &mut self,
        organization: OrganizationId,
        principals: impl IntoIterator<Item = PrincipalId>,
    ) -> Result<Vec<Assignment>, StoreError> {
        let principals: Vec<_> = principals.into_iter().map(text).collect();
        if principals.is_empty() {
            return Ok(Vec::new());
        }
        let query = sql(COLUMNS).and_bind(" WHERE a.home = ?", text(organization)).and(" AND a.principal IN ");
        let query = self.bound(query.and_list(principals), "a.home");
        self.executor.all(query.and(" ORDER BY a.id")).await?.iter().map(read).collect()
    }

    /// All of one principal.
    pub async fn assignments_of(&mut self, principal: PrincipalId) -> Result<Vec<Assignment>, StoreError> {
        let query = self.bound(sql(COLUMNS).and_bind(" WHERE a.principal = ?", text(principal)), "a.home");
        self.executor.all(query.and(" ORDER BY a.id")).await?.iter().map(read).collect()
    }

    /// The permissions that a principal holds in an organization, those of instance scope included. Whatever the reach: who
    /// bounds somebody by what a principal can do must see all of it, wherever it was given.
    pub async fn held(
        &mut self,
        principal: PrincipalId,
        organization: OrganizationId,
    ) -> Result<PermissionSet, StoreError> {
        let query =
            sql("SELECT a.permission, (SELECT r.permissions FROM role r WHERE r.id = a.role) AS role_permissions
                         FROM assignment a
                         WHERE a.principal = $1 AND (a.organization = $2 OR a.organization IS NULL)");
        sum(&self.executor.all(query.bind(text(principal)).bind(text(organization))).await?)
    }

    /// All that a principal holds anywhere, whatever the reach.
    pub async fn held_anywhere(&mut self, principal: PrincipalId) -> Result<PermissionSet, StoreError> {
        let query =
            sql("SELECT a.permission, (SELECT r.permissions FROM role r WHERE r.id = a.role) AS role_permissions
                         FROM assignment a WHERE a.principal = $1");
        sum(&self.executor.all(query.bind(text(principal))).await?)
    }

    /// By which assignments a role is had, within reach; of one organization's principals, if it is named.
    pub async fn assignments_of_role(
        &mut self,
        role: RoleId,
        organization: Option<OrganizationId>,
        page: &Page<AssignmentId>,
    ) -> Result<Vec<Assignment>, StoreError> {
        let query = sql(COLUMNS).and_bind(" WHERE a.role = ?", text(role));
        self.page(query, "a.home", organization, page, "a.id").await?.iter().map(read).collect()
    }

    /// How many principals have a role, within reach; from `most` on it stops to count.
    pub async fn count_holders_up_to(&mut self, role: RoleId, most: u32) -> Result<i64, StoreError> {
        let query = sql("SELECT COUNT(*) AS number FROM (SELECT DISTINCT a.principal FROM assignment a")
            .and_bind(" WHERE a.role = ?", text(role));
        let query = self.bound(query, "a.home").and_bind(" LIMIT ?", i64::from(most)).and(") counted");
        self.executor.optional(query).await?.map_or(Ok(0), |row| row.int("number"))
    }

    /// Whether any principal of an organization holds something with instance scope.
    pub async fn administers_instance(&mut self, organization: OrganizationId) -> Result<bool, StoreError> {
        let query = sql("SELECT id FROM assignment WHERE home = $1 AND organization IS NULL LIMIT 1");
        Ok(self.executor.optional(query.bind(text(organization))).await?.is_some())
    }

    /// Who has a role with instance scope, whatever the reach.
    pub async fn who_has_everywhere(&mut self, role: RoleId) -> Result<Vec<PrincipalId>, StoreError> {
        let query = sql("SELECT principal FROM assignment WHERE role = $1 AND organization IS NULL ORDER BY principal");
        let rows = self.executor.all(query.bind(text(role))).await?;
        rows.iter().map(|row| row.parse("principal")).collect()
    }

    /// The part of what a principal holds that has instance scope, whatever the reach.
    pub async fn held_everywhere(&mut self, principal: PrincipalId) -> Result<PermissionSet, StoreError> {
        let query =
            sql("SELECT a.permission, (SELECT r.permissions FROM role r WHERE r.id = a.role) AS role_permissions
                         FROM assignment a WHERE a.principal = $1 AND a.organization IS NULL");
        sum(&self.executor.all(query.bind(text(principal))).await?)
    }
}

pub(crate) fn sum(rows: &[Row]) -> Result<PermissionSet, StoreError> {
    rows.iter().try_fold(PermissionSet::default(), |held, row| Ok(held.union(&given(row)?)))
}

/// What one assignment gives: the permissions of its role, or its own.
pub(crate) fn given(row: &Row) -> Result<PermissionSet, StoreError> {
    if let Some(text) = row.text_or_null("role_permissions")? {
        return PermissionSet::from_text(&text).map_err(StoreError::damaged);
    }
    Ok(row.parse_or_null("permission")?.into_iter().collect())
}

impl Tx<'_> {
    /// Adds one.
    pub async fn insert_assignment(&mut self, new: &Assignment) -> Result<(), StoreError> {
        let (role, permission) = match &new.granted {
            Granted::Role { id, .. } => (Some(*id), None),
            Granted::Permission(permission) => (None, Some(permission)),
        };
        let insert = sql("INSERT INTO assignment (id, principal, home, organization, role, permission, created_at)
                          VALUES ($1, $2, $3, $4, $5, $6, $7)");
        let insert = insert
            .bind(text(new.id))
            .bind(text(new.principal))
            .bind(text(new.home))
            .bind(text_or_null(new.scope.organization()))
            .bind(text_or_null(role))
            .bind(text_or_null(permission))
            .bind(new.created_at);
        self.execute(insert).await.map(drop)
    }

    /// Removes what has this home, of one principal or of all, and tells what it was.
    pub(crate) async fn delete_assignments_at(
        &mut self,
        home: OrganizationId,
        principal: Option<PrincipalId>,
    ) -> Result<Vec<Assignment>, StoreError> {
        let these = |query: Query| {
            query.and_bind(" WHERE a.home = ?", text(home)).and_if(" AND a.principal = ?", principal.map(text))
        };
        let gone = self.to_change(Reach::Instance).executor.all(these(sql(COLUMNS)).and(" ORDER BY a.id")).await?;
        self.execute(these(sql(DELETE))).await?;
        gone.iter().map(read).collect()
    }

    /// Removes what a condition names, locked in the order of the ids.
    pub(crate) async fn delete_assignments(&mut self, these: impl Fn(Query) -> Query) -> Result<(), StoreError> {
        let query = these(sql("SELECT a.id FROM assignment a")).and(" ORDER BY a.id");
        self.to_change(Reach::Instance).executor.all(query).await?;
        self.execute(these(sql(DELETE))).await.map(drop)
    }

    /// Removes one, and tells whether it was still there: of two who remove it, one did. Tokens of whoever loses it end.
    pub async fn delete_assignment(&mut self, id: AssignmentId) -> Result<bool, StoreError> {
        let delete = sql("DELETE FROM assignment WHERE id = $1 RETURNING principal, organization").bind(text(id));
        let Some(gone) = self.within(Reach::Instance).executor.optional(delete).await? else { return Ok(false) };
        let principal = gone.parse("principal")?;
        let narrowed = match gone.parse_or_null("organization")? {
            Some(organization) => Narrowed::Within(principal, organization),
            None => Narrowed::Principal(principal),
        };
        self.raise_epochs(narrowed).await?;
        Ok(true)
    }
}

/// What is given: a role by its name, or a permission.
pub(crate) fn granted(row: &Row) -> Result<Granted, StoreError> {
    Ok(match row.parse_or_null("role")? {
        Some(id) => Granted::Role { id, name: row.text("role_name")? },
        None => Granted::Permission(row.parse("permission")?),
    })
}

pub(crate) fn read(row: &Row) -> Result<Assignment, StoreError> {
    Ok(Assignment {
        id: row.parse("id")?,
        principal: row.parse("principal")?,
        home: row.parse("home")?,
        scope: row.parse_or_null("organization")?.map_or(Scope::Instance, Scope::Organization),
        granted: granted(row)?,
        created_at: row.time("created_at")?,
    })
}
