//! Fleets: the groups that devices enrol in. What a fleet gives, each of its devices has, as a service account of its own.
//!
//! The room must not know by what a device enrols (`claim_code.rs`), nor what it proves (`enrolment.rs`).

use claviger_token::{FleetId, OrganizationId, TypedId as _};
use jiff::{SignedDuration, Timestamp};
use rand::CryptoRng;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    audit::{Action, Chain, Event, Touched},
    credential::RevokeReason,
    invalid::{FieldErrors, Rejection},
    name::Name,
    policy::{Kind, Policy},
};

/// How many devices a fleet has, those that a revocation ended included: what happens to all of them happens in one transaction, far below
/// its cap of 5 seconds.
pub const MOST_DEVICES: i64 = 10_000;

/// How many fleets an organization has.
const MOST_FLEETS: i64 = 100;

/// How many claim codes of a fleet are open at once: one has as many uses as are needed.
const MOST_CODES: i64 = 100;

/// How many roles and permissions all devices of a fleet have by it, counted for each device, for the same reason.
const MOST_GIVEN: i64 = 20_000;

const DEFAULT_DAYS: u32 = 90;

/// As long as certificates may last in the web's own rules before they became shorter: 27 months.
const LONGEST_DAYS: u32 = 825;

/// A group of devices, in one organization.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fleet {
    /// Its id.
    pub id: FleetId,
    /// Where its devices act.
    pub organization: OrganizationId,
    /// Its name.
    pub name: Name,
    /// How long a device's key, or its certificate, lasts, in days.
    pub device_lifetime_days: u32,
    /// Since when nothing enrols or renews in it.
    pub closed_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ended.
    pub deleted_at: Option<Timestamp>,
}

/// Body of `POST /v1/fleets`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NewFleet {
    /// Where its devices will act.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub organization_id: OrganizationId,
    /// 1 to 100 characters.
    #[cfg_attr(feature = "openapi", schema(example = "gateways"))]
    pub name: String,
    /// Names or ids of roles that each of its devices gets.
    #[serde(default)]
    pub roles: Vec<String>,
    /// Permissions that each of its devices gets directly.
    #[serde(default)]
    pub permissions: Vec<String>,
    /// How long a device's key, or its certificate, lasts, 1 to 825 days; 90 if absent. The organization's policy may say less.
    pub device_lifetime_days: Option<u32>,
}

/// Body of `PATCH /v1/fleets/{id}`: absent members stay.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FleetChanges {
    /// New name.
    pub name: Option<String>,
    /// The roles that each of its devices has from now on.
    pub roles: Option<Vec<String>>,
    /// The direct permissions that each of its devices has from now on.
    pub permissions: Option<Vec<String>>,
    /// How long the keys and certificates last that devices register from now on.
    pub device_lifetime_days: Option<u32>,
    /// Whether nothing enrols or renews in it. Devices that are enrolled work until their keys end.
    pub closed: Option<bool>,
}

impl Fleet {
    /// A new one, as yet without devices.
    pub fn create(new: &NewFleet, now: Timestamp, rng: &mut dyn CryptoRng) -> Result<(Self, Event), Rejection> {
        let mut errors = FieldErrors::default();
        let name = errors.keep("/name", "invalid_name", Name::parse(&new.name));
        let device_lifetime_days = lifetime(new.device_lifetime_days.unwrap_or(DEFAULT_DAYS), &mut errors);
        errors.finish()?;
        let Some(name) = name else { return Err(Rejection::Invalid(Vec::new())) };
        let fleet = Self {
            id: FleetId::generate(now, rng),
            organization: new.organization_id,
            name,
            device_lifetime_days,
            closed_at: None,
            created_at: now,
            deleted_at: None,
        };
        let mut details = fleet.told();
        (details["roles"], details["permissions"]) = (json!(new.roles), json!(new.permissions));
        let event = fleet.event(Action::FleetCreated, details, Vec::new());
        Ok((fleet, event))
    }

    /// Changes what `changes` names, what its devices may do excepted: those are assignments. `given` are the names of the roles and
    /// the permissions that it gave until now, for the event to tell what its devices lose.
    pub fn update(
        self,
        changes: &FleetChanges,
        given: (&[String], &[String]),
        now: Timestamp,
    ) -> Result<(Self, Event), Rejection> {
        let mut errors = FieldErrors::default();
        let mut new = self.clone();
        if let Some(name) = &changes.name {
            new.name = errors.keep("/name", "invalid_name", Name::parse(name)).unwrap_or(new.name);
        }
        if let Some(days) = changes.device_lifetime_days {
            new.device_lifetime_days = lifetime(days, &mut errors);
        }
        errors.finish()?;
        let mut action = Action::FleetUpdated;
        if let Some(closed) = changes.closed
            && closed != new.closed_at.is_some()
        {
            new.closed_at = closed.then_some(now);
            action = if closed { Action::FleetClosed } else { Action::FleetReopened };
        }
        let (mut before, mut after) = (self.told(), new.told());
        if let Some(wanted) = &changes.roles {
            (before["roles"], after["roles"]) = (json!(given.0), json!(wanted));
        }
        if let Some(wanted) = &changes.permissions {
            (before["permissions"], after["permissions"]) = (json!(given.1), json!(wanted));
        }
        let gives = changes.roles.is_some() || changes.permissions.is_some();
        let touched = if gives { new.all_devices() } else { Vec::new() };
        let event = new.event(action, json!({ "before": before, "after": after }), touched);
        Ok((new, event))
    }

    /// The event of all that its devices hold ending at once.
    pub fn revoked(&self, reason: RevokeReason, devices: u64, claim_codes: u64) -> Event {
        let details = json!({ "reason": reason, "devices": devices, "claim_codes": claim_codes });
        self.event(Action::FleetRevoked, details, self.all_devices())
    }

    /// Ends it, and with it every device and claim code of it.
    pub fn delete(self, now: Timestamp) -> (Self, Event) {
        let new = Self { deleted_at: Some(now), closed_at: self.closed_at.or(Some(now)), ..self };
        let event = new.event(Action::FleetDeleted, new.told(), new.all_devices());
        (new, event)
    }

    /// Refuses what is for devices that come, or come again.
    pub(crate) fn must_be_open(&self) -> Result<(), Rejection> {
        match self.closed_at {
            None => Ok(()),
            Some(_) => {
                let message = "the fleet is closed: nothing enrols or renews in it until somebody opens it again";
                Err(Rejection::conflict("fleet_closed", message))
            }
        }
    }

    /// Refuses one device more than it may have. `devices` is how many it has, ended ones included, and `given` how many roles and permissions
    /// each gets.
    pub fn must_have_room(&self, devices: i64, given: usize) -> Result<(), Rejection> {
        let most = most_devices(given);
        if devices < most {
            return Ok(());
        }
        let message = format!(
            "the fleet has {devices} devices, those that were revoked included, and has no room for more than {most}; delete some, make \
             another fleet, or give one role instead of several things"
        );
        Err(Rejection::conflict("too_many", message))
    }

    /// Refuses one fleet more than an organization may have. `fleets` is how many it has.
    pub fn must_be_few(fleets: i64) -> Result<(), Rejection> {
        if fleets < MOST_FLEETS {
            return Ok(());
        }
        let message = format!("the organization has {MOST_FLEETS} fleets, which is the most; delete one first");
        Err(Rejection::conflict("too_many", message))
    }

    /// Refuses to delete an organization that has fleets: very many devices do not end in one step. `fleets` is how many it has.
    pub fn must_be_gone(fleets: i64) -> Result<(), Rejection> {
        if fleets == 0 {
            return Ok(());
        }
        let message = format!("the organization has {fleets} fleets, whose devices end with them; delete these first");
        Err(Rejection::conflict("has_fleets", message))
    }

    /// Refuses one claim code more than it may have. `open` is how many are open.
    pub fn must_have_few_codes(&self, open: i64) -> Result<(), Rejection> {
        if open < MOST_CODES {
            return Ok(());
        }
        let message = format!(
            "the fleet has {MOST_CODES} open claim codes, which is the most; revoke some, or make one for more uses"
        );
        Err(Rejection::conflict("too_many", message))
    }

    /// Refuses to give so much to all of its devices: `given` roles and permissions.
    pub fn must_be_few_to_give(&self, devices: i64, given: usize) -> Result<(), Rejection> {
        if devices <= most_devices(given) {
            return Ok(());
        }
        let message = format!(
            "{devices} devices can be given {} roles and permissions; give them one role, and change what the role holds",
            MOST_GIVEN / devices.max(1)
        );
        Err(Rejection::conflict("too_many", message))
    }

    /// When a key, or a certificate, ends that a device registers now.
    pub fn key_end(&self, kind: Kind, policy: &Policy, now: Timestamp) -> Timestamp {
        let end = now + SignedDuration::from_hours(24 * i64::from(self.device_lifetime_days));
        policy.latest_end(kind, now).map_or(end, |latest| latest.min(end))
    }

    /// Of very many it is shorter to name where they are.
    fn all_devices(&self) -> Vec<Touched> {
        vec![Touched::Organization(self.organization)]
    }

    fn event(&self, action: Action, details: Value, touched: Vec<Touched>) -> Event {
        let chain = Chain::Organization(self.organization);
        Event { chain, action, target: self.id.to_string(), details, personal: None, touched }
    }

    fn told(&self) -> Value {
        json!({
            "name": self.name.as_str(), "device_lifetime_days": self.device_lifetime_days,
            "closed": self.closed_at.is_some(),
        })
    }
}

/// How many devices a fleet may have that gives each so many roles and permissions.
fn most_devices(given: usize) -> i64 {
    let given = i64::try_from(given).unwrap_or(i64::MAX);
    (MOST_GIVEN / given.max(1)).min(MOST_DEVICES)
}

fn lifetime(days: u32, errors: &mut FieldErrors) -> u32 {
    if days == 0 || days > LONGEST_DAYS {
        errors.add(
            "/device_lifetime_days",
            "out_of_range",
            format!("a key of a device lasts 1 to {LONGEST_DAYS} days"),
        );
    }
    days
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{at, elsewhere, now, rng, said};

    fn create(members: Value) -> Result<(Fleet, Event), Rejection> {
        let mut body = json!({ "organization_id": elsewhere(), "name": "gateways" });
        body.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        Fleet::create(&serde_json::from_value(body).unwrap(), now(), &mut rng())
    }

    fn update(fleet: &Fleet, changes: Value) -> Result<(Fleet, Event), Rejection> {
        let given = (&["reader".to_owned()][..], &["invoices:read".to_owned()][..]);
        fleet.clone().update(&serde_json::from_value(changes).unwrap(), given, at(1))
    }

    #[test]
    fn every_wrong_member_is_named() {
        let both = "/name invalid_name, /device_lifetime_days out_of_range";
        for days in [0, 826] {
            let wrong = json!({ "name": " x", "device_lifetime_days": days });
            assert_eq!(said(&create(wrong.clone())), both);
            assert_eq!(said(&update(&create(json!({})).unwrap().0, wrong)), both);
        }
        for days in [1, 825] {
            assert_eq!(create(json!({ "device_lifetime_days": days })).unwrap().0.device_lifetime_days, days);
        }
        assert_eq!(create(json!({})).unwrap().0.device_lifetime_days, 90);
        assert!(serde_json::from_value::<NewFleet>(json!({ "name": "x", "disabled": true })).is_err());
    }

    #[test]
    fn events_tell_what_its_devices_gain_and_lose() {
        let (fleet, event) = create(json!({ "roles": ["reader"], "permissions": ["invoices:read"] })).unwrap();
        assert_eq!(
            (&event.details["roles"], &event.details["permissions"]),
            (&json!(["reader"]), &json!(["invoices:read"]))
        );
        assert_eq!((event.action, event.touched.len()), (Action::FleetCreated, 0));
        let (_, event) = update(&fleet, json!({ "roles": [], "permissions": ["a"] })).unwrap();
        let told = |side: &str| (event.details[side]["roles"].clone(), event.details[side]["permissions"].clone());
        assert_eq!(told("before"), (json!(["reader"]), json!(["invoices:read"])));
        assert_eq!(told("after"), (json!([]), json!(["a"])));
        assert_eq!(event.touched, [Touched::Organization(elsewhere())]);
        let (renamed, event) = update(&fleet, json!({ "name": "sensors" })).unwrap();
        assert_eq!((renamed.name.as_str(), event.touched.len(), event.action), ("sensors", 0, Action::FleetUpdated));
        assert_eq!(event.details["after"]["roles"], Value::Null);
    }

    #[test]
    fn closing_opening_revoking_and_ending_have_events_of_their_own() {
        let (fleet, _) = create(json!({})).unwrap();
        assert_eq!(said(&fleet.must_be_open()), "ok");
        let (closed, event) = update(&fleet, json!({ "closed": true })).unwrap();
        assert_eq!((closed.closed_at, event.action), (Some(at(1)), Action::FleetClosed));
        assert_eq!(said(&closed.must_be_open()), "conflict fleet_closed");
        assert_eq!(update(&closed, json!({ "closed": true })).unwrap().1.action, Action::FleetUpdated);
        let (open, event) = update(&closed, json!({ "closed": false })).unwrap();
        assert_eq!((&open, event.action), (&fleet, Action::FleetReopened));
        let event = fleet.revoked(RevokeReason::Compromised, 3, 1);
        assert_eq!(event.details, json!({ "reason": "compromised", "devices": 3, "claim_codes": 1 }));
        let (ended, event) = fleet.delete(at(2));
        assert_eq!((ended.deleted_at, ended.closed_at), (Some(at(2)), Some(at(2))));
        assert_eq!((event.action, event.touched), (Action::FleetDeleted, vec![Touched::Organization(elsewhere())]));
    }

    #[test]
    fn a_key_lasts_as_long_as_the_fleet_says_and_policy_allows() {
        let (fleet, _) = create(json!({ "device_lifetime_days": 800 })).unwrap();
        for kind in [Kind::PublicKey, Kind::Certificate] {
            let days = |policy: &Policy| fleet.key_end(kind, policy, now()).duration_since(now()).as_hours() / 24;
            assert_eq!(days(&Policy::default()), 800);
            assert_eq!(days(&Policy { expiry_required: true, ..Policy::default() }), 365);
        }
    }

    #[test]
    fn a_fleet_has_a_bounded_number_of_devices_and_gives_them_a_bounded_number_of_things_at_once() {
        let (fleet, _) = create(json!({})).unwrap();
        for (given, most) in [(0, MOST_DEVICES), (2, MOST_DEVICES), (3, 6666), (20_000, 1), (usize::MAX, 0)] {
            assert_eq!(said(&fleet.must_have_room(most - 1, given)), "ok", "{given}");
            assert_eq!(said(&fleet.must_have_room(most, given)), "conflict too_many", "{given}");
            assert_eq!(said(&fleet.must_be_few_to_give(most, given)), "ok", "{given}");
            assert_eq!(said(&fleet.must_be_few_to_give(most + 1, given)), "conflict too_many", "{given}");
        }
        for (number, expected) in [(99, "ok"), (100, "conflict too_many")] {
            assert_eq!(said(&Fleet::must_be_few(number)), expected);
            assert_eq!(said(&fleet.must_have_few_codes(number)), expected);
        }
        assert_eq!(said(&fleet.must_be_few_to_give(i64::MAX, 0)), "conflict too_many");
    }
}
