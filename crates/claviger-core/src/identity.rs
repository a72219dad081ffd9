//! Who a user is to an outside OpenID Connect provider, and whom what the provider says lets in.
//!
//! A user is known by issuer and subject, which a provider never gives to somebody else; an address only introduces
//! them, once, and only if the provider has checked it. The room must not know how a provider is asked.

use claviger_token::{CredentialId, UserId};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use crate::{
    audit::{Action, Chain, Event, Touched},
    email::Email,
    name::Name,
    user::{NewUser, User},
};

/// By how much the clock of a provider may be behind ours.
const CLOCK_SKEW: SignedDuration = SignedDuration::from_mins(1);

/// Longer subjects are nobody's (OpenID Connect Core 1.0, section 2: 255 ASCII characters).
const LONGEST_SUBJECT: usize = 255;

/// What a provider says of somebody, once it is known that it was the provider.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Claims {
    /// Which of its people; never another's.
    pub subject: String,
    /// Their address.
    pub email: Option<String>,
    /// Whether the provider has checked that the address is theirs.
    pub email_verified: bool,
    /// What to call them.
    pub name: Option<String>,
    /// The groups that they are in.
    pub groups: Vec<String>,
    /// When they last proved to the provider who they are.
    pub authenticated_at: Option<Timestamp>,
}

/// A user's identity at a provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The provider.
    pub issuer: String,
    /// Which of its people.
    pub subject: String,
    /// Who that is here.
    pub user: UserId,
    /// Since when.
    pub created_at: Timestamp,
}

/// What is known here of whom a provider tells of.
#[derive(Debug, Clone, Copy, Default)]
pub struct Known<'a> {
    /// The user with this identity.
    pub linked: Option<&'a User>,
    /// The user with this address.
    pub by_email: Option<&'a User>,
    /// Whether the user with this address has another identity at the same provider.
    pub by_email_is_another: bool,
    /// Whether the user with this address was signed in before in the browser that comes back.
    pub by_email_was_here: bool,
}

/// Whom to let in.
#[derive(Debug)]
pub enum Admission {
    /// A user whose identity is known.
    Linked(UserId),
    /// The user with this address, whose identity is known from now on.
    Link(UserId),
    /// The same, of whose address somebody else may have made an account: what opens it until now opens it no more.
    Take(UserId),
    /// Somebody new.
    Create(NewUser),
}

/// Why somebody whom a provider knows is not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotAdmitted {
    /// The provider has not checked their address, or tells none.
    Unverified,
    /// Nobody here has their address.
    Unknown,
    /// Whoever has their address here is somebody else to the provider.
    AnotherIdentity,
    /// They are disabled.
    Disabled,
}

impl NotAdmitted {
    /// The word for it in the audit trail.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unverified => "email_unverified",
            Self::Unknown => "unknown_user",
            Self::AnotherIdentity => "another_identity",
            Self::Disabled => "disabled",
        }
    }
}

impl Claims {
    /// Whether a subject can be kept.
    pub fn has_sound_subject(&self) -> bool {
        (1..=LONGEST_SUBJECT).contains(&self.subject.len()) && !self.subject.chars().any(char::is_control)
    }

    /// Their address, if the provider has checked it.
    pub fn verified_email(&self) -> Option<Email> {
        let email = self.email.as_deref().filter(|_| self.email_verified)?;
        Email::parse(email).ok()
    }

    /// Whom these let in. `may_create`: whether who is not there yet is added.
    pub fn admit(&self, known: Known<'_>, may_create: bool) -> Result<Admission, NotAdmitted> {
        let unless_disabled = |user: &User, admission| match user.disabled_at {
            Some(_) => Err(NotAdmitted::Disabled),
            None => Ok(admission),
        };
        if let Some(user) = known.linked {
            return unless_disabled(user, Admission::Linked(user.id));
        }
        let Some(email) = self.verified_email() else { return Err(NotAdmitted::Unverified) };
        match known.by_email {
            // An address that went to somebody else must not bring them what its last owner holds.
            Some(_) if known.by_email_is_another => Err(NotAdmitted::AnotherIdentity),
            Some(user) if user.email_claimed && !known.by_email_was_here => {
                unless_disabled(user, Admission::Take(user.id))
            }
            Some(user) => unless_disabled(user, Admission::Link(user.id)),
            None if may_create => {
                let name = self.name.clone().filter(|name| Name::parse(name).is_ok());
                Ok(Admission::Create(NewUser { name, ..NewUser::with_email(email.as_str()) }))
            }
            None => Err(NotAdmitted::Unknown),
        }
    }

    /// Whether they proved to the provider who they are since they were sent there. A provider that does not say when may
    /// have asked for nothing.
    pub fn proves_again(&self, sent_at: Timestamp) -> bool {
        self.authenticated_at.is_some_and(|at| at.saturating_add(CLOCK_SKEW).unwrap_or(Timestamp::MAX) >= sent_at)
    }
}

impl Identity {
    /// A user's identity is known from now on.
    pub fn link(issuer: &str, subject: &str, user: UserId, now: Timestamp) -> (Self, Event) {
        let identity = Self { issuer: issuer.to_owned(), subject: subject.to_owned(), user, created_at: now };
        let event = Event {
            chain: Chain::Instance,
            action: Action::IdentityLinked,
            target: user.to_string(),
            details: json!({ "issuer": issuer }),
            personal: Some(json!({ "subject": subject })),
            touched: Vec::new(),
        };
        (identity, event)
    }

    /// The same of a user whose address somebody else may have claimed. Tells which credentials ended with that claim.
    pub fn take(issuer: &str, subject: &str, user: UserId, ended: &[CredentialId], now: Timestamp) -> (Self, Event) {
        let (identity, mut event) = Self::link(issuer, subject, user, now);
        event.details["took_claimed_address"] = json!(true);
        event.touched.push(Touched::Principal(user.into()));
        (identity, event.ending(ended))
    }

    /// Somebody came from a provider and did not get in. Of whom nobody here is, nothing is told but that.
    pub fn not_admitted(issuer: &str, user: Option<UserId>, reason: &str) -> Event {
        Event {
            chain: Chain::Instance,
            action: Action::SignInFailed,
            target: user.map_or_else(|| issuer.to_owned(), |user| user.to_string()),
            details: json!({ "stage": "openid_connect", "reason": reason, "issuer": issuer }),
            personal: None,
            touched: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{at, now, rng};

    const ISSUER: &str = "https://idp.test";

    fn alice() -> User {
        User::create(&NewUser::with_email("alice@acme.test"), now(), &mut rng()).unwrap().0
    }

    fn claims() -> Claims {
        Claims {
            subject: "42".to_owned(),
            email: Some("alice@acme.test".to_owned()),
            email_verified: true,
            name: Some("Alice".to_owned()),
            ..Claims::default()
        }
    }

    #[test]
    fn whom_a_provider_knows_is_let_in_by_identity_and_else_by_a_verified_address() {
        let alice = alice();
        let gone = User { disabled_at: Some(at(0)), ..alice.clone() };
        let nobody = Known::default();
        let linked = Known { linked: Some(&alice), ..nobody };
        let by_email = Known { by_email: Some(&alice), ..nobody };
        let unverified = || Claims { email_verified: false, ..claims() };
        let check = |claims: &Claims, known, may_create, expected: &str| {
            let told = match claims.admit(known, may_create) {
                Ok(Admission::Linked(id)) if id == alice.id => "linked".to_owned(),
                Ok(Admission::Link(id)) if id == alice.id => "link".to_owned(),
                Ok(Admission::Take(id)) if id == alice.id => "take".to_owned(),
                Ok(Admission::Linked(_) | Admission::Link(_) | Admission::Take(_)) => "somebody else".to_owned(),
                Ok(Admission::Create(new)) => format!("create {} {:?}", new.email, new.name),
                Err(why) => why.as_str().to_owned(),
            };
            assert_eq!(told, expected, "{claims:?} {known:?}");
        };
        // Who is linked needs no address, whoever has it now.
        check(&claims(), linked, false, "linked");
        check(&unverified(), linked, false, "linked");
        check(&Claims { email: None, ..claims() }, linked, false, "linked");
        check(&claims(), Known { linked: Some(&gone), by_email: Some(&alice), ..nobody }, true, "disabled");
        // An address counts only when verified.
        check(&claims(), by_email, false, "link");
        check(&unverified(), by_email, true, "email_unverified");
        check(&Claims { email: None, ..claims() }, nobody, true, "email_unverified");
        check(&Claims { email: Some("alice".to_owned()), ..claims() }, nobody, true, "email_unverified");
        check(&claims(), Known { by_email_is_another: true, ..by_email }, true, "another_identity");
        check(&claims(), Known { by_email: Some(&gone), ..nobody }, true, "disabled");
        // Whoever claimed it first is not in any more, unless it was them.
        let claimed = alice.clone().claimed();
        let by_claim = Known { by_email: Some(&claimed), ..nobody };
        check(&claims(), by_claim, false, "take");
        check(&claims(), Known { by_email_was_here: true, ..by_claim }, false, "link");
        check(&claims(), Known { by_email_is_another: true, ..by_claim }, false, "another_identity");
        check(&unverified(), by_claim, false, "email_unverified");
        check(&claims(), Known { linked: Some(&claimed), ..nobody }, false, "linked");
        // Who is nobody here is added only if that is wanted.
        check(&claims(), nobody, false, "unknown_user");
        check(&claims(), nobody, true, "create alice@acme.test Some(\"Alice\")");
        let unspeakable = Claims { name: Some("A\u{0}".to_owned()), ..claims() };
        check(&unspeakable, nobody, true, "create alice@acme.test None");
    }

    #[test]
    fn a_proof_is_one_that_was_given_since() {
        let proves = |at| Claims { authenticated_at: at, ..claims() }.proves_again(at_noon());
        assert!(proves(Some(at_noon())) && proves(Some(at_noon() - SignedDuration::from_secs(60))));
        assert!(!proves(Some(at_noon() - SignedDuration::from_secs(61))) && !proves(None));
    }

    fn at_noon() -> Timestamp {
        at(14_400)
    }

    #[test]
    fn a_subject_is_short_and_plain() {
        let sound = |subject: &str| Claims { subject: subject.to_owned(), ..claims() }.has_sound_subject();
        assert!(sound("42") && sound(&"x".repeat(255)));
        assert!(!sound("") && !sound(&"x".repeat(256)) && !sound("a\u{0}"));
    }

    #[test]
    fn events_tell_the_subject_only_beside_the_record() {
        let (identity, event) = Identity::link(ISSUER, "42", alice().id, at(1));
        assert_eq!((identity.issuer.as_str(), identity.created_at), (ISSUER, at(1)));
        assert_eq!((event.action, &event.details), (Action::IdentityLinked, &json!({ "issuer": ISSUER })));
        assert_eq!(event.personal, Some(json!({ "subject": "42" })));
        let (_, event) = Identity::take(ISSUER, "42", alice().id, &[], at(1));
        assert_eq!(
            (&event.details["took_claimed_address"], &event.details["ended_credential_count"]),
            (&json!(true), &json!(0))
        );
        assert_eq!(event.touched, [Touched::Principal(alice().id.into())]);
        let failed = Identity::not_admitted(ISSUER, None, NotAdmitted::Unknown.as_str());
        assert_eq!((failed.target.as_str(), &failed.personal), (ISSUER, &None));
        assert_eq!(Identity::not_admitted(ISSUER, Some(alice().id), "x").target, alice().id.to_string());
    }
}
