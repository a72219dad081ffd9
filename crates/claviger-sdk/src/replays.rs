//! Proofs of possession that came already: each counts once. What is remembered here is this process's own; where a service runs more
//! than once, a proof counts once in each.

use std::collections::{HashSet, VecDeque};

use claviger_token::{DpopProof, TokenHash};
use jiff::Timestamp;
use parking_lot::Mutex;

/// How many are remembered; beyond, none holds. Only proofs of credentials that are good come here.
const MOST: usize = 200_000;

#[derive(Debug, Default)]
pub(crate) struct Replays(Mutex<Seen>);

#[derive(Debug, Default)]
struct Seen {
    proofs: HashSet<TokenHash>,
    /// In the order in which they came, which is about that of their ends.
    order: VecDeque<(Timestamp, TokenHash)>,
}

impl Replays {
    /// Whether this proof came for the first time.
    pub(crate) fn is_first(&self, proof: &DpopProof, now: Timestamp) -> bool {
        let key = TokenHash::of(&format!("{} {}", proof.thumbprint, proof.jti));
        self.0.lock().is_first(key, proof.ends_at, now)
    }
}

impl Seen {
    fn is_first(&mut self, key: TokenHash, ends_at: Timestamp, now: Timestamp) -> bool {
        while let Some((_, key)) = self.order.pop_front_if(|(ends_at, _)| *ends_at <= now) {
            self.proofs.remove(&key);
        }
        if self.proofs.len() >= MOST || !self.proofs.insert(key) {
            return false;
        }
        self.order.push_back((ends_at, key));
        true
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;

    #[test]
    fn a_proof_counts_once_and_is_forgotten_at_its_end() {
        let (mut seen, now) = (Seen::default(), Timestamp::from_second(1_800_000_000).unwrap());
        let (key, minute) = (TokenHash::of("1"), SignedDuration::from_mins(1));
        assert!(seen.is_first(key, now + minute, now));
        assert!(!seen.is_first(key, now + minute, now));
        assert!(seen.is_first(TokenHash::of("2"), now + minute, now));
        assert!(seen.is_first(TokenHash::of("3"), now + minute * 2, now + minute));
        assert_eq!((seen.proofs.len(), seen.order.len()), (1, 1));
    }
}
