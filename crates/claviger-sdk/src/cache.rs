//! Opaque credentials in memory, by the hash of what was presented. An entry counts while it is young, nothing of it was named, and the
//! feed is heard.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use claviger_token::{Concerns, Found, Refusal, TokenHash};
use parking_lot::RwLock;
use quick_cache::sync::Cache;

use crate::feed::Names;

/// The longest that anything is kept.
const LONGEST: Duration = Duration::from_secs(60);

/// For how long a refusal is remembered: it may be mended meanwhile.
const REFUSED_FOR: Duration = Duration::from_secs(1);

/// What is known of what was presented.
#[derive(Clone, Debug)]
pub(crate) enum Known {
    Valid(Arc<Entry>),
    Refused(Refusal),
    /// That nobody but the instance may decide about it.
    Asked,
}

#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) found: Arc<Found>,
    beginning: u64,
    position: i64,
}

#[derive(Clone, Debug)]
struct Kept {
    known: Known,
    ends_at: Instant,
}

#[derive(Debug)]
pub(crate) struct Opaque {
    entries: Cache<TokenHash, Kept>,
    pub(crate) names: RwLock<Names>,
}

impl Opaque {
    pub(crate) fn new(entries: usize) -> Self {
        Self { entries: Cache::new(entries), names: RwLock::default() }
    }

    /// What is known of it and still counts, as far as is known.
    pub(crate) fn known(&self, hash: &TokenHash, now: Instant) -> Option<Known> {
        let kept = self.entries.get(hash).filter(|kept| now < kept.ends_at)?;
        match &kept.known {
            Known::Valid(entry) => entry.holds(&self.names.read()).then_some(kept.known),
            Known::Refused(_) | Known::Asked => Some(kept.known),
        }
    }

    /// Keeps what was answered, unless a change overtook it.
    pub(crate) fn keep(
        &self,
        hash: TokenHash,
        found: &Arc<Found>,
        (beginning, position): (u64, i64),
        max_age: Duration,
        asked_at: Instant,
    ) {
        let entry = Entry { found: Arc::clone(found), beginning, position };
        let names = self.names.read();
        if names.knows_since(beginning, position) && entry.holds(&names) {
            let ends_at = asked_at + max_age.min(LONGEST);
            self.entries.insert(hash, Kept { known: Known::Valid(Arc::new(entry)), ends_at });
        }
    }

    /// Keeps that it must be asked about with every use, for a while.
    pub(crate) fn keep_asked(&self, hash: TokenHash, now: Instant) {
        self.entries.insert(hash, Kept { known: Known::Asked, ends_at: now + LONGEST });
    }

    pub(crate) fn keep_refusal(&self, hash: TokenHash, refusal: Refusal, now: Instant) {
        self.entries.insert(hash, Kept { known: Known::Refused(refusal), ends_at: now + REFUSED_FOR });
    }
}

impl Entry {
    fn holds(&self, names: &Names) -> bool {
        let concerned = [
            Concerns::Credential(self.found.credential.id),
            Concerns::Principal(self.found.principal.id),
            Concerns::Organization(self.found.organization.id),
        ];
        names.hold(self.beginning, self.position, concerned)
    }
}

#[cfg(test)]
mod tests {
    use claviger_token::{Change, ChangesMessage};
    use serde_json::json;

    use super::*;
    use crate::{answer::Answer, clock::monotonic};

    fn found() -> Arc<Found> {
        let id = |prefix: &str| format!("{prefix}_01h2xcejqtf2nbrexx3vqjhp41");
        let answer = json!({
            "valid": true, "code": "valid", "permissions": ["a:read"], "objects": null, "metadata": {}, "limits": [],
            "credential": { "id": id("key"), "kind": "api_key", "name": "x", "generation": "current", "environment": "live", "expires_at": null },
            "principal": { "id": id("sa"), "type": "service_account", "name": "x", "external_id": null },
            "organization": { "id": id("org"), "slug": "x", "external_id": null },
            "cache": { "max_age_seconds": 60, "audiences": [], "networks": null, "epoch": 1 },
        });
        Arc::new(Answer::read(answer.to_string().as_bytes()).unwrap().found.unwrap())
    }

    fn told(opaque: &Opaque, reset: bool, position: i64, changes: Vec<Change>) {
        let message = ChangesMessage { reset, next: String::new(), position, age_ms: 0, changes };
        opaque.names.write().take(&message, monotonic());
    }

    #[test]
    fn an_answer_that_a_change_overtook_is_not_kept() {
        let (opaque, found, hash) = (Opaque::new(10), found(), TokenHash::of("x"));
        let now = monotonic();
        let minute = Duration::from_secs(60);
        let is_known = |at: Instant| matches!(opaque.known(&hash, at), Some(Known::Valid(_)));
        opaque.keep(hash, &found, (0, 9), minute, now);
        assert!(!is_known(now), "before the feed is heard");
        told(&opaque, true, 10, Vec::new());
        let change = Change { sequence: 12, concerns: Concerns::Credential(found.credential.id) };
        told(&opaque, false, 12, vec![change]);
        opaque.keep(hash, &found, (1, 11), minute, now);
        assert!(!is_known(now), "read before the change, and here after it");
        opaque.keep(hash, &found, (1, 12), minute, now);
        assert!(is_known(now) && is_known(now + minute - Duration::from_millis(1)) && !is_known(now + minute));
        told(&opaque, false, 13, vec![Change { sequence: 13, concerns: Concerns::Principal(found.principal.id) }]);
        assert!(!is_known(now));
        opaque.keep(hash, &found, (1, 13), minute * 9, now);
        assert!(is_known(now) && !is_known(now + minute), "whatever the answer says");
        told(&opaque, true, 13, Vec::new());
        assert!(!is_known(now));
    }

    #[test]
    fn a_refusal_is_remembered_for_a_second() {
        let (opaque, hash, now) = (Opaque::new(10), TokenHash::of("x"), monotonic());
        opaque.keep_refusal(hash, Refusal::Unknown, now);
        assert!(matches!(opaque.known(&hash, now), Some(Known::Refused(Refusal::Unknown))));
        assert!(opaque.known(&hash, now + REFUSED_FOR).is_none());
    }
}
