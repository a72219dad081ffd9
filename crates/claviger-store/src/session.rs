//! Sign-in sessions in storage. What a session's browser holds arrives as a digest.

use claviger_core::{Digest, PortalLook, PortalOrigins, Session, SessionEnd, SessionKind};
use claviger_token::{OrganizationId, SessionId, UserId};
use jiff::Timestamp;

use crate::{
    Store,
    error::StoreError,
    organization::portal_look,
    sql::{Executor, Query, Row, WriteTransaction, sql, text, text_or_null},
    tx::Tx,
};

const COLUMNS: &str =
    "s.id, s.person, s.kind, s.method, s.organization, s.return_url, s.vouched_by, s.address, s.user_agent,
                       s.created_at, s.authenticated_at, s.seen_at, s.ends_at";

/// No list of one's sessions is longer.
const MOST_LISTED: i64 = 200;

/// A session and whom it signs in, in whatever state both are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundSession {
    /// The session.
    pub session: Session,
    /// Its user's address.
    pub email: String,
    /// What its user is called.
    pub name: Option<String>,
    /// Whether its user may not sign in any more.
    pub disabled: bool,
    /// The organization of a session at a portal.
    pub portal: Option<FoundPortal>,
}

/// The organization at whose portal a session is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundPortal {
    /// Its id.
    pub organization: OrganizationId,
    /// Its name.
    pub name: String,
    /// Where its portal may stand in a frame.
    pub origins: PortalOrigins,
    /// What its portal is called and looks like.
    pub look: PortalLook,
    /// Whether it is disabled or gone, or the session's user no member any more.
    pub closed: bool,
}

impl Store {
    /// What this digest names.
    pub async fn find_session(&self, digest: &Digest) -> Result<Option<FoundSession>, StoreError> {
        let query = sql("SELECT ").and(COLUMNS).and(
            ", p.email, p.name, p.disabled_at, p.deleted_at, o.name AS organization_name, o.portal_origins,
               o.portal_name, o.portal_color,
               COALESCE(o.disabled_at, o.deleted_at) AS closed_at, m.created_at AS joined_at
             FROM session s JOIN person p ON p.id = s.person
               LEFT JOIN organization o ON o.id = s.organization
               LEFT JOIN membership m ON m.organization = s.organization AND m.person = s.person
             WHERE s.digest = $1",
        );
        let row = self.read().optional(query.bind(digest.bytes)).await?;
        let portal = |row: &Row, organization| {
            let closed = row.time_or_null("closed_at")?.is_some() || row.time_or_null("joined_at")?.is_none();
            let origins = PortalOrigins::from_text(&row.text("portal_origins")?);
            let (name, look) = (row.text("organization_name")?, portal_look(row)?);
            Ok::<_, StoreError>(FoundPortal { organization, name, origins, look, closed })
        };
        let found = |row: &Row| {
            let session = read(row)?;
            Ok(FoundSession {
                portal: session.organization.map(|organization| portal(row, organization)).transpose()?,
                session,
                email: row.text("email")?,
                name: row.text_or_null("name")?,
                disabled: row.time_or_null("disabled_at")?.or(row.time_or_null("deleted_at")?).is_some(),
            })
        };
        row.as_ref().map(found).transpose()
    }

    /// All of a user's, ended ones too, the newest first.
    pub async fn sessions_of(&self, user: UserId) -> Result<Vec<Session>, StoreError> {
        all_of(&mut self.read(), user).await
    }

    /// Writes down when a session was last used. No change of anything, and so without an audit event.
    pub async fn note_session(&self, id: SessionId, seen_at: Timestamp) -> Result<(), StoreError> {
        let mut transaction = WriteTransaction::begin(&self.database.pools).await?;
        let update = sql("UPDATE session SET seen_at = $2 WHERE id = $1 AND seen_at < $2");
        transaction.execute(update.bind(text(id)).bind(seen_at)).await?;
        transaction.commit().await
    }
}

impl Tx<'_> {
    /// All of a user's, as [`Store::sessions_of`] tells them.
    pub async fn sessions_of(&mut self, user: UserId) -> Result<Vec<Session>, StoreError> {
        all_of(&mut self.inner.read(), user).await
    }

    /// Adds one.
    pub async fn insert_session(&mut self, new: &Session, digest: &Digest) -> Result<(), StoreError> {
        let insert = sql("INSERT INTO session (id, digest, person, kind, method, organization, return_url, vouched_by,
                              address, user_agent, created_at, authenticated_at, seen_at, ends_at)
                          VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)");
        let insert = insert
            .bind(text(new.id))
            .bind(digest.bytes)
            .bind(text(new.user))
            .bind(new.kind.as_str())
            .bind(new.method.as_str())
            .bind(text_or_null(new.organization))
            .bind(new.return_url.clone())
            .bind(new.vouched_by.clone())
            .bind(text_or_null(new.address))
            .bind(new.user_agent.clone())
            .bind(new.created_at)
            .bind(new.authenticated_at)
            .bind(new.seen_at)
            .bind(new.ends_at);
        self.execute(insert).await.map(drop)
    }

    /// Keeps that its user proved again who they are, and what its browser holds since. Tells whether it was still
    /// there.
    pub async fn renew_session(&mut self, new: &Session, digest: &Digest) -> Result<bool, StoreError> {
        let update =
            sql("UPDATE session SET digest = $2, method = $3, authenticated_at = $4, seen_at = $5 WHERE id = $1");
        let update = update
            .bind(text(new.id))
            .bind(digest.bytes)
            .bind(new.method.as_str())
            .bind(new.authenticated_at)
            .bind(new.seen_at);
        Ok(self.execute(update).await? > 0)
    }

    /// Ends one of a user's, and tells whether it was still there.
    pub async fn end_session(&mut self, user: UserId, id: SessionId) -> Result<bool, StoreError> {
        let delete = sql("DELETE FROM session WHERE id = $1 AND person = $2").bind(text(id)).bind(text(user));
        Ok(self.execute(delete).await? > 0)
    }

    /// Ends all of a user's but `kept`, with an event for each, and takes back what they approved for a device that has not come for it yet. Tells
    /// how many ended.
    pub async fn end_sessions_of(
        &mut self,
        user: UserId,
        kept: Option<SessionId>,
        why: SessionEnd,
    ) -> Result<usize, StoreError> {
        self.take_back_approvals(user, None).await?;
        let query = sql("DELETE FROM session WHERE person = $1").bind(text(user));
        self.end_these_sessions(query.and_if(" AND id <> ?", kept.map(text)), user, why).await
    }

    /// Ends all that a user has at portals, in the same way.
    pub async fn end_portal_sessions_of(&mut self, user: UserId, why: SessionEnd) -> Result<usize, StoreError> {
        let query = sql("DELETE FROM session WHERE person = $1 AND kind = $2").bind(text(user));
        self.end_these_sessions(query.bind(SessionKind::Portal.as_str()), user, why).await
    }

    async fn end_these_sessions(&mut self, these: Query, user: UserId, why: SessionEnd) -> Result<usize, StoreError> {
        let query = these.and(" RETURNING id, organization");
        let rows = self.inner.read().all(query).await?;
        for row in &rows {
            self.also(Session::ended(row.parse("id")?, user, row.parse_or_null("organization")?, why));
        }
        Ok(rows.len())
    }
}

async fn all_of(executor: &mut Executor<'_>, user: UserId) -> Result<Vec<Session>, StoreError> {
    let query = sql("SELECT ").and(COLUMNS).and(" FROM session s WHERE s.person = $1 ORDER BY s.id DESC");
    let rows = executor.all(query.bind(text(user)).and_bind(" LIMIT ?", MOST_LISTED)).await?;
    rows.iter().map(read).collect()
}

fn read(row: &Row) -> Result<Session, StoreError> {
    Ok(Session {
        id: row.parse("id")?,
        user: row.parse("person")?,
        kind: row.parse("kind")?,
        method: row.parse("method")?,
        organization: row.parse_or_null("organization")?,
        return_url: row.text_or_null("return_url")?,
        vouched_by: row.text_or_null("vouched_by")?,
        address: row.parse_or_null("address")?,
        user_agent: row.text_or_null("user_agent")?,
        created_at: row.time("created_at")?,
        authenticated_at: row.time("authenticated_at")?,
        seen_at: row.time("seen_at")?,
        ends_at: row.time("ends_at")?,
    })
}
