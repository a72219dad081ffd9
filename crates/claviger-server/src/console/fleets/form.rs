//! A fleet made and changed: what it is called, what each of its devices may do, and how long their keys last.

use askama::Template;
use axum::{extract::State, http::StatusCode, response::Response};
use claviger_core::{Fleet, FleetChanges, Granted, NewFleet, Reach};
use claviger_token::PermissionSet;

use super::{Which, find, list_path, may_write, path, writer};
use crate::{
    app::App,
    console::{
        credential::{Place, form::Wrong, once::Once, withheld},
        form::{CUT, Fields},
        inside::{Inside, InsideForm},
        page::{Frame, go, go_and_tell, page_with},
        service_accounts::form::{AccountForm, Typed, sorted, wrong_by},
        shell::Here,
        trouble::Trouble,
    },
    manage::fleet,
    problem::RequestError,
    session::hex,
};

#[derive(Template)]
#[template(path = "fleet_form.html")]
pub(crate) struct FleetFormPage {
    pub(crate) frame: Frame,
    pub(crate) list: String,
    /// The page to which the form is sent.
    pub(crate) action: String,
    /// Its name and its page; `None`: a new one.
    pub(crate) fleet: Option<(String, String)>,
    /// What makes it once, of a new one; or else what it showed.
    pub(crate) once: String,
    pub(crate) seen: String,
    pub(crate) form: AccountForm,
}

/// `GET …/fleets/new`.
pub(crate) async fn ask(State(app): State<App>, inside: Inside) -> Result<Response, Trouble> {
    let place = inside.place(&app);
    let here = may_write(&place)?;
    place.must_be_fresh(inside.visit.path.clone())?;
    let (typed, wrong) = match taken_up(&place).await? {
        Some((_, typed, wrong)) => (typed, wrong),
        None => (Typed { days: "90".to_owned(), ..Typed::default() }, Wrong::default()),
    };
    with(&place, here, None, String::new(), typed, wrong).await
}

/// `POST …/fleets/new`.
pub(crate) async fn make(State(app): State<App>, form: InsideForm) -> Result<Response, Trouble> {
    let (place, fields) = (form.place(&app), &form.fields);
    let here = may_write(&place)?;
    let list = list_path(here);
    let once = Once::of(&app, &form.session, &list, fields)?;
    if let Some(response) = once.done(&app).await? {
        return Ok(response);
    }
    place.must_be_fresh(place.resumed(fields).unwrap_or_else(|| format!("{list}/new")))?;
    let (typed, authority, now, frame) = (Typed::of(fields), writer(&place)?, app.now(), place.frame().await?);
    let Some(days) = days(&typed) else {
        let wrong = days_wrong(&frame);
        return with(&place, here, None, String::new(), typed, wrong).await;
    };
    let new = NewFleet {
        organization_id: here.organization.id,
        name: typed.name.clone(),
        roles: typed.roles.clone(),
        permissions: typed.permissions.clone(),
        device_lifetime_days: Some(days),
    };
    let mut tx = app.store.begin(authority.by).await?;
    match fleet::created(&app, &mut tx, &authority, &new, now).await {
        Ok((fleet, event)) => {
            let path = path(here, fleet.id);
            let done = once.commit(&app, tx, event, path.clone(), now).await?;
            Ok(done.unwrap_or_else(|| go(&path, [])))
        }
        Err(RequestError::Rejected(rejection)) => {
            drop(tx);
            let wrong = wrong_by(&rejection, &typed, &frame);
            with(&place, here, None, String::new(), typed, wrong).await
        }
        Err(error) => Err(withheld(error)),
    }
}

/// `GET …/{fleet}/edit`.
pub(crate) async fn edit(State(app): State<App>, Which(id): Which, inside: Inside) -> Result<Response, Trouble> {
    let place = inside.place(&app);
    let here = may_write(&place)?;
    let fleet = find(&app, here, id).await?;
    place.must_be_fresh(inside.visit.path.clone())?;
    let stands = stands(&app, here, &fleet).await?;
    let now = seen(&app, &stands);
    match taken_up(&place).await? {
        // What they saw when they typed it: what somebody else changed since is theirs to look at.
        Some((seen, typed, wrong)) if wrong.is_empty() => with(&place, here, Some(&fleet), seen, typed, wrong).await,
        Some((_, typed, wrong)) => {
            let typed = Typed { name: typed.name, ..stands };
            with(&place, here, Some(&fleet), now, typed, wrong).await
        }
        None => with(&place, here, Some(&fleet), now, stands, Wrong::default()).await,
    }
}

/// `POST …/{fleet}/edit`: changes it, unless somebody else did after the form was shown.
pub(crate) async fn save(State(app): State<App>, Which(id): Which, form: InsideForm) -> Result<Response, Trouble> {
    let (place, fields) = (form.place(&app), &form.fields);
    let here = may_write(&place)?;
    let fleet = find(&app, here, id).await?;
    let path = path(here, id);
    place.must_be_fresh(place.resumed(fields).unwrap_or_else(|| format!("{path}/edit")))?;
    let (typed, authority, frame) = (Typed::of(fields), writer(&place)?, place.frame().await?);
    let stands = stands(&app, here, &fleet).await?;
    let shown = seen(&app, &stands);
    if shown != fields.value("seen") {
        let wrong = typed.beside(&stands, &frame);
        return with(&place, here, Some(&fleet), shown, typed, wrong).await;
    }
    let Some(changes) = changes(&typed, &stands) else {
        let wrong = days_wrong(&frame);
        return with(&place, here, Some(&fleet), shown, typed, wrong).await;
    };
    match fleet::updated(&app, &authority, id, &changes).await {
        Ok(updated) => {
            // Locked now: did somebody come between?
            let before = as_typed(&updated.before.0, &updated.before.1);
            if before != stands {
                drop(updated.tx);
                let wrong = typed.beside(&before, &frame);
                return with(&place, here, Some(&fleet), seen(&app, &before), typed, wrong).await;
            }
            updated.tx.commit(updated.event, app.now(), &mut app.rng()).await?;
            Ok(go_and_tell(&path, "saved", []))
        }
        Err(RequestError::Rejected(rejection)) => {
            let wrong = wrong_by(&rejection, &typed, &frame);
            with(&place, here, Some(&fleet), shown, typed, wrong).await
        }
        Err(error) => Err(withheld(error)),
    }
}

/// What somebody typed before they had to sign in, with what it was about, and that not all of it is here.
async fn taken_up(place: &Place<'_>) -> Result<Option<(String, Typed, Wrong)>, Trouble> {
    let Some(fields): Option<Fields> = place.taken_up() else { return Ok(None) };
    let mut wrong = Wrong::default();
    if !fields.value(CUT).is_empty() {
        wrong.page = Some(place.frame().await?.text("form-cut"));
    }
    Ok(Some((fields.value("seen").to_owned(), Typed::of(&fields), wrong)))
}

fn days(typed: &Typed) -> Option<u32> {
    typed.days.trim().parse().ok()
}

fn days_wrong(frame: &Frame) -> Wrong {
    Wrong { fields: vec![("days", frame.text("fleet-days-wrong"))], ..Wrong::default() }
}

/// What a form changes of a fleet that stands so: only what was typed otherwise. `None`: the days are no number.
fn changes(typed: &Typed, now: &Typed) -> Option<FleetChanges> {
    let otherwise = |new: &[String], old: &[String]| typed.picks && sorted(new) != sorted(old);
    let days = days(typed)?;
    Some(FleetChanges {
        name: (typed.name != now.name).then(|| typed.name.clone()),
        roles: otherwise(&typed.roles, &now.roles).then(|| typed.roles.clone()),
        permissions: otherwise(&typed.permissions, &now.permissions).then(|| typed.permissions.clone()),
        device_lifetime_days: (typed.days.trim() != now.days).then_some(days),
        closed: None,
    })
}

async fn stands(app: &App, here: &Here, fleet: &Fleet) -> Result<Typed, Trouble> {
    let mut view = app.store.within(Reach::Organization(here.organization.id));
    Ok(as_typed(fleet, &view.given_by_fleet(fleet.id).await?))
}

fn as_typed(fleet: &Fleet, given: &[(Granted, PermissionSet)]) -> Typed {
    let typed =
        Typed { name: fleet.name.to_string(), days: fleet.device_lifetime_days.to_string(), ..Typed::default() };
    typed.holding(given.iter().map(|(granted, _)| granted))
}

/// What a form carries of what it showed.
fn seen(app: &App, stands: &Typed) -> String {
    hex(&app.peppers.keyed_hash("fleet-seen", &[stands.as_text().as_bytes()]))
}

async fn with(
    place: &Place<'_>,
    here: &Here,
    fleet: Option<&Fleet>,
    seen: String,
    typed: Typed,
    wrong: Wrong,
) -> Result<Response, Trouble> {
    let status = if wrong.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    let (frame, list) = (place.frame().await?, list_path(here));
    let of = fleet.map(|fleet| (fleet.name.to_string(), path(here, fleet.id)));
    let action = of.as_ref().map_or_else(|| format!("{list}/new"), |(_, path)| format!("{path}/edit"));
    let form = AccountForm::of(place, here, typed, wrong, &frame).await?;
    let once = Once::field(place.app);
    let form = AccountForm { of_fleet: true, ..form };
    Ok(page_with(status, &FleetFormPage { frame, list, action, fleet: of, once, seen, form }, []))
}
