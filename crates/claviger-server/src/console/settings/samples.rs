//! The pages of this room as the templates' test renders them.

use askama::Template as _;
use jiff::Timestamp;

use super::{
    SettingsPage,
    facts::{Fact, Value},
    keys::{Algorithm, RotatePage, Shown},
};
use crate::console::{credential::shown::Badge, language::Language, moment::Moment, page::Frame};

/// Each page with so many of each thing, and `text` wherever something comes from elsewhere.
pub(in crate::console) fn samples(
    many: usize,
    language: Language,
    text: &str,
    add: &mut dyn FnMut(&'static str, Result<String, askama::Error>),
) {
    let frame = || Frame::sample_inside(language, text);
    let own = || text.to_owned();
    let now = Timestamp::from_second(1_800_000_000).unwrap();
    let moment = || Moment::new(language, now, now);
    let key = || Shown {
        id: own(),
        badge: Badge { words: own(), class: "good" },
        times: (0..many).map(|_| ("key-signs-at", moment())).collect(),
    };
    let algorithm = || Algorithm { name: "ES256", keys: vec![key()], next: (many > 1).then(moment) };
    let values = [Value::Text(own()), Value::List(vec![own(); many]), Value::Set(many > 0)];
    let page = SettingsPage {
        frame: frame(),
        algorithms: (0..many.min(1)).map(|_| algorithm()).collect(),
        rotates: many > 0,
        days: 90,
        published_at: own(),
        brand: own(),
        former: vec![own(); many],
        register_at: own(),
        most_registered: 100,
        facts: values.into_iter().map(|value| Fact { words: "fact-version", value }).collect(),
    };
    add("settings", page.render());
    for emergency in [false, true] {
        let page = RotatePage {
            frame: frame(),
            path: "/settings/signing-keys/rotate",
            once: own(),
            emergency,
            algorithms: vec!["ES256"; many],
            wrong: (many > 1).then(own),
        };
        add("rotate", page.render());
    }
}
