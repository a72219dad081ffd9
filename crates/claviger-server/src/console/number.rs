//! Whole numbers as people read them: in groups of three, which each language sets apart in its own way.

use std::fmt::Display;

use super::language::Language;

/// A whole number, in groups.
pub(super) fn grouped(language: Language, number: impl Display) -> String {
    let separator = match language {
        Language::English | Language::Japanese => ',',
        Language::Dutch => '.',
        // Narrow, and no place to break a line.
        Language::French => '\u{202f}',
    };
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() * 4 / 3);
    for (index, digit) in digits.char_indices() {
        let rest = digits.len() - index;
        if index > 0 && rest.is_multiple_of(3) && !grouped.ends_with('-') {
            grouped.push(separator);
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_language_sets_groups_of_three_apart() {
        let check = |number: i64, expected: [&str; 4]| {
            assert_eq!(Language::ALL.map(|language| grouped(language, number)), expected, "{number}");
        };
        check(0, ["0"; 4]);
        check(999, ["999"; 4]);
        check(-999, ["-999"; 4]);
        check(1_234, ["1,234", "1.234", "1\u{202f}234", "1,234"]);
        check(1_000_000, ["1,000,000", "1.000.000", "1\u{202f}000\u{202f}000", "1,000,000"]);
        check(-12_345, ["-12,345", "-12.345", "-12\u{202f}345", "-12,345"]);
    }
}
