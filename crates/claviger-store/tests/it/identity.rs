//! Who users are to outside providers, in storage.

use claviger_core::{Identity, Reach};
use claviger_store::StoreError;
use claviger_token::UserId;

use crate::{authenticators::person, sample::at};

const ISSUER: &str = "https://idp.test";

fn identity(subject: &str, user: UserId) -> Identity {
    Identity { issuer: ISSUER.to_owned(), subject: subject.to_owned(), user, created_at: at(5) }
}

on_both_databases! {
    async fn an_identity_is_of_one_provider_and_of_one_user(db: &TestDb) {
        let (zoe, yann) = (person(db, "zoe@acme.test").await, person(db, "yann@acme.test").await);
        let known = identity("4'2", zoe);
        db.write(async |tx| {
            assert_eq!(tx.identity(ISSUER, "4'2").await?, None);
            tx.insert_identity(&known).await
        }).await;
        db.write(async |tx| {
            assert_eq!(tx.identity(ISSUER, "4'2").await?.as_ref(), Some(&known));
            assert_eq!(tx.identity_of(zoe, ISSUER).await?.as_ref(), Some(&known));
            assert_eq!(tx.identity("https://other.test", "4'2").await?, None);
            assert_eq!(tx.identity(ISSUER, "nul\0").await?, None);
            assert_eq!(tx.identity_of(yann, ISSUER).await?, None);
            Ok(())
        }).await;
        let taken = db.try_write(async |tx| tx.insert_identity(&identity("4'2", yann)).await).await;
        assert!(matches!(taken, Err(StoreError::Taken(_))), "{taken:?}");
    }

    async fn an_identity_goes_with_its_user(db: &TestDb) {
        let zoe = person(db, "zoe@acme.test").await;
        db.write(async |tx| tx.insert_identity(&identity("42", zoe)).await).await;
        db.write(async |tx| {
            let user = tx.to_change(Reach::Instance).user(zoe).await?.unwrap();
            tx.end_user(&user, at(6)).await?;
            assert_eq!(tx.identity(ISSUER, "42").await?, None);
            Ok(())
        }).await;
    }
}
