//! The OpenAPI document is reviewed when it changes, and can be browsed without a network.

use reqwest::{Method, StatusCode};

use crate::app::TestApp;

#[test]
fn the_document_is_as_reviewed() {
    let document = serde_json::to_value(claviger_server::openapi_document()).unwrap();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    insta::assert_json_snapshot!("openapi", document);
}

on_both_databases! {
    async fn the_documentation_fetches_nothing_from_elsewhere(app: &TestApp) {
        let page = app.request(Method::GET, app.public, "/docs/").send().await.unwrap();
        assert_eq!(page.status(), StatusCode::OK);
        assert!(page.headers()["content-security-policy"].to_str().unwrap().contains("default-src 'self'"));
        let html = page.text().await.unwrap();
        assert!(!html.contains("http://") && !html.contains("https://"), "{html}");
        let document = app.request(Method::GET, app.public, "/openapi.json").send().await.unwrap();
        assert_eq!(document.status(), StatusCode::OK);
    }
}
