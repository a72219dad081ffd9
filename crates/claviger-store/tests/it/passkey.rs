//! Passkeys in storage.

use claviger_core::{AuthenticatorTransports, Passkey};
use claviger_store::StoreError;
use claviger_token::{PasskeyId, TypedId as _, UserId};

use crate::{
    authenticators::person,
    sample::{at, event, name, rng},
};

fn passkey(user: UserId, credential: &[u8], milliseconds: i64) -> Passkey {
    Passkey {
        id: PasskeyId::generate(at(milliseconds), &mut rng()),
        user,
        relying_party: "claviger.test".to_owned(),
        credential: credential.to_vec(),
        key: vec![0xa5, 1, 2],
        sign_count: u32::MAX,
        transports: AuthenticatorTransports::from_text("internal usb"),
        backup_eligible: true,
        backed_up: false,
        name: name("größer <b>"),
        created_at: at(milliseconds),
        used_at: None,
    }
}

on_both_databases! {
    async fn passkeys_read_back_by_their_user_and_by_what_their_authenticator_calls_them(db: &TestDb) {
        let (zoe, yann) = (person(db, "zoe@acme.test").await, person(db, "yann@acme.test").await);
        let first = passkey(zoe, &[0; 1023], 1);
        let second = Passkey {
            sign_count: 0, transports: AuthenticatorTransports::default(), backup_eligible: false, used_at: Some(at(7)),
            ..passkey(zoe, &[1], 2)
        };
        let other = passkey(yann, &[2, 0, 255], 3);
        db.write(async |tx| {
            for one in [&second, &first, &other] {
                tx.insert_passkey(one).await?;
            }
            assert_eq!(tx.passkeys_of(zoe).await?, [first.clone(), second.clone()]);
            Ok(())
        }).await;
        assert_eq!(db.store.passkeys_of(zoe).await.unwrap(), [first.clone(), second]);
        assert_eq!(db.store.passkeys_of(yann).await.unwrap(), std::slice::from_ref(&other));
        assert_eq!(db.store.passkey_by_credential(&[2, 0, 255]).await.unwrap(), Some(other));
        assert_eq!(db.store.passkey_by_credential(&[0; 1023]).await.unwrap(), Some(first));
        for nobodys in [&[2][..], &[], &[0; 1022]] {
            assert_eq!(db.store.passkey_by_credential(nobodys).await.unwrap(), None);
        }
    }

    async fn what_an_authenticator_calls_it_is_one_passkeys_alone(db: &TestDb) {
        let (zoe, yann) = (person(db, "zoe@acme.test").await, person(db, "yann@acme.test").await);
        db.write(async |tx| tx.insert_passkey(&passkey(zoe, &[7; 16], 1)).await).await;
        for user in [zoe, yann] {
            let again = passkey(user, &[7; 16], 2);
            let refused = crate::db::write(&db.store, event(None, Vec::new()), async |tx| tx.insert_passkey(&again).await).await;
            assert!(matches!(refused, Err(StoreError::Taken("passkey"))), "{refused:?}");
        }
        assert_eq!(db.store.passkeys_of(yann).await.unwrap(), []);
    }

    async fn a_passkey_is_renamed_and_taken_away_by_its_user_alone(db: &TestDb) {
        let (zoe, yann) = (person(db, "zoe@acme.test").await, person(db, "yann@acme.test").await);
        let (one, kept) = (passkey(zoe, &[1], 1), passkey(zoe, &[2], 2));
        db.write(async |tx| { tx.insert_passkey(&one).await?; tx.insert_passkey(&kept).await }).await;
        let renamed = Passkey { name: name("phone"), ..one.clone() };
        db.write(async |tx| {
            assert!(!tx.rename_passkey(&Passkey { user: yann, ..renamed.clone() }).await?);
            assert!(!tx.delete_passkey(yann, one.id).await?);
            assert!(tx.rename_passkey(&renamed).await?);
            Ok(())
        }).await;
        assert_eq!(db.store.passkeys_of(zoe).await.unwrap(), [renamed.clone(), kept.clone()]);
        db.write(async |tx| {
            assert!(tx.delete_passkey(zoe, one.id).await?);
            assert!(!tx.delete_passkey(zoe, one.id).await?);
            assert!(!tx.rename_passkey(&renamed).await?);
            Ok(())
        }).await;
        assert_eq!(db.store.passkeys_of(zoe).await.unwrap(), [kept]);
        assert_eq!(db.store.passkey_by_credential(&[1]).await.unwrap(), None);
    }

    async fn a_use_is_kept_only_after_the_one_that_it_follows(db: &TestDb) {
        let zoe = person(db, "zoe@acme.test").await;
        let before = Passkey { sign_count: 7, ..passkey(zoe, &[1], 1) };
        let after = Passkey { sign_count: 8, backed_up: true, used_at: Some(at(9)), ..before.clone() };
        db.write(async |tx| tx.insert_passkey(&before).await).await;
        db.write(async |tx| {
            assert!(tx.use_passkey(&before, &after).await?);
            assert!(!tx.use_passkey(&before, &after).await?);
            Ok(())
        }).await;
        assert_eq!(db.store.passkeys_of(zoe).await.unwrap(), std::slice::from_ref(&after));
        db.write(async |tx| {
            tx.delete_passkey(zoe, after.id).await?;
            assert!(!tx.use_passkey(&after, &after).await?);
            Ok(())
        }).await;
    }

    async fn of_two_who_use_one_count_at_once_one_gets_in(db: &TestDb) {
        let zoe = person(db, "zoe@acme.test").await;
        let before = Passkey { sign_count: 7, ..passkey(zoe, &[1], 1) };
        let after = Passkey { sign_count: 8, used_at: Some(at(9)), ..before.clone() };
        db.write(async |tx| tx.insert_passkey(&before).await).await;
        let other = db.another_store().await;
        let one = async |store: &claviger_store::Store| {
            let mut used = false;
            crate::db::write(store, event(None, Vec::new()), async |tx| {
                used = tx.use_passkey(&before, &after).await?;
                Ok(())
            }).await.unwrap();
            used
        };
        let (first, second) = tokio::join!(one(&db.store), one(&other));
        assert_eq!(u8::from(first) + u8::from(second), 1);
    }
}
