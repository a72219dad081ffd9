//! Devices that ask for a token of a person, in storage: only digests of their codes.
//!
//! Asking and polling give nobody anything and are no change: they stand outside of [`crate::Tx`], like single uses. Deciding and
//! redeeming are one, and happen once on any number of nodes.

use claviger_core::{DeviceApproval, DeviceAsk, DeviceRequest, DeviceState, Digest};
use claviger_token::{DeviceRequestId, OrganizationId, PermissionSet, UserId};
use jiff::Timestamp;

use crate::{
    Store,
    error::StoreError,
    sql::{Row, WriteTransaction, sql, text, text_or_null},
    tx::Tx,
};

const COLUMNS: &str =
    "id, client, resource, permissions, device_name, address, created_at, expires_at, wait, polled_at, state, person,
                       organization, approved";

impl Store {
    /// Adds one that waits, unless `most` of its client do already; tells whether it did.
    pub async fn insert_device_request(
        &self,
        new: &DeviceRequest,
        digest: &Digest,
        user_code: &Digest,
        most: u32,
    ) -> Result<bool, StoreError> {
        let open = sql("SELECT COUNT(*) AS open FROM device_request
                        WHERE expires_at > $1 AND state = 'waits' AND client = $2");
        let insert = sql(
            "INSERT INTO device_request (id, digest, user_code, client, resource, permissions, device_name, address,
                            created_at, expires_at, wait, state)
                          VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
        );
        let insert = insert
            .bind(text(new.id))
            .bind(digest.bytes)
            .bind(user_code.bytes)
            .bind(text(new.client))
            .bind(text_or_null(new.ask.resource.as_ref()))
            .bind(text_or_null(new.ask.scope.as_ref().map(PermissionSet::to_text)))
            .bind(text_or_null(new.ask.device_name.as_ref()))
            .bind(text_or_null(new.address))
            .bind(new.created_at)
            .bind(new.expires_at)
            .bind(i64::from(new.interval))
            .bind(new.state.as_str());
        let mut transaction = WriteTransaction::begin(&self.database.pools).await?;
        if transaction.read().one(open.bind(new.created_at).bind(text(new.client))).await?.int("open")?
            >= i64::from(most)
        {
            return Ok(false);
        }
        transaction.execute(insert).await?;
        transaction.commit().await?;
        Ok(true)
    }

    /// The one whose device holds this, in whatever state.
    pub async fn device_request(&self, digest: &Digest) -> Result<Option<DeviceRequest>, StoreError> {
        let query = sql("SELECT ").and(COLUMNS).and(" FROM device_request").and_bind(" WHERE digest = ?", digest.bytes);
        self.read().optional(query).await?.as_ref().map(read).transpose()
    }

    /// The one whose code somebody typed, while it counts.
    pub async fn device_request_of_user_code(
        &self,
        user_code: &Digest,
        now: Timestamp,
    ) -> Result<Option<DeviceRequest>, StoreError> {
        let query = sql("SELECT ").and(COLUMNS).and(" FROM device_request");
        let query = query.and_bind(" WHERE user_code = ?", user_code.bytes).and_bind(" AND expires_at > ?", now);
        self.read().optional(query).await?.as_ref().map(read).transpose()
    }

    /// Notes that a device asked. `None` if it had waited as long as it must; else how many seconds it must wait from now on. Of two
    /// who ask at once, anywhere, one was too fast.
    pub async fn poll_device_request(&self, id: DeviceRequestId, now: Timestamp) -> Result<Option<u32>, StoreError> {
        let in_time = sql("UPDATE device_request SET polled_at = $2
                           WHERE id = $1 AND (polled_at IS NULL OR polled_at + wait * 1000 <= $3)");
        let latest = now.checked_add(DeviceRequest::EARLY).unwrap_or(Timestamp::MAX);
        let mut transaction = WriteTransaction::begin(&self.database.pools).await?;
        if transaction.execute(in_time.bind(text(id)).bind(now).bind(latest)).await? == 1 {
            transaction.commit().await?;
            return Ok(None);
        }
        let slower = sql("UPDATE device_request SET polled_at = $2, wait = wait + $3 WHERE id = $1 RETURNING wait");
        let slower = slower.bind(text(id)).bind(now).bind(i64::from(DeviceRequest::SLOWER));
        let row = transaction.read().optional(slower).await?;
        transaction.commit().await?;
        row.map(|row| row.count("wait")).transpose()
    }
}

impl Tx<'_> {
    /// Keeps what somebody decided. Tells whether they were the first, in time.
    pub async fn decide_device_request(&mut self, one: &DeviceRequest, now: Timestamp) -> Result<bool, StoreError> {
        let approval = match &one.state {
            DeviceState::Approved(approval) => Some(approval),
            DeviceState::Waits | DeviceState::Denied | DeviceState::Redeemed(_) => None,
        };
        let update = sql("UPDATE device_request SET state = $2, person = $3, organization = $4, approved = $5
                          WHERE id = $1 AND state = 'waits' AND expires_at > $6");
        let update = update
            .bind(text(one.id))
            .bind(one.state.as_str())
            .bind(text_or_null(approval.map(|approval| approval.user)))
            .bind(text_or_null(approval.map(|approval| approval.organization)))
            .bind(text_or_null(approval.map(|approval| approval.permissions.to_text())))
            .bind(now);
        Ok(self.execute(update).await? == 1)
    }

    /// Takes back what a user approved, in one organization or in all, and what no device has come for yet: whoever is out is out. With an event for
    /// each.
    pub(crate) async fn take_back_approvals(
        &mut self,
        user: UserId,
        organization: Option<OrganizationId>,
    ) -> Result<(), StoreError> {
        let query = sql("SELECT ").and(COLUMNS).and(" FROM device_request WHERE state = 'approved'");
        let query =
            query.and_bind(" AND person = ?", text(user)).and_if(" AND organization = ?", organization.map(text));
        for row in self.inner.read().all(query).await? {
            let one = read(&row)?;
            self.withdraw_device_request(one.id).await?;
            self.also(one.deny(Some("whoever approved it was shut out, left or ended their sessions")).1);
        }
        Ok(())
    }

    /// Takes back what a user approved. Tells whether the device had not come for it yet.
    pub async fn take_back_approval(&mut self, id: DeviceRequestId, user: UserId) -> Result<bool, StoreError> {
        let update =
            sql("UPDATE device_request SET state = 'denied' WHERE id = $1 AND state = 'approved' AND person = $2");
        Ok(self.execute(update.bind(text(id)).bind(text(user))).await? == 1)
    }

    /// Uses up what was approved. Of many who redeem it at once, anywhere, one is told that it did.
    pub async fn redeem_device_request(&mut self, id: DeviceRequestId, now: Timestamp) -> Result<bool, StoreError> {
        let update = sql("UPDATE device_request SET state = 'redeemed'
                          WHERE id = $1 AND state = 'approved' AND expires_at > $2");
        Ok(self.execute(update.bind(text(id)).bind(now)).await? == 1)
    }

    /// What was just redeemed comes to nothing: the device is told so from now on.
    pub async fn withdraw_device_request(&mut self, id: DeviceRequestId) -> Result<(), StoreError> {
        let update = sql("UPDATE device_request SET state = 'denied' WHERE id = $1").bind(text(id));
        self.execute(update).await.map(drop)
    }
}

fn read(row: &Row) -> Result<DeviceRequest, StoreError> {
    let permissions = |name: &str| {
        let text = row.text_or_null(name)?;
        text.map(|text| PermissionSet::from_text(&text)).transpose().map_err(StoreError::damaged)
    };
    let state = match row.text("state")?.as_str() {
        "waits" => DeviceState::Waits,
        "denied" => DeviceState::Denied,
        "redeemed" => DeviceState::Redeemed(row.parse("person")?),
        "approved" => DeviceState::Approved(DeviceApproval {
            user: row.parse("person")?,
            organization: row.parse("organization")?,
            permissions: permissions("approved")?.unwrap_or_default(),
        }),
        other => return Err(StoreError::damaged(format!("{other} is no state of a device's request"))),
    };
    Ok(DeviceRequest {
        id: row.parse("id")?,
        client: row.parse("client")?,
        ask: DeviceAsk {
            resource: row.text_or_null("resource")?,
            scope: permissions("permissions")?,
            device_name: row.text_or_null("device_name")?,
        },
        address: row.parse_or_null("address")?,
        created_at: row.time("created_at")?,
        expires_at: row.time("expires_at")?,
        interval: row.count("wait")?,
        polled_at: row.time_or_null("polled_at")?,
        state,
    })
}
