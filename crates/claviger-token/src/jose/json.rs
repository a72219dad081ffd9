//! JSON that says each thing once. Of two members with one name some readers take the first and some the last, so that
//! one text could mean two things (RFC 8725, section 2.4).

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{self, DeserializeOwned, DeserializeSeed, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// The most members of one object. Each is compared with those before it.
const MOST_MEMBERS: usize = 100;

/// Reads a JSON object in whose whole text no object has two members with one name, at any depth.
pub fn read_object<'de, T: Deserialize<'de>>(text: &'de [u8]) -> Result<T, serde_json::Error> {
    let text = object(text)?;
    let mut walk = serde_json::Deserializer::from_str(text);
    Once.deserialize(&mut walk)?;
    serde_json::from_str(text)
}

/// What knows all its members, at any depth, so that reading it refuses by itself what is said twice.
pub trait Closed: DeserializeOwned {}

/// The same as [`read_object`], in one walk.
pub(super) fn read_closed<T: Closed>(text: &[u8]) -> Result<T, serde_json::Error> {
    serde_json::from_str(object(text)?)
}

/// Serde would take a list for a structure, member by member in order; nobody means that. Of structures inside of it see [`Named`].
/// As text, so that no string of it is tested once more.
fn object(text: &[u8]) -> Result<&str, serde_json::Error> {
    let text = str::from_utf8(text).map_err(de::Error::custom)?;
    let is_object = text.trim_ascii_start().starts_with('{');
    if is_object { Ok(text) } else { Err(de::Error::custom("a JSON object is wanted")) }
}

/// What is there must be of its type: `null` is not "absent".
pub(crate) fn given<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// A structure whose members are named, as an object: a list is none.
pub struct Named<T>(pub T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Named<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        named(deserializer).map(Self)
    }
}

/// The same of a member.
pub(crate) fn named<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    struct Members<T>(PhantomData<T>);

    impl<'de, T: Deserialize<'de>> Visitor<'de> for Members<T> {
        type Value = T;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a JSON object")
        }

        fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<T, A::Error> {
            T::deserialize(MapAccessDeserializer::new(members))
        }
    }

    deserializer.deserialize_map(Members(PhantomData))
}

/// The same of a member that may be absent, and is not `null`.
pub(crate) fn given_named<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    named(deserializer).map(Some)
}

/// Walks over a value and keeps nothing of it.
struct Once;

impl<'de> DeserializeSeed<'de> for Once {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Once {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while items.next_element_seed(Once)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let mut seen: Vec<Cow<'de, str>> = Vec::new();
        while let Some(Text(name)) = members.next_key()? {
            if seen.contains(&name) {
                return Err(de::Error::custom("two members have the same name"));
            }
            if seen.len() == MOST_MEMBERS {
                return Err(de::Error::custom("an object has too many members"));
            }
            seen.push(name);
            members.next_value_seed(Once)?;
        }
        Ok(())
    }
}

/// A text, without a copy where it stands in the JSON as it is.
pub(super) struct Text<'a>(pub(super) Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Borrowing;

        impl<'de> Visitor<'de> for Borrowing {
            type Value = Cow<'de, str>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Cow<'de, str>, E> {
                Ok(Cow::Borrowed(text))
            }

            fn visit_str<E>(self, text: &str) -> Result<Cow<'de, str>, E> {
                Ok(Cow::Owned(text.to_owned()))
            }
        }

        deserializer.deserialize_str(Borrowing).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn what_says_something_twice_is_refused_at_any_depth() {
        let check = |text: &[u8], sound: bool| {
            assert_eq!(read_object::<Value>(text).is_ok(), sound, "{}", String::from_utf8_lossy(text));
        };
        check(br#"{"a":1,"b":[{"a":null},{"a":true}],"c":"x"}"#, true);
        check(br#" {"a":-1.5e3} "#, true);
        check(br#"{"a":1,"a":1}"#, false);
        check(br#"{"a":1,"\u0061":2}"#, false);
        check(br#"{"b":[{"c":{"a":1,"a":2}}]}"#, false);
        check(br#"{"a":1}{"a":1}"#, false);
        check(br#"{"a":1} x"#, false);
        check(br#"{"a":1e999}"#, false);
        check(b"\xef\xbb\xbf{}", false);
        check(b"{\"a\":\"\xff\"}", false);
        check(b"", false);
        check(b"[1]", false);
        check(b"null", false);
        check(&[b"{\"a\":".as_slice(), &b"[".repeat(1000)].concat(), false);
        let many = |count: usize| {
            let members: Vec<String> = (0..count).map(|number| format!("\"m{number}\":0")).collect();
            format!("{{{}}}", members.join(","))
        };
        check(many(MOST_MEMBERS).as_bytes(), true);
        check(many(MOST_MEMBERS + 1).as_bytes(), false);
    }
}
