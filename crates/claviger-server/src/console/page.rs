//! How a page is made and what browsers are told about it. The templates themselves stand beside their handlers.

use std::{
    fmt::Display,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    sync::LazyLock,
};

use askama::Template;
use axum::{
    extract::{Request, State},
    http::{HeaderName, HeaderValue, StatusCode, header},
    middleware::Next,
    response::{AppendHeaders, Html, IntoResponse, Response},
};
use claviger_core::PortalOrigins;
use claviger_store::StoreError;
use jiff::Timestamp;

use super::{
    form::visit_token,
    language::Language,
    number::grouped,
    portal::{Framing, OverPage, theme},
    shell::{Here, Shell},
    trouble::Words,
    visit::Visit,
};
use crate::{
    app::App,
    cookies::Cookie,
    origin,
    session::{Session, hex, is_token},
};

/// Nothing runs but our own files, nothing is loaded from elsewhere, no form leaves, and nothing frames us but the pages whose
/// portal it is, on which nothing runs at all.
fn policy(portal: Option<&PortalOrigins>) -> String {
    let ancestors = portal.filter(|origins| !origins.is_empty()).map_or("'none'".to_owned(), ToString::to_string);
    let scripts = if portal.is_some() { "" } else { " script-src 'self';" };
    format!(
        "default-src 'none'; style-src 'self';{scripts} img-src 'self' data:; form-action 'self'; frame-ancestors \
         {ancestors}; base-uri 'none'"
    )
}

const STYLESHEET: &str = include_str!("../../assets/console.css");
const SCRIPT: &str = include_str!("../../assets/console.js");
const PASSKEY_SCRIPT: &str = include_str!("../../assets/passkey.js");

static STYLESHEET_VERSION: LazyLock<String> = LazyLock::new(|| version(STYLESHEET));
static SCRIPT_VERSION: LazyLock<String> = LazyLock::new(|| version(SCRIPT));
static PASSKEY_SCRIPT_VERSION: LazyLock<String> = LazyLock::new(|| version(PASSKEY_SCRIPT));

/// What a file's address carries, so that another file has another one.
pub(super) fn version(content: &str) -> String {
    let mut hasher = DefaultHasher::new();
    content.hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

/// What can have been done, as an address names it in `done`, and the key of its text.
const NOTICES: [(&str, &str); 16] = [
    ("changed", "done-changed"),
    ("saved", "done-saved"),
    ("once", "done-once"),
    ("disabled", "done-disabled"),
    ("enabled", "done-enabled"),
    ("overlap", "done-overlap"),
    ("revoked", "done-revoked"),
    ("rotated", "done-rotated"),
    ("replaced", "done-replaced"),
    ("made", "done-made"),
    ("removed", "done-removed"),
    ("withdrawn", "done-withdrawn"),
    ("deleted", "done-deleted"),
    ("passkey", "done-passkey"),
    ("passkey-removed", "done-passkey-removed"),
    ("registered", "done-registered"),
];

/// What surrounds every page.
pub(crate) struct Frame {
    language: Language,
    base: String,
    path: String,
    /// What to call who is signed in.
    pub(crate) user: Option<String>,
    /// What every form of the page carries.
    pub(crate) csrf: String,
    /// The navigation beside it, if it has any.
    shell: Option<Shell>,
    /// The portal that it belongs to.
    portal: Option<Framing>,
    /// The key of what was done before somebody was sent here.
    notice: Option<&'static str>,
}

impl Frame {
    /// Of a page for somebody who is signed in.
    pub(crate) fn of(session: &Session, visit: &Visit, app: &App) -> Self {
        let user = Some(session.shown().to_owned());
        let notice = notice(visit, app);
        Self { user, csrf: session.csrf().to_owned(), notice, ..Self::bare(visit.language, &visit.path, app) }
    }

    /// Of a page for whoever looks, and the cookie by which its forms are known.
    pub(crate) fn of_anybody(visit: &Visit, app: &App) -> (Self, Option<HeaderValue>) {
        let (visitor, cookie) = visit.visitor(app);
        (Self { csrf: visit_token(&visitor, app), ..Self::bare(visit.language, &visit.path, app) }, cookie)
    }

    /// Of a page inside, with the navigation of the organization where somebody is, if they are in one.
    pub(crate) async fn inside(
        session: &Session,
        visit: &Visit,
        app: &App,
        here: Option<&Here>,
    ) -> Result<Self, StoreError> {
        let shell = Shell::of(session, visit, app, here).await?;
        Ok(Self { shell: Some(shell), ..Self::of(session, visit, app) })
    }

    /// Of a page of a portal.
    pub(crate) fn at_portal(session: &Session, visit: &Visit, app: &App) -> Self {
        let portal = Framing::of(session.found(), true, app.now());
        Self { portal: Some(portal), ..Self::of(session, visit, app) }
    }

    /// Of a page of a portal that says that there is nothing more to see.
    pub(crate) fn after_portal(portal: Framing, language: Language, app: &App) -> Self {
        Self { portal: Some(portal), ..Self::bare(language, "/portal", app) }
    }

    fn bare(language: Language, path: &str, app: &App) -> Self {
        let base = origin::here("", &app.config);
        let (user, csrf) = (None, String::new());
        Self { language, base, path: path.to_owned(), user, csrf, shell: None, portal: None, notice: None }
    }

    /// The navigation.
    pub(crate) fn shell(&self) -> Option<&Shell> {
        self.shell.as_ref()
    }

    /// The portal that it belongs to, where nothing runs.
    pub(crate) fn portal(&self) -> Option<&Framing> {
        self.portal.as_ref()
    }

    /// What leads back to the product.
    pub(crate) fn way_back(&self) -> String {
        match self.portal().and_then(|portal| portal.product.as_ref()) {
            Some(product) => self.text_with("portal-back-to", "name", product),
            None => self.text("portal-back"),
        }
    }

    /// Whether somebody is at a portal for too long already to make or change anything.
    pub(crate) fn is_old(&self) -> bool {
        self.portal().is_some_and(|portal| portal.is_old && self.user.is_some())
    }

    /// Whose page it says that it is.
    pub(crate) fn called(&self) -> &str {
        self.portal().map(Framing::called).filter(|called| !called.is_empty()).unwrap_or("Claviger")
    }

    /// The stylesheet with the product's colour, if it has one.
    pub(crate) fn theme(&self) -> Option<String> {
        self.portal()?.color.map(|color| self.here(theme::path(color)))
    }

    /// The key of what was done before somebody was sent here.
    pub(crate) fn notice(&self) -> Option<&'static str> {
        self.notice
    }

    /// A path of ours, as browsers must ask for it.
    pub(crate) fn here(&self, path: impl Display) -> String {
        format!("{}{path}", self.base)
    }

    /// The language's tag.
    pub(crate) fn tag(&self) -> &'static str {
        self.language.tag()
    }

    /// The links to the other languages: address, tag, name.
    pub(crate) fn languages(&self) -> Vec<(String, &'static str, &'static str)> {
        let link = |language: Language| {
            let mut query = url::form_urlencoded::Serializer::new(String::new());
            query.append_pair("to", language.tag()).append_pair("next", &self.path);
            (self.here(format_args!("/language?{}", query.finish())), language.tag(), language.name())
        };
        Language::ALL.into_iter().filter(|language| *language != self.language).map(link).collect()
    }

    pub(crate) fn text(&self, key: &str) -> String {
        self.language.text(key)
    }

    pub(crate) fn text_with(&self, key: &str, name: &'static str, value: impl AsRef<str>) -> String {
        self.language.text_with(key, name, value.as_ref())
    }

    /// A whole number, in groups.
    pub(crate) fn number(&self, number: impl Display) -> String {
        grouped(self.language, number)
    }

    pub(crate) fn text_counting(&self, key: &str, count: usize) -> String {
        self.language.text_counting(key, count)
    }

    /// The stylesheet, by an address that no other one ever had.
    pub(crate) fn stylesheet(&self) -> String {
        self.here(format_args!("/assets/console.css?v={}", *STYLESHEET_VERSION))
    }

    /// The script, likewise.
    pub(crate) fn script(&self) -> String {
        self.here(format_args!("/assets/console.js?v={}", *SCRIPT_VERSION))
    }

    /// The script of pages that ask for a passkey, likewise.
    pub(crate) fn passkey_script(&self) -> String {
        self.here(format_args!("/assets/passkey.js?v={}", *PASSKEY_SCRIPT_VERSION))
    }

    /// The language itself.
    pub(crate) fn language(&self) -> Language {
        self.language
    }

    #[cfg(test)]
    pub(crate) fn sample(language: Language, user: Option<&str>) -> Self {
        Self {
            language,
            base: "/keys".to_owned(),
            path: "/here?x=1&y=2".to_owned(),
            user: user.map(str::to_owned),
            csrf: "c0ffee".to_owned(),
            shell: None,
            portal: None,
            notice: None,
        }
    }

    #[cfg(test)]
    pub(crate) fn sample_at_portal(language: Language, user: Option<&str>, portal: Framing) -> Self {
        Self { portal: Some(portal), ..Self::sample(language, user) }
    }

    #[cfg(test)]
    pub(crate) fn sample_inside(language: Language, user: &str) -> Self {
        Self { shell: Some(Shell::sample(user)), ..Self::sample(language, Some(user)) }
    }
}

/// A time as people read it everywhere.
pub(crate) fn shown(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

/// A page with the cookies that it sets.
pub(crate) fn page(template: &impl Template, cookies: impl IntoIterator<Item = HeaderValue>) -> Response {
    page_with(StatusCode::OK, template, cookies)
}

/// The same where something is wrong with what was sent.
pub(crate) fn page_with(
    status: StatusCode,
    template: &impl Template,
    cookies: impl IntoIterator<Item = HeaderValue>,
) -> Response {
    let cookies: Vec<_> = cookies.into_iter().map(|cookie| (header::SET_COOKIE, cookie)).collect();
    match template.render() {
        Ok(html) => (status, AppendHeaders(cookies), Html(html)).into_response(),
        Err(error) => {
            tracing::error!(%error, "a page could not be made; this is a defect");
            let mut response = StatusCode::INTERNAL_SERVER_ERROR.into_response();
            response.extensions_mut().insert(Words("trouble-defect"));
            response
        }
    }
}

/// To another page, with the cookies that this sets.
pub(crate) fn go(path: &str, cookies: impl IntoIterator<Item = HeaderValue>) -> Response {
    let cookies: Vec<_> = cookies.into_iter().map(|cookie| (header::SET_COOKIE, cookie)).collect();
    (AppendHeaders(cookies), axum::response::Redirect::to(path)).into_response()
}

/// Which address tells what was done; travels from the handler to the frame.
#[derive(Clone)]
struct Done(String);

/// To a page that tells, once, what was done.
pub(crate) fn go_and_tell(path: &str, done: &str, cookies: impl IntoIterator<Item = HeaderValue>) -> Response {
    let path = format!("{path}?done={done}");
    let mut response = go(&path, cookies);
    response.extensions_mut().insert(Done(path));
    response
}

/// What a browser brings along to an address that tells what was done. A link is anybody's to make, and tells nothing without it.
fn done_mark(path: &str, app: &App) -> String {
    hex(&app.peppers.keyed_hash("done", &[path.as_bytes()]))
}

fn notice(visit: &Visit, app: &App) -> Option<&'static str> {
    let (_, query) = visit.path.split_once('?')?;
    let (_, done) = url::form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "done")?;
    let mark = done_mark(&visit.path, app);
    visit.done.iter().find(|known| is_token(known, &mark))?;
    NOTICES.into_iter().find(|(word, _)| *word == done).map(|(_, words)| words)
}

#[derive(Template)]
#[template(path = "trouble.html")]
pub(super) struct TroublePage {
    pub(super) frame: Frame,
    pub(super) key: &'static str,
}

/// Around all pages: makes a page of what went wrong, completes addresses, and says what browsers must not do.
pub(crate) async fn framed(State(app): State<App>, request: Request, next: Next) -> Response {
    let language = Language::of(request.headers(), app.is_secure());
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str()).to_owned();
    let is_get = request.method().is_safe();
    let was_told = Cookie::DONE.map(|cookie| (cookie, cookie.read(request.headers(), app.is_secure()).is_some()));
    let mut response = next.run(request).await;
    let framing = response.extensions_mut().remove::<Framing>();
    if let Some(Done(path)) = response.extensions_mut().remove() {
        let cookie = if framing.is_some() { Cookie::DoneAtPortal } else { Cookie::Done };
        response.headers_mut().append(header::SET_COOKIE, cookie.set(&done_mark(&path, &app), app.is_secure()));
    } else if is_get {
        for (cookie, _) in was_told.into_iter().filter(|(_, told)| *told) {
            response.headers_mut().append(header::SET_COOKIE, cookie.clear(app.is_secure()));
        }
    }
    if let Some(Words(key)) = response.extensions_mut().remove::<Words>() {
        let frame = Frame::bare(language, if is_get { &path } else { "/" }, &app);
        let (status, headers) = (response.status(), response.headers().clone());
        response = match &framing {
            Some(framing) => {
                let frame = Frame::after_portal(framing.clone(), language, &app);
                page_with(status, &OverPage { frame, key }, [])
            }
            None => page_with(status, &TroublePage { frame, key }, []),
        };
        for (name, value) in &headers {
            if *name != header::CONTENT_TYPE && *name != header::CONTENT_LENGTH {
                response.headers_mut().append(name, value.clone());
            }
        }
    }
    let headers = response.headers_mut();
    let location = headers.get(header::LOCATION).and_then(|value| value.to_str().ok()).map(str::to_owned);
    if let Some(path) = location.filter(|location| location.starts_with('/'))
        && let Ok(complete) = HeaderValue::from_str(&origin::here(&path, &app.config))
    {
        headers.insert(header::LOCATION, complete);
    }
    let policy = policy(framing.as_ref().map(|framing| &framing.origins));
    let policy = HeaderValue::from_str(&policy).unwrap_or(HeaderValue::from_static("default-src 'none'"));
    headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    // A page that isolates itself shows only frames that say this.
    let resource = if framing.is_some() { "cross-origin" } else { "same-origin" };
    let says = [
        (header::CACHE_CONTROL, "no-store"),
        // With no-referrer, browsers would not say either from where a form comes.
        (header::REFERRER_POLICY, "same-origin"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), resource),
        (header::VARY, "Accept-Language, Cookie"),
    ];
    for (name, value) in says {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if app.is_secure() {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000"));
    }
    response
}

/// `GET /assets/console.css`.
pub(crate) async fn stylesheet() -> impl IntoResponse {
    asset("text/css; charset=utf-8", STYLESHEET)
}

/// `GET /assets/console.js`.
pub(crate) async fn script() -> impl IntoResponse {
    asset("text/javascript; charset=utf-8", SCRIPT)
}

/// `GET /assets/passkey.js`.
pub(crate) async fn passkey_script() -> impl IntoResponse {
    asset("text/javascript; charset=utf-8", PASSKEY_SCRIPT)
}

pub(super) fn asset(media_type: &'static str, content: impl IntoResponse) -> impl IntoResponse {
    let headers = [
        (header::CONTENT_TYPE, media_type),
        (header::CACHE_CONTROL, "public, max-age=31536000, immutable"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ];
    (headers, content)
}
