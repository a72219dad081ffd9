//! The pages of fleets in a browser: who sees what, what their forms make, and that what was made works.

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::{
    app::{TestApp, text},
    browser::{Browser, Page},
    dpop::Holder,
};

const READ: &str = "invoices:read";
const WRITE: &str = "invoices:write";
const FLEETS: &str = "/organizations/acme/fleets";
const READER: &str = "claviger:fleets:read";
const WRITER: &str = "claviger:fleets:write";

/// An organization with a fleet whose devices may read invoices: its id and the fleet's.
async fn fleet(app: &TestApp, slug: &str) -> (String, String) {
    let (organization, _) = app.account(slug, &[]).await;
    let id = fleet_in(app, &organization).await;
    (organization, id)
}

async fn fleet_in(app: &TestApp, organization: &str) -> String {
    let body = json!({ "organization_id": organization, "name": "gateways", "permissions": [READ] });
    text(&app.root().post("/v1/fleets", body).await.expect(StatusCode::CREATED)["id"])
}

/// A claim code of a fleet: its id and its text.
async fn code(app: &TestApp, fleet: &str) -> (String, String) {
    let made = app.root().post(&format!("/v1/fleets/{fleet}/claim-codes"), json!({})).await.expect(StatusCode::CREATED);
    (text(&made["id"]), text(&made["claim_code"]))
}

/// A fleet and its claim codes, as the API has them.
async fn stands(app: &TestApp, fleet: &str) -> (Value, Value) {
    let path = format!("/v1/fleets/{fleet}");
    let codes = app.root().get(&format!("{path}/claim-codes")).await.expect(StatusCode::OK);
    (app.root().get(&path).await.expect(StatusCode::OK), codes["items"].clone())
}

/// Sends the form of a page, with what the page says of it.
async fn send(browser: &Browser<'_>, shown: &Page, action: &str, fields: &[(&str, &str)]) -> Page {
    let kept = ["once", "seen", "picker"].into_iter();
    let kept = kept.filter(|name| shown.html.contains(&format!("name=\"{name}\" value=\"")));
    let kept: Vec<_> = kept.map(|name| (name, shown.field(name))).collect();
    let kept = kept.iter().map(|(name, value)| (*name, value.as_str()));
    browser.act(action, &kept.chain(fields.iter().copied()).collect::<Vec<_>>()).await
}

on_both_databases! {
    async fn each_page_of_a_fleet_is_for_who_may_do_the_same_over_the_api(app: &TestApp) {
        app.declare_invoices().await;
        let (acme, id) = fleet(app, "acme").await;
        let (globex, foreign) = fleet(app, "globex").await;
        let other = fleet_in(app, &acme).await;
        let (code, foreign_code) = (code(app, &id).await.0, code(app, &foreign).await.0);
        let (outsider, _) = app.somebody(&acme, "outsider@acme.test", &["member"], &[]).await;
        let (reader, _) = app.somebody(&acme, "reader@acme.test", &[], &[READER]).await;
        let (writer, _) = app.somebody(&acme, "writer@acme.test", &[], &[READER, WRITER, READ]).await;
        let (blind, _) = app.somebody(&acme, "blind@acme.test", &[], &[WRITER, READ]).await;
        let (stranger, _) = app.somebody(&globex, "eve@globex.test", &["organization-admin"], &[READ]).await;
        let path = format!("{FLEETS}/{id}");
        // Page, and whether the reader and the writer see it; nobody else does.
        let pages = [
            (FLEETS.to_owned(), [true, true]),
            (format!("{FLEETS}/new"), [false, true]),
            (path.clone(), [true, true]),
            (format!("{path}/edit"), [false, true]),
            (format!("{path}/devices"), [true, true]),
            (format!("{path}/revoke"), [false, true]),
            (format!("{path}/delete"), [false, true]),
            (format!("{path}/claim-codes"), [true, true]),
            (format!("{path}/claim-codes/new"), [false, true]),
            (format!("{path}/claim-codes/{code}/revoke"), [false, true]),
            // Another fleet's code, another organization's fleet and code, and nothing at all.
            (format!("{FLEETS}/{other}/claim-codes/{code}/revoke"), [false; 2]),
            (format!("{path}/claim-codes/{foreign_code}/revoke"), [false; 2]),
            (format!("{FLEETS}/{foreign}"), [false; 2]),
            (format!("{FLEETS}/{foreign}/devices"), [false; 2]),
            (format!("{FLEETS}/{foreign}/claim-codes"), [false; 2]),
            (format!("/organizations/globex/fleets/{id}"), [false; 2]),
            (format!("{path}/elsewhere"), [false; 2]),
            (format!("{FLEETS}/fleet_none"), [false; 2]),
            (format!("{path}/claim-codes/claim_none/revoke"), [false; 2]),
        ];
        for (page, [reads, writes]) in &pages {
            let seen = [(&reader, *reads), (&writer, *writes), (&outsider, false), (&blind, false), (&stranger, false)];
            for (browser, seen) in seen {
                let status = browser.get(page).await.status;
                assert_eq!(status, if seen { StatusCode::OK } else { StatusCode::NOT_FOUND }, "{page}");
            }
            assert!(Browser::new(app).get(page).await.location().starts_with("/sign-in?next=") || !writes, "{page}");
        }
        let before = stands(app, &id).await;
        let forms = [
            format!("{FLEETS}/new"),
            format!("{path}/edit"),
            format!("{path}/close"),
            format!("{path}/reopen"),
            format!("{path}/revoke"),
            format!("{path}/delete"),
            format!("{path}/claim-codes/new"),
            format!("{path}/claim-codes/{code}/revoke"),
        ];
        let once = "0".repeat(32);
        let fields = [("once", once.as_str()), ("seen", "1"), ("name", "x"), ("days", "90"), ("uses", "1"), ("life", "1")];
        for form in &forms {
            for browser in [&outsider, &reader, &blind, &stranger] {
                assert_eq!(browser.act(form, &fields).await.status, StatusCode::NOT_FOUND, "{form}");
            }
            assert_eq!(writer.post(form, &fields).await.status, StatusCode::FORBIDDEN, "{form} without a token");
        }
        // What is not here is nobody's to end here either.
        for (fleet, code) in [(&other, &code), (&id, &foreign_code), (&foreign, &foreign_code)] {
            let form = format!("{FLEETS}/{fleet}/claim-codes/{code}/revoke");
            writer.act(&form, &[]).await.shows(StatusCode::NOT_FOUND, "no such page");
        }
        for action in ["edit", "close", "revoke", "delete", "claim-codes/new"] {
            let answer = writer.act(&format!("{FLEETS}/{foreign}/{action}"), &fields).await;
            assert_eq!(answer.status, StatusCode::NOT_FOUND, "{action}");
        }
        assert_eq!(stands(app, &id).await, before);
        assert_eq!(app.audit_trail(&foreign).await, ["fleet.created"]);
        // Who only looks is offered nothing to do.
        for page in [FLEETS.to_owned(), path.clone(), format!("{path}/devices"), format!("{path}/claim-codes")] {
            let looked_at = reader.get(&page).await.html;
            assert!(!looked_at.contains(&format!("{FLEETS}/new")), "{page}");
            for action in ["/edit", "/close", "/revoke", "/delete", "/new"] {
                assert!(!looked_at.contains(&format!("{action}\"")), "{action} on {page}");
            }
        }
        for (browser, leads) in [(&reader, true), (&outsider, false)] {
            let leads_there = browser.get("/organizations/acme").await.html.contains(&format!("href=\"{FLEETS}\""));
            assert_eq!(leads_there, leads);
        }
    }

    async fn a_fleet_is_made_once_changed_closed_and_ended(app: &TestApp) {
        app.declare_invoices().await;
        let (acme, _) = app.account("acme", &[]).await;
        let (admin, _) = app.somebody(&acme, "admin@acme.test", &["organization-admin"], &[READ, WRITE]).await;
        admin.get(FLEETS).await.shows(StatusCode::OK, "No fleets yet");
        let form = format!("{FLEETS}/new");
        let shown = admin.get(&form).await;
        shown.shows(StatusCode::OK, "name=\"days\"");
        let wrong = send(&admin, &shown, &form, &[("name", " "), ("days", "90")]).await;
        wrong.shows(StatusCode::UNPROCESSABLE_ENTITY, "id=\"name-error\"");
        for days in ["", "0", "826", "a few", "4294967296"] {
            let wrong = send(&admin, &shown, &form, &[("name", "x"), ("days", days)]).await;
            wrong.shows(StatusCode::UNPROCESSABLE_ENTITY, "id=\"days-error\"");
        }
        let fields = [("name", "<b>\"gateways\""), ("permission", READ), ("days", "30")];
        let made = send(&admin, &shown, &form, &fields).await;
        assert_eq!(made.status, StatusCode::SEE_OTHER, "{}", made.html);
        let path = made.location().to_owned();
        admin.get(&path).await.shows(StatusCode::OK, "&#60;b&#62;&#34;gateways&#34;");
        // The same form again makes no other.
        send(&admin, &shown, &form, &fields).await.leads_to(&format!("{path}?done=once"));
        let all = app.root().get("/v1/fleets").await.expect(StatusCode::OK);
        assert_eq!(all["items"].as_array().unwrap().len(), 1);

        let id = path.rsplit('/').next().unwrap().to_owned();
        let edit = format!("{path}/edit");
        let shown = admin.get(&edit).await;
        shown.shows(StatusCode::OK, "value=\"invoices:read\" checked");
        let fields = [("name", "gateways"), ("permission", WRITE), ("days", "60")];
        send(&admin, &shown, &edit, &fields).await.leads_to(&format!("{path}?done=saved"));
        let (now, _) = stands(app, &id).await;
        assert_eq!((&now["name"], &now["permissions"]), (&json!("gateways"), &json!([WRITE])));
        assert_eq!(now["device_lifetime_days"], json!(60));
        // Of two who edit, the later sees what the other did.
        let late = send(&admin, &shown, &edit, &[("name", "late"), ("permission", READ), ("days", "30")]).await;
        late.shows(StatusCode::UNPROCESSABLE_ENTITY, "It is now: gateways");

        admin.act(&format!("{path}/close"), &[]).await.leads_to(&format!("{path}?done=saved"));
        admin.get(&path).await.shows(StatusCode::OK, "nothing enrols or renews in it");
        let codes = format!("{path}/claim-codes");
        admin.get(&format!("{codes}/new")).await.leads_to(&codes);
        let refused = admin.act(&format!("{codes}/new"), &[("once", &"0".repeat(32)), ("uses", "1"), ("life", "1")]).await;
        refused.shows(StatusCode::UNPROCESSABLE_ENTITY, "The fleet is closed");
        admin.act(&format!("{path}/reopen"), &[]).await.leads_to(&format!("{path}?done=saved"));
        admin.get(&format!("{path}/delete")).await.shows(StatusCode::OK, "All its devices end with it");
        admin.act(&format!("{path}/delete"), &[]).await.leads_to(&format!("{FLEETS}?done=deleted"));
        admin.get(&path).await.shows(StatusCode::NOT_FOUND, "no such page");
        admin.act(&format!("{path}/delete"), &[]).await.shows(StatusCode::NOT_FOUND, "no such page");
        let expected = ["created", "updated", "closed", "reopened", "deleted"].map(|what| format!("fleet.{what}"));
        assert_eq!(app.audit_trail(&id).await, expected);
    }

    async fn devices_enrol_by_a_code_that_a_page_showed_once_and_end_with_the_others(app: &TestApp) {
        app.declare_invoices().await;
        let (acme, id) = fleet(app, "acme").await;
        let (admin, _) = app.somebody(&acme, "admin@acme.test", &["organization-admin"], &[READ]).await;
        let path = format!("{FLEETS}/{id}");
        let (list, form) = (format!("{path}/claim-codes"), format!("{path}/claim-codes/new"));
        let shown = admin.get(&form).await;
        for (uses, life, field) in [("0", "1", "uses"), ("100001", "1", "uses"), ("two", "1", "uses"), ("1", "2", "life"), ("1", "", "life")] {
            let wrong = send(&admin, &shown, &form, &[("uses", uses), ("life", life)]).await;
            wrong.shows(StatusCode::UNPROCESSABLE_ENTITY, &format!("id=\"{field}-error\""));
        }
        let made = send(&admin, &shown, &form, &[("uses", "2"), ("life", "7")]).await;
        made.shows(StatusCode::OK, "Your new claim code");
        assert_eq!(made.header("cache-control"), "no-store");
        let secret = made.html.split("id=\"secret\"").nth(1).unwrap().split_once('>').unwrap().1;
        let secret = secret.split('<').next().unwrap().to_owned();
        app.handed_out(&secret);
        send(&admin, &shown, &form, &[("uses", "2"), ("life", "7")]).await.leads_to(&format!("{list}?done=once"));
        let listed = admin.get(&list).await;
        listed.shows(StatusCode::OK, "0 / 2");
        assert!(!listed.html.contains(&secret));
        let device = app.enrol(&secret, "pump <7>", &Holder::new()).await.expect(StatusCode::CREATED);
        admin.get(&list).await.shows(StatusCode::OK, "1 / 2");
        let devices = admin.get(&format!("{path}/devices?q=pump")).await;
        devices.shows(StatusCode::OK, "pump &#60;7&#62;");
        devices.shows(StatusCode::OK, &format!("/service-accounts/{}\"", text(&device["service_account_id"])));
        admin.get(&format!("{path}/devices?q=nothing")).await.shows(StatusCode::OK, "Nothing found");

        // A code is taken back alone; the device stays until all are ended.
        let (second, text_of_second) = code(app, &id).await;
        admin.get(&format!("{list}/{second}/revoke")).await.shows(StatusCode::OK, "Take this claim code back?");
        admin.act(&format!("{list}/{second}/revoke"), &[]).await.leads_to(&format!("{list}?done=revoked"));
        app.enrol(&text_of_second, "late", &Holder::new()).await.wrong("/claim_code", "invalid_claim_code");
        admin.act(&format!("{list}/{second}/revoke"), &[]).await.leads_to(&list);
        admin.get(&format!("{list}/{second}/revoke")).await.leads_to(&list);
        assert_eq!(stands(app, &id).await.0["devices"], json!(1));
        admin.get(&format!("{path}/revoke")).await.shows(StatusCode::OK, "Devices: 1");
        admin.act(&format!("{path}/revoke"), &[]).await.leads_to(&format!("{path}?done=revoked"));
        let (fleet, codes) = stands(app, &id).await;
        assert_eq!(fleet["devices"], json!(0));
        assert!(codes.as_array().unwrap().iter().all(|code| code["status"] == json!("revoked")), "{codes}");
        app.enrol(&secret, "late", &Holder::new()).await.wrong("/claim_code", "invalid_claim_code");
    }

    async fn nobody_gives_devices_what_they_could_not_give(app: &TestApp) {
        app.declare_invoices().await;
        let (acme, id) = fleet(app, "acme").await;
        let (clerk, _) = app.somebody(&acme, "clerk@acme.test", &[], &[READER, WRITER]).await;
        let path = format!("{FLEETS}/{id}");
        let (form, edit, codes) = (format!("{FLEETS}/new"), format!("{path}/edit"), format!("{path}/claim-codes/new"));
        let shown = clerk.get(&form).await;
        assert!(!shown.html.contains("value=\"invoices:"), "{}", shown.html);
        let beyond = |page: &Page| page.shows(StatusCode::UNPROCESSABLE_ENTITY, "You may not give this: it needs invoices:");
        beyond(&send(&clerk, &shown, &form, &[("name", "x"), ("days", "90"), ("permission", READ)]).await);
        let shown = clerk.get(&edit).await;
        beyond(&send(&clerk, &shown, &edit, &[("name", "gateways"), ("days", "90"), ("permission", READ), ("permission", WRITE)]).await);
        // A code gives what the fleet gives.
        let shown = clerk.get(&codes).await;
        beyond(&send(&clerk, &shown, &codes, &[("uses", "1"), ("life", "1")]).await);
        let (fleet, codes) = stands(app, &id).await;
        assert_eq!((&fleet["permissions"], &codes), (&json!([READ]), &json!([])));
    }
}
