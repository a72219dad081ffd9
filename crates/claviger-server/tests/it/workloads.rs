//! Workloads that have no secret of ours: the jwt-bearer grant and clients that outside issuers vouch for (RFC 7523; the numbers are those
//! of the cases that must be answered). How each assertion is judged stands beside the rules in the core; here is what is seen of it.

use std::time::{Duration, Instant};

use claviger_token::{NetworkSet, SigningAlgorithm};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::{
    app::{PUBLIC_URL, Reply, SOON, TestApp, text, within},
    issuer::{Answer, Issuer, changed, jwk, key, now},
    machine::{CLIENT_CREDENTIALS, Machine, TOKEN, claims as claims_of},
};

const JWT_BEARER: (&str, &str) = ("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer");
const TYPE: (&str, &str) = ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer");

#[expect(clippy::disallowed_methods, reason = "how long something takes is what is tested")]
fn instant() -> Instant {
    Instant::now()
}

impl TestApp {
    /// Makes a federated identity of a client, and tells its id.
    async fn federation(&self, client: &Machine, more: Value) -> String {
        let body = changed(
            json!({ "name": "deploy", "conditions": { "repository_id": "74", "ref": "refs/heads/main" } }),
            more,
        );
        let made = self.root().post(&format!("{}/federations", client.path()), body).await;
        text(&made.expect(StatusCode::CREATED)["id"])
    }

    async fn grant(&self, assertion: &str, more: &[(&str, &str)]) -> Reply {
        self.form(TOKEN, &[&[JWT_BEARER, ("assertion", assertion)], more].concat()).await
    }

    /// Expects the one answer that tells nothing.
    async fn not_granted(&self, assertion: &str, more: &[(&str, &str)]) {
        let refused = self.grant(assertion, more).await.refusal(StatusCode::BAD_REQUEST, "invalid_grant");
        let told = text(&refused["error_description"]);
        assert!(told.starts_with("the assertion does not count here"), "{told}");
    }

    /// Why assertions for this federated identity were refused, as its owner is told.
    async fn reasons(&self, federation: &str) -> Vec<String> {
        let path = format!("/v1/audit-events?target={federation}&action=federation.assertion_refused");
        let events = self.root().get(&path).await.expect(StatusCode::OK);
        events["items"].as_array().unwrap().iter().map(|event| text(&event["details"]["reason"])).collect()
    }
}

on_both_databases! {
    async fn w01_github_actions_get_a_token_by_what_github_says_of_the_run(app: &TestApp) {
        let mut node = app.node_that_asks_here().await;
        let (client, github) = (app.machine().await, Issuer::start(SigningAlgorithm::Rs256).await);
        let id = app.federation(&client, json!({ "issuer": github.url })).await;
        let assertion = github.github(json!({}));
        let answer = node.grant(&assertion, &[("scope", "invoices:read"), ("client_id", &client.id)]).await.expect(StatusCode::OK);
        assert_eq!((&answer["token_type"], &answer["scope"]), (&json!("Bearer"), &json!("invoices:read")));
        assert!(answer.get("refresh_token").is_none());
        let token = text(&answer["access_token"]);
        let claims = claims_of(&token);
        assert_eq!((&claims["sub"], &claims["client_id"], &claims["cred"]), (&json!(client.id), &json!(client.id), &json!(id)));
        // W06: no longer than what it is made from.
        let (lives, assertion_ends) = (claims["exp"].as_i64().unwrap(), claims_of(&assertion)["exp"].as_i64().unwrap());
        assert!(lives <= assertion_ends && answer["expires_in"].as_i64().unwrap() <= 300);
        assert_eq!(app.code(&token).await, "valid");
        // Without the client's name it is found all the same.
        node.grant(&assertion, &[("client_id", &client.id)]).await.expect(StatusCode::OK);
        assert_eq!(github.asked(), 1, "its keys are kept");
        for (claims, reason) in [
            (json!({ "repository_id": "75" }), "repository_id"),
            (json!({ "ref": "refs/pull/1/merge", "sub": "repo:acme/site:pull_request" }), "ref"),
            (json!({ "repository_id": null }), "repository_id"),
            (json!({ "aud": "https://github.com/acme" }), "aud"),
            (json!({ "aud": [PUBLIC_URL, "https://other.test"] }), "aud"),
        ] {
            node.not_granted(&github.github(claims), &[("client_id", &client.id)]).await;
            let reasons = app.reasons(&id).await;
            assert_eq!(reasons.len(), 1, "told once an hour");
            assert!(reasons[0].contains("repository_id"), "the first of them: {reasons:?}, not {reason}");
        }
        // Ended by name, and at once for what it gave.
        let revoke = format!("{}/federations/{id}/revoke", client.path());
        app.root().post(&revoke, json!({})).await.expect(StatusCode::OK);
        assert_eq!(app.code(&token).await, "revoked");
        node.not_granted(&assertion, &[("client_id", &client.id)]).await;
        node.finish().await;
    }

    async fn w01_a_certificate_on_the_connection_is_no_other_proof(app: &TestApp) {
        let mut node = app.another_node_with(|config| {
            config.outbound_networks = NetworkSet::parse(["127.0.0.0/8"]).ok();
            config.trusted_proxies = NetworkSet::parse(["127.0.0.0/8"]).ok();
            config.client_certificate_header = true;
        }).await;
        let (client, github) = (app.machine().await, Issuer::start(SigningAlgorithm::Rs256).await);
        let federation = app.federation(&client, json!({ "issuer": github.url, "single_use": true })).await;
        let shown = include_str!("../../../claviger-token/src/certificate/self_signed.pem");
        let header = shown.replace(' ', "%20").replace('\n', "%0A").replace('+', "%2B").replace('/', "%2F").replace('=', "%3D");
        let grant = async |jti: &str| {
            let assertion = github.github(json!({ "jti": jti }));
            let fields = [JWT_BEARER, ("assertion", &assertion), ("client_id", &client.id)];
            let sent = node.request(reqwest::Method::POST, node.public, TOKEN).header("client-cert", &header);
            let reply = Reply::read(&node, sent.form(&fields).send().await.unwrap()).await;
            text(&claims_of(&text(&reply.expect(StatusCode::OK)["access_token"]))["cred"])
        };
        // For the first time, when its place is not known yet.
        assert_eq!(grant("1").await, federation);
        let body = json!({ "name": "own", "certificate_pem": shown });
        app.root().post(&format!("{}/certificates", client.path()), body).await.expect(StatusCode::CREATED);
        assert_eq!(grant("2").await, federation);
        node.finish().await;
    }

    async fn w01_who_fails_is_told_nothing_and_a_node_that_may_not_ask_does_not(app: &TestApp) {
        let mut node = app.node_that_asks_here().await;
        let (client, github) = (app.machine().await, Issuer::start(SigningAlgorithm::Rs256).await);
        let id = app.federation(&client, json!({ "issuer": github.url })).await;
        let sound = github.github(json!({}));
        let now = now();
        for assertion in [
            "nonsense".to_owned(),
            format!("{sound}x"),
            sound.replace('.', ".."),
            github.key.sign("at+jwt", &github.kid, &claims_of(&sound)).unwrap(),
            github.key.sign("JWT", "another", &claims_of(&sound)).unwrap(),
            key(SigningAlgorithm::Rs256).sign("JWT", &github.kid, &claims_of(&sound)).unwrap(),
            github.github(json!({ "iss": "https://nobody.test" })),
            github.github(json!({ "iss": format!("{}/", github.url) })),
            github.github(json!({ "exp": now - 300 })),
            github.github(json!({ "iat": now + 300, "nbf": now + 300, "exp": now + 600 })),
            github.github(json!({ "exp": now + 100_000 })),
            github.github(json!({ "sub": null })),
            github.github(json!({ "exp": null })),
        ] {
            node.not_granted(&assertion, &[("client_id", &client.id)]).await;
        }
        node.not_granted(&sound, &[("client_id", "sa_nobody")]).await;
        let other = app.machine_with("other", &["invoices:read"]).await;
        node.not_granted(&sound, &[("client_id", &other.id)]).await;
        // The clocks: the owner learns of it, whoever sends it does not.
        node.not_granted(&github.github(json!({ "iat": now + 300, "exp": now + 600 })), &[("client_id", &client.id)]).await;
        let reasons = app.reasons(&id).await;
        assert!(reasons[0].contains("clock"), "{reasons:?}");
        // A request that is wrong by itself says so.
        node.form(TOKEN, &[JWT_BEARER]).await.refusal(StatusCode::BAD_REQUEST, "invalid_request");
        node.form(TOKEN, &[JWT_BEARER, ("assertion", &sound), ("assertion", &sound)]).await.refusal(StatusCode::BAD_REQUEST, "invalid_request");
        node.form_of(&client, TOKEN, &[JWT_BEARER, ("assertion", &sound)]).await.refusal(StatusCode::BAD_REQUEST, "invalid_request");
        node.grant(&sound, &[("client_id", &client.id), ("scope", "invoices:delete")]).await.refusal(StatusCode::BAD_REQUEST, "invalid_scope");
        node.grant(&sound, &[("client_id", &client.id), ("resource", "https://other.test")]).await.refusal(StatusCode::BAD_REQUEST, "invalid_target");
        node.grant(&sound, &[("client_id", &client.id)]).await.expect(StatusCode::OK);
        // S09: nobody is asked on a network of ours unless that is set.
        let asked = github.asked();
        app.grant(&sound, &[("client_id", &client.id)]).await.refusal(StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable");
        assert_eq!(github.asked(), asked);
        node.finish().await;
    }

    async fn w02_an_issuer_signs_for_itself_alone(app: &TestApp) {
        let mut node = app.node_that_asks_here().await;
        let client = app.machine().await;
        let (one, other) = (Issuer::start(SigningAlgorithm::Rs256).await, Issuer::start(SigningAlgorithm::Rs256).await);
        app.federation(&client, json!({ "issuer": one.url })).await;
        let stranger = app.machine_with("globex", &["invoices:read"]).await;
        app.federation(&stranger, json!({ "issuer": other.url })).await;
        // The same name of a key in both sets.
        assert_eq!(one.kid, other.kid);
        node.not_granted(&other.github(json!({ "iss": one.url })), &[("client_id", &client.id)]).await;
        node.not_granted(&one.github(json!({})), &[("client_id", &stranger.id)]).await;
        let got = async |assertion: &str, client: &Machine| {
            let answer = node.grant(assertion, &[("client_id", &client.id)]).await.expect(StatusCode::OK);
            claims_of(&text(&answer["access_token"]))["sub"].clone()
        };
        assert_eq!(got(&other.github(json!({})), &stranger).await, json!(stranger.id));
        // Whoever registers the issuer of another with keys of its own gets no further than itself.
        let keys = json!({ "keys": [jwk(&other.key, &other.kid)] });
        app.federation(&stranger, json!({ "issuer": one.url, "jwks": keys })).await;
        let forged = other.github(json!({ "iss": one.url }));
        assert_eq!(got(&forged, &stranger).await, json!(stranger.id));
        node.not_granted(&forged, &[("client_id", &client.id)]).await;
        assert_eq!(got(&one.github(json!({})), &client).await, json!(client.id));
        node.finish().await;
    }

    async fn of_several_clients_the_request_names_one(app: &TestApp) {
        let mut node = app.node_that_asks_here().await;
        let (client, github) = (app.machine().await, Issuer::start(SigningAlgorithm::Rs256).await);
        let other = app.machine_with("other", &["invoices:read"]).await;
        app.federation(&client, json!({ "issuer": github.url })).await;
        app.federation(&client, json!({ "issuer": github.url, "conditions": { "repository_owner_id": "9" } })).await;
        let id = app.federation(&other, json!({ "issuer": github.url, "conditions": { "repository_id": "74" } })).await;
        let assertion = github.github(json!({}));
        // Somebody else may have an identity that fits as well: a token of theirs would take what is meant for one's own.
        for nobody in [&[][..], &[("client_id", "")]] {
            node.grant(&assertion, nobody).await.refusal(StatusCode::BAD_REQUEST, "invalid_request");
        }
        for one in [&client, &other] {
            let token = text(&node.grant(&assertion, &[("client_id", &one.id)]).await.expect(StatusCode::OK)["access_token"]);
            assert_eq!(claims_of(&token)["sub"], json!(one.id));
        }
        // Whoever is stopped is nobody.
        let path = format!("{}/federations/{id}", other.path());
        app.root().patch(&path, json!({ "disabled": true })).await.expect(StatusCode::OK);
        node.grant(&assertion, &[("client_id", &client.id)]).await.expect(StatusCode::OK);
        node.not_granted(&assertion, &[("client_id", &other.id)]).await;
        app.root().patch(&path, json!({ "disabled": false })).await.expect(StatusCode::OK);
        app.root().patch(&other.path(), json!({ "disabled": true })).await.expect(StatusCode::OK);
        node.not_granted(&assertion, &[("client_id", &other.id)]).await;
        node.finish().await;
    }

    async fn w03_gitlab_pipelines_are_told_apart_by_ids_and_refs(app: &TestApp) {
        let mut node = app.node_that_asks_here().await;
        let (client, gitlab) = (app.machine().await, Issuer::start(SigningAlgorithm::Rs256).await);
        let conditions = json!({ "project_id": "22", "ref": "main", "ref_type": "branch", "ref_protected": true });
        app.federation(&client, json!({ "preset": "gitlab", "issuer": gitlab.url, "conditions": conditions })).await;
        node.grant(&gitlab.gitlab(json!({})), &[("client_id", &client.id)]).await.expect(StatusCode::OK);
        for claims in [
            json!({ "project_id": "23" }), json!({ "ref": "main2" }), json!({ "ref_type": "tag" }), json!({ "ref_protected": "false" }),
            json!({ "ref": "m\u{430}in" }), json!({ "ref": "Main" }),
        ] {
            node.not_granted(&gitlab.gitlab(claims), &[("client_id", &client.id)]).await;
        }
        node.finish().await;
    }

    async fn w04_pods_of_a_cluster_whose_keys_were_uploaded_get_tokens(app: &TestApp) {
        let (client, cluster) = (app.machine().await, Issuer::start(SigningAlgorithm::Rs256).await);
        let inside = "https://kubernetes.default.svc.cluster.local";
        let keys = |keys: &[&Issuer]| json!({ "keys": keys.iter().map(|issuer| jwk(&issuer.key, &issuer.kid)).collect::<Vec<_>>() });
        let conditions = json!({ "sub": "system:serviceaccount:prod:deploy", "/kubernetes.io/namespace": "prod" });
        app.federation(&client, json!({
            "preset": "kubernetes", "issuer": inside, "jwks": keys(&[&cluster]), "conditions": conditions,
        })).await;
        let token = |mut more: Value| {
            more["iss"] = json!(inside);
            cluster.kubernetes(more)
        };
        app.grant(&token(json!({})), &[("client_id", &client.id), ("resource", "https://invoices.test")]).await.expect(StatusCode::OK);
        let now = now();
        for claims in [
            json!({ "aud": [inside] }),
            json!({ "aud": [PUBLIC_URL, inside] }),
            json!({ "exp": now - 1 }),
            json!({ "exp": null }),
            json!({ "sub": "system:serviceaccount:prod:default" }),
            json!({ "kubernetes.io": { "namespace": "dev" } }),
            json!({ "kubernetes.io": null, "kubernetes.io.namespace": "prod" }),
        ] {
            app.not_granted(&token(claims), &[("client_id", &client.id)]).await;
        }
        assert_eq!(cluster.asked(), 0);
        // The cluster that publishes its keys: a new one counts from its first use.
        let mut node = app.node_that_asks_here().await;
        app.federation(&client, json!({ "preset": "kubernetes", "issuer": cluster.url, "conditions": conditions })).await;
        node.grant(&cluster.kubernetes(json!({})), &[("client_id", &client.id)]).await.expect(StatusCode::OK);
        let next = key(SigningAlgorithm::Es256);
        cluster.now_answers(Answer::Keys(vec![jwk(&cluster.key, &cluster.kid), jwk(&next, "next")]));
        let claims = claims_of(&cluster.kubernetes(json!({})));
        node.grant(&next.sign("JWT", "next", &claims).unwrap(), &[("client_id", &client.id)]).await.expect(StatusCode::OK);
        assert_eq!(cluster.asked(), 2);
        node.finish().await;
    }

    async fn w05_a_spiffe_workload_is_known_by_its_trust_domain_and_its_bundle(app: &TestApp) {
        let mut node = app.node_that_asks_here().await;
        let (client, domain) = (app.machine().await, Issuer::start(SigningAlgorithm::Es256).await);
        let spiffe = |more: Value| changed(json!({
            "preset": "spiffe", "trust_domain": "acme.test", "conditions": { "sub": "spiffe://acme.test/ns/*/sa/deploy" },
            "jwks": domain.bundle(),
        }), more);
        app.federation(&client, spiffe(json!({}))).await;
        let token = text(&node.grant(&domain.svid(json!({})), &[("client_id", &client.id)]).await.expect(StatusCode::OK)["access_token"]);
        assert_eq!(app.code(&token).await, "valid");
        for claims in [
            json!({ "sub": "spiffe://acme.test/ns/prod/sa/other" }),
            json!({ "sub": "spiffe://other.test/ns/prod/sa/deploy" }),
            json!({ "sub": "spiffe://acme.test.evil/ns/prod/sa/deploy" }),
            json!({ "aud": null }), json!({ "aud": [] }), json!({ "exp": null }), json!({ "sub": null }),
        ] {
            node.not_granted(&domain.svid(claims), &[("client_id", &client.id)]).await;
        }
        let claims = claims_of(&domain.svid(json!({})));
        for (typ, sound) in [("JOSE", true), ("at+jwt", false), ("dpop+jwt", false)] {
            let assertion = domain.key.sign(typ, &domain.kid, &claims).unwrap();
            let reply = node.grant(&assertion, &[("client_id", &client.id)]).await;
            assert_eq!(reply.status == StatusCode::OK, sound, "{typ}");
        }
        // A bundle that is published; and keys for something else prove nothing.
        let other = app.machine_with("other", &["invoices:read"]).await;
        let at_home = json!({ "jwks": null, "jwks_uri": format!("{}/bundle", domain.url) });
        app.federation(&other, spiffe(at_home)).await;
        let named = [("client_id", other.id.as_str())];
        domain.now_answers(Answer::Keys(domain.bundle()["keys"].as_array().unwrap().clone()));
        node.grant(&domain.svid(json!({})), &named).await.expect(StatusCode::OK);
        assert_eq!(domain.asked(), 1);
        let mut second = app.node_that_asks_here().await;
        domain.now_answers(Answer::Keys(vec![jwk(&domain.key, &domain.kid)]));
        second.not_granted(&domain.svid(json!({})), &named).await;
        second.finish().await;
        node.finish().await;
    }

    async fn w06_an_assertion_counts_until_it_ends_or_once(app: &TestApp) {
        let mut node = app.node_that_asks_here().await;
        let (client, github) = (app.machine().await, Issuer::start(SigningAlgorithm::Rs256).await);
        let id = app.federation(&client, json!({ "issuer": github.url })).await;
        let assertion = github.github(json!({}));
        for _ in 0..2 {
            node.grant(&assertion, &[("client_id", &client.id)]).await.expect(StatusCode::OK);
        }
        app.root().delete(&format!("{}/federations/{id}", client.path())).await.expect(StatusCode::NO_CONTENT);
        node.not_granted(&assertion, &[("client_id", &client.id)]).await;
        app.federation(&client, json!({ "issuer": github.url, "single_use": true })).await;
        let sent: Vec<_> = (0..10).map(|_| {
            let form = [JWT_BEARER, ("assertion", assertion.as_str()), ("client_id", client.id.as_str())];
            tokio::spawn(node.request(reqwest::Method::POST, node.public, TOKEN).form(&form).send())
        }).collect();
        let mut done = 0;
        for reply in sent {
            done += usize::from(reply.await.unwrap().unwrap().status() == StatusCode::OK);
        }
        assert_eq!(done, 1, "of ten at once");
        node.grant(&github.github(json!({ "jti": "another" })), &[("client_id", &client.id)]).await.expect(StatusCode::OK);
        node.not_granted(&github.github(json!({ "jti": "another", "run_id": "2" })), &[("client_id", &client.id)]).await;
        // A token never outlives what it is made from.
        let soon = now() + 20;
        let answer = node.grant(&github.github(json!({ "jti": "soon", "exp": soon })), &[("client_id", &client.id)]).await.expect(StatusCode::OK);
        assert!(answer["expires_in"].as_i64().unwrap() <= 20 && claims_of(&text(&answer["access_token"]))["exp"].as_i64().unwrap() <= soon);
        node.finish().await;
    }

    async fn w07_an_issuer_that_does_not_answer_fails_alone_and_in_time(app: &TestApp) {
        let mut node = app.node_that_asks_here().await;
        let client = app.machine().await;
        let good = Issuer::start(SigningAlgorithm::Rs256).await;
        app.federation(&client, json!({ "issuer": good.url })).await;
        let oct = json!({ "kty": "oct", "k": "AAAA", "kid": "cc413527-173f-5a05-976e-9c52b1d7b431" });
        for answer in [
            Answer::Status(500),
            Answer::Text("<html>sign in</html>".to_owned()),
            Answer::Text("x".repeat(10_000_000)),
            Answer::Redirect("http://169.254.169.254/latest/meta-data/"),
            Answer::Keys(vec![jwk(&good.key, "twice"), jwk(&good.key, "twice")]),
            Answer::Never,
        ] {
            let bad = Issuer::start(SigningAlgorithm::Rs256).await;
            bad.now_answers(answer);
            app.federation(&client, json!({ "issuer": bad.url })).await;
            let started = instant();
            let (broken, sound) = tokio::join!(
                async { node.grant(&bad.github(json!({})), &[("client_id", &client.id)]).await },
                async {
                    let reply = node.grant(&good.github(json!({})), &[("client_id", &client.id)]).await;
                    (reply, started.elapsed())
                },
            );
            broken.refusal(StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable");
            sound.0.expect(StatusCode::OK);
            assert!(sound.1 < Duration::from_secs(4), "the other was not kept waiting");
            assert!(started.elapsed() < Duration::from_secs(15));
        }
        let bad = Issuer::start(SigningAlgorithm::Rs256).await;
        bad.now_answers(Answer::Keys(vec![oct]));
        app.federation(&client, json!({ "issuer": bad.url })).await;
        node.not_granted(&bad.github(json!({})), &[("client_id", &client.id)]).await;
        node.finish().await;
    }

    async fn a_client_proves_itself_by_an_outside_issuer(app: &TestApp) {
        let (client, github) = (app.machine().await, Issuer::start(SigningAlgorithm::Rs256).await);
        let id = app.federation(&client, json!({ "issuer": github.url, "jwks": { "keys": [jwk(&github.key, &github.kid)] } })).await;
        let assertion = github.github(json!({}));
        let ask = async |assertion: &str, more: &[(&str, &str)]| {
            let form = [&[CLIENT_CREDENTIALS, TYPE, ("client_assertion", assertion)], more].concat();
            app.form(TOKEN, &form).await
        };
        let answer = ask(&assertion, &[("client_id", &client.id)]).await.expect(StatusCode::OK);
        let claims = claims_of(&text(&answer["access_token"]));
        assert_eq!((&claims["sub"], &claims["cred"]), (&json!(client.id), &json!(id)));
        assert!(answer["expires_in"].as_i64().unwrap() <= 300);
        let refused = async |assertion: String, more: &[(&str, &str)]| {
            ask(&assertion, more).await.refusal(StatusCode::UNAUTHORIZED, "invalid_client");
        };
        refused(assertion.clone(), &[]).await;
        refused(github.github(json!({ "repository_id": "75" })), &[("client_id", &client.id)]).await;
        refused(assertion.clone(), &[("client_id", "sa_other")]).await;
        refused(format!("{assertion}x"), &[("client_id", &client.id)]).await;
        // It introspects its own token, too.
        let token = text(&answer["access_token"]);
        let form = [TYPE, ("client_assertion", assertion.as_str()), ("client_id", &client.id), ("token", token.as_str())];
        assert_eq!(app.form("/oauth/introspect", &form).await.expect(StatusCode::OK)["active"], json!(true));
        for (method, status) in [("client_secret_basic", 401), ("private_key_jwt", 200)] {
            app.root().patch(&client.path(), json!({ "token_endpoint_auth_method": method })).await.expect(StatusCode::OK);
            assert_eq!(ask(&assertion, &[("client_id", &client.id)]).await.status.as_u16(), status, "{method}");
            // A grant is no proof of a client.
            app.grant(&assertion, &[("client_id", &client.id)]).await.expect(StatusCode::OK);
        }
        let revoke = format!("{}/federations/{id}/revoke", client.path());
        app.root().post(&revoke, json!({})).await.expect(StatusCode::OK);
        assert_eq!(app.code(&token).await, "revoked");
    }

    async fn what_is_used_says_when(app: &TestApp) {
        let mut node = app.node_that_asks_here().await;
        let (client, github) = (app.machine().await, Issuer::start(SigningAlgorithm::Rs256).await);
        let id = app.federation(&client, json!({ "issuer": github.url })).await;
        node.grant(&github.github(json!({})), &[("client_id", &client.id)]).await.expect(StatusCode::OK);
        let path = format!("{}/federations/{id}", client.path());
        let deadline = instant() + Duration::from_secs(20);
        while app.root().get(&path).await.expect(StatusCode::OK)["last_used_at"].is_null() {
            assert!(instant() < deadline, "its use is told");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let once = [(JWT_BEARER.1.to_owned(), 1)].into();
        within(SOON, "its token is told", async || app.issued(&client).await == once).await;
        node.finish().await;
    }
}
