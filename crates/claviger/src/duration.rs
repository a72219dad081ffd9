//! Lengths of time as people write them: `30s`, `15m`, `24h`, `90d`, `2w`; a bare number is seconds.

use std::time::Duration;

/// What [`parse`] takes.
pub(crate) const FORMAT: &str = "a whole number and one of s, m, h, d, w, such as 30s, 24h or 90d";

pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    let wrong = || format!("give {FORMAT}");
    let digits = text.trim_end_matches(|last: char| last.is_ascii_alphabetic());
    let unit: u64 = match &text[digits.len()..] {
        "" | "s" => 1,
        "m" => 60,
        "h" => 60 * 60,
        "d" => 24 * 60 * 60,
        "w" => 7 * 24 * 60 * 60,
        _ => return Err(wrong()),
    };
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(wrong());
    }
    let number: u64 = digits.parse().map_err(|_| wrong())?;
    number.checked_mul(unit).map(Duration::from_secs).ok_or_else(wrong)
}

/// The same length as text, in the largest unit that tells it whole.
pub(crate) fn shown(seconds: u64) -> String {
    const UNITS: &[(u64, &str)] = &[(7 * 24 * 60 * 60, "w"), (24 * 60 * 60, "d"), (60 * 60, "h"), (60, "m")];
    let unit = UNITS.iter().find(|(unit, _)| seconds > 0 && seconds.is_multiple_of(*unit));
    unit.map_or_else(|| format!("{seconds}s"), |(unit, name)| format!("{}{name}", seconds / unit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_of_time_is_shown_as_it_is_read() {
        for text in ["0s", "30s", "90s", "15m", "24m", "1d", "90d", "2w"] {
            assert_eq!(shown(parse(text).unwrap().as_secs()), text);
        }
    }

    #[test]
    fn a_length_of_time_is_a_number_and_a_unit() {
        let check = |text: &str, seconds: Option<u64>| assert_eq!(parse(text).ok(), seconds.map(Duration::from_secs));
        check("30", Some(30));
        check("30s", Some(30));
        check("15m", Some(900));
        check("24h", Some(86_400));
        check("90d", Some(7_776_000));
        check("2w", Some(1_209_600));
        for wrong in ["", "s", "+5s", "-5s", "1.5h", "5 s", "5y", "5sm", "18446744073709551615w", "5é"] {
            check(wrong, None);
        }
    }
}
