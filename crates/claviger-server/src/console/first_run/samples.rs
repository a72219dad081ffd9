//! The pages of this room as the templates' test renders them.

use claviger_token::Secret;

use super::{
    Step,
    administrator::{self, YouPage},
    api::{self, ApiPage},
    done::DonePage,
    key::{self, KeyPage},
};
use crate::console::{
    credential::{
        form::Wrong,
        made::MadePage,
        picker::{Choice, Group, Picker},
    },
    language::Language,
    page::Frame,
    snippets::Snippets,
};
use askama::Template as _;

/// Each page with so many of each thing, and `text` wherever something comes from elsewhere.
pub(in crate::console) fn samples(
    many: usize,
    language: Language,
    text: &str,
    add: &mut dyn FnMut(&'static str, Result<String, askama::Error>),
) {
    let frame = || Frame::sample_inside(language, text);
    let own = || text.to_owned();
    let wrong = |fields: &[&'static str]| Wrong {
        fields: fields.iter().take(many * fields.len()).map(|field| (*field, own())).collect(),
        page: (many > 1).then(own),
    };
    let typed = administrator::Typed { email: own(), name: own(), organization: own() };
    let page = YouPage {
        frame: Frame::sample(language, None),
        step: Step::Administrator,
        typed,
        wrong: wrong(&["email", "name", "organization", "new"]),
        has_home: many > 1,
    };
    add("first run: you", page.render());
    let page = ApiPage {
        frame: frame(),
        step: Step::Api,
        existing: vec![(own(), own()); many],
        once: own(),
        next: "/first-run/key",
        typed: api::Typed { identifier: own(), name: own(), permissions: own() },
        wrong: wrong(&["identifier", "name", "permissions"]),
    };
    add("first run: api", page.render());
    let choice = || Choice { entry: own(), what: own(), chosen: many > 1 };
    let group = || Group { name: own(), identifier: own(), choices: vec![choice()] };
    let page = KeyPage {
        frame: frame(),
        step: Step::Key,
        once: own(),
        resume: "/first-run/key",
        existing: (many > 0).then(own),
        organizations: vec![(own(), own()); many],
        typed: key::Typed { organization_name: own(), account_name: own(), ..key::Typed::default() },
        wrong: wrong(&["organization", "organization_name", "account_name", "permissions"]),
        picker: Picker { wildcards: Vec::new(), groups: (0..many).map(|_| group()).collect() },
        begins: "clv_key_".to_owned(),
    };
    add("first run: key", page.render());
    let page = DonePage {
        frame: frame(),
        step: Step::Done,
        has_api: many > 0,
        has_key: many > 1,
        home: (many > 0).then(|| "/organizations/default".to_owned()),
        snippets: Snippets::sample(text),
    };
    add("first run: done", page.render());
    let secret = Secret::new("clv_key_x".to_owned());
    let made = MadePage {
        frame: frame(),
        title: "made-key",
        name: own(),
        secret: &secret,
        waits: false,
        try_at: own(),
        client_id: None,
        next: "/organizations/acme/api-keys/key_x".to_owned(),
        snippets: Some(Snippets::sample(text)),
    };
    add("first run: made", made.render());
}
