//! A service as its users reach it: one address, one credential, and answers as bytes.

use std::{error::Error, sync::Arc, time::Duration};

use clap::{Args, ValueEnum};
use claviger_token::Secret;
use reqwest::{
    Identity, Method, StatusCode,
    blocking::{Client, ClientBuilder, RequestBuilder, Response},
    header::{CONTENT_TYPE, LOCATION, RETRY_AFTER},
    redirect::Policy,
};
use serde::Deserialize;
use serde_json::Value as Json;
use url::Url;

use crate::{failure::Failure, kept_login::KeptLogin, output::printable};

/// Where the service is, if nobody says so.
const USUAL: &str = "http://127.0.0.1:7420";

/// Where the service is, and who asks.
#[derive(Debug, Args)]
#[command(next_help_heading = "Service")]
pub(crate) struct Remote {
    /// Address of the service [env: CLAVIGER_URL] [default: that of `claviger login`, or else http://127.0.0.1:7420]
    #[arg(long, global = true, value_name = "URL")]
    url: Option<String>,
    /// Your credential. Better CLAVIGER_TOKEN: flags are visible to every user of this machine [default: that of `claviger login`]
    #[arg(long, global = true, value_name = "TOKEN", value_parser = secret)]
    token: Option<Arc<Secret>>,
    /// How answers are shown; json is the service's own
    #[arg(long, global = true, value_name = "FORMAT", default_value = "table")]
    output: Output,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    Table,
    Json,
}

/// Read here and not by the parser, which shows what came from a variable as if it had to be given as a flag.
fn variable(name: &str) -> Option<String> {
    std::env::var_os(name).map(|value| value.to_string_lossy().into_owned())
}

fn secret(text: &str) -> Result<Arc<Secret>, std::convert::Infallible> {
    Ok(Arc::new(Secret::new(text.trim().to_owned())))
}

/// An error as the service tells it (RFC 9457).
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Problem {
    code: String,
    detail: String,
    errors: Vec<FieldError>,
    permission: Option<String>,
}

/// An error of an OAuth endpoint (RFC 6749, section 5.2).
#[derive(Debug, Deserialize)]
struct OAuthRefusal {
    error: String,
    error_description: String,
}

#[derive(Debug, Deserialize)]
struct FieldError {
    pointer: String,
    #[serde(default)]
    code: String,
    message: String,
}

/// Calls of one service.
pub(crate) struct Service {
    base: Url,
    token: Option<Arc<Secret>>,
    /// Whether that is the login that is kept here.
    kept: bool,
    client: Client,
    /// How its answers are shown.
    pub(crate) output: Output,
}

/// What an OAuth endpoint says to somebody who asks again and again.
pub(crate) enum Told {
    /// What was asked for.
    Answer(String),
    /// Why not, and that in words.
    Refused(String, String),
    /// Nothing that could be understood, for now.
    Nothing,
}

/// Whether a token ended.
pub(crate) enum Ended {
    /// Now.
    Now,
    /// It did not count any more.
    Before,
}

impl Remote {
    /// Where somebody is signed in.
    pub(crate) fn of(login: &KeptLogin) -> Self {
        Self { url: Some(login.url.clone()), token: Some(Arc::clone(&login.token)), output: Output::Table }
    }

    pub(crate) fn service(&self) -> Result<Service, Failure> {
        let from_shell = || variable("CLAVIGER_TOKEN").map(|text| Arc::new(Secret::new(text.trim().to_owned())));
        let given = self.token.clone().or_else(from_shell).filter(|token| !token.expose().is_empty());
        let address = self.url.clone().or_else(|| variable("CLAVIGER_URL"));
        // Not looked for in vain: who gives both may have no directory of their own.
        let kept = if given.is_some() && address.is_some() { None } else { KeptLogin::read()? };
        let url = address.as_deref().or(kept.as_ref().map(|kept| kept.url.as_str())).unwrap_or(USUAL);
        let wrong = || Failure::new(format!("{url:?} is not the address of a service; give http(s)://HOST[:PORT]"));
        let base = Url::parse(url.trim_end_matches('/')).map_err(|_| wrong())?;
        if !matches!(base.scheme(), "http" | "https") || base.host().is_none() {
            return Err(wrong());
        }
        let client = client().build()?;
        // What counts at one service is shown to no other.
        let kept = kept.filter(|kept| given.is_none() && Url::parse(&kept.url).is_ok_and(|known| known == base));
        let (token, kept) = (given.or(kept.as_ref().map(|kept| Arc::clone(&kept.token))), kept.is_some());
        if token.as_ref().is_some_and(|token| !token.expose().bytes().all(|byte| byte.is_ascii_graphic())) {
            let line = "CLAVIGER_TOKEN (or --token) is not one token: there is white space or something stranger in it";
            return Err(Failure::new(line));
        }
        Ok(Service { base, token, kept, client, output: self.output })
    }
}

/// A redirect would carry a change to where nobody asked for it.
fn client() -> ClientBuilder {
    Client::builder().timeout(Duration::from_secs(30)).redirect(Policy::none())
}

impl Service {
    /// The same, as nobody.
    pub(crate) fn without_token(self) -> Self {
        Self { token: None, kept: false, ..self }
    }

    /// The same, as whoever has this token.
    pub(crate) fn with_token(&self, token: Arc<Secret>) -> Self {
        let (base, client) = (self.base.clone(), self.client.clone());
        Self { base, token: Some(token), kept: true, client, output: self.output }
    }

    /// The same, as whoever shows a certificate and holds its key, both as PEM, when it connects.
    pub(crate) fn showing(&self, identity: &[u8]) -> Result<Self, Failure> {
        let client = client().identity(Identity::from_pem(identity)?).build()?;
        let (base, token) = (self.base.clone(), self.token.clone());
        Ok(Self { base, token, kept: self.kept, client, output: self.output })
    }

    /// Its address.
    pub(crate) fn address(&self) -> String {
        self.base.as_str().trim_end_matches('/').to_owned()
    }

    /// A form for an OAuth endpoint, from whoever will ask again. That it does not answer now is no failure yet.
    pub(crate) fn poll(&self, path: &[&str], fields: &[(&str, &str)]) -> Result<Told, Failure> {
        let Ok(response) = self.client.request(Method::POST, self.url(path)).form(fields).send() else {
            return Ok(Told::Nothing);
        };
        let status = response.status();
        if status.is_success() {
            return response.text().map(Told::Answer).map_err(|error| self.unreachable(error));
        }
        let body = response.text().unwrap_or_default();
        match serde_json::from_str(&body) {
            Ok(OAuthRefusal { error, error_description }) => Ok(Told::Refused(error, error_description)),
            Err(_) if status.is_server_error() => Ok(Told::Nothing),
            Err(_) => Err(Failure::new(format!("{} answered {status}, and not as Claviger does", self.base))),
        }
    }

    /// Ends the token by which it is called.
    pub(crate) fn end_token(&self) -> Result<Ended, Failure> {
        let mut request = self.client.request(Method::DELETE, self.url(&["v1", "token"]));
        if let Some(token) = &self.token {
            request = request.bearer_auth(token.expose());
        }
        let response = request.send().map_err(|error| self.unreachable(error))?;
        match response.status() {
            StatusCode::UNAUTHORIZED => Ok(Ended::Before),
            status if status.is_success() => Ok(Ended::Now),
            status => Err(self.refused(status, response)),
        }
    }

    pub(crate) fn get(&self, path: &[&str], query: &[(&str, &str)]) -> Result<String, Failure> {
        self.call(Method::GET, path, query, None)
    }

    /// A POST whose path has a query.
    pub(crate) fn post_asking(&self, path: &[&str], query: &[(&str, &str)], body: &Json) -> Result<String, Failure> {
        self.call(Method::POST, path, query, Some(body))
    }

    pub(crate) fn post(&self, path: &[&str], body: &Json) -> Result<String, Failure> {
        self.call(Method::POST, path, &[], Some(body))
    }

    pub(crate) fn put(&self, path: &[&str], body: &Json) -> Result<String, Failure> {
        self.call(Method::PUT, path, &[], Some(body))
    }

    pub(crate) fn patch(&self, path: &[&str], body: &Json) -> Result<String, Failure> {
        self.call(Method::PATCH, path, &[], Some(body))
    }

    pub(crate) fn delete(&self, path: &[&str]) -> Result<(), Failure> {
        self.call(Method::DELETE, path, &[], None).map(drop)
    }

    /// A form for an OAuth endpoint, from a client, or else with one's own credential.
    pub(crate) fn form(
        &self,
        path: &[&str],
        client: Option<(&str, &Secret)>,
        fields: &[(&str, &str)],
    ) -> Result<String, Failure> {
        let request = self.client.request(Method::POST, self.url(path)).form(fields);
        let shows_itself = fields.iter().any(|(name, _)| matches!(*name, "assertion" | "client_assertion"));
        let request = match (client, &self.token) {
            (None, _) if shows_itself => request,
            (Some((id, secret)), _) => request.basic_auth(id, Some(secret.expose())),
            (None, Some(token)) => request.bearer_auth(token.expose()),
            (None, None) => request,
        };
        self.answered(request)
    }

    /// A POST of nobody who proves to hold a key (RFC 9449). `proving` makes the body and the proof for an address; once more with a nonce,
    /// if the service wants one.
    pub(crate) fn post_proving(
        &self,
        path: &[&str],
        proving: impl Fn(&Url, Option<&str>) -> Result<(Json, String), Failure>,
    ) -> Result<String, Failure> {
        let url = self.url(&[&["v1"], path].concat());
        let send = |nonce: Option<&str>| {
            let (body, proof) = proving(&url, nonce)?;
            let request = self.client.request(Method::POST, url.clone()).header("DPoP", proof).json(&body);
            request.send().map_err(|error| self.unreachable(error))
        };
        let mut response = send(None)?;
        let nonce = response.headers().get("dpop-nonce").and_then(|nonce| nonce.to_str().ok()).map(str::to_owned);
        if let Some(nonce) = nonce {
            response = send(Some(&nonce))?;
        }
        let status = response.status();
        if status.is_success() {
            return response.text().map_err(|error| self.unreachable(error));
        }
        Err(self.refused(status, response))
    }

    fn url(&self, path: &[&str]) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        url
    }

    fn call(
        &self,
        method: Method,
        path: &[&str],
        query: &[(&str, &str)],
        body: Option<&Json>,
    ) -> Result<String, Failure> {
        let mut url = self.url(&[&["v1"], path].concat());
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let mut request = self.client.request(method, url);
        if let Some(token) = &self.token {
            request = request.bearer_auth(token.expose());
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        self.answered(request)
    }

    fn answered(&self, request: RequestBuilder) -> Result<String, Failure> {
        let response = request.send().map_err(|error| self.unreachable(error))?;
        let status = response.status();
        if status.is_success() {
            return response.text().map_err(|error| self.unreachable(error));
        }
        Err(self.refused(status, response))
    }

    fn unreachable(&self, error: reqwest::Error) -> Failure {
        let connecting = error.is_connect();
        // The address stands in the message already, and the request's own text would repeat its query.
        let error = error.without_url();
        let mut cause: &dyn Error = &error;
        while let Some(deeper) = cause.source() {
            cause = deeper;
        }
        let failure = Failure::new(format!("{} does not answer: {}", self.base, printable(&cause.to_string())));
        if connecting {
            return failure.and("is `claviger serve` running there? --url or CLAVIGER_URL names another address");
        }
        failure
    }

    fn refused(&self, status: StatusCode, response: Response) -> Failure {
        let header = |name| response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let (sort, location) = (header(CONTENT_TYPE).unwrap_or_default(), header(LOCATION));
        let retry = header(RETRY_AFTER).and_then(|seconds| seconds.parse::<u64>().ok());
        if let Some(location) = location.filter(|_| status.is_redirection()) {
            let line = format!("{} points to {}; give that address with --url", self.base, printable(&location));
            return Failure::new(line);
        }
        let body = response.text().unwrap_or_default();
        if let Ok(OAuthRefusal { error, error_description }) = serde_json::from_str(&body) {
            let line = format!("{} ({} {})", printable(&error_description), status.as_u16(), printable(&error));
            let failure = Failure::new(line);
            return match retry {
                Some(seconds) => failure.and(format!("try again in {seconds}s")),
                None => failure,
            };
        }
        if !sort.starts_with("application/problem+json") {
            let start: String = printable(&body).chars().take(200).collect();
            return Failure::new(format!("{} answered {status}, and not as Claviger does: {start}", self.base));
        }
        let problem: Problem = serde_json::from_str(&body).unwrap_or_default();
        let line = format!("{} ({} {})", printable(&problem.detail), status.as_u16(), printable(&problem.code));
        let codes = problem.errors.iter().map(|error| error.code.clone()).chain([problem.code.clone()]);
        let mut failure = Failure::new(line).called(codes.collect());
        for error in &problem.errors {
            let pointer = if error.pointer.is_empty() { "body" } else { &error.pointer };
            failure = failure.and(format!("{}: {}", printable(pointer), printable(&error.message)));
        }
        if let Some(permission) = &problem.permission {
            failure = failure.and(format!("your credential lacks {}", printable(permission)));
        }
        if let Some(seconds) = retry {
            failure = failure.and(format!("try again in {seconds}s"));
        }
        match status {
            StatusCode::UNAUTHORIZED if problem.code.ends_with("_dpop_proof") => failure,
            StatusCode::UNAUTHORIZED if self.token.is_none() => failure
                .and("sign in with `claviger login`, or put your credential into CLAVIGER_TOKEN; `claviger bootstrap` makes an instance's first one"),
            StatusCode::UNAUTHORIZED if self.kept => {
                failure.and("the login that is kept here does not count there; `claviger login` makes another")
            }
            StatusCode::UNAUTHORIZED => {
                failure.and("the credential in CLAVIGER_TOKEN (or --token) does not count there")
            }
            _ => failure,
        }
    }
}
