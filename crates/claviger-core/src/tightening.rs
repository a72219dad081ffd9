//! What a stricter policy does to the credentials that exist: told before it is done, and done with the change.
//!
//! Lives are cut once the rule is made; all else is enforced at the verdict, and ends with the rule.

use claviger_token::CredentialId;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use crate::{
    audit::{Event, Touched},
    credential::{Change, Credential},
    policy::{Kind, Policy},
};

/// One rule that became stricter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tightening {
    /// The member of the policy.
    pub rule: &'static str,
    /// What becomes of those that it touches.
    pub effect: Effect,
    /// Which credentials it touches.
    pub touches: Touches,
}

/// What becomes of a credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Effect {
    /// It ends earlier: as late as the rule allows, counted from now.
    EndsSooner,
    /// It is refused for as long as the rule stands.
    Disabled,
    /// It no longer follows its principal; the permissions that it names stay.
    LosesWildcards,
    /// It works from the allowed networks only.
    LimitedToNetworks,
    /// It ends within the hour.
    Revoked,
}

impl Effect {
    /// Whether it is enforced by the rule itself, and no credential changes.
    pub fn is_at_once(self) -> bool {
        match self {
            Self::Disabled | Self::LosesWildcards | Self::LimitedToNetworks => true,
            Self::EndsSooner | Self::Revoked => false,
        }
    }
}

/// The live credentials of an organization that a rule touches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Touches {
    /// All of them.
    All,
    /// Those of a kind.
    Kind(Kind),
    /// Those of a kind that end later, or never.
    Outliving(Kind, Timestamp),
    /// Those that follow their principal, though they could name what they may do.
    Wildcards,
    /// Tokens without objects, of members who do not govern the credentials of others.
    MembersWithoutObjects,
    /// Those that were neither made nor used since.
    UnusedSince(Timestamp),
}

/// Lives that are longer than a rule allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Overlong {
    /// Those that end later than this; `None`: only those that never end.
    pub than: Option<Timestamp>,
    /// When they end instead.
    pub end: Timestamp,
}

/// The kinds that exist in storage, and the rule that bounds their lives.
const KINDS: [(Kind, &str); 6] = [
    (Kind::ApiKey, "api_key_max_lifetime_days"),
    (Kind::PersonalAccessToken, "pat_max_lifetime_days"),
    (Kind::ClientSecret, "expiry_required"),
    (Kind::PublicKey, "expiry_required"),
    (Kind::Certificate, "expiry_required"),
    (Kind::Federation, "expiry_required"),
];

impl Policy {
    /// Where `new` is stricter than this one, for credentials that exist at `now`.
    pub fn tightened_by(&self, new: &Self, now: Timestamp) -> Vec<Tightening> {
        let mut tightenings = Vec::new();
        let mut add = |rule, effect, touches| tightenings.push(Tightening { rule, effect, touches });
        for (kind, rule) in KINDS {
            if self.allows(kind) && !new.allows(kind) {
                add("allowed_kinds", Effect::Disabled, Touches::Kind(kind));
            }
            let (before, after) = (self.latest_end(kind, now), new.latest_end(kind, now));
            if let Some(end) = after
                && before.is_none_or(|before| end < before)
            {
                let rule = if new.longest_life(kind).is_some() { rule } else { "expiry_required" };
                add(rule, Effect::EndsSooner, Touches::Outliving(kind, end));
            }
        }
        if self.wildcard_allowed && !new.wildcard_allowed {
            add("wildcard_allowed", Effect::LosesWildcards, Touches::Wildcards);
        }
        if !self.members_must_name_objects && new.members_must_name_objects {
            add("members_must_name_objects", Effect::Disabled, Touches::MembersWithoutObjects);
        }
        if let Some(networks) = &new.allowed_networks
            && self.allowed_networks.as_ref().is_none_or(|own| !own.is_within(networks))
        {
            add("allowed_networks", Effect::LimitedToNetworks, Touches::All);
        }
        if let Some(days) = new.revoke_after_unused_days
            && self.revoke_after_unused_days.is_none_or(|own| days < own)
        {
            add(
                "revoke_after_unused_days",
                Effect::Revoked,
                Touches::UnusedSince(new.unused_since(now).unwrap_or(now)),
            );
        }
        tightenings
    }

    /// Which lives, of each kind, these rules do not allow at `now`, whenever the credential was made.
    pub fn overlong(&self, now: Timestamp) -> Vec<(Kind, Overlong)> {
        let of_kind = |(kind, _): &(Kind, &str)| {
            let end = self.latest_end(*kind, now)?;
            // A rule that only asks for an end allows any.
            let than = self.longest_life(*kind).map(|_| end);
            Some((*kind, Overlong { than, end }))
        };
        KINDS.iter().filter_map(of_kind).collect()
    }

    /// The moment since which a credential must have been used, or made, to stay.
    pub fn unused_since(&self, now: Timestamp) -> Option<Timestamp> {
        self.revoke_after_unused_days.map(|days| now - SignedDuration::from_hours(24 * i64::from(days)))
    }
}

impl Credential {
    /// The event of its end being drawn nearer by a policy.
    pub fn shortened(id: CredentialId, organization: claviger_token::OrganizationId, end: Timestamp) -> Event {
        let details = serde_json::json!({ "after": { "expires_at": end }, "reason": "policy" });
        Self::event_of(id, organization, Change::Updated, details, vec![Touched::Credential(id)])
    }
}

#[cfg(test)]
mod tests {
    use claviger_token::NetworkSet;

    use super::*;
    use crate::fixtures::{at, now};

    const DAY: i64 = 24 * 60 * 60;

    /// What clients prove themselves by.
    const CLIENTS: [Kind; 4] = [Kind::ClientSecret, Kind::PublicKey, Kind::Certificate, Kind::Federation];

    fn check(old: Policy, new: Policy, expected: &[(&str, Touches)]) {
        let told: Vec<_> = old.tightened_by(&new, now()).iter().map(|one| (one.rule, one.touches)).collect();
        assert_eq!(told, expected);
    }

    #[test]
    fn what_lives_longer_than_the_rules_allow_is_known_at_any_time() {
        let check = |policy: Policy, expected: &[(Kind, Overlong)]| assert_eq!(policy.overlong(now()), expected);
        let (key, token) = (Kind::ApiKey, Kind::PersonalAccessToken);
        let bound = |days| Overlong { than: Some(at(days * DAY)), end: at(days * DAY) };
        let free = || Policy { pat_max_lifetime_days: None, ..Policy::default() };
        check(free(), &[]);
        check(Policy::default(), &[(token, bound(366))]);
        check(Policy { api_key_max_lifetime_days: Some(2), ..free() }, &[(key, bound(2))]);
        let endless = Overlong { than: None, end: at(365 * DAY) };
        let of_clients = CLIENTS.map(|kind| (kind, endless));
        check(
            Policy { expiry_required: true, ..free() },
            &[[(key, endless), (token, endless)].as_slice(), &of_clients].concat(),
        );
    }

    #[test]
    fn only_what_became_stricter_touches_what_exists() {
        let policy = Policy::default;
        let token = Kind::PersonalAccessToken;
        check(policy(), policy(), &[]);
        let short = || Policy { pat_max_lifetime_days: Some(30), ..policy() };
        check(policy(), short(), &[("pat_max_lifetime_days", Touches::Outliving(token, at(30 * DAY)))]);
        check(short(), policy(), &[]);
        let keys = || Policy { api_key_max_lifetime_days: Some(2), ..policy() };
        check(policy(), keys(), &[("api_key_max_lifetime_days", Touches::Outliving(Kind::ApiKey, at(2 * DAY)))]);
        let ending = || Policy { expiry_required: true, ..policy() };
        let must_end = |kind| ("expiry_required", Touches::Outliving(kind, at(365 * DAY)));
        let of_clients = CLIENTS.map(must_end);
        check(policy(), ending(), &[[must_end(Kind::ApiKey)].as_slice(), &of_clients].concat());
        check(
            Policy { api_key_max_lifetime_days: Some(2), ..policy() },
            Policy { expiry_required: true, ..keys() },
            &of_clients,
        );
        let kinds = |kinds: &[Kind]| Policy { allowed_kinds: Some(kinds.to_vec()), ..policy() };
        let gone = |kind| ("allowed_kinds", Touches::Kind(kind));
        let gone_with_those = [token, Kind::ClientSecret, Kind::Certificate, Kind::Federation].map(gone);
        check(policy(), kinds(&[Kind::ApiKey, Kind::PublicKey]), &gone_with_those);
        check(kinds(&[Kind::ApiKey]), policy(), &[]);
        check(policy(), Policy { wildcard_allowed: false, ..policy() }, &[("wildcard_allowed", Touches::Wildcards)]);
        let named = || Policy { members_must_name_objects: true, ..policy() };
        check(policy(), named(), &[("members_must_name_objects", Touches::MembersWithoutObjects)]);
        let from = |network: &str| Policy { allowed_networks: NetworkSet::parse([network]).ok(), ..policy() };
        check(policy(), from("10.0.0.0/8"), &[("allowed_networks", Touches::All)]);
        check(from("10.0.0.0/8"), from("10.1.0.0/16"), &[("allowed_networks", Touches::All)]);
        check(from("10.1.0.0/16"), from("10.0.0.0/8"), &[]);
        let unused = |days| Policy { revoke_after_unused_days: Some(days), ..policy() };
        check(policy(), unused(9), &[("revoke_after_unused_days", Touches::UnusedSince(at(-9 * DAY)))]);
        check(unused(9), unused(10), &[]);
    }
}
