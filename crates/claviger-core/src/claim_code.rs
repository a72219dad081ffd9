//! Claim codes: by which a device enrols in a fleet, once, or as often as the code says. Whoever has one gets what the fleet gives.
//!
//! Whoever makes one gives, and so must hold what the fleet gives: when they make it, and still when a device enrols. The room must
//! not know how codes are kept: storage takes a [`crate::Digest`] of each.

use claviger_token::{
    Brand, ClaimCodeId, CredentialId, FleetId, OrganizationId, PermissionSet, Secret, SecretKind, TypedId as _,
};
use jiff::{SignedDuration, Timestamp};
use rand::CryptoRng;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    actor::Actor,
    audit::{Action, Chain, Event},
    fleet::Fleet,
    invalid::{FieldErrors, Rejection},
    issuing::whole_ms,
    link_maker::LinkMaker,
};

/// More than a fleet has devices at a time: they come and go.
const MOST_USES: u32 = 100_000;

/// How long a code counts whose maker names no end.
const USUAL_LIFE: SignedDuration = SignedDuration::from_hours(24);

/// How long one may count: it may lie in what is built today and sold next year.
const LONGEST_LIFE: SignedDuration = SignedDuration::from_hours(366 * 24);

/// A claim code, in whatever state; never the code itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimCode {
    /// Its id, which opens nothing.
    pub id: ClaimCodeId,
    /// Of which fleet.
    pub fleet: FleetId,
    /// Where.
    pub organization: OrganizationId,
    /// The first four random characters, to recognise it by.
    pub hint: String,
    /// How many devices may enrol by it.
    pub uses: u32,
    /// How many did.
    pub used: u32,
    /// What the fleet gave when it was made: it brings no more.
    pub gives: PermissionSet,
    /// When it was made.
    pub created_at: Timestamp,
    /// Who gives.
    pub created_by: String,
    /// With which credential.
    pub created_with: Option<CredentialId>,
    /// When it is dead.
    pub ends_at: Timestamp,
    /// When it was taken back.
    pub revoked_at: Option<Timestamp>,
}

/// What a list shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum ClaimCodeStatus {
    /// Devices enrol by it.
    Open,
    /// As many have as may.
    UsedUp,
    /// It was taken back.
    Revoked,
    /// Its time is over.
    Expired,
}

/// Body of `POST /v1/fleets/{id}/claim-codes`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NewClaimCode {
    /// How many devices may enrol by it, 1 to 100000; 1 if absent.
    pub uses: Option<u32>,
    /// Until when, at most 366 days from now; a day from now if absent.
    pub expires_at: Option<Timestamp>,
}

impl ClaimCode {
    /// A new one, and the code. `gives` is all that the fleet gives.
    pub fn create(
        (fleet, gives): (&Fleet, PermissionSet),
        new: &NewClaimCode,
        maker: &Actor,
        brand: &Brand,
        now: Timestamp,
        rng: &mut dyn CryptoRng,
    ) -> Result<(Self, Secret, Event), Rejection> {
        let mut errors = FieldErrors::default();
        let uses = new.uses.unwrap_or(1);
        if uses == 0 || uses > MOST_USES {
            errors.add("/uses", "out_of_range", format!("1 to {MOST_USES} devices"));
        }
        let ends_at = whole_ms(new.expires_at).unwrap_or(now + USUAL_LIFE);
        if ends_at <= now || ends_at > now + LONGEST_LIFE {
            errors.add("/expires_at", "invalid_expiry", "a claim code ends in the future, and within 366 days");
        }
        errors.finish()?;
        fleet.must_be_open()?;
        let secret = Secret::mint(brand, SecretKind::ClaimCode, rng);
        let code = Self {
            id: ClaimCodeId::generate(now, rng),
            fleet: fleet.id,
            organization: fleet.organization,
            hint: secret.hint(),
            uses,
            used: 0,
            gives,
            created_at: now,
            created_by: maker.id(),
            created_with: maker.credential(),
            ends_at,
            revoked_at: None,
        };
        let details = json!({ "fleet": code.fleet, "uses": code.uses, "expires_at": code.ends_at });
        let event = code.event(Action::ClaimCodeCreated, details);
        Ok((code, secret, event))
    }

    /// What a list shows. Half open: expired at the instant of its end.
    pub fn status(&self, now: Timestamp) -> ClaimCodeStatus {
        if self.revoked_at.is_some() {
            ClaimCodeStatus::Revoked
        } else if self.used >= self.uses {
            ClaimCodeStatus::UsedUp
        } else if self.ends_at <= now {
            ClaimCodeStatus::Expired
        } else {
            ClaimCodeStatus::Open
        }
    }

    /// Takes it back.
    pub fn revoke(self, now: Timestamp) -> Result<(Self, Event), Rejection> {
        if self.revoked_at.is_some() {
            return Err(Rejection::conflict("revoked", "the claim code is revoked already, which is final"));
        }
        let new = Self { revoked_at: Some(now), ..self };
        let event = new.event(Action::ClaimCodeRevoked, json!({ "fleet": new.fleet, "used": new.used }));
        Ok((new, event))
    }

    /// Whether one more device may enrol by it that gets `brought`. Whoever made it must still be able to give that, and the fleet must give no
    /// more than it did then: what was added since was given by somebody else.
    pub fn counts(&self, maker: &LinkMaker, brought: &PermissionSet, now: Timestamp) -> bool {
        self.status(now) == ClaimCodeStatus::Open && brought.is_subset(&self.gives) && maker.may_still_enrol(brought)
    }

    /// One answer to whoever has no code, and to whoever has one that does not count: nobody learns what codes there were.
    pub fn does_not_count() -> Rejection {
        let message = "no claim code that counts: it may be mistyped, used up, expired or taken back, or its fleet closed or given more since; ask for a new one";
        Rejection::field("/claim_code", "invalid_claim_code", message)
    }

    fn event(&self, action: Action, details: Value) -> Event {
        let chain = Chain::Organization(self.organization);
        Event { chain, action, target: self.id.to_string(), details, personal: None, touched: Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        builtin::permission::{FLEETS_WRITE, GRANTS_WRITE},
        fixtures::{at, elsewhere, now, rng, said, set},
        fleet::NewFleet,
    };

    fn fleet() -> Fleet {
        let new: NewFleet = serde_json::from_value(json!({ "organization_id": elsewhere(), "name": "x" })).unwrap();
        Fleet::create(&new, now(), &mut rng()).unwrap().0
    }

    fn create(body: Value) -> Result<(ClaimCode, Secret, Event), Rejection> {
        let new = serde_json::from_value(body).unwrap();
        ClaimCode::create((&fleet(), set("a")), &new, &Actor::Operator, &Brand::default(), now(), &mut rng())
    }

    #[test]
    fn a_code_counts_once_for_a_day_unless_its_maker_says_otherwise() {
        let (code, secret, event) = create(json!({})).unwrap();
        assert!(secret.expose().starts_with("clv_claim_") && secret.hint() == code.hint);
        assert_eq!((code.uses, code.used, code.ends_at), (1, 0, at(24 * 3600)));
        assert_eq!((event.action, &event.details["uses"]), (Action::ClaimCodeCreated, &json!(1)));
        assert!(!event.details.to_string().contains(secret.expose()));
        let (code, ..) = create(json!({ "uses": 100_000, "expires_at": at(366 * 24 * 3600) })).unwrap();
        assert_eq!((code.uses, code.ends_at), (100_000, at(366 * 24 * 3600)));
        let check = |body, expected: &str| assert_eq!(said(&create(body)), expected);
        check(json!({ "uses": 0, "expires_at": at(0) }), "/uses out_of_range, /expires_at invalid_expiry");
        check(json!({ "uses": 100_001 }), "/uses out_of_range");
        check(json!({ "expires_at": at(366 * 24 * 3600 + 1) }), "/expires_at invalid_expiry");
        let closed = Fleet { closed_at: Some(now()), ..fleet() };
        let made = ClaimCode::create(
            (&closed, set("")),
            &NewClaimCode::default(),
            &Actor::Operator,
            &Brand::default(),
            now(),
            &mut rng(),
        );
        assert_eq!(said(&made), "conflict fleet_closed");
    }

    #[test]
    fn a_code_ends_at_its_instant_with_its_last_use_and_when_it_is_taken_back() {
        let (code, ..) = create(json!({ "uses": 2 })).unwrap();
        let end = code.ends_at;
        let before = end - SignedDuration::from_millis(1);
        let check = |code: &ClaimCode, now, expected| assert_eq!(code.status(now), expected);
        check(&code, before, ClaimCodeStatus::Open);
        check(&code, end, ClaimCodeStatus::Expired);
        check(&ClaimCode { used: 1, ..code.clone() }, before, ClaimCodeStatus::Open);
        check(&ClaimCode { used: 2, ..code.clone() }, before, ClaimCodeStatus::UsedUp);
        let (revoked, event) = code.revoke(at(1)).unwrap();
        check(&revoked, before, ClaimCodeStatus::Revoked);
        assert_eq!(event.action, Action::ClaimCodeRevoked);
        assert_eq!(said(&revoked.revoke(at(2))), "conflict revoked");
    }

    #[test]
    fn a_code_counts_as_long_as_its_maker_could_make_it() {
        let (code, ..) = create(json!({})).unwrap();
        let check = |maker: LinkMaker, brought: &str, expected| {
            assert_eq!(code.counts(&maker, &set(brought), now()), expected, "{maker:?} {brought}");
        };
        let holds = |held: &str| LinkMaker::Holds(set(held));
        check(LinkMaker::Operator, "a", true);
        check(LinkMaker::Gone, "", false);
        check(holds("a"), "a", false);
        check(holds(FLEETS_WRITE), "", true);
        check(holds(FLEETS_WRITE), "a", false);
        check(holds(&format!("a {FLEETS_WRITE}")), "a", true);
        check(holds(&format!("{FLEETS_WRITE} {GRANTS_WRITE}")), "a", true);
        assert!(!code.counts(&LinkMaker::Operator, &set(""), code.ends_at));
        // It brings no more than the fleet gave with it, whoever made it.
        check(LinkMaker::Operator, "a b", false);
        check(holds(&format!("a b {FLEETS_WRITE} {GRANTS_WRITE}")), "a b", false);
    }
}
