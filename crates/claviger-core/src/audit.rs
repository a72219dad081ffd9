//! The audit trail: what happened, written so that nobody can change it afterwards unnoticed.
//!
//! Events form one HMAC chain per organization and one for the instance. Each link covers the one before,
//! so a changed, removed or inserted event breaks every later link. Personal data is kept
//! beside the record, outside the hash, so that it can be erased.

use std::{fmt, str::FromStr};

use aws_lc_rs::hmac;
use claviger_token::{AccessTokenId, CredentialId, EventId, IdError, OrganizationId, PrincipalId, RoleId};
use jiff::Timestamp;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::{
    actor::{Actor, By},
    pepper::into_array,
};

/// Which chain an event belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Chain {
    /// APIs, users, roles and assignments of the instance, organizations made and deleted.
    Instance,
    /// Everything inside one organization.
    Organization(OrganizationId),
}

impl Chain {
    /// The organization whose people may read it.
    pub fn organization(&self) -> Option<OrganizationId> {
        match self {
            Self::Instance => None,
            Self::Organization(id) => Some(*id),
        }
    }
}

impl From<Option<OrganizationId>> for Chain {
    fn from(organization: Option<OrganizationId>) -> Self {
        organization.map_or(Self::Instance, Self::Organization)
    }
}

impl fmt::Display for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Instance => f.write_str("instance"),
            Self::Organization(id) => id.fmt(f),
        }
    }
}

impl FromStr for Chain {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        if text == "instance" { Ok(Self::Instance) } else { text.parse().map(Self::Organization) }
    }
}

macro_rules! actions {
    ($($variant:ident $text:literal $doc:literal,)*) => {
        /// What happened. The text form is the stable `action` of audit events.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Action { $(#[doc = $doc] $variant,)* }

        impl Action {
            /// Every action there is.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// `noun.verb`.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }
        }
    };
}

actions! {
    InstanceBootstrapped "instance.bootstrapped" "The operator made a first administrator, or another administrator's key.",
    OrganizationCreated "organization.created" "A customer was added.",
    OrganizationUpdated "organization.updated" "Its name, ceiling, external id or metadata changed.",
    OrganizationDisabled "organization.disabled" "Every credential in it stopped working.",
    OrganizationEnabled "organization.enabled" "They work again.",
    OrganizationDeleted "organization.deleted" "It ended, and every credential in it.",
    PolicyUpdated "organization.policy_updated" "The rules for its credentials changed.",
    ServiceAccountCreated "service_account.created" "A non-person principal was added.",
    ServiceAccountUpdated "service_account.updated" "Its name, external id, metadata or rights changed.",
    ServiceAccountDisabled "service_account.disabled" "Every credential of it stopped working.",
    ServiceAccountEnabled "service_account.enabled" "They work again.",
    ServiceAccountDeleted "service_account.deleted" "It ended, and every credential of it.",
    UserCreated "user.created" "A person was added.",
    UserUpdated "user.updated" "Their address, name, external id or metadata changed.",
    UserDisabled "user.disabled" "They cannot sign in, and their tokens stopped working.",
    UserEnabled "user.enabled" "They can sign in again, and their tokens work.",
    UserDeleted "user.deleted" "They are gone, and with them every token and session.",
    PasswordResetLinkCreated "user.password_reset_link_created" "Somebody got a link on which they choose a new password.",
    MemberAdded "member.added" "A user belongs to an organization now.",
    MemberUpdated "member.updated" "What they hold there changed.",
    MemberRemoved "member.removed" "They left, and their rights and tokens there ended.",
    InvitationCreated "invitation.created" "Somebody got a link that makes them a member.",
    InvitationAccepted "invitation.accepted" "It was used, and works no more.",
    InvitationRevoked "invitation.revoked" "It was taken back.",
    SignInLinkCreated "user.sign_in_link_created" "Somebody got a link that signs them in once.",
    SignInLinkUsed "user.sign_in_link_used" "It was used.",
    PortalSessionCreated "portal_session.created" "Somebody got a link that lets a user into an organization's portal once.",
    DeviceRequestApproved "device_request.approved" "A user let a device have a token of theirs.",
    DeviceRequestDenied "device_request.denied" "A user did not, or what they approved is no longer allowed; the event tells why.",
    DeviceRequestRedeemed "device_request.redeemed" "The device got its token, which the event names.",
    FleetCreated "fleet.created" "A fleet of devices was made.",
    FleetUpdated "fleet.updated" "Its name, what its devices may do or how long their keys last changed.",
    FleetClosed "fleet.closed" "No device enrols or renews in it, for now.",
    FleetReopened "fleet.reopened" "Devices enrol and renew in it again.",
    FleetRevoked "fleet.revoked" "Every credential of its devices ended, and its claim codes.",
    FleetDeleted "fleet.deleted" "It ended, and every device of it.",
    ClaimCodeCreated "claim_code.created" "Somebody got a code by which devices enrol in a fleet.",
    ClaimCodeRevoked "claim_code.revoked" "No device enrols by it any more.",
    DeviceEnrolled "device.enrolled" "A device got a service account of its own by a claim code, which the event names.",
    DeviceRenewed "device.renewed" "A device has a new key, and its old one ends soon.",
    ApiCreated "api.created" "A protected API was declared.",
    ApiUpdated "api.updated" "Its name or its permissions changed.",
    ApiDeleted "api.deleted" "It and its permissions are gone.",
    SigningKeyCreated "signing_key.created" "The first key that signs tokens with its algorithm was made.",
    SigningKeyRotated "signing_key.rotated" "The next one was made; the event tells from when it signs.",
    SigningKeyRemoved "signing_key.removed" "It is published no more, and what it signed is refused.",
    RoleCreated "role.created" "A named set of permissions was made.",
    RoleUpdated "role.updated" "What it holds changed, for everybody who has it.",
    RoleDeleted "role.deleted" "Nobody has it any more.",
    AssignmentCreated "assignment.created" "A principal was given a role or a permission.",
    AssignmentDeleted "assignment.deleted" "It was taken away.",
    SessionStarted "session.started" "A user signed in.",
    SessionReauthenticated "session.reauthenticated" "Its user proved again who they are.",
    SessionEnded "session.ended" "It ended before its time.",
    SignInFailed "sign_in.failed" "Somebody did not get in; told once a minute for each account.",
    IdentityLinked "identity.linked" "From now on a user may sign in by an outside OpenID Connect provider.",
    PasswordChanged "password.changed" "A user has another password, or the first.",
    PasswordReset "password.reset" "A user has another password, by a link that an administrator made.",
    TotpEnabled "totp.enabled" "An authenticator app is asked for at sign-in.",
    TotpDisabled "totp.disabled" "It is no longer asked for.",
    RecoveryCodesMade "recovery_codes.made" "A user has new recovery codes; the old ones are void.",
    RecoveryCodeUsed "recovery_code.used" "One of them stood in for the authenticator app.",
    PasskeyAdded "passkey.added" "A user may sign in by another passkey.",
    PasskeyRenamed "passkey.renamed" "A passkey is called otherwise.",
    PasskeyRemoved "passkey.removed" "Nobody signs in by it any more.",
    CredentialsRevoked "credentials.revoked" "Many of them ended at once, by a query or by a rule.",
    AccessTokenRevoked "access_token.revoked" "One token from the token endpoint ended before its time.",
    ApiKeyCreated "api_key.created" "An API key was issued.",
    ApiKeyUpdated "api_key.updated" "What it may do, or how it is called, changed.",
    ApiKeyDisabled "api_key.disabled" "It stopped working, for now.",
    ApiKeyEnabled "api_key.enabled" "It works again.",
    ApiKeyRolled "api_key.rolled" "It has a new secret.",
    ApiKeyOverlapEnded "api_key.overlap_ended" "The secret that was rolled away ended before its time.",
    ApiKeyRevoked "api_key.revoked" "It ended.",
    ApiKeyDeleted "api_key.deleted" "It ended and is no longer listed.",
    ApiKeyRetiredSecretUsed "api_key.retired_secret_used" "Somebody still uses a secret that was rolled away.",
    ApiKeyApproved "api_key.approved" "Somebody let it work, as a policy wants.",
    ApiKeyDenied "api_key.denied" "It ended instead.",
    PersonalAccessTokenCreated "personal_access_token.created" "A user's token was issued.",
    PersonalAccessTokenUpdated "personal_access_token.updated" "What it may do, or how it is called, changed.",
    PersonalAccessTokenDisabled "personal_access_token.disabled" "It stopped working, for now.",
    PersonalAccessTokenEnabled "personal_access_token.enabled" "It works again.",
    PersonalAccessTokenApproved "personal_access_token.approved" "Somebody let it work, as a policy wants.",
    PersonalAccessTokenDenied "personal_access_token.denied" "It ended instead.",
    PersonalAccessTokenRolled "personal_access_token.rolled" "It has a new secret.",
    PersonalAccessTokenOverlapEnded "personal_access_token.overlap_ended" "The secret that was rolled away ended before its time.",
    PersonalAccessTokenRevoked "personal_access_token.revoked" "It ended.",
    PersonalAccessTokenDeleted "personal_access_token.deleted" "It ended and is no longer listed.",
    PersonalAccessTokenRetiredSecretUsed "personal_access_token.retired_secret_used" "Somebody still uses a secret that was rolled away.",
    ClientSecretCreated "client_secret.created" "A client's secret was issued.",
    ClientSecretUpdated "client_secret.updated" "Its name or its end changed.",
    ClientSecretDisabled "client_secret.disabled" "It stopped working, for now.",
    ClientSecretEnabled "client_secret.enabled" "It works again.",
    ClientSecretRolled "client_secret.rolled" "It has a new secret.",
    ClientSecretOverlapEnded "client_secret.overlap_ended" "The secret that was rolled away ended before its time.",
    ClientSecretRevoked "client_secret.revoked" "It ended, and with it every token made with it.",
    ClientSecretDeleted "client_secret.deleted" "It ended and is no longer listed.",
    ClientSecretRetiredSecretUsed "client_secret.retired_secret_used" "Somebody still uses a secret that was rolled away.",
    PublicKeyCreated "public_key.created" "A client's public key was registered.",
    PublicKeyUpdated "public_key.updated" "Its name or its end changed.",
    PublicKeyDisabled "public_key.disabled" "It stopped working, for now.",
    PublicKeyEnabled "public_key.enabled" "It works again.",
    PublicKeyRevoked "public_key.revoked" "It ended, and with it every token made with it.",
    PublicKeyDeleted "public_key.deleted" "It ended and is no longer listed.",
    CertificateCreated "certificate.created" "A client may prove itself by a certificate, or by one that has a name and that an authority vouches for.",
    CertificateUpdated "certificate.updated" "Its name or its end changed.",
    CertificateDisabled "certificate.disabled" "It stopped working, for now.",
    CertificateEnabled "certificate.enabled" "It works again.",
    CertificateRevoked "certificate.revoked" "It ended, and with it every token made with it.",
    CertificateDeleted "certificate.deleted" "It ended and is no longer listed.",
    CertificateAuthorityCreated "certificate_authority.created" "Its certificates count for clients of an organization that registered a name in them.",
    CertificateAuthorityDeleted "certificate_authority.deleted" "They count no more, and every token made with one ended.",
    FederationCreated "federation.created" "A client may prove itself by assertions of an outside issuer.",
    FederationUpdated "federation.updated" "Its name or its end changed.",
    FederationDisabled "federation.disabled" "It stopped working, for now.",
    FederationEnabled "federation.enabled" "It works again.",
    FederationRevoked "federation.revoked" "It ended, and with it every token made with it.",
    FederationDeleted "federation.deleted" "It ended and is no longer listed.",
    FederationAssertionRefused "federation.assertion_refused" "An assertion that its issuer signed did not count; told once an hour for each.",
}

/// An id whose facts changed: what every node must forget.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Touched {
    /// One credential.
    Credential(CredentialId),
    /// All credentials of a principal.
    Principal(PrincipalId),
    /// All credentials in an organization.
    Organization(OrganizationId),
    /// All credentials of everybody who has the role.
    Role(RoleId),
    /// Which API declares which permission.
    Catalog,
    /// The keys that sign tokens.
    SigningKeys,
    /// One access token, which ended by itself: nothing else ever happens to one.
    AccessToken(AccessTokenId),
}

/// One thing that happened, before it has a place in its chain.
#[derive(Debug, Clone)]
pub struct Event {
    /// Where it is told.
    pub chain: Chain,
    /// What happened.
    pub action: Action,
    /// The id of what it happened to.
    pub target: String,
    /// Both sides of the change; nothing secret, nothing personal.
    pub details: Value,
    /// What it tells of a person, both sides too. It stands beside the record and goes when the person is deleted.
    pub personal: Option<Value>,
    /// What every node must forget.
    pub touched: Vec<Touched>,
}

/// Where an event stands in its chain.
#[derive(Debug, Clone, Copy)]
pub struct ChainLink {
    /// Place, from 1, without gaps.
    pub seq: i64,
    /// The link before, all zero for the first.
    pub previous: [u8; 32],
}

impl Event {
    /// How many credentials that end with their owner have an event each, and are listed in the owner's.
    pub const MOST_ENDED: usize = 1000;

    /// The same event, which also tells the credentials that ended with what it deleted.
    #[must_use]
    pub fn ending(mut self, credentials: &[CredentialId]) -> Self {
        self.details["ended_credentials"] = json!(credentials.iter().take(Self::MOST_ENDED).collect::<Vec<_>>());
        self.details["ended_credential_count"] = json!(credentials.len());
        self
    }

    /// The exact text that is hashed and stored.
    pub fn record(&self, link: &ChainLink, id: EventId, by: &By, at: Timestamp) -> String {
        let mut actor = json!({ "type": by.actor.kind() });
        match by.actor {
            Actor::Principal { .. } | Actor::Session { .. } | Actor::Link { .. } => {
                actor["id"] = json!(by.actor.id());
                actor["credential"] = json!(by.actor.means());
            }
            Actor::Operator | Actor::System => {}
        }
        json!({
            "id": id,
            "chain": self.chain.to_string(),
            "seq": link.seq,
            "at": at,
            "action": self.action.as_str(),
            "actor": actor,
            "target": self.target,
            "request_id": by.request_id,
            "details": self.details,
        })
        .to_string()
    }
}

/// The sealed key of the chains.
#[derive(Debug, Clone)]
pub struct ChainKey(hmac::Key);

impl ChainKey {
    /// From the 32 bytes that were sealed.
    pub fn new(key: &Zeroizing<[u8; 32]>) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, key.as_slice()))
    }

    /// The hash of a link: over the link before it, and the record.
    pub fn hash(&self, previous: &[u8; 32], record: &str) -> [u8; 32] {
        let mut context = hmac::Context::with_key(&self.0);
        context.update(previous);
        context.update(record.as_bytes());
        into_array(&context.sign())
    }
}

#[cfg(test)]
mod tests {
    use claviger_token::{SessionId, TypedId as _, UserId};

    use super::*;
    use crate::credential::Credential;
    use crate::fixtures::{World, at, elsewhere, rng};

    #[test]
    fn a_record_tells_who_did_what_to_what_and_nothing_personal() {
        let key = World::new().key(json!({}));
        let id = EventId::generate(at(0), &mut rng());
        let event = Event {
            chain: Chain::Organization(key.organization),
            action: Action::ApiKeyRevoked,
            target: "key_1".to_owned(),
            details: json!({ "reason": "unused" }),
            personal: None,
            touched: Vec::new(),
        };
        let address = Some("203.0.113.9".parse().unwrap());
        let check = |actor, told: Value| {
            let by = By { actor, address, request_id: Some("r1".to_owned()) };
            let record = event.record(&ChainLink { seq: 7, previous: [0; 32] }, id, &by, at(0));
            let expected = json!({
                "id": id, "chain": key.organization, "seq": 7, "at": "2027-01-15T08:00:00Z",
                "action": "api_key.revoked", "actor": told, "target": "key_1", "request_id": "r1",
                "details": { "reason": "unused" },
            });
            assert_eq!(serde_json::from_str::<Value>(&record).unwrap(), expected);
        };
        check(Actor::Operator, json!({ "type": "operator" }));
        check(Actor::System, json!({ "type": "system" }));
        check(
            Actor::Principal { id: key.principal, credential: key.id },
            json!({ "type": "service_account", "id": key.principal, "credential": key.id }),
        );
        let (user, session) = (UserId::generate(at(0), &mut rng()), SessionId::generate(at(0), &mut rng()));
        check(Actor::Session { user, session }, json!({ "type": "user", "id": user, "credential": session }));
        check(Actor::Link { user }, json!({ "type": "user", "id": user, "credential": null }));
    }

    #[test]
    fn the_name_of_a_chain_reads_back() {
        for chain in [Chain::Instance, Chain::Organization(elsewhere())] {
            assert_eq!(chain.to_string().parse(), Ok(chain));
            assert_eq!(Chain::from(chain.organization()), chain);
        }
        assert!("acme".parse::<Chain>().is_err());
    }

    #[test]
    fn every_action_has_a_noun_and_a_verb_of_its_own() {
        let mut seen = std::collections::BTreeSet::new();
        for action in Action::ALL {
            let (noun, verb) = action.as_str().split_once('.').unwrap();
            assert!(!noun.is_empty() && !verb.is_empty());
            assert!(seen.insert(action.as_str()), "{} twice", action.as_str());
        }
    }

    #[test]
    fn a_deletion_tells_which_credentials_ended_with_it() {
        let world = World::new();
        let key = world.key(json!({})).id;
        let (_, event) = world.service_account.clone().delete(at(1));
        let check = |keys: &[CredentialId], listed: usize| {
            let details = event.clone().ending(keys).details;
            assert_eq!(details["ended_credentials"].as_array().unwrap().len(), listed);
            assert_eq!((&details["ended_credential_count"], &details["name"]), (&json!(keys.len()), &json!("ci")));
        };
        check(&[], 0);
        check(&[key; 2], 2);
        check(&[key; 1001], 1000);
        let ended = Credential::ended(key, world.organization.id, crate::RevokeReason::OwnerLeft);
        assert_eq!((ended.action, ended.target), (Action::ApiKeyRevoked, key.to_string()));
        assert_eq!(ended.details, json!({ "reason": "owner_left" }));
    }

    #[test]
    fn a_link_depends_on_its_record_and_on_the_link_before() {
        let key = ChainKey::new(&Zeroizing::new([3; 32]));
        let first = key.hash(&[0; 32], "a");
        assert_ne!(first, key.hash(&[0; 32], "b"));
        assert_ne!(key.hash(&first, "b"), key.hash(&[0; 32], "b"));
    }
}
