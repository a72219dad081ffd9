//! Thirty days of use as a picture: a bar for each day, by outcome.

use claviger_core::{Credential, Reach, permission};
use claviger_store::{Counted, StoreError, UsageFilter, Used};
use jiff::{SignedDuration, Timestamp};

use super::Place;

const DAYS: usize = 30;
/// Verdict codes there are, at most, on each of these days.
const MOST_ROWS: u32 = 1000;

/// From one bar to the next, and how high the highest is.
const STEP: f64 = 24.0;
const HEIGHT: f64 = 120.0;
/// Between two bars.
const GAP: f64 = 4.0;

/// The picture, and the sums that it comes to.
pub(crate) struct Chart {
    pub(crate) bars: Vec<Bar>,
    pub(crate) valid: i64,
    pub(crate) throttled: i64,
    pub(crate) refused: i64,
    pub(crate) first_day: String,
    pub(crate) last_day: String,
    /// The busiest day's uses.
    pub(crate) most: i64,
}

/// A day.
pub(crate) struct Bar {
    pub(crate) day: String,
    pub(crate) uses: i64,
    pub(crate) x: String,
    pub(crate) width: String,
    pub(crate) parts: Vec<Part>,
}

/// One outcome of a day, as a rectangle.
pub(crate) struct Part {
    pub(crate) class: &'static str,
    pub(crate) x: String,
    pub(crate) y: String,
    pub(crate) width: String,
    pub(crate) height: String,
}

/// How uses of a day ended: they counted, there were too many, or they were refused otherwise.
type Outcomes = [i64; 3];

const CLASSES: [&str; 3] = ["valid", "throttled", "refused"];

impl Chart {
    /// Of one credential, if somebody may see how much it is used. Of a token of one's own that is never a secret.
    pub(crate) async fn read(place: &Place<'_>, one: &Credential) -> Result<Option<Self>, StoreError> {
        if place.here.is_some_and(|here| !here.person.may(permission::USAGE_READ)) {
            return Ok(None);
        }
        let now = place.app.now();
        let filter = UsageFilter {
            credential: Some(one.id),
            organization: Some(one.organization),
            counted: Counted::CodesByDay,
            from: day_before(now, DAYS - 1),
            to: now,
        };
        let reach = Reach::Organization(one.organization);
        let used = place.app.store.within(reach).usage(&filter, MOST_ROWS).await?;
        Ok(Some(Self::of(&used, now)))
    }

    fn of(used: &[Used], now: Timestamp) -> Self {
        let days: Vec<Timestamp> = (0..DAYS).rev().map(|before| day_before(now, before)).collect();
        let mut outcomes = vec![Outcomes::default(); DAYS];
        for one in used {
            let Some(place) = days.iter().position(|day| *day == one.start) else { continue };
            let kind = match one.what.as_str() {
                "valid" => 0,
                "rate_limited" | "quota_exceeded" => 1,
                _ => 2,
            };
            outcomes[place][kind] = outcomes[place][kind].saturating_add(one.uses);
        }
        let total = |kind: usize| outcomes.iter().fold(0_i64, |sum, day| sum.saturating_add(day[kind]));
        let most = outcomes.iter().map(sum).max().unwrap_or_default();
        let bars = days.iter().zip(&outcomes).enumerate().map(|(place, (day, outcomes))| Bar {
            day: written(*day),
            uses: sum(outcomes),
            x: left(place),
            width: format!("{:.1}", STEP - GAP),
            parts: parts(place, outcomes, most),
        });
        Self {
            bars: bars.collect(),
            valid: total(0),
            throttled: total(1),
            refused: total(2),
            first_day: written(days[0]),
            last_day: written(days[DAYS - 1]),
            most,
        }
    }

    #[cfg(test)]
    pub(crate) fn sample(is_used: bool) -> Self {
        let now = Timestamp::from_second(1_800_000_000).unwrap();
        let mut chart = Self::of(&[], now);
        if is_used {
            chart.most = 3;
            chart.bars[0].parts = parts(0, &[1, 1, 1], 3);
        }
        chart
    }

    /// Whether there was no use at all.
    pub(crate) fn is_empty(&self) -> bool {
        self.most == 0
    }
}

/// Where a day's bar begins.
fn left(place: usize) -> String {
    format!("{:.1}", place as f64 * STEP + GAP / 2.0)
}

fn sum(outcomes: &Outcomes) -> i64 {
    outcomes.iter().fold(0, |sum, uses| sum.saturating_add(*uses))
}

/// The rectangles of a day, from the ground up. What happened at all is seen.
fn parts(place: usize, outcomes: &Outcomes, most: i64) -> Vec<Part> {
    let mut top = HEIGHT;
    let mut parts = Vec::new();
    for (class, uses) in CLASSES.into_iter().zip(outcomes) {
        if *uses <= 0 {
            continue;
        }
        let height = (*uses as f64 / most.max(1) as f64 * (HEIGHT - 6.0)).max(2.0);
        top -= height;
        parts.push(Part {
            class,
            x: left(place),
            y: format!("{top:.1}"),
            width: format!("{:.1}", STEP - GAP),
            height: format!("{height:.1}"),
        });
    }
    parts
}

/// When the day (UTC) began that was so many days before now.
fn day_before(now: Timestamp, days: usize) -> Timestamp {
    const DAY_MS: i64 = 86_400_000;
    let today = now.as_millisecond().div_euclid(DAY_MS) * DAY_MS;
    let today = Timestamp::from_millisecond(today).unwrap_or(now);
    let before = SignedDuration::from_hours(24 * i64::try_from(days).unwrap_or_default());
    today.saturating_sub(before).unwrap_or(today)
}

fn written(day: Timestamp) -> String {
    day.strftime("%Y-%m-%d").to_string()
}

#[cfg(test)]
mod tests {
    use claviger_token::{ApiKeyId, TypedId as _};
    use rand::{SeedableRng as _, rngs::StdRng};

    use super::*;

    #[test]
    fn each_use_stands_on_its_day_by_its_outcome() {
        let now: Timestamp = "2026-06-30T13:00:00Z".parse().unwrap();
        let id = ApiKeyId::generate(now, &mut StdRng::seed_from_u64(1));
        let used = |day: &str, code: &str, uses| Used {
            credential: id.into(),
            start: format!("{day}T00:00:00Z").parse().unwrap(),
            what: code.to_owned(),
            uses,
        };
        let chart = Chart::of(
            &[
                used("2026-06-01", "valid", 10),
                used("2026-06-30", "valid", 3),
                used("2026-06-30", "rate_limited", 2),
                used("2026-06-30", "network_not_allowed", 1),
                used("2026-05-31", "valid", 99),
                used("2026-06-29", "valid", i64::MAX),
                used("2026-06-29", "expired", i64::MAX),
            ],
            now,
        );
        assert_eq!(
            (chart.bars.len(), chart.first_day.as_str(), chart.last_day.as_str()),
            (30, "2026-06-01", "2026-06-30")
        );
        let last = &chart.bars[29];
        assert_eq!((last.uses, last.parts.iter().map(|part| part.class).collect::<Vec<_>>()), (6, CLASSES.to_vec()));
        assert_eq!((chart.bars[0].uses, chart.throttled, chart.valid), (10, 2, i64::MAX));
        assert!(!chart.is_empty() && Chart::of(&[], now).is_empty());
        assert!(chart.bars.iter().flat_map(|bar| &bar.parts).all(|part| part.height.parse::<f64>().unwrap() >= 2.0));
    }
}
