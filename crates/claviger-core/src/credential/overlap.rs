//! The end of an overlap: the secret that was rolled away stops working before its time, and the current one goes on.

use jiff::Timestamp;
use serde_json::json;

use super::{Change, Credential};
use crate::{audit::Event, invalid::Rejection};

impl Credential {
    /// Whether a secret that was rolled away still works.
    pub fn is_rolling(&self, now: Timestamp) -> bool {
        self.secrets.iter().any(|secret| secret.ends_at.is_some_and(|end| end > now))
    }

    /// Ends every secret that was rolled away and still works. The epoch rises: tokens that were made by it would go on.
    pub fn end_overlap(self, now: Timestamp) -> Result<(Self, Event), Rejection> {
        self.must_not_be_revoked()?;
        if !self.is_rolling(now) {
            let message = format!("the {} has one secret that works, and no overlap to end", self.noun());
            return Err(Rejection::conflict("no_overlap", message));
        }
        let mut new = self;
        let mut ended = Vec::new();
        for secret in new.secrets.iter_mut().filter(|secret| secret.ends_at.is_some_and(|end| end > now)) {
            secret.ends_at = Some(now);
            ended.push(secret.number);
        }
        new.raise_epoch(now);
        let event = new.event(Change::OverlapEnded, json!({ "name": new.name.as_str(), "generations": ended }));
        Ok((new, event))
    }
}
