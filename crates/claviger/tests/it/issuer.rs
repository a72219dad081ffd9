//! A stand-in for a platform that says of workloads who they are: it publishes its keys, and gives everybody the same token.

use std::{
    io::{Read as _, Write as _},
    net::TcpListener,
    sync::Arc,
    thread,
    time::{SystemTime, UNIX_EPOCH},
};

use claviger_token::{SigningAlgorithm, SigningKey};
use serde_json::{Value as Json, json};

pub(crate) struct Issuer {
    pub(crate) url: String,
    said: Arc<Said>,
}

struct Said {
    url: String,
    key: SigningKey,
    claims: Json,
}

impl Issuer {
    /// One that says this, for an hour.
    pub(crate) fn start(claims: impl FnOnce(&str) -> Json) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let pkcs8 = SigningKey::generate(SigningAlgorithm::Rs256).unwrap();
        let key = SigningKey::from_pkcs8(SigningAlgorithm::Rs256, &pkcs8).unwrap();
        let said = Arc::new(Said { claims: claims(&url), url: url.clone(), key });
        let saying = Arc::clone(&said);
        // It ends with the process of the test.
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut request = [0; 4096];
                let length = stream.read(&mut request).unwrap_or(0);
                let request = String::from_utf8_lossy(&request[..length]).into_owned();
                let path = request.split([' ', '?']).nth(1).unwrap_or_default();
                let body = saying.answer(path);
                let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
                let _ = stream.write_all(format!("{head}{body}").as_bytes());
            }
        });
        Self { url, said }
    }

    pub(crate) fn token(&self) -> String {
        self.said.token()
    }

    pub(crate) fn keys(&self) -> String {
        self.said.keys()
    }
}

impl Said {
    fn answer(&self, path: &str) -> String {
        match path {
            "/.well-known/openid-configuration" => {
                json!({ "issuer": self.url, "jwks_uri": format!("{}/keys", self.url) }).to_string()
            }
            "/keys" => self.keys(),
            _ => json!({ "count": 1, "value": self.token() }).to_string(),
        }
    }

    fn keys(&self) -> String {
        json!({ "keys": [self.key.verifying_key().jwk("1")] }).to_string()
    }

    #[expect(clippy::disallowed_methods, reason = "issuers have clocks of their own")]
    fn token(&self) -> String {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let mut claims = self.claims.clone();
        for (name, value) in [("iat", now), ("nbf", now), ("exp", now + 3600)] {
            claims[name] = json!(value);
        }
        self.key.sign("JWT", "1", &claims).unwrap()
    }
}
