//! Workloads elsewhere that show what their own platform says of them, and have no secret of ours: the jwt-bearer grant (RFC 7523,
//! section 2.1), and the same assertion as the proof of a client (section 2.2).
//!
//! Who fails learns nothing of why; the log does, and the audit trail of whoever owns the federated identity.

use std::{net::IpAddr, sync::Arc};

use axum::response::Response;
use claviger_core::{
    Actor, By, Credential, Federation, IssuerKeySource, Reach,
    oauth::{AssertedAs, FederatedAssertion, FederatedError, JWT_BEARER, OAuthError, OAuthErrorCode},
};
use claviger_token::{CredentialId, IssuerKey, ServiceAccountId};
use jiff::Timestamp;

use super::{NotDone, OAuthRequest, remote_keys::Place, token::own_rights};
use crate::app::App;

/// At how many places keys are looked for, for one assertion: each may cost seconds.
const MOST_PLACES: usize = 2;
/// How many sets of keys that are here are tried.
const MOST_SETS: usize = 4;

/// Whom an assertion stands for.
pub(super) struct Federated {
    pub(super) client: ServiceAccountId,
    /// By which of its federated identities.
    pub(super) federation: CredentialId,
    pub(super) ends_at: Timestamp,
}

/// Why it stands for nobody.
enum Unbelieved {
    /// The rules say no.
    Refused(FederatedError),
    /// The same of one that its issuer signed.
    Proved(FederatedError, Box<Credential>),
    /// Nobody can say: the issuer's keys cannot be had.
    NoKeys,
}

pub(super) async fn jwt_bearer(app: &App, request: &OAuthRequest) -> Result<Response, NotDone> {
    if request.shows_a_client() {
        let description =
            "the assertion says who asks: send no client_secret, client_assertion or Authorization with it";
        return Err(OAuthError::invalid_request(description).into());
    }
    // Others may have a federated identity that fits the same assertion: whose token is wanted, only the request can say.
    request.form.required("client_id")?;
    let proving = app.proved_key(request)?;
    let client = app.client_of_grant(request, request.form.required("assertion")?).await?;
    client.must_use(JWT_BEARER)?;
    match own_rights(app, request, &client, &proving, JWT_BEARER).await {
        Err(NotDone::Refused(error)) if error.code == OAuthErrorCode::InvalidClient => Err(not_believed().into()),
        done => done,
    }
}

/// The one answer to whoever shows an assertion that stands for nobody: it does not tell why.
pub(super) fn not_believed() -> OAuthError {
    let description =
        "the assertion does not count here; whoever owns the service account finds the reason in its audit trail";
    OAuthError::new(OAuthErrorCode::InvalidGrant, description)
}

impl App {
    /// Whether an assertion of an outside issuer stands for the client that it `said` to be; `None` if not. Why is in the log
    /// already.
    pub(super) async fn federated(
        &self,
        request: &OAuthRequest,
        assertion: &FederatedAssertion<'_>,
        said: Option<&str>,
    ) -> Result<Option<Federated>, NotDone> {
        match self.believe(assertion, said).await? {
            Ok(federated) => Ok(Some(federated)),
            Err(Unbelieved::NoKeys) => {
                let description = "the keys of the issuer cannot be had right now; try again";
                Err(OAuthError::new(OAuthErrorCode::TemporarilyUnavailable, description).into())
            }
            Err(Unbelieved::Refused(error)) => {
                tell(&error);
                Ok(None)
            }
            Err(Unbelieved::Proved(error, credential)) => {
                tell(&error);
                let id = request.id.as_ref().map(ToString::to_string);
                self.tell_owner(&credential, &error, request.address, id).await?;
                Ok(None)
            }
        }
    }

    /// The same of a text that nobody has looked at.
    pub(super) async fn federated_grant(
        &self,
        request: &OAuthRequest,
        text: &str,
    ) -> Result<Option<Federated>, NotDone> {
        match FederatedAssertion::parse(text, AssertedAs::Grant) {
            Ok(assertion) => self.federated(request, &assertion, request.form.get("client_id")).await,
            Err(error) => {
                tell(&error);
                Ok(None)
            }
        }
    }

    async fn believe(
        &self,
        assertion: &FederatedAssertion<'_>,
        said: Option<&str>,
    ) -> Result<Result<Federated, Unbelieved>, NotDone> {
        let refused = |error| Ok(Err(Unbelieved::Refused(error)));
        let Some(client) = said.and_then(|said| said.parse::<ServiceAccountId>().ok()) else {
            return refused(FederatedError::NoFederation);
        };
        let now = self.now();
        // Strangers ask for this, and shall not take all connections from those who need one.
        let turn = self.assertion_reads.acquire().await;
        let mut view = self.store.within(Reach::Instance);
        let (issuer, domain) = (assertion.issuer(), assertion.trust_domain());
        let known = view.federations_of_issuer(issuer, domain, client, now).await?;
        drop(turn);
        let (proved, why) = self.prove_each(assertion, &known).await;
        let (mut fitting, mut misfit) = (None, None);
        for (credential, federation) in proved {
            match assertion.fits(federation, &self.config.public_url, now) {
                Ok(()) => drop(fitting.get_or_insert((credential, federation))),
                // Of several, the one that was made last is likely the one that is meant.
                Err(error) => drop(misfit.get_or_insert((error, credential))),
            }
        }
        let Some((credential, federation)) = fitting else {
            return Ok(Err(match misfit {
                Some((error, credential)) => Unbelieved::Proved(error, Box::new(credential.clone())),
                None => why.unwrap_or(Unbelieved::Refused(FederatedError::NoFederation)),
            }));
        };
        if federation.single_use {
            let (once, ends) = assertion.single_use(credential.id);
            if !self.store.use_once(once, ends).await? {
                return refused(FederatedError::Replayed);
            }
        }
        Ok(Ok(Federated { client, federation: credential.id, ends_at: assertion.ends_at() }))
    }

    /// Those whose keys prove the assertion; and why it is not proved for others. Each place is asked once, the issuer itself before
    /// what others have registered in its name.
    async fn prove_each<'f>(
        &self,
        assertion: &FederatedAssertion<'_>,
        known: &'f [(Credential, Federation)],
    ) -> (Vec<(&'f Credential, &'f Federation)>, Option<Unbelieved>) {
        let (mut proved, mut why) = (Vec::new(), None);
        let mut tried: Vec<(Source<'f>, bool, bool)> = Vec::new();
        let mut ordered: Vec<_> = known.iter().collect();
        ordered.sort_by_key(|(_, federation)| !matches!(federation.keys, IssuerKeySource::Discovery));
        for (credential, federation) in ordered {
            let source = Source::of(federation);
            let of_bundle = federation.has_bundle();
            let before = tried.iter().find(|(known, kind, _)| *known == source && *kind == of_bundle);
            let before = before.map(|(_, _, holds)| *holds);
            let holds = match before {
                Some(holds) => holds,
                None => {
                    let result = match &source {
                        Source::Here(_) if count(&tried, Source::is_here) >= MOST_SETS => continue,
                        Source::There(_) if count(&tried, |source| !source.is_here()) >= MOST_PLACES => continue,
                        Source::Here(_) => Ok(self.prove_here(assertion, federation)),
                        Source::There(place) => self.prove_there(assertion, federation, place).await,
                    };
                    let holds = matches!(result, Ok(Ok(())));
                    match result {
                        Ok(Ok(())) => {}
                        Ok(Err(error)) => why = why.or(Some(Unbelieved::Refused(error))),
                        // Why keys cannot be had is in the log already.
                        Err(()) => why = Some(Unbelieved::NoKeys),
                    }
                    tried.push((source, of_bundle, holds));
                    holds
                }
            };
            if holds {
                proved.push((credential, federation));
            }
        }
        (proved, why)
    }

    fn prove_here(&self, assertion: &FederatedAssertion<'_>, federation: &Federation) -> Result<(), FederatedError> {
        let keys = federation.keys.jwks().map(claviger_core::IssuerKeys::keys).unwrap_or_default();
        assertion.prove(keys, federation.has_bundle())
    }

    async fn prove_there(
        &self,
        assertion: &FederatedAssertion<'_>,
        federation: &Federation,
        place: &Place,
    ) -> Result<Result<(), FederatedError>, ()> {
        let keys: Arc<[IssuerKey]> = self.issuer_keys(place, assertion.kid()).await.map_err(drop)?;
        Ok(assertion.prove(&keys, federation.has_bundle()))
    }

    /// Tells the trail of the organization. Whoever can do this has an assertion that the issuer signed; it is told once an hour.
    async fn tell_owner(
        &self,
        credential: &Credential,
        error: &FederatedError,
        address: Option<IpAddr>,
        request_id: Option<String>,
    ) -> Result<(), NotDone> {
        let by = By { actor: Actor::System, address, request_id };
        // Whoever comes again and again with what ended long ago has no news for anybody.
        if matches!(error, FederatedError::Expired(seconds) if *seconds > 3600) {
            return Ok(());
        }
        let (why, now) = (error.without_values(), self.now());
        Ok(self.store.tell_refused_assertion(&by, credential, &why, now, &mut self.rng()).await?)
    }
}

/// Where keys are.
#[derive(PartialEq, Eq)]
enum Source<'a> {
    /// Here; named by what they are.
    Here(&'a serde_json::Value),
    There(Place),
}

impl<'a> Source<'a> {
    fn of(federation: &'a Federation) -> Self {
        match &federation.keys {
            IssuerKeySource::Jwks(keys) => Self::Here(keys.to_json()),
            IssuerKeySource::JwksUri(address) => Self::There(Place::Keys(address.clone())),
            IssuerKeySource::Discovery => Self::There(Place::Issuer(federation.issuer.clone().unwrap_or_default())),
        }
    }

    fn is_here(&self) -> bool {
        matches!(self, Self::Here(_))
    }
}

fn count<'a>(tried: &[(Source<'a>, bool, bool)], which: impl Fn(&Source<'a>) -> bool) -> usize {
    tried.iter().filter(|(source, ..)| which(source)).count()
}

fn tell(error: &FederatedError) {
    tracing::info!(%error, "an assertion of an outside issuer stands for nobody");
}
