//! The pages and boxes of use with hostile names, for the test that renders every template.

use askama::Template as _;
use jiff::Timestamp;

use super::{
    Boxes, Keys,
    busiest::Busy,
    chart::Chart,
    refusals::Refused,
    unused::{Unused, UnusedPage},
    window::Window,
};
use crate::console::{language::Language, moment::Moment, page::Frame, pages::Pages};

/// The boxes of an overview, with so many of each thing and `text` wherever something comes from elsewhere.
pub(crate) fn boxes(many: usize, language: Language, text: &str) -> Option<Boxes> {
    let busy = || busy(many, language, text);
    let refused = || Refused {
        code: text.to_owned(),
        means: text.to_owned(),
        uses: 1,
        path: (many > 1).then(|| "/organizations/acme/api-keys?state=expired".to_owned()),
    };
    (many > 0).then(|| Boxes {
        windows: Window::Week.links("/organizations/acme", &Frame::sample_inside(language, text)),
        chart: (many > 1).then(|| Chart::sample(true)),
        refusals: (1..many).map(|_| refused()).collect(),
        busiest: (1..many).map(|_| busy()).collect(),
        keys: Some(Keys {
            newest: (1..many).map(|_| busy()).collect(),
            unused: (1..many).map(|_| unused(many, language, text)).collect(),
            unused_path: "/organizations/acme/unused-permissions".to_owned(),
        }),
    })
}

/// The page of its own.
pub(crate) fn pages(
    many: usize,
    language: Language,
    text: &str,
    add: &mut dyn FnMut(&'static str, Result<String, askama::Error>),
) {
    for next in [None, Some("/organizations/acme/unused-permissions?after=key_1".to_owned())] {
        let page = UnusedPage {
            frame: Frame::sample_inside(language, text),
            overview: "/organizations/acme".to_owned(),
            keys_path: "/organizations/acme/api-keys".to_owned(),
            rows: (0..many).map(|_| unused(many, language, text)).collect(),
            pages: Pages { first: next.clone(), next, ..Pages::default() },
        };
        add("unused permissions", page.render());
    }
}

fn busy(many: usize, language: Language, text: &str) -> Busy {
    let now = Timestamp::from_second(1_800_000_000).unwrap();
    Busy {
        path: (many > 1).then(|| "/organizations/acme/api-keys/key_1".to_owned()),
        name: text.to_owned(),
        owner: text.to_owned(),
        kind: "kind-api-key",
        made: Moment::new(language, now, now),
        uses: 7,
    }
}

fn unused(many: usize, language: Language, text: &str) -> Unused {
    let now = Timestamp::from_second(1_800_000_000).unwrap();
    let path = "/organizations/acme/api-keys/key_1".to_owned();
    Unused {
        edit: (many > 1).then(|| format!("{path}/edit")),
        path,
        name: text.to_owned(),
        owner: text.to_owned(),
        permissions: vec![text.to_owned(); many],
        more: many.saturating_sub(1),
        follows: many > 1,
        since: (many > 1).then(|| Moment::new(language, now, now)),
    }
}
