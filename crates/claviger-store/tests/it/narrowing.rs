//! Epochs that rise with a change of somebody else's, in the same transaction.

use std::time::Duration;

use claviger_core::{Role, Scope, Touched};
use claviger_store::{Narrowed, Tx};
use claviger_token::CredentialId;
use jiff::SignedDuration;
use rand::{SeedableRng as _, rngs::StdRng};

use crate::{
    db::{Engine, TestDb},
    sample::{World, at, digest, direct, event, key, of_role, rng, role, service_account, set},
};

/// A token is made of it now.
async fn uses(db: &TestDb, id: CredentialId) {
    db.store.status_place(2900, id, 1, &mut StdRng::seed_from_u64(1)).await.unwrap();
}

async fn epoch(db: &TestDb, id: CredentialId) -> (u64, bool) {
    let found = db.view().credential(id).await.unwrap().unwrap();
    (found.epoch, found.epoch_raised_at.is_some())
}

async fn narrow(tx: &mut Tx<'_>, of: &[Narrowed]) -> Result<(), claviger_store::StoreError> {
    for of in of {
        tx.raise_epochs(*of).await?;
    }
    Ok(())
}

on_both_databases! {
    async fn epochs_rise_of_those_who_had_tokens_and_once(db: &TestDb) {
        let world = World::stored(db).await;
        let quiet = key(&world.ci, "quiet");
        db.write(async |tx| tx.insert_credential(&quiet, &digest()).await).await;
        uses(db, world.key.id).await;
        uses(db, world.strange_key.id).await;
        let (principal, home) = (world.key.principal, world.acme.id);
        let epochs = async || {
            (epoch(db, world.key.id).await, epoch(db, quiet.id).await, epoch(db, world.strange_key.id).await)
        };
        db.write(async |tx| narrow(tx, &[Narrowed::Within(principal, world.globex.id)]).await).await;
        assert_eq!(epochs().await, ((1, false), (1, false), (1, false)));
        let thrice = [Narrowed::Principal(principal), Narrowed::Within(principal, home), Narrowed::Organization(home)];
        db.write(async |tx| narrow(tx, &thrice).await).await;
        assert_eq!(epochs().await, ((2, true), (1, false), (1, false)));
        db.write(async |tx| narrow(tx, &[Narrowed::All]).await).await;
        assert_eq!(epochs().await, ((3, true), (1, false), (2, true)));
    }

    async fn a_client_that_is_stopped_ends_what_it_got_for_credentials_of_others(db: &TestDb) {
        let world = World::stored(db).await;
        uses(db, world.key.id).await;
        uses(db, world.strange_key.id).await;
        let client = service_account(&world.acme, "gateway");
        db.write(async |tx| tx.insert_service_account(&client).await).await;
        let narrowed = async |of: Narrowed| {
            let mark = db.store.changes().mark();
            db.write(async |tx| tx.raise_epochs(of).await).await;
            let named = !db.store.changes().hold_since(mark, [Touched::Credential(world.strange_key.id)]);
            (epoch(db, world.key.id).await.0, epoch(db, world.strange_key.id).await.0, named)
        };
        assert_eq!(narrowed(Narrowed::ExchangedBy(client.id)).await, (1, 1, false));
        db.store.exchanged_by(2900, client.id, world.strange_key.id).await.unwrap();
        db.store.exchanged_by(2900, client.id, world.strange_key.id).await.unwrap();
        assert_eq!(narrowed(Narrowed::ExchangedIn(world.globex.id)).await, (1, 1, false));
        assert_eq!(narrowed(Narrowed::ExchangedIn(world.acme.id)).await, (1, 2, true));
        assert_eq!(narrowed(Narrowed::ExchangedBy(client.id)).await, (1, 3, true));
        db.write(async |tx| tx.end_all_of_service_account(client.id, at(1)).await.map(drop)).await;
        assert_eq!(epoch(db, world.strange_key.id).await.0, 4);
        db.write(async |tx| tx.end_all_in_organization(world.acme.id, at(1)).await.map(drop)).await;
        assert_eq!(epoch(db, world.strange_key.id).await.0, 5);
        let week = SignedDuration::from_hours(7 * 24);
        db.store.trim(at(0) + week * 3000).await.unwrap();
        assert_eq!(db.number("SELECT COUNT(*) FROM token_client").await, 0);
    }

    async fn nobody_gets_a_first_place_while_something_is_taken(db: &TestDb) {
        let world = World::stored(db).await;
        let other_node = db.another_store().await;
        let by = claviger_core::By::operator();
        let mut tx = db.store.begin(&by).await.unwrap();
        tx.raise_epochs(Narrowed::All).await.unwrap();
        let id = world.key.id;
        let giving = tokio::spawn(async move {
            other_node.status_place(2900, id, 1, &mut StdRng::seed_from_u64(1)).await.unwrap();
            other_node.database().close().await;
        });
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert!(!giving.is_finished(), "whoever reads after it would not see what is taken");
        // Others who take something need not wait for each other.
        let write = async || db.write(async |tx| tx.raise_epochs(Narrowed::Principal(world.key.principal)).await).await;
        if db.engine == Engine::Postgres {
            write().await;
        }
        tx.commit(event(None, Vec::new()), at(0), &mut rng()).await.unwrap();
        giving.await.unwrap();
        assert_eq!(epoch(db, id).await, (1, false));
        write().await;
        assert_eq!(epoch(db, id).await, (2, true));
    }

    async fn what_is_not_kept_raises_nothing(db: &TestDb) {
        let world = World::stored(db).await;
        uses(db, world.key.id).await;
        let by = claviger_core::By::operator();
        let mut tx = db.store.begin(&by).await.unwrap();
        tx.raise_epochs(Narrowed::All).await.unwrap();
        drop(tx);
        assert_eq!(epoch(db, world.key.id).await, (1, false));
    }

    async fn a_right_that_is_taken_away_ends_the_tokens_of_whoever_had_it_there(db: &TestDb) {
        let world = World::stored(db).await;
        uses(db, world.key.id).await;
        uses(db, world.strange_key.id).await;
        let reader = role(None, "some-role", "a:read b:read");
        let here = of_role(&world.ci, Scope::Organization(world.acme.id), &reader);
        let direct = direct(&world.ci, Scope::Organization(world.acme.id), "c:read");
        db.write(async |tx| {
            tx.insert_role(&reader).await?;
            tx.insert_assignment(&here).await?;
            tx.insert_assignment(&direct).await
        })
        .await;
        let now = async || (epoch(db, world.key.id).await.0, epoch(db, world.strange_key.id).await.0);
        assert_eq!(now().await, (1, 1), "what is given ends nothing");
        let wider = Role { permissions: set("a:read b:read d:read"), description: Some("x".to_owned()), ..reader.clone() };
        db.write(async |tx| tx.save_role(&wider).await).await;
        assert_eq!(now().await, (1, 1));
        db.write(async |tx| tx.save_role(&reader).await).await;
        assert_eq!(now().await, (2, 1));
        db.write(async |tx| tx.delete_assignment(direct.id).await.map(drop)).await;
        assert_eq!(now().await, (3, 1));
        db.write(async |tx| {
            assert!(!tx.delete_assignment(direct.id).await?, "it is gone already");
            Ok(())
        })
        .await;
        assert_eq!(now().await, (3, 1));
        db.write(async |tx| tx.delete_role(reader.id).await).await;
        assert_eq!(now().await, (4, 1));
        assert_eq!(db.view().credential(world.key.id).await.unwrap().unwrap().epoch_raised_at, Some(at(0)));
    }
}
