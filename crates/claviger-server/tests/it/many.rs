//! What is told of more keys than are looked at for one page, and where the few that are meant stand behind all others.

use claviger_core::{By, Credential, Digest, Name, Reach};
use claviger_store::View;
use claviger_token::{ApiKeyId, PermissionMask, TypedId as _};
use jiff::SignedDuration;
use rand::Rng as _;
use reqwest::StatusCode;
use serde_json::json;

use crate::{app::TestApp, console_audit::Two};

const READ: &str = "invoices:read";
const KEYS: &str = "/organizations/acme/api-keys";

/// As many keys like this one as are looked at for a page, all of them newer.
async fn among_many(app: &TestApp, one: &Credential) {
    let (now, by) = (app.app.now(), By::system());
    let numbers: Vec<i64> = (1..=View::LOOKED_AT.into()).collect();
    // A transaction ends within its time.
    for some in numbers.chunks(1000) {
        let mut tx = app.app.store.begin(&by).await.unwrap();
        for number in some {
            let made = now + SignedDuration::from_millis(*number);
            let other = Credential {
                id: ApiKeyId::generate(made, &mut app.app.rng()).into(),
                name: Name::parse(&format!("other {number}")).unwrap(),
                permissions: PermissionMask::from_text(READ).unwrap(),
                ..one.clone()
            };
            let mut digest = Digest { bytes: [0; 32], pepper: 1 };
            app.app.rng().fill_bytes(&mut digest.bytes);
            tx.insert_credential(&other, &digest).await.unwrap();
        }
        let event = Credential::retired_secret_used(one.id, one.organization, 1, "h1xy");
        tx.commit(event, now, &mut app.app.rng()).await.unwrap();
    }
}

on_both_databases! {
    async fn what_stands_behind_all_others_is_found_and_what_nobody_looked_at_is_not_told(app: &TestApp) {
        let two = Two::new(app).await;
        let admin = two.admin().await;
        let end = app.app.now() + SignedDuration::from_hours(24 * 60);
        let key = app.key(&two.account, &["*"], json!({ "name": "needle", "expires_at": end.to_string() })).await;
        admin.get("/organizations/acme").await.shows(StatusCode::OK, "No key ends soon, lies idle or never ends");
        let id: ApiKeyId = key.id.parse().unwrap();
        let one = app.app.store.within(Reach::Instance).credential(id).await.unwrap().unwrap();
        among_many(app, &one).await;

        // The overview counts among fewer: that nothing was found is all that it says.
        let overview = admin.get("/organizations/acme").await;
        overview.shows(StatusCode::OK, "Nothing needs attention");
        assert!(!overview.html.contains("No key ends soon"), "{}", overview.html);
        overview.shows(StatusCode::OK, "1000+");

        // A list looks at a page's worth of keys, and goes on behind them.
        let page = admin.get(&format!("{KEYS}?q=needle")).await;
        page.shows(StatusCode::OK, "Not all were looked at");
        assert!(!page.html.contains(&key.id), "{}", page.html);
        let next = page.html.split(&format!("{KEYS}?q=needle&#38;after=")).nth(1).unwrap().split('"').next().unwrap();
        let page = admin.get(&format!("{KEYS}?q=needle&after={next}")).await;
        page.shows(StatusCode::OK, &key.id);
        assert!(!page.html.contains("Not all were looked at") && !page.html.contains("Next page"), "{}", page.html);

        // What would end, and what a stricter rule would touch, is counted and shown wherever it stands.
        let names = |body: &serde_json::Value| {
            let all = body["credentials"].as_array().unwrap().iter();
            all.map(|one| one["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        let query = format!("/v1/credentials/revoke?organization_id={}&kind=api_key&q=needle", two.acme);
        let told = app.root().post(&query, json!({})).await.expect(StatusCode::OK);
        assert_eq!((names(&told), &told["matched"], &told["more"]), (vec!["needle".to_owned()], &json!(1), &json!(false)));
        let preview = format!("/v1/organizations/{}/policy/preview", two.acme);
        let told = app.root().post(&preview, json!({ "wildcard_allowed": false })).await.expect(StatusCode::OK);
        let told = &told["touches"][0];
        assert_eq!((names(told), &told["count"], &told["more"]), (vec!["needle".to_owned()], &json!(1), &json!(false)));
    }
}
