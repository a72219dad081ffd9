//! Codes of links that open something for one user, once and for a short while.

use std::{fmt, str::FromStr};

use claviger_token::{CredentialId, OrganizationId, Secret, UserId};
use jiff::{SignedDuration, Timestamp};
use rand::CryptoRng;
use serde::Deserialize;
use serde_json::json;

use crate::{
    actor::Actor,
    audit::{Action, Chain, Event},
    invalid::Rejection,
    link_code::link_code,
    user::User,
};

/// How long a link to a new password works at most.
const LONGEST_RESET_HOURS: u32 = 24;

/// How long a link that signs somebody in works: it is printed at a start and clicked soon.
const SIGN_IN_LIFE: SignedDuration = SignedDuration::from_hours(1);

/// What a code opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CodePurpose {
    /// The page on which the user chooses a new password.
    PasswordReset,
    /// A session, for whoever runs the instance.
    SignIn,
    /// The portal of one organization.
    Portal,
}

impl CodePurpose {
    const ALL: [Self; 3] = [Self::PasswordReset, Self::SignIn, Self::Portal];

    /// The word in storage.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::PasswordReset => "password_reset",
            Self::SignIn => "sign_in",
            Self::Portal => "portal",
        }
    }
}

impl fmt::Display for CodePurpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for CodePurpose {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        Self::ALL.into_iter().find(|purpose| purpose.as_str() == text).ok_or("no purpose of a one-time code")
    }
}

/// What stands behind a code. The code itself is in the link and nowhere else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OneTimeCode {
    /// What it opens.
    pub purpose: CodePurpose,
    /// For whom.
    pub user: UserId,
    /// Where, if it counts in one organization only.
    pub organization: Option<OrganizationId>,
    /// What else whoever made it wants whoever redeems it to know.
    pub details: serde_json::Value,
    /// When it was made.
    pub created_at: Timestamp,
    /// Who made it.
    pub created_by: String,
    /// With which credential.
    pub created_with: Option<CredentialId>,
    /// When it is dead.
    pub ends_at: Timestamp,
}

/// Body of `POST /v1/users/{id}/password-reset`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NewPasswordReset {
    /// For how many hours the link works, 1 to 24; 24 if absent.
    pub expires_in_hours: Option<u32>,
}

impl OneTimeCode {
    /// The code of a link on which `user` chooses a new password.
    pub fn password_reset(
        user: &User,
        new: &NewPasswordReset,
        maker: &Actor,
        now: Timestamp,
        rng: &mut dyn CryptoRng,
    ) -> Result<(Self, Secret, Event), Rejection> {
        let hours = new.expires_in_hours.unwrap_or(LONGEST_RESET_HOURS);
        if hours == 0 || hours > LONGEST_RESET_HOURS {
            let message = format!("a link to a new password works for 1 to {LONGEST_RESET_HOURS} hours");
            return Err(Rejection::field("/expires_in_hours", "invalid_expiry", message));
        }
        if user.disabled_at.is_some() {
            return Err(Rejection::conflict("user_disabled", "the user is disabled; enable them first"));
        }
        let code = Self {
            purpose: CodePurpose::PasswordReset,
            user: user.id,
            organization: None,
            details: json!({}),
            created_at: now,
            created_by: maker.id(),
            created_with: maker.credential(),
            ends_at: now + SignedDuration::from_hours(i64::from(hours)),
        };
        let event = Event {
            chain: Chain::Instance,
            action: Action::PasswordResetLinkCreated,
            target: user.id.to_string(),
            details: json!({ "expires_at": code.ends_at }),
            personal: None,
            touched: Vec::new(),
        };
        Ok((code, link_code(rng), event))
    }

    /// The code of a link that signs `user` in, for whoever runs the instance.
    pub fn sign_in(user: &User, maker: &Actor, now: Timestamp, rng: &mut dyn CryptoRng) -> (Self, Secret, Event) {
        let code = Self {
            purpose: CodePurpose::SignIn,
            user: user.id,
            organization: None,
            details: json!({}),
            created_at: now,
            created_by: maker.id(),
            created_with: maker.credential(),
            ends_at: now + SIGN_IN_LIFE,
        };
        let event = Event {
            chain: Chain::Instance,
            action: Action::SignInLinkCreated,
            target: user.id.to_string(),
            details: json!({ "expires_at": code.ends_at }),
            personal: None,
            touched: Vec::new(),
        };
        (code, link_code(rng), event)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        fixtures::{at, now, rng, said},
        user::NewUser,
    };

    fn reset(user: &User, hours: Option<u32>) -> Result<(OneTimeCode, Secret, Event), Rejection> {
        let new = NewPasswordReset { expires_in_hours: hours };
        OneTimeCode::password_reset(user, &new, &Actor::Operator, now(), &mut rng())
    }

    #[test]
    fn a_link_to_a_new_password_works_for_a_day_at_most() {
        let (user, _) = User::create(&NewUser::with_email("alice@acme.test"), now(), &mut rng()).unwrap();
        let check = |hours, expected: &str| assert_eq!(said(&reset(&user, hours)), expected, "{hours:?}");
        check(Some(0), "/expires_in_hours invalid_expiry");
        check(Some(1), "ok");
        check(Some(24), "ok");
        check(Some(25), "/expires_in_hours invalid_expiry");
        let (code, _, event) = reset(&user, None).unwrap();
        assert_eq!((code.ends_at, code.user, code.purpose), (at(24 * 3600), user.id, CodePurpose::PasswordReset));
        assert_eq!((event.action, event.target), (Action::PasswordResetLinkCreated, user.id.to_string()));
        let disabled = User { disabled_at: Some(now()), ..user };
        assert_eq!(said(&reset(&disabled, None)), "conflict user_disabled");
    }

    #[test]
    fn a_link_that_signs_in_works_for_an_hour() {
        let (user, _) = User::create(&NewUser::with_email("alice@acme.test"), now(), &mut rng()).unwrap();
        let (code, _, event) = OneTimeCode::sign_in(&user, &Actor::Operator, now(), &mut rng());
        assert_eq!((code.ends_at, code.user, code.purpose), (at(3600), user.id, CodePurpose::SignIn));
        assert_eq!((event.action, event.target), (Action::SignInLinkCreated, user.id.to_string()));
    }

    #[test]
    fn every_purpose_reads_back() {
        for purpose in CodePurpose::ALL {
            assert_eq!(purpose.to_string().parse(), Ok(purpose));
        }
        assert!("other".parse::<CodePurpose>().is_err());
    }
}
