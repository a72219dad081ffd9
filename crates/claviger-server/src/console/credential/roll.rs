//! A new secret for a credential, while the old one works on for as long as is chosen.

use askama::Template;
use axum::{http::StatusCode, response::Response};
use claviger_core::{Credential, Rejection};
use claviger_token::CredentialId;

use super::{Place, made, once::Once, withheld};
use crate::{
    console::{
        form::Fields,
        page::{Frame, go, page_with, shown},
        trouble::Trouble,
    },
    problem::RequestError,
};

/// How long the old secret works on, in seconds, and the key of its text.
const OVERLAPS: [(u32, &str); 5] = [
    (0, "overlap-none"),
    (3600, "overlap-hour"),
    (86_400, "overlap-day"),
    (604_800, "overlap-week"),
    (2_592_000, "overlap-month"),
];

/// What is chosen at first: time for a deployment, and not for forgetting it.
const USUAL: u32 = 86_400;

#[derive(Template)]
#[template(path = "roll.html")]
pub(crate) struct RollPage {
    pub(crate) frame: Frame,
    pub(crate) name: String,
    pub(crate) path: String,
    pub(crate) once: String,
    /// The number of the secret that it replaces.
    pub(crate) seen: u32,
    /// What somebody else did meanwhile.
    pub(crate) meanwhile: Option<String>,
    /// Whether an older secret still works, which this ends.
    pub(crate) rolling: bool,
}

impl RollPage {
    pub(crate) fn overlaps(&self) -> Vec<(u32, String, bool)> {
        OVERLAPS.iter().map(|(seconds, key)| (*seconds, self.frame.text(key), *seconds == USUAL)).collect()
    }
}

/// Asks for how long.
pub(crate) async fn show(place: &Place<'_>, id: CredentialId) -> Result<Response, Trouble> {
    place.writer()?;
    let one = place.find(id).await?;
    let path = place.path(id);
    if one.revocation.is_some() {
        return Ok(go(&path, []));
    }
    place.must_be_fresh(format!("{path}/roll"))?;
    with(place, &one, place.frame().await?, None)
}

fn with(place: &Place<'_>, one: &Credential, frame: Frame, meanwhile: Option<String>) -> Result<Response, Trouble> {
    let status = if meanwhile.is_none() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    let shown = RollPage {
        name: one.name.to_string(),
        path: place.path(one.id),
        once: Once::field(place.app),
        seen: one.secrets.first().ok_or(Trouble::Absent)?.number,
        meanwhile,
        rolling: one.is_rolling(place.app.now()),
        frame,
    };
    Ok(page_with(status, &shown, []))
}

/// Makes the secret, and shows it this once.
pub(crate) async fn submit(place: &Place<'_>, id: CredentialId, fields: &Fields) -> Result<Response, Trouble> {
    let authority = place.writer()?;
    place.find(id).await?;
    let (app, path) = (place.app, place.path(id));
    let once = Once::of(app, place.session, &format!("{path}/roll"), fields)?;
    if let Some(response) = once.done(app).await? {
        return Ok(response);
    }
    place.must_be_fresh(format!("{path}/roll"))?;
    let number = |name| fields.value(name).parse::<u32>().map_err(|_| Trouble::Form);
    let (overlap, seen, now, frame) = (number("overlap")?, number("seen")?, app.now(), place.frame().await?);
    let (tx, rolled) = match place.rolled(&authority, id, overlap, now).await {
        Ok(rolled) => rolled,
        // It cannot be rolled any more; its page says how it stands.
        Err(RequestError::Rejected(Rejection::Conflict { .. })) => return Ok(go(&path, [])),
        Err(error) => return Err(withheld(error)),
    };
    // Locked now. Where somebody else rolled it since, this would end the secret that programs may still use: they ask first.
    if rolled.credential.secrets.first().is_none_or(|new| new.number.checked_sub(1) != Some(seen)) {
        drop(tx);
        if let Some(response) = once.done(app).await? {
            return Ok(response);
        }
        let one = place.find(id).await?;
        let at = one.secrets.first().map(|secret| shown(secret.created_at)).unwrap_or_default();
        let meanwhile = frame.text_with("roll-meanwhile", "when", at);
        return with(place, &one, frame, Some(meanwhile));
    }
    if let Some(response) = once.commit(app, tx, rolled.event.clone(), path, now).await? {
        return Ok(response);
    }
    made::show_rolled(place, frame, &rolled)
}
