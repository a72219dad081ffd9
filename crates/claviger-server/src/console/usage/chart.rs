//! Counts over time as a picture: a bar for each step, of use by its outcome, and the same as a table.

use claviger_core::{Credential, Reach, permission};
use claviger_store::{Counted, StoreError, UsageFilter};
use jiff::Timestamp;

use super::window::Window;
use crate::console::credential::Place;

/// Verdict codes there are, at most, on each day of the window.
const MOST_ROWS: u32 = 1000;

/// How wide the picture is, and how high the highest bar.
const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 120.0;
/// Between two bars.
const GAP: f64 = 4.0;

/// What a picture tells apart, from the ground up, and which of these something counts as.
pub(crate) struct Drawn {
    series: &'static [Series],
    which: fn(&str) -> usize,
}

/// One of these: its color, and the keys of its sum and of its column in the table.
pub(crate) struct Series {
    pub(crate) class: &'static str,
    pub(crate) sum: &'static str,
    pub(crate) column: &'static str,
}

/// Uses of credentials: they counted, there were too many, or they were refused otherwise.
pub(crate) const USES: Drawn = Drawn {
    series: &[
        Series { class: "valid", sum: "usage-valid", column: "chart-accepted" },
        Series { class: "throttled", sum: "usage-throttled", column: "chart-throttled" },
        Series { class: "refused", sum: "usage-refused", column: "chart-refused" },
    ],
    which: |code| match code {
        "valid" => 0,
        "rate_limited" | "quota_exceeded" => 1,
        _ => 2,
    },
};

/// Access tokens, by whatever grant.
pub(crate) const TOKENS: Drawn =
    Drawn { series: &[Series { class: "valid", sum: "issued-sum", column: "issued-column" }], which: |_| 0 };

/// The picture, and the sums that it comes to.
pub(crate) struct Chart {
    /// The key of what it is a picture of.
    pub(crate) title: &'static str,
    pub(crate) bars: Vec<Bar>,
    pub(crate) series: Vec<(&'static Series, i64)>,
    pub(crate) first: String,
    pub(crate) last: String,
    /// The busiest step's uses.
    pub(crate) most: i64,
}

/// A step.
pub(crate) struct Bar {
    pub(crate) start: String,
    pub(crate) uses: i64,
    /// The same of each series.
    pub(crate) counts: Vec<i64>,
    pub(crate) x: String,
    pub(crate) width: String,
    pub(crate) parts: Vec<Part>,
}

/// One series of a step, as a rectangle.
pub(crate) struct Part {
    pub(crate) class: &'static str,
    pub(crate) x: String,
    pub(crate) y: String,
    pub(crate) width: String,
    pub(crate) height: String,
}

impl Chart {
    /// Of one credential, if somebody may see how much it is used. Of a token of one's own that is never a secret.
    pub(crate) async fn read(place: &Place<'_>, one: &Credential) -> Result<Option<Self>, StoreError> {
        if place.here.is_some_and(|here| !here.person.may(permission::USAGE_READ)) {
            return Ok(None);
        }
        let now = place.app.now();
        let starts = Window::Month.starts(now);
        let filter = UsageFilter {
            credential: Some(one.id),
            principal: None,
            organization: Some(one.organization),
            what: None,
            counted: Counted::CodesByDay,
            from: starts.first().copied().unwrap_or(now),
            to: now,
        };
        let reach = Reach::Organization(one.organization);
        let used = place.app.store.within(reach).usage(&filter, MOST_ROWS).await?.unwrap_or_default();
        let uses = used.iter().map(|one| (one.start, one.what.as_str(), one.uses));
        Ok(Some(Self::of(uses, USES, "usage-title", &starts, Window::Month.label())))
    }

    /// Of counts by when they were and what they are, in steps that begin at `starts`, which are written as `label` says.
    pub(crate) fn of<'a>(
        counted: impl Iterator<Item = (Timestamp, &'a str, i64)>,
        drawn: Drawn,
        title: &'static str,
        starts: &[Timestamp],
        label: &str,
    ) -> Self {
        let mut steps = vec![vec![0_i64; drawn.series.len()]; starts.len()];
        for (at, what, number) in counted {
            let Some(place) = starts.partition_point(|start| *start <= at).checked_sub(1) else { continue };
            let count = &mut steps[place][(drawn.which)(what)];
            *count = count.saturating_add(number);
        }
        let total = |which: usize| steps.iter().fold(0_i64, |sum, step| sum.saturating_add(step[which]));
        let most = steps.iter().map(|step| sum(step)).max().unwrap_or_default();
        let step = WIDTH / starts.len().max(1) as f64;
        let written = |at: Option<&Timestamp>| at.map(|at| at.strftime(label).to_string()).unwrap_or_default();
        let bars = starts.iter().zip(&steps).enumerate().map(|(place, (start, counts))| Bar {
            start: written(Some(start)),
            uses: sum(counts),
            counts: counts.clone(),
            x: left(place, step),
            width: format!("{:.1}", step - GAP),
            parts: parts(place, step, drawn.series, counts, most),
        });
        Self {
            title,
            bars: bars.collect(),
            series: drawn.series.iter().enumerate().map(|(which, one)| (one, total(which))).collect(),
            first: written(starts.first()),
            last: written(starts.last()),
            most,
        }
    }

    #[cfg(test)]
    pub(crate) fn sample(is_used: bool) -> Self {
        let now = Timestamp::from_second(1_800_000_000).unwrap();
        let uses = [(now, "valid", 2), (now, "rate_limited", 1), (now, "expired", 1)];
        let uses = uses.into_iter().filter(|_| is_used);
        Self::of(uses, USES, "usage-title", &Window::Month.starts(now), Window::Month.label())
    }

    /// Whether there was no use at all.
    pub(crate) fn is_empty(&self) -> bool {
        self.most == 0
    }
}

/// Where a step's bar begins.
fn left(place: usize, step: f64) -> String {
    format!("{:.1}", place as f64 * step + GAP / 2.0)
}

fn sum(counts: &[i64]) -> i64 {
    counts.iter().fold(0, |sum, uses| sum.saturating_add(*uses))
}

/// The rectangles of a step, from the ground up. What happened at all is seen.
fn parts(place: usize, step: f64, series: &[Series], counts: &[i64], most: i64) -> Vec<Part> {
    let mut top = HEIGHT;
    let mut parts = Vec::new();
    for (one, uses) in series.iter().zip(counts) {
        if *uses <= 0 {
            continue;
        }
        let height = (*uses as f64 / most.max(1) as f64 * (HEIGHT - 6.0)).max(2.0);
        top -= height;
        parts.push(Part {
            class: one.class,
            x: left(place, step),
            y: format!("{top:.1}"),
            width: format!("{:.1}", step - GAP),
            height: format!("{height:.1}"),
        });
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_use_stands_on_its_step_by_its_outcome() {
        let now: Timestamp = "2026-06-30T13:00:00Z".parse().unwrap();
        let used = |at: &str, code: &'static str, uses| (at.parse::<Timestamp>().unwrap(), code, uses);
        let uses = [
            used("2026-06-01T00:00:00Z", "valid", 10),
            used("2026-06-30T00:00:00Z", "valid", 3),
            used("2026-06-30T00:00:00Z", "rate_limited", 2),
            used("2026-06-30T00:00:00Z", "network_not_allowed", 1),
            used("2026-05-31T00:00:00Z", "valid", 99),
            used("2026-06-29T00:00:00Z", "valid", i64::MAX),
            used("2026-06-29T00:00:00Z", "expired", i64::MAX),
        ];
        let of = |uses: &[(Timestamp, &'static str, i64)], window: Window| {
            Chart::of(uses.iter().copied(), USES, window.words(), &window.starts(now), window.label())
        };
        let chart = of(&uses, Window::Month);
        assert_eq!((chart.bars.len(), chart.first.as_str(), chart.last.as_str()), (30, "2026-06-01", "2026-06-30"));
        let last = &chart.bars[29];
        assert_eq!(
            (last.uses, last.parts.iter().map(|part| part.class).collect::<Vec<_>>()),
            (6, vec!["valid", "throttled", "refused"])
        );
        assert_eq!((chart.bars[0].uses, chart.series[1].1, chart.series[0].1), (10, 2, i64::MAX));
        assert!(!chart.is_empty() && of(&[], Window::Month).is_empty());
        assert!(chart.bars.iter().flat_map(|bar| &bar.parts).all(|part| part.height.parse::<f64>().unwrap() >= 2.0));
        let tokens =
            Chart::of(uses.iter().copied(), TOKENS, "issued", &Window::Month.starts(now), Window::Month.label());
        assert_eq!(
            (tokens.series.len(), tokens.bars[29].counts.as_slice(), tokens.bars[29].parts.len()),
            (1, &[6][..], 1)
        );
        // Hours stand in the step that they lie in.
        let hours = [
            used("2026-06-30T12:00:00Z", "valid", 1),
            used("2026-06-30T13:00:00Z", "valid", 2),
            used("2026-06-30T11:00:00Z", "valid", 4),
        ];
        let week = of(&hours, Window::Week);
        assert_eq!((week.bars[27].uses, week.bars[26].uses, week.bars.len()), (3, 4, 28));
        let day = of(&hours, Window::Day);
        assert_eq!((day.bars[23].uses, day.bars[22].uses, day.bars[21].uses), (2, 1, 4));
    }
}
