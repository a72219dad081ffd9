//! The change feed as it is received: events out of bytes, and the names that void what is kept. Pure.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use claviger_token::{Change, ChangesMessage, Concerns};

/// The longest event that is taken.
const LONGEST: usize = 16 << 20;

/// How long a name is remembered: longer than anything is kept.
const REMEMBERED: Duration = Duration::from_secs(90);

/// How many names are remembered. With more, all that is kept is void.
const MOST_NAMES: usize = 500_000;

/// Server-sent events out of pieces of any length.
#[derive(Debug, Default)]
pub struct Events {
    received: Vec<u8>,
    searched: usize,
}

impl Events {
    /// Takes what came, and returns the messages that are complete. What is no message is one that cannot be trusted any more: the
    /// connection is to be made anew.
    pub fn take(&mut self, piece: &[u8]) -> Result<Vec<ChangesMessage>, NoMessage> {
        self.received.extend_from_slice(piece);
        let mut messages = Vec::new();
        let mut begin = 0;
        while let Some(end) = self.end_of_event() {
            let event = self.received.get(begin..end).ok_or(NoMessage)?;
            messages.extend(read(event)?);
            (begin, self.searched) = (end + 2, end + 2);
        }
        self.received.drain(..begin);
        self.searched = self.received.len().saturating_sub(1);
        if self.received.len() > LONGEST { Err(NoMessage) } else { Ok(messages) }
    }

    fn end_of_event(&self) -> Option<usize> {
        let rest = self.received.get(self.searched..)?;
        rest.windows(2).position(|pair| pair == b"\n\n").map(|position| self.searched + position)
    }
}

/// What came is no event of the feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no event of the change feed")]
pub struct NoMessage;

fn read(event: &[u8]) -> Result<Option<ChangesMessage>, NoMessage> {
    let lines = event.split(|byte| *byte == b'\n');
    let Some(data) = lines.into_iter().find_map(|line| line.strip_prefix(b"data: ")) else { return Ok(None) };
    serde_json::from_slice(data).map(Some).map_err(|_| NoMessage)
}

/// What was named lately, and what that voids.
#[derive(Debug, Default)]
pub struct Names {
    /// Counts the times at which all began anew; 0 before the first.
    beginning: u64,
    /// Up to where all was told, as was said last.
    position: i64,
    /// What was read at a lower position may have been voided by what nobody remembers.
    floor: i64,
    everything: i64,
    /// Since when messages withhold names.
    withheld_since: Option<Instant>,
    sequences: HashMap<Concerns, i64>,
    /// In the order in which they came.
    order: VecDeque<(Concerns, i64, Instant)>,
}

impl Names {
    /// Takes a message. Messages may come twice, and numbers in any order.
    pub fn take(&mut self, message: &ChangesMessage, now: Instant) {
        if message.reset {
            *self = Self { beginning: self.beginning + 1, floor: message.position, ..Self::default() };
        }
        self.position = message.position;
        self.withheld_since = message.more.then(|| self.withheld_since.unwrap_or(now));
        for Change { sequence, concerns } in &message.changes {
            match concerns {
                // An answer about a token does not say by which key that was signed.
                Concerns::Everything | Concerns::SigningKeys => self.everything = self.everything.max(*sequence),
                Concerns::Credential(_) | Concerns::Principal(_) | Concerns::Organization(_) => {
                    let known = self.sequences.entry(*concerns).or_insert(*sequence);
                    *known = (*known).max(*sequence);
                    self.order.push_back((*concerns, *sequence, now));
                }
            }
        }
        while let Some((concerns, sequence, at)) = self.order.front().copied() {
            let too_many = self.order.len() > MOST_NAMES;
            if !too_many && now.saturating_duration_since(at) < REMEMBERED {
                break;
            }
            if too_many {
                // Forgotten before its time: what is older cannot be told from it.
                self.everything = self.everything.max(sequence);
            }
            self.floor = self.floor.max(sequence);
            self.order.pop_front();
            if self.sequences.get(&concerns) == Some(&sequence) {
                self.sequences.remove(&concerns);
            }
        }
    }

    /// To be noted before something is asked that will be kept: which beginning this is, and up to where all was told.
    pub fn place(&self) -> (u64, i64) {
        (self.beginning, self.position)
    }

    /// Since when there are names that were not told, if there are: what is kept may be void already.
    pub fn withheld_since(&self) -> Option<Instant> {
        self.withheld_since
    }

    /// The position of an answer, if there is one: what its header says may be of a log that the node has not noticed to be another
    /// by now, so that no more is believed than was told before it was asked for.
    pub fn position_of(told_before: i64, header: Option<i64>) -> Option<i64> {
        header.map(|position| position.min(told_before))
    }

    /// Whether what was asked after this beginning, and answered at this position, may be kept at all.
    pub fn knows_since(&self, beginning: u64, position: i64) -> bool {
        beginning == self.beginning && beginning > 0 && position >= self.floor
    }

    /// Whether it still holds: nothing of it was named above its position since.
    pub fn hold(&self, beginning: u64, position: i64, concerned: [Concerns; 3]) -> bool {
        let named = |concerns: &Concerns| self.sequences.get(concerns).is_some_and(|sequence| *sequence > position);
        beginning == self.beginning && self.everything <= position && !concerned.iter().any(named)
    }
}

#[cfg(test)]
mod tests {
    use claviger_token::{OrganizationId, TypedId as _};
    use rand::{SeedableRng as _, rngs::StdRng};

    use super::*;

    #[expect(clippy::disallowed_methods, reason = "a test needs some instant to count from")]
    fn start() -> Instant {
        Instant::now()
    }

    fn credential(number: u8) -> Concerns {
        Concerns::Credential(format!("key_01h2xcejqtf2nbrexx3vqjhp4{number}").parse().unwrap())
    }

    fn message(reset: bool, position: i64, changes: &[(i64, Concerns)]) -> ChangesMessage {
        let changes = changes.iter().map(|(sequence, concerns)| Change { sequence: *sequence, concerns: *concerns });
        let (next, time, more) = (format!("1.{position}.0."), None, false);
        ChangesMessage { reset, next, position, age_ms: 0, time, more, changes: changes.collect() }
    }

    fn three(concerns: Concerns) -> [Concerns; 3] {
        [concerns, credential(8), credential(9)]
    }

    #[test]
    fn an_event_may_come_in_any_pieces_and_an_unfinished_one_says_nothing() {
        let messages = [message(true, 3, &[]), message(false, 5, &[(4, credential(1)), (5, Concerns::Everything)])];
        let mut text = String::from(": hello\n\n");
        for message in &messages {
            text +=
                &format!("id: {}\nevent: changes\ndata: {}\n\n", message.next, serde_json::to_string(message).unwrap());
        }
        for length in [1, 2, 3, 7, 64, text.len()] {
            let (mut events, mut read) = (Events::default(), Vec::new());
            for piece in text.as_bytes().chunks(length) {
                read.extend(events.take(piece).unwrap());
            }
            assert_eq!(read, messages, "in pieces of {length}");
        }
        let cut = &text.as_bytes()[..text.len() - 1];
        assert_eq!(Events::default().take(cut).unwrap(), messages[..1]);
        assert_eq!(Events::default().take(b"data: {\"reset\":\n\n"), Err(NoMessage));
        assert_eq!(Events::default().take(b"data: \xff\n\n"), Err(NoMessage));
        assert_eq!(Events::default().take(&vec![b'x'; LONGEST + 1]), Err(NoMessage));
    }

    #[test]
    fn what_is_named_above_its_position_is_void_in_whatever_order_it_comes() {
        let (now, mut names) = (start(), Names::default());
        assert!(!names.knows_since(0, 9), "nothing is kept before the feed is heard");
        names.take(&message(true, 10, &[]), now);
        let (begun, told) = names.place();
        assert_eq!(told, 10);
        assert!(names.knows_since(begun, 10) && !names.knows_since(begun, 9) && !names.knows_since(begun - 1, 10));
        let check = |names: &Names, position: i64, holds: bool| {
            assert_eq!(names.hold(begun, position, three(credential(1))), holds, "{position}");
        };
        check(&names, 10, true);
        names.take(&message(false, 11, &[(14, credential(1)), (13, credential(2))]), now);
        for _ in 0..2 {
            check(&names, 13, false);
            check(&names, 14, true);
            // Late, and twice.
            names.take(&message(false, 14, &[(12, credential(1)), (14, credential(1))]), now);
        }
        names.take(&message(false, 15, &[(15, Concerns::SigningKeys)]), now);
        check(&names, 14, false); // it may be of a token whose key was withdrawn
        check(&names, 15, true);
        names.take(&message(false, 20, &[(20, Concerns::Everything)]), now);
        check(&names, 19, false);
        check(&names, 20, true);
        names.take(&message(true, 3, &[]), now);
        check(&names, 20, false);
        assert!(names.hold(names.place().0, 3, three(credential(1))), "the numbers of another past mean nothing");
    }

    #[test]
    fn an_answer_of_a_node_that_has_not_noticed_a_restored_backup_is_not_shielded_by_its_number() {
        let (now, mut names) = (start(), Names::default());
        names.take(&message(true, 10, &[]), now);
        let (begun, told) = names.place();
        let position = Names::position_of(told, Some(5000)).unwrap();
        names.take(&message(false, 11, &[(11, credential(1))]), now);
        assert!(!names.hold(begun, position, three(credential(1))));
        assert_eq!(Names::position_of(told, Some(9)), Some(9));
        assert_eq!(Names::position_of(told, None), None, "without a header it is not kept");
    }

    #[test]
    fn a_name_is_forgotten_after_everything_that_it_voids() {
        let (now, mut names) = (start(), Names::default());
        names.take(&message(true, 1, &[(2, credential(1))]), now);
        names.take(&message(false, 2, &[]), now + REMEMBERED - Duration::from_millis(1));
        assert!(!names.hold(1, 1, three(credential(1))));
        names.take(&message(false, 2, &[]), now + REMEMBERED);
        assert!(names.sequences.is_empty() && names.order.is_empty());
        assert!(!names.knows_since(1, 1), "what was asked that long ago is not kept any more");
        assert!(names.knows_since(1, 2));
    }

    #[test]
    fn a_hundred_thousand_names_at_once_are_remembered() {
        let (now, mut names) = (start(), Names::default());
        names.take(&message(true, 0, &[]), now);
        let organization = |number: i64| {
            let at = jiff::Timestamp::from_millisecond(number).unwrap();
            Concerns::Organization(OrganizationId::generate(at, &mut StdRng::seed_from_u64(1)))
        };
        let changes: Vec<_> = (1..=100_000).map(|number| (number, organization(number))).collect();
        names.take(&message(false, 100_000, &changes), now);
        assert!(!names.hold(1, 99_999, three(organization(100_000))));
        assert!(names.hold(1, 100_000, three(organization(100_000))));
        assert!(!names.hold(1, 0, three(organization(1))));
    }
}
