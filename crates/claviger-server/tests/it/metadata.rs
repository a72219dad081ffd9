//! What clients and resource servers find out by themselves, and that nobody's headers change it.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    app::{PUBLIC_URL, TestApp},
    database::{Engine, TestDatabase},
};

const SERVER: &str = "/.well-known/oauth-authorization-server";
const OPENID: &str = "/.well-known/openid-configuration";
const METHODS: [&str; 3] = ["client_secret_basic", "client_secret_post", "private_key_jwt"];
const ALGORITHMS: [&str; 4] = ["ES256", "EdDSA", "Ed25519", "RS256"];
const RESOURCE: &str = "/.well-known/oauth-protected-resource";

on_both_databases! {
    async fn k02_k03_the_server_announces_what_works_and_nothing_else(app: &TestApp) {
        let reply = app.anonymous().get(SERVER).await;
        assert_eq!((reply.header("content-type"), reply.header("access-control-allow-origin")), (Some("application/json"), Some("*")));
        let expected = json!({
            "issuer": PUBLIC_URL, "jwks_uri": format!("{PUBLIC_URL}/.well-known/jwks.json"),
            "response_types_supported": [],
            "grant_types_supported": [
                "client_credentials", "urn:ietf:params:oauth:grant-type:token-exchange",
                "urn:ietf:params:oauth:grant-type:jwt-bearer", "urn:ietf:params:oauth:grant-type:device_code",
            ],
            "device_authorization_endpoint": format!("{PUBLIC_URL}/oauth/device_authorization"),
            "registration_endpoint": format!("{PUBLIC_URL}/oauth/register"),
            "token_endpoint": format!("{PUBLIC_URL}/oauth/token"),
            "introspection_endpoint": format!("{PUBLIC_URL}/oauth/introspect"),
            "revocation_endpoint": format!("{PUBLIC_URL}/oauth/revoke"),
            "token_endpoint_auth_methods_supported": METHODS,
            "token_endpoint_auth_signing_alg_values_supported": ALGORITHMS,
            "introspection_endpoint_auth_methods_supported": METHODS,
            "introspection_endpoint_auth_signing_alg_values_supported": ALGORITHMS,
            "introspection_signing_alg_values_supported": ["ES256"],
            "revocation_endpoint_auth_methods_supported": METHODS,
            "revocation_endpoint_auth_signing_alg_values_supported": ALGORITHMS,
            "authorization_details_types_supported": ["objects"],
            "dpop_signing_alg_values_supported": ALGORITHMS,
            "claviger_revocations_uri": format!("{PUBLIC_URL}/oauth/revocations"),
            "service_documentation": format!("{PUBLIC_URL}/docs/"),
        });
        assert_eq!(reply.expect(StatusCode::OK), expected);
        let mut openid = expected.clone();
        openid["subject_types_supported"] = json!(["public"]);
        openid["id_token_signing_alg_values_supported"] = json!(["RS256"]);
        assert_eq!(app.anonymous().get(OPENID).await.expect(StatusCode::OK), openid, "libraries for OpenID want these");
        // Whatever is listed answers.
        for member in ["jwks_uri", "claviger_revocations_uri", "service_documentation"] {
            let path = expected[member].as_str().unwrap().strip_prefix(PUBLIC_URL).unwrap();
            assert_eq!(app.anonymous().get(path).await.status, StatusCode::OK, "{path}");
        }
    }

    async fn k06_no_header_changes_an_address(app: &TestApp) {
        for path in [SERVER, OPENID, RESOURCE] {
            let plain = app.anonymous().get(path).await.expect(StatusCode::OK);
            let headers = [
                ("host", "evil.test"), ("x-forwarded-host", "evil.test"), ("x-forwarded-proto", "http"),
                ("x-forwarded-prefix", "/evil"), ("forwarded", "host=evil.test"), ("x-original-url", "/evil"),
            ];
            let forged = app.anonymous().send(Method::GET, path, None, &headers).await.expect(StatusCode::OK);
            assert_eq!(forged, plain);
        }
        for elsewhere in [format!("{SERVER}/t1"), format!("/t1{SERVER}"), format!("{RESOURCE}/t1")] {
            app.anonymous().get(&elsewhere).await.problem(StatusCode::NOT_FOUND, "not_found");
        }
    }

    async fn b04_a_refused_caller_is_told_where_to_read_about_the_api(app: &TestApp) {
        let named = format!("resource_metadata=\"{PUBLIC_URL}{RESOURCE}\"");
        let nobody = app.anonymous().get("/v1/api-keys").await;
        assert_eq!(nobody.header("www-authenticate"), Some(format!("Bearer realm=\"claviger\", {named}").as_str()));
        let stranger = app.client("clv_key_nonsense").get("/v1/api-keys").await;
        let expected = format!("Bearer realm=\"claviger\", error=\"invalid_token\", {named}");
        assert_eq!(stranger.header("www-authenticate"), Some(expected.as_str()));
        let key = app.reader().await;
        let lacking = app.client(&key.token).get("/v1/api-keys").await;
        assert!(!lacking.header("www-authenticate").unwrap().contains("resource_metadata"));

        let described = app.anonymous().get(RESOURCE).await.expect(StatusCode::OK);
        assert_eq!((&described["resource"], &described["authorization_servers"]), (&json!(PUBLIC_URL), &json!([PUBLIC_URL])));
        assert_eq!(described["bearer_methods_supported"], json!(["header"]));
        assert!(described["scopes_supported"].as_array().unwrap().contains(&json!("claviger:api_keys:read")));
    }
}

#[test]
fn k01_b04_an_instance_below_a_path_is_found_in_both_ways() {
    const ISSUER: &str = "https://acme.test/keys/:eu";
    let database = TestDatabase::fresh(Engine::Sqlite);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let mut app = TestApp::start(&database.url, |config| config.public_url = ISSUER.to_owned()).await;
        let read = async |path: &str| -> Value { app.anonymous().get(path).await.expect(StatusCode::OK) };
        // As RFC 8414 has it; as OpenID Connect has it; and as a proxy that takes the path away passes either on.
        for path in [
            "/.well-known/oauth-authorization-server/keys/:eu",
            "/.well-known/openid-configuration/keys/:eu",
            "/keys/:eu/.well-known/openid-configuration",
            "/keys/:eu/.well-known/oauth-authorization-server",
            SERVER,
            OPENID,
        ] {
            let told = read(path).await;
            assert_eq!(
                (&told["issuer"], &told["jwks_uri"]),
                (&json!(ISSUER), &json!(format!("{ISSUER}/.well-known/jwks.json"))),
                "{path}"
            );
        }
        assert_eq!(read("/keys/:eu/.well-known/jwks.json").await, read("/.well-known/jwks.json").await);
        assert_eq!(read("/.well-known/oauth-protected-resource/keys/:eu").await["resource"], ISSUER);
        let nobody = app.anonymous().get("/v1/api-keys").await;
        let expected = "resource_metadata=\"https://acme.test/.well-known/oauth-protected-resource/keys/:eu\"";
        assert!(nobody.header("www-authenticate").unwrap().ends_with(expected));
        for elsewhere in ["/.well-known/oauth-authorization-server/keys", "/keys/:us/.well-known/openid-configuration"]
        {
            app.anonymous().get(elsewhere).await.problem(StatusCode::NOT_FOUND, "not_found");
        }
        app.finish().await;
    });
}
