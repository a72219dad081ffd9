//! Rate limits and quotas, as flags, in a body, and in a table.

use clap::Args;
use serde::Deserialize;
use serde_json::{Value as Json, json};

use crate::{body::Body, duration};

/// What something is limited to.
#[derive(Debug, Args)]
pub(crate) struct Limits {
    /// How often in which time, such as default=100/1m; may be given several times
    #[arg(long = "rate-limit", value_name = "NAME=LIMIT/WINDOW", value_parser = rate_limit)]
    rate_limits: Vec<RateLimit>,
    /// How much in all, such as 1000/day or 20000/month (UTC)
    #[arg(long, value_name = "LIMIT/PERIOD", value_parser = parse_quota)]
    quota: Option<Quota>,
}

/// The same where there may be some already.
#[derive(Debug, Args)]
pub(crate) struct LimitChanges {
    #[command(flatten)]
    limits: Limits,
    /// No rate limits from now on
    #[arg(long, conflicts_with = "rate_limits")]
    no_rate_limits: bool,
    /// No quota from now on
    #[arg(long, conflicts_with = "quota")]
    no_quota: bool,
}

/// So many at once, regained evenly within such a time.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct RateLimit {
    name: String,
    limit: u64,
    window_seconds: u64,
}

/// At most so many in a calendar period.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Quota {
    limit: u64,
    period: String,
}

impl Limits {
    pub(crate) fn write(self, body: Body) -> Body {
        body.with_list("rate_limits", self.rate_limits).with("quota", self.quota)
    }
}

impl LimitChanges {
    pub(crate) fn write(self, body: Body) -> Body {
        self.limits.write(body).without("rate_limits", self.no_rate_limits).without("quota", self.no_quota)
    }
}

impl From<RateLimit> for Json {
    fn from(RateLimit { name, limit, window_seconds }: RateLimit) -> Self {
        json!({ "name": name, "limit": limit, "window_seconds": window_seconds })
    }
}

impl From<Quota> for Json {
    fn from(Quota { limit, period }: Quota) -> Self {
        json!({ "limit": limit, "period": period })
    }
}

/// Which names, limits and windows there may be is the service's to say.
fn rate_limit(text: &str) -> Result<RateLimit, String> {
    let wrong = || "give NAME=LIMIT/WINDOW, such as default=100/1m or burst=10/1s".to_owned();
    let (name, rest) = text.split_once('=').ok_or_else(wrong)?;
    let (limit, window) = rest.split_once('/').ok_or_else(wrong)?;
    let limit = limit.parse().map_err(|_| wrong())?;
    let window_seconds = duration::parse(window).map_err(|_| wrong())?.as_secs();
    if name.is_empty() {
        return Err(wrong());
    }
    Ok(RateLimit { name: name.to_owned(), limit, window_seconds })
}

fn parse_quota(text: &str) -> Result<Quota, String> {
    let wrong = || "give LIMIT/day or LIMIT/month, such as 1000/day".to_owned();
    let (limit, period) = text.split_once('/').ok_or_else(wrong)?;
    let limit = limit.parse().map_err(|_| wrong())?;
    if !matches!(period, "day" | "month") {
        return Err(wrong());
    }
    Ok(Quota { limit, period: period.to_owned() })
}

/// As the flags would say it.
pub(crate) fn shown(rate_limits: Option<Vec<RateLimit>>) -> String {
    let limit =
        |RateLimit { name, limit, window_seconds }| format!("{name}={limit}/{}", duration::shown(window_seconds));
    let limits: Vec<String> = rate_limits.unwrap_or_default().into_iter().map(limit).collect();
    if limits.is_empty() { "none".to_owned() } else { limits.join(" ") }
}

pub(crate) fn shown_quota(quota: Option<Quota>) -> String {
    quota.map_or_else(|| "none".to_owned(), |Quota { limit, period }| format!("{limit}/{period}"))
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory as _, FromArgMatches as _, Parser};

    use super::*;

    #[derive(Debug, Parser)]
    struct Flags {
        #[command(flatten)]
        changes: LimitChanges,
    }

    fn body(flags: &[&str]) -> Option<Json> {
        let matches = Flags::command().try_get_matches_from([&["x"], flags].concat()).ok()?;
        Some(Flags::from_arg_matches(&matches).ok()?.changes.write(Body::new()).json())
    }

    #[test]
    fn flags_become_members_of_the_body() {
        let check = |flags: &[&str], expected: Json| assert_eq!(body(flags), Some(expected), "{flags:?}");
        check(&[], json!({}));
        check(
            &["--rate-limit=default=100/1m", "--rate-limit", "burst=10/1s", "--quota=1000/day"],
            json!({
                "rate_limits": [
                    { "name": "default", "limit": 100, "window_seconds": 60 },
                    { "name": "burst", "limit": 10, "window_seconds": 1 },
                ],
                "quota": { "limit": 1000, "period": "day" },
            }),
        );
        check(&["--no-rate-limits", "--no-quota"], json!({ "rate_limits": null, "quota": null }));
    }

    #[test]
    fn what_is_no_limit_is_wrong_usage() {
        for wrong in ["100/1m", "=100/1m", "default=100", "default=x/1m", "default=100/1y", "default=-1/1m"] {
            assert_eq!(body(&["--rate-limit", wrong]), None, "{wrong}");
        }
        for wrong in ["1000", "1000/week", "x/day", "/day"] {
            assert_eq!(body(&["--quota", wrong]), None, "{wrong}");
        }
        assert_eq!(body(&["--no-quota", "--quota=1/day"]), None);
        assert_eq!(body(&["--no-rate-limits", "--rate-limit=a=1/1s"]), None);
    }

    #[test]
    fn limits_are_shown_as_the_flags_say_them() {
        let limits = ["default=100/1m", "slow=5/90s", "long=7/2w"].map(|text| rate_limit(text).unwrap());
        assert_eq!(shown(Some(limits.into())), "default=100/1m slow=5/90s long=7/2w");
        assert_eq!(shown(None), "none");
        assert_eq!(shown_quota(parse_quota("20000/month").ok()), "20000/month");
    }
}
