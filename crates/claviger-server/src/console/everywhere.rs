//! Somebody who is signed in at a page of the whole instance, as an argument of its handler. Who holds nothing with instance scope finds
//! no such page.

use axum::{
    extract::{FromRequest, FromRequestParts, Request},
    http::request::Parts,
};
use claviger_core::{Person, Reach};

use super::{
    credential::{Place, What},
    form::{Fields, SessionForm},
    trouble::Trouble,
    visit::{SignedIn, Visit},
};
use crate::{app::App, manage::Authority, session::Session};

/// Who looks at such a page.
pub(super) struct Everywhere {
    pub(super) session: Session,
    pub(super) visit: Visit,
    person: Person,
}

/// Who sends a form there.
pub(super) struct EverywhereForm {
    pub(super) at: Everywhere,
    pub(super) fields: Fields,
}

impl Everywhere {
    async fn of(session: Session, visit: Visit, app: &App) -> Result<Self, Trouble> {
        let standings = app.store.standings_of(session.user()).await?;
        // Whichever of theirs it is: what has instance scope counts in all of them alike.
        let home = standings.first().ok_or(Trouble::Absent)?.organization;
        let person = Person::of(session.user(), &standings, home);
        if person.everywhere.is_empty() { Err(Trouble::Absent) } else { Ok(Self { session, visit, person }) }
    }

    /// Whether they hold a permission with instance scope.
    pub(super) fn may(&self, permission: &str) -> bool {
        self.person.reach(permission) == Some(Reach::Instance)
    }

    /// Theirs over the instance, or the page is not there for them.
    pub(super) fn authority(&self, permission: &'static str) -> Result<Authority<'_>, Trouble> {
        let authority = Authority::of_person(&self.session, &self.person, permission);
        authority.filter(|authority| authority.reach == Reach::Instance).ok_or(Trouble::Absent)
    }

    pub(super) fn place<'a>(&'a self, app: &'a App) -> Place<'a> {
        Place { app, session: &self.session, visit: &self.visit, here: None, what: What::OwnTokens }
    }
}

impl FromRequestParts<App> for Everywhere {
    type Rejection = Trouble;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Trouble> {
        let SignedIn(session) = SignedIn::from_request_parts(parts, app).await?;
        Self::of(session, Visit::read(parts, app), app).await
    }
}

impl FromRequest<App> for EverywhereForm {
    type Rejection = Trouble;

    async fn from_request(request: Request, app: &App) -> Result<Self, Trouble> {
        let SessionForm { fields, visit, session } = SessionForm::from_request(request, app).await?;
        Ok(Self { at: Everywhere::of(session, visit, app).await?, fields })
    }
}
