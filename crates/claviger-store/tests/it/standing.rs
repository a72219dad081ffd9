//! What users hold where they belong.

use claviger_core::{Assignment, Granted, Membership, Organization, Scope, Standing, default_ceiling};
use claviger_token::{PermissionMask, UserId};

use crate::{
    db::TestDb,
    sample::{at, organization, rng, role, set, user},
};

/// Makes a user a member, with what they get there.
async fn join(db: &TestDb, user: UserId, organization: &Organization, given: &[(Scope, Granted)]) {
    let give = |(scope, granted): &(Scope, Granted)| {
        Assignment::create(user.into(), organization.id, *scope, granted.clone(), at(1), &mut rng()).0
    };
    let given: Vec<Assignment> = given.iter().map(give).collect();
    let (membership, _) = Membership::join(organization.id, user, &given, at(1));
    db.write(async |tx| {
        tx.insert_membership(&membership).await?;
        for assignment in &given {
            tx.insert_assignment(assignment).await?;
        }
        Ok(())
    })
    .await;
}

on_both_databases! {
    async fn a_user_stands_in_each_organization_by_what_they_hold_there(db: &TestDb) {
        let (alice, nobody) = (user("alice@acme.test"), user("nobody@acme.test"));
        let acme = organization("acme");
        let globex = Organization { ceiling: PermissionMask::from_text("a:read").ok(), ..organization("globex") };
        let stopped = Organization { disabled_at: Some(at(1)), ..organization("stopped") };
        let reader = role(None, "reader", "a:read b:read");
        db.write(async |tx| {
            for user in [&alice, &nobody] {
                tx.insert_user(user).await?;
            }
            for organization in [&acme, &globex, &stopped] {
                tx.insert_organization(organization).await?;
                tx.save_organization(organization).await?;
            }
            tx.insert_role(&reader).await
        }).await;
        let by_role = Granted::Role { id: reader.id, name: reader.name.clone() };
        let direct = |name: &str| Granted::Permission(name.parse().unwrap());
        let here = Scope::Organization(acme.id);
        join(db, alice.id, &acme, &[(here, by_role), (here, direct("c:read")), (Scope::Instance, direct("d:read"))]).await;
        join(db, alice.id, &globex, &[]).await;
        join(db, alice.id, &stopped, &[(Scope::Organization(stopped.id), direct("a:read"))]).await;
        join(db, nobody.id, &acme, &[]).await;

        let mut expected = [
            Standing {
                organization: acme.id,
                ceiling: default_ceiling(),
                held: set("a:read b:read c:read d:read"),
                held_everywhere: set("d:read"),
            },
            Standing {
                organization: globex.id,
                ceiling: PermissionMask::from_text("a:read").unwrap(),
                held: set("d:read"),
                held_everywhere: set("d:read"),
            },
        ];
        expected.sort_by_key(|standing| standing.organization);
        assert_eq!(db.store.standings_of(alice.id).await.unwrap(), expected);
        assert_eq!(db.store.standings_of(nobody.id).await.unwrap(), []);
    }
}
