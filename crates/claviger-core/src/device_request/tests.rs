//! Codes, what may be asked for, and what a poll comes to at which instant.

use super::*;
use crate::fixtures::{World, at, now, rng, set};

fn own() -> Api {
    Api::builtin("https://keys.acme.test", now(), &mut rng()).unwrap()
}

fn read(form: &str, client: DeviceClient) -> Result<DeviceAsk, &'static str> {
    DeviceAsk::read(&Parameters::parse(form.as_bytes()).unwrap(), client, &own()).map_err(|error| error.code.as_str())
}

fn service() -> DeviceClient {
    DeviceClient::ServiceAccount(ServiceAccountId::generate(now(), &mut rng()))
}

fn request(form: &str) -> DeviceRequest {
    let ask = read(form, DeviceClient::Cli).unwrap();
    DeviceRequest::create(DeviceClient::Cli, ask, None, at(0), &mut rng()).0
}

fn approval(permissions: &str) -> DeviceApproval {
    let user = UserId::generate(now(), &mut rng());
    DeviceApproval { user, organization: World::new().organization.id, permissions: set(permissions) }
}

#[test]
fn v01_a_user_code_is_eight_of_twenty_letters_and_read_in_any_case() {
    let mut rng = rng();
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..200 {
        let code = UserCode::generate(&mut rng);
        let shown = code.to_string();
        assert!(shown.len() == 9 && shown.as_bytes()[4] == b'-', "{shown}");
        assert_eq!(UserCode::parse(&shown), Some(code.clone()));
        assert_eq!(UserCode::parse(&shown.to_lowercase().replace('-', "")), Some(code.clone()));
        assert_eq!(UserCode::parse(&format!(" {} ", shown.replace('-', " \u{2013} "))), Some(code));
        seen.extend(shown.bytes());
    }
    assert_eq!(seen.len(), 21);
    for wrong in
        ["", "-", "BCDF-GHJ", "BCDF-GHJKL", "BCDF-GHJA", "BCDF-GHJ1", "BCDF_GHJK", "ÉCDFGHJK", &"B".repeat(9000)]
    {
        assert_eq!(UserCode::parse(wrong), None, "{wrong}");
    }
}

#[test]
fn v01_a_device_code_has_160_bits() {
    let (_, code, _) = DeviceRequest::create(DeviceClient::Cli, request("").ask, None, at(0), &mut rng());
    assert_eq!(code.expose().len(), 40);
}

#[test]
fn what_is_asked_for_is_read_as_far_as_nobody_must_be_known_for_it() {
    let check = |form: &str, client, expected: Result<(Option<&str>, Option<&str>), &str>| {
        let read = read(form, client);
        let told = read.as_ref().map(|ask| (ask.resource.as_deref(), ask.scope.as_ref().map(PermissionSet::to_text)));
        let expected = expected.map(|(resource, scope)| (resource, scope.map(str::to_owned)));
        assert_eq!(told.map_err(|code| *code), expected, "{form}");
    };
    let here = "https://keys.acme.test";
    check("", DeviceClient::Cli, Ok((Some(here), None)));
    check("", service(), Err("invalid_scope"));
    check("scope=%20", service(), Err("invalid_scope"));
    check("scope=invoices:read", DeviceClient::Cli, Ok((None, Some("invoices:read"))));
    check(
        "scope=b:read+a:read+b:read&resource=https://a.test",
        service(),
        Ok((Some("https://a.test"), Some("a:read b:read"))),
    );
    check("scope=*", DeviceClient::Cli, Err("invalid_scope"));
    check("scope=a%22b", DeviceClient::Cli, Err("invalid_scope"));
    check("resource=https://a.test&resource=https://b.test", DeviceClient::Cli, Err("invalid_target"));
    check("resource=https://a.test&resource=https://a.test/", DeviceClient::Cli, Ok((Some("https://a.test"), None)));
    check(&format!("resource={}", "x".repeat(2001)), DeviceClient::Cli, Err("invalid_target"));
    let own = format!("resource={here}/&scope=claviger:api_keys:read");
    check(&own, DeviceClient::Cli, Ok((Some("https://keys.acme.test/"), Some("claviger:api_keys:read"))));
    check(&format!("{own}+claviger:nothing:read"), DeviceClient::Cli, Err("invalid_scope"));
    check("scope=claviger:nothing:read", DeviceClient::Cli, Err("invalid_scope"));
    let many: Vec<String> = (0..101).map(|number| format!("a:{number}")).collect();
    check(&format!("scope={}", many.join("+")), DeviceClient::Cli, Err("invalid_scope"));
}

#[test]
fn what_a_device_calls_itself_hides_nothing_and_fits_a_name() {
    let name = |text: &str| {
        let form = url::form_urlencoded::Serializer::new(String::new()).append_pair("device_name", text).finish();
        read(&form, DeviceClient::Cli).unwrap().device_name
    };
    assert_eq!(name("zoe-laptop").as_deref(), Some("zoe-laptop"));
    assert_eq!(name(" a\u{202e}b \r\n\t c\0\u{200b} ").as_deref(), Some("ab c"));
    assert_eq!((name(""), name(" \u{feff} ")), (None, None));
    assert_eq!(name(&"é".repeat(9000)).unwrap().chars().count(), LONGEST_DEVICE_NAME);
    let named = |form: &str, client: Option<&str>| request(form).token_name(client);
    assert_eq!(named("", None), "claviger login");
    assert_eq!(named("device_name=ci", None), "claviger login on ci");
    assert_eq!(named("device_name=ci", Some("Deploy")), "Deploy on ci");
    let long = named(&format!("device_name={}", "d".repeat(60)), Some(&"n".repeat(100)));
    assert!(long.chars().count() == 100 && long.ends_with(&format!(" on {}", "d".repeat(60))), "{long}");
}

#[test]
fn v02_what_a_poll_comes_to_follows_from_the_state_and_the_instant() {
    let waits = request("");
    let check = |request: &DeviceRequest, client, now: i64, expected: &str| {
        let told = request.poll(client, at(now)).map(|polled| match polled {
            Polled::Waits => "waits",
            Polled::Approved(_) => "approved",
        });
        assert_eq!(told.unwrap_or_else(|error| error.code.as_str()), expected, "{now}");
    };
    let cli = DeviceClient::Cli;
    check(&waits, cli, 0, "waits");
    check(&waits, cli, 599, "waits");
    check(&waits, cli, 600, "expired_token");
    check(&waits, service(), 0, "invalid_grant");
    let (approved, event) = waits.clone().approve(approval("claviger:api_keys:read"));
    assert_eq!(event.action, Action::DeviceRequestApproved);
    check(&approved, cli, 599, "approved");
    check(&approved, cli, 600, "expired_token");
    check(&approved, service(), 0, "invalid_grant");
    let (denied, event) = waits.clone().deny(None);
    assert_eq!((event.action, event.chain), (Action::DeviceRequestDenied, Chain::Instance));
    check(&denied, cli, 0, "access_denied");
    check(&denied, cli, 600, "access_denied");
    check(&denied, service(), 0, "invalid_grant");
    let redeemed = DeviceRequest { state: DeviceState::Redeemed(UserId::generate(now(), &mut rng())), ..waits };
    check(&redeemed, cli, 0, "invalid_grant");
    check(&redeemed, cli, 600, "invalid_grant");
}

#[test]
fn a_person_gives_what_they_hold_of_one_api() {
    let apis = [own()];
    let check = |form: &str, held: &str, given: &str, left_out: &str| {
        let request = request(form);
        let target = request.target(&apis, &set(held)).map(|target| target.scope).unwrap_or_default();
        assert_eq!(
            (target.to_text(), request.left_out(&target).to_text()),
            (given.to_owned(), left_out.to_owned()),
            "{form}"
        );
    };
    let (read, write) = ("claviger:api_keys:read", "claviger:api_keys:write");
    let both = format!("{read} {write}");
    check("", &both, &both, "");
    check("", &format!("{read} invoices:read"), read, "");
    check("", "invoices:read", "", "");
    check(&format!("scope={read}"), &both, read, "");
    check(&format!("scope={read}+{write}"), read, read, write);
    check(&format!("scope={write}"), read, "", write);
    check("resource=https://a.test", &both, "", "");
}

#[test]
fn a_token_lasts_thirty_days_and_never_longer_than_policy_allows() {
    const DAY: i64 = 24 * 3600;
    let check = |policy: Policy, days: i64| assert_eq!(DeviceRequest::token_end(&policy, at(0)), at(days * DAY));
    check(Policy::default(), 30);
    check(Policy { pat_max_lifetime_days: Some(7), ..Policy::default() }, 7);
    check(Policy { pat_max_lifetime_days: None, ..Policy::default() }, 30);
    check(Policy { pat_max_lifetime_days: None, expiry_required: true, ..Policy::default() }, 30);
}

#[test]
fn a_client_reads_back() {
    for client in [DeviceClient::Cli, service()] {
        assert_eq!(client.to_string().parse(), Ok(client));
    }
    assert!("other".parse::<DeviceClient>().is_err());
}
