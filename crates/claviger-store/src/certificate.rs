//! Certificates of clients in storage: credentials that have a certificate, or a name, where others have secrets.

use claviger_core::{ClientCertificate, Credential, Kind};
use claviger_token::{CertificateId, ServiceAccountId};

use crate::{
    credential::COLUMNS,
    error::StoreError,
    sql::{Query, Row, sql, text},
    tx::Tx,
    view::{Page, View},
};

fn those() -> Query {
    sql("SELECT k.client_key, ")
        .and(COLUMNS)
        .and(" FROM credential k WHERE k.deleted_at IS NULL")
        .and_bind(" AND k.kind = ?", Kind::Certificate.as_str())
}

impl View<'_> {
    /// One with what it counts for, unless it is deleted or out of reach.
    pub async fn certificate(
        &mut self,
        id: CertificateId,
    ) -> Result<Option<(Credential, ClientCertificate)>, StoreError> {
        let query = self.bound(those().and_bind(" AND k.id = ?", text(id)), "k.organization");
        let row = self.executor.optional(query).await?;
        Ok(self.with_certificates(row.as_slice()).await?.pop())
    }

    /// A page of those of a service account.
    pub async fn certificates(
        &mut self,
        of: ServiceAccountId,
        page: &Page<CertificateId>,
    ) -> Result<Vec<(Credential, ClientCertificate)>, StoreError> {
        let query = those().and_bind(" AND k.principal = ?", text(of));
        let rows = self.page(query, "k.organization", None, page, "k.id").await?;
        self.with_certificates(&rows).await
    }

    /// All that a service account has and that were not revoked, newest first: by what it can prove itself, as far as each counts now.
    pub async fn client_certificates(
        &mut self,
        of: ServiceAccountId,
    ) -> Result<Vec<(Credential, ClientCertificate)>, StoreError> {
        let query = those().and_bind(" AND k.principal = ?", text(of)).and(" AND k.revoked_at IS NULL");
        let query = self.bound(query, "k.organization").and(" ORDER BY k.id DESC");
        let rows = self.executor.all(query).await?;
        self.with_certificates(&rows).await
    }

    async fn with_certificates(&mut self, rows: &[Row]) -> Result<Vec<(Credential, ClientCertificate)>, StoreError> {
        let credentials = self.with_secrets(rows).await?;
        let certificate =
            |row: &Row| ClientCertificate::from_text(&row.text("client_key")?).map_err(StoreError::damaged);
        credentials.into_iter().zip(rows).map(|(credential, row)| Ok((credential, certificate(row)?))).collect()
    }
}

impl Tx<'_> {
    /// Adds one. What changes of it afterwards is [`Tx::save_credential`]'s.
    pub async fn insert_certificate(
        &mut self,
        new: &Credential,
        certificate: &ClientCertificate,
    ) -> Result<(), StoreError> {
        self.insert_record(new, Some(certificate.to_text())).await
    }
}
