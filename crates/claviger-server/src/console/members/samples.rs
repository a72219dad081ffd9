//! The pages of members with sample data, for the tests of every template.

use askama::Template;
use claviger_token::Secret;
use jiff::Timestamp;

use super::{
    detail::{Held, MemberPage},
    invitation::ShownPage,
    invitations::{self, InvitationsPage},
    list::{MembersPage, Row},
};
use crate::console::{
    ask::{AskPage, Fact},
    credential::{
        form::Wrong,
        made::MadeLinkPage,
        picker::{Choice, Group, Picker},
    },
    language::Language,
    moment::Moment,
    page::Frame,
    pages::Pages,
    sheet::{Field, Offered, Part, Section, Sheet, Way},
};

/// Each in one shape, with so many of each thing, and `text` wherever something comes from elsewhere.
pub(crate) fn pages(
    many: usize,
    language: Language,
    text: &str,
    add: &mut dyn FnMut(&'static str, Result<String, askama::Error>),
) {
    let frame = || Frame::sample_inside(language, text);
    let own = || text.to_owned();
    let some = || (many > 0).then(own);
    let now = Timestamp::from_second(1_800_000_000).unwrap();
    let moment = || Moment::new(language, now, now);
    let path = || "/organizations/acme/members".to_owned();
    let ways = || Pages { next: (many > 1).then(path), first: (many == 0).then(path), ..Pages::default() };
    let (some_are, many_are) = (many > 0, many > 1);
    let row = || Row {
        path: path(),
        name: own(),
        email: some(),
        disabled: many_are,
        is_self: many_are,
        holds: vec![own(); many.saturating_sub(1)],
        everywhere: many_are,
        since: moment(),
    };
    let q = if many_are { own() } else { String::new() };
    let rows = (0..many).map(|_| row()).collect();
    add("members", MembersPage { frame: frame(), path: path(), q, rows, pages: ways(), invites: some_are }.render());
    let role = |path| Held { name: own(), what: own(), path };
    let member = MemberPage {
        frame: frame(),
        list: path(),
        path: path(),
        name: own(),
        email: own(),
        id: own(),
        external_id: some(),
        claimed: some_are,
        disabled: some_are,
        is_self: some_are,
        since: moment(),
        roles: (0..many).map(|index| role((index == 0).then(path))).collect(),
        permissions: vec![(own(), own()); many],
        everywhere: vec![own(); many],
        effective: vec![(own(), own()); many],
        tokens: some(),
        changes: some_are,
        reaches_further: !some_are,
    };
    add("member", member.render());
    let state = || ("good", own());
    let row = || invitations::Row {
        path: path(),
        email: own(),
        state: state(),
        brings: vec![own(); many],
        ends: moment(),
        made: moment(),
    };
    let list = InvitationsPage {
        frame: frame(),
        list: path(),
        path: path(),
        state: String::new(),
        rows: (0..many).map(|_| row()).collect(),
        pages: ways(),
        invites: some_are,
    };
    add("invitations", list.render());
    let shown = ShownPage {
        frame: frame(),
        list: path(),
        path: path(),
        email: own(),
        id: own(),
        state: state(),
        brings: vec![own(); many],
        made: moment(),
        maker: own(),
        ends: moment(),
        accepted: some_are.then(|| (moment(), own())),
        withdraws: many_are,
    };
    add("invitation shown", shown.render());
    let link = Secret::new("https://claviger.test/invitation?code=x".to_owned());
    let (title, next) = ("invitation-made", path());
    add("link made", MadeLinkPage { frame: frame(), title, name: own(), what: own(), link: &link, next }.render());
    let back = || Way { path: path(), label: own() };
    let follows = (0..many).map(|index| Fact { label: own(), entries: vec![own(); index] }).collect();
    let ask = AskPage {
        frame: frame(),
        back: back(),
        title: own(),
        name: own(),
        warning: own(),
        follows,
        action: path(),
        hidden: vec![("seen", own()); many],
        button: own(),
        of_form: some_are,
    };
    add("ask", ask.render());
    add("sheet", sheet(many, text, frame(), back()).render());
}

/// A form with each kind of field.
fn sheet(many: usize, text: &str, frame: Frame, back: Way) -> Sheet {
    let own = || text.to_owned();
    let field = |name| Field {
        name,
        label: own(),
        hint: if many > 0 { own() } else { String::new() },
        value: own(),
        error: (many > 1).then(own),
        example: if many > 0 { "x" } else { "" },
        required: many > 0,
        kind: "text",
    };
    let offered = || Offered { value: own(), label: own(), hint: own(), chosen: many > 1 };
    let options = || (0..many).map(|_| offered()).collect::<Vec<_>>();
    let choice = || Choice { entry: own(), what: own(), chosen: many > 1 };
    let group = || Group { name: own(), identifier: own(), choices: vec![choice()] };
    let picker = Picker { wildcards: Vec::new(), groups: (0..many * 9).map(|_| group()).collect() };
    let parts = vec![
        Part::Line(field("line")),
        Part::Lines(field("lines")),
        Part::Choice(field("choice"), options()),
        Part::Boxes(field("boxes"), options()),
        Part::Switch(field("switch")),
        Part::Permissions(field("permission"), picker),
    ];
    let wrong = ["line", "lines", "choice"].into_iter().take(many * 3).map(|name| (name, own())).collect();
    Sheet {
        frame,
        back,
        title: own(),
        lead: own(),
        action: "/organizations/acme/members".to_owned(),
        hidden: vec![("seen", own()); many],
        wrong: Wrong { fields: wrong, page: (many > 1).then(own) },
        sections: vec![Section { title: own(), hint: own(), parts }, Section::plain(Vec::new())],
        button: own(),
    }
}
