//! The portal's pages from sample data: those of a token as they are there, and those that lead back.

use askama::Template as _;
use claviger_core::{Color, PortalOrigins};
use claviger_token::Secret;

use super::{Framing, OverPage};
use crate::console::{
    credential::{made::MadePage, revoke::RevokePage, roll::RollPage},
    language::Language,
    page::Frame,
    pages,
    tests::{Pages, credential_form, listed},
    tokens::{TokensPage, new::NewTokenPage},
};

pub(in crate::console) const BACK: &str = "https://app.acme.test/back?a=1&b=2";

/// Each in each of its shapes, with `text` wherever something comes from elsewhere.
pub(in crate::console) fn pages(many: usize, language: Language, text: &str, add: &mut Pages<'_>) {
    let own = || text.to_owned();
    let framing = |lives: bool| Framing {
        origins: PortalOrigins::default(),
        back: (many > 0).then(|| BACK.to_owned()),
        product: (many > 1).then(own),
        organization: own(),
        color: (many > 0).then_some(Color::new(53, 80, 203)),
        lives,
        is_old: lives && many > 1,
    };
    let frame = || Frame::sample_at_portal(language, Some(text), framing(true));
    let path = || "/portal".to_owned();
    for lives in [false, true] {
        let over = OverPage { frame: Frame::sample_at_portal(language, None, framing(lives)), key: "portal-left" };
        add("portal that is over", over.render());
        let page = TokensPage {
            frame: frame(),
            path: path(),
            rows: (0..many).map(|_| listed(many, language, text)).collect(),
            pages: pages::Pages::sample(many > 1, lives),
            makes: true,
        };
        add("portal", page.render());
    }
    let new = NewTokenPage {
        frame: frame(),
        list: path(),
        once: own(),
        resume: own(),
        slug: own(),
        organization: own(),
        has_others: false,
        everywhere: false,
        waits: many > 1,
        form: credential_form(many, language, text),
    };
    add("portal: new token", new.render());
    let secret = Secret::new("clv_pat_x".to_owned());
    let (title, next) = ("made-token", format!("{}/pat_1", path()));
    let made = MadePage {
        frame: frame(),
        title,
        name: own(),
        secret: &secret,
        waits: many > 1,
        try_at: own(),
        client_id: None,
        next,
        snippets: None,
    };
    add("portal: made", made.render());
    let rolling = many > 0;
    let roll = RollPage { frame: frame(), name: own(), path: path(), once: own(), seen: 1, meanwhile: None, rolling };
    add("portal: roll", roll.render());
    let (title, used) = ("revoke-token", None);
    add(
        "portal: revoke",
        RevokePage {
            frame: frame(),
            title,
            name: own(),
            id: own(),
            used,
            used_from: (many > 1).then(own),
            path: path(),
        }
        .render(),
    );
}
