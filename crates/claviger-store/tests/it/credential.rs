//! API keys and their secrets in storage.

use claviger_core::{Credential, CredentialStatus, Kind, Reach, Revocation, RevokeReason, SecretRecord};
use claviger_store::{CountedAmong, CredentialFilter, LastUse, Order, Page, StatusAt, StoreError, UsageBatch};
use claviger_token::PermissionMask;

use crate::{
    db::{all, walk},
    sample::{World, at, digest, full_key, key, limits, metadata, name, networks, rng, secret, service_account},
};

on_both_databases! {
    async fn a_key_reads_back_as_it_was_written(db: &TestDb) {
        let world = World::stored(db).await;
        let full = full_key(&world.ci);
        db.write(async |tx| tx.insert_credential(&full, &digest()).await).await;
        for written in [&world.key, &full] {
            assert_eq!(db.view().credential(written.id).await.unwrap().as_ref(), Some(written));
        }
    }

    async fn who_else_saw_a_secret_that_works_is_told(db: &TestDb) {
        let world = World::stored(db).await;
        let own = world.ci.id.to_string();
        let seen = |by: &str| Credential {
            secrets: vec![SecretRecord { created_by: by.to_owned(), ..secret(1) }],
            ..key(&world.ci, by)
        };
        let revoked = Revocation { at: at(1), reason: RevokeReason::Compromised };
        let (gone, kept) = (seen("user_gone"), [seen("user_x"), seen("user_x"), seen("user_y"), seen(&own), seen("operator")]);
        db.write(async |tx| {
            for one in kept.iter().chain([&gone]) {
                tx.insert_credential(one, &digest()).await?;
            }
            tx.save_credential(&Credential { revocation: Some(revoked), ..gone.clone() }).await
        }).await;
        let ci = world.ci.id.into();
        let mut others = db.view().others_who_saw_credentials(ci, at(9)).await.unwrap();
        others.sort();
        assert_eq!(others, ["user_x", "user_y"]);
        let count = async |others: &[&str]| {
            let others = others.iter().map(|&other| other.to_owned()).collect();
            db.view().credentials_seen_by(ci, others, at(9)).await.unwrap()
        };
        assert_eq!((count(&["user_x"]).await, count(&["user_x", "user_y"]).await), (2, 3));
    }

    async fn a_saved_key_reads_back_with_every_change(db: &TestDb) {
        let world = World::stored(db).await;
        let full = full_key(&world.ci);
        db.write(async |tx| tx.insert_credential(&full, &digest()).await).await;
        let now_full = Credential {
            name: name("renamed"),
            permissions: PermissionMask::from_text("a:read").unwrap(),
            objects: full.objects.clone(),
            networks: Some(networks()),
            not_before: Some(at(1)),
            expires_at: Some(at(2)),
            disabled_at: Some(at(3)),
            disabled_by: Some("user_x".to_owned()),
            revocation: Some(Revocation { at: at(4), reason: RevokeReason::Compromised }),
            epoch: u64::from(u32::MAX) + 7,
            limits: limits(),
            metadata: metadata(),
            ..world.key.clone()
        };
        let now_bare = Credential {
            environment: full.environment, id: full.id, created_at: full.created_at,
            confirmation: full.confirmation, ..key(&world.ci, "bare")
        };
        for changed in [now_full, now_bare] {
            db.write(async |tx| {
                assert!(tx.to_change(Reach::Instance).credential(changed.id).await?.is_some());
                tx.save_credential(&changed).await
            }).await;
            assert_eq!(db.view().credential(changed.id).await.unwrap(), Some(changed));
        }
    }

    async fn every_reason_reads_back(db: &TestDb) {
        let world = World::stored(db).await;
        for reason in [
            RevokeReason::Unspecified, RevokeReason::Superseded, RevokeReason::Compromised, RevokeReason::OwnerLeft,
            RevokeReason::Policy, RevokeReason::Unused,
        ] {
            let revoked = Credential { revocation: Some(Revocation { at: at(4), reason }), ..world.key.clone() };
            db.write(async |tx| tx.save_credential(&revoked).await).await;
            assert_eq!(db.view().credential(revoked.id).await.unwrap(), Some(revoked));
        }
    }

    async fn keys_of_another_organization_look_absent(db: &TestDb) {
        let world = World::stored(db).await;
        let mut view = db.store.within(Reach::Organization(world.acme.id));
        assert_eq!(view.credential(world.strange_key.id).await.unwrap(), None);
        let list = async |filter: CredentialFilter| {
            db.store.within(Reach::Organization(world.acme.id)).credentials(&filter, &all()).await.unwrap()
        };
        assert_eq!(list(CredentialFilter::default()).await, std::slice::from_ref(&world.key));
        let of_globex = CredentialFilter { organization: Some(world.globex.id), ..CredentialFilter::default() };
        assert_eq!(list(of_globex.clone()).await, []);
        let of_stranger = CredentialFilter { principal: Some(world.stranger.id.into()), ..CredentialFilter::default() };
        assert_eq!(list(of_stranger).await, []);
        assert_eq!(db.view().credentials(&of_globex, &all()).await.unwrap(), std::slice::from_ref(&world.strange_key));
        db.write(async |tx| {
            let read = tx.to_change(Reach::Organization(world.acme.id)).credential(world.strange_key.id).await?;
            assert_eq!(read, None);
            Ok(())
        }).await;
    }

    async fn a_list_is_filtered_by_account_name_and_status(db: &TestDb) {
        let world = World::stored(db).await;
        let other = service_account(&world.acme, "other");
        let named = |called| key(&other, called);
        let keys = [
            Credential { not_before: Some(at(100)), ..named("Not_Yet") },
            Credential { expires_at: Some(at(100)), ..named("50% Ökostrom") },
            Credential { disabled_at: Some(at(1)), expires_at: Some(at(1)), ..named("disabled") },
            Credential {
                revocation: Some(Revocation { at: at(1), reason: RevokeReason::Unused }), disabled_at: Some(at(1)),
                ..named("revoked")
            },
            Credential { deleted_at: Some(at(1)), ..named("deleted") },
        ];
        db.write(async |tx| {
            tx.insert_service_account(&other).await?;
            for key in &keys {
                tx.insert_credential(key, &digest()).await?;
                tx.save_credential(key).await?;
            }
            Ok(())
        }).await;
        let names = async |filter: CredentialFilter| {
            let keys = db.view().credentials(&filter, &all()).await.unwrap();
            keys.iter().rev().map(|key| key.name.to_string()).collect::<Vec<_>>().join(", ")
        };
        let of_other = CredentialFilter { principal: Some(other.id.into()), ..CredentialFilter::default() };
        assert_eq!(names(of_other.clone()).await, "Not_Yet, 50% Ökostrom, disabled, revoked");
        let check = async |status, milliseconds, expected: &str| {
            let status = Some(StatusAt { status, at: at(milliseconds) });
            assert_eq!(names(CredentialFilter { status, ..of_other.clone() }).await, expected, "{status:?}");
            // What the list says of each key is what it was filtered by.
            for key in db.view().credentials(&CredentialFilter { status, ..of_other.clone() }, &all()).await.unwrap() {
                assert_eq!(Some(key.status(at(milliseconds))), status.map(|filter| filter.status));
            }
        };
        check(CredentialStatus::NotYetValid, 99, "Not_Yet").await;
        check(CredentialStatus::NotYetValid, 100, "").await;
        check(CredentialStatus::Active, 99, "50% Ökostrom").await;
        check(CredentialStatus::Active, 100, "Not_Yet").await;
        check(CredentialStatus::Expired, 99, "").await;
        check(CredentialStatus::Expired, 100, "50% Ökostrom").await;
        check(CredentialStatus::Disabled, 100, "disabled").await;
        check(CredentialStatus::Revoked, 100, "revoked").await;
        let search = async |q: &str, expected: &str| {
            assert_eq!(names(CredentialFilter { q: Some(q.to_owned()), ..of_other.clone() }).await, expected, "{q}");
        };
        search("t_y", "Not_Yet").await;
        search("_", "Not_Yet").await;
        search("0%", "50% Ökostrom").await;
        search("Öko", "50% Ökostrom").await;
        search("DISABLED", "disabled").await;
        search("production", "").await;
    }

    async fn pages_tell_each_key_once_newest_first_with_its_own_secrets(db: &TestDb) {
        let world = World::stored(db).await;
        let mut ids = vec![world.key.id];
        for number in 0..24 {
            let one = Credential { secrets: vec![secret(number + 1)], ..key(&world.ci, "same name") };
            db.write(async |tx| tx.insert_credential(&one, &digest()).await).await;
            ids.insert(0, one.id);
        }
        let filter = CredentialFilter { organization: Some(world.acme.id), ..CredentialFilter::default() };
        let page = async |page| db.view().credentials(&filter, &page).await;
        assert_eq!(walk(|one: &Credential| one.id, page).await, ids);
        let keys = db.view().credentials(&filter, &all()).await.unwrap();
        let numbers: Vec<_> = keys.iter().map(|key| key.secrets[0].number).collect();
        assert_eq!(numbers, [(1..=24).rev().collect::<Vec<_>>(), vec![1]].concat());
    }

    async fn a_digest_is_never_stored_twice(db: &TestDb) {
        let world = World::stored(db).await;
        let again = key(&world.ci, "again");
        let refused = db.try_write(async |tx| tx.insert_credential(&again, &world.digest).await).await;
        assert!(matches!(refused, Err(StoreError::Taken("value"))), "{refused:?}");
        assert_eq!(db.view().credential(again.id).await.unwrap(), None);
    }

    async fn a_rolled_key_keeps_all_its_secrets_and_their_last_use(db: &TestDb) {
        let world = World::stored(db).await;
        let used = LastUse { at: at(77), from: Some("2001:db8::1".to_owned()) };
        let mut batch = UsageBatch { last_uses: [((world.key.id, 1), used)].into(), ..UsageBatch::default() };
        db.store.flush_usage(&mut batch, at(0), &mut rng()).await.unwrap();
        let ended = |number, at| SecretRecord { ends_at: Some(at), ..secret(number) };
        let first = |ends_at| SecretRecord {
            last_used_at: Some(at(77)), last_used_from: Some("2001:db8::1".to_owned()), ..ended(1, ends_at)
        };
        let second = SecretRecord { created_by: "user_x".to_owned(), ..secret(2) };
        let rolled = Credential { secrets: vec![second, first(at(500))], ..world.key };
        db.write(async |tx| tx.save_rolled_credential(&rolled, &digest()).await).await;
        assert_eq!(db.view().credential(rolled.id).await.unwrap().as_ref(), Some(&rolled));
        let again = Credential { secrets: vec![secret(3), SecretRecord { created_by: "user_x".to_owned(), ..ended(2, at(600)) }, first(at(3))], epoch: 2, ..rolled };
        db.write(async |tx| tx.save_rolled_credential(&again, &digest()).await).await;
        assert_eq!(db.view().credential(again.id).await.unwrap().as_ref(), Some(&again));
        // What has ended keeps its end.
        let thrice = Credential { secrets: vec![
            secret(4), ended(3, at(4)), SecretRecord { created_by: "user_x".to_owned(), ..ended(2, at(4)) }, first(at(3)),
        ], ..again };
        db.write(async |tx| tx.save_rolled_credential(&thrice, &digest()).await).await;
        assert_eq!(db.view().credential(thrice.id).await.unwrap(), Some(thrice));
    }

    async fn of_a_key_that_was_rolled_often_the_newest_ten_secrets_are_read(db: &TestDb) {
        let world = World::stored(db).await;
        let mut rolled = world.key;
        for number in 2..=13 {
            rolled.secrets.insert(0, secret(number));
            db.write(async |tx| tx.save_rolled_credential(&rolled, &digest()).await).await;
        }
        let numbers = |key: &Credential| key.secrets.iter().map(|secret| secret.number).collect::<Vec<_>>();
        assert_eq!(numbers(&db.view().credential(rolled.id).await.unwrap().unwrap()), (4..=13).rev().collect::<Vec<_>>());
        let keys = db.view().credentials(&CredentialFilter::default(), &all()).await.unwrap();
        assert_eq!(keys.iter().map(|key| key.secrets.len()).collect::<Vec<_>>(), [1, 10]);
    }

    async fn a_deleted_key_is_listed_no_more(db: &TestDb) {
        let world = World::stored(db).await;
        let (id, organization) = (world.key.id, world.acme.id);
        db.write(async |tx| tx.save_credential(&world.key.delete(at(9)).0).await).await;
        assert_eq!(db.view().credential(id).await.unwrap(), None);
        let filter = CredentialFilter { organization: Some(organization), ..CredentialFilter::default() };
        assert_eq!(db.view().credentials(&filter, &all()).await.unwrap(), []);
    }

    async fn a_list_stands_in_the_order_that_is_asked_for_and_misses_none(db: &TestDb) {
        let world = World::stored(db).await;
        let made = [("beta", Some(30)), ("Alpha", None), ("alpha", Some(10)), ("gamma", Some(10)), ("beta", None)];
        let keys: Vec<Credential> = made.into_iter().map(|(called, end)| Credential {
            expires_at: end.map(at), ..key(&world.ci, called)
        }).collect();
        db.write(async |tx| {
            for one in &keys {
                tx.insert_credential(one, &digest()).await?;
            }
            tx.save_credential(&world.key.clone().delete(at(1)).0).await
        }).await;
        let filter = CredentialFilter { organization: Some(world.acme.id), ..CredentialFilter::default() };
        let listed = async |order| {
            let page = async |page| db.view().credentials_in(order, &filter, &page).await;
            walk(|one: &Credential| one.id, page).await
        };
        let sorted = |key: fn(&Credential) -> (String, i64)| {
            let mut sorted = keys.clone();
            sorted.sort_by_key(|one| (key(one), one.id.to_string()));
            sorted.into_iter().map(|one| one.id).collect::<Vec<_>>()
        };
        assert_eq!(listed(Order::Name).await, sorted(|one| (one.name.as_str().to_lowercase(), 0)));
        let end = |one: &Credential| (String::new(), one.expires_at.map_or(i64::MAX, jiff::Timestamp::as_millisecond));
        assert_eq!(listed(Order::EndsNext).await, sorted(end));
        let mut by_age = sorted(|_| (String::new(), 0));
        assert_eq!(listed(Order::Oldest).await, by_age);
        by_age.reverse();
        assert_eq!(listed(Order::Newest).await, by_age);
    }

    async fn a_place_in_a_list_is_known_after_it_is_deleted_and_not_beyond_ones_reach(db: &TestDb) {
        let world = World::stored(db).await;
        let (first, last) = (key(&world.ci, "a"), key(&world.ci, "z"));
        db.write(async |tx| {
            tx.insert_credential(&first, &digest()).await?;
            tx.insert_credential(&last, &digest()).await?;
            tx.save_credential(&first.clone().delete(at(1)).0).await?;
            tx.save_credential(&world.key.clone().delete(at(1)).0).await
        }).await;
        let after = async |id, organization| {
            let mut view = db.store.within(Reach::Organization(organization));
            let page = Page { after: Some(id), limit: 9 };
            let found = view.credentials_in(Order::Name, &CredentialFilter::default(), &page).await.unwrap();
            found.iter().map(|one| one.id).collect::<Vec<_>>()
        };
        assert_eq!(after(first.id, world.acme.id).await, [last.id]);
        assert_eq!(after(last.id, world.acme.id).await, []);
        // Elsewhere that is no place, and so the list begins.
        assert_eq!(after(last.id, world.globex.id).await, [world.strange_key.id]);
    }

    async fn what_few_match_is_looked_for_among_so_many_and_then_among_the_next(db: &TestDb) {
        let world = World::stored(db).await;
        // Eleven of them are called so, far apart by age and beside each other by name.
        db.tamper(&format!("INSERT INTO credential (id, kind, organization, principal, name, environment, permissions, epoch, metadata,
                                                    created_at, created_by, revoked_at)
                            WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 21000)
                            SELECT substr(id, 1, 20) || CAST(100000 + i AS TEXT) || '0000', kind, organization, principal, 'bulk' || i,
                                   environment, permissions, epoch, metadata, created_at, created_by,
                                   CASE WHEN i % 2 = 0 THEN 1 END
                            FROM n CROSS JOIN credential WHERE id = '{}'", world.key.id)).await;
        // By age, those of another kind stand before all of them.
        db.tamper(&format!("INSERT INTO credential (id, kind, organization, principal, name, environment, permissions, epoch, metadata,
                                                    created_at, created_by)
                            SELECT 'pat' || substr(id, 4), 'personal_access_token', organization, principal, name, environment, permissions, epoch,
                                   metadata, created_at, created_by
                            FROM credential WHERE name LIKE 'bulk%' AND organization = '{}'", world.acme.id)).await;
        let sparse = |q: &str| CredentialFilter {
            kind: Some(Kind::ApiKey), organization: Some(world.acme.id), q: Some(q.to_owned()), ..CredentialFilter::default()
        };
        let total = db.view().count_credentials(&CredentialFilter { q: None, ..sparse("") }).await.unwrap();
        assert_eq!(total, 21_002);
        for order in [Order::Newest, Order::Oldest, Order::Name, Order::EndsNext] {
            let (mut after, mut turns, mut found) = (None, 0, Vec::new());
            loop {
                let page = Page { after, limit: 3 };
                let (some, on) = db.view().look_through(order, &sparse("bulk2099"), &page).await.unwrap();
                let last = some.last().filter(|_| some.len() == 3).map(|last| last.id);
                found.extend(some.into_iter().map(|one| one.id));
                turns += 1;
                after = last.or(on);
                if after.is_none() {
                    break;
                }
            }
            let mut at_once = db.view().credentials_in(order, &sparse("bulk2099"), &all()).await.unwrap();
            assert_eq!(found, at_once.drain(..).map(|one| one.id).collect::<Vec<_>>());
            assert_eq!(found.len(), 11);
            assert!((5..=7).contains(&turns), "{turns}");
        }
        // What everybody matches fills the page at once.
        let (some, on) = db.view().look_through(Order::Newest, &sparse("bulk"), &Page { after: None, limit: 3 }).await.unwrap();
        assert_eq!((some.len(), on), (3, None));

        let count = async |filter: CredentialFilter, most| db.view().count_credentials_among(&filter, most).await.unwrap();
        let told = |number, more| CountedAmong { number, more };
        assert_eq!(count(sparse("nobody"), 100).await, told(0, true));
        assert_eq!(count(sparse("bulk7"), 30_000).await, told(1111, false));
        let status = |status| CredentialFilter { q: None, status: Some(StatusAt { status, at: at(0) }), ..sparse("") };
        assert_eq!(count(status(CredentialStatus::Revoked), 20_000).await, told(10_501, false));
        assert_eq!(count(status(CredentialStatus::Disabled), 10).await, told(0, false));
        assert_eq!(count(status(CredentialStatus::Expired), 30_000).await, told(0, false));
        assert_eq!(count(status(CredentialStatus::Active), 30_000).await, told(10_501, false));
        assert!(count(status(CredentialStatus::Active), 100).await.more);
        let soon = CredentialFilter { q: None, live_at: Some(at(0)), expires_before: Some(at(900)), ..sparse("") };
        assert_eq!(count(soon, 10).await, told(0, false));
        assert_eq!(count(CredentialFilter { rolling_at: Some(at(0)), ..CredentialFilter::default() }, 10).await, told(0, false));
        assert_eq!(count(sparse("a\0"), 10).await, told(0, false));
    }

    async fn an_overlap_ends_in_storage_and_is_found_until_then(db: &TestDb) {
        let world = World::stored(db).await;
        let ended = |end| SecretRecord { ends_at: Some(end), ..secret(1) };
        let rolled = Credential { secrets: vec![secret(2), ended(at(500))], ..world.key };
        db.write(async |tx| tx.save_rolled_credential(&rolled, &digest()).await).await;
        let rolling = async |moment| {
            let filter = CredentialFilter { rolling_at: Some(at(moment)), ..CredentialFilter::default() };
            let count = db.view().count_credentials(&filter).await.unwrap();
            let up_to_two = db.view().count_credentials_up_to(&filter, 2).await.unwrap();
            assert_eq!((count, 0), (up_to_two, db.view().count_credentials_up_to(&filter, 0).await.unwrap()));
            count
        };
        assert_eq!((rolling(499).await, rolling(500).await), (1, 0));
        let over = Credential { secrets: vec![secret(2), ended(at(300))], ..rolled };
        db.write(async |tx| tx.save_ended_overlap(&over, at(300)).await).await;
        assert_eq!(db.view().credential(over.id).await.unwrap(), Some(over));
        assert_eq!(rolling(300).await, 0);
    }
}
