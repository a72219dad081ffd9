//! The pages of the trail, with so many of each thing, for the test that renders all templates.

use jiff::Timestamp;

use super::{
    chain::{ChainPage, Outcome, Status},
    event::{EventPage, Linked},
    list::{AuditPage, Row},
    told::{Change, Named, Piece},
    wanted::Wanted,
};
use crate::console::{language::Language, moment::Moment, page::Frame, pages::Pages};

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
    let path = || "/organizations/acme/audit".to_owned();
    let now = Timestamp::from_second(1_800_000_000).unwrap();
    let moment = || Moment::new(language, now, now);
    let some = || (many > 0).then(own);
    let named = || Named { name: some(), id: own(), path: (many > 1).then(path) };
    let row = || Row {
        path: path(),
        noun: own(),
        change: own(),
        action: own(),
        target: named(),
        actor: named(),
        from: (many > 1).then(own),
        when: Some(moment()),
        is_new: many > 1,
        organization: own(),
    };
    let status = || Status { text: own(), when: Some(moment()), is_whole: many > 1 };
    for filtered in [false, true] {
        let wanted = Wanted { actor: own(), target: own(), credential: own(), chain: own(), ..Wanted::default() };
        let page = AuditPage {
            frame: frame(),
            path: path(),
            wanted: if filtered { wanted } else { Wanted::default() },
            rows: (0..many).map(|_| row()).collect(),
            wrong: if filtered { vec![("actor", own()), ("to", own())] } else { Vec::new() },
            whom: vec![(own(), path()); many],
            chosen: vec![("actor", own()), ("target", own()), ("credential", own())],
            pages: Pages::sample(many > 1, filtered),
            newer: path(),
            stop: filtered.then(path),
            exports: [path(), path()],
            status: (many > 0).then(status),
            everywhere: filtered,
        };
        add("audit", page.render());
    }
    let piece = || Piece { text: own(), alone: many > 1 };
    let pieces = || (1..many).map(|_| piece()).collect();
    let change = || Change { member: own(), before: pieces(), after: vec![piece()], differs: many > 1 };
    let changes = || (0..many).map(|_| change()).collect();
    let linked = || Linked { named: named(), all: path() };
    let page = EventPage {
        frame: frame(),
        list: path(),
        noun: own(),
        change: own(),
        action: own(),
        id: own(),
        when: (many > 0).then(|| (moment(), own())),
        actor: linked(),
        credential: (many > 0).then(linked),
        target: linked(),
        address: some(),
        request: some(),
        place: (own(), own()),
        changes: changes(),
        personal: changes(),
        facts: vec![(own(), vec![own(); many]); many],
        record: own(),
    };
    add("audit event", page.render());
    for outcome in [Outcome::None, Outcome::Goes, Outcome::Whole, Outcome::Rest, Outcome::Broken(7, own())] {
        let page = ChainPage {
            frame: frame(),
            list: path(),
            whose: own(),
            status: (many > 0).then(status),
            head: (many > 0).then(|| (7, own())),
            proved: 5,
            outcome,
        };
        add("audit chain", page.render());
    }
}
