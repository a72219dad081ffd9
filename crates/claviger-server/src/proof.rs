//! Proofs that whoever sends a request holds a key (RFC 9449) or a certificate (RFC 8705): where the first stand, whether they hold, and
//! what a refusal tells.
//!
//! What a proof is worth for a credential is `decide`'s to say. The room must not know what a request is about.

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use claviger_core::single_use_key;
use claviger_store::StoreError;
use claviger_token::{
    Certificate, DpopError, DpopExpected, DpopNonce, DpopProof, Found, Proof, ProofUrl, Refusal, Shown,
};
use jiff::{SignedDuration, Timestamp};

use crate::app::App;

const DPOP: HeaderName = HeaderName::from_static("dpop");
const DPOP_NONCE: HeaderName = HeaderName::from_static("dpop-nonce");

/// The algorithms of proofs, as a challenge lists them: those of [`claviger_token::SigningAlgorithm::NAMES`].
const ALGORITHMS: &str = "ES256 EdDSA Ed25519 RS256";

/// A nonce is given out for so many seconds, and counts for as many more.
const STEP: i64 = 60;

/// How much longer a use is known than the proof counts: another node's clock may be behind.
const CLOCKS_DIFFER: SignedDuration = SignedDuration::from_secs(60);

/// The proof that a request carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Carried<'a> {
    /// None, and none has to be there.
    Nothing,
    /// This.
    One(&'a str),
    /// Several; or none where one has to be; or no text.
    NotOne,
}

impl<'a> Carried<'a> {
    /// What these values of the header carry.
    pub(crate) fn of(mut values: impl Iterator<Item = &'a HeaderValue>) -> Self {
        match (values.next(), values.next()) {
            (None, _) => Self::Nothing,
            (Some(one), None) => one.to_str().map_or(Self::NotOne, |text| Self::One(text.trim())),
            (Some(_), Some(_)) => Self::NotOne,
        }
    }

    /// What these headers carry, whatever else stands in them.
    pub(crate) fn by(headers: &'a HeaderMap) -> Self {
        Self::of(headers.get_all(DPOP).iter())
    }

    /// The same where one has to be there.
    pub(crate) fn or_missing(self) -> Self {
        if self == Self::Nothing { Self::NotOne } else { self }
    }
}

/// Who asks for a proof. Each gives out nonces of its own, so that none counts at the other (RFC 9449, section 9).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asker {
    /// The token endpoint.
    AuthorizationServer,
    /// Whatever takes a credential: our own API, and the APIs of others, for whom we verify.
    Resource,
}

/// The request that a proof must be for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ProofFor<'a> {
    /// Its method.
    pub(crate) method: &'a str,
    /// The addresses that it may be to. They come from what is configured, and never from `Host`.
    pub(crate) urls: &'a [ProofUrl],
    /// The credential that comes with it.
    pub(crate) credential: Option<&'a str>,
}

/// What a request proves.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Proving {
    /// For the decision, unless it came before.
    pub(crate) proof: Proof,
    /// Why not, if it proves nothing.
    pub(crate) problem: Option<DpopError>,
    once: Option<([u8; 32], Timestamp)>,
}

impl Proving {
    /// Nothing.
    pub(crate) const NOTHING: Self = Self { proof: Proof::NONE, problem: None, once: None };

    fn of_key(shown: Result<(Shown, [u8; 32], Timestamp), DpopError>) -> Self {
        match shown {
            Ok((key, once, until)) => {
                Self { proof: Proof { key, ..Proof::NONE }, problem: None, once: Some((once, until)) }
            }
            Err(problem) => {
                Self { proof: Proof { key: Shown::Invalid, ..Proof::NONE }, problem: Some(problem), once: None }
            }
        }
    }

    /// The same of who showed this certificate, too.
    pub(crate) fn with(self, certificate: Option<&Certificate>) -> Self {
        let certificate = certificate.map_or(Shown::Nothing, |shown| Shown::Held(shown.thumbprint()));
        Self { proof: Proof { certificate, ..self.proof }, ..self }
    }

    /// Whether a use of it is stored.
    pub(crate) fn counts_once(&self) -> bool {
        self.once.is_some()
    }

    /// The same after its one use was stored, for what else the request shows.
    pub(crate) fn used(self) -> Self {
        Self { once: None, ..self }
    }

    /// The same for a credential that asks for no key: what the request proves is then about something else.
    pub(crate) fn without_key(self) -> Self {
        Self { proof: Proof { key: Shown::Nothing, ..self.proof }, problem: None, once: None }
    }

    /// The same after it turned out that it came before.
    pub(crate) fn repeated(self) -> Self {
        Self { proof: Proof { key: Shown::Invalid, ..self.proof }, problem: Some(DpopError::Used), once: None }
    }
}

/// What a refusal tells whoever could prove something (RFC 9449, sections 7.1 and 9; RFC 8705, section 3).
#[derive(Debug)]
pub(crate) struct ProofTold {
    /// How the credential is shown that would count.
    scheme: Scheme,
    /// `error` of a challenge.
    pub(crate) error: &'static str,
    /// For people.
    pub(crate) message: String,
    /// What the next proof must have as its `nonce`.
    pub(crate) nonce: Option<String>,
}

/// The scheme of a challenge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scheme {
    /// Of what is bound to a certificate alone, which no header proves.
    Bearer,
    DPoP,
}

impl ProofTold {
    /// The challenge.
    pub(crate) fn challenge(&self) -> String {
        let Self { error, message, .. } = self;
        if self.scheme == Scheme::Bearer {
            return format!("Bearer realm=\"claviger\", error=\"{error}\", error_description=\"{message}\"");
        }
        format!("DPoP error=\"{error}\", error_description=\"{message}\", algs=\"{ALGORITHMS}\"")
    }

    /// Writes the nonce, if there is one. Nobody keeps an answer that has it.
    pub(crate) fn write_nonce(&self, headers: &mut HeaderMap) {
        if let Some(nonce) = &self.nonce {
            write_nonce(nonce, headers);
        }
    }
}

/// Writes a nonce (RFC 9449, section 8). Nobody keeps an answer that has one.
pub(crate) fn write_nonce(nonce: &str, headers: &mut HeaderMap) {
    if let Ok(nonce) = HeaderValue::from_str(nonce) {
        headers.insert(DPOP_NONCE, nonce);
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
}

/// The challenge of whoever takes proofs, where none was wrong.
pub(crate) fn bare_challenge() -> String {
    format!("DPoP algs=\"{ALGORITHMS}\"")
}

impl App {
    /// Whether a proof holds, but whether it came before: [`App::is_first_use`] says that, of those that count else.
    pub(crate) fn prove(&self, carried: Carried<'_>, asker: Asker, request: ProofFor<'_>) -> Proving {
        let text = match carried {
            Carried::Nothing => return Proving::NOTHING,
            Carried::NotOne => return Proving::of_key(Err(DpopError::NotOne)),
            Carried::One(text) => text,
        };
        let now = self.now();
        let nonces = self.config.dpop_nonce.then(|| self.dpop_nonces(asker, now));
        let ProofFor { method, urls, credential } = request;
        let checked =
            DpopProof::check(text, &DpopExpected { method, urls, credential, nonces: nonces.as_deref(), now });
        Proving::of_key(checked.map(|DpopProof { thumbprint, jti, ends_at }| {
            let once = single_use_key("dpop", &thumbprint.to_string(), &jti);
            (Shown::Held(thumbprint), once, ends_at.checked_add(CLOCKS_DIFFER).unwrap_or(Timestamp::MAX))
        }))
    }

    /// Whether a proof did not come before, on any node; it is stored by then.
    pub(crate) async fn is_first_use(&self, proving: &Proving) -> Result<bool, StoreError> {
        match proving.once {
            None => Ok(true),
            // Boxed, or the future of every request would be as large as a write.
            Some((once, until)) => Box::pin(self.store.use_once(once, until)).await,
        }
    }

    /// What a refusal of this credential tells of a proof.
    pub(crate) fn told_of_proof(
        &self,
        refusal: Refusal,
        problem: Option<DpopError>,
        found: Option<&Found>,
    ) -> ProofTold {
        let shown = if refusal == Refusal::Malformed { Refusal::Unknown } else { refusal };
        let (error, message) = match problem.filter(|_| refusal == Refusal::ProofInvalid) {
            Some(problem @ DpopError::Nonce) => ("use_dpop_nonce", problem.to_string()),
            Some(problem) => ("invalid_dpop_proof", problem.to_string()),
            None => ("invalid_token", shown.message().to_owned()),
        };
        let nonce = (error == "use_dpop_nonce").then(|| self.dpop_nonce(Asker::Resource));
        let bound_to = found.and_then(|found| found.credential.confirmation);
        let wants_no_key = bound_to.is_some_and(|own| own.jkt.is_none());
        let scheme = if wants_no_key && problem.is_none() { Scheme::Bearer } else { Scheme::DPoP };
        ProofTold { scheme, error, message, nonce }
    }

    /// What the next proof must have as its `nonce`. Every node takes it, and none keeps it.
    pub(crate) fn dpop_nonce(&self, asker: Asker) -> String {
        let step = step_of(self.now()).to_be_bytes();
        nonce(&self.peppers.keyed_hash(purpose(asker), &[&step]))
    }

    fn dpop_nonces(&self, asker: Asker, now: Timestamp) -> Vec<DpopNonce> {
        let current = step_of(now);
        // The next one, too: the clock of the node that gave it may be ahead.
        let steps = [current, current - 1, current + 1];
        let of_step = |step: i64| {
            let bytes = step.to_be_bytes();
            let ends_at = Timestamp::from_second((step + 2) * STEP).unwrap_or(Timestamp::MAX);
            let hashes: Vec<[u8; 32]> = self.peppers.keyed_hashes(purpose(asker), &[&bytes]).collect();
            hashes.into_iter().map(move |hash| DpopNonce { text: nonce(&hash), ends_at })
        };
        steps.into_iter().flat_map(of_step).collect()
    }
}

fn step_of(now: Timestamp) -> i64 {
    now.as_second().div_euclid(STEP)
}

fn purpose(asker: Asker) -> &'static str {
    match asker {
        Asker::AuthorizationServer => "dpop_nonce_token",
        Asker::Resource => "dpop_nonce_resource",
    }
}

fn nonce(hash: &[u8; 32]) -> String {
    URL_SAFE_NO_PAD.encode(&hash[..18])
}

#[cfg(test)]
mod tests {
    use claviger_token::SigningAlgorithm;

    use super::*;
    use crate::app::tests::app;

    #[test]
    fn d10_every_algorithm_is_listed() {
        assert_eq!(ALGORITHMS, SigningAlgorithm::NAMES.join(" "));
    }

    #[test]
    fn d02_one_proof_is_carried_once() {
        let check = |values: &[&str], expected: Carried<'_>| {
            let values: Vec<HeaderValue> =
                values.iter().map(|value| HeaderValue::from_bytes(value.as_bytes()).unwrap()).collect();
            assert_eq!(Carried::of(values.iter()), expected);
        };
        check(&[], Carried::Nothing);
        check(&["a"], Carried::One("a"));
        check(&[" a\t"], Carried::One("a"));
        check(&["a,b"], Carried::One("a,b")); // which is no JWS
        check(&["a", "a"], Carried::NotOne);
        check(&["\u{e9}"], Carried::NotOne);
        assert_eq!(Carried::Nothing.or_missing(), Carried::NotOne);
    }

    #[tokio::test]
    async fn d07_a_nonce_counts_where_it_was_given_for_one_to_two_minutes() {
        let (app, _directory) = app().await;
        let counts = |text: &str, asker, now: Timestamp| {
            app.dpop_nonces(asker, now).iter().any(|nonce| nonce.text == text && now < nonce.ends_at)
        };
        let now = app.now();
        let given = app.dpop_nonce(Asker::Resource);
        let after = |seconds: i64| now + SignedDuration::from_secs(seconds);
        assert!(counts(&given, Asker::Resource, now) && counts(&given, Asker::Resource, after(59)));
        assert!(counts(&given, Asker::Resource, after(-30)), "a clock that is behind");
        assert!(!counts(&given, Asker::Resource, after(121)) && !counts(&given, Asker::Resource, after(-3600)));
        assert!(!counts(&given, Asker::AuthorizationServer, now), "each has its own");
    }
}
