//! `POST /v1/verify`: from memory, from the database, with few and with many keys stored, and beside a flood.

use crate::{
    Result, bulk,
    compare::Side,
    customer,
    process::{GENERATOR, Process, SERVER},
    report::{Row, micros},
    run::Bench,
    site::{Server, Site},
    tokens::Tokens,
    wrk::{Load, Requests},
};

/// The question with one token after the other.
pub(crate) fn requests(port: u16, tokens: Tokens) -> Requests {
    let body = customer::question("{token}").to_string();
    Requests::new(port, &["POST /v1/verify HTTP/1.1"], &body, tokens)
}

/// The server, the bare one beside it, and how both are asked.
struct Pair {
    server: Server,
    bare: Process,
    requests: [Requests; 2],
}

impl Pair {
    fn start(bench: &Bench, site: &Site, keys: usize, tokens: Tokens) -> Result<Self> {
        let server = site.serve(SERVER)?;
        server.check(keys)?;
        let (bare, port) = server.bare(SERVER, &site.customer.token, bench.scratch())?;
        let ours = requests(server.internal, tokens);
        Ok(Self { requests: [ours.to(port), ours], server, bare })
    }

    fn sides(&self) -> [Side<'_>; 2] {
        let [bare, ours] = &self.requests;
        let side = |process, requests: &Requests| Side { process, requests: requests.clone() };
        [side(&self.bare, bare), side(&self.server.process, ours)]
    }

    /// Everything is in memory afterwards.
    fn warm_up(&self, bench: &Bench) -> Result<()> {
        let [bare, ours] = &self.requests;
        ours.send(&bench.full(8), 0, bench.scratch())?;
        bare.send(&Load { seconds: 1, ..bench.full(8) }, 0, bench.scratch()).map(drop)
    }
}

pub(crate) fn warm(bench: &mut Bench) -> Result<()> {
    let (site, scale) = (bench.many()?, bench.scale);
    let pair = Pair::start(bench, &site, scale.many, bench.tokens(0..scale.hot)?)?;
    pair.warm_up(bench)?;
    let what = format!("`POST /v1/verify`, warm, {} keys stored, {} in use", scale.many, scale.hot);
    let (most, same) = (bench.saturated(&pair.sides())?, bench.paced(&pair.sides())?);
    bench.report(Row::cost(&what, 1.35, &most[0], &most[1]));
    bench.report(Row::p99(&what, 2.0, &same[0], &same[1]));
    bench.report(Row::most(&what, &most[0], &most[1]));
    let spread = Pair::start(bench, &site, scale.many, bench.tokens(0..scale.spread)?)?;
    spread.warm_up(bench)?;
    let most = bench.saturated(&spread.sides())?;
    let what = format!("the same, and {} keys in use at once, whose counts are written all the time", scale.spread);
    let ratio = most[1].cost.as_secs_f64() / most[0].cost.as_secs_f64();
    let row = Row::for_orientation(what, "").with(micros(most[0].cost), micros(most[1].cost), Some(ratio));
    bench.report(row);
    Ok(())
}

/// Each request asks for another key, and none comes back before it has left the memory.
pub(crate) fn cold(bench: &mut Bench) -> Result<()> {
    let (site, scale) = (bench.many()?, bench.scale);
    let pair = Pair::start(bench, &site, scale.many, bench.tokens(0..scale.many)?)?;
    let what = format!("verify, every key cold, {} keys, SQLite", scale.many);
    let most = bench.saturated(&pair.sides())?;
    bench.report(Row::cost(&what, 3.0, &most[0], &most[1]));
    bench.report(Row::most(&what, &most[0], &most[1]));
    Ok(())
}

pub(crate) fn cold_postgres(bench: &mut Bench) -> Result<()> {
    let scale = bench.scale;
    GENERATOR.take(bulk::postmaster(&bench.postgres)?)?;
    let site = Site::new(bench.scratch().join("postgres"), Some(&bench.postgres), scale.many)?;
    let pair = Pair::start(bench, &site, scale.many, bench.tokens(0..scale.many)?)?;
    let what = format!("verify, every key cold, {} keys, PostgreSQL on the same machine", scale.many);
    bulk::statements(&site.database)?;
    let most = bench.saturated(&pair.sides())?;
    let (reads, all) = bulk::statements(&site.database)?;
    let each = |statements: i64| statements as f64 / most[1].requests as f64;
    // Whoever follows the change log reads ten times in a second.
    let row = Row::at_most(&what, "≤ 1 round trip to the database", each(reads), 1.05);
    bench.report(row.with("", format!("{:.2} reads", each(reads)), None));
    let row = Row::for_orientation(format!("{what}: with the writing of usage counts"), "");
    bench.report(row.with("", format!("{:.2} statements", each(all)), None));
    let ratio = most[1].cost.as_secs_f64() / most[0].cost.as_secs_f64();
    let row = Row::for_orientation(format!("{what}: cost without the database's own"), "");
    bench.report(row.with(micros(most[0].cost), micros(most[1].cost), Some(ratio)));
    bench.report(Row::most(&what, &most[0], &most[1]));
    Ok(())
}

/// Two instances at once, so that both meet the same moments of this machine.
pub(crate) fn growth(bench: &mut Bench) -> Result<()> {
    let (few, most, scale) = (bench.few()?, bench.most()?, bench.scale);
    let hot = bench.tokens(0..scale.few)?;
    let (small, large) = (few.serve(SERVER)?, most.serve(SERVER)?);
    let mut sides = Vec::new();
    for (server, keys) in [(&small, scale.few), (&large, scale.most)] {
        server.check(keys)?;
        let requests = requests(server.internal, hot.clone());
        requests.send(&bench.full(8), 0, bench.scratch())?;
        sides.push(Side { process: &server.process, requests });
    }
    let figures = bench.saturated(&sides)?;
    let ratio = figures[1].cost.as_secs_f64() / figures[0].cost.as_secs_f64();
    let what = format!("verify, warm, from {} to {} keys stored", scale.few, scale.most);
    let row = Row::at_most(what, "cost grows ≤ 1.1 ×", ratio, 1.1);
    let shown = format!("{} → {}", micros(figures[0].cost), micros(figures[1].cost));
    bench.report(row.with("", shown, Some(ratio)));
    Ok(())
}
