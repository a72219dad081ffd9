//! `/v1/forward-auth`, asked directly.

use crate::{Result, compare::Side, customer::PERMISSION, process::SERVER, report::Row, run::Bench, wrk::Requests};

pub(crate) fn warm(bench: &mut Bench) -> Result<()> {
    let (site, scale) = (bench.many()?, bench.scale);
    let server = site.serve(SERVER)?;
    let bare = server.bare(SERVER, &site.customer.token, bench.scratch())?;
    let line = format!("GET /v1/forward-auth?permission={PERMISSION} HTTP/1.1");
    let head = [&line, "Authorization: Bearer {token}", "X-Forwarded-For: 203.0.113.7"];
    let ours = Requests::new(server.internal, &head, "", bench.tokens(0..scale.hot)?);
    ours.send(&bench.full(8), 0, bench.scratch())?;
    let sides = Side::pair(&bare, &server.process, ours);
    let (most, same) = (bench.saturated(&sides)?, bench.paced(&sides)?);
    let what = &format!("forward-auth, warm, {} keys in use", scale.hot);
    bench.report(Row::cost(what, 1.25, &most[0], &most[1]));
    bench.report(Row::p99(what, 2.0, &same[0], &same[1]).without_goal());
    bench.report(Row::most(what, &most[0], &most[1]));
    Ok(())
}
