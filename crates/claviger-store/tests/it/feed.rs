//! The change feed: whom each change concerns, and that whoever follows loses none of them, whichever node they ask.

use std::{
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use claviger_core::{Assignment, Scope, Touched};
use claviger_store::{FeedCursor, LogCursor, Since, Store, Told};
use claviger_token::{AccessTokenId, ApiKeyId, Concerns, CredentialId, RoleId, ServiceAccountId, TypedId as _};
use sqlx::{Connection as _, PgConnection};
use tokio::task::JoinSet;

use crate::{
    db::{Engine, instant, write},
    sample::{World, at, event, of_role, rng, role},
};

/// Somebody who follows one node.
struct Follower<'a> {
    store: &'a Store,
    log: LogCursor,
    next: FeedCursor,
}

impl<'a> Follower<'a> {
    async fn new(store: &'a Store) -> Self {
        let log = store.log_cursor(instant()).await.unwrap();
        Self { store, log, next: store.feed().begun().next }
    }

    /// What came since.
    async fn hears(&mut self) -> Vec<Concerns> {
        self.store.follow_log(&mut self.log, instant()).await.unwrap();
        let Since::Changed(told) = self.store.feed().since(&self.next) else { panic!("afresh") };
        self.next = told.next;
        told.changes.into_iter().map(|change| change.concerns).collect()
    }
}

async fn touch(store: &Store, touched: &[Touched]) {
    write(store, event(None, touched.to_vec()), async |_| Ok(())).await.unwrap();
}

fn some_key() -> CredentialId {
    ApiKeyId::generate(at(0), &mut rng()).into()
}

on_both_databases! {
    async fn every_change_says_whom_it_concerns(db: &TestDb) {
        let world = World::stored(db).await;
        let (writers, strangers) = (role(None, "writers", "a:write"), role(None, "strangers", "b:read"));
        db.write(async |tx| {
            for (role, account, home) in [(&writers, &world.ci, &world.acme), (&strangers, &world.stranger, &world.globex)] {
                tx.insert_role(role).await?;
                tx.insert_assignment(&of_role(account, Scope::Organization(home.id), role)).await?;
            }
            Ok(())
        }).await;
        let (token, unlisted) = (AccessTokenId::generate(at(0), &mut rng()), AccessTokenId::generate(at(0), &mut rng()));
        db.write(async |tx| tx.revoke_access_token(token, world.key.id, at(1000), at(0)).await).await;
        let other = db.another_store().await;
        let mut follower = Follower::new(&other).await;
        let mut check = async |touched: Touched, concerned: &[Concerns]| {
            touch(&db.store, &[touched]).await;
            assert_eq!(follower.hears().await, concerned, "{touched:?}");
        };
        let (ci, stranger) = (world.ci.id.into(), world.stranger.id.into());
        check(Touched::Credential(world.key.id), &[Concerns::Credential(world.key.id)]).await;
        check(Touched::Principal(ci), &[Concerns::Principal(ci)]).await;
        check(Touched::Organization(world.acme.id), &[Concerns::Organization(world.acme.id)]).await;
        check(Touched::Role(writers.id), &[Concerns::Principal(ci)]).await;
        check(Touched::Role(strangers.id), &[Concerns::Principal(stranger)]).await;
        check(Touched::Role(RoleId::generate(at(0), &mut rng())), &[]).await;
        check(Touched::Catalog, &[Concerns::Everything]).await;
        check(Touched::SigningKeys, &[Concerns::SigningKeys]).await;
        check(Touched::AccessToken(token), &[Concerns::Credential(world.key.id)]).await;
        check(Touched::AccessToken(unlisted), &[]).await;
        db.tamper("INSERT INTO change_log (at, kind, id) VALUES (0, 'comet', 'x')").await;
        assert_eq!(follower.hears().await, [Concerns::Everything], "what only a later version knows may be anything");
    }

    async fn whoever_had_a_role_that_is_gone_is_named(db: &TestDb) {
        let world = World::stored(db).await;
        let writers = role(None, "writers", "a:write");
        db.write(async |tx| {
            tx.insert_role(&writers).await?;
            tx.insert_assignment(&of_role(&world.ci, Scope::Organization(world.acme.id), &writers)).await
        }).await;
        let other = db.another_store().await;
        let mut follower = Follower::new(&other).await;
        let deleted = event(None, vec![Touched::Role(writers.id)]);
        write(&db.store, deleted, async |tx| tx.delete_role(writers.id).await).await.unwrap();
        assert_eq!(follower.hears().await, [Concerns::Principal(world.ci.id.into())]);
    }

    async fn a_role_that_very_many_have_is_told_by_what_is_shorter(db: &TestDb) {
        let world = World::stored(db).await;
        let (own, shared) = (role(Some(&world.acme), "own", "a:write"), role(None, "shared", "a:write"));
        db.write(async |tx| {
            for role in [&own, &shared] {
                tx.insert_role(role).await?;
                for _ in 0..1001 {
                    let principal = ServiceAccountId::generate(at(0), &mut rng()).into();
                    let assignment = of_role(&world.ci, Scope::Organization(world.acme.id), role);
                    tx.insert_assignment(&Assignment { principal, ..assignment }).await?;
                }
            }
            Ok(())
        }).await;
        let other = db.another_store().await;
        let mut follower = Follower::new(&other).await;
        touch(&db.store, &[Touched::Role(own.id)]).await;
        assert_eq!(follower.hears().await, [Concerns::Organization(world.acme.id)]);
        touch(&db.store, &[Touched::Role(shared.id)]).await;
        assert_eq!(follower.hears().await, [Concerns::Everything]);
    }

    async fn another_database_and_a_restored_backup_are_recognised(db: &TestDb) {
        touch(&db.store, &[Touched::Catalog, Touched::Catalog]).await;
        let (here, there) = (db.another_store().await, db.another_store().await);
        let mut follower = Follower::new(&here).await;
        let mut log = there.log_cursor(instant()).await.unwrap();
        // The past comes back, and goes on otherwise: the same number, at another time.
        let last = db.number("SELECT MAX(seq) FROM change_log").await;
        db.tamper(&format!("UPDATE change_log SET at = 77 WHERE seq = {last}")).await;
        let mark = there.changes().mark();
        there.follow_log(&mut log, instant()).await.unwrap();
        assert!(!there.changes().hold_since(mark, [Touched::Catalog]), "all is void there");
        assert!(matches!(there.feed().since(&follower.next), Since::Unknown(_)), "not recognised by a node that runs");
        let restarted = db.another_store().await;
        let _cursor = restarted.log_cursor(instant()).await.unwrap();
        let Since::Unknown(Told { next, .. }) = restarted.feed().since(&follower.next) else { panic!("not recognised") };
        assert!(matches!(restarted.feed().since(&next), Since::Changed(_)));
        // Or it ends before.
        db.tamper(&format!("DELETE FROM change_log WHERE seq = {last}")).await;
        follower.store.follow_log(&mut follower.log, instant()).await.unwrap();
        assert_eq!(here.feed().since(&follower.next), Since::Behind);
        assert_eq!(here.changes().position(), last - 1);
    }

    async fn a_jump_beyond_what_can_be_open_voids_everything(db: &TestDb) {
        touch(&db.store, &[Touched::Catalog]).await;
        let other = db.another_store().await;
        let mut follower = Follower::new(&other).await;
        let (mark, key) = (other.changes().mark(), Touched::Credential(some_key()));
        // What was written and taken back leaves numbers out.
        let skip = async |count: usize| {
            let rows = vec!["(0, 'organization', 'x')"; count].join(", ");
            db.tamper(&format!("INSERT INTO change_log (at, kind, id) VALUES {rows}")).await;
            let newest = "(SELECT * FROM (SELECT MAX(seq) FROM change_log) AS newest)";
            db.tamper(&format!("DELETE FROM change_log WHERE id = 'x' AND seq <> {newest}")).await;
        };
        skip(4001).await;
        follower.hears().await;
        assert!(other.changes().hold_since(mark, [key]), "those are waited for");
        skip(4002).await;
        other.follow_log(&mut follower.log, instant()).await.unwrap();
        assert!(!other.changes().hold_since(mark, [key]));
        assert!(matches!(other.feed().since(&follower.next), Since::Unknown(_)));
    }

    async fn roles_and_tokens_that_are_named_again_and_again_are_looked_up_once(db: &TestDb) {
        let world = World::stored(db).await;
        let roles: Vec<_> = (0..30).map(|number| role(None, &format!("role{number}"), "a:write")).collect();
        let tokens: Vec<_> = (0..700).map(|_| (AccessTokenId::generate(at(0), &mut rng()), some_key())).collect();
        for role in &roles {
            db.write(async |tx| {
                tx.insert_role(role).await?;
                for _ in 0..700 {
                    let principal = ServiceAccountId::generate(at(0), &mut rng()).into();
                    let assignment = of_role(&world.ci, Scope::Organization(world.acme.id), role);
                    tx.insert_assignment(&Assignment { principal, ..assignment }).await?;
                }
                Ok(())
            }).await;
        }
        for some in tokens.chunks(100) {
            db.write(async |tx| {
                for (token, key) in some {
                    tx.revoke_access_token(*token, *key, at(1000), at(0)).await?;
                }
                Ok(())
            }).await;
        }
        let other = db.another_store().await;
        let mut follower = Follower::new(&other).await;
        let both = |role: &claviger_core::Role| [Touched::Role(role.id), Touched::Role(role.id)];
        touch(&db.store, &both(&roles[0])).await;
        assert_eq!(follower.hears().await.len(), 700, "at the last number alone");
        touch(&db.store, &tokens.iter().map(|(token, _)| Touched::AccessToken(*token)).collect::<Vec<_>>()).await;
        assert_eq!(follower.hears().await, tokens.iter().map(|(_, key)| Concerns::Credential(*key)).collect::<Vec<_>>());
        // More than is worth it.
        touch(&db.store, &roles.iter().map(|role| Touched::Role(role.id)).collect::<Vec<_>>()).await;
        assert_eq!(follower.hears().await, vec![Concerns::Everything; 30]);
    }

    async fn the_position_is_that_before_which_every_change_is_named(db: &TestDb) {
        let other = db.another_store().await;
        assert_eq!(other.changes().position(), 0);
        let mut log = other.log_cursor(instant()).await.unwrap();
        let before = other.changes().position();
        let key = Touched::Credential(some_key());
        let mark = other.changes().mark();
        touch(&db.store, &[key]).await;
        assert_eq!(other.changes().position(), before);
        other.follow_log(&mut log, instant()).await.unwrap();
        assert!(other.changes().position() > before && !other.changes().hold_since(mark, [key]));
        // While a number is missing nothing above it counts.
        let settled = other.changes().position();
        touch(&db.store, &[Touched::Catalog, Touched::Catalog]).await;
        let gap = db.number("SELECT MAX(seq) - 1 FROM change_log").await;
        db.tamper(&format!("DELETE FROM change_log WHERE seq = {gap}")).await;
        let now = instant();
        other.follow_log(&mut log, now).await.unwrap();
        assert_eq!(other.changes().position(), settled);
        other.follow_log(&mut log, now + Duration::from_secs(10)).await.unwrap();
        assert_eq!(other.changes().position(), gap + 1);
    }

    async fn a_hundred_thousand_names_at_once_all_arrive(db: &TestDb) {
        let other = db.another_store().await;
        let mut follower = Follower::new(&other).await;
        let keys: Vec<CredentialId> = (0..100_000).map(|_| some_key()).collect();
        for some in keys.chunks(1000) {
            let rows: Vec<String> = some.iter().map(|key| format!("(0, 'credential', '{key}')")).collect();
            db.tamper(&format!("INSERT INTO change_log (at, kind, id) VALUES {}", rows.join(", "))).await;
        }
        let mut heard = HashSet::new();
        loop {
            let page = follower.hears().await;
            assert!(page.len() <= 5000);
            if page.is_empty() {
                break;
            }
            heard.extend(page);
        }
        assert_eq!(heard, keys.into_iter().map(Concerns::Credential).collect());
    }

    async fn nothing_is_lost_between_three_nodes_whose_writers_race(db: &TestDb) {
        let stores: Vec<Arc<Store>> = {
            let mut stores = vec![Arc::clone(&db.store)];
            for _ in 0..2 {
                stores.push(Arc::new(db.another_store().await));
            }
            stores
        };
        let done = Arc::new(AtomicBool::new(false));
        let mut nodes = JoinSet::new();
        for store in &stores {
            let mut log = store.log_cursor(instant()).await.unwrap();
            let (store, done) = (Arc::clone(store), Arc::clone(&done));
            nodes.spawn(async move {
                while !done.load(Ordering::Relaxed) {
                    store.follow_log(&mut log, instant()).await.unwrap();
                    tokio::time::sleep(Duration::from_millis(7)).await;
                }
            });
        }
        let begun = stores[0].feed().begun().next;
        let mut writers = JoinSet::new();
        for number in 0..6 {
            let (store, url, engine) = (Arc::clone(&stores[number % 3]), db.url.clone(), db.engine);
            writers.spawn(async move {
                let mut written = Vec::new();
                for round in 0..25 {
                    let keys: Vec<CredentialId> = (0..3).map(|_| some_key()).collect();
                    let touched: Vec<Touched> = keys.iter().copied().map(Touched::Credential).collect();
                    if engine == Engine::Postgres && round % 5 == 0 {
                        // One that takes its number early and ends late, or takes it for nothing.
                        let mut slow = PgConnection::connect(&url).await.unwrap();
                        let key = some_key();
                        let insert = format!("BEGIN; INSERT INTO change_log (at, kind, id) VALUES (0, 'credential', '{key}')");
                        sqlx::raw_sql(sqlx::AssertSqlSafe(insert)).execute(&mut slow).await.unwrap();
                        touch(&store, &touched).await;
                        let end = if round % 2 == 0 { "COMMIT" } else { "ROLLBACK" };
                        sqlx::raw_sql(end).execute(&mut slow).await.unwrap();
                        written.extend((round % 2 == 0).then_some(key));
                    } else {
                        touch(&store, &touched).await;
                    }
                    written.extend(keys);
                }
                written
            });
        }
        let follower = tokio::spawn({
            let (stores, done) = (stores.clone(), Arc::clone(&done));
            async move {
                let (mut next, mut heard) = (begun, HashSet::new());
                let mut hop = 0;
                while !done.load(Ordering::Relaxed) {
                    hop += 1;
                    let feed = stores[hop % 3].feed();
                    match feed.since(&next) {
                        Since::Changed(told) => {
                            next = told.next.to_string().parse().unwrap();
                            heard.extend(told.changes.into_iter().map(|change| change.concerns));
                        }
                        Since::Behind => feed.read_again().await,
                        Since::Unknown(_) => panic!("afresh: {next}"),
                    }
                    tokio::time::sleep(Duration::from_millis(3)).await;
                }
                heard
            }
        });
        let written: Vec<CredentialId> = writers.join_all().await.into_iter().flatten().collect();
        tokio::time::sleep(Duration::from_millis(500)).await;
        done.store(true, Ordering::Relaxed);
        nodes.join_all().await;
        let heard = follower.await.unwrap();
        let lost: Vec<_> = written.iter().filter(|key| !heard.contains(&Concerns::Credential(**key))).collect();
        assert!(lost.is_empty(), "{} of {} lost", lost.len(), written.len());
    }
}
