//! An instance as a service follows it, and the verdict on each credential that is presented to the service.

use std::{
    future::poll_fn,
    net::IpAddr,
    pin::pin,
    sync::{Arc, Weak},
    task::Poll,
    time::{Duration, Instant},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use claviger_token::{
    Certificate, DpopExpected, DpopProof, Environment, Found, Object, Permission, Proof, ProofUrl, Refusal, Shown,
    TokenHash, Verdict,
};
use http::Method;
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::{
    clock::{Clock, monotonic},
    deny::Ended,
    identity::Identity,
    judge::{Asked, judge, judge_facts},
    keeper::{Facts, Following, Kept, Unreachable, is_token, is_well_formed},
    remote::{Public, SILENCE},
    replays::Replays,
    settings::{Settings, WrongSettings},
    tokens::Tokens,
};

/// The longest credential that is looked at.
pub(crate) const LONGEST: usize = 8 * 1024;

/// For how long what one guard proved counts for those behind it.
const PROVED_FOR: Duration = Duration::from_secs(30);

/// An instance, followed until the last clone is gone.
#[derive(Clone)]
pub struct Claviger {
    shared: Arc<Shared>,
    _following: Arc<Following>,
}

/// What a request asks for and shows, for a service that has no use for a tower layer. Made by [`Wanted::default`], which is a `GET` that
/// asks for nothing but a credential for this API.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// All of these must be held.
    pub permissions: &'a [Permission],
    /// All of these must be allowed; without any, a credential that is for some objects only is refused.
    pub objects: &'a [Object],
    /// Unless this is set: [`Identity::is_for`] is asked then.
    pub whatever_object: bool,
    /// Where it comes from; without, a credential that is for some networks only is refused.
    pub client_ip: Option<IpAddr>,
    /// The method.
    pub method: &'a Method,
    /// The path by which clients reach it, as a proof of possession names it.
    pub path: &'a str,
    /// The header `DPoP`, if there is one. A credential that came as `Bearer` has none, whatever stands beside it.
    pub dpop: Option<&'a str>,
    /// What its client showed and proved to hold.
    pub certificate: Option<&'a Certificate>,
    /// Whether credentials of the test environment count as well: [`Identity::is_test`] is asked then.
    pub test_too: bool,
}

impl Default for Wanted<'_> {
    fn default() -> Self {
        static GET: Method = Method::GET;
        Self {
            permissions: &[],
            objects: &[],
            whatever_object: false,
            client_ip: None,
            method: &GET,
            path: "/",
            dpop: None,
            certificate: None,
            test_too: false,
        }
    }
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Verified {
    /// The verdict. A credential of the test environment that is not wanted is refused as one for another audience.
    pub verdict: Verdict,
    /// Who it comes from, if that is valid.
    pub identity: Option<Identity>,
    /// When to try again, if a limit refused.
    pub retry_after_seconds: Option<u64>,
}

impl Verified {
    fn of(checked: Checked) -> Self {
        let Checked { verdict, found, retry_after_seconds, .. } = checked;
        Self { verdict, identity: found.map(Identity), retry_after_seconds }
    }
}

/// Whether a text is worth a look: credentials are of visible ASCII, and not endless.
pub(crate) fn may_be_a_credential(text: &str) -> bool {
    // Without a way out in the middle, so that many bytes are looked at together.
    (1..=LONGEST).contains(&text.len()) && text.bytes().fold(true, |all, byte| all & byte.is_ascii_graphic())
}

/// What is asked of one request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Use<'a> {
    pub(crate) permissions: &'a [Permission],
    pub(crate) objects: &'a [Object],
    pub(crate) whatever_object: bool,
    pub(crate) client_ip: Option<IpAddr>,
    pub(crate) method: &'a Method,
    pub(crate) path: &'a str,
    pub(crate) dpop: Option<&'a str>,
    pub(crate) certificate: Option<&'a Certificate>,
    pub(crate) test_too: bool,
    /// What a guard before this one proved of the same request.
    pub(crate) proved: Option<&'a Proved>,
}

impl Use<'_> {
    /// Which data it is about, unless that does not matter.
    fn environment(&self) -> Option<Environment> {
        (!self.test_too).then_some(Environment::Live)
    }
}

/// What was proved of a request: those who ask again judge from it, so that a proof is used, and a limit is spent, once.
#[derive(Clone, Debug)]
pub(crate) struct Proved {
    shared: Weak<Shared>,
    shows: Shows,
    at: Instant,
    client_ip: Option<IpAddr>,
    proof: Proof,
    /// What it was proved of.
    found: Arc<Found>,
    /// Whether the instance said so of this use.
    is_asked: bool,
}

/// What a request shows: of another that shows something else, nothing was proved.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Shows {
    credential: TokenHash,
    method: Method,
    dpop: Option<TokenHash>,
    certificate: Shown,
}

impl Shows {
    fn of(credential: TokenHash, asked: &Use<'_>) -> Self {
        Self {
            credential,
            method: asked.method.clone(),
            dpop: asked.dpop.map(TokenHash::of),
            certificate: asked.certificate.map_or(Shown::Nothing, |shown| Shown::Held(shown.thumbprint())),
        }
    }
}

/// The verdict, and what is known of a credential that is valid.
#[derive(Clone, Debug)]
pub(crate) struct Checked {
    pub(crate) verdict: Verdict,
    pub(crate) found: Option<Arc<Found>>,
    pub(crate) retry_after_seconds: Option<u64>,
    /// For whoever asks again, of one that is valid.
    pub(crate) proved: Option<Proved>,
}

pub(crate) struct Shared {
    settings: Settings,
    kept: Arc<Kept>,
    tokens: Arc<Tokens>,
    replays: Replays,
}

/// Why it cannot be followed.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The settings.
    #[error(transparent)]
    Settings(#[from] WrongSettings),
    /// No client for HTTP can be made here.
    #[error("no HTTP client: {0}")]
    Http(String),
    /// It is started outside of a runtime.
    #[error("start it on a tokio runtime")]
    NoRuntime,
}

impl Claviger {
    /// Begins to follow an instance, on the runtime of the caller. Also while it is not there: until it is, no credential counts and
    /// requests are answered with 503.
    pub fn start(settings: Settings) -> Result<Self, StartError> {
        settings.check()?;
        let kept = Arc::new(Kept::new(settings.keeper())?);
        let remote = Public::new(&settings).map_err(|error| StartError::Http(error.to_string()))?;
        let of_tokens = (settings.issuer.clone(), settings.tokens_without_feed, settings.cache_entries);
        let tokens = Tokens::new(of_tokens, remote, Arc::clone(&kept.clock), Arc::clone(&kept.other_keys));
        let tokens = Arc::new(tokens);
        let following = vec![
            tokio::spawn(Arc::clone(&tokens).follow_keys()).abort_handle(),
            tokio::spawn(Arc::clone(&tokens).follow_ended()).abort_handle(),
            tokio::spawn(Arc::clone(&kept).follow_changes()).abort_handle(),
            tokio::spawn(Arc::clone(&kept).report_every_while()).abort_handle(),
        ];
        let shared = Arc::new(Shared { settings, kept, tokens, replays: Replays::default() });
        Ok(Self { shared, _following: Arc::new(Following(following)) })
    }

    /// Whether it is followed right now: keys are there, and both feeds are heard.
    pub fn is_followed(&self) -> bool {
        self.shared.tokens.is_followed() && self.shared.kept.changes_heard.within(SILENCE)
    }

    /// The verdict on one use of what was presented, without the layer. Without a verdict answer with 503.
    pub async fn verify(&self, credential: &str, wanted: &Wanted<'_>) -> Result<Verified, Unreachable> {
        let Wanted { permissions, objects, whatever_object, client_ip, method, path, dpop, certificate, test_too } =
            *wanted;
        if !may_be_a_credential(credential) {
            return Ok(Verified::of(Checked::refused(Refusal::Malformed)));
        }
        let proved = None;
        let asked =
            Use { permissions, objects, whatever_object, client_ip, method, path, dpop, certificate, test_too, proved };
        Ok(Verified::of(self.check(credential, &asked).await?))
    }

    /// Tells the instance now which uses were judged here, as happens by itself every few seconds: to be called before the process ends.
    pub async fn report_uses(&self) {
        self.shared.kept.report().await;
    }

    /// How many uses that were judged here are counted nowhere: too much waited while the instance was away, it did not take them, or it
    /// does not know their credential.
    pub fn uses_lost(&self) -> u64 {
        self.shared.kept.usage.lost()
    }

    pub(crate) fn issuer(&self) -> &str {
        &self.shared.settings.issuer
    }

    /// The verdict on one use of what was presented.
    pub(crate) async fn check(&self, credential: &str, asked: &Use<'_>) -> Result<Checked, Unreachable> {
        let (shared, is_token) = (&self.shared, is_token(credential));
        let checking = async {
            if is_token {
                shared.check_token(credential, asked).await
            } else {
                shared.check_opaque(credential, asked).await
            }
        };
        let mut checking = pin!(checking);
        // What is known waits for nothing, and sets no timer.
        if let Poll::Ready(checked) = poll_fn(|context| Poll::Ready(checking.as_mut().poll(context))).await {
            return checked;
        }
        // However many waits there are in it.
        timeout(shared.settings.patience, checking).await.map_err(|_| Unreachable)?
    }
}

impl Checked {
    fn refused(refusal: Refusal) -> Self {
        Self::of(Verdict::Refused(refusal))
    }

    fn of(verdict: Verdict) -> Self {
        Self { verdict, found: None, retry_after_seconds: None, proved: None }
    }
}

impl Shared {
    fn clock(&self) -> &Clock {
        &self.kept.clock
    }

    async fn check_token(self: &Arc<Self>, token: &str, asked: &Use<'_>) -> Result<Checked, Unreachable> {
        let hash = TokenHash::of(token);
        Ok(match self.tokens.read(hash, token).await? {
            Ok((found, ended)) => self.decided(found, Some(&ended), (hash, token), asked),
            Err(error) => Checked::refused(error.refusal()),
        })
    }

    async fn check_opaque(self: &Arc<Self>, credential: &str, asked: &Use<'_>) -> Result<Checked, Unreachable> {
        // Without the address that a proof is for nobody can say that it holds, the instance included.
        if asked.dpop.is_some() && self.settings.origin.is_none() {
            let refusal = if is_well_formed(credential) { Refusal::ProofInvalid } else { Refusal::Malformed };
            return Ok(Checked::refused(refusal));
        }
        let hash = TokenHash::of(credential);
        let shows = Shows::of(hash, asked);
        // What the instance tested is not tested here, the network among it.
        let proved = self.proved_before(&shows, asked).filter(|proved| proved.is_asked);
        if let Some(proved) = proved.filter(|proved| proved.client_ip == asked.client_ip) {
            return Ok(of_an_answer(asked, proved.clone()));
        }
        match self.kept.facts(hash, credential).await? {
            Facts::Valid(found, _) => Ok(self.decided(found, None, (hash, credential), asked)),
            Facts::Refused(refusal, _) => Ok(Checked::refused(refusal)),
            Facts::Asked => self.ask(shows, credential, asked).await,
        }
    }

    fn decided(
        self: &Arc<Self>,
        found: Arc<Found>,
        ended: Option<&Ended>,
        (hash, credential): (TokenHash, &str),
        asked: &Use<'_>,
    ) -> Checked {
        let shows = Shows::of(hash, asked);
        let proved = self.proved_before(&shows, asked);
        // Of what the instance said is not known here what proved it.
        let (proof, fresh) = match proved.filter(|proved| !proved.is_asked) {
            Some(proved) => (proved.proof, None),
            None => self.proof(credential, shows.certificate, asked),
        };
        let (asking, now) = (self.asking(asked, proof), self.clock().now());
        // Of opaque credentials the instance says what ended.
        let verdict = match ended {
            Some(ended) => judge(&found, ended, &asking, now),
            None => judge_facts(&found, &asking, now),
        };
        // Only what matters is remembered: nobody else's proofs take its place.
        if let Some(fresh) = fresh.filter(|_| verdict.is_valid())
            && !self.replays.is_first(&fresh, self.clock().now())
        {
            let repeated = Verdict::Refused(Refusal::ProofInvalid);
            self.kept.usage.count(&found, repeated, asked.permissions, asked.client_ip, now);
            return Checked::of(repeated);
        }
        // What a guard before this one let through was counted there.
        if proved.is_none() {
            self.kept.usage.count(&found, verdict, asked.permissions, asked.client_ip, now);
        }
        let judged = self.proved(shows, asked, proof, found, false);
        // It counts from when it was proved first.
        checked(verdict, Proved { at: proved.map_or(judged.at, |before| before.at), ..judged })
    }

    fn proved(
        self: &Arc<Self>,
        shows: Shows,
        asked: &Use<'_>,
        proof: Proof,
        found: Arc<Found>,
        is_asked: bool,
    ) -> Proved {
        let (shared, at, client_ip) = (Arc::downgrade(self), monotonic(), asked.client_ip);
        Proved { shared, shows, at, client_ip, proof, found, is_asked }
    }

    fn asking<'a>(&'a self, asked: &Use<'a>, proof: Proof) -> Asked<'a> {
        Asked {
            audience: Some(&self.settings.audience),
            environment: asked.environment(),
            permissions: asked.permissions,
            objects: asked.objects,
            whatever_object: asked.whatever_object,
            client_ip: asked.client_ip,
            proof,
        }
    }

    /// What a guard of the same instance proved of the same request just now, if the request shows the same.
    fn proved_before<'a>(self: &Arc<Self>, shows: &Shows, asked: &Use<'a>) -> Option<&'a Proved> {
        let is_same = |proved: &&Proved| {
            proved.shared.as_ptr() == Arc::as_ptr(self) && proved.shows == *shows && proved.at.elapsed() < PROVED_FOR
        };
        asked.proved.filter(is_same)
    }

    /// What was shown, and the proof that must not come again.
    fn proof(&self, credential: &str, certificate: Shown, asked: &Use<'_>) -> (Proof, Option<DpopProof>) {
        let proof = asked.dpop.map(|dpop| self.proved_key(dpop, credential, asked));
        let key = match &proof {
            None => Shown::Nothing,
            Some(proof) => proof.as_ref().map_or(Shown::Invalid, |proof| Shown::Held(proof.thumbprint)),
        };
        (Proof { key, certificate }, proof.flatten())
    }

    fn proved_key(&self, dpop: &str, credential: &str, asked: &Use<'_>) -> Option<DpopProof> {
        let url = ProofUrl::parse(&self.url_of(asked)?)?;
        let (now, urls) = (self.clock().now(), [url]);
        let credential = Some(credential);
        let expected = DpopExpected { method: asked.method.as_str(), urls: &urls, credential, nonces: None, now };
        DpopProof::check(dpop, &expected).ok()
    }

    fn url_of(&self, asked: &Use<'_>) -> Option<String> {
        self.settings.origin.as_ref().map(|origin| format!("{origin}{}", asked.path))
    }

    async fn ask(self: &Arc<Self>, shows: Shows, credential: &str, asked: &Use<'_>) -> Result<Checked, Unreachable> {
        let question = self.question(credential, asked);
        let answer = self.kept.ask_use(question, asked.method.as_str(), asked.path).await?;
        Ok(match answer.found {
            Some(found) => of_an_answer(asked, self.proved(shows, asked, Proof::default(), Arc::new(found), true)),
            None => Checked { retry_after_seconds: answer.retry_after_seconds, ..Checked::of(answer.verdict) },
        })
    }

    fn question(&self, credential: &str, asked: &Use<'_>) -> Value {
        let mut question = json!({
            "credential": credential, "audience": self.settings.audience, "permissions": asked.permissions,
        });
        if let Some(environment) = asked.environment() {
            question["environment"] = json!(environment);
        }
        if !asked.objects.is_empty() {
            question["object"] = json!(asked.objects);
        }
        if let Some(address) = asked.client_ip {
            question["client_ip"] = json!(address);
        }
        let certificate = asked.certificate.map(|certificate| {
            let der = STANDARD.encode(certificate.der());
            format!("-----BEGIN CERTIFICATE-----\n{der}\n-----END CERTIFICATE-----\n")
        });
        if asked.dpop.is_some() || certificate.is_some() {
            let mut proof = json!({});
            if let (Some(dpop), Some(url)) = (asked.dpop, self.url_of(asked)) {
                proof["dpop"] = json!(dpop);
                proof["url"] = json!(url);
            }
            if let Some(certificate) = certificate {
                proof["client_certificate"] = json!(certificate);
            }
            question["proof"] = proof;
        }
        question
    }
}

fn checked(verdict: Verdict, proved: Proved) -> Checked {
    let is_valid = verdict.is_valid();
    let found = is_valid.then(|| Arc::clone(&proved.found));
    Checked { verdict, found, retry_after_seconds: None, proved: is_valid.then_some(proved) }
}

/// The answer may be about less than is asked here: environment, permissions and objects are held against it.
fn of_an_answer(asked: &Use<'_>, proved: Proved) -> Checked {
    let may = &proved.found.rights.permissions;
    let objects = proved.found.credential.objects.as_ref();
    let own = proved.found.credential.environment;
    let verdict = if asked.environment().is_some_and(|environment| environment != own) {
        Verdict::Refused(Refusal::AudienceMismatch)
    } else if !asked.permissions.iter().all(|permission| may.contains(permission.as_str())) {
        Verdict::Refused(Refusal::PermissionMissing)
    } else if objects.is_some_and(|objects| !asked.objects.iter().all(|object| objects.covers(object))) {
        Verdict::Refused(Refusal::ObjectNotAllowed)
    } else if objects.is_some() && asked.objects.is_empty() && !asked.whatever_object {
        Verdict::Refused(Refusal::ObjectRequired)
    } else {
        Verdict::Valid
    };
    checked(verdict, proved)
}

#[cfg(test)]
mod tests;
