//! `POST /v1/verify` of access tokens that are JWTs: those that were seen before, and those that come for the first time,
//! whose signature has to be checked.

use std::{collections::BTreeMap, time::Duration};

use claviger_core::TokenFormat;
use claviger_token::SigningAlgorithm;

use crate::{
    Result,
    bare::{self, Answer},
    compare::{CONNECTIONS, Side},
    process::SERVER,
    report::Row,
    run::Bench,
    service::Service,
    signature::Raw,
    verify::requests,
    wrk::Load,
};

pub(crate) fn verify(bench: &mut Bench) -> Result<()> {
    let (site, scale) = (bench.few()?, bench.scale);
    let server = site.serve(SERVER)?;
    let service = Service::new(&site, &server)?;
    for algorithm in [SigningAlgorithm::Es256, SigningAlgorithm::EdDsa] {
        site.issue(&server, algorithm, TokenFormat::Jwt)?;
        let hot = service.tokens(bench, &server, scale.hot)?;
        let token = hot.any()?;
        let answers = BTreeMap::from([("/v1/verify", Answer::like(server.verify(&token)?)?)]);
        let bare = bare::start(SERVER, &answers, bench.scratch())?;
        let sides = |tokens| Side::pair(&bare, &server.process, requests(server.internal, tokens));

        let seen = sides(hot);
        seen[1].requests.send(&bench.full(8), 0, bench.scratch())?;
        let most = bench.saturated(&seen)?;
        let what = format!("`POST /v1/verify`, {algorithm} JWT seen before, {} in use", scale.hot);
        bench.report(Row::cost(&what, 1.4, &most[0], &most[1]));
        bench.report(Row::most(&what, &most[0], &most[1]));

        let load = Load { seconds: scale.seconds.div_ceil(2), ..bench.full(CONNECTIONS) };
        let count = enough(Raw::of(algorithm, &token)?.checking, load.seconds, scale.rounds);
        let new = sides(service.tokens(bench, &server, count)?);
        let (raw, most) = Raw::around(algorithm, &token, || bench.compare(&new, &load))?;
        if most[1].requests > count {
            return Err(format!("{} verifications of {count} tokens: some were not new", most[1].requests).into());
        }
        let what = format!("`POST /v1/verify`, {algorithm} JWT for the first time");
        let check = ("signature check", raw.checking);
        bench.report(Row::cost_beside(&what, check, 1.4, &most[0], &most[1]));
        bench.report(Row::most(&what, &most[0], &most[1]));
    }
    Ok(())
}

/// More tokens than can be verified in this time, each for the first time: a verification is more than a check.
fn enough(check: Duration, seconds: u64, rounds: usize) -> usize {
    (rounds as f64 * seconds as f64 / check.as_secs_f64()).ceil() as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_as_many_new_tokens_as_a_core_can_check() {
        assert_eq!(enough(Duration::from_micros(50), 2, 3), 120_000);
    }
}
