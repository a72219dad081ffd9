//! What the instance said of credentials as such, kept as long as the change feed names nothing of it. Who decides about uses asks here for
//! the facts.
//!
//! What is kept is what `state_only` of the verify call answers, so that nobody's question makes what another is told. The room must not
//! know what is asked of a credential, nor what becomes of the facts.

use std::{collections::HashMap, net::IpAddr, sync::Arc, time::Duration};

use claviger_token::{Brand, Found, Opaque as Presentable, Permission, Refusal, Secret, TokenHash, Verdict};
use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex as SyncMutex;
use serde_json::{Value, json};
use tokio::{
    sync::{Mutex, Notify, Semaphore},
    task::AbortHandle,
    time::{sleep, timeout},
};

use crate::{
    answer::Answer,
    cache::{Entry, Known, Opaque},
    claviger::StartError,
    clock::{Clock, Heard, monotonic},
    feed::Names,
    remote::{Answered, Internal, Reason, RemoteError, SILENCE},
    settings::{KeeperSettings, is_address},
    usage::Usage,
};

/// How many questions are asked at once; who comes after them waits, and not for long.
const MOST_QUESTIONS: usize = 64;

/// How many of them renew what is kept; of what finds no place the next use tries again.
const MOST_RENEWALS: usize = 16;

/// For how long names may be withheld before nothing that is kept counts: some come in the next message.
pub(crate) const WITHHELD_FOR: Duration = Duration::from_secs(1);

/// The pause after what is kept could not be renewed.
const RENEW_AGAIN: Duration = Duration::from_secs(1);

/// The instance did not answer, and what is known does not suffice: no verdict. Answer with 503.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the credential cannot be verified right now; try again")]
pub struct Unreachable;

/// What is known of a credential as such.
#[derive(Clone, Debug)]
pub enum Facts {
    /// It is valid, and whether it is for some use these say: ask [`judge_facts`](crate::judge_facts).
    /// For so long still: whoever passes it on must not let it be kept for longer.
    Valid(Arc<Found>, Duration),
    /// It is valid for no use. With what the instance answered, unless it knows nothing of it.
    Refused(Refusal, Option<Arc<[u8]>>),
    /// The instance must be asked about each use: something counts them, or a proof is needed, or the change feed is not heard.
    Asked,
}

/// Facts about credentials, kept until the last clone is gone.
#[derive(Clone)]
pub struct Keeper {
    kept: Arc<Kept>,
    _following: Arc<Following>,
}

impl Keeper {
    /// Begins to follow an instance, on the runtime of the caller. Also while it is not there.
    pub fn start(settings: KeeperSettings) -> Result<Self, StartError> {
        if !is_address(&settings.address) {
            return Err(StartError::Settings(crate::WrongSettings::address("address", &settings.address)));
        }
        let kept = Arc::new(Kept::new(settings)?);
        let following = Following(vec![
            tokio::spawn(Arc::clone(&kept).follow_changes()).abort_handle(),
            tokio::spawn(Arc::clone(&kept).report_every_while()).abort_handle(),
        ]);
        Ok(Self { kept, _following: Arc::new(following) })
    }

    /// What is known of it now, for which the instance may be asked.
    pub async fn facts(&self, credential: &str) -> Result<Facts, Unreachable> {
        let asking = self.kept.facts(TokenHash::of(credential), credential);
        timeout(self.kept.settings.patience, asking).await.map_err(|_| Unreachable)?
    }

    /// Counts a use on which whoever asked for the facts decided. The instance is told within ten seconds.
    pub fn count(&self, found: &Found, verdict: Verdict, permissions: &[Permission], client_ip: Option<IpAddr>) {
        self.kept.usage.count(found, verdict, permissions, client_ip, self.now());
    }

    /// Tells the instance now what was counted: to be called before the process ends.
    pub async fn report_uses(&self) {
        self.kept.report().await;
    }

    /// How many of these uses are counted nowhere: too much waited while the instance was away, it did not take them, or it does not
    /// know their credential.
    pub fn uses_lost(&self) -> u64 {
        self.kept.usage.lost()
    }

    /// What time it is where the instance is.
    pub fn now(&self) -> Timestamp {
        self.kept.clock.now()
    }

    /// How old what is known may be at most; nothing before the change feed was heard.
    pub fn staleness(&self) -> Option<Duration> {
        self.kept.changes_heard.age().map(|age| age + *self.kept.told_age.lock())
    }

    /// Whether what is kept counts right now.
    pub fn is_heard(&self) -> bool {
        self.kept.is_heard()
    }

    /// Why the change feed was not heard when that was tried last, if it was not.
    pub fn problem(&self) -> Option<String> {
        self.kept.problem.lock().clone()
    }

    /// Of how many credentials something is kept.
    pub fn entries(&self) -> usize {
        self.kept.opaque.len()
    }
}

/// Whether a text has the form of a credential, of whatever instance.
pub fn has_form_of_a_credential(text: &str) -> bool {
    is_token(text) || is_well_formed(text)
}

/// Three parts, the first of which is a JSON object.
pub(crate) fn is_token(credential: &str) -> bool {
    credential.starts_with("eyJ") && credential.contains('.')
}

/// Whether a text could be a credential of some instance: strangers cannot make us ask about everything.
pub(crate) fn is_well_formed(text: &str) -> bool {
    let brand = text.split_once('_').and_then(|(brand, _)| brand.parse::<Brand>().ok());
    brand.is_some_and(|brand| Presentable::parse(text, &[brand]).is_ok())
}

/// What runs beside the requests, and ends with the last clone of whoever began it.
pub(crate) struct Following(pub(crate) Vec<AbortHandle>);

impl Drop for Following {
    fn drop(&mut self) {
        self.0.iter().for_each(AbortHandle::abort);
    }
}

pub(crate) struct Kept {
    pub(crate) settings: KeeperSettings,
    pub(crate) remote: Internal,
    pub(crate) clock: Arc<Clock>,
    pub(crate) opaque: Opaque,
    pub(crate) changes_heard: Heard,
    /// How old was what the last message told.
    pub(crate) told_age: SyncMutex<Duration>,
    pub(crate) problem: SyncMutex<Option<String>>,
    /// Told when the instance has other keys.
    pub(crate) other_keys: Arc<Notify>,
    pub(crate) usage: Usage,
    questions: Semaphore,
    renewals: Arc<Semaphore>,
    unanswered: Reason,
    /// Of those who ask about the same credential, by its hash.
    turns: SyncMutex<HashMap<TokenHash, Arc<Mutex<Others>>>>,
}

/// What those do who wait for the answer to another: if that is of no use to them, they all ask, and not one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Others {
    Wait,
    Ask,
}

impl Kept {
    pub(crate) fn new(settings: KeeperSettings) -> Result<Self, StartError> {
        tokio::runtime::Handle::try_current().map_err(|_| StartError::NoRuntime)?;
        let remote = Internal::new(&settings).map_err(|error| StartError::Http(error.to_string()))?;
        Ok(Self {
            opaque: Opaque::new(settings.entries),
            settings,
            remote,
            clock: Arc::default(),
            changes_heard: Heard::never(),
            told_age: SyncMutex::default(),
            problem: SyncMutex::default(),
            other_keys: Arc::default(),
            usage: Usage::default(),
            questions: Semaphore::new(MOST_QUESTIONS),
            renewals: Arc::new(Semaphore::new(MOST_RENEWALS)),
            unanswered: Reason::default(),
            turns: SyncMutex::default(),
        })
    }

    pub(crate) fn is_heard(&self) -> bool {
        let withheld_since = self.opaque.names.read().withheld_since();
        self.changes_heard.within(self.settings.without_feed)
            && withheld_since.is_none_or(|since| since.elapsed() <= WITHHELD_FOR)
    }

    pub(crate) async fn facts(self: &Arc<Self>, hash: TokenHash, credential: &str) -> Result<Facts, Unreachable> {
        let (now, is_heard) = (monotonic(), self.is_heard());
        if let Some(known) = self.opaque.known(&hash, now).filter(|_| is_heard) {
            // Of an instance that is not there nobody asks for more.
            if let Known::Valid(entry) = &known
                && self.changes_heard.within(SILENCE)
                && entry.is_to_be_renewed(now)
            {
                self.renew(hash, credential, Arc::clone(entry));
            }
            return Ok(known.into());
        }
        if !has_form_of_a_credential(credential) {
            return Ok(Facts::Refused(Refusal::Malformed, None));
        }
        if !is_heard {
            return Ok(Facts::Asked);
        }
        // Of many who present the same at once, one asks.
        let turn = self.turn_of(&hash);
        let mut others = turn.0.lock().await;
        if let Some(known) = self.opaque.known(&hash, monotonic()) {
            return Ok(known.into());
        }
        if *others == Others::Ask {
            drop(others);
            drop(turn);
            return self.ask_state(hash, credential).await.map(|(facts, _)| facts);
        }
        let asked = self.ask_state(hash, credential).await;
        if !matches!(asked, Ok((_, IsKept(true)))) {
            *others = Others::Ask;
        }
        asked.map(|(facts, _)| facts)
    }

    fn turn_of(&self, hash: &TokenHash) -> Turn<'_> {
        let lock = self.turns.lock().entry(*hash).or_insert_with(|| Arc::new(Mutex::new(Others::Wait))).clone();
        Turn(lock, *hash, self)
    }

    /// Asks anew before what is kept is too old, so that what is used all the time is there when the instance goes away.
    fn renew(self: &Arc<Self>, hash: TokenHash, credential: &str, entry: Arc<Entry>) {
        let Ok(place) = Arc::clone(&self.renewals).try_acquire_owned() else { return entry.may_be_renewed_again() };
        let (kept, credential) = (Arc::clone(self), Secret::new(credential.to_owned()));
        tokio::spawn(async move {
            let asking = kept.ask_state(hash, credential.expose());
            let asked = timeout(kept.settings.patience, asking).await;
            drop(place);
            if !matches!(asked, Ok(Ok((_, IsKept(true))))) {
                sleep(RENEW_AGAIN).await;
                entry.may_be_renewed_again();
            }
        });
    }

    async fn ask_state(&self, hash: TokenHash, credential: &str) -> Result<(Facts, IsKept), Unreachable> {
        let _place = self.questions.acquire().await.map_err(|_| Unreachable)?;
        let ((beginning, told), asked_at) = (self.opaque.names.read().place(), monotonic());
        let question = json!({ "credential": credential, "state_only": true });
        let answered = self.answered(self.remote.verify(&question, &self.clock).await)?;
        let position = Names::position_of(told, answered.position);
        let Answer { verdict, found, max_age_seconds, .. } = answered.answer;
        let (facts, is_kept) = match (verdict, found, max_age_seconds) {
            (Verdict::Refused(refusal), ..) => {
                let body = (refusal != Refusal::Unknown).then(|| answered.body.into());
                (self.opaque.keep_refusal(hash, refusal, body, asked_at).into(), true)
            }
            (Verdict::Valid, Some(found), Some(seconds)) => {
                let max_age = Duration::from_secs(seconds);
                let found = Arc::new(ending_with(found, max_age, self.clock.now()));
                let place = position.map(|position| (beginning, position));
                let is_kept = place.is_some_and(|place| self.opaque.keep(hash, &found, place, max_age, asked_at));
                (Facts::Valid(found, max_age.saturating_sub(asked_at.elapsed())), is_kept)
            }
            (Verdict::Valid, ..) => (self.opaque.keep_asked(hash, asked_at).into(), true),
        };
        // The answer may have been under way for longer than it counts.
        Ok((facts, IsKept(is_kept && self.opaque.known(&hash, monotonic()).is_some())))
    }

    fn answered(&self, answered: Result<Answered, RemoteError>) -> Result<Answered, Unreachable> {
        let is_new = self.unanswered.is_new(&answered);
        answered.map_err(|error| {
            if is_new {
                tracing::warn!(%error, "credentials cannot be verified");
            }
            Unreachable
        })
    }

    /// The verdict of the instance on one use. What it refuses is remembered for a moment, so that whoever uses too much makes us ask
    /// less.
    pub(crate) async fn ask_use(&self, mut question: Value, method: &str, path: &str) -> Result<Answer, Unreachable> {
        let key = TokenHash::of(&question.to_string());
        if let Some(refused) = self.opaque.refused_use(&key, monotonic()) {
            return Ok(refused);
        }
        (question["method"], question["path"]) = (json!(method), json!(path));
        let _place = self.questions.acquire().await.map_err(|_| Unreachable)?;
        let asked_at = monotonic();
        let answered = self.answered(self.remote.verify(&question, &self.clock).await)?;
        self.opaque.keep_refused_use(key, &answered.answer, asked_at);
        Ok(answered.answer)
    }
}

/// Whether others can use it.
struct IsKept(bool);

/// With the end of the secret that was presented, if its credential was rolled: an answer does not say it, but counts no longer.
fn ending_with(mut found: Found, max_age: Duration, now: Timestamp) -> Found {
    if let Some(secret) = found.secret.as_mut().filter(|secret| secret.ends_at.is_some()) {
        let ends_at = SignedDuration::try_from(max_age).ok().and_then(|age| now.checked_add(age).ok());
        secret.ends_at = Some(ends_at.unwrap_or(Timestamp::MAX));
    }
    found
}

/// Whose turn it is to ask about a credential; forgotten with the last who waits for it.
struct Turn<'a>(Arc<Mutex<Others>>, TokenHash, &'a Kept);

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut turns = self.2.turns.lock();
        // This one, and the map's.
        if Arc::strong_count(&self.0) <= 2 {
            turns.remove(&self.1);
        }
    }
}

impl From<Known> for Facts {
    fn from(known: Known) -> Self {
        match known {
            Known::Valid(entry) => Self::Valid(Arc::clone(&entry.found), entry.left(monotonic())),
            Known::Refused(refusal, body) => Self::Refused(refusal, body),
            Known::Asked => Self::Asked,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::a_valid_answer;

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

    #[tokio::test]
    async fn of_those_who_wait_for_an_answer_that_cannot_be_kept_none_waits_for_another() {
        // Without a position, so that nobody knows up to which change it is true.
        let answering = async move || {
            sleep(Duration::from_millis(300)).await;
            axum::Json(a_valid_answer())
        };
        let routes = axum::Router::new().route("/v1/verify", axum::routing::post(answering));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut settings = KeeperSettings::new(&format!("http://{}", listener.local_addr().unwrap()));
        settings.without_feed = Duration::from_secs(30);
        tokio::spawn(async move { axum::serve(listener, routes).await });
        let kept = Arc::new(Kept::new(settings).unwrap());
        kept.changes_heard.now();
        let (began, mut asking) = (monotonic(), tokio::task::JoinSet::new());
        for _ in 0..20 {
            let kept = Arc::clone(&kept);
            let key = "clv_key_000000000000000000000000000000001H8smx";
            asking.spawn(async move { kept.facts(TokenHash::of(key), key).await });
        }
        let answers = asking.join_all().await;
        assert!(answers.iter().all(|answer| matches!(answer, Ok(Facts::Valid(..)))), "{answers:?}");
        assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
        assert!(kept.turns.lock().is_empty() && kept.opaque.len() == 0);
    }
}
