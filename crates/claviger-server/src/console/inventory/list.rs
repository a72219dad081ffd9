//! The list of an organization's tokens, those that wait for an approval in front; and the same of one user.

use askama::Template;
use axum::{
    extract::{Path, State},
    http::StatusCode,
    response::Response,
};
use claviger_core::{Credential, Kind, Reach, permission};
use claviger_store::{CredentialFilter, Order, Page, StoreError};
use claviger_token::{PrincipalId, UserId};

use super::wanted::{Choices, Wanted};
use crate::{
    app::App,
    console::{
        approval,
        credential::{
            Place,
            list::{Listed, rows},
        },
        inside::Inside,
        page::{Frame, page_with},
        pages::{self, Pages},
        query::Query,
        shell::Here,
        trouble::Trouble,
        whom::Whom,
    },
};

/// How many of those that wait are shown in front.
const MOST_WAITING: u32 = 5;

#[derive(Template)]
#[template(path = "inventory.html")]
pub(crate) struct InventoryPage {
    pub(crate) frame: Frame,
    pub(crate) path: String,
    pub(crate) wanted: Wanted,
    pub(crate) rows: Vec<Listed>,
    /// Whose tokens these are: a name and an id.
    pub(crate) of: Option<(String, String)>,
    /// The list of everybody's.
    pub(crate) everybody: String,
    pub(crate) waiting: Vec<Waiting>,
    /// Whether more wait than are shown.
    pub(crate) more_wait: bool,
    /// What cannot be meant by the owner.
    pub(crate) wrong: Option<String>,
    /// Who could be: a name, and the address of their tokens.
    pub(crate) whom: Vec<(String, String)>,
    pub(crate) pages: Pages,
    /// Where all of these are ended, if somebody may.
    pub(crate) bulk: Option<String>,
}

/// A token that waits.
pub(crate) struct Waiting {
    pub(crate) path: String,
    pub(crate) name: String,
    pub(crate) owner: String,
    pub(crate) since: String,
}

impl InventoryPage {
    pub(crate) fn states(&self) -> Choices {
        self.wanted.states(&self.frame)
    }

    pub(crate) fn orders(&self) -> Choices {
        self.wanted.orders(&self.frame)
    }
}

/// Whose tokens are meant, or why that is not clear.
pub(super) enum Owner {
    Anybody,
    One(UserId),
    Unclear(String, Vec<(PrincipalId, String)>),
}

impl Owner {
    pub(super) async fn of(wanted: &Wanted, here: &Here, app: &App, frame: &Frame) -> Result<Self, StoreError> {
        let typed: String = wanted.owner.trim().chars().take(100).collect();
        if typed.is_empty() {
            return Ok(Self::Anybody);
        }
        Ok(match Whom::find(app, here, &typed, false).await? {
            Whom::One(PrincipalId::User(id)) => Self::One(id),
            Whom::One(PrincipalId::ServiceAccount(_)) | Whom::Nobody => {
                Self::Unclear(frame.text("audit-actor-wrong"), Vec::new())
            }
            Whom::Several(all) => Self::Unclear(frame.text("audit-actor-several"), all),
        })
    }
}

/// `GET /organizations/{organization}/tokens`.
pub(crate) async fn show(
    State(app): State<App>,
    inside: Inside,
    Query(wanted): Query<Wanted>,
) -> Result<Response, Trouble> {
    let place = inside.tokens(&app);
    inside.here.must(permission::CREDENTIALS_READ)?;
    let frame = place.frame().await?;
    match Owner::of(&wanted, &inside.here, &app, &frame).await? {
        Owner::Anybody => with(&place, &inside.here, frame, wanted, None).await,
        Owner::One(user) => with(&place, &inside.here, frame, wanted, Some(user)).await,
        Owner::Unclear(wrong, all) => {
            let named = |(id, name): (PrincipalId, String)| {
                let wanted = Wanted { owner: id.to_string(), ..wanted.clone() };
                (name, wanted.address(&place.list()))
            };
            let shown = InventoryPage {
                whom: all.into_iter().map(named).collect(),
                wrong: Some(wrong),
                path: place.list(),
                everybody: place.list(),
                rows: Vec::new(),
                of: None,
                waiting: Vec::new(),
                more_wait: false,
                pages: Pages::default(),
                bulk: None,
                wanted,
                frame,
            };
            Ok(page_with(StatusCode::UNPROCESSABLE_ENTITY, &shown, []))
        }
    }
}

/// `GET /organizations/{organization}/members/{user}/tokens`.
pub(crate) async fn show_of_member(
    State(app): State<App>,
    Path((_, user)): Path<(String, String)>,
    inside: Inside,
    Query(wanted): Query<Wanted>,
) -> Result<Response, Trouble> {
    let place = inside.tokens(&app);
    inside.here.must(permission::CREDENTIALS_READ)?;
    let (user, here) = (user.parse::<UserId>().map_err(|_| Trouble::Absent)?, &inside.here);
    let mut view = app.store.within(Reach::Organization(here.organization.id));
    view.membership(here.organization.id, user).await?.ok_or(Trouble::Absent)?;
    let frame = place.frame().await?;
    let wanted = Wanted { owner: user.to_string(), ..wanted };
    with(&place, here, frame, wanted, Some(user)).await
}

async fn with(
    place: &Place<'_>,
    here: &Here,
    frame: Frame,
    wanted: Wanted,
    owner: Option<UserId>,
) -> Result<Response, Trouble> {
    let (app, now, organization) = (place.app, place.app.now(), here.organization.id);
    let mut view = app.store.within(Reach::Organization(organization));
    let filter = wanted.filter(organization, owner, now);
    let (mut found, looked_to) = view.look_through(wanted.order(), &filter, &pages::rows(&wanted.after)?).await?;
    let path = place.list();
    let pages = Pages::through(&mut found, looked_to, |one| one.id, &path, &wanted.fields(), &wanted.after);
    let is_front = wanted.after.is_empty() && wanted.q.is_empty() && wanted.state.is_empty();
    let mut waits = match is_front {
        true => {
            let filter = CredentialFilter {
                kind: Some(Kind::PersonalAccessToken),
                organization: Some(organization),
                principal: owner.map(PrincipalId::from),
                waits: true,
                live_at: Some(now),
                ..CredentialFilter::default()
            };
            view.credentials_in(Order::Oldest, &filter, &Page { after: None, limit: MOST_WAITING + 1 }).await?
        }
        false => Vec::new(),
    };
    let more_wait = waits.len() > MOST_WAITING as usize;
    waits.truncate(MOST_WAITING as usize);
    let owners: Vec<PrincipalId> =
        found.iter().chain(&waits).map(|one| one.principal).chain(owner.map(PrincipalId::from)).collect();
    let names = view.names_in(organization, &owners).await?;
    let called = |principal: PrincipalId| names.get(&principal).cloned().unwrap_or_else(|| principal.to_string());
    let decides = here.person.may(permission::CREDENTIALS_WRITE);
    let waiting = |one: &Credential| Waiting {
        path: if decides { approval::path(one) } else { place.path(one.id) },
        name: one.name.to_string(),
        owner: called(one.principal),
        since: approval::since(one),
    };
    let can_end = decides && (!found.is_empty() || pages.looks_on) && wanted.is_endable();
    let shown = InventoryPage {
        rows: rows(place, &found, |one| Some(called(one.principal)), now, &frame).await?,
        of: owner.map(|user| (called(user.into()), user.to_string())),
        waiting: waits.iter().map(waiting).collect(),
        more_wait,
        wrong: None,
        whom: Vec::new(),
        pages,
        bulk: can_end.then(|| wanted.address(&format!("{path}/revoke"))),
        everybody: path.clone(),
        path,
        wanted,
        frame,
    };
    Ok(page_with(StatusCode::OK, &shown, []))
}
