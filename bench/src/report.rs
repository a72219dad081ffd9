//! The table of what was measured, on the screen and in `docs/performance.md`.

use std::{fs, process::Command, time::Duration};

use jiff::Timestamp;

use crate::{Result, compare::Figures};

const FILE: &str = "docs/performance.md";
/// Between these lines the file is written here; all the rest of it is written by people.
const BEGIN: &str = "<!-- figures of `cargo xtask bench`: written by it -->";
const END: &str = "<!-- end of the figures -->";

/// One line of the table.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) what: String,
    pub(crate) goal: String,
    pub(crate) bare: String,
    pub(crate) ours: String,
    pub(crate) ratio: Option<f64>,
    /// Unless there is no goal.
    pub(crate) met: Option<bool>,
}

impl Row {
    /// What has to stay below a bound: `value` of it is ours.
    pub(crate) fn at_most(what: impl Into<String>, goal: impl Into<String>, value: f64, bound: f64) -> Self {
        Self { met: Some(value <= bound), ..Self::for_orientation(what, goal) }
    }

    /// What has to stay above one.
    pub(crate) fn at_least(what: impl Into<String>, goal: impl Into<String>, value: f64, bound: f64) -> Self {
        Self { met: Some(value >= bound), ..Self::for_orientation(what, goal) }
    }

    /// What has no goal, but explains what has.
    pub(crate) fn for_orientation(what: impl Into<String>, goal: impl Into<String>) -> Self {
        let (bare, ours) = (String::new(), String::new());
        Self { what: what.into(), goal: goal.into(), bare, ours, ratio: None, met: None }
    }

    /// With what was measured.
    pub(crate) fn with(self, bare: impl Into<String>, ours: impl Into<String>, ratio: Option<f64>) -> Self {
        Self { bare: bare.into(), ours: ours.into(), ratio, ..self }
    }

    /// What a request costs, as a multiple of what it costs the bare server.
    pub(crate) fn cost(what: &str, bound: f64, bare: &Figures, ours: &Figures) -> Self {
        let ratio = ours.cost.as_secs_f64() / bare.cost.as_secs_f64();
        let row = Self::at_most(what, format!("cost ≤ {bound} × bare"), ratio, bound);
        row.with(micros(bare.cost), micros(ours.cost), Some(ratio))
    }

    /// What a request costs beside a part of it that nobody can do without. The ratio is that of the rest.
    pub(crate) fn cost_beside(
        what: &str,
        (name, part): (&str, Duration),
        bound: f64,
        bare: &Figures,
        ours: &Figures,
    ) -> Self {
        let ratio = (ours.cost.as_secs_f64() - part.as_secs_f64()) / bare.cost.as_secs_f64();
        let row = Self::at_most(what, format!("cost ≤ {name} + {bound} × bare"), ratio, bound);
        row.with(format!("{}, {name} {}", micros(bare.cost), micros(part)), micros(ours.cost), Some(ratio))
    }

    /// How long the slowest hundredth waits at the same load, as a multiple.
    pub(crate) fn p99(what: &str, bound: f64, bare: &Figures, ours: &Figures) -> Self {
        let ratio = ours.p99.as_secs_f64() / bare.p99.as_secs_f64();
        let what = format!("{what}: p99 at {}", per_second(ours.rate));
        Self::at_most(what, format!("≤ {bound} × bare"), ratio, bound).with(
            micros(bare.p99),
            micros(ours.p99),
            Some(ratio),
        )
    }

    /// What a server did at most.
    pub(crate) fn most(what: &str, bare: &Figures, ours: &Figures) -> Self {
        let shown = |figures: &Figures| {
            format!("{}, p50 {}, p99 {}", per_second(figures.rate), micros(figures.p50), micros(figures.p99))
        };
        let row = Self::for_orientation(format!("{what}: as many as it takes"), "");
        row.with(shown(bare), shown(ours), Some(ours.rate / bare.rate))
    }

    /// The same for orientation only.
    pub(crate) fn without_goal(self) -> Self {
        Self { goal: String::new(), met: None, ..self }
    }

    fn cells(&self) -> [String; 6] {
        let met = self.met.map_or("", |met| if met { "yes" } else { "**no**" });
        let ratio = self.ratio.map_or_else(String::new, |ratio| format!("{ratio:.2}"));
        [self.what.clone(), self.goal.clone(), self.bare.clone(), self.ours.clone(), ratio, met.to_owned()]
    }
}

pub(crate) fn micros(duration: Duration) -> String {
    let micros = duration.as_secs_f64() * 1e6;
    if micros < 100.0 { format!("{micros:.1} µs") } else { format!("{micros:.0} µs") }
}

pub(crate) fn per_second(rate: f64) -> String {
    if rate < 10_000.0 { format!("{rate:.0}/s") } else { format!("{:.1} k/s", rate / 1e3) }
}

/// The table, as Markdown that is also good to read as it is.
pub(crate) fn table(rows: &[Row]) -> String {
    let title = ["what", "goal", "bare", "Claviger", "ratio", "met"].map(str::to_owned);
    let lines: Vec<[String; 6]> = std::iter::once(title).chain(rows.iter().map(Row::cells)).collect();
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or_default();
    let widths: [usize; 6] = std::array::from_fn(width);
    let line = |cells: &[String; 6]| {
        let padded = cells.iter().zip(widths).map(|(cell, width)| format!(" {cell:width$} "));
        format!("|{}|\n", padded.collect::<Vec<_>>().join("|"))
    };
    let rule = widths.map(|width| "-".repeat(width));
    let mut table = line(&lines[0]) + &line(&rule);
    table.extend(lines[1..].iter().map(line));
    table
}

/// Puts the table between the two marks of the file, with what is needed to judge it.
pub(crate) fn write(rows: &[Row], minutes: f64) -> Result<()> {
    let file = fs::read_to_string(FILE).map_err(|error| format!("{FILE}: {error}"))?;
    let marked = file.split_once(BEGIN).and_then(|(before, rest)| Some((before, rest.split_once(END)?.1)));
    let (before, after) = marked.ok_or_else(|| format!("{FILE} must hold these two lines:\n{BEGIN}\n{END}"))?;
    let cores = std::thread::available_parallelism()?;
    let figures = format!(
        "Measured on {}, at commit {}, by `cargo xtask bench` in {minutes:.0} minutes, on {cores} cores of {}.\n\n{}",
        today(),
        commit()?,
        processor()?,
        table(rows)
    );
    fs::write(FILE, format!("{before}{BEGIN}\n\n{figures}\n{END}{after}"))?;
    Ok(())
}

fn processor() -> Result<String> {
    let about = fs::read_to_string("/proc/cpuinfo")?;
    let name = about.lines().find(|line| line.starts_with("model name")).and_then(|line| line.split_once(": "));
    Ok(name.map_or("an unnamed processor", |(_, name)| name).to_owned())
}

fn commit() -> Result<String> {
    let output = Command::new("git").args(["describe", "--always", "--dirty", "--exclude=*"]).output()?;
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

#[expect(clippy::disallowed_methods, reason = "the report says when it was made")]
fn today() -> String {
    Timestamp::now().strftime("%F").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beside_a_signature_the_rest_is_what_counts() {
        let figures = |micros| {
            let (cost, zero) = (Duration::from_micros(micros), Duration::ZERO);
            Figures { cost, rate: 1.0, p50: zero, p99: zero, requests: 1 }
        };
        for (cost, ratio, met) in [(31, 1.9, true), (33, 2.1, false)] {
            let signature = ("signature", Duration::from_micros(12));
            let row = Row::cost_beside("token", signature, 2.0, &figures(10), &figures(cost));
            assert_eq!((row.goal.as_str(), row.met), ("cost ≤ signature + 2 × bare", Some(met)));
            assert_eq!(row.bare, "10.0 µs, signature 12.0 µs");
            assert!((row.ratio.unwrap() - ratio).abs() < 1e-9, "{row:?}");
        }
    }

    #[test]
    fn a_table_says_what_is_met() {
        let rows = [
            Row::at_most("start", "≤ 150 ms", 20.0, 150.0).with("", "20 ms", None),
            Row::at_most("verify", "cost ≤ 1.35 × bare", 1.5, 1.35).with("6.0 µs", "9.0 µs", Some(1.5)),
            Row::for_orientation("verify: as many as it takes", ""),
        ];
        let table = table(&rows);
        let lines: Vec<&str> = table.lines().collect();
        assert_eq!(lines.len(), 5);
        assert!(lines[2].trim_end().ends_with("| yes    |"), "{table}");
        assert!(lines[3].contains("| 6.0 µs | 9.0 µs   | 1.50  | **no** |"), "{table}");
        assert!(lines.iter().all(|line| line.chars().count() == lines[0].chars().count()), "{table}");
    }
}
