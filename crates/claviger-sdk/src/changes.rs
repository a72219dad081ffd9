//! Following the change feed: a stream that is connected to again and again. A message that withholds names does not count as heard.

use std::{sync::Arc, time::Duration};

use claviger_token::{ChangesMessage, Concerns};
use tokio::time::timeout;

use crate::{
    clock::monotonic,
    feed::Events,
    keeper::Kept,
    remote::{LONGEST_PAUSE, RemoteError, SHORTEST_PAUSE, SILENCE, pause_for, told_at},
};

impl Kept {
    pub(crate) async fn follow_changes(self: Arc<Self>) {
        let (mut last, mut pause) = (None::<String>, SHORTEST_PAUSE);
        loop {
            let error = match self.hear_changes(&mut last, &mut pause).await {
                Ok(()) => "the stream ended".to_owned(),
                Err(error) => error.to_string(),
            };
            // Once for each reason, and not with every attempt.
            if self.problem.lock().replace(error.clone()).as_ref() != Some(&error) {
                tracing::warn!(error, "the change feed is not heard; it is connected to again");
            }
            pause_for(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    async fn hear_changes(&self, last: &mut Option<String>, pause: &mut Duration) -> Result<(), RemoteError> {
        let response = match self.remote.changes(last.as_deref()).await {
            Err(error @ RemoteError::Status(http::StatusCode::BAD_REQUEST)) => {
                // It does not understand where we are: another version may not.
                *last = None;
                return Err(error);
            }
            connected => connected,
        };
        let (mut response, mut events) = (response?, Events::default());
        if let Some(told_at) = told_at(response.headers()) {
            self.clock.was_told(told_at);
        }
        loop {
            let piece = timeout(SILENCE, response.chunk()).await.map_err(|_| RemoteError::Silent)??;
            let Some(piece) = piece else { return Ok(()) };
            for message in events.take(&piece).map_err(|_| RemoteError::Content)? {
                self.hear(&message);
                *last = Some(message.next);
                *pause = SHORTEST_PAUSE;
            }
        }
    }

    fn hear(&self, message: &ChangesMessage) {
        self.opaque.names.write().take(message, monotonic());
        if message.reset || message.changes.iter().any(|change| change.concerns == Concerns::SigningKeys) {
            self.other_keys.notify_one();
        }
        if let Some(time) = message.time {
            self.clock.was_told_late(time);
        }
        if !message.more {
            *self.told_age.lock() = Duration::from_millis(message.age_ms);
            self.problem.lock().take();
            self.changes_heard.now();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{KeeperSettings, keeper::WITHHELD_FOR};

    #[tokio::test]
    async fn a_message_that_withholds_names_is_not_heard() {
        let mut settings = KeeperSettings::new("http://127.0.0.1:1");
        settings.without_feed = Duration::from_secs(30);
        let kept = Kept::new(settings).unwrap();
        let message = |more: bool| ChangesMessage {
            reset: false,
            next: String::new(),
            position: 1,
            age_ms: 0,
            time: None,
            more,
            changes: Vec::new(),
        };
        kept.hear(&message(true));
        assert!(!kept.is_heard());
        kept.hear(&message(false));
        assert!(kept.is_heard());
        let began = monotonic();
        kept.hear(&message(true));
        assert!(kept.is_heard() || began.elapsed() > WITHHELD_FOR, "the next may have them");
        let withheld = monotonic();
        tokio::time::sleep(WITHHELD_FOR / 2).await;
        // Another of them begins no new second.
        kept.hear(&message(true));
        tokio::time::sleep_until((withheld + WITHHELD_FOR * 11 / 10).into()).await;
        assert!(!kept.is_heard(), "however long what is kept counts without the feed");
        kept.hear(&message(false));
        assert!(kept.is_heard());
    }
}
