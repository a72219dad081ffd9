//! Reports of use: by hour and day, of what and whom, the busiest, and which permissions are asked for.

use claviger_core::{Kind, Reach};
use claviger_store::{Counted, UsageBatch, UsageFilter, UsageKept};
use claviger_token::{CredentialId, OrganizationId};
use jiff::{SignedDuration, Timestamp};

use crate::{
    db::TestDb,
    sample::{World, at, client_key, digest, key, public_key, rng},
};

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;

fn moment(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(ms).unwrap()
}

/// When the day of the sample's time begins.
fn day() -> i64 {
    at(0).as_millisecond() / DAY_MS * DAY_MS
}

/// The start of an hour, counted from there.
fn hour(number: i64) -> i64 {
    day() + number * HOUR_MS
}

fn everything() -> UsageFilter<'static> {
    UsageFilter {
        credential: None,
        principal: None,
        organization: None,
        what: None,
        counted: Counted::CodesByHour,
        from: moment(day()),
        to: moment(hour(48)),
    }
}

/// Two days of use of both keys.
async fn used(db: &TestDb) -> World {
    let world = World::stored(db).await;
    let (id, other): (CredentialId, CredentialId) = (world.key.id, world.strange_key.id);
    let (acme, globex) = (world.acme.id, world.globex.id);
    let permission = |text: &str| text.parse().unwrap();
    let mut batch = UsageBatch {
        hours: [
            ((acme, id, hour(0), "valid"), 1),
            ((acme, id, hour(1), "valid"), 2),
            ((acme, id, hour(1), "expired"), 3),
            ((acme, id, hour(24), "valid"), 4),
            ((globex, other, hour(1), "valid"), 5),
        ]
        .into(),
        permission_days: [
            ((id, day(), permission("a:read")), 6),
            ((id, hour(24), permission("a:read")), 7),
            ((id, hour(24), permission("a:write")), 1),
        ]
        .into(),
        ..UsageBatch::default()
    };
    db.store.flush_usage(&mut batch, at(0), &mut rng()).await.unwrap();
    world
}

on_both_databases! {
    async fn tokens_are_told_of_the_client_that_got_them_and_are_no_use(db: &TestDb) {
        let world = World::stored(db).await;
        let (ci, bot) = (world.ci.id, world.stranger.id);
        let mut batch = UsageBatch::default();
        for (client, number, grant, tokens) in [
            (ci, 0, "client_credentials", 2),
            (ci, 1, "client_credentials", 3),
            (ci, 1, "token_exchange", 1),
            (ci, 24, "client_credentials", 4),
            (bot, 1, "client_credentials", 9),
        ] {
            batch.count_issued(client, moment(hour(number) + 5), grant, tokens);
        }
        assert_eq!(batch.rows(), 5);
        for _ in 0..2 {
            db.store.flush_usage(&mut batch.clone(), at(0), &mut rng()).await.unwrap();
        }
        let check = async |reach: Reach, filter: UsageFilter<'_>, expected: &[(i64, &str, i64)]| {
            let told = db.store.within(reach).issued(&filter, 100).await.unwrap().unwrap();
            let told: Vec<_> = told.iter().map(|one| (one.start.as_millisecond(), one.what.as_str(), one.uses)).collect();
            assert_eq!(told, expected, "{filter:?}");
        };
        let hours = UsageFilter { principal: Some(ci.into()), counted: Counted::GrantsByHour, ..everything() };
        let by_hour = [
            (hour(0), "client_credentials", 4),
            (hour(1), "client_credentials", 6),
            (hour(1), "token_exchange", 2),
            (hour(24), "client_credentials", 8),
        ];
        let by_day = [(day(), "client_credentials", 10), (day(), "token_exchange", 2), (hour(24), "client_credentials", 8)];
        let days = UsageFilter { counted: Counted::GrantsByDay, ..hours };
        check(Reach::Instance, hours, &by_hour).await;
        check(Reach::Organization(world.acme.id), days, &by_day).await;
        check(Reach::Instance, UsageFilter { what: Some("token_exchange"), ..days }, &by_day[1..2]).await;
        check(Reach::Instance, UsageFilter { from: moment(hour(24)), ..hours }, &by_hour[3..]).await;
        check(Reach::Instance, UsageFilter { organization: Some(world.acme.id), ..days }, &by_day).await;
        // Neither others nor what counts something else tell of them.
        check(Reach::Organization(world.globex.id), hours, &[]).await;
        check(Reach::Instance, UsageFilter { organization: Some(world.globex.id), ..days }, &[]).await;
        check(Reach::Instance, UsageFilter { counted: Counted::CodesByDay, ..days }, &[]).await;
        check(Reach::Instance, UsageFilter { principal: None, ..days }, &[]).await;
        for filter in [everything(), hours, days, UsageFilter { counted: Counted::CodesByDay, ..days }] {
            let mut view = db.view();
            assert_eq!(view.usage(&filter, 100).await.unwrap(), Some(vec![]));
            assert_eq!(view.organization_usage(&filter, 100).await.unwrap(), Some(vec![]));
        }
        assert_eq!(db.view().issued(&hours, 3).await.unwrap(), None);
        // Hours that became days are told with them, and go when days do.
        let now = moment(hour(48));
        let kept = |hours, days| UsageKept { hours: SignedDuration::from_hours(hours), days: SignedDuration::from_hours(days) };
        while db.store.keep_usage(kept(24, 400 * 24), now).await.unwrap() > 0 {}
        check(Reach::Instance, days, &by_day).await;
        check(Reach::Instance, hours, &by_hour[3..]).await;
        assert_eq!(db.view().hours_since(kept(400, 400 * 24), now).await.unwrap(), moment(hour(24)));
        while db.store.keep_usage(kept(24, 24), now).await.unwrap() > 0 {}
        check(Reach::Instance, days, &by_day[2..]).await;
    }

    async fn a_report_counts_by_hour_or_day_within_its_reach(db: &TestDb) {
        let world = used(db).await;
        let (id, other): (CredentialId, CredentialId) = (world.key.id, world.strange_key.id);
        let (day, all) = (day(), everything());
        let check = async |reach: Reach, filter: UsageFilter<'_>, expected: &[(i64, CredentialId, &str, i64)]| {
            let used = db.store.within(reach).usage(&filter, 100).await.unwrap().unwrap();
            let used = used.iter().map(|used| (used.start.as_millisecond(), used.id, used.what.as_str(), used.uses));
            let mut used: Vec<_> = used.collect();
            used.sort_by_key(|(start, credential, what, _)| (*start, *credential == other, *what));
            assert_eq!(used, expected, "{filter:?}");
        };
        let of_acme = [
            (hour(0), id, "valid", 1), (hour(1), id, "expired", 3), (hour(1), id, "valid", 2), (hour(24), id, "valid", 4),
        ];
        let strange = (hour(1), other, "valid", 5);
        check(Reach::Instance, all, &[&of_acme[..3], &[strange], &of_acme[3..]].concat()).await;
        check(Reach::Organization(world.acme.id), all, &of_acme).await;
        check(Reach::Instance, UsageFilter { organization: Some(world.acme.id), ..all }, &of_acme).await;
        check(Reach::Instance, UsageFilter { credential: Some(other), ..all }, &[strange]).await;
        check(Reach::Instance, UsageFilter { principal: Some(world.stranger.id.into()), ..all }, &[strange]).await;
        check(Reach::Instance, UsageFilter { what: Some("expired"), ..all }, &of_acme[1..2]).await;
        check(Reach::Organization(world.acme.id), UsageFilter { credential: Some(other), ..all }, &[]).await;
        let strangers = UsageFilter { principal: Some(world.stranger.id.into()), ..all };
        check(Reach::Organization(world.acme.id), strangers, &[]).await;
        // An hour belongs to the time in which it starts; the end is left out.
        check(Reach::Instance, UsageFilter { from: moment(hour(24)), ..all }, &of_acme[3..]).await;
        check(Reach::Instance, UsageFilter { from: moment(hour(24) + 1), ..all }, &[]).await;
        check(Reach::Instance, UsageFilter { to: moment(1 + hour(1)), organization: Some(world.acme.id), ..all }, &of_acme[..3]).await;
        check(Reach::Instance, UsageFilter { to: moment(hour(1)), ..all }, &of_acme[..1]).await;
        let days = UsageFilter { credential: Some(id), counted: Counted::CodesByDay, ..all };
        check(Reach::Instance, days, &[(day, id, "expired", 3), (day, id, "valid", 3), (hour(24), id, "valid", 4)]).await;
        check(Reach::Instance, UsageFilter { from: moment(hour(1)), ..days }, &[(hour(24), id, "valid", 4)]).await;
        let permissions = UsageFilter { counted: Counted::PermissionsByDay, ..all };
        let reads = [(day, id, "a:read", 6), (hour(24), id, "a:read", 7)];
        check(Reach::Instance, permissions, &[&reads[..], &[(hour(24), id, "a:write", 1)]].concat()).await;
        check(Reach::Instance, UsageFilter { what: Some("a:read"), ..permissions }, &reads).await;
        // What would be cut off is not told at all.
        assert_eq!(db.view().usage(&all, 4).await.unwrap(), None);
        assert_eq!(db.view().usage(&all, 5).await.unwrap().unwrap().len(), 5);
    }

    async fn an_organization_is_told_as_a_whole_within_reach(db: &TestDb) {
        let world = used(db).await;
        let (acme, globex) = (world.acme.id, world.globex.id);
        let all = UsageFilter { counted: Counted::CodesByDay, ..everything() };
        let check = async |reach: Reach, filter: UsageFilter<'_>, expected: &[(i64, OrganizationId, &str, i64)]| {
            let used = db.store.within(reach).organization_usage(&filter, 100).await.unwrap().unwrap();
            let mut used: Vec<_> =
                used.iter().map(|used| (used.start.as_millisecond(), used.id, used.what.as_str(), used.uses)).collect();
            used.sort_by_key(|(start, id, what, _)| (*start, *id == globex, *what));
            assert_eq!(used, expected, "{filter:?}");
        };
        let of_acme = [(day(), acme, "expired", 3), (day(), acme, "valid", 3), (hour(24), acme, "valid", 4)];
        let of_globex = (day(), globex, "valid", 5);
        check(Reach::Instance, all, &[&of_acme[..2], &[of_globex], &of_acme[2..]].concat()).await;
        check(Reach::Organization(acme), all, &of_acme).await;
        check(Reach::Instance, UsageFilter { organization: Some(globex), ..all }, &[of_globex]).await;
        check(Reach::Organization(acme), UsageFilter { organization: Some(globex), ..all }, &[]).await;
        let hours = UsageFilter { counted: Counted::CodesByHour, what: Some("valid"), ..all };
        let by_hour = [(hour(0), acme, "valid", 1), (hour(1), acme, "valid", 2), (hour(24), acme, "valid", 4)];
        check(Reach::Organization(acme), hours, &by_hour).await;
    }

    async fn a_report_that_would_read_too_much_is_none(db: &TestDb) {
        let world = World::stored(db).await;
        db.tamper(&format!("INSERT INTO usage_hour (credential, hour, code, uses)
                            WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 250000)
                            SELECT '{}', {} + i % 24 * {HOUR_MS}, 'c' || i, 1 FROM n", world.key.id, day())).await;
        let filter = UsageFilter { counted: Counted::CodesByDay, ..everything() };
        assert_eq!(db.view().usage(&filter, 300_000).await.unwrap(), None);
        // What is left out is read as well; a shorter time is not.
        let one = UsageFilter { what: Some("c7"), ..filter };
        assert_eq!(db.view().usage(&one, 10).await.unwrap(), None);
        let hours = UsageFilter { from: moment(hour(7)), to: moment(hour(8)), counted: Counted::CodesByHour, ..one };
        assert_eq!(db.view().usage(&hours, 10).await.unwrap().unwrap().len(), 1);
        let none = UsageFilter { what: Some("c8"), ..hours };
        assert_eq!(db.view().usage(&none, 10).await.unwrap(), Some(vec![]));
        assert_eq!(db.view().usage(&UsageFilter { what: Some("a\0"), ..hours }, 10).await.unwrap(), Some(vec![]));
        assert_eq!(db.view().usage(&UsageFilter { organization: Some(world.acme.id), ..one }, 10).await.unwrap(), None);
        let elsewhere = UsageFilter { organization: Some(world.globex.id), ..one };
        assert_eq!(db.view().usage(&elsewhere, 10).await.unwrap(), Some(vec![]));
    }

    async fn credentials_that_were_not_used_are_looked_up_all_the_same(db: &TestDb) {
        let world = World::stored(db).await;
        db.tamper(&format!("INSERT INTO credential (id, kind, organization, principal, name, environment, permissions, epoch,
                                                    metadata, created_at, created_by)
                            WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 250000)
                            SELECT 'key_' || i, kind, organization, principal, name, environment, permissions, epoch, metadata,
                                   created_at, created_by FROM n CROSS JOIN credential WHERE id = '{}'", world.key.id)).await;
        let all = UsageFilter { organization: Some(world.acme.id), ..everything() };
        assert_eq!(db.view().usage(&all, 10).await.unwrap(), None);
        assert_eq!(db.view().usage(&UsageFilter { credential: Some(world.key.id), ..all }, 10).await.unwrap(), Some(vec![]));
        assert_eq!(db.view().organization_usage(&all, 10).await.unwrap(), Some(vec![]));
    }

    async fn the_busiest_are_found_by_days_and_told_exactly(db: &TestDb) {
        let world = World::stored(db).await;
        let acme = world.acme.id;
        let others: Vec<_> = (0..30).map(|number| key(&world.ci, &format!("k{number}"))).collect();
        db.write(async |tx| {
            for one in &others {
                tx.insert_credential(one, &digest()).await?;
            }
            Ok(())
        }).await;
        let mut batch = UsageBatch::default();
        for (number, one) in others.iter().enumerate() {
            batch.count((acme, one.id), moment(hour(1)), "valid", 10 + number as u64);
        }
        batch.count((acme, world.key.id), moment(hour(1)), "valid", 1000);
        batch.count((acme, world.key.id), moment(hour(30)), "expired", 5);
        batch.count((world.globex.id, world.strange_key.id), moment(hour(1)), "valid", 9999);
        db.store.flush_usage(&mut batch, at(0), &mut rng()).await.unwrap();
        let busiest = async |reach, from: i64, limit| {
            let found = db.store.within(reach).busiest(acme, &Kind::ALL, moment(from), moment(hour(31)), limit).await.unwrap();
            found.into_iter().map(|(id, uses)| (id == world.key.id, uses)).collect::<Vec<_>>()
        };
        assert_eq!(busiest(Reach::Instance, day(), 3).await, []);
        db.store.flush_ranks(&mut batch.ranks).await.unwrap();
        assert!(batch.ranks.is_empty());
        assert_eq!(busiest(Reach::Organization(acme), day(), 3).await, [(true, 1005), (false, 39), (false, 38)]);
        // The time begins with its hour, though they are found by the day.
        assert_eq!(busiest(Reach::Instance, hour(2), 3).await, [(true, 5)]);
        assert_eq!(busiest(Reach::Organization(world.globex.id), day(), 3).await, []);
        let of_kind = async |kind| db.view().busiest(acme, &[kind], moment(day()), moment(hour(31)), 99).await.unwrap().len();
        assert_eq!((of_kind(Kind::ApiKey).await, of_kind(Kind::PublicKey).await), (20, 0));
        assert_eq!(db.view().busiest(acme, &[], moment(day()), moment(hour(31)), 3).await.unwrap(), []);
        // The same once hours are days.
        let kept = UsageKept { hours: SignedDuration::ZERO, ..UsageKept::default() };
        db.store.keep_usage(kept, moment(hour(48))).await.unwrap();
        assert_eq!(busiest(Reach::Instance, day(), 2).await, [(true, 1005), (false, 39)]);
        db.write(async |tx| tx.save_credential(&world.key.clone().delete(at(9)).0).await).await;
        assert_eq!(busiest(Reach::Instance, day(), 2).await, [(false, 39), (false, 38)]);
    }

    async fn the_busiest_of_a_kind_are_found_among_many_that_are_busier(db: &TestDb) {
        let world = World::stored(db).await;
        const JWK: &str = r#"{"jwk":{"alg":"EdDSA","crv":"Ed25519","kid":"1","kty":"OKP","use":"sig","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}}"#;
        let busier: Vec<_> = (0..30).map(|number| public_key(&world.ci, &format!("k{number}"))).collect();
        db.write(async |tx| {
            for one in &busier {
                tx.insert_public_key(one, &client_key(JWK)).await?;
            }
            Ok(())
        }).await;
        let mut batch = UsageBatch::default();
        for id in busier.iter().map(|one| one.id).chain([world.key.id]) {
            batch.count((world.acme.id, id), moment(hour(1)), "valid", if id == world.key.id { 1 } else { 50 });
        }
        db.store.flush_usage(&mut batch, at(0), &mut rng()).await.unwrap();
        db.store.flush_ranks(&mut batch.ranks).await.unwrap();
        let busiest = db.view().busiest(world.acme.id, &[Kind::ApiKey], moment(day()), moment(hour(2)), 5).await.unwrap();
        assert_eq!(busiest, [(world.key.id, 1)]);
    }

    async fn which_permissions_were_asked_is_told_within_reach(db: &TestDb) {
        let world = used(db).await;
        let ids = [world.key.id, world.strange_key.id];
        let asked = async |reach, from| {
            let asked = db.store.within(reach).permissions_asked(&ids, moment(from)).await.unwrap();
            let of = |id: &CredentialId| asked.get(id).map(|all| all.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "));
            ids.each_ref().map(of)
        };
        assert_eq!(asked(Reach::Instance, day()).await, [Some("a:read a:write".to_owned()), None]);
        assert_eq!(asked(Reach::Instance, hour(30)).await, [Some("a:read a:write".to_owned()), None]);
        assert_eq!(asked(Reach::Instance, hour(48)).await, [None, None]);
        assert_eq!(asked(Reach::Organization(world.globex.id), day()).await, [None, None]);
        assert!(db.view().permissions_asked(&[], moment(0)).await.unwrap().is_empty());
    }
}
