//! The pages of service accounts from sample data, with so many of each thing, for the test that renders every template.

use claviger_core::{CredentialStatus, Kind, Preset};
use claviger_token::PermissionSet;
use jiff::Timestamp;

use super::{
    Head, Tab,
    clients::ClientCredentialsPage,
    detail::{Can, Facts, Proof, Rights, ServiceAccountPage},
    edit::EditAccountPage,
    federation::WherePage,
    form::{AccountForm, Typed},
    list::{Row, ServiceAccountsPage},
    new::NewAccountPage,
    proof::{Extra, NewProofPage},
    snippets::Snippet,
    standing::DeletePage,
    terms::{Fact, Terms},
};
use crate::console::{
    credential::{
        form::{CredentialForm, Wrong},
        history::Entry,
        list::Listed,
        picker::{Choice, Group, Picker},
        shown::Badge,
    },
    language::Language,
    moment::Moment,
    page::Frame,
    pages::Pages,
    sheet::Offered,
    usage::{chart::Chart, issued::Issued},
};

fn snippet(text: &str) -> Snippet {
    Snippet { id: "request", title: text.to_owned(), what: Some(text.to_owned()), text: text.to_owned() }
}

pub(crate) fn terms(many: usize, text: &str) -> Terms {
    let own = || text.to_owned();
    let fact = |is_code| Fact { label: "key-thumbprint", values: vec![own(); many], is_code };
    Terms {
        facts: (0..many).map(|place| fact(place > 0)).collect(),
        warnings: vec![own(); many],
        snippets: (0..many.min(1)).map(|_| snippet(text)).collect(),
    }
}

/// What adds a page.
type Add<'a> = &'a mut dyn FnMut(&'static str, Result<String, askama::Error>);

pub(crate) fn pages(
    many: usize,
    language: Language,
    text: &str,
    add: &mut dyn FnMut(&'static str, Result<String, askama::Error>),
) {
    of_accounts(many, language, text, add);
    of_proofs(many, language, text, add);
}

fn path() -> String {
    "/organizations/acme/service-accounts/sa_1".to_owned()
}

fn head(many: usize, text: &str) -> Head {
    let tab = |current| Tab { path: path(), label: "client-secrets", current };
    Head {
        list: "/organizations/acme/service-accounts".to_owned(),
        path: path(),
        name: text.to_owned(),
        tabs: (0..=many).map(|place| tab(place == 0)).collect(),
    }
}

fn of_accounts(many: usize, language: Language, text: &str, add: Add<'_>) {
    use askama::Template as _;
    let frame = || Frame::sample_inside(language, text);
    let own = || text.to_owned();
    let now = Timestamp::from_second(1_800_000_000).unwrap();
    let moment = || Moment::new(language, now, now);
    let badge = || Badge::of(CredentialStatus::Active, &frame());
    let row =
        || Row { path: path(), id: own(), name: own(), badge: badge(), keys: own(), proofs: own(), made: moment() };
    for searched in [false, true] {
        let page = ServiceAccountsPage {
            frame: frame(),
            path: path(),
            q: if searched { own() } else { String::new() },
            rows: (0..many).map(|_| row()).collect(),
            pages: Pages::sample(many > 1, searched),
            makes: !searched,
            sees_keys: searched,
        };
        add("service accounts", page.render());
    }
    let choice = || Choice { entry: own(), what: own(), chosen: many > 1 };
    let role = || Offered { value: own(), label: own(), hint: own(), chosen: many > 1 };
    let form = || {
        let fields = ["name", "external_id", "roles", "permissions", "method", "key_bound", "certificate_bound"];
        let group = || Group { name: own(), identifier: own(), choices: vec![choice()] };
        AccountForm {
            typed: Typed { name: own(), external_id: own(), method: own(), key_bound: many > 1, ..Typed::default() },
            wrong: Wrong {
                fields: fields.into_iter().take(many * 7).map(|field| (field, own())).collect(),
                page: (many > 0).then(own),
            },
            roles: (0..many).map(|_| role()).collect(),
            picker: Picker { wildcards: Vec::new(), groups: (0..many * 9).map(|_| group()).collect() },
            of_fleet: false,
        }
    };
    let (list, once, resume) = (path(), own(), own());
    add("new service account", NewAccountPage { frame: frame(), list, once, resume, form: form() }.render());
    let (name, seen, resume) = (own(), own(), own());
    let page = EditAccountPage { frame: frame(), name, path: path(), seen, resume, form: form() };
    add("edit service account", page.render());
    let (name, id, keys, proofs) = (own(), own(), own(), own());
    add("delete service account", DeletePage { frame: frame(), path: path(), name, id, keys, proofs }.render());
    let proof = || Proof {
        path: path(),
        label: "client-secrets",
        what: "client-secrets-what",
        count: if many > 1 { own() } else { "0".to_owned() },
        make: (many > 1).then(path),
    };
    let entry = || Entry { what: own(), who: own(), from: (many > 1).then(own), when: Some(moment()) };
    let page = ServiceAccountPage {
        frame: frame(),
        head: head(many, text),
        id: own(),
        badge: badge(),
        stopped: (many > 1).then(moment),
        facts: Facts {
            external_id: (many > 0).then(own),
            method: (many > 0).then(own),
            key_bound: many > 0,
            certificate_bound: many > 1,
            fleet: (many > 0).then(own),
            made: moment(),
        },
        rights: Rights {
            roles: vec![own(); many],
            permissions: vec![own(); many],
            everywhere: vec![own(); many],
            effective: vec![(own(), own()); many],
        },
        proofs: (0..=many).map(|_| proof()).collect(),
        issued: (many > 0)
            .then(|| Issued { windows: vec![(path(), own(), true)], chart: (many > 1).then(|| Chart::sample(true)) }),
        can: Can { change: many > 0, stop: many == 1, start: many > 1 },
        snippets: vec![snippet(text)],
        history: (many > 0).then(|| (0..many).map(|_| entry()).collect()),
    };
    add("service account", page.render());
}

fn of_proofs(many: usize, language: Language, text: &str, add: Add<'_>) {
    use askama::Template as _;
    let frame = || Frame::sample_inside(language, text);
    let own = || text.to_owned();
    let now = Timestamp::from_second(1_800_000_000).unwrap();
    let moment = || Moment::new(language, now, now);
    let row = || Listed {
        path: (many > 1).then(path),
        name: own(),
        begins: own(),
        owner: own(),
        badge: Badge::of(CredentialStatus::Active, &frame()),
        is_test: false,
        rolling: many > 1,
        used: (many > 1).then(moment),
        ends: (many > 1).then(moment),
        made: moment(),
    };
    for continued in [false, true] {
        let page = ClientCredentialsPage {
            frame: frame(),
            head: head(many, text),
            title: "client-secrets",
            what: "client-secrets-what",
            make: "client-secret-new",
            path: path(),
            rows: (0..many).map(|_| row()).collect(),
            pages: Pages::sample(many > 1, continued),
            makes: !continued,
            lacks_grants: continued,
        };
        add("client credentials", page.render());
    }
    let platforms = vec![("github", own(), "platform-github-asks"); many];
    add("where it runs", WherePage { frame: frame(), head: head(many, text), list: path(), platforms }.render());
    let fields = [
        "name",
        "life",
        "until",
        "material",
        "jwks_uri",
        "name_value",
        "whose_id",
        "limit_value",
        "issuer",
        "audience",
        "namespace",
        "workload",
        "trust_domain",
        "path",
        "conditions",
    ];
    let kinds = [Kind::ClientSecret, Kind::PublicKey, Kind::Certificate].map(|kind| (kind, None));
    for (kind, preset) in kinds.into_iter().chain(Preset::ALL.map(|preset| (Kind::Federation, Some(preset)))) {
        let page = NewProofPage {
            frame: frame(),
            head: head(many, text),
            title: "client-secret-new",
            lead: "client-secret-new-what",
            list: path(),
            once: own(),
            resume: own(),
            kind,
            preset,
            extra: Extra::sample(text, preset),
            form: CredentialForm {
                typed: crate::console::credential::form::Typed { name: own(), ..Default::default() },
                wrong: Wrong {
                    fields: fields.into_iter().take(many * fields.len()).map(|field| (field, own())).collect(),
                    page: (many > 0).then(own),
                },
                picker: Picker::of(&[], &PermissionSet::default(), &[], &frame()),
                lives: CredentialForm::lives(None, None, now, &frame()),
                asks_environment: false,
                keeps_limits: false,
                of_client: true,
            },
        };
        add("new proof", page.render());
    }
}
