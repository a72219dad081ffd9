//! What others feel while the service has more to do than ever: they go on at their pace, and are asked how long they wait.

use std::{fs, thread};

use reqwest::Method;
use serde_json::json;

use crate::{
    Result,
    customer::{new_key, text},
    process::{SERVER, now},
    report::{Row, micros, per_second},
    run::Bench,
    site::Site,
    tokens::{Tokens, UNKNOWN},
    verify::requests,
    wrk::{Load, Outcome, Running},
};

/// Somebody tries one unknown token after the other, as fast as eight connections can.
pub(crate) fn unknown(bench: &mut Bench) -> Result<()> {
    let (site, scale) = (bench.many()?, bench.scale);
    let server = site.serve(SERVER)?;
    let others = requests(server.internal, bench.tokens(0..scale.hot)?);
    let unknown = requests(server.internal, bench.tokens(UNKNOWN..UNKNOWN + scale.many)?);
    others.send(&bench.full(8), 0, bench.scratch())?;
    let load = Load { seconds: 3 * scale.seconds, ..bench.gentle() };
    let quiet = others.send(&load, 0, bench.scratch())?;
    let flood = Running::start(&unknown, &Load { pause: None, connections: 8, ..load }, 0, bench.scratch())?;
    let during = others.send(&load, 0, bench.scratch())?;
    let flood = flood.outcome()?;
    report(bench, format!("{} unknown tokens, {}", flood.requests, per_second(flood.rate)), quiet, during);
    Ok(())
}

/// All keys of an organization end by one request; others use theirs.
pub(crate) fn revoked(bench: &mut Bench) -> Result<()> {
    let scale = bench.scale;
    let site = Site::new(bench.scratch().join("at_once"), None, scale.at_once)?;
    let server = site.serve(SERVER)?;
    let post = |path: &str, body| site.send(&server, Method::POST, path, &body);
    let organization = post("/v1/organizations", json!({ "name": "Others" }))?;
    let account = json!({
        "organization_id": organization["id"], "name": "others", "permissions": [crate::customer::PERMISSION]
    });
    let account = text(&post("/v1/service-accounts", account)?, "id")?;
    let mut tokens = String::new();
    for _ in 0..scale.hot.min(200) {
        tokens = tokens + &text(&post("/v1/api-keys", new_key(&account))?, "token")? + "\n";
    }
    let file = bench.scratch().join("tokens-of-others");
    fs::write(&file, &tokens)?;
    let others = requests(server.internal, Tokens::first(tokens.lines().count(), file)?);

    // What ends is in use, as far as memory keeps it.
    requests(server.internal, bench.tokens(0..scale.at_once)?).send(&bench.full(8), 0, bench.scratch())?;
    others.send(&bench.full(8), 0, bench.scratch())?;
    server.process.settle()?;
    let load = bench.gentle();
    let quiet = others.send(&load, 0, bench.scratch())?;
    let revoke = format!("/v1/credentials/revoke?kind=api_key&principal_id={}", site.customer.service_account);
    let matched = post(&revoke, json!({}))?["matched"].clone();
    let (during, (count, took)) = thread::scope(|scope| {
        let revoking = scope.spawn(|| {
            let began = now();
            let done = post(&revoke, json!({ "expected": matched, "reason": "compromised" }))?;
            Ok::<_, Box<dyn std::error::Error + Send + Sync>>((done["revoked"].as_u64(), began.elapsed()))
        });
        let during = others.send(&load, 0, bench.scratch());
        let revoked = revoking.join().map_err(|_| "whoever revokes panicked")?;
        Ok::<_, Box<dyn std::error::Error + Send + Sync>>((during?, revoked?))
    })?;
    let count = count.filter(|count| *count >= scale.at_once as u64).ok_or("not all of them were revoked")?;
    report(bench, format!("{count} keys revoked by one request, in {:.1} s", took.as_secs_f64()), quiet, during);
    Ok(())
}

fn report(bench: &mut Bench, what: String, quiet: Outcome, during: Outcome) {
    let ratio = during.p99.as_secs_f64() / quiet.p99.as_secs_f64();
    let row = Row::at_most(what + ": p99 of others", "≤ 2 × quiet", ratio, 2.0);
    bench.report(row.with(format!("quiet {}", micros(quiet.p99)), micros(during.p99), Some(ratio)));
}
