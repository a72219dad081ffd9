//! What a gateway asks by the address of `/v1/forward-auth`, and the form of what it is told: a status and headers, without a body, for
//! nginx drops the connection of a subrequest that has one. The room must not know who decides, nor from what.

use axum::{
    extract::{Query, rejection::QueryRejection},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use claviger_token::{Found, Object, Permission, Refusal, Required};
use serde::Deserialize;

use crate::problem::RequestError;

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
    /// How many uses it is against limits and quotas; one if absent, and nothing for 0.
    cost: Option<String>,
    /// `1`: the gateway writes `Client-Cert`, always and itself: the certificate that its client showed, if any.
    client_certificate: Option<String>,
    /// `1`: only 200, 401 and 403, for nginx turns any other status of a subrequest into 500.
    nginx: Option<String>,
}

/// The same, read.
pub(crate) struct Wanted {
    permissions: Vec<Permission>,
    objects: Vec<Object>,
}

/// What a configuration may ask for.
const PARAMETERS: &str =
    "the parameters are permission, object, audience, cost, client_certificate and nginx, each at most once";

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

impl Asked {
    /// What is asked, if the gateway's own configuration is right, whoever asks through it.
    pub(crate) fn read(query: Result<Query<Self>, QueryRejection>, uri: &Uri) -> Result<Self, Box<Response>> {
        // Whatever else is wrong, nginx is not given a status that it cannot use.
        let says_nginx = |query: &str| query.split('&').any(|parameter| parameter == "nginx=1");
        let misconfigured = |detail| Box::new(misconfigured(uri.query().is_some_and(says_nginx), detail));
        let Ok(Query(asked)) = query else { return Err(misconfigured(PARAMETERS)) };
        if !matches!(asked.nginx.as_deref(), None | Some("1")) {
            return Err(misconfigured("nginx is 1 or is left out"));
        }
        if !matches!(asked.client_certificate.as_deref(), None | Some("1")) {
            return Err(misconfigured("client_certificate is 1 or is left out"));
        }
        if asked.cost.as_deref().is_some_and(|cost| cost.parse::<u32>().is_err()) {
            return Err(misconfigured("cost is a whole number from 0 to 4294967295, such as 1"));
        }
        Ok(asked)
    }

    pub(crate) fn wanted(&self) -> Result<Wanted, RequestError> {
        let unreadable = |code, detail: String| RequestError::unreadable(StatusCode::BAD_REQUEST, code, detail);
        if self.permission.as_deref().is_some_and(|names| names.trim().is_empty()) {
            // A variable of the gateway that is empty must not mean that anything goes.
            return Err(unreadable("empty_permission", "permission is there but names none".to_owned()));
        }
        let permissions = self.permission.as_deref().unwrap_or_default().split_whitespace();
        let permissions = permissions.map(str::parse::<Permission>).collect::<Result<_, _>>();
        let object = self.object.as_deref().map(str::parse::<Object>).transpose();
        Ok(Wanted {
            permissions: permissions.map_err(|error| unreadable("invalid_permission", format!("{error}")))?,
            objects: object.map_err(|error| unreadable("invalid_object", format!("{error}")))?.into_iter().collect(),
        })
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

impl Wanted {
    pub(crate) fn required<'a>(&'a self, asked: &'a Asked) -> Required<'a> {
        Required {
            audience: asked.audience.as_deref(),
            permissions: &self.permissions,
            objects: &self.objects,
            whatever_object: false,
        }
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
