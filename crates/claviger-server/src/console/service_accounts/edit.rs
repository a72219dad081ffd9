//! Changing a service account: what it is called, what it may do, and how it has to prove itself.

use askama::Template;
use axum::{extract::State, http::StatusCode, response::Response};
use claviger_core::{Assignment, Reach, ServiceAccount};

use super::{
    Account, find,
    form::{AccountForm, Typed, wrong_by},
    may_write, path,
    standing::writer,
};
use crate::{
    app::App,
    console::{
        credential::{Place, form::Wrong, withheld},
        form::CUT,
        inside::{Inside, InsideForm},
        page::{Frame, go_and_tell, page_with},
        shell::Here,
        trouble::Trouble,
    },
    manage::service_account,
    problem::RequestError,
    session::hex,
};

#[derive(Template)]
#[template(path = "service_account_edit.html")]
pub(crate) struct EditAccountPage {
    pub(crate) frame: Frame,
    pub(crate) name: String,
    pub(crate) path: String,
    /// What is changed, if nobody changes it meanwhile.
    pub(crate) seen: String,
    pub(crate) resume: String,
    pub(crate) form: AccountForm,
}

/// `GET …/{account}/edit`: the form, as the account stands, or as it was typed before somebody had to sign in.
pub(crate) async fn show(State(app): State<App>, Account(id): Account, inside: Inside) -> Result<Response, Trouble> {
    let place = inside.place(&app);
    let here = may_write(&place)?;
    let account = find(&app, here, id).await?;
    place.must_be_fresh(inside.visit.path.clone())?;
    let stands = stands(&app, here, &account).await?;
    let Some(fields) = place.taken_up() else {
        return with(&place, here, &account, seen(&app, &stands), stands, Wrong::default()).await;
    };
    if fields.value(CUT).is_empty() {
        // What they saw when they typed it: what somebody else changed since is theirs to look at.
        let (seen, typed) = (fields.value("seen").to_owned(), Typed::of(&fields));
        return with(&place, here, &account, seen, typed, Wrong::default()).await;
    }
    let wrong = Wrong { page: Some(place.frame().await?.text("form-cut")), ..Wrong::default() };
    let (seen, typed) = (seen(&app, &stands), Typed { name: fields.value("name").to_owned(), ..stands });
    with(&place, here, &account, seen, typed, wrong).await
}

/// `POST …/{account}/edit`: changes it, unless somebody else did after the form was shown.
pub(crate) async fn save(State(app): State<App>, Account(id): Account, form: InsideForm) -> Result<Response, Trouble> {
    let (place, fields) = (form.place(&app), &form.fields);
    let here = may_write(&place)?;
    let account = find(&app, here, id).await?;
    let path = path(here, id);
    place.must_be_fresh(place.resumed(fields).unwrap_or_else(|| format!("{path}/edit")))?;
    let (typed, authority, frame) = (Typed::of(fields), writer(&place)?, place.frame().await?);
    let stands = stands(&app, here, &account).await?;
    let shown = seen(&app, &stands);
    if shown != fields.value("seen") {
        let wrong = typed.beside(&stands, &frame);
        return with(&place, here, &account, shown, typed, wrong).await;
    }
    match service_account::updated(&app, &authority, id, &typed.changes(&stands)).await {
        Ok(updated) => {
            // Locked now: did somebody come between?
            let (before, held) = &updated.before;
            let before = Typed::of_account(before, held);
            if before != stands {
                drop(updated.tx);
                let wrong = typed.beside(&before, &frame);
                return with(&place, here, &account, seen(&app, &before), typed, wrong).await;
            }
            updated.tx.commit(updated.event, app.now(), &mut app.rng()).await?;
            Ok(go_and_tell(&path, "saved", []))
        }
        Err(RequestError::Rejected(rejection)) => {
            let wrong = wrong_by(&rejection, &typed, &frame);
            with(&place, here, &account, shown, typed, wrong).await
        }
        Err(error) => Err(withheld(error)),
    }
}

/// How it stands.
async fn stands(app: &App, here: &Here, account: &ServiceAccount) -> Result<Typed, Trouble> {
    let mut view = app.store.within(Reach::Organization(here.organization.id));
    let held: Vec<Assignment> = view.assignments_of(account.id.into()).await?;
    Ok(Typed::of_account(account, &held))
}

/// What a form carries of what it showed.
fn seen(app: &App, stands: &Typed) -> String {
    hex(&app.peppers.keyed_hash("account-seen", &[stands.as_text().as_bytes()]))
}

async fn with(
    place: &Place<'_>,
    here: &Here,
    account: &ServiceAccount,
    seen: String,
    typed: Typed,
    wrong: Wrong,
) -> Result<Response, Trouble> {
    let status = if wrong.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    let (frame, path) = (place.frame().await?, path(here, account.id));
    let shown = EditAccountPage {
        name: account.name.to_string(),
        seen,
        resume: format!("{path}/edit"),
        path,
        form: AccountForm::of(place, here, typed, wrong, &frame).await?,
        frame,
    };
    Ok(page_with(status, &shown, []))
}
