//! Certificate authorities of organizations in storage.

use claviger_core::{CertificateAuthority, Name};
use claviger_token::{Certificate, CertificateAuthorityId, OrganizationId};

use crate::{
    error::StoreError,
    narrowing::Narrowed,
    sql::{Query, Row, sql, text},
    tx::Tx,
    view::{Page, View},
};

fn those() -> Query {
    sql("SELECT c.id, c.organization, c.name, c.certificates, c.reaches_instance, c.created_at, c.created_by FROM certificate_authority c
         WHERE TRUE")
}

impl View<'_> {
    /// One of an organization, unless it is out of reach.
    pub async fn certificate_authority(
        &mut self,
        of: OrganizationId,
        id: CertificateAuthorityId,
    ) -> Result<Option<CertificateAuthority>, StoreError> {
        let query = those().and_bind(" AND c.organization = ?", text(of)).and_bind(" AND c.id = ?", text(id));
        let query = self.bound(query, "c.organization");
        self.executor.optional(query).await?.as_ref().map(authority).transpose()
    }

    /// A page of those of an organization.
    pub async fn page_of_certificate_authorities(
        &mut self,
        of: OrganizationId,
        page: &Page<CertificateAuthorityId>,
    ) -> Result<Vec<CertificateAuthority>, StoreError> {
        let query = those().and_bind(" AND c.organization = ?", text(of));
        self.page(query, "c.organization", None, page, "c.id").await?.iter().map(authority).collect()
    }

    /// All of an organization, newest first.
    pub async fn certificate_authorities(
        &mut self,
        of: OrganizationId,
    ) -> Result<Vec<CertificateAuthority>, StoreError> {
        let query = self.bound(those().and_bind(" AND c.organization = ?", text(of)), "c.organization");
        self.executor.all(query.and(" ORDER BY c.id DESC")).await?.iter().map(authority).collect()
    }
}

impl Tx<'_> {
    /// Adds one.
    pub async fn insert_certificate_authority(&mut self, new: &CertificateAuthority) -> Result<(), StoreError> {
        let certificates: String = new.certificates.iter().map(Certificate::to_pem).collect();
        let insert = sql("INSERT INTO certificate_authority
                 (id, organization, name, certificates, reaches_instance, created_at, created_by)
             VALUES ($1, $2, $3, $4, $5, $6, $7)");
        let insert = insert
            .bind(text(new.id))
            .bind(text(new.organization))
            .bind(new.name.as_str())
            .bind(certificates)
            .bind(new.reaches_instance)
            .bind(new.created_at)
            .bind(new.created_by.clone());
        self.execute(insert).await.map(drop)
    }

    /// Takes one away, and with it every token that somebody got by its word.
    pub async fn delete_certificate_authority(&mut self, old: &CertificateAuthority) -> Result<(), StoreError> {
        self.execute(sql("DELETE FROM certificate_authority WHERE id = $1").bind(text(old.id))).await?;
        self.raise_epochs(Narrowed::VouchedFor(old.organization)).await
    }
}

fn authority(row: &Row) -> Result<CertificateAuthority, StoreError> {
    Ok(CertificateAuthority {
        id: row.parse("id")?,
        organization: row.parse("organization")?,
        name: Name::parse(&row.text("name")?).map_err(StoreError::damaged)?,
        certificates: Certificate::all_from_pem(&row.text("certificates")?).map_err(StoreError::damaged)?,
        reaches_instance: row.flag("reaches_instance")?,
        created_at: row.time("created_at")?,
        created_by: row.text("created_by")?,
    })
}
