//! Users in storage.

use claviger_core::{Action, Chain, Credential, Event, Reach, Scope, User};
use claviger_store::{AuditFilter, StoreError, UserFilter};
use claviger_token::{PersonalAccessTokenId, TypedId as _, UserId};
use serde_json::json;

use crate::{
    db::{TestDb, all, walk},
    sample::{World, at, digest, full_user, key, metadata, name, rng, user},
};

/// Makes somebody a member, past the store.
async fn join(db: &TestDb, world: &World, user: &User) {
    db.tamper(&format!(
        "INSERT INTO membership (organization, person, created_at) VALUES ('{}', '{}', 0)",
        world.acme.id, user.id
    ))
    .await;
}

async fn stored(db: &TestDb, users: &[&User]) {
    db.write(async |tx| {
        for user in users {
            tx.insert_user(user).await?;
        }
        Ok(())
    })
    .await;
}

on_both_databases! {
    async fn a_user_reads_back_as_written_and_changed(db: &TestDb) {
        let (bare, full) = (user("bare@acme.test"), full_user("Full@acme.test", "42"));
        stored(db, &[&bare, &full]).await;
        for one in [&bare, &full] {
            assert_eq!(db.view().user(one.id).await.unwrap().as_ref(), Some(one));
        }
        let of = |email: &str| user(email).email;
        assert_eq!(db.view().user_by_email(&of("full@ACME.test")).await.unwrap().as_ref(), Some(&full));
        assert_eq!(db.view().user_by_email(&of("full@acme.example")).await.unwrap(), None);
        assert_eq!(db.view().user_by_external_id("42").await.unwrap().as_ref(), Some(&full));
        assert_eq!(db.view().user_by_external_id("4").await.unwrap(), None);

        let now_bare = User { id: full.id, created_at: full.created_at, ..user("now.bare@acme.test") };
        let now_full = User { id: bare.id, created_at: bare.created_at, ..full_user("now.full@acme.test", "43") };
        for changed in [now_bare, now_full] {
            db.write(async |tx| {
                assert!(tx.to_change(Reach::Instance).user(changed.id).await?.is_some());
                tx.save_user(&changed).await
            }).await;
            assert_eq!(db.view().user(changed.id).await.unwrap(), Some(changed));
        }
    }

    async fn a_claimed_address_goes_to_its_owner_without_what_opened_it(db: &TestDb) {
        let world = World::stored(db).await;
        let bob = user("bob@acme.test").claimed();
        stored(db, &[&bob]).await;
        let token = Credential {
            id: PersonalAccessTokenId::generate(at(0), &mut rng()).into(), principal: bob.id.into(), ..key(&world.ci, "planted")
        };
        let set = format!(
            "UPDATE person SET password = '$argon2id$x', password_set_at = 1, totp_seed = {}, totp_confirmed_at = 1 WHERE id = '{}';
             INSERT INTO recovery_code (person, digest) VALUES ('{}', {});
             INSERT INTO passkey (id, person, relying_party, credential, public_key, sign_count, transports, backup_eligible, backed_up, name, created_at)
               VALUES ('passkey_x', '{}', 'claviger.test', {}, {}, 0, '', 0, 0, 'x', 0)",
            db.blob("01"), bob.id, bob.id, db.blob("02"), bob.id, db.blob("03"), db.blob("04"),
        );
        db.tamper(&set).await;
        db.write(async |tx| {
            tx.insert_credential(&token, &digest()).await?;
            assert_eq!(tx.take_claimed_user(bob.id, at(5)).await?, [token.id]);
            Ok(())
        }).await;
        assert_eq!(db.view().user(bob.id).await.unwrap(), Some(User { email_claimed: false, ..bob.clone() }));
        let own = db.store.authenticators(bob.id).await.unwrap().unwrap();
        assert!(own.password.is_none() && own.password_set_at.is_none() && own.totp.is_none());
        assert_eq!(db.store.recovery_codes_left(bob.id).await.unwrap(), 0);
        assert_eq!(db.store.passkeys_of(bob.id).await.unwrap(), []);
        let token = db.view().credential(token.id).await.unwrap().unwrap();
        assert_eq!(token.revocation.map(|end| end.at), Some(at(5)));
        assert_eq!(db.view().credential(world.key.id).await.unwrap().unwrap().revocation, None);
    }

    async fn whoever_reaches_one_organization_sees_its_members(db: &TestDb) {
        let world = World::stored(db).await;
        let (alice, bob) = (user("alice@acme.test"), full_user("bob@globex.test", "7"));
        stored(db, &[&alice, &bob]).await;
        join(db, &world, &alice).await;
        let mut view = db.store.within(Reach::Organization(world.acme.id));
        assert_eq!(view.user(alice.id).await.unwrap().as_ref(), Some(&alice));
        assert_eq!(view.user(bob.id).await.unwrap(), None);
        assert_eq!(view.user_by_external_id("7").await.unwrap(), None);
        assert_eq!(view.user_by_email(&bob.email).await.unwrap(), None);
        assert_eq!(view.users(&UserFilter::default(), &all()).await.unwrap(), std::slice::from_ref(&alice));
        let of_globex = UserFilter { organization: Some(world.globex.id), ..UserFilter::default() };
        assert_eq!(view.users(&of_globex, &all()).await.unwrap(), []);
        let of_acme = UserFilter { organization: Some(world.acme.id), ..UserFilter::default() };
        assert_eq!(db.view().users(&of_acme, &all()).await.unwrap(), [alice]);
        assert_eq!(db.view().users(&of_globex, &all()).await.unwrap(), []);
    }

    async fn a_search_looks_at_address_name_and_external_id(db: &TestDb) {
        let other = User { disabled_at: None, name: Some(name("Éclair 50%")), ..full_user("alice@acme.test", "App_7") };
        stored(db, &[&user("bob@acme.test"), &other, &full_user("carol@globex.test", "8")]).await;
        let check = async |filter: UserFilter, expected: usize| {
            assert_eq!(db.view().users(&filter, &all()).await.unwrap().len(), expected, "{filter:?}");
        };
        let q = |q: &str| UserFilter { q: Some(q.to_owned()), ..UserFilter::default() };
        check(q(""), 3).await;
        check(q("ACME"), 2).await;
        check(q("p_7"), 1).await;
        check(q("p__7"), 0).await;
        check(q("Éclair"), 1).await;
        check(q("0%"), 1).await;
        check(q("\0"), 0).await;
        let named = |id: &str| UserFilter { external_id: Some(id.to_owned()), ..UserFilter::default() };
        check(named("8"), 1).await;
        check(named("app_7"), 0).await;
        check(UserFilter { disabled: Some(true), ..UserFilter::default() }, 1).await;
        check(UserFilter { disabled: Some(false), ..UserFilter::default() }, 2).await;
        check(UserFilter { disabled: Some(true), ..q("acme") }, 0).await;
    }

    async fn pages_tell_each_user_once_newest_first(db: &TestDb) {
        let mut ids: Vec<UserId> = Vec::new();
        for number in 0..25 {
            let one = user(&format!("a{number}@acme.test"));
            stored(db, &[&one]).await;
            ids.insert(0, one.id);
        }
        let page = async |page| db.view().users(&UserFilter::default(), &page).await;
        assert_eq!(walk(|one: &User| one.id, page).await, ids);
    }

    async fn an_address_and_an_external_id_are_unique_until_the_holder_is_deleted(db: &TestDb) {
        let first = full_user("alice@acme.test", "42");
        stored(db, &[&first]).await;
        let refused = |same: User| async move { db.try_write(async |tx| tx.insert_user(&same).await).await };
        let same = refused(user("ALICE@Acme.test")).await;
        assert!(matches!(same, Err(StoreError::Taken("email"))), "{same:?}");
        let same = refused(full_user("bob@acme.test", "42")).await;
        assert!(matches!(same, Err(StoreError::Taken("external_id"))), "{same:?}");
        db.write(async |tx| tx.end_user(&first, at(9)).await.map(drop)).await;
        stored(db, &[&full_user("alice@acme.test", "42")]).await;
    }

    async fn a_deleted_user_takes_everything_along_and_leaves_nothing_personal(db: &TestDb) {
        let world = World::stored(db).await;
        let (alice, bob) = (full_user("alice@acme.test", "42"), user("bob@acme.test"));
        stored(db, &[&alice, &bob]).await;
        join(db, &world, &alice).await;
        for (user, target) in [(&alice, alice.id.to_string()), (&alice, "inv_x".to_owned()), (&bob, bob.id.to_string())] {
            let told = Event {
                chain: Chain::Instance, action: Action::UserUpdated, target, details: json!({}),
                personal: Some(json!({ "after": { "email": user.email.as_str() } })), touched: Vec::new(),
            };
            crate::db::write(&db.store, told, async |_| Ok(())).await.unwrap();
        }
        let (token, other) = ("pat_01mcc5rm0afgc9n5dz8ap8kb23", "pat_01mcc5rm0afgc9n5dz8ap8kb24");
        for (id, person) in [(token, &alice), (other, &bob)] {
            db.tamper(&pat(id, &world, person)).await;
        }
        db.tamper(&leftovers(db, &world, &alice)).await;
        let moved = Event {
            chain: Chain::Instance, action: Action::UserUpdated, target: alice.id.to_string(), details: json!({}),
            personal: Some(json!({ "before": { "email": "Old@acme.test" }, "after": { "email": "bob@acme.test" } })),
            touched: Vec::new(),
        };
        crate::db::write(&db.store, moved, async |_| Ok(())).await.unwrap();
        for (number, address) in [(1, "old@acme.test"), (2, "bob@acme.test"), (3, "zoe@acme.test")] {
            let (blob, key, body) = (db.blob(&format!("0{number}")), db.blob(&format!("1{number}")), db.blob("00"));
            db.tamper(&format!(
                "INSERT INTO invitation (id, organization, email, email_key, roles, permissions, digest, created_at, created_by, ends_at)
                   VALUES ('inv_{number}', '{}', '{address}', '{address}', '', '', {blob}, 0, 'operator', 9);
                 INSERT INTO idempotency (key, body, status, answer, about, created_at)
                   VALUES ({key}, {body}, 201, '{address}', 'inv_{number}', 0)",
                world.acme.id
            )).await;
        }
        db.tamper(&format!(
            "INSERT INTO idempotency (key, body, status, answer, about, created_at)
               VALUES ({}, {}, 201, 'alice@acme.test', '{}', 0)", db.blob("ff"), db.blob("00"), alice.id
        )).await;
        db.write(async |tx| {
            let mut right = crate::sample::direct(&world.ci, Scope::Instance, "invoices:read");
            right.principal = alice.id.into();
            tx.insert_assignment(&right).await?;
            let ended = tx.end_user(&alice, at(9)).await?;
            assert_eq!(ended.iter().map(ToString::to_string).collect::<Vec<_>>(), [token]);
            Ok(())
        }).await;

        assert_eq!(db.view().user(alice.id).await.unwrap(), None);
        assert_eq!(db.view().users(&UserFilter::default(), &all()).await.unwrap(), std::slice::from_ref(&bob));
        for table in ["membership", "session", "one_time_code", "recovery_code", "passkey", "identity", "assignment"] {
            assert_eq!(db.number(&format!("SELECT COUNT(*) FROM {table}")).await, 0, "{table}");
        }
        // Of invitations and answers those stay that are about others: an address that is somebody else's now is theirs.
        for (table, column) in [("invitation", "id"), ("idempotency", "about")] {
            let left = async |condition: &str| db.number(&format!("SELECT COUNT(*) FROM {table}{condition}")).await;
            assert_eq!(left("").await, 2, "{table}");
            assert_eq!(left(&format!(" WHERE {column} IN ('inv_2', 'inv_3')")).await, 2, "{table}");
        }
        let bare = "email || email_key || COALESCE(name, '') || COALESCE(external_id, '') || COALESCE(password, '')";
        let erased = format!(
            "SELECT COUNT(*) FROM person WHERE id = '{}' AND {bare} = '' AND metadata = '{{}}' AND totp_seed IS NULL", alice.id
        );
        assert_eq!(db.number(&erased).await, 1);
        let ended = "SELECT COUNT(*) FROM credential WHERE revoke_reason = 'owner_left' AND epoch = 2";
        assert_eq!(db.number(&format!("{ended} AND id = '{token}'")).await, 1);
        assert_eq!(db.number(ended).await, 1);

        let personal = async |target: String| {
            let filter = AuditFilter { target: Some(target), ..AuditFilter::default() };
            let events = db.view().audit_events(&filter, &all()).await.unwrap();
            events.into_iter().map(|event| event.personal).collect::<Vec<_>>()
        };
        assert_eq!(personal(alice.id.to_string()).await, [None, None]);
        assert_eq!(personal(token.to_owned()).await, [None], "the end of the token is told in its own trail");
        assert_eq!(personal("inv_x".to_owned()).await, [None]);
        assert!(personal(bob.id.to_string()).await[0].as_deref().unwrap().contains("bob@acme.test"));
        assert_eq!(db.store.verify_audit().await.unwrap().findings, [], "what was erased was not hashed");
    }

    async fn who_is_shut_out_has_no_session_and_no_link_left(db: &TestDb) {
        let world = World::stored(db).await;
        let (alice, bob) = (user("alice@acme.test"), user("bob@acme.test"));
        stored(db, &[&alice, &bob]).await;
        db.tamper(&leftovers(db, &world, &alice)).await;
        db.write(async |tx| tx.shut_out_user(bob.id).await).await;
        let left = "SELECT (SELECT COUNT(*) FROM session) + (SELECT COUNT(*) FROM one_time_code)";
        assert_eq!(db.number(left).await, 2);
        db.write(async |tx| tx.shut_out_user(alice.id).await).await;
        assert_eq!(db.number(left).await, 0);
        assert_eq!(db.number("SELECT COUNT(*) FROM recovery_code").await, 1);
    }
}

/// A personal access token, past the store.
fn pat(id: &str, world: &World, user: &User) -> String {
    format!(
        "INSERT INTO credential (id, kind, organization, principal, name, environment, permissions, epoch, metadata, created_at,
           created_by)
         VALUES ('{id}', 'personal_access_token', '{}', '{}', 'laptop', 'live', '*', 1, '{{}}', 0, 'operator')",
        world.acme.id, user.id
    )
}

/// A row of everything that a user can have, past the store.
fn leftovers(db: &TestDb, world: &World, user: &User) -> String {
    let (id, key, acme, blob) = (user.id, user.email.key(), world.acme.id, db.blob("00ff"));
    format!(
        "UPDATE person SET password = 'x', metadata = '{}' WHERE id = '{id}';
         INSERT INTO session (id, digest, person, kind, method, created_at, authenticated_at, seen_at, ends_at)
           VALUES ('sess_x', {blob}, '{id}', 'console', 'password', 0, 0, 0, 9);
         INSERT INTO one_time_code (digest, purpose, person, details, created_at, created_by, ends_at)
           VALUES ({blob}, 'portal', '{id}', '{{}}', 0, 'operator', 9);
         INSERT INTO recovery_code (person, digest) VALUES ('{id}', {blob});
         INSERT INTO passkey (id, person, relying_party, credential, public_key, sign_count, transports, backup_eligible, backed_up, name, created_at)
           VALUES ('passkey_x', '{id}', 'claviger.test', {blob}, {blob}, 0, '', 0, 0, 'x', 0);
         INSERT INTO identity (issuer, subject, person, created_at) VALUES ('https://idp.test', '1', '{id}', 0);
         INSERT INTO invitation (id, organization, email, email_key, roles, permissions, digest, created_at, created_by, ends_at)
           VALUES ('inv_x', '{acme}', '{key}', '{key}', '', '', {blob}, 0, 'operator', 9)",
        metadata().as_str()
    )
}
