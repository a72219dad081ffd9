//! The token endpoint (RFC 6749; the numbers are those of the cases that it must answer).

use jiff::SignedDuration;
use reqwest::{Method, StatusCode, header};
use serde_json::{Value, json};

use crate::{
    app::{INVOICES, PUBLIC_URL, Reply, TestApp, join_all, level_of_answer, text},
    machine::{CLIENT_CREDENTIALS, Machine, TOKEN, claims, header as header_of},
};

const ENDPOINTS: [&str; 3] = [TOKEN, "/oauth/introspect", "/oauth/revoke"];

const CREDENTIALS: &str = "grant_type=client_credentials";

async fn sent(app: &TestApp, request: reqwest::RequestBuilder) -> Reply {
    Reply::read(app, request.send().await.unwrap()).await
}

fn post(app: &TestApp, body: &str) -> reqwest::RequestBuilder {
    app.request(Method::POST, app.public, TOKEN)
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(body.to_owned())
}

fn as_client(app: &TestApp, client: &Machine, body: &str) -> reqwest::RequestBuilder {
    post(app, body).basic_auth(&client.id, Some(&client.secret))
}

on_both_databases! {
    async fn t01_only_post_and_nothing_of_the_query(app: &TestApp) {
        let client = app.machine().await;
        let query = format!("{TOKEN}?grant_type=client_credentials&client_id={}&client_secret={}", client.id, client.secret);
        for method in [Method::GET, Method::PUT, Method::DELETE, Method::OPTIONS] {
            let reply = sent(app, app.request(method, app.public, &query)).await;
            assert_eq!((reply.status, reply.header("allow")), (StatusCode::METHOD_NOT_ALLOWED, Some("POST")));
        }
        let form = app.request(Method::POST, app.public, &query).form(&[("scope", "invoices:read")]);
        sent(app, form).await.refusal(StatusCode::BAD_REQUEST, "invalid_request");
        let form = app.request(Method::POST, app.public, &query).form(&[CLIENT_CREDENTIALS]);
        sent(app, form).await.refusal(StatusCode::UNAUTHORIZED, "invalid_client");
        // What stands in the query does not count against the body either.
        let both = format!("{TOKEN}?scope=nothing&grant_type=password");
        let reply = app.form_of(&client, &both, &[CLIENT_CREDENTIALS]).await.expect(StatusCode::OK);
        assert_eq!(reply["scope"], "invoices:read invoices:write");
    }

    async fn t02_the_grant_is_named_and_known(app: &TestApp) {
        let client = app.machine().await;
        let check = async |body: &str, error: &str| {
            sent(app, as_client(app, &client, body)).await.refusal(StatusCode::BAD_REQUEST, error);
        };
        check("", "invalid_request").await;
        check("grant_type=", "invalid_request").await;
        for other in ["password", "authorization_code", "refresh_token", "implicit", "Client_Credentials", "x%22%0d%0a"] {
            check(&format!("grant_type={other}"), "unsupported_grant_type").await;
        }
    }

    async fn t03_a_repeated_parameter_is_refused(app: &TestApp) {
        let client = app.machine().await;
        for twice in ["scope=invoices:read&scope=invoices:read", "grant_type=client_credentials", "x=1&x=2"] {
            let body = format!("{CREDENTIALS}&{twice}");
            sent(app, as_client(app, &client, &body)).await.refusal(StatusCode::BAD_REQUEST, "invalid_request");
        }
        let body = format!("{CREDENTIALS}&client_id={0}&client_id={0}&client_secret={1}", client.id, client.secret);
        sent(app, post(app, &body)).await.refusal(StatusCode::BAD_REQUEST, "invalid_request");
    }

    async fn t04_what_is_unknown_or_empty_does_not_matter(app: &TestApp) {
        let client = app.machine().await;
        let body = format!("{CREDENTIALS}&scope=&resource=&foo=bar&audience=urn:elsewhere&client_secret=");
        let reply = sent(app, as_client(app, &client, &body)).await.expect(StatusCode::OK);
        assert_eq!(reply["scope"], "invoices:read invoices:write");
    }

    async fn t05_only_a_form_is_read(app: &TestApp) {
        let client = app.machine().await;
        let body = async |sort: Option<&str>, body: &str| {
            let mut request = app.request(Method::POST, app.public, TOKEN).basic_auth(&client.id, Some(&client.secret));
            if let Some(sort) = sort {
                request = request.header(header::CONTENT_TYPE, sort);
            }
            sent(app, request.body(body.to_owned())).await
        };
        let json = r#"{"grant_type":"client_credentials"}"#;
        body(Some("application/json"), json).await.refusal(StatusCode::BAD_REQUEST, "invalid_request");
        for sort in [None, Some("multipart/form-data; boundary=x"), Some("text/plain"), Some("application/x-www-form")] {
            body(sort, CREDENTIALS).await.refusal(StatusCode::BAD_REQUEST, "invalid_request");
        }
        for sort in ["application/x-www-form-urlencoded; charset=UTF-8", "Application/X-WWW-Form-Urlencoded"] {
            body(Some(sort), CREDENTIALS).await.expect(StatusCode::OK);
        }
        let form = "application/x-www-form-urlencoded";
        for body_of in ["%", "%zz=%", "=&=&=", "\u{feff}grant_type=client_credentials", "grant_type"] {
            body(Some(form), body_of).await.refusal(StatusCode::BAD_REQUEST, "invalid_request");
        }
        let large = format!("{CREDENTIALS}&x={}", "a".repeat(70_000));
        body(Some(form), &large).await.refusal(StatusCode::PAYLOAD_TOO_LARGE, "invalid_request");
        let many = format!("{CREDENTIALS}{}", (0..5000).map(|number| format!("&p{number}=x")).collect::<String>());
        body(Some(form), &many).await.refusal(StatusCode::BAD_REQUEST, "invalid_request");
    }

    async fn a01_t06_a_token_is_what_it_says(app: &TestApp) {
        let client = app.machine().await;
        let reply = app.ask(&client, &[]).await;
        for (name, value) in [("content-type", "application/json"), ("cache-control", "no-store"), ("pragma", "no-cache")] {
            assert_eq!(reply.header(name), Some(value));
        }
        let body = reply.expect(StatusCode::OK);
        let members: Vec<&String> = body.as_object().unwrap().keys().collect();
        assert_eq!(members, ["access_token", "expires_in", "scope", "token_type"]);
        assert_eq!((&body["token_type"], &body["expires_in"]), (&json!("Bearer"), &json!(600)));

        let token = text(&body["access_token"]);
        let (header, claims) = (header_of(&token), claims(&token));
        assert_eq!((&header["typ"], &header["alg"]), (&json!("at+jwt"), &json!("ES256")));
        let keys = app.anonymous().get("/.well-known/jwks.json").await.expect(StatusCode::OK);
        assert!(keys["keys"].as_array().unwrap().iter().any(|key| key["kid"] == header["kid"]));
        let expected = [
            ("iss", json!(PUBLIC_URL)), ("sub", json!(client.id)), ("client_id", json!(client.id)),
            ("aud", json!(INVOICES)), ("scope", json!("invoices:read invoices:write")), ("org", json!(client.organization)),
            ("cred", json!(client.secret_id)), ("epoch", json!(1)), ("env", json!("live")),
        ];
        for (name, value) in expected {
            assert_eq!(claims[name], value, "{name}");
        }
        assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 600);
        assert!(text(&claims["jti"]).starts_with("at_"));
        assert_ne!(app.access_token(&client, &[]).await, token);
        let verdict = app.verify(&token, json!({ "audience": INVOICES, "permissions": ["invoices:read"] })).await;
        assert_eq!((&verdict["code"], &verdict["credential"]["kind"]), (&json!("valid"), &json!("access_token")));
    }

    async fn an_api_says_how_its_tokens_are_made(app: &TestApp) {
        app.declare_invoices().await;
        let client = app.machine_with("acme", &["invoices:read"]).await;
        let api = app.root().get("/v1/apis").await.expect(StatusCode::OK);
        let api = api["items"].as_array().unwrap().iter().find(|api| api["identifier"] == INVOICES).unwrap().clone();
        let path = format!("/v1/apis/{}", text(&api["id"]));
        for (algorithm, length) in [("EdDSA", 60), ("ES256", 3600)] {
            let made = json!({ "signing_algorithm": algorithm, "access_token_ttl_seconds": length });
            app.root().patch(&path, made).await.expect(StatusCode::OK);
            let reply = app.ask(&client, &[]).await.expect(StatusCode::OK);
            assert_eq!((&header_of(&text(&reply["access_token"]))["alg"], &reply["expires_in"]), (&json!(algorithm), &json!(length)));
            assert_eq!(app.code(&text(&reply["access_token"])).await, "valid");
        }
        app.root().patch(&path, json!({ "access_token_format": "opaque" })).await.expect(StatusCode::OK);
        let token = app.access_token(&client, &[]).await;
        assert!(token.starts_with("clv_at_") && token.len() >= 45, "t16: {token}");
        assert_eq!(app.verify(&token, json!({ "permissions": ["invoices:read"] })).await["code"], "valid");
        app.clock.advance(SignedDuration::from_secs(3600));
        assert_eq!(app.code(&token).await, "expired");
    }

    async fn t07_nobody_keeps_a_refusal(app: &TestApp) {
        let client = app.machine().await;
        let keeps_nothing = |reply: &Reply| assert_eq!(reply.header("cache-control"), Some("no-store"), "{}", reply.status);
        for endpoint in ENDPOINTS {
            let got = app.anonymous().get(endpoint).await;
            assert_eq!(got.status, StatusCode::METHOD_NOT_ALLOWED, "{endpoint}");
            keeps_nothing(&got);
            let nobody = app.form(endpoint, &[CLIENT_CREDENTIALS, ("token", "x")]).await;
            keeps_nothing(&nobody);
            nobody.refusal(StatusCode::UNAUTHORIZED, "invalid_client");
            let nothing = app.form_of(&client, endpoint, &[]).await;
            keeps_nothing(&nothing);
            nothing.refusal(StatusCode::BAD_REQUEST, "invalid_request");
            let long = app.form_of(&client, endpoint, &[("token", &"x".repeat(70_000))]).await;
            keeps_nothing(&long);
            long.refusal(StatusCode::PAYLOAD_TOO_LARGE, "invalid_request");
        }
        // One that this node has not seen yet.
        let key = app.key(&client.id, &["invoices:read"], json!({})).await;
        app.app.store.database().close().await;
        for endpoint in ENDPOINTS {
            let away = app.form_of(&client, endpoint, &[CLIENT_CREDENTIALS, ("token", &key.token)]).await;
            keeps_nothing(&away);
            away.refusal(StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable");
        }
    }

    async fn t10_what_is_no_proof_is_no_outage(app: &TestApp) {
        use base64::{Engine as _, engine::general_purpose::STANDARD};
        let client = app.machine().await;
        let with_nul = STANDARD.encode(format!("{}:{}\0", client.id, client.secret));
        let encoded_nul = STANDARD.encode(format!("{}:{}%00", client.id, client.secret));
        for given in [with_nul, encoded_nul, "x".repeat(64 * 1024), STANDARD.encode(vec![b'%'; 20_000])] {
            let asked = post(app, CREDENTIALS).header(header::AUTHORIZATION, format!("Basic {given}"));
            let status = sent(app, asked).await.status.as_u16();
            assert!([400, 401, 431].contains(&status), "{status} for {} bytes", given.len());
        }
    }

    async fn t17_nobody_chooses_a_client_id(app: &TestApp) {
        let client = app.machine().await;
        for member in ["id", "client_id", "sub"] {
            let mut body = json!({ "organization_id": client.organization, "name": "nightly" });
            body[member] = json!(client.id);
            app.root().post("/v1/service-accounts", body).await.wrong(&format!("/{member}"), "unknown_member");
            let changed = app.root().patch(&client.path(), json!({ member: client.id })).await;
            changed.wrong(&format!("/{member}"), "unknown_member");
        }
        // Whose it is can be told from its form.
        let user = app.user("zoe@acme.test").await;
        assert!(client.id.starts_with("sa_") && user.starts_with("user_"), "{user}");
    }

    async fn t08_whoever_proves_nothing_learns_nothing(app: &TestApp) {
        let client = app.machine().await;
        let (ended_id, ended) = app.client_secret(&client.id, json!({})).await;
        app.root().post(&format!("{}/secrets/{ended_id}/revoke", client.path()), json!({})).await.expect(StatusCode::OK);
        let soon = jiff::Timestamp::from_millisecond(app.app.now().as_millisecond() + 3_600_000).unwrap();
        let (_, expired) = app.client_secret(&client.id, json!({ "expires_at": soon })).await;
        let stopped = app.machine_with("stopped", &["invoices:read"]).await;
        app.root().patch(&stopped.path(), json!({ "disabled": true })).await.expect(StatusCode::OK);
        let gone = app.machine_with("gone", &["invoices:read"]).await;
        app.root().delete(&gone.path()).await;
        let of_stopped = app.machine_with("of-stopped", &["invoices:read"]).await;
        let organization = format!("/v1/organizations/{}", of_stopped.organization);
        app.root().patch(&organization, json!({ "disabled": true })).await.expect(StatusCode::OK);
        app.clock.advance(SignedDuration::from_secs(3600));
        let unknown = client.id.replace(&client.id[3..10], "0000000");
        let key = app.key(&client.id, &["invoices:read"], json!({})).await;
        let wrong = [
            (client.id.as_str(), "nonsense"), (&client.id, ended.as_str()), (&client.id, &expired), (&client.id, &key.token),
            (&client.id, &stopped.secret), (&unknown, &client.secret), ("nobody", &client.secret), ("", ""),
            (&stopped.id, &stopped.secret), (&gone.id, &gone.secret),
            (&of_stopped.id, &of_stopped.secret),
        ];
        let mut answers = Vec::new();
        for (id, secret) in wrong {
            let basic = sent(app, post(app, CREDENTIALS).basic_auth(id, Some(secret))).await;
            assert!(basic.header("www-authenticate").unwrap().starts_with("Basic realm=\""));
            answers.push(basic.refusal(StatusCode::UNAUTHORIZED, "invalid_client"));
            if !id.is_empty() {
                let in_body = app.form(TOKEN, &[CLIENT_CREDENTIALS, ("client_id", id), ("client_secret", secret)]).await;
                if !secret.is_empty() {
                    answers.push(in_body.refusal(StatusCode::UNAUTHORIZED, "invalid_client"));
                }
            }
        }
        assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
        for nothing_shown in [&[CLIENT_CREDENTIALS][..], &[CLIENT_CREDENTIALS, ("client_id", &client.id)]] {
            let told = app.form(TOKEN, nothing_shown).await.refusal(StatusCode::UNAUTHORIZED, "invalid_client");
            assert!(told["error_description"].as_str().unwrap().contains("client_assertion"), "{told}");
        }
    }

    async fn what_machines_ask_all_the_time_is_told_when_it_fails(app: &TestApp) {
        let client = app.machine().await;
        let level = async |id: &str, request: reqwest::RequestBuilder| {
            sent(app, request.header("x-request-id", id)).await;
            level_of_answer(id)
        };
        let id = |what: &str| format!("{what}.{}", client.id);
        assert_eq!(level(&id("token"), as_client(app, &client, CREDENTIALS)).await, "DEBUG");
        assert_eq!(level(&id("refused"), post(app, CREDENTIALS).basic_auth(&client.id, Some("guess"))).await, "INFO");
        assert_eq!(level(&id("rare"), app.request(Method::GET, app.public, "/health/live")).await, "INFO");
    }

    async fn t09_t10_t11_one_way_read_as_the_rfc_has_it(app: &TestApp) {
        let client = app.machine().await;
        let body = async |more: &str| sent(app, as_client(app, &client, &format!("{CREDENTIALS}&{more}"))).await;
        body(&format!("client_id={}", client.id)).await.expect(StatusCode::OK);
        body("client_id=sa_other").await.refusal(StatusCode::BAD_REQUEST, "invalid_request");
        body(&format!("client_secret={}", client.secret)).await.refusal(StatusCode::BAD_REQUEST, "invalid_request");
        body("client_assertion=x").await.refusal(StatusCode::BAD_REQUEST, "invalid_request");
        let in_body = [CLIENT_CREDENTIALS, ("client_id", &client.id), ("client_secret", &client.secret)];
        app.form(TOKEN, &in_body).await.expect(StatusCode::OK);
        let with = async |value: &[u8]| {
            let value = header::HeaderValue::from_bytes(value).unwrap();
            sent(app, post(app, CREDENTIALS).header(header::AUTHORIZATION, value)).await
        };
        use base64::{Engine as _, engine::general_purpose::STANDARD};
        let encoded = STANDARD.encode(format!("{}:{}", client.id, client.secret));
        for scheme in ["basic ", "BASIC ", "Basic    "] {
            with(format!("{scheme}{encoded}").as_bytes()).await.expect(StatusCode::OK);
        }
        // Some clients encode more than they must.
        let escaped = |text: &str| text.replace('_', "%5F");
        let encoded = STANDARD.encode(format!("{}:{}", escaped(&client.id), escaped(&client.secret)));
        with(format!("Basic {encoded}").as_bytes()).await.expect(StatusCode::OK);
        let huge = STANDARD.encode("a".repeat(8_000));
        for broken in [b"Basic \xff".as_slice(), b"Basic", b"Basic %%%", b"Basic bm8=", b"Bearer x", b"Digest x", format!("Basic {huge}").as_bytes()] {
            with(broken).await.refusal(StatusCode::UNAUTHORIZED, "invalid_client");
        }
        let twice = post(app, CREDENTIALS).basic_auth(&client.id, Some(&client.secret)).header(header::AUTHORIZATION, "Basic eDp5");
        sent(app, twice).await.refusal(StatusCode::BAD_REQUEST, "invalid_request");
    }

    async fn t12_a_client_of_one_method_uses_no_other(app: &TestApp) {
        let client = app.machine().await;
        let ways = async || {
            let basic = app.ask(&client, &[]).await.status;
            let in_body = [CLIENT_CREDENTIALS, ("client_id", &client.id), ("client_secret", &client.secret)];
            (basic.as_u16(), app.form(TOKEN, &in_body).await.status.as_u16())
        };
        assert_eq!(ways().await, (200, 200));
        for (method, expected) in [("client_secret_basic", (200, 401)), ("client_secret_post", (401, 200)), ("private_key_jwt", (401, 401))] {
            let only = json!({ "token_endpoint_auth_method": method });
            app.root().patch(&client.path(), only).await.expect(StatusCode::OK);
            assert_eq!(ways().await, expected, "{method}");
        }
        app.root().patch(&client.path(), json!({ "token_endpoint_auth_method": null })).await.expect(StatusCode::OK);
        assert_eq!(ways().await, (200, 200));
    }

    async fn t12_a_token_proves_no_client_not_even_its_own(app: &TestApp) {
        let client = app.machine().await;
        let jwt = app.access_token(&client, &[]).await;
        let apis = app.root().get("/v1/apis").await.expect(StatusCode::OK);
        let api = apis["items"].as_array().unwrap().iter().find(|api| api["identifier"] == INVOICES).unwrap().clone();
        let path = format!("/v1/apis/{}", text(&api["id"]));
        app.root().patch(&path, json!({ "access_token_format": "opaque" })).await.expect(StatusCode::OK);
        let opaque = app.access_token(&client, &[]).await;
        for token in [jwt, opaque] {
            assert_eq!(app.code(&token).await, "valid");
            let thief = Machine { secret: token.clone(), organization: String::new(), id: client.id.clone(), secret_id: String::new() };
            for path in [TOKEN, "/oauth/introspect", "/oauth/revoke"] {
                let fields = [CLIENT_CREDENTIALS, ("token", token.as_str())];
                app.form_of(&thief, path, &fields).await.refusal(StatusCode::UNAUTHORIZED, "invalid_client");
                let fields = [&fields[..], &[("client_id", client.id.as_str()), ("client_secret", &token)]].concat();
                app.form(path, &fields).await.refusal(StatusCode::UNAUTHORIZED, "invalid_client");
            }
            assert_eq!(app.code(&token).await, "valid");
        }
    }

    async fn t13_t14_a_scope_is_what_the_client_holds(app: &TestApp) {
        let client = app.machine().await;
        let reply = app.ask(&client, &[("scope", "invoices:write  invoices:read invoices:write")]).await;
        assert_eq!(reply.expect(StatusCode::OK)["scope"], "invoices:read invoices:write");
        let reply = app.ask(&client, &[("scope", "invoices:read")]).await.expect(StatusCode::OK);
        assert_eq!((&reply["scope"], &claims(&text(&reply["access_token"]))["scope"]), (&json!("invoices:read"), &json!("invoices:read")));
        for scope in ["invoices:delete", "invoices:read claviger:verify", "a\"b\\c\r\nd\u{e9}", "*", "openid"] {
            app.ask(&client, &[("scope", scope)]).await.refusal(StatusCode::BAD_REQUEST, "invalid_scope");
        }
        let powerless = app.machine_with("powerless", &[]).await;
        app.ask(&powerless, &[]).await.refusal(StatusCode::BAD_REQUEST, "invalid_scope");
    }

    async fn a04_a05_x01_x02_a_token_is_for_one_api(app: &TestApp) {
        app.declare_invoices().await;
        let other = json!({ "identifier": "https://mail.test", "name": "Mail", "permissions": [{ "name": "mail:send" }] });
        app.root().post("/v1/apis", other).await.expect(StatusCode::CREATED);
        let third = json!({ "identifier": "https://third.test", "name": "Third", "permissions": [{ "name": "third:use" }] });
        app.root().post("/v1/apis", third).await.expect(StatusCode::CREATED);
        let client = app.machine_with("acme", &["invoices:read", "mail:send", "claviger:api_keys:read"]).await;
        app.ask(&client, &[]).await.refusal(StatusCode::BAD_REQUEST, "invalid_scope");
        app.ask(&client, &[("scope", "invoices:read mail:send")]).await.refusal(StatusCode::BAD_REQUEST, "invalid_scope");
        let granted = async |fields: &[(&str, &str)]| {
            let reply = app.ask(&client, fields).await.expect(StatusCode::OK);
            (text(&claims(&text(&reply["access_token"]))["aud"]), text(&reply["scope"]))
        };
        let mail = ("https://mail.test".to_owned(), "mail:send".to_owned());
        assert_eq!(granted(&[("resource", "https://mail.test")]).await, mail);
        assert_eq!(granted(&[("resource", "https://mail.test/")]).await, mail);
        assert_eq!(granted(&[("scope", "mail:send")]).await, mail);
        assert_eq!(granted(&[("resource", "https://mail.test"), ("scope", "mail:send invoices:read")]).await, mail, "x02");
        for target in ["/mail", "https://mail.test#a", "https://nowhere.test", "https://third.test", "https://MAIL.test"] {
            app.ask(&client, &[("resource", target)]).await.refusal(StatusCode::BAD_REQUEST, "invalid_target");
        }
        let two = [("resource", "https://mail.test"), ("resource", INVOICES)];
        app.ask(&client, &two).await.refusal(StatusCode::BAD_REQUEST, "invalid_target");

        // Claviger's own API is one of them.
        let own = app.access_token(&client, &[("resource", PUBLIC_URL)]).await;
        app.client(&own).get("/v1/api-keys").await.expect(StatusCode::OK);
        app.client(&own).get("/v1/roles").await.problem(StatusCode::FORBIDDEN, "permission_missing");
    }

    async fn t18_a_rolled_secret_works_until_its_overlap_ends(app: &TestApp) {
        let mut other = app.another_node().await;
        let mut client = app.machine().await;
        let roll = json!({ "overlap_seconds": 60 });
        let rolled = app.root().post(&format!("{}/roll", client.secret_path()), roll).await.expect(StatusCode::OK);
        let old = client.secret.clone();
        client.secret = text(&rolled["client_secret"]);
        let status = async |node: &TestApp, secret: &str| {
            let fields = [CLIENT_CREDENTIALS, ("client_id", &client.id), ("client_secret", secret)];
            node.form(TOKEN, &fields).await.status.as_u16()
        };
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        for node in [app, &other] {
            assert_eq!((status(node, &old).await, status(node, &client.secret).await), (200, 200));
        }
        app.clock.advance(SignedDuration::from_secs(61));
        other.clock.advance(SignedDuration::from_secs(61));
        for node in [app, &other] {
            assert_eq!((status(node, &old).await, status(node, &client.secret).await), (401, 200));
        }
        other.finish().await;
    }

    async fn a06_a_token_does_not_outlive_the_secret_that_it_was_made_by(app: &TestApp) {
        let mut client = app.machine().await;
        let roll = async |seconds: u32| {
            let body = json!({ "overlap_seconds": seconds });
            let rolled = app.root().post(&format!("{}/roll", client.secret_path()), body).await.expect(StatusCode::OK);
            text(&rolled["client_secret"])
        };
        let (second, third) = (roll(60).await, roll(120).await);
        // The clock goes on while the test does.
        let lasts = async |client: &Machine| app.ask(client, &[]).await.expect(StatusCode::OK)["expires_in"].as_u64().unwrap();
        client.secret = second;
        assert!((90..=120).contains(&lasts(&client).await));
        let token = app.access_token(&client, &[]).await;
        client.secret = third;
        assert_eq!(lasts(&client).await, 600);
        assert_eq!(app.code(&token).await, "valid");
        let roll = json!({ "overlap_seconds": 60 });
        app.root().post(&format!("{}/roll", client.secret_path()), roll).await.expect(StatusCode::OK);
        assert_eq!(app.code(&token).await, "revoked", "the secret of before the last ended at once");
    }

    async fn a_token_that_nobody_would_take_is_not_made(app: &TestApp) {
        let client = app.machine().await;
        let objects: Vec<String> = (0..100).map(|number| format!("repo:acme/{number:0>60}")).collect();
        let key = app.key(&client.id, &["invoices:read"], json!({ "objects": objects })).await;
        let exchange = [
            ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"), ("subject_token", key.token.as_str()),
            ("subject_token_type", "urn:ietf:params:oauth:token-type:access_token"),
        ];
        let refusal = app.form_of(&client, TOKEN, &exchange).await.refusal(StatusCode::BAD_REQUEST, "invalid_request");
        assert!(text(&refusal["error_description"]).contains("8192 bytes"), "{refusal}");
        let fewer = json!({ "objects": objects[..50] });
        app.root().patch(&format!("/v1/api-keys/{}", key.id), fewer).await.expect(StatusCode::OK);
        let made = app.form_of(&client, TOKEN, &exchange).await.expect(StatusCode::OK);
        let asked = json!({ "object": objects[7] });
        assert_eq!(app.verify(&text(&made["access_token"]), asked).await["code"], "valid");
    }

    async fn x03_details_are_granted_and_told_word_for_word(app: &TestApp) {
        let client = app.machine().await;
        let details = json!([
            { "type": "objects", "objects": ["base:app7"] }, { "type": "objects", "objects": ["repo:acme/*", "base:app7"] },
        ]);
        let check = async |is_jwt: bool| {
            let answer = app.ask(&client, &[("authorization_details", &details.to_string())]).await.expect(StatusCode::OK);
            assert_eq!(answer["authorization_details"], details);
            let token = text(&answer["access_token"]);
            if is_jwt {
                let told = claims(&token);
                assert_eq!((&told["authorization_details"], &told["objects"]), (&details, &json!(["base:app7", "repo:acme/*", "base:app7"])));
            }
            let told = app.introspected(&client, &token).await;
            assert_eq!((&told["active"], &told["authorization_details"]), (&json!(true), &details), "{told}");
            let code = async |asked: Value| app.verify(&token, asked).await["code"].clone();
            assert_eq!(code(json!({ "object": "base:app7" })).await, "valid");
            assert_eq!(code(json!({ "object": "repo:acme/site" })).await, "valid");
            assert_eq!(code(json!({ "object": "base:app8" })).await, "object_not_allowed");
            assert_eq!(code(json!({ "permissions": ["invoices:read"] })).await, "object_required");
        };
        check(true).await;
        app.opaque_from_now_on().await;
        check(false).await;
        let plain = app.ask(&client, &[]).await.expect(StatusCode::OK);
        assert!(plain.get("authorization_details").is_none());
    }

    async fn x03_details_that_are_none_are_refused_and_not_passed_over(app: &TestApp) {
        let client = app.machine().await;
        let (deep, one) = ("[".repeat(1_000), r#"{"type":"objects","objects":["a:1"]},"#);
        let many = format!("[{}]", one.repeat(500).trim_end_matches(','));
        let twice = r#"[{"type":"objects","objects":["a:1"],"objects":["a:2"]}]"#;
        for details in [r#"[{"type":"account","id":"7"}]"#, twice, "[]", "{", "x", &deep, &many] {
            let reply = app.ask(&client, &[("authorization_details", details)]).await;
            reply.refusal(StatusCode::BAD_REQUEST, "invalid_authorization_details");
        }
        app.ask(&client, &[("authorization_details", "")]).await.expect(StatusCode::OK);
    }

    async fn t19_an_address_is_who_is_connected(app: &TestApp) {
        let client = app.machine().await;
        let policy = format!("/v1/organizations/{}/policy", client.organization);
        app.root().patch(&policy, json!({ "allowed_networks": ["203.0.113.0/24"] })).await.expect(StatusCode::OK);
        for name in ["x-forwarded-for", "forwarded", "x-real-ip", "x-client-cert", "x-forwarded-client-cert"] {
            let forged = as_client(app, &client, CREDENTIALS).header(name, "203.0.113.9");
            sent(app, forged).await.refusal(StatusCode::UNAUTHORIZED, "invalid_client");
        }
        let networks = json!({ "allowed_networks": ["127.0.0.0/8"] });
        app.root().patch(&policy, networks).await.expect(StatusCode::OK);
        app.ask(&client, &[]).await.expect(StatusCode::OK);
    }

    async fn t20_no_page_of_elsewhere_reads_an_answer(app: &TestApp) {
        let client = app.machine().await;
        let reply = sent(app, as_client(app, &client, CREDENTIALS).header("origin", "https://evil.test")).await;
        assert!(reply.headers.keys().all(|name| !name.as_str().starts_with("access-control-")));
        for endpoint in ENDPOINTS {
            let asked = app.request(Method::OPTIONS, app.public, endpoint)
                .header("origin", "https://evil.test").header("access-control-request-method", "POST");
            let reply = sent(app, asked).await;
            assert!(reply.headers.keys().all(|name| !name.as_str().starts_with("access-control-")), "{endpoint}");
        }
    }

    async fn an_accounts_limits_bound_what_it_is_given(app: &TestApp) {
        let client = app.machine().await;
        let limits = json!({ "rate_limits": [{ "name": "default", "limit": 3, "window_seconds": 3600 }] });
        app.root().patch(&client.path(), limits).await.expect(StatusCode::OK);
        for _ in 0..3 {
            app.ask(&client, &[]).await.expect(StatusCode::OK);
        }
        let reply = app.ask(&client, &[]).await;
        assert!(reply.header("retry-after").unwrap().parse::<u64>().unwrap() > 0);
        reply.refusal(StatusCode::TOO_MANY_REQUESTS, "temporarily_unavailable");
    }

    async fn whoever_fails_again_and_again_waits_and_keeps_nobody_out(app: &TestApp) {
        let client = app.machine().await;
        let wrong = [CLIENT_CREDENTIALS, ("client_id", &client.id), ("client_secret", "nonsense")];
        // At once: one is forgotten with every second.
        let replies = join_all((0..100).map(|_| app.form(TOKEN, &wrong))).await;
        let refused = replies.into_iter().find(|reply| reply.status == StatusCode::TOO_MANY_REQUESTS);
        let refused = refused.expect("of a hundred one waits");
        assert!(refused.header("retry-after").is_some());
        refused.refusal(StatusCode::TOO_MANY_REQUESTS, "temporarily_unavailable");
        app.ask(&client, &[]).await.expect(StatusCode::OK);
    }

    async fn use_is_counted_for_the_secret(app: &TestApp) {
        let client = app.machine().await;
        app.access_token(&client, &[]).await;
        let used = async || -> Value {
            app.root().get(&client.secret_path()).await.expect(StatusCode::OK)["generations"][0].clone()
        };
        crate::app::within(std::time::Duration::from_secs(20), "the last use is written", async || {
            used().await["last_used_from"] == "127.0.0.1"
        }).await;
        assert!(used().await["last_used_at"].is_string());
    }
}
