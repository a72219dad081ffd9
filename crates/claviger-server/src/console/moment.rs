//! Times as people read them: how long ago, and exactly when on a closer look.

use askama::{Template, filters::HtmlSafe};
use jiff::Timestamp;

use super::{language::Language, page::shown};

/// A time on a page, seen from now.
#[derive(Template)]
#[template(source = r#"<time datetime="{{ iso }}" title="{{ exact }}">{{ relative }}</time>"#, ext = "html")]
pub(super) struct Moment {
    iso: String,
    exact: String,
    relative: String,
}

/// What it writes is escaped already.
impl HtmlSafe for Moment {}

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// Below how many seconds, as it rounds, a unit is spoken of, how long one is, and its texts before and after now.
const UNITS: [(i64, i64, &str, &str); 5] = [
    (HOUR, MINUTE, "time-minutes-ago", "time-minutes-ahead"),
    (DAY, HOUR, "time-hours-ago", "time-hours-ahead"),
    (120 * DAY, DAY, "time-days-ago", "time-days-ahead"),
    (720 * DAY, 30 * DAY, "time-months-ago", "time-months-ahead"),
    (i64::MAX, 365 * DAY, "time-years-ago", "time-years-ahead"),
];

impl Moment {
    pub(super) fn new(language: Language, time: Timestamp, now: Timestamp) -> Self {
        let iso = time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        Self { iso, exact: shown(time), relative: relative(language, time, now) }
    }
}

fn relative(language: Language, time: Timestamp, now: Timestamp) -> String {
    let seconds = time.as_second().saturating_sub(now.as_second());
    let distance = seconds.saturating_abs();
    if distance < MINUTE {
        return language.text("time-now");
    }
    let rounded = |length: i64| distance.saturating_add(length / 2) / length;
    let fits = |(below, length, ..): &&(i64, i64, _, _)| rounded(*length).saturating_mul(*length) < *below;
    let (_, length, ago, ahead) = *UNITS.iter().find(fits).unwrap_or(&UNITS[UNITS.len() - 1]);
    let count = usize::try_from(rounded(length)).unwrap_or(usize::MAX);
    language.text_counting(if seconds < 0 { ago } else { ahead }, count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_told_in_the_unit_that_fits() {
        let now = Timestamp::from_second(1_800_000_000).unwrap();
        let check = |seconds: i64, expected: &str| {
            let time = Timestamp::from_second(now.as_second() + seconds).unwrap();
            assert_eq!(relative(Language::English, time, now), expected, "{seconds}");
        };
        check(0, "just now");
        check(-59, "just now");
        check(59, "just now");
        check(-60, "1 minute ago");
        check(-89, "1 minute ago");
        check(-90, "2 minutes ago");
        check(-HOUR + 31, "59 minutes ago");
        check(-HOUR + 30, "1 hour ago");
        check(HOUR, "in 1 hour");
        check(-DAY, "1 day ago");
        check(2 * DAY - 60, "in 2 days");
        check(90 * DAY - 1, "in 90 days");
        check(119 * DAY, "in 119 days");
        check(-120 * DAY, "4 months ago");
        check(365 * DAY, "in 12 months");
        check(704 * DAY, "in 23 months");
        check(-730 * DAY, "2 years ago");
        let far = Timestamp::MAX;
        assert!(relative(Language::Japanese, far, Timestamp::MIN).contains('年'));
    }

    #[test]
    fn a_time_tells_exactly_when_on_a_closer_look() {
        let now = Timestamp::from_second(1_800_000_000).unwrap();
        let html = Moment::new(Language::English, now, now).to_string();
        assert_eq!(html, "<time datetime=\"2027-01-15T08:00:00Z\" title=\"2027-01-15 08:00 UTC\">just now</time>");
    }
}
