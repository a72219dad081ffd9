//! Memberships in storage.

use claviger_core::{Assignment, CodePurpose, Membership, OneTimeCode, Reach, Scope, User};
use claviger_store::Member;
use claviger_token::OrganizationId;
use serde_json::json;

use crate::{
    db::{TestDb, all, walk},
    sample::{World, at, direct, full_user, user},
};

fn of(organization: OrganizationId, user: &User) -> Membership {
    Membership { organization, user: user.id, created_at: at(7) }
}

fn right(world: &World, organization: OrganizationId, user: &User, scope: Scope) -> Assignment {
    Assignment { principal: user.id.into(), home: organization, ..direct(&world.ci, scope, "invoices:read") }
}

/// Both users in acme, alice in globex too.
async fn stored(db: &TestDb) -> (World, User, User) {
    let (world, alice, bob) = (World::stored(db).await, full_user("alice@acme.test", "42"), user("bob@acme.test"));
    db.write(async |tx| {
        tx.insert_user(&alice).await?;
        tx.insert_user(&bob).await?;
        for (organization, user) in [(world.acme.id, &alice), (world.acme.id, &bob), (world.globex.id, &alice)] {
            tx.insert_membership(&of(organization, user)).await?;
        }
        Ok(())
    })
    .await;
    (world, alice, bob)
}

on_both_databases! {
    async fn a_membership_reads_back_within_reach(db: &TestDb) {
        let (world, alice, bob) = stored(db).await;
        let (acme, globex) = (world.acme.id, world.globex.id);
        let mut view = db.store.within(Reach::Organization(globex));
        assert_eq!(view.membership(globex, alice.id).await.unwrap(), Some(of(globex, &alice)));
        assert_eq!(view.membership(acme, alice.id).await.unwrap(), None);
        assert_eq!(view.membership(globex, bob.id).await.unwrap(), None);
        assert_eq!(view.organizations_of(alice.id).await.unwrap(), [globex]);
        let mut everywhere = db.view().organizations_of(alice.id).await.unwrap();
        everywhere.sort_unstable();
        let mut expected = [acme, globex];
        expected.sort_unstable();
        assert_eq!(everywhere, expected);
        assert_eq!(view.members(acme, None, &all()).await.unwrap(), []);
        let member = |user: &User| Member { membership: of(acme, user), user: user.clone() };
        assert_eq!(db.view().members(acme, None, &all()).await.unwrap(), [member(&bob), member(&alice)]);
        assert_eq!(db.view().members(acme, Some("ZOË"), &all()).await.unwrap(), []);
        assert_eq!(db.view().members(acme, Some("Zoë"), &all()).await.unwrap(), [member(&alice)]);
    }

    async fn pages_tell_each_member_once_newest_first(db: &TestDb) {
        let (world, alice, bob) = stored(db).await;
        let mut ids = vec![bob.id, alice.id];
        for number in 0..23 {
            let one = user(&format!("a{number}@acme.test"));
            db.write(async |tx| {
                tx.insert_user(&one).await?;
                tx.insert_membership(&of(world.acme.id, &one)).await
            }).await;
            ids.insert(0, one.id);
        }
        let page = async |page| db.view().members(world.acme.id, None, &page).await;
        assert_eq!(walk(|member: &Member| member.user.id, page).await, ids);
    }

    async fn what_ends_with_a_membership_ends_there_only(db: &TestDb) {
        let (world, alice, bob) = stored(db).await;
        let (acme, globex) = (world.acme.id, world.globex.id);
        let (gone, kept) = ("pat_01mcc5rm0afgc9n5dz8ap8kb23", ["pat_01mcc5rm0afgc9n5dz8ap8kb24", "pat_01mcc5rm0afgc9n5dz8ap8kb25"]);
        for (id, organization, user) in [(gone, acme, &alice), (kept[0], globex, &alice), (kept[1], acme, &bob)] {
            db.tamper(&format!(
                "INSERT INTO credential (id, kind, organization, principal, name, environment, permissions, epoch, metadata,
                   created_at, created_by)
                 VALUES ('{id}', 'personal_access_token', '{organization}', '{}', 'laptop', 'live', '*', 1, '{{}}', 0, 'x')",
                user.id
            )).await;
        }
        let rights = [
            right(&world, globex, &alice, Scope::Organization(globex)),
            right(&world, acme, &bob, Scope::Organization(acme)),
            right(&world, acme, &alice, Scope::Organization(acme)),
            right(&world, acme, &alice, Scope::Instance),
        ];
        let code = |organization, digest: u8| (OneTimeCode {
            purpose: CodePurpose::Portal, user: alice.id, organization: Some(organization), details: json!({}),
            created_at: at(0), created_by: "x".to_owned(), created_with: None, ends_at: at(100),
        }, claviger_core::Digest { bytes: [digest; 32], ..crate::sample::digest() });
        db.write(async |tx| {
            for right in &rights {
                tx.insert_assignment(right).await?;
            }
            for (code, digest) in [code(acme, 1), code(globex, 2)] {
                tx.insert_one_time_code(&code, &digest).await?;
            }
            let ended = tx.end_membership(&of(acme, &alice), at(9)).await?;
            assert_eq!(ended.iter().map(ToString::to_string).collect::<Vec<_>>(), [gone]);
            Ok(())
        }).await;
        let mut view = db.view();
        assert_eq!(view.membership(acme, alice.id).await.unwrap(), None);
        assert_eq!(view.organizations_of(alice.id).await.unwrap(), [globex]);
        let left = view.assignments(None, None, &all()).await.unwrap();
        assert_eq!(left.len(), 2);
        assert!(rights[..2].iter().all(|right| left.contains(right)));
        assert_eq!(view.assignments_in(acme, [alice.id.into(), bob.id.into()]).await.unwrap(), [rights[1].clone()]);
        assert_eq!(view.assignments_in(acme, []).await.unwrap(), []);
        assert_eq!(db.number("SELECT COUNT(*) FROM credential WHERE revoke_reason = 'owner_left'").await, 1);
        assert_eq!(db.number("SELECT COUNT(*) FROM one_time_code").await, 1);
        assert_eq!(view.held_anywhere(alice.id.into()).await.unwrap().to_text(), "invoices:read");
    }

    async fn a_deleted_organization_takes_memberships_along_and_tells_what_counted_everywhere(db: &TestDb) {
        let (world, alice, bob) = stored(db).await;
        let (acme, globex) = (world.acme.id, world.globex.id);
        db.write(async |tx| {
            tx.insert_assignment(&right(&world, acme, &alice, Scope::Instance)).await?;
            tx.insert_assignment(&right(&world, acme, &bob, Scope::Organization(acme))).await?;
            tx.end_all_in_organization(acme, at(9)).await.map(drop)
        }).await;
        assert_eq!(db.view().members(acme, None, &all()).await.unwrap(), []);
        assert_eq!(db.view().assignments(None, None, &all()).await.unwrap(), []);
        assert_eq!(db.view().organizations_of(alice.id).await.unwrap(), [globex]);
        assert_eq!(db.number("SELECT COUNT(*) FROM audit_event WHERE action = 'assignment.deleted'").await, 1);
        let named = format!("SELECT COUNT(*) FROM change_log WHERE id = '{}'", alice.id);
        assert_eq!(db.number(&named).await, 1, "her tokens elsewhere are narrower at once");
    }
}
