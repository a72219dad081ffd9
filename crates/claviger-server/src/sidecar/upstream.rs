//! Claviger, as the sidecar passes questions on to it: word for word, and the answers word for word back. Bounded in number, time and size.

use std::time::Duration;

use axum::{
    body::{Body, Bytes},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use claviger_token::Secret;
use reqwest::{Client, RequestBuilder};
use tokio::{sync::Semaphore, time::timeout};

use super::{SidecarError, unavailable};
use crate::{problem::RequestError, verify::CODE};

/// How many questions are passed on at a time; who comes after them waits, and not for long.
const MOST_QUESTIONS: usize = 256;

/// How long an answer may take, the wait for a place included.
const PATIENCE: Duration = Duration::from_secs(2);

/// The largest answer.
const LONGEST_ANSWER: usize = 1 << 20;

const INTERNAL: HeaderName = HeaderName::from_static("x-claviger-internal");

/// What concerns one connection alone (RFC 9110, section 7.6.1), and what is said anew.
const NOT_PASSED_ON: [HeaderName; 12] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    header::HOST,
    header::CONTENT_LENGTH,
    header::DATE,
    INTERNAL,
];

pub(crate) struct Upstream {
    client: Client,
    address: String,
    token: Option<HeaderValue>,
    places: Semaphore,
}

impl Upstream {
    pub(crate) fn new(address: String, token: Option<Secret>) -> Result<Self, SidecarError> {
        let token = token.map(|token| HeaderValue::from_str(token.expose())).transpose();
        let mut token = token.map_err(|_| SidecarError::Token)?;
        if let Some(token) = &mut token {
            token.set_sensitive(true);
        }
        let client = Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).timeout(PATIENCE);
        Ok(Self { client: client.build()?, address, token, places: Semaphore::new(MOST_QUESTIONS) })
    }

    /// Whether Claviger, if it is there, answers this sidecar.
    pub(crate) async fn lets_in(&self) -> Result<(), SidecarError> {
        let asked = self.with_token(self.client.get(format!("{}/v1/changes", self.address)));
        let Ok(answer) = asked.send().await else { return Ok(()) };
        let why = match answer.status() {
            StatusCode::UNAUTHORIZED => "it wants its internal_token, and got another or none; give it by --token-file",
            StatusCode::MISDIRECTED_REQUEST => "it must be called by one of its internal_hosts",
            StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => {
                "this is not its internal listener; give the address of that one by --upstream"
            }
            _ => return Ok(()),
        };
        Err(SidecarError::Refused(self.address.clone(), why))
    }

    pub(crate) async fn verify(&self, question: Bytes) -> Result<Response, RequestError> {
        let asked = self.client.post(format!("{}/v1/verify", self.address)).body(question);
        let asked = asked.header(header::CONTENT_TYPE, "application/json");
        let (status, headers, body) = self.answer(asked).await?;
        if matches!(status, StatusCode::UNAUTHORIZED | StatusCode::MISDIRECTED_REQUEST) || status.is_server_error() {
            // That is about this sidecar, and not about whoever asks it.
            tracing::warn!(%status, "Claviger did not answer a question");
            return Err(unavailable());
        }
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = status;
        for name in [header::CONTENT_TYPE, header::CACHE_CONTROL, header::RETRY_AFTER] {
            if let Some(value) = headers.get(&name) {
                response.headers_mut().insert(name, value.clone());
            }
        }
        Ok(response)
    }

    /// The request that a gateway holds, as the gateway tells it.
    pub(crate) async fn forward_auth(&self, uri: &Uri, told: &HeaderMap) -> Result<Response, RequestError> {
        let path = uri.path_and_query().map_or("/v1/forward-auth", |path| path.as_str());
        let asked = self.client.get(format!("{}{path}", self.address)).headers(passed_on(told));
        let (status, headers, _) = self.answer(asked).await?;
        if !headers.contains_key(CODE) {
            // Whatever answers a gateway has it.
            tracing::warn!(%status, "Claviger did not answer a gateway's question");
            return Err(unavailable());
        }
        let mut response = status.into_response();
        *response.headers_mut() = passed_on(&headers);
        response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from_static("0"));
        Ok(response)
    }

    async fn answer(&self, asked: RequestBuilder) -> Result<(StatusCode, HeaderMap, Vec<u8>), RequestError> {
        let answering = async {
            let _place = self.places.acquire().await.ok()?;
            let mut answer = self.with_token(asked).send().await.inspect_err(not_asked).ok()?;
            let (status, headers, mut body) = (answer.status(), std::mem::take(answer.headers_mut()), Vec::new());
            while let Some(piece) = answer.chunk().await.inspect_err(not_asked).ok()? {
                if body.len() + piece.len() > LONGEST_ANSWER {
                    return None;
                }
                body.extend_from_slice(&piece);
            }
            Some((status, headers, body))
        };
        timeout(PATIENCE, answering).await.ok().flatten().ok_or_else(unavailable)
    }

    /// In a header of its own: `Authorization` may be a client's.
    fn with_token(&self, asked: RequestBuilder) -> RequestBuilder {
        match &self.token {
            Some(token) => asked.header(INTERNAL, token),
            None => asked,
        }
    }
}

fn not_asked(error: &reqwest::Error) {
    tracing::warn!(%error, "Claviger could not be asked");
}

fn passed_on(headers: &HeaderMap) -> HeaderMap {
    let mut passed_on = headers.clone();
    for name in NOT_PASSED_ON {
        passed_on.remove(name);
    }
    passed_on
}
