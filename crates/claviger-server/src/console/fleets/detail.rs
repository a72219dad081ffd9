//! One fleet: what its devices may do, the devices themselves, and its certificate authority.

use askama::Template;
use axum::{extract::State, response::Response};
use claviger_core::{DeviceStatus, Reach, permission};
use claviger_store::ListedDevice;

use super::{
    Which, find,
    list::{badge, days},
    path,
};
use crate::{
    app::App,
    console::{
        credential::{
            history::{self, Entry},
            shown::Badge,
        },
        inside::Inside,
        moment::Moment,
        page::{Frame, page},
        pages::{self, Pages, Wanted},
        query::Query,
        shell::Here,
        trouble::Trouble,
    },
    manage::fleet,
};

#[derive(Template)]
#[template(path = "fleet.html")]
pub(crate) struct FleetPage {
    pub(crate) frame: Frame,
    pub(crate) list: String,
    pub(crate) path: String,
    pub(crate) name: String,
    pub(crate) id: String,
    pub(crate) badge: Badge,
    pub(crate) closed: bool,
    pub(crate) changes: bool,
    pub(crate) devices: i64,
    pub(crate) codes: i64,
    pub(crate) roles: Vec<String>,
    pub(crate) permissions: Vec<String>,
    pub(crate) days: String,
    pub(crate) made: Moment,
    /// The certificate of the authority that issues its devices' certificates.
    pub(crate) authority: Option<String>,
    /// What a device runs to enrol.
    pub(crate) enrol: String,
    pub(crate) history: Option<Vec<Entry>>,
}

/// `GET …/fleets/{fleet}`.
pub(crate) async fn show(State(app): State<App>, Which(id): Which, inside: Inside) -> Result<Response, Trouble> {
    let (here, place, now) = (&inside.here, inside.place(&app), app.now());
    let fleet = find(&app, here, id).await?;
    let frame = place.frame().await?;
    let mut view = app.store.within(Reach::Organization(here.organization.id));
    let (roles, permissions) = fleet::names(&view.given_by_fleet(id).await?);
    let shown = FleetPage {
        list: super::list_path(here),
        path: path(here, id),
        name: fleet.name.to_string(),
        id: id.to_string(),
        badge: badge(&fleet, &frame),
        closed: fleet.closed_at.is_some(),
        changes: here.person.may(permission::FLEETS_WRITE),
        devices: view.count_devices(id).await?,
        codes: view.count_open_claim_codes(id, now).await?,
        roles,
        permissions,
        days: days(fleet.device_lifetime_days, &frame),
        made: Moment::new(frame.language(), fleet.created_at, now),
        authority: view.fleet_authority(id).await?.map(|authority| authority.certificate.to_pem().trim().to_owned()),
        enrol: enrol(&app.config.public_url),
        history: history::of(&place, here.organization.id, &id.to_string(), &frame).await?,
        frame,
    };
    Ok(page(&shown, []))
}

/// What a device runs, with its claim code in the variable.
pub(super) fn enrol(url: &str) -> String {
    format!(
        "export CLAVIGER_URL={url}\nclaviger enrol --name DEVICE --key device.pem\n\
         claviger token request --client-id CLIENT_ID --key device.pem"
    )
}

#[derive(Template)]
#[template(path = "fleet_devices.html")]
pub(crate) struct DevicesPage {
    pub(crate) frame: Frame,
    pub(crate) fleet: (String, String),
    pub(crate) path: String,
    pub(crate) q: String,
    pub(crate) rows: Vec<Row>,
    pub(crate) pages: Pages,
}

/// A device.
pub(crate) struct Row {
    /// The page of its service account, if the reader may see that.
    pub(crate) path: Option<String>,
    pub(crate) name: String,
    pub(crate) id: String,
    pub(crate) badge: Badge,
    pub(crate) used: Option<Moment>,
    pub(crate) ends: Option<Moment>,
    pub(crate) enrolled: Moment,
}

/// `GET …/{fleet}/devices`.
pub(crate) async fn devices(
    State(app): State<App>,
    Which(id): Which,
    inside: Inside,
    Query(wanted): Query<Wanted>,
) -> Result<Response, Trouble> {
    let (here, place) = (&inside.here, inside.place(&app));
    let fleet = find(&app, here, id).await?;
    let mut view = app.store.within(Reach::Organization(here.organization.id));
    let q = pages::searched(&wanted.q);
    let mut found = view.devices(id, q.as_deref(), &pages::rows(&wanted.after)?).await?;
    let (frame, path, q) = (place.frame().await?, path(here, id), q.unwrap_or_default());
    let list = format!("{path}/devices");
    let pages = Pages::of(&mut found, |one| one.device.account, &list, &[("q", &q)], &wanted.after);
    let shown = DevicesPage {
        fleet: (fleet.name.to_string(), path),
        rows: found.into_iter().map(|one| row(one, here, &app, &frame)).collect(),
        pages,
        path: list,
        q,
        frame,
    };
    Ok(page(&shown, []))
}

fn row(listed: ListedDevice, here: &Here, app: &App, frame: &Frame) -> Row {
    let now = app.now();
    let ListedDevice { device, disabled, keys, last_used_at } = listed;
    let (key, class) = match DeviceStatus::of(&device, disabled, &keys, now) {
        DeviceStatus::Active => ("status-active", "good"),
        DeviceStatus::Disabled => ("status-disabled", "warn"),
        DeviceStatus::Expired => ("status-expired", "bad"),
        DeviceStatus::Revoked => ("status-revoked", "bad"),
    };
    let moment = |time| Moment::new(frame.language(), time, now);
    let sees = here.person.may(permission::SERVICE_ACCOUNTS_READ);
    Row {
        path: sees.then(|| here.path(&format!("/service-accounts/{}", device.account))),
        name: device.name.to_string(),
        id: device.account.to_string(),
        badge: Badge { words: frame.text(key), class },
        used: last_used_at.map(moment),
        ends: keys.iter().filter_map(|(_, end)| *end).max().map(moment),
        enrolled: moment(device.enrolled_at),
    }
}
