//! The end of a role, after a page that tells who loses what.

use axum::{extract::State, response::Response};
use claviger_token::RoleId;

use super::{count_holders, list_of, path_of, reach_of, to_change, writer};
use crate::{
    app::App,
    console::{
        ask::{AskPage, Fact},
        credential::withheld,
        inside::{Inside, InsideForm, Which},
        page::go_and_tell,
        sheet::Way,
        trouble::Trouble,
    },
    manage::role::deleted,
};

/// `GET …/roles/{id}/delete`.
pub(crate) async fn show(
    State(app): State<App>,
    Which(id): Which<RoleId>,
    inside: Inside,
) -> Result<Response, Trouble> {
    let place = inside.place(&app);
    let (here, _) = writer(&place)?;
    let role = to_change(&place, here, id).await?;
    place.must_be_fresh(inside.visit.path.clone())?;
    let holders = count_holders(&mut app.store.within(reach_of(&role)), &role).await?;
    let (frame, path) = (place.frame().await?, path_of(here, id));
    let names = role.permissions.iter().map(ToString::to_string).collect();
    let holders = match holders {
        0 => frame.text("role-delete-nobody"),
        count => frame.text_counting("role-delete-holders", count),
    };
    let listed = Fact::listed(frame.text("role-loses"), names);
    let ask = AskPage {
        title: frame.text("role-delete-title"),
        back: Way { path: path.clone(), label: role.name.clone() },
        name: role.name,
        warning: frame.text("role-delete-what"),
        follows: [Fact::told(holders)].into_iter().chain(listed).collect(),
        action: format!("{path}/delete"),
        hidden: Vec::new(),
        button: frame.text("role-delete-do"),
        of_form: false,
        frame,
    };
    Ok(ask.shown())
}

/// `POST …/roles/{id}/delete`.
pub(crate) async fn submit(
    State(app): State<App>,
    Which(id): Which<RoleId>,
    sent: InsideForm,
) -> Result<Response, Trouble> {
    let place = sent.place(&app);
    let (here, authority) = writer(&place)?;
    to_change(&place, here, id).await?;
    place.must_be_fresh(format!("{}/delete", path_of(here, id)))?;
    let (tx, event) = deleted(&app, &authority, id).await.map_err(withheld)?;
    tx.commit(event, app.now(), &mut app.rng()).await?;
    Ok(go_and_tell(&list_of(here), "deleted", []))
}
