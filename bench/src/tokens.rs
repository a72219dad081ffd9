//! Keys without end that need not be kept: the n-th token is always the same one.

use std::{
    fs::File,
    io::{BufWriter, Write as _},
    ops::Range,
    path::{Path, PathBuf},
};

use claviger_token::{Brand, Secret, SecretKind};
use rand::{SeedableRng as _, rngs::StdRng};

use crate::Result;

/// The length of every opaque token of ours.
const LENGTH: usize = 46;

/// Where the tokens that are never stored begin.
pub(crate) const UNKNOWN: usize = 1 << 32;

pub(crate) fn nth(number: usize) -> Secret {
    Secret::mint(&Brand::default(), SecretKind::ApiKey, &mut StdRng::seed_from_u64(number as u64))
}

/// A file with tokens, one on a line, as the load generator reads them.
#[derive(Debug, Clone)]
pub(crate) struct Tokens {
    pub(crate) file: PathBuf,
    /// Of each of them: what a request with one says of its own length is always the same.
    pub(crate) length: usize,
}

impl Tokens {
    /// The tokens of these numbers.
    pub(crate) fn of_keys(directory: &Path, range: &Range<usize>) -> Result<Self> {
        let path = directory.join(format!("tokens-{}-{}", range.start, range.end));
        if !path.exists() {
            let mut file = BufWriter::new(File::create(&path)?);
            for number in range.clone() {
                writeln!(file, "{}", nth(number).expose())?;
            }
            file.flush()?;
        }
        Ok(Self { file: path, length: LENGTH })
    }
}

#[cfg(test)]
mod tests {
    use claviger_token::Opaque;

    use super::*;

    #[test]
    fn the_nth_token_is_always_the_same_and_well_formed() {
        assert_eq!(nth(7).expose(), nth(7).expose());
        assert_ne!(nth(7).expose(), nth(8).expose());
        assert_eq!(nth(UNKNOWN).expose().len(), LENGTH);
        assert!(Opaque::parse(nth(7).expose(), &[Brand::default()]).is_ok());
    }
}
