//! An organization is stopped for now, started again, or ended for good.

use axum::{extract::State, response::Response};
use claviger_core::{OrganizationChanges, Reach, Rejection};
use claviger_store::{CredentialFilter, StoreError};

use super::{owner, path_of};
use crate::{
    app::App,
    console::{
        ask::{AskPage, Fact},
        credential::{Place, withheld},
        inside::{Inside, InsideForm},
        page::{Frame, go, go_and_tell},
        sheet::Way,
        shell::Here,
        trouble::Trouble,
    },
    manage::organization::{Updated, deleted, updated},
    problem::RequestError,
};

/// How far credentials are counted.
const MOST: u32 = 1000;

/// `GET …/settings/disable`.
pub(crate) async fn ask_to_disable(State(app): State<App>, inside: Inside) -> Result<Response, Trouble> {
    let place = inside.place(&app);
    let (here, _) = owner(&place)?;
    if here.organization.disabled_at.is_some() {
        return Ok(go(&path_of(here), []));
    }
    let frame = place.frame().await?;
    let follows = follows(&place, here, "organization-disable-credentials", &frame).await?;
    let words = Words {
        title: "organization-disable-title",
        warning: "organization-disable-what",
        action: "/disable",
        button: "disable",
    };
    Ok(ask(here, &words, follows, frame))
}

/// `POST …/settings/disable`.
pub(crate) async fn disable(State(app): State<App>, sent: InsideForm) -> Result<Response, Trouble> {
    set_disabled(&sent.place(&app), true).await
}

/// `POST …/settings/enable`.
pub(crate) async fn enable(State(app): State<App>, sent: InsideForm) -> Result<Response, Trouble> {
    let place = sent.place(&app);
    let (here, _) = owner(&place)?;
    place.must_be_fresh(path_of(here))?;
    set_disabled(&place, false).await
}

async fn set_disabled(place: &Place<'_>, disabled: bool) -> Result<Response, Trouble> {
    let (here, authority) = owner(place)?;
    let (app, path) = (place.app, path_of(here));
    let changes = OrganizationChanges { disabled: Some(disabled), ..OrganizationChanges::default() };
    let Updated { tx, event, .. } = updated(app, &authority, here.organization.id, changes).await.map_err(withheld)?;
    tx.commit(event, app.now(), &mut app.rng()).await?;
    let done = if disabled { "disabled" } else { "enabled" };
    Ok(go_and_tell(&path, done, []))
}

/// `GET …/settings/delete`.
pub(crate) async fn ask_to_delete(State(app): State<App>, inside: Inside) -> Result<Response, Trouble> {
    let place = inside.place(&app);
    let (here, _) = owner(&place)?;
    place.must_be_fresh(inside.visit.path.clone())?;
    deletion(&place, here, place.frame().await?).await
}

/// `POST …/settings/delete`.
pub(crate) async fn delete(State(app): State<App>, sent: InsideForm) -> Result<Response, Trouble> {
    let place = sent.place(&app);
    let (here, authority) = owner(&place)?;
    place.must_be_fresh(format!("{}/delete", path_of(here)))?;
    match deleted(&app, &authority, here.organization.id).await {
        Ok((tx, event)) => {
            tx.commit(event, app.now(), &mut app.rng()).await?;
            Ok(go_and_tell("/organizations", "deleted", []))
        }
        // The page says what stands in the way.
        Err(RequestError::Rejected(Rejection::Conflict { .. })) => deletion(&place, here, place.frame().await?).await,
        Err(error) => Err(withheld(error)),
    }
}

async fn deletion(place: &Place<'_>, here: &Here, frame: Frame) -> Result<Response, Trouble> {
    let fleets = place.app.store.within(Reach::Instance).count_fleets(here.organization.id).await?;
    let in_the_way = (fleets > 0).then(|| Fact::told(frame.text("organization-delete-fleets")));
    let credentials = follows(place, here, "organization-delete-credentials", &frame).await?;
    let words = Words {
        title: "organization-delete-title",
        warning: "organization-delete-what",
        action: "/delete",
        button: "role-delete-do",
    };
    Ok(ask(here, &words, in_the_way.into_iter().chain(credentials).collect(), frame))
}

/// What stops working, and whether that is where one belongs.
async fn follows(place: &Place<'_>, here: &Here, words: &'static str, frame: &Frame) -> Result<Vec<Fact>, StoreError> {
    let (app, organization) = (place.app, here.organization.id);
    let filter =
        CredentialFilter { organization: Some(organization), live_at: Some(app.now()), ..CredentialFilter::default() };
    let mut view = app.store.within(Reach::Organization(organization));
    let count = usize::try_from(view.count_credentials_up_to(&filter, MOST).await?).unwrap_or_default();
    let standings = app.store.standings_of(place.session.user()).await?;
    let belongs = standings.iter().any(|standing| standing.organization == organization);
    let own = belongs.then(|| Fact::told(frame.text("organization-is-own")));
    Ok([Fact::told(frame.text_counting(words, count))].into_iter().chain(own).collect())
}

/// The keys of what a page asks, and the end of its path.
struct Words {
    title: &'static str,
    warning: &'static str,
    action: &'static str,
    button: &'static str,
}

fn ask(here: &Here, words: &Words, follows: Vec<Fact>, frame: Frame) -> Response {
    let path = path_of(here);
    let ask = AskPage {
        title: frame.text(words.title),
        name: here.organization.name.to_string(),
        warning: frame.text(words.warning),
        follows,
        action: format!("{path}{}", words.action),
        back: Way { path, label: frame.text("nav-settings") },
        hidden: Vec::new(),
        button: frame.text(words.button),
        of_form: false,
        frame,
    };
    ask.shown()
}
