//! What is done about a credential by one button: stop it, start it again, end an overlap.

use axum::response::Response;
use claviger_core::{CredentialChanges, Rejection};
use claviger_token::CredentialId;

use super::{Place, What, withheld};
use crate::{
    console::{
        page::{go, go_and_tell},
        trouble::Trouble,
    },
    problem::RequestError,
};

/// Stops it for now, or starts it again.
pub(crate) async fn disable(place: &Place<'_>, id: CredentialId, disabled: bool) -> Result<Response, Trouble> {
    let authority = place.writer()?;
    place.find(id).await?;
    let path = place.path(id);
    // The session's own rule, which asks who they are of whatever starts something, and of all that is done to a token.
    if !disabled || place.what != What::ApiKeys {
        place.must_be_fresh(path.clone())?;
    }
    let changes = CredentialChanges { disabled: Some(disabled), ..CredentialChanges::default() };
    match place.updated(&authority, id, changes).await {
        Ok((tx, _, event)) => {
            tx.commit(event, place.app.now(), &mut place.app.rng()).await?;
            let done = if disabled { "disabled" } else { "enabled" };
            Ok(go_and_tell(&path, done, []))
        }
        Err(RequestError::Rejected(Rejection::Conflict { .. })) => Ok(go(&path, [])),
        Err(error) => Err(withheld(error)),
    }
}

/// Ends the secret that was rolled away, and leaves the current one.
pub(crate) async fn end_overlap(place: &Place<'_>, id: CredentialId) -> Result<Response, Trouble> {
    let authority = place.writer()?;
    place.find(id).await?;
    let path = place.path(id);
    match authority.end_overlap(place.app, id).await {
        Ok(_) => Ok(go_and_tell(&path, "overlap", [])),
        Err(RequestError::Rejected(Rejection::Conflict { .. })) => Ok(go(&path, [])),
        Err(error) => Err(withheld(error)),
    }
}
