//! Why uses were refused, the most frequent reasons first: what each means, and where to go about it.

use std::collections::BTreeMap;

use claviger_core::permission;
use jiff::Timestamp;

use super::MOST;
use crate::console::{page::Frame, shell::Here};

/// A reason.
pub(crate) struct Refused {
    pub(crate) code: String,
    /// What it means, and what to do.
    pub(crate) means: String,
    pub(crate) uses: i64,
    /// The list of those that it concerns, if there is one.
    pub(crate) path: Option<String>,
}

/// Each verdict that says no to somebody who is known, the key of what it means, and the list's state with those that it concerns.
const MEANINGS: [(&str, &str, &str); 14] = [
    ("revoked", "refusal-revoked", "revoked"),
    ("disabled", "refusal-disabled", "disabled"),
    ("pending_approval", "refusal-pending-approval", ""),
    ("expired", "refusal-expired", "expired"),
    ("not_yet_valid", "refusal-not-yet-valid", ""),
    ("proof_required", "refusal-proof-required", ""),
    ("proof_invalid", "refusal-proof-invalid", ""),
    ("network_not_allowed", "refusal-network-not-allowed", ""),
    ("audience_mismatch", "refusal-audience-mismatch", ""),
    ("permission_missing", "refusal-permission-missing", ""),
    ("object_required", "refusal-object-required", ""),
    ("object_not_allowed", "refusal-object-not-allowed", ""),
    ("quota_exceeded", "refusal-quota-exceeded", ""),
    ("rate_limited", "refusal-rate-limited", ""),
];

/// The most frequent.
pub(super) fn top<'a>(
    uses: impl Iterator<Item = (Timestamp, &'a str, i64)>,
    here: &Here,
    frame: &Frame,
) -> Vec<Refused> {
    let sees_keys = here.person.may(permission::API_KEYS_READ);
    let told = |(code, uses): (&str, i64)| {
        let known = MEANINGS.iter().find(|(known, ..)| *known == code);
        let state = known.map(|(_, _, state)| *state).filter(|state| sees_keys && !state.is_empty());
        Refused {
            code: code.to_owned(),
            means: known.map(|(_, words, _)| frame.text(words)).unwrap_or_default(),
            uses,
            path: state.map(|state| format!("{}?state={state}", here.path("/api-keys"))),
        }
    };
    summed(uses).into_iter().take(MOST).map(told).collect()
}

fn summed<'a>(uses: impl Iterator<Item = (Timestamp, &'a str, i64)>) -> Vec<(&'a str, i64)> {
    let mut sums = BTreeMap::<&str, i64>::new();
    for (_, code, uses) in uses.filter(|(_, code, _)| *code != "valid") {
        let sum = sums.entry(code).or_default();
        *sum = sum.saturating_add(uses);
    }
    let mut sums: Vec<_> = sums.into_iter().collect();
    sums.sort_by_key(|(_, uses)| std::cmp::Reverse(*uses));
    sums
}

#[cfg(test)]
mod tests {
    use claviger_token::{Refusal, Verdict};

    use super::*;

    #[test]
    fn whatever_is_counted_as_refused_has_a_meaning() {
        let known =
            Refusal::ALL.into_iter().filter(|refusal| !matches!(refusal, Refusal::Malformed | Refusal::Unknown));
        let codes: Vec<_> = known.map(|refusal| Verdict::Refused(refusal).code()).collect();
        assert_eq!(MEANINGS.map(|(code, ..)| code).as_slice(), codes);
    }

    #[test]
    fn the_most_frequent_come_first_and_what_was_accepted_is_no_reason() {
        let at = Timestamp::UNIX_EPOCH;
        let uses =
            [(at, "expired", 1), (at, "valid", 99), (at, "revoked", 3), (at, "expired", 4), (at, "disabled", i64::MAX)];
        assert_eq!(summed(uses.into_iter()), [("disabled", i64::MAX), ("expired", 5), ("revoked", 3)]);
        assert_eq!(summed([(at, "valid", 1)].into_iter()), []);
    }
}
