//! `/portal`: what a user of somebody's product sees of Claviger, perhaps in a frame of that product: their own tokens of one
//! organization, and a way back.
//!
//! A session here has a cookie of its own and opens nothing else; the pages link to nothing else either. Whatever is answered
//! here carries a [`Framing`], by one layer around all of it, so that no page and no error is shown in a frame of elsewhere.

#[cfg(test)]
pub(super) mod samples;
pub(super) mod theme;
pub(super) mod tokens;

use std::sync::Arc;

use askama::Template;
use axum::{
    extract::{FromRequestParts, Request, State},
    http::{HeaderMap, Method, StatusCode, request::Parts},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use claviger_core::{
    CodePurpose, Color, OneTimeCode, Organization, PortalLook, PortalOrigins, Reach, Session as Stored, SessionEnd,
};
use claviger_store::{FoundSession, StoreError, View};
use jiff::Timestamp;

use super::{
    form::PortalForm,
    link::{LinkCode, by_link},
    page::{Frame, go, page},
    query::Query,
    trouble::Trouble,
    visit::Visit,
};
use crate::{
    app::App,
    cookies::Cookie,
    link_maker::link_maker,
    session::{From, Session},
};

/// Where there is nothing to do but to go back, or to begin again.
#[derive(Template)]
#[template(path = "portal_over.html")]
pub(super) struct OverPage {
    pub(super) frame: Frame,
    /// Of the words that say why.
    pub(super) key: &'static str,
}

/// Whose frames may show an answer, where its page leads back to, and what it looks like. Travels from the layer around the portal
/// to the frame of all pages.
#[derive(Debug, Clone, Default)]
pub(crate) struct Framing {
    pub(super) origins: PortalOrigins,
    /// Where the product is, if its origin is still registered.
    pub(crate) back: Option<String>,
    /// What the product calls itself, if it said so.
    pub(crate) product: Option<String>,
    /// Of whom the tokens are a part.
    pub(crate) organization: String,
    pub(super) color: Option<Color>,
    /// Whether somebody is there now.
    pub(crate) lives: bool,
    /// Whether the link was opened too long ago for what lasts.
    pub(crate) is_old: bool,
}

impl Framing {
    pub(super) fn of(found: &FoundSession, lives: bool, now: Timestamp) -> Self {
        let Some(portal) = &found.portal else { return Self::default() };
        // What was registered when the session began may be gone by now.
        let back = found.session.return_url.as_deref().and_then(|url| portal.origins.way_back(url).ok());
        Self {
            back,
            organization: portal.name.clone(),
            lives,
            is_old: lives && !found.session.is_fresh(now),
            ..Self::looking(portal.origins.clone(), &portal.look)
        }
    }

    fn looking(origins: PortalOrigins, look: &PortalLook) -> Self {
        let product = look.name.as_ref().map(ToString::to_string);
        Self { origins, product, color: look.color, ..Self::default() }
    }

    /// What stands above the page.
    pub(crate) fn called(&self) -> &str {
        self.product.as_deref().unwrap_or(&self.organization)
    }

    fn around(self, mut response: Response) -> Response {
        response.extensions_mut().insert(self);
        response
    }
}

/// Who the layer found at the portal.
#[derive(Clone)]
struct Found(Option<Arc<Session>>);

/// Around all that is answered here: finds who is at the portal, and says where the answer may stand. What refuses a request before
/// its handler ran says so in the product's frame, too.
pub(crate) async fn stand(State(app): State<App>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let (from, now) = (From::read(&parts, &app), app.now());
    let found = match Session::at_portal(&parts.headers, &from, &app).await {
        Ok(found) => found,
        Err(error) => return Framing::default().around(Trouble::from(error).into_response()),
    };
    let framing = match &found {
        Ok(session) => Framing::of(session.found(), true, now),
        Err(ended) => ended.as_deref().map(|ended| Framing::of(ended, false, now)).unwrap_or_default(),
    };
    parts.extensions.insert(Found(found.ok().map(Arc::new)));
    let response = next.run(Request::from_parts(parts, body)).await;
    // Who enters comes to another portal than the one where they were.
    if response.extensions().get::<Framing>().is_some() { response } else { framing.around(response) }
}

/// Somebody at the portal who looks at a page.
pub(crate) struct AtPortal {
    pub(super) session: Arc<Session>,
    pub(super) visit: Visit,
}

impl FromRequestParts<App> for AtPortal {
    type Rejection = Trouble;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Trouble> {
        let found = parts.extensions.get::<Found>().and_then(|Found(session)| session.clone());
        let session = found.ok_or(Trouble::Portal)?;
        Ok(Self { session, visit: Visit::read(parts, app) })
    }
}

/// `GET /portal/enter?code=…`: uses the link, and goes on to an address without its code.
///
/// Other links wait for a click, so that a program that looks at them uses nothing up. This one acts at once. A frame that asks
/// for a click is what clickjacking lives on. And it is no link of a message: the product's backend makes it for the page that
/// the user is looking at, where it goes into the frame's address and works for five minutes. Nobody brings a session of
/// theirs into the product's frames either: the cookie is kept apart for the site that frames us. A browser that fetches
/// ahead, or asks for the head alone, uses nothing up.
pub(crate) async fn enter(
    State(app): State<App>,
    method: Method,
    headers: HeaderMap,
    before: Result<AtPortal, Trouble>,
    visit: Visit,
    Query(code): Query<LinkCode>,
) -> Response {
    // Whose portal a link that opens nothing was for is not known, so no frame shows that.
    let nowhere = |trouble: Trouble| Framing::default().around(trouble.into_response());
    if method != Method::GET || headers.contains_key("sec-purpose") {
        return nowhere(Trouble::Unreadable(StatusCode::BAD_REQUEST));
    }
    entered(&app, before.ok(), &visit, code).await.unwrap_or_else(nowhere)
}

async fn entered(app: &App, before: Option<AtPortal>, visit: &Visit, code: LinkCode) -> Result<Response, Trouble> {
    let nothing = || Trouble::Portal;
    let (code, digest) = app.code_in(code.code.as_deref(), CodePurpose::Portal).await?.ok_or_else(nothing)?;
    let organization = code.organization.ok_or_else(nothing)?;
    let (by, now, there) = (by_link(&code, visit), app.now(), Reach::Organization(organization));
    let from = &visit.from;
    let entered = Stored::enter_portal(&code, from.address, from.user_agent.as_deref(), now, &mut app.rng());
    let (session, secret, event) = entered.ok_or_else(nothing)?;
    let mut tx = app.store.begin(&by).await?;
    // User, organization, code: in this order everywhere. Whoever leaves meanwhile waits, or has left.
    let user = tx.to_change(there).user(code.user).await?.filter(|user| user.disabled_at.is_none());
    user.ok_or_else(nothing)?;
    tx.within(there).membership(organization, code.user).await?.ok_or_else(nothing)?;
    let organization = tx.to_change(there).organization(organization).await?;
    let organization = organization.filter(|found| found.disabled_at.is_none()).ok_or_else(nothing)?;
    if !may_still_let_in(&mut tx.within(Reach::Instance), &code, &organization, now).await? {
        return Err(nothing());
    }
    tx.redeem_one_time_code(CodePurpose::Portal, &digest, now).await?.ok_or_else(nothing)?;
    if let Some(AtPortal { session: before, .. }) = before
        && tx.end_session(before.user(), before.id()).await?
    {
        tx.also(before.found().session.end(SessionEnd::Replaced));
    }
    tx.insert_session(&session, &app.peppers.digest(&secret.hash())).await?;
    tx.commit(event, now, &mut app.rng()).await?;
    let framing = Framing::looking(organization.portal_origins, &organization.portal_look);
    Ok(framing.around(go("/portal", [Cookie::Portal.set(secret.expose(), visit.secure)])))
}

/// Whether the maker of a link could make it now: it lets nobody in as whom they could not let anybody in.
async fn may_still_let_in(
    view: &mut View<'_>,
    code: &OneTimeCode,
    organization: &Organization,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let (user, ceiling) = (code.user.into(), organization.effective_ceiling());
    let held = view.held(user, organization.id).await?.masked_by(&ceiling);
    let everywhere = view.held_everywhere(user).await?.masked_by(&ceiling);
    let made = (code.created_by.as_str(), code.created_with);
    let there = link_maker(view, made, Some(organization), now).await?;
    if everywhere.is_empty() {
        return Ok(there.may_still_let_in_at_portal(&held));
    }
    let anywhere = link_maker(view, made, None, now).await?;
    Ok(there.may_still_let_in_at_portal(&held) && anywhere.may_still_let_in_at_portal(&everywhere))
}

/// `POST /portal/leave`.
pub(crate) async fn leave(State(app): State<App>, form: PortalForm) -> Result<Response, Trouble> {
    let PortalForm { visit, session, .. } = form;
    let mut tx = app.store.begin(session.by()).await?;
    if tx.end_session(session.user(), session.id()).await? {
        tx.commit(session.found().session.end(SessionEnd::SignedOut), app.now(), &mut app.rng()).await?;
    }
    let framing = Framing::of(session.found(), false, app.now());
    // Not to another page: without a session, no frame would show one.
    let over = OverPage { frame: Frame::after_portal(framing, visit.language, &app), key: "portal-left" };
    Ok(page(&over, [Cookie::Portal.clear(visit.secure)]))
}
