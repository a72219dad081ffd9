//! Assignments in storage, and what they add up to.

use claviger_core::{Assignment, Reach, Scope};

use crate::{
    db::{all, walk},
    sample::{World, direct, of_role, role, set},
};

on_both_databases! {
    async fn an_assignment_reads_back_as_it_was_written_also_to_be_changed(db: &TestDb) {
        let world = World::stored(db).await;
        let reader = role(None, "reader", "a:read");
        db.write(async |tx| tx.insert_role(&reader).await).await;
        let scope = Scope::Organization(world.acme.id);
        let written = [
            of_role(&world.ci, scope, &reader),
            of_role(&world.ci, Scope::Instance, &reader),
            direct(&world.ci, scope, "b:read"),
            direct(&world.ci, Scope::Instance, "b:read"),
        ];
        for one in &written {
            db.write(async |tx| tx.insert_assignment(one).await).await;
            assert_eq!(db.view().assignment(one.id).await.unwrap().as_ref(), Some(one));
        }
        assert_eq!(db.view().assignments_of(world.ci.id.into()).await.unwrap(), written);
        db.write(async |tx| {
            let mut view = tx.to_change(Reach::Instance);
            assert_eq!(view.assignments_of(world.ci.id.into()).await?, written);
            assert_eq!(view.held(world.ci.id.into(), world.acme.id).await?, set("a:read b:read"));
            for one in &written {
                assert_eq!(tx.to_change(Reach::Instance).assignment(one.id).await?.as_ref(), Some(one));
                assert!(tx.delete_assignment(one.id).await?);
                assert!(!tx.delete_assignment(one.id).await?, "it is gone already");
            }
            Ok(())
        }).await;
        assert_eq!(db.view().assignment(written[0].id).await.unwrap(), None);
        assert_eq!(db.view().assignments_of(world.ci.id.into()).await.unwrap(), []);
    }

    async fn who_has_a_role_everywhere_is_told(db: &TestDb) {
        let world = World::stored(db).await;
        let (reader, other) = (role(None, "reader", "a:read"), role(None, "other", "a:read"));
        let given = [
            of_role(&world.ci, Scope::Instance, &reader),
            of_role(&world.stranger, Scope::Organization(world.stranger.organization), &reader),
            of_role(&world.stranger, Scope::Instance, &other),
        ];
        db.write(async |tx| {
            for role in [&reader, &other] {
                tx.insert_role(role).await?;
            }
            for one in &given {
                tx.insert_assignment(one).await?;
            }
            Ok(())
        }).await;
        assert_eq!(db.view().who_has_everywhere(reader.id).await.unwrap(), [world.ci.id.into()]);
    }

    async fn those_of_another_organizations_principals_look_absent(db: &TestDb) {
        let world = World::stored(db).await;
        let own = direct(&world.ci, Scope::Organization(world.acme.id), "a:read");
        let foreign = direct(&world.stranger, Scope::Instance, "b:read");
        db.write(async |tx| {
            tx.insert_assignment(&own).await?;
            tx.insert_assignment(&foreign).await
        }).await;
        let mut view = db.store.within(Reach::Organization(world.acme.id));
        assert_eq!(view.assignment(foreign.id).await.unwrap(), None);
        assert_eq!(view.assignments(None, None, &all()).await.unwrap(), std::slice::from_ref(&own));
        assert_eq!(view.assignments(Some(world.globex.id), None, &all()).await.unwrap(), []);
        assert_eq!(view.assignments(None, Some(world.stranger.id.into()), &all()).await.unwrap(), []);
        assert_eq!(view.assignments_of(world.stranger.id.into()).await.unwrap(), []);
        // What a principal can do bounds others, and is seen whole.
        assert_eq!(view.held(world.stranger.id.into(), world.globex.id).await.unwrap(), set("b:read"));
        assert_eq!(view.held_everywhere(world.stranger.id.into()).await.unwrap(), set("b:read"));
        let mut view = db.view();
        assert_eq!(view.assignments(Some(world.globex.id), None, &all()).await.unwrap(), std::slice::from_ref(&foreign));
        assert_eq!(view.assignments(None, Some(world.ci.id.into()), &all()).await.unwrap(), [own]);
    }

    async fn held_is_the_sum_of_roles_and_direct_permissions_where_they_count(db: &TestDb) {
        let world = World::stored(db).await;
        let local = role(Some(&world.acme), "local", "a:read b:read");
        let shared = role(None, "shared", "b:read c:read");
        let scope = Scope::Organization(world.acme.id);
        db.write(async |tx| {
            tx.insert_role(&local).await?;
            tx.insert_role(&shared).await?;
            tx.insert_assignment(&of_role(&world.ci, scope, &local)).await?;
            tx.insert_assignment(&of_role(&world.ci, Scope::Instance, &shared)).await?;
            tx.insert_assignment(&direct(&world.ci, scope, "d:read")).await
        }).await;
        let mut view = db.view();
        let ci = world.ci.id.into();
        assert_eq!(view.held(ci, world.acme.id).await.unwrap(), set("a:read b:read c:read d:read"));
        assert_eq!(view.held(ci, world.globex.id).await.unwrap(), set("b:read c:read"));
        assert_eq!(db.view().held_everywhere(ci).await.unwrap(), set("b:read c:read"));
        assert!(view.held(world.stranger.id.into(), world.globex.id).await.unwrap().is_empty());
    }

    async fn pages_tell_each_assignment_once_newest_first(db: &TestDb) {
        let world = World::stored(db).await;
        let mut ids = Vec::new();
        for number in 0..25 {
            let one = direct(&world.ci, Scope::Instance, &format!("p{number}"));
            db.write(async |tx| tx.insert_assignment(&one).await).await;
            ids.insert(0, one.id);
        }
        let page = async |page| db.view().assignments(None, Some(world.ci.id.into()), &page).await;
        assert_eq!(walk(|one: &Assignment| one.id, page).await, ids);
    }
}
