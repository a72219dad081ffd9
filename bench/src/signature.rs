//! What signing a token and checking its signature cost by themselves, on the core and in the minutes in which servers are
//! measured: no token can cost less.
//!
//! The room knows the cryptography that the service uses, and nothing of the service.

use std::{fs, process::ExitCode, time::Duration};

use aws_lc_rs::{
    rand::SystemRandom,
    rsa::KeySize,
    signature::{
        ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, ED25519, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _,
        ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RsaKeyPair,
    },
};
use claviger_token::SigningAlgorithm;
use serde::{Deserialize, Serialize};

use crate::{Result, compare::median, process::SERVER};

/// How often each is timed, and for how long.
const BATCHES: usize = 5;
const BATCH: Duration = Duration::from_millis(100);
/// Between two looks at the clock.
const PAUSE: u32 = 32;
/// How many are signed.
const TEXTS: u32 = 512;

#[derive(Debug, clap::Args)]
pub(crate) struct Signature {
    #[arg(long)]
    algorithm: SigningAlgorithm,
    /// Of what is signed, in bytes
    #[arg(long)]
    length: usize,
}

/// What one of each costs: medians.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Raw {
    pub(crate) signing: Duration,
    pub(crate) checking: Duration,
}

impl Raw {
    /// For a text as long as what is signed of this token, on the core on which servers are measured.
    pub(crate) fn of(algorithm: SigningAlgorithm, token: &str) -> Result<Self> {
        let (signed, _) = token.rsplit_once('.').ok_or("not a JWT")?;
        let mut command = SERVER.command(std::env::current_exe()?);
        let length = signed.len().to_string();
        command.args(["signature", "--algorithm", algorithm.as_str(), "--length", &length]);
        let output = command.output()?;
        let said = String::from_utf8_lossy(&output.stdout);
        serde_json::from_str(&said).map_err(|_| format!("signature: {said}").into())
    }

    /// The same before and after something else, and the mean of both: the core may change its speed meanwhile.
    pub(crate) fn around<T>(
        algorithm: SigningAlgorithm,
        token: &str,
        work: impl FnOnce() -> Result<T>,
    ) -> Result<(Self, T)> {
        let before = Self::of(algorithm, token)?;
        let done = work()?;
        let after = Self::of(algorithm, token)?;
        let mean = |of: fn(&Self) -> Duration| (of(&before) + of(&after)) / 2;
        Ok((Self { signing: mean(|raw| raw.signing), checking: mean(|raw| raw.checking) }, done))
    }
}

/// Prints what is asked for, as JSON. Whoever asks sees to the core.
pub(crate) fn print(asked: &Signature) -> Result<ExitCode> {
    println!("{}", serde_json::to_string(&measure(asked.algorithm, &vec![b'e'; asked.length])?)?);
    Ok(ExitCode::SUCCESS)
}

fn measure(algorithm: SigningAlgorithm, text: &[u8]) -> Result<Raw> {
    let rng = SystemRandom::new();
    match algorithm {
        SigningAlgorithm::Es256 => {
            let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)?;
            let key = ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, pair.public_key().as_ref())?;
            both(text, &key, |text| Ok(pair.sign(&rng, text)?.as_ref().to_vec()))
        }
        SigningAlgorithm::EdDsa => {
            let pair = Ed25519KeyPair::generate()?;
            let key = ParsedPublicKey::new(&ED25519, pair.public_key().as_ref())?;
            both(text, &key, |text| Ok(pair.try_sign(text)?.as_ref().to_vec()))
        }
        SigningAlgorithm::Rs256 => {
            let pair = RsaKeyPair::generate(KeySize::Rsa2048)?;
            let key = ParsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, pair.public_key().as_ref())?;
            both(text, &key, |text| {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &rng, text, &mut signature)?;
                Ok(signature)
            })
        }
    }
}

/// Of different texts in turn: a core learns by heart which way it went through a signature that comes again and again.
fn both(text: &[u8], key: &ParsedPublicKey, sign: impl Fn(&[u8]) -> Result<Vec<u8>>) -> Result<Raw> {
    let texts = (0..TEXTS).map(|number| [text, &number.to_be_bytes()].concat());
    let signed = texts.map(|text| Ok((sign(&text)?, text))).collect::<Result<Vec<_>>>()?;
    let signing = each(&signed, |(_, text)| sign(text).map(drop))?;
    let checking = each(&signed, |(signature, text)| Ok(key.verify_sig(text, signature)?))?;
    Ok(Raw { signing, checking })
}

/// What one costs: the median of some batches.
fn each<T>(things: &[T], work: impl Fn(&T) -> Result<()>) -> Result<Duration> {
    let (mut batches, mut things) = (Vec::new(), things.iter().cycle());
    for _ in 0..BATCHES {
        let (began, mut times) = (spent()?, 0);
        while spent()?.saturating_sub(began) < BATCH {
            things.by_ref().take(PAUSE as usize).try_for_each(&work)?;
            times += PAUSE;
        }
        batches.push(spent()?.saturating_sub(began) / times.max(1));
    }
    Ok(median(batches))
}

/// The time that this thread has spent on a core. A clock of rustix would read what valgrind does not have, in every program of
/// this crate.
fn spent() -> Result<Duration> {
    let told = fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanoseconds = told.split(' ').next().ok_or("no time in schedstat")?.parse()?;
    Ok(Duration::from_nanos(nanoseconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_algorithm_is_measured_and_what_is_signed_is_proved() {
        for algorithm in SigningAlgorithm::ALL {
            let raw = measure(algorithm, b"signed").unwrap();
            assert!(raw.signing > Duration::ZERO && raw.checking > Duration::ZERO, "{algorithm}: {raw:?}");
        }
    }
}
