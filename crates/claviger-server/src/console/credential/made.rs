//! The one page that shows a secret. Nobody gets it again: a form that is sent twice leads elsewhere, and no browser keeps it.

use askama::Template;
use axum::response::Response;
use claviger_core::{CredentialStatus, Issued, Kind};
use claviger_token::Secret;

use super::{Called, Place};
use crate::console::{
    page::{Frame, page},
    snippets::Snippets,
    trouble::Trouble,
};

#[derive(Template)]
#[template(path = "made.html")]
pub(crate) struct MadePage<'a> {
    pub(crate) frame: Frame,
    pub(crate) title: &'static str,
    pub(crate) name: String,
    pub(crate) secret: &'a Secret,
    /// Whether somebody must approve it before it works.
    pub(crate) waits: bool,
    /// Where a service asks what it is worth, or a client for a token.
    pub(crate) try_at: String,
    /// Whose secret it is, if it proves a client.
    pub(crate) client_id: Option<String>,
    pub(crate) next: String,
    /// How gateways and services ask about a key, for who may know.
    pub(crate) snippets: Option<Snippets>,
}

/// Shows what was made, perhaps with how to ask about it. It is committed by now, so nothing may fail: whatever is read for the page was
/// read before.
pub(crate) fn show(
    place: &Place<'_>,
    frame: Frame,
    issued: &Issued,
    snippets: Option<Snippets>,
) -> Result<Response, Trouble> {
    titled(place, frame, issued, Called::of(Kind::of(issued.credential.id)).made, snippets)
}

/// The same of a new secret for what was there before.
pub(crate) fn show_rolled(place: &Place<'_>, frame: Frame, issued: &Issued) -> Result<Response, Trouble> {
    titled(place, frame, issued, "made-rolled", None)
}

fn titled(
    place: &Place<'_>,
    frame: Frame,
    issued: &Issued,
    title: &'static str,
    snippets: Option<Snippets>,
) -> Result<Response, Trouble> {
    let one = &issued.credential;
    let shown = MadePage {
        frame,
        title,
        name: one.name.to_string(),
        secret: &issued.secret,
        waits: one.status(place.app.now()) == CredentialStatus::PendingApproval,
        try_at: format!(
            "{}{}",
            place.app.config.public_url,
            if place.client().is_some() { "/oauth/token" } else { "/v1/token" }
        ),
        client_id: place.client().map(|of| of.account.to_string()),
        next: place.path(one.id),
        snippets,
    };
    Ok(page(&shown, []))
}

/// A link that was made. Whoever has it has what it opens, so it is shown as a secret is.
#[derive(Template)]
#[template(path = "made_link.html")]
pub(crate) struct MadeLinkPage<'a> {
    pub(crate) frame: Frame,
    pub(crate) title: &'static str,
    pub(crate) name: String,
    /// What to do with it.
    pub(crate) what: String,
    pub(crate) link: &'a Secret,
    pub(crate) next: String,
}

/// Shows a link that is committed by now.
pub(crate) fn link(
    frame: Frame,
    title: &'static str,
    name: String,
    what: String,
    link: &Secret,
    next: String,
) -> Result<Response, Trouble> {
    Ok(page(&MadeLinkPage { frame, title, name, what, link, next }, []))
}
