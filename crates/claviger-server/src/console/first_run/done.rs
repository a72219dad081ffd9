//! The end of the way: how gateways and services ask, with the reader's own values, and where to go on.

use askama::Template;
use axum::{extract::State, response::Response};
use claviger_core::permission;
use serde::Deserialize;

use super::{MAKES_KEYS, SettingUp, Step, a_key, all, apis, usual};
use crate::{
    app::App,
    console::{
        page::{Frame, page},
        query::Query,
        shell::path,
        snippets::{Snippets, Values, declared},
        trouble::Trouble,
    },
};

#[derive(Template)]
#[template(path = "first_run_done.html")]
pub(super) struct DonePage {
    pub(super) frame: Frame,
    pub(super) step: Step,
    /// Whether there is an API, and a key.
    pub(super) has_api: bool,
    pub(super) has_key: bool,
    /// The overview of the organization that runs the instance, if there is one.
    pub(super) home: Option<String>,
    pub(super) snippets: Snippets,
}

/// What is to be asked of a key.
#[derive(Debug, Default, Deserialize)]
pub(in crate::console) struct Wanted {
    #[serde(default)]
    permission: String,
}

/// `GET /first-run/done`, perhaps with `?permission=`, for which to ask.
pub(in crate::console) async fn show(
    State(app): State<App>,
    who: SettingUp,
    Query(wanted): Query<Wanted>,
) -> Result<Response, Trouble> {
    let apis = apis(&app).await?;
    let (audience, permission) =
        declared(&apis, [wanted.permission.as_str()].into_iter().chain(usual(&apis))).unwrap_or_default();
    // Whom the step of the key is not for is not told whether it was done.
    let has_key = !all(&who.standings, &MAKES_KEYS) || a_key(&app).await?.is_some();
    let sees_home = all(&who.standings, &[permission::ORGANIZATIONS_READ]);
    let home = if sees_home { app.home().await? } else { None };
    let shown = DonePage {
        frame: Frame::inside(&who.session, &who.visit, &app, None).await?,
        step: Step::Done,
        has_api: !apis.is_empty(),
        has_key,
        home: home.map(|home| path(home.slug.as_str(), "")),
        snippets: Snippets::of(&app, &Values::of(&app, permission, audience)),
    };
    Ok(page(&shown, []))
}
