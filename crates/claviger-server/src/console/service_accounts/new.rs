//! A new service account: what it is called, and what it may do. By what it proves itself comes afterwards.

use askama::Template;
use axum::{extract::State, http::StatusCode, response::Response};
use claviger_core::Grantor;

use super::{
    form::{AccountForm, Typed, wrong_by},
    list_path, may_write, path,
    standing::writer,
};
use crate::{
    app::App,
    console::{
        credential::{Place, form::Wrong, once::Once},
        form::CUT,
        inside::{Inside, InsideForm},
        page::{Frame, go, page_with},
        shell::Here,
        trouble::Trouble,
    },
    manage::service_account,
    problem::RequestError,
};

#[derive(Template)]
#[template(path = "service_account_new.html")]
pub(crate) struct NewAccountPage {
    pub(crate) frame: Frame,
    pub(crate) list: String,
    pub(crate) once: String,
    pub(crate) resume: String,
    pub(crate) form: AccountForm,
}

/// `GET …/service-accounts/new`.
pub(crate) async fn show(State(app): State<App>, inside: Inside) -> Result<Response, Trouble> {
    let place = inside.place(&app);
    let here = may_write(&place)?;
    place.must_be_fresh(inside.visit.path.clone())?;
    let (resumed, mut wrong) = (place.taken_up(), Wrong::default());
    if resumed.as_ref().is_some_and(|fields| !fields.value(CUT).is_empty()) {
        wrong.page = Some(place.frame().await?.text("form-cut"));
    }
    with(&place, here, resumed.as_ref().map(Typed::of).unwrap_or_default(), wrong).await
}

/// `POST …/service-accounts/new`.
pub(crate) async fn submit(State(app): State<App>, form: InsideForm) -> Result<Response, Trouble> {
    let (place, fields) = (form.place(&app), &form.fields);
    let here = may_write(&place)?;
    let list = list_path(here);
    // However often it is sent, it makes one.
    let once = Once::of(&app, &form.session, &list, fields)?;
    if let Some(response) = once.done(&app).await? {
        return Ok(response);
    }
    place.must_be_fresh(place.resumed(fields).unwrap_or_else(|| format!("{list}/new")))?;
    let (typed, authority) = (Typed::of(fields), writer(&place)?);
    let mut tx = app.store.begin(authority.by).await?;
    let (grantor, new) = (Grantor::Person(&here.person), typed.new_account(here));
    match service_account::created(&app, &mut tx, authority.reach, grantor, &new).await {
        Ok((account, _, event)) => {
            let path = path(here, account.id);
            let done = once.commit(&app, tx, event, path.clone(), app.now()).await?;
            Ok(done.unwrap_or_else(|| go(&path, [])))
        }
        Err(RequestError::Rejected(rejection)) => {
            drop(tx);
            let wrong = wrong_by(&rejection, &typed, &place.frame().await?);
            with(&place, here, typed, wrong).await
        }
        Err(error) => Err(error.into()),
    }
}

/// The form as it was typed, with what is wrong.
async fn with(place: &Place<'_>, here: &Here, typed: Typed, wrong: Wrong) -> Result<Response, Trouble> {
    let status = if wrong.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    let (frame, list) = (place.frame().await?, list_path(here));
    let shown = NewAccountPage {
        once: Once::field(place.app),
        resume: format!("{list}/new"),
        list,
        form: AccountForm::of(place, here, typed, wrong, &frame).await?,
        frame,
    };
    Ok(page_with(status, &shown, []))
}
