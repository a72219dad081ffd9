//! The page that explains, with so many of each thing, for the test that renders all templates.

use jiff::Timestamp;

use super::{
    ExplainPage,
    told::{Tested, Told, Traced, What},
    typed::Typed,
};
use crate::console::{language::Language, moment::Moment, page::Frame};

/// Renders the page in each of its shapes.
pub(crate) fn pages(
    many: usize,
    language: Language,
    text: &str,
    add: &mut dyn FnMut(&'static str, Result<String, askama::Error>),
) {
    use askama::Template as _;
    let own = || text.to_owned();
    let path = || "/organizations/acme/explain".to_owned();
    let some = || (many > 0).then(own);
    let now = Timestamp::from_second(1_800_000_000).unwrap();
    let what = || What {
        kind: own(),
        name: own(),
        id: own(),
        path: (many > 1).then(path),
        owner: own(),
        owner_id: own(),
        ends: (many > 1).then(|| Moment::new(language, now, now)),
        token: (many > 0).then(|| (own(), (many > 1).then(own))),
    };
    let tested =
        || Tested { code: "revoked", words: own(), outcome: own(), class: "bad", facts: vec![(own(), own()); many] };
    let traced = || Traced {
        name: own(),
        is_held: many > 1,
        lost: some(),
        declared_by: some(),
        given_by: (many > 0).then(|| vec![own(); many - 1]),
    };
    let told = || Told {
        is_valid: many > 1,
        verdict: own(),
        code: "revoked",
        advice: some(),
        links: vec![(path(), own()); many],
        what: (many > 0).then(what),
        steps: (0..many).map(|_| tested()).collect(),
        permissions: (0..many).map(|_| traced()).collect(),
        by_id: many > 1,
    };
    for asked in [false, true] {
        let fields = ["credential", "permissions", "objects", "address"];
        let page = ExplainPage {
            frame: Frame::sample_inside(language, text),
            path: path(),
            typed: if asked { Typed::sample(text) } else { Typed::default() },
            wrong: if asked {
                Vec::new()
            } else {
                fields.into_iter().take(many * 2).map(|field| (field, own())).collect()
            },
            apis: vec![own(); many],
            told: asked.then(told),
        };
        add("explain", page.render());
    }
}
