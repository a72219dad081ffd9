//! `/portal`: what a user of somebody's product sees of Claviger, perhaps in a frame of that product: their own tokens of one
//! organization, and a way back. The token pages will grow from here.
//!
//! A session here has a cookie of its own and opens nothing else; the pages link to nothing else either. Whatever is answered
//! here carries a [`Framing`] if the organization is known, or no frame shows it.

use askama::Template;
use axum::{
    extract::{FromRequestParts, State},
    http::{HeaderMap, Method, StatusCode, request::Parts},
    response::Response,
};
use claviger_core::{CodePurpose, OneTimeCode, Organization, PortalOrigins, Reach, Session as Stored, SessionEnd};
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

#[derive(Template)]
#[template(path = "portal.html")]
pub(super) struct PortalPage {
    pub(super) frame: Frame,
    pub(super) name: String,
    pub(super) organization: String,
    /// Where the product is, if its origin is still registered.
    pub(super) back: Option<String>,
}

/// Where there is nothing to do any more but to go back.
#[derive(Template)]
#[template(path = "portal_over.html")]
pub(super) struct OverPage {
    pub(super) frame: Frame,
    /// Of the words that say why.
    pub(super) key: &'static str,
    pub(super) back: Option<String>,
}

/// Whose frames may show an answer, and where its page leads back to. Travels from the handler to the frame of all pages.
#[derive(Debug, Clone, Default)]
pub(crate) struct Framing {
    pub(super) origins: PortalOrigins,
    pub(super) back: Option<String>,
}

impl Framing {
    pub(super) fn of(found: &FoundSession) -> Self {
        let Some(portal) = &found.portal else { return Self::default() };
        // What was registered when the session began may be gone by now.
        let back = found.session.return_url.as_deref().and_then(|url| portal.origins.way_back(url).ok());
        Self { origins: portal.origins.clone(), back }
    }

    pub(super) fn around(self, mut response: Response) -> Response {
        response.extensions_mut().insert(self);
        response
    }
}

/// Somebody at the portal who looks at a page.
pub(crate) struct AtPortal(Session);

impl FromRequestParts<App> for AtPortal {
    type Rejection = Trouble;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Trouble> {
        let found = Session::at_portal(&parts.headers, &From::read(parts, app), app).await?;
        found.map(Self).map_err(over)
    }
}

/// Nobody is at the portal, or not any more: its page says so where it stood.
pub(super) fn over(found: Option<Box<FoundSession>>) -> Trouble {
    Trouble::Portal(found.as_deref().map(Framing::of).unwrap_or_default())
}

/// `GET /portal`.
pub(crate) async fn show(State(app): State<App>, visit: Visit, AtPortal(session): AtPortal) -> Response {
    let found = session.found();
    let framing = Framing::of(found);
    let portal = PortalPage {
        frame: Frame::of(&session, &visit, &app),
        name: session.shown().to_owned(),
        organization: found.portal.as_ref().map(|portal| portal.name.clone()).unwrap_or_default(),
        back: framing.back.clone(),
    };
    framing.around(page(&portal, []))
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
    visit: Visit,
    Query(code): Query<LinkCode>,
) -> Result<Response, Trouble> {
    if method != Method::GET || headers.contains_key("sec-purpose") {
        return Err(Trouble::Unreadable(StatusCode::BAD_REQUEST));
    }
    let nothing = || Trouble::Portal(Framing::default());
    let (code, digest) = app.code_in(code.code.as_deref(), CodePurpose::Portal).await?.ok_or_else(nothing)?;
    let organization = code.organization.ok_or_else(nothing)?;
    let before = Session::at_portal(&headers, &visit.from, &app).await?.ok();
    let (by, now, there) = (by_link(&code, &visit), app.now(), Reach::Organization(organization));
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
    if let Some(before) = before
        && tx.end_session(before.user(), before.id()).await?
    {
        tx.also(before.found().session.end(SessionEnd::Replaced));
    }
    tx.insert_session(&session, &app.peppers.digest(&secret.hash())).await?;
    tx.commit(event, now, &mut app.rng()).await?;
    let framing = Framing { origins: organization.portal_origins, back: None };
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
    let PortalForm { visit, session } = form;
    let mut tx = app.store.begin(session.by()).await?;
    if tx.end_session(session.user(), session.id()).await? {
        tx.commit(session.found().session.end(SessionEnd::SignedOut), app.now(), &mut app.rng()).await?;
    }
    let framing = Framing::of(session.found());
    // Not to another page: without a session, no frame would show one.
    let over = OverPage { frame: Frame::of(&session, &visit, &app), key: "portal-left", back: framing.back.clone() };
    Ok(framing.around(page(&over, [Cookie::Portal.clear(visit.secure)])))
}
