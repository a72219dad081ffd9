//! Members of organizations: what they hold there, who may give it, and what goes when they go.

use claviger_core::Reach;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::app::{TestApp, text};

fn member(organization: &str, user: &str) -> String {
    format!("/v1/organizations/{organization}/members/{user}")
}

on_both_databases! {
    async fn a_member_is_added_changed_listed_and_removed(app: &TestApp) {
        app.declare_invoices().await;
        let (acme, _) = app.account("acme", &[]).await;
        let alice = app.user("alice@acme.test").await;
        let (root, path) = (app.root(), member(&acme, &alice));
        root.get(&path).await.problem(StatusCode::NOT_FOUND, "not_found");
        let added = root.put(&path, json!({ "roles": ["member"], "permissions": ["invoices:read"] })).await;
        assert_eq!(added.header("location"), Some(path.as_str()));
        let added = added.expect(StatusCode::CREATED);
        assert_eq!((&added["roles"], &added["permissions"]), (&json!(["member"]), &json!(["invoices:read"])));
        assert_eq!(root.get(&path).await.expect(StatusCode::OK), added);
        let changed = root.put(&path, json!({ "roles": ["auditor"] })).await.expect(StatusCode::OK);
        assert_eq!((&changed["roles"], &changed["permissions"]), (&json!(["auditor"]), &json!([])));
        assert_eq!(changed["created_at"], added["created_at"]);

        let bob = app.user("bob@acme.test").await;
        root.put(&member(&acme, &bob), json!({ "roles": ["member"] })).await.expect(StatusCode::CREATED);
        let list = format!("/v1/organizations/{acme}/members");
        let first = root.get(&format!("{list}?limit=1")).await.expect(StatusCode::OK);
        assert_eq!((&first["items"][0]["user_id"], &first["items"][0]["roles"]), (&json!(bob), &json!(["member"])));
        let next = format!("{list}?limit=1&cursor={}", text(&first["next_cursor"]));
        let next = root.get(&next).await.expect(StatusCode::OK);
        assert_eq!((&next["items"][0], &next["next_cursor"]), (&changed, &Value::Null));
        let found = root.get(&format!("{list}?q=BOB")).await.expect(StatusCode::OK);
        assert_eq!(found["items"].as_array().unwrap().len(), 1);

        root.delete(&path).await.expect(StatusCode::NO_CONTENT);
        root.delete(&path).await.problem(StatusCode::NOT_FOUND, "not_found");
        assert_eq!(app.audit_trail(&alice).await, ["user.created", "member.added", "member.updated", "member.removed"]);
        root.put(&path, json!({ "roles": ["no such"] })).await.wrong("/roles/0", "unknown_role");
        root.put(&path, json!({ "roles": [], "permissions": ["x:y"] })).await.wrong("/permissions/0", "unknown_permission");
        root.put(&path, json!({ "permissions": [] })).await.wrong("/roles", "required");
        root.put(&path, json!({ "roles": vec!["member"; 101] })).await.wrong("/roles", "too_many");
        root.get(&path).await.problem(StatusCode::NOT_FOUND, "not_found");
    }

    async fn whoever_leaves_loses_rights_for_good(app: &TestApp) {
        app.declare_invoices().await;
        let ((acme, _), (globex, _)) = (app.account("acme", &[]).await, app.account("globex", &[]).await);
        let alice = app.user("alice@acme.test").await;
        let rights = json!({ "roles": ["member"], "permissions": ["invoices:read"] });
        for organization in [&acme, &globex] {
            app.root().put(&member(organization, &alice), rights.clone()).await.expect(StatusCode::CREATED);
        }
        let everywhere = json!({
            "principal_id": alice, "organization_id": acme, "permission": "invoices:write", "scope": "instance",
        });
        app.root().post("/v1/assignments", everywhere).await.expect(StatusCode::CREATED);
        let held = async |organization: &str| {
            let mut view = app.app.store.within(Reach::Instance);
            view.held(alice.parse().unwrap(), organization.parse().unwrap()).await.unwrap().to_text()
        };
        assert!(held(&globex).await.contains("invoices:write"));
        app.root().delete(&member(&acme, &alice)).await.expect(StatusCode::NO_CONTENT);
        assert_eq!(held(&acme).await, "");
        assert!(held(&globex).await.contains("invoices:read") && !held(&globex).await.contains("invoices:write"));
        let back = app.root().put(&member(&acme, &alice), json!({ "roles": [] })).await.expect(StatusCode::CREATED);
        assert_eq!((&back["roles"], &back["permissions"]), (&json!([]), &json!([])));
        assert_eq!(held(&acme).await, "");
    }

    async fn whoever_gives_must_hold_it(app: &TestApp) {
        app.declare_invoices().await;
        let (acme, account) = app.account("acme", &["claviger:members:write", "claviger:members:read", "invoices:read"]).await;
        let key = app.key(&account, &["claviger:members:write", "invoices:read"], json!({})).await;
        let client = app.client(&key.token);
        let alice = app.user("alice@acme.test").await;
        let path = member(&acme, &alice);
        client.put(&path, json!({ "roles": [] })).await.problem(StatusCode::NOT_FOUND, "not_found");
        app.root().put(&path, json!({ "roles": ["auditor"] })).await.expect(StatusCode::CREATED);
        let give = async |rights: Value| client.put(&path, rights).await;
        give(json!({ "roles": ["organization-admin"] })).await.problem(StatusCode::FORBIDDEN, "permission_missing");
        let lacks = give(json!({ "roles": [], "permissions": ["invoices:write"] })).await;
        assert_eq!(lacks.problem(StatusCode::FORBIDDEN, "permission_missing")["permission"], "invoices:write");
        let unchanged = app.root().get(&path).await.expect(StatusCode::OK);
        assert_eq!(unchanged["roles"], json!(["auditor"]));
        give(json!({ "roles": ["auditor"], "permissions": ["invoices:read"] })).await.expect(StatusCode::OK);
        let admin = app.holder_of("organization-admin", &acme).await;
        let admin = app.client(&admin.token);
        let all = json!({ "roles": ["organization-admin"], "permissions": ["invoices:write"] });
        admin.put(&path, all).await.expect(StatusCode::OK);
        admin.delete(&path).await.expect(StatusCode::NO_CONTENT);
    }

    async fn whoever_reaches_everywhere_is_governed_by_nobody_of_one_organization(app: &TestApp) {
        app.declare_invoices().await;
        let (acme, _) = app.account("acme", &[]).await;
        let alice = app.user("alice@acme.test").await;
        let path = member(&acme, &alice);
        app.root().put(&path, json!({ "roles": ["member"] })).await.expect(StatusCode::CREATED);
        let give = |organization: Value, scope: &str| json!({
            "principal_id": alice, "organization_id": organization, "permission": "invoices:read", "scope": scope,
        });
        let admin = app.holder_of("organization-admin", &acme).await;
        let admin = app.client(&admin.token);
        admin.post("/v1/assignments", give(json!(acme), "instance")).await.problem(StatusCode::FORBIDDEN, "instance_scope_needed");
        app.root().post("/v1/assignments", give(json!(acme), "instance")).await.expect(StatusCode::CREATED);
        admin.put(&path, json!({ "roles": [] })).await.problem(StatusCode::FORBIDDEN, "instance_scope_needed");
        admin.delete(&path).await.problem(StatusCode::FORBIDDEN, "instance_scope_needed");
        app.root().delete(&path).await.expect(StatusCode::NO_CONTENT);
    }

    async fn an_assignment_of_a_user_names_one_of_their_organizations(app: &TestApp) {
        app.declare_invoices().await;
        let ((acme, account), (globex, _)) = (app.account("acme", &[]).await, app.account("globex", &[]).await);
        let alice = app.user("alice@acme.test").await;
        app.root().put(&member(&acme, &alice), json!({ "roles": [] })).await.expect(StatusCode::CREATED);
        let root = app.root();
        let give = async |principal: &str, organization: Value| {
            let body = json!({ "principal_id": principal, "organization_id": organization, "role": "member" });
            root.post("/v1/assignments", body).await
        };
        give(&alice, Value::Null).await.wrong("/organization_id", "required");
        give(&alice, json!(globex)).await.wrong("/organization_id", "not_a_member");
        give("user_01h455vb4pex5vsknk084sn02q", json!(acme)).await.wrong("/principal_id", "unknown_principal");
        let given = give(&alice, json!(acme)).await.expect(StatusCode::CREATED);
        assert_eq!((&given["organization_id"], &given["principal_id"]), (&json!(acme), &json!(alice)));
        give(&alice, json!(acme)).await.problem(StatusCode::CONFLICT, "taken");
        give(&account, json!(globex)).await.wrong("/organization_id", "other_organization");
        give(&account, json!(acme)).await.expect(StatusCode::CREATED);
        assert_eq!(root.get(&member(&acme, &alice)).await.expect(StatusCode::OK)["roles"], json!(["member"]));
        root.delete(&format!("/v1/assignments/{}", text(&given["id"]))).await.expect(StatusCode::NO_CONTENT);
        assert_eq!(root.get(&member(&acme, &alice)).await.expect(StatusCode::OK)["roles"], json!([]));
    }

    async fn a_deleted_organization_has_no_members_and_gives_nothing_any_more(app: &TestApp) {
        app.declare_invoices().await;
        let ((acme, _), (globex, _)) = (app.account("acme", &[]).await, app.account("globex", &[]).await);
        let alice = app.user("alice@acme.test").await;
        for organization in [&acme, &globex] {
            app.root().put(&member(organization, &alice), json!({ "roles": [] })).await.expect(StatusCode::CREATED);
        }
        let give = json!({ "principal_id": alice, "organization_id": acme, "permission": "invoices:read", "scope": "instance" });
        app.root().post("/v1/assignments", give).await.expect(StatusCode::CREATED);
        app.root().delete(&format!("/v1/organizations/{acme}")).await.expect(StatusCode::NO_CONTENT);
        app.root().get(&member(&acme, &alice)).await.problem(StatusCode::NOT_FOUND, "not_found");
        let shown = app.root().get(&format!("/v1/users/{alice}")).await.expect(StatusCode::OK);
        assert_eq!(shown["organization_ids"], json!([globex]));
        let left = app.root().get(&format!("/v1/assignments?principal_id={alice}")).await.expect(StatusCode::OK);
        assert_eq!(left["items"], json!([]));
    }

    async fn a_token_that_is_made_while_its_user_leaves_does_not_come_back_with_them(app: &TestApp) {
        app.declare_invoices().await;
        let (acme, _) = app.account("acme", &[]).await;
        let alice = app.user("alice@acme.test").await;
        let path = member(&acme, &alice);
        let rights = json!({ "roles": [], "permissions": ["invoices:read"] });
        for _ in 0..4 {
            app.root().put(&path, rights.clone()).await.expect(StatusCode::CREATED);
            let mut tasks = JoinSet::new();
            for number in 0..7 {
                let token = json!({
                    "user_id": alice, "organization_id": acme, "name": "laptop", "permissions": ["invoices:read"],
                });
                let request = if number == 3 {
                    app.request(Method::DELETE, app.public, &path)
                } else {
                    app.request(Method::POST, app.public, "/v1/personal-access-tokens").json(&token)
                };
                tasks.spawn(request.bearer_auth(app.root_token()).send());
            }
            while let Some(reply) = tasks.join_next().await {
                let status = reply.unwrap().unwrap().status();
                assert!(status.is_success() || status == StatusCode::UNPROCESSABLE_ENTITY, "{status}");
            }
            app.root().put(&path, rights.clone()).await.expect(StatusCode::CREATED);
            let list = format!("/v1/personal-access-tokens?user_id={alice}&status=active");
            let left = app.root().get(&list).await.expect(StatusCode::OK);
            assert_eq!(left["items"], json!([]));
            app.root().delete(&path).await.expect(StatusCode::NO_CONTENT);
        }
    }

    async fn of_racing_changes_of_one_member_one_truth_is_left(app: &TestApp) {
        app.declare_invoices().await;
        let (acme, _) = app.account("acme", &[]).await;
        let alice = app.user("alice@acme.test").await;
        let path = member(&acme, &alice);
        for _ in 0..4 {
            let mut tasks = JoinSet::new();
            for number in 0..8 {
                let method = if number % 4 == 3 { Method::DELETE } else { Method::PUT };
                let mut request = app.request(method.clone(), app.public, &path).bearer_auth(app.root_token());
                if method == Method::PUT {
                    let roles = if number % 2 == 0 { json!(["member"]) } else { json!(["auditor", "member"]) };
                    request = request.json(&json!({ "roles": roles, "permissions": ["invoices:read"] }));
                }
                tasks.spawn(request.send());
            }
            while let Some(reply) = tasks.join_next().await {
                let status = reply.unwrap().unwrap().status();
                assert!(status.is_success() || status == StatusCode::NOT_FOUND, "{status}");
            }
            let shown = app.root().get(&path).await;
            let held = app.root().get(&format!("/v1/assignments?principal_id={alice}")).await.expect(StatusCode::OK);
            let held = held["items"].as_array().unwrap();
            if shown.status == StatusCode::NOT_FOUND {
                assert!(held.is_empty(), "rights without a membership: {held:?}");
            } else {
                let shown = shown.expect(StatusCode::OK);
                let expected = shown["roles"].as_array().unwrap().len() + 1;
                assert_eq!((held.len(), &shown["permissions"]), (expected, &json!(["invoices:read"])), "{shown}");
            }
        }
        assert_eq!(app.app.store.verify_audit().await.unwrap().findings, []);
    }
}
