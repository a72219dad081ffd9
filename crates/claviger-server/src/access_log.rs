//! The access log: each single use of a credential as one line of JSON, for whoever has to tell who used it for what.
//!
//! A thread of its own writes, so that a slow disk never slows a verdict: what waits for it is bounded, and what does
//! not fit is dropped and counted. The room must not know how a verdict comes about.

use std::{
    borrow::Cow,
    fs::{File, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt as _,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
        mpsc::{Receiver, Sender, channel},
    },
    thread,
    time::Duration,
};

use claviger_token::{
    AccessTokenId, CredentialId, Found, Generation, OrganizationId, Permission, PrincipalId, Verdict,
};
use jiff::Timestamp;
use serde::Serialize;
use tokio::sync::oneshot;

use crate::{
    log,
    verify::{CountedAs, Surface, Use},
};

/// Bytes that may wait for the disk; some 50 000 usual lines.
const MOST_WAITING: usize = 16 << 20;

/// How much is written at once.
const BATCH: usize = 64 << 10;

/// How long the end waits for a disk that does not take what is left.
const LAST_WORD: Duration = Duration::from_secs(5);

/// Longer methods and paths are cut, in characters.
const LONGEST_METHOD: usize = 32;
const LONGEST_PATH: usize = 1000;

/// Where the access log goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AccessLogAt {
    /// The process's standard output.
    Stdout,
    /// The end of this file, which is made if need be.
    File(PathBuf),
}

/// The access log, if there is one.
#[derive(Debug, Clone, Default)]
pub struct AccessLog(Option<Arc<Open>>);

#[derive(Debug)]
struct Open {
    messages: Sender<Message>,
    backlog: Arc<Backlog>,
}

/// What waits for the writer, and what could not.
#[derive(Debug, Default)]
struct Backlog {
    waiting: AtomicUsize,
    dropped: AtomicU64,
    told: AtomicBool,
}

#[derive(Debug)]
enum Message {
    Line(Vec<u8>),
    Reopen,
    Flush(oneshot::Sender<()>),
}

/// One use, as it is written. Text of others is bounded and redacted.
#[derive(Serialize)]
struct Line<'a> {
    time: Timestamp,
    surface: &'static str,
    code: &'static str,
    #[serde(flatten)]
    known: Option<Known>,
    permissions: &'a [Permission],
    objects: Vec<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    method: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<std::net::IpAddr>,
    cost: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a str>,
}

/// Whose credential it was.
#[derive(Serialize)]
struct Known {
    credential: CredentialId,
    kind: &'static str,
    /// Of a secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    generation: Option<&'static str>,
    /// Of an access token.
    #[serde(skip_serializing_if = "Option::is_none")]
    jti: Option<AccessTokenId>,
    principal: PrincipalId,
    organization: OrganizationId,
}

impl AccessLog {
    /// Opens it, and starts the thread that writes it.
    pub fn open(at: AccessLogAt) -> io::Result<Self> {
        let backlog = Arc::<Backlog>::default();
        let (messages, received) = channel();
        let writer = Writer { sink: Sink::open(&at)?, at, backlog: Arc::clone(&backlog), failing: false };
        thread::Builder::new().name("access-log".to_owned()).spawn(move || writer.run(&received))?;
        Ok(Self(Some(Arc::new(Open { messages, backlog }))))
    }

    /// Goes on in a file of the same name, after somebody moved this one away.
    pub fn reopen(&self) {
        if let Some(open) = &self.0 {
            open.send(Message::Reopen);
        }
    }

    /// Writes what waits, unless the disk does not take it.
    pub(crate) async fn flush(&self) {
        let Some(open) = &self.0 else { return };
        let (done, is_done) = oneshot::channel();
        open.send(Message::Flush(done));
        if tokio::time::timeout(LAST_WORD, is_done).await.is_err() {
            tracing::error!("the access log is not written to its end: nothing takes it");
        }
    }

    /// How many lines were not written.
    pub(crate) fn dropped(&self) -> u64 {
        self.0.as_ref().map_or(0, |open| open.backlog.dropped.load(Ordering::Relaxed))
    }

    /// Tells one use.
    pub(crate) fn tell(&self, used: &Use<'_>, found: Option<&Found>, verdict: Verdict, now: Timestamp) {
        let Some(open) = &self.0 else { return };
        let known = found.map(|found| Known {
            credential: found.credential.id,
            kind: CountedAs::of(found).as_str(),
            generation: found.generation(now).map(Generation::as_str),
            jti: found.token.as_ref().map(|token| token.id),
            principal: found.principal.id,
            organization: found.organization.id,
        });
        let occasion = &used.occasion;
        let path = |path: &str| {
            // A topic has no query: `?` and `#` are a part of it.
            let is_topic = occasion.surface == Surface::Mqtt;
            let kept = if is_topic { path } else { path.split(['?', '#']).next().unwrap_or_default() };
            log::bounded(kept, LONGEST_PATH)
        };
        let line = Line {
            time: now,
            surface: occasion.surface.as_str(),
            code: verdict.code(),
            known,
            permissions: used.required.permissions,
            objects: used.required.objects.iter().map(|object| log::redacted(object.as_str())).collect(),
            method: occasion.method.map(|method| log::bounded(method, LONGEST_METHOD)),
            path: occasion.path.map(path),
            address: used.client_ip.map(|ip| ip.to_canonical()),
            cost: used.cost,
            request_id: occasion.request_id,
        };
        match serde_json::to_vec(&line) {
            Ok(mut line) => {
                line.push(b'\n');
                open.offer(line);
            }
            Err(error) => open.backlog.drop_lines(1, &format_args!("a line cannot be written: {error}")),
        }
    }
}

impl Open {
    fn offer(&self, line: Vec<u8>) {
        let length = line.len();
        if self.backlog.waiting.fetch_add(length, Ordering::Relaxed) + length > MOST_WAITING {
            self.backlog.waiting.fetch_sub(length, Ordering::Relaxed);
            self.backlog.drop_lines(1, &"what it is written to is too slow");
            return;
        }
        self.send(Message::Line(line));
    }

    /// The thread ends when the last sender does, and not before.
    fn send(&self, message: Message) {
        let _ = self.messages.send(message);
    }
}

impl Backlog {
    /// Told once; how many there are, the metric tells.
    fn drop_lines(&self, lines: u64, why: &dyn std::fmt::Display) {
        self.dropped.fetch_add(lines, Ordering::Relaxed);
        if !self.told.swap(true, Ordering::Relaxed) {
            tracing::warn!("the access log loses lines: {why}; claviger_access_log_dropped_total counts them");
        }
    }
}

struct Writer {
    sink: Sink,
    at: AccessLogAt,
    backlog: Arc<Backlog>,
    failing: bool,
}

enum Sink {
    Stdout,
    File(File),
}

impl Sink {
    fn open(at: &AccessLogAt) -> io::Result<Self> {
        Ok(match at {
            AccessLogAt::Stdout => Self::Stdout,
            // It tells addresses of people: not for everybody on this machine.
            AccessLogAt::File(path) => Self::File(OpenOptions::new().append(true).create(true).mode(0o640).open(path)?),
        })
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Stdout => {
                let mut out = io::stdout().lock();
                out.write_all(bytes).and_then(|()| out.flush())
            }
            Self::File(file) => file.write_all(bytes),
        }
    }
}

impl Writer {
    fn run(mut self, messages: &Receiver<Message>) {
        let (mut batch, mut lines) = (Vec::new(), 0);
        while let Ok(first) = messages.recv() {
            // What waits is written together, and nothing waits longer than the write before it.
            let mut next = Some(first);
            while let Some(message) = next {
                match message {
                    Message::Line(line) => {
                        self.backlog.waiting.fetch_sub(line.len(), Ordering::Relaxed);
                        batch.extend_from_slice(&line);
                        lines += 1;
                        if batch.len() >= BATCH {
                            self.write(&mut batch, &mut lines);
                        }
                    }
                    Message::Reopen => {
                        self.write(&mut batch, &mut lines);
                        self.reopen();
                    }
                    Message::Flush(done) => {
                        self.write(&mut batch, &mut lines);
                        let _ = done.send(());
                    }
                }
                next = messages.try_recv().ok();
            }
            self.write(&mut batch, &mut lines);
        }
    }

    fn write(&mut self, batch: &mut Vec<u8>, lines: &mut u64) {
        if batch.is_empty() {
            return;
        }
        // A write that failed may have left half a line behind; the next record begins on one of its own.
        let ended = if self.failing { self.sink.write(b"\n") } else { Ok(()) };
        match ended.and_then(|()| self.sink.write(batch)) {
            Ok(()) => self.failing = false,
            Err(error) => {
                self.failing = true;
                self.backlog.drop_lines(*lines, &error);
            }
        }
        batch.clear();
        *lines = 0;
    }

    fn reopen(&mut self) {
        match Sink::open(&self.at) {
            Ok(sink) => {
                self.sink = sink;
                self.failing = false;
                tracing::info!("the access log is opened anew");
            }
            Err(error) => tracing::error!(%error, "the access log cannot be opened anew; going on in the old file"),
        }
    }
}
