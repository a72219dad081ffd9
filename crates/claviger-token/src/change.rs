//! The change feed on the wire: whom a change concerns, in the words of the verify answer, so that whoever keeps answers knows which to
//! forget.
//!
//! Nothing here is secret, and nothing says what changed. The room must not know how changes are stored.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{CredentialId, OrganizationId, PrincipalId};

/// Whom a change concerns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Concerns {
    /// Whatever is known of one credential.
    Credential(CredentialId),
    /// Of all credentials of a principal.
    Principal(PrincipalId),
    /// Of all credentials in an organization.
    Organization(OrganizationId),
    /// The keys that sign tokens, and so whatever is known of tokens that they signed.
    SigningKeys,
    /// Whatever is known at all.
    Everything,
}

/// One change, told once for each of those whom it concerns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Written", into = "Written")]
pub struct Change {
    /// Its number in the log. Numbers may come out of order, and more than once.
    pub sequence: i64,
    /// Whom it concerns.
    pub concerns: Concerns,
}

/// A message of the feed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangesMessage {
    /// Whether whoever asked must forget all that it keeps, because what changed since is not known here.
    pub reset: bool,
    /// What to ask with the next time.
    pub next: String,
    /// Every change up to this number has been told. With `reset`: what was read below it may be void, for what came before is not told.
    pub position: i64,
    /// How old the knowledge is that this tells of, in milliseconds.
    #[serde(default)]
    pub age_ms: u64,
    /// What time it is where this is told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<Timestamp>,
    /// Whether more changed than is told here: until a message comes without, what is kept may be void already.
    #[serde(default)]
    pub more: bool,
    /// What changed.
    pub changes: Vec<Change>,
}

impl ChangesMessage {
    /// The header of a verify answer that has the position before the answer was read: the answer knows of every change up to it.
    pub const POSITION_HEADER: &str = "x-claviger-position";
}

/// As it is written: flat, and open for kinds that come later.
#[derive(Serialize, Deserialize)]
struct Written {
    sequence: i64,
    kind: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    id: Option<String>,
}

impl From<Change> for Written {
    fn from(change: Change) -> Self {
        let (kind, id) = match change.concerns {
            Concerns::Credential(id) => ("credential", Some(id.to_string())),
            Concerns::Principal(id) => ("principal", Some(id.to_string())),
            Concerns::Organization(id) => ("organization", Some(id.to_string())),
            Concerns::SigningKeys => ("signing_keys", None),
            Concerns::Everything => ("everything", None),
        };
        Self { sequence: change.sequence, kind: kind.to_owned(), id }
    }
}

impl From<Written> for Change {
    /// What is not understood may concern anybody.
    fn from(Written { sequence, kind, id }: Written) -> Self {
        let id = id.unwrap_or_default();
        let concerns = match kind.as_str() {
            "credential" => id.parse().ok().map(Concerns::Credential),
            "principal" => id.parse().ok().map(Concerns::Principal),
            "organization" => id.parse().ok().map(Concerns::Organization),
            "signing_keys" => Some(Concerns::SigningKeys),
            _ => None,
        };
        Self { sequence, concerns: concerns.unwrap_or(Concerns::Everything) }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn a_change_is_written_as_it_is_read() {
        let check = |concerns: Concerns, written: Value| {
            let change = Change { sequence: 7, concerns };
            assert_eq!(serde_json::to_value(change).unwrap(), written);
            assert_eq!(serde_json::from_value::<Change>(written).unwrap(), change);
        };
        let id = |prefix: &str| format!("{prefix}_01h2xcejqtf2nbrexx3vqjhp41");
        let (key, account, organization) = (id("key"), id("sa"), id("org"));
        check(Concerns::Credential(key.parse().unwrap()), json!({ "sequence": 7, "kind": "credential", "id": key }));
        check(
            Concerns::Principal(account.parse().unwrap()),
            json!({ "sequence": 7, "kind": "principal", "id": account }),
        );
        check(
            Concerns::Organization(organization.parse().unwrap()),
            json!({ "sequence": 7, "kind": "organization", "id": organization }),
        );
        check(Concerns::SigningKeys, json!({ "sequence": 7, "kind": "signing_keys" }));
        check(Concerns::Everything, json!({ "sequence": 7, "kind": "everything" }));
    }

    #[test]
    fn what_is_not_understood_concerns_everything() {
        let check = |written: Value| {
            let change: Change = serde_json::from_value(written.clone()).unwrap();
            assert_eq!(change.concerns, Concerns::Everything, "{written}");
        };
        check(json!({ "sequence": 1, "kind": "comet", "id": "x" }));
        check(json!({ "sequence": 1, "kind": "credential", "id": "comet_01h2xcejqtf2nbrexx3vqjhp41" }));
        check(json!({ "sequence": 1, "kind": "credential" }));
        check(json!({ "sequence": 1, "kind": "principal", "id": "", "since": 3 }));
    }
}
