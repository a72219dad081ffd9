//! Outside issuers as tests play them: served on this machine, with the claims that the real ones write.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use axum::{
    Router,
    extract::{Request, State},
    response::{IntoResponse as _, Response},
};
use claviger_token::{NetworkSet, SigningAlgorithm, SigningKey};
use jiff::Timestamp;
use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::app::{PUBLIC_URL, TestApp};

/// Somebody who signs for workloads, and publishes the keys.
pub(crate) struct Issuer {
    pub(crate) url: String,
    pub(crate) key: SigningKey,
    pub(crate) kid: String,
    served: Arc<Served>,
    server: tokio::task::JoinHandle<()>,
}

struct Served {
    asked: AtomicUsize,
    answer: Mutex<Answer>,
}

/// How it answers where its keys should be.
pub(crate) enum Answer {
    Keys(Vec<Value>),
    Status(u16),
    Text(String),
    Redirect(&'static str),
    Never,
}

/// By the clock of this machine, which is the nodes' too.
#[expect(clippy::disallowed_methods, reason = "issuers have clocks of their own")]
pub(crate) fn now() -> i64 {
    Timestamp::now().as_second()
}

pub(crate) fn key(algorithm: SigningAlgorithm) -> SigningKey {
    SigningKey::from_pkcs8(algorithm, &SigningKey::generate(algorithm).unwrap()).unwrap()
}

pub(crate) fn jwk(key: &SigningKey, kid: &str) -> Value {
    serde_json::to_value(key.verifying_key().jwk(kid)).unwrap()
}

/// These claims, with others in the place of some; those that are null are left out.
pub(crate) fn changed(mut claims: Value, changed: Value) -> Value {
    for (name, value) in changed.as_object().unwrap() {
        if value.is_null() {
            claims.as_object_mut().unwrap().remove(name);
        } else {
            claims[name] = value.clone();
        }
    }
    claims
}

impl Issuer {
    pub(crate) async fn start(algorithm: SigningAlgorithm) -> Self {
        let (key, kid) = (key(algorithm), "cc413527-173f-5a05-976e-9c52b1d7b431".to_owned());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let answer = Mutex::new(Answer::Keys(vec![jwk(&key, &kid)]));
        let served = Arc::new(Served { asked: AtomicUsize::new(0), answer });
        let router = Router::new().fallback(respond).with_state((url.clone(), Arc::clone(&served)));
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, key, kid, served, server }
    }

    pub(crate) fn now_answers(&self, answer: Answer) {
        *self.served.answer.lock().unwrap() = answer;
    }

    /// How often its keys were asked for.
    pub(crate) fn asked(&self) -> usize {
        self.served.asked.load(Ordering::SeqCst)
    }

    pub(crate) fn sign(&self, claims: &Value) -> String {
        self.key.sign("JWT", &self.kid, claims).unwrap()
    }

    /// An ID token of GitHub Actions, of a push to main of the repository 74 of acme.
    pub(crate) fn github(&self, more: Value) -> String {
        let now = now();
        let claims = json!({
            "jti": "0c5b96a0-5e1f-4b08-9d2f-4d3f1c8e4f0f", "sub": "repo:acme/site:ref:refs/heads/main", "aud": PUBLIC_URL,
            "ref": "refs/heads/main", "sha": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b", "repository": "acme/site",
            "repository_owner": "acme", "run_id": "7341", "run_number": "12", "run_attempt": "1", "repository_visibility": "private",
            "repository_id": "74", "repository_owner_id": "9", "actor_id": "5", "actor": "alice", "workflow": "deploy",
            "head_ref": "", "base_ref": "", "event_name": "push", "ref_protected": "true", "ref_type": "branch",
            "workflow_ref": "acme/site/.github/workflows/deploy.yml@refs/heads/main",
            "workflow_sha": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b",
            "job_workflow_ref": "acme/site/.github/workflows/deploy.yml@refs/heads/main",
            "job_workflow_sha": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b", "runner_environment": "github-hosted",
            "iss": self.url, "nbf": now - 300, "exp": now + 300, "iat": now,
        });
        self.sign(&changed(claims, more))
    }

    /// An ID token of GitLab CI/CD, of the branch main of the project 22.
    pub(crate) fn gitlab(&self, more: Value) -> String {
        let now = now();
        let claims = json!({
            "namespace_id": "72", "namespace_path": "acme", "project_id": "22", "project_path": "acme/site", "user_id": "1",
            "user_login": "alice", "user_email": "alice@acme.test", "user_access_level": "maintainer", "pipeline_id": "574",
            "pipeline_source": "push", "job_id": "302", "ref": "main", "ref_type": "branch", "ref_path": "refs/heads/main",
            "ref_protected": "true", "groups_direct": ["acme"], "runner_id": 1, "runner_environment": "gitlab-hosted",
            "sha": "714a629c0b401fdce83e847fc9589983fc6f46bc", "project_visibility": "private",
            "ci_config_ref_uri": "gitlab.test/acme/site//.gitlab-ci.yml@refs/heads/main", "jti": "235b3a54-b797-45c7-ae9a-f72d7bc6ef5b",
            "iss": self.url, "iat": now, "nbf": now - 5, "exp": now + 3600,
            "sub": "project_path:acme/site:ref_type:branch:ref:main", "aud": PUBLIC_URL,
        });
        self.sign(&changed(claims, more))
    }

    /// A token of the service account deploy in the namespace prod, bound to a pod.
    pub(crate) fn kubernetes(&self, more: Value) -> String {
        let now = now();
        let claims = json!({
            "aud": [PUBLIC_URL], "exp": now + 3600, "iat": now, "iss": self.url, "jti": "c3b3a9b4-8e4f-4b2c-8a0f-3c1b2b0f7d11",
            "kubernetes.io": {
                "namespace": "prod", "node": { "name": "n1", "uid": "646e7c5e-32d6-4d42-9dbd-e504e6cbe6b1" },
                "pod": { "name": "deploy-7c9", "uid": "5e0bd49b-f040-43b0-99b7-22765a53f7f3" },
                "serviceaccount": { "name": "deploy", "uid": "14ee3fa4-a7e2-420f-9f9a-dbc4507c3798" },
            },
            "nbf": now, "sub": "system:serviceaccount:prod:deploy",
        });
        // The API server writes no typ.
        self.sign(&changed(claims, more))
    }

    /// A JWT-SVID of a workload in acme.test.
    pub(crate) fn svid(&self, more: Value) -> String {
        let now = now();
        let claims =
            json!({ "sub": "spiffe://acme.test/ns/prod/sa/deploy", "aud": [PUBLIC_URL], "exp": now + 300, "iat": now });
        self.sign(&changed(claims, more))
    }

    /// Its keys, as a SPIFFE bundle has them.
    pub(crate) fn bundle(&self) -> Value {
        let mut jwk = jwk(&self.key, &self.kid);
        jwk["use"] = json!("jwt-svid");
        json!({ "keys": [jwk], "spiffe_sequence": 1, "spiffe_refresh_hint": 300 })
    }
}

impl Drop for Issuer {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn respond(State((url, served)): State<(String, Arc<Served>)>, request: Request) -> Response {
    if request.uri().path() == "/.well-known/openid-configuration" {
        return json!({ "issuer": url, "jwks_uri": format!("{url}/keys"), "id_token_signing_alg_values_supported": ["RS256"] })
            .to_string()
            .into_response();
    }
    served.asked.fetch_add(1, Ordering::SeqCst);
    let answer = match &*served.answer.lock().unwrap() {
        Answer::Keys(keys) => json!({ "keys": keys }).to_string().into_response(),
        Answer::Status(status) => StatusCode::from_u16(*status).unwrap().into_response(),
        Answer::Text(text) => text.clone().into_response(),
        Answer::Redirect(to) => (StatusCode::FOUND, [("location", *to)]).into_response(),
        Answer::Never => StatusCode::IM_A_TEAPOT.into_response(),
    };
    if answer.status() == StatusCode::IM_A_TEAPOT {
        std::future::pending::<()>().await;
    }
    answer
}

impl TestApp {
    /// A node that may ask on this machine.
    pub(crate) async fn node_that_asks_here(&self) -> Self {
        self.another_node_with(|config| config.outbound_networks = NetworkSet::parse(["127.0.0.0/8"]).ok()).await
    }
}
