//! The keys that sign tokens, as they follow each other; and their rotation: in its time, or at once because somebody else may have one.

use askama::Template;
use axum::{extract::State, http::StatusCode, response::Response};
use claviger_core::{KeyState, Reach, Rejection, RevokeReason, RotateSigningKeys, SigningKeyRecord, next_rotation};
use claviger_store::StoreError;
use claviger_token::SigningAlgorithm;
use jiff::Timestamp;

use super::{Keeper, KeeperForm, SETTINGS};
use crate::{
    app::App,
    console::{
        credential::{once::Once, shown::Badge},
        moment::Moment,
        page::{Frame, go_and_tell, page_with},
        trouble::Trouble,
    },
    oauth::RotateError,
};

const ROTATE: &str = "/settings/signing-keys/rotate";
const REPLACE: &str = "/settings/signing-keys/replace";

/// How many keys that are gone already are shown of each algorithm.
const MOST_REMOVED: usize = 3;

/// The keys of one algorithm.
pub(in crate::console) struct Algorithm {
    pub(super) name: &'static str,
    /// The newest first.
    pub(super) keys: Vec<Shown>,
    /// When the next one is announced by itself.
    pub(super) next: Option<Moment>,
}

/// A key.
pub(in crate::console) struct Shown {
    pub(super) id: String,
    pub(super) badge: Badge,
    /// The key of what happened or will, and when, in this order.
    pub(super) times: Vec<(&'static str, Moment)>,
}

#[derive(Template)]
#[template(path = "signing_keys_rotate.html")]
pub(in crate::console) struct RotatePage {
    pub(super) frame: Frame,
    pub(super) path: &'static str,
    pub(super) once: String,
    /// Whether the keys before are removed at once.
    pub(super) emergency: bool,
    /// Those that have keys.
    pub(super) algorithms: Vec<&'static str>,
    /// Why it was not done.
    pub(super) wrong: Option<String>,
}

/// All that there are, by algorithm.
pub(super) async fn algorithms(app: &App, frame: &Frame) -> Result<Vec<Algorithm>, StoreError> {
    let keys = app.store.within(Reach::Instance).signing_keys().await?;
    let now = app.now();
    let of = |algorithm: SigningAlgorithm| {
        let mut own: Vec<&SigningKeyRecord> = keys.iter().filter(|key| key.algorithm == algorithm).collect();
        own.sort_by_key(|key| std::cmp::Reverse(key.number));
        let mut removed = 0;
        own.retain(|key| {
            removed += usize::from(key.state(now) == KeyState::Removed);
            removed <= MOST_REMOVED
        });
        let announced = own.iter().any(|key| key.state(now) == KeyState::Announced);
        let next = next_rotation(&keys, algorithm, app.config.signing_key_rotation, now).filter(|_| !announced);
        Algorithm {
            name: algorithm.as_str(),
            next: next.map(|next| Moment::new(frame.language(), next, now)),
            keys: own.into_iter().map(|key| Shown::of(key, frame, now)).collect(),
        }
    };
    Ok(SigningAlgorithm::ALL.into_iter().map(of).filter(|algorithm| !algorithm.keys.is_empty()).collect())
}

impl Shown {
    fn of(key: &SigningKeyRecord, frame: &Frame, now: Timestamp) -> Self {
        let (words, class) = match key.state(now) {
            KeyState::Announced => ("key-announced", "plain"),
            KeyState::Active => ("key-active", "good"),
            KeyState::Retiring => ("key-retiring", "warn"),
            KeyState::Removed => ("key-removed", "bad"),
        };
        let times = [
            ("key-published-at", Some(key.created_at)),
            ("key-signs-at", Some(key.active_at)),
            ("key-retires-at", key.retiring_at),
            ("key-removed-at", key.removed_at),
        ];
        let times = times.into_iter().filter_map(|(words, at)| Some((words, Moment::new(frame.language(), at?, now))));
        Self { id: key.id.to_string(), badge: Badge { words: frame.text(words), class }, times: times.collect() }
    }
}

/// `GET /settings/signing-keys/rotate`: asks first.
pub(in crate::console) async fn ask_to_rotate(State(app): State<App>, who: Keeper) -> Result<Response, Trouble> {
    ask(&app, &who, false).await
}

/// `GET /settings/signing-keys/replace`, likewise.
pub(in crate::console) async fn ask_to_replace(State(app): State<App>, who: Keeper) -> Result<Response, Trouble> {
    ask(&app, &who, true).await
}

/// `POST /settings/signing-keys/rotate` with `algorithm` and `once`.
pub(in crate::console) async fn rotate(State(app): State<App>, form: KeeperForm) -> Result<Response, Trouble> {
    submit(&app, &form, false).await
}

/// `POST /settings/signing-keys/replace`, likewise.
pub(in crate::console) async fn replace(State(app): State<App>, form: KeeperForm) -> Result<Response, Trouble> {
    submit(&app, &form, true).await
}

fn path(emergency: bool) -> &'static str {
    if emergency { REPLACE } else { ROTATE }
}

async fn ask(app: &App, who: &Keeper, emergency: bool) -> Result<Response, Trouble> {
    who.must_rotate()?;
    must_be_fresh(app, who, emergency)?;
    with(app, who.frame(app).await?, emergency, None).await
}

/// A key that signs for everybody is as much as any secret.
fn must_be_fresh(app: &App, who: &Keeper, emergency: bool) -> Result<(), Trouble> {
    let next = path(emergency).to_owned();
    if who.session.is_fresh(app.now()) { Ok(()) } else { Err(Trouble::NotFresh { next }) }
}

async fn submit(app: &App, form: &KeeperForm, emergency: bool) -> Result<Response, Trouble> {
    let KeeperForm { who, fields } = form;
    who.must_rotate()?;
    let told = if emergency { "replaced" } else { "rotated" };
    let done = || go_and_tell(SETTINGS, told, []);
    let once = Once::of(app, &who.session, path(emergency), fields)?;
    if once.was_sent(app).await? {
        return Ok(done());
    }
    must_be_fresh(app, who, emergency)?;
    let algorithm = match fields.value("algorithm") {
        "" => None,
        named => Some(named.parse::<SigningAlgorithm>().map_err(|_| Trouble::Form)?),
    };
    let reason = if emergency { RevokeReason::Compromised } else { RevokeReason::Unspecified };
    let asked = RotateSigningKeys { algorithm, emergency, reason };
    let kept = |_: &[SigningKeyRecord]| Some(once.remembered(SETTINGS.to_owned()));
    let rotated = app.rotate_answering(who.session.by(), &asked, &kept).await;
    // The same form, sent twice at once.
    if matches!(rotated, Err(RotateError::Store(StoreError::Taken(_)))) && once.was_sent(app).await? {
        return Ok(done());
    }
    match rotated {
        Ok(_) => Ok(done()),
        Err(RotateError::Rejected(Rejection::Conflict { code: "rotation_in_progress", .. })) => {
            let frame = who.frame(app).await?;
            let wrong = frame.text("rotate-in-progress");
            with(app, frame, emergency, Some(wrong)).await
        }
        Err(RotateError::Rejected(rejection)) => Err(rejection.into()),
        Err(RotateError::Store(error)) => Err(error.into()),
    }
}

async fn with(app: &App, frame: Frame, emergency: bool, wrong: Option<String>) -> Result<Response, Trouble> {
    let all = algorithms(app, &frame).await?;
    let status = if wrong.is_none() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    let shown = RotatePage {
        path: path(emergency),
        once: Once::field(app),
        emergency,
        algorithms: all.iter().map(|algorithm| algorithm.name).collect(),
        wrong,
        frame,
    };
    Ok(page_with(status, &shown, []))
}
