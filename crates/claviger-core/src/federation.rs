//! Federated identities: which assertions of an outside issuer stand for a service account, as an OAuth client, so that it has no
//! secret of ours at all (RFC 7523). What becomes of one afterwards is every credential's.
//!
//! The room must not know who sends an assertion, nor fetch a key.

mod conditions;
mod issuer_keys;
mod preset;

use claviger_token::{FederationId, TypedId as _, read_object};
use jiff::Timestamp;
use rand::CryptoRng;
use serde::Deserialize;
use serde_json::{Map, Value, json, value::RawValue};

use crate::{
    audit::{Action, Event},
    client_credential::must_be_few,
    client_key::ClientKey,
    credential::{Change, Credential},
    invalid::{FieldErrors, Rejection},
    issuing::{Asked, IssuingContext},
};

pub use conditions::{Conditions, Unmet};
pub use issuer_keys::{IssuerKeySource, IssuerKeys};
pub use preset::{Preset, UnknownPreset};

const LONGEST_AUDIENCE: usize = 500;
const LONGEST_ISSUER: usize = 1000;
const LONGEST_DOMAIN: usize = 255;

/// Body of `POST /v1/service-accounts/{id}/federations`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NewFederation {
    /// 1 to 100 characters; need not be unique.
    #[cfg_attr(feature = "openapi", schema(example = "deploy from main"))]
    pub name: String,
    /// Whose tokens they are: what the conditions must say at least depends on it. Without: that of the issuer.
    pub preset: Option<Preset>,
    /// `iss` of the assertions, byte for byte. GitHub's and GitLab's own are known; a SPIFFE trust domain need not have one.
    #[cfg_attr(feature = "openapi", schema(example = "https://token.actions.githubusercontent.com"))]
    pub issuer: Option<String>,
    /// Of `spiffe`: in which trust domain the subjects are. The keys are bound to it.
    #[cfg_attr(feature = "openapi", schema(example = "prod.acme.test"))]
    pub trust_domain: Option<String>,
    /// The only `aud` of the assertions. Without: this instance's `public_url`.
    pub audience: Option<String>,
    /// `{claim: value | [values]}`: what the assertions must say. A claim below others is named by a JSON Pointer, as
    /// `/kubernetes.io/namespace`. `*` stands for a whole segment between `/`, `:` and `@`.
    #[cfg_attr(feature = "openapi", schema(value_type = Object, example = json!({"repository_id": "74", "ref": "refs/heads/main"})))]
    pub conditions: Box<RawValue>,
    /// The issuer's keys as a JWK Set, or a bundle of SPIFFE, if the issuer does not publish them for us.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    pub jwks: Option<Box<RawValue>>,
    /// Where they are published, if the issuer does not say so by itself. Such a federation counts for requests with its `client_id`.
    pub jwks_uri: Option<String>,
    /// Whether an assertion counts once. Without, it may be used again until it ends.
    pub single_use: Option<bool>,
    /// When the federation ends (RFC 3339).
    pub expires_at: Option<Timestamp>,
}

/// Which assertions count, and what proves them.
#[derive(Debug, Clone)]
pub struct Federation {
    /// Whose tokens they are.
    pub preset: Preset,
    /// `iss`, if it is asked for.
    pub issuer: Option<String>,
    /// In which SPIFFE trust domain the subjects are.
    pub trust_domain: Option<String>,
    /// `aud`, if it is not this instance.
    pub audience: Option<String>,
    /// Where the keys are.
    pub keys: IssuerKeySource,
    /// What the claims must say.
    pub conditions: Conditions,
    /// Whether an assertion counts once.
    pub single_use: bool,
}

/// The text in storage is no federation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is no federation")]
pub struct NoFederation;

/// One that was made.
#[derive(Debug)]
pub struct MadeFederation {
    /// The record.
    pub credential: Credential,
    /// Which assertions count.
    pub federation: Federation,
    /// What happened.
    pub event: Event,
}

impl NewFederation {
    /// The federation that is asked for. `existing` are those of its service account that did not end; `own_issuer` is this
    /// instance, whose own tokens are no assertions.
    pub fn make(
        self,
        context: &IssuingContext<'_>,
        existing: &[(Credential, Federation)],
        own_issuer: &str,
        created_by: String,
        now: Timestamp,
        rng: &mut dyn CryptoRng,
    ) -> Result<MadeFederation, Rejection> {
        let id = FederationId::generate(now, rng).into();
        let mut errors = FieldErrors::default();
        let federation = self.terms(own_issuer, &mut errors);
        let credential = Asked::of_client(id, &self.name, self.expires_at).record(context, created_by, now, errors)?;
        let Some(federation) = federation else { return Err(Rejection::Invalid(Vec::new())) };
        must_be_few(id, i64::try_from(existing.len()).unwrap_or(i64::MAX))?;
        let text = federation.to_text();
        if existing.iter().any(|(_, other)| other.to_text() == text) {
            let message = "the service account has this federated identity already; use that one, or revoke it first";
            return Err(Rejection::conflict("federation_exists", message));
        }
        let mut details = credential.told();
        details["federation"] = federation.told();
        let event = credential.event(Change::Created, details);
        Ok(MadeFederation { credential, federation, event })
    }

    fn terms(&self, own_issuer: &str, errors: &mut FieldErrors) -> Option<Federation> {
        let preset = self.preset.unwrap_or_else(|| Preset::of_issuer(self.issuer.as_deref()));
        let issuer = self.issuer.as_deref().or_else(|| preset.issuer()).map(str::to_owned);
        let known = Preset::of_issuer(issuer.as_deref());
        if known != Preset::Oidc && known != preset {
            errors.add("/preset", "invalid_preset", format!("the preset of this issuer is {known}"));
        }
        let of_spiffe = preset == Preset::Spiffe;
        let trust_domain = self.trust_domain(of_spiffe, errors);
        let keys = self.keys(of_spiffe, issuer.as_deref(), errors);
        match &issuer {
            None if of_spiffe => {}
            None => errors.add("/issuer", "required", "iss of the assertions, as the issuer writes it"),
            Some(issuer) if issuer == own_issuer => {
                errors.add(
                    "/issuer",
                    "invalid_issuer",
                    "an outside issuer: tokens of this instance are exchanged instead",
                );
            }
            Some(issuer) => {
                let fetched = matches!(keys, Some(IssuerKeySource::Discovery));
                if let Err(message) = must_be_issuer(issuer, fetched) {
                    errors.add("/issuer", "invalid_issuer", message);
                }
            }
        }
        if let Some(audience) = &self.audience {
            let odd = |character: char| character.is_control() || character.is_whitespace();
            if !(1..=LONGEST_AUDIENCE).contains(&audience.len()) || audience.contains(odd) {
                let message = format!("1 to {LONGEST_AUDIENCE} bytes without white space; best leave it out");
                errors.add("/audience", "invalid_audience", message);
            } else if preset.has_for_others(audience, issuer.as_deref()) {
                let message = "tokens that are made for nobody in particular have this audience, and are shown to others too; ask for tokens that are made for this instance";
                errors.add("/audience", "default_audience", message);
            }
        }
        let conditions = Conditions::read(&self.conditions, errors)?;
        if let Err(message) = preset.must_name_somebody(&conditions) {
            errors.add("/conditions", "names_nobody", message);
        }
        if preset == Preset::Kubernetes && conditions.all().any(|(claim, _)| claim.starts_with("kubernetes.io")) {
            let message = "what is in kubernetes.io is named by a JSON Pointer: /kubernetes.io/namespace";
            errors.add("/conditions", "invalid_condition", message);
        }
        if let (Some(domain), Some(wanted)) = (&trust_domain, conditions.on("sub")) {
            let within = format!("spiffe://{domain}/");
            if !wanted.iter().all(|wanted| wanted.as_str().starts_with(&within)) {
                errors.add("/conditions/sub", "invalid_condition", format!("a subject in the trust domain: {within}…"));
            }
        }
        let (audience, single_use) = (self.audience.clone(), self.single_use.unwrap_or(false));
        Some(Federation { preset, issuer, trust_domain, audience, keys: keys?, conditions, single_use })
    }

    fn trust_domain(&self, of_spiffe: bool, errors: &mut FieldErrors) -> Option<String> {
        match &self.trust_domain {
            Some(domain) if of_spiffe && is_trust_domain(domain) => Some(domain.clone()),
            Some(_) if of_spiffe => {
                let message =
                    "a trust domain: lower-case letters, digits, dots, dashes and underscores, without spiffe://";
                errors.add("/trust_domain", "invalid_trust_domain", message);
                None
            }
            Some(_) => {
                errors.add("/trust_domain", "not_spiffe", "only the preset spiffe has a trust domain");
                None
            }
            None => {
                if of_spiffe {
                    errors.add("/trust_domain", "required", "the trust domain whose keys these are, as prod.acme.test");
                }
                None
            }
        }
    }

    fn keys(&self, of_spiffe: bool, issuer: Option<&str>, errors: &mut FieldErrors) -> Option<IssuerKeySource> {
        match (&self.jwks, &self.jwks_uri) {
            (Some(_), Some(_)) => {
                errors.add("/jwks_uri", "one_of", "one of jwks and jwks_uri, and not both");
                None
            }
            (Some(jwks), None) => {
                let keys = IssuerKeys::parse(jwks.get().as_bytes(), of_spiffe);
                errors.keep("/jwks", "invalid_jwks", keys).map(IssuerKeySource::Jwks)
            }
            (None, Some(address)) => {
                let key = errors.keep("/jwks_uri", "invalid_jwks_uri", ClientKey::at(address))?;
                key.jwks_uri().map(|address| IssuerKeySource::JwksUri(address.to_owned()))
            }
            (None, None) if of_spiffe => {
                errors.add(
                    "/jwks",
                    "required",
                    "the bundle of the trust domain as jwks, or the address of its bundle as jwks_uri",
                );
                None
            }
            (None, None) if issuer.is_some_and(is_in_a_cluster) => {
                let message = "nobody outside of its cluster reaches this issuer: give its keys, kubectl get --raw /openid/v1/jwks";
                errors.add("/jwks", "required", message);
                None
            }
            (None, None) => Some(IssuerKeySource::Discovery),
        }
    }
}

impl Federation {
    /// What is stored.
    pub fn to_text(&self) -> String {
        self.told().to_string()
    }

    fn told(&self) -> Value {
        json!({
            "preset": self.preset, "issuer": self.issuer, "trust_domain": self.trust_domain, "audience": self.audience,
            "jwks": self.keys.jwks().map(IssuerKeys::to_json), "jwks_uri": self.keys.jwks_uri(),
            "conditions": self.conditions.to_json(), "single_use": self.single_use,
        })
    }

    /// From storage.
    pub fn from_text(text: &str) -> Result<Self, NoFederation> {
        #[derive(Deserialize)]
        struct Stored {
            preset: Preset,
            issuer: Option<String>,
            trust_domain: Option<String>,
            audience: Option<String>,
            jwks: Option<Map<String, Value>>,
            jwks_uri: Option<String>,
            conditions: Box<RawValue>,
            single_use: bool,
        }
        let stored: Stored = read_object(text.as_bytes()).map_err(|_| NoFederation)?;
        let keys = match (stored.jwks, stored.jwks_uri) {
            (Some(jwks), None) => {
                let text = Value::Object(jwks).to_string();
                let keys = IssuerKeys::parse(text.as_bytes(), stored.preset == Preset::Spiffe);
                IssuerKeySource::Jwks(keys.map_err(|_| NoFederation)?)
            }
            (None, Some(address)) => IssuerKeySource::JwksUri(address),
            (None, None) => IssuerKeySource::Discovery,
            (Some(_), Some(_)) => return Err(NoFederation),
        };
        let conditions = Conditions::read(&stored.conditions, &mut FieldErrors::default()).ok_or(NoFederation)?;
        let Stored { preset, issuer, trust_domain, audience, single_use, .. } = stored;
        Ok(Self { preset, issuer, trust_domain, audience, keys, conditions, single_use })
    }

    /// What somebody should think of who has it.
    pub fn warnings(&self) -> Vec<&'static str> {
        self.preset.warnings(&self.conditions)
    }

    /// The event of an assertion that its issuer signed and that does not count for it: seen from use, not from a change.
    pub fn assertion_refused(credential: &Credential, why: &str) -> Event {
        let mut event = credential.event(Change::Updated, json!({ "reason": why }));
        event.action = Action::FederationAssertionRefused;
        event.touched.clear();
        event
    }
}

/// Whether it is the trust domain of a SPIFFE ID (SPIFFE-ID, section 2.1).
pub(crate) fn is_trust_domain(text: &str) -> bool {
    let allowed = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-' | b'_');
    (1..=LONGEST_DOMAIN).contains(&text.len()) && text.bytes().all(allowed)
}

/// An address of which only the authority and the path say something, if its keys are fetched; else any name.
fn must_be_issuer(issuer: &str, fetched: bool) -> Result<(), String> {
    if !(1..=LONGEST_ISSUER).contains(&issuer.len()) || !issuer.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(format!("1 to {LONGEST_ISSUER} visible characters, as iss has them"));
    }
    if fetched {
        if issuer.contains('?') {
            return Err("the address of an issuer has no query (OpenID Connect Discovery)".to_owned());
        }
        ClientKey::at(issuer).map_err(|error| format!("{error}; or give its keys as jwks"))?;
    }
    Ok(())
}

fn is_in_a_cluster(issuer: &str) -> bool {
    let host = issuer.strip_prefix("https://").unwrap_or(issuer).split(['/', ':']).next().unwrap_or_default();
    host.ends_with(".svc") || host.ends_with(".cluster.local")
}

#[cfg(test)]
mod tests;
