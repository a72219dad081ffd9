//! Browsers from which an account was signed in before. Each carries proof of it, so that strangers who try the account
//! again and again do not slow it down for its owner (`throttle.rs`). The proof says nothing to whoever reads it.

use axum::http::HeaderValue;
use rand::Rng as _;

use super::visit::Visit;
use crate::{
    app::App,
    cookies::Cookie,
    session::{hex, is_token},
    throttle::Account,
};

/// How many accounts one browser is remembered for.
const MOST_ACCOUNTS: usize = 5;
const ID_LENGTH: usize = 32;
const PROOF_LENGTH: usize = 32;

/// Whether this browser was signed in to the account before.
pub(crate) fn is_known(visit: &Visit, account: &Account, app: &App) -> bool {
    let Some((id, proofs)) = read(visit) else { return false };
    let expected = proof(id, account, app);
    proofs.iter().any(|known| is_token(known, &expected))
}

/// The cookie of a browser in which the account was just signed in.
pub(crate) fn remember(visit: &Visit, account: &Account, app: &App) -> HeaderValue {
    let (id, mut proofs) = match read(visit) {
        Some((id, proofs)) => (id.to_owned(), proofs.into_iter().map(str::to_owned).collect()),
        None => {
            let mut bytes = [0; ID_LENGTH / 2];
            app.rng().fill_bytes(&mut bytes);
            (hex(&bytes), Vec::new())
        }
    };
    let new = proof(&id, account, app);
    proofs.retain(|known| *known != new);
    proofs.insert(0, new);
    proofs.truncate(MOST_ACCOUNTS);
    Cookie::Device.set(&format!("{id}.{}", proofs.join(".")), visit.secure)
}

fn read(visit: &Visit) -> Option<(&str, Vec<&str>)> {
    let (id, proofs) = visit.device.as_deref()?.split_once('.')?;
    let of_length = |text: &str, length| text.len() == length && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !of_length(id, ID_LENGTH) {
        return None;
    }
    let proofs = proofs.split('.').filter(|proof| of_length(proof, PROOF_LENGTH)).take(MOST_ACCOUNTS);
    Some((id, proofs.collect()))
}

fn proof(id: &str, account: &Account, app: &App) -> String {
    let mut proof = hex(&app.peppers.keyed_hash("device", &[id.as_bytes(), account]));
    proof.truncate(PROOF_LENGTH);
    proof
}
