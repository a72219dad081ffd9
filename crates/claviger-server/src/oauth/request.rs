//! A request to an OAuth endpoint: its form, and who seems to send it. Nothing of its query string is read.

use std::net::{IpAddr, SocketAddr};

use axum::{
    extract::{ConnectInfo, FromRequest, Request},
    http::{HeaderValue, Method, header},
};
use claviger_core::oauth::{OAuthError, Parameters, PresentedClient};
use claviger_token::Certificate;

use super::NotDone;
use crate::{
    app::App,
    body, client,
    client_certificate::{self, Issuers, Unreadable},
    log::RequestId,
    metrics::Guarded,
    proof::Carried,
    verify::{Occasion, Surface},
};

/// What every endpoint reads.
pub(crate) struct OAuthRequest {
    pub(crate) form: Parameters,
    authorization: Option<HeaderValue>,
    proofs: Vec<HeaderValue>,
    /// What its client showed beside all that it says.
    pub(super) certificate: Option<Certificate>,
    /// What came along with that. Where it does not matter, it may be anything.
    issuers: Result<Issuers, Unreadable>,
    /// From where it comes.
    pub(crate) address: Option<IpAddr>,
    pub(crate) id: Option<RequestId>,
    method: Method,
    path: String,
}

impl OAuthRequest {
    /// Who it says that it is.
    pub(crate) fn presented(&self) -> Result<Option<PresentedClient>, OAuthError> {
        let authorization = self.authorization.as_ref().map(HeaderValue::as_bytes);
        PresentedClient::read(authorization, &self.form, self.certificate.is_some())
    }

    /// The certificates between its client's and an authority.
    pub(super) fn issuers(&self) -> Result<&Issuers, OAuthError> {
        self.issuers.as_ref().map_err(|why| OAuthError::from(*why))
    }

    /// One whose body is no form, and that proves its client by nothing but what stands there.
    pub(super) fn without_form(request: &Request, app: &App) -> Self {
        let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip());
        let trusted = app.config.trusted_proxies.as_ref();
        let address = peer.map(|peer| client::address(peer, request.headers(), trusted).to_canonical());
        Self {
            form: Parameters::default(),
            authorization: None,
            proofs: request.headers().get_all("dpop").iter().cloned().collect(),
            certificate: None,
            issuers: Ok(Issuers::default()),
            address,
            id: request.extensions().get::<RequestId>().cloned(),
            method: request.method().clone(),
            path: request.uri().path().to_owned(),
        }
    }

    /// The proof of a key that comes with it, if one does.
    pub(super) fn carried(&self) -> Carried<'_> {
        Carried::of(self.proofs.iter())
    }

    /// Whether it shows what proves a client, sound or not.
    pub(crate) fn shows_a_client(&self) -> bool {
        let scheme = self.authorization.as_ref().and_then(|value| value.as_bytes().get(..6));
        scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"basic "))
            || ["client_secret", "client_assertion"].iter().any(|name| self.form.get(name).is_some())
    }

    /// As what it is counted where clients wait that fail too often.
    pub(crate) fn guarded(&self) -> Guarded {
        match self.path.rsplit('/').next() {
            Some("introspect") => Guarded::Introspection,
            Some("revoke") => Guarded::Revocation,
            Some("device_authorization") => Guarded::DeviceAuthorization,
            Some("enrolments" | "renew") => Guarded::Enrolment,
            _ => Guarded::Token,
        }
    }

    /// What is told of it.
    pub(crate) fn occasion(&self) -> Occasion<'_> {
        Occasion {
            surface: Surface::OAuth,
            method: Some(self.method.as_str()),
            path: Some(&self.path),
            request_id: self.id.as_ref().map(RequestId::as_str),
        }
    }
}

impl FromRequest<App> for OAuthRequest {
    type Rejection = NotDone;

    async fn from_request(request: Request, app: &App) -> Result<Self, NotDone> {
        let bare = Self::without_form(&request, app);
        let certificate = client_certificate::shown(request.extensions(), request.headers(), &app.config);
        let certificate = certificate.map_err(OAuthError::from)?;
        let issuers = client_certificate::issuers(request.extensions(), request.headers(), &app.config);
        let mut given = request.headers().get_all(header::AUTHORIZATION).iter();
        let authorization = given.next().cloned();
        if given.next().is_some() {
            return Err(OAuthError::invalid_request("Authorization stands there more than once").into());
        }
        let bytes = body::read(request, body::FORM).await.map_err(NotDone::Unreadable)?;
        let form = Parameters::parse(&bytes)?;
        Ok(Self { form, authorization, certificate, issuers, ..bare })
    }
}
