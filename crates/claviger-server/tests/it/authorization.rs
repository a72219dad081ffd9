//! Every route × every role, as one reviewed table. A route without a row fails.

use std::collections::BTreeSet;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::app::{TestApp, text};

/// What a role gets: `Y`es (not 401 or 403), `P`ermission missing, `I`nstance scope needed.
/// Columns: instance-admin · organization-admin · member · auditor, the last three in their organization only.
const TABLE: &[(&str, &str, &str)] = &[
    ("POST", "/v1/verify", "YYPP"),
    ("POST", "/v1/explain", "YYPP"),
    ("POST", "/v1/usage-reports", "YIPP"),
    ("GET", "/v1/token", "YYYY"),
    ("POST", "/v1/token/roll", "YYYY"),
    ("DELETE", "/v1/token", "YYYY"),
    ("GET", "/v1/api-keys", "YYPY"),
    ("POST", "/v1/api-keys", "YYPP"),
    ("GET", "/v1/api-keys/{id}", "YYPY"),
    ("PATCH", "/v1/api-keys/{id}", "YYPP"),
    ("DELETE", "/v1/api-keys/{id}", "YYPP"),
    ("POST", "/v1/api-keys/{id}/roll", "YYPP"),
    ("POST", "/v1/api-keys/{id}/revoke", "YYPP"),
    ("GET", "/v1/personal-access-tokens", "YYYY"),
    ("POST", "/v1/personal-access-tokens", "YYYP"),
    ("GET", "/v1/personal-access-tokens/{id}", "YYYY"),
    ("PATCH", "/v1/personal-access-tokens/{id}", "YYYP"),
    ("DELETE", "/v1/personal-access-tokens/{id}", "YYYP"),
    ("POST", "/v1/personal-access-tokens/{id}/roll", "YYYP"),
    ("POST", "/v1/personal-access-tokens/{id}/revoke", "YYYP"),
    ("POST", "/v1/personal-access-tokens/{id}/approve", "YYPP"),
    ("POST", "/v1/personal-access-tokens/{id}/deny", "YYPP"),
    ("GET", "/v1/credentials", "YYPY"),
    ("POST", "/v1/credentials/revoke", "YYPP"),
    ("GET", "/v1/organizations", "YYYY"),
    ("POST", "/v1/organizations", "YIPP"),
    ("GET", "/v1/organizations/{id}", "YYYY"),
    ("PATCH", "/v1/organizations/{id}", "YYPP"),
    ("DELETE", "/v1/organizations/{id}", "YIPP"),
    ("GET", "/v1/organizations/{id}/policy", "YYYY"),
    ("PATCH", "/v1/organizations/{id}/policy", "YYPP"),
    ("POST", "/v1/organizations/{id}/policy/preview", "YYPP"),
    ("GET", "/v1/organizations/{id}/certificate-authorities", "YYYY"),
    ("POST", "/v1/organizations/{id}/certificate-authorities", "YYPP"),
    ("GET", "/v1/organizations/{id}/certificate-authorities/{authority}", "YYYY"),
    ("DELETE", "/v1/organizations/{id}/certificate-authorities/{authority}", "YYPP"),
    ("GET", "/v1/organizations/{id}/members", "YYPY"),
    ("GET", "/v1/organizations/{id}/members/{user}", "YYPY"),
    ("PUT", "/v1/organizations/{id}/members/{user}", "YYPP"),
    ("DELETE", "/v1/organizations/{id}/members/{user}", "YYPP"),
    ("GET", "/v1/organizations/{id}/invitations", "YYPY"),
    ("POST", "/v1/organizations/{id}/invitations", "YYPP"),
    ("GET", "/v1/organizations/{id}/invitations/{invitation}", "YYPY"),
    ("DELETE", "/v1/organizations/{id}/invitations/{invitation}", "YYPP"),
    ("POST", "/v1/portal-sessions", "YYPP"),
    ("GET", "/v1/users", "YYPY"),
    ("POST", "/v1/users", "YPPP"),
    ("GET", "/v1/users/{id}", "YYPY"),
    ("PATCH", "/v1/users/{id}", "YPPP"),
    ("DELETE", "/v1/users/{id}", "YPPP"),
    ("PUT", "/v1/users/by-external-id/{id}", "YPPP"),
    ("POST", "/v1/users/{id}/password-reset", "YPPP"),
    ("DELETE", "/v1/users/{id}/second-factor", "YPPP"),
    ("GET", "/v1/users/{id}/passkeys", "YIPI"),
    ("DELETE", "/v1/users/{id}/passkeys/{passkey}", "YPPP"),
    ("GET", "/v1/service-accounts", "YYPY"),
    ("POST", "/v1/service-accounts", "YYPP"),
    ("GET", "/v1/service-accounts/{id}", "YYPY"),
    ("PATCH", "/v1/service-accounts/{id}", "YYPP"),
    ("DELETE", "/v1/service-accounts/{id}", "YYPP"),
    ("GET", "/v1/service-accounts/{id}/secrets", "YYPY"),
    ("POST", "/v1/service-accounts/{id}/secrets", "YYPP"),
    ("GET", "/v1/service-accounts/{id}/secrets/{secret}", "YYPY"),
    ("PATCH", "/v1/service-accounts/{id}/secrets/{secret}", "YYPP"),
    ("DELETE", "/v1/service-accounts/{id}/secrets/{secret}", "YYPP"),
    ("POST", "/v1/service-accounts/{id}/secrets/{secret}/roll", "YYPP"),
    ("POST", "/v1/service-accounts/{id}/secrets/{secret}/revoke", "YYPP"),
    ("GET", "/v1/service-accounts/{id}/public-keys", "YYPY"),
    ("POST", "/v1/service-accounts/{id}/public-keys", "YYPP"),
    ("GET", "/v1/service-accounts/{id}/public-keys/{key}", "YYPY"),
    ("PATCH", "/v1/service-accounts/{id}/public-keys/{key}", "YYPP"),
    ("DELETE", "/v1/service-accounts/{id}/public-keys/{key}", "YYPP"),
    ("POST", "/v1/service-accounts/{id}/public-keys/{key}/revoke", "YYPP"),
    ("GET", "/v1/service-accounts/{id}/certificates", "YYPY"),
    ("POST", "/v1/service-accounts/{id}/certificates", "YYPP"),
    ("GET", "/v1/service-accounts/{id}/certificates/{certificate}", "YYPY"),
    ("PATCH", "/v1/service-accounts/{id}/certificates/{certificate}", "YYPP"),
    ("DELETE", "/v1/service-accounts/{id}/certificates/{certificate}", "YYPP"),
    ("POST", "/v1/service-accounts/{id}/certificates/{certificate}/revoke", "YYPP"),
    ("GET", "/v1/service-accounts/{id}/federations", "YYPY"),
    ("POST", "/v1/service-accounts/{id}/federations", "YYPP"),
    ("GET", "/v1/service-accounts/{id}/federations/{federation}", "YYPY"),
    ("PATCH", "/v1/service-accounts/{id}/federations/{federation}", "YYPP"),
    ("DELETE", "/v1/service-accounts/{id}/federations/{federation}", "YYPP"),
    ("POST", "/v1/service-accounts/{id}/federations/{federation}/revoke", "YYPP"),
    ("GET", "/v1/fleets", "YYPY"),
    ("POST", "/v1/fleets", "YYPP"),
    ("GET", "/v1/fleets/{id}", "YYPY"),
    ("PATCH", "/v1/fleets/{id}", "YYPP"),
    ("DELETE", "/v1/fleets/{id}", "YYPP"),
    ("POST", "/v1/fleets/{id}/revoke", "YYPP"),
    ("GET", "/v1/fleets/{id}/devices", "YYPY"),
    ("GET", "/v1/fleets/{id}/claim-codes", "YYPY"),
    ("POST", "/v1/fleets/{id}/claim-codes", "YYPP"),
    ("GET", "/v1/fleets/{id}/claim-codes/{claim_code}", "YYPY"),
    ("DELETE", "/v1/fleets/{id}/claim-codes/{claim_code}", "YYPP"),
    ("POST", "/oauth/register", "YYPP"),
    ("GET", "/v1/apis", "YYYY"),
    ("POST", "/v1/apis", "YPPP"),
    ("GET", "/v1/apis/{id}", "YYYY"),
    ("PATCH", "/v1/apis/{id}", "YPPP"),
    ("DELETE", "/v1/apis/{id}", "YPPP"),
    ("GET", "/v1/roles", "YYYY"),
    ("POST", "/v1/roles", "YYPP"),
    ("GET", "/v1/roles/{id}", "YYYY"),
    ("PATCH", "/v1/roles/{id}", "YYPP"),
    ("DELETE", "/v1/roles/{id}", "YYPP"),
    ("GET", "/v1/assignments", "YYPY"),
    ("POST", "/v1/assignments", "YYPP"),
    ("GET", "/v1/assignments/{id}", "YYPY"),
    ("DELETE", "/v1/assignments/{id}", "YYPP"),
    ("GET", "/v1/signing-keys", "YPPP"),
    ("GET", "/v1/signing-keys/{id}", "YPPP"),
    ("POST", "/v1/signing-keys/rotate", "YPPP"),
    ("GET", "/v1/usage", "YYPY"),
    ("GET", "/v1/audit-events", "YYPY"),
];

/// Answered without a credential.
pub(crate) const OPEN: &[(&str, &str)] = &[
    ("GET", "/health/live"),
    ("GET", "/health/ready"),
    ("GET", "/.well-known/jwks.json"),
    ("GET", "/.well-known/oauth-authorization-server"),
    ("GET", "/.well-known/openid-configuration"),
    ("GET", "/.well-known/oauth-protected-resource"),
    ("GET", "/oauth/revocations"),
    ("GET", "/oauth/status/{list}"),
];

/// Answered to whoever proves to be an OAuth client, and to no credential; what each of them gets stands in the tests of the endpoints.
pub(crate) const CLIENTS: &[(&str, &str)] = &[
    ("POST", "/oauth/token"),
    ("POST", "/oauth/introspect"),
    ("POST", "/oauth/revoke"),
    ("POST", "/oauth/device_authorization"),
];

/// Answered to devices, by what they prove in the request, and to no credential; what each of them gets stands in the tests of fleets.
pub(crate) const DEVICES: &[(&str, &str)] = &[("POST", "/v1/enrolments"), ("POST", "/v1/enrolments/renew")];

/// Answered to the client that shows the key of its own registration; everybody else gets one answer, as the tests of registration have it.
pub(crate) const REGISTERED: &[(&str, &str)] = &[
    ("GET", "/oauth/register/{client_id}"),
    ("PUT", "/oauth/register/{client_id}"),
    ("DELETE", "/oauth/register/{client_id}"),
];

/// Answered to whoever is signed in, and to no credential.
const SESSION: &[(&str, &str)] = &[("GET", "/v1/session")];

/// An id of the right kind that nobody has, so that nothing happens when the answer is yes.
pub(crate) fn nobodys(path: &str) -> String {
    let prefix = match path.split('/').nth(2).unwrap() {
        "api-keys" => "key",
        "personal-access-tokens" => "pat",
        "organizations" => "org",
        "token" | "verify" | "explain" | "usage" | "usage-reports" | "credentials" | "audit-events"
        | "portal-sessions" => {
            return path.to_owned();
        }
        "service-accounts" => "sa",
        "users" => "user",
        "apis" => "api",
        "roles" => "role",
        "assignments" => "asg",
        "signing-keys" => "skey",
        "fleets" => "fleet",
        "register" => return path.to_owned(),
        other => panic!("which ids does {other} have?"),
    };
    let (user, invitation) = ("user_01h455vb4pex5vsknk084sn02q", "inv_01h455vb4pex5vsknk084sn02q");
    path.replace("{id}", &format!("{prefix}_01h455vb4pex5vsknk084sn02q"))
        .replace("{user}", user)
        .replace("{invitation}", invitation)
        .replace("{passkey}", "passkey_01h455vb4pex5vsknk084sn02q")
        .replace("{secret}", "csec_01h455vb4pex5vsknk084sn02q")
        .replace("{key}", "ckey_01h455vb4pex5vsknk084sn02q")
        .replace("{certificate}", "cert_01h455vb4pex5vsknk084sn02q")
        .replace("{authority}", "ca_01h455vb4pex5vsknk084sn02q")
        .replace("{federation}", "fed_01h455vb4pex5vsknk084sn02q")
        .replace("{claim_code}", "claim_01h455vb4pex5vsknk084sn02q")
}

pub(crate) fn body(method: &Method, path: &str) -> Option<Value> {
    let organization = "org_01h455vb4pex5vsknk084sn02q";
    let account = "sa_01h455vb4pex5vsknk084sn02q";
    match (method.as_str(), path) {
        ("GET" | "DELETE", _) => None,
        ("POST", "/v1/verify" | "/v1/explain") => Some(json!({ "credential": "x" })),
        ("POST", "/v1/usage-reports") => Some(json!({ "id": "x", "uses": [] })),
        ("POST", "/v1/api-keys") => Some(json!({ "service_account_id": account, "name": "x", "permissions": [] })),
        ("POST", "/v1/personal-access-tokens") => {
            Some(json!({ "organization_id": organization, "name": "x", "permissions": [] }))
        }
        ("POST", "/v1/portal-sessions") => {
            Some(json!({ "organization_id": organization, "user_external_id": "x", "return_url": "x" }))
        }
        ("POST", "/v1/organizations") => Some(json!({ "name": " refused after the authorization " })),
        ("PUT", "/v1/organizations/{id}/members/{user}") => Some(json!({ "roles": [] })),
        ("POST", "/v1/organizations/{id}/invitations") => Some(json!({ "email": "refused", "roles": [] })),
        ("POST", "/v1/users") | ("PUT", "/v1/users/by-external-id/{id}") => Some(json!({ "email": "refused" })),
        ("POST", "/v1/service-accounts") => Some(json!({ "organization_id": organization, "name": "x" })),
        (
            "POST",
            "/v1/service-accounts/{id}/secrets"
            | "/v1/service-accounts/{id}/public-keys"
            | "/v1/service-accounts/{id}/certificates",
        ) => Some(json!({ "name": "x" })),
        ("POST", "/v1/organizations/{id}/certificate-authorities") => {
            Some(json!({ "name": "x", "certificates_pem": "" }))
        }
        ("POST", "/v1/service-accounts/{id}/federations") => Some(json!({ "name": "x", "conditions": {} })),
        ("POST", "/oauth/register") => Some(json!({ "scope": "refused:after the:authorization" })),
        ("POST", "/v1/fleets") => Some(json!({ "name": "x", "organization_id": organization })),
        ("POST", "/v1/apis") => Some(json!({ "identifier": "x", "name": "x", "permissions": [] })),
        ("POST", "/v1/roles") => Some(json!({ "name": "x", "organization_id": organization, "permissions": [] })),
        ("POST", "/v1/signing-keys/rotate") => Some(json!({ "algorithm": "refused after the authorization" })),
        ("POST", "/v1/assignments") => Some(json!({ "principal_id": account, "role": "member" })),
        _ => Some(json!({})),
    }
}

#[test]
fn every_route_has_a_row() {
    let document = serde_json::to_value(claviger_server::openapi_document()).unwrap();
    let mut described = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in item.as_object().unwrap().keys().filter(|key| *key != "parameters") {
            described.insert((method.to_uppercase(), path.clone()));
        }
    }
    let rows = TABLE
        .iter()
        .map(|(method, path, _)| (*method, *path))
        .chain(OPEN.iter().copied())
        .chain(CLIENTS.iter().copied())
        .chain(DEVICES.iter().copied())
        .chain(REGISTERED.iter().copied())
        .chain(SESSION.iter().copied());
    let rows: BTreeSet<_> = rows.map(|(method, path)| (method.to_owned(), path.to_owned())).collect();
    assert_eq!(described, rows);
}

on_both_databases! {
    async fn every_role_gets_what_the_table_says_and_nobody_gets_nothing(app: &TestApp) {
        let (organization, _) = app.account("acme", &[]).await;
        let holder = async |role: &str| {
            let account = app.account_in(&organization, &[]).await;
            let path = format!("/v1/service-accounts/{account}");
            app.root().patch(&path, json!({ "roles": [role] })).await.expect(StatusCode::OK);
            account
        };
        let mut accounts = Vec::new();
        for role in ["organization-admin", "member", "auditor"] {
            accounts.push(holder(role).await);
        }
        let roots = text(&app.root().get("/v1/token").await.expect(StatusCode::OK)["principal"]["id"]);
        accounts.insert(0, roots);
        for (method, path, expected) in TABLE {
            let method: Method = method.parse().unwrap();
            let sent = nobodys(path);
            let anonymous = app.anonymous().send(method.clone(), &sent, body(&method, path), &[]).await;
            anonymous.problem(StatusCode::UNAUTHORIZED, "unauthenticated");
            for (account, expected) in accounts.iter().zip(expected.chars()) {
                // A key for each try, for some tries end it.
                let key = app.key(account, &["claviger:*"], json!({})).await;
                let reply = app.client(&key.token).send(method.clone(), &sent, body(&method, path), &[]).await;
                let got = match (reply.status, reply.body["code"].as_str()) {
                    (StatusCode::FORBIDDEN, Some("permission_missing")) => 'P',
                    (StatusCode::FORBIDDEN, Some("instance_scope_needed")) => 'I',
                    (StatusCode::FORBIDDEN | StatusCode::UNAUTHORIZED | StatusCode::SERVICE_UNAVAILABLE, code) => {
                        panic!("{method} {path}: {} {code:?}", reply.status)
                    }
                    _ => 'Y',
                };
                assert_eq!(got, expected, "{method} {path} as {account}: {}", reply.body);
            }
        }
    }
}
