//! From the answer that a key is revoked to its refusal, wherever it is verified: on three nodes, in a sidecar and in a service with
//! the SDK, which have all just said that it counts. Others go on using theirs meanwhile, at a node, at the sidecar and in the service.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread::{self, sleep},
    time::Duration,
};

use claviger_sdk::Verdict;
use reqwest::{Method, blocking::Client};
use serde_json::{Value as Json, json};

use crate::{
    Result, bulk,
    customer::{self, new_key, text},
    process::{GENERATOR, Process, SERVER, free_port, now},
    report::Row,
    revocation::{PATIENCE, percentile, spread},
    run::Bench,
    sdk::Caller,
    site::{Server, Site, claviger},
    tokens,
    verify::requests,
    wrk::{Load, Running},
};

/// How long a load lasts before the next one begins.
const SPELL: u64 = 20;
/// Between two calls of the service.
const REST: Duration = Duration::from_micros(500);

/// Who verifies, in the order in which they are asked.
const PLACES: [(&str, Bound); 5] = [
    ("this node", Bound::AtOnce),
    ("a second node", Bound::Soon),
    ("a third node", Bound::Soon),
    ("a sidecar", Bound::Later),
    ("a service with the SDK", Bound::Later),
];

#[derive(Clone, Copy)]
enum Bound {
    /// The very next call.
    AtOnce,
    /// Most within a quarter of a second.
    Soon,
    /// All within two seconds.
    Later,
}

struct Places {
    nodes: [Server; 3],
    /// The sidecar of the third node.
    _sidecar: Process,
    sidecar: u16,
    /// A service that follows the second one.
    service: Caller,
    client: Client,
}

pub(crate) fn refusal(bench: &mut Bench) -> Result<()> {
    GENERATOR.take(bulk::postmaster(&bench.postgres)?)?;
    let site = Site::new(bench.scratch().join("three_nodes"), Some(&bench.postgres), bench.scale.few)?;
    let nodes = [site.serve(SERVER)?, site.serve(SERVER)?, site.serve(SERVER)?];
    let sidecar = free_port()?;
    let mut command = SERVER.command(claviger()?);
    command.args(["sidecar", "--log", "error"]).args(["--listen", &format!("127.0.0.1:{sidecar}")]);
    command.args(["--upstream", &format!("http://127.0.0.1:{}", nodes[2].internal)]);
    let mut process = Process::spawn(&mut command)?;
    process.ready(sidecar, "/health/ready")?;
    let service = Caller::follow(&nodes[1])?;
    let places = Places { nodes, _sidecar: process, sidecar, service, client: Client::new() };

    let mut keys = Vec::new();
    for _ in 0..bench.scale.revoked {
        let body = new_key(&site.customer.service_account);
        let key = site.send(&places.nodes[0], Method::POST, "/v1/api-keys", &body)?;
        keys.push((text(&key, "id")?, text(&key, "token")?));
    }
    let others: Vec<String> = (0..bench.scale.hot).map(|number| tokens::nth(number).expose().to_owned()).collect();
    let over = AtomicBool::new(false);
    let took = thread::scope(|scope| {
        scope.spawn(|| {
            for token in others.iter().cycle().take_while(|_| !over.load(Ordering::Relaxed)) {
                let _ = places.service.verify(token);
                sleep(REST);
            }
        });
        let took = under_load(bench, &places, &site, &keys);
        over.store(true, Ordering::Relaxed);
        took
    })?;
    for (index, (place, bound)) in PLACES.into_iter().enumerate() {
        let times: Vec<Duration> = took.iter().map(|one| one[index]).collect();
        report(bench, place, bound, &times);
    }
    Ok(())
}

/// What it took at each place, of each key.
fn under_load(bench: &Bench, places: &Places, site: &Site, keys: &[(String, String)]) -> Result<Vec<[Duration; 5]>> {
    let load = Load { seconds: SPELL, ..bench.gentle() };
    let mut took = Vec::new();
    while took.len() < keys.len() {
        let others = bench.tokens(0..bench.scale.hot)?;
        let ports = [places.nodes[0].internal, places.sidecar];
        let start = |port| Running::start(&requests(port, others.clone()), &load, 0, bench.scratch());
        let loads = ports.into_iter().map(start).collect::<Result<Vec<_>>>()?;
        let began = now();
        for (id, token) in &keys[took.len()..] {
            took.push(places.end(site, id, token, took.len())?);
            if began.elapsed() > Duration::from_secs(SPELL - 1) {
                break;
            }
        }
        for load in loads {
            load.outcome()?;
        }
    }
    Ok(took)
}

impl Places {
    /// Ends a key that all of them know.
    fn end(&self, site: &Site, id: &str, token: &str, before: usize) -> Result<[Duration; 5]> {
        for (place, (name, _)) in PLACES.iter().enumerate() {
            let began = now();
            while self.refuses(place, token)? {
                if began.elapsed() > PATIENCE {
                    return Err(format!("{name} refuses a key that counts").into());
                }
            }
        }
        // They look at the log in even steps; so that the tries do not all begin in step with them, each waits a little longer.
        sleep(Duration::from_millis(before as u64 * 37 % 100));
        let reason = json!({ "reason": "compromised" });
        site.send(&self.nodes[0], Method::POST, &format!("/v1/api-keys/{id}/revoke"), &reason)?;
        let answered = now();
        let mut took = [None; PLACES.len()];
        if !self.refuses(0, token)? {
            return Err("the node that answered has let a revoked key in".into());
        }
        took[0] = Some(answered.elapsed());
        while answered.elapsed() < PATIENCE && took.contains(&None) {
            for (place, took) in took.iter_mut().enumerate() {
                if took.is_none() && self.refuses(place, token)? {
                    *took = Some(answered.elapsed());
                }
            }
        }
        if let Some(place) = took.iter().position(Option::is_none) {
            return Err(format!("{} lets a key in, {PATIENCE:?} after it was revoked", PLACES[place].0).into());
        }
        Ok(took.map(Option::unwrap_or_default))
    }

    fn refuses(&self, place: usize, token: &str) -> Result<bool> {
        let port = match place {
            0..3 => self.nodes[place].internal,
            3 => self.sidecar,
            _ => return Ok(self.service.verify(token)? != Verdict::Valid),
        };
        let url = format!("http://127.0.0.1:{port}/v1/verify");
        let sent = self.client.post(url).json(&customer::question(token)).send()?;
        let answer: Json = sent.error_for_status()?.json()?;
        Ok(answer["valid"] != true)
    }
}

fn report(bench: &mut Bench, place: &str, bound: Bound, times: &[Duration]) {
    let (p99, max) = (percentile(times, 99).as_secs_f64(), percentile(times, 100).as_secs_f64());
    let what = format!("a key revoked under load, to its refusal: {place}");
    let row = match bound {
        Bound::AtOnce => Row::at_most(what, "by the very next call", 1.0, 1.0),
        // As parts of what each may be.
        Bound::Soon => Row::at_most(what, "p99 ≤ 250 ms, max ≤ 1 s", (p99 / 0.25).max(max), 1.0),
        Bound::Later => Row::at_most(what, "max ≤ 2 s", max, 2.0),
    };
    bench.report(row.with("", format!("{} tries, {}", times.len(), spread(times)), None));
}
