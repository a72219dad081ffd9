//! What a gateway asks by the address of `/v1/forward-auth`, and the form of what it is told: a status and headers, without a body, for
//! nginx drops the connection of a subrequest that has one. The room must not know who decides, nor from what.

use axum::{
    extract::{Query, rejection::QueryRejection},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use claviger_token::{Environment, Found, Permission, Refusal};
use serde::Deserialize;

use super::question::Question;
use crate::{log, problem::RequestError};

/// What the gateway's configuration asks for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Asked {
    /// One permission, or several separated by spaces; all must be held.
    permission: Option<String>,
    /// One object.
    object: Option<String>,
    /// The identifier of the API behind the gateway.
    audience: Option<String>,
    /// The identifier of the API whose route rules say what is asked, instead of the three above.
    api: Option<String>,
    /// Which data are behind the gateway, `live` or `test`: credentials for others are refused.
    environment: Option<Environment>,
    /// `1`: an assertion for the API that is asked for comes along.
    assertion: Option<String>,
    /// How many uses it is against limits and quotas; one if absent, and nothing for 0.
    cost: Option<String>,
    /// `1`: the gateway writes `Client-Cert`, always and itself: the certificate that its client showed, if any.
    client_certificate: Option<String>,
    /// `1`: only 200, 401 and 403, for nginx turns any other status of a subrequest into 500.
    nginx: Option<String>,
}

/// What a configuration may ask for.
const PARAMETERS: &str = "the parameters are permission, object, audience, api, environment (live or test), assertion, cost, client_certificate and nginx, each at most once";

/// What is wrong with a configuration, in words: for whoever wrote it, since answers have no body.
const DETAIL: HeaderName = HeaderName::from_static("x-claviger-detail");
pub(crate) const CODE: HeaderName = HeaderName::from_static("x-claviger-code");
const PRINCIPAL: HeaderName = HeaderName::from_static("x-claviger-principal");
const PRINCIPAL_TYPE: HeaderName = HeaderName::from_static("x-claviger-principal-type");
const ORGANIZATION: HeaderName = HeaderName::from_static("x-claviger-organization");
const CREDENTIAL: HeaderName = HeaderName::from_static("x-claviger-credential");
const ENVIRONMENT: HeaderName = HeaderName::from_static("x-claviger-environment");
const PERMISSIONS: HeaderName = HeaderName::from_static("x-claviger-permissions");
const OBJECTS: HeaderName = HeaderName::from_static("x-claviger-objects");
pub(super) const ASSERTION: HeaderName = HeaderName::from_static("x-claviger-assertion");

/// All that is said of a caller, of some callers a part.
pub(super) const SAID: [HeaderName; 8] =
    [PRINCIPAL, PRINCIPAL_TYPE, ORGANIZATION, CREDENTIAL, ENVIRONMENT, PERMISSIONS, OBJECTS, ASSERTION];

impl Asked {
    /// What is asked, if the gateway's own configuration is right, whoever asks through it.
    pub(crate) fn read(query: Result<Query<Self>, QueryRejection>, uri: &Uri) -> Result<Self, Box<Response>> {
        // Whatever else is wrong, nginx is not given a status that it cannot use.
        let says_nginx = |query: &str| query.split('&').any(|parameter| parameter == "nginx=1");
        let by_nginx = uri.query().is_some_and(says_nginx);
        let asked = query.map_err(|_| PARAMETERS).and_then(|Query(asked)| asked.sound());
        asked.map_err(|detail| Box::new(misconfigured(by_nginx, detail)))
    }

    /// The same of a gateway that has no query, or what is wrong with what it names.
    pub(super) fn told_otherwise(asked: Result<Self, &'static str>) -> Result<Self, Box<Response>> {
        let asked = asked.and_then(Self::sound);
        asked.map_err(|detail| Box::new(misconfigured(false, detail)))
    }

    /// Itself, if all of it makes sense together; else what does not.
    fn sound(self) -> Result<Self, &'static str> {
        if !matches!(self.nginx.as_deref(), None | Some("1")) {
            return Err("nginx is 1 or is left out");
        }
        if !matches!(self.client_certificate.as_deref(), None | Some("1")) {
            return Err("client_certificate is 1 or is left out");
        }
        match self.assertion.as_deref() {
            None => {}
            Some("1") if self.api.is_some() || self.audience.is_some() => {}
            Some("1") => return Err("an assertion is for one API, which api or audience names"),
            Some(_) => return Err("assertion is 1 or is left out"),
        }
        if self.api.is_some() && (self.permission.is_some() || self.object.is_some() || self.audience.is_some()) {
            return Err("the route rules of api say which permission, object and audience are asked for");
        }
        if self.cost.as_deref().is_some_and(|cost| cost.parse::<u32>().is_err()) {
            return Err("cost is a whole number from 0 to 4294967295, such as 1");
        }
        Ok(self)
    }

    /// The API whose route rules say what is asked.
    pub(super) fn api(&self) -> Option<&str> {
        self.api.as_deref()
    }

    /// Which data are behind it.
    pub(super) fn environment(&self) -> Option<Environment> {
        self.environment
    }

    pub(super) fn wants_assertion(&self) -> bool {
        self.assertion.is_some()
    }

    /// Whether the facts about a credential answer it: neither rules of an API nor a signature are asked for.
    pub(crate) fn is_of_facts(&self) -> bool {
        self.api.is_none() && self.assertion.is_none()
    }

    /// What it names of what a credential must allow.
    pub(crate) fn named(&self) -> Result<Question<'_>, RequestError> {
        let named = Question::named(self.permission.as_deref(), self.object.as_deref(), self.audience.as_deref());
        named.map(|question| question.about(self.environment))
    }

    /// How many uses it is.
    pub(crate) fn cost(&self) -> u32 {
        // Read before.
        self.cost.as_deref().and_then(|cost| cost.parse().ok()).unwrap_or(1)
    }

    /// Whether the gateway says by itself which certificate its client showed. Else a client may have written the header: many gateways
    /// pass on all that it sent.
    pub(crate) fn tells_certificate(&self) -> bool {
        self.client_certificate.is_some()
    }

    /// An answer in the form that this gateway can use.
    pub(crate) fn told(&self, response: Response) -> Response {
        if self.nginx.is_some() { for_nginx(response) } else { emptied(response) }
    }
}

/// What the gateway passes on about a valid credential.
pub(crate) fn facts(found: &Found) -> HeaderMap {
    let mut headers = told_headers("valid");
    let mut tell = |name: HeaderName, value: String| {
        // Names of objects may be UTF-8; control characters, which alone fail here, are in none of these.
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(name, value);
        }
    };
    tell(PRINCIPAL, found.principal.id.to_string());
    tell(ORGANIZATION, found.organization.id.to_string());
    tell(CREDENTIAL, found.credential.id.to_string());
    tell(PERMISSIONS, found.rights.permissions.to_text());
    if let Some(objects) = &found.credential.objects {
        tell(OBJECTS, objects.to_text().replace('\n', " "));
    }
    headers.insert(PRINCIPAL_TYPE, HeaderValue::from_static(found.principal.id.kind().as_str()));
    headers.insert(ENVIRONMENT, HeaderValue::from_static(found.credential.environment.as_str()));
    headers
}

/// The credential counts, and may not do this.
pub(crate) fn insufficient(refusal: Refusal, permissions: &[Permission]) -> Response {
    let names: Vec<&str> = permissions.iter().map(Permission::as_str).collect();
    let scope = if names.is_empty() { String::new() } else { format!(", scope=\"{}\"", names.join(" ")) };
    let challenge = format!("Bearer realm=\"claviger\", error=\"insufficient_scope\"{scope}");
    told(StatusCode::FORBIDDEN, refusal.code(), Some(challenge))
}

pub(crate) fn told(status: StatusCode, code: &'static str, challenge: Option<String>) -> Response {
    let mut response = status.into_response();
    let headers = response.headers_mut();
    *headers = told_headers(code);
    if let Some(challenge) = challenge.and_then(|challenge| HeaderValue::from_str(&challenge).ok()) {
        headers.insert(header::WWW_AUTHENTICATE, challenge);
    }
    response
}

/// The gateway's own configuration is wrong, whoever asks through it.
fn misconfigured(by_nginx: bool, detail: &'static str) -> Response {
    let status = if by_nginx { StatusCode::FORBIDDEN } else { StatusCode::BAD_REQUEST };
    let mut response = told(status, "invalid_query", None);
    response.headers_mut().insert(DETAIL, HeaderValue::from_static(detail));
    response
}

/// What is told instead of an answer that could not be made.
pub(crate) fn failed(error: RequestError) -> Response {
    if let RequestError::Unreadable { status, code, detail } = &error {
        return unreadable(*status, code, detail);
    }
    emptied(error.into_response())
}

/// The question cannot be read, by fault of whoever configured it or of the client whose words it holds.
pub(super) fn unreadable(status: StatusCode, code: &'static str, detail: &str) -> Response {
    let code = match code {
        "invalid_query" | "unavailable" | "assertion_too_long" => code,
        _ => "bad_request",
    };
    let mut response = told(status, code, None);
    if let Ok(detail) = HeaderValue::from_str(&log::redacted(detail)) {
        response.headers_mut().insert(DETAIL, detail);
    }
    response
}

/// What every answer has.
fn told_headers(code: &'static str) -> HeaderMap {
    // For all that may follow, so that the map does not grow step by step.
    let mut headers = HeaderMap::with_capacity(16);
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from_static("0"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(CODE, HeaderValue::from_static(code));
    headers
}

/// The status of a problem document, without the document.
fn emptied(response: Response) -> Response {
    if response.headers().contains_key(CODE) {
        return response;
    }
    let code = if response.status() == StatusCode::SERVICE_UNAVAILABLE { "unavailable" } else { "bad_request" };
    told(response.status(), code, None)
}

/// 401 where the client can mend it by another credential, 403 for the rest, outages included: nginx must not let it pass.
fn for_nginx(response: Response) -> Response {
    let mut response = emptied(response);
    if !matches!(response.status(), StatusCode::OK | StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
        *response.status_mut() = StatusCode::FORBIDDEN;
    }
    response
}
