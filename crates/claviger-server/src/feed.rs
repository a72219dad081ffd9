//! `GET /v1/changes`, on the internal listener: whom changes concern, for services that keep answers of the verify call.
//!
//! A long poll and a stream of server-sent events with the same messages. Whoever follows is told from this node's memory, however many
//! they are. While this node cannot read the log it tells nothing, so that whoever follows knows how old what they know is. The room must
//! not know what changed.

use std::{
    convert::Infallible,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    Json,
    body::{Body, Bytes},
    extract::{Query, State, rejection::QueryRejection},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use claviger_store::{FeedCursor, Since, Told};
use claviger_token::ChangesMessage;
use hyper::body::Frame;
use serde::Deserialize;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch},
    time::{Instant, sleep_until, timeout},
};

use crate::{
    app::{App, monotonic},
    inside::Inside,
    problem::RequestError,
};

/// The longest wait for news, in seconds.
const LONGEST_WAIT: u64 = 30;

/// How many may wait or listen at a time.
const MOST_FOLLOWING: usize = 1000;

/// How often whoever listens hears something, even that nothing changed.
const HEARTBEAT: Duration = Duration::from_millis(250);

/// How old the last reading of the log may be while this node tells of it.
const STALE: Duration = Duration::from_millis(500);

/// How long whoever begins anew waits for what comes next, so that nobody does that without a pause.
const PAUSE: Duration = Duration::from_millis(100);

/// How long a listener may take for one message.
const PATIENCE: Duration = Duration::from_secs(10);

const EVENT_STREAM: &str = "text/event-stream";

/// What a stream begins with: how many milliseconds to wait before connecting again.
const RETRY: &str = "retry: 500\n\n";

/// Who follows the changes.
pub(crate) struct Followers {
    places: Arc<Semaphore>,
    /// Whether nobody may wait any more.
    over: watch::Sender<bool>,
}

impl Followers {
    pub(crate) fn new() -> Self {
        Self { places: Arc::new(Semaphore::new(MOST_FOLLOWING)), over: watch::Sender::new(false) }
    }

    /// Lets nobody wait or listen any more.
    pub(crate) fn let_go(&self) {
        self.over.send_replace(true);
    }

    fn place(&self) -> Result<OwnedSemaphorePermit, RequestError> {
        Arc::clone(&self.places).try_acquire_owned().map_err(|_| {
            let detail = format!("{MOST_FOLLOWING} wait or listen already; ask another node, or without a wait");
            RequestError::unreadable(StatusCode::SERVICE_UNAVAILABLE, "busy", detail)
        })
    }

    fn is_over(&self) -> bool {
        *self.over.borrow()
    }
}

/// How to ask for changes.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ChangesQuery {
    /// `next` of the message before; without, all begins.
    after: Option<String>,
    /// How many seconds to wait for something to tell.
    #[serde(default)]
    wait: u64,
}

/// `GET /v1/changes`. A poll gets one message; whoever accepts `text/event-stream`, one after the other.
pub(crate) async fn changes(
    _: Inside,
    State(app): State<App>,
    query: Result<Query<ChangesQuery>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, RequestError> {
    let refused = |detail| RequestError::unreadable(StatusCode::BAD_REQUEST, "invalid_query", detail);
    let Query(asked) = query.map_err(|error| refused(error.body_text()))?;
    if asked.wait > LONGEST_WAIT {
        return Err(refused(format!("wait for 0 to {LONGEST_WAIT} seconds")));
    }
    let listens = accepts_events(&headers);
    // What a listener got last comes after what its address says, which stays the same when it connects again.
    let last = headers.get("last-event-id").filter(|last| listens && !last.is_empty());
    let last = last.map(HeaderValue::to_str).transpose();
    let last = last.map_err(|_| refused("Last-Event-ID is what `id` said in the event before".to_owned()))?;
    let after = last.or(asked.after.as_deref()).filter(|after| !FeedCursor::is_of_another_version(after));
    let after = after.map(str::parse::<FeedCursor>).transpose().map_err(|error| refused(error.to_string()))?;
    if listens {
        app.must_be_current()?;
        let place = app.followers.place()?;
        return Ok(listening(app, after, place));
    }
    let _place = (asked.wait > 0).then(|| app.followers.place()).transpose()?;
    let (reset, told) = app.wait_for_changes(after.as_ref(), Duration::from_secs(asked.wait)).await?;
    let mut response = Json(app.message(reset, told)).into_response();
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if app.followers.is_over() {
        // The next one is for another node.
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    Ok(response)
}

fn accepts_events(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(header::ACCEPT).iter().filter_map(|line| line.to_str().ok());
    accepted.flat_map(|line| line.split(',')).any(|kind| kind.trim().split(';').next() == Some(EVENT_STREAM))
}

impl App {
    fn message(&self, reset: bool, told: Told) -> ChangesMessage {
        let Told { next, position, more, changes } = told;
        let age = self.store.changes().staleness(monotonic());
        let age_ms = u64::try_from(age.as_millis()).unwrap_or(u64::MAX);
        let time = Some(self.now());
        ChangesMessage { reset, next: next.to_string(), position, age_ms, time, more, changes }
    }

    fn must_be_current(&self) -> Result<(), RequestError> {
        if self.store.changes().staleness(monotonic()) < STALE { Ok(()) } else { Err(not_current()) }
    }

    /// What there is to tell now, and whether it begins anew.
    async fn changes_since(&self, after: Option<&FeedCursor>) -> Result<(bool, Told), RequestError> {
        self.must_be_current()?;
        let feed = self.store.feed();
        let Some(after) = after else { return Ok((true, feed.begun())) };
        let mut since = feed.since(after);
        if since == Since::Behind {
            // Whatever another node told before this request is visible to a reading that begins now.
            timeout(STALE, feed.read_again()).await.map_err(|_| not_current())?;
            since = feed.since(after);
        }
        Ok(match since {
            Since::Changed(told) => (false, told),
            Since::Unknown(told) => (true, told),
            Since::Behind => (true, feed.begun()),
        })
    }

    /// The same once there is something, or when the time is over.
    async fn wait_for_changes(&self, after: Option<&FeedCursor>, wait: Duration) -> Result<(bool, Told), RequestError> {
        let (mut news, mut over) = (self.store.feed().news(), self.followers.over.subscribe());
        let end = Instant::from_std(monotonic() + wait);
        loop {
            news.mark_unchanged();
            let (reset, told) = self.changes_since(after).await?;
            if reset || !told.changes.is_empty() || *over.borrow() || wait.is_zero() {
                return Ok((reset, told));
            }
            let is_over = tokio::select! {
                changed = news.changed() => changed.is_err(),
                _ = over.changed() => true,
                () = sleep_until(end) => true,
            };
            if is_over {
                return self.changes_since(after).await;
            }
        }
    }

    /// Tells one after the other until whoever listens is gone, or nobody may listen any more.
    async fn tell(self, mut after: Option<FeedCursor>, events: mpsc::Sender<Bytes>) {
        let (mut news, mut over) = (self.store.feed().news(), self.followers.over.subscribe());
        let mut next_beat = Instant::from_std(monotonic());
        while !*over.borrow() {
            news.mark_unchanged();
            // An outage is not told: silence says it.
            if let Ok((reset, told)) = self.changes_since(after.as_ref()).await {
                let is_news = reset || !told.changes.is_empty();
                after = Some(told.next.clone());
                let now = Instant::from_std(monotonic());
                if is_news || now >= next_beat {
                    next_beat = now + HEARTBEAT;
                    let Some(event) = event(&self.message(reset, told)) else { return };
                    if !matches!(timeout(PATIENCE, events.send(event)).await, Ok(Ok(()))) {
                        return;
                    }
                    if reset {
                        sleep_until(Instant::from_std(monotonic() + PAUSE)).await;
                    } else if is_news {
                        // There may be more than one message has.
                        continue;
                    }
                }
            }
            let beat = next_beat.max(Instant::from_std(monotonic()) + HEARTBEAT / 10);
            tokio::select! {
                _ = news.changed() => {}
                _ = over.changed() => {}
                () = events.closed() => return,
                () = sleep_until(beat) => {}
            }
        }
    }
}

fn not_current() -> RequestError {
    let detail = "this node has not read the change log lately; ask another, or again in a moment";
    RequestError::unreadable(StatusCode::SERVICE_UNAVAILABLE, "unavailable", detail)
}

fn listening(app: App, after: Option<FeedCursor>, place: OwnedSemaphorePermit) -> Response {
    let (sender, events) = mpsc::channel(1);
    tokio::spawn(app.tell(after, sender));
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(EVENT_STREAM)),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        // nginx passes events on as they come.
        (header::HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no")),
    ];
    (headers, Body::new(Events { begun: false, events, _place: place })).into_response()
}

/// As an event. JSON has no line breaks of its own.
fn event(message: &ChangesMessage) -> Option<Bytes> {
    let data = serde_json::to_string(message);
    let data =
        data.inspect_err(|error| tracing::error!(%error, "changes could not be written; this is a defect")).ok()?;
    Some(format!("id: {}\nevent: changes\ndata: {data}\n\n", message.next).into())
}

/// Events as a body that ends with them. The place is the body's: a listener who takes nothing has it, and what is queued for them, for
/// as long as the connection lasts.
struct Events {
    begun: bool,
    events: mpsc::Receiver<Bytes>,
    _place: OwnedSemaphorePermit,
}

impl hyper::body::Body for Events {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if !self.begun {
            self.begun = true;
            return Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(RETRY.as_bytes())))));
        }
        self.events.poll_recv(cx).map(|event| event.map(|event| Ok(Frame::data(event))))
    }
}
