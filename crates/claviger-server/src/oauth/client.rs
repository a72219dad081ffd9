//! Which client calls: whoever proves to be one, by a credential of a service account that is not stopped.
//!
//! Who fails learns nothing of why. The room must not know what the client wants.

use std::{error::Error, sync::Arc};

use axum::http::HeaderMap;
use claviger_core::{
    Actor, By, ClientCertificate, ClientKey, Credential, CredentialStatus, Reach, ServiceAccount, any_vouches,
    oauth::{
        AssertedAs, AssertionError, ClientAssertion, ExpectedAudience, FederatedAssertion, OAuthError, OAuthErrorCode,
        PresentedClient,
    },
};
use claviger_store::{StoreError, View};
use claviger_token::{
    Certificate, ClientAuthMethod, Found, PrincipalId, Refusal, Required, Secret, ServiceAccountId, Verdict,
    VerifyingKey,
};
use jiff::Timestamp;

use super::{
    NotDone, OAuthRequest, TOKEN,
    federation::{Federated, not_believed},
};
use crate::{
    app::App,
    client_certificate::Issuers,
    log::bounded,
    proof::Proving,
    verify::{LookedUp, Use},
};

/// At how many addresses of one client keys are looked for, the newest first: each may cost seconds.
const MOST_ADDRESSES: usize = 2;

/// How much of what a client calls itself stands in the log, in characters.
const LONGEST_CLIENT_ID: usize = 64;

/// How often what a token is made from may lose something while the token is made.
const MOST_EPOCHS: usize = 4;

/// A client that proved who it is.
pub(crate) struct Client {
    /// Its id.
    pub(crate) id: ServiceAccountId,
    /// What it proved that by.
    looked_up: LookedUp,
    by: ProvedBy,
    /// When that ends, if what it showed ends before the credential behind it.
    ends_at: Option<Timestamp>,
}

/// How what it proved itself by is found again.
#[derive(Clone, Copy)]
enum ProvedBy {
    /// By the secret in the request.
    Secret,
    /// By the certificate that it showed.
    Certificate,
    /// By its id: whoever signed has no more to show.
    Signature,
}

impl Client {
    /// What stands behind the credential that it proved itself by.
    pub(crate) fn found(&self) -> &Found {
        #[expect(clippy::expect_used, reason = "a Client is only made from what has facts")]
        self.looked_up.found().expect("a client has facts")
    }

    /// Refuses a grant that is none of the client's.
    pub(super) fn must_use(&self, grant: &str) -> Result<(), OAuthError> {
        let Some(own) = &self.found().principal.grant_types else { return Ok(()) };
        if own.contains(grant) {
            return Ok(());
        }
        let description =
            format!("this client uses {own} and not {grant}; it says so in its registration (grant_types)");
        Err(OAuthError::new(OAuthErrorCode::UnauthorizedClient, description))
    }

    /// Who writes, for the audit trail.
    pub(crate) fn by(&self, request: &OAuthRequest) -> By {
        let actor = Actor::Principal { id: self.id.into(), credential: self.found().credential.id };
        By { actor, address: request.address, request_id: request.id.as_ref().map(ToString::to_string) }
    }
}

/// A client that says who it is, and what stands behind the credential that it showed or proved to hold; or why it is not
/// believed.
type Believed = Result<Client, OAuthError>;

impl App {
    /// The client of a request. `cost` is what it counts against the limits of service account and organization.
    pub(crate) async fn client(&self, request: &OAuthRequest, cost: u32) -> Result<Client, NotDone> {
        let believed = match &request.presented()? {
            None => Err(OAuthError::no_client()),
            Some(PresentedClient::Secret { method, client_id, secret }) => {
                self.client_of_secret(request, client_id, *method, secret).await?
            }
            Some(PresentedClient::Assertion { client_id, assertion }) => {
                // Boxed, or the future of every request would be as large as a fetch of keys.
                Box::pin(self.client_of_assertion(request, client_id.as_deref(), assertion)).await?
            }
            Some(PresentedClient::Certificate { client_id }) => self.client_of_certificate(request, *client_id).await?,
        };
        self.counted(request, believed, cost, OAuthError::invalid_client).await
    }

    /// The client that an outside assertion stands for, as a grant.
    pub(super) async fn client_of_grant(&self, request: &OAuthRequest, assertion: &str) -> Result<Client, NotDone> {
        // Boxed, or the future of every request would be as large as a fetch of keys.
        let federated = match Box::pin(self.federated_grant(request, assertion)).await {
            Err(NotDone::Refused(error)) => return Err(self.disbelieved(request, error)),
            federated => federated?,
        };
        let believed = match federated {
            Some(federated) => Ok(self.client_of(federated).await?),
            None => Err(not_believed()),
        };
        self.counted(request, believed, 1, not_believed).await
    }

    /// Whoever is believed, if what it proved that by counts now.
    async fn counted(
        &self,
        request: &OAuthRequest,
        believed: Believed,
        cost: u32,
        refusal: impl Fn() -> OAuthError,
    ) -> Result<Client, NotDone> {
        let client = believed.map_err(|error| self.disbelieved(request, error))?;
        let is_valid = self.is_valid(&client.looked_up, request, &Proving::NOTHING, cost).await?;
        match is_valid && client.looked_up.found().is_some() {
            true => Ok(client),
            false => Err(self.disbelieved(request, refusal())),
        }
    }

    async fn client_of(&self, federated: Federated) -> Result<Client, NotDone> {
        let Federated { client, federation, ends_at } = federated;
        let looked_up = self.look_up_key(federation, Some(ends_at)).await?;
        Ok(Client { id: client, looked_up, by: ProvedBy::Signature, ends_at: Some(ends_at) })
    }

    /// What a token for a client is to be made from, the `subject` that it presented or else itself, as it is now that the token's end can
    /// be told. If this node had to find out where, both are looked up again; it is the one that was asked for only if it is still
    /// valid. `None` if it is not.
    pub(super) async fn with_place(
        &self,
        request: &OAuthRequest,
        client: &Client,
        subject: Option<(&str, LookedUp, &Proving)>,
    ) -> Result<Option<LookedUp>, NotDone> {
        let (subject, mut looked_up) = match subject {
            Some((text, looked_up, proving)) => (Some((text, proving)), looked_up),
            None => (None, client.looked_up.clone()),
        };
        for _ in 0..MOST_EPOCHS {
            let Some(found) = looked_up.found() else { return Ok(None) };
            if self.knows_place(found, client.id).await? {
                return Ok(Some(looked_up));
            }
            let client = self.look_client_up(request, client).await?;
            if !self.is_still_valid(&client, request, &Proving::NOTHING).await {
                return Err(OAuthError::invalid_client().into());
            }
            let Some((text, proving)) = subject else {
                looked_up = client;
                continue;
            };
            looked_up = self.look_up(text).await?;
            if !self.is_still_valid(&looked_up, request, proving).await {
                return Ok(None);
            }
        }
        Err(NotDone::Unavailable("what the token is made from changes all the time".into()))
    }

    /// What stands behind the credential by which a client proved itself, looked up once more.
    async fn look_client_up(&self, request: &OAuthRequest, client: &Client) -> Result<LookedUp, NotDone> {
        match (client.by, request.presented()?) {
            (ProvedBy::Secret, Some(PresentedClient::Secret { secret, .. })) => {
                Ok(self.look_up_client_secret(secret.expose()).await?)
            }
            // An authority may have lost its word since.
            (ProvedBy::Certificate, _) => Ok(self.client_of_certificate(request, client.id).await??.looked_up),
            (ProvedBy::Secret | ProvedBy::Signature, _) => {
                Ok(self.look_up_key(client.found().credential.id, client.ends_at).await?)
            }
        }
    }

    /// The verdict on what was counted already.
    async fn is_still_valid(&self, looked_up: &LookedUp, request: &OAuthRequest, proving: &Proving) -> bool {
        let proving = &about(looked_up, proving);
        self.would_judge(looked_up, &use_of(request, proving, 0)).await == Verdict::Valid
    }

    /// Whether a credential that came with the request counts, from where it came. Too much of it is an error of its own.
    pub(super) async fn is_valid(
        &self,
        looked_up: &LookedUp,
        request: &OAuthRequest,
        proving: &Proving,
        cost: u32,
    ) -> Result<bool, NotDone> {
        let proving = &about(looked_up, proving);
        let judged = self.judge(looked_up, &use_of(request, proving, cost)).await?;
        if let Verdict::Refused(Refusal::RateLimited | Refusal::QuotaExceeded) = judged.verdict {
            let mut headers = HeaderMap::new();
            judged.spending.tell(&mut headers);
            return Err(NotDone::Throttled { headers });
        }
        Ok(judged.verdict == Verdict::Valid)
    }

    /// The client that has this secret, if it is the one that it says and may use it there.
    async fn client_of_secret(
        &self,
        request: &OAuthRequest,
        client_id: &str,
        method: ClientAuthMethod,
        secret: &Secret,
    ) -> Result<Believed, NotDone> {
        let looked_up = self.look_up_client_secret(secret.expose()).await?;
        if looked_up.found().is_none() {
            // Whoever guesses is counted too.
            self.judge_state(&looked_up, &use_of(request, &Proving::NOTHING, 0));
        }
        let client = looked_up.found().and_then(|found| match found.principal.id {
            PrincipalId::ServiceAccount(id) => Some((id, found.principal.token_endpoint_auth_method)),
            PrincipalId::User(_) => None,
        });
        let why = match &client {
            None => "nobody has this secret",
            Some((id, _)) if client_id.parse() != Ok(*id) => "the secret is another client's",
            // Whoever has the secret may know what it is worth.
            Some((_, Some(only))) if only.shows_a_certificate() && request.certificate.is_some() => {
                let description = "this client proves itself by its certificate: send no secret with it";
                return Ok(Err(OAuthError::invalid_request(description)));
            }
            Some((_, Some(only))) if *only != method => "it may not show a secret in this way",
            Some((id, _)) => return Ok(Ok(Client { id: *id, looked_up, by: ProvedBy::Secret, ends_at: None })),
        };
        tracing::info!(
            client_id = bounded(client_id, LONGEST_CLIENT_ID),
            method = method.as_str(),
            why,
            "a client is not believed"
        );
        Ok(Err(OAuthError::invalid_client()))
    }

    /// The client that signed this assertion, for us and for the first time. Why one is not believed is in the log.
    async fn client_of_assertion(
        &self,
        request: &OAuthRequest,
        said: Option<&str>,
        assertion: &Secret,
    ) -> Result<Believed, NotDone> {
        let issuer = &self.config.public_url;
        match ClientAssertion::parse(assertion.expose()) {
            Ok(own) => self.client_of_own_assertion(said, &own, issuer).await,
            // What is not the client's own may be an outside issuer's.
            Err(error) => match FederatedAssertion::parse(assertion.expose(), AssertedAs::Client) {
                Ok(outside) => self.client_of_federation(request, said, &outside).await,
                Err(_) => self.asserted_nothing(error, issuer),
            },
        }
    }

    /// The client that signed this by a key of its own, and by nothing else, for this audience alone; and the thumbprint of the key for which
    /// it vouches. A device renews by what it is.
    pub(super) async fn client_of_own_key(
        &self,
        request: &OAuthRequest,
        assertion: &Secret,
        audience: &str,
    ) -> Result<(Client, Option<String>), NotDone> {
        let (believed, next_key) = match ClientAssertion::parse(assertion.expose()) {
            // Boxed, or the future of every request would be as large as a fetch of keys.
            Ok(own) => {
                let believed = Box::pin(self.client_of_own_assertion(None, &own, audience)).await?;
                (believed, own.next_key().map(str::to_owned))
            }
            Err(error) => (self.asserted_nothing(error, audience)?, None),
        };
        Ok((self.counted(request, believed, 1, OAuthError::invalid_client).await?, next_key))
    }

    /// The client that showed one of its certificates with the request, and by nothing else.
    pub(super) async fn client_showing(&self, request: &OAuthRequest, id: ServiceAccountId) -> Result<Client, NotDone> {
        let believed = self.client_of_certificate(request, id).await?;
        self.counted(request, believed, 1, OAuthError::invalid_client).await
    }

    fn asserted_nothing(&self, error: AssertionError, audience: &str) -> Result<Believed, NotDone> {
        tracing::info!(%error, "a client assertion is not believed");
        // Only whoever has the key gets as far as the audience.
        let may_know = error == AssertionError::Audience;
        let told = || OAuthError::new(OAuthErrorCode::InvalidClient, error.told(audience));
        Ok(Err(if may_know { told() } else { OAuthError::invalid_client() }))
    }

    async fn client_of_own_assertion(
        &self,
        said: Option<&str>,
        assertion: &ClientAssertion<'_>,
        audience: &str,
    ) -> Result<Believed, NotDone> {
        let (id, now) = (assertion.client(), self.now());
        // Strangers ask for this, and shall not take all connections from those who need one.
        let turn = self.assertion_reads.acquire().await;
        let mut view = self.store.within(Reach::Instance);
        let may = |only: &ClientAuthMethod| *only == ClientAuthMethod::PrivateKeyJwt;
        let account = living_account(&mut view, id).await?;
        let account = account.filter(|account| account.token_endpoint_auth_method.as_ref().is_none_or(may));
        let Some(account) = account.filter(|_| said.is_none_or(|said| said.parse() == Ok(id))) else {
            return self.asserted_nothing(AssertionError::Client, audience);
        };
        let keys = view.living_client_keys(id, now).await?;
        drop(turn);
        let token_endpoint = format!("{}{TOKEN}", self.config.public_url);
        let expected = ExpectedAudience {
            issuer: audience,
            token_endpoint: &token_endpoint,
            legacy_audience: account.legacy_assertion_audience && audience == self.config.public_url,
        };
        let own = keys.iter().filter_map(|(credential, key)| match key {
            ClientKey::Jwk(key) => Some((credential.id, &**key)),
            ClientKey::JwksUri(_) => None,
        });
        let mut judged = assertion.judge(own, &expected, now);
        let published = keys.iter().filter_map(|(credential, key)| match key {
            ClientKey::JwksUri(uri) => Some((credential.id, uri)),
            ClientKey::Jwk(_) => None,
        });
        for (id, uri) in published.take(MOST_ADDRESSES) {
            // What its own keys do not prove, one that it publishes may.
            if !matches!(judged, Err(AssertionError::NoKey | AssertionError::Signature)) {
                break;
            }
            // Why keys cannot be had is in the log already.
            if let Ok(published) = self.published_keys(uri, assertion.kid()).await {
                judged = assertion.judge(published.iter().map(|key| (id, key)), &expected, now);
            }
        }
        let used = match judged {
            Ok(used) => used,
            Err(error) => return self.asserted_nothing(error, audience),
        };
        let (once, ends) = assertion.single_use();
        if !self.store.use_once(once, ends).await? {
            tracing::info!(client = %id, "a client assertion came a second time");
            return Ok(Err(OAuthError::invalid_client()));
        }
        let looked_up = self.look_up_key(used, None).await?;
        Ok(Ok(Client { id, looked_up, by: ProvedBy::Signature, ends_at: None }))
    }

    /// The client that registered the certificate that was shown, or a name that it has and that an authority of its organization vouches for.
    async fn client_of_certificate(&self, request: &OAuthRequest, id: ServiceAccountId) -> Result<Believed, NotDone> {
        let Some(shown) = &request.certificate else { return Ok(Err(OAuthError::no_client())) };
        let ends_at = shown.not_after();
        for _ in 0..MOST_EPOCHS {
            let Some(credential) = self.proved_certificate(id, shown, request.issuers()?).await? else {
                return Ok(Err(OAuthError::invalid_client()));
            };
            let looked_up = self.look_up_key(credential.id, ends_at).await?;
            // What was lost since may be the word of the very authority.
            if looked_up.found().is_none_or(|found| found.credential.epoch <= credential.epoch) {
                return Ok(Ok(Client { id, looked_up, by: ProvedBy::Certificate, ends_at }));
            }
        }
        Err(NotDone::Unavailable("what the client proves itself by changes all the time".into()))
    }

    /// Which of a client's certificates is proved by the one that was shown. Why none is, is in the log.
    async fn proved_certificate(
        &self,
        client: ServiceAccountId,
        shown: &Certificate,
        issuers: &Issuers,
    ) -> Result<Option<Credential>, NotDone> {
        let disbelieved = |why: &str| {
            tracing::info!(%client, certificate = %shown.thumbprint(), why, "a client's certificate is not believed");
            Ok(None)
        };
        let now = self.now();
        // Strangers ask for this, and shall not take all connections from those who need one.
        let turn = self.assertion_reads.acquire().await;
        let mut view = self.store.within(Reach::Instance);
        let Some(account) = living_account(&mut view, client).await? else {
            return disbelieved("there is no such client that works");
        };
        let may = |method: ClientAuthMethod| account.token_endpoint_auth_method.is_none_or(|only| only == method);
        let mut meant = view.client_certificates(client).await?;
        meant.retain(|(one, certificate)| {
            one.status(now) == CredentialStatus::Active && may(certificate.method()) && certificate.means(shown, now)
        });
        let is_own = |(_, certificate): &&(Credential, ClientCertificate)| {
            certificate.method() == ClientAuthMethod::SelfSignedTlsClientAuth
        };
        // That needs nobody's word.
        if let Some((credential, _)) = meant.iter().find(is_own) {
            return Ok(Some(credential.clone()));
        }
        let Some((credential, _)) = meant.into_iter().next() else {
            return disbelieved(
                "it has ended, or is none that the client registered and has no name that it registered",
            );
        };
        let mut authorities = view.certificate_authorities(account.organization).await?;
        // Whoever governs one organization does not become what reaches all of them.
        if !view.held_everywhere(client.into()).await?.is_empty() {
            authorities.retain(|authority| authority.reaches_instance);
        }
        drop(turn);
        match any_vouches(&authorities, shown, issuers, now) {
            true => Ok(Some(credential)),
            false => {
                disbelieved("no authority vouches for it: whom the organization trusts, and whether it is for clients")
            }
        }
    }

    /// The client that an outside issuer's assertion stands for, if it may prove itself by signatures.
    async fn client_of_federation(
        &self,
        request: &OAuthRequest,
        said: Option<&str>,
        assertion: &FederatedAssertion<'_>,
    ) -> Result<Believed, NotDone> {
        let Some(federated) = self.federated(request, assertion, said).await? else {
            return Ok(Err(OAuthError::invalid_client()));
        };
        let client = self.client_of(federated).await?;
        let only = client.looked_up.found().and_then(|found| found.principal.token_endpoint_auth_method);
        let may = only.is_none_or(|only| only == ClientAuthMethod::PrivateKeyJwt);
        Ok(if may { Ok(client) } else { Err(OAuthError::invalid_client()) })
    }

    async fn published_keys(
        &self,
        uri: &str,
        kid: Option<&str>,
    ) -> Result<Arc<[VerifyingKey]>, Box<dyn Error + Send + Sync>> {
        Ok(self.remote_keys(&uri.parse()?, kid).await?)
    }

    /// The refusal of whoever proves nothing. Those who fail again and again from one place wait; whoever can prove who it is
    /// never does.
    pub(super) fn disbelieved(&self, request: &OAuthRequest, error: OAuthError) -> NotDone {
        match self.throttle.client_failed(request.address, self.now()) {
            Ok(()) => error.into(),
            Err(wait) => {
                self.metrics.throttled(request.guarded());
                NotDone::throttled(wait)
            }
        }
    }
}

/// A service account that works, in an organization that does.
async fn living_account(view: &mut View<'_>, id: ServiceAccountId) -> Result<Option<ServiceAccount>, StoreError> {
    let account = view.service_account(id).await?.filter(|account| account.disabled_at.is_none());
    let Some(account) = account else { return Ok(None) };
    let organization = view.organization(account.organization).await?;
    let works = organization.is_some_and(|organization| organization.disabled_at.is_none());
    Ok(works.then_some(account))
}

/// What a request proves about a credential that came with it: nothing, if that asks for no key. The proof is then about the new
/// token alone.
fn about(looked_up: &LookedUp, proving: &Proving) -> Proving {
    let bound_to = looked_up.found().and_then(|found| found.credential.confirmation);
    if bound_to.is_some_and(|own| own.jkt.is_some()) { *proving } else { proving.without_key() }
}

fn use_of<'a>(request: &'a OAuthRequest, proving: &'a Proving, cost: u32) -> Use<'a> {
    let (occasion, client_ip) = (request.occasion(), request.address);
    // What it is for is not asked here, and what comes of it has the same objects.
    let required = Required { whatever_object: true, ..Required::default() };
    Use { occasion, required, client_ip, proving, visible: None, cost }
}
