//! What the instance is asked, over HTTP. Bounded in time and size; the room must not know what is made of the answers.

use std::time::Duration;

use claviger_token::{ChangesMessage, UsageCounted, UsageReport};
use http::{HeaderMap, StatusCode, header};
use jiff::Timestamp;
use parking_lot::Mutex;
use reqwest::{Client, RequestBuilder, Response};
use serde_json::Value;

use crate::{
    answer::Answer,
    clock::Clock,
    settings::{KeeperSettings, Settings},
};

/// The largest document that is read, in bytes.
const MOST_BYTES: usize = 64 << 20;

/// How long the feed of what ended is waited for, in seconds: a connection that is cut without a word is noticed by then.
const WAIT: u64 = 5;

/// How long a stream may be silent before it is made anew: it beats four times a second.
pub(crate) const SILENCE: Duration = Duration::from_secs(2);

/// Pauses between attempts: longer while they fail.
pub(crate) const SHORTEST_PAUSE: Duration = Duration::from_millis(100);
pub(crate) const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Between 0 and 1: those that were started together need not ask together.
pub(crate) fn chance() -> f64 {
    let random = std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), 0);
    f64::from(u32::try_from(random >> 32).unwrap_or_default()) / f64::from(u32::MAX)
}

/// A pause, or less of it by chance.
pub(crate) async fn pause_for(pause: Duration) {
    tokio::time::sleep(pause.mul_f64(0.5 + chance() / 2.0)).await;
}

/// Why something does not work: told once, and not with every attempt.
#[derive(Debug, Default)]
pub(crate) struct Reason(Mutex<Option<String>>);

impl Reason {
    /// Notes how it went, and says whether it did not for another reason than before.
    pub(crate) fn is_new<T>(&self, went: &Result<T, RemoteError>) -> bool {
        let reason = went.as_ref().err().map(ToString::to_string);
        let mut known = self.0.lock();
        let is_new = reason.is_some() && *known != reason;
        *known = reason;
        is_new
    }
}

/// The instance did not answer, or not with what was asked for.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RemoteError {
    #[error("{0}")]
    Http(reqwest::Error),
    #[error("the internal listener wants its internal_token, and got another or none (401)")]
    Token,
    #[error("the internal listener is not called by one of its internal_hosts (421)")]
    Name,
    #[error("the answer has status {0}")]
    Status(StatusCode),
    #[error("the answer is not what was asked for")]
    Content,
    #[error("nothing is heard any more")]
    Silent,
}

impl From<reqwest::Error> for RemoteError {
    /// Without the address, for it is told to whoever asks how it goes.
    fn from(error: reqwest::Error) -> Self {
        Self::Http(error.without_url())
    }
}

/// The internal listener.
pub(crate) struct Internal {
    client: Client,
    address: String,
    token: Option<String>,
    patience: Duration,
}

/// The public one.
pub(crate) struct Public {
    client: Client,
    address: String,
    patience: Duration,
}

/// A document, as it is or as it was known.
pub(crate) struct Document {
    /// None: as you have it.
    pub(crate) text: Option<Vec<u8>>,
    pub(crate) tag: Option<String>,
}

/// A verdict, as it was sent too, and up to which change it is true.
pub(crate) struct Answered {
    pub(crate) answer: Answer,
    pub(crate) body: Vec<u8>,
    pub(crate) position: Option<i64>,
}

fn client(patience: Duration) -> Result<Client, reqwest::Error> {
    let client = Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none());
    client.connect_timeout(patience).build()
}

impl Public {
    pub(crate) fn new(settings: &Settings) -> Result<Self, reqwest::Error> {
        let address = settings.public_address.as_ref().unwrap_or(&settings.issuer).clone();
        Ok(Self { client: client(settings.patience)?, address, patience: settings.patience })
    }

    pub(crate) async fn keys(&self) -> Result<Document, RemoteError> {
        let asked = self.client.get(format!("{}/.well-known/jwks.json", self.address)).timeout(self.patience);
        document(asked.header(header::CACHE_CONTROL, "no-cache"), false).await
    }

    /// The feed of what ended, once it says something else than `tag` knows, or after a while.
    pub(crate) async fn ended(&self, tag: Option<&str>) -> Result<Document, RemoteError> {
        let mut asked = self.client.get(format!("{}/oauth/revocations?wait={WAIT}", self.address));
        if let Some(tag) = tag {
            asked = asked.header(header::IF_NONE_MATCH, tag);
        }
        document(asked.timeout(Duration::from_secs(WAIT) + self.patience), tag.is_some()).await
    }
}

impl Internal {
    pub(crate) fn new(settings: &KeeperSettings) -> Result<Self, reqwest::Error> {
        let KeeperSettings { address, token, patience, .. } = settings.clone();
        Ok(Self { client: client(patience)?, address, token, patience })
    }

    /// The stream of changes since.
    pub(crate) async fn changes(&self, last: Option<&str>) -> Result<Response, RemoteError> {
        let mut asked = self.client.get(format!("{}/v1/changes", self.address));
        asked = asked.header(header::ACCEPT, "text/event-stream");
        if let Some(last) = last {
            asked = asked.header("last-event-id", last);
        }
        tokio::time::timeout(self.patience, self.sent(asked)).await.map_err(|_| RemoteError::Silent)?
    }

    pub(crate) async fn verify(&self, asked: &Value, clock: &Clock) -> Result<Answered, RemoteError> {
        let request = self.client.post(format!("{}/v1/verify", self.address)).json(asked);
        let response = self.sent(request.timeout(self.patience)).await?;
        if let Some(told_at) = told_at(response.headers()) {
            clock.was_told(told_at);
        }
        let position = text(response.headers(), ChangesMessage::POSITION_HEADER);
        let position = position.and_then(|text| text.parse().ok());
        let body = body(response).await?;
        let answer = Answer::read(&body).map_err(|_| RemoteError::Content)?;
        Ok(Answered { answer, body, position })
    }

    /// Tells what was counted, and hears what became of it.
    pub(crate) async fn report(&self, report: &UsageReport) -> Result<UsageCounted, RemoteError> {
        let request = self.client.post(format!("{}/v1/usage-reports", self.address)).json(report);
        let body = body(self.sent(request.timeout(self.patience)).await?).await?;
        // What is in between may answer in place of the instance.
        serde_json::from_slice(&body).map_err(|_| RemoteError::Content)
    }

    async fn sent(&self, request: RequestBuilder) -> Result<Response, RemoteError> {
        let request = match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        };
        let response = request.send().await?;
        match response.status() {
            StatusCode::OK => Ok(response),
            StatusCode::UNAUTHORIZED => Err(RemoteError::Token),
            StatusCode::MISDIRECTED_REQUEST => Err(RemoteError::Name),
            other => Err(RemoteError::Status(other)),
        }
    }
}

/// That it is as it was known is an answer only to whoever knows it.
async fn document(asked: RequestBuilder, is_known: bool) -> Result<Document, RemoteError> {
    let response = asked.send().await?;
    let tag = text(response.headers(), header::ETAG.as_str()).map(str::to_owned);
    match response.status() {
        StatusCode::OK => Ok(Document { text: Some(body(response).await?), tag }),
        StatusCode::NOT_MODIFIED if is_known => Ok(Document { text: None, tag }),
        other => Err(RemoteError::Status(other)),
    }
}

/// What time it was when this was answered. Only of the internal listener: what is between us and the public one may keep documents.
pub(crate) fn told_at(headers: &HeaderMap) -> Option<Timestamp> {
    let date = jiff::fmt::rfc2822::parse(text(headers, header::DATE.as_str())?);
    date.ok().map(|date| date.timestamp())
}

async fn body(mut response: Response) -> Result<Vec<u8>, RemoteError> {
    let mut body = Vec::new();
    while let Some(piece) = response.chunk().await? {
        if body.len() + piece.len() > MOST_BYTES {
            return Err(RemoteError::Content);
        }
        body.extend_from_slice(&piece);
    }
    Ok(body)
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_reason_does_not_say_where_the_instance_is() {
        let internal = Internal::new(&KeeperSettings::new("http://127.0.0.1:1")).unwrap();
        let reason = internal.changes(None).await.unwrap_err().to_string();
        assert!(!reason.is_empty() && !reason.contains("127.0.0.1"), "{reason}");
    }

    #[test]
    fn a_reason_is_told_once_until_it_works_or_another_comes() {
        let reason = Reason::default();
        let went = [
            Err(RemoteError::Silent),
            Err(RemoteError::Silent),
            Err(RemoteError::Token),
            Ok(()),
            Err(RemoteError::Token),
        ];
        let told: Vec<bool> = went.iter().map(|went| reason.is_new(went)).collect();
        assert_eq!(told, [true, false, true, false, true]);
    }

    #[test]
    fn the_time_is_read_as_http_writes_it() {
        let told = |date: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::DATE, http::HeaderValue::from_static(date));
            told_at(&headers).map(Timestamp::as_second)
        };
        assert_eq!(told("Fri, 15 Jan 2027 08:00:07 GMT"), Some(1_800_000_007));
        assert_eq!(told("soon"), None);
        assert_eq!(told_at(&HeaderMap::new()), None);
    }
}
