//! Access tokens: JWTs that a key of ours signed (RFC 9068), and opaque ones that say the same in storage. Each was made from a credential, and what it may do follows from
//! what that credential may do now.
//!
//! The room must not know how a token comes about. Whether its time is over is `decide`'s to say.

use std::sync::Arc;

use claviger_store::StoreError;
use claviger_token::{AccessTokenClaims, Jws, Opaque, Presented, SecretKind, TokenHash, Typ};

use super::credentials::{Entry, LookedUp};
use crate::app::{App, monotonic};

/// The longest JWT that is looked at, and so the longest that is made.
pub(crate) const LONGEST_JWT: usize = 8 * 1024;

/// How far the clock of the node that made a token may be ahead of this one's, in seconds.
const CLOCKS_DIFFER: i64 = 60;

/// What every header of ours begins with, as base64url: `{"`.
const OBJECT: &str = "eyJ";

/// Whether a text has the form of a JWT of ours: three parts of base64url, the first of which is a JSON object.
fn is_jwt_like(text: &str) -> bool {
    let well_formed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    text.len() <= LONGEST_JWT
        && text.starts_with(OBJECT)
        // Without a way out in the middle, so that many bytes are looked at together.
        && text.bytes().fold(true, |all, byte| all & well_formed(byte))
        && text.bytes().filter(|byte| *byte == b'.').count() == 2
}

impl App {
    /// Which credential a text has the form of, if any.
    pub(crate) fn kind_of(&self, text: &str) -> Option<SecretKind> {
        let opaque = Opaque::parse(text, &self.brands).ok().map(|opaque| opaque.kind);
        opaque.or_else(|| is_jwt_like(text).then_some(SecretKind::AccessToken))
    }

    /// What is known of a text that is no opaque credential. A token that was seen before costs neither a signature nor a read
    /// of the database; one that was not costs no read while its credential is in memory.
    ///
    /// While storage does not answer, a token goes on as long as its time lasts: its signature is proved by the keys that were
    /// known last, what it may do is what was known last of its credential, and it has ended if that was known. It is an outage, and no verdict, if
    /// its credential was not known then, or if anything that it depends on is known to have changed since.
    pub(super) async fn look_up_jwt(&self, presented: &str) -> Result<LookedUp, StoreError> {
        if !is_jwt_like(presented) {
            return Ok(LookedUp { presented: Presented::Malformed, entry: None });
        }
        let hash = TokenHash::of(presented);
        let entry = match self.remembered_jwt(hash) {
            Some(entry) => {
                self.metrics.cache_hits.inc();
                entry
            }
            None => {
                self.metrics.cache_misses.inc();
                // Boxed, or the future of every request would be as large as a read of the database.
                match Box::pin(self.read_jwt(presented, hash)).await? {
                    Ok(entry) => entry,
                    // There is no end to texts that we did not sign: what becomes of them is not kept.
                    Err(presented) => return Ok(LookedUp { presented, entry: None }),
                }
            }
        };
        let entry = self.unless_ended(hash, entry).await?;
        Ok(LookedUp { presented: Presented::WellFormed, entry: Some(entry) })
    }

    /// The token, or, if it ended by itself, one that says so. Asked at every use, before what is kept of it counts.
    pub(super) async fn unless_ended(&self, hash: TokenHash, entry: Arc<Entry>) -> Result<Arc<Entry>, StoreError> {
        let token = entry.found().and_then(|found| found.token.as_ref()).filter(|token| !token.revoked);
        let Some(id) = token.map(|token| token.id) else { return Ok(entry) };
        let has_ended = match self.is_known_to_have_ended(id) {
            Some(has_ended) => has_ended,
            // Boxed for the same reason.
            None => Box::pin(self.has_ended(id, entry.is_signed())).await?,
        };
        let Some(ended) = has_ended.then(|| entry.ended()).flatten() else { return Ok(entry) };
        let ended = Arc::new(ended);
        self.keep(hash, &ended);
        Ok(ended)
    }

    /// What an opaque token unlocks, in at most two round trips.
    pub(super) async fn read_opaque_token(&self, hash: &TokenHash) -> Result<Arc<Entry>, StoreError> {
        // Before everything that it depends on, as below.
        let (mark, read_at) = (self.store.changes().mark(), monotonic());
        let unknown = || Arc::new(Entry::unknown(mark, read_at));
        for digest in self.peppers.candidates(hash) {
            let Some(claims) = self.store.find_access_token(&digest).await? else { continue };
            let Some(parent) = self.parent(claims.cred).await? else { return Ok(unknown()) };
            let found = claims.found(&parent.credential, &parent.principal, &parent.organization);
            return Ok(found.map_or_else(unknown, |found| Arc::new(Entry::of_token(found, &parent, false, mark))));
        }
        Ok(unknown())
    }

    fn remembered_jwt(&self, hash: TokenHash) -> Option<Arc<Entry>> {
        let (changes, now) = (self.store.changes(), monotonic());
        let entry = self.credentials.entries.get(&hash)?;
        let is_stale = changes.staleness(now) > self.config.max_staleness;
        let holds = if is_stale { entry.held_at_last(changes) } else { entry.holds(changes, now) };
        holds.then_some(entry)
    }

    /// What a token says and what stands behind it, if a key of ours signed it and it is one that we made; else whether it has the
    /// form of one.
    async fn read_jwt(&self, text: &str, hash: TokenHash) -> Result<Result<Arc<Entry>, Presented>, StoreError> {
        let Ok(jws) = Jws::parse(text, Typ::ACCESS_TOKEN) else { return Ok(Err(Presented::Malformed)) };
        let unknown = Ok(Err(Presented::WellFormed));
        // Before everything that it depends on: what holds after this was not named before it.
        let mark = self.store.changes().mark();
        let (keys, now) = (self.proving_keys().await?, self.now());
        let Some(key) = jws.kid().and_then(|kid| keys.verifying_key(kid, now)) else { return unknown };
        let Ok(claims) = jws.proved_closed::<AccessTokenClaims>(key) else { return unknown };
        if claims.iss != self.config.public_url || claims.iat > now.as_second().saturating_add(CLOCKS_DIFFER) {
            return unknown;
        }
        let Some(parent) = self.last_known_parent(claims.cred).await? else { return unknown };
        let found = claims.found(&parent.credential, &parent.principal, &parent.organization);
        let Some(found) = found else { return unknown };
        let entry = Arc::new(Entry::of_token(found, &parent, true, mark));
        self.keep(hash, &entry);
        Ok(Ok(entry))
    }

    /// What is known `now`; or what was known `last`, while storage does not answer. Once the log could not be read for
    /// too long, storage is not even asked: whoever follows the log finds out when it answers again.
    pub(crate) async fn or_last_known<T>(
        &self,
        last: impl Fn() -> Option<T>,
        now: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let is_stale = self.store.changes().staleness(monotonic()) > self.config.max_staleness;
        if is_stale && let Some(known) = last() {
            return Ok(known);
        }
        match now.await {
            Err(error @ StoreError::Unavailable(_)) => last().ok_or(error),
            done => done,
        }
    }
}

#[cfg(test)]
mod tests {
    use claviger_token::{AccessTokenId, Environment, PermissionSet, SigningAlgorithm, TypedId as _, Verdict};

    use super::*;
    use crate::app::tests::app;

    #[test]
    fn three_parts_of_base64url_may_be_a_token_of_ours() {
        let check = |text: &str, expected: bool| assert_eq!(is_jwt_like(text), expected, "{text}");
        check("eyJhbGciOiJFUzI1NiJ9.eyJ9.c2ln-_", true);
        check("git.acme.test", false);
        check("eyJhbGciOiJFUzI1NiJ9.eyJ9", false);
        check("eyJhbGciOiJFUzI1NiJ9.eyJ9.c2ln.c2ln", false);
        for text in ["eyJ=.e30.c2ln", "eyJ.e30.c2ln\n", " eyJ.e30.c2ln", "eyJ.e30.c2l+", "eyJ.e30.é", "clv_key_x", ""]
        {
            check(text, false);
        }
        check(&format!("eyJ.{}.c2ln", "a".repeat(LONGEST_JWT - 9)), true);
        check(&format!("eyJ.{}.c2ln", "a".repeat(LONGEST_JWT - 8)), false);
    }

    #[tokio::test]
    async fn a_new_token_of_a_known_credential_costs_no_read_of_the_database() {
        let (app, _directory) = app().await;
        let made = app.bootstrap(true).await.unwrap();
        let now = app.now();
        let claims = |rng: &mut dyn rand::CryptoRng| AccessTokenClaims {
            iss: app.config.public_url.clone(),
            sub: made.service_account_id.into(),
            aud: vec![app.config.public_url.clone()],
            exp: now.as_second() + 600,
            iat: now.as_second(),
            jti: AccessTokenId::generate(now, rng),
            client_id: made.service_account_id,
            scope: PermissionSet::from_text("claviger:verify").unwrap(),
            org: made.organization_id,
            cred: made.api_key_id,
            epoch: 1,
            env: Environment::Live,
            objects: None,
            networks: None,
            cnf: None,
            authorization_details: None,
            status: None,
            act: None,
        };
        let keys = app.signing_keys().await.unwrap();
        let signer = keys.signer(SigningAlgorithm::Es256, now).unwrap();
        let [first, second] = [(); 2].map(|()| signer.sign("at+jwt", &claims(&mut app.rng())).unwrap());
        let verdict = async |token: &str| {
            let looked_up = app.look_up(token).await?;
            Ok::<_, StoreError>(claviger_token::state(&looked_up.presented, looked_up.found(), app.now()))
        };
        assert_eq!(verdict(&first).await.unwrap(), Verdict::Valid);
        app.store.database().close().await;
        for token in [&first, &second] {
            assert_eq!(verdict(token).await.unwrap(), Verdict::Valid);
        }
        assert!(app.store.database().ping().await.is_err());
    }
}
