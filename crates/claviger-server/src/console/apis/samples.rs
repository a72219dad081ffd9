//! The pages of APIs with sample data, for the tests of every template.

use askama::Template;

use super::{
    detail::{ApiPage, Declared, Rule},
    list::{ApisPage, Row},
};
use crate::console::{language::Language, page::Frame, pages::Pages};

/// Each in one shape, with so many of each thing, and `text` wherever something comes from elsewhere.
pub(crate) fn pages(
    many: usize,
    language: Language,
    text: &str,
    add: &mut dyn FnMut(&'static str, Result<String, askama::Error>),
) {
    let frame = || Frame::sample_inside(language, text);
    let own = || text.to_owned();
    let path = || "/apis/api_x".to_owned();
    let ways = Pages { next: (many > 1).then(path), first: (many == 0).then(path), ..Pages::default() };
    let row = || Row {
        path: path(),
        name: own(),
        identifier: own(),
        builtin: many > 1,
        permissions: many,
        routes: many,
        life: own(),
    };
    let rows = (0..many).map(|_| row()).collect();
    let q = if many > 1 { own() } else { String::new() };
    add("apis", ApisPage { frame: frame(), q, rows, pages: ways, makes: many > 0 }.render());
    let rule = |index: usize| Rule {
        methods: own(),
        path: own(),
        permissions: vec![own(); index],
        object: (index > 0).then(own),
        filters: index == 0,
    };
    let shown = ApiPage {
        frame: frame(),
        list: "/apis",
        path: path(),
        name: own(),
        id: own(),
        identifier: own(),
        builtin: many == 0,
        format: own(),
        life: own(),
        algorithm: (many > 0).then_some("ES256"),
        origins: vec![own(); many],
        accepts: vec![own(); many],
        servers: vec![(own(), own()); many],
        permissions: (0..many).map(|_| Declared { name: own(), what: own() }).collect(),
        rules: (0..many).map(rule).collect(),
        changes: many > 0,
        example: own(),
        how_to_ask: (many > 0).then(path),
    };
    add("api", shown.render());
}
