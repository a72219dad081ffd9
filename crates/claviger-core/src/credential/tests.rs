//! Each rule of a credential as a table.

use claviger_token::{Quota, QuotaPeriod, RateLimit, ServiceAccountId, TypedId as _};
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::{
    api_key::NewApiKey,
    audit::Action,
    fixtures::{World, at, lets_through, mask, now, rng, said, set, uses},
    policy::{Kind, Policy},
    rights::Grantor,
};

fn issue(world: &World, members: serde_json::Value) -> Result<Issued, Rejection> {
    let context = world.asked_by(Grantor::Operator);
    world.new_key(members).issue(&context, "operator".to_owned(), now(), &mut rng())
}

fn changes(members: serde_json::Value) -> CredentialChanges {
    serde_json::from_value(members).unwrap()
}

fn update(world: &World, key: &Credential, members: serde_json::Value) -> Result<(Credential, Event), Rejection> {
    key.clone().update(changes(members), &world.asked_by(Grantor::Operator), "operator".to_owned(), now())
}

fn roll(key: Credential, overlap_seconds: u32, seconds: i64) -> Result<Issued, Rejection> {
    let mut rng = <rand::rngs::StdRng as rand::SeedableRng>::seed_from_u64(seconds.unsigned_abs() + 2);
    key.roll(overlap_seconds, &World::new().asked_by(Grantor::Operator), "roller".to_owned(), at(seconds), &mut rng)
}

#[test]
fn every_wrong_member_is_named_with_its_rule() {
    let world = World::new();
    let check = |members, expected: &str| assert_eq!(said(&issue(&world, members)), expected);
    check(json!({}), "ok");
    check(json!({ "permissions": [] }), "ok");
    check(json!({ "permissions": ["*", "claviger:*"] }), "ok");
    check(json!({ "name": "" }), "/name invalid_name");
    check(json!({ "permissions": ["invoices:read", "in voices"] }), "/permissions/1 invalid_permission");
    check(json!({ "permissions": ["invoices:read", "invoices:*"] }), "/permissions/1 invalid_permission");
    check(json!({ "permissions": ["nobody:declares"] }), "/permissions/0 unknown_permission");
    check(json!({ "permissions": ["invoices:read", "bases:read"] }), "/permissions/1 permission_not_held");
    check(json!({ "permissions": ["claviger:apis:write"] }), "/permissions/0 permission_not_held"); // above the ceiling
    check(json!({ "objects": ["base:app7", "base"] }), "/objects/1 invalid_object");
    check(json!({ "objects": [] }), "/objects/0 invalid_object");
    check(json!({ "allowed_networks": ["10.0.0.0/8", "x"] }), "/allowed_networks/1 invalid_network");
    check(json!({ "metadata": [] }), "/metadata invalid_metadata");
    check(json!({ "expires_at": now() }), "/expires_at in_the_past");
    check(json!({ "expires_at": at(1) }), "ok");
    check(json!({ "expires_at": at(9), "not_before": at(9) }), "/not_before after_expiry");
    check(json!({ "expires_at": at(9), "not_before": at(8) }), "ok");
    check(
        json!({ "name": " ", "objects": ["*"], "metadata": 1, "expires_at": at(-1) }),
        "/name invalid_name, /objects/0 invalid_object, /metadata invalid_metadata, /expires_at in_the_past",
    );
}

#[test]
fn a_body_without_permissions_or_with_an_unknown_member_is_no_request() {
    let check = |members: serde_json::Value, expected: bool| {
        let id = World::new().service_account.id;
        let mut body = json!({ "service_account_id": id, "name": "production" });
        body.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        assert_eq!(serde_json::from_value::<NewApiKey>(body).is_ok(), expected, "{members}");
    };
    check(json!({ "permissions": [] }), true);
    check(json!({}), false);
    check(json!({ "permissions": null }), false);
    check(json!({ "permissions": [], "epoch": 9 }), false);
    check(json!({ "permissions": [], "environment": "production" }), false);
}

#[test]
fn policy_bounds_what_is_issued() {
    let mut world = World::new();
    let mut check = |policy: Policy, members, expected: &str| {
        world.organization.policy = policy;
        assert_eq!(said(&issue(&world, members)), expected);
    };
    let day = 24 * 60 * 60;
    let bounded = || Policy { api_key_max_lifetime_days: Some(2), ..Policy::default() };
    check(bounded(), json!({}), "/expires_at expiry_required");
    check(bounded(), json!({ "expires_at": at(2 * day) }), "ok");
    check(bounded(), json!({ "expires_at": at(2 * day + 1) }), "/expires_at lifetime_too_long");
    let required = || Policy { expiry_required: true, ..Policy::default() };
    check(required(), json!({}), "/expires_at expiry_required");
    check(required(), json!({ "expires_at": at(9999 * day) }), "ok");
    let by_name = || Policy { wildcard_allowed: false, ..Policy::default() };
    check(by_name(), json!({ "permissions": ["invoices:read", "*"] }), "/permissions/1 wildcard_forbidden");
    check(by_name(), json!({ "permissions": ["claviger:*"] }), "/permissions/0 wildcard_forbidden");
    let of_kinds = |kinds: &[Kind]| Policy { allowed_kinds: Some(kinds.to_vec()), ..Policy::default() };
    check(of_kinds(&[]), json!({}), "conflict kind_not_allowed");
    check(of_kinds(&[Kind::ClientSecret]), json!({ "name": "" }), "conflict kind_not_allowed");
    check(of_kinds(&[Kind::ApiKey]), json!({}), "ok");
}

#[test]
fn an_issued_key_is_what_was_asked_for_and_its_event_tells_no_secret() {
    let world = World::new();
    let members = json!({
        "permissions": ["invoices:read", "*"], "objects": ["base:app7"], "environment": "test", "not_before": at(1),
        "expires_at": at(9), "allowed_networks": ["10.0.0.0/8"], "metadata": { "team": "a" },
        "rate_limits": [{ "name": "default", "limit": 10, "window_seconds": 60 }], "quota": { "limit": 9, "period": "day" },
    });
    let Issued { credential: key, secret, event } = issue(&world, members).unwrap();
    let hint = secret.hint();
    let first = SecretRecord {
        number: 1,
        hint,
        created_at: now(),
        ends_at: None,
        last_used_at: None,
        last_used_from: None,
        created_by: "operator".to_owned(),
    };
    let expected = Credential {
        id: key.id,
        organization: world.organization.id,
        principal: world.service_account.id.into(),
        name: Name::parse("production").unwrap(),
        environment: Environment::Test,
        permissions: mask("* invoices:read"),
        objects: Some(ObjectSet::parse(["base:app7"]).unwrap()),
        networks: Some(NetworkSet::parse(["10.0.0.0/8"]).unwrap()),
        not_before: Some(at(1)),
        expires_at: Some(at(9)),
        disabled_at: None,
        disabled_by: None,
        revocation: None,
        approval: None,
        confirmation: None,
        epoch: 1,
        epoch_raised_at: None,
        limits: limits(10, 9),
        metadata: Metadata::parse(&json!({ "team": "a" })).unwrap(),
        created_at: now(),
        created_by: "operator".to_owned(),
        deleted_at: None,
        used_without_secret: None,
        secrets: vec![first],
    };
    assert_eq!(key, expected);
    assert!(secret.expose().starts_with("clv_testkey_"));
    assert_eq!((event.action, event.chain), (Action::ApiKeyCreated, Chain::Organization(world.organization.id)));
    assert_eq!((event.target, event.touched), (key.id.to_string(), vec![Touched::Credential(key.id)]));
    assert!(!event.details.to_string().contains(secret.expose()));
    assert!(issue(&world, json!({})).unwrap().secret.expose().starts_with("clv_key_"));
}

fn limits(limit: u32, quota: u64) -> Limits {
    let rate = RateLimit { name: "default".to_owned(), limit, window_seconds: 60 };
    Limits { rates: vec![rate], quota: Some(Quota { limit: quota, period: QuotaPeriod::Day }) }
}

#[test]
fn limits_change_without_an_end_for_what_was_made_from_the_key() {
    let world = World::new();
    let context = world.asked_by(Grantor::Operator);
    let key = Credential { limits: limits(10, 9), ..world.key(json!({})) };
    let check = |changes, expected: Limits| {
        let (new, event) =
            key.clone().update(serde_json::from_value(changes).unwrap(), &context, "x".to_owned(), at(1)).unwrap();
        assert_eq!((&new.limits, new.epoch), (&expected, key.epoch));
        assert_eq!(event.details["before"]["quota"], json!({ "limit": 9, "period": "day" }));
        assert_eq!(event.details["after"]["quota"], json!(expected.quota));
        assert_eq!(event.details["after"]["rate_limits"], json!(expected.rates));
    };
    let rate = |limit: u32| json!([{ "name": "default", "limit": limit, "window_seconds": 60 }]);
    check(json!({}), limits(10, 9));
    check(json!({ "rate_limits": rate(1) }), limits(1, 9));
    check(json!({ "quota": { "limit": 7, "period": "day" } }), limits(10, 7));
    check(json!({ "rate_limits": null, "quota": null }), Limits::default());
}

#[test]
fn a_limited_caller_makes_and_raises_no_key_beyond_its_own_limits() {
    let world = World::new();
    let mut caller = world.caller("claviger:api_keys:write invoices:read", "");
    caller.credential.limits = limits(10, 9);
    let context = world.asked_by(Grantor::Credential(&caller));
    let rate = |limit: u32| json!([{ "name": "default", "limit": limit, "window_seconds": 60 }]);
    let issue = |members| said(&world.new_key(members).issue(&context, "x".to_owned(), now(), &mut rng()));
    let day = json!({ "limit": 9, "period": "day" });
    assert_eq!(issue(json!({ "rate_limits": rate(10), "quota": day })), "ok");
    assert_eq!(issue(json!({ "rate_limits": rate(11), "quota": day })), "forbidden claviger:grants:write");
    assert_eq!(issue(json!({ "rate_limits": rate(10) })), "forbidden claviger:grants:write");
    let key = Credential { limits: limits(10, 9), ..world.key(json!({})) };
    let update =
        |changes| said(&key.clone().update(serde_json::from_value(changes).unwrap(), &context, "x".to_owned(), at(1)));
    assert_eq!(update(json!({ "quota": { "limit": 1, "period": "day" } })), "ok");
    assert_eq!(update(json!({ "quota": null })), "forbidden claviger:grants:write");
}

#[test]
fn a_roll_with_overlap_keeps_the_old_secret_for_that_long() {
    let Issued { credential: key, secret, event } = roll(World::new().key(json!({})), 60, 100).unwrap();
    let told: Vec<_> = key.secrets.iter().map(|secret| (secret.number, secret.ends_at)).collect();
    assert_eq!(told, [(2, None), (1, Some(at(160)))]);
    assert_eq!((key.secrets[0].hint.as_str(), key.secrets[0].created_at), (secret.hint().as_str(), at(100)));
    assert_eq!((key.epoch, event.action), (1, Action::ApiKeyRolled));
}

#[test]
fn a_roll_during_an_overlap_ends_the_older_secret_at_once() {
    let key = roll(World::new().key(json!({})), 60, 100).unwrap().credential;
    let key = roll(key, 60, 110).unwrap().credential;
    let ends: Vec<_> = key.secrets.iter().map(|secret| (secret.number, secret.ends_at)).collect();
    assert_eq!(ends, [(3, None), (2, Some(at(170))), (1, Some(at(110)))]);
    assert_eq!(key.epoch, 2, "tokens that were made by it end too");
    // An overlap that is over is not opened again.
    let key = roll(key, 60, 500).unwrap().credential;
    let ends: Vec<_> = key.secrets.iter().map(|secret| secret.ends_at).collect();
    assert_eq!((ends, key.epoch), (vec![None, Some(at(560)), Some(at(170)), Some(at(110))], 2));
}

#[test]
fn a_roll_without_overlap_raises_the_epoch() {
    let key = roll(World::new().key(json!({})), 0, 100).unwrap().credential;
    assert_eq!((key.epoch, key.secrets[1].ends_at), (2, Some(at(100))));
}

#[test]
fn what_cannot_be_rolled_says_why() {
    let world = World::new();
    let check = |key: Credential, overlap, expected: &str| assert_eq!(said(&roll(key, overlap, 10)), expected);
    let key = || world.key(json!({}));
    check(key(), 30 * 24 * 60 * 60, "ok");
    check(key(), 30 * 24 * 60 * 60 + 1, "/overlap_seconds out_of_range");
    check(key().revoke(RevokeReason::Compromised, at(1)).unwrap().0, 0, "conflict revoked");
    check(key().delete(at(1)).0, 0, "conflict revoked");
    check(world.key(json!({ "expires_at": at(10) })), 0, "conflict expired");
    check(world.key(json!({ "expires_at": at(11) })), 0, "ok");
    let powerless = world.powerless();
    let rolled = key().roll(0, &world.asked_by(Grantor::Credential(&powerless)), "x".to_owned(), at(1), &mut rng());
    assert_eq!(said(&rolled), "forbidden invoices:read");
}

#[test]
fn taking_something_away_raises_the_epoch_and_nothing_else_does() {
    let world = World::new();
    let key = world.key(json!({
        "permissions": ["invoices:read", "invoices:write"], "objects": ["base:*"], "allowed_networks": ["10.0.0.0/8"],
        "not_before": at(10), "expires_at": at(100),
    }));
    let check = |members: serde_json::Value, raised: bool| {
        let (new, _) = update(&world, &key, members.clone()).unwrap();
        assert_eq!(new.epoch - key.epoch, u64::from(raised), "{members}");
    };
    check(json!({}), false);
    check(json!({ "name": "staging", "metadata": {} }), false);
    check(json!({ "permissions": ["invoices:read"] }), true);
    check(json!({ "permissions": ["*"] }), false);
    check(json!({ "objects": ["base:app7"] }), true);
    check(json!({ "objects": null }), false);
    check(json!({ "allowed_networks": ["10.1.0.0/16"] }), true);
    check(json!({ "allowed_networks": ["10.0.0.0/8", "192.0.2.0/24"] }), false);
    check(json!({ "allowed_networks": null }), false);
    check(json!({ "expires_at": at(99) }), true);
    check(json!({ "expires_at": null }), false);
    check(json!({ "not_before": at(11) }), true);
    check(json!({ "not_before": null }), false);
    check(json!({ "disabled": true }), true);
    check(json!({ "disabled": false }), false);
    check(json!({ "permissions": ["*"], "objects": ["base:app7"] }), true); // wider and narrower at once
}

#[test]
fn null_lifts_a_limit_and_absence_leaves_it() {
    let world = World::new();
    let key = world.key(json!({
        "objects": ["base:*"], "allowed_networks": ["10.0.0.0/8"], "not_before": at(10), "expires_at": at(100),
    }));
    assert_eq!(update(&world, &key, json!({})).unwrap().0, key);
    let lifted = json!({ "objects": null, "allowed_networks": null, "not_before": null, "expires_at": null });
    let (lifted, _) = update(&world, &key, lifted).unwrap();
    assert_eq!(lifted, Credential { objects: None, networks: None, not_before: None, expires_at: None, ..key });
}

#[test]
fn an_update_is_checked_like_an_issue() {
    let mut world = World::new();
    let key = world.key(json!({ "expires_at": at(100) }));
    world.organization.policy.api_key_max_lifetime_days = Some(1);
    let check = |members, expected: &str| assert_eq!(said(&update(&world, &key, members)), expected);
    check(json!({ "name": "" }), "/name invalid_name");
    check(json!({ "permissions": ["bases:read"] }), "/permissions/0 permission_not_held");
    check(json!({ "objects": ["x"] }), "/objects/0 invalid_object");
    check(json!({ "allowed_networks": ["x"] }), "/allowed_networks/0 invalid_network");
    check(json!({ "metadata": "x" }), "/metadata invalid_metadata");
    check(json!({ "expires_at": now() }), "/expires_at in_the_past");
    check(json!({ "expires_at": null }), "/expires_at expiry_required");
    check(json!({ "expires_at": at(90_000) }), "/expires_at lifetime_too_long");
    check(json!({ "not_before": at(100) }), "/not_before after_expiry");
    check(json!({ "name": "staging" }), "ok"); // a policy that became stricter does not hold up other changes
    let revoked = key.clone().revoke(RevokeReason::Unused, now()).unwrap().0;
    assert_eq!(said(&update(&world, &revoked, json!({ "name": "x" }))), "conflict revoked");
    for unknown in [json!({ "epoch": 1 }), json!({ "environment": "live" }), json!({ "service_account_id": "x" })] {
        assert!(serde_json::from_value::<CredentialChanges>(unknown).is_err());
    }
}

#[test]
fn a_key_is_stopped_and_restarted_with_an_event_of_its_own() {
    let world = World::new();
    let (stopped, event) = update(&world, &world.key(json!({})), json!({ "disabled": true })).unwrap();
    assert_eq!((stopped.disabled_at, event.action), (Some(now()), Action::ApiKeyDisabled));
    let (same, event) = update(&world, &stopped, json!({ "disabled": true })).unwrap();
    assert_eq!((&same, event.action), (&stopped, Action::ApiKeyUpdated));
    let (restarted, event) = update(&world, &stopped, json!({ "disabled": false })).unwrap();
    assert_eq!((restarted.disabled_at, event.action), (None, Action::ApiKeyEnabled));
}

#[test]
fn an_owner_restarts_what_they_stopped_themselves_and_who_governs_restarts_all() {
    let world = World::new();
    let stopped_by = |by: &str| {
        let (context, stop) = (world.asked_by(Grantor::Itself), changes(json!({ "disabled": true })));
        world.key(json!({})).update(stop, &context, by.to_owned(), now()).unwrap().0
    };
    let check = |stopped: &Credential, governs, members: serde_json::Value, expected: &str| {
        let context = IssuingContext { governs, ..world.asked_by(Grantor::Itself) };
        assert_eq!(said(&stopped.clone().update(changes(members), &context, "zoe".to_owned(), at(1))), expected);
    };
    let (own, other) = (stopped_by("zoe"), stopped_by("admin"));
    assert_eq!(own.disabled_by.as_deref(), Some("zoe"));
    check(&own, false, json!({ "disabled": false }), "ok");
    check(&other, false, json!({ "disabled": false }), "withheld disabled_by_another");
    check(&other, false, json!({ "disabled": true, "name": "x" }), "ok");
    check(&other, true, json!({ "disabled": false }), "ok");
    // Stopping it once more makes it nobody else's.
    let context = IssuingContext { governs: false, ..world.asked_by(Grantor::Itself) };
    let again = other.update(changes(json!({ "disabled": true })), &context, "zoe".to_owned(), at(1)).unwrap().0;
    check(&again, false, json!({ "disabled": false }), "withheld disabled_by_another");
    // What its owner stopped is stopped by who governs, once they say so.
    let governed =
        own.update(changes(json!({ "disabled": true })), &world.asked_by(Grantor::Itself), "admin".to_owned(), at(1));
    let (governed, event) = governed.unwrap();
    assert_eq!(
        (governed.disabled_at, governed.disabled_by.as_deref(), event.action),
        (Some(now()), Some("admin"), Action::ApiKeyDisabled)
    );
    check(&governed, false, json!({ "disabled": false }), "withheld disabled_by_another");
    // Neither does one that waits gain anything by starting again.
    let waiting = Credential { approval: Some(Approval::Pending { since: now() }), ..stopped_by("zoe") };
    check(&waiting, false, json!({ "disabled": false }), "ok");
    // But what it waits with stays as it is until somebody who governs decides.
    let quota = json!({ "quota": { "limit": 5, "period": "day" } });
    for members in [quota, json!({ "metadata": { "tier": "gold" } })] {
        check(&waiting, false, members.clone(), "conflict pending_approval");
        check(&waiting, true, members, "ok");
    }
    check(&waiting, false, json!({ "name": "x", "permissions": [], "metadata": {} }), "ok");
}

#[test]
fn whoever_cannot_do_it_may_narrow_but_neither_widen_nor_restart() {
    let world = World::new();
    let powerless = world.powerless();
    let key = world.key(json!({ "permissions": ["invoices:read"], "objects": ["base:a"], "expires_at": at(100) }));
    let check = |key: &Credential, members: serde_json::Value, expected: &str| {
        let context = world.asked_by(Grantor::Credential(&powerless));
        assert_eq!(said(&key.clone().update(changes(members), &context, "x".to_owned(), now())), expected);
    };
    check(&key, json!({ "name": "x", "permissions": [], "expires_at": at(50), "disabled": true }), "ok");
    check(&key, json!({ "permissions": ["invoices:write"] }), "forbidden invoices:write");
    check(&key, json!({ "objects": null }), "forbidden invoices:read");
    check(&key, json!({ "expires_at": null }), "forbidden invoices:read");
    let stopped = update(&world, &key, json!({ "disabled": true })).unwrap().0;
    check(&stopped, json!({ "disabled": false }), "forbidden invoices:read");
}

#[test]
fn more_than_was_approved_waits_again_unless_who_governs_gives_it() {
    let mut world = World::new();
    world.organization.policy.approval_required = true;
    let id = claviger_token::PersonalAccessTokenId::generate(now(), &mut rng()).into();
    let given = |by: &str| Some(Approval::Given { at: at(1), by: by.to_owned() });
    let body = json!({
        "permissions": ["invoices:read"], "objects": ["base:a"], "allowed_networks": ["10.0.0.0/8"], "not_before": at(5),
        "expires_at": at(100),
    });
    let check = |approval: Option<Approval>, members: serde_json::Value, waits: bool| {
        let token = Credential { id, approval: approval.clone(), ..world.key(body.clone()) };
        let update = |governs| {
            let context = IssuingContext { governs, ..world.asked_by(Grantor::Itself) };
            let changed = token.clone().update(changes(members.clone()), &context, "zoe".to_owned(), at(2));
            changed.unwrap().0.approval
        };
        let (pending, own) = (Approval::Pending { since: at(2) }, Approval::Given { at: at(2), by: "zoe".to_owned() });
        assert_eq!(update(false), if waits { Some(pending) } else { approval.clone() }, "{members}");
        assert_eq!(update(true), if waits { Some(own) } else { approval.clone() }, "{members}");
    };
    // What was made before an approval was wanted is approved as it was.
    for approval in [given("admin"), None] {
        let check = |members, waits| check(approval.clone(), members, waits);
        check(json!({ "name": "x", "metadata": { "a": 1 } }), false);
        check(json!({ "permissions": [], "objects": ["base:a"], "expires_at": at(50), "not_before": at(6) }), false);
        check(json!({ "permissions": ["invoices:write"] }), true);
        check(json!({ "objects": null }), true);
        check(json!({ "allowed_networks": ["10.0.0.0/8", "192.0.2.0/24"] }), true);
        check(json!({ "expires_at": at(101) }), true);
        check(json!({ "not_before": null }), true);
        check(json!({ "disabled": true }), false);
    }
}

#[test]
fn a_secret_tells_who_saw_it() {
    let key = World::new().key(json!({}));
    assert_eq!(key.seen_by(), "operator");
    let rolled = roll(key, 60, 1).unwrap().credential;
    let seen_by: Vec<&str> = rolled.secrets.iter().map(|secret| secret.created_by.as_str()).collect();
    assert_eq!(
        (rolled.seen_by(), seen_by, rolled.created_by.as_str()),
        ("roller", vec!["roller", "operator"], "operator")
    );
}

#[test]
fn a_key_ends_once_and_its_reason_stays() {
    let world = World::new();
    let (revoked, event) = world.key(json!({})).revoke(RevokeReason::Compromised, at(5)).unwrap();
    let ended = Some(Revocation { at: at(5), reason: RevokeReason::Compromised });
    assert_eq!((revoked.revocation, revoked.epoch, event.action), (ended, 2, Action::ApiKeyRevoked));
    assert_eq!(said(&revoked.clone().revoke(RevokeReason::Unused, at(6))), "conflict revoked");
    let (deleted, event) = revoked.delete(at(7));
    assert_eq!((deleted.revocation, deleted.deleted_at), (ended, Some(at(7))));
    assert_eq!(event.action, Action::ApiKeyDeleted);
    let (deleted, _) = world.key(json!({})).delete(at(7));
    assert_eq!(deleted.revocation, Some(Revocation { at: at(7), reason: RevokeReason::Unspecified }));
    assert_eq!((deleted.deleted_at, deleted.epoch), (Some(at(7)), 2));
}

#[test]
fn reasons_read_back_from_storage() {
    for reason in RevokeReason::ALL {
        assert_eq!(RevokeReason::from_word(reason.as_str()), Some(reason));
        assert_eq!(serde_json::to_value(reason).unwrap(), reason.as_str());
    }
    assert_eq!(RevokeReason::from_word("whatever"), None);
}

#[test]
fn a_list_shows_the_state_that_weighs_most() {
    let world = World::new();
    let check = |key: &Credential, seconds, expected| assert_eq!(key.status(at(seconds)), expected, "{seconds}");
    let key = world.key(json!({ "not_before": at(10), "expires_at": at(20) }));
    check(&key, 9, CredentialStatus::NotYetValid);
    check(&key, 10, CredentialStatus::Active);
    check(&key, 19, CredentialStatus::Active);
    check(&key, 20, CredentialStatus::Expired);
    let stopped = update(&world, &key, json!({ "disabled": true })).unwrap().0;
    check(&stopped, 9, CredentialStatus::Disabled);
    check(&stopped, 20, CredentialStatus::Disabled);
    check(&stopped.revoke(RevokeReason::Policy, now()).unwrap().0, 9, CredentialStatus::Revoked);
}

/// Members of a body out of a world in which every combination can be tried.
fn some_limits() -> impl Strategy<Value = serde_json::Value> {
    let permissions = prop::sample::subsequence(
        vec!["invoices:read", "invoices:write", "claviger:api_keys:write", "*", "claviger:*"],
        0..=3,
    );
    let objects = prop::sample::select(vec![json!(null), json!(["base:*"]), json!(["base:a"]), json!(["base:b"])]);
    let networks = prop::sample::select(vec![json!(null), json!(["10.0.0.0/8"]), json!(["10.0.0.0/8", "192.0.2.1"])]);
    let start = prop::sample::select(vec![None, Some(at(10)), Some(at(100))]);
    let end = prop::sample::select(vec![None, Some(at(200)), Some(at(300))]);
    (permissions, objects, networks, start, end).prop_map(|(permissions, objects, networks, start, end)| {
        json!({
            "permissions": permissions, "objects": objects, "allowed_networks": networks,
            "not_before": start, "expires_at": end,
        })
    })
}

proptest! {
    #[test]
    fn no_update_gains_a_use_without_the_grantor_or_loses_one_without_a_higher_epoch(
        old in some_limits(), new in some_limits(), was_stopped: bool, will_be_stopped: bool,
    ) {
        let mut world = World::new();
        world.held = set("invoices:read invoices:write claviger:api_keys:write");
        let powerless = world.powerless();
        let key = update(&world, &world.key(old), json!({ "disabled": was_stopped })).unwrap().0;
        let mut members = new;
        members["disabled"] = json!(will_be_stopped);

        let (wide, _) = update(&world, &key, members.clone()).unwrap();
        let (before, after) = (key.clone().facts(), wide.facts());
        let gained = uses().iter().any(|one| lets_through(&after, one) && !lets_through(&before, one));
        let lost = uses().iter().any(|one| lets_through(&before, one) && !lets_through(&after, one));
        prop_assert!(!lost || after.epoch > before.epoch);

        let context = world.asked_by(Grantor::Credential(&powerless));
        let without = key.update(changes(members), &context, "x".to_owned(), now());
        prop_assert!(!gained || matches!(without, Err(Rejection::Forbidden { .. })), "{}", said(&without));
    }

    #[test]
    fn no_credential_issues_another_that_can_do_what_it_cannot(
        own in some_limits(), wanted in some_limits(), own_is_test: bool, same_account: bool,
    ) {
        let world = World::new();
        let mut found = world.caller("invoices:read invoices:write claviger:api_keys:write", "");
        found.credential = world.key(own).facts();
        found.credential.environment = if own_is_test { Environment::Test } else { Environment::Live };
        found.rights =
            claviger_token::Rights::effective(&found.organization, &found.principal, &found.credential.permissions);
        if !same_account {
            let mut other = claviger_token::PrincipalFacts::clone(&found.principal);
            other.id = ServiceAccountId::generate(at(1), &mut rng()).into();
            found.principal = other.into();
        }
        let context = world.asked_by(Grantor::Credential(&found));
        let issued = world.new_key(wanted).issue(&context, "somebody".to_owned(), now(), &mut rng());
        if let Ok(Issued { credential: key, .. }) = issued {
            prop_assert!(!own_is_test || key.permissions.is_empty() || key.environment == Environment::Test);
            let new = key.facts();
            // Uses before now are over, and a start is not a right: both keys may wait for theirs.
            let beyond = |one: &&crate::fixtures::Use| {
                let own = CredentialFacts { not_before: None, ..found.credential.clone() };
                lets_through(&new, one) && world.held.contains(one.permission) && !lets_through(&own, one)
            };
            prop_assert!(uses().iter().find(beyond).is_none());
        }
    }
}

#[test]
fn an_overlap_ends_before_its_time_and_takes_nothing_else_along() {
    let key = roll(World::new().key(json!({})), 60, 100).unwrap().credential;
    assert!(!key.is_rolling(at(160)) && key.is_rolling(at(159)));
    let (ended, event) = key.clone().end_overlap(at(110)).unwrap();
    let ends: Vec<_> = ended.secrets.iter().map(|secret| (secret.number, secret.ends_at)).collect();
    assert_eq!(ends, [(2, None), (1, Some(at(110)))]);
    assert_eq!((ended.epoch, event.action), (key.epoch + 1, Action::ApiKeyOverlapEnded));
    assert_eq!(event.details["generations"], json!([1]));
    assert_eq!(said(&ended.end_overlap(at(110))), "conflict no_overlap");
    assert_eq!(said(&key.clone().end_overlap(at(160))), "conflict no_overlap");
    let revoked = key.revoke(RevokeReason::Compromised, at(105)).unwrap().0;
    assert_eq!(said(&revoked.end_overlap(at(110))), "conflict revoked");
}
