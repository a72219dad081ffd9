//! Traefik, as far as the guide needs it: what Traefik 3 documents of ForwardAuth, and what its
//! `pkg/middlewares/auth/forward.go` does. It knows Traefik's configuration, and nothing of Claviger.

use std::{
    collections::BTreeMap,
    fs,
    io::{BufReader, Write as _},
    net::{TcpListener, TcpStream},
    path::Path,
    sync::Arc,
    thread,
};

use figment::{
    Figment,
    providers::{Format as _, Toml},
};
use reqwest::{
    Method,
    blocking::{Client, Response},
    header::{HeaderMap, HeaderName, HeaderValue},
};
use serde::{Deserialize, de::DeserializeOwned};

use crate::gateways::upstream::Message;

/// What is dropped between two hops.
const HOP_BY_HOP: [&str; 6] = ["connection", "keep-alive", "te", "trailers", "transfer-encoding", "upgrade"];

/// The static configuration, as far as the guide uses it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Static {
    entry_points: BTreeMap<String, EntryPoint>,
    providers: Providers,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EntryPoint {
    address: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Providers {
    file: File,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    filename: String,
}

/// The dynamic configuration, as far as the guide uses it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Dynamic {
    http: Http,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Http {
    routers: BTreeMap<String, Router>,
    middlewares: BTreeMap<String, Middleware>,
    services: BTreeMap<String, Service>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Router {
    entry_points: Vec<String>,
    rule: String,
    middlewares: Vec<String>,
    service: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
enum Middleware {
    ForwardAuth(ForwardAuth),
    Headers(Headers),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct ForwardAuth {
    address: String,
    trust_forward_header: bool,
    auth_request_headers: Vec<String>,
    auth_response_headers_regex: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Headers {
    custom_request_headers: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Service {
    load_balancer: LoadBalancer,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LoadBalancer {
    servers: Vec<Target>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Target {
    url: String,
}

/// A request on its way through the middlewares.
struct Passing {
    method: Method,
    uri: String,
    headers: HeaderMap,
    body: Vec<u8>,
    client: String,
}

/// Listens where the configuration in this directory says.
pub(crate) fn start(directory: &Path) {
    let started: Static = read(&directory.join("traefik.toml"));
    let dynamic: Dynamic = read(&directory.join(started.providers.file.filename));
    let listener = TcpListener::bind(&started.entry_points["web"].address).unwrap();
    let shared = Arc::new((dynamic.http, Client::new()));
    thread::spawn(move || {
        for stream in listener.incoming() {
            let shared = Arc::clone(&shared);
            thread::spawn(move || serve(&shared.0, &shared.1, stream.unwrap()));
        }
    });
}

fn read<T: DeserializeOwned>(path: &Path) -> T {
    Figment::from(Toml::string(&fs::read_to_string(path).unwrap())).extract().unwrap()
}

fn serve(http: &Http, client: &Client, stream: TcpStream) {
    let peer = stream.peer_addr().unwrap().ip().to_string();
    let mut stream = BufReader::new(stream);
    let Some(message) = Message::read(&mut stream) else { return };
    let mut passing = Passing::new(message, peer);
    let router = http.router(&passing);
    let refused = router.middlewares.iter().find_map(|name| match &http.middlewares[name] {
        Middleware::ForwardAuth(middleware) => middleware.ask(client, &mut passing),
        Middleware::Headers(middleware) => {
            middleware.change(&mut passing);
            None
        }
    });
    let answer = refused.unwrap_or_else(|| {
        let url = format!("{}{}", http.services[&router.service].load_balancer.servers[0].url, passing.uri);
        passing.headers.insert("x-forwarded-for", HeaderValue::from_str(&passing.client).unwrap());
        let request = client.request(passing.method.clone(), url).headers(passing.headers).body(passing.body);
        told(request.send().unwrap())
    });
    stream.get_mut().write_all(&answer).ok();
}

impl Http {
    /// The longest rule comes first.
    fn router(&self, passing: &Passing) -> &Router {
        let matching = self.routers.values().filter(|router| router.entry_points == ["web"] && router.matches(passing));
        matching.max_by_key(|router| router.rule.len()).unwrap()
    }
}

impl Router {
    fn matches(&self, passing: &Passing) -> bool {
        self.rule.split(" || ").any(|term| {
            let (matcher, value) = term.strip_suffix("`)").and_then(|term| term.split_once("(`")).unwrap();
            match matcher {
                "PathPrefix" => passing.uri.starts_with(value),
                "Method" => passing.method == value,
                _ => panic!("the stand-in knows no {matcher}"),
            }
        })
    }
}

impl Passing {
    /// As the entry point passes it on: without what an untrusted client claims to have forwarded, and without what
    /// it calls hop-by-hop.
    fn new(message: Message, client: String) -> Self {
        let mut headers = HeaderMap::new();
        for (name, value) in message.headers() {
            headers.append(name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap());
        }
        let options: Vec<String> = headers.get_all("connection").iter().map(text).collect();
        for name in options.iter().flat_map(|options| options.split(',')).map(str::trim) {
            headers.remove(name);
        }
        let dropped = |name: &HeaderName| {
            name.as_str().replace('_', "-").starts_with("x-forwarded-") || HOP_BY_HOP.contains(&name.as_str())
        };
        for name in headers.keys().filter(|name| dropped(name)).cloned().collect::<Vec<_>>() {
            headers.remove(name);
        }
        let mut line = message.head.split(' ');
        let (method, uri) = (line.next().unwrap().parse().unwrap(), line.next().unwrap().to_owned());
        Self { method, uri, headers, body: message.body, client }
    }
}

impl ForwardAuth {
    /// The answer for the client if it is not let through.
    fn ask(&self, client: &Client, passing: &mut Passing) -> Option<Vec<u8>> {
        assert!(!self.trust_forward_header);
        let mut request = client.get(&self.address);
        for name in &self.auth_request_headers {
            for value in passing.headers.get_all(name) {
                request = request.header(name, value);
            }
        }
        let host = passing.headers.get("host").map(text).unwrap_or_default();
        let request = request
            .header("X-Forwarded-For", &passing.client)
            .header("X-Forwarded-Method", passing.method.as_str())
            .header("X-Forwarded-Proto", "http")
            .header("X-Forwarded-Host", host)
            .header("X-Forwarded-Uri", &passing.uri);
        let Ok(answer) = request.send() else {
            return Some(b"HTTP/1.1 500 \r\nContent-Length: 0\r\nConnection: close\r\n\r\n".to_vec());
        };
        if !answer.status().is_success() {
            return Some(told(answer));
        }
        assert_eq!(self.auth_response_headers_regex, "(?i)claviger", "the stand-in knows no other expression");
        let matches = |name: &&HeaderName| name.as_str().contains("claviger");
        for name in passing.headers.keys().filter(matches).cloned().collect::<Vec<_>>() {
            passing.headers.remove(name);
        }
        for (name, value) in answer.headers().iter().filter(|(name, _)| matches(name)) {
            passing.headers.append(name, value.clone());
        }
        None
    }
}

impl Headers {
    fn change(&self, passing: &mut Passing) {
        for (name, value) in &self.custom_request_headers {
            let name: HeaderName = name.parse().unwrap();
            if value.is_empty() {
                passing.headers.remove(name);
            } else {
                passing.headers.insert(name, HeaderValue::from_str(value).unwrap());
            }
        }
    }
}

/// An answer, as it is handed on.
fn told(answer: Response) -> Vec<u8> {
    let mut told = format!("HTTP/1.1 {} \r\nConnection: close\r\n", answer.status().as_u16()).into_bytes();
    for (name, value) in answer.headers().iter().filter(|(name, _)| !HOP_BY_HOP.contains(&name.as_str())) {
        told.extend([name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat());
    }
    told.extend(b"\r\n");
    told.extend(answer.bytes().unwrap());
    told
}

fn text(value: &HeaderValue) -> String {
    value.to_str().unwrap().to_owned()
}
