//! The pages of an organization's tokens, with so many of each thing, for the test that renders all templates.

use claviger_core::CredentialStatus;
use jiff::Timestamp;

use super::{
    bulk::{RevokeManyPage, RevokedManyPage},
    list::{InventoryPage, Waiting},
    wanted::Wanted,
};
use crate::console::{
    credential::{list::Listed, shown::Badge},
    language::Language,
    moment::Moment,
    page::Frame,
    pages::Pages,
};

/// Renders each page in each of its shapes.
pub(crate) fn pages(
    many: usize,
    language: Language,
    text: &str,
    add: &mut dyn FnMut(&'static str, Result<String, askama::Error>),
) {
    use askama::Template as _;
    let frame = || Frame::sample_inside(language, text);
    let own = || text.to_owned();
    let path = || "/organizations/acme/tokens".to_owned();
    let some = || (many > 0).then(own);
    let now = Timestamp::from_second(1_800_000_000).unwrap();
    let row = || Listed {
        path: (many > 1).then(path),
        name: own(),
        begins: own(),
        owner: own(),
        badge: Badge::of(CredentialStatus::Active, &frame()),
        is_test: false,
        rolling: many > 1,
        used: None,
        ends: None,
        made: Moment::new(language, now, now),
    };
    let rows = || (0..many).map(|_| row()).collect::<Vec<_>>();
    let wanted = || Wanted { q: own(), owner: own(), state: "idle".to_owned(), ..Wanted::default() };
    let waiting = || Waiting { path: path(), name: own(), owner: own(), since: own() };
    for filtered in [false, true] {
        let page = InventoryPage {
            frame: frame(),
            path: path(),
            wanted: if filtered { wanted() } else { Wanted::default() },
            rows: rows(),
            of: filtered.then(|| (own(), own())),
            everybody: path(),
            waiting: (0..many).map(|_| waiting()).collect(),
            more_wait: many > 1,
            wrong: (filtered && many == 0).then(own),
            whom: vec![(own(), path()); many],
            pages: Pages::sample(many > 1, filtered),
            bulk: (many > 0).then(path),
        };
        add("inventory", page.render());
        let page = RevokeManyPage {
            frame: frame(),
            list: path(),
            wanted: if filtered { wanted() } else { Wanted::default() },
            owner: some(),
            state: some(),
            matched: many * 2,
            rows: rows(),
            at: own(),
            wrong: filtered.then(own),
            reason: own(),
            leaves_out: filtered,
            more: filtered,
        };
        add("revoke many", page.render());
    }
    add(
        "revoked many",
        RevokedManyPage { frame: frame(), list: path(), revoked: many, audit: (many > 0).then(path) }.render(),
    );
}
