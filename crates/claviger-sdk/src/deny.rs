//! What ended lately: the signed feed for those who prove JWTs by themselves.

use std::collections::HashMap;

use claviger_token::{AccessTokenId, CredentialId, Found, Jws, Named, Typ};
use jiff::Timestamp;
use serde::Deserialize;

use crate::{judge::NotProved, keys::Keys};

const TYP: Typ = Typ::Is("revocations+jwt");

/// The longest feed that is read: half a million names and more.
const LONGEST: usize = 64 << 20;

/// How far the instance's clock may be ahead, in seconds.
const CLOCKS_DIFFER: i64 = 60;

/// For how long something counts that documents do not name any more, in seconds: longer than any token that it could end. A document
/// may be that of a node which knows less, or is late.
const REMEMBERED: i64 = 65 * 60;

/// What ended lately, as the instance said.
#[derive(Clone, Debug, Default)]
pub struct Ended {
    min_epochs: HashMap<CredentialId, Since<u64>>,
    tokens: HashMap<AccessTokenId, Since<()>>,
}

/// What was said, and when that was received last, in seconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Since<T> {
    said: T,
    at: i64,
}

#[derive(Deserialize)]
struct Claims {
    iss: String,
    iat: i64,
    exp: i64,
    revocations: Named<Revocations>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Revocations {
    credentials: Vec<Named<Credential>>,
    tokens: Vec<AccessTokenId>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Credential {
    cred: CredentialId,
    min_epoch: u64,
}

impl Ended {
    /// Reads the feed, if the instance signed it and it counts now.
    pub fn read(text: &str, keys: &Keys, issuer: &str, now: Timestamp) -> Result<Self, NotProved> {
        let jws = Jws::parse_long(text, TYP, LONGEST).map_err(|_| NotProved::Malformed)?;
        let key = jws.kid().and_then(|kid| keys.key(kid)).ok_or(NotProved::UnknownKey)?;
        let claims: Claims = jws.proved(key).map_err(|_| NotProved::Forged)?;
        let now = now.as_second();
        if claims.iss != issuer || claims.exp <= now || claims.iat > now.saturating_add(CLOCKS_DIFFER) {
            return Err(NotProved::Forged);
        }
        let Named(Revocations { credentials, tokens }) = claims.revocations;
        let mut ended = Self::default();
        for Named(Credential { cred, min_epoch }) in credentials {
            ended.add(cred, Since { said: min_epoch, at: now });
        }
        ended.tokens.extend(tokens.into_iter().map(|token| (token, Since { said: (), at: now })));
        Ok(ended)
    }

    fn add(&mut self, credential: CredentialId, Since { said, at }: Since<u64>) {
        let known = self.min_epochs.entry(credential).or_insert(Since { said, at });
        *known = Since { said: known.said.max(said), at: known.at.max(at) };
    }

    /// What is known after another was read: both, whichever is younger, for documents come from nodes whose clocks differ. What no
    /// document names for longer than any token lives is forgotten.
    #[must_use]
    pub fn followed_by(&self, next: Self, now: Timestamp) -> Self {
        let oldest = now.as_second().saturating_sub(REMEMBERED);
        let mut both = next;
        for (credential, known) in self.min_epochs.iter().filter(|(_, known)| known.at > oldest) {
            both.add(*credential, *known);
        }
        for (token, known) in self.tokens.iter().filter(|(_, known)| known.at > oldest) {
            both.tokens.entry(*token).or_insert(*known);
        }
        both
    }

    /// Whether this token is dead.
    pub fn has_ended(&self, token: &Found) -> bool {
        let credential = &token.credential;
        self.min_epochs.get(&credential.id).is_some_and(|min_epoch| credential.epoch < min_epoch.said)
            || token.token.as_ref().is_some_and(|token| self.tokens.contains_key(&token.id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(at: i64, epochs: &[(u8, u64)], tokens: &[u8]) -> Ended {
        let id = |prefix: &str, number: u8| format!("{prefix}_01h2xcejqtf2nbrexx3vqjhp4{number}");
        let epochs =
            epochs.iter().map(|(number, said)| (id("key", *number).parse().unwrap(), Since { said: *said, at }));
        let tokens = tokens.iter().map(|number| (id("at", *number).parse().unwrap(), Since { said: (), at }));
        Ended { min_epochs: epochs.collect(), tokens: tokens.collect() }
    }

    #[test]
    fn nothing_that_ended_is_lost_in_whatever_order_documents_come() {
        let check = |known: Ended, next: Ended, now: i64, expected: (&[(u8, u64)], &[u8])| {
            let known = known.followed_by(next, Timestamp::from_second(now).unwrap());
            let expected = ended(0, expected.0, expected.1);
            let said = |ended: &Ended| {
                let epochs = ended.min_epochs.iter().map(|(id, known)| (id.to_string(), known.said));
                let tokens = ended.tokens.keys().map(ToString::to_string);
                let (mut epochs, mut tokens): (Vec<_>, Vec<_>) = (epochs.collect(), tokens.collect());
                epochs.sort();
                tokens.sort();
                (epochs, tokens)
            };
            assert_eq!(said(&known), said(&expected));
        };
        let (one, other) = (|at| ended(at, &[(1, 3), (2, 5)], &[1]), |at| ended(at, &[(1, 4), (2, 4)], &[2]));
        let both: (&[(u8, u64)], &[u8]) = (&[(1, 4), (2, 5)], &[1, 2]);
        check(one(10), other(20), 20, both);
        check(other(10), one(20), 20, both);
        check(one(10), Ended::default(), 10 + REMEMBERED - 1, (&[(1, 3), (2, 5)], &[1]));
        check(one(10), Ended::default(), 10 + REMEMBERED, (&[], &[]));
        check(Ended::default(), one(10), 10, (&[(1, 3), (2, 5)], &[1]));
    }

    #[test]
    fn a_hundred_thousand_that_ended_at_once_are_read() {
        use claviger_token::{SigningAlgorithm, SigningKey, TypedId as _};
        use rand::{SeedableRng as _, rngs::StdRng};
        let pkcs8 = SigningKey::generate(SigningAlgorithm::Es256).unwrap();
        let key = SigningKey::from_pkcs8(SigningAlgorithm::Es256, &pkcs8).unwrap();
        let keys = serde_json::json!({ "keys": [key.verifying_key().jwk("1")] });
        let keys = Keys::read(keys.to_string().as_bytes()).unwrap();
        let (now, mut rng) = (Timestamp::from_second(1_800_000_000).unwrap(), StdRng::seed_from_u64(1));
        let credentials: Vec<_> = (0..100_000)
            .map(|_| serde_json::json!({ "cred": claviger_token::ApiKeyId::generate(now, &mut rng), "min_epoch": 2 }))
            .collect();
        let text = |exp: i64| {
            let claims = serde_json::json!({
                "iss": "https://keys.acme.test", "iat": 1_800_000_000, "exp": exp, "ttl": 1,
                "revocations": { "credentials": credentials, "tokens": [] },
            });
            key.sign("revocations+jwt", "1", &claims).unwrap()
        };
        let read = |text: &str, issuer: &str| Ended::read(text, &keys, issuer, now).map(|ended| ended.min_epochs.len());
        let (sound, over) = (text(1_800_003_600), text(1_800_000_000));
        assert_eq!(read(&sound, "https://keys.acme.test"), Ok(100_000));
        assert_eq!(read(&sound, "https://other.test"), Err(NotProved::Forged));
        assert_eq!(read(&over, "https://keys.acme.test"), Err(NotProved::Forged));
        assert_eq!(read("x", "https://keys.acme.test"), Err(NotProved::Malformed));
        assert!(read(&sound[..sound.len() - 9], "https://keys.acme.test").is_err(), "cut");
        assert_eq!(
            Ended::read(&sound, &Keys::default(), "https://keys.acme.test", now).err(),
            Some(NotProved::UnknownKey)
        );
    }
}
