//! What a browser must answer to show that it answers now, and here: random, bound to what is asked for and to the token of the
//! page's forms, which is that of one session or of one visit. Nothing is stored for who never answers; an answer that counts uses its
//! challenge up, on every node.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use claviger_core::single_use_key;
use claviger_store::StoreError;
use jiff::{SignedDuration, Timestamp};
use rand::Rng as _;
use subtle::ConstantTimeEq as _;

use crate::{app::App, console::form::Fields};

const RANDOM: usize = 16;
/// Random bytes, when it ends in milliseconds, and proof that it is ours.
const LENGTH: usize = RANDOM + 8 + 32;

/// How long a browser waits for somebody to answer.
pub(super) const PATIENCE: Duration = Duration::from_mins(5);

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ceremony {
    Make,
    SignIn,
    Prove,
}

impl Ceremony {
    fn as_str(self) -> &'static str {
        match self {
            Self::Make => "make",
            Self::SignIn => "sign-in",
            Self::Prove => "prove",
        }
    }

    /// How long it can be answered. A page to sign in may stand open for a while, and offers passkeys as somebody begins to type.
    fn life(self) -> SignedDuration {
        match self {
            Self::SignIn => SignedDuration::from_hours(1),
            Self::Make | Self::Prove => SignedDuration::from_mins(10),
        }
    }
}

/// A new one, for a page whose forms carry this token.
pub(super) fn issue(app: &App, ceremony: Ceremony, csrf: &str) -> String {
    let mut random = [0; RANDOM];
    app.rng().fill_bytes(&mut random);
    let ends = (app.now() + ceremony.life()).as_millisecond().to_be_bytes();
    let text = [random.as_slice(), &ends].concat();
    let proof = app.peppers.keyed_hash(PURPOSE, &[ceremony.as_str().as_bytes(), csrf.as_bytes(), &text]);
    URL_SAFE_NO_PAD.encode([text.as_slice(), &proof].concat())
}

const PURPOSE: &str = "passkey-challenge";

/// One of ours that came back in time, from where it was sent to.
pub(super) struct Challenge {
    bytes: Vec<u8>,
    ceremony: Ceremony,
    ends: Timestamp,
}

impl Challenge {
    pub(super) fn of(app: &App, ceremony: Ceremony, fields: &Fields) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(fields.value("challenge")).ok().filter(|bytes| bytes.len() == LENGTH)?;
        let (text, sent) = bytes.split_at(RANDOM + 8);
        let parts = [ceremony.as_str().as_bytes(), fields.value("csrf").as_bytes(), text];
        let ours = app.peppers.keyed_hashes(PURPOSE, &parts).any(|proof| bool::from(proof.as_slice().ct_eq(sent)));
        let ends = i64::from_be_bytes(text[RANDOM..].try_into().ok()?);
        let ends = Timestamp::from_millisecond(ends).ok().filter(|ends| ours && app.now() < *ends)?;
        Some(Self { bytes, ceremony, ends })
    }

    /// What the browser must have answered.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Uses it up, and tells whether nobody had. Asked last, so that whoever has no passkey writes nothing.
    pub(super) async fn use_up(&self, app: &App) -> Result<bool, StoreError> {
        let key = single_use_key(PURPOSE, self.ceremony.as_str(), &URL_SAFE_NO_PAD.encode(&self.bytes));
        app.store.use_once(key, self.ends).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::tests::app;

    fn sent(challenge: &str, csrf: &str) -> Fields {
        Fields::of_query(&format!("/?challenge={challenge}&csrf={csrf}"))
    }

    #[tokio::test]
    async fn a_challenge_counts_once_where_it_was_sent_to_and_for_what_it_asked() {
        let (app, _directory) = app().await;
        let (one, other) = (issue(&app, Ceremony::Make, "a"), issue(&app, Ceremony::Make, "a"));
        assert_ne!(one, other);
        let counts = |text: &str, ceremony, csrf: &str| Challenge::of(&app, ceremony, &sent(text, csrf)).is_some();
        assert!(counts(&one, Ceremony::Make, "a"));
        assert!(!counts(&one, Ceremony::Make, "b") && !counts(&one, Ceremony::Make, ""));
        assert!(!counts(&one, Ceremony::SignIn, "a") && !counts(&one, Ceremony::Prove, "a"));
        let mut bytes = URL_SAFE_NO_PAD.decode(&one).unwrap();
        for place in [0, RANDOM + 7, LENGTH - 1] {
            bytes[place] ^= 1;
            assert!(!counts(&URL_SAFE_NO_PAD.encode(&bytes), Ceremony::Make, "a"), "{place}");
            bytes[place] ^= 1;
        }
        for garbage in ["", "x", "%00", &one[1..], &format!("{one}AAAA")] {
            assert!(!counts(garbage, Ceremony::Make, "a"), "{garbage}");
        }
        let challenge = Challenge::of(&app, Ceremony::Make, &sent(&one, "a")).unwrap();
        assert!(challenge.use_up(&app).await.unwrap() && !challenge.use_up(&app).await.unwrap());
    }
}
