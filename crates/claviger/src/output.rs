//! The only room that writes to the terminal: answers and secrets to stdout, everything else to stderr.

use std::{
    io::{self, IsTerminal as _, Write as _},
    pin::pin,
    time::Duration,
};

use claviger_token::Secret;
use comfy_table::{ColumnConstraint, ContentArrangement, Table, presets};
use tokio::time::timeout;
use tracing_subscriber::{EnvFilter, Layer as _, layer::SubscriberExt as _, util::SubscriberInitExt as _};

use crate::{
    failure::Failure,
    settings::{LogFormat, Settings},
    traces::Traces,
};

/// What was asked for.
pub(crate) fn answer(text: &str) -> Result<(), Failure> {
    bytes(format!("{}\n", text.trim_end_matches('\n')).as_bytes())
}

/// The same, as it is.
pub(crate) fn bytes(content: &[u8]) -> Result<(), Failure> {
    match to_stdout(&[content]) {
        // Who reads has seen enough: `claviger api-key list | head`.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written.map_err(unwritten),
    }
}

/// A secret, alone on its line, so that `$(…)` catches it and nothing else.
pub(crate) fn secret(secret: &Secret) -> Result<(), Failure> {
    to_stdout(&[secret.expose().as_bytes(), b"\n"]).map_err(unwritten)
}

fn to_stdout(parts: &[&[u8]]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    parts.iter().try_for_each(|part| out.write_all(part)).and_then(|()| out.flush())
}

fn unwritten(error: io::Error) -> Failure {
    Failure::because("cannot write to stdout", &error)
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

/// The service's own bytes. On a terminal, what would act on it is escaped, as JSON allows.
pub(crate) fn json(text: &str) -> Result<(), Failure> {
    if !is_terminal() {
        return answer(text);
    }
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        // Other white space between members is JSON's own.
        if acts(character) && !character.is_ascii_whitespace() {
            escaped.push_str(&format!("\\u{:04x}", u32::from(character)));
        } else {
            escaped.push(character);
        }
    }
    answer(&escaped)
}

/// A table that fits the terminal; where its columns do not, each row is a small table of its own.
pub(crate) fn table<R: IntoIterator<Item = String>>(titles: &[&str], rows: impl IntoIterator<Item = R>) -> String {
    let rows: Vec<Vec<String>> =
        rows.into_iter().map(|row| row.into_iter().map(|cell| printable(&cell)).collect()).collect();
    let mut table = bare();
    table.set_header(titles);
    table.add_rows(rows.clone());
    if table.width().is_some_and(|width| needed(titles, &rows) > usize::from(width)) {
        let blocks = rows.into_iter().map(|row| details(titles.iter().map(|title| (*title).to_owned()).zip(row)));
        return blocks.collect::<Vec<_>>().join("\n\n");
    }
    if let Some(id) = table.column_mut(0) {
        // What is copied to the next command stays in one piece.
        id.set_constraint(ColumnConstraint::ContentWidth);
    }
    text(table)
}

/// What one thing is: names and values.
pub(crate) fn details(members: impl IntoIterator<Item = (String, String)>) -> String {
    let mut table = bare();
    table.add_rows(members.into_iter().map(|(name, value)| [printable(&name), printable(&value)]));
    if let Some(name) = table.column_mut(0) {
        name.set_constraint(ColumnConstraint::ContentWidth);
    }
    text(table)
}

/// How a part of a bar is drawn: by its shape, and on a terminal that may show them by its colour too.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Ink {
    Good,
    Warning,
    Bad,
}

impl Ink {
    fn block(self) -> char {
        match self {
            Self::Good => '█',
            Self::Warning => '▒',
            Self::Bad => '░',
        }
    }

    fn colour(self) -> &'static str {
        match self {
            Self::Good => "32",
            Self::Warning => "33",
            Self::Bad => "31",
        }
    }

    /// So many blocks.
    pub(crate) fn drawn(self, blocks: usize, coloured: bool) -> String {
        let blocks = self.block().to_string().repeat(blocks);
        if coloured && !blocks.is_empty() { format!("\x1b[{}m{blocks}\x1b[0m", self.colour()) } else { blocks }
    }
}

/// Whether colours are shown: to somebody who looks, at a terminal that has them, and who did not say no (no-color.org).
pub(crate) fn coloured() -> bool {
    let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    is_terminal() && !is_set("NO_COLOR") && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

/// A chart of bars in parts, the longest as wide as the terminal lets it be.
pub(crate) fn bars(values: &[(String, Vec<(Ink, u64)>)], coloured: bool) -> String {
    const WIDEST: usize = 60;
    let sum = |parts: &[(Ink, u64)]| parts.iter().fold(0_u64, |sum, (_, value)| sum.saturating_add(*value));
    let most = values.iter().map(|(_, parts)| sum(parts)).max().unwrap_or_default();
    let label = values.iter().map(|(label, _)| label.chars().count()).max().unwrap_or_default();
    let number = most.to_string().len();
    let room = bare().width().map_or(WIDEST, |width| usize::from(width).saturating_sub(label + number + 2));
    let room = room.clamp(1, WIDEST);
    let line = |(name, parts): &(String, Vec<(Ink, u64)>)| {
        // Whatever there is can be seen, in as many blocks as all of it takes.
        let mut left =
            blocks(sum(parts), most, room).max(parts.iter().filter(|(_, value)| *value > 0).count()).min(room);
        let mut drawn = String::new();
        for (place, (ink, value)) in parts.iter().enumerate().filter(|(_, (_, value))| *value > 0) {
            let after = parts.iter().skip(place + 1).filter(|(_, value)| *value > 0).count();
            let wanted = if after == 0 { left } else { blocks(*value, most, room) };
            let taken = wanted.min(left.saturating_sub(after));
            left -= taken;
            drawn.push_str(&ink.drawn(taken, coloured));
        }
        format!("{:label$} {:>number$} {drawn}", printable(name), sum(parts)).trim_end().to_owned()
    };
    values.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// A value's share of the room, rounded up.
fn blocks(value: u64, most: u64, room: usize) -> usize {
    let length = (u128::from(value) * room as u128).div_ceil(u128::from(most.max(1)));
    usize::try_from(length).unwrap_or(room)
}

/// Whether somebody looks at the answers.
pub(crate) fn is_terminal() -> bool {
    io::stdout().is_terminal()
}

/// Whether somebody can be asked: they read what is noted here, and type.
pub(crate) fn can_ask() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Whether somebody says yes. Whatever else they say is no.
#[expect(clippy::print_stderr, reason = "this is the room that may")]
pub(crate) fn agreed(question: &str) -> Result<bool, Failure> {
    eprint!("{} [y/N] ", printable(question));
    let mut answer = String::new();
    io::stdin().read_line(&mut answer).map_err(|error| Failure::because("cannot read the answer", &error))?;
    Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}

/// An answer instead of the one before, on a terminal.
pub(crate) fn redraw(text: &str) -> Result<(), Failure> {
    answer(&format!("\x1b[H\x1b[2J{text}"))
}

fn bare() -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    if let Some(width) = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok()) {
        table.set_width(width);
    }
    table
}

fn text(mut table: Table) -> String {
    for column in table.column_iter_mut() {
        column.set_padding((0, 1));
    }
    table.lines().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>().join("\n")
}

/// The width below which a table of these columns is no pleasure: the first in one piece, and a word for each other.
fn needed(titles: &[&str], rows: &[Vec<String>]) -> usize {
    const WORD: usize = 12;
    let widths = (0..titles.len()).map(|column| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
        let widest = cells.chain([titles[column].len()]).max().unwrap_or_default();
        1 + if column == 0 { widest } else { widest.min(WORD) }
    });
    widths.sum()
}

/// Other people's text must not act on the terminal.
pub(crate) fn printable(text: &str) -> String {
    text.chars().filter(|character| !acts(*character)).collect()
}

/// Control characters move the cursor and more; those for the direction of writing show a text as another.
fn acts(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// How far something is that takes a while, on a terminal; gone when dropped.
pub(crate) struct Progress(bool);

impl Progress {
    /// None for who wants JSON: that is a program, whatever it runs in.
    pub(crate) fn unless(json: bool) -> Self {
        Self(!json && io::stderr().is_terminal())
    }

    /// Tells of what says nothing itself how long it takes already.
    pub(crate) async fn beside<T>(self, what: &str, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        for seconds in 0_u64.. {
            // Before anything is waited for: what is done at once is told of, too.
            self.tell(&format!("{what} … {seconds}s"));
            if let Ok(done) = timeout(Duration::from_secs(1), &mut work).await {
                return done;
            }
        }
        work.await
    }

    #[expect(clippy::print_stderr, reason = "this is the room that may")]
    pub(crate) fn tell(&self, text: &str) {
        if self.0 {
            eprint!("\r\x1b[K{}", printable(text));
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.tell("");
    }
}

/// Starts the log, on stderr, and the traces beside it. `usual` is what is told if no setting says otherwise.
pub(crate) fn start_log(settings: &Settings, usual: &str, traces: Option<&Traces>) {
    start_log_as(settings.log_format, settings.log.as_deref().unwrap_or(usual), traces);
}

/// The same for whoever has no settings.
pub(crate) fn start_log_as(format: LogFormat, filter: &str, traces: Option<&Traces>) {
    let filter = EnvFilter::new(filter);
    let log = tracing_subscriber::fmt::layer().with_writer(io::stderr);
    let log = match format {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_as_long_as_its_share_and_never_nothing_for_something() {
        let values = [("a", 0), ("bb", 1), ("c", 300), ("d", 600)];
        let values = values.map(|(label, value)| (label.to_owned(), vec![(Ink::Good, value)]));
        let chart = bars(&values, false);
        let lengths: Vec<usize> = chart.lines().map(|line| line.matches('█').count()).collect();
        assert!(lengths[0] == 0 && lengths[1] == 1 && lengths[2] * 2 == lengths[3] && lengths[3] >= 2, "{chart}");
        assert!(chart.starts_with("a    0\nbb   1 █\nc  300 █"), "{chart}");
        assert_eq!(bars(&[], false), "");
    }

    #[test]
    fn each_part_of_a_bar_is_seen_and_the_bar_is_no_longer_for_it() {
        let of = |good, warning, bad| vec![(Ink::Good, good), (Ink::Warning, warning), (Ink::Bad, bad)];
        let values = [
            ("a", of(1000, 0, 0)),
            ("b", of(500, 250, 250)),
            ("c", of(998, 1, 1)),
            ("d", of(0, 0, 1)),
            ("e", of(1, 1, 1)),
        ];
        let chart = bars(&values.map(|(label, parts)| (label.to_owned(), parts)), false);
        let count = |line: usize| ['█', '▒', '░'].map(|block| chart.lines().nth(line).unwrap().matches(block).count());
        let [whole, mixed, mostly, one, three] = [0, 1, 2, 3, 4].map(count);
        assert_eq!(whole.iter().sum::<usize>(), mixed.iter().sum::<usize>(), "{chart}");
        assert!(mixed[1] * 2 <= mixed[0] + 1 && mixed[1] > 0 && mixed[2] > 0, "{chart}");
        assert_eq!((mostly.iter().sum::<usize>(), mostly[1], mostly[2]), (whole[0], 1, 1), "{chart}");
        assert_eq!((one, three), ([0, 0, 1], [1, 1, 1]), "{chart}");
        assert!(!chart.contains('\x1b'));
        assert_eq!(Ink::Bad.drawn(2, true), "\x1b[31m░░\x1b[0m");
        assert_eq!(Ink::Bad.drawn(0, true), "");
    }

    #[test]
    fn what_acts_on_a_terminal_is_taken_out() {
        let check = |text: &str, expected: &str| assert_eq!(printable(text), expected, "{text:?}");
        check("plain é 漢", "plain é 漢");
        check("\x1b[31mred\x1b[0m", "[31mred[0m");
        check("a\u{9b}2Jb\x07\r\n\tc", "a2Jbc");
        check("gnp.\u{202e}exe\u{2066}", "gnp.exe");
    }
}
