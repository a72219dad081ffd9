//! Limits as HTTP tells them: `Retry-After` (RFC 9110, section 10.2.3), `RateLimit` and `RateLimit-Policy`
//! (draft-ietf-httpapi-ratelimit-headers).

use std::fmt::Write as _;

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};

use super::Spending;

const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const LIMIT: HeaderName = HeaderName::from_static("ratelimit");

impl Spending<'_> {
    /// Adds what the limits said, if there are any.
    pub(crate) fn tell(&self, headers: &mut HeaderMap) {
        if let Some(seconds) = self.retry_after_seconds {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.limits.is_empty() {
            return;
        }
        let (mut policy, mut limit) = (String::new(), String::new());
        for view in &self.limits {
            let separator = if policy.is_empty() { "" } else { ", " };
            // Names are such that they need no escape, and writing to a string does not fail.
            let _ = write!(policy, "{separator}\"{}\";q={};w={}", view.name, view.limit, view.window_seconds);
            let _ = write!(limit, "{separator}\"{}\";r={};t={}", view.name, view.remaining, view.reset_seconds);
        }
        for (name, value) in [(POLICY, policy), (LIMIT, limit)] {
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.insert(name, value);
            }
        }
    }
}
