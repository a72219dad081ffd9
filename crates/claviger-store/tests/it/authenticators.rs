//! What users prove themselves with, in storage.

use claviger_core::{Authenticators, Password, PasswordHash, Sealed, Totp};
use claviger_token::{TypedId as _, UserId};

use crate::{
    db::TestDb,
    sample::{at, rng},
};

/// A user, without anything to prove themselves with.
pub(crate) async fn person(db: &TestDb, email: &str) -> UserId {
    let id = UserId::generate(at(0), &mut rng());
    let key = email.to_lowercase();
    db.tamper(&format!(
        "INSERT INTO person (id, email, email_key, name, metadata, created_at)
         VALUES ('{id}', '{email}', '{key}', 'Zoë', '{{}}', 1)"
    ))
    .await;
    id
}

fn hash() -> PasswordHash {
    Password::presented("plum harbor seven lanterns").unwrap().hash(&mut rng())
}

on_both_databases! {
    async fn authenticators_read_back_by_address_and_by_id(db: &TestDb) {
        let zoe = person(db, "Zoe@acme.test").await;
        let bare = Authenticators {
            user: zoe,
            email: "Zoe@acme.test".to_owned(),
            name: Some("Zoë".to_owned()),
            disabled: false,
            password: None,
            password_set_at: None,
            totp: None,
        };
        let full = Authenticators {
            password: Some(hash()),
            password_set_at: Some(at(5)),
            totp: Some(Totp { seed: Sealed(vec![1, 2, 3]), enabled_at: at(6), last_step: Some(9) }),
            ..bare.clone()
        };
        assert_eq!(db.store.authenticators(zoe).await.unwrap().as_ref(), Some(&bare));
        for saved in [full, bare] {
            db.write(async |tx| {
                assert!(tx.authenticators(zoe).await?.is_some());
                tx.save_authenticators(&saved).await
            }).await;
            assert_eq!(db.store.authenticators_by_email("zoe@acme.test").await.unwrap().as_ref(), Some(&saved));
        }
        assert_eq!(db.store.authenticators_by_email("Zoe@acme.test").await.unwrap(), None);
        assert_eq!(db.store.authenticators_by_email("nul\0@acme.test").await.unwrap(), None);
    }

    async fn a_deleted_user_has_none_and_a_disabled_one_says_so(db: &TestDb) {
        let zoe = person(db, "zoe@acme.test").await;
        db.tamper("UPDATE person SET disabled_at = 1").await;
        assert!(db.store.authenticators(zoe).await.unwrap().unwrap().disabled);
        db.tamper("UPDATE person SET deleted_at = 1").await;
        assert_eq!(db.store.authenticators(zoe).await.unwrap(), None);
        assert_eq!(db.store.authenticators_by_email("zoe@acme.test").await.unwrap(), None);
    }

    async fn a_step_of_time_is_used_once_and_ends_all_earlier_ones(db: &TestDb) {
        let zoe = person(db, "zoe@acme.test").await;
        for (step, expected) in [(7, true), (7, false), (6, false), (8, true)] {
            db.write(async |tx| { assert_eq!(tx.use_totp_step(zoe, step).await?, expected, "{step}"); Ok(()) }).await;
        }
    }

    async fn of_two_who_use_one_step_at_once_one_gets_in(db: &TestDb) {
        let zoe = person(db, "zoe@acme.test").await;
        let other = db.another_store().await;
        let one = async |store: &claviger_store::Store| {
            let mut used = false;
            crate::db::write(store, crate::sample::event(None, Vec::new()), async |tx| {
                used = tx.use_totp_step(zoe, 7).await?;
                Ok(())
            }).await.unwrap();
            used
        };
        let (first, second) = tokio::join!(one(&db.store), one(&other));
        assert_eq!(u8::from(first) + u8::from(second), 1);
    }

    async fn a_recovery_code_is_used_once_by_its_user_alone(db: &TestDb) {
        let (zoe, yann) = (person(db, "zoe@acme.test").await, person(db, "yann@acme.test").await);
        let left = async || db.store.recovery_codes_left(zoe).await.unwrap();
        assert_eq!(left().await, 0);
        db.write(async |tx| tx.replace_recovery_codes(zoe, &[[1; 32], [2; 32]]).await).await;
        assert_eq!(left().await, 2);
        for (user, code, expected) in [
            (yann, [1; 32], None), (zoe, [3; 32], None), (zoe, [1; 32], Some(1)), (zoe, [1; 32], None),
        ] {
            db.write(async |tx| {
                assert_eq!(tx.use_recovery_code(user, code, at(9)).await?, expected);
                Ok(())
            }).await;
        }
        db.write(async |tx| tx.replace_recovery_codes(zoe, &[[4; 32]]).await).await;
        db.write(async |tx| {
            assert_eq!(tx.use_recovery_code(zoe, [2; 32], at(9)).await?, None);
            assert_eq!(tx.use_recovery_code(zoe, [4; 32], at(9)).await?, Some(0));
            Ok(())
        }).await;
    }
}
