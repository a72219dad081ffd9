//! Passkeys: an authenticator in software answers what the pages ask.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use claviger_core::{CodePurpose, Passkey};
use claviger_token::UserId;
use jiff::SignedDuration;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::{
    app::{PUBLIC_URL, TestApp, text, within},
    browser::{Browser, PASSWORD, Page, ZOE},
};

#[path = "../../../claviger-core/src/passkey/software.rs"]
#[expect(dead_code, reason = "the rules are tested in core, by the same authenticator")]
mod software;

use software::{BACKED_UP, ELIGIBLE, PRESENT, Pair, Software, VERIFIED};

const NEW: &str = "/account/security/passkeys/new";
const REFUSED: &str = "does not let you in";
const LATE: &str = "took too long, or was sent twice";

/// Something that holds a passkey of somebody.
struct Device {
    software: Software,
    user: UserId,
}

impl Device {
    fn of(user: UserId) -> Self {
        let software = Software::at("claviger.test", PUBLIC_URL, Pair::es256());
        Self { software: Software { flags: PRESENT | VERIFIED | ELIGIBLE | BACKED_UP, ..software }, user }
    }

    /// Answers what the page asks: the fields of its form.
    fn answers(&mut self, page: &Page) -> Vec<(&'static str, String)> {
        let challenge = page.field("challenge");
        self.software.challenge = URL_SAFE_NO_PAD.decode(&challenge).unwrap();
        let (client_data, data, signature) = self.software.assert();
        let mut fields: Vec<(&'static str, String)> = vec![("csrf", page.field("csrf")), ("challenge", challenge)];
        let handle = Passkey::handle_of(self.user);
        for (name, bytes) in [
            ("credential", self.software.credential.as_slice()),
            ("client_data", &client_data),
            ("authenticator_data", &data),
            ("signature", &signature),
            ("user_handle", &handle),
        ] {
            fields.push((name, URL_SAFE_NO_PAD.encode(bytes)));
        }
        fields
    }

    /// The same for a new passkey.
    fn makes(&mut self, page: &Page, name: &str) -> Vec<(&'static str, String)> {
        let challenge = page.field("challenge");
        self.software.challenge = URL_SAFE_NO_PAD.decode(&challenge).unwrap();
        let (client_data, attestation) = self.software.register();
        vec![
            ("csrf", page.field("csrf")),
            ("challenge", challenge),
            ("client_data", URL_SAFE_NO_PAD.encode(client_data)),
            ("attestation", URL_SAFE_NO_PAD.encode(attestation)),
            ("transports", "internal hybrid nonsense".to_owned()),
            ("name", name.to_owned()),
        ]
    }
}

async fn post(browser: &Browser<'_>, path: &str, fields: &[(&'static str, String)]) -> Page {
    let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
    browser.post(path, &fields).await
}

async fn added(browser: &Browser<'_>, device: &mut Device, name: &str) -> Page {
    let page = browser.get(NEW).await;
    let fields = device.makes(&page, name);
    post(browser, NEW, &fields).await
}

async fn signed_in(browser: &Browser<'_>, device: &mut Device) -> Page {
    let fields = device.answers(&browser.get("/sign-in").await);
    post(browser, "/sign-in/passkey", &fields).await
}

/// What a page asks a browser for.
fn asked(page: &Page) -> Value {
    let options = page.html.split("data-options=\"").nth(1).unwrap().split('"').next().unwrap();
    serde_json::from_str(&options.replace("&#34;", "\"").replace("&#60;", "<").replace("&#62;", ">")).unwrap()
}

/// The path of somebody's only passkey.
async fn only(app: &TestApp, user: UserId) -> (String, Passkey) {
    let mut passkeys = app.app.store.passkeys_of(user).await.unwrap();
    assert_eq!(passkeys.len(), 1);
    let passkey = passkeys.remove(0);
    (format!("/account/security/passkeys/{}", passkey.id), passkey)
}

/// A page without what differs each time that it is made.
fn bare(page: &Page) -> String {
    let mut html = page.html.clone();
    for name in ["csrf", "challenge"] {
        html = html.replace(&page.field(name), name);
    }
    html
}

on_both_databases! {
    async fn somebody_adds_a_passkey_and_signs_in_by_it_alone(app: &TestApp) {
        let (browser, zoe) = Browser::of_zoe(app).await;
        browser.get("/account/security").await.shows(StatusCode::OK, "Add a passkey");
        let page = browser.get(NEW).await;
        let options = asked(&page);
        assert_eq!((&options["rp"]["id"], &options["user"]["name"]), (&json!("claviger.test"), &json!(ZOE)));
        assert_eq!(options["user"]["displayName"], "Zoë <b>");
        assert_eq!(options["user"]["id"], URL_SAFE_NO_PAD.encode(Passkey::handle_of(zoe)));
        assert_eq!((&options["attestation"], &options["excludeCredentials"]), (&json!("none"), &json!([])));
        assert_eq!(options["authenticatorSelection"]["userVerification"], "required");
        assert_eq!(options["challenge"], page.field("challenge"));
        let mut device = Device::of(zoe);
        added(&browser, &mut device, "Zoë’s <i>phone</i>").await.leads_to("/account/security?done=passkey");
        let page = browser.get("/account/security?done=passkey").await;
        page.shows(StatusCode::OK, "Zoë’s &#60;i&#62;phone&#60;/i&#62;");
        page.shows(StatusCode::OK, "On several devices");
        page.shows(StatusCode::OK, "Your passkey is added");
        let (_, kept) = only(app, zoe).await;
        assert_eq!((kept.transports.to_text().as_str(), kept.used_at), ("hybrid internal", None));
        let again = asked(&browser.get(NEW).await);
        assert_eq!(again["excludeCredentials"][0]["transports"], json!(["hybrid", "internal"]));

        let there = Browser::new(app);
        let page = there.get("/sign-in?next=%2Faccount%2Fsecurity").await;
        page.shows(StatusCode::OK, "autocomplete=\"username webauthn\"");
        assert_eq!(asked(&page)["allowCredentials"], Value::Null, "it names nobody");
        let mut fields = device.answers(&page);
        fields.push(("next", "/account/security".to_owned()));
        post(&there, "/sign-in/passkey", &fields).await.leads_to("/account/security");
        there.get("/account/security").await.shows(StatusCode::OK, "just now");
        there.get(NEW).await.shows(StatusCode::OK, "Add a passkey");
        let (_, used) = only(app, zoe).await;
        assert!(used.used_at.is_some());

        let events = app.root().get(&format!("/v1/audit-events?actor={zoe}&action=session.started")).await;
        let events = events.expect(StatusCode::OK);
        assert_eq!((&events["items"][0]["details"]["method"], &events["items"][0]["details"]["passkey"]), (&json!("passkey"), &json!(used.id)));
        let events = app.root().get(&format!("/v1/audit-events?target={zoe}&action=passkey.added")).await.expect(StatusCode::OK);
        assert!(!events["items"][0]["details"].to_string().contains("phone"), "{events}");
    }

    async fn a_passkey_is_both_factors(app: &TestApp) {
        let (browser, zoe) = Browser::of_zoe(app).await;
        let mut device = Device::of(zoe);
        added(&browser, &mut device, "laptop").await.leads_to("/account/security?done=passkey");
        let by = claviger_core::By::system();
        let mut tx = app.app.store.begin(&by).await.unwrap();
        let own = tx.authenticators(zoe).await.unwrap().unwrap();
        let (own, event) = own.enable_totp(claviger_core::Sealed(vec![1]), 7, app.app.now());
        tx.save_authenticators(&own).await.unwrap();
        tx.commit(event, app.app.now(), &mut app.app.rng()).await.unwrap();
        let there = Browser::new(app);
        there.sign_in(ZOE, PASSWORD).await.leads_to("/sign-in/second-factor?next=%2F");
        signed_in(&there, &mut device).await.leads_to("/");
        there.get("/").await.shows(StatusCode::OK, "Hello");
        there.get(NEW).await.shows(StatusCode::OK, "Add a passkey");
    }

    async fn an_answer_counts_once_in_its_own_browser_and_in_time(app: &TestApp) {
        let (browser, zoe) = Browser::of_zoe(app).await;
        let mut device = Device::of(zoe);
        let page = browser.get(NEW).await;
        let made = device.makes(&page, "laptop");
        post(&browser, NEW, &made).await.leads_to("/account/security?done=passkey");
        post(&browser, NEW, &made).await.shows(StatusCode::UNPROCESSABLE_ENTITY, LATE);
        let mut other = Device::of(zoe);
        let mut fields = other.makes(&browser.get(NEW).await, "of another question");
        fields.retain(|(name, _)| *name != "challenge");
        fields.push(("challenge", made[1].1.clone()));
        assert_eq!(post(&browser, NEW, &fields).await.status, StatusCode::UNPROCESSABLE_ENTITY);
        added(&browser, &mut device, "the same").await.shows(StatusCode::UNPROCESSABLE_ENTITY, "has a passkey for your account already");

        let (one, two) = (Browser::new(app), Browser::new(app));
        let fields = device.answers(&one.get("/sign-in").await);
        // Somebody else sends it in their own name.
        let mut theirs = fields.clone();
        theirs[0].1 = two.get("/sign-in").await.field("csrf");
        post(&two, "/sign-in/passkey", &theirs).await.shows(StatusCode::UNPROCESSABLE_ENTITY, LATE);
        post(&two, "/sign-in/passkey", &fields).await.shows(StatusCode::FORBIDDEN, "Nothing was changed");
        assert_eq!(two.session(), "");
        let sent = post(&one, "/sign-in/passkey", &fields).await;
        sent.leads_to("/");
        // The cookie of the visit is gone with it; a thief who kept it has nothing either.
        let thief = Browser::new(app);
        let late = thief.get("/sign-in").await;
        let mut again = device.answers(&late);
        post(&thief, "/sign-in/passkey", &again).await.leads_to("/");
        thief.fill_in("/", "/sign-out", &[]).await.leads_to("/sign-in");
        again[0].1 = thief.get("/sign-in").await.field("csrf");
        post(&thief, "/sign-in/passkey", &again).await.shows(StatusCode::UNPROCESSABLE_ENTITY, LATE);

        let slow = Browser::new(app);
        let fields = device.answers(&slow.get("/sign-in").await);
        app.clock.advance(SignedDuration::from_hours(1));
        post(&slow, "/sign-in/passkey", &fields).await.shows(StatusCode::UNPROCESSABLE_ENTITY, LATE);
        // An answer to another question of the same page is none to this one.
        let fields = device.answers(&browser.get("/sign-in/again").await);
        post(&browser, "/sign-in/passkey", &fields).await.shows(StatusCode::FORBIDDEN, "Nothing was changed");
    }

    async fn whoever_has_no_passkey_that_counts_learns_nothing(app: &TestApp) {
        let (browser, zoe) = Browser::of_zoe(app).await;
        let yann = app.person("yann@acme.test", None).await;
        let mut device = Device::of(zoe);
        added(&browser, &mut device, "laptop").await.leads_to("/account/security?done=passkey");
        let unknown = signed_in(&Browser::new(app), &mut Device::of(zoe)).await;
        unknown.shows(StatusCode::UNPROCESSABLE_ENTITY, REFUSED);
        let mut pages = Vec::new();
        let another = Device { software: Software { pair: Pair::es256(), ..Device::of(zoe).software }, user: zoe };
        let mut forged = Device { software: Software { credential: device.software.credential.clone(), ..another.software }, user: zoe };
        pages.push(signed_in(&Browser::new(app), &mut forged).await);
        device.user = yann;
        pages.push(signed_in(&Browser::new(app), &mut device).await);
        device.user = zoe;
        device.software.flags = PRESENT | ELIGIBLE;
        pages.push(signed_in(&Browser::new(app), &mut device).await);
        device.software.flags = PRESENT | VERIFIED | ELIGIBLE;
        device.software.origin = "https://claviger.test.evil.test".to_owned();
        pages.push(signed_in(&Browser::new(app), &mut device).await);
        device.software.origin = PUBLIC_URL.to_owned();
        let garbage = Browser::new(app);
        let page = garbage.get("/sign-in").await;
        let (csrf, challenge) = (page.field("csrf"), page.field("challenge"));
        pages.push(garbage.post("/sign-in/passkey", &[("csrf", &csrf), ("challenge", &challenge), ("credential", "%\u{0}")]).await);
        app.disable(zoe).await;
        pages.push(signed_in(&Browser::new(app), &mut device).await);
        for page in &pages {
            assert_eq!((page.status, bare(page)), (unknown.status, bare(&unknown)));
        }
        let told = async || app.audit_trail(&zoe.to_string()).await.contains(&"sign_in.failed".to_owned());
        within(std::time::Duration::from_secs(5), "a failure is told", told).await;
    }

    async fn a_passkey_that_was_copied_is_refused_and_told(app: &TestApp) {
        let (browser, zoe) = Browser::of_zoe(app).await;
        let mut device = Device::of(zoe);
        device.software.sign_count = 7;
        added(&browser, &mut device, "key").await.leads_to("/account/security?done=passkey");
        device.software.sign_count = 9;
        signed_in(&Browser::new(app), &mut device).await.leads_to("/");
        // What else fails in the same minute does not keep that from being told.
        let mut other = Device::of(zoe);
        other.software.credential.clone_from(&device.software.credential);
        signed_in(&Browser::new(app), &mut other).await.shows(StatusCode::UNPROCESSABLE_ENTITY, REFUSED);
        for count in [9, 8, 0] {
            device.software.sign_count = count;
            signed_in(&Browser::new(app), &mut device).await.shows(StatusCode::UNPROCESSABLE_ENTITY, REFUSED);
        }
        let path = format!("/v1/audit-events?target={zoe}&action=sign_in.failed");
        let stages = async || {
            let events = app.root().get(&path).await.expect(StatusCode::OK);
            let mut stages: Vec<String> =
                events["items"].as_array().unwrap().iter().map(|event| text(&event["details"]["stage"])).collect();
            stages.sort();
            stages
        };
        let told = async || stages().await == ["passkey", "passkey_copied"];
        within(std::time::Duration::from_secs(5), "a copy is told, and what failed before", told).await;
        device.software.sign_count = 10;
        signed_in(&Browser::new(app), &mut device).await.leads_to("/");
    }

    async fn somebody_proves_again_who_they_are(app: &TestApp) {
        let (browser, zoe) = Browser::of_zoe(app).await;
        let mut device = Device::of(zoe);
        added(&browser, &mut device, "laptop").await.leads_to("/account/security?done=passkey");
        app.clock.advance(SignedDuration::from_mins(10));
        browser.get(NEW).await.leads_to("/sign-in/again?next=%2Faccount%2Fsecurity%2Fpasskeys%2Fnew");
        let page = browser.get("/sign-in/again").await;
        assert_eq!(asked(&page)["allowCredentials"].as_array().unwrap().len(), 1);
        let before = browser.session();
        let mut fields = device.answers(&page);
        // It is known whose it is, and not every authenticator says so.
        fields.retain(|(name, _)| *name != "user_handle");
        fields.push(("next", NEW.to_owned()));
        post(&browser, "/sign-in/again/passkey", &fields).await.leads_to(NEW);
        assert_ne!(browser.session(), before);
        browser.get(NEW).await.shows(StatusCode::OK, "Add a passkey");
        let events = app.root().get(&format!("/v1/audit-events?actor={zoe}&action=session.reauthenticated")).await.expect(StatusCode::OK);
        assert_eq!(events["items"][0]["details"]["method"], "passkey");

        app.person("yann@acme.test", Some(PASSWORD)).await;
        let yann = Browser::new(app);
        yann.sign_in("yann@acme.test", PASSWORD).await.leads_to("/");
        let page = yann.get("/sign-in/again").await;
        assert!(!page.html.contains("data-passkey="), "he has none");
        let challenge = yann.get(NEW).await;
        let fields = device.answers(&challenge);
        post(&yann, "/sign-in/again/passkey", &fields).await.shows(StatusCode::UNPROCESSABLE_ENTITY, "Is it still you?");
        // Of an own page with Zoë's passkey.
        let mut own = Device::of(yann_id(app).await);
        added(&yann, &mut own, "own").await.leads_to("/account/security?done=passkey");
        let fields = device.answers(&yann.get("/sign-in/again").await);
        post(&yann, "/sign-in/again/passkey", &fields).await.shows(StatusCode::UNPROCESSABLE_ENTITY, REFUSED);
    }

    async fn a_passkey_is_renamed_and_removed_by_its_user_alone(app: &TestApp) {
        let (browser, zoe) = Browser::of_zoe(app).await;
        let mut device = Device::of(zoe);
        added(&browser, &mut device, " \u{202e}hidden").await.leads_to("/account/security?done=passkey");
        let (path, passkey) = only(app, zoe).await;
        assert_eq!(passkey.name.as_str(), "Passkey 1", "what it cannot be called it is not called");
        let rename = async |seen: &str, name: &str| browser.fill_in(&path, &path, &[("seen", seen), ("name", name)]).await;
        rename("Passkey 1", "").await.shows(StatusCode::UNPROCESSABLE_ENTITY, "1 to 100 characters");
        rename("Passkey 1", "\"><script>").await.leads_to("/account/security?done=saved");
        rename("Passkey 1", "later").await.shows(StatusCode::UNPROCESSABLE_ENTITY, "renamed since you opened");
        browser.get("/account/security").await.shows(StatusCode::OK, "&#34;&#62;&#60;script&#62;");

        app.person("yann@acme.test", Some(PASSWORD)).await;
        let yann = Browser::new(app);
        yann.sign_in("yann@acme.test", PASSWORD).await.leads_to("/");
        let csrf = yann.get("/account/security").await.field("csrf");
        let remove = format!("{path}/remove");
        for path in [&path, &remove] {
            assert_eq!(yann.get(path).await.status, StatusCode::NOT_FOUND);
            assert_eq!(yann.post(path, &[("csrf", &csrf), ("name", "his"), ("seen", "\"><script>")]).await.status, StatusCode::NOT_FOUND);
            browser.post(path, &[("csrf", &csrf)]).await.shows(StatusCode::FORBIDDEN, "Nothing was changed");
            assert_eq!(Browser::new(app).get(path).await.status, StatusCode::SEE_OTHER);
        }
        for nowhere in ["/account/security/passkeys/x", "/account/security/passkeys/passkey_01h455vb4pex5vsknk084sn02q/remove"] {
            assert_eq!(browser.get(nowhere).await.status, StatusCode::NOT_FOUND, "{nowhere}");
        }
        only(app, zoe).await;

        let there = Browser::new(app);
        signed_in(&there, &mut device).await.leads_to("/");
        browser.get(&remove).await.shows(StatusCode::OK, "Remove this passkey?");
        browser.fill_in(&remove, &remove, &[]).await.leads_to("/account/security?done=passkey-removed");
        there.get("/").await.leads_to("/sign-in?next=%2F");
        browser.get("/").await.shows(StatusCode::OK, "Hello");
        signed_in(&there, &mut device).await.shows(StatusCode::UNPROCESSABLE_ENTITY, REFUSED);
        let trail = app.audit_trail(&zoe.to_string()).await;
        for told in ["passkey.added", "passkey.renamed", "passkey.removed"] {
            assert!(trail.iter().any(|action| action == told), "no {told} in {trail:?}");
        }
    }

    async fn the_last_way_in_is_not_removed(app: &TestApp) {
        let zoe = app.person(ZOE, None).await;
        let browser = Browser::new(app);
        let code = app.link_code(zoe, CodePurpose::SignIn).await;
        browser.get(&format!("/sign-in/link?code={}", code.expose())).await.leads_to("/sign-in/link");
        browser.fill_in("/sign-in/link", "/sign-in/link", &[]).await.leads_to("/");
        let mut device = Device::of(zoe);
        added(&browser, &mut device, "only").await.leads_to("/account/security?done=passkey");
        let (path, _) = only(app, zoe).await;
        let remove = format!("{path}/remove");
        browser.get(&remove).await.shows(StatusCode::OK, "could not sign in any more");
        let csrf = browser.get("/account/security").await.field("csrf");
        browser.post(&remove, &[("csrf", &csrf)]).await.shows(StatusCode::UNPROCESSABLE_ENTITY, "could not sign in any more");
        // Who has nothing else proves themselves by it again.
        app.clock.advance(SignedDuration::from_mins(10));
        let fields = device.answers(&browser.get("/sign-in/again").await);
        post(&browser, "/sign-in/again/passkey", &fields).await.leads_to("/");
        let mut second = Device::of(zoe);
        added(&browser, &mut second, "second").await.leads_to("/account/security?done=passkey");
        browser.fill_in(&remove, &remove, &[]).await.leads_to("/account/security?done=passkey-removed");
        only(app, zoe).await;
        // One that was made for a former name of the instance lets nobody in, and so it goes.
        let (path, kept) = only(app, zoe).await;
        let former = Passkey {
            id: <claviger_token::PasskeyId as claviger_token::TypedId>::generate(app.app.now(), &mut app.app.rng()),
            relying_party: "former.test".to_owned(),
            credential: vec![7; 32],
            ..kept
        };
        let (by, event) = (claviger_core::By::operator(), former.remove());
        let mut tx = app.app.store.begin(&by).await.unwrap();
        tx.insert_passkey(&former).await.unwrap();
        tx.commit(event, app.app.now(), &mut app.app.rng()).await.unwrap();
        let remove = format!("{path}/remove");
        browser.get(&remove).await.shows(StatusCode::OK, "could not sign in any more");
        browser.act(&remove, &[]).await.shows(StatusCode::UNPROCESSABLE_ENTITY, "could not sign in any more");
        app.clock.advance(SignedDuration::from_mins(10));
        let page = browser.get("/sign-in/again").await;
        assert_eq!(asked(&page)["allowCredentials"].as_array().unwrap().len(), 1, "nor is it asked for");
        let fields = second.answers(&page);
        post(&browser, "/sign-in/again/passkey", &fields).await.leads_to("/");
        let remove = format!("/account/security/passkeys/{}/remove", former.id);
        let shown = browser.get(&remove).await;
        assert!(shown.status == StatusCode::OK && !shown.html.contains("could not sign in any more"));
        browser.act(&remove, &[]).await.leads_to("/account/security?done=passkey-removed");
        only(app, zoe).await;
    }

    async fn somebody_has_twenty_passkeys_and_no_more(app: &TestApp) {
        let (browser, zoe) = Browser::of_zoe(app).await;
        for _ in 0..19 {
            added(&browser, &mut Device::of(zoe), "one of many").await.leads_to("/account/security?done=passkey");
        }
        let (one, two) = (browser.get(NEW).await, browser.get(NEW).await);
        let (one, two) = (Device::of(zoe).makes(&one, "20"), Device::of(zoe).makes(&two, "21"));
        post(&browser, NEW, &one).await.leads_to("/account/security?done=passkey");
        post(&browser, NEW, &two).await.shows(StatusCode::OK, "as many passkeys as there can be");
        assert_eq!(app.app.store.passkeys_of(zoe).await.unwrap().len(), 20);
        browser.get(NEW).await.shows(StatusCode::OK, "as many passkeys as there can be");
    }

    async fn what_does_not_count_is_slowed_down_and_what_does_is_not(app: &TestApp) {
        let (browser, zoe) = Browser::of_zoe(app).await;
        let mut device = Device::of(zoe);
        added(&browser, &mut device, "laptop").await.leads_to("/account/security?done=passkey");
        let stranger = Browser::new(app);
        let fields = Device::of(zoe).answers(&stranger.get("/sign-in").await);
        let mut refused = 0;
        while post(&stranger, "/sign-in/passkey", &fields).await.status == StatusCode::UNPROCESSABLE_ENTITY {
            refused += 1;
            assert!(refused <= 70);
        }
        post(&stranger, "/sign-in/passkey", &fields).await.shows(StatusCode::TOO_MANY_REQUESTS, "Too many tries");
        signed_in(&stranger, &mut device).await.leads_to("/");
    }

    async fn an_administrator_sees_passkeys_and_takes_them_away(app: &TestApp) {
        let (browser, zoe) = Browser::of_zoe(app).await;
        let list = format!("/v1/users/{zoe}/passkeys");
        assert_eq!(app.root().get(&list).await.expect(StatusCode::OK)["items"], json!([]));
        for name in ["first", "second"] {
            added(&browser, &mut Device::of(zoe), name).await.leads_to("/account/security?done=passkey");
        }
        let found = app.root().get(&list).await.expect(StatusCode::OK);
        assert_eq!((&found["items"][0]["name"], &found["items"][1]["name"]), (&json!("second"), &json!("first")));
        assert_eq!((&found["items"][0]["backed_up"], &found["items"][0]["last_used_at"]), (&json!(true), &Value::Null));
        assert!(!found.to_string().contains("key\":\""), "no key: {found}");
        let one = format!("{list}/{}", text(&found["items"][0]["id"]));
        let yann = app.person("yann@acme.test", None).await;
        let others = one.replace(&zoe.to_string(), &yann.to_string());
        app.root().delete(&others).await.problem(StatusCode::NOT_FOUND, "not_found");
        browser.get("/").await.shows(StatusCode::OK, "Hello");
        app.root().delete(&one).await.expect(StatusCode::NO_CONTENT);
        app.root().delete(&one).await.problem(StatusCode::NOT_FOUND, "not_found");
        browser.get("/").await.leads_to("/sign-in?next=%2F");
        let (_, left) = only(app, zoe).await;
        assert_eq!(left.name.as_str(), "first");
        assert!(app.audit_trail(&zoe.to_string()).await.contains(&"passkey.removed".to_owned()));
    }

    async fn an_instance_that_is_called_by_a_number_has_none(app: &TestApp) {
        app.person(ZOE, Some(PASSWORD)).await;
        let mut node = app.another_node_with(|config| config.public_url = "https://192.0.2.1".to_owned()).await;
        {
            let browser = Browser::new(&node);
            let page = browser.get("/sign-in").await;
            assert!(!page.html.contains("data-passkey") && !page.html.contains("webauthn"), "{}", page.html);
            let (csrf, email, password) = (page.field("csrf"), ("email", ZOE), ("password", PASSWORD));
            let sent = [("origin", "https://192.0.2.1")];
            let form = [email, password, ("csrf", csrf.as_str())];
            browser.send(reqwest::Method::POST, "/sign-in", &sent, Some(&form)).await.leads_to("/");
            browser.get("/account/security").await.shows(StatusCode::OK, "called by a name");
            assert_eq!(browser.get(NEW).await.status, StatusCode::NOT_FOUND);
        }
        node.finish().await;
    }
}

async fn yann_id(app: &TestApp) -> UserId {
    app.app.store.authenticators_by_email("yann@acme.test").await.unwrap().unwrap().user
}
