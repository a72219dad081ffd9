//! The pages of service accounts in a browser: who sees what, what their forms make, and that what was made works.

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::{
    app::{TestApp, text},
    browser::{Browser, PASSWORD, Page},
    machine::Machine,
};

const READ: &str = "invoices:read";
const WRITE: &str = "invoices:write";
const ACCOUNTS: &str = "/organizations/acme/service-accounts";
const JWK: &str = r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
const PEM: &str = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n-----END PUBLIC KEY-----\n";
const RIGHTS: [&str; 2] = ["claviger:service_accounts:read", "claviger:service_accounts:write"];

/// Acme, with a service account.
struct Acme<'a> {
    app: &'a TestApp,
    id: String,
    account: String,
}

impl<'a> Acme<'a> {
    async fn new(app: &'a TestApp) -> Self {
        app.declare_invoices().await;
        let (id, account) = app.account("acme", &[READ, WRITE]).await;
        Self { app, id, account }
    }

    /// Somebody with these roles and permissions in an organization, who is signed in.
    async fn somebody(&self, there: &str, email: &str, roles: &[&str], permissions: &[&str]) -> Browser<'a> {
        let user = self.app.person(email, Some(PASSWORD)).await;
        let path = format!("/v1/organizations/{there}/members/{user}");
        let body = json!({ "roles": roles, "permissions": permissions });
        let status = self.app.root().put(&path, body).await.status;
        assert!(status.is_success(), "{status}");
        let browser = Browser::new(self.app);
        browser.sign_in(email, PASSWORD).await.leads_to("/");
        browser
    }

    async fn admin(&self) -> Browser<'a> {
        self.somebody(&self.id, "admin@acme.test", &["organization-admin"], &[READ, WRITE]).await
    }

    fn path(&self) -> String {
        format!("{ACCOUNTS}/{}", self.account)
    }

    async fn shown(&self) -> Value {
        self.app.root().get(&format!("/v1/service-accounts/{}", self.account)).await.expect(StatusCode::OK)
    }
}

/// Sends the form of a page, with what the page says of it.
async fn fill_in(browser: &Browser<'_>, shown: &Page, action: &str, fields: &[(&str, &str)]) -> Page {
    let kept = ["csrf", "once", "seen", "preset", "picker"].map(|name| {
        let there = shown.html.contains(&format!("name=\"{name}\" value=\""));
        (name, if there { shown.field(name) } else { String::new() })
    });
    let kept = kept.iter().filter(|(_, value)| !value.is_empty()).map(|(name, value)| (*name, value.as_str()));
    browser.post(action, &kept.chain(fields.iter().copied()).collect::<Vec<_>>()).await
}

/// Sends a form of one button.
async fn act(browser: &Browser<'_>, action: &str, more: &[(&str, &str)]) -> Page {
    let csrf = browser.get("/account/security").await.field("csrf");
    browser.post(action, &more.iter().copied().chain([("csrf", csrf.as_str())]).collect::<Vec<_>>()).await
}

/// The secret that a page shows.
fn secret(app: &TestApp, page: &Page) -> String {
    let shown = page.html.split("id=\"secret\"").nth(1).unwrap_or_else(|| panic!("no secret in {}", page.html));
    let shown = shown.split_once('>').unwrap().1.split('<').next().unwrap().to_owned();
    app.handed_out(&shown);
    shown
}

on_both_databases! {
    async fn of_two_roles_of_one_name_the_one_that_was_ticked_is_given(app: &TestApp) {
        let acme = Acme::new(app).await;
        let admin = acme.admin().await;
        let role = async |of: Value, permission: &str| {
            let body = json!({ "name": "reader", "organization_id": of, "permissions": [permission] });
            text(&app.root().post("/v1/roles", body).await.expect(StatusCode::CREATED)["id"])
        };
        // In this order, since one of the instance's keeps its name from organizations.
        let own = role(json!(acme.id), READ).await;
        let instances = role(Value::Null, WRITE).await;
        let fleets = "/organizations/acme/fleets";
        for (list, api) in [(ACCOUNTS, "/v1/service-accounts"), (fleets, "/v1/fleets")] {
            for (ticked, gives) in [(&own, READ), (&instances, WRITE)] {
                let shown = admin.get(&format!("{list}/new")).await;
                for offered in [format!("value=\"{own}\"><span><code>reader</code>"), format!("value=\"{instances}\"><span><code>reader · Whole instance</code>")] {
                    shown.shows(StatusCode::OK, &offered);
                }
                let fields = [("name", "sync"), ("role", ticked), ("days", "90")];
                let made = fill_in(&admin, &shown, &format!("{list}/new"), &fields).await;
                assert_eq!(made.status, StatusCode::SEE_OTHER, "{}", made.html);
                let edit = format!("{}/edit", made.location());
                let id = made.location().rsplit('/').next().unwrap();
                let now = app.root().get(&format!("{api}/{id}")).await.expect(StatusCode::OK);
                assert_eq!(now["roles"], json!(["reader"]), "{now}");
                // What is ticked stands there again, and nothing else; another is told by its name.
                let shown = admin.get(&edit).await;
                assert_eq!(shown.html.matches("\" checked><span><code>reader").count(), 1, "{}", shown.html);
                shown.shows(StatusCode::OK, &format!("value=\"{ticked}\" checked"));
                let late = fill_in(&admin, &shown, &edit, &[("name", "x"), ("seen", "x"), ("days", "90")]).await;
                assert_eq!(late.status, StatusCode::SEE_OTHER, "{}", late.html);
                if list == ACCOUNTS {
                    fill_in(&admin, &admin.get(&edit).await, &edit, &[("name", "x"), ("role", ticked)]).await;
                    let key = app.key(id, &[gives], json!({})).await;
                    assert_eq!(app.permissions(&key.token).await, [gives]);
                }
            }
        }
    }

    async fn an_account_is_made_once_changed_stopped_and_ended(app: &TestApp) {
        let acme = Acme::new(app).await;
        let admin = acme.admin().await;
        let list = admin.get(ACCOUNTS).await;
        list.shows(StatusCode::OK, &format!("href=\"{}\"", acme.path()));
        let shown = admin.get(&format!("{ACCOUNTS}/new")).await;
        let auditor = app.root().get("/v1/roles?q=auditor").await.expect(StatusCode::OK);
        let auditor = text(&auditor["items"][0]["id"]);
        shown.shows(StatusCode::OK, &format!("name=\"role\" value=\"{auditor}\""));
        let hostile = "<b>\"sync\" & co";
        let fields = [("name", hostile), ("role", auditor.as_str()), ("permission", READ), ("external_id", "app-7")];
        let made = fill_in(&admin, &shown, &format!("{ACCOUNTS}/new"), &fields).await;
        assert_eq!(made.status, StatusCode::SEE_OTHER, "{}", made.html);
        let path = made.location().to_owned();
        let page = admin.get(&path).await;
        page.shows(StatusCode::OK, "&#60;b&#62;&#34;sync&#34; &#38; co");
        assert!(!page.html.contains("<b>\"sync\"") && page.html.contains("<code>auditor</code>"));
        page.shows(StatusCode::OK, "Nothing can act as it yet");
        // The same form again makes no other.
        fill_in(&admin, &shown, &format!("{ACCOUNTS}/new"), &fields).await.leads_to(&format!("{path}?done=once"));
        let found = app.root().get("/v1/service-accounts?q=app-7").await.expect(StatusCode::OK);
        assert_eq!(found["items"].as_array().unwrap().len(), 1);
        // An external id is one account's.
        let again = admin.get(&format!("{ACCOUNTS}/new")).await;
        let taken = fill_in(&admin, &again, &format!("{ACCOUNTS}/new"), &fields).await;
        taken.shows(StatusCode::UNPROCESSABLE_ENTITY, "id=\"external-error\"");
        let nameless = fill_in(&admin, &again, &format!("{ACCOUNTS}/new"), &[("name", " ")]).await;
        nameless.shows(StatusCode::UNPROCESSABLE_ENTITY, "id=\"name-error\"");

        let edit = admin.get(&format!("{path}/edit")).await;
        edit.shows(StatusCode::OK, "value=\"invoices:read\" checked");
        let fields = [("name", "sync"), ("permission", WRITE), ("method", "private_key_jwt")];
        fill_in(&admin, &edit, &format!("{path}/edit"), &fields).await.leads_to(&format!("{path}?done=saved"));
        let id = path.rsplit('/').next().unwrap();
        let api = format!("/v1/service-accounts/{id}");
        let now = app.root().get(&api).await.expect(StatusCode::OK);
        assert_eq!((&now["name"], &now["permissions"], &now["roles"]), (&json!("sync"), &json!([WRITE]), &json!([])));
        assert_eq!((&now["external_id"], &now["token_endpoint_auth_method"]), (&Value::Null, &json!("private_key_jwt")));

        act(&admin, &format!("{path}/disable"), &[]).await.leads_to(&format!("{path}?done=disabled"));
        admin.get(&format!("{path}?done=disabled")).await.shows(StatusCode::OK, "none of its credentials works");
        act(&admin, &format!("{path}/enable"), &[]).await.leads_to(&format!("{path}?done=enabled"));
        admin.get(&format!("{path}/delete")).await.shows(StatusCode::OK, "This is final");
        act(&admin, &format!("{path}/delete"), &[]).await.leads_to(&format!("{ACCOUNTS}?done=deleted"));
        admin.get(&path).await.shows(StatusCode::NOT_FOUND, "no such page");
        act(&admin, &format!("{path}/delete"), &[]).await.shows(StatusCode::NOT_FOUND, "no such page");
        let trail = app.audit_trail(id).await;
        let expected = ["created", "updated", "disabled", "enabled", "deleted"].map(|what| format!("service_account.{what}"));
        assert_eq!(trail, expected);
    }

    async fn each_page_of_an_account_is_for_who_may_do_the_same_over_the_api(app: &TestApp) {
        let acme = Acme::new(app).await;
        let (globex, foreign) = app.account("globex", &[]).await;
        let (csec, _) = app.client_secret(&acme.account, json!({})).await;
        let other = app.account_in(&acme.id, &[]).await;
        let member = acme.somebody(&acme.id, "member@acme.test", &["member"], &[]).await;
        let auditor = acme.somebody(&acme.id, "auditor@acme.test", &["auditor"], &[]).await;
        let admin = acme.admin().await;
        let stranger = acme.somebody(&globex, "eve@globex.test", &["organization-admin"], &[]).await;
        let path = acme.path();
        let pages = [
            (ACCOUNTS.to_owned(), [false, true, true, false]),
            (format!("{ACCOUNTS}/new"), [false, false, true, false]),
            (path.clone(), [false, true, true, false]),
            (format!("{path}/edit"), [false, false, true, false]),
            (format!("{path}/delete"), [false, false, true, false]),
            (format!("{path}/secrets"), [false, true, true, false]),
            (format!("{path}/secrets/new"), [false, false, true, false]),
            (format!("{path}/secrets/{csec}"), [false, true, true, false]),
            (format!("{path}/secrets/{csec}/edit"), [false, false, true, false]),
            (format!("{path}/secrets/{csec}/roll"), [false, false, true, false]),
            (format!("{path}/secrets/{csec}/revoke"), [false, false, true, false]),
            (format!("{path}/public-keys"), [false, true, true, false]),
            (format!("{path}/public-keys/new"), [false, false, true, false]),
            (format!("{path}/certificates/new"), [false, false, true, false]),
            (format!("{path}/federations/new"), [false, false, true, false]),
            (format!("{path}/federations/new?preset=github"), [false, false, true, false]),
            // Another kind, another account, another organization, and nothing at all.
            (format!("{path}/public-keys/{csec}"), [false; 4]),
            (format!("{path}/elsewhere"), [false; 4]),
            (format!("{ACCOUNTS}/{other}/secrets/{csec}"), [false; 4]),
            (format!("{ACCOUNTS}/{foreign}"), [false; 4]),
            (format!("{ACCOUNTS}/{foreign}/secrets"), [false; 4]),
            (format!("/organizations/globex/service-accounts/{}", acme.account), [false; 4]),
            (format!("{ACCOUNTS}/sa_none"), [false; 4]),
        ];
        for (page, seen) in &pages {
            for (browser, seen) in [&member, &auditor, &admin, &stranger].into_iter().zip(seen) {
                let status = browser.get(page).await.status;
                assert_eq!(status, if *seen { StatusCode::OK } else { StatusCode::NOT_FOUND }, "{page}");
            }
        }
        let one = format!("{path}/secrets/{csec}");
        let forms = [
            format!("{ACCOUNTS}/new"),
            format!("{path}/edit"),
            format!("{path}/disable"),
            format!("{path}/enable"),
            format!("{path}/delete"),
            format!("{path}/secrets/new"),
            format!("{path}/public-keys/new"),
            format!("{path}/certificates/new"),
            format!("{path}/federations/new"),
            format!("{one}/edit"),
            format!("{one}/roll"),
            format!("{one}/end-overlap"),
            format!("{one}/disable"),
            format!("{one}/enable"),
            format!("{one}/revoke"),
        ];
        for form in &forms {
            for browser in [&member, &auditor, &stranger] {
                let answer = act(browser, form, &[("once", &"0".repeat(32)), ("overlap", "0"), ("seen", "1")]).await;
                assert_eq!(answer.status, StatusCode::NOT_FOUND, "{form}");
            }
            assert_eq!(admin.post(form, &[]).await.status, StatusCode::FORBIDDEN, "{form} without a token");
        }
        assert_eq!(acme.shown().await["disabled"], json!(false));
        // Who only looks is offered nothing to do.
        for page in [&path, &one, &format!("{path}/secrets")] {
            let looked_at = auditor.get(page).await;
            for action in ["/edit", "/disable", "/delete", "/revoke", "/roll", "/new"] {
                assert!(!looked_at.html.contains(&format!("{path}{action}")) && !looked_at.html.contains(&format!("{one}{action}")), "{page} {action}");
            }
        }
        Browser::new(app).get(&path).await.leads_to(&format!("/sign-in?next={}", path.replace('/', "%2F")));
    }

    async fn a_client_secret_is_shown_once_gets_tokens_and_is_rolled(app: &TestApp) {
        let acme = Acme::new(app).await;
        let admin = acme.admin().await;
        let list = format!("{}/secrets", acme.path());
        admin.get(&list).await.shows(StatusCode::OK, "None yet");
        let shown = admin.get(&format!("{list}/new")).await;
        let fields = [("name", "production"), ("life", "365")];
        let made = fill_in(&admin, &shown, &format!("{list}/new"), &fields).await;
        made.shows(StatusCode::OK, "Your new client secret");
        assert_eq!(made.header("cache-control"), "no-store");
        let client = |secret: String| Machine {
            organization: acme.id.clone(), id: acme.account.clone(), secret_id: String::new(), secret,
        };
        let first = client(secret(app, &made));
        app.access_token(&first, &[]).await;
        let again = fill_in(&admin, &shown, &format!("{list}/new"), &fields).await;
        assert!(again.location().ends_with("?done=once"), "{}", again.html);
        let path = again.location().split('?').next().unwrap().to_owned();
        let page = admin.get(&path).await;
        page.shows(StatusCode::OK, "clv_cs_");
        assert!(!page.html.contains(&first.secret) && page.html.contains("grant_type=client_credentials"));
        // Nothing narrows it, so nothing is said of that.
        assert!(!page.html.contains("On which objects") && !page.html.contains("No limit of its own"));

        let asked = admin.get(&format!("{path}/roll")).await;
        let rolled = fill_in(&admin, &asked, &format!("{path}/roll"), &[("overlap", "3600")]).await;
        rolled.shows(StatusCode::OK, "Your new secret");
        let second = client(secret(app, &rolled));
        app.access_token(&first, &[]).await;
        app.access_token(&second, &[]).await;
        act(&admin, &format!("{path}/end-overlap"), &[]).await.leads_to(&format!("{path}?done=overlap"));
        app.ask(&first, &[]).await.refusal(StatusCode::UNAUTHORIZED, "invalid_client");

        let edit = admin.get(&format!("{path}/edit")).await;
        assert!(!edit.html.contains("name=\"permission\"") && !edit.html.contains("name=\"networks\""));
        let fields = [("name", "renamed"), ("life", "keep")];
        fill_in(&admin, &edit, &format!("{path}/edit"), &fields).await.leads_to(&format!("{path}?done=saved"));
        // Of two who edit, the later sees what the other did.
        let late = fill_in(&admin, &edit, &format!("{path}/edit"), &[("name", "other"), ("life", "keep")]).await;
        late.shows(StatusCode::UNPROCESSABLE_ENTITY, "It is now: renamed");
        act(&admin, &format!("{path}/disable"), &[]).await.leads_to(&format!("{path}?done=disabled"));
        app.ask(&second, &[]).await.refusal(StatusCode::UNAUTHORIZED, "invalid_client");
        act(&admin, &format!("{path}/enable"), &[]).await.leads_to(&format!("{path}?done=enabled"));
        admin.get(&format!("{path}/revoke")).await.shows(StatusCode::OK, "Revoke this client secret?");
        act(&admin, &format!("{path}/revoke"), &[("reason", "unused")]).await.leads_to(&format!("{path}?done=revoked"));
        admin.get(&list).await.shows(StatusCode::OK, "Revoked");
    }

    async fn nobody_gets_hold_of_an_account_that_they_could_not_give(app: &TestApp) {
        let acme = Acme::new(app).await;
        let clerk = acme.somebody(&acme.id, "clerk@acme.test", &[], &[&RIGHTS[..], &[READ]].concat()).await;
        let list = format!("{}/secrets", acme.path());
        let shown = clerk.get(&list).await;
        shown.shows(StatusCode::OK, "claviger:grants:write");
        assert!(!shown.html.contains("/secrets/new"));
        clerk.get(&format!("{list}/new")).await.shows(StatusCode::NOT_FOUND, "no such page");
        let once = "0".repeat(32);
        let fields = [("once", once.as_str()), ("name", "x"), ("life", "never")];
        act(&clerk, &format!("{list}/new"), &fields).await.shows(StatusCode::NOT_FOUND, "no such page");
        // They give what they hold, and nothing else.
        let shown = clerk.get(&format!("{ACCOUNTS}/new")).await;
        assert!(shown.html.contains("value=\"invoices:read\"") && !shown.html.contains("value=\"invoices:write\""));
        let refused = fill_in(&clerk, &shown, &format!("{ACCOUNTS}/new"), &[("name", "x"), ("permission", WRITE)]).await;
        refused.shows(StatusCode::UNPROCESSABLE_ENTITY, "You may not give this: it needs invoices:write");
        let role = fill_in(&clerk, &shown, &format!("{ACCOUNTS}/new"), &[("name", "x"), ("role", "organization-admin")]).await;
        assert_eq!(role.status, StatusCode::UNPROCESSABLE_ENTITY);
        // What they may not start again, they are not offered to.
        app.root().patch(&format!("/v1/service-accounts/{}", acme.account), json!({ "disabled": true })).await.expect(StatusCode::OK);
        assert!(!clerk.get(&acme.path()).await.html.contains("/enable"));
        act(&clerk, &format!("{}/enable", acme.path()), &[]).await.shows(StatusCode::FORBIDDEN, "This is not yours to do");
        assert_eq!(acme.shown().await["disabled"], json!(true));
        // An account that reaches all of the instance is not theirs to stop or to end, though it is here.
        let root = app.account_in(&acme.id, &[]).await;
        let given = json!({ "principal_id": root, "organization_id": acme.id, "role": "instance-admin", "scope": "instance" });
        app.root().post("/v1/assignments", given).await.expect(StatusCode::CREATED);
        let admin = acme.admin().await;
        for action in ["disable", "delete"] {
            let answer = act(&admin, &format!("{ACCOUNTS}/{root}/{action}"), &[]).await;
            answer.shows(StatusCode::FORBIDDEN, "This is not yours to do");
        }
        let shown = admin.get(&format!("{ACCOUNTS}/{root}/secrets/new")).await;
        let refused = fill_in(&admin, &shown, &format!("{ACCOUNTS}/{root}/secrets/new"), &[("name", "x"), ("life", "never")]).await;
        refused.shows(StatusCode::UNPROCESSABLE_ENTITY, "You may not give this");
    }

    async fn of_two_who_edit_an_account_the_later_sees_what_the_other_did(app: &TestApp) {
        let acme = Acme::new(app).await;
        let admin = acme.admin().await;
        let edit = format!("{}/edit", acme.path());
        let shown = admin.get(&edit).await;
        let api = format!("/v1/service-accounts/{}", acme.account);
        app.root().patch(&api, json!({ "permissions": [READ] })).await.expect(StatusCode::OK);
        let fields = [("name", "mine"), ("permission", READ), ("permission", WRITE)];
        let late = fill_in(&admin, &shown, &edit, &fields).await;
        late.shows(StatusCode::UNPROCESSABLE_ENTITY, "It is now: invoices:read");
        assert_eq!(acme.shown().await["permissions"], json!([READ]));
        fill_in(&admin, &late, &edit, &fields).await.leads_to(&format!("{}?done=saved", acme.path()));
        assert_eq!((&acme.shown().await["name"], &acme.shown().await["permissions"]), (&json!("mine"), &json!([READ, WRITE])));
    }

    async fn a_public_key_is_registered_as_it_was_pasted_and_a_private_one_is_not(app: &TestApp) {
        let acme = Acme::new(app).await;
        let admin = acme.admin().await;
        let list = format!("{}/public-keys", acme.path());
        let shown = admin.get(&format!("{list}/new")).await;
        let private = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIA\n-----END PRIVATE KEY-----";
        let refused = fill_in(&admin, &shown, &format!("{list}/new"), &[("name", "x"), ("life", "never"), ("material", private)]).await;
        refused.shows(StatusCode::UNPROCESSABLE_ENTITY, "This is a private key");
        let made = fill_in(&admin, &shown, &format!("{list}/new"), &[("name", "ci"), ("life", "never"), ("material", PEM)]).await;
        assert!(made.location().ends_with("?done=registered"), "{}", made.html);
        let page = admin.get(made.location()).await;
        page.shows(StatusCode::OK, "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
        page.shows(StatusCode::OK, "It counts from now on");
        assert!(page.html.contains("--key private-key.pem") && !page.html.contains("/roll"));
        admin.get(&list).await.shows(StatusCode::OK, "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
        // Twice the same key is told as such, whatever its form.
        let again = admin.get(&format!("{list}/new")).await;
        let twice = fill_in(&admin, &again, &format!("{list}/new"), &[("name", "x"), ("life", "never"), ("material", JWK)]).await;
        twice.shows(StatusCode::UNPROCESSABLE_ENTITY, "just this one already");
        let at = fill_in(&admin, &again, &format!("{list}/new"), &[("name", "x"), ("life", "never"), ("jwks_uri", "http://client.test")]).await;
        at.shows(StatusCode::UNPROCESSABLE_ENTITY, "id=\"address-error\"");
        let path = made.location().split('?').next().unwrap();
        act(&admin, &format!("{path}/roll"), &[("once", &"0".repeat(32)), ("overlap", "0"), ("seen", "1")]).await
            .shows(StatusCode::NOT_FOUND, "no such page");
        act(&admin, &format!("{path}/revoke"), &[]).await.leads_to(&format!("{path}?done=revoked"));
    }

    async fn a_federated_identity_follows_from_a_few_questions(app: &TestApp) {
        let acme = Acme::new(app).await;
        let admin = acme.admin().await;
        let list = format!("{}/federations", acme.path());
        admin.get(&format!("{list}/new")).await.shows(StatusCode::OK, "Where does it run?");
        let shown = admin.get(&format!("{list}/new?preset=github")).await;
        let named = [("name", "main"), ("life", "never"), ("whose", "repository_id")];
        let by_name = [&named[..], &[("whose_id", "acme/site"), ("limit", "branch"), ("limit_value", "main")]].concat();
        fill_in(&admin, &shown, &format!("{list}/new"), &by_name).await.shows(StatusCode::UNPROCESSABLE_ENTITY, "id=\"whose_id-error\"");
        let fields = [&named[..], &[("whose_id", "74"), ("limit", "branch"), ("limit_value", "main")]].concat();
        let made = fill_in(&admin, &shown, &format!("{list}/new"), &fields).await;
        assert!(made.location().ends_with("?done=registered"), "{}", made.html);
        let page = admin.get(made.location()).await;
        page.shows(StatusCode::OK, "ref = refs/heads/main");
        page.shows(StatusCode::OK, "id-token: write");
        assert!(page.html.contains(&acme.account) && !page.html.contains("Only names are compared"));
        let id = made.location().split('?').next().unwrap().rsplit('/').next().unwrap().to_owned();
        let api = format!("/v1/service-accounts/{}/federations/{id}", acme.account);
        let told = app.root().get(&api).await.expect(StatusCode::OK);
        assert_eq!(told["conditions"], json!({ "repository_id": "74", "ref": "refs/heads/main" }));
        assert_eq!((&told["preset"], &told["issuer"]), (&json!("github"), &json!("https://token.actions.githubusercontent.com")));

        let shown = admin.get(&format!("{list}/new?preset=kubernetes")).await;
        let fields = [("name", "prod"), ("life", "never"), ("issuer", "https://kubernetes.default.svc"), ("namespace", "prod"), ("workload", "deploy")];
        let unreachable = fill_in(&admin, &shown, &format!("{list}/new"), &fields).await;
        unreachable.shows(StatusCode::UNPROCESSABLE_ENTITY, "Nobody outside reaches this issuer");
        let keys = format!("{{\"keys\":[{}]}}", JWK.replace('}', r#","kid":"a","alg":"EdDSA"}"#));
        let made = fill_in(&admin, &shown, &format!("{list}/new"), &[&fields[..], &[("material", keys.as_str())]].concat()).await;
        let page = admin.get(made.location()).await;
        page.shows(StatusCode::OK, "sub = system:serviceaccount:prod:deploy");
        page.shows(StatusCode::OK, "serviceAccountToken");
        let shown = admin.get(&format!("{list}/new?preset=oidc")).await;
        let fields = [("name", "x"), ("life", "never"), ("issuer", "https://issuer.test"), ("conditions", "email=*")];
        let anybody = fill_in(&admin, &shown, &format!("{list}/new"), &fields).await;
        anybody.shows(StatusCode::UNPROCESSABLE_ENTITY, "one claim and its value per line");
        admin.get(&list).await.shows(StatusCode::OK, "repository_id = 74");
    }

    async fn a_certificate_counts_by_itself_or_by_its_name(app: &TestApp) {
        let acme = Acme::new(app).await;
        let admin = acme.admin().await;
        let list = format!("{}/certificates", acme.path());
        let shown = admin.get(&format!("{list}/new")).await;
        let new = [("name", "host"), ("life", "never")];
        let send = async |more: &[(&str, &str)]| {
            fill_in(&admin, &shown, &format!("{list}/new"), &[&new[..], more].concat()).await
        };
        send(&[]).await.shows(StatusCode::UNPROCESSABLE_ENTITY, "id=\"material-error\"");
        send(&[("material", "x")]).await.shows(StatusCode::UNPROCESSABLE_ENTITY, "id=\"material-error\"");
        send(&[("name_kind", "san_dns"), ("name_value", "*.acme.test")]).await
            .shows(StatusCode::UNPROCESSABLE_ENTITY, "id=\"name-value-error\"");
        let made = send(&[("name_kind", "san_dns"), ("name_value", "sync.acme.test")]).await;
        let page = admin.get(made.location()).await;
        page.shows(StatusCode::OK, "sync.acme.test");
        page.shows(StatusCode::OK, "--cert client.pem");
    }

    async fn what_is_pasted_does_not_travel_in_an_address(app: &TestApp) {
        let acme = Acme::new(app).await;
        let admin = acme.admin().await;
        let list = format!("{}/public-keys", acme.path());
        let shown = admin.get(&format!("{list}/new")).await;
        app.clock.advance(jiff::SignedDuration::from_mins(11));
        let fields = [("name", "ci"), ("life", "never"), ("material", PEM), ("resume", &format!("{list}/new"))];
        let sent = fill_in(&admin, &shown, &format!("{list}/new"), &fields).await;
        assert!(sent.location().starts_with("/sign-in/again?next="), "{}", sent.html);
        assert!(sent.location().contains("name%3Dci") && !sent.location().contains("PUBLIC"), "{}", sent.location());
    }
}
