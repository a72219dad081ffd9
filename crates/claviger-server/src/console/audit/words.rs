//! What actions are called: a noun, and what happened to it. An action without words is told by its name.

use crate::console::page::Frame;

/// Nouns of actions, and the keys of their texts.
const NOUNS: [(&str, &str); 32] = [
    ("access_token", "audit-access-token"),
    ("api", "audit-api"),
    ("api_key", "audit-api-key"),
    ("assignment", "audit-assignment"),
    ("certificate", "audit-certificate"),
    ("certificate_authority", "audit-certificate-authority"),
    ("claim_code", "audit-claim-code"),
    ("client_secret", "audit-client-secret"),
    ("credentials", "audit-credentials"),
    ("device", "audit-device"),
    ("device_request", "audit-device-request"),
    ("federation", "audit-federation"),
    ("fleet", "audit-fleet"),
    ("identity", "audit-identity"),
    ("instance", "audit-instance"),
    ("invitation", "audit-invitation"),
    ("member", "audit-membership"),
    ("organization", "audit-organization"),
    ("passkey", "audit-passkey"),
    ("password", "audit-password"),
    ("personal_access_token", "audit-personal-access-token"),
    ("portal_session", "audit-portal-session"),
    ("public_key", "audit-public-key"),
    ("recovery_code", "audit-recovery-code"),
    ("recovery_codes", "audit-recovery-codes"),
    ("role", "audit-role"),
    ("service_account", "audit-service-account"),
    ("session", "audit-session"),
    ("sign_in", "audit-sign-in"),
    ("signing_key", "audit-signing-key"),
    ("totp", "audit-totp"),
    ("user", "audit-user"),
];

/// What happens to them.
const CHANGES: [(&str, &str); 36] = [
    ("accepted", "audit-accepted"),
    ("added", "audit-added"),
    ("approved", "event-approved"),
    ("assertion_refused", "audit-assertion-refused"),
    ("bootstrapped", "audit-bootstrapped"),
    ("changed", "event-updated"),
    ("closed", "audit-closed"),
    ("created", "event-created"),
    ("deleted", "audit-deleted"),
    ("denied", "event-denied"),
    ("disabled", "event-disabled"),
    ("enabled", "event-enabled"),
    ("ended", "audit-ended"),
    ("enrolled", "audit-enrolled"),
    ("failed", "audit-failed"),
    ("linked", "audit-linked"),
    ("made", "event-created"),
    ("overlap_ended", "event-overlap-ended"),
    ("password_reset_link_created", "audit-password-reset-link"),
    ("policy_updated", "audit-policy-updated"),
    ("reauthenticated", "audit-reauthenticated"),
    ("redeemed", "audit-redeemed"),
    ("removed", "audit-removed"),
    ("renamed", "audit-renamed"),
    ("renewed", "audit-renewed"),
    ("reopened", "audit-reopened"),
    ("reset", "audit-reset"),
    ("retired_secret_used", "event-retired-secret-used"),
    ("revoked", "event-revoked"),
    ("rolled", "event-rolled"),
    ("rotated", "audit-rotated"),
    ("sign_in_link_created", "audit-sign-in-link"),
    ("sign_in_link_used", "audit-sign-in-link-used"),
    ("started", "audit-started"),
    ("updated", "event-updated"),
    ("used", "audit-used"),
];

fn words(all: &[(&str, &'static str)], name: &str, frame: &Frame) -> Option<String> {
    all.iter().find(|(known, _)| *known == name).map(|(_, key)| frame.text(key))
}

/// The noun of an action.
pub(super) fn noun(action: &str, frame: &Frame) -> String {
    let name = action.split('.').next().unwrap_or_default();
    words(&NOUNS, name, frame).unwrap_or_else(|| name.to_owned())
}

/// What happened to it.
pub(super) fn change(action: &str, frame: &Frame) -> String {
    let name = action.split_once('.').map_or(action, |(_, change)| change);
    words(&CHANGES, name, frame).unwrap_or_else(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use claviger_core::Action;

    use super::*;
    use crate::console::language::Language;

    #[test]
    fn every_action_has_words_and_no_word_is_without_an_action() {
        let frame = Frame::sample(Language::English, None);
        let (mut nouns, mut changes) = (Vec::new(), Vec::new());
        for action in Action::ALL {
            let (noun, change) = action.as_str().split_once('.').unwrap();
            assert!(words(&NOUNS, noun, &frame).is_some(), "{noun}");
            assert!(words(&CHANGES, change, &frame).is_some(), "{change}");
            nouns.push(noun);
            changes.push(change);
        }
        assert!(NOUNS.iter().all(|(noun, _)| nouns.contains(noun)));
        assert!(CHANGES.iter().all(|(change, _)| changes.contains(change)));
        assert_eq!(noun("gone.since", &frame), "gone");
        assert_eq!(change("gone.since", &frame), "since");
    }
}
