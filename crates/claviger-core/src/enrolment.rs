//! Enrolment: a device shows a claim code and proves that it holds a key, gets a service account of its own in the fleet, and renews its
//! key by itself before that ends.
//!
//! The room must not know how a proof of possession arrives (RFC 9449), nor how a code is found.

use claviger_token::{
    ClaimCodeId, ClientAuthMethod, CredentialId, FleetId, OrganizationId, Presentation, ServiceAccountId, VerifyingKey,
};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{json, value::RawValue};

use crate::{
    assignment::Granted,
    audit::{Action, Event},
    claim_code::ClaimCode,
    credential::{Change, Credential, CredentialStatus},
    fleet::Fleet,
    invalid::{FieldErrors, Rejection},
    name::Name,
    public_key::NewPublicKey,
    service_account::{NewServiceAccount, ServiceAccount},
    signing_key::LONGEST_TOKEN,
};

/// How long the key that a device renews works beside the new one: as long as a token that was got with it may last, so that
/// none is cut short and none outlives it.
pub const RENEWAL_OVERLAP: SignedDuration = SignedDuration::from_secs(LONGEST_TOKEN as i64);

/// How soon a device that lost its next key on the way may register another by the one before, which has an hour: twice at most.
const RETRY: SignedDuration = SignedDuration::from_mins(20);

/// A device: what there is to know of one beside its service account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// Its service account, which is also its `client_id`.
    pub account: ServiceAccountId,
    /// Of which fleet.
    pub fleet: FleetId,
    /// Where.
    pub organization: OrganizationId,
    /// What it calls itself; of a fleet's devices that did not end, each has another.
    pub name: Name,
    /// The thumbprint of the key that it registered last (RFC 7638); each device has another as well.
    pub thumbprint: String,
    /// That key.
    pub key: CredentialId,
    /// The one before, by which it renewed.
    pub former_key: Option<CredentialId>,
    /// The code by which it enrolled.
    pub claim_code: ClaimCodeId,
    /// When.
    pub enrolled_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
}

/// What a list shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum DeviceStatus {
    /// It has a key that works.
    Active,
    /// Its service account, or its key, is stopped for now.
    Disabled,
    /// It did not renew in time.
    Expired,
    /// It has no key any more.
    Revoked,
}

impl DeviceStatus {
    /// Of a device whose service account is stopped or not, and of which these are the keys that were not revoked: whether each is
    /// stopped, and when it ends.
    pub fn of(device: &Device, disabled: bool, keys: &[(bool, Option<Timestamp>)], now: Timestamp) -> Self {
        let living = |end: &Option<Timestamp>| end.is_none_or(|end| end > now);
        if device.ended_at.is_some() || keys.is_empty() {
            Self::Revoked
        } else if disabled {
            Self::Disabled
        } else if keys.iter().any(|(stopped, end)| !stopped && living(end)) {
            Self::Active
        } else if keys.iter().any(|(_, end)| living(end)) {
            Self::Disabled
        } else {
            Self::Expired
        }
    }
}

/// Body of `POST /v1/enrolments`. The key is proved by the DPoP proof that comes with it (RFC 9449), whose `ath` is of the claim code.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NewEnrolment {
    /// From whoever runs the fleet.
    #[cfg_attr(feature = "openapi", schema(value_type = String, example = "clv_claim_…"))]
    pub claim_code: Presentation,
    /// What the device is called, such as its serial number: 1 to 100 characters, and of a fleet's devices each another.
    #[cfg_attr(feature = "openapi", schema(example = "SN-004217"))]
    pub name: String,
    /// Its public key as JWK (RFC 7517): EC with P-256, OKP with Ed25519, or RSA of 2048 to 8192 bits. Private members are refused.
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub jwk: Box<RawValue>,
}

/// Body of `POST /v1/enrolments/renew`. The new key is proved as at an enrolment; `ath` is of the assertion.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NewRenewal {
    /// A JWT signed by the key that it has, as for the token endpoint (RFC 7523), but `aud` is the address of this request alone, and
    /// `cnf.jkt` the thumbprint of the next key (RFC 7638).
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub client_assertion: Presentation,
    /// Its next public key.
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub jwk: Box<RawValue>,
}

impl NewEnrolment {
    /// How the device calls itself and the key that it says, which `proved` (a thumbprint) must be of.
    pub fn read(&self, proved: &str) -> Result<(Name, VerifyingKey), Rejection> {
        let mut errors = FieldErrors::default();
        let name = errors.keep("/name", "invalid_name", Name::parse(&self.name));
        let key = key(&self.jwk, proved, &mut errors);
        errors.finish()?;
        name.zip(key).ok_or_else(|| Rejection::Invalid(Vec::new()))
    }
}

impl NewRenewal {
    /// The key that the device says, which `proved` (a thumbprint) must be of.
    pub fn read(&self, proved: &str) -> Result<VerifyingKey, Rejection> {
        let mut errors = FieldErrors::default();
        let key = key(&self.jwk, proved, &mut errors);
        errors.finish()?;
        key.ok_or_else(|| Rejection::Invalid(Vec::new()))
    }
}

fn key(jwk: &RawValue, proved: &str, errors: &mut FieldErrors) -> Option<VerifyingKey> {
    let key = errors.keep("/jwk", "invalid_jwk", VerifyingKey::from_jwk(jwk.get().as_bytes()))?;
    if key.thumbprint() != proved {
        errors.add(
            "/jwk",
            "key_not_proved",
            "the DPoP proof is of another key; sign it with the key that is registered",
        );
        return None;
    }
    Some(key)
}

impl Device {
    /// The service account of a device that will be called this, as yet without rights. `given` is what it will get, for the event
    /// to tell.
    pub fn account(
        id: ServiceAccountId,
        code: &ClaimCode,
        name: &Name,
        given: &[Granted],
        now: Timestamp,
    ) -> Result<(ServiceAccount, Event), Rejection> {
        let (mut roles, mut permissions) = (Vec::new(), Vec::new());
        for granted in given {
            match granted {
                Granted::Role { name, .. } => roles.push(name.clone()),
                Granted::Permission(permission) => permissions.push(permission.to_string()),
            }
        }
        let new = NewServiceAccount {
            roles,
            permissions,
            token_endpoint_auth_method: Some(ClientAuthMethod::PrivateKeyJwt),
            ..NewServiceAccount::named(code.organization, name.as_str())
        };
        let (account, mut event) = ServiceAccount::create_as(id, &new, now)?;
        event.details["fleet"] = json!(code.fleet);
        event.details["claim_code"] = json!(code.id);
        Ok((account, event))
    }

    /// Its first key, or its next.
    pub fn key(&self, jwk: &RawValue, ends_at: Timestamp) -> NewPublicKey {
        let name = self.name.to_string();
        NewPublicKey { name, jwk: Some(jwk.to_owned()), jwks_uri: None, expires_at: Some(ends_at) }
    }

    /// The event of its enrolment. `key` is the id of the key that it registered.
    pub fn enrolled(&self, account: &ServiceAccount, key: &Credential) -> Event {
        account.event(
            Action::DeviceEnrolled,
            json!({
                "fleet": self.fleet, "claim_code": self.claim_code, "name": self.name.as_str(), "public_key": key.id,
                "jwk_thumbprint": self.thumbprint, "expires_at": key.expires_at,
            }),
        )
    }

    /// Refuses a renewal that the fleet or somebody else does not want. `own` is the key that it proves itself by, and `known` the
    /// one that it registered last, if that was not revoked.
    pub fn must_renew(
        &self,
        fleet: &Fleet,
        own: &Credential,
        known: Option<&Credential>,
        now: Timestamp,
    ) -> Result<(), Rejection> {
        fleet.must_be_open()?;
        if !self.registered(own.id) {
            let message = "the key that signed was given to the device by somebody else; it renews those that it registered itself";
            return Err(Rejection::conflict("key_not_own", message));
        }
        // Whoever stopped the newest key meant the device, which may still have the one before.
        if own.status(now) != CredentialStatus::Active
            || known.is_none_or(|key| key.status(now) != CredentialStatus::Active)
        {
            let message =
                "a key of this device was revoked or disabled; ask whoever runs the fleet for a new claim code";
            return Err(Rejection::conflict("device_stopped", message));
        }
        Ok(())
    }

    /// Whether the device registered this key itself, last or before.
    pub fn registered(&self, key: CredentialId) -> bool {
        self.key == key || self.former_key == Some(key)
    }

    /// Refuses a renewal right after another: each is written for good. After its first key it may renew at once. `known` is the key that
    /// it registered last.
    pub fn must_have_waited(&self, own: &Credential, known: &Credential, now: Timestamp) -> Result<(), Rejection> {
        let wait = if own.id == self.key { RENEWAL_OVERLAP } else { RETRY };
        if self.former_key.is_none() || now >= known.created_at + wait {
            return Ok(());
        }
        let message = "the device has registered a key just now; it renews again an hour later, or by the key before after twenty minutes";
        Err(Rejection::conflict("renewed_lately", message))
    }

    /// The same device with another key, and the event of that.
    pub fn renewed(
        self,
        account: &ServiceAccount,
        thumbprint: String,
        new: &Credential,
        old: &Credential,
    ) -> (Self, Event) {
        let device = Self { thumbprint, key: new.id, former_key: Some(old.id), ..self };
        let event = account.event(Action::DeviceRenewed, json!({
            "fleet": device.fleet, "public_key": new.id, "jwk_thumbprint": device.thumbprint, "expires_at": new.expires_at,
            "former_public_key": old.id, "former_ends_at": old.expires_at,
        }));
        (device, event)
    }

    /// Draws the end of the key nearer by which a device has renewed. Its epoch stays: no token that was got with it lasts longer.
    pub fn retire(key: Credential, now: Timestamp) -> (Credential, Event) {
        let end = now + RENEWAL_OVERLAP;
        let before = key.told();
        let new = Credential { expires_at: Some(key.expires_at.map_or(end, |own| own.min(end))), ..key };
        let event = new.event(Change::Updated, json!({ "before": before, "after": new.told() }));
        (new, event)
    }

    /// When a key that ends then is best renewed: with a third of its life left, for who tries again and again.
    pub fn renew_after(now: Timestamp, ends_at: Timestamp) -> Timestamp {
        ends_at - ends_at.duration_since(now) / 3
    }
}

#[cfg(test)]
mod tests {
    use claviger_token::{ClaimCodeId, PermissionSet, PublicKeyId, TypedId as _};
    use serde_json::Value;

    use super::*;
    use crate::{
        actor::Actor,
        claim_code::NewClaimCode,
        fixtures::{World, at, now, rng, said},
        fleet::NewFleet,
        public_key::RegisteredKey,
        rights::Grantor,
    };

    const ED25519: &str = r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
    const THUMBPRINT: &str = "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k";

    fn fleet(world: &World) -> Fleet {
        let new = json!({ "organization_id": world.organization.id, "name": "gateways" });
        Fleet::create(&serde_json::from_value::<NewFleet>(new).unwrap(), now(), &mut rng()).unwrap().0
    }

    fn device(world: &World) -> Device {
        Device {
            account: world.service_account.id,
            fleet: fleet(world).id,
            organization: world.organization.id,
            name: Name::parse("SN-1").unwrap(),
            thumbprint: THUMBPRINT.to_owned(),
            key: PublicKeyId::generate(now(), &mut rng()).into(),
            former_key: None,
            claim_code: ClaimCodeId::generate(now(), &mut rng()),
            enrolled_at: now(),
            ended_at: None,
        }
    }

    fn registered(world: &World, ends_at: Timestamp) -> RegisteredKey {
        let new = device(world).key(&RawValue::from_string(ED25519.to_owned()).unwrap(), ends_at);
        new.register(&world.asked_by(Grantor::Itself), &[], "sa_x".to_owned(), now(), &mut rng()).unwrap()
    }

    #[test]
    fn a_device_says_its_name_and_the_key_that_it_proves() {
        let read = |members: Value, proved: &str| {
            let mut body =
                json!({ "claim_code": "x", "name": "SN-1", "jwk": serde_json::from_str::<Value>(ED25519).unwrap() });
            body.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
            serde_json::from_str::<NewEnrolment>(&body.to_string()).unwrap().read(proved)
        };
        assert_eq!(read(json!({}), THUMBPRINT).unwrap().0.as_str(), "SN-1");
        let check = |members, proved: &str, expected: &str| assert_eq!(said(&read(members, proved)), expected);
        check(json!({}), "another", "/jwk key_not_proved");
        check(json!({ "name": "", "jwk": {} }), THUMBPRINT, "/name invalid_name, /jwk invalid_jwk");
        check(json!({ "jwk": { "kty": "oct", "k": "AA" } }), THUMBPRINT, "/jwk invalid_jwk");
        for no_request in [r#"{"claim_code":"x","name":"x"}"#, r#"{"claim_code":"x","name":"x","jwk":{},"csr":"x"}"#] {
            assert!(serde_json::from_str::<NewEnrolment>(no_request).is_err(), "{no_request}");
        }
        let said_again = format!(r#"{{"client_assertion":"x","jwk":{ED25519}}}"#);
        let renewal: NewRenewal = serde_json::from_str(&said_again).unwrap();
        assert_eq!(renewal.read(THUMBPRINT).unwrap().thumbprint(), THUMBPRINT);
        assert_eq!(said(&renewal.read("another")), "/jwk key_not_proved");
        assert!(!format!("{renewal:?}").contains("client_assertion: \"x\""));
    }

    #[test]
    fn its_account_signs_and_the_trail_tells_by_which_code_it_came() {
        let world = World::new();
        let fleet = fleet(&world);
        let new = NewClaimCode::default();
        let code = ClaimCode::create(
            (&fleet, PermissionSet::default()),
            &new,
            &Actor::Operator,
            &world.brand,
            now(),
            &mut rng(),
        )
        .unwrap()
        .0;
        let given = [Granted::Permission("invoices:read".parse().unwrap())];
        let name = Name::parse("SN-1").unwrap();
        let id = ServiceAccountId::generate(now(), &mut rng());
        let (account, event) = Device::account(id, &code, &name, &given, now()).unwrap();
        assert_eq!((account.id, &event.target), (id, &id.to_string()));
        assert_eq!(account.token_endpoint_auth_method, Some(ClientAuthMethod::PrivateKeyJwt));
        assert_eq!((account.name.as_str(), account.organization), ("SN-1", world.organization.id));
        assert_eq!(
            (&event.details["claim_code"], &event.details["permissions"]),
            (&json!(code.id), &json!(["invoices:read"]))
        );
    }

    #[test]
    fn the_key_before_ends_within_an_hour_and_its_tokens_live_on() {
        let world = World::new();
        let check = |ends_at: i64, expected: i64| {
            let key = registered(&world, at(ends_at)).credential;
            let (retired, event) = Device::retire(key.clone(), now());
            assert_eq!((retired.expires_at, retired.epoch), (Some(at(expected)), key.epoch));
            assert_eq!(event.action, Action::PublicKeyUpdated);
        };
        check(90 * 24 * 3600, 3600);
        check(60, 60);
    }

    #[test]
    fn a_device_renews_in_an_open_fleet_while_both_its_keys_count() {
        let world = World::new();
        let (open, key) = (fleet(&world), registered(&world, at(100)).credential);
        let stopped = Credential { disabled_at: Some(now()), ..key.clone() };
        let check = |fleet: &Fleet, own: &Credential, known: Option<&Credential>, now, expected: &str| {
            let device = Device { key: key.id, ..device(&world) };
            assert_eq!(said(&device.must_renew(fleet, own, known, now)), expected);
        };
        check(&open, &key, Some(&key), at(99), "ok");
        check(&open, &key, Some(&key), at(100), "conflict device_stopped");
        check(&open, &key, Some(&stopped), at(1), "conflict device_stopped");
        check(&open, &key, None, at(1), "conflict device_stopped");
        check(&open, &stopped, Some(&key), at(1), "conflict device_stopped");
        let closed = Fleet { closed_at: Some(now()), ..open.clone() };
        check(&closed, &key, Some(&key), at(1), "conflict fleet_closed");
        // Somebody gave the device another key, which opens what it opens and renews nothing.
        let given = Credential { id: PublicKeyId::generate(at(1), &mut rng()).into(), ..key.clone() };
        check(&open, &given, Some(&key), at(1), "conflict key_not_own");
    }

    #[test]
    fn a_device_renews_once_in_an_hour_or_after_twenty_minutes_if_it_lost_the_next_key() {
        let world = World::new();
        let (newest, other) =
            (registered(&world, at(9000)).credential, PublicKeyId::generate(at(1), &mut rng()).into());
        let before = Credential { id: other, ..newest.clone() };
        let check = |former_key, own: &Credential, after: i64, expected: &str| {
            let device = Device { key: newest.id, former_key, ..device(&world) };
            assert_eq!(said(&device.must_have_waited(own, &newest, at(after))), expected);
        };
        check(None, &newest, 0, "ok");
        check(Some(other), &newest, 3599, "conflict renewed_lately");
        check(Some(other), &newest, 3600, "ok");
        check(Some(other), &before, 1199, "conflict renewed_lately");
        check(Some(other), &before, 1200, "ok");
    }

    #[test]
    fn a_list_shows_what_a_device_is_at_the_very_instant() {
        let world = World::new();
        let check = |ended: bool, disabled: bool, keys: &[(bool, Option<Timestamp>)], expected| {
            let device = Device { ended_at: ended.then(now), ..device(&world) };
            assert_eq!(DeviceStatus::of(&device, disabled, keys, at(10)), expected);
        };
        check(false, false, &[(false, Some(at(11)))], DeviceStatus::Active);
        check(false, false, &[(false, Some(at(10)))], DeviceStatus::Expired);
        check(false, false, &[(false, Some(at(5))), (false, Some(at(11)))], DeviceStatus::Active);
        check(false, false, &[(true, Some(at(11)))], DeviceStatus::Disabled);
        check(false, false, &[(true, Some(at(11))), (false, Some(at(5)))], DeviceStatus::Disabled);
        check(false, true, &[(false, Some(at(11)))], DeviceStatus::Disabled);
        check(false, false, &[], DeviceStatus::Revoked);
        check(true, false, &[(false, None)], DeviceStatus::Revoked);
    }

    #[test]
    fn a_key_is_best_renewed_with_a_third_of_its_life_left() {
        assert_eq!(Device::renew_after(at(0), at(300)), at(200));
    }
}
