//! `claviger usage`: how much credentials are used, as a chart over time and as sums.

use std::{collections::BTreeMap, process::ExitCode, thread::sleep, time::Duration};

use clap::Args;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

use crate::{
    client::{Output, Remote, Service},
    duration,
    failure::Failure,
    noun, output, time,
};

/// Show how much credentials are used
#[derive(Debug, Args)]
pub(crate) struct Usage {
    /// Of one credential: key_…
    #[arg(long, value_name = "ID")]
    credential: Option<String>,
    /// Of one organization: its id or slug
    #[arg(long, value_name = "ORGANIZATION")]
    organization: Option<String>,
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
    /// code (the verdict) or permission [default: code]
    #[arg(long)]
    group: Option<String>,
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
    credential_id: String,
    start: Timestamp,
    code: Option<String>,
    permission: Option<String>,
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
            ("organization_id", organization.as_deref()),
            ("from", from.as_deref()),
            ("to", to.as_deref()),
            ("by", self.by.as_deref()),
            ("group", self.group.as_deref()),
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
            output::note(&format!("Nothing was used since {}. --last 7d looks further back.", self.from));
            return Ok(());
        }
        output::answer(&self.shown())
    }

    fn shown(self) -> String {
        let by_day = self.by == "day";
        let chart = output::bars(&over_time(&self.items, if by_day { 24 } else { 1 }, by_day));
        let title = if self.items.iter().any(|item| item.permission.is_some()) { "PERMISSION" } else { "CODE" };
        let mut sums: BTreeMap<(String, String), u64> = BTreeMap::new();
        for item in self.items {
            let what = item.code.or(item.permission).unwrap_or_default();
            let sum = sums.entry((item.credential_id, what)).or_default();
            *sum = sum.saturating_add(item.uses);
        }
        let mut sums: Vec<_> = sums.into_iter().collect();
        sums.sort_by_key(|(_, uses)| std::cmp::Reverse(*uses));
        let rows = sums.into_iter().map(|((credential, what), uses)| [credential, what, uses.to_string()]);
        let table = output::table(&["CREDENTIAL", title, "USES"], rows);
        format!("{chart}\n\n{table}")
    }
}

/// All uses of each hour or day from the first to the last, those without any too: a chart without gaps.
fn over_time(items: &[Item], hours: i64, by_day: bool) -> Vec<(String, u64)> {
    /// As long as counts are kept, by the hour.
    const MOST: usize = 400 * 24;
    let mut sums: BTreeMap<Timestamp, u64> = BTreeMap::new();
    for item in items {
        let sum = sums.entry(item.start).or_default();
        *sum = sum.saturating_add(item.uses);
    }
    let (Some((first, _)), Some((last, _))) = (sums.first_key_value(), sums.last_key_value()) else {
        return Vec::new();
    };
    let step = SignedDuration::from_hours(hours);
    let starts = std::iter::successors(Some(*first), |at| at.checked_add(step).ok().filter(|next| next <= last));
    let label = |at: Timestamp| if by_day { at.to_string()[..10].to_owned() } else { noun::short(&at.to_string()) };
    starts.take(MOST).map(|at| (label(at), sums.get(&at).copied().unwrap_or_default())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(start: &str, uses: u64) -> Item {
        Item { credential_id: "key_1".to_owned(), start: start.parse().unwrap(), code: None, permission: None, uses }
    }

    #[test]
    fn a_chart_has_no_gaps_and_sums_what_is_at_one_time() {
        let items = [item("2026-03-01T22:00:00Z", 1), item("2026-03-01T22:00:00Z", 2), item("2026-03-02T01:00:00Z", 4)];
        let of = |label: &str, uses| (label.to_owned(), uses);
        let expected = [
            of("2026-03-01 22:00", 3),
            of("2026-03-01 23:00", 0),
            of("2026-03-02 00:00", 0),
            of("2026-03-02 01:00", 4),
        ];
        assert_eq!(over_time(&items, 1, false), expected);
        let items = [item("2026-02-28T00:00:00Z", 1), item("2026-03-02T00:00:00Z", 1)];
        assert_eq!(over_time(&items, 24, true), [of("2026-02-28", 1), of("2026-03-01", 0), of("2026-03-02", 1)]);
        assert_eq!(over_time(&[], 1, false), []);
    }
}
