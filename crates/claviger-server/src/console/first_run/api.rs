//! The second step: the first API, and what can be permitted on it.

use askama::Template;
use axum::{extract::State, http::StatusCode, response::Response};
use claviger_core::{DeclaredPermission, NewApi, Rejection};
use claviger_token::Permission;
use url::Url;

use super::{API, SettingUp, SettingUpForm, Step, apis};
use crate::{
    app::App,
    console::{
        credential::{form::Wrong, once::Once},
        form::Fields,
        page::{Frame, go, page_with},
        trouble::Trouble,
    },
    manage,
    problem::RequestError,
};

/// How many of the APIs that are there already are named.
const MOST: usize = 5;

/// What a new API may begin with: to be changed.
const STARTER: [(&str, &str); 2] = [("orders:read", "first-run-reads"), ("orders:write", "first-run-writes")];

#[derive(Template)]
#[template(path = "first_run_api.html")]
pub(super) struct ApiPage {
    pub(super) frame: Frame,
    pub(super) step: Step,
    /// Name and identifier of each that is there already.
    pub(super) existing: Vec<(String, String)>,
    pub(super) once: String,
    /// The step that follows.
    pub(super) next: &'static str,
    pub(super) typed: Typed,
    pub(super) wrong: Wrong,
}

/// What was typed.
#[derive(Default)]
pub(super) struct Typed {
    pub(super) identifier: String,
    pub(super) name: String,
    /// One on each line, with what it allows after it.
    pub(super) permissions: String,
}

impl Typed {
    fn starter(frame: &Frame) -> Self {
        let lines = STARTER.map(|(name, words)| format!("{name} {}", frame.text(words)));
        Self { permissions: lines.join("\n"), ..Self::default() }
    }

    fn of(fields: &Fields) -> Self {
        let value = |name| fields.value(name).trim().to_owned();
        Self { identifier: value("identifier"), name: value("name"), permissions: value("permissions") }
    }

    /// What people call it; the host where it is, unless they say otherwise.
    fn called(&self) -> String {
        if !self.name.is_empty() {
            return self.name.clone();
        }
        let host = Url::parse(&self.identifier).ok().and_then(|url| url.host_str().map(str::to_owned));
        host.unwrap_or_else(|| self.identifier.clone())
    }

    fn lines(&self) -> impl Iterator<Item = &str> {
        self.permissions.lines().map(str::trim).filter(|line| !line.is_empty())
    }

    fn declared(&self, frame: &Frame, wrong: &mut Wrong) -> Vec<DeclaredPermission> {
        let mut declared = Vec::new();
        for line in self.lines() {
            let (name, what) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
            match name.parse::<Permission>() {
                Ok(permission) => {
                    let description = Some(what.trim()).filter(|what| !what.is_empty()).map(str::to_owned);
                    declared.push(DeclaredPermission { name: permission, description });
                }
                Err(_) => wrong.fields.push(("permissions", told(frame, "first-run-permission-wrong", name))),
            }
        }
        if declared.is_empty() && wrong.is_empty() {
            wrong.fields.push(("permissions", frame.text("first-run-permissions-none")));
        }
        // However many lines are wrong, some of them say it.
        wrong.fields.truncate(MOST);
        declared
    }

    /// What the rules say of it.
    fn refused(&self, rejection: &Rejection, frame: &Frame) -> Wrong {
        let mut wrong = Wrong::default();
        let Rejection::Invalid(errors) = rejection else {
            wrong.fields.push(("identifier", frame.text("first-run-identifier-taken")));
            return wrong;
        };
        for error in errors.iter().take(MOST) {
            let mut path = error.pointer.split('/').skip(1);
            let (member, index) = (path.next().unwrap_or_default(), path.next());
            wrong.fields.push(match member {
                "identifier" => ("identifier", frame.text("first-run-identifier-wrong")),
                "name" => ("name", frame.text("name-wrong")),
                _ => {
                    let line = index.and_then(|index| index.parse().ok()).and_then(|index| self.lines().nth(index));
                    let name = line.and_then(|line| line.split_whitespace().next()).unwrap_or_default();
                    let words = match error.code {
                        "taken" => "first-run-permission-taken",
                        "reserved" => "first-run-permission-reserved",
                        "duplicate" => "first-run-permission-twice",
                        _ => "first-run-permission-wrong",
                    };
                    ("permissions", told(frame, words, name))
                }
            });
        }
        wrong
    }
}

fn told(frame: &Frame, words: &str, name: &str) -> String {
    frame.text_with(words, "name", name.chars().take(100).collect::<String>())
}

/// `GET /first-run/api`.
pub(in crate::console) async fn show(State(app): State<App>, who: SettingUp) -> Result<Response, Trouble> {
    let frame = Frame::inside(&who.session, &who.visit, &app, None).await?;
    let typed = Typed::starter(&frame);
    with(&app, &who, frame, typed, Wrong::default()).await
}

/// `POST /first-run/api` with `identifier`, `name`, `permissions` and `once`.
pub(in crate::console) async fn submit(State(app): State<App>, form: SettingUpForm) -> Result<Response, Trouble> {
    let SettingUpForm { who, fields } = form;
    let once = Once::of(&app, &who.session, API, &fields)?;
    if once.was_sent(&app).await? {
        return Ok(go(who.after_api(), []));
    }
    let frame = Frame::inside(&who.session, &who.visit, &app, None).await?;
    let (typed, mut wrong) = (Typed::of(&fields), Wrong::default());
    let permissions = typed.declared(&frame, &mut wrong);
    if !wrong.is_empty() {
        return with(&app, &who, frame, typed, wrong).await;
    }
    let body = NewApi {
        identifier: typed.identifier.clone(),
        name: typed.called(),
        permissions,
        resource_servers: Vec::new(),
        origins: Vec::new(),
        accept_basic: false,
        query_parameter: None,
        route_rules: Vec::new(),
        access_token_ttl_seconds: None,
        signing_algorithm: None,
        access_token_format: None,
    };
    match manage::api::created(&app, who.session.by(), body).await {
        Ok((tx, _, event)) => drop(once.commit(&app, tx, event, who.after_api().to_owned(), app.now()).await?),
        Err(RequestError::Rejected(_)) if once.was_sent(&app).await? => {}
        Err(RequestError::Rejected(rejection)) => {
            let wrong = typed.refused(&rejection, &frame);
            return with(&app, &who, frame, typed, wrong).await;
        }
        Err(error) => return Err(error.into()),
    }
    Ok(go(who.after_api(), []))
}

async fn with(app: &App, who: &SettingUp, frame: Frame, typed: Typed, wrong: Wrong) -> Result<Response, Trouble> {
    let existing = apis(app).await?.into_iter().take(MOST).map(|api| (api.name.to_string(), api.identifier)).collect();
    let status = if wrong.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    let (step, once, next) = (Step::Api, Once::field(app), who.after_api());
    Ok(page_with(status, &ApiPage { frame, step, existing, once, next, typed, wrong }, []))
}
