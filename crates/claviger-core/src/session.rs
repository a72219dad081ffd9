//! Sign-in sessions: what a browser holds after a person has proven who they are.
//!
//! A session lives in the database and the browser holds 256 bits that name it: it can be listed and ended from elsewhere.
//! Validity is half open, as everywhere: dead at the instant of its end. The room must not know cookies.

use std::{fmt, fmt::Write as _, net::IpAddr, str::FromStr};

use claviger_token::{OrganizationId, Secret, SessionId, TypedId as _, UserId};
use jiff::{SignedDuration, Timestamp};
use rand::CryptoRng;
use serde_json::json;
use zeroize::Zeroizing;

use crate::{
    audit::{Action, Chain, Event},
    one_time_code::OneTimeCode,
};

/// How long a sign-in may be ago before something that lasts, such as making a token.
const FRESH: SignedDuration = SignedDuration::from_mins(10);

/// How exactly the last use is known; a request more often than that writes nothing.
const NOTED_EVERY: SignedDuration = SignedDuration::from_mins(1);

/// Longer names of browsers are cut, in characters.
const LONGEST_USER_AGENT: usize = 200;

/// How long sessions of a portal live: whoever is signed in to the product comes in anew at any time.
const PORTAL: SessionLife =
    SessionLife { idle: SignedDuration::from_mins(30), absolute: SignedDuration::from_hours(1) };

/// How long sessions live.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionLife {
    /// Without use.
    pub idle: SignedDuration,
    /// At all.
    pub absolute: SignedDuration,
}

impl Default for SessionLife {
    fn default() -> Self {
        Self { idle: SignedDuration::from_hours(12), absolute: SignedDuration::from_hours(7 * 24) }
    }
}

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $name { $($(#[$variant_doc])* $variant,)* }

        impl $name {
            /// The word for it, in storage and on the wire.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = String;

            fn from_str(text: &str) -> Result<Self, String> {
                match text {
                    $($text => Ok(Self::$variant),)*
                    other => Err(format!("{other} is none of {}", [$($text),*].join(", "))),
                }
            }
        }
    };
}

words! {
    /// Where a session counts.
    SessionKind {
        /// Everywhere in the console, and in the management API.
        Console = "console",
        /// On the pages of one organization's portal and nowhere else.
        Portal = "portal",
    }
}

words! {
    /// What somebody proved themselves with.
    SignInMethod {
        /// A password, where no second factor is set up.
        Password = "password",
        /// A password and a code of an authenticator app.
        Totp = "totp",
        /// A password and a recovery code.
        RecoveryCode = "recovery_code",
        /// A link that works once.
        Link = "link",
        /// An outside OpenID Connect provider.
        OpenIdConnect = "openid_connect",
        /// A passkey, which is two factors by itself.
        Passkey = "passkey",
    }
}

words! {
    /// Why a session ended before its time.
    SessionEnd {
        /// Its person signed out.
        SignedOut = "signed_out",
        /// Its person ended it from another one.
        Revoked = "revoked",
        /// The password changed elsewhere.
        PasswordChanged = "password_changed",
        /// The second factor changed elsewhere.
        SecondFactorChanged = "second_factor_changed",
        /// A passkey was taken away, by which it may have begun.
        PasskeyRemoved = "passkey_removed",
        /// The same browser signed in again.
        Replaced = "replaced",
        /// Its user got rights that count everywhere, which whoever let them in at the portal could not give.
        ReachesFurther = "reaches_further",
    }
}

/// A sign-in session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Its id, which is no secret.
    pub id: SessionId,
    /// Whose.
    pub user: UserId,
    /// Where it counts.
    pub kind: SessionKind,
    /// What its person proved themselves with, the last time.
    pub method: SignInMethod,
    /// The only organization that it counts in, of a portal session.
    pub organization: Option<OrganizationId>,
    /// Where a portal session goes back to.
    pub return_url: Option<String>,
    /// Who let its user in at the portal, and might be there in their place: a principal's id, or `operator`.
    pub vouched_by: Option<String>,
    /// From where it was started.
    pub address: Option<IpAddr>,
    /// What the browser calls itself.
    pub user_agent: Option<String>,
    /// When it was started.
    pub created_at: Timestamp,
    /// When its person last proved who they are.
    pub authenticated_at: Timestamp,
    /// When it was last used, to a minute.
    pub seen_at: Timestamp,
    /// When it ends however much it is used.
    pub ends_at: Timestamp,
}

/// What a new session is made of.
#[derive(Debug)]
pub struct NewSession<'a> {
    /// Whose.
    pub user: UserId,
    /// What they proved themselves with.
    pub method: SignInMethod,
    /// From where.
    pub address: Option<IpAddr>,
    /// What the browser calls itself.
    pub user_agent: Option<&'a str>,
}

impl Session {
    /// A new one for the console, and what its browser holds.
    pub fn start(
        new: &NewSession<'_>,
        life: SessionLife,
        now: Timestamp,
        rng: &mut dyn CryptoRng,
    ) -> (Self, Secret, Event) {
        let session = Self::new(new, life, now, rng);
        let event = session.event(Action::SessionStarted, json!({ "method": new.method.as_str() }));
        (session, secret(rng), event)
    }

    /// A new one at the portal that the code of a link opens, and what its browser holds. Nothing if the code opens none.
    pub fn enter_portal(
        code: &OneTimeCode,
        address: Option<IpAddr>,
        user_agent: Option<&str>,
        now: Timestamp,
        rng: &mut dyn CryptoRng,
    ) -> Option<(Self, Secret, Event)> {
        let organization = code.organization?;
        let return_url = code.details["return_url"].as_str()?.to_owned();
        let new = NewSession { user: code.user, method: SignInMethod::Link, address, user_agent };
        let session = Self {
            kind: SessionKind::Portal,
            organization: Some(organization),
            return_url: Some(return_url),
            vouched_by: Some(code.created_by.clone()),
            ..Self::new(&new, PORTAL, now, rng)
        };
        let details = json!({
            "kind": session.kind.as_str(), "method": session.method.as_str(), "link_created_by": code.created_by,
        });
        let event = session.event(Action::SessionStarted, details);
        Some((session, secret(rng), event))
    }

    fn new(new: &NewSession<'_>, life: SessionLife, now: Timestamp, rng: &mut dyn CryptoRng) -> Self {
        let shown = |text: &str| text.chars().filter(|c| !c.is_control()).take(LONGEST_USER_AGENT).collect();
        Self {
            id: SessionId::generate(now, rng),
            user: new.user,
            kind: SessionKind::Console,
            method: new.method,
            organization: None,
            return_url: None,
            vouched_by: None,
            address: new.address,
            user_agent: new.user_agent.map(shown),
            created_at: now,
            authenticated_at: now,
            seen_at: now,
            ends_at: now.saturating_add(life.absolute).unwrap_or(Timestamp::MAX),
        }
    }

    /// Whether it still counts, where those of the console have this life.
    pub fn counts(&self, console: SessionLife, now: Timestamp) -> bool {
        let life = match self.kind {
            SessionKind::Console => console,
            SessionKind::Portal => PORTAL,
        };
        now < self.ends_at && now.duration_since(self.seen_at) < life.idle
    }

    /// Whether its person proved lately who they are.
    pub fn is_fresh(&self, now: Timestamp) -> bool {
        now.duration_since(self.authenticated_at) < FRESH
    }

    /// Whether this use is to be written down.
    pub fn is_to_be_noted(&self, now: Timestamp) -> bool {
        now.duration_since(self.seen_at) >= NOTED_EVERY
    }

    /// Its person proved again who they are: the browser gets something else to hold.
    pub fn prove(self, method: SignInMethod, now: Timestamp, rng: &mut dyn CryptoRng) -> (Self, Secret, Event) {
        let new = Self { method, authenticated_at: now, seen_at: now, ..self };
        let event = new.event(Action::SessionReauthenticated, json!({ "method": method.as_str() }));
        (new, secret(rng), event)
    }

    /// It ends before its time.
    pub fn end(&self, why: SessionEnd) -> Event {
        Self::ended(self.id, self.user, self.organization, why)
    }

    /// The same of one of which only this is known.
    pub fn ended(id: SessionId, user: UserId, organization: Option<OrganizationId>, why: SessionEnd) -> Event {
        Event {
            chain: Chain::from(organization),
            action: Action::SessionEnded,
            target: id.to_string(),
            details: json!({ "user": user, "reason": why.as_str() }),
            personal: None,
            touched: Vec::new(),
        }
    }

    fn event(&self, action: Action, mut details: serde_json::Value) -> Event {
        details["user"] = json!(self.user);
        Event {
            // What happens at a portal is its organization's to know.
            chain: Chain::from(self.organization),
            action,
            target: self.id.to_string(),
            details,
            personal: None,
            touched: Vec::new(),
        }
    }
}

/// 256 bits, in hexadecimal digits.
fn secret(rng: &mut dyn CryptoRng) -> Secret {
    let mut bytes = Zeroizing::new([0u8; 32]);
    rng.fill_bytes(bytes.as_mut_slice());
    let mut text = String::with_capacity(64);
    for byte in bytes.iter() {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    Secret::new(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{at, rng};

    fn session() -> (Session, Secret, Event) {
        let mut rng = rng();
        let user = UserId::generate(at(0), &mut rng);
        let new = NewSession { user, method: SignInMethod::Password, address: None, user_agent: Some("Fox\n/1") };
        Session::start(&new, SessionLife::default(), at(0), &mut rng)
    }

    #[test]
    fn a_session_ends_when_unused_and_in_any_case() {
        const HOUR: i64 = 3600;
        let (session, ..) = session();
        let check = |seen: i64, now: i64, counts: bool| {
            let session = Session { seen_at: at(seen), ..session.clone() };
            assert_eq!(session.counts(SessionLife::default(), at(now)), counts, "seen at {seen}, now {now}");
        };
        check(0, 0, true);
        check(0, 12 * HOUR - 1, true);
        check(0, 12 * HOUR, false);
        check(HOUR, 12 * HOUR, true);
        check(168 * HOUR - 2, 168 * HOUR - 1, true);
        check(168 * HOUR - 1, 168 * HOUR, false);
    }

    #[test]
    fn a_sign_in_is_fresh_for_ten_minutes_and_again_when_proven_again() {
        let (session, first, _) = session();
        assert!(session.is_fresh(at(599)) && !session.is_fresh(at(600)));
        let (proven, second, event) = session.clone().prove(SignInMethod::Totp, at(600), &mut rng());
        assert!(proven.is_fresh(at(1199)) && !proven.is_fresh(at(1200)));
        assert_eq!((proven.id, proven.ends_at, proven.method), (session.id, session.ends_at, SignInMethod::Totp));
        assert_ne!(first.expose(), second.expose());
        assert_eq!(event.action, Action::SessionReauthenticated);
    }

    #[test]
    fn use_is_written_once_a_minute() {
        let (session, ..) = session();
        assert!(!session.is_to_be_noted(at(59)) && session.is_to_be_noted(at(60)));
    }

    #[test]
    fn events_tell_whose_session_and_nothing_secret_or_personal() {
        let (session, secret, event) = session();
        assert_eq!((secret.expose().len(), session.user_agent.as_deref()), (64, Some("Fox/1")));
        assert_eq!((event.action, event.target.as_str()), (Action::SessionStarted, session.id.to_string().as_str()));
        assert_eq!(event.details, json!({ "method": "password", "user": session.user }));
        let event = session.end(SessionEnd::SignedOut);
        assert_eq!(event.details, json!({ "reason": "signed_out", "user": session.user }));
    }

    #[test]
    fn a_session_at_a_portal_counts_there_for_an_hour_and_half_an_hour_unused() {
        let mut rng = rng();
        let (user, organization) = (UserId::generate(at(0), &mut rng), crate::fixtures::elsewhere());
        let code = |organization, details| OneTimeCode {
            purpose: crate::one_time_code::CodePurpose::Portal,
            user,
            organization,
            details,
            created_at: at(0),
            created_by: "sa_x".to_owned(),
            created_with: None,
            ends_at: at(300),
        };
        let back = json!({ "return_url": "https://app.acme.test/" });
        let mut enter = |code: &OneTimeCode| Session::enter_portal(code, None, Some("Fox"), at(0), &mut rng);
        assert!(enter(&code(None, back.clone())).is_none());
        assert!(enter(&code(Some(organization), json!({}))).is_none());
        let (session, secret, event) = enter(&code(Some(organization), back)).unwrap();
        assert_eq!((session.kind, session.user, session.organization), (SessionKind::Portal, user, Some(organization)));
        assert_eq!((session.return_url.as_deref(), secret.expose().len()), (Some("https://app.acme.test/"), 64));
        assert_eq!((event.action, event.chain), (Action::SessionStarted, Chain::Organization(organization)));
        let told = json!({ "kind": "portal", "method": "link", "link_created_by": "sa_x", "user": user });
        assert_eq!(event.details, told);
        assert_eq!(session.end(SessionEnd::SignedOut).chain, event.chain);
        let counts = |seen: i64, now: i64| {
            Session { seen_at: at(seen), ..session.clone() }.counts(SessionLife::default(), at(now))
        };
        assert!(counts(0, 1799) && !counts(0, 1800) && counts(3000, 3599) && !counts(3599, 3600));
    }

    #[test]
    fn words_read_back() {
        assert_eq!(SignInMethod::RecoveryCode.as_str().parse(), Ok(SignInMethod::RecoveryCode));
        assert_eq!("portal".parse(), Ok(SessionKind::Portal));
        assert_eq!("x".parse::<SessionKind>(), Err("x is none of console, portal".to_owned()));
    }
}
