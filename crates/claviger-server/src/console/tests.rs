//! Every template, rendered from sample data in every language; and names that would be markup elsewhere.

use askama::Template;
use claviger_token::Secret;

use super::{
    again::{AgainPage, Asked},
    approval::{self, ApprovalPage, CalledAlike, Stage},
    approvals::{ApprovalsPage, Waiting},
    device_request::{self, DeviceCodePage, DeviceRequestPage, Offered},
    enrolment::{EnrolmentPage, RecoveryCodesPage},
    invitation::{InvitationPage, Shape},
    language::Language,
    link::LinkPage,
    page::{Frame, TroublePage},
    password_reset::PasswordResetPage,
    portal::{OverPage, PortalPage},
    provider::DeparturePage,
    second_factor::SecondFactorPage,
    security::{ListedSession, SecurityPage},
    sign_in::{OtherWay, SignInPage},
    start::StartPage,
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
    let somebody = || Frame::sample(language, Some(text));
    let own = || text.to_owned();
    let mut pages = Vec::new();
    let mut add = |name, page: Result<String, askama::Error>| pages.push((name, page.unwrap()));
    for failed in [false, true] {
        for other_ways in [Vec::new(), vec![OtherWay { path: "/x".to_owned(), name: own() }]] {
            let page = SignInPage { frame: nobody(), email: own(), next: own(), failed, other_ways };
            add("sign-in", page.render());
        }
        add("device code", DeviceCodePage { frame: somebody(), wrong: failed }.render());
        add("second factor", SecondFactorPage { frame: nobody(), next: own(), failed }.render());
        for asked in [Asked::Password, Asked::Code, Asked::Both, Asked::Provider, Asked::Nothing] {
            let page = AgainPage { frame: somebody(), next: own(), asked, provider: own(), failed };
            add("again", page.render());
        }
        let (picture, seed, sealed) = ("<svg></svg>".to_owned(), own(), own());
        add("enrolment", EnrolmentPage { frame: somebody(), picture, seed, sealed, failed }.render());
    }
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
            changed: many > 1,
            totp_since: (many > 0).then(own),
            recovery_codes: many,
            sessions: (0..many).map(|index| session(index == 0)).collect(),
        };
        add("security", page.render());
        let organizations = vec![own(); many];
        add("start", StartPage { frame: somebody(), name: own(), organizations, waiting: many }.render());
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
            Stage::Waits(Box::new(Offered {
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
    for back in [None, Some("https://app.acme.test/back?a=1&b=2".to_owned())] {
        let (name, organization) = (own(), own());
        add("portal", PortalPage { frame: somebody(), name, organization, back: back.clone() }.render());
        add("portal that is over", OverPage { frame: somebody(), key: "portal-left", back }.render());
    }
    let address = "https://idp.test/auth?a=1&b=2".to_owned();
    add("departure", DeparturePage { frame: nobody(), name: own(), address }.render());
    add("link", LinkPage { frame: nobody(), email: own() }.render());
    add("trouble", TroublePage { frame: nobody(), key: "trouble-form" }.render());
    pages
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
            assert_eq!(
                html.matches("<form").count(),
                html.matches("name=\"csrf\" value=\"c0ffee\"").count(),
                "{context}"
            );
            assert!(html.matches("<form method=\"post\"").count() == html.matches("<form").count(), "{context}");
            // The instance lives below a path, and so does everything that a page points to.
            for attribute in ["href=\"", "action=\""] {
                for address in html.split(attribute).skip(1).filter_map(|rest| rest.split('"').next()) {
                    assert!(
                        address.starts_with("/keys/")
                            || [
                                "data:,",
                                "https://idp.test/auth?a=1&#38;b=2",
                                "https://app.acme.test/back?a=1&#38;b=2"
                            ]
                            .contains(&address),
                        "{address} of {context}"
                    );
                }
            }
            for forbidden in ["<script", "<style", " style=", " onclick", " onload"] {
                assert!(!html.contains(forbidden), "{forbidden} in {context}");
            }
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
