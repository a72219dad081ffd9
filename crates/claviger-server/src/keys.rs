//! The instance's own keys: made at the first start, sealed under the master key, opened at every start.

use claviger_core::{ChainKey, DataKey, MasterKey, Pepper, Peppers, UnsealError};
use claviger_store::{Database, KeyPurpose, StoreError};
use jiff::Timestamp;
use rand::CryptoRng;
use zeroize::Zeroizing;

/// The opened keys.
#[derive(Debug)]
pub struct Keys {
    /// For digests of secrets.
    pub peppers: Peppers,
    /// For the audit chains.
    pub chain: ChainKey,
    /// For the seeds of second factors.
    pub totp_seeds: DataKey,
    /// For the private keys that sign tokens.
    pub signing_keys: DataKey,
}

/// Why the keys could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The wrong master key for this database.
    #[error(transparent)]
    Unseal(#[from] UnsealError),
    /// The database does not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Keys {
    /// Opens them; on a new database makes them first.
    pub async fn open(
        database: &Database,
        master: &MasterKey,
        now: Timestamp,
        rng: &mut (dyn CryptoRng + Send),
    ) -> Result<Self, KeyError> {
        let mut peppers = unsealed(database, master, KeyPurpose::Pepper, now, rng).await?.into_iter();
        let mut chain = unsealed(database, master, KeyPurpose::AuditChain, now, rng).await?.into_iter();
        let mut seeds = unsealed(database, master, KeyPurpose::TotpSeeds, now, rng).await?.into_iter();
        let mut signing = unsealed(database, master, KeyPurpose::SigningKeys, now, rng).await?.into_iter();
        let (Some((version, newest)), Some((_, chain)), Some((_, seeds)), Some((_, signing))) =
            (peppers.next(), chain.next(), seeds.next(), signing.next())
        else {
            return Err(KeyError::Store(StoreError::Damaged("a sealed key vanished while it was read".to_owned())));
        };
        let older = peppers.map(|(version, key)| Pepper::new(version, &key)).collect();
        let peppers = Peppers::new(Pepper::new(version, &newest), older);
        let (totp_seeds, signing_keys) = (DataKey::new(&seeds), DataKey::new(&signing));
        Ok(Self { peppers, chain: ChainKey::new(&chain), totp_seeds, signing_keys })
    }

    /// Whether this database has keys already, so that a missing master key is not silently replaced.
    pub async fn exist(database: &Database) -> Result<bool, StoreError> {
        Ok(!database.sealed_keys(KeyPurpose::Pepper).await?.is_empty())
    }
}

async fn unsealed(
    database: &Database,
    master: &MasterKey,
    purpose: KeyPurpose,
    now: Timestamp,
    rng: &mut (dyn CryptoRng + Send),
) -> Result<Vec<(i64, Zeroizing<[u8; 32]>)>, KeyError> {
    let mut stored = database.sealed_keys(purpose).await?;
    if stored.is_empty() {
        let mut key = Zeroizing::new([0u8; 32]);
        rng.fill_bytes(key.as_mut_slice());
        database.offer_sealed_key(purpose, 1, &master.seal(&purpose.row(1), &key, rng), now).await?;
        // Another node may have been first; what stands there now is the key.
        stored = database.sealed_keys(purpose).await?;
    }
    let open = |(version, sealed): &(i64, _)| Ok((*version, master.unseal(&purpose.row(*version), sealed)?));
    stored.iter().map(open).collect()
}
