//! The keys that sign tokens, and their schedule.
//!
//! A key is announced before it signs, so that everybody who verifies has it by then; and it stays published until the last
//! token that it signed has ended. All that follows from three instants in its row, so nodes with clocks that agree
//! agree on every key without asking. The room must not know how a set of keys is published.

use claviger_token::{KeyRejected, SigningAlgorithm, SigningKey, SigningKeyId, TypedId as _};
use jiff::{SignedDuration, Timestamp};
use rand::CryptoRng;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{
    audit::{Action, Chain, Event, Touched},
    credential::RevokeReason,
    invalid::Rejection,
    seal::{DataKey, Sealed, UnsealError},
};

/// For how long a published set of keys may be kept by whoever fetched it.
pub const KEY_SET_LIFE: SignedDuration = SignedDuration::from_mins(5);

/// How long a key is published before it signs: what the set may be kept for, and as much again for clocks and caches
/// that are late.
const ANNOUNCED_FOR: SignedDuration = SignedDuration::from_mins(10);

/// The longest life of a token, in seconds.
pub const LONGEST_TOKEN: u32 = 3600;

/// How long a key stays published after its last signature: the longest life of a token, and time for clocks that differ.
const PUBLISHED_AFTER: SignedDuration = SignedDuration::from_mins(65);

/// The algorithms for which there is a key from the start. A key for RS256 takes long to make, and is made when an API
/// chooses that.
pub const ALWAYS: [SigningAlgorithm; 2] = [SigningAlgorithm::Es256, SigningAlgorithm::EdDsa];

/// A signing key in its schedule, and how it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SigningKeyRecord {
    /// Its id, and its `kid`: never used again.
    pub id: SigningKeyId,
    /// What it signs with.
    pub algorithm: SigningAlgorithm,
    /// Counts the keys of its algorithm, from 1. Of two who make the next key at once, one succeeds.
    pub number: u32,
    /// The private key (PKCS#8), until it is removed.
    pub sealed: Option<Sealed>,
    /// When it was made, and published.
    pub created_at: Timestamp,
    /// From when it signs.
    pub active_at: Timestamp,
    /// From when its successor signs instead.
    pub retiring_at: Option<Timestamp>,
    /// From when it is published no more, and what it signed is refused.
    pub removed_at: Option<Timestamp>,
}

/// Where a key stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum KeyState {
    /// Published, and does not sign yet.
    Announced,
    /// Signs.
    Active,
    /// Signs no more; what it signed still counts.
    Retiring,
    /// Published no more; what it signed is refused.
    Removed,
}

impl KeyState {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Announced => "announced",
            Self::Active => "active",
            Self::Retiring => "retiring",
            Self::Removed => "removed",
        }
    }
}

/// Why a stored private key cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyUnusable {
    /// It was removed.
    #[error("this key is removed")]
    Removed,
    /// It is sealed under another key, or damaged.
    #[error("the key that seals signing keys does not open this one")]
    Sealed(#[from] UnsealError),
    /// It opens, and is no key.
    #[error(transparent)]
    Rejected(#[from] KeyRejected),
}

/// Body of `POST /v1/signing-keys/rotate`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RotateSigningKeys {
    /// Keys of this algorithm only; else of every algorithm that has keys.
    pub algorithm: Option<SigningAlgorithm>,
    /// The new key signs at once, and the old ones are removed at once: every token that they signed is refused.
    pub emergency: bool,
    /// Why, for the audit trail.
    pub reason: RevokeReason,
}

/// A new private key that has no place yet.
pub struct NewPrivateKey<'a> {
    /// For this algorithm.
    pub algorithm: SigningAlgorithm,
    /// As PKCS#8.
    pub pkcs8: &'a [u8],
    /// What seals private keys.
    pub data_key: &'a DataKey,
}

/// A new key, and what became of those before it.
#[derive(Debug)]
pub struct Rotated {
    /// The new key.
    pub new: SigningKeyRecord,
    /// Those before it that changed.
    pub old: Vec<SigningKeyRecord>,
    /// What happened, the new key last.
    pub events: Vec<Event>,
}

/// What the schedule wants done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// There is no key for this algorithm, or none that could follow.
    Make(SigningAlgorithm),
    /// Time for the next one.
    Rotate(SigningAlgorithm),
    /// This one's private half is of no use any more.
    Erase(SigningKeyId),
}

impl SigningKeyRecord {
    /// Where it stands. Half open, as everywhere: what begins at an instant has begun at it.
    pub fn state(&self, now: Timestamp) -> KeyState {
        let since = |at: Option<Timestamp>| at.is_some_and(|at| at <= now);
        if since(self.removed_at) {
            KeyState::Removed
        } else if since(self.retiring_at) {
            KeyState::Retiring
        } else if self.active_at <= now {
            KeyState::Active
        } else {
            KeyState::Announced
        }
    }

    /// Opens the private key.
    pub fn open(&self, data_key: &DataKey) -> Result<SigningKey, KeyUnusable> {
        let sealed = self.sealed.as_ref().ok_or(KeyUnusable::Removed)?;
        let pkcs8 = data_key.unseal(&row(self.id), sealed)?;
        Ok(SigningKey::from_pkcs8(self.algorithm, &pkcs8)?)
    }

    /// The next key of an algorithm. `keys` are all that there are of it.
    ///
    /// The first signs at once, for nobody could have fetched another. A later one is announced, and the one before goes on
    /// until then; in an emergency it signs at once and all others are gone.
    pub fn next(
        keys: &[Self],
        private: &NewPrivateKey<'_>,
        emergency: bool,
        reason: RevokeReason,
        now: Timestamp,
        rng: &mut dyn CryptoRng,
    ) -> Result<Rotated, Rejection> {
        let usable: Vec<&Self> = keys.iter().filter(|key| key.state(now) != KeyState::Removed).collect();
        if let Some(announced) = usable.iter().find(|key| key.state(now) == KeyState::Announced)
            && !emergency
        {
            let message = format!(
                "the next key for {} is announced already and signs from {}; an emergency need not wait for it",
                announced.algorithm, announced.active_at
            );
            return Err(Rejection::conflict("rotation_in_progress", message));
        }
        let somebody_signs = usable.iter().any(|key| key.state(now) == KeyState::Active);
        let id = SigningKeyId::generate(now, rng);
        let new = Self {
            id,
            algorithm: private.algorithm,
            number: keys.iter().map(|key| key.number).max().unwrap_or(0) + 1,
            sealed: Some(private.data_key.seal(&row(id), private.pkcs8, rng)),
            created_at: now,
            active_at: if emergency || !somebody_signs { now } else { now + ANNOUNCED_FOR },
            retiring_at: None,
            removed_at: None,
        };
        let mut old: Vec<Self> = usable.iter().filter_map(|key| key.followed_by(&new, emergency, now)).collect();
        old.sort_by_key(|key| key.number);
        let mut events: Vec<Event> =
            old.iter().filter(|key| key.state(now) == KeyState::Removed).map(|key| key.removed(reason)).collect();
        let replaced: Vec<SigningKeyId> = old.iter().map(|key| key.id).collect();
        events.push(new.event(
            if usable.is_empty() { Action::SigningKeyCreated } else { Action::SigningKeyRotated },
            json!({
                "algorithm": new.algorithm, "active_at": new.active_at, "replaces": replaced,
                "emergency": emergency, "reason": reason,
            }),
        ));
        Ok(Rotated { new, old, events })
    }

    /// What becomes of a usable key when a new one is made; `None` if nothing does.
    fn followed_by(&self, new: &Self, emergency: bool, now: Timestamp) -> Option<Self> {
        if emergency {
            let retiring_at = self.retiring_at.filter(|at| *at < now).unwrap_or(now);
            return Some(Self {
                sealed: None,
                active_at: self.active_at.min(now),
                retiring_at: Some(retiring_at),
                removed_at: Some(now),
                ..self.clone()
            });
        }
        if self.retiring_at.is_some() {
            return None;
        }
        let removed_at = Some(new.active_at + PUBLISHED_AFTER);
        Some(Self { retiring_at: Some(new.active_at), removed_at, ..self.clone() })
    }

    /// Erases the private half of a key whose time is over; `None` if it is not, or is done already.
    pub fn erase(self, now: Timestamp) -> Option<(Self, Event)> {
        if self.state(now) != KeyState::Removed || self.sealed.is_none() {
            return None;
        }
        let event = self.removed(RevokeReason::Superseded);
        Some((Self { sealed: None, ..self }, event))
    }

    fn removed(&self, reason: RevokeReason) -> Event {
        let details = json!({ "algorithm": self.algorithm, "removed_at": self.removed_at, "reason": reason });
        self.event(Action::SigningKeyRemoved, details)
    }

    fn event(&self, action: Action, details: serde_json::Value) -> Event {
        Event {
            chain: Chain::Instance,
            action,
            target: self.id.to_string(),
            details,
            personal: None,
            touched: vec![Touched::SigningKeys],
        }
    }
}

/// What the schedule wants done now, with a key that signs for `interval` before the next one does.
pub fn due(keys: &[SigningKeyRecord], interval: SignedDuration, now: Timestamp) -> Vec<Due> {
    let mut due: Vec<Due> = Vec::new();
    for algorithm in SigningAlgorithm::ALL {
        let newest = newest(keys, algorithm, now);
        match newest {
            None if ALWAYS.contains(&algorithm) => due.push(Due::Make(algorithm)),
            // Nothing follows it: a rotation that was undone by hand, or by a restored backup.
            Some(key) if key.retiring_at.is_some() => due.push(Due::Make(algorithm)),
            Some(_) if next_rotation(keys, algorithm, interval, now).is_some_and(|at| at <= now) => {
                due.push(Due::Rotate(algorithm));
            }
            None | Some(_) => {}
        }
    }
    let over = |key: &&SigningKeyRecord| key.state(now) == KeyState::Removed && key.sealed.is_some();
    due.extend(keys.iter().filter(over).map(|key| Due::Erase(key.id)));
    due
}

/// When the next key of an algorithm is announced; `None` if it has no key.
pub fn next_rotation(
    keys: &[SigningKeyRecord],
    algorithm: SigningAlgorithm,
    interval: SignedDuration,
    now: Timestamp,
) -> Option<Timestamp> {
    // Announced so early that it signs when the interval is over.
    newest(keys, algorithm, now).map(|key| key.active_at + (interval - ANNOUNCED_FOR))
}

fn newest(keys: &[SigningKeyRecord], algorithm: SigningAlgorithm, now: Timestamp) -> Option<&SigningKeyRecord> {
    let usable = |key: &&SigningKeyRecord| key.algorithm == algorithm && key.state(now) != KeyState::Removed;
    keys.iter().filter(usable).max_by_key(|key| key.number)
}

fn row(id: SigningKeyId) -> String {
    format!("signing_key/{id}/private")
}

#[cfg(test)]
mod tests {
    use zeroize::Zeroizing;

    use super::*;
    use crate::fixtures::{at, rng, said};

    const ES256: SigningAlgorithm = SigningAlgorithm::Es256;
    const DAY: i64 = 24 * 60 * 60;
    const INTERVAL: SignedDuration = SignedDuration::from_hours(90 * 24);
    const LEAD: i64 = 600;
    const AFTER: i64 = 3900;

    fn data_key() -> DataKey {
        DataKey::new(&Zeroizing::new([5; 32]))
    }

    fn next(keys: &[SigningKeyRecord], emergency: bool, second: i64) -> Result<Rotated, Rejection> {
        let private = NewPrivateKey { algorithm: ES256, pkcs8: b"private", data_key: &data_key() };
        let mut rng = rng();
        SigningKeyRecord::next(keys, &private, emergency, RevokeReason::Compromised, at(second), &mut rng)
    }

    /// The keys after a rotation.
    fn after(keys: &[SigningKeyRecord], rotated: Rotated) -> Vec<SigningKeyRecord> {
        let changed = |key: &SigningKeyRecord| rotated.old.iter().find(|old| old.number == key.number).cloned();
        let kept = keys.iter().map(|key| changed(key).unwrap_or_else(|| key.clone()));
        kept.chain([rotated.new]).collect()
    }

    fn states(keys: &[SigningKeyRecord], second: i64) -> Vec<&'static str> {
        keys.iter().map(|key| key.state(at(second)).as_str()).collect()
    }

    #[test]
    fn the_first_key_signs_at_once_and_the_next_is_announced() {
        let keys = after(&[], next(&[], false, 0).unwrap());
        assert_eq!(states(&keys, 0), ["active"]);
        let rotated = next(&keys, false, DAY).unwrap();
        let told = rotated.events.iter().map(|event| event.action.as_str()).collect::<Vec<_>>();
        assert_eq!(told, ["signing_key.rotated"]);
        assert_eq!(rotated.events[0].touched, [Touched::SigningKeys]);
        let keys = after(&keys, rotated);
        for (second, expected) in [
            (DAY, ["active", "announced"]),
            (DAY + LEAD - 1, ["active", "announced"]),
            (DAY + LEAD, ["retiring", "active"]),
            (DAY + LEAD + AFTER - 1, ["retiring", "active"]),
            (DAY + LEAD + AFTER, ["removed", "active"]),
        ] {
            assert_eq!(states(&keys, second), expected, "{second}");
        }
        // While one is announced there is no other.
        assert_eq!(said(&next(&keys, false, DAY + 1)), "conflict rotation_in_progress");
        // The overlap is no obstacle to the next.
        let keys = after(&keys, next(&keys, false, DAY + LEAD).unwrap());
        assert_eq!(states(&keys, DAY + LEAD), ["retiring", "active", "announced"]);
        assert_eq!(keys[0].removed_at, Some(at(DAY + LEAD + AFTER)));
        assert_eq!(keys.iter().map(|key| key.number).collect::<Vec<_>>(), [1, 2, 3]);
    }

    #[test]
    fn an_emergency_removes_every_key_before_at_once() {
        let keys = after(&[], next(&[], false, 0).unwrap());
        let keys = after(&keys, next(&keys, false, DAY).unwrap());
        let keys = after(&keys, next(&keys, false, DAY + LEAD).unwrap());
        assert_eq!(states(&keys, DAY + LEAD + 1), ["retiring", "active", "announced"]);
        let rotated = next(&keys, true, DAY + LEAD + 1).unwrap();
        let told = rotated.events.iter().map(|event| event.action.as_str()).collect::<Vec<_>>();
        assert_eq!(told, [["signing_key.removed"; 3].as_slice(), &["signing_key.rotated"]].concat());
        assert!(rotated.events.iter().all(|event| event.details["reason"] == "compromised"));
        assert!(rotated.old.iter().all(|key| key.sealed.is_none()));
        let keys = after(&keys, rotated);
        assert_eq!(states(&keys, DAY + LEAD + 1), ["removed", "removed", "removed", "active"]);
        // After which a first key is as at the beginning.
        let gone: Vec<_> = keys[..3].to_vec();
        assert_eq!(next(&gone, false, 2 * DAY).unwrap().new.active_at, at(2 * DAY));
    }

    #[test]
    fn the_schedule_rotates_in_time_and_erases_what_is_over() {
        let check = |keys: &[SigningKeyRecord], second: i64, expected: &[Due]| {
            let due: Vec<Due> = due(keys, INTERVAL, at(second));
            let due: Vec<Due> = due.into_iter().filter(|due| *due != Due::Make(SigningAlgorithm::EdDsa)).collect();
            assert_eq!(due, expected, "{second}");
        };
        check(&[], 0, &[Due::Make(ES256)]);
        let keys = after(&[], next(&[], false, 0).unwrap());
        check(&keys, 0, &[]);
        check(&keys, 90 * DAY - LEAD - 1, &[]);
        check(&keys, 90 * DAY - LEAD, &[Due::Rotate(ES256)]);
        check(&keys, 500 * DAY, &[Due::Rotate(ES256)]);
        let keys = after(&keys, next(&keys, false, 90 * DAY - LEAD).unwrap());
        check(&keys, 90 * DAY - LEAD, &[]);
        check(&keys, 90 * DAY + AFTER - 1, &[]);
        check(&keys, 90 * DAY + AFTER, &[Due::Erase(keys[0].id)]);
        let (erased, event) = keys[0].clone().erase(at(90 * DAY + AFTER)).unwrap();
        assert_eq!((&erased.sealed, event.action), (&None, Action::SigningKeyRemoved));
        check(&[erased.clone(), keys[1].clone()], 90 * DAY + AFTER, &[]);
        assert!(erased.erase(at(100 * DAY)).is_none() && keys[1].clone().erase(at(100 * DAY)).is_none());
        // Whatever happened to its successor: somebody must sign.
        check(&keys[..1], 90 * DAY, &[Due::Make(ES256)]);
        let rs256 = [SigningKeyRecord { algorithm: SigningAlgorithm::Rs256, ..keys[1].clone() }];
        check(&rs256, 180 * DAY - LEAD, &[Due::Make(ES256), Due::Rotate(SigningAlgorithm::Rs256)]);
    }

    #[test]
    fn a_private_key_opens_only_in_its_row() {
        let pkcs8 = SigningKey::generate(ES256).unwrap();
        let private = NewPrivateKey { algorithm: ES256, pkcs8: &pkcs8, data_key: &data_key() };
        let make = |rng: &mut dyn CryptoRng| {
            SigningKeyRecord::next(&[], &private, false, RevokeReason::Unspecified, at(0), rng).unwrap().new
        };
        let mut rng = rng();
        let (one, other) = (make(&mut rng), make(&mut rng));
        one.open(&data_key()).unwrap();
        let moved = SigningKeyRecord { sealed: one.sealed.clone(), ..other };
        assert_eq!(moved.open(&data_key()).unwrap_err(), KeyUnusable::Sealed(UnsealError));
        let another = DataKey::new(&Zeroizing::new([6; 32]));
        assert_eq!(one.open(&another).unwrap_err(), KeyUnusable::Sealed(UnsealError));
        let mistaken = SigningKeyRecord { algorithm: SigningAlgorithm::EdDsa, ..one.clone() };
        assert!(matches!(mistaken.open(&data_key()), Err(KeyUnusable::Rejected(_))));
        let removed = SigningKeyRecord { sealed: None, ..one };
        assert_eq!(removed.open(&data_key()).unwrap_err(), KeyUnusable::Removed);
    }
}
