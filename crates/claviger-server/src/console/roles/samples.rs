//! The pages of roles with sample data, for the tests of every template.

use askama::Template;
use jiff::Timestamp;

use super::{
    detail::{Holder, RolePage},
    list::{RolesPage, Row},
};
use crate::console::{language::Language, moment::Moment, page::Frame, pages::Pages};

/// Each in one shape, with so many of each thing, and `text` wherever something comes from elsewhere.
pub(crate) fn pages(
    many: usize,
    language: Language,
    text: &str,
    add: &mut dyn FnMut(&'static str, Result<String, askama::Error>),
) {
    let frame = || Frame::sample_inside(language, text);
    let own = || text.to_owned();
    let now = Timestamp::from_second(1_800_000_000).unwrap();
    let moment = || Moment::new(language, now, now);
    let path = || "/organizations/acme/roles".to_owned();
    let ways = || Pages { next: (many > 1).then(path), first: (many == 0).then(path), ..Pages::default() };
    let row = || Row {
        path: path(),
        name: own(),
        what: own(),
        badges: vec![own(); many.saturating_sub(1)],
        permissions: many,
        made: moment(),
    };
    let rows = (0..many).map(|_| row()).collect();
    let (q, makes) = (if many > 1 { own() } else { String::new() }, many > 0);
    let list = RolesPage { frame: frame(), path: path(), q, rows, pages: ways(), makes, makes_everywhere: many > 1 };
    add("roles", list.render());
    let holder = |index: usize| Holder {
        name: own(),
        path: (index > 0).then(path),
        id: own(),
        is_account: index == 0,
        everywhere: index == 0,
        since: moment(),
    };
    let shown = RolePage {
        frame: frame(),
        list: path(),
        path: path(),
        name: own(),
        id: own(),
        what: own(),
        badges: vec![own(); many],
        builtin: many == 0,
        permissions: vec![(own(), own()); many],
        holders: (many != 1).then(|| (0..many).map(holder).collect()),
        pages: ways(),
        changes: many > 0,
    };
    add("role", shown.render());
}
