//! Between the first factor and the second: a short-lived proof in the browser, bound to it and to the password that was
//! given. Nothing is stored for who never comes back.

use axum::http::HeaderValue;
use claviger_core::Authenticators;
use claviger_token::UserId;
use jiff::{SignedDuration, Timestamp};

use super::visit::Visit;
use crate::{
    app::App,
    cookies::Cookie,
    session::{hex, is_token},
};

const LIFE: SignedDuration = SignedDuration::from_mins(10);

/// Who proved a first factor.
pub(crate) struct HalfWay {
    pub(crate) user: UserId,
    /// Of which password, in milliseconds.
    since: i64,
}

impl HalfWay {
    /// The cookie of who just did.
    pub(crate) fn cookie(account: &Authenticators, visit: &Visit, app: &App) -> HeaderValue {
        let ends = (app.now() + LIFE).as_millisecond();
        let text = format!("{}.{}.{ends}", account.user, since(account));
        let proof = proof(&text, visit, app);
        Cookie::HalfWay.set(&format!("{text}.{proof}"), visit.secure)
    }

    /// Who is half-way in this browser.
    pub(crate) fn of(visit: &Visit, app: &App) -> Option<Self> {
        let (text, sent) = visit.half_way.as_deref()?.rsplit_once('.')?;
        if !is_token(sent, &proof(text, visit, app)) {
            return None;
        }
        let mut parts = text.split('.');
        let (user, since) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
        let ends = parts.next()?.parse().ok()?;
        (app.now() < Timestamp::from_millisecond(ends).ok()?).then_some(Self { user, since })
    }

    /// Whether this is still the account of which a factor was proven.
    pub(crate) fn holds(&self, account: &Authenticators) -> bool {
        !account.disabled && self.since == since(account)
    }
}

fn since(account: &Authenticators) -> i64 {
    account.password_set_at.map_or(0, Timestamp::as_millisecond)
}

fn proof(text: &str, visit: &Visit, app: &App) -> String {
    let visitor = visit.known_visitor().unwrap_or_default();
    hex(&app.peppers.keyed_hash("half-way", &[text.as_bytes(), visitor.as_bytes()]))
}
