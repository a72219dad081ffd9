//! Service accounts as OAuth clients.

use std::collections::BTreeMap;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::app::{Reply, TestApp, text};

pub(crate) const TOKEN: &str = "/oauth/token";
pub(crate) const CLIENT_CREDENTIALS: (&str, &str) = ("grant_type", "client_credentials");

/// A service account with a client secret.
pub(crate) struct Machine {
    pub(crate) organization: String,
    pub(crate) id: String,
    pub(crate) secret_id: String,
    pub(crate) secret: String,
}

impl Machine {
    pub(crate) fn path(&self) -> String {
        format!("/v1/service-accounts/{}", self.id)
    }

    pub(crate) fn secret_path(&self) -> String {
        format!("{}/secrets/{}", self.path(), self.secret_id)
    }
}

impl TestApp {
    /// The invoices API, and a client in `acme` that holds both permissions.
    pub(crate) async fn machine(&self) -> Machine {
        self.declare_invoices().await;
        self.machine_with("acme", &["invoices:read", "invoices:write"]).await
    }

    /// A client in an organization of its own.
    pub(crate) async fn machine_with(&self, slug: &str, permissions: &[&str]) -> Machine {
        let (organization, account) = self.account(slug, permissions).await;
        self.machine_of(organization, account).await
    }

    /// Makes a client of an account.
    pub(crate) async fn machine_of(&self, organization: String, account: String) -> Machine {
        let (secret_id, secret) = self.client_secret(&account, json!({})).await;
        Machine { organization, id: account, secret_id, secret }
    }

    /// One more secret of an account.
    pub(crate) async fn client_secret(&self, account: &str, more: Value) -> (String, String) {
        let mut body = json!({ "name": "deploy" });
        body.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap_or_default());
        let made = self.root().post(&format!("/v1/service-accounts/{account}/secrets"), body).await;
        let made = made.expect(StatusCode::CREATED);
        assert_eq!(made["client_id"], account);
        (text(&made["id"]), text(&made["client_secret"]))
    }

    /// A form of nobody.
    pub(crate) async fn form(&self, path: &str, fields: &[(&str, &str)]) -> Reply {
        let sent = self.request(Method::POST, self.public, path).form(fields).send().await.unwrap();
        Reply::read(self, sent).await
    }

    /// A form of a client.
    pub(crate) async fn form_of(&self, client: &Machine, path: &str, fields: &[(&str, &str)]) -> Reply {
        let sent = self.request(Method::POST, self.public, path).basic_auth(&client.id, Some(&client.secret));
        Reply::read(self, sent.form(fields).send().await.unwrap()).await
    }

    /// The answer of the token endpoint to a client's own rights.
    pub(crate) async fn ask(&self, client: &Machine, fields: &[(&str, &str)]) -> Reply {
        self.form_of(client, TOKEN, &[&[CLIENT_CREDENTIALS], fields].concat()).await
    }

    /// A token of a client's own rights.
    pub(crate) async fn access_token(&self, client: &Machine, fields: &[(&str, &str)]) -> String {
        text(&self.ask(client, fields).await.expect(StatusCode::OK)["access_token"])
    }

    /// How many tokens a client got by each grant, as far as that is written.
    pub(crate) async fn issued(&self, client: &Machine) -> BTreeMap<String, i64> {
        let path = format!("/v1/usage?group=grant_type&by=day&service_account_id={}", client.id);
        let mut issued = BTreeMap::new();
        for item in self.root().get(&path).await.expect(StatusCode::OK)["items"].as_array().unwrap() {
            assert_eq!(item["service_account_id"], client.id);
            *issued.entry(text(&item["grant_type"])).or_default() += item["uses"].as_i64().unwrap();
        }
        issued
    }

    /// New tokens for the invoices API are opaque.
    pub(crate) async fn opaque_from_now_on(&self) {
        let apis = self.root().get("/v1/apis?q=invoices").await.expect(StatusCode::OK);
        let api = format!("/v1/apis/{}", text(&apis["items"][0]["id"]));
        self.root().patch(&api, json!({ "access_token_format": "opaque" })).await.expect(StatusCode::OK);
    }
}

impl Reply {
    /// A refusal in OAuth's form (RFC 6749, section 5.2), which nobody keeps.
    #[track_caller]
    pub(crate) fn refusal(self, status: StatusCode, error: &str) -> Value {
        assert_eq!((self.status, self.body["error"].as_str()), (status, Some(error)), "{}", self.body);
        assert_eq!(
            (self.header("content-type"), self.header("cache-control")),
            (Some("application/json"), Some("no-store"))
        );
        let description = self.body["error_description"].as_str().unwrap();
        assert!(
            description.bytes().all(|byte| matches!(byte, 0x20..=0x21 | 0x23..=0x5b | 0x5d..=0x7e)),
            "{description}"
        );
        assert_eq!(self.header("www-authenticate").is_some(), status == StatusCode::UNAUTHORIZED);
        self.body
    }
}

/// The claims of a JWT that nobody proves here.
pub(crate) fn claims(jwt: &str) -> Value {
    part(jwt, 1)
}

/// Its header.
pub(crate) fn header(jwt: &str) -> Value {
    part(jwt, 0)
}

fn part(jwt: &str, index: usize) -> Value {
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(jwt.split('.').nth(index).unwrap()).unwrap()).unwrap()
}
