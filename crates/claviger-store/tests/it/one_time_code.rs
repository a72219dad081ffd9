//! Codes that work once.

use std::sync::Arc;

use claviger_core::{By, CodePurpose, OneTimeCode, User};
use claviger_token::{ApiKeyId, CredentialId, OrganizationId, TypedId as _};
use serde_json::json;
use tokio::task::JoinSet;

use crate::sample::{at, digest, event, organization, rng, user};

fn code(user: &User, purpose: CodePurpose, organization: Option<OrganizationId>) -> OneTimeCode {
    OneTimeCode {
        purpose,
        user: user.id,
        organization,
        details: json!({ "return_url": "https://app.acme.test/größe" }),
        created_at: at(0),
        created_by: "operator".to_owned(),
        created_with: Some(CredentialId::ApiKey(ApiKeyId::generate(at(0), &mut rng()))),
        ends_at: at(100),
    }
}

on_both_databases! {
    async fn a_code_is_redeemed_once_and_for_its_purpose_only(db: &TestDb) {
        let (alice, acme, digest) = (user("alice@acme.test"), organization("acme"), digest());
        let made = code(&alice, CodePurpose::Portal, Some(acme.id));
        db.write(async |tx| {
            tx.insert_organization(&acme).await?;
            tx.insert_user(&alice).await?;
            tx.insert_one_time_code(&made, &digest).await
        }).await;
        let seen = async |purpose, now| db.store.one_time_code(purpose, &digest, at(now)).await.unwrap();
        assert_eq!(seen(CodePurpose::SignIn, 5).await, None);
        assert_eq!(seen(CodePurpose::Portal, 5).await.as_ref(), Some(&made));
        db.write(async |tx| {
            assert_eq!(tx.redeem_one_time_code(CodePurpose::SignIn, &digest, at(5)).await?, None);
            assert_eq!(tx.redeem_one_time_code(CodePurpose::Portal, &digest, at(5)).await?.as_ref(), Some(&made));
            assert_eq!(tx.redeem_one_time_code(CodePurpose::Portal, &digest, at(5)).await?, None);
            Ok(())
        }).await;
        assert_eq!(seen(CodePurpose::Portal, 5).await, None);
    }

    async fn a_code_is_dead_at_the_instant_of_its_end(db: &TestDb) {
        let (alice, digest) = (user("alice@acme.test"), digest());
        db.write(async |tx| {
            tx.insert_user(&alice).await?;
            tx.insert_one_time_code(&code(&alice, CodePurpose::PasswordReset, None), &digest).await
        }).await;
        for (now, works) in [(99, true), (100, false)] {
            let seen = db.store.one_time_code(CodePurpose::PasswordReset, &digest, at(now)).await.unwrap();
            assert_eq!(seen.is_some(), works, "{now}");
        }
        db.write(async |tx| {
            assert_eq!(tx.redeem_one_time_code(CodePurpose::PasswordReset, &digest, at(100)).await?, None);
            Ok(())
        }).await;
        assert_eq!(db.store.trim(at(99)).await.unwrap(), 0);
        assert_eq!(db.store.trim(at(100)).await.unwrap(), 1);
    }

    async fn a_code_that_was_voided_opens_nothing(db: &TestDb) {
        let (alice, bob) = (user("alice@acme.test"), user("bob@acme.test"));
        let (old, portal, bobs) = (digest(), digest(), digest());
        db.write(async |tx| {
            for one in [&alice, &bob] {
                tx.insert_user(one).await?;
            }
            tx.insert_one_time_code(&code(&alice, CodePurpose::PasswordReset, None), &old).await?;
            tx.insert_one_time_code(&code(&alice, CodePurpose::Portal, None), &portal).await?;
            tx.insert_one_time_code(&code(&bob, CodePurpose::PasswordReset, None), &bobs).await?;
            tx.void_one_time_codes(alice.id, CodePurpose::PasswordReset).await
        }).await;
        let works = async |purpose, digest| db.store.one_time_code(purpose, digest, at(5)).await.unwrap().is_some();
        assert!(!works(CodePurpose::PasswordReset, &old).await);
        assert!(works(CodePurpose::Portal, &portal).await && works(CodePurpose::PasswordReset, &bobs).await);
    }

    async fn of_many_who_redeem_a_code_at_once_one_gets_it(db: &TestDb) {
        let (alice, digest) = (user("alice@acme.test"), digest());
        db.write(async |tx| {
            tx.insert_user(&alice).await?;
            tx.insert_one_time_code(&code(&alice, CodePurpose::SignIn, None), &digest).await
        }).await;
        let mut tasks = JoinSet::new();
        for _ in 0..6 {
            let store = Arc::clone(&db.store);
            tasks.spawn(async move {
                let by = By::system();
                let mut tx = store.begin(&by).await.unwrap();
                let redeemed = tx.redeem_one_time_code(CodePurpose::SignIn, &digest, at(5)).await.unwrap();
                tx.commit(event(None, Vec::new()), at(5), &mut rng()).await.unwrap();
                redeemed.is_some()
            });
        }
        let mut redeemed = 0;
        while let Some(done) = tasks.join_next().await {
            redeemed += u32::from(done.unwrap());
        }
        assert_eq!(redeemed, 1);
    }

    async fn a_code_that_was_redeemed_without_a_commit_still_works(db: &TestDb) {
        let (alice, digest) = (user("alice@acme.test"), digest());
        db.write(async |tx| {
            tx.insert_user(&alice).await?;
            tx.insert_one_time_code(&code(&alice, CodePurpose::SignIn, None), &digest).await
        }).await;
        let by = By::system();
        let mut tx = db.store.begin(&by).await.unwrap();
        assert!(tx.redeem_one_time_code(CodePurpose::SignIn, &digest, at(5)).await.unwrap().is_some());
        drop(tx);
        assert!(db.store.one_time_code(CodePurpose::SignIn, &digest, at(5)).await.unwrap().is_some());
    }
}
