//! Registered clients in storage.

use claviger_core::{Reach, Registration, ServiceAccount};
use claviger_token::{ApiKeyId, CredentialId, TypedId as _};

use crate::{
    db::TestDb,
    sample::{World, at, rng, service_account, set},
};

fn of(account: &ServiceAccount, registrar: CredentialId, ceiling: &str) -> Registration {
    Registration {
        client: account.id,
        organization: account.organization,
        registrar,
        key: ApiKeyId::generate(at(1), &mut rng()),
        ceiling: set(ceiling),
    }
}

async fn count(db: &TestDb, world: &World) -> (i64, i64) {
    let (acme, globex) = (world.acme.id, world.globex.id);
    (db.view().count_registrations(acme).await.unwrap(), db.view().count_registrations(globex).await.unwrap())
}

on_both_databases! {
    async fn a_registration_reads_back_and_counts_while_its_account_lives(db: &TestDb) {
        let world = World::stored(db).await;
        let more = service_account(&world.acme, "more");
        let (one, other) = (of(&world.ci, world.key.id, "a:read b:read"), of(&more, world.key.id, ""));
        db.write(async |tx| {
            tx.insert_service_account(&more).await?;
            tx.insert_registration(&one).await?;
            tx.insert_registration(&other).await
        }).await;
        for expected in [&one, &other] {
            assert_eq!(db.view().registration(expected.client).await.unwrap().as_ref(), Some(expected));
        }
        assert_eq!(db.view().registration(world.stranger.id).await.unwrap(), None);
        let mut elsewhere = db.store.within(Reach::Organization(world.globex.id));
        assert_eq!(elsewhere.registration(one.client).await.unwrap(), None);
        assert_eq!(elsewhere.count_registrations(world.acme.id).await.unwrap(), 0);
        assert_eq!(count(db, &world).await, (2, 0));
        let ended = ServiceAccount { deleted_at: Some(at(9)), ..more };
        db.write(async |tx| tx.save_service_account(&ended).await).await;
        assert_eq!(count(db, &world).await, (1, 0));
        assert_eq!(db.view().registration(other.client).await.unwrap(), None);
    }
}
