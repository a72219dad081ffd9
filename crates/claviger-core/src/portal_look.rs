//! What a portal looks like: the name and the colour of the product whose page it is.
//!
//! Whoever sets a colour thinks of their brand and not of contrast. So none is refused: [`Color::readable_on`] finds the
//! nearest shade of it that people can read. The room must not know where a colour is used.

use std::fmt;

use serde::{Serialize, Serializer};

use crate::{invalid::FieldErrors, name::Name};

/// The contrast that text needs (WCAG 2.2, 1.4.3), with a little to spare for rounding.
const READABLE: f64 = 4.52;

/// What a product calls itself in front of its users, and how it looks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PortalLook {
    /// Its name; `None`: the organization's.
    pub name: Option<Name>,
    /// Its colour; `None`: Claviger's.
    pub color: Option<Color>,
}

impl PortalLook {
    /// With what somebody changes: absent stays, `None` clears.
    pub(crate) fn changed(
        self,
        name: Option<Option<&str>>,
        color: Option<Option<&str>>,
        errors: &mut FieldErrors,
    ) -> Self {
        let name = match name {
            None => self.name,
            Some(name) => name.and_then(|name| errors.keep("/portal_name", "invalid_name", Name::parse(name))),
        };
        let color = match color {
            None => self.color,
            Some(color) => color.and_then(|color| errors.keep("/portal_color", "invalid_color", Color::parse(color))),
        };
        Self { name, color }
    }
}

/// A colour of a screen (sRGB).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Color([u8; 3]);

impl Color {
    /// Of its red, green and blue.
    pub const fn new(red: u8, green: u8, blue: u8) -> Self {
        Self([red, green, blue])
    }

    /// `#rrggbb`.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        const FORM: &str = "a colour is # and six hexadecimal digits, such as #3550cb";
        let digits = text.strip_prefix('#').ok_or(FORM)?;
        if digits.len() != 6 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(FORM);
        }
        let [_, red, green, blue] = u32::from_str_radix(digits, 16).map_err(|_| FORM)?.to_be_bytes();
        Ok(Self([red, green, blue]))
    }

    /// How far apart two are to the eye: 1 to 21 (WCAG 2.2, "contrast ratio").
    pub fn contrast(self, other: Self) -> f64 {
        let (one, other) = (self.luminance() + 0.05, other.luminance() + 0.05);
        if one > other { one / other } else { other / one }
    }

    /// This one with so many parts of a hundred of another.
    #[must_use]
    pub fn mixed(self, other: Self, parts: u8) -> Self {
        let parts = u16::from(parts.min(100));
        let of = |index: usize| {
            let mixed = (u16::from(self.0[index]) * (100 - parts) + u16::from(other.0[index]) * parts + 50) / 100;
            u8::try_from(mixed).unwrap_or(u8::MAX)
        };
        Self([of(0), of(1), of(2)])
    }

    /// The nearest shade of it, on the way to `towards`, that is readable as text on each of these grounds. `towards` itself is, or
    /// there is none.
    #[must_use]
    pub fn readable_on(self, grounds: &[Self], towards: Self) -> Self {
        let shades = (0..=100).map(|parts| self.mixed(towards, parts));
        let mut readable = shades.filter(|shade| grounds.iter().all(|ground| shade.contrast(*ground) >= READABLE));
        readable.next().unwrap_or(towards)
    }

    /// WCAG 2.2, "relative luminance".
    fn luminance(self) -> f64 {
        let [red, green, blue] = self.0.map(|part| {
            let part = f64::from(part) / 255.0;
            if part <= 0.04045 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
        });
        0.2126 * red + 0.7152 * green + 0.0722 * blue
    }
}

impl fmt::Display for Color {
    /// In its only spelling: `#rrggbb`, in small letters.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [red, green, blue] = self.0;
        write!(f, "#{red:02x}{green:02x}{blue:02x}")
    }
}

impl Serialize for Color {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn color(text: &str) -> Color {
        Color::parse(text).unwrap()
    }

    #[test]
    fn a_colour_is_six_digits_and_nothing_that_a_stylesheet_would_read() {
        let check = |text: &str, expected: Option<&str>| {
            assert_eq!(Color::parse(text).ok().map(|color| color.to_string()).as_deref(), expected, "{text}");
        };
        check("#3550cb", Some("#3550cb"));
        check("#FFaa00", Some("#ffaa00"));
        for wrong in
            ["", "#", "3550cb", "#fff", "#3550cbff", "#3550c", "#+550cb", "#3550c;", "red", "#35 0cb", "#３550cb"]
        {
            check(wrong, None);
        }
    }

    #[test]
    fn contrast_is_what_wcag_says() {
        let check = |one: &str, other: &str, expected: &str| {
            for (one, other) in [(one, other), (other, one)] {
                assert_eq!(format!("{:.2}", color(one).contrast(color(other))), expected, "{one} {other}");
            }
        };
        check("#000000", "#ffffff", "21.00");
        check("#777777", "#ffffff", "4.48");
        check("#3550cb", "#3550cb", "1.00");
    }

    #[test]
    fn every_colour_has_a_shade_that_can_be_read() {
        let (white, black) = (color("#ffffff"), color("#000000"));
        let grounds = [color("#f1f3f6"), white];
        assert_eq!(color("#3550cb").readable_on(&grounds, black), color("#3550cb"), "what can be read stays as it is");
        for red in (0..=255).step_by(51) {
            for green in (0..=255).step_by(51) {
                for blue in (0..=255).step_by(51) {
                    let own = Color::new(red, green, blue);
                    let shade = own.readable_on(&grounds, black);
                    assert!(grounds.iter().all(|ground| shade.contrast(*ground) >= 4.5), "{own} {shade}");
                    let shade = own.readable_on(&[color("#1d2129")], white);
                    assert!(shade.contrast(color("#1d2129")) >= 4.5, "{own} {shade}");
                }
            }
        }
    }

    #[test]
    fn what_is_absent_stays_and_null_clears() {
        let look = |name, color| {
            let mut errors = FieldErrors::default();
            let set = PortalLook { name: Name::parse("Billing").ok(), color: Color::parse("#112233").ok() };
            let look = set.changed(name, color, &mut errors);
            let name = look.name.map(|name| name.to_string()).unwrap_or_default();
            let color = look.color.map(|color| color.to_string()).unwrap_or_default();
            (format!("{name} {color}"), crate::fixtures::said(&errors.finish()))
        };
        let check =
            |told: (String, String), look: &str, said: &str| assert_eq!(told, (look.to_owned(), said.to_owned()));
        check(look(None, None), "Billing #112233", "ok");
        check(look(Some(Some("Ledger")), Some(Some("#AABBCC"))), "Ledger #aabbcc", "ok");
        check(look(Some(None), Some(None)), " ", "ok");
        check(look(Some(Some("")), Some(Some("red"))), " ", "/portal_name invalid_name, /portal_color invalid_color");
    }
}
