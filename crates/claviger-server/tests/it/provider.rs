//! Signing in by an outside provider, as far as no provider answers; `e2e/oidc.spec.mjs` goes the whole way with a real one.

use claviger_server::ProviderAt;
use claviger_token::Secret;
use reqwest::StatusCode;

use crate::{
    app::TestApp,
    browser::{Browser, PASSWORD, ZOE},
};

const NAME: &str = "Acme <ID>";

/// Nobody listens there.
fn provider() -> ProviderAt {
    ProviderAt {
        issuer: "http://127.0.0.1:9".to_owned(),
        client_id: "claviger".to_owned(),
        client_secret: Secret::new("of the provider".to_owned()),
        name: NAME.to_owned(),
        scopes: vec!["openid".to_owned()],
        groups_claim: None,
        group_roles: Vec::new(),
        create_users: false,
    }
}

on_both_databases! {
    async fn without_a_provider_there_is_no_such_way(app: &TestApp) {
        let browser = Browser::new(app);
        assert!(!browser.get("/sign-in").await.html.contains("/sign-in/oidc"));
        assert_eq!(browser.fill_in("/sign-in", "/sign-in/oidc", &[]).await.status, StatusCode::NOT_FOUND);
        assert_eq!(browser.get("/sign-in/oidc/callback?code=x&state=x").await.status, StatusCode::NOT_FOUND);
    }

    async fn a_provider_that_is_down_takes_no_password_away(app: &TestApp) {
        app.person(ZOE, Some(PASSWORD)).await;
        let mut node = app.another_node_with(|config| config.provider = Some(provider())).await;
        let browser = Browser::new(&node);
        browser.get("/sign-in").await.shows(StatusCode::OK, "Sign in with Acme &#60;ID&#62;");
        for _ in 0..2 {
            let page = browser.fill_in("/sign-in", "/sign-in/oidc", &[]).await;
            page.shows(StatusCode::BAD_GATEWAY, "does not answer");
        }
        browser.sign_in(ZOE, PASSWORD).await.leads_to("/");
        node.finish().await;
    }

    async fn what_does_not_belong_to_this_browser_is_refused(app: &TestApp) {
        let mut node = app.another_node_with(|config| config.provider = Some(provider())).await;
        let browser = Browser::new(&node);
        // A form without the token of a page of ours leads nowhere.
        browser.post("/sign-in/oidc", &[]).await.shows(StatusCode::FORBIDDEN, "open for too long");
        browser.post("/sign-in/oidc/again", &[]).await.leads_to("/sign-in?next=%2F");
        let state = "0".repeat(64);
        let texts = ["", ".", "x.1.in.Lw", "x.9223372036854775807.in.Lw", "x.1.in.Ly9ldmls", "x.1.again.Lw", "x.1.out.Lw"];
        browser.get("/sign-in").await;
        for text in texts {
            browser.cookies.lock().unwrap().insert("__Host-claviger-departure".to_owned(), text.to_owned());
            for query in [&format!("code=x&state={state}"), "", "error=access_denied", "state=%ff&code=%00"] {
                let page = browser.get(&format!("/sign-in/oidc/callback?{query}")).await;
                assert!(matches!(page.status, StatusCode::BAD_REQUEST), "{text} {query}: {}", page.html);
            }
        }
        node.finish().await;
    }
}
