//! The end of an API, after a page that tells what ends with it.

use axum::{extract::State, response::Response};
use claviger_token::ApiId;

use super::{LIST, path_of, to_change};
use crate::{
    app::App,
    console::{
        ask::{AskPage, Fact},
        credential::withheld,
        everywhere::{Everywhere, EverywhereForm},
        inside::Which,
        page::go_and_tell,
        sheet::Way,
        trouble::Trouble,
    },
    manage::api::deleted,
};

/// `GET /apis/{id}/delete`.
pub(crate) async fn show(State(app): State<App>, Which(id): Which<ApiId>, at: Everywhere) -> Result<Response, Trouble> {
    let (api, _) = to_change(&app, &at, id).await?;
    let (place, path) = (at.place(&app), path_of(id));
    place.must_be_fresh(at.visit.path.clone())?;
    let frame = place.frame().await?;
    let names = api.permissions.iter().map(|one| one.name.to_string()).collect();
    let ask = AskPage {
        title: frame.text("api-delete-title"),
        back: Way { path: path.clone(), label: api.name.to_string() },
        name: api.identifier,
        warning: frame.text("api-delete-what"),
        follows: Fact::listed(frame.text("api-delete-permissions"), names).into_iter().collect(),
        action: format!("{path}/delete"),
        hidden: Vec::new(),
        button: frame.text("role-delete-do"),
        of_form: false,
        frame,
    };
    Ok(ask.shown())
}

/// `POST /apis/{id}/delete`.
pub(crate) async fn submit(
    State(app): State<App>,
    Which(id): Which<ApiId>,
    EverywhereForm { at, .. }: EverywhereForm,
) -> Result<Response, Trouble> {
    let (_, authority) = to_change(&app, &at, id).await?;
    at.place(&app).must_be_fresh(format!("{}/delete", path_of(id)))?;
    let (tx, event) = deleted(&app, &authority, id).await.map_err(withheld)?;
    tx.commit(event, app.now(), &mut app.rng()).await?;
    Ok(go_and_tell(LIST, "deleted", []))
}
