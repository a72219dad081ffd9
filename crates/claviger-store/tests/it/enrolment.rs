//! Devices that enrolled in a fleet.

use claviger_core::{Credential, Device, Reach, Revocation, RevokeReason};
use claviger_store::{LastUse, ListedDevice, StoreError, UsageBatch};
use claviger_token::TypedId as _;

use crate::{
    db::{all, walk},
    sample::{
        World, at, certificate, client_certificate, client_key, device, fleet, name, public_key, rng, service_account,
    },
};

const KEY: &str = r#"{"jwk":{"alg":"EdDSA","crv":"Ed25519","kid":"1","kty":"OKP","use":"sig","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}}"#;

const DNS: &str = r#"{"san_dns":"billing.test"}"#;

on_both_databases! {
    async fn a_device_reads_back_as_it_enrolled_and_renewed(db: &TestDb) {
        let world = World::stored(db).await;
        let gateways = fleet(&world.acme);
        let one = device(&gateways, &world.ci, "t1");
        db.write(async |tx| {
            tx.insert_fleet(&gateways, &[]).await?;
            tx.insert_device(&one).await
        }).await;
        assert_eq!(db.view().device(world.ci.id).await.unwrap().as_ref(), Some(&one));
        assert_eq!(db.view().device_called(gateways.id, &name("ci")).await.unwrap().as_ref(), Some(&one));
        assert_eq!(db.view().device_called(gateways.id, &name("cI")).await.unwrap(), None);
        let renewed = Device { thumbprint: "t2".to_owned(), key: world.key.id, former_key: Some(one.key), ..one };
        db.write(async |tx| tx.save_device(&renewed).await).await;
        assert_eq!(db.view().device_with_key(gateways.id, "t1").await.unwrap(), None);
        assert_eq!(db.view().device_with_key(gateways.id, "t2").await.unwrap(), Some(renewed));
        assert_eq!(db.view().device(world.stranger.id).await.unwrap(), None);
        assert_eq!(db.store.within(Reach::Organization(world.globex.id)).device(world.ci.id).await.unwrap(), None);
    }

    async fn names_and_keys_are_unique_in_a_fleet_until_their_device_ends(db: &TestDb) {
        let world = World::stored(db).await;
        let (gateways, sensors) = (fleet(&world.acme), fleet(&world.acme));
        let accounts: Vec<_> = ["SN-1", "SN-1", "SN-2", "SN-1"].iter().map(|called| service_account(&world.acme, called)).collect();
        let ended = device(&gateways, &accounts[0], "t1");
        db.write(async |tx| {
            tx.insert_fleet(&gateways, &[]).await?;
            tx.insert_fleet(&sensors, &[]).await?;
            for account in &accounts {
                tx.insert_service_account(account).await?;
            }
            tx.insert_device(&ended).await?;
            tx.insert_device(&device(&sensors, &accounts[3], "t1")).await
        }).await;
        for clash in [device(&gateways, &accounts[1], "t2"), device(&gateways, &accounts[2], "t1")] {
            let refused = db.try_write(async |tx| tx.insert_device(&clash).await).await;
            assert!(matches!(refused, Err(StoreError::Taken(_))), "{refused:?}");
        }
        let code = ended.claim_code;
        let was_ended = async |code, called: &str, key: &str| db.view().was_ended(code, &name(called), key).await.unwrap();
        assert!(!was_ended(code, "SN-1", "t1").await);
        db.write(async |tx| tx.end_all_of_service_account(accounts[0].id, at(9)).await.map(drop)).await;
        assert_eq!(db.view().device(accounts[0].id).await.unwrap(), None);
        // Of its code neither its name nor its key comes again.
        assert!(was_ended(code, "SN-1", "t9").await && was_ended(code, "SN-9", "t1").await);
        let other = claviger_token::ClaimCodeId::generate(at(9), &mut rng());
        assert!(!was_ended(code, "SN-9", "t9").await && !was_ended(other, "SN-1", "t1").await);
        assert_eq!((db.view().count_devices(gateways.id).await.unwrap(), db.view().count_kept_devices(gateways.id).await.unwrap()), (0, 0));
        db.write(async |tx| tx.insert_device(&device(&gateways, &accounts[1], "t1")).await).await;
    }

    async fn a_list_shows_what_keys_each_device_has(db: &TestDb) {
        let world = World::stored(db).await;
        let gateways = fleet(&world.acme);
        db.write(async |tx| tx.insert_fleet(&gateways, &[]).await).await;
        let mut ids = Vec::new();
        for number in 0..25 {
            let account = service_account(&world.acme, &format!("SN-{number}"));
            db.write(async |tx| {
                tx.insert_service_account(&account).await?;
                tx.insert_device(&device(&gateways, &account, &format!("t{number}"))).await
            }).await;
            ids.insert(0, account.id);
            if number > 0 {
                continue;
            }
            let revocation = Some(Revocation { at: at(1), reason: RevokeReason::Superseded });
            let keys = [
                Credential { expires_at: Some(at(50)), ..public_key(&account, "lives") },
                Credential { expires_at: Some(at(9)), disabled_at: Some(at(1)), ..public_key(&account, "stopped") },
                Credential { revocation, ..public_key(&account, "ended") },
            ];
            db.write(async |tx| {
                for key in &keys {
                    tx.insert_public_key(key, &client_key(KEY)).await?;
                    tx.save_credential(key).await?;
                }
                let shown = Credential { expires_at: Some(at(60)), ..certificate(&account, "shown") };
                tx.insert_certificate(&shown, &client_certificate(DNS)).await?;
                tx.save_credential(&shown).await
            }).await;
            let mut batch = UsageBatch::default();
            batch.last_uses.insert((keys[0].id, 0), LastUse { at: at(7), from: None });
            db.store.flush_usage(&mut batch, at(0), &mut rng()).await.unwrap();
        }
        let page = async |page| db.view().devices(gateways.id, None, &page).await;
        assert_eq!(walk(|one: &ListedDevice| one.device.account, page).await, ids);
        let found = db.view().devices(gateways.id, Some("sn-0"), &all()).await.unwrap();
        let [ListedDevice { disabled, keys, last_used_at, .. }] = found.as_slice() else { panic!("{found:?}") };
        let mut keys = keys.clone();
        keys.sort();
        assert_eq!((*disabled, keys, *last_used_at), (false, vec![(false, Some(at(50))), (false, Some(at(60))), (true, Some(at(9)))], Some(at(7))));
        let strange = db.store.within(Reach::Organization(world.globex.id)).devices(gateways.id, None, &all()).await.unwrap();
        assert_eq!(strange, []);
    }
}
