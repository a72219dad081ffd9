//! Many credentials at once: ended by a query, or with a life that a stricter policy cuts. Each has an event of its own.

use claviger_core::{Credential, Event, Kind, Overlong, Reach, RevokeReason};
use claviger_token::{CredentialId, OrganizationId, PrincipalId};
use jiff::Timestamp;

use crate::{
    credential::{CredentialFilter, filtered},
    error::StoreError,
    sql::{Query, Row, sql, text},
    tx::Tx,
    view::View,
};

impl View<'_> {
    /// Whoever else saw a secret that works of a live credential of a principal: they made the credential, or rolled it, or let
    /// somebody in at a portal who did. Whoever registered a public key may have its private half.
    pub async fn others_who_saw_credentials(
        &mut self,
        principal: PrincipalId,
        now: Timestamp,
    ) -> Result<Vec<String>, StoreError> {
        let query = seen("SELECT DISTINCT COALESCE(s.created_by, k.created_by) AS seen_by", principal, now);
        self.executor.all(query).await?.iter().map(|row| row.text("seen_by")).collect()
    }

    /// How many of these credentials one of these saw.
    pub async fn credentials_seen_by(
        &mut self,
        principal: PrincipalId,
        others: Vec<String>,
        now: Timestamp,
    ) -> Result<i64, StoreError> {
        let query = seen("SELECT COUNT(DISTINCT k.id) AS number", principal, now);
        let query = query.and(" AND COALESCE(s.created_by, k.created_by) IN ");
        self.executor.one(query.and_list(others.into_iter().map(Into::into))).await?.int("number")
    }

    /// Whether an organization has live credentials of a kind that live longer than that.
    pub async fn has_overlong(
        &mut self,
        organization: OrganizationId,
        kind: Kind,
        overlong: Overlong,
    ) -> Result<bool, StoreError> {
        let query = self.bound(these(organization, kind, overlong), "organization").and(" LIMIT 1");
        Ok(self.executor.optional(query).await?.is_some())
    }
}

impl Tx<'_> {
    /// Revokes at most `most` of the credentials that a filter names within a reach, and tells it in the trail of each: the next
    /// `after` one that ended before, for what ended is looked at again otherwise. Which ended is told in the order in which they are
    /// locked.
    pub async fn revoke_credentials(
        &mut self,
        reach: Reach,
        filter: &CredentialFilter,
        reason: RevokeReason,
        now: Timestamp,
        (after, most): (Option<CredentialId>, u32),
    ) -> Result<Vec<CredentialId>, StoreError> {
        let query = sql("SELECT k.id FROM credential k WHERE k.deleted_at IS NULL AND k.revoked_at IS NULL");
        let query = filtered(query, filter).and_if(" AND k.organization = ?", filter.organization.map(text));
        let query = query.and_if(" AND k.id > ?", after.map(text));
        let mut view = self.to_change(reach);
        let query = view.bound(query, "k.organization").and(" ORDER BY k.id").and_bind(" LIMIT ?", i64::from(most));
        let rows = view.executor.all(query).await?;
        let ids: Vec<CredentialId> = rows.iter().map(|row| row.parse("id")).collect::<Result<_, _>>()?;
        if ids.is_empty() {
            return Ok(ids);
        }
        let end = sql("UPDATE credential SET epoch = epoch + 1").and_bind(", revoked_at = ?, epoch_raised_at = ?", now);
        let end = end.and_bind(", revoke_reason = ?", reason.as_str()).and(" WHERE id IN ");
        let end = end.and_list(ids.iter().map(text)).and(" RETURNING id, organization");
        let rows = self.within(Reach::Instance).executor.all(end).await?;
        for (id, organization) in ended(&rows)? {
            self.also(Credential::revoked_by_query(id, organization, reason));
        }
        Ok(ids)
    }

    /// Draws the end of at most `most` of an organization's live credentials of a kind nearer, of those that never end and those that
    /// end later than `than`, in the order in which they are locked: the next `after` one that was cut before. Tells each in an event of
    /// its own, for the commit, and which was the last.
    pub async fn cut_lives(
        &mut self,
        organization: OrganizationId,
        kind: Kind,
        overlong: Overlong,
        now: Timestamp,
        (after, most): (Option<CredentialId>, u32),
    ) -> Result<(Vec<Event>, Option<CredentialId>), StoreError> {
        let end = overlong.end;
        let query = these(organization, kind, overlong).and_if(" AND id > ?", after.map(text));
        let query = query.and(" ORDER BY id").and_bind(" LIMIT ?", i64::from(most));
        let rows = self.to_change(Reach::Instance).executor.all(query).await?;
        let ids: Vec<CredentialId> = rows.iter().map(|row| row.parse("id")).collect::<Result<_, _>>()?;
        let Some(last) = ids.last() else { return Ok((Vec::new(), None)) };
        let cut = sql("UPDATE credential SET epoch = epoch + 1").and_bind(", expires_at = ?", end);
        let cut = cut.and_bind(", epoch_raised_at = ?", now);
        let cut = cut.and(" WHERE id IN ").and_list(ids.iter().map(text)).and(" RETURNING id, organization");
        let rows = self.within(Reach::Instance).executor.all(cut).await?;
        let shortened = |(id, organization)| Credential::shortened(id, organization, end);
        Ok((ended(&rows)?.into_iter().map(shortened).collect(), Some(*last)))
    }
}

fn seen(what: &'static str, principal: PrincipalId, now: Timestamp) -> Query {
    sql(what)
        .and(" FROM credential k LEFT JOIN secret s ON s.credential = k.id WHERE k.revoked_at IS NULL")
        .and_bind(" AND k.principal = ?", text(principal))
        .and_bind(" AND (k.expires_at IS NULL OR k.expires_at > ?)", now)
        .and_bind(" AND (s.ends_at IS NULL OR s.ends_at > ?)", now)
        .and(" AND COALESCE(s.created_by, k.created_by) NOT IN ('operator', 'system')")
        .and_bind(" AND COALESCE(s.created_by, k.created_by) <> ?", text(principal))
}

fn these(organization: OrganizationId, kind: Kind, overlong: Overlong) -> Query {
    sql("SELECT id FROM credential WHERE revoked_at IS NULL AND deleted_at IS NULL")
        .and_bind(" AND organization = ?", text(organization))
        .and_bind(" AND kind = ?", kind.as_str())
        .and(" AND (expires_at IS NULL")
        .and_if(" OR expires_at > ?", overlong.than)
        .and(")")
}

fn ended(rows: &[Row]) -> Result<Vec<(CredentialId, OrganizationId)>, StoreError> {
    rows.iter().map(|row| Ok((row.parse("id")?, row.parse("organization")?))).collect()
}
