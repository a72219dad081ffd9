//! Distinguished names: whom a certificate is about, as text (RFC 4514) and as it stands there, and whether two are the same by
//! the rules of directories (RFC 4517, RFC 4518): neither letters' case nor the number of spaces counts, nor the order within a part.
//!
//! The room must not know who asks, nor who vouches for the certificate.

use std::fmt;

use unicode_normalization::UnicodeNormalization as _;
use x509_parser::{
    der_parser::asn1_rs::{Any, Class, Tag},
    prelude::FromDer as _,
    x509::X509Name,
};

/// Longer ones are nobody's.
const LONGEST: usize = 1000;

/// The short names of RFC 4514, section 3, and those that certificates have besides.
const TYPES: [(&str, &str); 15] = [
    ("CN", "2.5.4.3"),
    ("L", "2.5.4.7"),
    ("ST", "2.5.4.8"),
    ("O", "2.5.4.10"),
    ("OU", "2.5.4.11"),
    ("C", "2.5.4.6"),
    ("STREET", "2.5.4.9"),
    ("DC", "0.9.2342.19200300.100.1.25"),
    ("UID", "0.9.2342.19200300.100.1.1"),
    ("SN", "2.5.4.4"),
    ("GN", "2.5.4.42"),
    ("SERIALNUMBER", "2.5.4.5"),
    ("TITLE", "2.5.4.12"),
    ("DNQUALIFIER", "2.5.4.46"),
    ("EMAILADDRESS", "1.2.840.113549.1.9.1"),
];

/// A distinguished name, ready to be compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DistinguishedName(Vec<Part>);

/// A relative distinguished name: most have one attribute. Sorted, for they have no order.
type Part = Vec<Attribute>;

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Attribute {
    /// A dotted object identifier.
    of_type: String,
    value: Value,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Value {
    /// As it is compared.
    Text(String),
    /// What is no text, tag and length included.
    Other(Vec<u8>),
}

/// Why a text is no distinguished name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum DnError {
    /// Empty or without measure.
    #[error("1 to {LONGEST} bytes, as CN=billing,O=Acme (RFC 4514)")]
    Length,
    /// It has no `=` where one must be.
    #[error("each part is TYPE=value, as CN=billing; a comma in a value is written \\,")]
    NoValue,
    /// A name of an attribute that nobody knows.
    #[error("{0} is no attribute that is known; write its object identifier, as 2.5.4.3=billing")]
    UnknownType(String),
    /// Something stands there as it may not.
    #[error("`{0}` is written \\{0} in a value (RFC 4514, section 2.4)")]
    Unescaped(char),
    /// A backslash before what needs none.
    #[error("after a backslash comes a special character, or two hexadecimal digits")]
    Escape,
    /// After `#` there must be something else.
    #[error("after # comes a value in DER, as hexadecimal digits")]
    Hexadecimal,
    /// Nothing at all.
    #[error("a part has no value")]
    EmptyValue,
}

impl DistinguishedName {
    /// From text, the most particular part first (RFC 4514, section 3). Spaces around parts, as OpenSSL writes them, do not count. What comes of
    /// it is no longer than that, and reads back.
    pub(crate) fn parse(text: &str) -> Result<Self, DnError> {
        let name = Self::read(text)?;
        let shown = name.to_string();
        match shown.len() <= LONGEST && Self::read(&shown).as_ref() == Ok(&name) {
            true => Ok(name),
            false => Err(DnError::Length),
        }
    }

    fn read(text: &str) -> Result<Self, DnError> {
        if text.is_empty() || text.len() > LONGEST {
            return Err(DnError::Length);
        }
        let (mut parts, mut part, mut rest) = (Vec::new(), Part::new(), text);
        loop {
            let (name, value) = rest.split_once('=').ok_or(DnError::NoValue)?;
            let of_type = of_type(name.trim())?;
            let (value, end, after) = value_of(value)?;
            part.push(Attribute { of_type, value });
            match end {
                Some('+') => {}
                Some(_) => parts.push(sorted(std::mem::take(&mut part))),
                None => break,
            }
            rest = after;
        }
        parts.push(sorted(part));
        parts.reverse();
        Ok(Self(parts))
    }

    /// From a certificate; `None` if a value cannot be read.
    pub(crate) fn of(name: &X509Name<'_>) -> Option<Self> {
        let mut parts = Vec::new();
        for part in name.iter_rdn() {
            let attributes = part.iter().map(|attribute| {
                let of_type = attribute.attr_type().to_id_string();
                Some(Attribute { of_type, value: Value::read(attribute.attr_value())? })
            });
            parts.push(sorted(attributes.collect::<Option<Part>>()?));
        }
        Some(Self(parts))
    }

    /// Whether it names nobody.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for DistinguishedName {
    /// As RFC 4514 has it, in the form in which it is compared.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, part) in self.0.iter().rev().enumerate() {
            for (place, attribute) in part.iter().enumerate() {
                f.write_str(match (index, place) {
                    (0, 0) => "",
                    (_, 0) => ",",
                    _ => "+",
                })?;
                let short = TYPES.iter().find(|(_, oid)| *oid == attribute.of_type).map(|(short, _)| *short);
                write!(f, "{}=", short.unwrap_or(&attribute.of_type))?;
                match &attribute.value {
                    Value::Text(text) => {
                        for (at, character) in text.chars().enumerate() {
                            if matches!(character, '"' | '+' | ',' | ';' | '<' | '>' | '\\')
                                || at == 0 && character == '#'
                            {
                                f.write_str("\\")?;
                            }
                            write!(f, "{character}")?;
                        }
                    }
                    Value::Other(der) => {
                        f.write_str("#")?;
                        der.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
                    }
                }
            }
        }
        Ok(())
    }
}

impl Value {
    /// A text is one whatever its type: directories compare all of them alike.
    fn read(value: &Any<'_>) -> Option<Self> {
        if value.class() != Class::Universal || value.header.is_constructed() {
            return None;
        }
        let text = match value.tag() {
            Tag::Utf8String | Tag::PrintableString | Tag::Ia5String | Tag::NumericString | Tag::VisibleString => {
                String::from_utf8(value.data.to_vec()).ok()?
            }
            // What its other characters mean depends on who wrote it.
            Tag::TeletexString if value.data.is_ascii() => String::from_utf8(value.data.to_vec()).ok()?,
            Tag::BmpString => {
                let units = value.data.chunks(2).map(|pair| Some(u16::from_be_bytes(pair.try_into().ok()?)));
                String::from_utf16(&units.collect::<Option<Vec<_>>>()?).ok()?
            }
            tag => {
                let length = u8::try_from(value.data.len()).ok().filter(|length| *length < 0x80)?;
                let mut der = vec![u8::try_from(tag.0).ok()?, length];
                der.extend_from_slice(value.data);
                return Some(Self::Other(der));
            }
        };
        Self::text(&text)
    }

    /// As RFC 4518 prepares it: what is mapped to nothing falls away, and letters have no case. Controls have no place in a name.
    fn text(text: &str) -> Option<Self> {
        if text.chars().any(char::is_control) {
            return None;
        }
        let seen = text.chars().filter(|character| !is_nothing(*character)).nfkc();
        // Twice, so that ß is ss; one by one, so that a letter's place does not matter.
        let folded: String = seen.flat_map(char::to_uppercase).flat_map(char::to_lowercase).collect();
        let words: Vec<&str> = folded.split_whitespace().collect();
        (!words.is_empty()).then(|| Self::Text(words.join(" ").nfkc().collect()))
    }
}

/// RFC 4518, section 2.2, but for controls.
fn is_nothing(character: char) -> bool {
    matches!(character, '\u{ad}' | '\u{34f}' | '\u{1806}' | '\u{180b}'..='\u{180d}' | '\u{200b}' | '\u{fe00}'..='\u{fe0f}' | '\u{fffc}')
}

fn sorted(mut part: Part) -> Part {
    part.sort();
    part
}

fn of_type(name: &str) -> Result<String, DnError> {
    if let Some((_, oid)) = TYPES.iter().find(|(short, _)| short.eq_ignore_ascii_case(name)) {
        return Ok((*oid).to_owned());
    }
    let is_number = |part: &str| {
        !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()) && (part == "0" || !part.starts_with('0'))
    };
    match name.contains('.') && name.split('.').all(is_number) {
        true => Ok(name.to_owned()),
        false => Err(DnError::UnknownType(name.chars().take(40).collect())),
    }
}

/// The value at the beginning of a text, with what ends it and what comes after.
fn value_of(text: &str) -> Result<(Value, Option<char>, &str), DnError> {
    let text = text.trim_start_matches(' ');
    let mut decoded = Vec::new();
    // What is escaped is kept, spaces included.
    let (mut kept, mut end, mut after) = (0, None, "");
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            ',' | '+' => {
                (end, after) = (Some(character), text.get(at + 1..).unwrap_or_default());
                break;
            }
            '\\' => {
                let (_, next) = characters.next().ok_or(DnError::Escape)?;
                if matches!(next, ' ' | '"' | '#' | '+' | ',' | ';' | '<' | '=' | '>' | '\\') {
                    decoded.push(next as u8);
                } else {
                    let high = next.to_digit(16).ok_or(DnError::Escape)?;
                    let low = characters.next().and_then(|(_, low)| low.to_digit(16)).ok_or(DnError::Escape)?;
                    decoded.push(u8::try_from(high * 16 + low).map_err(|_| DnError::Escape)?);
                }
                kept = decoded.len();
            }
            '"' | ';' | '<' | '>' | '\0' => return Err(DnError::Unescaped(character)),
            character => {
                decoded.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                if character != ' ' {
                    kept = decoded.len();
                }
            }
        }
    }
    decoded.truncate(kept);
    let value = match text.starts_with('#') {
        true => of_der(decoded.get(1..).unwrap_or_default())?,
        false => {
            let text = String::from_utf8(decoded).map_err(|_| DnError::Escape)?;
            Value::text(&text).ok_or(DnError::EmptyValue)?
        }
    };
    Ok((value, end, after))
}

fn of_der(digits: &[u8]) -> Result<Value, DnError> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let byte = |pair: &[u8]| match pair {
        [high, low] => Some(digit(*high)? * 16 + digit(*low)?),
        _ => None,
    };
    let der = digits.chunks(2).map(byte).collect::<Option<Vec<u8>>>().ok_or(DnError::Hexadecimal)?;
    let value = match Any::from_der(&der) {
        Ok(([], value)) => Value::read(&value),
        _ => None,
    };
    value.ok_or(DnError::Hexadecimal)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> String {
        match DistinguishedName::parse(text) {
            Ok(name) => name.to_string(),
            Err(error) => format!("{error:?}"),
        }
    }

    #[test]
    fn a_name_is_read_as_rfc_4514_has_it() {
        let check = |text: &str, expected: &str| assert_eq!(told(text), expected, "{text}");
        // Its section 4.
        check("UID=jsmith,DC=example,DC=net", "UID=jsmith,DC=example,DC=net");
        check("OU=Sales+CN=J.  Smith,DC=example,DC=net", "OU=sales+CN=j. smith,DC=example,DC=net");
        check(r#"CN=James \"Jim\" Smith\, III,DC=example,DC=net"#, r#"CN=james \"jim\" smith\, iii,DC=example,DC=net"#);
        check("1.3.6.1.4.1.1466.0=#04024869", "1.3.6.1.4.1.1466.0=#04024869");
        check(r"CN=Lu\C4\8Di\C4\87", "CN=lučić");
        // And what people write.
        check("cn = Billing , o = Acme  Inc.", "CN=billing,O=acme inc.");
        check("2.5.4.3=x", "CN=x");
        check(r"CN=\#1", r"CN=\#1");
        check(r"CN=a\=b", "CN=a=b");
        check("CN=#0c0141", "CN=a");
        check("CN=#140141", "CN=a"); // TeletexString
        check("C=US/ST=CA", "C=us/st=ca"); // one value, which is seen at once
    }

    #[test]
    fn what_is_no_name_is_told_why() {
        let check = |text: &str, expected: &str| assert_eq!(told(text), expected, "{text}");
        check("", "Length");
        check(&format!("CN={}", "a".repeat(LONGEST)), "Length");
        check("billing", "NoValue");
        check("CN=a,b", "NoValue");
        check("CN=a,", "NoValue");
        check("CN=a+", "NoValue");
        check("FOO=a", "UnknownType(\"FOO\")");
        check("=a", "UnknownType(\"\")");
        check("2.05.4=a", "UnknownType(\"2.05.4\")");
        check("2..4=a", "UnknownType(\"2..4\")");
        check("CN=a;O=b", "Unescaped(';')");
        check("CN=\"a\"", "Unescaped('\"')");
        check("CN=a\0b", "Unescaped('\\0')");
        check(r"CN=a\", "Escape");
        check(r"CN=a\x", "Escape");
        check(r"CN=a\4", "Escape");
        check(r"CN=\ff", "Escape");
        check("CN=#0", "Hexadecimal");
        check("CN=#zz", "Hexadecimal");
        check("CN=#0c0241", "Hexadecimal");
        check("CN=#0c014141", "Hexadecimal");
        check("CN=#", "Hexadecimal");
        // Of another class, or in parts, it is another value, and nobody's name.
        check("CN=#8c0161", "Hexadecimal");
        check("CN=#2c0161", "Hexadecimal");
        // What would be longer than it was said.
        check(&vec!["2.5.4.5=a"; 90].join(","), "Length");
        check(&format!("CN={}", "\u{fdfa}".repeat(300)), "Length");
        for empty in ["CN=", "CN=  ", "CN=,O=x", r"CN=\00", r"CN=a\0db", "CN=\u{7f}"] {
            check(empty, "EmptyValue");
        }
    }

    #[test]
    fn m01_names_are_compared_as_directories_do() {
        let check = |one: &str, other: &str, expected: bool| {
            let same = DistinguishedName::parse(one).unwrap() == DistinguishedName::parse(other).unwrap();
            assert_eq!(same, expected, "{one} and {other}");
        };
        check("CN=Billing,O=Acme", "cn=BILLING, o=ACME", true);
        check("CN=a  b ,O=x", "CN=A B,O=X", true);
        check(r"CN=\20a\20,O=x", "CN=a,O=x", true);
        check("OU=x+CN=y,O=z", "CN=y+OU=x,O=z", true);
        check("CN=\u{ff21}", "CN=a", true); // full width
        check("CN=Z\u{fc}rich", "CN=ZU\u{308}RICH", true);
        check("CN=a,O=b", "O=b,CN=a", false);
        check("CN=a,O=b", "CN=a", false);
        check("CN=a+O=b", "CN=a,O=b", false);
        check("CN=ab", "CN=a b", false);
        check("CN=a", "OU=a", false);
        check("CN=a", "CN=\u{430}", false); // Cyrillic
        check("CN=stra\u{df}e", "CN=STRASSE", true);
        check("CN=\u{39f}\u{3a3}", "CN=\u{3bf}\u{3c2}", true);
        check("CN=a\u{ad}\u{200b}b", "CN=ab", true);
    }

    proptest::proptest! {
        #[test]
        fn no_text_is_a_panic_and_what_is_shown_reads_the_same(text in ".{0,60}", value in "\\PC{1,20}") {
            drop(DistinguishedName::parse(&text));
            if let Ok(name) = DistinguishedName::parse(&format!("CN={value}+2.5.4.99={value}")) {
                assert_eq!(DistinguishedName::parse(&name.to_string()), Ok(name));
            }
        }
    }
}
