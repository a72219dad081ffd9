//! The pages of fleets from sample data, with so many of each thing, for the test that renders every template.

use askama::Template as _;
use claviger_core::CredentialStatus;
use claviger_token::Secret;
use jiff::Timestamp;

use super::{
    codes::{self, CodesPage, MadeCodePage, NewCodePage, RevokeCodePage},
    detail::{self, DevicesPage, FleetPage},
    form::FleetFormPage,
    list::{self, FleetsPage},
    standing::EndPage,
};
use crate::console::{
    credential::{
        form::Wrong,
        history::Entry,
        picker::{Choice, Group, Picker},
        shown::Badge,
    },
    language::Language,
    moment::Moment,
    page::Frame,
    pages::Pages,
    service_accounts::form::{AccountForm, Typed},
    sheet::Offered,
};

pub(crate) fn pages(
    many: usize,
    language: Language,
    text: &str,
    add: &mut dyn FnMut(&'static str, Result<String, askama::Error>),
) {
    let frame = || Frame::sample_inside(language, text);
    let own = || text.to_owned();
    let path = || "/organizations/acme/fleets/fleet_1".to_owned();
    let now = Timestamp::from_second(1_800_000_000).unwrap();
    let moment = || Moment::new(language, now, now);
    let badge = || Badge::of(CredentialStatus::Active, &frame());
    let fleet = || (own(), path());
    let row = || list::Row {
        path: path(),
        id: own(),
        name: own(),
        badge: badge(),
        days: list::days(3, &frame()),
        made: moment(),
    };
    for searched in [false, true] {
        let page = FleetsPage {
            frame: frame(),
            path: path(),
            q: if searched { own() } else { String::new() },
            rows: (0..many).map(|_| row()).collect(),
            pages: Pages::sample(many > 1, searched),
            makes: !searched,
        };
        add("fleets", page.render());
        let device = || detail::Row {
            path: searched.then(path),
            name: own(),
            id: own(),
            badge: badge(),
            used: (many > 1).then(moment),
            ends: (many > 1).then(moment),
            enrolled: moment(),
        };
        let page = DevicesPage {
            frame: frame(),
            fleet: fleet(),
            path: path(),
            q: if searched { own() } else { String::new() },
            rows: (0..many).map(|_| device()).collect(),
            pages: Pages::sample(many > 1, searched),
        };
        add("devices", page.render());
        let code = || codes::Row {
            id: own(),
            begins: own(),
            badge: badge(),
            open: many > 1,
            used: 1,
            uses: 2,
            ends: moment(),
            made: moment(),
        };
        let page = CodesPage {
            frame: frame(),
            fleet: fleet(),
            path: path(),
            rows: (0..many).map(|_| code()).collect(),
            pages: Pages::sample(many > 1, searched),
            makes: !searched,
            changes: !searched,
            closed: searched,
        };
        add("claim codes", page.render());
        let (name, id) = (own(), own());
        add(
            "end of a fleet",
            EndPage { frame: frame(), path: path(), name, id, devices: 3, deletes: searched }.render(),
        );
        let choice = || Choice { entry: own(), what: own(), chosen: many > 1 };
        let role = || Offered { value: own(), label: own(), hint: own(), chosen: many > 1 };
        let group = || Group { name: own(), identifier: own(), choices: vec![choice()] };
        let form = AccountForm {
            typed: Typed { name: own(), days: own(), ..Typed::default() },
            wrong: Wrong { fields: vec![("days", own()); many], page: (many > 0).then(own) },
            roles: (0..many).map(|_| role()).collect(),
            picker: Picker { wildcards: Vec::new(), groups: (0..many).map(|_| group()).collect() },
            of_fleet: true,
        };
        let (list, action, once, seen) = (path(), path(), own(), own());
        let of = searched.then(fleet);
        add("form of a fleet", FleetFormPage { frame: frame(), list, action, fleet: of, once, seen, form }.render());
    }
    let entry = || Entry { what: own(), who: own(), from: (many > 1).then(own), when: Some(moment()) };
    let page = FleetPage {
        frame: frame(),
        list: path(),
        path: path(),
        name: own(),
        id: own(),
        badge: badge(),
        closed: many > 1,
        changes: many > 0,
        devices: 3,
        codes: 1,
        roles: vec![own(); many],
        permissions: vec![own(); many],
        days: list::days(90, &frame()),
        made: moment(),
        authority: (many > 0).then(own),
        enrol: own(),
        history: (many > 0).then(|| (0..many).map(|_| entry()).collect()),
    };
    add("fleet", page.render());
    let wrong = Wrong { fields: vec![("uses", own()); many], page: (many > 0).then(own) };
    let (list, once, uses, life) = (path(), own(), own(), own());
    add("new claim code", NewCodePage { frame: frame(), fleet: fleet(), list, once, uses, life, wrong }.render());
    let secret = Secret::new("clv_claim_x".to_owned());
    let (enrol, next) = (own(), path());
    add("made claim code", MadeCodePage { frame: frame(), fleet: fleet(), secret: &secret, enrol, next }.render());
    let (list, id, begins) = (path(), own(), own());
    add("revoke claim code", RevokeCodePage { frame: frame(), fleet: fleet(), list, id, begins }.render());
}
