//! The page of the rules with sample data, for the tests of every template.

use askama::Template;

use super::detail::{PolicyPage, Rule};
use crate::console::{language::Language, page::Frame};

/// In one shape, with so many rules, and `text` wherever something comes from elsewhere.
pub(crate) fn pages(
    many: usize,
    language: Language,
    text: &str,
    add: &mut dyn FnMut(&'static str, Result<String, askama::Error>),
) {
    let own = || text.to_owned();
    let rules = (0..many).map(|_| Rule { label: own(), value: own(), what: own() }).collect();
    let (frame, path) = (Frame::sample_inside(language, text), "/organizations/acme/policy".to_owned());
    add("policy", PolicyPage { frame, path, rules, changes: many > 0 }.render());
}
