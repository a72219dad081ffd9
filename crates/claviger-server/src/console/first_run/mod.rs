//! `/first-run`: from an empty instance to a key that an API accepts: the first administrator, the first API, the first service account
//! with its key. Whoever administers the instance may leave any step out, come back to it, or do it again.

mod administrator;
mod api;
mod done;
mod key;
#[cfg(test)]
mod samples;

pub(super) use administrator::submit as make_administrator;
pub(super) use api::{show as ask_for_api, submit as declare_api};
pub(super) use done::show as done;
pub(super) use key::{show as ask_for_key, submit as make_key};
#[cfg(test)]
pub(super) use samples::samples;

use std::cmp::Reverse;

use axum::{
    extract::{FromRequest, FromRequestParts, Request, State},
    http::request::Parts,
    response::Response,
};
use claviger_core::{Api, Credential, Kind, Person, Reach, Standing, permission};
use claviger_store::{CredentialFilter, Page, StoreError};

use super::{
    form::{Fields, SessionForm},
    link::LinkCode,
    page::go,
    query::Query,
    shell::Here,
    trouble::Trouble,
    visit::{Anybody, SignedIn, Visit},
};
use crate::{app::App, session::Session};

const ADMINISTRATOR: &str = "/first-run";
const API: &str = "/first-run/api";
const KEY: &str = "/first-run/key";
const DONE: &str = "/first-run/done";

/// What all steps ask for.
const SETS_UP: [&str; 2] = [permission::APIS_READ, permission::APIS_WRITE];

/// Whether somebody sets up the instance, and so may know where services ask it.
pub(super) fn sets_up(person: &Person) -> bool {
    SETS_UP.iter().all(|needed| person.reach(needed) == Some(Reach::Instance))
}

/// The page that says how to ask about a key, for who sets up the instance; nothing if it opens no API but Claviger's own.
pub(super) fn how_to_ask(here: &Here, key: &Credential) -> Option<String> {
    if !sets_up(&here.person) {
        return None;
    }
    let list = &key.permissions;
    match list.named().iter().find(|named| !named.as_str().starts_with("claviger:")) {
        Some(named) => Some(how_to_ask_for(named.as_str())),
        None => list.has_wildcard_api().then(|| DONE.to_owned()),
    }
}

/// The same for a permission.
pub(super) fn how_to_ask_for(permission: &str) -> String {
    let query = url::form_urlencoded::Serializer::new(String::new()).append_pair("permission", permission).finish();
    format!("{DONE}?{query}")
}

/// What the step of the key asks for besides: it shows organizations and a key, and makes them.
const MAKES_KEYS: [&str; 4] = [
    permission::ORGANIZATIONS_READ,
    permission::API_KEYS_READ,
    permission::API_KEYS_WRITE,
    permission::SERVICE_ACCOUNTS_WRITE,
];

/// How many keys are looked at for one that is no administrator's.
const MOST: u32 = 50;

/// Where somebody is on the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Step {
    Administrator,
    Api,
    Key,
    Done,
}

impl Step {
    const ALL: [(Self, &'static str); 3] = [
        (Self::Administrator, "first-run-step-you"),
        (Self::Api, "first-run-step-api"),
        (Self::Key, "first-run-step-key"),
    ];

    fn path(self) -> &'static str {
        match self {
            Self::Administrator => ADMINISTRATOR,
            Self::Api => API,
            Self::Key => KEY,
            Self::Done => DONE,
        }
    }

    /// Each step: the key of its name, whether it lies behind, and whether it is this one.
    pub(super) fn all(self) -> [(&'static str, bool, bool); 3] {
        Self::ALL.map(|(step, words)| (words, step < self, step == self))
    }
}

/// Somebody who sets up the instance: they declare APIs, which are everybody's.
pub(super) struct SettingUp {
    session: Session,
    visit: Visit,
    standings: Vec<Standing>,
}

impl FromRequestParts<App> for SettingUp {
    type Rejection = Trouble;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Trouble> {
        let SignedIn(session) = SignedIn::from_request_parts(parts, app).await?;
        Self::with(session, Visit::read(parts, app), app).await
    }
}

impl SettingUp {
    async fn with(session: Session, visit: Visit, app: &App) -> Result<Self, Trouble> {
        let standings = app.store.standings_of(session.user()).await?;
        if all(&standings, &SETS_UP) { Ok(Self { session, visit, standings }) } else { Err(Trouble::Absent) }
    }

    /// That the step of the key is theirs, or the page is not there for them.
    fn must_make_keys(&self) -> Result<(), Trouble> {
        if all(&self.standings, &MAKES_KEYS) { Ok(()) } else { Err(Trouble::Absent) }
    }

    /// Where the step of the API leads on.
    fn after_api(&self) -> &'static str {
        if all(&self.standings, &MAKES_KEYS) { KEY } else { DONE }
    }
}

/// Whether who stands like this holds all of these with instance scope.
fn all(standings: &[Standing], needed: &[&str]) -> bool {
    needed.iter().all(|permission| Standing::reaches(standings, permission).contains(&Reach::Instance))
}

/// The same with a form of theirs.
pub(super) struct SettingUpForm {
    who: SettingUp,
    fields: Fields,
}

impl FromRequest<App> for SettingUpForm {
    type Rejection = Trouble;

    async fn from_request(request: Request, app: &App) -> Result<Self, Trouble> {
        let SessionForm { fields, visit, session } = SessionForm::from_request(request, app).await?;
        Ok(Self { who: SettingUp::with(session, visit, app).await?, fields })
    }
}

/// `GET /first-run?code=…`, and without a code for who administers the instance: on to what is missing.
pub(super) async fn show(
    State(app): State<App>,
    visit: Visit,
    Anybody(session): Anybody,
    Query(code): Query<LinkCode>,
) -> Result<Response, Trouble> {
    if let Some(moved) = code.moved(ADMINISTRATOR, &visit) {
        return moved;
    }
    if let Some(session) = &session {
        let standings = app.store.standings_of(session.user()).await?;
        if all(&standings, &SETS_UP) {
            return Ok(go(next(&app, &standings).await?.path(), []));
        }
    }
    if app.is_administered().await? {
        return Err(
            session.map_or_else(|| Trouble::NotSignedIn { next: ADMINISTRATOR.to_owned() }, |_| Trouble::Absent)
        );
    }
    administrator::show(&app, &visit).await
}

/// What is missing.
async fn next(app: &App, standings: &[Standing]) -> Result<Step, StoreError> {
    if apis(app).await?.is_empty() {
        return Ok(Step::Api);
    }
    Ok(if all(standings, &MAKES_KEYS) && a_key(app).await?.is_none() { Step::Key } else { Step::Done })
}

/// The APIs that somebody declared, which are few; the last one, which is the reader's own, comes first.
async fn apis(app: &App) -> Result<Vec<Api>, StoreError> {
    let mut apis = app.store.within(Reach::Instance).catalog().await?;
    apis.retain(|api| !api.builtin);
    apis.sort_by_key(|api| Reverse(api.created_at));
    Ok(apis)
}

/// What a first key may do, and what is asked of it, unless somebody chooses otherwise: to read, which can break nothing, if the last
/// API that declares anything declares such a thing.
fn usual(apis: &[Api]) -> Option<&str> {
    let api = apis.iter().find(|api| !api.permissions.is_empty())?;
    let mut names = api.permissions.iter().map(|known| known.name.as_str());
    names.clone().find(|name| name.ends_with(":read")).or_else(|| names.next())
}

/// The name of a key for such an API, if there is one among those that are looked at.
async fn a_key(app: &App) -> Result<Option<String>, StoreError> {
    let filter = CredentialFilter { kind: Some(Kind::ApiKey), live_at: Some(app.now()), ..CredentialFilter::default() };
    let page = Page { after: None, limit: MOST };
    let keys = app.store.within(Reach::Instance).credentials(&filter, &page).await?;
    let is_of_an_api = |entries: Vec<String>| entries.iter().any(|entry| !entry.starts_with("claviger:"));
    Ok(keys.into_iter().find(|key| is_of_an_api(key.permissions.entries())).map(|key| key.name.to_string()))
}
