//! `claviger usage`: how much credentials are used, as a chart over time and as sums.

use std::{collections::BTreeMap, process::ExitCode, thread::sleep, time::Duration};

use clap::Args;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

use crate::{
    client::{Output, Remote, Service},
    duration,
    failure::Failure,
    noun,
    output::{self, Ink},
    time,
};

/// Show how much credentials are used
#[derive(Debug, Args)]
pub(crate) struct Usage {
    /// Of one credential: key_…
    #[arg(long, value_name = "ID")]
    credential: Option<String>,
    /// Of the credentials of one service account: sa_…
    #[arg(long, value_name = "ID")]
    service_account: Option<String>,
    /// Of one organization: its id or slug
    #[arg(long, value_name = "ORGANIZATION")]
    organization: Option<String>,
    /// Uses that ended so: valid, or why they were refused, such as expired
    #[arg(long)]
    code: Option<String>,
    /// Uses that asked for this permission; it means --group permission
    #[arg(long)]
    permission: Option<String>,
    /// From the hour or day of this moment on (RFC 3339) [default: a day before the end]
    #[arg(long, value_name = "TIME", value_parser = time::parse)]
    from: Option<Timestamp>,
    /// Before this moment (RFC 3339) [default: now]
    #[arg(long, value_name = "TIME", value_parser = time::parse)]
    to: Option<Timestamp>,
    /// The time until now, such as 7d
    #[arg(long, value_name = "TIME", conflicts_with_all = ["from", "to"], value_parser = duration::parse)]
    last: Option<Duration>,
    /// hour or day [default: hour; with --group permission, which is counted by day, day]
    #[arg(long)]
    by: Option<String>,
    /// code (the verdict), permission, or grant_type: access tokens that were issued to the --service-account [default: code]
    #[arg(long)]
    group: Option<String>,
    /// credential, or organization: all of its credentials together, however many they are [default: credential]
    #[arg(long)]
    per: Option<String>,
    /// Show it again every two seconds, until Ctrl-C
    #[arg(long)]
    watch: bool,
    #[command(flatten)]
    remote: Remote,
}

const EVERY: Duration = Duration::from_secs(2);

#[derive(Debug, Deserialize)]
struct Report {
    from: Timestamp,
    by: String,
    items: Vec<Item>,
}

#[derive(Debug, Deserialize)]
struct Item {
    credential_id: Option<String>,
    service_account_id: Option<String>,
    organization_id: Option<String>,
    start: Timestamp,
    code: Option<String>,
    permission: Option<String>,
    grant_type: Option<String>,
    uses: u64,
}

pub(crate) fn run(usage: Usage) -> Result<ExitCode, Failure> {
    let service = usage.remote.service()?;
    if !usage.watch {
        let answer = usage.ask(&service)?;
        match service.output {
            Output::Json => output::json(&answer)?,
            Output::Table => noun::understood::<Report>(&answer)?.show()?,
        }
        return Ok(ExitCode::SUCCESS);
    }
    if service.output == Output::Json || !output::is_terminal() {
        return Err(Failure::usage("--watch draws on a terminal; without it, the answer comes once"));
    }
    loop {
        let shown = noun::understood::<Report>(&usage.ask(&service)?)?.shown();
        output::redraw(&format!("{shown}\n\nevery {}s, until Ctrl-C", EVERY.as_secs()))?;
        sleep(EVERY);
    }
}

impl Usage {
    fn ask(&self, service: &Service) -> Result<String, Failure> {
        let organization = service.organization_id(self.organization.as_deref())?;
        let from = match self.last {
            Some(last) => Some(ago(last)?),
            None => self.from,
        };
        let (from, to) = (from.map(|at| at.to_string()), self.to.map(|at| at.to_string()));
        let filters = [
            ("credential_id", self.credential.as_deref()),
            ("service_account_id", self.service_account.as_deref()),
            ("organization_id", organization.as_deref()),
            ("code", self.code.as_deref()),
            ("permission", self.permission.as_deref()),
            ("from", from.as_deref()),
            ("to", to.as_deref()),
            ("by", self.by.as_deref()),
            ("group", self.group.as_deref()),
            ("per", self.per.as_deref()),
        ];
        let filters: Vec<_> = filters.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
        service.get(&["usage"], &filters)
    }
}

#[expect(clippy::disallowed_methods, reason = "the person at this terminal counts from the time of this machine")]
fn ago(time: Duration) -> Result<Timestamp, Failure> {
    let start = SignedDuration::try_from(time).and_then(|time| Timestamp::now().checked_sub(time));
    start.map_err(|_| Failure::usage("--last begins before there was a calendar; give less, such as 7d"))
}

impl Report {
    fn show(self) -> Result<(), Failure> {
        if self.items.is_empty() {
            output::note(&format!("There is nothing since {}. --last 7d looks further back.", self.from));
            return Ok(());
        }
        output::answer(&self.shown())
    }

    fn shown(self) -> String {
        let (by_day, coloured) = (self.by == "day", output::coloured());
        let over_time = over_time(&self.items, if by_day { 24 } else { 1 }, by_day);
        let has = |member: fn(&Item) -> &Option<String>| self.items.iter().any(|item| member(item).is_some());
        let (whose, what, times) = (
            match (has(|item| &item.organization_id), has(|item| &item.service_account_id)) {
                (true, _) => "ORGANIZATION",
                (false, true) => "SERVICE ACCOUNT",
                (false, false) => "CREDENTIAL",
            },
            match (has(|item| &item.permission), has(|item| &item.grant_type)) {
                (true, _) => "PERMISSION",
                (false, true) => "GRANT TYPE",
                (false, false) => "CODE",
            },
            if has(|item| &item.grant_type) { "TOKENS" } else { "USES" },
        );
        let has_codes = has(|item| &item.code);
        let legend = if has_codes { format!("{}\n\n", legend(&self.items, coloured)) } else { String::new() };
        let bars: Vec<_> = over_time.into_iter().map(|(at, outcomes)| (at, outcomes.to_vec())).collect();
        let chart = output::bars(&bars, coloured);
        let mut sums: BTreeMap<(String, String), u64> = BTreeMap::new();
        for item in self.items {
            let whose = item.credential_id.or(item.service_account_id).or(item.organization_id).unwrap_or_default();
            let what = item.code.or(item.permission).or(item.grant_type).unwrap_or_default();
            let sum = sums.entry((whose, what)).or_default();
            *sum = sum.saturating_add(item.uses);
        }
        let mut sums: Vec<_> = sums.into_iter().collect();
        sums.sort_by_key(|(_, uses)| std::cmp::Reverse(*uses));
        let rows = sums.into_iter().map(|((whose, what), uses)| [whose, what, uses.to_string()]);
        let table = output::table(&[whose, what, times], rows);
        format!("{legend}{chart}\n\n{table}")
    }
}

impl Item {
    /// How it ended: it counted (as what asks for a permission is told), there was too much of it, or it was refused otherwise.
    fn ink(&self) -> Ink {
        match self.code.as_deref() {
            None | Some("valid") => Ink::Good,
            Some("rate_limited" | "quota_exceeded") => Ink::Warning,
            Some(_) => Ink::Bad,
        }
    }
}

/// Uses by how they ended, from the ground up.
type Outcomes = [(Ink, u64); 3];

const NONE: Outcomes = [(Ink::Good, 0), (Ink::Warning, 0), (Ink::Bad, 0)];

fn add(outcomes: &mut Outcomes, item: &Item) {
    let uses = &mut outcomes[item.ink() as usize].1;
    *uses = uses.saturating_add(item.uses);
}

/// What the blocks mean, and what they come to.
fn legend(items: &[Item], coloured: bool) -> String {
    const WORDS: [&str; 3] = ["accepted", "too many", "refused"];
    let mut outcomes = NONE;
    items.iter().for_each(|item| add(&mut outcomes, item));
    let told =
        outcomes.iter().zip(WORDS).map(|((ink, uses), word)| format!("{} {uses} {word}", ink.drawn(1, coloured)));
    told.collect::<Vec<_>>().join("   ")
}

/// All uses of each hour or day from the first to the last, those without any too: a chart without gaps.
fn over_time(items: &[Item], hours: i64, by_day: bool) -> Vec<(String, Outcomes)> {
    /// As long as counts are kept, by the hour.
    const MOST: usize = 400 * 24;
    let mut sums: BTreeMap<Timestamp, Outcomes> = BTreeMap::new();
    for item in items {
        add(sums.entry(item.start).or_insert(NONE), item);
    }
    let (Some((first, _)), Some((last, _))) = (sums.first_key_value(), sums.last_key_value()) else {
        return Vec::new();
    };
    let step = SignedDuration::from_hours(hours);
    let starts = std::iter::successors(Some(*first), |at| at.checked_add(step).ok().filter(|next| next <= last));
    let label = |at: Timestamp| if by_day { at.to_string()[..10].to_owned() } else { noun::short(&at.to_string()) };
    starts.take(MOST).map(|at| (label(at), sums.get(&at).copied().unwrap_or(NONE))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(start: &str, uses: u64) -> Item {
        refused(start, "valid", uses)
    }

    fn refused(start: &str, code: &str, uses: u64) -> Item {
        let (credential_id, code) = (Some("key_1".to_owned()), Some(code.to_owned()));
        let [service_account_id, organization_id, permission, grant_type] = [const { None }; 4];
        let start = start.parse().unwrap();
        Item { credential_id, service_account_id, organization_id, start, code, permission, grant_type, uses }
    }

    fn numbers(items: &[Item], hours: i64, by_day: bool) -> Vec<(String, [u64; 3])> {
        over_time(items, hours, by_day).into_iter().map(|(at, outcomes)| (at, outcomes.map(|(_, uses)| uses))).collect()
    }

    #[test]
    fn a_chart_has_no_gaps_and_sums_what_is_at_one_time() {
        let items = [item("2026-03-01T22:00:00Z", 1), item("2026-03-01T22:00:00Z", 2), item("2026-03-02T01:00:00Z", 4)];
        let of = |label: &str, uses| (label.to_owned(), [uses, 0, 0]);
        let expected = [
            of("2026-03-01 22:00", 3),
            of("2026-03-01 23:00", 0),
            of("2026-03-02 00:00", 0),
            of("2026-03-02 01:00", 4),
        ];
        assert_eq!(numbers(&items, 1, false), expected);
        let items = [item("2026-02-28T00:00:00Z", 1), item("2026-03-02T00:00:00Z", 1)];
        assert_eq!(numbers(&items, 24, true), [of("2026-02-28", 1), of("2026-03-01", 0), of("2026-03-02", 1)]);
        assert_eq!(numbers(&[], 1, false), []);
    }

    #[test]
    fn tokens_that_were_issued_are_told_by_their_grant() {
        let (at, of) = ("2026-03-01T22:00:00Z", |text: &str| Some(text.to_owned()));
        let issued = |grant: &str, uses| Item {
            credential_id: None,
            service_account_id: of("sa_1"),
            code: None,
            grant_type: of(grant),
            ..item(at, uses)
        };
        let items = vec![issued("client_credentials", 5), issued("token_exchange", 2), issued("client_credentials", 4)];
        let shown = Report { from: at.parse().unwrap(), by: "hour".to_owned(), items }.shown();
        let lines: Vec<_> =
            shown.lines().rev().take(3).map(|line| line.split_whitespace().collect::<Vec<_>>()).collect();
        let expected: [&[&str]; 3] = [
            &["sa_1", "token_exchange", "2"],
            &["sa_1", "client_credentials", "9"],
            &["SERVICE", "ACCOUNT", "GRANT", "TYPE", "TOKENS"],
        ];
        assert_eq!(lines, expected);
        assert!(!shown.contains("accepted"), "{shown}");
    }

    #[test]
    fn a_bar_tells_how_uses_ended() {
        let at = "2026-03-01T22:00:00Z";
        let items =
            [item(at, 5), refused(at, "rate_limited", 2), refused(at, "quota_exceeded", 1), refused(at, "expired", 4)];
        assert_eq!(numbers(&items, 1, false), [("2026-03-01 22:00".to_owned(), [5, 3, 4])]);
        assert_eq!(legend(&items, false), "█ 5 accepted   ▒ 3 too many   ░ 4 refused");
    }
}
