//! Claim codes of fleets.

use std::sync::Arc;

use claviger_core::{By, ClaimCode, Reach};
use claviger_token::{ApiKeyId, TypedId as _};
use jiff::SignedDuration;
use tokio::task::JoinSet;

use crate::{
    db::{all, walk},
    sample::{World, at, claim_code, digest, event, fleet, rng},
};

on_both_databases! {
    async fn a_code_reads_back_as_it_was_written_used_and_taken_back(db: &TestDb) {
        let world = World::stored(db).await;
        let gateways = fleet(&world.acme);
        let bare = claim_code(&gateways, 2);
        let key = ApiKeyId::generate(at(0), &mut rng()).into();
        let full = ClaimCode { created_with: Some(key), uses: 100_000, ..claim_code(&gateways, 1) };
        let (one, other) = (digest(), digest());
        db.write(async |tx| {
            tx.insert_fleet(&gateways, &[]).await?;
            tx.insert_claim_code(&bare, &one).await?;
            tx.insert_claim_code(&full, &other).await
        }).await;
        for (code, digest) in [(&bare, &one), (&full, &other)] {
            assert_eq!(db.view().claim_code(code.id).await.unwrap().as_ref(), Some(code));
            assert_eq!(db.view().claim_code_shown(digest).await.unwrap().as_ref(), Some(code));
        }
        assert_eq!(db.view().claim_code_shown(&digest()).await.unwrap(), None);
        db.write(async |tx| {
            assert!(tx.use_claim_code(bare.id).await?);
            tx.save_claim_code(&ClaimCode { revoked_at: Some(at(6)), ..full.clone() }).await?;
            // What was taken back is not used.
            assert!(!tx.use_claim_code(full.id).await?);
            Ok(())
        }).await;
        let read = db.view().claim_codes(gateways.id, &all()).await.unwrap();
        assert_eq!(read, [ClaimCode { revoked_at: Some(at(6)), ..full }, ClaimCode { used: 1, ..bare.clone() }]);
        for (now, open) in [(at(999), 1), (at(1000), 0)] {
            assert_eq!(db.view().count_open_claim_codes(gateways.id, now).await.unwrap(), open);
        }
        let mut elsewhere = db.store.within(Reach::Organization(world.globex.id));
        assert_eq!(elsewhere.claim_code(bare.id).await.unwrap(), None);
        assert_eq!(elsewhere.claim_code_shown(&one).await.unwrap(), None);
        assert_eq!(elsewhere.claim_codes(gateways.id, &all()).await.unwrap(), []);
    }

    async fn of_many_who_use_a_code_at_once_as_many_do_as_it_has_uses(db: &TestDb) {
        let world = World::stored(db).await;
        let gateways = fleet(&world.acme);
        let code = claim_code(&gateways, 3);
        db.write(async |tx| {
            tx.insert_fleet(&gateways, &[]).await?;
            tx.insert_claim_code(&code, &digest()).await
        }).await;
        let mut tasks = JoinSet::new();
        for _ in 0..8 {
            let (store, id) = (Arc::clone(&db.store), code.id);
            tasks.spawn(async move {
                let by = By::system();
                let mut tx = store.begin(&by).await.unwrap();
                let used = tx.use_claim_code(id).await.unwrap();
                tx.commit(event(None, Vec::new()), at(0), &mut rng()).await.unwrap();
                used
            });
        }
        assert_eq!(tasks.join_all().await.into_iter().filter(|used| *used).count(), 3);
        // A use that is not kept is none.
        let one = claim_code(&gateways, 1);
        db.write(async |tx| tx.insert_claim_code(&one, &digest()).await).await;
        let by = By::system();
        let mut tx = db.store.begin(&by).await.unwrap();
        assert!(tx.use_claim_code(one.id).await.unwrap());
        drop(tx);
        assert_eq!(db.view().claim_code(one.id).await.unwrap().unwrap().used, 0);
    }

    async fn pages_tell_each_code_once_newest_first_and_a_month_after_its_end_it_is_forgotten(db: &TestDb) {
        let world = World::stored(db).await;
        let gateways = fleet(&world.acme);
        db.write(async |tx| tx.insert_fleet(&gateways, &[]).await).await;
        let mut ids = Vec::new();
        for number in 0..25 {
            let code = ClaimCode { ends_at: at(100 + number), ..claim_code(&gateways, 1) };
            db.write(async |tx| tx.insert_claim_code(&code, &digest()).await).await;
            ids.insert(0, code.id);
        }
        let page = async |page| db.view().claim_codes(gateways.id, &page).await;
        assert_eq!(walk(|code: &ClaimCode| code.id, page).await, ids);
        db.store.trim(at(110) + SignedDuration::from_hours(30 * 24)).await.unwrap();
        assert_eq!(db.number("SELECT COUNT(*) FROM claim_code").await, 14);
    }
}
