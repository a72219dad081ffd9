//! Ids of another organization answer exactly as ids that nobody has.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::app::{TestApp, text};

on_both_databases! {
    async fn another_organizations_ids_look_absent_on_every_route(app: &TestApp) {
        app.declare_invoices().await;
        let (victim, account) = app.account("victim", &["invoices:read"]).await;
        let key = app.key(&account, &["invoices:read"], json!({})).await;
        let role = json!({ "name": "own", "organization_id": victim, "permissions": [] });
        let role = text(&app.root().post("/v1/roles", role).await.expect(StatusCode::CREATED)["id"]);
        let assignments = app.root().get(&format!("/v1/assignments?principal_id={account}")).await.expect(StatusCode::OK);
        let assignment = text(&assignments["items"][0]["id"]);

        let user = app.user("victim@acme.test").await;
        let member = format!("/v1/organizations/{victim}/members/{user}");
        app.root().put(&member, json!({ "roles": ["member"] })).await.expect(StatusCode::CREATED);
        let invited = json!({ "email": "invited@acme.test", "roles": [] });
        let invitation = app.root().post(&format!("/v1/organizations/{victim}/invitations"), invited).await;
        let invitation = text(&invitation.expect(StatusCode::CREATED)["id"]);
        let own_invitation = "/v1/organizations/{own}/invitations/{}";
        let own_member = "/v1/organizations/{own}/members/{}";

        let (own, attacker) = app.account("attacker", &[]).await;
        let path = format!("/v1/service-accounts/{attacker}");
        app.root().patch(&path, json!({ "roles": ["organization-admin"] })).await.expect(StatusCode::OK);
        let attacker = app.key(&attacker, &["claviger:*"], json!({})).await;
        let client = app.client(&attacker.token);

        let tries: [(Method, String, &str, Option<Value>); 27] = [
            (Method::GET, "/v1/organizations/{}".into(), &victim, None),
            (Method::PATCH, "/v1/organizations/{}".into(), &victim, Some(json!({ "name": "mine" }))),
            (Method::GET, "/v1/organizations/{}/policy".into(), &victim, None),
            (Method::PATCH, "/v1/organizations/{}/policy".into(), &victim, Some(json!({ "wildcard_allowed": true }))),
            (Method::GET, "/v1/organizations/{}/members".into(), &victim, None),
            (Method::GET, format!("/v1/organizations/{{}}/members/{user}"), &victim, None),
            (Method::PUT, format!("/v1/organizations/{{}}/members/{user}"), &victim, Some(json!({ "roles": [] }))),
            (Method::DELETE, format!("/v1/organizations/{{}}/members/{user}"), &victim, None),
            (Method::GET, "/v1/organizations/{}/invitations".into(), &victim, None),
            (Method::DELETE, format!("/v1/organizations/{{}}/invitations/{invitation}"), &victim, None),
            (Method::GET, own_invitation.replace("{own}", &own), &invitation, None),
            (Method::DELETE, own_invitation.replace("{own}", &own), &invitation, None),
            (Method::GET, own_member.replace("{own}", &own), &user, None),
            (Method::PUT, own_member.replace("{own}", &own), &user, Some(json!({ "roles": [] }))),
            (Method::DELETE, own_member.replace("{own}", &own), &user, None),
            (Method::GET, "/v1/users/{}".into(), &user, None),
            (Method::GET, "/v1/service-accounts/{}".into(), &account, None),
            (Method::PATCH, "/v1/service-accounts/{}".into(), &account, Some(json!({ "disabled": true }))),
            (Method::DELETE, "/v1/service-accounts/{}".into(), &account, None),
            (Method::GET, "/v1/api-keys/{}".into(), &key.id, None),
            (Method::PATCH, "/v1/api-keys/{}".into(), &key.id, Some(json!({ "disabled": true }))),
            (Method::POST, "/v1/api-keys/{}/roll".into(), &key.id, Some(json!({}))),
            (Method::POST, "/v1/api-keys/{}/revoke".into(), &key.id, Some(json!({}))),
            (Method::DELETE, "/v1/api-keys/{}".into(), &key.id, None),
            (Method::GET, "/v1/roles/{}".into(), &role, None),
            (Method::DELETE, "/v1/roles/{}".into(), &role, None),
            (Method::DELETE, "/v1/assignments/{}".into(), &assignment, None),
        ];
        for (method, path, id, body) in tries {
            let absent = format!("{}_01h455vb4pex5vsknk084sn02q", id.split('_').next().unwrap());
            let foreign = client.send(method.clone(), &path.replace("{}", id), body.clone(), &[]).await;
            let foreign = foreign.problem(StatusCode::NOT_FOUND, "not_found");
            let nobody = client.send(method.clone(), &path.replace("{}", &absent), body, &[]).await;
            let nobody = nobody.problem(StatusCode::NOT_FOUND, "not_found");
            assert_eq!(foreign.to_string().replace(id, "ID"), nobody.to_string().replace(&absent, "ID"), "{method} {path}");
        }
        assert_eq!(app.code(&key.token).await, "valid");

        for list in ["organizations", "service-accounts", "api-keys", "assignments", "audit-events", "users"] {
            let filter = if list == "organizations" { String::new() } else { format!("?organization_id={victim}") };
            let found = client.get(&format!("/v1/{list}{filter}")).await.expect(StatusCode::OK);
            let found = found.to_string();
            assert!(!found.contains(&victim) && !found.contains(&user), "{list}: {found}");
        }
        let found = client.get(&format!("/v1/roles?organization_id={victim}")).await.expect(StatusCode::OK);
        assert!(!found.to_string().contains(&role));
    }
}
