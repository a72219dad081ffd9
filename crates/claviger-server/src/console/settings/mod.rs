//! `/settings`: the instance itself, for who holds `claviger:signing_keys:read` with instance scope: the keys that sign tokens, what new
//! credentials begin with, who may register clients, and what somebody who helps wants to know. Nothing secret stands here: of what is,
//! only whether it is set.

mod facts;
mod keys;
#[cfg(test)]
mod samples;

pub(super) use keys::{ask_to_replace, ask_to_rotate, replace, rotate};
#[cfg(test)]
pub(super) use samples::samples;

use askama::Template;
use axum::{
    extract::{FromRequest, FromRequestParts, Request, State},
    http::request::Parts,
    response::Response,
};
use claviger_core::{MOST_REGISTERED, Reach, Standing, permission};

use self::{
    facts::{Fact, Value},
    keys::Algorithm,
};
use super::{
    form::{Fields, SessionForm},
    page::{Frame, page},
    trouble::Trouble,
    visit::{SignedIn, Visit},
};
use crate::{app::App, session::Session};

const SETTINGS: &str = "/settings";

#[derive(Template)]
#[template(path = "settings.html")]
pub(super) struct SettingsPage {
    pub(super) frame: Frame,
    pub(super) algorithms: Vec<Algorithm>,
    /// Whether they may rotate the keys.
    pub(super) rotates: bool,
    /// After how many days the next key signs by itself.
    pub(super) days: usize,
    /// Where the keys are published.
    pub(super) published_at: String,
    /// How the texts of new credentials begin, and what else is accepted.
    pub(super) brand: String,
    pub(super) former: Vec<String>,
    pub(super) register_at: String,
    pub(super) most_registered: usize,
    pub(super) facts: Vec<Fact>,
}

impl SettingsPage {
    pub(super) fn rotated_every(&self) -> String {
        self.frame.text_counting("settings-keys-every", self.days)
    }

    pub(super) fn registered_at_most(&self) -> String {
        self.frame.text_counting("settings-registration-most", self.most_registered)
    }
}

/// Somebody who looks after the instance.
pub(super) struct Keeper {
    session: Session,
    visit: Visit,
    standings: Vec<Standing>,
}

impl FromRequestParts<App> for Keeper {
    type Rejection = Trouble;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Trouble> {
        let SignedIn(session) = SignedIn::from_request_parts(parts, app).await?;
        Self::with(session, Visit::read(parts, app), app).await
    }
}

impl Keeper {
    async fn with(session: Session, visit: Visit, app: &App) -> Result<Self, Trouble> {
        let standings = app.store.standings_of(session.user()).await?;
        if sees(&standings) { Ok(Self { session, visit, standings }) } else { Err(Trouble::Absent) }
    }

    fn rotates(&self) -> bool {
        reaches_instance(&self.standings, permission::SIGNING_KEYS_WRITE)
    }

    /// That they may rotate the keys, or the page is not there for them.
    fn must_rotate(&self) -> Result<(), Trouble> {
        if self.rotates() { Ok(()) } else { Err(Trouble::Absent) }
    }

    async fn frame(&self, app: &App) -> Result<Frame, Trouble> {
        Ok(Frame::inside(&self.session, &self.visit, app, None).await?)
    }
}

/// A form of theirs.
pub(super) struct KeeperForm {
    who: Keeper,
    fields: Fields,
}

impl FromRequest<App> for KeeperForm {
    type Rejection = Trouble;

    async fn from_request(request: Request, app: &App) -> Result<Self, Trouble> {
        let SessionForm { fields, visit, session } = SessionForm::from_request(request, app).await?;
        Ok(Self { who: Keeper::with(session, visit, app).await?, fields })
    }
}

/// Whether who stands like this sees the settings.
pub(super) fn sees(standings: &[Standing]) -> bool {
    reaches_instance(standings, permission::SIGNING_KEYS_READ)
}

fn reaches_instance(standings: &[Standing], permission: &str) -> bool {
    Standing::reaches(standings, permission).contains(&Reach::Instance)
}

/// `GET /settings`.
pub(super) async fn show(State(app): State<App>, who: Keeper) -> Result<Response, Trouble> {
    const HOURS: i64 = 24;
    let (frame, config) = (who.frame(&app).await?, &app.config);
    let shown = SettingsPage {
        algorithms: keys::algorithms(&app, &frame).await?,
        rotates: who.rotates(),
        days: usize::try_from(config.signing_key_rotation.as_hours() / HOURS).unwrap_or_default(),
        published_at: format!("{}/.well-known/jwks.json", config.public_url),
        brand: config.brand.to_string(),
        former: config.former_brands.iter().map(ToString::to_string).collect(),
        register_at: format!("{}/oauth/register", config.public_url),
        most_registered: usize::try_from(MOST_REGISTERED).unwrap_or_default(),
        facts: facts::facts(&app),
        frame,
    };
    Ok(page(&shown, []))
}
