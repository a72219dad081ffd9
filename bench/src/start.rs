//! What a server needs before and without any load: memory, and the time until it is ready.

use std::time::Duration;

use crate::{Result, compare::median, customer, process::SERVER, report::Row, run::Bench, site::Site, wrk::Requests};

/// How many credentials a server keeps unless it is told otherwise.
const CACHE: usize = 100_000;
/// Starts are short, so more of them are taken.
const STARTS: usize = 5;

pub(crate) fn memory(bench: &mut Bench) -> Result<()> {
    let empty = Site::unused(bench.scratch().join("idle"), None)?;
    let server = empty.serve(SERVER)?;
    server.process.settle()?;
    let idle = server.process.resident()?;
    drop(server);
    bench.report(Row::at_most("memory, idle", "≤ 30 MiB", idle, 30.0).with("", format!("{idle:.1} MiB"), None));

    let (site, kept) = (bench.many()?, CACHE.min(bench.scale.many));
    let server = site.serve(SERVER)?;
    let body = customer::question("{token}").to_string();
    let tokens = bench.tokens(0..kept)?;
    let requests = Requests::new(server.internal, &["POST /v1/verify HTTP/1.1"], &body, tokens);
    let mut asked = 0;
    while asked < kept {
        asked += requests.send(&bench.full(8), asked, bench.scratch())?.requests;
    }
    server.process.settle()?;
    let full = server.process.resident()?;
    let what = format!("memory, {} keys stored and {kept} in the cache", bench.scale.many);
    bench.report(Row::at_most(what, "≤ 120 MiB", full, 120.0).with("", format!("{full:.1} MiB"), None));
    Ok(())
}

/// Empty is the very first start, which makes the database.
pub(crate) fn ready(bench: &mut Bench) -> Result<()> {
    let mut times = Vec::new();
    for number in 0..STARTS {
        let unused = Site::unused(bench.scratch().join(format!("unused-{number}")), None)?;
        times.push(unused.serve(SERVER)?.started_in);
    }
    bench.report(started("start to ready, empty: the very first", times, 150.0));

    let site = bench.most()?;
    let mut times = Vec::new();
    for _ in 0..STARTS {
        times.push(site.serve(SERVER)?.started_in);
    }
    let row = started(&format!("start to ready, {} keys", bench.scale.most), times, 250.0);
    bench.report(row);
    Ok(())
}

fn started(what: &str, times: Vec<Duration>, bound: f64) -> Row {
    let time = median(times).as_secs_f64() * 1e3;
    Row::at_most(what, format!("≤ {bound} ms"), time, bound).with("", format!("{time:.0} ms"), None)
}
