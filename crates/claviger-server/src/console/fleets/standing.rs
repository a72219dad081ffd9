//! What is done about a fleet as a whole: close it and open it again, end all that its devices hold, and end it for good.

use askama::Template;
use axum::{extract::State, response::Response};
use claviger_core::{FleetChanges, Reach, Rejection, RevokeReason};
use claviger_token::FleetId;

use super::{Which, find, list_path, may_write, path, writer};
use crate::{
    app::App,
    console::{
        credential::{Place, withheld},
        inside::{Inside, InsideForm},
        page::{Frame, go, go_and_tell, page},
        trouble::Trouble,
    },
    manage::fleet,
    problem::RequestError,
};

#[derive(Template)]
#[template(path = "fleet_end.html")]
pub(crate) struct EndPage {
    pub(crate) frame: Frame,
    pub(crate) path: String,
    pub(crate) name: String,
    pub(crate) id: String,
    pub(crate) devices: i64,
    /// Whether the fleet itself ends, too.
    pub(crate) deletes: bool,
}

/// `POST …/{fleet}/close`.
pub(crate) async fn close(State(app): State<App>, Which(id): Which, form: InsideForm) -> Result<Response, Trouble> {
    set_closed(&form.place(&app), id, true).await
}

/// `POST …/{fleet}/reopen`.
pub(crate) async fn reopen(State(app): State<App>, Which(id): Which, form: InsideForm) -> Result<Response, Trouble> {
    set_closed(&form.place(&app), id, false).await
}

async fn set_closed(place: &Place<'_>, id: FleetId, closed: bool) -> Result<Response, Trouble> {
    let (app, here) = (place.app, may_write(place)?);
    find(app, here, id).await?;
    let path = path(here, id);
    if !closed {
        place.must_be_fresh(path.clone())?;
    }
    let changes = FleetChanges { closed: Some(closed), ..FleetChanges::default() };
    match fleet::updated(app, &writer(place)?, id, &changes).await {
        Ok(updated) => {
            updated.tx.commit(updated.event, app.now(), &mut app.rng()).await?;
            Ok(go_and_tell(&path, "saved", []))
        }
        Err(error) => Err(withheld(error)),
    }
}

/// `GET …/{fleet}/revoke`: asks once more.
pub(crate) async fn ask_to_revoke(
    State(app): State<App>,
    Which(id): Which,
    inside: Inside,
) -> Result<Response, Trouble> {
    ask(&inside.place(&app), id, false).await
}

/// `GET …/{fleet}/delete`: asks once more.
pub(crate) async fn ask_to_delete(
    State(app): State<App>,
    Which(id): Which,
    inside: Inside,
) -> Result<Response, Trouble> {
    ask(&inside.place(&app), id, true).await
}

async fn ask(place: &Place<'_>, id: FleetId, deletes: bool) -> Result<Response, Trouble> {
    let here = may_write(place)?;
    let fleet = find(place.app, here, id).await?;
    place.must_be_fresh(place.visit.path.clone())?;
    let devices = place.app.store.within(Reach::Organization(here.organization.id)).count_devices(id).await?;
    let shown = EndPage {
        frame: place.frame().await?,
        path: path(here, id),
        name: fleet.name.to_string(),
        id: id.to_string(),
        devices,
        deletes,
    };
    Ok(page(&shown, []))
}

/// `POST …/{fleet}/revoke`.
pub(crate) async fn revoke(State(app): State<App>, Which(id): Which, form: InsideForm) -> Result<Response, Trouble> {
    let place = form.place(&app);
    let here = may_write(&place)?;
    find(&app, here, id).await?;
    place.must_be_fresh(format!("{}/revoke", path(here, id)))?;
    match fleet::revoked(&app, &writer(&place)?, id, RevokeReason::Unspecified).await {
        Ok((tx, _, event)) => {
            tx.commit(event, app.now(), &mut app.rng()).await?;
            Ok(go_and_tell(&path(here, id), "revoked", []))
        }
        Err(error) => Err(withheld(error)),
    }
}

/// `POST …/{fleet}/delete`.
pub(crate) async fn delete(State(app): State<App>, Which(id): Which, form: InsideForm) -> Result<Response, Trouble> {
    let place = form.place(&app);
    let here = may_write(&place)?;
    let list = list_path(here);
    find(&app, here, id).await?;
    place.must_be_fresh(format!("{}/delete", path(here, id)))?;
    match fleet::deleted(&app, &writer(&place)?, id).await {
        Ok((tx, event)) => {
            tx.commit(event, app.now(), &mut app.rng()).await?;
            Ok(go_and_tell(&list, "deleted", []))
        }
        // Somebody else was faster.
        Err(RequestError::NotFound | RequestError::Rejected(Rejection::Conflict { .. })) => Ok(go(&list, [])),
        Err(error) => Err(withheld(error)),
    }
}
