//! Passkeys as pages use them: what they ask a browser for, and what comes back. Whether it counts is core's to say
//! (`claviger_core::PasskeyCreation`, `PasskeyAssertion`).
//!
//! Only a script can ask (`assets/passkey.js`). What needs one is hidden until the script shows it, and everything else goes on without. What
//! a browser answers is sent by a form like any other, with the token of its session or visit, to which the challenge is bound too.

mod challenge;
pub(super) mod new;
pub(super) mod one;
pub(super) mod prove;
#[cfg(test)]
pub(super) mod samples;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use claviger_core::{Authenticators, Event, PASSKEY_ALGORITHMS, Passkey, RelyingParty};
use claviger_store::{StoreError, Tx};
use serde_json::{Value, json};

use self::challenge::{Ceremony, issue};
use super::{form::Fields, moment::Moment, page::Frame};
use crate::app::App;

/// What a page asks a browser for.
pub(super) struct Ask {
    /// JSON: the options of WebAuthn Level 3, section 5.4 or 5.5, as the script reads them.
    pub(super) options: String,
    /// What the browser answers, sent along.
    pub(super) challenge: String,
    /// The key of why the last answer did not count, if there was one.
    pub(super) wrong: Option<&'static str>,
}

impl Ask {
    /// For any passkey of anybody, from a page with forms that carry this token. None where browsers have no passkeys for us.
    pub(super) fn to_sign_in(app: &App, csrf: &str, wrong: Option<&'static str>) -> Option<Self> {
        let here = app.relying_party()?;
        let challenge = issue(app, Ceremony::SignIn, csrf);
        Some(Self::with(json!({ "rpId": here.id, "userVerification": "required" }), challenge, wrong))
    }

    /// For one of these. None if none of them counts here.
    pub(super) fn to_prove(app: &App, csrf: &str, passkeys: &[Passkey], wrong: Option<&'static str>) -> Option<Self> {
        let here = app.relying_party()?;
        let passkeys: Vec<&Passkey> = passkeys.iter().filter(|passkey| passkey.is_of(&here)).collect();
        if passkeys.is_empty() {
            return None;
        }
        let challenge = issue(app, Ceremony::Prove, csrf);
        let options =
            json!({ "rpId": here.id, "allowCredentials": described(passkeys), "userVerification": "required" });
        Some(Self::with(options, challenge, wrong))
    }

    /// For a new one of a user who has these.
    fn to_make(
        app: &App,
        csrf: &str,
        user: &Authenticators,
        passkeys: &[Passkey],
        wrong: Option<&'static str>,
    ) -> Option<Self> {
        let here = app.relying_party()?;
        let challenge = issue(app, Ceremony::Make, csrf);
        let algorithms = PASSKEY_ALGORITHMS.map(|alg| json!({ "type": "public-key", "alg": alg }));
        let options = json!({
            "rp": { "id": here.id, "name": format!("Claviger {}", here.id) },
            "user": {
                "id": URL_SAFE_NO_PAD.encode(Passkey::handle_of(user.user)),
                "name": user.email,
                "displayName": user.shown(),
            },
            "pubKeyCredParams": algorithms,
            "excludeCredentials": described(passkeys),
            "authenticatorSelection": {
                "residentKey": "required", "requireResidentKey": true, "userVerification": "required",
            },
            "attestation": "none",
        });
        Some(Self::with(options, challenge, wrong))
    }

    fn with(mut options: Value, challenge: String, wrong: Option<&'static str>) -> Self {
        options["challenge"] = json!(challenge);
        options["timeout"] = json!(challenge::PATIENCE.as_secs() * 1000);
        Self { options: options.to_string(), challenge, wrong }
    }
}

/// Passkeys, as browsers are told of them.
fn described<'a>(passkeys: impl IntoIterator<Item = &'a Passkey>) -> Vec<Value> {
    let one = |passkey: &'a Passkey| {
        let mut one = json!({ "type": "public-key", "id": URL_SAFE_NO_PAD.encode(&passkey.credential) });
        if !passkey.transports.words().is_empty() {
            one["transports"] = json!(passkey.transports.words());
        }
        one
    };
    passkeys.into_iter().map(one).collect()
}

/// What a form carries in a field as base64url; empty if it is not.
fn bytes(fields: &Fields, name: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(fields.value(name)).unwrap_or_default()
}

/// A passkey that counted just now, and what is to be kept of that.
pub(super) struct Proof {
    before: Passkey,
    after: Passkey,
}

impl Proof {
    /// Keeps it, unless the passkey is gone or was used further by now.
    pub(super) async fn use_up(&self, tx: &mut Tx<'_>) -> Result<bool, StoreError> {
        tx.use_passkey(&self.before, &self.after).await
    }

    /// An event of a session says which passkey it was.
    pub(super) fn tell(&self, event: &mut Event) {
        event.details["passkey"] = json!(self.after.id);
    }
}

/// A passkey in its user's list.
pub(super) struct ListedPasskey {
    pub(super) path: String,
    pub(super) name: String,
    pub(super) made: Moment,
    pub(super) used: Option<Moment>,
    /// Whether other devices of its user have it too.
    pub(super) synced: bool,
}

impl ListedPasskey {
    /// Those of somebody, as their page in `frame` shows them. None where browsers have no passkeys for us, unless there are some.
    pub(super) fn all(app: &App, frame: &Frame, passkeys: &[Passkey]) -> Option<Vec<Self>> {
        if app.relying_party().is_none() && passkeys.is_empty() {
            return None;
        }
        let moment = |time| Moment::new(frame.language(), time, app.now());
        let listed = |passkey: &Passkey| Self {
            path: path(passkey),
            name: passkey.name.to_string(),
            made: moment(passkey.created_at),
            used: passkey.used_at.map(moment),
            synced: passkey.backed_up,
        };
        Some(passkeys.iter().map(listed).collect())
    }
}

fn path(passkey: &Passkey) -> String {
    format!("/account/security/passkeys/{}", passkey.id)
}

impl App {
    /// The instance as authenticators know it; nothing if it is called by the number of its host.
    fn relying_party(&self) -> Option<RelyingParty> {
        RelyingParty::of(&self.config.public_url)
    }
}
