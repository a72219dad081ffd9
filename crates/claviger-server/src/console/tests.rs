//! Every template, rendered from sample data in every language; and names that would be markup elsewhere.

use askama::Template;
use claviger_token::Secret;
use jiff::Timestamp;

use super::{
    again::{AgainPage, Asked},
    api_keys::{
        list::{ApiKeysPage, Wanted},
        new::{NewPage, Offered, WhosePage},
    },
    approval::{self, ApprovalPage, CalledAlike, Stage},
    approvals::{ApprovalsPage, Waiting},
    credential::{
        detail::{Can, CredentialPage},
        edit::EditPage,
        form::{CredentialForm, Typed, Wrong},
        history::Entry,
        list::Listed,
        made::MadePage,
        picker::{Choice, Group, Picker},
        revoke::RevokePage,
        roll::RollPage,
        shown::{Badge, Generation, Shown},
    },
    device_request::{self, DeviceCodePage, DeviceRequestPage},
    enrolment::{EnrolmentPage, RecoveryCodesPage},
    fleets,
    invitation::{InvitationPage, Shape},
    language::Language,
    link::LinkPage,
    moment::Moment,
    organizations::OrganizationsPage,
    overview::OverviewPage,
    page::{Frame, TroublePage},
    pages, passkeys,
    password_reset::PasswordResetPage,
    portal,
    provider::DeparturePage,
    second_factor::SecondFactorPage,
    security::{ListedSession, SecurityPage},
    service_accounts,
    sign_in::{OtherWay, SignInPage},
    start::StartPage,
    tokens::{
        TokensPage,
        new::{NewTokenPage, WherePage},
    },
    usage::{chart::Chart, samples},
};

/// What people have put into name fields to run something in the browser of whoever reads them.
const CORPUS: [&str; 10] = [
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "' autofocus onfocus=alert(1) x='",
    "</title><svg onload=alert(1)>",
    "</textarea><script>alert(1)</script>",
    "javascript:alert(1)",
    "{{ 7 * 7 }}",
    "&lt;script&gt;",
    "<!--<script>",
    "`${alert(1)}`",
];

/// Each page in each of its shapes, with `text` wherever something comes from elsewhere.
fn pages(language: Language, text: &str) -> Vec<(&'static str, String)> {
    let nobody = || Frame::sample(language, None);
    let somebody = || Frame::sample_inside(language, text);
    let outside = || Frame::sample(language, Some(text));
    let own = || text.to_owned();
    let mut pages = Vec::new();
    let mut add = |name, page: Result<String, askama::Error>| pages.push((name, page.unwrap()));
    for failed in [false, true] {
        for other_ways in [Vec::new(), vec![OtherWay { path: "/x".to_owned(), name: own() }]] {
            let passkey = passkeys::samples::ask(other_ways.len(), text);
            let page = SignInPage { frame: nobody(), email: own(), next: own(), failed, other_ways, passkey };
            add("sign-in", page.render());
        }
        add("device code", DeviceCodePage { frame: somebody(), wrong: failed }.render());
        add("second factor", SecondFactorPage { frame: nobody(), next: own(), failed }.render());
        for asked in [Asked::Password, Asked::Code, Asked::Both, Asked::Provider, Asked::Nothing] {
            let passkey = passkeys::samples::ask(usize::from(failed), text);
            let page = AgainPage { frame: outside(), next: own(), asked, provider: own(), failed, passkey };
            add("again", page.render());
        }
        let (picture, seed, sealed) = ("<svg></svg>".to_owned(), own(), own());
        add("enrolment", EnrolmentPage { frame: somebody(), picture, seed, sealed, failed }.render());
    }
    passkeys::samples::pages(language, text, &mut add);
    let codes = [Secret::new("0123-4567-89ab".to_owned())];
    add("recovery codes", RecoveryCodesPage { frame: somebody(), codes: &codes }.render());
    for (many, wrong) in [(0, None), (1, Some("password-weak")), (2, None)] {
        let session =
            |is_this| ListedSession { id: own(), browser: own(), address: own(), started: own(), used: own(), is_this };
        let page = SecurityPage {
            frame: somebody(),
            email: own(),
            has_password: many > 0,
            wrong,
            totp_since: (many > 0).then(own),
            recovery_codes: many,
            passkeys: passkeys::samples::listed(many, language, text),
            sessions: (0..many).map(|index| session(index == 0)).collect(),
        };
        add("security", page.render());
        let organizations = vec![own(); many];
        add("start", StartPage { frame: somebody(), name: own(), organizations }.render());
        credential_pages(many, language, text, &mut add);
        super::first_run::samples(many, language, text, &mut add);
        super::settings::samples(many, language, text, &mut add);
        super::members::samples::pages(many, language, text, &mut add);
        super::roles::samples::pages(many, language, text, &mut add);
        super::apis::samples::pages(many, language, text, &mut add);
        super::organization_settings::samples::pages(many, language, text, &mut add);
        super::policies::samples::pages(many, language, text, &mut add);
        super::audit::samples::pages(many, language, text, &mut add);
        super::explain::samples::pages(many, language, text, &mut add);
        super::inventory::samples::pages(many, language, text, &mut add);
        let path = || "/approvals/pat_x".to_owned();
        let one = || Waiting { path: path(), name: own(), owner: own(), organization: own(), since: own() };
        let waiting = (0..many).map(|_| one()).collect();
        add("approvals", ApprovalsPage { frame: somebody(), waiting, more: many > 1 }.render());
        for stage in [Stage::Waits, Stage::Approved(own()), Stage::Denied, Stage::Ended] {
            let page = ApprovalPage {
                frame: somebody(),
                path: path(),
                seen: own(),
                stage,
                asked: asked(many, text),
                look_alike: many > 0,
                look_alikes: (1..many).map(|_| CalledAlike { id: own(), name: own(), owner: own() }).collect(),
                reaches_further: many > 1,
            };
            add("approval", page.render());
        }
    }
    let elsewhere = || (own(), "/device?user_code=x".to_owned());
    for many in 0..3 {
        use device_request::Stage;
        let stages = [
            Stage::Approved,
            Stage::Redeemed,
            Stage::ByOther,
            Stage::Denied,
            Stage::Nothing,
            Stage::Choose(vec![elsewhere(); many]),
            Stage::Waits(Box::new(device_request::Offered {
                organization: own(),
                organization_id: own(),
                others: vec![elsewhere(); many],
                permissions: vec![(own(), own()); many],
                left_out: vec![own(); many],
                everywhere: vec![own(); many],
                networks: (many > 0).then(|| vec![own(); many]),
                ends: own(),
                wants_approval: many > 1,
                seen: own(),
                refused: (many > 1).then(own),
            })),
        ];
        for stage in stages {
            let asked = device_request::Asked {
                client: own(),
                of: (many > 0).then(|| (own(), own())),
                device: (many > 0).then(own),
                address: (many > 0).then(own),
                since: own(),
                minutes: many,
            };
            add("device", DeviceRequestPage { frame: somebody(), user_code: own(), asked, stage }.render());
        }
    }
    for wrong in [None, Some("password-differs")] {
        add("password reset", PasswordResetPage { frame: nobody(), email: own(), wrong }.render());
    }
    for shape in [Shape::Join, Shape::SignIn, Shape::Choose] {
        let (organization, email, name) = (own(), own(), own());
        let wrong = (shape == Shape::Choose).then_some("name-wrong");
        let page = InvitationPage { frame: nobody(), organization, email, shape, name, wrong };
        add("invitation", page.render());
    }
    for many in 0..3 {
        portal::samples::pages(many, language, text, &mut add);
    }
    let address = "https://idp.test/auth?a=1&b=2".to_owned();
    add("departure", DeparturePage { frame: nobody(), name: own(), address }.render());
    add("link", LinkPage { frame: nobody(), email: own() }.render());
    add("trouble", TroublePage { frame: nobody(), key: "trouble-form" }.render());
    pages
}

/// Takes a page under the name that failures call it by.
pub(super) type Pages<'a> = dyn FnMut(&'static str, Result<String, askama::Error>) + 'a;

/// A row of a list of credentials.
pub(super) fn listed(many: usize, language: Language, text: &str) -> Listed {
    let own = || text.to_owned();
    let now = Timestamp::from_second(1_800_000_000).unwrap();
    let moment = || Moment::new(language, now, now);
    let frame = Frame::sample(language, None);
    Listed {
        path: Some("/organizations/acme/api-keys".to_owned()),
        name: own(),
        begins: own(),
        owner: own(),
        badge: Badge { class: "good", ..Badge::of(claviger_core::CredentialStatus::Active, &frame) },
        is_test: many > 1,
        rolling: many > 1,
        used: (many > 1).then(moment),
        ends: (many > 1).then(moment),
        made: moment(),
    }
}

/// The form of a credential, with so many of each thing.
pub(super) fn credential_form(many: usize, language: Language, text: &str) -> CredentialForm {
    let own = || text.to_owned();
    let some = || (many > 0).then(own);
    let now = Timestamp::from_second(1_800_000_000).unwrap();
    let choice = || Choice { entry: own(), what: own(), chosen: many > 1 };
    let group = || Group { name: own(), identifier: own(), choices: vec![choice()] };
    let typed = Typed { name: own(), objects: own(), networks: own(), rate: own(), ..Typed::default() };
    let fields = ["name", "permissions", "life", "until", "objects", "networks", "rate", "quota", "account_name"];
    let wrong = Wrong { fields: fields.into_iter().take(many * 9).map(|field| (field, own())).collect(), page: some() };
    CredentialForm {
        lives: CredentialForm::lives(None, some(), now, &Frame::sample(language, None)),
        typed,
        wrong,
        picker: Picker { wildcards: vec![choice()], groups: (0..many * 9).map(|_| group()).collect() },
        asks_environment: many > 0,
        keeps_limits: many > 1,
        of_client: many > 1,
    }
}

/// The pages of keys and tokens, with so many of each thing.
fn credential_pages(many: usize, language: Language, text: &str, add: &mut Pages<'_>) {
    use claviger_core::CredentialStatus;
    let frame = || Frame::sample_inside(language, text);
    let own = || text.to_owned();
    let some = || (many > 0).then(own);
    let now = Timestamp::from_second(1_800_000_000).unwrap();
    let moment = || Moment::new(language, now, now);
    let path = || "/organizations/acme/api-keys".to_owned();
    let badge = || Badge { class: "good", ..Badge::of(CredentialStatus::Active, &frame()) };
    let rows = || (0..many).map(|_| listed(many, language, text)).collect::<Vec<_>>();
    for filtered in [false, true] {
        let page = ApiKeysPage {
            frame: frame(),
            path: path(),
            rows: rows(),
            pages: pages::Pages::sample(many > 1, filtered),
            wanted: if filtered { Wanted::sample(text) } else { Wanted::default() },
            account: some(),
            makes: !filtered,
        };
        add("api keys", page.render());
        let page = TokensPage {
            frame: frame(),
            path: path(),
            rows: rows(),
            pages: pages::Pages::sample(many > 1, filtered),
            makes: filtered,
        };
        add("tokens", page.render());
    }
    let form = || credential_form(many, language, text);
    let offered = || Offered { id: own(), name: own() };
    let whose = WhosePage {
        frame: frame(),
        list: path(),
        q: own(),
        accounts: (0..many).map(|_| offered()).collect(),
        more: many > 1,
        makes_accounts: many > 0,
    };
    add("whose key", whose.render());
    let (list, once, resume, account_name) = (path(), own(), own(), own());
    let account = (many > 0).then(offered);
    add("new key", NewPage { frame: frame(), list, once, resume, account, account_name, form: form() }.render());
    add("where", WherePage { frame: frame(), list: path(), organizations: vec![(own(), own()); many] }.render());
    let token = NewTokenPage {
        frame: frame(),
        list: path(),
        once: own(),
        resume: own(),
        slug: own(),
        organization: own(),
        has_others: many > 0,
        everywhere: many > 1,
        waits: many > 1,
        form: form(),
    };
    add("new token", token.render());
    let (name, seen, resume) = (own(), own(), own());
    add("edit", EditPage { frame: frame(), name, path: path(), seen, resume, form: form() }.render());
    let (secret, rolling) = (Secret::new("clv_key_x".to_owned()), many > 1);
    let (title, try_at, next) = ("made-key", own(), path());
    let client_id = (many > 1).then(own);
    let made = MadePage {
        frame: frame(),
        title,
        name: own(),
        secret: &secret,
        waits: rolling,
        try_at,
        client_id,
        next,
        snippets: None,
    };
    add("made", made.render());
    add(
        "roll",
        RollPage { frame: frame(), name: own(), path: path(), once: own(), seen: 1, meanwhile: some(), rolling }
            .render(),
    );
    let (title, used) = ("revoke-key", (many > 0).then(moment));
    add(
        "revoke",
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
    let one = Shown {
        id: own(),
        name: own(),
        badge: badge(),
        is_test: many > 0,
        owner: (many > 0).then(|| (own(), own(), path())),
        of_client: many > 1,
        organization: own(),
        permissions: vec![(own(), own()); many],
        at_present: (many > 0).then(|| vec![(own(), own()); many]),
        objects: (many > 0).then(|| vec![own(); many]),
        networks: (many > 0).then(|| vec![own(); many]),
        limits: vec![own(); many],
        is_bound: many > 0,
        starts: (many > 0).then(moment),
        ends: (many > 0).then(moment),
        made: moment(),
        maker: own(),
        used: (many > 0).then(moment),
        used_from: some(),
        revoked: (many > 1).then(|| (moment(), own())),
        stopped: (many > 0).then(|| (moment(), own())),
    };
    let generation = || Generation {
        begins: own(),
        badge: badge(),
        made: moment(),
        ends: (many > 1).then(moment),
        used: (many > 1).then(moment),
        used_from: (many > 1).then(own),
    };
    let entry = || Entry { what: own(), who: own(), from: (many > 1).then(own), when: Some(moment()) };
    let page = CredentialPage {
        frame: frame(),
        list_title: "nav-api-keys",
        owner: "service-account",
        links: vec![(path(), own()); many],
        list: path(),
        path: path(),
        one,
        terms: service_accounts::samples::terms(many, text),
        generations: (0..many).map(|_| generation()).collect(),
        rolling: many > 0,
        can: Can { change: true, roll: true, stop: many > 0, start: many == 0, restart: many > 1, revoke: true },
        chart: (many > 0).then(|| Chart::sample(many > 1)),
        history: (many > 0).then(|| (0..many).map(|_| entry()).collect()),
    };
    add("credential", page.render());
    service_accounts::samples::pages(many, language, text, add);
    fleets::samples::pages(many, language, text, add);
    let overview = OverviewPage {
        frame: frame(),
        organization: own(),
        attention: vec![("/approvals".to_owned(), own()); many],
        is_all: language == Language::English,
        keys: many.checked_sub(1).map(|number| (number, text.to_owned())),
        keys_path: path(),
        makes: many > 0,
        sets_up: many > 0,
        boxes: samples::boxes(many, language, text),
    };
    add("overview", overview.render());
    samples::pages(many, language, text, add);
    let (q, organizations) = (own(), vec![("/organizations/acme".to_owned(), own(), own()); many]);
    let (pages, searches, makes) = (pages::Pages::sample(many > 1, many > 0), many > 0, many > 1);
    add("organizations", OrganizationsPage { frame: frame(), q, organizations, pages, searches, makes }.render());
}

/// What a token asks for, with so many of each.
fn asked(many: usize, text: &str) -> approval::Asked {
    let own = || text.to_owned();
    approval::Asked {
        id: own(),
        name: own(),
        owner: own(),
        owner_id: own(),
        claimed: many > 0,
        maker: own(),
        organization: own(),
        permissions: vec![(own(), own()); many],
        at_present: (many != 1).then(|| vec![(own(), own()); many]),
        objects: (many > 0).then(|| vec![own(); many]),
        networks: (many > 0).then(|| vec![own(); many]),
        starts: (many > 0).then(own),
        ends: (many > 0).then(own),
        since: own(),
    }
}

#[test]
fn every_page_renders_in_every_language() {
    for language in Language::ALL {
        for (name, html) in pages(language, "Zoë") {
            let context = format!("{name} in {}:\n{html}", language.tag());
            assert!(html.contains(&format!("<html lang=\"{}\">", language.tag())), "{context}");
            assert_eq!(html.matches("<h1").count(), 1, "{context}");
            // What changes something carries the token, and what only asks does not put it into an address.
            let (posts, asks) =
                (html.matches("<form method=\"post\"").count(), html.matches("<form method=\"get\"").count());
            assert_eq!(posts, html.matches("name=\"csrf\" value=\"c0ffee\"").count(), "{context}");
            assert_eq!(posts + asks, html.matches("<form").count(), "{context}");
            for form in html.split("<form method=\"get\"").skip(1) {
                assert!(!form.split("</form>").next().unwrap().contains("csrf"), "{context}");
            }
            // The instance lives below a path, and so does everything that a page points to.
            for attribute in ["href=\"", "action=\""] {
                for address in html.split(attribute).skip(1).filter_map(|rest| rest.split('"').next()) {
                    assert!(
                        address.starts_with("/keys/")
                            || address.starts_with('#')
                            || ["data:,", "https://idp.test/auth?a=1&#38;b=2"].contains(&address)
                            || address == portal::samples::BACK.replace('&', "&#38;"),
                        "{address} of {context}"
                    );
                }
            }
            let ours = format!("<script src=\"{}\" defer></script>", Frame::sample(language, None).script());
            let passkeys =
                format!("<script src=\"{}\" defer></script>", Frame::sample(language, None).passkey_script());
            let known = html.matches(&ours).count() + html.matches(&passkeys).count();
            assert_eq!(html.matches("<script").count(), known, "{context}");
            assert_eq!(html.contains(&ours), !name.starts_with("portal"), "{context}");
            for forbidden in ["<style", " style=", " onclick", " onload"] {
                assert!(!html.contains(forbidden), "{forbidden} in {context}");
            }
            let ids: Vec<&str> = html.split(" id=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
            let mut distinct = ids.clone();
            distinct.sort_unstable();
            distinct.dedup();
            assert_eq!(distinct.len(), ids.len(), "an id twice: {context}");
        }
    }
}

#[test]
fn a_name_is_text_and_never_markup() {
    for evil in CORPUS {
        let plain = pages(Language::English, "Zoe");
        for ((name, html), (_, plain)) in pages(Language::English, evil).iter().zip(&plain) {
            let tags = |html: &str| (html.matches('<').count(), html.matches('>').count(), html.matches('"').count());
            assert_eq!(tags(html), tags(plain), "{evil} in {name}:\n{html}");
            assert!(!html.contains(evil) || !evil.contains(['<', '"', '\'', '&']), "{evil} in {name}");
        }
    }
}
