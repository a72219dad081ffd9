//! Questions to services of others: to https alone (or to loopback), without following redirects, bounded in time and in the
//! size of the answer. The room must not know what is asked.

use std::{pin::Pin, time::Duration};

use openidconnect::{AsyncHttpClient, HttpRequest, HttpResponse};
use url::{Host, Url};

/// For one question.
pub(crate) const PATIENCE: Duration = Duration::from_secs(8);
/// Of an answer.
const MOST_BYTES: usize = 1 << 20;

/// Asks.
pub(crate) struct Outside(reqwest::Client);

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OutsideError {
    #[error("{0} is neither https nor on this machine")]
    Unsafe(Url),
    #[error("no answer")]
    Http(#[from] reqwest::Error),
    #[error("an answer of more than {MOST_BYTES} bytes")]
    TooLarge,
}

impl Outside {
    pub(crate) fn new() -> Self {
        let client = reqwest::Client::builder()
            // A redirect would lead our questions, and a client secret in them, to wherever somebody wants.
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(PATIENCE)
            .timeout(PATIENCE)
            .user_agent(concat!("claviger/", env!("CARGO_PKG_VERSION")));
        #[expect(clippy::expect_used, reason = "fails only where the cryptography of the build is missing")]
        let client = client.build().expect("a client without certificates of its own can be made");
        Self(client)
    }

    async fn ask(&self, request: HttpRequest) -> Result<HttpResponse, OutsideError> {
        let request = reqwest::Request::try_from(request)?;
        if !is_safe(request.url()) {
            return Err(OutsideError::Unsafe(request.url().clone()));
        }
        let mut answer = self.0.execute(request).await?;
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await? {
            if body.len() + chunk.len() > MOST_BYTES {
                return Err(OutsideError::TooLarge);
            }
            body.extend_from_slice(&chunk);
        }
        let mut response = HttpResponse::new(body);
        *response.status_mut() = answer.status();
        *response.headers_mut() = std::mem::take(answer.headers_mut());
        Ok(response)
    }
}

impl<'c> AsyncHttpClient<'c> for Outside {
    type Error = OutsideError;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, OutsideError>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(self.ask(request))
    }
}

/// https, or http where nothing leaves the machine.
pub(crate) fn is_safe(url: &Url) -> bool {
    let loopback = match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => return false,
    };
    url.scheme() == "https" || (url.scheme() == "http" && loopback)
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::TcpListener,
    };

    use super::*;

    /// What somebody gets who asks a service that answers with this.
    async fn ask(answer: Vec<u8>) -> Result<HttpResponse, OutsideError> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}/", listener.local_addr().unwrap());
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let _ = stream.read(&mut [0; 1024]).await;
            let _ = stream.write_all(&answer).await;
        });
        Outside::new().ask(http::Request::get(address).body(Vec::new()).unwrap()).await
    }

    #[tokio::test]
    async fn an_answer_is_bounded_and_leads_nowhere() {
        let whole = |head: &str, body: &[u8]| [head.as_bytes(), b"connection: close\r\n\r\n", body].concat();
        let fits = ask(whole("HTTP/1.1 200 OK\r\n", b"hello")).await.unwrap();
        assert_eq!((fits.status().as_u16(), fits.body().as_slice()), (200, b"hello".as_slice()));
        let large = ask(whole("HTTP/1.1 200 OK\r\n", &vec![b'x'; MOST_BYTES + 1])).await;
        assert!(matches!(large, Err(OutsideError::TooLarge)), "{large:?}");
        let moved = ask(whole("HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:9/\r\n", b"")).await.unwrap();
        assert_eq!(moved.status().as_u16(), 302);
    }

    #[tokio::test]
    async fn nothing_goes_out_in_the_clear() {
        let request = http::Request::get("http://192.0.2.1/").body(Vec::new()).unwrap();
        assert!(matches!(Outside::new().ask(request).await, Err(OutsideError::Unsafe(_))));
    }
}
