//! `/v1/forward-auth` of the sidecar. What is kept lets through, and says 403; all else is Claviger's to say, who knows where else an API
//! takes credentials, and which challenge a client is to see.

use axum::{
    extract::{Query, Request, rejection::QueryRejection},
    http::{HeaderMap, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use claviger_sdk::{Asked as AskedOf, Facts, has_form_of_a_credential, judge_facts};
use claviger_token::{Proof, Verdict};

use super::{
    Inner, State,
    metrics::{Source, Surface},
};
use crate::{
    client_certificate,
    inside::Inside,
    presented::{credential, proof, queries},
    problem::RequestError,
    proof::Carried,
    verify::{Asked, facts, failed, insufficient, several},
};

/// Any method, as on the internal listener.
pub(crate) async fn forward_auth(
    _: Inside,
    axum::extract::State(State(inner)): axum::extract::State<State>,
    asked: Result<Query<Asked>, QueryRejection>,
    request: Request,
) -> Response {
    let (parts, _) = request.into_parts();
    let asked = match Asked::read(asked, &parts.uri) {
        Ok(asked) => asked,
        Err(response) => return *response,
    };
    let (source, answered) = match kept(&inner, &asked, &parts.headers).await {
        Ok(Some(response)) => (Source::Memory, Ok(response)),
        Ok(None) => (Source::Claviger, passed_on(&inner, &parts).await),
        Err(error) => (Source::Memory, Err(error)),
    };
    let response = answered.unwrap_or_else(failed);
    let is_nobodys = response.status() == StatusCode::SERVICE_UNAVAILABLE;
    inner.metrics.answered(Surface::ForwardAuth, if is_nobodys { Source::Nobody } else { source });
    asked.told(response)
}

async fn passed_on(inner: &Inner, parts: &Parts) -> Result<Response, RequestError> {
    inner.upstream.forward_auth(&parts.uri, &parts.headers).await
}

/// What can be answered from what is known of the credential as such.
async fn kept(inner: &Inner, asked: &Asked, headers: &HeaderMap) -> Result<Option<Response>, RequestError> {
    let question = asked.named()?;
    if !asked.is_of_facts() || proof(headers) != Carried::Nothing || may_be_elsewhere(headers) {
        return Ok(None);
    }
    let Some(presented) = credential(headers).map_err(several)? else { return Ok(None) };
    if asked.tells_certificate() {
        // Only what is bound to one needs it, and that is asked about; but it must be one.
        client_certificate::told(headers)?;
    }
    let Facts::Valid(found, _) = inner.facts(presented).await? else { return Ok(None) };
    if found.credential.networks.is_some() {
        // Which proxies are trusted to say where a request comes from is Claviger's setting.
        return Ok(None);
    }
    let required = question.required();
    let of_facts = AskedOf {
        audience: required.audience,
        environment: required.environment,
        permissions: required.permissions,
        objects: required.objects,
        whatever_object: false,
        client_ip: None,
        proof: Proof::NONE,
    };
    let verdict = judge_facts(&found, &of_facts, inner.keeper.now());
    // What is passed on is counted there.
    let count = || inner.keeper.count(&found, verdict, required.permissions, None);
    Ok(match verdict {
        Verdict::Valid => {
            count();
            let mut response = StatusCode::OK.into_response();
            *response.headers_mut() = facts(&found);
            Some(response)
        }
        Verdict::Refused(refusal) if refusal.http_status() == 403 => {
            count();
            Some(insufficient(refusal, required.permissions))
        }
        Verdict::Refused(_) => None,
    })
}

/// Whether another credential may stand where the API takes one: then it is Claviger who knows which counts.
fn may_be_elsewhere(headers: &HeaderMap) -> bool {
    let is_basic = |value: &header::HeaderValue| {
        value.as_bytes().get(..6).is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"basic "))
    };
    headers.get_all(header::AUTHORIZATION).iter().any(is_basic)
        || queries(headers).flat_map(url::form_urlencoded::parse).any(|(_, value)| has_form_of_a_credential(&value))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn a_credential_that_may_stand_elsewhere_is_noticed() {
        let check = |name: &'static str, value: &'static str, expected: bool| {
            let mut headers = HeaderMap::new();
            headers.insert(name, HeaderValue::from_static(value));
            assert_eq!(may_be_elsewhere(&headers), expected, "{name}: {value}");
        };
        check("authorization", "Bearer abc", false);
        check("authorization", "bASIC YTpi", true);
        check("x-original-uri", "/invoices?page=2&sort=name", false);
        check("x-original-uri", "/?key=clv_key_000000000000000000000000000000001H8smx", true);
        check("x-forwarded-uri", "/?a=b&key=clv%5Fkey%5F000000000000000000000000000000001H8smx", true);
        check("x-forwarded-uri", "/?key=eyJhbGciOiJFUzI1NiJ9.e30.c2ln", true);
    }
}
