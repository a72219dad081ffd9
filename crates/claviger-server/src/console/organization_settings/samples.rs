//! The pages of organizations with sample data, for the tests of every template.

use askama::Template;
use claviger_core::{Color, Name, PortalLook};
use jiff::Timestamp;

use super::detail::OrganizationPage;
use crate::console::{language::Language, moment::Moment, page::Frame};

/// Each in one shape, with so many of each thing, and `text` wherever something comes from elsewhere.
pub(crate) fn pages(
    many: usize,
    language: Language,
    text: &str,
    add: &mut dyn FnMut(&'static str, Result<String, askama::Error>),
) {
    let own = || text.to_owned();
    let now = Timestamp::from_second(1_800_000_000).unwrap();
    let moment = || Moment::new(language, now, now);
    let page = OrganizationPage {
        frame: Frame::sample_inside(language, text),
        path: "/organizations/acme/settings".to_owned(),
        name: own(),
        id: own(),
        slug: own(),
        external_id: (many > 0).then(own),
        ceiling: (many > 0).then(|| vec![own(); many]),
        limits: vec![own(); many],
        origins: vec![own(); many],
        look: PortalLook {
            name: Name::parse(text).ok().filter(|_| many > 0),
            color: (many > 0).then_some(Color::new(0x35, 0x50, 0xcb)),
        },
        made: moment(),
        stopped: (many > 1).then(moment),
        changes: many > 0,
        owns: many > 0,
    };
    add("organization", page.render());
}
