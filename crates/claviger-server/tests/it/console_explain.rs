//! The page that explains a refusal: what it tells, to whom, and that a token which is typed there stays nowhere.

use reqwest::StatusCode;
use serde_json::json;

use crate::{
    app::{OF_ANOTHER_BRAND, TestApp},
    console_audit::{Two, send},
};

const EXPLAIN: &str = "/organizations/acme/explain";

on_both_databases! {
    async fn a_refusal_is_explained_with_what_can_be_done(app: &TestApp) {
        let two = Two::new(app).await;
        let key = app.key(&two.account, &["invoices:read"], json!({ "name": "<b>sync" })).await;
        let admin = two.admin().await;
        admin.get("/organizations/acme").await.shows(StatusCode::OK, &format!("href=\"{EXPLAIN}\""));
        let asked = [("credential", key.token.as_str()), ("permissions", "invoices:read invoices:write, a:b")];
        let told = send(&admin, EXPLAIN, &asked).await;
        told.shows(StatusCode::OK, "It lacks a permission.");
        told.shows(StatusCode::OK, "<code>permission_missing</code>");
        told.shows(StatusCode::OK, "It is not on the list of the key or token");
        told.shows(StatusCode::OK, "No API declares it");
        told.shows(StatusCode::OK, "&#60;b&#62;sync");
        told.shows(StatusCode::OK, &format!("href=\"/organizations/acme/api-keys/{}/edit\"", key.id));
        assert!(!told.html.contains(&key.token), "the token came back");
        assert_eq!(told.header("cache-control"), "no-store");
        let valid = send(&admin, EXPLAIN, &[("credential", key.token.as_str()), ("permissions", "invoices:read")]).await;
        valid.shows(StatusCode::OK, "It counts: nothing speaks against it.");
        // By its id as well, which the form keeps.
        let by_id = send(&admin, EXPLAIN, &[("credential", key.id.as_str()), ("objects", "base:x")]).await;
        by_id.shows(StatusCode::OK, "An id says nothing of the secret");
        by_id.shows(StatusCode::OK, &format!("value=\"{}\"", key.id));
        admin.get(&format!("{EXPLAIN}?credential={}", key.id)).await.shows(StatusCode::OK, &format!("value=\"{}\"", key.id));
        app.root().post(&format!("/v1/api-keys/{}/revoke", key.id), json!({ "reason": "compromised" })).await.expect(StatusCode::OK);
        let revoked = send(&admin, EXPLAIN, &[("credential", key.token.as_str())]).await;
        revoked.shows(StatusCode::OK, "was revoked.");
        revoked.shows(StatusCode::OK, "compromised");
        send(&admin, EXPLAIN, &[("credential", "clv_key_x")]).await.shows(StatusCode::OK, "This is no credential of this instance.");
        // A whole token of another brand: perhaps from before this instance's was changed.
        let other = send(&admin, EXPLAIN, &[("credential", OF_ANOTHER_BRAND)]).await;
        other.shows(StatusCode::OK, "neither brand nor former brand of this instance.");
        other.shows(StatusCode::OK, "CLAVIGER_FORMER_BRANDS");
    }

    async fn what_the_owner_lacks_is_given_to_the_owner(app: &TestApp) {
        let two = Two::new(app).await;
        let key = app.key(&two.account, &["invoices:read"], json!({})).await;
        let admin = two.admin().await;
        let (owner, edit) = (format!("/organizations/acme/service-accounts/{}", two.account), format!("/api-keys/{}/edit", key.id));
        let ask = async |permissions: &str| {
            let page = send(&admin, EXPLAIN, &[("credential", key.token.as_str()), ("permissions", permissions)]).await;
            page.shows(StatusCode::OK, "<code>permission_missing</code>");
            let links = page.html.split("<div class=\"choices\">").nth(1).unwrap().split("</div>").next().unwrap();
            links.to_owned()
        };
        // It is not on the key alone: the key is changed.
        let links = ask("invoices:write").await;
        assert!(links.contains(&edit) && !links.contains(&owner), "{links}");
        // Neither holds it: first the owner gets it.
        app.root().patch(&format!("/v1/service-accounts/{}", two.account), json!({ "permissions": [] })).await.expect(StatusCode::OK);
        let links = ask("invoices:write").await;
        assert!(links.find(&owner).unwrap() < links.find(&edit).unwrap(), "{links}");
        // It stands on the key already, which nobody needs to change.
        let links = ask("invoices:read").await;
        assert!(links.contains(&owner) && !links.contains(&edit), "{links}");
    }

    async fn what_is_out_of_reach_is_not_known(app: &TestApp) {
        let two = Two::new(app).await;
        let foreign = app.key(&two.other, &["invoices:read"], json!({ "name": "theirs" })).await;
        let (admin, root) = (two.admin().await, two.root().await);
        for browser in [&admin, &root] {
            for credential in [&foreign.token, &foreign.id] {
                let told = send(browser, EXPLAIN, &[("credential", credential.as_str())]).await;
                told.shows(StatusCode::OK, "It is not known here.");
                assert!(!told.html.contains("theirs") && !told.html.contains(&foreign.token), "{}", told.html);
            }
        }
        // Who may verify and not look at tokens learns nothing of one by its id.
        let (verifier, _) = two.somebody(&two.acme, "verifier@acme.test", &[], &["claviger:verify"]).await;
        let own = app.key(&two.account, &["invoices:read"], json!({ "name": "ours" })).await;
        send(&verifier, EXPLAIN, &[("credential", own.id.as_str())]).await.shows(StatusCode::OK, "It is not known here.");
        let told = send(&verifier, EXPLAIN, &[("credential", own.token.as_str()), ("permissions", "invoices:read")]).await;
        told.shows(StatusCode::OK, "not yours to see");
        // What its organization may not use looks to them like what nobody gave, but not to who reads organizations.
        app.root().patch(&format!("/v1/organizations/{}", two.acme), json!({ "ceiling": ["claviger:verify", "claviger:organizations:read"] })).await.expect(StatusCode::OK);
        let asked = [("credential", own.token.as_str()), ("permissions", "invoices:read invoices:write")];
        let told = send(&verifier, EXPLAIN, &asked).await;
        told.shows(StatusCode::OK, "The owner does not hold it, or the organization may not use it.");
        assert!(!told.html.contains("The organization may not use it."), "{}", told.html);
        let rights = ["claviger:verify", "claviger:organizations:read"];
        let (reader, _) = two.somebody(&two.acme, "reader@acme.test", &[], &rights).await;
        send(&reader, EXPLAIN, &asked).await.shows(StatusCode::OK, "The organization may not use it.");
        app.root().patch(&format!("/v1/organizations/{}", two.acme), json!({ "ceiling": null })).await.expect(StatusCode::OK);
        assert!(!told.html.contains("/api-keys/"), "{}", told.html);
        // The page itself is for who may verify.
        let (auditor, _) = two.somebody(&two.acme, "auditor@acme.test", &["auditor"], &[]).await;
        let (stranger, _) = two.somebody(&two.globex, "eve@globex.test", &["organization-admin"], &[]).await;
        for browser in [&auditor, &stranger] {
            assert_eq!(browser.get(EXPLAIN).await.status, StatusCode::NOT_FOUND);
            let asked = send(browser, EXPLAIN, &[("credential", own.token.as_str())]).await;
            assert_eq!(asked.status, StatusCode::NOT_FOUND);
        }
        assert_eq!(admin.post(EXPLAIN, &[("credential", "x")]).await.status, StatusCode::FORBIDDEN, "without a token");
    }

    async fn what_is_wrong_is_told_at_its_field_and_the_token_is_gone(app: &TestApp) {
        let two = Two::new(app).await;
        let key = app.key(&two.account, &["invoices:read"], json!({})).await;
        let admin = two.admin().await;
        let asked = [
            ("credential", key.token.as_str()),
            ("permissions", "<b>*"),
            ("objects", "none"),
            ("address", "here"),
        ];
        let wrong = send(&admin, EXPLAIN, &asked).await;
        wrong.shows(StatusCode::UNPROCESSABLE_ENTITY, "&#60;b&#62;* is not a permission");
        wrong.shows(StatusCode::UNPROCESSABLE_ENTITY, "none is not an object");
        wrong.shows(StatusCode::UNPROCESSABLE_ENTITY, "This is not an address");
        assert!(!wrong.html.contains(&key.token));
        send(&admin, EXPLAIN, &[]).await.shows(StatusCode::UNPROCESSABLE_ENTITY, "Paste a token, or give an id.");
        // A link with a token in it leads to the page without.
        admin.get(&format!("{EXPLAIN}?credential=clv_key_notatoken")).await.leads_to(EXPLAIN);
        // Whoever is not signed in, or must prove it again, takes no token along either.
        let stranger = crate::browser::Browser::new(app);
        let link = format!("{EXPLAIN}?credential={}&permissions=a%3Ab", key.token);
        stranger.get(&link).await.leads_to("/sign-in?next=%2Forganizations%2Facme%2Fexplain%3Fpermissions%3Da%253Ab");
        let next: String = url::form_urlencoded::byte_serialize(link.as_bytes()).collect();
        for page in ["/sign-in", "/sign-in/passkey"] {
            let shown = stranger.get(&format!("{page}?next={next}")).await;
            shown.shows(StatusCode::OK, "name=\"next\" value=\"/organizations/acme/explain?permissions=a%3Ab\"");
            let form = shown.html.split("<form").find(|form| form.contains("name=\"next\"")).unwrap();
            assert!(!form.contains(&key.token), "{form}");
        }
        // Whoever is signed out meanwhile comes back without it.
        let csrf = admin.get(EXPLAIN).await.field("csrf");
        send(&admin, "/sign-out", &[]).await;
        let late = admin.post(EXPLAIN, &[("csrf", &csrf), ("credential", &key.token)]).await;
        assert_eq!(late.location(), "/sign-in?next=%2F");
    }
}
