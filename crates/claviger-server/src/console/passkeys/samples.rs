//! The pages of this room from sample data, for the test of every template.

use askama::Template as _;
use jiff::Timestamp;

use super::{
    Ask, ListedPasskey,
    new::NewPasskeyPage,
    one::{PasskeyPage, RemovePasskeyPage},
};
use crate::console::{language::Language, moment::Moment, page::Frame};

/// What a page asks a browser for, if anything.
pub(in crate::console) fn ask(many: usize, text: &str) -> Option<Ask> {
    let wrong = (many > 0).then_some("passkey-refused");
    Some(Ask { options: format!("{{\"name\":\"{text}\"}}"), challenge: text.to_owned(), wrong })
}

/// Somebody's passkeys: none where there can be none.
pub(in crate::console) fn listed(many: usize, language: Language, text: &str) -> Option<Vec<ListedPasskey>> {
    let now = Timestamp::from_second(1_800_000_000).unwrap();
    let moment = || Moment::new(language, now, now);
    let one = |index: usize| ListedPasskey {
        path: "/account/security/passkeys/passkey_x".to_owned(),
        name: text.to_owned(),
        made: moment(),
        used: (index > 0).then(moment),
        synced: index > 0,
    };
    many.checked_sub(1).map(|many| (0..2 * many).map(one).collect())
}

pub(in crate::console) fn pages(
    language: Language,
    text: &str,
    add: &mut dyn FnMut(&'static str, Result<String, askama::Error>),
) {
    let frame = || Frame::sample_inside(language, text);
    let own = || text.to_owned();
    let path = || "/account/security/passkeys/passkey_x".to_owned();
    for ask in [ask(0, text), ask(1, text), None] {
        add("new passkey", NewPasskeyPage { frame: frame(), name: own(), ask }.render());
    }
    for wrong in [None, Some("passkey-renamed-meanwhile")] {
        let page = PasskeyPage { frame: frame(), path: path(), name: own(), typed: own(), wrong };
        add("passkey", page.render());
    }
    for last_way in [false, true] {
        let page = RemovePasskeyPage { frame: frame(), path: path(), name: own(), last_way };
        add("remove passkey", page.render());
    }
}
