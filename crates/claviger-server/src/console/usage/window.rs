//! The times that can be looked at, and the steps in which pictures show them.

use claviger_store::Counted;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

use crate::console::page::Frame;

const HOUR_MS: i64 = 3_600_000;

/// What the address of a page with a picture asks for.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Wanted {
    /// How far back it shows.
    #[serde(default)]
    window: String,
}

impl Wanted {
    pub(crate) fn window(&self) -> Window {
        Window::named(&self.window)
    }
}

/// How far back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Window {
    Day,
    Week,
    Month,
}

impl Window {
    const ALL: [Self; 3] = [Self::Day, Self::Week, Self::Month];

    /// The one that an address names; others are the month.
    fn named(text: &str) -> Self {
        Self::ALL.into_iter().find(|window| window.name() == text).unwrap_or(Self::Month)
    }

    fn name(self) -> &'static str {
        match self {
            Self::Day => "24h",
            Self::Week => "7d",
            Self::Month => "30d",
        }
    }

    /// The key of its text.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Day => "window-day",
            Self::Week => "window-week",
            Self::Month => "window-month",
        }
    }

    /// What its steps are sums of.
    pub(crate) fn counted(self) -> Counted {
        match self {
            Self::Day | Self::Week => Counted::CodesByHour,
            Self::Month => Counted::CodesByDay,
        }
    }

    /// The same of tokens.
    pub(crate) fn counted_of_tokens(self) -> Counted {
        match self {
            Self::Day | Self::Week => Counted::GrantsByHour,
            Self::Month => Counted::GrantsByDay,
        }
    }

    /// How many steps it has, and how many hours each.
    fn steps(self) -> (i64, i64) {
        match self {
            Self::Day => (24, 1),
            Self::Week => (28, 6),
            Self::Month => (30, 24),
        }
    }

    /// When each step begins (UTC), the one that it is now last.
    pub(crate) fn starts(self, now: Timestamp) -> Vec<Timestamp> {
        let (steps, hours) = self.steps();
        let length = hours * HOUR_MS;
        let last = now.as_millisecond() - now.as_millisecond().rem_euclid(length);
        let last = Timestamp::from_millisecond(last).unwrap_or(now);
        let before = |step| last.saturating_sub(SignedDuration::from_hours(hours * step)).unwrap_or(last);
        (0..steps).rev().map(before).collect()
    }

    /// How a step's start is written.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Day | Self::Week => "%Y-%m-%d %H:%M",
            Self::Month => "%Y-%m-%d",
        }
    }

    /// Links to all of them: address, words, and whether it is this one.
    pub(crate) fn links(self, path: &str, frame: &Frame) -> Vec<(String, String, bool)> {
        let link =
            |window: Self| (format!("{path}?window={}", window.name()), frame.text(window.words()), window == self);
        Self::ALL.into_iter().map(link).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_ends_with_the_step_that_it_is_now() {
        let now: Timestamp = "2026-06-30T13:20:00Z".parse().unwrap();
        let check = |window: Window, number: usize, first: &str, last: &str| {
            let starts = window.starts(now);
            let edge = |at: Option<&Timestamp>| at.unwrap().strftime(window.label()).to_string();
            assert_eq!((starts.len(), edge(starts.first()), edge(starts.last())), (number, first.into(), last.into()));
        };
        check(Window::Day, 24, "2026-06-29 14:00", "2026-06-30 13:00");
        check(Window::Week, 28, "2026-06-23 18:00", "2026-06-30 12:00");
        check(Window::Month, 30, "2026-06-01", "2026-06-30");
        assert_eq!(Window::named("24h"), Window::Day);
        for odd in ["", "24H", "1000d", "<b>"] {
            assert_eq!(Window::named(odd), Window::Month);
        }
    }
}
