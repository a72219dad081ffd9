//! On the way to an outside provider and back: what one sign-in there is known by.
//!
//! The browser keeps a random text with where to go afterwards. State, nonce and PKCE verifier are keyed hashes of it and
//! of who holds the browser, so that nobody else can make or use them, and nothing is stored for who never comes back.

use axum::http::HeaderValue;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::{SignedDuration, Timestamp};
use rand::Rng as _;

use super::visit::Visit;
use crate::{
    app::App,
    cookies::Cookie,
    origin,
    provider::Handshake,
    session::{Session, hex, is_token},
};

const LIFE: SignedDuration = SignedDuration::from_mins(10);

/// What somebody was sent to the provider for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    SignIn,
    /// They are signed in and prove who they are.
    Again,
}

/// Somebody was sent to the provider.
pub(super) struct Departure {
    /// What the cookie holds.
    text: String,
    /// Whose it is: a browser in which nobody is signed in, or a session.
    holder: String,
    pub(super) purpose: Purpose,
    pub(super) next: String,
    pub(super) at: Timestamp,
}

impl Departure {
    /// A new one, of whoever is signed in or else of the browser.
    pub(super) fn new(visitor: Option<&str>, session: Option<&Session>, next: String, app: &App) -> Option<Self> {
        let purpose = if session.is_some() { Purpose::Again } else { Purpose::SignIn };
        let holder = holder(purpose, visitor, session)?;
        let mut random = [0; 16];
        app.rng().fill_bytes(&mut random);
        let (at, way) = (app.now(), URL_SAFE_NO_PAD.encode(&next));
        let text = format!("{}.{}.{}.{way}", hex(&random), at.as_millisecond(), word(purpose));
        Some(Self { text, holder, purpose, next, at })
    }

    pub(super) fn cookie(&self, visit: &Visit) -> HeaderValue {
        Cookie::Departure.set(&self.text, visit.secure)
    }

    /// The one that this browser comes back from with this state, if it is not too late.
    pub(super) fn returned(visit: &Visit, session: Option<&Session>, state: &str, app: &App) -> Option<Self> {
        let text = visit.departure.clone()?;
        let mut parts = text.split('.').skip(1);
        let at = Timestamp::from_millisecond(parts.next()?.parse().ok()?).ok()?;
        let purpose = parts.next()?;
        let purpose = [Purpose::SignIn, Purpose::Again].into_iter().find(|known| word(*known) == purpose)?;
        let next = String::from_utf8(URL_SAFE_NO_PAD.decode(parts.next()?).ok()?).ok()?;
        let next = origin::local(&next)?;
        let holder = holder(purpose, visit.known_visitor(), session)?;
        let departure = Self { text, holder, purpose, next, at };
        let in_time = app.now() < at.checked_add(LIFE).ok()?;
        (in_time && is_token(state, &departure.handshake(app).state)).then_some(departure)
    }

    /// What the provider knows it by.
    pub(super) fn handshake(&self, app: &App) -> Handshake {
        let made = |purpose| hex(&app.peppers.keyed_hash(purpose, &[self.text.as_bytes(), self.holder.as_bytes()]));
        Handshake {
            state: made("departure-state"),
            nonce: made("departure-nonce"),
            verifier: made("departure-verifier"),
        }
    }

    /// Whether it is come back from for the first time, as far as this node knows.
    pub(super) fn is_first_return(&self, app: &App) -> bool {
        app.throttle.is_first_return(app.peppers.keyed_hash("departure", &[self.text.as_bytes()]), app.now())
    }
}

fn holder(purpose: Purpose, visitor: Option<&str>, session: Option<&Session>) -> Option<String> {
    match purpose {
        Purpose::SignIn => visitor.map(|visitor| format!("visit {visitor}")),
        Purpose::Again => session.map(|session| format!("session {}", session.id())),
    }
}

fn word(purpose: Purpose) -> &'static str {
    match purpose {
        Purpose::SignIn => "in",
        Purpose::Again => "again",
    }
}
