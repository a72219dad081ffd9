//! The end of a credential, after a page that asks once more.

use askama::Template;
use axum::response::Response;
use claviger_core::{Kind, Rejection, RevokeReason};
use claviger_token::CredentialId;

use super::{Called, Place, shown::reason_words, withheld};
use crate::{
    console::{
        form::Fields,
        moment::Moment,
        page::{Frame, go, go_and_tell, page},
        trouble::Trouble,
    },
    problem::RequestError,
};

/// What somebody may give as the reason; the others are told by Claviger itself.
const REASONS: [RevokeReason; 4] =
    [RevokeReason::Unspecified, RevokeReason::Superseded, RevokeReason::Compromised, RevokeReason::Unused];

#[derive(Template)]
#[template(path = "revoke.html")]
pub(crate) struct RevokePage {
    pub(crate) frame: Frame,
    pub(crate) title: &'static str,
    pub(crate) name: String,
    pub(crate) id: String,
    pub(crate) used: Option<Moment>,
    /// From where.
    pub(crate) used_from: Option<String>,
    pub(crate) path: String,
}

impl RevokePage {
    pub(crate) fn reasons(&self) -> Vec<(&'static str, String)> {
        reasons(&self.frame)
    }
}

/// The reasons that a form offers.
pub(crate) fn reasons(frame: &Frame) -> Vec<(&'static str, String)> {
    REASONS.iter().map(|reason| (reason.as_str(), frame.text(reason_words(*reason)))).collect()
}

/// The one that was chosen.
pub(crate) fn reason(fields: &Fields) -> RevokeReason {
    REASONS.into_iter().find(|reason| reason.as_str() == fields.value("reason")).unwrap_or_default()
}

/// Asks once more.
pub(crate) async fn show(place: &Place<'_>, id: CredentialId) -> Result<Response, Trouble> {
    place.writer()?;
    let one = place.find(id).await?;
    if one.revocation.is_some() {
        return Ok(go(&place.path(id), []));
    }
    let frame = place.frame().await?;
    let last = one.last_used();
    let used = last.as_ref().map(|last| Moment::new(frame.language(), last.at, place.app.now()));
    let shown = RevokePage {
        frame,
        title: Called::of(Kind::of(id)).revoke,
        name: one.name.to_string(),
        id: one.id.to_string(),
        used,
        used_from: last.and_then(|last| last.from),
        path: place.path(id),
    };
    Ok(page(&shown, []))
}

/// Ends it.
pub(crate) async fn submit(place: &Place<'_>, id: CredentialId, fields: &Fields) -> Result<Response, Trouble> {
    let authority = place.writer()?;
    place.find(id).await?;
    let path = place.path(id);
    match authority.revoked(place.app, id, reason(fields)).await {
        Ok((tx, _, event)) => {
            tx.commit(event, place.app.now(), &mut place.app.rng()).await?;
            Ok(go_and_tell(&path, "revoked", []))
        }
        // Somebody else was faster; the page says why it ended.
        Err(RequestError::Rejected(Rejection::Conflict { .. })) => Ok(go(&path, [])),
        Err(error) => Err(withheld(error)),
    }
}
