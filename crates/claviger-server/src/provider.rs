//! An outside OpenID Connect provider: where it is, where to send somebody, and what it says of whoever comes back.
//!
//! What it says of itself is kept for an hour, and longer while it does not answer. How it is asked is `outside.rs`'s to
//! know; the room must not know who its people are here.

use std::{
    collections::BTreeMap,
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use claviger_core::{Claims, GroupRole};
use claviger_token::Secret;
use jiff::Timestamp;
use openidconnect::{
    AccessTokenHash, AdditionalClaims, AuthType, AuthenticationFlow, AuthorizationCode, ClaimsVerificationError,
    Client, ClientId, ClientSecret, CsrfToken, EmptyExtraTokenFields, EndpointMaybeSet, EndpointNotSet, EndpointSet,
    IdTokenFields, IssuerUrl, Nonce, OAuth2TokenResponse as _, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl,
    RequestTokenError, Scope, StandardErrorResponse, StandardTokenResponse, TokenResponse as _, UserInfoClaims,
    core::{
        CoreAuthDisplay, CoreAuthPrompt, CoreClientAuthMethod, CoreErrorResponseType, CoreGenderClaim, CoreJsonWebKey,
        CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm, CoreProviderMetadata, CoreResponseType,
        CoreRevocableToken, CoreRevocationErrorResponse, CoreTokenIntrospectionResponse, CoreTokenType,
    },
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::Mutex;
use url::Url;

use crate::{
    app::monotonic,
    outside::{Outside, PATIENCE, chain, is_safe},
};

/// For all questions of one sign-in together, below the bound of a request.
const PATIENCE_IN_ALL: Duration = Duration::from_secs(15);
/// More are not looked at.
const MOST_GROUPS: usize = 1000;
/// How long what the provider says of itself is taken as it is.
const FRESH: Duration = Duration::from_secs(60 * 60);
/// The same once a signature fits no key that is known, for the provider may have new ones.
const FRESH_KEYS: Duration = Duration::from_secs(60);
/// How long it counts while the provider does not answer.
const STALE: Duration = Duration::from_secs(24 * 60 * 60);
/// How long a provider that did not answer is left alone.
const PAUSE: Duration = Duration::from_secs(5);

/// Signatures that only the provider can make: neither none at all, nor those made with a secret that is shared.
const SIGNATURES: [CoreJwsSigningAlgorithm; 9] = [
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha384,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha512,
    CoreJwsSigningAlgorithm::RsaSsaPssSha256,
    CoreJwsSigningAlgorithm::RsaSsaPssSha384,
    CoreJwsSigningAlgorithm::RsaSsaPssSha512,
    CoreJwsSigningAlgorithm::EcdsaP256Sha256,
    CoreJwsSigningAlgorithm::EcdsaP384Sha384,
    CoreJwsSigningAlgorithm::EdDsa,
];

/// A provider, as the operator names it.
#[derive(Debug)]
pub struct ProviderAt {
    /// Its issuer, exactly as it calls itself.
    pub issuer: String,
    /// What this instance is called there.
    pub client_id: String,
    /// What this instance proves itself with there.
    pub client_secret: Secret,
    /// What people call it.
    pub name: String,
    /// What is asked for.
    pub scopes: Vec<String>,
    /// The claim that tells groups.
    pub groups_claim: Option<String>,
    /// Which groups give which roles.
    pub group_roles: Vec<GroupRole>,
    /// Whether who is not a user yet becomes one.
    pub create_users: bool,
}

impl ProviderAt {
    /// Whether an issuer can be asked: by https, or on this machine, and without what no issuer has (OpenID Connect
    /// Discovery 1.0, section 3).
    pub fn is_issuer(text: &str) -> bool {
        let plain = |url: &Url| {
            url.username().is_empty() && url.password().is_none() && url.query().is_none() && url.fragment().is_none()
        };
        Url::parse(text).is_ok_and(|url| is_safe(&url) && plain(&url)) && IssuerUrl::new(text.to_owned()).is_ok()
    }
}

impl ProviderAt {
    /// Whether it tells of itself what is needed, and under this issuer; or why not, in words.
    pub async fn try_discovery(&self) -> Result<(), String> {
        self.discover(&Outside::new()).await.map(drop)
    }

    async fn discover(&self, http: &Outside) -> Result<CoreProviderMetadata, String> {
        let issuer = IssuerUrl::new(self.issuer.clone()).map_err(|error| error.to_string())?;
        let asked = tokio::time::timeout(PATIENCE, CoreProviderMetadata::discover_async(issuer, http));
        let found = asked.await.map_err(|_| format!("no answer within {PATIENCE:?}"))?;
        let metadata = found.map_err(|error| chain(&error))?;
        let authorize = metadata.authorization_endpoint().url();
        if !is_safe(authorize) {
            return Err(format!("it sends people to {authorize}, which is not https"));
        }
        Ok(metadata)
    }
}

/// The same with what it said of itself.
pub(crate) struct Provider {
    pub(crate) at: ProviderAt,
    redirect: String,
    http: Outside,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    known: Option<(Arc<CoreProviderMetadata>, Instant)>,
    failed_at: Option<Instant>,
}

/// What a sign-in is known by at the provider, and nowhere else.
pub(crate) struct Handshake {
    pub(crate) state: String,
    pub(crate) nonce: String,
    pub(crate) verifier: String,
}

/// Why the provider says nothing of anybody.
#[derive(Debug)]
pub(crate) enum ProviderError {
    /// It does not answer, or not what was asked.
    Unavailable(String),
    /// What came back is not from it, or not for this sign-in.
    Refused(String),
}

/// Claims beyond those that OpenID Connect names.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Others {
    #[serde(flatten)]
    others: BTreeMap<String, Value>,
}

impl AdditionalClaims for Others {}

type Tokens = StandardTokenResponse<
    IdTokenFields<
        Others,
        EmptyExtraTokenFields,
        CoreGenderClaim,
        CoreJweContentEncryptionAlgorithm,
        CoreJwsSigningAlgorithm,
    >,
    CoreTokenType,
>;
type KnownClient = Client<
    Others,
    CoreAuthDisplay,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJsonWebKey,
    CoreAuthPrompt,
    StandardErrorResponse<CoreErrorResponseType>,
    Tokens,
    CoreTokenIntrospectionResponse,
    CoreRevocableToken,
    CoreRevocationErrorResponse,
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;

impl Provider {
    /// One that nobody has asked yet. `redirect` is where it sends people back to.
    pub(crate) fn new(at: ProviderAt, redirect: String) -> Self {
        Self { at, redirect, http: Outside::new(), kept: Mutex::default() }
    }

    /// Where to send somebody. `again`: they are to prove who they are, even if the provider knows.
    pub(crate) async fn address(&self, handshake: Handshake, again: bool) -> Result<Url, ProviderError> {
        let client = self.client(&*self.metadata(FRESH).await?)?;
        let Handshake { state, nonce, verifier } = handshake;
        let challenge = PkceCodeChallenge::from_code_verifier_sha256(&PkceCodeVerifier::new(verifier));
        let flow = AuthenticationFlow::<CoreResponseType>::AuthorizationCode;
        let request = client.authorize_url(flow, move || CsrfToken::new(state), move || Nonce::new(nonce));
        // The crate asks for `openid` itself.
        let scopes = self.at.scopes.iter().filter(|scope| *scope != "openid").cloned().map(Scope::new);
        let mut request = request.add_scopes(scopes).set_pkce_challenge(challenge);
        if again {
            request = request.add_prompt(CoreAuthPrompt::Login).set_max_age(Duration::ZERO);
        }
        Ok(request.url().0)
    }

    /// What it says of somebody who came back with a code.
    pub(crate) async fn redeem(&self, code: &str, handshake: Handshake) -> Result<Claims, ProviderError> {
        let late = |_| Err(ProviderError::Unavailable(format!("no answer within {PATIENCE_IN_ALL:?}")));
        let asked = tokio::time::timeout(PATIENCE_IN_ALL, self.ask(code, handshake));
        asked.await.unwrap_or_else(late)
    }

    async fn ask(&self, code: &str, handshake: Handshake) -> Result<Claims, ProviderError> {
        let metadata = self.metadata(FRESH).await?;
        let client = self.client(&metadata)?;
        let request = client.exchange_code(AuthorizationCode::new(code.to_owned())).map_err(unavailable)?;
        let request = request.set_pkce_verifier(PkceCodeVerifier::new(handshake.verifier));
        let tokens = request.request_async(&self.http).await.map_err(|error| {
            let no_grant = matches!(
                &error,
                RequestTokenError::ServerResponse(told) if *told.error() == CoreErrorResponseType::InvalidGrant
            );
            if no_grant { ProviderError::Refused("the code does not count".to_owned()) } else { unavailable(error) }
        })?;
        let nonce = Nonce::new(handshake.nonce);
        match self.verified(&client, &tokens, &nonce) {
            // Perhaps it has new keys.
            Err(ClaimsVerificationError::SignatureVerification(_)) => {
                let client = self.client(&*self.metadata(FRESH_KEYS).await?)?;
                let claims = self.verified(&client, &tokens, &nonce);
                self.completed(&client, &tokens, claims.map_err(refused)?).await
            }
            claims => self.completed(&client, &tokens, claims.map_err(refused)?).await,
        }
    }

    /// What the ID token says, if it is the provider's, for us, for this sign-in and for these tokens.
    fn verified(
        &self,
        client: &KnownClient,
        tokens: &Tokens,
        nonce: &Nonce,
    ) -> Result<Claims, ClaimsVerificationError> {
        let verifier = client.id_token_verifier().set_allowed_algs(SIGNATURES);
        let token = tokens.id_token().ok_or_else(|| ClaimsVerificationError::Other("no ID token".to_owned()))?;
        let said = token.claims(&verifier, nonce)?;
        if let Some(expected) = said.access_token_hash() {
            let other = |error: &dyn fmt::Display| ClaimsVerificationError::Other(error.to_string());
            let key = token.signing_key(&verifier).map_err(ClaimsVerificationError::SignatureVerification)?;
            let algorithm = token.signing_alg().map_err(|error| other(&error))?;
            let actual = AccessTokenHash::from_token(tokens.access_token(), algorithm, key);
            if actual.map_err(|error| other(&error))? != *expected {
                return Err(other(&"the access token is not the one that the ID token was made with"));
            }
        }
        let claims = Claims {
            subject: said.subject().to_string(),
            email: said.email().map(|email| email.to_string()),
            email_verified: said.email_verified().unwrap_or(false),
            name: said.name().and_then(|name| name.get(None)).map(|name| name.to_string()),
            groups: self.groups(said.additional_claims()).unwrap_or_default(),
            authenticated_at: said.auth_time().and_then(|at| Timestamp::from_second(at.timestamp()).ok()),
        };
        if claims.has_sound_subject() {
            return Ok(claims);
        }
        Err(ClaimsVerificationError::InvalidSubject("a subject has 1 to 255 characters".to_owned()))
    }

    /// Many providers tell of addresses and groups only where user info is.
    async fn completed(&self, client: &KnownClient, tokens: &Tokens, claims: Claims) -> Result<Claims, ProviderError> {
        let is_complete = claims.email.is_some() && (self.at.groups_claim.is_none() || !claims.groups.is_empty());
        if is_complete || client.user_info_url().is_none() {
            return Ok(claims);
        }
        let subject = openidconnect::SubjectIdentifier::new(claims.subject.clone());
        let request = client.user_info(tokens.access_token().clone(), Some(subject)).map_err(unavailable)?;
        let said: UserInfoClaims<Others, CoreGenderClaim> =
            request.request_async(&self.http).await.map_err(unavailable)?;
        // An address and whether it is verified come from one place.
        let (email, email_verified) = match claims.email {
            Some(email) => (Some(email), claims.email_verified),
            None => (said.email().map(|email| email.to_string()), said.email_verified().unwrap_or(false)),
        };
        let name = claims.name.or_else(|| said.name().and_then(|name| name.get(None)).map(|name| name.to_string()));
        let groups = if claims.groups.is_empty() {
            self.groups(said.additional_claims()).unwrap_or_default()
        } else {
            claims.groups
        };
        Ok(Claims { email, email_verified, name, groups, ..claims })
    }

    fn groups(&self, others: &Others) -> Option<Vec<String>> {
        Some(match others.others.get(self.at.groups_claim.as_ref()?)? {
            Value::String(group) => vec![group.clone()],
            Value::Array(groups) => {
                groups.iter().take(MOST_GROUPS).filter_map(Value::as_str).map(str::to_owned).collect()
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => return None,
        })
    }

    fn client(&self, metadata: &CoreProviderMetadata) -> Result<KnownClient, ProviderError> {
        let secret = ClientSecret::new(self.at.client_secret.expose().to_owned());
        let id = ClientId::new(self.at.client_id.clone());
        let redirect = RedirectUrl::new(self.redirect.clone()).map_err(unavailable)?;
        let client = Client::from_provider_metadata(metadata.clone(), id, Some(secret)).set_redirect_uri(redirect);
        // If it says nothing, it takes `client_secret_basic` (Discovery 1.0, section 3).
        let methods = metadata.token_endpoint_auth_methods_supported();
        let only_in_body = methods.is_some_and(|methods| {
            !methods.contains(&CoreClientAuthMethod::ClientSecretBasic)
                && methods.contains(&CoreClientAuthMethod::ClientSecretPost)
        });
        Ok(if only_in_body { client.set_auth_type(AuthType::RequestBody) } else { client })
    }

    /// What it says of itself, not older than this if it answers.
    async fn metadata(&self, fresh: Duration) -> Result<Arc<CoreProviderMetadata>, ProviderError> {
        // Who comes meanwhile waits for the one answer, or for the one failure.
        let mut kept = self.kept.lock().await;
        let age = |at: &Instant| monotonic().duration_since(*at);
        if let Some((known, _)) = kept.known.as_ref().filter(|(_, at)| age(at) < fresh) {
            return Ok(known.clone());
        }
        let is_paused = kept.failed_at.as_ref().is_some_and(|at| age(at) < PAUSE);
        let found = if is_paused {
            Err("it did not answer a moment ago".to_owned())
        } else {
            self.at.discover(&self.http).await
        };
        match found {
            Ok(metadata) => {
                let metadata = Arc::new(metadata);
                *kept = Kept { known: Some((metadata.clone(), monotonic())), failed_at: None };
                Ok(metadata)
            }
            Err(why) => {
                if !is_paused {
                    tracing::warn!(issuer = self.at.issuer, why, "the OpenID Connect provider does not answer");
                    kept.failed_at = Some(monotonic());
                }
                let known = kept.known.as_ref().filter(|(_, at)| age(at) < STALE);
                known.map(|(known, _)| known.clone()).ok_or(ProviderError::Unavailable(why))
            }
        }
    }
}

fn unavailable(error: impl std::error::Error) -> ProviderError {
    ProviderError::Unavailable(chain(&error))
}

fn refused(error: ClaimsVerificationError) -> ProviderError {
    ProviderError::Refused(chain(&error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_provider_is_asked_by_https_or_on_this_machine() {
        let check = |text: &str, sound| assert_eq!(ProviderAt::is_issuer(text), sound, "{text}");
        check("https://idp.acme.test", true);
        check("https://idp.acme.test/realms/acme", true);
        check("http://127.0.0.1:3000", true);
        check("http://localhost:3000/", true);
        for wrong in
            ["", "idp", "http://idp.acme.test", "https://u:p@idp.test", "https://idp.test/?a", "ftp://localhost"]
        {
            check(wrong, false);
        }
    }
}
