//! One use of a credential: decided and counted. Every surface asks here, so that what is counted is what was decided.
//!
//! The room must not know how a request arrived, nor how its answer looks.

use std::net::IpAddr;

use claviger_token::{Context, Permission, PermissionSet, Proof, Refusal, Required, Verdict, decide};
use jiff::Timestamp;

use super::{credentials::LookedUp, occasion::Occasion};
use crate::app::App;

/// How a credential is used.
#[derive(Clone, Copy)]
pub(crate) struct Use<'a> {
    /// What for; it changes no verdict.
    pub(crate) occasion: Occasion<'a>,
    /// What it must allow.
    pub(crate) required: Required<'a>,
    /// Where the request came from, as far as that can be known.
    pub(crate) client_ip: Option<IpAddr>,
    /// The permissions that whoever asks may hear of; `None`: all.
    pub(crate) visible: Option<&'a PermissionSet>,
}

/// What came of it.
pub(crate) struct Judged {
    /// The decision.
    pub(crate) verdict: Verdict,
    /// When it was made.
    pub(crate) now: Timestamp,
}

impl App {
    /// The verdict on one use, which is counted.
    pub(crate) fn judge(&self, looked_up: &LookedUp, used: &Use<'_>) -> Judged {
        let now = self.now();
        // No credential can be bound yet, so whatever proof came with it proves nothing.
        let context = Context { client_ip: used.client_ip, proof: &Proof::None, ..Context::plain() };
        let hidden = |name: &Permission| used.visible.is_some_and(|visible| !visible.contains(name.as_str()));
        let verdict = match decide(&looked_up.presented, looked_up.found(), &used.required, &context, now) {
            // Who sees only the permissions of the APIs that it serves does not find out about others by asking.
            Verdict::Valid if used.required.permissions.iter().any(hidden) => {
                Verdict::Refused(Refusal::PermissionMissing)
            }
            verdict @ (Verdict::Valid | Verdict::Refused(_)) => verdict,
        };
        self.usage.count(looked_up, verdict, used.required.permissions, used.client_ip, now);
        self.told(looked_up, used, verdict, now);
        Judged { verdict, now }
    }

    /// The verdict on the credential as such, as when it asks about itself.
    pub(crate) fn judge_state(&self, looked_up: &LookedUp, used: &Use<'_>) -> Judged {
        let now = self.now();
        let verdict = claviger_token::state(&looked_up.presented, looked_up.found(), now);
        self.usage.count(looked_up, verdict, &[], used.client_ip, now);
        self.told(looked_up, used, verdict, now);
        Judged { verdict, now }
    }

    fn told(&self, looked_up: &LookedUp, used: &Use<'_>, verdict: Verdict, now: Timestamp) {
        self.metrics.judged(used.occasion.surface, looked_up.kind(), verdict);
        self.config.access_log.tell(used, looked_up.found(), verdict, now);
    }
}
