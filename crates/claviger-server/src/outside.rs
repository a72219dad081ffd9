//! Questions to services of others: to https alone (or to loopback), without following redirects, bounded in time and in the
//! size of the answer. What customers name is asked on the public internet only. The room must not know what is asked.

use std::{net::SocketAddr, pin::Pin, sync::Arc, time::Duration};

use claviger_token::NetworkSet;
use openidconnect::{AsyncHttpClient, HttpRequest, HttpResponse};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

use crate::addresses::is_public;

/// For one question.
pub(crate) const PATIENCE: Duration = Duration::from_secs(8);
/// Of an answer.
const MOST_BYTES: usize = 1 << 20;

/// The same where a customer says who is asked.
const PATIENCE_WITH_CUSTOMERS: Duration = Duration::from_secs(5);
const MOST_BYTES_OF_CUSTOMERS: usize = 256 * 1024;

/// Asks.
pub(crate) struct Outside {
    client: reqwest::Client,
    most_bytes: usize,
    /// Who may be asked, if not everybody.
    destinations: Option<Destinations>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OutsideError {
    #[error("{0} is neither https nor on this machine")]
    Unsafe(Url),
    #[error(
        "only the public internet is asked, or what outbound_networks allows, at port 443 or above 1023 and without a user"
    )]
    OutOfReach,
    #[error("no answer")]
    Http(#[from] reqwest::Error),
    #[error("an answer of more than {0} bytes")]
    TooLarge(usize),
}

impl Outside {
    /// For services that the operator names, wherever they are.
    pub(crate) fn new() -> Self {
        Self { client: built(bounded(PATIENCE)), most_bytes: MOST_BYTES, destinations: None }
    }

    /// For services that customers name: on the public internet, and in `networks`. What a name means is asked once for each
    /// connection, and the connection goes where the answer was found to be admitted: a name that changes leads nowhere else.
    pub(crate) fn for_customers(networks: Option<NetworkSet>) -> Self {
        let destinations = Destinations(Arc::new(networks));
        // A proxy would look up names by itself, and nothing kept would be asked about twice.
        let client =
            bounded(PATIENCE_WITH_CUSTOMERS).no_proxy().pool_max_idle_per_host(0).dns_resolver(destinations.clone());
        Self { client: built(client), most_bytes: MOST_BYTES_OF_CUSTOMERS, destinations: Some(destinations) }
    }

    pub(crate) async fn ask(&self, request: HttpRequest) -> Result<HttpResponse, OutsideError> {
        let request = reqwest::Request::try_from(request)?;
        if !is_safe(request.url()) {
            return Err(OutsideError::Unsafe(request.url().clone()));
        }
        if self.destinations.as_ref().is_some_and(|destinations| !destinations.admits(request.url())) {
            return Err(OutsideError::OutOfReach);
        }
        // An address of a customer's is the caller's to tell: its query may be a secret.
        let plain = |error: reqwest::Error| if self.destinations.is_some() { error.without_url() } else { error };
        let mut answer = self.client.execute(request).await.map_err(plain)?;
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(plain)? {
            if body.len() + chunk.len() > self.most_bytes {
                return Err(OutsideError::TooLarge(self.most_bytes));
            }
            body.extend_from_slice(&chunk);
        }
        let mut response = HttpResponse::new(body);
        *response.status_mut() = answer.status();
        *response.headers_mut() = std::mem::take(answer.headers_mut());
        Ok(response)
    }
}

fn bounded(patience: Duration) -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        // A redirect would lead our questions, and a client secret in them, to wherever somebody wants.
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(patience)
        .timeout(patience)
        .user_agent(concat!("claviger/", env!("CARGO_PKG_VERSION")))
}

fn built(client: reqwest::ClientBuilder) -> reqwest::Client {
    #[expect(clippy::expect_used, reason = "fails only where the cryptography of the build is missing")]
    client.build().expect("a client without certificates of its own can be made")
}

impl<'c> AsyncHttpClient<'c> for Outside {
    type Error = OutsideError;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, OutsideError>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(self.ask(request))
    }
}

/// An error with its causes, for the log.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |said, cause| format!("{said}: {cause}"))
}

/// https, or http where nothing leaves the machine.
pub(crate) fn is_safe(url: &Url) -> bool {
    let loopback = match url.host() {
        Some(Host::Domain(name)) => is_this_machine(name),
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => return false,
    };
    url.scheme() == "https" || (url.scheme() == "http" && loopback)
}

/// Whether a customer may name this address, as far as it says where it is: what a name means is looked up when it is asked.
pub(crate) fn may_be_asked(address: &str, networks: Option<&NetworkSet>) -> bool {
    let Ok(url) = Url::parse(address) else { return false };
    let destinations = Destinations(Arc::new(networks.cloned()));
    let here = matches!(url.host(), Some(Host::Domain(name)) if is_this_machine(name));
    let reached = !here || destinations.holds(std::net::Ipv4Addr::LOCALHOST.into());
    url.scheme() == "https" && reached && destinations.admits(&url)
}

fn is_this_machine(name: &str) -> bool {
    name == "localhost" || name.ends_with(".localhost")
}

/// The public internet, and these networks.
#[derive(Clone)]
struct Destinations(Arc<Option<NetworkSet>>);

impl Destinations {
    /// Whether an address may be asked, as far as it says where it is. What a name means is looked up later.
    fn admits(&self, url: &Url) -> bool {
        const HTTPS: u16 = 443;
        let address = match url.host() {
            Some(Host::Domain(_)) => true,
            Some(Host::Ipv4(ip)) => self.holds(ip.into()),
            Some(Host::Ipv6(ip)) => self.holds(ip.into()),
            None => false,
        };
        // Whoever answers at a port below is no web server, and perhaps one that takes our question for something else.
        let port = url.port_or_known_default().is_some_and(|port| port == HTTPS || port > 1023);
        address && port && url.username().is_empty() && url.password().is_none()
    }

    fn holds(&self, address: std::net::IpAddr) -> bool {
        is_public(address) || self.0.as_ref().as_ref().is_some_and(|networks| networks.contains(address))
    }

    /// Of what a name means, where we go. A name of this machine that leads elsewhere would be asked in the clear.
    fn admitted(&self, name: &str, found: impl Iterator<Item = SocketAddr>) -> Vec<SocketAddr> {
        let here = is_this_machine(name);
        found.filter(|found| self.holds(found.ip()) && (!here || found.ip().is_loopback())).collect()
    }
}

impl Resolve for Destinations {
    fn resolve(&self, name: Name) -> Resolving {
        let destinations = self.clone();
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let admitted = destinations.admitted(name.as_str(), found);
            if admitted.is_empty() {
                return Err(OutsideError::OutOfReach.into());
            }
            Ok(Box::new(admitted.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::TcpListener,
    };

    use super::*;

    fn get(url: &str) -> HttpRequest {
        http::Request::get(url).body(Vec::new()).unwrap()
    }

    /// What somebody gets who asks a service that answers with this.
    async fn ask(outside: &Outside, answer: Vec<u8>) -> Result<HttpResponse, OutsideError> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}/", listener.local_addr().unwrap());
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let _ = stream.read(&mut [0; 1024]).await;
            let _ = stream.write_all(&answer).await;
        });
        outside.ask(get(&address)).await
    }

    fn networks(networks: &[&str]) -> Option<NetworkSet> {
        NetworkSet::parse(networks).ok()
    }

    #[tokio::test]
    async fn an_answer_is_bounded_and_leads_nowhere() {
        let whole = |head: &str, body: &[u8]| [head.as_bytes(), b"connection: close\r\n\r\n", body].concat();
        let here = Outside::for_customers(networks(&["127.0.0.1"]));
        for (outside, most) in [(Outside::new(), MOST_BYTES), (here, MOST_BYTES_OF_CUSTOMERS)] {
            let fits = ask(&outside, whole("HTTP/1.1 200 OK\r\n", b"hello")).await.unwrap();
            assert_eq!((fits.status().as_u16(), fits.body().as_slice()), (200, b"hello".as_slice()));
            let large = ask(&outside, whole("HTTP/1.1 200 OK\r\n", &vec![b'x'; most + 1])).await;
            assert!(matches!(large, Err(OutsideError::TooLarge(_))), "{large:?}");
            let moved = ask(&outside, whole("HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:9/\r\n", b"")).await;
            assert_eq!(moved.unwrap().status().as_u16(), 302);
        }
    }

    #[tokio::test]
    async fn nothing_goes_out_in_the_clear() {
        for outside in [Outside::new(), Outside::for_customers(networks(&["0.0.0.0/0"]))] {
            let refused = outside.ask(get("http://192.0.2.1/")).await;
            assert!(matches!(refused, Err(OutsideError::Unsafe(_))));
        }
    }

    #[tokio::test]
    async fn s09_a_customer_leads_us_nowhere_but_to_the_public_internet() {
        let outside = Outside::for_customers(None);
        for url in [
            "https://127.0.0.1/",
            "http://127.0.0.1:8080/",
            "https://2130706433/",
            "https://0x7f000001/",
            "https://0177.0.0.1/",
            "https://127.1/",
            "https://[::1]:8443/",
            "https://[::ffff:10.0.0.1]/",
            "https://[::ffff:7f00:1]/",
            "https://[64:ff9b::a9fe:a9fe]/",
            "https://[2002:7f00:1::]/",
            "https://169.254.169.254/latest/meta-data/",
            "https://10.1.2.3/",
            "https://172.31.0.1/",
            "https://192.168.0.1/",
            "https://100.64.0.1/",
            "https://0.0.0.0/",
            "https://224.0.0.1/",
            "https://[fe80::1]/",
            "https://[fd00:ec2::254]/",
            "https://user:password@1.1.1.1/",
            "https://user@keys.example/",
            "https://1.1.1.1:22/",
            "https://keys.example:80/",
        ] {
            let url: Url = url.parse().unwrap();
            let refused = outside.ask(get(url.as_str())).await;
            assert!(matches!(refused, Err(OutsideError::OutOfReach)), "{url}: {refused:?}");
        }
        let admits = |url: &str| outside.destinations.as_ref().unwrap().admits(&url.parse().unwrap());
        assert!(admits("https://1.1.1.1/") && admits("https://keys.example:8443/jwks?x=y"));
    }

    #[tokio::test]
    async fn s09_a_name_leads_no_further_than_its_address() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let url = format!("http://localhost:{port}/");
        let refused = Outside::for_customers(None).ask(get(&url)).await.unwrap_err();
        let cause = std::iter::successors(Some(&refused as &dyn std::error::Error), |error| error.source()).last();
        assert!(matches!(cause.unwrap().downcast_ref(), Some(OutsideError::OutOfReach)), "{refused:?}");
        let met = tokio::time::timeout(Duration::from_millis(100), listener.accept()).await;
        assert!(met.is_err(), "nobody connected");
    }

    #[test]
    fn s09_of_what_a_name_means_only_what_is_admitted_is_asked() {
        let check = |destinations: &[&str], name: &str, found: &[&str], expected: &[&str]| {
            let at = |addresses: &[&str]| -> Vec<SocketAddr> {
                addresses.iter().map(|address| SocketAddr::new(address.parse().unwrap(), 0)).collect()
            };
            let admitted = Destinations(Arc::new(networks(destinations))).admitted(name, at(found).into_iter());
            assert_eq!(admitted, at(expected), "{name} {found:?}");
        };
        check(
            &[],
            "keys.example",
            &["127.0.0.1", "1.1.1.1", "::1", "2606:4700::1111"],
            &["1.1.1.1", "2606:4700::1111"],
        );
        check(&[], "keys.example", &["169.254.169.254", "::ffff:169.254.169.254"], &[]);
        check(
            &["10.0.0.0/8"],
            "keys.example",
            &["10.1.2.3", "192.168.0.1", "::ffff:10.1.2.3"],
            &["10.1.2.3", "::ffff:10.1.2.3"],
        );
        check(&["127.0.0.0/8"], "x.localhost", &["127.0.0.1", "1.1.1.1"], &["127.0.0.1"]);
    }
}
