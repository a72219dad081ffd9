//! What somebody types of a credential: read as it is, made into what the rules judge, and shown again with what is wrong.

use claviger_core::{Credential, CredentialChanges, NewQuota, NewRateLimit};
use claviger_token::{Environment, QuotaPeriod};
use jiff::{SignedDuration, Timestamp, civil::Date, tz::TimeZone};

pub(crate) use super::wrong::Wrong;

use super::picker::Picker;
use crate::console::{
    form::Fields,
    page::{Frame, shown},
};

/// The lives that a form offers, in days.
const LIVES: [u32; 5] = [7, 30, 90, 180, 365];

/// The windows of a rate that a form offers, in seconds, and the keys of their texts.
pub(crate) const WINDOWS: [(u64, &str); 4] =
    [(1, "per-second"), (60, "per-minute"), (3600, "per-hour"), (86_400, "per-day")];

/// The name of the one rate that a form sets.
const RATE: &str = "default";

/// What was typed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Typed {
    pub(crate) name: String,
    pub(crate) permissions: Vec<String>,
    pub(crate) objects: String,
    pub(crate) networks: String,
    pub(crate) environment: String,
    /// Days, or `date`, `never` or `keep`.
    pub(crate) life: String,
    /// The last day, if it is `date`.
    pub(crate) until: String,
    pub(crate) rate: String,
    pub(crate) window: String,
    pub(crate) quota: String,
    pub(crate) period: String,
    /// Whether permissions could be chosen at all: what is not shown is not changed.
    pub(crate) picks: bool,
}

/// A form of a credential, as a template shows it.
pub(crate) struct CredentialForm {
    pub(crate) typed: Typed,
    pub(crate) wrong: Wrong,
    pub(crate) picker: Picker,
    pub(crate) lives: Vec<Life>,
    /// Whether it is a new one, of which live or test is asked.
    pub(crate) asks_environment: bool,
    /// Whether it has limits that this form cannot show, and leaves as they are.
    pub(crate) keeps_limits: bool,
    /// Whether it stands for all of a client, so that only its name and its end can be chosen.
    pub(crate) of_client: bool,
}

/// A choice of an end.
pub(crate) struct Life {
    pub(crate) value: String,
    pub(crate) label: String,
}

impl Typed {
    pub(crate) fn of(fields: &Fields) -> Self {
        let value = |name| fields.value(name).to_owned();
        Self {
            name: value("name"),
            permissions: fields.values("permission").into_iter().map(str::to_owned).collect(),
            objects: value("objects"),
            networks: value("networks"),
            environment: value("environment"),
            life: value("life"),
            until: value("until"),
            rate: value("rate"),
            window: value("window"),
            quota: value("quota"),
            period: value("period"),
            picks: !fields.value("picker").is_empty(),
        }
    }

    /// As a credential stands.
    pub(crate) fn of_credential(one: &Credential) -> Self {
        let lines = |entries: Vec<String>| entries.join("\n");
        let rate = one.limits.rates.first();
        let quota = one.limits.quota;
        Self {
            name: one.name.to_string(),
            permissions: one.permissions.entries(),
            objects: one.objects.iter().map(|all| lines(all.iter().map(ToString::to_string).collect())).collect(),
            networks: one.networks.iter().map(|all| lines(all.iter().map(ToString::to_string).collect())).collect(),
            environment: one.environment.as_str().to_owned(),
            life: "keep".to_owned(),
            until: String::new(),
            rate: rate.map(|rate| rate.limit.to_string()).unwrap_or_default(),
            window: rate.map(|rate| rate.window_seconds.to_string()).unwrap_or_default(),
            quota: quota.map(|quota| quota.limit.to_string()).unwrap_or_default(),
            period: quota.map(|quota| period_word(quota.period).to_owned()).unwrap_or_default(),
            picks: true,
        }
    }

    pub(crate) fn objects(&self) -> Option<Vec<String>> {
        entries(&self.objects)
    }

    pub(crate) fn networks(&self) -> Option<Vec<String>> {
        entries(&self.networks)
    }

    pub(crate) fn environment(&self) -> Environment {
        if self.environment == Environment::Test.as_str() { Environment::Test } else { Environment::Live }
    }

    /// What stands now beside what was typed otherwise, where somebody else changed it meanwhile.
    pub(crate) fn beside(&self, one: &Credential, frame: &Frame) -> Wrong {
        let now = Self::of_credential(one);
        let mut wrong = Wrong { page: Some(frame.text("edit-changed-meanwhile")), ..Wrong::default() };
        let listed = |text: &str| entries(text).unwrap_or_default().join(", ");
        let of_rate =
            |one: &Self| (!one.rate.trim().is_empty()).then(|| format!("{} / {} s", one.rate.trim(), one.window));
        let of_quota =
            |one: &Self| (!one.quota.trim().is_empty()).then(|| format!("{} / {}", one.quota.trim(), one.period));
        let mut fields = vec![
            ("name", self.name == now.name, now.name.clone()),
            (
                "permissions",
                !self.picks || sorted(&self.permissions) == sorted(&now.permissions),
                now.permissions.join(", "),
            ),
            ("objects", entries(&self.objects) == entries(&now.objects), listed(&now.objects)),
            ("networks", entries(&self.networks) == entries(&now.networks), listed(&now.networks)),
            ("life", self.life == "keep", one.expires_at.map(shown).unwrap_or_default()),
        ];
        if !keeps_limits(one) {
            fields.push(("rate", of_rate(self) == of_rate(&now), of_rate(&now).unwrap_or_default()));
            fields.push(("quota", of_quota(self) == of_quota(&now), of_quota(&now).unwrap_or_default()));
        }
        for (field, _, stands) in fields.into_iter().filter(|(_, same, _)| !same) {
            let stands = if stands.is_empty() { "—".to_owned() } else { stands };
            wrong.fields.push((field, frame.text_with("edit-now", "value", stands)));
        }
        wrong
    }

    /// That something was chosen that it may do.
    pub(crate) fn must_permit(&self, frame: &Frame, wrong: &mut Wrong) {
        if self.permissions.is_empty() {
            wrong.fields.push(("permissions", frame.text("form-permissions-choose")));
        }
    }

    /// When it ends; `None`: never.
    pub(crate) fn end(&self, now: Timestamp, frame: &Frame, wrong: &mut Wrong) -> Option<Timestamp> {
        if self.life != "date" && !self.until.trim().is_empty() {
            wrong.fields.push(("until", frame.text("form-date-unused")));
            return None;
        }
        match self.life.as_str() {
            "never" => None,
            "date" => {
                let day = self.until.trim().parse::<Date>().ok();
                // Until the end of that day.
                let end = day.and_then(|day| day.tomorrow().ok()).and_then(|next| next.to_zoned(TimeZone::UTC).ok());
                let end = end.map(|end| end.timestamp());
                match end {
                    None => wrong.fields.push(("until", frame.text("form-date-wrong"))),
                    // The rules say so too, but not beside what else is wrong.
                    Some(end) if end <= now => wrong.fields.push(("until", frame.text("form-end-past"))),
                    Some(_) => {}
                }
                end
            }
            days => {
                let days = days.parse::<u32>().ok().filter(|days| LIVES.contains(days));
                if days.is_none() {
                    wrong.fields.push(("life", frame.text("form-life-wrong")));
                }
                days.map(|days| now + SignedDuration::from_hours(24 * i64::from(days)))
            }
        }
    }

    /// The one rate that the form sets.
    pub(crate) fn rates(&self, frame: &Frame, wrong: &mut Wrong) -> Option<Vec<NewRateLimit>> {
        let limit = number(&self.rate, "rate", frame, wrong)?;
        let window = self.window.parse::<u64>().ok().filter(|window| *window > 0);
        if window.is_none() {
            wrong.fields.push(("rate", frame.text("form-number-wrong")));
        }
        Some(vec![NewRateLimit { name: RATE.to_owned(), limit, window_seconds: window? }])
    }

    pub(crate) fn quota(&self, frame: &Frame, wrong: &mut Wrong) -> Option<NewQuota> {
        let limit = number(&self.quota, "quota", frame, wrong)?;
        let period = if self.period == "month" { QuotaPeriod::Month } else { QuotaPeriod::Day };
        Some(NewQuota { limit, period })
    }

    /// What it changes of a credential: only what was typed otherwise than it stands.
    pub(crate) fn changes(
        &self,
        one: &Credential,
        now: Timestamp,
        frame: &Frame,
        wrong: &mut Wrong,
    ) -> CredentialChanges {
        let as_it_stands = Self::of_credential(one);
        let differs = |new: &str, old: &str| entries(new) != entries(old);
        let chosen_otherwise = self.picks && sorted(&self.permissions) != sorted(&as_it_stands.permissions);
        let mut changes = CredentialChanges {
            name: (self.name != as_it_stands.name).then(|| self.name.clone()),
            permissions: chosen_otherwise.then(|| self.permissions.clone()),
            objects: differs(&self.objects, &as_it_stands.objects).then(|| self.objects()),
            allowed_networks: differs(&self.networks, &as_it_stands.networks).then(|| self.networks()),
            expires_at: (self.life != "keep" || !self.until.trim().is_empty()).then(|| self.end(now, frame, wrong)),
            ..CredentialChanges::default()
        };
        if !keeps_limits(one) {
            let (rate, quota) = (self.rate.trim(), self.quota.trim());
            if rate != as_it_stands.rate || (!rate.is_empty() && self.window != as_it_stands.window) {
                changes.rate_limits = Some(self.rates(frame, wrong));
            }
            if quota != as_it_stands.quota || (!quota.is_empty() && self.period != as_it_stands.period) {
                changes.quota = Some(self.quota(frame, wrong));
            }
        }
        changes
    }
}

/// Whether the form cannot show its limits: several, or one of another name.
pub(crate) fn keeps_limits(one: &Credential) -> bool {
    match one.limits.rates.as_slice() {
        [] => false,
        [rate] => rate.name != RATE || !WINDOWS.iter().any(|(window, _)| *window == u64::from(rate.window_seconds)),
        [_, _, ..] => true,
    }
}

impl CredentialForm {
    /// The choices of an end: what policy allows, until `latest`.
    pub(crate) fn lives(latest: Option<Timestamp>, keep: Option<String>, now: Timestamp, frame: &Frame) -> Vec<Life> {
        let keep = keep.map(|label| Life { value: "keep".to_owned(), label });
        let allowed = |days: &&u32| {
            latest.is_none_or(|latest| now + SignedDuration::from_hours(24 * i64::from(**days)) <= latest)
        };
        let days = LIVES.iter().filter(allowed).map(|days| Life {
            value: days.to_string(),
            label: frame.text_counting("form-days", usize::try_from(*days).unwrap_or_default()),
        });
        let date = Life { value: "date".to_owned(), label: frame.text("form-on-a-date") };
        let never = latest.is_none().then(|| Life { value: "never".to_owned(), label: frame.text("form-never") });
        keep.into_iter().chain(days).chain([date]).chain(never).collect()
    }

    /// The longest life that is offered and no longer than so many days.
    pub(crate) fn nearest_life(days: u32) -> Option<u32> {
        LIVES.into_iter().rev().find(|offered| *offered <= days)
    }

    /// Whether there is anything in the part of the form that is closed at first.
    pub(crate) fn is_restricted(&self) -> bool {
        let Typed { objects, networks, rate, quota, .. } = &self.typed;
        let wrong = ["objects", "networks", "rate", "quota"].iter().any(|field| self.wrong.of(field).is_some());
        wrong || [objects, networks, rate, quota].iter().any(|text| !text.trim().is_empty())
    }

    pub(crate) fn windows(&self, frame: &Frame) -> Vec<(u64, String)> {
        WINDOWS.iter().map(|(seconds, words)| (*seconds, frame.text(words))).collect()
    }
}

fn sorted(entries: &[String]) -> Vec<&str> {
    let mut entries: Vec<&str> = entries.iter().map(String::as_str).collect();
    entries.sort_unstable();
    entries
}

/// The lines or words of a text, as a list; none: no limit.
fn entries(text: &str) -> Option<Vec<String>> {
    let entries: Vec<String> = text.split_whitespace().map(|entry| entry.trim_matches(',').to_owned()).collect();
    let entries: Vec<String> = entries.into_iter().filter(|entry| !entry.is_empty()).collect();
    (!entries.is_empty()).then_some(entries)
}

fn number(text: &str, field: &'static str, frame: &Frame, wrong: &mut Wrong) -> Option<u64> {
    let text = text.trim();
    if text.is_empty() {
        return None;
    }
    let number = text.parse().ok();
    if number.is_none() {
        wrong.fields.push((field, frame.text("form-number-wrong")));
    }
    number
}

fn period_word(period: QuotaPeriod) -> &'static str {
    match period {
        QuotaPeriod::Day => "day",
        QuotaPeriod::Month => "month",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::language::Language;

    fn frame() -> Frame {
        Frame::sample(Language::English, None)
    }

    fn now() -> Timestamp {
        "2026-06-01T12:00:00Z".parse().unwrap()
    }

    #[test]
    fn an_end_is_read_as_it_was_chosen() {
        let check = |life: &str, until: &str, expected: Result<Option<&str>, &str>| {
            let typed = Typed { life: life.to_owned(), until: until.to_owned(), ..Typed::default() };
            let mut wrong = Wrong::default();
            let end = typed.end(now(), &frame(), &mut wrong);
            let told = match wrong.fields.first() {
                Some((field, _)) => Err(*field),
                None => Ok(end.map(|end| end.to_string())),
            };
            assert_eq!(told, expected.map(|end| end.map(str::to_owned)), "{life} {until}");
        };
        check("never", "", Ok(None));
        check("30", "", Ok(Some("2026-07-01T12:00:00Z")));
        check("31", "", Err("life"));
        check("-1", "", Err("life"));
        check("", "", Err("life"));
        check("date", "2026-12-31", Ok(Some("2027-01-01T00:00:00Z")));
        check("date", "2026-06-01", Ok(Some("2026-06-02T00:00:00Z")));
        check("date", "2026-05-31", Err("until"));
        check("date", "2026-02-30", Err("until"));
        check("date", "9999-12-31", Err("until"));
        check("date", "", Err("until"));
        // A day that would not count is asked about.
        check("30", "2026-12-31", Err("until"));
        check("never", "2026-12-31", Err("until"));
    }

    #[test]
    fn a_list_is_what_stands_between_spaces_and_nothing_is_no_limit() {
        let check = |text: &str, expected: Option<&[&str]>| {
            let expected = expected.map(|all| all.iter().map(|&entry| entry.to_owned()).collect::<Vec<_>>());
            assert_eq!(entries(text), expected, "{text}");
        };
        check("", None);
        check(" \r\n,", None);
        check("base:app7\r\nrepo:acme/*", Some(&["base:app7", "repo:acme/*"]));
        check("10.0.0.0/8, 192.0.2.0/24", Some(&["10.0.0.0/8", "192.0.2.0/24"]));
    }

    #[test]
    fn a_number_is_a_number_or_nothing() {
        let check = |rate: &str, window: &str, expected: Result<Option<(u64, u64)>, &str>| {
            let typed = Typed { rate: rate.to_owned(), window: window.to_owned(), ..Typed::default() };
            let mut wrong = Wrong::default();
            let rates = typed.rates(&frame(), &mut wrong);
            let rate = rates.and_then(|all| all.first().map(|rate| (rate.limit, rate.window_seconds)));
            assert_eq!(wrong.fields.first().map_or(Ok(rate), |(field, _)| Err(*field)), expected, "{rate:?}");
        };
        check("", "60", Ok(None));
        check(" 100 ", "60", Ok(Some((100, 60))));
        check("1e3", "60", Err("rate"));
        check("-1", "60", Err("rate"));
        check("100", "0", Err("rate"));
        check("100", "", Err("rate"));
    }
}
