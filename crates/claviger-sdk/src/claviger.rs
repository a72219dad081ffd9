//! An instance as a service follows it: its keys, what ended, what changed, and the verdict on each credential.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, LazyLock},
    time::{Duration, Instant},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use claviger_token::{
    Brand, Certificate, Concerns, DpopExpected, DpopProof, Found, Object, Opaque as Presentable, Permission, Proof,
    ProofUrl, Refusal, Shown, TokenHash, Verdict,
};
use parking_lot::{Mutex as SyncMutex, RwLock};
use quick_cache::sync::Cache;
use serde_json::{Value, json};
use tokio::{
    sync::{Mutex, Notify, Semaphore},
    task::AbortHandle,
    time::{sleep, timeout},
};

use crate::{
    cache::{Known, Opaque},
    clock::{Clock, Heard, monotonic},
    deny::Ended,
    feed::{Events, Names},
    judge::{Asked, NotProved, judge, read_token},
    keys::Keys,
    remote::{Remote, RemoteError, SILENCE, told_at},
    replays::Replays,
    settings::{Settings, WrongSettings},
};

/// After other keys were named they are read at once, and again after these, the last first: the node that is asked may not know of them for a moment.
const READ_KEYS_AGAIN: [Duration; 2] = [Duration::from_millis(1000), Duration::from_millis(300)];

/// How often keys are read again though nothing says that there are others.
const READ_KEYS_EVERY: Duration = Duration::from_secs(60);

/// For how long keys count that could not be read again.
const KEYS_COUNT_FOR: Duration = Duration::from_secs(3600);

/// How long whoever presents an unknown key waits for the next reading of keys at most: nobody can make us ask more often.
const KEYS_PAUSE: Duration = Duration::from_secs(5);

/// Pauses between attempts: longer while they fail.
const SHORTEST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// How many questions are asked at once; who comes after them waits, and not for long.
const MOST_QUESTIONS: usize = 64;

/// Between two questions what ended: at least this after news, and this after an answer without them that came at once, with as much
/// again by chance.
const AFTER_NEWS: Duration = Duration::from_millis(100);
const AFTER_NOTHING: Duration = Duration::from_millis(500);

/// For opaque credentials, of which the instance says what ended.
static NOTHING_ENDED: LazyLock<Ended> = LazyLock::new(Ended::default);

/// An instance, followed until the last clone is gone.
#[derive(Clone)]
pub struct Claviger {
    shared: Arc<Shared>,
    _following: Arc<Following>,
}

/// The instance did not answer, and what is known does not suffice: no verdict. Answer with 503.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the credential cannot be verified right now; try again")]
pub(crate) struct Unreachable;

/// What is asked of one request.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Use<'a> {
    pub(crate) permissions: &'a [Permission],
    pub(crate) objects: &'a [Object],
    pub(crate) whatever_object: bool,
    pub(crate) client_ip: Option<IpAddr>,
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
    pub(crate) dpop: Option<&'a str>,
    pub(crate) certificate: Option<&'a Certificate>,
    /// What a guard before this one proved of the same request.
    pub(crate) proved: Option<&'a Proved>,
    /// And what it found.
    pub(crate) found: Option<&'a Arc<Found>>,
}

/// What was proved of a request: those who ask again judge from it, so that a proof is used, and a limit is spent, once.
#[derive(Clone, Debug)]
pub(crate) struct Proved {
    shared: std::sync::Weak<Shared>,
    credential: TokenHash,
    proof: Proof,
    is_asked: bool,
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

/// What is asked about a credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asks {
    /// Without the permissions, so that it is kept also if it lacks one.
    WhatItIs,
    Whole,
}

/// A token that keys proved, and counts only as long as those are the instance's.
struct Proven {
    found: Arc<Found>,
    keys: Arc<Keys>,
}

pub(crate) struct Shared {
    settings: Settings,
    remote: Remote,
    clock: Clock,
    keys: RwLock<Arc<Keys>>,
    keys_heard: Heard,
    /// Held by whoever reads keys, with when that was done last.
    reading_keys: Mutex<Option<Instant>>,
    other_keys: Notify,
    ended: RwLock<Arc<Ended>>,
    ended_heard: Heard,
    tokens: Cache<TokenHash, Arc<Proven>>,
    opaque: Opaque,
    changes_heard: Heard,
    replays: Replays,
    questions: Semaphore,
    /// Of those who ask about the same credential, by its hash.
    turns: SyncMutex<HashMap<TokenHash, Arc<Mutex<()>>>>,
}

/// What runs beside the requests, and ends with the last clone.
struct Following([AbortHandle; 3]);

impl Drop for Following {
    fn drop(&mut self) {
        self.0.iter().for_each(AbortHandle::abort);
    }
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
        tokio::runtime::Handle::try_current().map_err(|_| StartError::NoRuntime)?;
        let remote = Remote::new(&settings).map_err(|error| StartError::Http(error.to_string()))?;
        let entries = settings.cache_entries;
        let shared = Arc::new(Shared {
            settings,
            remote,
            clock: Clock::default(),
            keys: RwLock::default(),
            keys_heard: Heard::never(),
            reading_keys: Mutex::default(),
            other_keys: Notify::new(),
            ended: RwLock::default(),
            ended_heard: Heard::never(),
            tokens: Cache::new(entries),
            opaque: Opaque::new(entries),
            changes_heard: Heard::never(),
            replays: Replays::default(),
            questions: Semaphore::new(MOST_QUESTIONS),
            turns: SyncMutex::default(),
        });
        let following = [
            tokio::spawn(Arc::clone(&shared).follow_keys()).abort_handle(),
            tokio::spawn(Arc::clone(&shared).follow_ended()).abort_handle(),
            tokio::spawn(Arc::clone(&shared).follow_changes()).abort_handle(),
        ];
        Ok(Self { shared, _following: Arc::new(Following(following)) })
    }

    /// Whether it is followed right now: keys are there, and both feeds are heard.
    pub fn is_followed(&self) -> bool {
        let shared = &self.shared;
        !shared.keys.read().is_empty()
            && shared.changes_heard.within(SILENCE)
            && shared.ended_heard.within(shared.settings.tokens_without_feed)
    }

    pub(crate) fn issuer(&self) -> &str {
        &self.shared.settings.issuer
    }

    /// The verdict on one use of what was presented.
    pub(crate) async fn check(&self, credential: &str, asked: &Use<'_>) -> Result<Checked, Unreachable> {
        let shared = &self.shared;
        // Three parts, the first of which is a JSON object.
        let is_token = credential.starts_with("eyJ") && credential.contains('.');
        if !is_token && !is_well_formed(credential) {
            return Ok(Checked::refused(Refusal::Malformed));
        }
        let checking = async {
            if is_token {
                shared.check_token(credential, asked).await
            } else {
                shared.check_opaque(credential, asked).await
            }
        };
        // However many waits there are in it.
        timeout(shared.settings.patience, checking).await.map_err(|_| Unreachable)?
    }
}

/// Whether a text could be a credential of some instance: strangers cannot make us ask about everything.
fn is_well_formed(text: &str) -> bool {
    let brand = text.split_once('_').and_then(|(brand, _)| brand.parse::<Brand>().ok());
    brand.is_some_and(|brand| Presentable::parse(text, &[brand]).is_ok())
}

impl Checked {
    fn refused(refusal: Refusal) -> Self {
        Self::of(Verdict::Refused(refusal))
    }

    fn of(verdict: Verdict) -> Self {
        Self { verdict, found: None, retry_after_seconds: None, proved: None }
    }
}

/// Whose turn it is to ask about a credential; forgotten with the last who waits for it.
struct Turn<'a>(Arc<Mutex<()>>, TokenHash, &'a Shared);

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut turns = self.2.turns.lock();
        // This one, and the map's.
        if Arc::strong_count(&self.0) <= 2 {
            turns.remove(&self.1);
        }
    }
}

/// How long to wait before it is asked again what ended.
fn pause_after(news: bool, took: Duration, chance: f64) -> Duration {
    if news { AFTER_NEWS } else { AFTER_NOTHING.mul_f64(1.0 + chance.clamp(0.0, 1.0)).saturating_sub(took) }
}

/// Between 0 and 1: services that started together need not ask together.
fn chance() -> f64 {
    let random = std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), 0);
    f64::from(u32::try_from(random >> 32).unwrap_or_default()) / f64::from(u32::MAX)
}

impl Shared {
    async fn check_token(self: &Arc<Self>, token: &str, asked: &Use<'_>) -> Result<Checked, Unreachable> {
        if !self.ended_heard.within(self.settings.tokens_without_feed) || !self.keys_heard.within(KEYS_COUNT_FOR) {
            return Err(Unreachable);
        }
        let hash = TokenHash::of(token);
        let keys = Arc::clone(&self.keys.read());
        let proven = match self.tokens.get(&hash).filter(|proven| Arc::ptr_eq(&proven.keys, &keys)) {
            Some(proven) => proven,
            None => match self.prove(token).await {
                Ok(proven) => {
                    let proven = Arc::new(proven);
                    self.tokens.insert(hash, Arc::clone(&proven));
                    proven
                }
                // While keys cannot be read, one that is not known may be new.
                Err(NotProved::UnknownKey) if !self.keys_heard.within(READ_KEYS_EVERY * 2) => return Err(Unreachable),
                Err(error) => return Ok(Checked::refused(error.refusal())),
            },
        };
        let ended = Arc::clone(&self.ended.read());
        Ok(self.decided(Arc::clone(&proven.found), &ended, (hash, token), asked))
    }

    /// A token of a key that is not known may be of one that is new.
    async fn prove(&self, token: &str) -> Result<Proven, NotProved> {
        let read = || {
            let keys = Arc::clone(&self.keys.read());
            let found = read_token(token, &keys, &self.settings.issuer, self.clock.now())?;
            Ok(Proven { found: Arc::new(found), keys })
        };
        match read() {
            Err(NotProved::UnknownKey) if self.read_keys(KEYS_PAUSE).await.is_ok() => read(),
            done => done,
        }
    }

    fn decided(
        self: &Arc<Self>,
        found: Arc<Found>,
        ended: &Ended,
        (hash, credential): (TokenHash, &str),
        asked: &Use<'_>,
    ) -> Checked {
        let (proof, fresh) = match self.proved_before(&hash, asked) {
            Some(proved) => (proved.proof, None),
            None => self.proof(credential, asked),
        };
        let verdict = judge(&found, ended, &self.asking(asked, proof), self.clock.now());
        // Only what matters is remembered: nobody else's proofs take its place.
        if let Some(fresh) = fresh.filter(|_| verdict.is_valid())
            && !self.replays.is_first(&fresh, self.clock.now())
        {
            return Checked::refused(Refusal::ProofInvalid);
        }
        self.checked(verdict, found, Proved { shared: Arc::downgrade(self), credential: hash, proof, is_asked: false })
    }

    fn checked(&self, verdict: Verdict, found: Arc<Found>, proved: Proved) -> Checked {
        let is_valid = verdict.is_valid();
        let (found, proved) = (is_valid.then_some(found), is_valid.then_some(proved));
        Checked { verdict, found, retry_after_seconds: None, proved }
    }

    fn asking<'a>(&'a self, asked: &Use<'a>, proof: Proof) -> Asked<'a> {
        Asked {
            audience: &self.settings.audience,
            permissions: asked.permissions,
            objects: asked.objects,
            whatever_object: asked.whatever_object,
            client_ip: asked.client_ip,
            proof,
        }
    }

    /// What a guard of the same instance proved of the same request, if that was about the same credential.
    fn proved_before<'a>(self: &Arc<Self>, hash: &TokenHash, asked: &Use<'a>) -> Option<&'a Proved> {
        asked.proved.filter(|proved| proved.credential == *hash && proved.shared.as_ptr() == Arc::as_ptr(self))
    }

    /// What was shown, and the proof that must not come again.
    fn proof(&self, credential: &str, asked: &Use<'_>) -> (Proof, Option<DpopProof>) {
        let certificate = asked.certificate.map_or(Shown::Nothing, |shown| Shown::Held(shown.thumbprint()));
        let proof = asked.dpop.map(|dpop| self.proved_key(dpop, credential, asked));
        let key = match &proof {
            None => Shown::Nothing,
            Some(proof) => proof.as_ref().map_or(Shown::Invalid, |proof| Shown::Held(proof.thumbprint)),
        };
        (Proof { key, certificate }, proof.flatten())
    }

    fn proved_key(&self, dpop: &str, credential: &str, asked: &Use<'_>) -> Option<DpopProof> {
        let url = ProofUrl::parse(&self.url_of(asked)?)?;
        let (now, urls) = (self.clock.now(), [url]);
        let credential = Some(credential);
        let expected = DpopExpected { method: asked.method, urls: &urls, credential, nonces: None, now };
        DpopProof::check(dpop, &expected).ok()
    }

    fn url_of(&self, asked: &Use<'_>) -> Option<String> {
        self.settings.origin.as_ref().map(|origin| format!("{origin}{}", asked.path))
    }

    async fn check_opaque(self: &Arc<Self>, credential: &str, asked: &Use<'_>) -> Result<Checked, Unreachable> {
        // Without the address that a proof is for nobody can say that it holds, the instance included.
        if asked.dpop.is_some() && self.settings.origin.is_none() {
            return Ok(Checked::refused(Refusal::ProofInvalid));
        }
        let hash = TokenHash::of(credential);
        if let Some(proved) = self.proved_before(&hash, asked).filter(|proved| proved.is_asked)
            && let Some(found) = asked.found
        {
            return Ok(self.of_an_answer(Arc::clone(found), asked, proved.clone()));
        }
        if !self.changes_heard.within(self.settings.keys_without_feed) {
            return self.ask(hash, credential, asked, Asks::Whole).await;
        }
        let known = || self.opaque.known(&hash, monotonic());
        let first = match known() {
            None => {
                // Of many who present the same at once, one asks.
                let turn = self.turn_of(&hash);
                let _turn = turn.0.lock().await;
                match known() {
                    None => return self.ask(hash, credential, asked, Asks::WhatItIs).await,
                    Some(known) => known,
                }
            }
            Some(known) => known,
        };
        match first {
            Known::Valid(entry) => {
                Ok(self.decided(Arc::clone(&entry.found), &NOTHING_ENDED, (hash, credential), asked))
            }
            Known::Refused(refusal) => Ok(Checked::refused(refusal)),
            Known::Asked => self.ask(hash, credential, asked, Asks::Whole).await,
        }
    }

    fn turn_of(&self, hash: &TokenHash) -> Turn<'_> {
        let lock = Arc::clone(self.turns.lock().entry(*hash).or_default());
        Turn(lock, *hash, self)
    }

    /// The answer may be about less than is asked here: permissions are held against it.
    fn of_an_answer(&self, found: Arc<Found>, asked: &Use<'_>, proved: Proved) -> Checked {
        let may = &found.rights.permissions;
        let objects = found.credential.objects.as_ref();
        let verdict = if !asked.permissions.iter().all(|permission| may.contains(permission.as_str())) {
            Verdict::Refused(Refusal::PermissionMissing)
        } else if objects.is_some_and(|objects| !asked.objects.iter().all(|object| objects.covers(object))) {
            Verdict::Refused(Refusal::ObjectNotAllowed)
        } else if objects.is_some() && asked.objects.is_empty() && !asked.whatever_object {
            Verdict::Refused(Refusal::ObjectRequired)
        } else {
            Verdict::Valid
        };
        self.checked(verdict, found, proved)
    }

    async fn ask(
        self: &Arc<Self>,
        hash: TokenHash,
        credential: &str,
        asked: &Use<'_>,
        asks: Asks,
    ) -> Result<Checked, Unreachable> {
        let _turn = self.questions.acquire().await.map_err(|_| Unreachable)?;
        let ((beginning, told), asked_at) = (self.opaque.names.read().place(), monotonic());
        let answered = self.remote.verify(&self.question(credential, asked, asks), &self.clock).await;
        let (answer, position) = answered.map_err(|error| {
            tracing::warn!(%error, "a credential could not be verified");
            Unreachable
        })?;
        let found = answer.found.map(Arc::new);
        match (&found, answer.max_age_seconds, answer.verdict) {
            (Some(found), Some(seconds), _) => {
                if let Some(position) = Names::position_of(told, position) {
                    self.opaque.keep(hash, found, (beginning, position), Duration::from_secs(seconds), asked_at);
                }
            }
            (Some(_), None, _) => self.opaque.keep_asked(hash, asked_at),
            (None, _, Verdict::Refused(refusal)) if refusal.is_about_state() => {
                self.opaque.keep_refusal(hash, refusal, asked_at);
            }
            _ => {}
        }
        Ok(match found {
            Some(found) => {
                let proved =
                    Proved { shared: Arc::downgrade(self), credential: hash, proof: Proof::default(), is_asked: true };
                self.of_an_answer(found, asked, proved)
            }
            None => Checked { retry_after_seconds: answer.retry_after_seconds, ..Checked::of(answer.verdict) },
        })
    }

    fn question(&self, credential: &str, asked: &Use<'_>, asks: Asks) -> Value {
        let mut question = json!({
            "credential": credential, "audience": self.settings.audience,
            "method": asked.method, "path": asked.path,
        });
        if asks == Asks::Whole {
            question["permissions"] = json!(asked.permissions);
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

    /// Reads the keys, unless that was done within `pause`.
    async fn read_keys(&self, pause: Duration) -> Result<(), RemoteError> {
        let mut last = self.reading_keys.lock().await;
        if last.is_some_and(|at| at.elapsed() < pause) {
            return Ok(());
        }
        let document = self.remote.keys().await;
        // Also after an error: whoever asks again at once gets the same.
        *last = Some(monotonic());
        let document = document?;
        let keys = Keys::read(&document.text.unwrap_or_default()).map_err(|_| RemoteError::Content)?;
        let mut known = self.keys.write();
        if !known.are(&keys) {
            // What was proved by others is proved anew.
            *known = Arc::new(keys);
        }
        drop(known);
        self.keys_heard.now();
        Ok(())
    }

    async fn follow_keys(self: Arc<Self>) {
        let (mut pause, mut again) = (SHORTEST_PAUSE, Vec::new());
        loop {
            match self.read_keys(Duration::ZERO).await {
                Ok(()) => {
                    pause = SHORTEST_PAUSE;
                    let next = again.pop().unwrap_or(READ_KEYS_EVERY);
                    tokio::select! {
                        () = sleep(next) => {}
                        () = self.other_keys.notified() => again = READ_KEYS_AGAIN.to_vec(),
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, "the keys of the instance could not be read");
                    sleep(pause).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
    }

    async fn follow_ended(self: Arc<Self>) {
        let (mut tag, mut pause) = (None::<String>, SHORTEST_PAUSE);
        loop {
            let began = monotonic();
            match self.hear_of_ended(&mut tag).await {
                Ok(is_news) => {
                    pause = SHORTEST_PAUSE;
                    sleep(pause_after(is_news, began.elapsed(), chance())).await;
                }
                Err(error) => {
                    tracing::warn!(%error, "the feed of what ended could not be read");
                    sleep(pause).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
    }

    async fn hear_of_ended(&self, tag: &mut Option<String>) -> Result<bool, RemoteError> {
        let document = self.remote.ended(tag.as_deref()).await?;
        let is_news = document.text.is_some() && (document.tag.is_none() || document.tag != *tag);
        if let Some(text) = document.text {
            let text = String::from_utf8(text).map_err(|_| RemoteError::Content)?;
            let read = || {
                let keys = Arc::clone(&self.keys.read());
                Ended::read(&text, &keys, &self.settings.issuer, self.clock.now())
            };
            let ended = match read() {
                Err(NotProved::UnknownKey) => {
                    self.read_keys(KEYS_PAUSE).await?;
                    read()
                }
                done => done,
            };
            let ended = ended.map_err(|_| RemoteError::Content)?;
            let known = Arc::clone(&self.ended.read());
            *self.ended.write() = Arc::new(known.followed_by(ended, self.clock.now()));
        }
        *tag = document.tag;
        self.ended_heard.now();
        Ok(is_news)
    }

    async fn follow_changes(self: Arc<Self>) {
        let (mut last, mut pause) = (None::<String>, SHORTEST_PAUSE);
        loop {
            let error = match self.hear_changes(&mut last, &mut pause).await {
                Ok(()) => "the stream ended".to_owned(),
                Err(error) => error.to_string(),
            };
            tracing::debug!(error, "the change feed is connected to again");
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    async fn hear_changes(&self, last: &mut Option<String>, pause: &mut Duration) -> Result<(), RemoteError> {
        let response = match self.remote.changes(last.as_deref()).await {
            Err(error @ RemoteError::Status(http::StatusCode::BAD_REQUEST)) => {
                // It does not understand where we are: another version may not.
                *last = None;
                return Err(error);
            }
            connected => connected,
        };
        let (mut response, mut events) = (response?, Events::default());
        if let Some(told_at) = told_at(response.headers()) {
            self.clock.was_told(told_at);
        }
        loop {
            let piece = timeout(SILENCE, response.chunk()).await.map_err(|_| RemoteError::Content)??;
            let Some(piece) = piece else { return Ok(()) };
            for message in events.take(&piece).map_err(|_| RemoteError::Content)? {
                self.opaque.names.write().take(&message, monotonic());
                if message.reset || message.changes.iter().any(|change| change.concerns == Concerns::SigningKeys) {
                    self.other_keys.notify_one();
                }
                *last = Some(message.next);
                *pause = SHORTEST_PAUSE;
                self.changes_heard.now();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_answers_at_once_is_not_asked_again_at_once() {
        let check = |news: bool, took: u64, chance: f64, expected: u64| {
            let pause = pause_after(news, Duration::from_millis(took), chance);
            assert_eq!(pause, Duration::from_millis(expected), "{news} {took} {chance}");
        };
        check(true, 0, 0.5, 100);
        check(true, 5000, 0.0, 100);
        check(false, 0, 0.0, 500);
        check(false, 0, 1.0, 1000);
        check(false, 300, 0.0, 200);
        check(false, 5000, 1.0, 0);
        assert!((0.0..=1.0).contains(&chance()));
    }

    #[test]
    fn what_is_no_credential_is_not_asked_about() {
        for (text, expected) in [
            ("clv_key_000000000000000000000000000000001H8smx", true),
            ("acme_cs_zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz4FSCUX", true),
            ("clv_key_000000000000000000000000000000001H8smy", false),
            ("clv_key_nobodys", false),
            ("x", false),
            ("", false),
        ] {
            assert_eq!(is_well_formed(text), expected, "{text}");
        }
    }

    #[test]
    fn outside_of_a_runtime_it_does_not_start() {
        let settings = Settings::new("https://keys.acme.test", "http://127.0.0.1:7421", "urn:api");
        assert!(matches!(Claviger::start(settings), Err(StartError::NoRuntime)));
    }
}
