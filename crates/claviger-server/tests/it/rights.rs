//! Nobody gives more than they have: every path by which a credential could make a stronger one.

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::app::{Client, Key, TestApp, text};

/// A key whose service account and own list are these, in an organization of its own.
async fn keyholder(app: &TestApp, slug: &str, permissions: &[&str], more: Value) -> (String, String, Key) {
    let (organization, account) = app.account(slug, permissions).await;
    let key = app.key(&account, permissions, more).await;
    (organization, account, key)
}

/// The instance's administrator, as it sees itself, and the key of somebody who administers only its organization.
async fn beside_the_root(app: &TestApp) -> (Value, Key) {
    let itself = app.root().get("/v1/token").await.expect(StatusCode::OK);
    let admin = app.account_in(&text(&itself["organization"]["id"]), &[]).await;
    let body = json!({ "roles": ["organization-admin"] });
    app.root().patch(&format!("/v1/service-accounts/{admin}"), body).await.expect(StatusCode::OK);
    (itself, app.key(&admin, &["claviger:*"], json!({})).await)
}

async fn mint(client: &Client<'_>, account: &str, permissions: &[&str], more: Value) -> crate::app::Reply {
    let mut body = json!({ "service_account_id": account, "name": "minted", "permissions": permissions });
    body.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap());
    client.post("/v1/api-keys", body).await
}

on_both_databases! {
    async fn a_key_is_capped_by_its_principal_whoever_makes_it(app: &TestApp) {
        app.declare_invoices().await;
        let (_, account) = app.account("acme", &["invoices:read"]).await;
        let root = app.root();
        mint(&root, &account, &["invoices:write"], json!({})).await.wrong("/permissions/0", "permission_not_held");
        mint(&root, &account, &["invoices:read", "no:such"], json!({})).await.wrong("/permissions/1", "unknown_permission");
        mint(&root, &account, &["in voices"], json!({})).await.wrong("/permissions/0", "invalid_permission");
        mint(&root, &account, &["invoices:read"], json!({})).await.expect(StatusCode::CREATED);
    }

    async fn a_limited_credential_gives_no_rights_that_outlast_its_limits(app: &TestApp) {
        app.declare_invoices().await;
        let giver = ["claviger:members:write", "claviger:assignments:write", "claviger:roles:write", "invoices:read"];
        let (acme, account) = app.account("acme", &giver).await;
        let (user, other) = (app.user("bob@acme.test").await, app.account_in(&acme, &[]).await);
        let role = json!({ "name": "reader", "organization_id": acme, "permissions": [] });
        let role = text(&app.root().post("/v1/roles", role).await.expect(StatusCode::CREATED)["id"]);
        let member = format!("/v1/organizations/{acme}/members/{user}");
        let put = json!({ "roles": [], "permissions": ["invoices:read"] });
        let invitation = json!({ "email": "zoe@acme.test", "roles": [], "permissions": ["invoices:read"] });
        let invitations = format!("/v1/organizations/{acme}/invitations");
        let assignment = json!({ "principal_id": other, "permission": "invoices:read", "scope": "organization" });
        app.root().put(&member, json!({ "roles": [], "permissions": [] })).await.expect(StatusCode::CREATED);
        let all = async |key: &Key| {
            let client = app.client(&key.token);
            [
                client.put(&member, put.clone()).await,
                client.post(&invitations, invitation.clone()).await,
                client.post("/v1/assignments", assignment.clone()).await,
                client.patch(&format!("/v1/roles/{role}"), json!({ "permissions": ["invoices:read"] })).await,
            ]
        };
        for limit in [json!({ "expires_at": "2098-01-01T00:00:00Z" }), json!({ "allowed_networks": ["127.0.0.0/8"] })] {
            for reply in all(&app.key(&account, &giver, limit).await).await {
                let refused = reply.problem(StatusCode::FORBIDDEN, "permission_missing");
                assert!(text(&refused["detail"]).contains("claviger:grants:write"), "{refused}");
            }
        }
        for reply in all(&app.key(&account, &giver, json!({})).await).await {
            assert!(reply.status.is_success(), "{}", reply.body);
        }
    }

    async fn without_grants_write_a_credential_makes_none_beyond_itself(app: &TestApp) {
        app.declare_invoices().await;
        let limits = json!({ "objects": ["base:app7"], "expires_at": "2098-01-01T00:00:00Z" });
        let (organization, _, minter) =
            keyholder(app, "acme", &["claviger:api_keys:write", "invoices:read"], json!({})).await;
        let strong = app.account_in(&organization, &["invoices:read", "invoices:write"]).await;
        let client = app.client(&minter.token);
        mint(&client, &strong, &["invoices:read"], json!({})).await.expect(StatusCode::CREATED);
        let refused = mint(&client, &strong, &["invoices:write"], json!({})).await;
        assert_eq!(refused.problem(StatusCode::FORBIDDEN, "permission_missing")["permission"], "invoices:write");
        mint(&client, &strong, &["*"], json!({})).await.problem(StatusCode::FORBIDDEN, "permission_missing");

        // Neither by widening another, nor by rolling a stronger one and so getting its secret.
        let weak = Key::from(mint(&client, &strong, &["invoices:read"], json!({})).await.expect(StatusCode::CREATED));
        let widen = json!({ "permissions": ["invoices:read", "invoices:write"] });
        client.patch(&format!("/v1/api-keys/{}", weak.id), widen).await.problem(StatusCode::FORBIDDEN, "permission_missing");
        let stronger = app.key(&strong, &["invoices:write"], json!({})).await;
        let roll = format!("/v1/api-keys/{}/roll", stronger.id);
        client.post(&roll, json!({})).await.problem(StatusCode::FORBIDDEN, "permission_missing");
        assert_eq!(app.code(&stronger.token).await, "valid");

        // A credential that is limited hands its limits on.
        let own = app.account_in(&organization, &["claviger:api_keys:write", "invoices:read"]).await;
        let test = app.key(&own, &["claviger:api_keys:write", "invoices:read"], json!({ "environment": "test" })).await;
        let client = app.client(&test.token);
        mint(&client, &strong, &["invoices:read"], json!({})).await.problem(StatusCode::FORBIDDEN, "permission_missing");
        mint(&client, &strong, &["invoices:read"], json!({ "environment": "test" })).await.expect(StatusCode::CREATED);
        let ending = json!({ "expires_at": limits["expires_at"] });
        let ending = app.key(&own, &["claviger:api_keys:write", "invoices:read"], ending).await;
        let client = app.client(&ending.token);
        mint(&client, &strong, &["invoices:read"], json!({})).await.problem(StatusCode::FORBIDDEN, "permission_missing");
        mint(&client, &strong, &["invoices:read"], limits).await.expect(StatusCode::CREATED);
    }

    async fn with_grants_write_it_gives_anything_in_its_organization_and_nowhere_else(app: &TestApp) {
        app.declare_invoices().await;
        let admin = ["claviger:api_keys:write", "claviger:service_accounts:write", "claviger:grants:write"];
        let (organization, _, key) = keyholder(app, "acme", &admin, json!({})).await;
        let client = app.client(&key.token);
        let body = json!({ "organization_id": organization, "name": "new", "permissions": ["invoices:write"] });
        let account = text(&client.post("/v1/service-accounts", body).await.expect(StatusCode::CREATED)["id"]);
        mint(&client, &account, &["invoices:write"], json!({})).await.expect(StatusCode::CREATED);

        let (other, foreign) = app.account("other", &["invoices:write"]).await;
        mint(&client, &foreign, &["invoices:write"], json!({})).await
            .wrong("/service_account_id", "unknown_service_account");
        let body = json!({ "organization_id": other, "name": "new" });
        client.post("/v1/service-accounts", body).await.wrong("/organization_id", "unknown_organization");
    }

    async fn giving_roles_and_permissions_needs_what_is_given(app: &TestApp) {
        app.declare_invoices().await;
        let held = ["claviger:service_accounts:write", "claviger:assignments:write", "claviger:roles:write", "invoices:read"];
        let (organization, account, key) = keyholder(app, "acme", &held, json!({})).await;
        let client = app.client(&key.token);
        let give = async |permission: &str| {
            client.post("/v1/assignments", json!({ "principal_id": account, "permission": permission })).await
        };
        give("invoices:write").await.problem(StatusCode::FORBIDDEN, "permission_missing");
        let admin = json!({ "principal_id": account, "role": "organization-admin" });
        client.post("/v1/assignments", admin).await.problem(StatusCode::FORBIDDEN, "permission_missing");
        let everywhere = json!({ "principal_id": account, "permission": "invoices:read", "scope": "instance" });
        client.post("/v1/assignments", everywhere).await.problem(StatusCode::FORBIDDEN, "instance_scope_needed");
        let path = format!("/v1/service-accounts/{account}");
        let more = json!({ "permissions": ["invoices:write"] });
        client.patch(&path, more).await.problem(StatusCode::FORBIDDEN, "permission_missing");
        let more = json!({ "roles": ["organization-admin"] });
        client.patch(&path, more).await.problem(StatusCode::FORBIDDEN, "permission_missing");
        let role = json!({ "name": "writer", "organization_id": organization, "permissions": ["invoices:write"] });
        client.post("/v1/roles", role).await.problem(StatusCode::FORBIDDEN, "permission_missing");
        let role = json!({ "name": "reader", "organization_id": organization, "permissions": ["invoices:read"] });
        let role = client.post("/v1/roles", role).await.expect(StatusCode::CREATED);
        let role = format!("/v1/roles/{}", text(&role["id"]));
        let more = json!({ "permissions": ["invoices:read", "invoices:write"] });
        client.patch(&role, more).await.problem(StatusCode::FORBIDDEN, "permission_missing");
        let global = json!({ "name": "global", "permissions": ["invoices:read"] });
        client.post("/v1/roles", global).await.problem(StatusCode::FORBIDDEN, "instance_scope_needed");
    }

    async fn an_assignment_of_instance_scope_reaches_across_organizations(app: &TestApp) {
        app.declare_invoices().await;
        let (_, account) = app.account("operations", &[]).await;
        let (acme, _) = app.account("acme", &[]).await;
        let body = json!({ "principal_id": account, "role": "auditor", "scope": "instance" });
        let made = app.root().post("/v1/assignments", body.clone()).await.expect(StatusCode::CREATED);
        app.root().post("/v1/assignments", body).await.problem(StatusCode::CONFLICT, "taken");
        let key = app.key(&account, &["claviger:*"], json!({})).await;
        let client = app.client(&key.token);
        client.get(&format!("/v1/organizations/{acme}")).await.expect(StatusCode::OK);
        let body = json!({ "name": "New" });
        client.post("/v1/organizations", body).await.problem(StatusCode::FORBIDDEN, "permission_missing");
        app.root().delete(&format!("/v1/assignments/{}", text(&made["id"]))).await.expect(StatusCode::NO_CONTENT);
        client.get(&format!("/v1/organizations/{acme}")).await.problem(StatusCode::FORBIDDEN, "permission_missing");
    }

    async fn an_organization_admin_does_not_get_hold_of_a_principal_that_reaches_everywhere(app: &TestApp) {
        let root = app.root();
        let (itself, admin) = beside_the_root(app).await;
        let (home, powerful) = (text(&itself["organization"]["id"]), text(&itself["principal"]["id"]));
        let client = app.client(&admin.token);
        mint(&client, &powerful, &["claviger:*"], json!({})).await.problem(StatusCode::FORBIDDEN, "permission_missing");
        mint(&client, &powerful, &["claviger:api_keys:write"], json!({})).await.problem(StatusCode::FORBIDDEN, "permission_missing");
        let roll = format!("/v1/api-keys/{}/roll", text(&itself["credential"]["id"]));
        client.post(&roll, json!({})).await.problem(StatusCode::FORBIDDEN, "instance_scope_needed");

        // Nor by a role of its own that was given with instance scope.
        let role = json!({ "name": "own", "organization_id": home, "permissions": [] });
        root.post("/v1/roles", role).await.expect(StatusCode::CREATED);
        let everywhere = json!({ "principal_id": powerful, "role": "own", "scope": "instance" });
        root.post("/v1/assignments", everywhere).await.wrong("/role", "unknown_role");
    }

    async fn what_reaches_everywhere_is_stopped_or_ended_only_from_there(app: &TestApp) {
        let root = app.root();
        let (itself, admin) = beside_the_root(app).await;
        let client = app.client(&admin.token);
        let account = format!("/v1/service-accounts/{}", text(&itself["principal"]["id"]));
        let key = format!("/v1/api-keys/{}", text(&itself["credential"]["id"]));
        let refused = "instance_scope_needed";
        client.delete(&account).await.problem(StatusCode::FORBIDDEN, refused);
        client.patch(&account, json!({ "disabled": true })).await.problem(StatusCode::FORBIDDEN, refused);
        client.delete(&key).await.problem(StatusCode::FORBIDDEN, refused);
        client.patch(&key, json!({ "disabled": true })).await.problem(StatusCode::FORBIDDEN, refused);
        client.post(&format!("{key}/revoke"), json!({})).await.problem(StatusCode::FORBIDDEN, refused);
        root.get("/v1/token").await.expect(StatusCode::OK);
    }

    async fn what_comes_back_to_life_is_given_again(app: &TestApp) {
        app.declare_invoices().await;
        let (organization, strong) = app.account("acme", &["invoices:write"]).await;
        let key = app.key(&strong, &["invoices:write"], json!({})).await;
        let path = format!("/v1/service-accounts/{strong}");
        app.root().patch(&path, json!({ "disabled": true })).await.expect(StatusCode::OK);
        let weak = app.account_in(&organization, &["claviger:service_accounts:write"]).await;
        let weak = app.key(&weak, &["claviger:service_accounts:write"], json!({})).await;
        let enable = app.client(&weak.token).patch(&path, json!({ "disabled": false })).await;
        enable.problem(StatusCode::FORBIDDEN, "permission_missing");
        assert_eq!(app.code(&key.token).await, "disabled");
    }

    async fn an_organization_admin_cannot_lift_its_own_ceiling(app: &TestApp) {
        let (organization, account) = app.account("acme", &[]).await;
        let admin = json!({ "roles": ["organization-admin"] });
        app.root().patch(&format!("/v1/service-accounts/{account}"), admin).await.expect(StatusCode::OK);
        let key = app.key(&account, &["claviger:*"], json!({})).await;
        let (client, path) = (app.client(&key.token), format!("/v1/organizations/{organization}"));
        client.patch(&path, json!({ "name": "Acme & Sons" })).await.expect(StatusCode::OK);
        client.patch(&path, json!({ "ceiling": ["*", "claviger:*"] })).await
            .problem(StatusCode::FORBIDDEN, "instance_scope_needed");
        client.patch(&path, json!({ "disabled": false })).await.problem(StatusCode::FORBIDDEN, "instance_scope_needed");
        client.delete(&path).await.problem(StatusCode::FORBIDDEN, "instance_scope_needed");
        client.post("/v1/organizations", json!({ "name": "New" })).await
            .problem(StatusCode::FORBIDDEN, "instance_scope_needed");
        client.patch(&format!("{path}/policy"), json!({ "wildcard_allowed": false })).await.expect(StatusCode::OK);
    }

    async fn policy_bounds_new_keys(app: &TestApp) {
        app.declare_invoices().await;
        let (organization, account) = app.account("acme", &["invoices:read"]).await;
        let (root, path) = (app.root(), format!("/v1/organizations/{organization}/policy"));
        let policy = root.get(&path).await.expect(StatusCode::OK);
        assert_eq!(policy["pat_max_lifetime_days"], 366);
        let tight = json!({ "api_key_max_lifetime_days": 30, "wildcard_allowed": false });
        root.patch(&path, tight).await.expect(StatusCode::OK);
        mint(&root, &account, &["invoices:read"], json!({})).await.wrong("/expires_at", "expiry_required");
        let far = json!({ "expires_at": "2099-01-01T00:00:00Z" });
        mint(&root, &account, &["invoices:read"], far).await.wrong("/expires_at", "lifetime_too_long");
        mint(&root, &account, &["*"], json!({})).await.wrong("/permissions/0", "wildcard_forbidden");
        root.patch(&path, json!({ "allowed_kinds": [] })).await.expect(StatusCode::OK);
        mint(&root, &account, &["invoices:read"], json!({})).await.problem(StatusCode::CONFLICT, "kind_not_allowed");
    }
}
