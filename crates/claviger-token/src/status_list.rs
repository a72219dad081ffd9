//! A list of states, as small as it can be told (draft-ietf-oauth-status-list, section 4): two bits for each place, the lowest bits
//! of a byte first, compressed as ZLIB (RFC 1950).

use std::io::{self, Read as _, Write as _};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use flate2::{Compression, read::ZlibDecoder, write::ZlibEncoder};

/// What the place of a token says (section 7 of the draft).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenStatus {
    /// It counts, as far as the list knows; also what is said of places that nobody has.
    Valid,
    /// It is dead.
    Invalid,
    /// It does not count for now.
    Suspended,
}

impl TokenStatus {
    fn bits(self) -> u8 {
        match self {
            Self::Valid => 0,
            Self::Invalid => 1,
            Self::Suspended => 2,
        }
    }
}

/// Why a list cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum StatusListError {
    /// Not base64url without padding.
    #[error("not base64url")]
    Encoding,
    /// Not ZLIB, or longer than a list of ours can be.
    #[error("not a ZLIB stream of a bearable length")]
    Compression(#[source] io::Error),
}

/// The states of all places of one list.
#[derive(Clone, PartialEq, Eq)]
pub struct StatusList(Vec<u8>);

impl StatusList {
    /// How many bits a state has.
    pub const BITS: u8 = 2;
    /// How many places a list has.
    pub const PLACES: u64 = 1 << 20;
    const PER_BYTE: u64 = 8 / Self::BITS as u64;
    const BYTES: usize = (Self::PLACES / Self::PER_BYTE) as usize;

    /// The state at a place; `None` outside of the list.
    pub fn get(&self, place: u64) -> Option<TokenStatus> {
        let (index, shift) = at(place)?;
        Some(match (self.0.get(index)? >> shift) & 3 {
            0 => TokenStatus::Valid,
            2 => TokenStatus::Suspended,
            _ => TokenStatus::Invalid,
        })
    }

    /// Changes the state at a place, if there is such a place.
    pub fn set(&mut self, place: u64, status: TokenStatus) {
        if let Some((index, shift)) = at(place)
            && let Some(byte) = self.0.get_mut(index)
        {
            *byte = (*byte & !(3 << shift)) | (status.bits() << shift);
        }
    }

    /// `lst`: compressed, as base64url.
    pub fn encode(&self) -> io::Result<String> {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(&self.0)?;
        Ok(URL_SAFE_NO_PAD.encode(encoder.finish()?))
    }

    /// From `lst`. What follows the places of a list of ours makes it unreadable, however small it was.
    pub fn decode(lst: &str) -> Result<Self, StatusListError> {
        let compressed = URL_SAFE_NO_PAD.decode(lst).map_err(|_| StatusListError::Encoding)?;
        let mut bytes = Vec::new();
        let mut bounded = ZlibDecoder::new(compressed.as_slice()).take(Self::BYTES as u64 + 1);
        bounded.read_to_end(&mut bytes).map_err(StatusListError::Compression)?;
        if bytes.len() > Self::BYTES {
            return Err(StatusListError::Compression(io::ErrorKind::FileTooLarge.into()));
        }
        Ok(Self(bytes))
    }
}

impl Default for StatusList {
    fn default() -> Self {
        Self(vec![0; Self::BYTES])
    }
}

fn at(place: u64) -> Option<(usize, u64)> {
    let index = usize::try_from(place / StatusList::PER_BYTE).ok()?;
    Some((index, place % StatusList::PER_BYTE * u64::from(StatusList::BITS)))
}

impl std::fmt::Debug for StatusList {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "StatusList({} bytes)", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s02_the_drafts_own_list_of_two_bits_is_read_and_written() {
        // Section 4.1 of the draft: 1 2 0 3 0 1 0 1 1 2 3 3, as the bytes c9 44 f9.
        let read = StatusList::decode("eNo76fITAAPfAgc").unwrap();
        assert_eq!(read.0, [0xc9, 0x44, 0xf9]);
        let states: Vec<u8> = (0..12).map(|place| read.get(place).unwrap().bits()).collect();
        assert_eq!(states, [1, 2, 0, 1, 0, 1, 0, 1, 1, 2, 1, 1], "what is not known counts as dead");
        assert_eq!(read.get(12), None);
        let mut written = StatusList(vec![0; 3]);
        for (place, status) in [(0, TokenStatus::Invalid), (1, TokenStatus::Suspended), (5, TokenStatus::Invalid)] {
            written.set(place, status);
        }
        assert_eq!(written.0, [0b1001, 0b100, 0]);
        assert_eq!(StatusList::decode(&written.encode().unwrap()).unwrap(), written);
    }

    #[test]
    fn s04_an_empty_list_does_not_tell_how_many_tokens_there_are() {
        let mut list = StatusList::default();
        let empty = list.encode().unwrap();
        assert!(empty.len() < 600, "{}", empty.len());
        list.set(StatusList::PLACES - 1, TokenStatus::Suspended);
        list.set(StatusList::PLACES, TokenStatus::Invalid);
        let read = StatusList::decode(&list.encode().unwrap()).unwrap();
        assert_eq!(read.get(StatusList::PLACES - 1), Some(TokenStatus::Suspended));
        assert_eq!(read.get(StatusList::PLACES), None);
        list.set(StatusList::PLACES - 1, TokenStatus::Valid);
        assert_eq!(list.encode().unwrap(), empty);
    }

    #[test]
    fn s03_a_list_that_is_no_list_or_has_no_end_is_refused() {
        assert!(matches!(StatusList::decode("eNo76fITAAPfAgc="), Err(StatusListError::Encoding)));
        let raw_deflate = URL_SAFE_NO_PAD.encode([0x3b, 0xe9, 0xf2, 0x13, 0x00]);
        assert!(matches!(StatusList::decode(&raw_deflate), Err(StatusListError::Compression(_))));
        let mut bomb = ZlibEncoder::new(Vec::new(), Compression::default());
        bomb.write_all(&vec![0; 4 << 20]).unwrap();
        let bomb = URL_SAFE_NO_PAD.encode(bomb.finish().unwrap());
        assert!(matches!(StatusList::decode(&bomb), Err(StatusListError::Compression(_))));
    }
}
