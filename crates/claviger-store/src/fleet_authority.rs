//! The certificate authorities of fleets, in storage. One that ends leaves no private key behind.

use claviger_core::{FleetAuthority, Sealed};
use claviger_token::{Certificate, FleetId};

use crate::{
    error::StoreError,
    sql::{sql, text},
    tx::Tx,
    view::View,
};

impl View<'_> {
    /// That of a fleet which is not deleted and not out of reach.
    pub async fn fleet_authority(&mut self, fleet: FleetId) -> Result<Option<FleetAuthority>, StoreError> {
        let query = sql("SELECT a.certificate, a.sealed, a.created_at
                         FROM fleet_authority a JOIN fleet f ON f.id = a.fleet WHERE f.deleted_at IS NULL");
        let query = self.bound(query.and_bind(" AND a.fleet = ?", text(fleet)), "f.organization");
        let Some(row) = self.executor.unlocked().optional(query).await? else { return Ok(None) };
        Ok(Some(FleetAuthority {
            fleet,
            certificate: Certificate::from_der(&row.bytes("certificate")?).map_err(StoreError::damaged)?,
            sealed: Sealed(row.bytes("sealed")?),
            created_at: row.time("created_at")?,
        }))
    }
}

impl Tx<'_> {
    /// Keeps the one that a fleet has from now on, and nothing of the one before.
    pub async fn save_fleet_authority(&mut self, new: &FleetAuthority) -> Result<(), StoreError> {
        self.delete_fleet_authority(new.fleet).await?;
        let insert =
            sql("INSERT INTO fleet_authority (fleet, certificate, sealed, created_at) VALUES ($1, $2, $3, $4)");
        let insert = insert.bind(text(new.fleet)).bind(new.certificate.der()).bind(new.sealed.0.as_slice());
        self.execute(insert.bind(new.created_at)).await.map(drop)
    }

    /// Forgets that of a fleet which ended.
    pub async fn delete_fleet_authority(&mut self, fleet: FleetId) -> Result<(), StoreError> {
        self.execute(sql("DELETE FROM fleet_authority WHERE fleet = $1").bind(text(fleet))).await.map(drop)
    }
}
