//! The only room that writes to the terminal: answers and secrets to stdout, everything else to stderr.

use std::io::{self, IsTerminal as _, Write as _};

use claviger_token::Secret;
use comfy_table::{ContentArrangement, Table, presets};
use tracing_subscriber::{EnvFilter, Layer as _, layer::SubscriberExt as _, util::SubscriberInitExt as _};

use crate::{
    failure::Failure,
    settings::{LogFormat, Settings},
    traces::Traces,
};

/// What was asked for.
pub(crate) fn answer(text: &str) -> Result<(), Failure> {
    to_stdout(text.trim_end_matches('\n'))
}

/// A secret, alone on its line, so that `$(…)` catches it and nothing else.
pub(crate) fn secret(secret: &Secret) -> Result<(), Failure> {
    to_stdout(secret.expose())
}

fn to_stdout(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    let written = writeln!(out, "{text}").and_then(|()| out.flush());
    written.map_err(|error| Failure::because("cannot write to stdout", &error))
}

/// Beside the answer: what happened, and the next step.
#[expect(clippy::print_stderr, reason = "this is the room that may")]
pub(crate) fn note(text: &str) {
    eprintln!("{text}");
}

/// Why it was not done.
pub(crate) fn complain(failure: &Failure) {
    note(&format!("claviger: {failure}"));
}

/// A table that fits the terminal.
pub(crate) fn table<const N: usize>(header: [&str; N], rows: impl IntoIterator<Item = [String; N]>) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    if header.iter().any(|title| !title.is_empty()) {
        table.set_header(header);
    }
    for row in rows {
        table.add_row(row.map(|cell| printable(&cell)));
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 1));
    }
    table.lines().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>().join("\n")
}

/// Other people's text must not act on the terminal.
pub(crate) fn printable(text: &str) -> String {
    text.chars().filter(|character| !character.is_control()).collect()
}

/// Starts the log, on stderr, and the traces beside it. `usual` is what is told if no setting says otherwise.
pub(crate) fn start_log(settings: &Settings, usual: &str, traces: Option<&Traces>) {
    let filter = EnvFilter::new(settings.log.as_deref().unwrap_or(usual));
    let log = tracing_subscriber::fmt::layer().with_writer(io::stderr);
    let log = match settings.log_format {
        LogFormat::Text => log.with_ansi(io::stderr().is_terminal()).boxed(),
        LogFormat::Json => log.json().flatten_event(true).with_current_span(false).boxed(),
    };
    match traces {
        // Without traces one filter stands before everything, and costs least.
        None => tracing_subscriber::registry().with(log).with(filter).init(),
        Some(traces) => {
            tracing_subscriber::registry().with(log.with_filter(filter)).with(traces.layer()).init();
        }
    }
}
