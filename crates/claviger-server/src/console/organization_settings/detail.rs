//! What an organization is: its names, what it may use at all, how often, and where its portal may stand.

use askama::Template;
use axum::{extract::State, response::Response};
use claviger_core::{PortalLook, Reach, permission};
use claviger_token::{PermissionMask, QuotaPeriod};

use super::path_of;
use crate::{
    app::App,
    console::{
        inside::Inside,
        moment::Moment,
        page::{Frame, page},
        trouble::Trouble,
    },
};

#[derive(Template)]
#[template(path = "organization.html")]
pub(crate) struct OrganizationPage {
    pub(crate) frame: Frame,
    pub(crate) path: String,
    pub(crate) name: String,
    pub(crate) id: String,
    pub(crate) slug: String,
    pub(crate) external_id: Option<String>,
    /// What it may use at all, if that is not the default.
    pub(crate) ceiling: Option<Vec<String>>,
    pub(crate) limits: Vec<String>,
    pub(crate) origins: Vec<String>,
    /// What its portal is called and its colour, where that is not the default.
    pub(crate) look: PortalLook,
    pub(crate) made: Moment,
    /// Since when nothing in it works.
    pub(crate) stopped: Option<Moment>,
    pub(crate) changes: bool,
    /// Whether they may stop and end it, too.
    pub(crate) owns: bool,
}

/// `GET …/settings`.
pub(crate) async fn show(State(app): State<App>, inside: Inside) -> Result<Response, Trouble> {
    let (here, organization) = (&inside.here, &inside.here.organization);
    here.must(permission::ORGANIZATIONS_READ)?;
    let frame = inside.place(&app).frame().await?;
    let moment = |time| Moment::new(frame.language(), time, app.now());
    let rates = organization.limits.rates.iter().map(|rate| format!("{} / {} s", rate.limit, rate.window_seconds));
    let quota = organization.limits.quota.map(|quota| match quota.period {
        QuotaPeriod::Day => frame.text_with("quota-per-day", "count", quota.limit.to_string()),
        QuotaPeriod::Month => frame.text_with("quota-per-month", "count", quota.limit.to_string()),
    });
    let reach = here.person.reach(permission::ORGANIZATIONS_WRITE);
    let shown = OrganizationPage {
        path: path_of(here),
        name: organization.name.to_string(),
        id: organization.id.to_string(),
        slug: organization.slug.to_string(),
        external_id: organization.external_id.clone(),
        ceiling: organization.ceiling.as_ref().map(PermissionMask::entries),
        limits: rates.chain(quota).collect(),
        origins: organization.portal_origins.to_string().split_whitespace().map(str::to_owned).collect(),
        look: organization.portal_look.clone(),
        made: moment(organization.created_at),
        stopped: organization.disabled_at.map(moment),
        changes: reach.is_some(),
        owns: reach == Some(Reach::Instance),
        frame,
    };
    Ok(page(&shown, []))
}
