//! The pages of members, invitations and roles in a browser: who sees what, what a form gives and takes, and what is asked before.

use reqwest::StatusCode;
use serde_json::json;

use crate::{
    app::{TestApp, text},
    browser::{Browser, Page},
};

const READ: &str = "invoices:read";
const WRITE: &str = "invoices:write";
const MEMBERS: &str = "/organizations/acme/members";
const ROLES: &str = "/organizations/acme/roles";

/// Acme, with an API to give rights for, and somebody who governs it.
async fn acme(app: &TestApp) -> (String, Browser<'_>) {
    app.declare_invoices().await;
    let (acme, _) = app.account("acme", &[]).await;
    let (admin, _) = app.somebody(&acme, "admin@acme.test", &["organization-admin"], &[READ, WRITE]).await;
    (acme, admin)
}

/// The id of a role, by its name.
async fn role(app: &TestApp, name: &str) -> String {
    let found = app.root().get(&format!("/v1/roles?q={name}")).await.expect(StatusCode::OK);
    let known = found["items"].as_array().unwrap().iter().find(|role| role["name"] == name);
    text(&known.unwrap_or_else(|| panic!("no role {name}"))["id"])
}

/// Saves what a member may do as the page `shown` has it.
async fn save(browser: &Browser<'_>, path: &str, shown: &Page, more: &[(&str, &str)]) -> Page {
    let seen = shown.field("seen");
    let shown = [("seen", seen.as_str()), ("shown", "role"), ("shown", "permission")];
    let fields: Vec<_> = shown.into_iter().chain(more.iter().copied()).collect();
    browser.act(&format!("{path}/edit"), &fields).await
}

on_both_databases! {
    async fn members_are_found_and_their_page_tells_what_they_may_do(app: &TestApp) {
        let (acme, admin) = acme(app).await;
        let (_, bob) = app.somebody(&acme, "bob@acme.test", &["member"], &[READ]).await;
        let list = admin.get(MEMBERS).await;
        // The name that people have in these tests would be markup elsewhere.
        list.shows(StatusCode::OK, "Zoë &#60;b&#62;");
        list.shows(StatusCode::OK, "<small>bob@acme.test</small>");
        list.shows(StatusCode::OK, "href=\"/organizations/acme/members/invitations/new\"");
        let found = admin.get(&format!("{MEMBERS}?q=BOB")).await;
        found.shows(StatusCode::OK, "bob@acme.test");
        assert!(!found.html.contains("admin@acme.test"));
        admin.get(&format!("{MEMBERS}?q=nobody")).await.shows(StatusCode::OK, "Nothing found");
        let page = admin.get(&format!("{MEMBERS}/{bob}")).await;
        for part in ["bob@acme.test", "invoices:read", "claviger:organizations:read", "No token that works", "/remove\""] {
            page.shows(StatusCode::OK, part);
        }
        // 50 to a page.
        for number in 0..50 {
            let user = app.user(&format!("user{number}@acme.test")).await;
            let path = format!("/v1/organizations/{acme}/members/{user}");
            app.root().put(&path, json!({ "roles": [] })).await.expect(StatusCode::CREATED);
        }
        let first = admin.get(MEMBERS).await;
        assert_eq!(first.html.matches("class=\"title\"").count(), 50);
        let next = first.html.split(&format!("{MEMBERS}?after=")).nth(1).unwrap().split('"').next().unwrap().to_owned();
        let second = admin.get(&format!("{MEMBERS}?after={next}")).await;
        second.shows(StatusCode::OK, "First page");
        assert_eq!(second.html.matches("class=\"title\"").count(), 2);
        admin.get(&format!("{MEMBERS}?after=x")).await.shows(StatusCode::NOT_FOUND, "no such page");
    }

    async fn what_a_change_takes_away_is_told_with_the_tokens_that_lose_it_and_asked(app: &TestApp) {
        let (acme, admin) = acme(app).await;
        let (bob, id) = app.somebody(&acme, "bob@acme.test", &["member"], &[READ]).await;
        let token = app.own_token(&bob, &acme, &[READ]).await;
        let path = format!("{MEMBERS}/{id}");
        let shown = admin.get(&format!("{path}/edit")).await;
        shown.shows(StatusCode::OK, "value=\"invoices:read\" checked");
        let (member, auditor) = (role(app, "member").await, role(app, "auditor").await);
        // More is given at once.
        let more = [("role", member.as_str()), ("permission", READ), ("permission", WRITE)];
        save(&admin, &path, &shown, &more).await.leads_to(&format!("{path}?done=saved"));
        // Less is asked about first, and nothing is done yet.
        let shown = admin.get(&format!("{path}/edit")).await;
        let less = [("role", member.as_str()), ("role", &auditor), ("permission", WRITE)];
        let asked = save(&admin, &path, &shown, &less).await;
        for part in ["Take this away?", "They lose:", "<code>invoices:read</code>", "One token can do less", "They gain:"] {
            asked.shows(StatusCode::OK, part);
        }
        assert_eq!(app.code(&token).await, "valid");
        // One goes back to the form with what one chose.
        let confirmed = asked.field("confirmed");
        let back = [&less[..], &[("step", "back"), ("confirmed", confirmed.as_str())]].concat();
        let again = save(&admin, &path, &shown, &back).await;
        assert!(again.html.contains("value=\"invoices:write\" checked") && !again.html.contains("value=\"invoices:read\" checked"));
        let done = [&less[..], &[("confirmed", confirmed.as_str())]].concat();
        save(&admin, &path, &shown, &done).await.leads_to(&format!("{path}?done=saved"));
        let member = app.root().get(&format!("/v1/organizations/{acme}/members/{id}")).await.expect(StatusCode::OK);
        assert_eq!((&member["roles"], &member["permissions"]), (&json!(["member", "auditor"]), &json!([WRITE])));
        assert_eq!(app.audit_trail(&id).await.last().map(String::as_str), Some("member.updated"));
        // What the form did not show stays: a permission that is in no list is not taken.
        let shown = admin.get(&format!("{path}/edit")).await;
        let seen = shown.field("seen");
        admin.act(&format!("{path}/edit"), &[("seen", &seen)]).await.leads_to(&format!("{path}?done=saved"));
        let kept = app.root().get(&format!("/v1/organizations/{acme}/members/{id}")).await.expect(StatusCode::OK);
        assert_eq!(kept["roles"], member["roles"]);
    }

    async fn of_two_who_change_a_member_the_later_is_told(app: &TestApp) {
        let (acme, admin) = acme(app).await;
        let (_, id) = app.somebody(&acme, "bob@acme.test", &["member"], &[]).await;
        let path = format!("{MEMBERS}/{id}");
        let shown = admin.get(&format!("{path}/edit")).await;
        let api = format!("/v1/organizations/{acme}/members/{id}");
        app.root().put(&api, json!({ "roles": ["auditor"] })).await.expect(StatusCode::OK);
        let member = role(app, "member").await;
        let late = save(&admin, &path, &shown, &[("role", &member), ("permission", READ)]).await;
        late.shows(StatusCode::UNPROCESSABLE_ENTITY, "Somebody else changed it meanwhile");
        late.shows(StatusCode::UNPROCESSABLE_ENTITY, "It is now: auditor");
        let kept = app.root().get(&api).await.expect(StatusCode::OK);
        assert_eq!(kept["roles"], json!(["auditor"]));
    }

    async fn nobody_gives_more_than_they_hold_and_nobody_touches_who_reaches_further(app: &TestApp) {
        let (acme, _) = acme(app).await;
        let rights = ["claviger:members:read", "claviger:members:write", READ];
        let (some, _) = app.somebody(&acme, "some@acme.test", &[], &rights).await;
        let (_, bob) = app.somebody(&acme, "bob@acme.test", &[], &[]).await;
        let path = format!("{MEMBERS}/{bob}");
        let shown = some.get(&format!("{path}/edit")).await;
        shown.shows(StatusCode::OK, "value=\"invoices:read\"");
        assert!(!shown.html.contains("value=\"invoices:write\"") && !shown.html.contains("organization-admin"));
        let refused = save(&some, &path, &shown, &[("permission", WRITE)]).await;
        refused.shows(StatusCode::UNPROCESSABLE_ENTITY, "You may not give this");
        let refused = save(&some, &path, &shown, &[("more_roles", "organization-admin")]).await;
        refused.shows(StatusCode::UNPROCESSABLE_ENTITY, "You may not give this");
        let refused = save(&some, &path, &shown, &[("more_roles", "none<b>")]).await;
        refused.shows(StatusCode::UNPROCESSABLE_ENTITY, "There is no role none&#60;b&#62; here");
        save(&some, &path, &shown, &[("permission", READ)]).await.leads_to(&format!("{path}?done=saved"));
        // Who administers the instance is changed and removed by nobody who governs this organization only.
        let (_, root) = app.somebody(&acme, "root@acme.test", &[], &[]).await;
        app.give_everywhere(&acme, &root, "instance-admin").await;
        let path = format!("{MEMBERS}/{root}");
        let looked_at = some.get(&path).await;
        looked_at.shows(StatusCode::OK, "administers the whole instance");
        assert!(!looked_at.html.contains(&format!("{path}/remove")));
        for page in ["edit", "remove"] {
            some.get(&format!("{path}/{page}")).await.shows(StatusCode::FORBIDDEN, "This is not yours to do");
        }
        some.act(&format!("{path}/remove"), &[]).await.shows(StatusCode::FORBIDDEN, "This is not yours to do");
    }

    async fn of_two_roles_of_one_name_the_one_that_was_ticked_is_given_to_a_member(app: &TestApp) {
        let (acme, admin) = acme(app).await;
        let (_, bob) = app.somebody(&acme, "bob@acme.test", &[], &[]).await;
        let make = async |of: Option<&str>, permission: &str| {
            let body = json!({ "name": "reader", "organization_id": of, "permissions": [permission] });
            text(&app.root().post("/v1/roles", body).await.expect(StatusCode::CREATED)["id"])
        };
        let (own, instances) = (make(Some(&acme), READ).await, make(None, WRITE).await);
        let path = format!("{MEMBERS}/{bob}");
        for (ticked, other, label) in [(&instances, &own, "reader · Whole instance"), (&own, &instances, "reader")] {
            let shown = admin.get(&format!("{path}/edit")).await;
            assert!(shown.html.contains(&format!("value=\"{own}\"")) && shown.html.contains(&format!("value=\"{instances}\"")));
            shown.shows(StatusCode::OK, label);
            let asked = save(&admin, &path, &shown, &[("role", ticked)]).await;
            if asked.status == StatusCode::OK {
                let confirmed = asked.field("confirmed");
                save(&admin, &path, &shown, &[("role", ticked), ("confirmed", &confirmed)]).await.leads_to(&format!("{path}?done=saved"));
            }
            let page = admin.get(&path).await;
            page.shows(StatusCode::OK, &format!("{ROLES}/{ticked}"));
            assert!(!page.html.contains(other.as_str()), "{}", page.html);
        }
    }

    async fn whoever_is_removed_loses_all_that_was_told(app: &TestApp) {
        let (acme, admin) = acme(app).await;
        let (bob, id) = app.somebody(&acme, "bob@acme.test", &["member"], &[READ]).await;
        let token = app.own_token(&bob, &acme, &[READ]).await;
        let path = format!("{MEMBERS}/{id}/remove");
        let asked = admin.get(&path).await;
        for part in ["Remove this member?", "do not belong to acme any more", "One token of theirs is revoked"] {
            asked.shows(StatusCode::OK, part);
        }
        assert_eq!(app.code(&token).await, "valid");
        admin.act(&path, &[]).await.leads_to(&format!("{MEMBERS}?done=removed"));
        assert_eq!(app.code(&token).await, "revoked");
        admin.get(&format!("{MEMBERS}/{id}")).await.shows(StatusCode::NOT_FOUND, "no such page");
        admin.act(&path, &[]).await.shows(StatusCode::NOT_FOUND, "no such page");
        assert_eq!(app.audit_trail(&id).await.last().map(String::as_str), Some("member.removed"));
    }

    async fn an_invitation_is_made_once_shown_once_and_withdrawn(app: &TestApp) {
        let (acme, admin) = acme(app).await;
        let invitations = format!("{MEMBERS}/invitations");
        admin.get(&invitations).await.shows(StatusCode::OK, "No invitations");
        let shown = admin.get(&format!("{invitations}/new")).await;
        let (once, member) = (shown.field("once"), role(app, "member").await);
        let make = async |email: &str, more: &[(&str, &str)]| {
            let fixed = [("once", once.as_str()), ("email", email), ("life", "7"), ("shown", "role"), ("shown", "permission")];
            let fields: Vec<_> = fixed.into_iter().chain(more.iter().copied()).collect();
            admin.act(&format!("{invitations}/new"), &fields).await
        };
        make("carol@acme.test", &[]).await.shows(StatusCode::UNPROCESSABLE_ENTITY, "Choose at least one role");
        make("<b>", &[("role", &member)]).await.shows(StatusCode::UNPROCESSABLE_ENTITY, "This is no e-mail address");
        let taken = make("admin@acme.test", &[("role", &member)]).await;
        taken.shows(StatusCode::UNPROCESSABLE_ENTITY, "is a member already");
        let made = make("carol@acme.test", &[("role", &member)]).await;
        made.shows(StatusCode::OK, "This link is shown only now");
        let link = made.html.split("id=\"secret\"").nth(1).unwrap().split_once('>').unwrap().1.split('<').next().unwrap();
        let code = link.split_once("/invitation?code=").unwrap().1.to_owned();
        app.handed_out(&code);
        // Sent again, the form leads to what it made.
        let again = make("dave@acme.test", &[("role", &member)]).await;
        let path = again.location().trim_end_matches("?done=once").to_owned();
        assert!(path.starts_with(&format!("{invitations}/inv_")), "{path}");
        let page = admin.get(&path).await;
        page.shows(StatusCode::OK, "carol@acme.test");
        assert!(!page.html.contains(&code));
        admin.get(&invitations).await.shows(StatusCode::OK, "carol@acme.test");
        // Who has the link gets as far as the form.
        Browser::new(app).get(&format!("/invitation?code={code}")).await.leads_to("/invitation");
        admin.get(&format!("{path}/withdraw")).await.shows(StatusCode::OK, "Withdraw this invitation?");
        admin.act(&format!("{path}/withdraw"), &[]).await.leads_to(&format!("{path}?done=withdrawn"));
        admin.get(&format!("{path}?done=withdrawn")).await.shows(StatusCode::OK, "Its link works no more");
        admin.act(&format!("{path}/withdraw"), &[]).await.leads_to(&path);
        admin.get(&format!("{path}/withdraw")).await.leads_to(&path);
        admin.get(&format!("{invitations}?state=revoked")).await.shows(StatusCode::OK, "carol@acme.test");
        let found = app.root().get(&format!("/v1/organizations/{acme}/invitations")).await.expect(StatusCode::OK);
        assert_eq!(found["items"].as_array().unwrap().len(), 1);
    }

    async fn a_role_is_made_given_narrowed_and_deleted(app: &TestApp) {
        let (acme, admin) = acme(app).await;
        let shown = admin.get(&format!("{ROLES}/new")).await;
        shown.shows(StatusCode::OK, "value=\"invoices:read\"");
        let make = async |name: &str, permission: &str| {
            let fields = [("name", name), ("description", "Reads <b>"), ("shown", "permission"), ("permission", permission)];
            admin.act(&format!("{ROLES}/new"), &fields).await
        };
        make("A b", READ).await.shows(StatusCode::UNPROCESSABLE_ENTITY, "name is 1 to 63 of");
        make("member", READ).await.shows(StatusCode::UNPROCESSABLE_ENTITY, "has this name already");
        make("reader", "<i>:x").await.shows(StatusCode::UNPROCESSABLE_ENTITY, "No API declares &#60;i&#62;:x");
        let made = make("reader", READ).await;
        let path = made.location().trim_end_matches("?done=made").to_owned();
        let page = admin.get(&path).await;
        page.shows(StatusCode::OK, "Reads &#60;b&#62;");
        page.shows(StatusCode::OK, "Nobody here has it");
        let (bob, id) = app.somebody(&acme, "bob@acme.test", &["reader", "member"], &[]).await;
        let token = app.own_token(&bob, &acme, &[READ]).await;
        admin.get(&path).await.shows(StatusCode::OK, &format!("{MEMBERS}/{id}"));
        let shown = admin.get(&format!("{path}/edit")).await;
        let seen = shown.field("seen");
        let save = async |seen: &str, more: &[(&str, &str)]| {
            let fixed = [("seen", seen), ("name", "reader"), ("description", "Reads <b>"), ("shown", "permission")];
            let fields: Vec<_> = fixed.into_iter().chain(more.iter().copied()).collect();
            admin.act(&format!("{path}/edit"), &fields).await
        };
        let asked = save(&seen, &[("permission", WRITE)]).await;
        asked.shows(StatusCode::OK, "Take this from everybody who has the role?");
        asked.shows(StatusCode::OK, "One member or service account has the role");
        assert_eq!(app.permissions(&token).await, [READ]);
        let confirmed = asked.field("confirmed");
        save(&seen, &[("permission", WRITE), ("confirmed", &confirmed)]).await.leads_to(&format!("{path}?done=saved"));
        assert!(app.permissions(&token).await.is_empty());
        // The later of two is told.
        let late = save(&seen, &[("permission", READ)]).await;
        late.shows(StatusCode::UNPROCESSABLE_ENTITY, "Somebody else changed it meanwhile");
        late.shows(StatusCode::UNPROCESSABLE_ENTITY, "It is now: invoices:write");
        let asked = admin.get(&format!("{path}/delete")).await;
        asked.shows(StatusCode::OK, "One member or service account loses it");
        admin.act(&format!("{path}/delete"), &[]).await.leads_to(&format!("{ROLES}?done=deleted"));
        admin.get(&path).await.shows(StatusCode::NOT_FOUND, "no such page");
        let member = app.root().get(&format!("/v1/organizations/{acme}/members/{id}")).await.expect(StatusCode::OK);
        assert_eq!(member["roles"], json!(["member"]));
        // What Claviger brought, and what is the instance's, is not theirs to change.
        let builtin = format!("{ROLES}/{}", role(app, "auditor").await);
        let looked_at = admin.get(&builtin).await;
        looked_at.shows(StatusCode::OK, "Claviger brings this role");
        assert!(!looked_at.html.contains(&format!("{builtin}/edit")));
        admin.get(&format!("{builtin}/edit")).await.shows(StatusCode::NOT_FOUND, "no such page");
        admin.act(&format!("{builtin}/delete"), &[]).await.shows(StatusCode::NOT_FOUND, "no such page");
        admin.get(&format!("{ROLES}/new?for=instance")).await.shows(StatusCode::NOT_FOUND, "no such page");
    }

    async fn each_page_of_people_is_for_who_may_do_the_same_over_the_api(app: &TestApp) {
        let (acme, admin) = acme(app).await;
        let (globex, _) = app.account("globex", &[]).await;
        let (member, bob) = app.somebody(&acme, "bob@acme.test", &["member"], &[]).await;
        let (auditor, _) = app.somebody(&acme, "audit@acme.test", &["auditor"], &[]).await;
        let (stranger, eve) = app.somebody(&globex, "eve@globex.test", &["organization-admin"], &[]).await;
        let body = json!({ "organization_id": acme, "name": "reader", "permissions": [READ] });
        let role = text(&app.root().post("/v1/roles", body).await.expect(StatusCode::CREATED)["id"]);
        let body = json!({ "email": "carol@acme.test", "roles": ["member"] });
        let path = format!("/v1/organizations/{acme}/invitations");
        let invited = app.root().post(&path, body).await.expect(StatusCode::CREATED);
        app.handed_out(text(&invited["url"]).split_once("code=").unwrap().1);
        let invitation = format!("{MEMBERS}/invitations/{}", text(&invited["id"]));
        // Page, and whether member, auditor, admin and stranger see it.
        let pages = [
            (MEMBERS.to_owned(), [false, true, true, false]),
            (format!("{MEMBERS}/{bob}"), [false, true, true, false]),
            (format!("{MEMBERS}/{eve}"), [false; 4]),
            (format!("{MEMBERS}/{bob}/edit"), [false, false, true, false]),
            (format!("{MEMBERS}/{bob}/remove"), [false, false, true, false]),
            (format!("{MEMBERS}/invitations"), [false, true, true, false]),
            (format!("{MEMBERS}/invitations/new"), [false, false, true, false]),
            (invitation.clone(), [false, true, true, false]),
            (format!("{invitation}/withdraw"), [false, false, true, false]),
            (ROLES.to_owned(), [true, true, true, false]),
            (format!("{ROLES}/{role}"), [true, true, true, false]),
            (format!("/organizations/globex/roles/{role}"), [false; 4]),
            (format!("{ROLES}/new"), [false, false, true, false]),
            (format!("{ROLES}/{role}/edit"), [false, false, true, false]),
            (format!("{ROLES}/{role}/delete"), [false, false, true, false]),
        ];
        for (page, seen) in &pages {
            for (browser, seen) in [&member, &auditor, &admin, &stranger].into_iter().zip(seen) {
                let status = browser.get(page).await.status;
                assert_eq!(status, if *seen { StatusCode::OK } else { StatusCode::NOT_FOUND }, "{page}");
            }
        }
        let forms = [
            format!("{MEMBERS}/{bob}/edit"),
            format!("{MEMBERS}/{bob}/remove"),
            format!("{MEMBERS}/invitations/new"),
            format!("{invitation}/withdraw"),
            format!("{ROLES}/new"),
            format!("{ROLES}/{role}/edit"),
            format!("{ROLES}/{role}/delete"),
        ];
        for form in &forms {
            for browser in [&member, &auditor, &stranger] {
                assert_eq!(browser.act(form, &[]).await.status, StatusCode::NOT_FOUND, "{form}");
            }
            assert_eq!(admin.post(form, &[]).await.status, StatusCode::FORBIDDEN, "{form} without a token");
        }
        // Of another organization, a member is none of the admin's.
        admin.act(&format!("{MEMBERS}/{eve}/remove"), &[]).await.shows(StatusCode::NOT_FOUND, "no such page");
        let (_, dave) = app.somebody(&globex, "dave@globex.test", &[], &[]).await;
        stranger.act(&format!("/organizations/globex/members/{bob}/edit"), &[]).await.shows(StatusCode::NOT_FOUND, "no such page");
        stranger.get(&format!("/organizations/globex/members/{dave}")).await.shows(StatusCode::OK, "dave@globex.test");
    }
}
