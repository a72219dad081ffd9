//! A service that gets access tokens: a client secret of the customer's service account, and what is sent with it.

use std::path::PathBuf;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use reqwest::{
    Method,
    blocking::{Client, Response},
    header::CONTENT_TYPE,
};
use serde_json::{Value as Json, json};

use crate::{
    Result,
    compare::CONNECTIONS,
    customer::{API, PERMISSION, text},
    run::Bench,
    site::{Server, Site},
    tokens::Tokens,
    wrk::{FORM, Load, Requests},
};

/// The endpoints.
pub(crate) const TOKEN: &str = "/oauth/token";
pub(crate) const INTROSPECT: &str = "/oauth/introspect";
pub(crate) const REVOKE: &str = "/oauth/revoke";

/// An OAuth client.
#[derive(Debug)]
pub(crate) struct Service {
    client_id: String,
    client_secret: String,
    /// Where the management API has the secret.
    path: String,
    client: Client,
}

impl Service {
    /// With a secret that is made now.
    pub(crate) fn new(site: &Site, server: &Server) -> Result<Self> {
        let secrets = format!("/v1/service-accounts/{}/secrets", site.customer.service_account);
        let made = site.send(server, Method::POST, &secrets, &json!({ "name": "nightly on host 7" }))?;
        let path = format!("{secrets}/{}", text(&made, "id")?);
        let (client_id, client_secret) = (text(&made, "client_id")?, text(&made, "client_secret")?);
        Ok(Self { client_id, client_secret, path, client: Client::new() })
    }

    /// Ends the secret, and with it every token that was got with it.
    pub(crate) fn end(&self, site: &Site, server: &Server) -> Result<()> {
        let reason = json!({ "reason": "compromised" });
        site.send(server, Method::POST, &format!("{}/revoke", self.path), &reason).map(drop)
    }

    /// What an endpoint answers to a form.
    pub(crate) fn send(&self, server: &Server, path: &str, form: &str) -> Result<Response> {
        let url = format!("http://127.0.0.1:{}{path}", server.public);
        let request = self.client.post(url).basic_auth(&self.client_id, Some(&self.client_secret));
        Ok(request.header(CONTENT_TYPE, FORM).body(form.to_owned()).send()?.error_for_status()?)
    }

    /// A new token.
    pub(crate) fn token(&self, server: &Server) -> Result<String> {
        text(&self.send(server, TOKEN, &form())?.json()?, "access_token")
    }

    /// The same form to an endpoint again and again, with one token after the other, if it holds `{token}`.
    pub(crate) fn requests(&self, server: &Server, path: &str, form: &str, tokens: Tokens) -> Requests {
        let basic = STANDARD.encode(format!("{}:{}", self.client_id, self.client_secret));
        let head = [&format!("POST {path} HTTP/1.1"), &format!("Authorization: Basic {basic}")];
        Requests::form(server.public, &head.map(String::as_str), form, tokens)
    }

    /// Requests for a new token each.
    pub(crate) fn token_requests(&self, bench: &Bench, server: &Server) -> Result<Requests> {
        // The request names no token; the load generator wants some.
        Ok(self.requests(server, TOKEN, &form(), bench.tokens(0..1)?))
    }

    /// So many new tokens, got as fast as the server gives them.
    pub(crate) fn tokens(&self, bench: &Bench, server: &Server, count: usize) -> Result<Tokens> {
        let file: PathBuf = tempfile::Builder::new().prefix("access-tokens-").tempfile_in(bench.scratch())?.keep()?.1;
        let requests = self.token_requests(bench, server)?.keeping(file.clone());
        let load = Load { seconds: 1, ..bench.full(CONNECTIONS) };
        let mut made = 0;
        while made < count {
            made += requests.send(&load, 0, bench.scratch())?.requests;
        }
        Tokens::first(count, file)
    }
}

/// What is asked for: a token for the customer's API.
pub(crate) fn form() -> String {
    let escaped = |text: &str| text.replace(':', "%3A").replace('/', "%2F");
    format!("grant_type=client_credentials&resource={}&scope={}", escaped(API), escaped(PERMISSION))
}

/// Whether an introspected token counts.
pub(crate) fn is_active(introspection: &Json) -> bool {
    introspection["active"] == true
}
