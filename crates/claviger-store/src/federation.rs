//! Federated identities of clients in storage: credentials that have conditions on the assertions of others where some have secrets.

use claviger_core::{By, Credential, Federation, Kind};
use claviger_token::{FederationId, ServiceAccountId};
use jiff::Timestamp;
use rand::CryptoRng;

use crate::{
    Store,
    credential::COLUMNS,
    error::StoreError,
    sql::{Executor, Query, Row, sql, text},
    tx::Tx,
    view::{Page, View},
};

const HOUR_MS: i64 = 3_600_000;

fn those() -> Query {
    sql("SELECT f.terms, ")
        .and(COLUMNS)
        .and(" FROM credential k JOIN federation f ON f.credential = k.id WHERE k.deleted_at IS NULL")
        .and_bind(" AND k.kind = ?", Kind::Federation.as_str())
}

impl View<'_> {
    /// One with what it says of assertions, unless it is deleted or out of reach.
    pub async fn federation(&mut self, id: FederationId) -> Result<Option<(Credential, Federation)>, StoreError> {
        let query = self.bound(those().and_bind(" AND k.id = ?", text(id)), "k.organization");
        let row = self.executor.optional(query).await?;
        Ok(self.with_terms(row.as_slice()).await?.pop())
    }

    /// A page of those of a service account.
    pub async fn federations(
        &mut self,
        of: ServiceAccountId,
        page: &Page<FederationId>,
    ) -> Result<Vec<(Credential, Federation)>, StoreError> {
        let query = those().and_bind(" AND k.principal = ?", text(of));
        let rows = self.page(query, "k.organization", None, page, "k.id").await?;
        self.with_terms(&rows).await
    }

    /// All that a service account has and that did not end, newest first.
    pub async fn living_federations(
        &mut self,
        of: ServiceAccountId,
        now: Timestamp,
    ) -> Result<Vec<(Credential, Federation)>, StoreError> {
        let query = those().and_bind(" AND k.principal = ?", text(of)).and(" AND k.revoked_at IS NULL");
        let query = query.and_bind(" AND (k.expires_at IS NULL OR k.expires_at > ?)", now);
        let query = self.bound(query, "k.organization").and(" ORDER BY k.id DESC");
        let rows = self.executor.all(query).await?;
        self.with_terms(&rows).await
    }

    /// Those of a client that count now and that an assertion of this issuer, or of this trust domain, can be for, newest first.
    pub async fn federations_of_issuer(
        &mut self,
        issuer: Option<&str>,
        trust_domain: Option<&str>,
        client: ServiceAccountId,
        now: Timestamp,
    ) -> Result<Vec<(Credential, Federation)>, StoreError> {
        let query = those()
            .and(" AND k.revoked_at IS NULL AND k.disabled_at IS NULL")
            .and_bind(" AND (k.expires_at IS NULL OR k.expires_at > ?)", now)
            .and(
                " AND EXISTS (SELECT 1 FROM service_account p JOIN organization o ON o.id = p.organization
                               WHERE p.id = k.principal AND p.deleted_at IS NULL AND p.disabled_at IS NULL
                                 AND o.deleted_at IS NULL AND o.disabled_at IS NULL)",
            );
        // A bundle is its trust domain's, whatever `iss` says.
        let query = match (issuer, trust_domain) {
            (Some(issuer), None) => query.and_bind(" AND f.issuer = ? AND f.trust_domain IS NULL", text(issuer)),
            (None, Some(domain)) => query.and_bind(" AND f.trust_domain = ?", text(domain)),
            (Some(issuer), Some(domain)) => query
                .and_bind(" AND ((f.issuer = ? AND f.trust_domain IS NULL)", text(issuer))
                .and_bind(" OR f.trust_domain = ?)", text(domain)),
            (None, None) => return Ok(Vec::new()),
        };
        let query = query.and_bind(" AND k.principal = ?", text(client));
        let query = self.bound(query, "k.organization").and(" ORDER BY k.id DESC");
        let rows = self.executor.all(query).await?;
        self.with_terms(&rows).await
    }

    async fn with_terms(&mut self, rows: &[Row]) -> Result<Vec<(Credential, Federation)>, StoreError> {
        let credentials = self.with_secrets(rows).await?;
        let terms = |row: &Row| Federation::from_text(&row.text("terms")?).map_err(StoreError::damaged);
        credentials.into_iter().zip(rows).map(|(credential, row)| Ok((credential, terms(row)?))).collect()
    }
}

impl Tx<'_> {
    /// Adds one. What changes of it afterwards is [`Tx::save_credential`]'s.
    pub async fn insert_federation(&mut self, new: &Credential, federation: &Federation) -> Result<(), StoreError> {
        self.insert_record(new, None).await?;
        let insert = sql("INSERT INTO federation (credential, issuer, trust_domain, terms) VALUES ($1, $2, $3, $4)");
        let insert = insert
            .bind(text(new.id))
            .bind(federation.issuer.clone())
            .bind(federation.trust_domain.clone())
            .bind(federation.to_text());
        self.execute(insert).await.map(drop)
    }
}

impl Store {
    /// Tells the audit trail that an assertion which its issuer signed did not count, at most once per federation and hour, over all
    /// nodes.
    pub async fn tell_refused_assertion(
        &self,
        by: &By,
        credential: &Credential,
        why: &str,
        now: Timestamp,
        rng: &mut (dyn CryptoRng + Send),
    ) -> Result<(), StoreError> {
        // What was told lately makes nobody wait for a write.
        let before = now.as_millisecond() - HOUR_MS;
        let due = sql(
            "SELECT 1 FROM federation WHERE credential = $1 AND (refusal_told_at IS NULL OR refusal_told_at <= $2)",
        );
        let due = due.bind(text(credential.id)).bind(before);
        if Executor::Pools(&self.database.pools).optional(due).await?.is_none() {
            return Ok(());
        }
        let mut tx = self.begin(by).await?;
        let claim = sql("UPDATE federation SET refusal_told_at = $2
                         WHERE credential = $1 AND (refusal_told_at IS NULL OR refusal_told_at <= $3)");
        let claim = claim.bind(text(credential.id)).bind(now).bind(before);
        if tx.execute(claim).await? == 0 {
            return Ok(());
        }
        tx.commit(Federation::assertion_refused(credential, why), now, rng).await
    }
}
