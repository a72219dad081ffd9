//! The end of a membership, after a page that tells what ends with it.

use axum::{extract::State, response::Response};
use claviger_core::{Reach, Scope, names_in};
use claviger_token::UserId;

use super::{called, count_tokens, list_of, member, reaches_further, writer};
use crate::{
    app::App,
    console::{
        ask::{AskPage, Fact},
        credential::withheld,
        inside::{Inside, InsideForm, Which},
        page::{go, go_and_tell},
        sheet::Way,
        trouble::Trouble,
    },
    manage::member::removed,
};

/// `GET …/members/{id}/remove`.
pub(crate) async fn show(
    State(app): State<App>,
    Which(id): Which<UserId>,
    inside: Inside,
) -> Result<Response, Trouble> {
    let place = inside.place(&app);
    let (here, _) = writer(&place)?;
    let member = member(&place, here, id).await?;
    if reaches_further(&place, here, id).await? {
        return Err(Trouble::Withheld);
    }
    place.must_be_fresh(inside.visit.path.clone())?;
    let organization = here.organization.id;
    let mut view = app.store.within(Reach::Organization(organization));
    let held = view.assignments_of(id.into()).await?;
    let (roles, permissions) = names_in(&held, Scope::Organization(organization));
    let holds = roles.into_iter().chain(permissions).map(str::to_owned).collect();
    let tokens = count_tokens(&place, here, id).await?;
    let frame = place.frame().await?;
    let mut follows: Vec<Fact> = Fact::listed(frame.text("member-loses"), holds).into_iter().collect();
    if held.iter().any(|one| one.scope == Scope::Instance) {
        follows.push(Fact::told(frame.text("member-remove-everywhere")));
    }
    follows.push(Fact::told(match tokens {
        0 => frame.text("member-remove-no-token"),
        count => frame.text_counting("member-remove-tokens", count),
    }));
    let path = format!("{}/{id}", list_of(here));
    let name = called(&member).0;
    let ask = AskPage {
        title: frame.text("member-remove-title"),
        back: Way { path: path.clone(), label: name.clone() },
        name,
        warning: frame.text_with("member-remove-what", "name", here.organization.name.as_str()),
        follows,
        action: format!("{path}/remove"),
        hidden: Vec::new(),
        button: frame.text("member-remove-do"),
        of_form: false,
        frame,
    };
    Ok(ask.shown())
}

/// `POST …/members/{id}/remove`.
pub(crate) async fn submit(
    State(app): State<App>,
    Which(id): Which<UserId>,
    sent: InsideForm,
) -> Result<Response, Trouble> {
    let place = sent.place(&app);
    let (here, authority) = writer(&place)?;
    place.must_be_fresh(format!("{}/{id}/remove", list_of(here)))?;
    let (tx, event) = removed(&app, &authority, here.organization.id, id).await.map_err(withheld)?;
    tx.commit(event, app.now(), &mut app.rng()).await?;
    // Who removed themselves sees nothing here any more.
    let is_self = sent.session.user() == id;
    Ok(if is_self { go("/", []) } else { go_and_tell(&list_of(here), "removed", []) })
}
