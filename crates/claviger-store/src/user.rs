//! Users in storage, in the table `person` (the word itself is reserved in SQL). Whoever reaches one organization sees its
//! members. How they sign in stands in columns that are not read here.

use std::collections::BTreeSet;

use claviger_core::{Email, Metadata, Name, Reach, RevokeReason, User};
use claviger_token::{CredentialId, OrganizationId, UserId};
use jiff::Timestamp;

use crate::{
    credential::Owner,
    error::StoreError,
    sql::{Query, Row, Value, sql, text, text_or_null},
    tx::Tx,
    view::{Page, View, contains},
};

/// The columns of [`read`], under the alias `p`.
pub(crate) const COLUMNS: &str =
    "p.id, p.email, p.email_claimed, p.name, p.external_id, p.metadata, p.disabled_at, p.created_at";

/// In address, name or external id.
pub(crate) const CONTAINS: &str =
    " AND (LOWER(p.email) LIKE LOWER(?) ESCAPE '\\' OR LOWER(p.name) LIKE LOWER(?) ESCAPE '\\'
                                     OR LOWER(p.external_id) LIKE LOWER(?) ESCAPE '\\')";

/// Which users a list shows.
#[derive(Debug, Clone, Default)]
pub struct UserFilter {
    /// Members of one organization.
    pub organization: Option<OrganizationId>,
    /// With exactly this external id.
    pub external_id: Option<String>,
    /// Those who are, or are not, disabled.
    pub disabled: Option<bool>,
    /// Whose address, name or external id contains this.
    pub q: Option<String>,
}

impl View<'_> {
    /// One, unless deleted or out of reach.
    pub async fn user(&mut self, id: UserId) -> Result<Option<User>, StoreError> {
        self.one_user(" AND p.id = ?", &id.to_string()).await
    }

    /// The one with this external id.
    pub async fn user_by_external_id(&mut self, external_id: &str) -> Result<Option<User>, StoreError> {
        self.one_user(" AND p.external_id = ?", external_id).await
    }

    /// The one with this address, however it is spelt.
    pub async fn user_by_email(&mut self, email: &Email) -> Result<Option<User>, StoreError> {
        self.one_user(" AND p.email_key = ?", &email.key()).await
    }

    /// A page of them.
    pub async fn users(&mut self, filter: &UserFilter, page: &Page<UserId>) -> Result<Vec<User>, StoreError> {
        let query = self.members_only(select());
        let query = query.and_if(MEMBER_OF, filter.organization.map(text));
        let query = query.and_if(" AND p.external_id = ?", filter.external_id.clone());
        let query = query.and(match filter.disabled {
            None => "",
            Some(true) => " AND p.disabled_at IS NOT NULL",
            Some(false) => " AND p.disabled_at IS NULL",
        });
        let query = query
            .and_if(CONTAINS, filter.q.as_deref().map(contains))
            .and_if(" AND p.id < ?", page.after.map(text))
            .and(" ORDER BY p.id DESC")
            .and_bind(" LIMIT ?", i64::from(page.limit));
        self.executor.all(query).await?.iter().map(read).collect()
    }

    async fn one_user(&mut self, which: &str, value: &str) -> Result<Option<User>, StoreError> {
        let query = self.members_only(select().and_bind(which, value));
        self.executor.optional(query).await?.as_ref().map(read).transpose()
    }

    fn members_only(&self, query: Query) -> Query {
        match self.reach {
            Reach::Instance => query,
            Reach::Organization(id) => query.and_bind(MEMBER_OF, text(id)),
        }
    }
}

const MEMBER_OF: &str = " AND EXISTS (SELECT 1 FROM membership m WHERE m.person = p.id AND m.organization = ?)";

fn select() -> Query {
    sql("SELECT ").and(COLUMNS).and(" FROM person p WHERE p.deleted_at IS NULL")
}

impl Tx<'_> {
    /// Adds one.
    pub async fn insert_user(&mut self, new: &User) -> Result<(), StoreError> {
        let insert =
            sql("INSERT INTO person (id, email, email_key, name, external_id, metadata, disabled_at, email_claimed, created_at)
                          VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)");
        self.execute(bound(insert, new).bind(new.created_at)).await.map(drop)
    }

    /// Replaces what can change of one.
    pub async fn save_user(&mut self, new: &User) -> Result<(), StoreError> {
        let update = sql("UPDATE person SET email = $2, email_key = $3, name = $4, external_id = $5, metadata = $6,
                            disabled_at = $7, email_claimed = $8 WHERE id = $1");
        self.execute(bound(update, new)).await.map(drop)
    }

    /// Ends the sessions of a user, voids their links and takes back what they approved: whoever is disabled is out at once, and so is whoever was meant by
    /// another address or external id.
    pub async fn shut_out_user(&mut self, id: UserId) -> Result<(), StoreError> {
        for table in ["session", "one_time_code"] {
            self.execute(sql(&format!("DELETE FROM {table} WHERE person = $1")).bind(text(id))).await?;
        }
        self.take_back_approvals(id, None).await
    }

    /// Gives a claimed address to whom it belongs: everything by which whoever claimed it could come back is gone, and every
    /// credential that they made or had made ends. Tells which did.
    pub async fn take_claimed_user(&mut self, id: UserId, now: Timestamp) -> Result<Vec<CredentialId>, StoreError> {
        let take =
            sql("UPDATE person SET email_claimed = 0, password = NULL, password_set_at = NULL, totp_seed = NULL,
                          totp_confirmed_at = NULL, totp_step = NULL WHERE id = $1");
        self.execute(take.bind(text(id))).await?;
        self.replace_recovery_codes(id, &[]).await?;
        self.execute(sql("DELETE FROM passkey WHERE person = $1").bind(text(id))).await?;
        self.shut_out_user(id).await?;
        self.end_credentials(Owner::Principal(id.into()), RevokeReason::OwnerLeft, now).await
    }

    /// Ends a user with every credential, session and right that they have, and erases what is personal: of the row only the
    /// id stays. Tells which credentials ended.
    pub async fn end_user(&mut self, user: &User, now: Timestamp) -> Result<Vec<CredentialId>, StoreError> {
        let invited = self.invitations_of(user).await?;
        self.lock_organizations_of(user, &invited).await?;
        // Now that nobody invites there any more.
        let invited = self.invitations_of(user).await?;
        let id = user.id.to_string();
        self.delete_assignments(|all| all.and_bind(" WHERE a.principal = ?", text(user.id))).await?;
        let about = || invited.iter().map(String::as_str).chain([id.as_str()]).map(Value::from);
        for erase in [
            "UPDATE audit_event SET personal = NULL WHERE personal IS NOT NULL AND target IN ",
            "DELETE FROM idempotency WHERE about IN ",
            "DELETE FROM invitation WHERE id IN ",
        ] {
            self.execute(sql(erase).and_list(about())).await?;
        }
        self.shut_out_user(user.id).await?;
        for table in ["recovery_code", "passkey", "identity", "membership"] {
            self.execute(sql(&format!("DELETE FROM {table} WHERE person = $1")).bind(text(user.id))).await?;
        }
        let end = sql(
            "UPDATE person SET deleted_at = $2, disabled_at = COALESCE(disabled_at, $2), email = '', email_key = '',
                         name = NULL, external_id = NULL, metadata = '{}', password = NULL, password_set_at = NULL,
                         totp_seed = NULL, totp_confirmed_at = NULL, totp_step = NULL
                       WHERE id = $1",
        );
        self.execute(end.bind(text(user.id)).bind(now)).await?;
        self.end_credentials(Owner::Principal(user.id.into()), RevokeReason::OwnerLeft, now).await
    }

    /// The invitations that they accepted, and those to any address that they have, or had and nobody else has now. The events about
    /// them tell which those were.
    async fn invitations_of(&mut self, user: &User) -> Result<Vec<String>, StoreError> {
        let told =
            sql("SELECT personal FROM audit_event WHERE target = $1 AND personal IS NOT NULL").bind(text(user.id));
        let mut addresses = BTreeSet::from([user.email.key()]);
        for row in self.inner.read().all(told).await? {
            let told: serde_json::Value = serde_json::from_str(&row.text("personal")?).map_err(StoreError::damaged)?;
            let told = [&told["email"], &told["before"]["email"], &told["after"]["email"]];
            let told = told.into_iter().filter_map(|told| told.as_str());
            addresses.extend(told.filter_map(|told| Email::parse(told).ok()).map(|email| email.key()));
        }
        let query =
            sql("SELECT i.id FROM invitation i WHERE i.accepted_by = $1 OR i.email_key IN ").bind(text(user.id));
        let query = query.and_list(addresses.into_iter().map(Value::from));
        let query = query.and(
            " AND NOT EXISTS (SELECT 1 FROM person p
                                  WHERE p.email_key = i.email_key AND p.id <> $1 AND p.deleted_at IS NULL)",
        );
        self.inner.read().all(query).await?.iter().map(|row| row.text("id")).collect()
    }

    /// Every organization in which a user has left something, in the order in which all who lock several do.
    async fn lock_organizations_of(&mut self, user: &User, invited: &[String]) -> Result<(), StoreError> {
        let query = sql("SELECT o.id FROM organization o WHERE o.id IN
                           (SELECT organization FROM membership WHERE person = $1
                            UNION SELECT home FROM assignment WHERE principal = $1
                            UNION SELECT organization FROM credential WHERE principal = $1");
        let query = query.bind(text(user.id));
        let query = match invited {
            [] => query,
            invited => query
                .and(" UNION SELECT organization FROM invitation WHERE id IN ")
                .and_list(invited.iter().map(|id| id.as_str().into())),
        };
        let query = query.and(") ORDER BY o.id");
        self.to_change(Reach::Instance).executor.all(query).await.map(drop)
    }
}

/// `$1` to `$8` of the statements that write one.
fn bound(query: Query, new: &User) -> Query {
    query
        .bind(text(new.id))
        .bind(text(&new.email))
        .bind(new.email.key())
        .bind(text_or_null(new.name.as_ref()))
        .bind(new.external_id.clone())
        .bind(new.metadata.as_str())
        .bind(new.disabled_at)
        .bind(new.email_claimed)
}

pub(crate) fn read(row: &Row) -> Result<User, StoreError> {
    let name = row.text_or_null("name")?;
    Ok(User {
        id: row.parse("id")?,
        email: Email::parse(&row.text("email")?).map_err(StoreError::damaged)?,
        email_claimed: row.flag("email_claimed")?,
        name: name.as_deref().map(Name::parse).transpose().map_err(StoreError::damaged)?,
        external_id: row.text_or_null("external_id")?,
        metadata: Metadata::from_stored(row.text("metadata")?).map_err(StoreError::damaged)?,
        disabled_at: row.time_or_null("disabled_at")?,
        created_at: row.time("created_at")?,
    })
}
