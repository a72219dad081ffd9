//! Epochs that rise with a change of somebody else's, in the same transaction.

use claviger_core::{Role, Scope};
use claviger_store::{Narrowed, Tx};
use claviger_token::CredentialId;
use rand::{SeedableRng as _, rngs::StdRng};

use crate::{
    db::TestDb,
    sample::{World, at, digest, direct, key, of_role, role, set},
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
