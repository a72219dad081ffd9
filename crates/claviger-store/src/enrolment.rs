//! Devices that enrolled in a fleet, in storage: what there is to know of one beside its service account.

use std::collections::HashMap;

use claviger_core::{Device, Name};
use claviger_token::{ClaimCodeId, FleetId, ServiceAccountId};
use jiff::Timestamp;

use crate::{
    error::StoreError,
    sql::{Row, sql, text, text_or_null},
    tx::Tx,
    view::{Page, View, contains},
};

const COLUMNS: &str = "SELECT d.account, d.fleet, d.organization, d.name, d.thumbprint, d.key_id, d.former_key, d.claim_code, d.enrolled_at, d.ended_at";

/// A device with what a list shows of its account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedDevice {
    /// The device.
    pub device: Device,
    /// Whether its service account is stopped.
    pub disabled: bool,
    /// Of each of its keys and certificates that was not revoked: whether it is stopped, and when it ends.
    pub keys: Vec<(bool, Option<Timestamp>)>,
    /// When one of these was used last.
    pub last_used_at: Option<Timestamp>,
}

impl View<'_> {
    /// The device that this service account is, if it is one, and neither ended nor is out of reach.
    pub async fn device(&mut self, account: ServiceAccountId) -> Result<Option<Device>, StoreError> {
        let query = sql(COLUMNS).and(" FROM device d WHERE d.ended_at IS NULL");
        let query = self.bound(query.and_bind(" AND d.account = ?", text(account)), "d.organization");
        self.executor.optional(query).await?.as_ref().map(read).transpose()
    }

    /// The one of a fleet that is called this and did not end.
    pub async fn device_called(&mut self, fleet: FleetId, name: &Name) -> Result<Option<Device>, StoreError> {
        let query = sql(COLUMNS).and(" FROM device d WHERE d.ended_at IS NULL");
        let query = query.and_bind(" AND d.fleet = ?", text(fleet)).and_bind(" AND d.name = ?", text(name));
        self.executor.optional(query).await?.as_ref().map(read).transpose()
    }

    /// The one of a fleet that registered the key with this thumbprint last, and did not end.
    pub async fn device_with_key(&mut self, fleet: FleetId, thumbprint: &str) -> Result<Option<Device>, StoreError> {
        let query = sql(COLUMNS).and(" FROM device d WHERE d.ended_at IS NULL");
        let query = query.and_bind(" AND d.fleet = ?", text(fleet)).and_bind(" AND d.thumbprint = ?", thumbprint);
        self.executor.optional(query).await?.as_ref().map(read).transpose()
    }

    /// Whether a device of this name or with this key came by a code and was ended since: whoever ended it does not want it back.
    pub async fn was_ended(&mut self, code: ClaimCodeId, name: &Name, thumbprint: &str) -> Result<bool, StoreError> {
        // Each by an index of its own: very many may have come by one code.
        let query = sql("SELECT account FROM device WHERE ended_at IS NOT NULL")
            .and_bind(" AND claim_code = ?", text(code))
            .and_bind(" AND name = ?", text(name))
            .and(" UNION ALL SELECT account FROM device WHERE ended_at IS NOT NULL")
            .and_bind(" AND claim_code = ?", text(code))
            .and_bind(" AND thumbprint = ?", thumbprint)
            .and(" LIMIT 1");
        Ok(self.executor.unlocked().optional(query).await?.is_some())
    }

    /// A page of a fleet's devices whose names contain `q`. Those whose service accounts are deleted are not shown.
    pub async fn devices(
        &mut self,
        fleet: FleetId,
        q: Option<&str>,
        page: &Page<ServiceAccountId>,
    ) -> Result<Vec<ListedDevice>, StoreError> {
        let query = sql(COLUMNS)
            .and(", s.disabled_at FROM device d JOIN service_account s ON s.id = d.account WHERE d.gone_at IS NULL")
            .and_bind(" AND d.fleet = ?", text(fleet))
            .and_if(" AND LOWER(d.name) LIKE LOWER(?) ESCAPE '\\'", q.map(contains));
        let rows = self.page(query, "d.organization", None, page, "d.account").await?;
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        let accounts = rows.iter().map(|row| row.text("account")).collect::<Result<Vec<_>, _>>()?;
        let query = sql("SELECT k.principal, k.disabled_at, k.expires_at, k.revoked_at,
                                (SELECT MAX(u.used_at) FROM secret_use u WHERE u.credential = k.id) AS used_at
                         FROM credential k WHERE k.kind IN ('public_key', 'certificate') AND k.principal IN ");
        let keys = self.executor.all(query.and_list(accounts.into_iter().map(text))).await?;
        let (mut living, mut uses) = (HashMap::new(), HashMap::new());
        for key in &keys {
            let account = key.text("principal")?;
            if key.time_or_null("revoked_at")?.is_none() {
                let (stopped, end) = (key.time_or_null("disabled_at")?.is_some(), key.time_or_null("expires_at")?);
                living.entry(account.clone()).or_insert_with(Vec::new).push((stopped, end));
            }
            let used = uses.entry(account).or_insert(None);
            *used = (*used).max(key.time_or_null("used_at")?);
        }
        let listed = |row: &Row| {
            let account = row.text("account")?;
            Ok(ListedDevice {
                device: read(row)?,
                disabled: row.time_or_null("disabled_at")?.is_some(),
                keys: living.remove(&account).unwrap_or_default(),
                last_used_at: uses.remove(&account).flatten(),
            })
        };
        rows.iter().map(listed).collect()
    }
}

impl Tx<'_> {
    /// Adds one.
    pub async fn insert_device(&mut self, new: &Device) -> Result<(), StoreError> {
        let insert = sql("INSERT INTO device (account, fleet, organization, name, thumbprint, key_id, former_key, claim_code, enrolled_at)
                          VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)");
        let insert = insert
            .bind(text(new.account))
            .bind(text(new.fleet))
            .bind(text(new.organization))
            .bind(text(&new.name))
            .bind(new.thumbprint.as_str())
            .bind(text(new.key))
            .bind(text_or_null(new.former_key))
            .bind(text(new.claim_code))
            .bind(new.enrolled_at);
        self.execute(insert).await.map(drop)
    }

    /// Keeps which key it registered last.
    pub async fn save_device(&mut self, new: &Device) -> Result<(), StoreError> {
        let update = sql("UPDATE device SET thumbprint = $2, key_id = $3, former_key = $4 WHERE account = $1");
        let update = update.bind(text(new.account)).bind(new.thumbprint.as_str());
        self.execute(update.bind(text(new.key)).bind(text_or_null(new.former_key))).await.map(drop)
    }

    /// Notes that a service account was deleted, if it was a device: its name and its key are free for another.
    pub(crate) async fn end_device(&mut self, account: ServiceAccountId, now: Timestamp) -> Result<(), StoreError> {
        let update = sql("UPDATE device SET ended_at = COALESCE(ended_at, $2), gone_at = $2 WHERE account = $1");
        self.execute(update.bind(text(account)).bind(now)).await.map(drop)
    }
}

fn read(row: &Row) -> Result<Device, StoreError> {
    Ok(Device {
        account: row.parse("account")?,
        fleet: row.parse("fleet")?,
        organization: row.parse("organization")?,
        name: Name::parse(&row.text("name")?).map_err(StoreError::damaged)?,
        thumbprint: row.text("thumbprint")?,
        key: row.parse("key_id")?,
        former_key: row.parse_or_null("former_key")?,
        claim_code: row.parse("claim_code")?,
        enrolled_at: row.time("enrolled_at")?,
        ended_at: row.time_or_null("ended_at")?,
    })
}
