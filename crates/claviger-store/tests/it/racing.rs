//! Writers that race: nothing is lost, nothing waits in a circle, and the audit chains have no gaps.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use claviger_core::{
    By, Credential, Granted, Invitation, Kind, Membership, Organization, Overlong, Reach, RevokeReason, Role, Scope,
    ServiceAccount, User,
};
use claviger_store::{CredentialFilter, LastUse, StoreError, UsageBatch};
use claviger_token::{InvitationId, PersonalAccessTokenId, TypedId as _};
use sqlx::{Connection as _, PgConnection};
use tokio::task::JoinSet;

use crate::{
    db::{Engine, TestDb, all, run},
    sample::{
        World, api, at, digest, direct, event, fleet, key, of_role, organization, rng, role, secret, service_account,
        set, user,
    },
};

/// Two organizations, and users and accounts who have much in both.
struct Full {
    organizations: Vec<Organization>,
    users: Vec<User>,
    accounts: Vec<ServiceAccount>,
    role: Role,
}

impl Full {
    async fn stored(db: &TestDb, round: u32) -> Self {
        let organizations = vec![organization(&format!("a{round}")), organization(&format!("b{round}"))];
        let users: Vec<User> = (0..4).map(|number| user(&format!("u{number}-{round}@acme.test"))).collect();
        let accounts = organizations.iter().map(|organization| service_account(organization, "ci")).collect();
        let full = Self { organizations, users, accounts, role: role(None, &format!("r{round}"), "a:read") };
        db.write(async |tx| {
            tx.insert_role(&full.role).await?;
            for user in &full.users {
                tx.insert_user(user).await?;
            }
            for (organization, account) in full.organizations.iter().zip(&full.accounts) {
                tx.insert_organization(organization).await?;
                tx.insert_service_account(account).await?;
                for user in &full.users {
                    let membership = Membership { organization: organization.id, user: user.id, created_at: at(0) };
                    tx.insert_membership(&membership).await?;
                    let scope = Scope::Organization(organization.id);
                    let rights = [
                        of_role(account, scope, &full.role),
                        direct(account, scope, "b:read"),
                        direct(account, scope, "c:read"),
                    ];
                    for right in rights {
                        tx.insert_assignment(&claviger_core::Assignment { principal: user.id.into(), ..right }).await?;
                    }
                    for _ in 0..3 {
                        let id = PersonalAccessTokenId::generate(at(0), &mut rng()).into();
                        let token = Credential { id, principal: user.id.into(), ..key(account, "laptop") };
                        tx.insert_credential(&token, &digest()).await?;
                        let invitation = Invitation {
                            id: InvitationId::generate(at(0), &mut rng()),
                            organization: organization.id,
                            email: user.email.clone(),
                            roles: Vec::new(),
                            permissions: set(""),
                            created_at: at(0),
                            created_by: "operator".to_owned(),
                            created_with: None,
                            ends_at: at(100),
                            accepted: None,
                            revoked_at: None,
                        };
                        tx.insert_invitation(&invitation, &digest()).await?;
                    }
                }
            }
            Ok(())
        })
        .await;
        full
    }
}

on_both_databases! {
    async fn racing_writers_leave_chains_without_gaps(db: &TestDb) {
        let world = Arc::new(World::stored(db).await);
        let mut tasks = JoinSet::new();
        for task in 0..9 {
            let (store, world) = (Arc::clone(&db.store), Arc::clone(&world));
            tasks.spawn(async move {
                let account = if task == 8 { &world.stranger } else { &world.ci };
                let by = By::operator();
                for _ in 0..20 {
                    let one = key(account, "raced");
                    let mut tx = store.begin(&by).await.unwrap();
                    tx.insert_credential(&one, &digest()).await.unwrap();
                    tx.commit(event(Some(one.organization), Vec::new()), at(0), &mut rng()).await.unwrap();
                }
            });
        }
        while let Some(done) = tasks.join_next().await {
            done.unwrap();
        }
        let count = async |organization| {
            let filter = CredentialFilter { organization: Some(organization), ..CredentialFilter::default() };
            db.view().credentials(&filter, &all()).await.unwrap().len()
        };
        assert_eq!((count(world.acme.id).await, count(world.globex.id).await), (161, 21));
        let report = db.store.verify_audit().await.unwrap();
        assert_eq!(report.findings, []);
        assert_eq!(report.events, 160 + 20 + 1);
        let mut lengths: Vec<_> = report.heads.iter().map(|head| head.seq).collect();
        lengths.sort_unstable();
        assert_eq!(lengths, [1, 20, 160]);
    }

    async fn no_change_of_one_key_is_lost(db: &TestDb) {
        let world = World::stored(db).await;
        let mut tasks = JoinSet::new();
        for _ in 0..20 {
            let (store, id) = (Arc::clone(&db.store), world.key.id);
            tasks.spawn(async move {
                let by = By::operator();
                let mut tx = store.begin(&by).await.unwrap();
                let mut key = tx.to_change(Reach::Instance).credential(id).await.unwrap().unwrap();
                key.epoch += 1;
                tx.save_credential(&key).await.unwrap();
                tx.commit(event(Some(key.organization), Vec::new()), at(0), &mut rng()).await.unwrap();
            });
        }
        while let Some(done) = tasks.join_next().await {
            done.unwrap();
        }
        assert_eq!(db.view().credential(world.key.id).await.unwrap().unwrap().epoch, 21);
    }

    async fn what_ends_much_at_once_never_waits_for_its_like_in_a_circle(db: &TestDb) {
        for round in 0..4 {
            let full = Arc::new(Full::stored(db, round).await);
            let mut tasks = JoinSet::new();
            for organization in full.organizations.clone() {
                let store = Arc::clone(&db.store);
                tasks.spawn(async move {
                    let by = By::operator();
                    let mut tx = store.begin(&by).await?;
                    let found = tx.to_change(Reach::Instance).organization(organization.id).await?.unwrap();
                    let (gone, event) = found.delete(at(9));
                    tx.save_organization(&gone).await?;
                    tx.end_all_in_organization(organization.id, at(9)).await?;
                    tx.commit(event, at(9), &mut rng()).await
                });
            }
            for user in full.users.clone() {
                let store = Arc::clone(&db.store);
                tasks.spawn(async move {
                    let by = By::operator();
                    let mut tx = store.begin(&by).await?;
                    let found = tx.to_change(Reach::Instance).user(user.id).await?.unwrap();
                    tx.end_user(&found, at(9)).await?;
                    tx.commit(found.delete(), at(9), &mut rng()).await
                });
            }
            for account in full.accounts.clone() {
                let (store, role) = (Arc::clone(&db.store), full.role.clone());
                tasks.spawn(async move {
                    let by = By::operator();
                    let mut tx = store.begin(&by).await?;
                    let Some(account) = tx.to_change(Reach::Instance).service_account(account.id).await? else { return Ok(()) };
                    // What refers to the organization, while somebody may hold that.
                    tx.insert_assignment(&of_role(&account, Scope::Instance, &role)).await?;
                    tx.commit(event(Some(account.organization), Vec::new()), at(9), &mut rng()).await
                });
            }
            while let Some(done) = tasks.join_next().await {
                done.unwrap().unwrap();
            }
            let live = "SELECT COUNT(*) FROM credential WHERE revoked_at IS NULL";
            assert_eq!(db.number(live).await, 0);
        }
    }

    async fn revoking_and_cutting_many_at_once_never_wait_for_each_other_in_a_circle(db: &TestDb) {
        let world = World::stored(db).await;
        let keys: Vec<Credential> = (0..60).map(|_| key(&world.ci, "many")).collect();
        db.write(async |tx| {
            for key in &keys {
                tx.insert_credential(key, &digest()).await?;
            }
            // Some lie elsewhere now than their ids say.
            for key in keys.iter().step_by(3) {
                tx.save_credential(key).await?;
            }
            Ok(())
        })
        .await;
        let (acme, mut tasks) = (world.acme.id, JoinSet::new());
        for task in 0..6 {
            let store = Arc::clone(&db.store);
            tasks.spawn(async move {
                let by = By::operator();
                for round in 0..8 {
                    let mut tx = store.begin(&by).await?;
                    if task % 2 == 0 {
                        let end = at(1_000_000 - i64::from(100 * round + task));
                        let overlong = Overlong { than: Some(end), end };
                        tx.cut_lives(acme, Kind::ApiKey, overlong, at(9), (None, 40)).await?;
                    } else {
                        let filter = CredentialFilter { organization: Some(acme), ..CredentialFilter::default() };
                        tx.revoke_credentials(Reach::Instance, &filter, RevokeReason::Unused, at(9), (None, 2)).await?;
                    }
                    tx.commit(event(Some(acme), Vec::new()), at(9), &mut rng()).await?;
                }
                Ok::<_, StoreError>(())
            });
        }
        while let Some(done) = tasks.join_next().await {
            done.unwrap().unwrap();
        }
    }

    async fn many_end_a_few_at_a_time_each_after_the_ones_before(db: &TestDb) {
        let world = World::stored(db).await;
        let more = [key(&world.ci, "second"), key(&world.ci, "third")];
        db.write(async |tx| {
            for key in &more {
                tx.insert_credential(key, &digest()).await?;
            }
            Ok(())
        })
        .await;
        let filter = CredentialFilter { principal: Some(world.ci.id.into()), ..CredentialFilter::default() };
        let end = async |after, most| {
            let mut ended = Vec::new();
            db.write(async |tx| {
                let reason = RevokeReason::Unspecified;
                ended = tx.revoke_credentials(Reach::Instance, &filter, reason, at(9), (after, most)).await?;
                Ok(())
            })
            .await;
            ended
        };
        let mut all = [world.key.id, more[0].id, more[1].id];
        all.sort_by_key(ToString::to_string);
        assert_eq!(end(Some(all[2]), 9).await, []);
        assert_eq!(end(Some(all[0]), 1).await, all[1..2]);
        assert_eq!(end(Some(all[1]), 9).await, all[2..]);
        assert_eq!(end(None, 9).await, all[..1], "those that ended before are left alone");
        assert_eq!(end(None, 9).await, []);
    }

    async fn lives_are_cut_a_few_at_a_time_and_only_those_that_are_too_long(db: &TestDb) {
        let world = World::stored(db).await;
        let ending = |end| Credential { expires_at: Some(at(end)), ..key(&world.ci, "ends") };
        let (short, long) = (ending(100), ending(900));
        db.write(async |tx| {
            for key in [&short, &long] {
                tx.insert_credential(key, &digest()).await?;
            }
            Ok(())
        })
        .await;
        let (acme, end) = (world.acme.id, at(500));
        let cut = async |overlong: Overlong, page| {
            let mut cut = 0;
            db.write(async |tx| {
                cut = tx.cut_lives(acme, Kind::ApiKey, overlong, at(9), page).await?.0.len();
                Ok(())
            })
            .await;
            cut
        };
        let (endless, all) = (Overlong { than: None, end }, Overlong { than: Some(end), end });
        assert_eq!((cut(endless, (None, 9)).await, cut(endless, (None, 9)).await), (1, 0));
        assert!(db.view().has_overlong(acme, Kind::ApiKey, all).await.unwrap());
        assert!(!db.view().has_overlong(world.globex.id, Kind::PersonalAccessToken, all).await.unwrap());
        assert_eq!(cut(all, (Some(long.id), 9)).await, 0, "it is not after itself");
        assert_eq!((cut(all, (None, 1)).await, cut(all, (None, 1)).await), (1, 0));
        assert!(!db.view().has_overlong(acme, Kind::ApiKey, all).await.unwrap());
        for (id, expected) in [(world.key.id, end), (short.id, at(100)), (long.id, end)] {
            assert_eq!(db.view().credential(id).await.unwrap().unwrap().expires_at, Some(expected));
        }
        assert_eq!(db.view().credential(world.strange_key.id).await.unwrap().unwrap().expires_at, None);
    }

    async fn what_is_withdrawn_while_a_fleet_gets_it_is_given_by_no_fleet(db: &TestDb) {
        let world = World::stored(db).await;
        let (gateways, declaring) = (fleet(&world.acme), api("https://raced.test", &["raced:read"]));
        db.write(async |tx| {
            tx.insert_api(&declaring).await?;
            tx.insert_fleet(&gateways, &[]).await
        })
        .await;
        let by = By::operator();
        let mut tx = db.store.begin(&by).await.unwrap();
        tx.to_change(Reach::Instance).fleet(gateways.id).await.unwrap();
        tx.lock_declaring(&["raced:read".to_owned()]).await.unwrap();
        tx.lock_grants(gateways.id).await.unwrap();
        assert!(tx.within(Reach::Instance).declared_permissions().await.unwrap().contains("raced:read"));
        let store = Arc::clone(&db.store);
        let withdrawing = tokio::spawn(async move {
            let by = By::operator();
            let mut tx = store.begin(&by).await?;
            tx.to_change(Reach::Instance).api(declaring.id).await?;
            tx.delete_api(declaring.id).await?;
            tx.commit(event(None, Vec::new()), at(0), &mut rng()).await
        });
        // It has all the time that it wants.
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        let read = Granted::Permission("raced:read".parse().unwrap());
        tx.change_grants(gateways.id, &[], std::slice::from_ref(&read)).await.unwrap();
        tx.commit(event(Some(world.acme.id), Vec::new()), at(0), &mut rng()).await.unwrap();
        withdrawing.await.unwrap().unwrap();
        assert!(!db.view().declared_permissions().await.unwrap().contains("raced:read"));
        assert_eq!(db.view().given_by_fleet(gateways.id).await.unwrap(), []);
        // Afterwards it is known that it is gone.
        db.write(async |tx| {
            tx.lock_declaring(&["raced:read".to_owned(), "never:declared".to_owned()]).await?;
            tx.lock_declaring(&[]).await
        })
        .await;
    }

    async fn rolling_and_counting_never_wait_for_each_other_in_a_circle(db: &TestDb) {
        let world = World::stored(db).await;
        let id = world.key.id;
        let newest = Arc::new(AtomicU32::new(1));
        let mut tasks = JoinSet::new();
        for task in 0..2 {
            let (store, newest) = (Arc::clone(&db.store), Arc::clone(&newest));
            tasks.spawn(async move {
                for round in 0..40 {
                    let used = LastUse { at: at(1000 + 2 * round + task), from: None };
                    let numbers = 1..=newest.load(Ordering::Relaxed);
                    let last_uses = numbers.map(|number| ((id, number), used.clone())).collect();
                    store.flush_usage(&mut UsageBatch { last_uses, ..UsageBatch::default() }, at(0), &mut rng()).await.unwrap();
                }
            });
        }
        for _ in 0..2 {
            let (store, newest) = (Arc::clone(&db.store), Arc::clone(&newest));
            tasks.spawn(async move {
                let by = By::operator();
                for _ in 0..20 {
                    let mut tx = store.begin(&by).await.unwrap();
                    let mut key = tx.to_change(Reach::Instance).credential(id).await.unwrap().unwrap();
                    let number = key.secrets[0].number + 1;
                    key.secrets[0].ends_at = Some(at(900));
                    key.secrets.insert(0, secret(number));
                    tx.save_rolled_credential(&key, &digest()).await.unwrap();
                    tx.commit(event(None, Vec::new()), at(0), &mut rng()).await.unwrap();
                    newest.fetch_max(number, Ordering::Relaxed);
                }
            });
        }
        while let Some(done) = tasks.join_next().await {
            done.unwrap();
        }
        let count = async |which: &str| {
            db.number(&format!("SELECT COUNT(DISTINCT number) FROM secret WHERE credential = '{id}' AND {which}")).await
        };
        // The current one, the one before in its overlap, and none alive before these.
        let ended = format!("ends_at < {}", at(900).as_millisecond());
        assert_eq!((count("ends_at IS NULL").await, count(&ended).await, count("1 = 1").await), (1, 39, 41));
    }
}

#[test]
fn on_postgres_revoking_a_key_does_not_wait_for_who_counts_its_uses() {
    run(Engine::Postgres, async |db| {
        let world = World::stored(db).await;
        let mut counting = PgConnection::connect(&db.url).await.unwrap();
        let update = format!("BEGIN; UPDATE secret SET hint = hint WHERE credential = '{}'", world.key.id);
        sqlx::raw_sql(sqlx::AssertSqlSafe(update)).execute(&mut counting).await.unwrap();
        // It would wait until its time is up.
        db.write(async |tx| {
            let key = tx.to_change(Reach::Instance).credential(world.key.id).await?.unwrap();
            tx.save_credential(&key.revoke(RevokeReason::Compromised, at(9)).unwrap().0).await
        })
        .await;
    });
}
