//! What is done about a service account as a whole: stop it, start it again, and end it for good after a page that asks.

use askama::Template;
use axum::{extract::State, response::Response};
use claviger_core::{Rejection, ServiceAccountChanges, permission};
use claviger_store::Held;
use claviger_token::ServiceAccountId;

use super::{Account, counted, find, list_path, may_write, path};
use crate::{
    app::App,
    console::{
        credential::{Place, withheld},
        inside::{Inside, InsideForm},
        page::{Frame, go, go_and_tell, page},
        trouble::Trouble,
    },
    manage::{Authority, service_account},
    problem::RequestError,
};

/// How far what ends with it is counted.
const COUNTED: u32 = 1000;

#[derive(Template)]
#[template(path = "service_account_delete.html")]
pub(crate) struct DeletePage {
    pub(crate) frame: Frame,
    pub(crate) path: String,
    pub(crate) name: String,
    pub(crate) id: String,
    /// How many API keys end with it.
    pub(crate) keys: String,
    /// How much else by which it proves itself.
    pub(crate) proofs: String,
}

/// `POST …/{account}/disable`.
pub(crate) async fn disable(
    State(app): State<App>,
    Account(id): Account,
    form: InsideForm,
) -> Result<Response, Trouble> {
    set_disabled(&form.place(&app), id, true).await
}

/// `POST …/{account}/enable`.
pub(crate) async fn enable(
    State(app): State<App>,
    Account(id): Account,
    form: InsideForm,
) -> Result<Response, Trouble> {
    set_disabled(&form.place(&app), id, false).await
}

async fn set_disabled(place: &Place<'_>, id: ServiceAccountId, disabled: bool) -> Result<Response, Trouble> {
    let (app, here) = (place.app, may_write(place)?);
    find(app, here, id).await?;
    let path = path(here, id);
    if !disabled {
        place.must_be_fresh(path.clone())?;
    }
    let changes = ServiceAccountChanges { disabled: Some(disabled), ..ServiceAccountChanges::default() };
    let authority = writer(place)?;
    match service_account::updated(app, &authority, id, &changes).await {
        Ok(updated) => {
            updated.tx.commit(updated.event, app.now(), &mut app.rng()).await?;
            let done = if disabled { "disabled" } else { "enabled" };
            Ok(go_and_tell(&path, done, []))
        }
        Err(error) => Err(withheld(error)),
    }
}

/// Somebody's, to change accounts here.
pub(super) fn writer<'a>(place: &Place<'a>) -> Result<Authority<'a>, Trouble> {
    let here = may_write(place)?;
    Authority::of_person(place.session, &here.person, permission::SERVICE_ACCOUNTS_WRITE).ok_or(Trouble::Absent)
}

/// `GET …/{account}/delete`: asks once more.
pub(crate) async fn ask_to_delete(
    State(app): State<App>,
    Account(id): Account,
    inside: Inside,
) -> Result<Response, Trouble> {
    let place = inside.place(&app);
    let here = may_write(&place)?;
    let account = find(&app, here, id).await?;
    place.must_be_fresh(inside.visit.path.clone())?;
    let mut view = app.store.within(claviger_core::Reach::Organization(here.organization.id));
    let held = view.credentials_of_accounts(&[id], app.now(), COUNTED + 1).await?;
    let Held { api_keys, proofs } = held.get(&id).copied().unwrap_or_default();
    let shown = DeletePage {
        path: path(here, id),
        name: account.name.to_string(),
        id: id.to_string(),
        keys: counted(api_keys, COUNTED),
        proofs: counted(proofs, COUNTED),
        frame: place.frame().await?,
    };
    Ok(page(&shown, []))
}

/// `POST …/{account}/delete`.
pub(crate) async fn delete(
    State(app): State<App>,
    Account(id): Account,
    form: InsideForm,
) -> Result<Response, Trouble> {
    let place = form.place(&app);
    let here = may_write(&place)?;
    let list = list_path(here);
    let authority = writer(&place)?;
    find(&app, here, id).await?;
    place.must_be_fresh(format!("{}/delete", path(here, id)))?;
    match service_account::deleted(&app, &authority, id).await {
        Ok((tx, event)) => {
            tx.commit(event, app.now(), &mut app.rng()).await?;
            Ok(go_and_tell(&list, "deleted", []))
        }
        // Somebody else was faster.
        Err(RequestError::NotFound | RequestError::Rejected(Rejection::Conflict { .. })) => Ok(go(&list, [])),
        Err(error) => Err(withheld(error)),
    }
}
