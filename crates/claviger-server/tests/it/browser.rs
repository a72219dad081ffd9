//! A browser as far as pages without scripts need one: it keeps cookies, shows pages and sends their forms.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use claviger_core::{By, CodePurpose, NewPasswordReset, NewUser, OneTimeCode, Password, PasswordChange, User};
use claviger_token::{Secret, UserId};
use reqwest::{
    Method, StatusCode,
    header::{COOKIE, HeaderMap, LOCATION, ORIGIN, SET_COOKIE},
};

use serde_json::json;

use crate::app::{PUBLIC_URL, TestApp, text};

pub(crate) const ZOE: &str = "Zoe@acme.test";
pub(crate) const PASSWORD: &str = "plum harbor seven lanterns";

/// A browser of somebody's own.
pub(crate) struct Browser<'a> {
    app: &'a TestApp,
    pub(crate) cookies: Mutex<BTreeMap<String, String>>,
    /// What it sends along with every request.
    headers: Vec<(&'static str, String)>,
}

/// What it shows.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) html: String,
}

impl Page {
    /// Where it leads on to.
    pub(crate) fn location(&self) -> &str {
        self.headers.get(LOCATION).map_or("", |value| value.to_str().unwrap())
    }

    #[track_caller]
    pub(crate) fn leads_to(&self, path: &str) {
        assert_eq!((self.status, self.location()), (StatusCode::SEE_OTHER, path), "{}", self.html);
    }

    #[track_caller]
    pub(crate) fn shows(&self, status: StatusCode, text: &str) {
        assert_eq!(self.status, status, "{}", self.html);
        assert!(self.html.contains(text), "no {text} in {}", self.html);
    }

    /// The value of the first field of this name.
    pub(crate) fn field(&self, name: &str) -> String {
        let field = self.html.split(&format!("name=\"{name}\" value=\"")).nth(1);
        field.unwrap_or_else(|| panic!("no field {name} in {}", self.html)).split('"').next().unwrap().to_owned()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

impl<'a> Browser<'a> {
    pub(crate) fn new(app: &'a TestApp) -> Self {
        Self { app, cookies: Mutex::default(), headers: Vec::new() }
    }

    /// One that sends this along.
    pub(crate) fn sending(app: &'a TestApp, name: &'static str, value: &str) -> Self {
        Self { headers: vec![(name, value.to_owned())], ..Self::new(app) }
    }

    pub(crate) fn cookie(&self, name: &str) -> Option<String> {
        self.cookies.lock().unwrap().get(name).cloned()
    }

    /// What holds the session.
    pub(crate) fn session(&self) -> String {
        self.cookie("__Host-claviger").unwrap_or_default()
    }

    pub(crate) async fn get(&self, path: &str) -> Page {
        self.send(Method::GET, path, &[], None).await
    }

    /// A request with the cookies, and whatever else.
    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        form: Option<&[(&str, &str)]>,
    ) -> Page {
        let cookies: Vec<String> =
            self.cookies.lock().unwrap().iter().map(|(name, value)| format!("{name}={value}")).collect();
        let mut request = self.app.request(method, self.app.public, path);
        if !cookies.is_empty() {
            request = request.header(COOKIE, cookies.join("; "));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        if let Some(form) = form {
            let mut body = url::form_urlencoded::Serializer::new(String::new());
            body.extend_pairs(form);
            request = request.header("content-type", "application/x-www-form-urlencoded").body(body.finish());
        }
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        for line in headers.get_all(SET_COOKIE) {
            let (name, rest) = line.to_str().unwrap().split_once('=').unwrap();
            let value = rest.split(';').next().unwrap();
            let flags = match name {
                "__Host-claviger-portal" | "__Host-claviger-portal-done" => {
                    "; Path=/; HttpOnly; SameSite=None; Secure; Partitioned"
                }
                _ => "; Path=/; HttpOnly; SameSite=Lax; Secure",
            };
            assert!(rest.contains(flags), "{rest}");
            if rest.contains("Max-Age=0") {
                self.cookies.lock().unwrap().remove(name);
            } else {
                self.cookies.lock().unwrap().insert(name.to_owned(), value.to_owned());
                if ["__Host-claviger", "__Host-claviger-code", "__Host-claviger-portal"].contains(&name) {
                    self.app.handed_out(value);
                }
            }
        }
        Page { status, headers, html: response.text().await.unwrap() }
    }

    /// Sends a form as a page of ours would.
    pub(crate) async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Page {
        self.send(Method::POST, path, &[(ORIGIN.as_str(), PUBLIC_URL)], Some(fields)).await
    }

    /// Looks at a page, fills in its form and sends it.
    pub(crate) async fn fill_in(&self, page: &str, action: &str, fields: &[(&str, &str)]) -> Page {
        let shown = self.get(page).await;
        assert_eq!(shown.status, StatusCode::OK, "{}: {}", shown.location(), shown.html);
        let csrf = shown.field("csrf");
        let once = shown.html.contains("name=\"once\"").then(|| shown.field("once"));
        let own = [("csrf", csrf.as_str())].into_iter().chain(once.as_deref().map(|once| ("once", once)));
        let fields: Vec<(&str, &str)> = fields.iter().copied().chain(own).collect();
        self.post(action, &fields).await
    }

    pub(crate) async fn sign_in(&self, email: &str, password: &str) -> Page {
        self.fill_in("/sign-in", "/sign-in", &[("email", email), ("password", password)]).await
    }
}

impl<'a> Browser<'a> {
    /// One in which Zoe, who is made with a password, is signed in.
    pub(crate) async fn of_zoe(app: &'a TestApp) -> (Self, UserId) {
        let zoe = app.person(ZOE, Some(PASSWORD)).await;
        let browser = Self::new(app);
        browser.sign_in(ZOE, PASSWORD).await.leads_to("/");
        (browser, zoe)
    }
}

impl TestApp {
    /// A user, made past the API.
    pub(crate) async fn person(&self, email: &str, password: Option<&str>) -> UserId {
        let (app, by, now) = (&self.app, By::operator(), self.app.now());
        let new = NewUser { name: Some("Zoë <b>".to_owned()), ..NewUser::with_email(email) };
        let (user, event) = User::create(&new, now, &mut app.rng()).unwrap();
        let mut tx = app.store.begin(&by).await.unwrap();
        tx.insert_user(&user).await.unwrap();
        if let Some(password) = password {
            let authenticators = tx.authenticators(user.id).await.unwrap().unwrap();
            let hash = Password::presented(password).unwrap().hash(&mut app.rng());
            let (authenticators, _) = authenticators.set_password(hash, PasswordChange::Chosen, now);
            tx.save_authenticators(&authenticators).await.unwrap();
        }
        tx.commit(event, now, &mut app.rng()).await.unwrap();
        user.id
    }

    /// The code of a link for a user.
    pub(crate) async fn link_code(&self, user: UserId, purpose: CodePurpose) -> Secret {
        let (app, by, now) = (&self.app, By::operator(), self.app.now());
        let mut tx = app.store.begin(&by).await.unwrap();
        let user = tx.within(claviger_core::Reach::Instance).user(user).await.unwrap().unwrap();
        let (code, secret, event) = match purpose {
            CodePurpose::PasswordReset => {
                let new = NewPasswordReset::default();
                OneTimeCode::password_reset(&user, &new, &by.actor, now, &mut app.rng()).unwrap()
            }
            CodePurpose::SignIn => OneTimeCode::sign_in(&user, &by.actor, now, &mut app.rng()),
            CodePurpose::Portal => panic!("no such link here"),
        };
        tx.insert_one_time_code(&code, &app.peppers.digest(&secret.hash())).await.unwrap();
        tx.commit(event, now, &mut app.rng()).await.unwrap();
        self.handed_out(secret.expose());
        secret
    }

    /// Disables a user.
    pub(crate) async fn disable(&self, user: UserId) {
        let (app, by, now) = (&self.app, By::operator(), self.app.now());
        let mut tx = app.store.begin(&by).await.unwrap();
        let user = tx.to_change(claviger_core::Reach::Instance).user(user).await.unwrap().unwrap();
        let changes = claviger_core::UserChanges { disabled: Some(true), ..Default::default() };
        let (user, event) = user.update(&changes, now).unwrap();
        tx.save_user(&user).await.unwrap();
        tx.commit(event, now, &mut app.rng()).await.unwrap();
    }
}

/// What the pages of people need: somebody somewhere, and forms.
impl TestApp {
    /// Somebody with these roles and permissions in an organization, who is signed in, and their id.
    pub(crate) async fn somebody(
        &self,
        organization: &str,
        email: &str,
        roles: &[&str],
        permissions: &[&str],
    ) -> (Browser<'_>, String) {
        let user = self.person(email, Some(PASSWORD)).await.to_string();
        let path = format!("/v1/organizations/{organization}/members/{user}");
        let body = json!({ "roles": roles, "permissions": permissions });
        self.root().put(&path, body).await.expect(StatusCode::CREATED);
        let browser = Browser::new(self);
        browser.sign_in(email, PASSWORD).await.leads_to("/");
        (browser, user)
    }

    /// Gives a role with instance scope.
    pub(crate) async fn give_everywhere(&self, home: &str, user: &str, role: &str) {
        let body = json!({ "principal_id": user, "organization_id": home, "role": role, "scope": "instance" });
        self.root().post("/v1/assignments", body).await.expect(StatusCode::CREATED);
    }

    /// A token that somebody makes for themselves by the page.
    pub(crate) async fn own_token(&self, browser: &Browser<'_>, organization: &str, permissions: &[&str]) -> String {
        let found = self.root().get(&format!("/v1/organizations/{organization}")).await.expect(StatusCode::OK);
        let slug = text(&found["slug"]);
        let shown = browser.get(&format!("/account/tokens/new?organization={slug}")).await;
        let (csrf, once) = (shown.field("csrf"), shown.field("once"));
        let mut fields =
            vec![("csrf", csrf.as_str()), ("once", &once), ("organization", &slug), ("name", "own"), ("life", "30")];
        fields.extend(permissions.iter().map(|permission| ("permission", *permission)));
        let made = browser.post("/account/tokens/new", &fields).await;
        let secret = made.html.split("id=\"secret\"").nth(1).unwrap_or_else(|| panic!("no secret in {}", made.html));
        let secret = secret.split_once('>').unwrap().1.split('<').next().unwrap().to_owned();
        self.handed_out(&secret);
        secret
    }

    /// What a credential may do now.
    pub(crate) async fn permissions(&self, token: &str) -> Vec<String> {
        let told = self.verify(token, json!({})).await;
        told["permissions"].as_array().map(|all| all.iter().map(text).collect()).unwrap_or_default()
    }
}

impl Browser<'_> {
    /// Sends a form that carries the session's token, and as if it had not been sent before.
    pub(crate) async fn act(&self, path: &str, fields: &[(&str, &str)]) -> Page {
        static SENT: AtomicU64 = AtomicU64::new(0);
        let csrf = self.get("/account/security").await.field("csrf");
        let once = format!("{:032x}", SENT.fetch_add(1, Ordering::Relaxed));
        let own = [("csrf", csrf.as_str()), ("once", once.as_str())];
        let fields: Vec<(&str, &str)> = fields.iter().copied().chain(own).collect();
        self.post(path, &fields).await
    }
}
