//! Topics of MQTT, and which objects they are about: names and filters (MQTT 5.0, section 4.7), what an operator's configuration says of
//! them, and nothing of brokers or credentials.
//!
//! What two readers could take for two different topics, or for an object that nobody meant, is refused.

use std::str::FromStr;

use claviger_token::{Object, ObjectError, ObjectPattern};

/// As much as MQTT has place for.
const LONGEST: usize = 65_535;

/// More than any broker that is known lets a topic have.
const MOST_LEVELS: usize = 128;

/// A topic in its levels: the name that a message has, or the filter of a subscription, which may have wildcards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topic<'a>(Vec<&'a str>);

/// Why a topic is not one to ask about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TopicError {
    /// Nothing, or more than MQTT can carry.
    #[error("a topic has 1 to {LONGEST} bytes and at most {MOST_LEVELS} levels")]
    Length,
    /// Control characters, among them NUL, which MQTT forbids.
    #[error("a topic has no control characters")]
    Control,
    /// `$SYS` and the rest of what a broker means by itself.
    #[error("topics that begin with `$` are the broker's own")]
    OfTheBroker,
    /// `$share` without a name of its group, or without a filter.
    #[error("a shared subscription is written `$share/group/filter`")]
    Share,
    /// A wildcard in the name of a message.
    #[error("a message has a topic without `+` and `#`")]
    WildcardInName,
    /// A wildcard beside other characters, or a `#` before the end.
    #[error("`+` stands alone in a level, and `#` alone in the last")]
    Wildcard,
    /// The topic is too short for the object that is asked for.
    #[error("this topic has no level {0}, which names the object")]
    NoLevel(usize),
    /// What stands in the levels names no object.
    #[error("this topic names no object: {0}")]
    Object(#[from] ObjectError),
}

impl<'a> Topic<'a> {
    /// Of a message.
    pub fn name(text: &'a str) -> Result<Self, TopicError> {
        let topic = Self::read(text)?;
        if text.contains(['+', '#']) { Err(TopicError::WildcardInName) } else { Ok(topic) }
    }

    /// Of a subscription. A shared one (MQTT 5.0, section 4.8.2) gets what its filter gets.
    pub fn filter(text: &'a str) -> Result<Self, TopicError> {
        let text = match text.strip_prefix("$share/") {
            None => text,
            Some(shared) => {
                let (group, filter) = shared.split_once('/').ok_or(TopicError::Share)?;
                if group.is_empty() || group.contains(['+', '#']) || filter.is_empty() {
                    return Err(TopicError::Share);
                }
                filter
            }
        };
        let topic = Self::read(text)?;
        let last = topic.0.len() - 1;
        let is_sound = |(place, level): (usize, &&str)| match *level {
            "+" => true,
            "#" => place == last,
            level => !level.contains(['+', '#']),
        };
        if topic.0.iter().enumerate().all(is_sound) { Ok(topic) } else { Err(TopicError::Wildcard) }
    }

    fn read(text: &'a str) -> Result<Self, TopicError> {
        if text.is_empty() || text.len() > LONGEST || text.matches('/').count() >= MOST_LEVELS {
            return Err(TopicError::Length);
        }
        if text.contains(char::is_control) {
            return Err(TopicError::Control);
        }
        if text.starts_with('$') {
            return Err(TopicError::OfTheBroker);
        }
        Ok(Self(text.split('/').collect()))
    }

    /// Whether every message that this stands for is one that `filter` stands for.
    pub fn is_within(&self, filter: &Self) -> bool {
        for (place, allowed) in filter.0.iter().enumerate() {
            // It stands for any number of levels, none included.
            if *allowed == "#" {
                return true;
            }
            match self.0.get(place) {
                None | Some(&"#") => return false,
                Some(_) if *allowed == "+" => {}
                Some(level) if level == allowed => {}
                Some(_) => return false,
            }
        }
        self.0.len() == filter.0.len()
    }

    /// What stands in a level, which is counted from 1.
    fn level(&self, number: usize) -> Result<Level<'a>, TopicError> {
        let rest = self.0.last().is_some_and(|last| *last == "#");
        match self.0.get(number - 1) {
            Some(&("+" | "#")) => Ok(Level::Any),
            Some(level) => Ok(Level::Text(level)),
            None if rest => Ok(Level::Any),
            None => Err(TopicError::NoLevel(number)),
        }
    }
}

enum Level<'a> {
    Text(&'a str),
    Any,
}

/// Which object a topic is about: `device:{2}` is about what its second level says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectTemplate {
    /// Texts, and after each but the last the number of a level.
    pieces: Vec<(String, Option<usize>)>,
}

/// Why a text is no template of objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// Braces without a number.
    #[error("a level stands in the template as its number in braces, from {{1}} to {{{MOST_LEVELS}}}")]
    Level,
    /// A level that could flow into what stands beside it.
    #[error("a level stands alone between `:` or `/` and `/` or the end, as in device:{{2}} or site:{{1}}/{{2}}")]
    Beside,
    /// Without levels it is no object.
    #[error("the template is no object: {0}")]
    Object(#[from] ObjectError),
}

/// What a topic is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum About {
    /// One object.
    One(Object),
    /// Whatever a wildcard stands for.
    All(ObjectPattern),
}

impl FromStr for ObjectTemplate {
    type Err = TemplateError;

    fn from_str(text: &str) -> Result<Self, TemplateError> {
        let (mut pieces, mut rest) = (Vec::new(), text);
        while let Some((before, after)) = rest.split_once('{') {
            let (number, after) = after.split_once('}').ok_or(TemplateError::Level)?;
            let digits = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
            let number = number.parse().ok().filter(|number| digits && (1..=MOST_LEVELS).contains(number));
            let number = number.ok_or(TemplateError::Level)?;
            if !before.ends_with([':', '/']) || !(after.is_empty() || after.starts_with('/')) {
                return Err(TemplateError::Beside);
            }
            pieces.push((before.to_owned(), Some(number)));
            rest = after;
        }
        if rest.contains('}') {
            return Err(TemplateError::Level);
        }
        pieces.push((rest.to_owned(), None));
        let template = Self { pieces };
        // With some level in each place, it must be an object.
        template.filled(|_| Ok::<_, TemplateError>(Level::Text("x")))?;
        Ok(template)
    }
}

impl ObjectTemplate {
    /// What a topic is about. A wildcard in a level that the template names is about everything that could stand there, and so is
    /// whatever follows it.
    pub fn about(&self, topic: &Topic<'_>) -> Result<About, TopicError> {
        self.filled(|number| topic.level(number))
    }

    fn filled<'a, E: From<ObjectError>>(&self, level: impl Fn(usize) -> Result<Level<'a>, E>) -> Result<About, E> {
        let mut text = String::new();
        for (before, number) in &self.pieces {
            text.push_str(before);
            match number.map(&level).transpose()? {
                Some(Level::Text(level)) => text.push_str(level),
                Some(Level::Any) => {
                    text.push('*');
                    return Ok(About::All(text.parse()?));
                }
                None => {}
            }
        }
        Ok(About::One(text.parse()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_of_a_message_has_no_wildcards_and_is_not_the_brokers() {
        let check = |text: &str, expected: Result<usize, TopicError>| {
            assert_eq!(Topic::name(text).map(|topic| topic.0.len()), expected, "{text:?}");
        };
        check("devices/42/up", Ok(3));
        check("/devices//up", Ok(4));
        check("caf\u{e9}", Ok(1));
        check("", Err(TopicError::Length));
        check(&"a".repeat(LONGEST + 1), Err(TopicError::Length));
        check(&"/".repeat(MOST_LEVELS - 1), Ok(MOST_LEVELS));
        check(&"/".repeat(MOST_LEVELS), Err(TopicError::Length));
        check("a\0b", Err(TopicError::Control));
        check("a\nb", Err(TopicError::Control));
        check("$SYS/broker/uptime", Err(TopicError::OfTheBroker));
        check("$share/g/devices/42", Err(TopicError::OfTheBroker));
        for text in ["devices/+/up", "devices/#", "a+b", "#", "a#/b"] {
            check(text, Err(TopicError::WildcardInName));
        }
    }

    #[test]
    fn a_filter_has_wildcards_that_stand_alone() {
        let check = |text: &str, expected: Result<&[&str], TopicError>| {
            assert_eq!(Topic::filter(text).map(|topic| topic.0), expected.map(<[&str]>::to_vec), "{text:?}");
        };
        check("devices/+/up", Ok(&["devices", "+", "up"]));
        check("devices/#", Ok(&["devices", "#"]));
        check("#", Ok(&["#"]));
        check("+/+", Ok(&["+", "+"]));
        check("$share/readers/devices/42/#", Ok(&["devices", "42", "#"]));
        check("$share/readers//up", Ok(&["", "up"]));
        for text in ["devices/#/up", "a+/b", "+a", "a#", "##", "++"] {
            check(text, Err(TopicError::Wildcard));
        }
        for text in ["$share/readers", "$share//up", "$share/readers/", "$share/+/up", "$share/a#/up"] {
            check(text, Err(TopicError::Share));
        }
        for text in ["$SYS/#", "$share", "$queue/up", "$share/readers/$SYS/#", "$exclusive/up", "$share/a/$share/b/c"] {
            check(text, Err(TopicError::OfTheBroker));
        }
        check("a/\u{7f}", Err(TopicError::Control));
    }

    #[test]
    fn a_filter_lies_within_another_if_that_gets_all_of_its_messages() {
        let check = |text: &str, allowed: &str, expected: bool| {
            let (topic, allowed) = (Topic::filter(text).unwrap(), Topic::filter(allowed).unwrap());
            assert_eq!(topic.is_within(&allowed), expected, "{text} in {allowed:?}");
        };
        for (text, allowed) in [
            ("devices/42/up", "devices/+/up"),
            ("devices/42/up", "devices/#"),
            ("devices", "devices/#"),
            ("devices/#", "devices/#"),
            ("devices/+/up", "devices/+/up"),
            ("devices/+/up", "devices/+/+"),
            ("devices/42/up", "#"),
            ("$share/g/devices/42/up", "devices/#"),
        ] {
            check(text, allowed, true);
        }
        for (text, allowed) in [
            ("devices/42/down", "devices/+/up"),
            ("devices/+/up", "devices/42/up"),
            ("devices/#", "devices/+"),
            ("devices/#", "devices/+/up"),
            ("#", "devices/#"),
            ("+/42", "devices/+"),
            ("devices/42/up/more", "devices/+/up"),
            ("devices/42", "devices/+/up"),
            ("devices", "devices/+"),
            ("devicesevil/42", "devices/#"),
        ] {
            check(text, allowed, false);
        }
    }

    #[test]
    fn a_topic_is_about_what_its_levels_say() {
        let check = |template: &str, filter: &str, expected: Result<&str, TopicError>| {
            let template: ObjectTemplate = template.parse().unwrap();
            let about = template.about(&Topic::filter(filter).unwrap());
            let told = about.as_ref().map(|about| match about {
                About::One(object) => object.as_str(),
                About::All(pattern) => pattern.as_str(),
            });
            assert_eq!(told.map_err(|error| *error), expected, "{filter}");
        };
        check("device:{2}", "devices/42/up", Ok("device:42"));
        check("device:{2}", "devices/42/#", Ok("device:42"));
        check("device:{2}", "+/42", Ok("device:42"));
        check("site:{1}/{3}", "north/x/pump", Ok("site:north/pump"));
        check("site:north", "any/thing", Ok("site:north"));
        // A wildcard is about everything that it could stand for.
        for filter in ["devices/+/up", "devices/#", "#", "devices/+"] {
            check("device:{2}", filter, Ok("device:*"));
        }
        check("site:{1}/{3}", "north/#", Ok("site:north/*"));
        check("site:{1}/{3}", "+/x/pump", Ok("site:*"));
        check("device:{3}", "devices/42", Err(TopicError::NoLevel(3)));
        // What could be read as another object is none.
        for (filter, error) in [
            ("devices/*/up", ObjectError::Wildcard),
            ("devices//up", ObjectError::EmptySegment),
            ("devices/../up", ObjectError::ParentSegment),
            ("devices/%2e%2E/up", ObjectError::ParentSegment),
            ("devices/a%2fb/up", ObjectError::EncodedSlash),
            ("devices/a\\b/up", ObjectError::EncodedSlash),
            ("devices/4 2/up", ObjectError::Whitespace),
        ] {
            check("device:{2}", filter, Err(TopicError::Object(error)));
        }
        check("device:{2}", &format!("devices/{}", "a".repeat(600)), Err(TopicError::Object(ObjectError::TooLong)));
    }

    #[test]
    fn a_template_names_its_type_and_its_levels_stand_alone() {
        let check = |text: &str, expected: Result<(), TemplateError>| {
            assert_eq!(text.parse::<ObjectTemplate>().map(drop), expected, "{text}");
        };
        check("device:{2}", Ok(()));
        check("site:{1}/pump/{128}", Ok(()));
        for text in ["device:{}", "device:{0}", "device:{129}", "device:{+1}", "device:{id}", "device:{2", "device:2}"]
        {
            check(text, Err(TemplateError::Level));
        }
        for text in ["device:{2}{3}", "device:x{2}", "device:{2}x", "{1}:{2}", "{2}"] {
            check(text, Err(TemplateError::Beside));
        }
        check("device", Err(TemplateError::Object(ObjectError::NoType)));
        check("Device:{2}", Err(TemplateError::Object(ObjectError::Type)));
        check("device:*", Err(TemplateError::Object(ObjectError::Wildcard)));
        check("device:{2}/..", Err(TemplateError::Object(ObjectError::ParentSegment)));
    }
}
