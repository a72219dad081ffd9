//! Changing a credential: what it is called, what it may do, from where, how often and until when.

use askama::Template;
use axum::{http::StatusCode, response::Response};
use claviger_core::{Credential, Event, Kind, Organization, Reach, permission};
use claviger_token::{CredentialId, PermissionSet};

use super::{
    Place,
    form::{CredentialForm, Typed, Wrong, keeps_limits},
    picker::Picker,
    withheld,
};
use crate::{
    console::{
        form::{CUT, Fields},
        page::{Frame, go, go_and_tell, page_with, shown},
        trouble::Trouble,
    },
    problem::RequestError,
};

#[derive(Template)]
#[template(path = "credential_edit.html")]
pub(crate) struct EditPage {
    pub(crate) frame: Frame,
    pub(crate) name: String,
    pub(crate) path: String,
    /// What is changed, if nobody changes it meanwhile.
    pub(crate) seen: String,
    pub(crate) resume: String,
    pub(crate) form: CredentialForm,
}

/// The form, as the credential stands, or as it was typed before somebody had to sign in.
pub(crate) async fn show(place: &Place<'_>, id: CredentialId) -> Result<Response, Trouble> {
    place.writer()?;
    let one = place.find(id).await?;
    if one.revocation.is_some() {
        return Ok(go(&place.path(id), []));
    }
    place.must_be_fresh(place.visit.path.clone())?;
    let (stands, mut wrong) = (Typed::of_credential(&one), Wrong::default());
    let Some(fields) = place.taken_up() else {
        return with(place, &one, place.app.seen(&one), stands, wrong).await;
    };
    if fields.value(CUT).is_empty() {
        // What they saw when they typed it: what somebody else changed since is theirs to look at.
        return with(place, &one, fields.value("seen").to_owned(), Typed::of(&fields), wrong).await;
    }
    wrong.page = Some(place.frame().await?.text("form-cut"));
    let typed = Typed { name: fields.value("name").to_owned(), ..stands };
    with(place, &one, place.app.seen(&one), typed, wrong).await
}

/// Changes it, unless somebody else did after the form was shown.
pub(crate) async fn submit(place: &Place<'_>, id: CredentialId, fields: &Fields) -> Result<Response, Trouble> {
    let authority = place.writer()?;
    let one = place.find(id).await?;
    let (app, path, typed) = (place.app, place.path(id), Typed::of(fields));
    let edit = format!("{path}/edit");
    place.must_be_fresh(place.resumed(fields).unwrap_or(edit))?;
    let (frame, now) = (place.frame().await?, app.now());
    let mut wrong = Wrong::default();
    if app.seen(&one) != fields.value("seen") {
        let wrong = typed.beside(&one, &frame);
        return with(place, &one, app.seen(&one), typed, wrong).await;
    }
    let seen = app.seen(&one);
    let changes = typed.changes(&one, now, &frame, &mut wrong);
    if !wrong.is_empty() {
        return with(place, &one, seen, typed, wrong).await;
    }
    match place.updated(&authority, id, changes).await {
        // Locked now: nobody came between.
        Ok((tx, _, event)) if before(&event) != one.as_asked() => {
            drop(tx);
            let one = place.find(id).await?;
            let wrong = typed.beside(&one, &frame);
            with(place, &one, app.seen(&one), typed, wrong).await
        }
        Ok((tx, _, event)) => {
            tx.commit(event, now, &mut app.rng()).await?;
            Ok(go_and_tell(&path, "saved", []))
        }
        Err(RequestError::Rejected(rejection)) => {
            let wrong = Wrong::by(&rejection, &typed, &frame);
            with(place, &one, seen, typed, wrong).await
        }
        Err(error) => Err(withheld(error)),
    }
}

/// What a change found, as [`Credential::as_asked`] tells it.
fn before(event: &Event) -> String {
    event.details["before"].to_string()
}

async fn with(
    place: &Place<'_>,
    one: &Credential,
    seen: String,
    typed: Typed,
    wrong: Wrong,
) -> Result<Response, Trouble> {
    let (app, now, frame) = (place.app, place.app.now(), place.frame().await?);
    let mut view = app.store.within(Reach::Organization(one.organization));
    let organization: Organization = view.organization(one.organization).await?.ok_or(Trouble::Absent)?;
    let held: PermissionSet =
        view.held(one.principal, one.organization).await?.masked_by(&organization.effective_ceiling());
    // Of what its owner holds, what this person can give, and what is chosen already.
    let gives =
        |entry: &str| place.here.is_none_or(|here| here.person.may(permission::GRANTS_WRITE) || here.person.may(entry));
    let offered: PermissionSet = held
        .iter()
        .filter(|known| gives(known.as_str()) || typed.permissions.iter().any(|entry| entry == known.as_str()))
        .cloned()
        .collect();
    let picker = Picker::of(&view.catalog().await?, &offered, &typed.permissions, &frame);
    let follows =
        organization.policy.wildcard_allowed && place.here.is_none_or(|here| here.person.may(permission::GRANTS_WRITE));
    let picker = if follows { picker } else { picker.without_wildcards() };
    let latest = organization.policy.latest_end(Kind::of(one.id), now);
    let keep = match one.expires_at {
        Some(end) => frame.text_with("form-keep-end", "when", shown(end)),
        None => frame.text("form-keep-endless"),
    };
    let status = if wrong.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    let path = place.path(one.id);
    let template = EditPage {
        name: one.name.to_string(),
        seen,
        resume: format!("{path}/edit"),
        form: CredentialForm {
            lives: CredentialForm::lives(latest, Some(keep), now, &frame),
            typed,
            wrong,
            picker,
            asks_environment: false,
            keeps_limits: keeps_limits(one),
            of_client: place.client().is_some(),
        },
        path,
        frame,
    };
    Ok(page_with(status, &template, []))
}
