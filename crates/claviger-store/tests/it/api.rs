//! APIs and the permissions that they declare, in storage.

use claviger_core::{AccessTokens, AlsoAccepts, Api, Reach, RouteRule, Routes, Scope, TokenFormat};
use claviger_store::StoreError;
use claviger_token::SigningAlgorithm;

use crate::{
    db::{all, walk},
    sample::{World, api, direct, name, of_role, permission, role, set},
};

on_both_databases! {
    async fn an_api_reads_back_with_its_permissions_in_their_order(db: &TestDb) {
        let world = World::stored(db).await;
        let bare = api("urn:bare", &[]);
        let full = Api {
            resource_servers: vec![world.ci.id, world.stranger.id],
            origins: vec!["https://a.test".to_owned(), "https://b.test:8443".to_owned()],
            also_accepts: AlsoAccepts { basic: true, query_parameter: Some("api_key".to_owned()) },
            routes: routes("/z/{id}", "z:read"),
            access_tokens: AccessTokens {
                ttl_seconds: 3600,
                algorithm: SigningAlgorithm::Rs256,
                format: TokenFormat::Opaque,
            },
            permissions: vec![permission("z:read", Some("Größer")), permission("a:read", None), permission("m:read", None)],
            ..api("urn:full", &[])
        };
        let builtin = Api { builtin: true, ..api("urn:builtin", &["claviger:verify"]) };
        assert_eq!(db.view().builtin_api().await.unwrap(), None);
        for written in [&bare, &full, &builtin] {
            db.write(async |tx| tx.insert_api(written).await).await;
            assert_eq!(db.view().api(written.id).await.unwrap().as_ref(), Some(written));
        }
        assert_eq!(db.view().builtin_api().await.unwrap().as_ref(), Some(&builtin));
        assert_eq!(db.view().catalog().await.unwrap(), [bare.clone(), full.clone(), builtin.clone()]);
        assert_eq!(db.view().apis(None, &all()).await.unwrap(), [builtin, full, bare.clone()]);
        // APIs belong to the instance: everybody sees them.
        let seen = db.store.within(Reach::Organization(world.acme.id)).api(bare.id).await.unwrap();
        assert_eq!(seen, Some(bare));
    }

    async fn a_saved_api_declares_what_it_declares_now(db: &TestDb) {
        let one = api("urn:one", &["a:read", "a:write"]);
        let other = api("urn:other", &["b:read"]);
        db.write(async |tx| {
            tx.insert_api(&one).await?;
            tx.insert_api(&other).await
        }).await;
        let changed = Api {
            name: name("Renamed"),
            origins: vec!["https://c.test".to_owned()],
            also_accepts: AlsoAccepts { basic: true, query_parameter: Some("key".to_owned()) },
            routes: routes("/{*rest}", "c:read"),
            permissions: vec![permission("c:read", None), permission("a:read", Some("x"))],
            ..one.clone()
        };
        db.write(async |tx| {
            assert_eq!(tx.to_change(Reach::Instance).api(one.id).await?, Some(one));
            tx.save_api(&changed).await
        }).await;
        let mut view = db.view();
        assert_eq!(view.api(changed.id).await.unwrap().as_ref(), Some(&changed));
        let called = view.identifiers().await.unwrap();
        assert!(["urn:one", "urn:other"].iter().all(|name| called.contains(&(*name).to_owned())), "{called:?}");
        assert_eq!(view.declared_permissions().await.unwrap(), set("a:read b:read c:read"));
        assert_eq!(view.permissions_of_others(Some(changed.id)).await.unwrap(), set("b:read"));
        assert_eq!(view.permissions_of_others(None).await.unwrap(), set("a:read b:read c:read"));
    }

    async fn rules_that_cannot_be_read_are_no_rules_and_take_nothing_from_other_apis(db: &TestDb) {
        let damaged = Api { routes: routes("/x", "a:read"), ..api("urn:damaged", &["a:read"]) };
        let sound = Api { routes: routes("/y", "b:read"), ..api("urn:sound", &["b:read"]) };
        for written in [&damaged, &sound] {
            db.write(async |tx| tx.insert_api(written).await).await;
        }
        for rules in ["nonsense", "[{\"methods\":[\"GET\"],\"path\":\"x\",\"permissions\":[]}]"] {
            db.tamper(&format!("UPDATE api SET route_rules = '{rules}' WHERE identifier = 'urn:damaged'")).await;
            let without = Api { routes: Routes::default(), ..damaged.clone() };
            assert_eq!(db.view().catalog().await.unwrap(), [without, sound.clone()]);
            // Whoever changes it must not write that there are none.
            assert!(matches!(db.view().api(damaged.id).await, Err(StoreError::Damaged(_))));
        }
    }

    async fn identifier_permission_and_being_builtin_are_unique(db: &TestDb) {
        let builtin = |api| Api { builtin: true, ..api };
        let first = builtin(api("urn:one", &["a:read"]));
        db.write(async |tx| tx.insert_api(&first).await).await;
        let check = async |one: Api, expected: &str| {
            let refused = db.try_write(async |tx| tx.insert_api(&one).await).await;
            assert!(matches!(refused, Err(StoreError::Taken(taken)) if taken == expected), "{refused:?}");
        };
        check(api("urn:one", &[]), "identifier").await;
        check(api("urn:two", &["b:read", "a:read"]), "permission").await;
        check(builtin(api("urn:two", &[])), "value").await;
        assert_eq!(db.view().catalog().await.unwrap(), [first]);
    }

    async fn a_deleted_api_frees_its_identifier_and_permissions(db: &TestDb) {
        let one = api("urn:one", &["a:read"]);
        db.write(async |tx| tx.insert_api(&one).await).await;
        db.write(async |tx| tx.delete_api(one.id).await).await;
        assert_eq!(db.view().api(one.id).await.unwrap(), None);
        assert!(db.view().declared_permissions().await.unwrap().is_empty());
        db.write(async |tx| tx.insert_api(&api("urn:one", &["a:read"])).await).await;
    }

    async fn what_an_api_declares_no_more_is_taken_from_everybody_for_good(db: &TestDb) {
        let world = World::stored(db).await;
        let one = api("urn:one", &["a:read", "a:write"]);
        let (mixed, other) = (role(None, "mixed", "a:read a:write b:read"), role(Some(&world.acme), "other", "b:read"));
        let here = Scope::Organization(world.acme.id);
        db.write(async |tx| {
            tx.insert_api(&one).await?;
            tx.insert_role(&mixed).await?;
            tx.insert_role(&other).await?;
            tx.insert_assignment(&of_role(&world.ci, here, &mixed)).await?;
            tx.insert_assignment(&of_role(&world.ci, here, &other)).await?;
            tx.insert_assignment(&direct(&world.ci, here, "a:read")).await?;
            tx.insert_assignment(&direct(&world.ci, Scope::Instance, "a:write")).await?;
            tx.insert_assignment(&direct(&world.ci, here, "b:write")).await
        }).await;
        let held = async || db.view().held(world.ci.id.into(), world.acme.id).await.unwrap();
        let less = Api { permissions: vec![permission("a:write", None)], ..one.clone() };
        db.write(async |tx| tx.save_api(&less).await).await;
        assert_eq!(held().await, set("a:write b:read b:write"));
        db.write(async |tx| tx.save_api(&one).await).await;
        assert_eq!(held().await, set("a:write b:read b:write"), "declared again, but not given again");
        db.write(async |tx| tx.delete_api(one.id).await).await;
        db.write(async |tx| tx.insert_api(&one).await).await;
        assert_eq!(held().await, set("b:read b:write"));
        assert_eq!(db.view().role(other.id).await.unwrap(), Some(other));
    }

    async fn a_search_looks_at_name_and_identifier(db: &TestDb) {
        let one = Api { name: name("100% Öl"), ..api("https://api.acme.test/a_b", &[]) };
        db.write(async |tx| tx.insert_api(&one).await).await;
        let check = async |q: &str, expected: usize| {
            assert_eq!(db.view().apis(Some(q), &all()).await.unwrap().len(), expected, "{q}");
        };
        check("ACME", 1).await;
        check("0% Ö", 1).await;
        check("a_b", 1).await;
        check("a_i", 0).await;
        check("%api%", 0).await;
    }

    async fn pages_tell_each_api_once_newest_first(db: &TestDb) {
        let mut ids = Vec::new();
        for number in 0..25 {
            let one = api(&format!("urn:{number}"), &[&format!("p{number}:read")]);
            db.write(async |tx| tx.insert_api(&one).await).await;
            ids.insert(0, one.id);
        }
        assert_eq!(walk(|one: &Api| one.id, async |page| db.view().apis(None, &page).await).await, ids);
    }
}

fn routes(path: &str, permission: &str) -> Routes {
    let rule = RouteRule {
        methods: vec!["GET".to_owned(), "POST".to_owned()],
        path: path.to_owned(),
        permissions: vec![permission.parse().unwrap()],
        object: Some("thing:main".to_owned()),
        filters_objects: false,
    };
    Routes::restore(vec![rule]).unwrap()
}
