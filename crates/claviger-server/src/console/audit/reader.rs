//! Somebody who reads the audit trail, as an argument of a handler: of one organization where the path names one, and else of all.

use axum::{
    RequestExt as _,
    extract::{FromRequest, FromRequestParts, RawPathParams, Request},
    http::request::Parts,
};
use claviger_core::{Chain, Reach, Standing, permission};
use claviger_store::StoreError;

use crate::{
    app::App,
    console::{
        form::{Fields, SessionForm},
        page::Frame,
        shell::Here,
        trouble::Trouble,
        visit::{SignedIn, Visit},
    },
    session::Session,
};

/// Who reads, and how far.
pub(crate) struct Reader {
    pub(crate) session: Session,
    pub(crate) visit: Visit,
    /// The organization; `None`: everything that happened.
    pub(crate) here: Option<Here>,
    /// Whether people have names for them, where they read everything.
    pub(crate) knows_people: bool,
}

/// The same who sends a form.
pub(crate) struct ReaderForm {
    pub(crate) reader: Reader,
    pub(crate) fields: Fields,
}

impl Reader {
    async fn of(app: &App, session: Session, visit: Visit, called: Option<String>) -> Result<Self, Trouble> {
        if let Some(called) = called {
            let here = Here::find(app, &session, &called).await?;
            here.must(permission::AUDIT_EVENTS_READ)?;
            return Ok(Self { session, visit, here: Some(here), knows_people: false });
        }
        let standings = app.store.standings_of(session.user()).await?;
        let everywhere = |permission| Standing::reaches(&standings, permission).contains(&Reach::Instance);
        if !everywhere(permission::AUDIT_EVENTS_READ) {
            return Err(Trouble::Absent);
        }
        let knows_people = everywhere(permission::USERS_READ);
        Ok(Self { session, visit, here: None, knows_people })
    }

    /// The path of the trail.
    pub(crate) fn path(&self) -> String {
        self.here.as_ref().map_or_else(|| "/audit".to_owned(), |here| here.path("/audit"))
    }

    /// What they see of it: with everything within reach, a page of an organization still shows no other.
    pub(crate) fn reach(&self) -> Reach {
        self.here.as_ref().map_or(Reach::Instance, |here| Reach::Organization(here.organization.id))
    }

    /// The chain that is proved here.
    pub(crate) fn chain(&self) -> Chain {
        self.here.as_ref().map(|here| here.organization.id).into()
    }

    pub(crate) async fn frame(&self, app: &App) -> Result<Frame, StoreError> {
        Frame::inside(&self.session, &self.visit, app, self.here.as_ref()).await
    }
}

fn organization(params: &RawPathParams) -> Option<String> {
    params.iter().find(|(known, _)| *known == "organization").map(|(_, value)| value.to_owned())
}

impl FromRequestParts<App> for Reader {
    type Rejection = Trouble;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Trouble> {
        let SignedIn(session) = SignedIn::from_request_parts(parts, app).await?;
        let params = RawPathParams::from_request_parts(parts, app).await.map_err(|_| Trouble::Absent)?;
        Self::of(app, session, Visit::read(parts, app), organization(&params)).await
    }
}

impl FromRequest<App> for ReaderForm {
    type Rejection = Trouble;

    async fn from_request(mut request: Request, app: &App) -> Result<Self, Trouble> {
        let params = request.extract_parts::<RawPathParams>().await.map_err(|_| Trouble::Absent)?;
        let called = organization(&params);
        let SessionForm { fields, visit, session } = SessionForm::from_request(request, app).await?;
        Ok(Self { reader: Reader::of(app, session, visit, called).await?, fields })
    }
}
