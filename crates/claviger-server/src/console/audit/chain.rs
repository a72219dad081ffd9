//! Whether the trail is what was written: how far its chain is proved, and a stretch of it proved by each press of a button.

use askama::Template;
use axum::{extract::State, response::Response};
use claviger_core::Chain;
use claviger_store::{AuditFinding, ChainState};
use jiff::Timestamp;

use super::reader::{Reader, ReaderForm};
use crate::{
    app::App,
    console::{
        moment::Moment,
        page::{Frame, page},
        trouble::Trouble,
    },
    metrics::Guarded,
    session::hex,
};

/// How many events one press proves: what a request may take.
const STRETCH: i64 = 50_000;

/// What is wrong with an event, and the key of its text.
const FINDINGS: [(&str, &str); 6] = [
    ("an event is missing", "audit-finding-missing"),
    ("the event, or one before it, was changed", "audit-finding-changed"),
    ("the record is not JSON", "audit-finding-changed"),
    ("a column beside the record was changed", "audit-finding-column"),
    ("the chain ends before its head", "audit-finding-short"),
    ("no head covers the event", "audit-finding-uncovered"),
];

/// How far a chain is proved.
pub(crate) struct Status {
    /// In words.
    pub(crate) text: String,
    pub(crate) when: Option<Moment>,
    /// Whether all of it is.
    pub(crate) is_whole: bool,
}

#[derive(Template)]
#[template(path = "audit_chain.html")]
pub(crate) struct ChainPage {
    pub(crate) frame: Frame,
    pub(crate) list: String,
    /// Whose chain it is.
    pub(crate) whose: String,
    pub(crate) status: Option<Status>,
    /// The last event's number and hash, to keep elsewhere.
    pub(crate) head: Option<(i64, String)>,
    /// The last event that is proved, from which one goes on.
    pub(crate) proved: i64,
    /// What came of the press.
    pub(crate) outcome: Outcome,
}

/// What came of proving a stretch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Nothing was asked for.
    None,
    /// There is more to prove.
    Goes,
    /// All of it is what was written.
    Whole,
    /// What came after the last proof is.
    Rest,
    /// At which event it is not, and why.
    Broken(i64, String),
}

impl ChainPage {
    /// The number of the last event.
    pub(crate) fn last(&self) -> i64 {
        self.head.as_ref().map_or(0, |(seq, _)| *seq)
    }
}

impl Status {
    pub(super) fn of(state: &ChainState, frame: &Frame, now: Timestamp) -> Self {
        let all = state.head.seq;
        let (text, when) = match state.proved {
            None => (frame.text_with("audit-proved-never", "count", all.to_string()), None),
            Some((seq, at)) => (frame.text_with("audit-proved", "count", format!("{seq} / {all}")), Some(at)),
        };
        let is_whole = state.proved.is_some_and(|(seq, _)| seq == all);
        Self { text, when: when.map(|at| Moment::new(frame.language(), at, now)), is_whole }
    }
}

/// `GET …/audit/chain`.
pub(crate) async fn show(State(app): State<App>, reader: Reader) -> Result<Response, Trouble> {
    with(&reader, &app, Outcome::None, None).await
}

/// `POST …/audit/chain` with `from`: 0, or the event that is proved.
pub(crate) async fn prove(State(app): State<App>, form: ReaderForm) -> Result<Response, Trouble> {
    let ReaderForm { reader, fields } = form;
    let from = fields.value("from").parse::<i64>().map_err(|_| Trouble::Form)?.max(0);
    app.throttle.proves(reader.session.user(), app.now()).map_err(|wait| app.throttled(Guarded::Audit, wait))?;
    let run = app.store.prove_chain(reader.chain(), from, STRETCH, app.now()).await?;
    let Some(run) = run else { return with(&reader, &app, Outcome::None, None).await };
    let outcome = match run.finding {
        Some(AuditFinding { seq, what, .. }) => {
            tracing::error!(chain = %reader.chain(), seq, what, "the audit trail does not prove");
            let words =
                FINDINGS.iter().find(|(known, _)| *known == what).map_or("audit-finding-changed", |(_, key)| *key);
            Outcome::Broken(seq, reader.frame(&app).await?.text(words))
        }
        None if run.until < run.head.seq => Outcome::Goes,
        None if from == 0 => Outcome::Whole,
        None => Outcome::Rest,
    };
    with(&reader, &app, outcome, Some(run.until)).await
}

async fn with(reader: &Reader, app: &App, outcome: Outcome, until: Option<i64>) -> Result<Response, Trouble> {
    let (frame, now) = (reader.frame(app).await?, app.now());
    let state = app.store.chain_state(reader.chain()).await?;
    let proved = state.as_ref().and_then(|state| state.proved).map_or(0, |(seq, _)| seq);
    let shown = ChainPage {
        list: reader.path(),
        whose: match reader.chain() {
            Chain::Instance => frame.text("audit-instance"),
            Chain::Organization(_) => {
                reader.here.as_ref().map(|here| here.organization.name.to_string()).unwrap_or_default()
            }
        },
        status: state.as_ref().map(|state| Status::of(state, &frame, now)),
        head: state.map(|state| (state.head.seq, hex(&state.head.hash))),
        proved: until.unwrap_or(proved),
        outcome,
        frame,
    };
    Ok(page(&shown, []))
}
