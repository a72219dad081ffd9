//! How a page is made and what browsers are told about it. The templates themselves stand beside their handlers.

use askama::Template;
use axum::{
    extract::{Request, State},
    http::{HeaderName, HeaderValue, StatusCode, header},
    middleware::Next,
    response::{AppendHeaders, Html, IntoResponse, Response},
};
use claviger_core::PortalOrigins;
use jiff::Timestamp;

use super::{
    form::visit_token,
    language::Language,
    portal::{Framing, OverPage},
    trouble::Words,
    visit::Visit,
};
use crate::{app::App, origin, session::Session};

/// Nothing runs, nothing is loaded from elsewhere, no form leaves, and nothing frames us but the pages whose portal it is.
fn policy(origins: Option<&PortalOrigins>) -> String {
    let ancestors = origins.filter(|origins| !origins.is_empty()).map_or("'none'".to_owned(), ToString::to_string);
    format!(
        "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; frame-ancestors {ancestors}; base-uri \
         'none'"
    )
}

/// What surrounds every page.
pub(crate) struct Frame {
    language: Language,
    base: String,
    path: String,
    /// What to call who is signed in.
    pub(crate) user: Option<String>,
    /// What every form of the page carries.
    pub(crate) csrf: String,
}

impl Frame {
    /// Of a page for somebody who is signed in.
    pub(crate) fn of(session: &Session, visit: &Visit, app: &App) -> Self {
        let user = Some(session.shown().to_owned());
        Self { user, csrf: session.csrf().to_owned(), ..Self::bare(visit.language, &visit.path, app) }
    }

    /// Of a page for whoever looks, and the cookie by which its forms are known.
    pub(crate) fn of_anybody(visit: &Visit, app: &App) -> (Self, Option<HeaderValue>) {
        let (visitor, cookie) = visit.visitor(app);
        (Self { csrf: visit_token(&visitor, app), ..Self::bare(visit.language, &visit.path, app) }, cookie)
    }

    fn bare(language: Language, path: &str, app: &App) -> Self {
        let base = origin::here("", &app.config);
        Self { language, base, path: path.to_owned(), user: None, csrf: String::new() }
    }

    /// A path of ours, as browsers must ask for it.
    pub(crate) fn here(&self, path: &str) -> String {
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
            (self.here(&format!("/language?{}", query.finish())), language.tag(), language.name())
        };
        Language::ALL.into_iter().filter(|language| *language != self.language).map(link).collect()
    }

    pub(crate) fn text(&self, key: &str) -> String {
        self.language.text(key)
    }

    pub(crate) fn text_with(&self, key: &str, name: &'static str, value: &str) -> String {
        self.language.text_with(key, name, value)
    }

    pub(crate) fn text_counting(&self, key: &str, count: usize) -> String {
        self.language.text_counting(key, count)
    }

    /// The stylesheet of this version.
    pub(crate) fn stylesheet(&self) -> String {
        self.here(concat!("/assets/console.css?v=", env!("CARGO_PKG_VERSION")))
    }

    #[cfg(test)]
    pub(crate) fn sample(language: Language, user: Option<&str>) -> Self {
        Self {
            language,
            base: "/keys".to_owned(),
            path: "/here?x=1&y=2".to_owned(),
            user: user.map(str::to_owned),
            csrf: "c0ffee".to_owned(),
        }
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
    let mut response = next.run(request).await;
    let framing = response.extensions_mut().remove::<Framing>();
    if let Some(Words(key)) = response.extensions_mut().remove::<Words>() {
        let frame = Frame::bare(language, if is_get { &path } else { "/" }, &app);
        let (status, headers) = (response.status(), response.headers().clone());
        response = match &framing {
            Some(framing) => page_with(status, &OverPage { frame, key, back: framing.back.clone() }, []),
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
    let headers = [
        (header::CONTENT_TYPE, "text/css; charset=utf-8"),
        (header::CACHE_CONTROL, "public, max-age=86400"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ];
    (headers, include_str!("../../assets/console.css"))
}
