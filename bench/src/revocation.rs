//! From the answer that something is revoked to the first refusal: on the node that answered, and on another one.

use std::{
    thread::sleep,
    time::{Duration, Instant},
};

use reqwest::blocking::Client;
use serde_json::Value as Json;

use crate::{
    Result, bulk, customer,
    process::{GENERATOR, SERVER, now},
    report::Row,
    run::Bench,
    service::{REVOKE, Service},
    site::{Server, Site},
};

/// What nobody waits longer for.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);
/// A hundredth of the time between two looks at the change log.
const STEP: Duration = Duration::from_millis(1);

/// Two nodes on one PostgreSQL. Both know each token before it ends.
pub(crate) fn refusal(bench: &mut Bench) -> Result<()> {
    GENERATOR.take(bulk::postmaster(&bench.postgres)?)?;
    let site = Site::new(bench.scratch().join("two_nodes"), Some(&bench.postgres), bench.scale.few)?;
    let nodes = Nodes { here: site.serve(SERVER)?, elsewhere: site.serve(SERVER)?, client: Client::new() };

    let service = Service::new(&site, &nodes.here)?;
    let mut tries = Tries::default();
    for _ in 0..bench.scale.tries {
        let token = service.token(&nodes.here)?;
        nodes.end(&token, &mut tries, || service.send(&nodes.here, REVOKE, &format!("token={token}")).map(drop))?;
    }
    tries.report(bench, "`POST /oauth/revoke` of a JWT to its refusal");

    let mut tries = Tries::default();
    for _ in 0..bench.scale.tries {
        let service = Service::new(&site, &nodes.here)?;
        let token = service.token(&nodes.here)?;
        nodes.end(&token, &mut tries, || service.end(&site, &nodes.here))?;
    }
    tries.report(bench, "a client secret revoked, to the refusal of a JWT got with it");
    Ok(())
}

struct Nodes {
    here: Server,
    elsewhere: Server,
    /// Its connections stay open: what opening one takes is not what is asked.
    client: Client,
}

/// What was seen of many tokens.
#[derive(Debug, Default)]
struct Tries {
    /// How many calls it took here until the token was refused, and how long.
    calls: Vec<u32>,
    here: Vec<Duration>,
    elsewhere: Vec<Duration>,
}

impl Nodes {
    /// Ends a token of which both nodes have just said that it counts.
    fn end(&self, token: &str, tries: &mut Tries, revoke: impl FnOnce() -> Result<()>) -> Result<()> {
        for node in [&self.here, &self.elsewhere] {
            let code = self.code(node, token)?;
            if code != "valid" {
                return Err(format!("a new token is {code}").into());
            }
        }
        // The other node looks at the log in even steps, and its refusal ended the try before: so that the tries do not all
        // begin in step with it, each waits a little longer than the one before.
        sleep(STEP * (tries.calls.len() as u32 * 37 % 100));
        revoke()?;
        let answered = now();
        let (calls, here) = self.until_refused(&self.here, token, answered)?;
        tries.calls.push(calls);
        tries.here.push(here);
        tries.elsewhere.push(self.until_refused(&self.elsewhere, token, answered)?.1);
        Ok(())
    }

    /// How many calls it takes until a node refuses, and how long after the answer that is.
    fn until_refused(&self, node: &Server, token: &str, answered: Instant) -> Result<(u32, Duration)> {
        let mut calls = 0;
        while answered.elapsed() < PATIENCE {
            calls += 1;
            match self.code(node, token)?.as_str() {
                "valid" => {}
                "revoked" => return Ok((calls, answered.elapsed())),
                code => return Err(format!("a token that was revoked is {code}").into()),
            }
        }
        Err(format!("a token counts {PATIENCE:?} after it was revoked").into())
    }

    fn code(&self, node: &Server, token: &str) -> Result<String> {
        let url = format!("http://127.0.0.1:{}/v1/verify", node.internal);
        let answer: Json = self.client.post(url).json(&customer::question(token)).send()?.error_for_status()?.json()?;
        customer::text(&answer, "code")
    }
}

impl Tries {
    fn report(&self, bench: &mut Bench, what: &str) {
        let (tries, calls) = (self.calls.len(), self.calls.iter().copied().max().unwrap_or_default());
        let at_once = self.calls.iter().filter(|calls| **calls == 1).count();
        let row = Row::at_most(format!("{what}: this node"), "by the very next call", calls.into(), 1.0);
        let shown = format!("{at_once} of {tries}, {}", spread(&self.here));
        bench.report(row.with("", shown, None));

        let (p99, max) = (percentile(&self.elsewhere, 99), percentile(&self.elsewhere, 100));
        // As parts of what each may be.
        let worst = (p99.as_secs_f64() / 0.25).max(max.as_secs_f64());
        let row = Row::at_most(format!("{what}: another node"), "p99 ≤ 250 ms, max ≤ 1 s", worst, 1.0);
        bench.report(row.with("", format!("{tries} tries, {}", spread(&self.elsewhere)), None));
    }
}

pub(crate) fn spread(times: &[Duration]) -> String {
    let [p50, p99, max] = [50, 99, 100].map(|percent| percentile(times, percent).as_secs_f64() * 1e3);
    format!("p50 {p50:.1} ms, p99 {p99:.1} ms, max {max:.1} ms")
}

/// The smallest of these that so many percent of them do not exceed.
pub(crate) fn percentile(times: &[Duration], percent: usize) -> Duration {
    let mut times = times.to_vec();
    times.sort_unstable();
    let rank = (times.len() * percent).div_ceil(100).max(1);
    times.get(rank - 1).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_one_of_the_values() {
        let times: Vec<Duration> = (1..=100).rev().map(Duration::from_millis).collect();
        let check = |times: &[Duration], percent, expected| {
            assert_eq!(percentile(times, percent), Duration::from_millis(expected), "{percent}");
        };
        check(&times, 50, 50);
        check(&times, 99, 99);
        check(&times, 100, 100);
        check(&times[..10], 99, 100);
        check(&[], 99, 0);
    }
}
