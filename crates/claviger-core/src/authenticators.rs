//! What a user proves themselves with: password, authenticator app, recovery codes. (The word is that of NIST SP 800-63B.)
//!
//! Changes are transitions; every one of them is told in the audit trail, without anything secret or personal. The room
//! must not know how a sign-in runs.

use claviger_token::UserId;
use jiff::Timestamp;
use serde_json::json;

use crate::{
    audit::{Action, Chain, Event},
    password::PasswordHash,
    seal::Sealed,
};

/// A user, as sign-in sees them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authenticators {
    /// Who.
    pub user: UserId,
    /// Their address, by which they sign in.
    pub email: String,
    /// What to call them, if they said.
    pub name: Option<String>,
    /// Whether they may not sign in.
    pub disabled: bool,
    /// What is kept of their password.
    pub password: Option<PasswordHash>,
    /// Since when it is theirs.
    pub password_set_at: Option<Timestamp>,
    /// Their authenticator app.
    pub totp: Option<Totp>,
}

/// An authenticator app.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Totp {
    /// What the app and we know.
    pub seed: Sealed,
    /// Since when it is asked for.
    pub enabled_at: Timestamp,
    /// The last step of time of which a code was accepted.
    pub last_step: Option<i64>,
}

/// How a password came to be another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PasswordChange {
    /// Its user knew the old one.
    Changed,
    /// A link that an administrator made.
    Reset,
    /// The first, with an invitation.
    Chosen,
}

impl Authenticators {
    /// What to call them.
    pub fn shown(&self) -> &str {
        self.name.as_deref().unwrap_or(&self.email)
    }

    /// Another password.
    pub fn set_password(self, password: PasswordHash, how: PasswordChange, now: Timestamp) -> (Self, Event) {
        let (action, how) = match how {
            PasswordChange::Changed => (Action::PasswordChanged, "changed"),
            PasswordChange::Chosen => (Action::PasswordChanged, "chosen"),
            PasswordChange::Reset => (Action::PasswordReset, "reset"),
        };
        let new = Self { password: Some(password), password_set_at: Some(now), ..self };
        let event = new.event(action, json!({ "how": how }));
        (new, event)
    }

    /// An authenticator app, of which one code was accepted already.
    pub fn enable_totp(self, seed: Sealed, step: i64, now: Timestamp) -> (Self, Event) {
        let replaced = self.totp.is_some();
        let new = Self { totp: Some(Totp { seed, enabled_at: now, last_step: Some(step) }), ..self };
        let event = new.event(Action::TotpEnabled, json!({ "replaced": replaced }));
        (new, event)
    }

    /// No authenticator app any more.
    pub fn disable_totp(self) -> (Self, Event) {
        let new = Self { totp: None, ..self };
        let event = new.event(Action::TotpDisabled, json!({}));
        (new, event)
    }

    /// They have new recovery codes, and the old ones are void.
    pub fn recovery_codes_made(&self, count: usize) -> Event {
        self.event(Action::RecoveryCodesMade, json!({ "count": count }))
    }

    /// One recovery code is used up.
    pub fn recovery_code_used(&self, left: usize) -> Event {
        self.event(Action::RecoveryCodeUsed, json!({ "left": left }))
    }

    /// They signed in by a link that works once.
    pub fn sign_in_link_used(&self) -> Event {
        self.event(Action::SignInLinkUsed, json!({}))
    }

    /// Somebody did not get in. `stage` is what was wrong.
    pub fn sign_in_failed(&self, stage: &'static str) -> Event {
        self.event(Action::SignInFailed, json!({ "stage": stage }))
    }

    fn event(&self, action: Action, details: serde_json::Value) -> Event {
        Event {
            chain: Chain::Instance,
            action,
            target: self.user.to_string(),
            details,
            personal: None,
            touched: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use claviger_token::TypedId as _;

    use super::*;
    use crate::{
        fixtures::{at, rng},
        password::Password,
    };

    fn zoe() -> Authenticators {
        Authenticators {
            user: UserId::generate(at(0), &mut rng()),
            email: "zoe@acme.test".to_owned(),
            name: None,
            disabled: false,
            password: None,
            password_set_at: None,
            totp: None,
        }
    }

    #[test]
    fn a_password_is_told_without_itself() {
        let hash = Password::presented("plum harbor seven lanterns").unwrap().hash(&mut rng());
        let check = |how, action, word: &str| {
            let (new, event) = zoe().set_password(hash.clone(), how, at(5));
            assert_eq!((new.password.as_ref(), new.password_set_at), (Some(&hash), Some(at(5))));
            assert_eq!((event.action, event.details), (action, json!({ "how": word })));
        };
        check(PasswordChange::Changed, Action::PasswordChanged, "changed");
        check(PasswordChange::Chosen, Action::PasswordChanged, "chosen");
        check(PasswordChange::Reset, Action::PasswordReset, "reset");
    }

    #[test]
    fn an_app_comes_with_the_step_that_it_was_tried_with() {
        let (with, event) = zoe().enable_totp(Sealed(vec![1]), 7, at(5));
        assert_eq!(with.totp, Some(Totp { seed: Sealed(vec![1]), enabled_at: at(5), last_step: Some(7) }));
        assert_eq!((event.action, event.details), (Action::TotpEnabled, json!({ "replaced": false })));
        let (without, event) = with.disable_totp();
        assert_eq!((without, event.action), (zoe(), Action::TotpDisabled));
    }

    #[test]
    fn a_user_without_a_name_is_called_by_their_address() {
        assert_eq!(zoe().shown(), "zoe@acme.test");
        assert_eq!(Authenticators { name: Some("Zoe".to_owned()), ..zoe() }.shown(), "Zoe");
    }
}
