//! `POST /v1/verify` of the sidecar: from what is kept, or by Claviger.

use std::time::Duration;

use axum::{extract::Request, response::Response};
use claviger_sdk::{Asked, Facts, judge_facts};
use claviger_token::{Found, OneOrMany, Presented, Proof, Verdict, VerifyAnswer, VerifyRequest, state};

use super::{
    Inner, State,
    metrics::{Source, Surface},
};
use crate::{
    body::{self, JSON},
    inside::Inside,
    problem::RequestError,
    verify::{json, must_make_sense, respond},
};

/// The same question and the same answer as on the internal listener, but for `X-Claviger-Position`: nobody can follow this one.
pub(crate) async fn verify(
    _: Inside,
    axum::extract::State(State(inner)): axum::extract::State<State>,
    request: Request,
) -> Result<Response, RequestError> {
    let bytes = body::read(request, JSON).await?;
    let asked: VerifyRequest = body::parse(&bytes)?;
    must_make_sense(&asked)?;
    let answered = match kept(&inner, &asked).await {
        Ok(Some(answer)) => {
            inner.metrics.answered(Surface::Verify, Source::Memory);
            return Ok(answer);
        }
        Ok(None) => inner.upstream.verify(bytes).await,
        Err(error) => Err(error),
    };
    inner.metrics.answered(Surface::Verify, if answered.is_ok() { Source::Claviger } else { Source::Nobody });
    answered
}

/// What can be answered from what is known of the credential as such.
async fn kept(inner: &Inner, asked: &VerifyRequest) -> Result<Option<Response>, RequestError> {
    if asked.proof.is_some() {
        // Somebody must see that each comes once.
        return Ok(None);
    }
    Ok(match inner.facts(asked.credential.0.expose()).await? {
        Facts::Valid(found, left) => Some(answer(inner, asked, &found, left)),
        Facts::Refused(_, Some(body)) => Some(respond(body.to_vec())),
        Facts::Refused(refusal, None) => {
            Some(json(&VerifyAnswer::new(Verdict::Refused(refusal), None, inner.keeper.now())))
        }
        Facts::Asked => None,
    })
}

fn answer(inner: &Inner, asked: &VerifyRequest, found: &Found, left: Duration) -> Response {
    let now = inner.keeper.now();
    let verdict = if asked.state_only {
        state(&Presented::WellFormed, Some(found), now)
    } else {
        let asked = Asked {
            audience: asked.audience.as_deref(),
            environment: asked.environment,
            permissions: &asked.permissions,
            objects: asked.object.as_ref().map_or(&[], OneOrMany::as_slice),
            whatever_object: false,
            client_ip: asked.client_ip,
            proof: Proof::NONE,
        };
        let verdict = judge_facts(found, &asked, now);
        inner.keeper.count(found, verdict, asked.permissions, asked.client_ip);
        verdict
    };
    let mut answer = VerifyAnswer::new(verdict, Some(found), now);
    // It was kept here already: both together keep it no longer than Claviger said.
    if let Some(Some(cache)) = &mut answer.cache {
        cache.max_age_seconds = cache.max_age_seconds.min(left.as_secs());
    }
    json(&answer)
}
