//! Moments as people write them in flags.

use jiff::Timestamp;

pub(crate) fn parse(text: &str) -> Result<Timestamp, &'static str> {
    text.parse().map_err(|_| "give a time with its offset from UTC (RFC 3339), such as 2027-01-31T12:00:00Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_has_an_offset() {
        for sound in ["2027-01-31T12:00:00Z", "2027-01-31T12:00:00.5+01:00", "2027-01-31 12:00:00Z"] {
            assert!(parse(sound).is_ok(), "{sound}");
        }
        for wrong in ["", "yesterday", "2027-01-31", "2027-01-31T12:00:00", "1800000000", "90d"] {
            assert!(parse(wrong).unwrap_err().contains("2027-01-31T12:00:00Z"), "{wrong}");
        }
    }
}
