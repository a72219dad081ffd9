//! Fleets in storage, and what happens to all devices of one at once.

use claviger_core::{Assignment, Fleet, Granted, Name, Reach, RevokeReason};
use claviger_token::{CredentialId, FleetId, OrganizationId, PermissionSet, ServiceAccountId};
use jiff::Timestamp;

use crate::{
    assignment::{given, granted, sum},
    credential::Owner,
    error::StoreError,
    narrowing::Narrowed,
    sql::{Query, Row, Value, sql, text, text_or_null},
    tx::Tx,
    view::{Page, View, contains},
};

const COLUMNS: &str =
    "SELECT id, organization, name, device_lifetime_days, closed_at, created_at, deleted_at FROM fleet";

/// Rows per statement: below both engines' bound on values.
const BATCH: usize = 1000;

/// The service accounts of a fleet's devices, those included that a revocation ended: they have what they were given until they are deleted.
/// As many as [`View::count_kept_devices`] says.
pub(crate) fn devices_of(query: Query, column: &str, fleet: FleetId) -> Query {
    let these = format!(" {column} IN (SELECT d.account FROM device d WHERE d.gone_at IS NULL AND d.fleet = ?)");
    query.and_bind(&these, text(fleet))
}

impl View<'_> {
    /// One, unless it is deleted or out of reach.
    pub async fn fleet(&mut self, id: FleetId) -> Result<Option<Fleet>, StoreError> {
        let query = sql(COLUMNS).and_bind(" WHERE id = ?", text(id)).and(" AND deleted_at IS NULL");
        let query = self.bound(query, "organization");
        self.executor.optional(query).await?.as_ref().map(read).transpose()
    }

    /// Those whose name contains `q`.
    pub async fn fleets(
        &mut self,
        organization: Option<OrganizationId>,
        q: Option<&str>,
        page: &Page<FleetId>,
    ) -> Result<Vec<Fleet>, StoreError> {
        let query = sql(COLUMNS).and(" WHERE deleted_at IS NULL");
        let query = query.and_if(" AND LOWER(name) LIKE LOWER(?) ESCAPE '\\'", q.map(contains));
        self.page(query, "organization", organization, page, "id").await?.iter().map(read).collect()
    }

    /// What each device of a fleet gets, each with the permissions that it gives.
    pub async fn given_by_fleet(&mut self, id: FleetId) -> Result<Vec<(Granted, PermissionSet)>, StoreError> {
        let query = sql("SELECT g.role, g.permission, r.name AS role_name, r.permissions AS role_permissions
                         FROM fleet_grant g LEFT JOIN role r ON r.id = g.role");
        let query = query.and_bind(" WHERE g.fleet = ?", text(id)).and(" ORDER BY g.position");
        // Whoever must not miss a change has said `lock_grants`.
        let rows = self.executor.unlocked().all(query).await?;
        rows.iter().map(|row| Ok((granted(row)?, given(row)?))).collect()
    }

    /// The service accounts of a fleet's devices that did not end and do not have this in its organization.
    pub async fn devices_without(
        &mut self,
        fleet: &Fleet,
        granted: &Granted,
    ) -> Result<Vec<ServiceAccountId>, StoreError> {
        let (column, value) = column(granted);
        // Read once, and not looked up for each device: very many may have it elsewhere.
        let has = format!(" AND a.{column} = ?) ORDER BY d.account");
        let query = sql("SELECT d.account FROM device d WHERE d.ended_at IS NULL")
            .and_bind(" AND d.fleet = ?", text(fleet.id))
            .and(" AND d.account NOT IN (SELECT a.principal FROM assignment a")
            .and_bind(" WHERE a.organization = ?", text(fleet.organization))
            .and_bind(&has, value);
        let rows = self.executor.unlocked().all(query).await?;
        rows.iter().map(|row| row.parse("account")).collect()
    }

    /// How many fleets an organization has.
    pub async fn count_fleets(&mut self, organization: OrganizationId) -> Result<i64, StoreError> {
        let query = sql("SELECT COUNT(*) AS number FROM fleet WHERE deleted_at IS NULL");
        let query = query.and_bind(" AND organization = ?", text(organization));
        self.executor.unlocked().one(query).await?.int("number")
    }

    /// How many devices of a fleet did not end.
    pub async fn count_devices(&mut self, id: FleetId) -> Result<i64, StoreError> {
        let query = sql("SELECT COUNT(*) AS number FROM device WHERE ended_at IS NULL");
        let query = query.and_bind(" AND fleet = ?", text(id));
        self.executor.unlocked().one(query).await?.int("number")
    }

    /// The same with those that a revocation ended, whose service accounts are still there.
    pub async fn count_kept_devices(&mut self, id: FleetId) -> Result<i64, StoreError> {
        let query = sql("SELECT COUNT(*) AS number FROM device WHERE gone_at IS NULL");
        let query = query.and_bind(" AND fleet = ?", text(id));
        self.executor.unlocked().one(query).await?.int("number")
    }

    /// All that a fleet's devices hold in its organization, whoever gave it.
    pub async fn held_by_devices(&mut self, fleet: &Fleet) -> Result<PermissionSet, StoreError> {
        let query = sql("SELECT g.permission, r.permissions AS role_permissions
                         FROM (SELECT DISTINCT a.role, a.permission FROM assignment a")
        .and_bind(" WHERE a.organization = ?", text(fleet.organization))
        .and(" AND");
        let query = devices_of(query, "a.principal", fleet.id).and(") g LEFT JOIN role r ON r.id = g.role");
        sum(&self.executor.unlocked().all(query).await?)
    }

    /// Whether a device of a fleet has something with instance scope.
    pub async fn fleet_reaches_instance(&mut self, id: FleetId) -> Result<bool, StoreError> {
        let query = sql("SELECT a.id FROM assignment a WHERE a.organization IS NULL AND");
        let query = devices_of(query, "a.principal", id).and(" LIMIT 1");
        Ok(self.executor.unlocked().optional(query).await?.is_some())
    }
}

impl Tx<'_> {
    /// Adds one.
    pub async fn insert_fleet(&mut self, new: &Fleet, gives: &[Granted]) -> Result<(), StoreError> {
        let insert = sql("INSERT INTO fleet (id, organization, name, device_lifetime_days, created_at)
                          VALUES ($1, $2, $3, $4, $5)");
        let insert = insert
            .bind(text(new.id))
            .bind(text(new.organization))
            .bind(text(&new.name))
            .bind(new.device_lifetime_days)
            .bind(new.created_at);
        self.execute(insert).await?;
        self.insert_grants(new.id, gives).await
    }

    /// Replaces what can change of one.
    pub async fn save_fleet(&mut self, new: &Fleet) -> Result<(), StoreError> {
        let update = sql("UPDATE fleet SET name = $2, device_lifetime_days = $3, closed_at = $4, deleted_at = $5
                          WHERE id = $1");
        let update = update
            .bind(text(new.id))
            .bind(text(&new.name))
            .bind(new.device_lifetime_days)
            .bind(new.closed_at)
            .bind(new.deleted_at);
        self.execute(update).await.map(drop)
    }

    /// Locks what a fleet gives, roles first. Whoever deletes a role or withdraws a permission takes it from fleets before they take it from
    /// principals: what is given by a fleet that is read after this is either still there, or taken by them from whoever gets it here.
    pub async fn lock_grants(&mut self, fleet: FleetId) -> Result<(), StoreError> {
        let roles = sql("SELECT id FROM role WHERE id IN")
            .and_bind(" (SELECT role FROM fleet_grant WHERE fleet = ?)", text(fleet));
        self.to_change(Reach::Instance).executor.all(roles.and(" ORDER BY id")).await?;
        let grants = sql("SELECT position FROM fleet_grant").and_bind(" WHERE fleet = ?", text(fleet));
        self.to_change(Reach::Instance).executor.all(grants.and(" ORDER BY position")).await.map(drop)
    }

    /// Changes what its devices get that come from now on, and touches nothing else: what was taken from it meanwhile stays away.
    pub async fn change_grants(
        &mut self,
        fleet: FleetId,
        gone: &[Granted],
        added: &[Granted],
    ) -> Result<(), StoreError> {
        for granted in gone {
            let (column, value) = column(granted);
            let delete = sql("DELETE FROM fleet_grant").and_bind(" WHERE fleet = ?", text(fleet));
            self.execute(delete.and_bind(&format!(" AND {column} = ?"), value)).await?;
        }
        self.insert_grants(fleet, added).await
    }

    /// What a fleet gave that is no more.
    pub async fn delete_grants(&mut self, fleet: FleetId) -> Result<(), StoreError> {
        self.execute(sql("DELETE FROM fleet_grant WHERE fleet = $1").bind(text(fleet))).await.map(drop)
    }

    async fn insert_grants(&mut self, fleet: FleetId, gives: &[Granted]) -> Result<(), StoreError> {
        if gives.is_empty() {
            return Ok(());
        }
        let next = sql("SELECT COALESCE(MAX(position) + 1, 0) AS next FROM fleet_grant")
            .and_bind(" WHERE fleet = ?", text(fleet));
        let next = self.within(Reach::Instance).executor.unlocked().one(next).await?.int("next")?;
        for (position, granted) in (next..).zip(gives) {
            let (role, permission) = match granted {
                Granted::Role { id, .. } => (Some(*id), None),
                Granted::Permission(permission) => (None, Some(permission)),
            };
            let insert = sql("INSERT INTO fleet_grant (fleet, position, role, permission) VALUES ($1, $2, $3, $4)");
            let insert = insert.bind(text(fleet)).bind(position);
            self.execute(insert.bind(text_or_null(role)).bind(text_or_null(permission))).await?;
        }
        Ok(())
    }

    /// Takes these from every device of a fleet, whoever gave them. Tokens of those devices end.
    pub async fn take_from_devices(&mut self, fleet: &Fleet, gone: &[Granted]) -> Result<(), StoreError> {
        if gone.is_empty() {
            return Ok(());
        }
        self.raise_epochs(Narrowed::Fleet(fleet.id)).await?;
        for granted in gone {
            let (column, value) = column(granted);
            self.delete_assignments(|all| {
                let these = all.and_bind(" WHERE a.organization = ?", text(fleet.organization)).and(" AND");
                devices_of(these, "a.principal", fleet.id).and_bind(&format!(" AND a.{column} = ?"), value.clone())
            })
            .await?;
        }
        Ok(())
    }

    /// Adds assignments, many at a time.
    pub async fn insert_assignments(&mut self, new: &[Assignment]) -> Result<(), StoreError> {
        for batch in new.chunks(BATCH) {
            let mut insert =
                sql("INSERT INTO assignment (id, principal, home, organization, role, permission, created_at) VALUES ");
            for (index, one) in batch.iter().enumerate() {
                let (role, permission) = match &one.granted {
                    Granted::Role { id, .. } => (Some(*id), None),
                    Granted::Permission(permission) => (None, Some(permission)),
                };
                insert = insert.and(if index > 0 { ", " } else { "" }).and_list([
                    text(one.id),
                    text(one.principal),
                    text(one.home),
                    text_or_null(one.scope.organization()),
                    text_or_null(role),
                    text_or_null(permission),
                    one.created_at.into(),
                ]);
            }
            self.execute(insert).await?;
        }
        Ok(())
    }

    /// Ends every claim code of a fleet, and every credential of its devices. Which credentials ended, and how many codes.
    pub async fn end_fleet(
        &mut self,
        id: FleetId,
        reason: RevokeReason,
        now: Timestamp,
    ) -> Result<(Vec<CredentialId>, u64), StoreError> {
        let codes = sql("UPDATE claim_code SET revoked_at = $2 WHERE fleet = $1 AND revoked_at IS NULL");
        let codes = self.execute(codes.bind(text(id)).bind(now)).await?;
        self.raise_epochs(Narrowed::ExchangedByFleet(id)).await?;
        Ok((self.end_credentials(Owner::Fleet(id), reason, now).await?, codes))
    }

    /// Notes that its devices ended, whose names are free from now on. To be said after all else that concerns them; tells how many
    /// there were.
    pub async fn end_devices(&mut self, id: FleetId, now: Timestamp) -> Result<u64, StoreError> {
        let update = sql("UPDATE device SET ended_at = $2 WHERE fleet = $1 AND ended_at IS NULL");
        self.execute(update.bind(text(id)).bind(now)).await
    }

    /// Notes the same of all whose service accounts were deleted with the fleet.
    pub async fn lose_devices(&mut self, id: FleetId, now: Timestamp) -> Result<(), StoreError> {
        let update = sql("UPDATE device SET ended_at = COALESCE(ended_at, $2), gone_at = $2
                          WHERE fleet = $1 AND gone_at IS NULL");
        self.execute(update.bind(text(id)).bind(now)).await.map(drop)
    }

    /// Ends the service accounts of its devices, with all that they hold.
    pub async fn delete_accounts_of_fleet(&mut self, id: FleetId, now: Timestamp) -> Result<(), StoreError> {
        let lock = devices_of(sql("SELECT id FROM service_account WHERE deleted_at IS NULL AND"), "id", id)
            .and(" ORDER BY id");
        self.to_change(Reach::Instance).executor.all(lock).await?;
        let end =
            sql("UPDATE service_account SET").and_bind(" deleted_at = ?, disabled_at = COALESCE(disabled_at, ?)", now);
        self.execute(devices_of(end.and(" WHERE deleted_at IS NULL AND"), "id", id)).await?;
        self.delete_assignments(|all| devices_of(all.and(" WHERE"), "a.principal", id)).await
    }
}

/// By what an assignment of it is found.
fn column(granted: &Granted) -> (&'static str, Value) {
    match granted {
        Granted::Role { id, .. } => ("role", text(id)),
        Granted::Permission(permission) => ("permission", text(permission)),
    }
}

fn read(row: &Row) -> Result<Fleet, StoreError> {
    Ok(Fleet {
        id: row.parse("id")?,
        organization: row.parse("organization")?,
        name: Name::parse(&row.text("name")?).map_err(StoreError::damaged)?,
        device_lifetime_days: row.count("device_lifetime_days")?,
        closed_at: row.time_or_null("closed_at")?,
        created_at: row.time("created_at")?,
        deleted_at: row.time_or_null("deleted_at")?,
    })
}
