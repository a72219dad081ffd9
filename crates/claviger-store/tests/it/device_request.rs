//! Devices that ask for a token of a person.

use std::sync::Arc;

use claviger_core::{Action, By, Chain, DeviceApproval, DeviceAsk, DeviceClient, DeviceRequest, DeviceState, Event};
use claviger_token::{OrganizationId, ServiceAccountId, TypedId as _, UserId};
use jiff::SignedDuration;
use serde_json::json;
use tokio::task::JoinSet;

use crate::sample::{at, digest, rng, set};

fn request(client: DeviceClient) -> DeviceRequest {
    let ask = DeviceAsk {
        resource: Some("https://keys.acme.test".to_owned()),
        scope: Some(set("invoices:read invoices:write")),
        device_name: Some("größe".to_owned()),
    };
    DeviceRequest::create(client, ask, Some("2001:db8::7".parse().unwrap()), at(0), &mut rng()).0
}

fn bare() -> DeviceRequest {
    let ask = DeviceAsk { resource: None, scope: None, device_name: None };
    DeviceRequest::create(DeviceClient::Cli, ask, None, at(0), &mut rng()).0
}

fn approved(one: &DeviceRequest) -> DeviceRequest {
    let user = UserId::generate(at(0), &mut rng());
    let organization = OrganizationId::generate(at(0), &mut rng());
    one.clone().approve(DeviceApproval { user, organization, permissions: set("invoices:read") }).0
}

fn event() -> Event {
    let (chain, action) = (Chain::Instance, Action::DeviceRequestRedeemed);
    Event { chain, action, target: "dev_x".to_owned(), details: json!({}), personal: None, touched: Vec::new() }
}

const MANY: u32 = 1000;

on_both_databases! {
    async fn a_request_is_found_by_either_code_while_it_counts(db: &TestDb) {
        let client = DeviceClient::ServiceAccount(ServiceAccountId::generate(at(0), &mut rng()));
        for one in [request(client), bare()] {
            let (code, user_code) = (digest(), digest());
            assert!(db.store.insert_device_request(&one, &code, &user_code, MANY).await.unwrap());
            assert_eq!(db.store.device_request(&code).await.unwrap().as_ref(), Some(&one));
            assert_eq!(db.store.device_request(&user_code).await.unwrap(), None);
            let typed = async |now| db.store.device_request_of_user_code(&user_code, now).await.unwrap();
            let end = one.expires_at;
            assert_eq!(typed(end - SignedDuration::from_millis(1)).await.as_ref(), Some(&one));
            assert_eq!(typed(end).await, None);
            assert_eq!(db.store.device_request_of_user_code(&code, at(0)).await.unwrap(), None);
            // The device is still told that it was too late.
            assert!(db.store.device_request(&code).await.unwrap().is_some());
        }
    }

    async fn no_two_requests_have_one_code(db: &TestDb) {
        let (code, user_code) = (digest(), digest());
        assert!(db.store.insert_device_request(&bare(), &code, &user_code, MANY).await.unwrap());
        assert!(db.store.insert_device_request(&bare(), &digest(), &user_code, MANY).await.is_err());
        assert!(db.store.insert_device_request(&bare(), &code, &digest(), MANY).await.is_err());
    }

    async fn only_so_many_wait_at_once(db: &TestDb) {
        let insert = async |one: &DeviceRequest| db.store.insert_device_request(one, &digest(), &digest(), 2).await.unwrap();
        let (first, second, third) = (bare(), bare(), bare());
        assert!(insert(&first).await && insert(&second).await && !insert(&third).await);
        db.write(async |tx| {
            assert!(tx.decide_device_request(&first.clone().deny(None).0, at(5)).await?);
            Ok(())
        }).await;
        assert!(insert(&third).await && !insert(&bare()).await);
        let later = DeviceRequest { created_at: second.expires_at, ..bare() };
        assert!(insert(&later).await);
    }

    async fn v02_whoever_polls_too_fast_waits_five_seconds_longer_from_then_on(db: &TestDb) {
        let (one, code) = (bare(), digest());
        db.store.insert_device_request(&one, &code, &digest(), MANY).await.unwrap();
        let poll = async |seconds: i64| db.store.poll_device_request(one.id, at(seconds * 1000)).await.unwrap();
        assert_eq!(poll(0).await, None);
        assert_eq!(poll(4).await, Some(10));
        assert_eq!(poll(9).await, Some(15));
        assert_eq!(poll(24).await, None);
        assert_eq!(poll(39).await, None);
        assert_eq!(db.store.device_request(&code).await.unwrap().map(|one| one.interval), Some(15));
        // What was on its way for a moment less than the one before is in time.
        assert_eq!(db.store.poll_device_request(one.id, at(53_500)).await.unwrap(), None);
        assert_eq!(db.store.poll_device_request(one.id, at(53_500 + 14_499)).await.unwrap(), Some(20));
    }

    async fn v02_of_many_who_poll_at_once_one_was_in_time(db: &TestDb) {
        let one = bare();
        db.store.insert_device_request(&one, &digest(), &digest(), MANY).await.unwrap();
        let mut tasks = JoinSet::new();
        for _ in 0..6 {
            let (store, id) = (Arc::clone(&db.store), one.id);
            tasks.spawn(async move { store.poll_device_request(id, at(0)).await.unwrap() });
        }
        let mut told: Vec<Option<u32>> = tasks.join_all().await;
        told.sort_unstable();
        assert_eq!(told, [None, Some(10), Some(15), Some(20), Some(25), Some(30)]);
    }

    async fn somebody_decides_once_and_in_time(db: &TestDb) {
        let (one, code) = (bare(), digest());
        db.store.insert_device_request(&one, &code, &digest(), MANY).await.unwrap();
        let (yes, no) = (approved(&one), one.clone().deny(None).0);
        db.write(async |tx| {
            assert!(!tx.decide_device_request(&yes, one.expires_at).await?);
            assert!(!tx.redeem_device_request(one.id, at(5)).await?);
            assert!(tx.decide_device_request(&yes, at(5)).await?);
            assert!(!tx.decide_device_request(&no, at(5)).await?);
            Ok(())
        }).await;
        assert_eq!(db.store.device_request(&code).await.unwrap(), Some(yes));
        db.write(async |tx| {
            assert!(!tx.redeem_device_request(one.id, one.expires_at).await?);
            assert!(tx.redeem_device_request(one.id, at(6)).await?);
            assert!(!tx.redeem_device_request(one.id, at(6)).await?);
            Ok(())
        }).await;
        let state = async || db.store.device_request(&code).await.unwrap().unwrap().state;
        assert!(matches!(state().await, DeviceState::Redeemed(_)));
        db.write(async |tx| tx.withdraw_device_request(one.id).await).await;
        assert_eq!(state().await, DeviceState::Denied);
    }

    async fn v02_of_many_who_redeem_at_once_one_gets_it(db: &TestDb) {
        let one = bare();
        db.store.insert_device_request(&one, &digest(), &digest(), MANY).await.unwrap();
        db.write(async |tx| tx.decide_device_request(&approved(&one), at(5)).await.map(drop)).await;
        let mut tasks = JoinSet::new();
        for _ in 0..6 {
            let (store, id) = (Arc::clone(&db.store), one.id);
            tasks.spawn(async move {
                let by = By::system();
                let mut tx = store.begin(&by).await.unwrap();
                let got = tx.redeem_device_request(id, at(6)).await.unwrap();
                if got {
                    tx.commit(event(), at(6), &mut rng()).await.unwrap();
                }
                got
            });
        }
        assert_eq!(tasks.join_all().await.into_iter().filter(|got| *got).count(), 1);
    }

    async fn a_request_is_forgotten_an_hour_after_its_end(db: &TestDb) {
        let one = bare();
        db.store.insert_device_request(&one, &digest(), &digest(), MANY).await.unwrap();
        let gone = one.expires_at + SignedDuration::from_hours(1);
        assert_eq!(db.store.trim(gone - SignedDuration::from_millis(1)).await.unwrap(), 0);
        assert_eq!(db.store.trim(gone).await.unwrap(), 1);
    }
}
