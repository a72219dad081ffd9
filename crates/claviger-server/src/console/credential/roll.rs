//! A new secret for a credential, while the old one works on for as long as is chosen.

use askama::Template;
use axum::response::Response;
use claviger_core::Rejection;
use claviger_token::CredentialId;

use super::{Place, made, once::Once, withheld};
use crate::{
    console::{
        form::Fields,
        page::{Frame, go, page},
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
    place.must_be_fresh(format!("{path}/roll"))?;
    let shown = RollPage {
        frame: place.frame().await?,
        name: one.name.to_string(),
        path,
        once: Once::field(place.app),
        rolling: one.is_rolling(place.app.now()),
    };
    Ok(page(&shown, []))
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
    let overlap = fields.value("overlap").parse::<u32>().map_err(|_| Trouble::Form)?;
    let now = app.now();
    let (tx, rolled) = match place.rolled(&authority, id, overlap, now).await {
        Ok(rolled) => rolled,
        // It cannot be rolled any more; its page says how it stands.
        Err(RequestError::Rejected(Rejection::Conflict { .. })) => return Ok(go(&path, [])),
        Err(error) => return Err(withheld(error)),
    };
    if let Some(response) = once.commit(app, tx, rolled.event.clone(), path, now).await? {
        return Ok(response);
    }
    made::show(place, &rolled).await
}
