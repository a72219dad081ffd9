//! What a 404 and a 405 say: what was looked for, and where to look next. All of it follows from the path of the request, so that it
//! tells nobody whether there is such a thing somewhere else.

use axum::{
    extract::{Request, State},
    http::{Method, StatusCode, Uri, header},
    middleware::Next,
    response::{IntoResponse, Response},
};

use crate::{
    accepted::accepts,
    app::App,
    console::{Trouble, framed},
    log::bounded,
    problem::Problem,
};

/// Marks an answer about something that is not there, for the layer that knows the path.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Absent;

/// How much of a caller's path is repeated.
const LONGEST: usize = 100;

/// Says of what is not there what it is.
pub(crate) async fn named(request: Request, next: Next) -> Response {
    let (method, uri) = (request.method().clone(), request.uri().clone());
    let response = next.run(request).await;
    if response.extensions().get::<Absent>().is_none() {
        return response;
    }
    let Some(detail) = told(&method, &uri) else { return response };
    let (mut parts, _) = response.into_parts();
    let (told, body) = Problem::new(StatusCode::NOT_FOUND, "not_found", detail).into_response().into_parts();
    parts.headers.extend(told.headers);
    Response::from_parts(parts, body)
}

/// Below these no page is: who looks there for one with a browser is somebody who calls the API.
const NOT_OF_PAGES: [&str; 6] = ["v1", "oauth", ".well-known", "health", "docs", "openapi.json"];

/// No route has this path.
pub(crate) async fn no_such_path(request: Request) -> Response {
    if is_for_a_page(&request) {
        return Trouble::Absent.into_response();
    }
    let path = bounded(request.uri().path(), LONGEST);
    let detail = format!(
        "there is no {} {path}; GET /openapi.json lists all that there is, and /docs shows it",
        request.method()
    );
    Problem::new(StatusCode::NOT_FOUND, "not_found", detail).into_response()
}

/// The path is right and the method is not.
pub(crate) async fn no_such_method(request: Request) -> Response {
    let is_opened = request.method().is_safe() && is_for_a_page(&request);
    if is_opened { Trouble::OtherMethod.into_response() } else { method_not_allowed().await.into_response() }
}

/// Where no page is.
pub(crate) async fn method_not_allowed() -> Problem {
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "this path has other methods; see Allow")
}

/// Around these two: a browser is told so by a page.
pub(crate) async fn on_a_page(app: State<App>, request: Request, next: Next) -> Response {
    if is_for_a_page(&request) { framed(app, request, next).await } else { next.run(request).await }
}

fn is_for_a_page(request: &Request) -> bool {
    let first = request.uri().path().split('/').nth(1).unwrap_or_default();
    !NOT_OF_PAGES.contains(&first) && accepts(request.headers(), &header::ACCEPT, &["text/html"])
}

/// The same on the internal listener.
pub(crate) async fn no_such_path_inside(method: Method, uri: Uri) -> Problem {
    let path = bounded(uri.path(), LONGEST);
    let detail = format!(
        "there is no {method} {path} on the internal listener: it has POST /v1/verify, /v1/forward-auth, \
         Envoy's Authorization/Check, POST /v1/mqtt/…, GET /v1/changes, POST /v1/usage-reports, GET /metrics, GET /health/live and GET /health/ready; all else is on the public one"
    );
    Problem::new(StatusCode::NOT_FOUND, "not_found", detail)
}

/// The same at a sidecar.
pub(crate) async fn no_such_path_at_sidecar(method: Method, uri: Uri) -> Problem {
    let path = bounded(uri.path(), LONGEST);
    let detail = format!(
        "there is no {method} {path} at a sidecar: it has POST /v1/verify, /v1/forward-auth, GET /metrics, GET /health/live and \
         GET /health/ready; all else is at Claviger"
    );
    Problem::new(StatusCode::NOT_FOUND, "not_found", detail)
}

/// `/v1/{nouns}/{id}`, and perhaps `/{nouns}/{id}` of it once more.
fn told(method: &Method, uri: &Uri) -> Option<String> {
    let mut segments = uri.path().strip_prefix("/v1/")?.split('/').filter(|segment| !segment.is_empty());
    let (nouns, id) = (segments.next()?, segments.next()?);
    let (what, shown, list) = match (segments.next(), segments.next()) {
        (Some(parts), Some(part)) => {
            let what = format!("{} {} of {} {}", one(parts), bounded(part, LONGEST), one(nouns), bounded(id, LONGEST));
            (what, part, format!("/v1/{nouns}/{}/{parts}", bounded(id, LONGEST)))
        }
        // What is taken away is a thing; what is posted is done to one.
        (Some(part), None) if method == Method::DELETE => {
            (format!("{} of {} {}", one(part), one(nouns), bounded(id, LONGEST)), id, format!("/v1/{nouns}"))
        }
        (Some(_) | None, _) => (format!("{} {}", one(nouns), bounded(id, LONGEST)), id, format!("/v1/{nouns}")),
    };
    Some(format!(
        "there is no {what}, or not for you; GET {list} lists those that you may see, and GET /v1/audit-events?target={} what \
         became of one that was",
        bounded(shown, LONGEST)
    ))
}

/// `service-accounts` is a list of service accounts.
fn one(nouns: &str) -> String {
    let words = bounded(nouns, LONGEST).replace('-', " ");
    let word = words.strip_suffix('s').unwrap_or(&words);
    if word == "api" || word.starts_with("api ") { word.replacen("api", "API", 1) } else { word.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_looked_for_is_named_and_where_to_look() {
        let check = |method: Method, path: &str, parts: &[&str]| {
            let told = told(&method, &path.parse().unwrap()).unwrap();
            assert!(parts.iter().all(|part| told.contains(part)), "{path}: {told}");
        };
        check(Method::GET, "/v1/api-keys/key_1", &["no API key key_1, or", "GET /v1/api-keys lists", "?target=key_1 "]);
        check(Method::POST, "/v1/api-keys/key_1/revoke", &["no API key key_1, or", "GET /v1/api-keys lists"]);
        check(Method::GET, "/v1/apis/api_1", &["no API api_1, or", "GET /v1/apis lists"]);
        check(Method::PATCH, "/v1/organizations/org_1/policy", &["no organization org_1, or"]);
        check(Method::DELETE, "/v1/users/user_1/second-factor", &["no second factor of user user_1, or"]);
        let member = ["no member user_1 of organization org_1, or", "GET /v1/organizations/org_1/members lists"];
        check(Method::PUT, "/v1/organizations/org_1/members/user_1", &member);
        let secret = ["no secret csec_1 of service account sa_1, or", "GET /v1/service-accounts/sa_1/secrets lists"];
        check(Method::POST, "/v1/service-accounts/sa_1/secrets/csec_1/roll", &secret);
        let token = "clv_key_abcdefghijklmnopqrstuvwxyzABCDEF012345";
        check(Method::GET, &format!("/v1/api-keys/{token}"), &["no API key [redacted], or", "?target=[redacted] "]);
        assert_eq!(told(&Method::GET, &"/oauth/status/x".parse().unwrap()), None);
        assert_eq!(told(&Method::GET, &"/v1/token".parse().unwrap()), None);
    }
}
