//! An access token that is ended by itself, before its time. Its credential and the other tokens of that go on.
//!
//! The room must not know how a token is made, nor where those that ended are listed.

use claviger_token::{AccessTokenId, CredentialId, Found, OrganizationId};
use jiff::Timestamp;
use serde_json::json;

use crate::audit::{Action, Chain, Event, Touched};

/// One token, and what is told of its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EndedToken {
    /// The token.
    pub id: AccessTokenId,
    /// What it was made from.
    pub credential: CredentialId,
    /// Where it acted.
    pub organization: OrganizationId,
    /// When it would have ended: after that nobody need know of it.
    pub expires_at: Timestamp,
}

impl EndedToken {
    /// The end of what was presented; `None` if that is no access token.
    pub fn of(found: &Found) -> Option<Self> {
        let token = found.token.as_ref()?;
        let (credential, organization) = (found.credential.id, found.organization.id);
        Some(Self { id: token.id, credential, organization, expires_at: token.expires_at })
    }

    /// What is told of it.
    pub fn event(&self) -> Event {
        Event {
            chain: Chain::Organization(self.organization),
            action: Action::AccessTokenRevoked,
            target: self.id.to_string(),
            details: json!({ "credential": self.credential, "expires_at": self.expires_at }),
            personal: None,
            touched: vec![Touched::AccessToken(self.id)],
        }
    }
}

#[cfg(test)]
mod tests {
    use claviger_token::{AccessTokenFacts, PermissionSet, ServiceAccountId, TypedId as _};

    use super::*;
    use crate::fixtures::{World, at, rng};

    #[test]
    fn only_an_access_token_ends_by_itself_and_tells_whose_it_was() {
        let mut found = World::new().caller("a:b", "");
        assert_eq!(EndedToken::of(&found), None);
        let id = AccessTokenId::generate(at(0), &mut rng());
        found.token = Some(Box::new(AccessTokenFacts {
            id,
            client_id: ServiceAccountId::generate(at(0), &mut rng()),
            issued_at: at(0),
            expires_at: at(600),
            scope: PermissionSet::default(),
            details: None,
            act: None,
            credential_epoch: 1,
            revoked: false,
        }));
        let event = EndedToken::of(&found).unwrap().event();
        assert_eq!((event.chain, event.target), (Chain::Organization(found.organization.id), id.to_string()));
        assert_eq!(event.touched, [Touched::AccessToken(id)]);
        assert_eq!(event.details, json!({ "credential": found.credential.id, "expires_at": at(600) }));
    }
}
