//! Fleets of devices, and what happens to all devices of one at once.

use claviger_core::{
    Assignment, CredentialStatus, Fleet, FleetAuthority, Granted, Reach, RevokeReason, Scope, Sealed, ServiceAccount,
};
use claviger_store::Narrowed;
use claviger_token::{Certificate, FleetId, Permission, ServiceAccountId, TypedId as _};
use rand::{SeedableRng as _, rngs::StdRng};

use crate::{
    db::{Engine, TestDb, all, walk},
    sample::{
        World, api, at, claim_code, device, digest, direct, fleet, key, of_role, rng, role, service_account, set,
    },
};

fn permission(name: &str) -> Granted {
    Granted::Permission(name.parse::<Permission>().unwrap())
}

/// A fleet of acme with two devices, each with a key that tokens are made from.
async fn with_devices(db: &TestDb, world: &World) -> (Fleet, Vec<ServiceAccount>) {
    let gateways = fleet(&world.acme);
    let accounts: Vec<_> = ["SN-1", "SN-2"].iter().map(|called| service_account(&world.acme, called)).collect();
    db.write(async |tx| {
        tx.insert_fleet(&gateways, &[]).await?;
        tx.insert_claim_code(&claim_code(&gateways, 5), &digest()).await?;
        for account in &accounts {
            tx.insert_service_account(account).await?;
            tx.insert_device(&device(&gateways, account, account.name.as_str())).await?;
            tx.insert_credential(&key(account, "key"), &digest()).await?;
        }
        Ok(())
    })
    .await;
    for account in &accounts {
        let id = key_of(db, account).await.0;
        db.store.status_place(2900, id, 1, &mut StdRng::seed_from_u64(1)).await.unwrap();
    }
    (gateways, accounts)
}

async fn key_of(db: &TestDb, account: &ServiceAccount) -> (claviger_token::CredentialId, u64, CredentialStatus) {
    let filter = claviger_store::CredentialFilter { principal: Some(account.id.into()), ..Default::default() };
    let found = db.view().credentials(&filter, &all()).await.unwrap().remove(0);
    (found.id, found.epoch, found.status(at(10)))
}

on_both_databases! {
    async fn a_fleet_reads_back_as_it_was_written_and_changed(db: &TestDb) {
        let world = World::stored(db).await;
        let reader = role(Some(&world.acme), "reader", "a:read");
        let gateways = fleet(&world.acme);
        let gives = [Granted::Role { id: reader.id, name: "reader".to_owned() }, permission("b:read")];
        db.write(async |tx| {
            tx.insert_role(&reader).await?;
            tx.insert_fleet(&gateways, &gives).await
        }).await;
        assert_eq!(db.view().fleet(gateways.id).await.unwrap().as_ref(), Some(&gateways));
        let [role, direct] = gives;
        let given = db.view().given_by_fleet(gateways.id).await.unwrap();
        assert_eq!(given, [(role.clone(), set("a:read")), (direct.clone(), set("b:read"))]);
        let more = permission("c:read");
        let changed = Fleet { closed_at: Some(at(7)), device_lifetime_days: 7, ..gateways };
        db.write(async |tx| {
            tx.save_fleet(&changed).await?;
            tx.lock_grants(changed.id).await?;
            tx.change_grants(changed.id, std::slice::from_ref(&role), std::slice::from_ref(&more)).await
        }).await;
        assert_eq!(db.view().fleet(changed.id).await.unwrap().as_ref(), Some(&changed));
        assert_eq!(db.view().given_by_fleet(changed.id).await.unwrap(), [(direct, set("b:read")), (more, set("c:read"))]);
        assert_eq!(db.store.within(Reach::Organization(world.globex.id)).fleet(changed.id).await.unwrap(), None);
        db.write(async |tx| tx.save_fleet(&Fleet { deleted_at: Some(at(8)), ..changed.clone() }).await).await;
        assert_eq!(db.view().fleet(changed.id).await.unwrap(), None);
        assert_eq!(db.view().fleet(FleetId::generate(at(0), &mut rng())).await.unwrap(), None);
    }

    async fn an_authority_is_one_fleets_and_leaves_no_key_behind(db: &TestDb) {
        let world = World::stored(db).await;
        let gateways = fleet(&world.acme);
        let pem = include_str!("../../../claviger-token/src/certificate/self_signed.pem");
        let first = FleetAuthority {
            fleet: gateways.id,
            certificate: Certificate::from_pem(pem).unwrap(),
            sealed: Sealed(vec![1, 2, 3]),
            created_at: at(5),
        };
        db.write(async |tx| {
            tx.insert_fleet(&gateways, &[]).await?;
            tx.save_fleet_authority(&first).await
        }).await;
        let elsewhere = Reach::Organization(world.globex.id);
        assert_eq!(db.view().fleet_authority(gateways.id).await.unwrap().as_ref(), Some(&first));
        assert_eq!(db.store.within(elsewhere).fleet_authority(gateways.id).await.unwrap(), None);
        let next = FleetAuthority { sealed: Sealed(vec![4]), created_at: at(6), ..first };
        db.write(async |tx| tx.save_fleet_authority(&next).await).await;
        assert_eq!(db.view().fleet_authority(gateways.id).await.unwrap(), Some(next));
        db.write(async |tx| tx.delete_fleet_authority(gateways.id).await).await;
        assert_eq!(db.view().fleet_authority(gateways.id).await.unwrap(), None);
        assert_eq!(db.number("SELECT COUNT(*) FROM fleet_authority").await, 0);
    }

    async fn pages_tell_each_fleet_once_newest_first(db: &TestDb) {
        let world = World::stored(db).await;
        let mut ids = Vec::new();
        for _ in 0..25 {
            let one = fleet(&world.acme);
            db.write(async |tx| tx.insert_fleet(&one, &[]).await).await;
            ids.insert(0, one.id);
        }
        let page = async |page| db.view().fleets(Some(world.acme.id), Some("größe"), &page).await;
        assert_eq!(walk(|one: &Fleet| one.id, page).await, ids);
        assert_eq!(db.view().fleets(Some(world.globex.id), None, &all()).await.unwrap(), []);
        assert_eq!(db.view().count_fleets(world.acme.id).await.unwrap(), 25);
        assert_eq!(db.view().count_fleets(world.globex.id).await.unwrap(), 0);
        assert_eq!(db.view().fleets(None, Some("%"), &all()).await.unwrap(), []);
    }

    async fn what_is_gone_is_given_by_no_fleet(db: &TestDb) {
        let world = World::stored(db).await;
        let (reader, declared) = (role(Some(&world.acme), "reader", "a:read"), api("https://api.test", &["b:read"]));
        let gateways = fleet(&world.acme);
        let gives = [Granted::Role { id: reader.id, name: "reader".to_owned() }, permission("b:read")];
        db.write(async |tx| {
            tx.insert_api(&declared).await?;
            tx.insert_role(&reader).await?;
            tx.insert_fleet(&gateways, &gives).await
        }).await;
        let given = async || db.view().given_by_fleet(gateways.id).await.unwrap().len();
        db.write(async |tx| tx.delete_role(reader.id).await).await;
        assert_eq!(given().await, 1);
        db.write(async |tx| tx.delete_api(declared.id).await).await;
        assert_eq!(given().await, 0);
    }

    async fn what_devices_get_and_lose_they_get_and_lose_together(db: &TestDb) {
        let world = World::stored(db).await;
        let (gateways, accounts) = with_devices(db, &world).await;
        let read = permission("b:read");
        let own = direct(&accounts[0], Scope::Organization(world.acme.id), "b:read");
        db.write(async |tx| tx.insert_assignment(&own).await).await;
        let without = async || db.view().devices_without(&gateways, &read).await.unwrap();
        assert_eq!(without().await, [accounts[1].id]);
        let given = direct(&accounts[1], Scope::Organization(world.acme.id), "b:read");
        db.write(async |tx| tx.insert_assignments(std::slice::from_ref(&given)).await).await;
        assert_eq!(without().await, []);
        assert_eq!(db.view().assignments_of(accounts[1].id.into()).await.unwrap(), [given]);
        assert_eq!(db.view().held_by_devices(&gateways).await.unwrap(), set("b:read"));
        let kept = direct(&world.ci, Scope::Organization(world.acme.id), "b:read");
        let everywhere = direct(&accounts[0], Scope::Instance, "b:read");
        assert!(!db.view().fleet_reaches_instance(gateways.id).await.unwrap());
        db.write(async |tx| {
            tx.insert_assignment(&kept).await?;
            tx.insert_assignment(&everywhere).await?;
            tx.take_from_devices(&gateways, std::slice::from_ref(&read)).await
        }).await;
        assert!(db.view().fleet_reaches_instance(gateways.id).await.unwrap());
        assert_eq!(db.view().held_by_devices(&gateways).await.unwrap(), set(""));
        assert_eq!(without().await, [accounts[0].id, accounts[1].id]);
        assert_eq!(db.view().assignments_of(accounts[0].id.into()).await.unwrap(), [everywhere]);
        assert_eq!(db.view().assignments_of(world.ci.id.into()).await.unwrap(), [kept]);
        for account in &accounts {
            assert_eq!(key_of(db, account).await.1, 2);
        }
        let named = role(Some(&world.acme), "reader", "a:read");
        db.write(async |tx| {
            tx.insert_role(&named).await?;
            tx.insert_assignment(&of_role(&accounts[1], Scope::Organization(world.acme.id), &named)).await?;
            assert_eq!(tx.within(Reach::Instance).held_by_devices(&gateways).await?, set("a:read"));
            tx.take_from_devices(&gateways, &[Granted::Role { id: named.id, name: "reader".to_owned() }]).await
        }).await;
        assert_eq!(db.view().assignments_of(accounts[1].id.into()).await.unwrap(), []);
    }

    async fn a_fleet_ends_with_every_credential_of_its_devices_and_its_codes(db: &TestDb) {
        let world = World::stored(db).await;
        let (gateways, accounts) = with_devices(db, &world).await;
        db.store.status_place(2900, world.strange_key.id, 1, &mut StdRng::seed_from_u64(1)).await.unwrap();
        db.store.exchanged_by(2900, accounts[0].id, world.strange_key.id).await.unwrap();
        db.write(async |tx| {
            let (ended, codes) = tx.end_fleet(gateways.id, RevokeReason::Compromised, at(9)).await?;
            assert_eq!((ended.len(), codes), (2, 1));
            assert_eq!(tx.end_devices(gateways.id, at(9)).await?, 2);
            Ok(())
        }).await;
        for account in &accounts {
            let (_, epoch, status) = key_of(db, account).await;
            assert_eq!((epoch, status), (2, CredentialStatus::Revoked));
            assert!(db.view().service_account(account.id).await.unwrap().is_some());
        }
        // Their accounts are still there, and count where somebody must touch them all.
        assert_eq!(db.view().count_devices(gateways.id).await.unwrap(), 0);
        assert_eq!(db.view().count_kept_devices(gateways.id).await.unwrap(), 2);
        assert_eq!(db.view().claim_codes(gateways.id, &all()).await.unwrap()[0].revoked_at, Some(at(9)));
        assert_eq!(db.view().credential(world.key.id).await.unwrap().unwrap().status(at(10)), CredentialStatus::Active);
        // What a device got in exchange for others' ends too.
        assert_eq!(db.view().credential(world.strange_key.id).await.unwrap().unwrap().epoch, 2);
        // Once more, nothing happens to anybody.
        db.write(async |tx| {
            assert_eq!(tx.end_fleet(gateways.id, RevokeReason::Unspecified, at(10)).await?, (Vec::new(), 0));
            tx.raise_epochs(Narrowed::Fleet(gateways.id)).await
        }).await;
    }

    async fn the_accounts_of_a_fleet_end_with_it(db: &TestDb) {
        let world = World::stored(db).await;
        let (gateways, accounts) = with_devices(db, &world).await;
        let given = direct(&accounts[0], Scope::Organization(world.acme.id), "b:read");
        let everywhere = direct(&accounts[0], Scope::Instance, "b:read");
        db.write(async |tx| {
            tx.insert_assignment(&given).await?;
            tx.insert_assignment(&everywhere).await?;
            // It was revoked before, which leaves the accounts with what they were given.
            tx.end_devices(gateways.id, at(8)).await.map(drop)
        }).await;
        assert!(db.view().fleet_reaches_instance(gateways.id).await.unwrap());
        db.write(async |tx| {
            tx.take_from_devices(&gateways, &[permission("b:read")]).await?;
            let left = tx.within(Reach::Instance).assignments_of(accounts[0].id.into()).await?;
            assert_eq!(left, std::slice::from_ref(&everywhere));
            tx.delete_accounts_of_fleet(gateways.id, at(9)).await?;
            tx.lose_devices(gateways.id, at(9)).await
        }).await;
        assert_eq!(db.view().count_kept_devices(gateways.id).await.unwrap(), 0);
        for account in &accounts {
            assert_eq!(db.view().service_account(account.id).await.unwrap(), None);
            assert_eq!(db.view().assignments_of(account.id.into()).await.unwrap(), []);
        }
        assert!(db.view().service_account(world.ci.id).await.unwrap().is_some());
        assert_eq!(db.view().devices(gateways.id, None, &all()).await.unwrap(), []);
    }

    async fn a_full_fleet_changes_and_ends_within_a_transaction(db: &TestDb) {
        let world = World::stored(db).await;
        let gateways = fleet(&world.acme);
        db.write(async |tx| tx.insert_fleet(&gateways, &[]).await).await;
        let (home, id, most) = (world.acme.id, gateways.id, claviger_core::MOST_DEVICES);
        let pad = match db.engine {
            Engine::Sqlite => "printf('%026d', i)",
            Engine::Postgres => "lpad(CAST(i AS TEXT), 26, '0')",
        };
        db.tamper(&format!("
            INSERT INTO service_account (id, organization, name, metadata, created_at)
            WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {most})
            SELECT 'sa_' || {pad}, '{home}', 'SN-' || i, '{{}}', 0 FROM n;
            INSERT INTO device (account, fleet, organization, name, thumbprint, key_id, claim_code, enrolled_at)
            SELECT id, '{id}', '{home}', name, name, 'ckey_' || SUBSTR(id, 4), 'claim_00000000000000000000000000', 0
            FROM service_account WHERE name LIKE 'SN-%';
            INSERT INTO credential (id, kind, organization, principal, name, environment, permissions, epoch, metadata,
                                    created_at, created_by, skeleton)
            SELECT 'ckey_' || SUBSTR(account, 4), 'public_key', '{home}', account, name, 'live', '*', 1, '{{}}', 0, account, name
            FROM device")).await;
        // As much as all of them may have.
        let gives = [permission("b:read"), permission("c:read")];
        gateways_are_full(&gateways, gives.len());
        for granted in &gives {
            db.write(async |tx| {
                let accounts = tx.within(Reach::Instance).devices_without(&gateways, granted).await?;
                assert_eq!(i64::try_from(accounts.len()).ok(), Some(most));
                let (scope, mut rng) = (Scope::Organization(home), rng());
                let give = |account: ServiceAccountId| {
                    Assignment::create(account.into(), home, scope, granted.clone(), at(0), &mut rng).0
                };
                tx.insert_assignments(&accounts.into_iter().map(give).collect::<Vec<_>>()).await
            }).await;
        }
        // PostgreSQL learns by itself, within a minute, how many rows a table that grew has.
        db.tamper("ANALYZE").await;
        assert_eq!(db.view().held_by_devices(&gateways).await.unwrap(), set("b:read c:read"));
        db.write(async |tx| tx.take_from_devices(&gateways, &gives[..1]).await).await;
        db.write(async |tx| {
            tx.delete_accounts_of_fleet(id, at(9)).await?;
            let (ended, _) = tx.end_fleet(id, RevokeReason::Compromised, at(9)).await?;
            assert_eq!(i64::try_from(ended.len()).ok(), Some(most));
            tx.lose_devices(id, at(9)).await
        }).await;
    }
}

/// Neither one device more nor one thing more for each.
fn gateways_are_full(fleet: &Fleet, gives: usize) {
    fleet.must_be_few_to_give(claviger_core::MOST_DEVICES, gives).unwrap();
    assert!(fleet.must_be_few_to_give(claviger_core::MOST_DEVICES, gives + 1).is_err());
    assert!(fleet.must_have_room(claviger_core::MOST_DEVICES, gives).is_err());
}
