//! The tower layer: finds the credential of a request, asks for the verdict, and lets the request through with its [`Identity`], or answers
//! as RFC 6750 says.

use std::{
    fmt,
    future::Future,
    net::IpAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use claviger_token::{Certificate, Object, Permission, PermissionError, Refusal, Verdict};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header, request::Parts};
use tower::{Layer, Service};

use crate::{
    claviger::{Checked, Claviger, Proved, Use, may_be_a_credential},
    identity::Identity,
};

type ObjectsOf = Arc<dyn Fn(&Parts) -> Vec<Object> + Send + Sync>;
type PathOf = Arc<dyn Fn(&Parts) -> String + Send + Sync>;
type AddressOf = Arc<dyn Fn(&Parts) -> Option<IpAddr> + Send + Sync>;

/// A layer that lets through who has some permissions.
#[derive(Clone)]
pub struct Guard {
    claviger: Claviger,
    permissions: Arc<[Permission]>,
    objects: Option<ObjectsOf>,
    whatever_object: bool,
    client_ip: Option<AddressOf>,
    path: Option<PathOf>,
    test_too: bool,
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard").field("permissions", &self.permissions).finish_non_exhaustive()
    }
}

impl Claviger {
    /// A layer that lets through whoever has this permission.
    pub fn require(&self, permission: &str) -> Result<Guard, PermissionError> {
        self.require_all([permission])
    }

    /// The same of several; of none, whoever has a credential for this API.
    pub fn require_all<'a>(&self, permissions: impl IntoIterator<Item = &'a str>) -> Result<Guard, PermissionError> {
        let permissions = permissions.into_iter().map(str::parse).collect::<Result<Vec<Permission>, _>>()?;
        let claviger = self.clone();
        Ok(Guard {
            claviger,
            permissions: permissions.into(),
            objects: None,
            whatever_object: false,
            client_ip: None,
            path: None,
            test_too: false,
        })
    }
}

impl Guard {
    /// Which objects a request is about. Without, a credential that is for some objects only is refused.
    #[must_use]
    pub fn objects(mut self, of: impl Fn(&Parts) -> Vec<Object> + Send + Sync + 'static) -> Self {
        self.objects = Some(Arc::new(of));
        self
    }

    /// Lets a credential through that is for some objects only: the handler asks [`Identity::is_for`]. One that the instance must be
    /// asked about each time, because it is limited or bound, is refused.
    #[must_use]
    pub fn whatever_object(mut self) -> Self {
        self.whatever_object = true;
        self
    }

    /// Where a request comes from. Without, a credential that is for some networks only is refused.
    #[must_use]
    pub fn client_ip(mut self, of: impl Fn(&Parts) -> Option<IpAddr> + Send + Sync + 'static) -> Self {
        self.client_ip = Some(Arc::new(of));
        self
    }

    /// The path by which clients reach a request, as a proof of possession names it. Without, it is that of the request, from which
    /// routers that are nested take a part away: of `axum` its `OriginalUri` says it.
    #[must_use]
    pub fn path(mut self, of: impl Fn(&Parts) -> String + Send + Sync + 'static) -> Self {
        self.path = Some(Arc::new(of));
        self
    }

    /// Lets credentials of the test environment through as well: the handler asks [`Identity::is_test`].
    #[must_use]
    pub fn test_too(mut self) -> Self {
        self.test_too = true;
        self
    }

    async fn admit(&self, parts: &Parts) -> Result<(Identity, Option<Proved>), Refused> {
        let presented = presented(&parts.headers)?.ok_or(Refused::Nothing)?;
        let objects = self.objects.as_ref().map(|of| of(parts)).unwrap_or_default();
        let path = self.path.as_ref().map(|of| of(parts));
        let asked = Use {
            permissions: &self.permissions,
            objects: &objects,
            whatever_object: self.whatever_object,
            client_ip: self.client_ip.as_ref().and_then(|of| of(parts)),
            method: &parts.method,
            path: path.as_deref().unwrap_or(parts.uri.path()),
            dpop: presented.dpop,
            certificate: parts.extensions.get::<Certificate>(),
            test_too: self.test_too,
            proved: parts.extensions.get::<Proved>(),
        };
        let checked = self.claviger.check(presented.credential, &asked).await.map_err(|_| Refused::Unreachable)?;
        let Checked { verdict, found, retry_after_seconds, proved } = checked;
        match (verdict, found) {
            (Verdict::Valid, Some(found)) => Ok((Identity(found), proved)),
            (Verdict::Valid, None) => Err(Refused::Unreachable),
            (Verdict::Refused(refusal), _) => Err(Refused::Verdict(refusal, retry_after_seconds)),
        }
    }
}

#[derive(Debug)]
enum Refused {
    Nothing,
    Ambiguous,
    Verdict(Refusal, Option<u64>),
    Unreachable,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Scheme {
    Bearer,
    Dpop,
    Key,
}

struct Presented<'a> {
    credential: &'a str,
    dpop: Option<&'a str>,
}

/// The credential of a request. Two of them, or two proofs, are nobody's.
fn presented(headers: &HeaderMap) -> Result<Option<Presented<'_>>, Refused> {
    let authorization = one(headers, "authorization")?.and_then(|value| {
        let (scheme, credential) = value.trim().split_once(' ')?;
        let schemes = [("bearer", Scheme::Bearer), ("dpop", Scheme::Dpop)];
        let scheme = schemes.into_iter().find(|(name, _)| scheme.eq_ignore_ascii_case(name))?.1;
        Some((credential.trim(), scheme))
    });
    let key = one(headers, "x-api-key")?.map(str::trim);
    let dpop = one(headers, "dpop")?;
    let (credential, scheme) = match (authorization, key) {
        (Some((credential, _)), Some(key)) if credential != key => return Err(Refused::Ambiguous),
        (Some(authorization), _) => authorization,
        (None, Some(key)) => (key, Scheme::Key),
        (None, None) => return Ok(None),
    };
    if !may_be_a_credential(credential) {
        return Err(Refused::Verdict(Refusal::Malformed, None));
    }
    match (scheme, dpop) {
        // RFC 9449, section 7.2: what is bound must not be taken as if it were not.
        (Scheme::Bearer, Some(_)) => Err(Refused::Verdict(Refusal::ProofInvalid, None)),
        (Scheme::Dpop, None) => Err(Refused::Verdict(Refusal::ProofRequired, None)),
        (Scheme::Bearer | Scheme::Dpop | Scheme::Key, dpop) => Ok(Some(Presented { credential, dpop })),
    }
}

fn one<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a str>, Refused> {
    let mut values = headers.get_all(name).iter();
    let value = values.next().map(|value| value.to_str().map_err(|_| Refused::Ambiguous)).transpose()?;
    if values.next().is_some() { Err(Refused::Ambiguous) } else { Ok(value) }
}

impl<S> Layer<S> for Guard {
    type Service = Guarded<S>;

    fn layer(&self, inner: S) -> Guarded<S> {
        Guarded { inner, guard: self.clone() }
    }
}

/// A service behind a [`Guard`].
#[derive(Clone, Debug)]
pub struct Guarded<S> {
    inner: S,
    guard: Guard,
}

impl<S, B, R> Service<Request<B>> for Guarded<S>
where
    S: Service<Request<B>, Response = Response<R>> + Clone + Send + 'static,
    S::Future: Send,
    B: Send + 'static,
    R: Default,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<R>, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        // The one that was asked whether it is ready is the one that is called.
        let clone = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, clone);
        let guard = self.guard.clone();
        Box::pin(async move {
            let (mut parts, body) = request.into_parts();
            match guard.admit(&parts).await {
                Ok((identity, proved)) => {
                    without_claims(&mut parts.headers);
                    parts.extensions.insert(identity);
                    if let Some(proved) = proved {
                        parts.extensions.insert(proved);
                    }
                    inner.call(Request::from_parts(parts, body)).await
                }
                Err(refused) => Ok(answer(guard.claviger.issuer(), &guard.permissions, &refused)),
            }
        })
    }
}

/// What a gateway says of the caller in headers only a gateway may say.
fn without_claims(headers: &mut HeaderMap) {
    let claims = headers.keys().filter(|name| name.as_str().starts_with("x-claviger-"));
    for name in claims.cloned().collect::<Vec<_>>() {
        headers.remove(name);
    }
}

fn answer<R: Default>(issuer: &str, permissions: &[Permission], refused: &Refused) -> Response<R> {
    let mut response = Response::new(R::default());
    let (status, code, challenge, retry) = match refused {
        Refused::Nothing => (StatusCode::UNAUTHORIZED, "unauthenticated", Some(String::new()), None),
        Refused::Ambiguous => (StatusCode::BAD_REQUEST, "ambiguous_credentials", None, None),
        Refused::Unreachable => (StatusCode::SERVICE_UNAVAILABLE, "unavailable", None, Some(1)),
        Refused::Verdict(refusal, retry) => {
            let status = StatusCode::from_u16(refusal.http_status()).unwrap_or(StatusCode::UNAUTHORIZED);
            // A malformed text looks like an unknown one.
            let code = if *refusal == Refusal::Malformed { Refusal::Unknown.code() } else { refusal.code() };
            let scope: Vec<&str> = permissions.iter().map(Permission::as_str).collect();
            let challenge = match status {
                StatusCode::UNAUTHORIZED => Some(", error=\"invalid_token\"".to_owned()),
                StatusCode::FORBIDDEN => Some(format!(", error=\"insufficient_scope\", scope=\"{}\"", scope.join(" "))),
                _ => None,
            };
            (status, code, challenge, *retry)
        }
    };
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert("x-claviger-code", HeaderValue::from_static(code));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(challenge) = challenge
        && let Ok(value) = HeaderValue::from_str(&format!("Bearer realm=\"{issuer}\"{challenge}"))
    {
        headers.insert(header::WWW_AUTHENTICATE, value);
    }
    if let Some(seconds) = retry {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::claviger::LONGEST;

    fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, HeaderValue::from_static(value));
        }
        headers
    }

    #[derive(serde::Deserialize)]
    struct Requests {
        issuer: String,
        cases: Vec<RequestCase>,
        refusals: Vec<RefusalCase>,
    }

    #[derive(serde::Deserialize)]
    struct RequestCase {
        name: String,
        headers: Vec<(String, String)>,
        credential: Option<String>,
        dpop: Option<String>,
        refused: Option<String>,
    }

    #[derive(serde::Deserialize)]
    struct RefusalCase {
        code: String,
        permissions: Vec<Permission>,
        retry_after_seconds: Option<u64>,
        status: u16,
        told: String,
        www_authenticate: Option<String>,
        retry_after: Option<String>,
    }

    fn requests() -> Requests {
        serde_json::from_str(include_str!("../../../vectors/requests.json")).unwrap()
    }

    #[test]
    fn every_request_is_read_as_the_vectors_say() {
        for case in requests().cases {
            let mut headers = HeaderMap::new();
            for (name, value) in &case.headers {
                // As Latin-1.
                let bytes: Vec<u8> = value.chars().map(|character| u8::try_from(character).unwrap()).collect();
                let name = http::HeaderName::try_from(name).unwrap();
                headers.append(name, HeaderValue::from_bytes(&bytes).unwrap());
            }
            let read = presented(&headers);
            let refused = match &read {
                Ok(found) => found.is_none().then_some("unauthenticated"),
                Err(Refused::Verdict(refusal, _)) => Some(refusal.code()),
                Err(Refused::Ambiguous) => Some("ambiguous_credentials"),
                Err(other) => panic!("{other:?}"),
            };
            assert_eq!(refused, case.refused.as_deref(), "{}", case.name);
            let found = read.ok().flatten();
            let shown = found.map(|found| (found.credential.to_owned(), found.dpop.map(str::to_owned)));
            assert_eq!(shown, case.credential.map(|credential| (credential, case.dpop)), "{}", case.name);
        }
    }

    #[test]
    fn every_refusal_is_told_as_the_vectors_say() {
        let Requests { issuer, refusals, .. } = requests();
        for case in refusals {
            let refused = match case.code.as_str() {
                "unauthenticated" => Refused::Nothing,
                "ambiguous_credentials" => Refused::Ambiguous,
                "unavailable" => Refused::Unreachable,
                code => {
                    let refusal = Refusal::ALL.into_iter().find(|refusal| refusal.code() == code).unwrap();
                    Refused::Verdict(refusal, case.retry_after_seconds)
                }
            };
            let response: Response<()> = answer(&issuer, &case.permissions, &refused);
            let header = |name: &str| response.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
            assert_eq!(response.status().as_u16(), case.status, "{}", case.code);
            let expected = (Some(case.told), case.www_authenticate, case.retry_after);
            let told = (header("x-claviger-code"), header("www-authenticate"), header("retry-after"));
            assert_eq!(told, expected, "{}", case.code);
            assert_eq!(header("cache-control").as_deref(), Some("no-store"));
        }
    }

    #[test]
    fn what_a_client_says_in_the_headers_of_a_gateway_is_taken_away() {
        let mut headers =
            headers(&[("x-claviger-principal", "usr_1"), ("x-claviger-principal", "x"), ("x-other", "1")]);
        headers.insert("x-claviger-permissions", HeaderValue::from_static("a:admin"));
        without_claims(&mut headers);
        assert_eq!(headers.keys().map(http::HeaderName::as_str).collect::<Vec<_>>(), ["x-other"]);
    }

    #[test]
    fn what_is_too_long_is_not_looked_at() {
        let mut long = headers(&[]);
        long.insert("x-api-key", HeaderValue::from_str(&"a".repeat(LONGEST + 1)).unwrap());
        assert!(matches!(presented(&long), Err(Refused::Verdict(Refusal::Malformed, None))));
    }
}
