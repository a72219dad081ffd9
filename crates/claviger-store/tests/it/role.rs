//! Roles in storage: an organization sees its own and the instance's.

use claviger_core::{Assignment, Reach, Role, Scope};
use claviger_store::{CredentialFilter, Page, StoreError};

use crate::{
    db::{all, walk},
    sample::{World, digest, key, of_role, role, service_account, set},
};

on_both_databases! {
    async fn a_role_reads_back_as_it_was_written_and_changed(db: &TestDb) {
        let world = World::stored(db).await;
        let bare = role(None, "bare", "");
        let full = Role {
            description: Some("Größer".to_owned()), builtin: true, ..role(Some(&world.acme), "full", "a:read b:read")
        };
        for written in [&bare, &full] {
            db.write(async |tx| tx.insert_role(written).await).await;
            assert_eq!(db.view().role(written.id).await.unwrap().as_ref(), Some(written));
        }
        let now_full = Role { description: Some("x".to_owned()), permissions: set("c:read"), ..bare };
        let now_bare = Role { name: "renamed".to_owned(), description: None, permissions: set(""), ..full };
        for changed in [now_full, now_bare] {
            db.write(async |tx| {
                assert!(tx.to_change(Reach::Instance).role(changed.id).await?.is_some());
                tx.save_role(&changed).await
            }).await;
            assert_eq!(db.view().role(changed.id).await.unwrap(), Some(changed));
        }
    }

    async fn an_organization_sees_its_own_roles_and_the_instances(db: &TestDb) {
        let world = World::stored(db).await;
        let (own, foreign) = (role(Some(&world.acme), "own", ""), role(Some(&world.globex), "foreign", ""));
        let shared = role(None, "shared", "");
        db.write(async |tx| {
            tx.insert_role(&own).await?;
            tx.insert_role(&foreign).await?;
            tx.insert_role(&shared).await
        }).await;
        let (acme, globex) = (Some(world.acme.id), Some(world.globex.id));
        let mut view = db.store.within(Reach::Organization(world.acme.id));
        assert_eq!(view.role(foreign.id).await.unwrap(), None);
        assert_eq!(view.role(shared.id).await.unwrap().as_ref(), Some(&shared));
        assert_eq!(view.roles(None, None, &all()).await.unwrap(), [shared.clone(), own.clone()]);
        assert_eq!(view.roles(globex, None, &all()).await.unwrap(), std::slice::from_ref(&shared));
        for called in ["foreign".to_owned(), foreign.id.to_string()] {
            assert_eq!(view.role_called(&called, globex).await.unwrap(), None);
            assert_eq!(view.role_called(&called, acme).await.unwrap(), None);
        }
        let mut view = db.view();
        assert_eq!(view.roles(None, None, &all()).await.unwrap().len(), 3);
        assert_eq!(view.roles(acme, None, &all()).await.unwrap(), [shared.clone(), own.clone()]);
        assert_eq!(view.role_called("own", None).await.unwrap(), None);
        assert_eq!(view.role_called("own", acme).await.unwrap().as_ref(), Some(&own));
        assert_eq!(view.role_called(&own.id.to_string(), acme).await.unwrap().as_ref(), Some(&own));
        assert_eq!(view.role_called("shared", acme).await.unwrap().as_ref(), Some(&shared));
        assert_eq!(view.role_called("shared", None).await.unwrap().as_ref(), Some(&shared));
        assert_eq!(view.role_called("nobody\0", acme).await.unwrap(), None);
    }

    async fn a_name_is_unique_in_its_organization_and_in_the_instance(db: &TestDb) {
        let world = World::stored(db).await;
        let own = role(Some(&world.acme), "support", "a:read");
        let shared = role(None, "support", "b:read");
        db.write(async |tx| {
            tx.insert_role(&own).await?;
            tx.insert_role(&shared).await?;
            tx.insert_role(&role(Some(&world.globex), "support", "")).await
        }).await;
        for same in [role(Some(&world.acme), "support", ""), role(None, "support", "")] {
            let refused = db.try_write(async |tx| tx.insert_role(&same).await).await;
            assert!(matches!(refused, Err(StoreError::Taken("name"))), "{refused:?}");
        }
        // Its own comes first.
        let mut view = db.view();
        assert_eq!(view.role_called("support", Some(world.acme.id)).await.unwrap(), Some(own));
        assert_eq!(view.role_called("support", None).await.unwrap(), Some(shared));
    }

    async fn a_deleted_role_is_taken_from_everybody(db: &TestDb) {
        let world = World::stored(db).await;
        let gone = role(None, "gone", "a:read");
        let kept = role(None, "kept", "b:read");
        let scope = Scope::Organization(world.acme.id);
        let (lost, stays) = (of_role(&world.ci, scope, &gone), of_role(&world.ci, scope, &kept));
        db.write(async |tx| {
            tx.insert_role(&gone).await?;
            tx.insert_role(&kept).await?;
            tx.insert_assignment(&lost).await?;
            tx.insert_assignment(&stays).await
        }).await;
        db.write(async |tx| tx.delete_role(gone.id).await).await;
        assert_eq!(db.view().role(gone.id).await.unwrap(), None);
        assert_eq!(db.view().assignments_of(world.ci.id.into()).await.unwrap(), [stays]);
        assert_eq!(db.view().held(world.ci.id.into(), world.acme.id).await.unwrap(), set("b:read"));
        db.write(async |tx| tx.insert_role(&role(None, "gone", "")).await).await;
    }

    async fn who_has_a_role_is_told_within_reach_a_page_at_a_time(db: &TestDb) {
        let world = World::stored(db).await;
        let (reader, other) = (role(None, "reader", "a:read"), role(None, "other", "a:read"));
        let mut had: Vec<Assignment> = Vec::new();
        db.write(async |tx| {
            tx.insert_role(&reader).await?;
            tx.insert_role(&other).await
        }).await;
        for number in 0..7 {
            let account = service_account(&world.acme, &format!("account {number}"));
            let scope = if number == 3 { Scope::Instance } else { Scope::Organization(world.acme.id) };
            let assignment = of_role(&account, scope, &reader);
            db.write(async |tx| {
                tx.insert_service_account(&account).await?;
                tx.insert_assignment(&of_role(&account, scope, &other)).await?;
                tx.insert_assignment(&assignment).await
            }).await;
            had.push(assignment);
        }
        had.sort_by_key(|one| std::cmp::Reverse(one.id.to_string()));
        let told = walk(|one: &Assignment| one.id, async |page| db.view().assignments_of_role(reader.id, None, &page).await).await;
        assert_eq!(told, had.iter().map(|one| one.id).collect::<Vec<_>>());
        let here = Some(world.acme.id);
        let page = Page { after: None, limit: 3 };
        assert_eq!(db.view().assignments_of_role(reader.id, here, &page).await.unwrap(), had[..3]);
        let elsewhere = || db.store.within(Reach::Organization(world.globex.id));
        assert!(elsewhere().assignments_of_role(reader.id, None, &all()).await.unwrap().is_empty());
        assert_eq!(db.view().count_holders_up_to(reader.id, 100).await.unwrap(), 7);
        assert_eq!(db.view().count_holders_up_to(reader.id, 5).await.unwrap(), 5);
        assert_eq!(elsewhere().count_holders_up_to(reader.id, 100).await.unwrap(), 0);
    }

    async fn what_holds_or_names_a_permission_is_found_by_all_of_its_name(db: &TestDb) {
        let world = World::stored(db).await;
        let roles = [
            role(None, "one", "a:read"),
            role(Some(&world.acme), "two", "a:read b:read"),
            role(None, "three", "a:read_all xa:read"),
            role(None, "four", "a_read"),
        ];
        for one in &roles {
            db.write(async |tx| tx.insert_role(one).await).await;
        }
        let called = async |permission: &str, limit| {
            let found = db.view().roles_holding(permission, limit).await.unwrap();
            found.into_iter().map(|role| role.name).collect::<Vec<_>>()
        };
        assert_eq!(called("a:read", 9).await, ["one", "two"]);
        assert_eq!(called("a:read", 1).await, ["one"]);
        assert_eq!(called("a_read", 9).await, ["four"]);
        assert!(called("read", 9).await.is_empty());
        let elsewhere = db.store.within(Reach::Organization(world.globex.id)).roles_holding("a:read", 9).await.unwrap();
        assert_eq!(elsewhere, roles[..1]);
        // Of a credential it is the list that names it; what follows its principal names nothing.
        for (number, entries) in ["a:read b:read", "*", "a:read_all", "b:read a:read"].into_iter().enumerate() {
            let permissions = claviger_token::PermissionMask::from_text(entries).unwrap();
            let named = claviger_core::Credential { permissions, ..key(&world.ci, &format!("key {number}")) };
            db.write(async |tx| tx.insert_credential(&named, &digest()).await).await;
        }
        let names = |permission: &str| CredentialFilter { names: Some(permission.to_owned()), ..CredentialFilter::default() };
        assert_eq!(db.view().count_credentials(&names("a:read")).await.unwrap(), 2);
        assert_eq!(db.view().credentials(&names("a:read_all"), &all()).await.unwrap().len(), 1);
        assert_eq!(db.view().count_credentials(&names("a_read")).await.unwrap(), 0);
    }

    async fn pages_tell_each_role_once_newest_first_and_a_search_is_literal(db: &TestDb) {
        let mut ids = Vec::new();
        for number in 0..25 {
            let one = role(None, &format!("r_{number}"), "");
            db.write(async |tx| tx.insert_role(&one).await).await;
            ids.insert(0, one.id);
        }
        assert_eq!(walk(|one: &Role| one.id, async |page| db.view().roles(None, None, &page).await).await, ids);
        let check = async |q: &str, expected: usize| {
            assert_eq!(db.view().roles(None, Some(q), &all()).await.unwrap().len(), expected, "{q}");
        };
        check("r_2", 6).await;
        check("R_24", 1).await;
        check("r%4", 0).await;
        check("r__4", 0).await;
    }
}
