//! The OAuth endpoints that services call all the time: a token for a client secret, and what an opaque token is worth.

use std::collections::BTreeMap;

use claviger_core::TokenFormat;
use claviger_token::SigningAlgorithm;

use crate::{
    Result,
    bare::{self, Answer},
    compare::Side,
    process::SERVER,
    report::Row,
    run::Bench,
    service::{self, INTROSPECT, Service, TOKEN},
    signature::Raw,
};

/// Each request gets a new token; its secret is checked, and its use is counted.
pub(crate) fn tokens(bench: &mut Bench) -> Result<()> {
    let site = bench.few()?;
    let server = site.serve(SERVER)?;
    let service = Service::new(&site, &server)?;
    for algorithm in SigningAlgorithm::ALL {
        site.issue(&server, algorithm, TokenFormat::Jwt)?;
        let token = service.token(&server)?;
        let answer = Answer::like(service.send(&server, TOKEN, &service::form())?)?;
        let bare = bare::start(SERVER, &BTreeMap::from([(TOKEN, answer)]), bench.scratch())?;
        let ours = service.token_requests(bench, &server)?;
        ours.send(&bench.full(8), 0, bench.scratch())?;
        let sides = Side::pair(&bare, &server.process, ours);
        let (raw, most) = Raw::around(algorithm, &token, || bench.saturated(&sides))?;
        let what = format!("`POST /oauth/token`, client credentials, {algorithm}");
        let row = Row::cost_beside(&what, ("signature", raw.signing), 2.0, &most[0], &most[1]);
        // For whoever knows nothing else: its signature is all that it costs.
        let has_goal = algorithm != SigningAlgorithm::Rs256;
        bench.report(if has_goal { row } else { row.without_goal() });
        bench.report(Row::most(&what, &most[0], &most[1]));
    }
    Ok(())
}

pub(crate) fn introspection(bench: &mut Bench) -> Result<()> {
    let (site, scale) = (bench.few()?, bench.scale);
    let server = site.serve(SERVER)?;
    let service = Service::new(&site, &server)?;
    site.issue(&server, SigningAlgorithm::default(), TokenFormat::Opaque)?;
    let tokens = service.tokens(bench, &server, scale.hot)?;
    let form = format!("token={}", tokens.any()?);
    let told = service.send(&server, INTROSPECT, &form)?.json()?;
    if !service::is_active(&told) {
        return Err(format!("a token is not active: {told}").into());
    }
    let answer = Answer::like(service.send(&server, INTROSPECT, &form)?)?;
    let bare = bare::start(SERVER, &BTreeMap::from([(INTROSPECT, answer)]), bench.scratch())?;
    let ours = service.requests(&server, INTROSPECT, "token={token}", tokens);
    ours.send(&bench.full(8), 0, bench.scratch())?;
    let sides = Side::pair(&bare, &server.process, ours);
    let most = bench.saturated(&sides)?;
    let what = format!("`POST /oauth/introspect` of an opaque token, {} in use", scale.hot);
    bench.report(Row::cost(&what, 1.5, &most[0], &most[1]));
    bench.report(Row::most(&what, &most[0], &most[1]));
    Ok(())
}
