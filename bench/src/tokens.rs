//! Keys without end that need not be kept: the n-th token is always the same one. And files of tokens, from wherever they
//! are.

use std::{
    fs::{self, File},
    io::{BufRead as _, BufReader, BufWriter, Write as _},
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

    /// The first so many of a file that somebody else wrote; the rest of it is taken away.
    pub(crate) fn first(count: usize, file: PathBuf) -> Result<Self> {
        let text = fs::read_to_string(&file)?;
        let tokens: Vec<&str> = text.lines().take(count).collect();
        let length = tokens.first().map_or(0, |token| token.len());
        if tokens.len() < count || length == 0 || tokens.iter().any(|token| token.len() != length) {
            let found = tokens.len();
            return Err(
                format!("{found} tokens of {count}, the first of {length} bytes, or of different length").into()
            );
        }
        fs::write(&file, tokens.join("\n") + "\n")?;
        Ok(Self { file, length })
    }

    /// One of them.
    pub(crate) fn any(&self) -> Result<String> {
        let first = BufReader::new(File::open(&self.file)?).lines().next();
        Ok(first.ok_or("a file without tokens")??)
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

    #[test]
    fn tokens_of_others_are_enough_and_equally_long() {
        let directory = tempfile::tempdir().unwrap();
        let first = |count, text: &str| {
            let file = directory.path().join("tokens");
            fs::write(&file, text).unwrap();
            Tokens::first(count, file)
        };
        let two = first(2, "abc\ndef\nlonger\n").unwrap();
        assert_eq!((two.length, two.any().unwrap().as_str()), (3, "abc"));
        assert_eq!(fs::read_to_string(two.file).unwrap(), "abc\ndef\n");
        for (count, text) in [(2, "abc\n"), (2, "abc\nde\n"), (1, ""), (1, "\n")] {
            assert!(first(count, text).is_err(), "{count} of {text:?}");
        }
    }
}
