//! Approvals: a token that waits is let work, or ended. Over the API by a credential, on a page by somebody who is signed in;
//! the rule is one.

use axum::extract::State;
use claviger_core::{Credential, Kind, Reach, Rejection, Standing, permission};
use claviger_store::{CredentialFilter, Page, StoreError};
use claviger_token::PersonalAccessTokenId;

use super::{Id, credential::Authority, look_alike::LookAlikes, personal_access_token::PersonalAccessTokenView};
use crate::{
    app::App,
    body::Answer,
    caller::{Caller, WriteCredentials},
    problem::{Problem, RequestError},
    session::{Session, hex},
};

/// What somebody makes of a token that waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Decision {
    /// It works from now on.
    Approve,
    /// It ends without having worked.
    Deny,
}

/// Approve a personal access token
///
/// It works from the answer on. Needs `claviger:credentials:write`. Who is signed in does the same at `approval_url`.
#[utoipa::path(
    post, path = "/v1/personal-access-tokens/{id}/approve", tag = "Personal access tokens",
    operation_id = "approvePersonalAccessToken", params(("id" = PersonalAccessTokenId, Path)),
    responses((status = 200, body = PersonalAccessTokenView), (status = "4XX", body = Problem)),
)]
pub(crate) async fn approve(
    State(app): State<App>,
    caller: Caller<WriteCredentials>,
    Id(id): Id<PersonalAccessTokenId>,
) -> Result<Answer<PersonalAccessTokenView>, RequestError> {
    let authority = Authority::of_tokens(&caller, permission::CREDENTIALS_WRITE);
    decided(&app, &authority, id, Decision::Approve, None).await.map(Answer)
}

/// Deny a personal access token
///
/// It ends without having worked. Needs `claviger:credentials:write`.
#[utoipa::path(
    post, path = "/v1/personal-access-tokens/{id}/deny", tag = "Personal access tokens",
    operation_id = "denyPersonalAccessToken", params(("id" = PersonalAccessTokenId, Path)),
    responses((status = 200, body = PersonalAccessTokenView), (status = "4XX", body = Problem)),
)]
pub(crate) async fn deny(
    State(app): State<App>,
    caller: Caller<WriteCredentials>,
    Id(id): Id<PersonalAccessTokenId>,
) -> Result<Answer<PersonalAccessTokenView>, RequestError> {
    let authority = Authority::of_tokens(&caller, permission::CREDENTIALS_WRITE);
    decided(&app, &authority, id, Decision::Deny, None).await.map(Answer)
}

/// `seen` is what a page showed of it, by [`App::seen`].
async fn decided<'a>(
    app: &'a App,
    authority: &Authority<'a>,
    id: PersonalAccessTokenId,
    decision: Decision,
    seen: Option<&str>,
) -> Result<PersonalAccessTokenView, RequestError> {
    let (mut tx, one) = authority.to_change(app, id).await?;
    if decision == Decision::Approve && seen.is_some_and(|seen| seen != app.seen(&one)) {
        let message = "it is not as it was shown any more; look at it again".to_owned();
        return Err(Rejection::Conflict { code: "changed_meanwhile", message }.into());
    }
    let now = app.now();
    let (one, event) = match decision {
        Decision::Approve => one.approve(authority.by.actor.id(), now)?,
        Decision::Deny => one.deny(now)?,
    };
    tx.save_credential(&one).await?;
    let look_alikes = authority.look_alikes(&mut tx.within(authority.reach), &one, now).await?;
    tx.commit(event, now, &mut app.rng()).await?;
    Ok(PersonalAccessTokenView::new(app, one, now).among(look_alikes))
}

/// Somebody who is signed in, as far as they may decide.
pub(crate) struct Approver<'a> {
    session: &'a Session,
    /// Where they hold `claviger:credentials:write`.
    decides: Vec<Reach>,
    /// Where they hold `claviger:credentials:read`.
    sees_all: Vec<Reach>,
}

/// A token for which an approval was wanted, as an approver sees it.
pub(crate) struct Request {
    pub(crate) token: Credential,
    pub(crate) look_alikes: LookAlikes,
    /// Whether its user reaches the whole instance, and the approver does not.
    pub(crate) reaches_further: bool,
}

impl App {
    /// What a page carries of a token as it shows it.
    pub(crate) fn seen(&self, token: &Credential) -> String {
        hex(&self.peppers.keyed_hash("seen", &[token.as_asked().as_bytes()]))
    }
}

impl<'a> Approver<'a> {
    pub(crate) async fn of(app: &App, session: &'a Session) -> Result<Self, StoreError> {
        let standings = app.store.standings_of(session.user()).await?;
        let reaches = |permission| Standing::reaches(&standings, permission);
        let (decides, sees_all) = (reaches(permission::CREDENTIALS_WRITE), reaches(permission::CREDENTIALS_READ));
        Ok(Self { session, decides, sees_all })
    }

    /// Whether there is anywhere where they decide.
    pub(crate) fn decides_anywhere(&self) -> bool {
        !self.decides.is_empty()
    }

    /// How many tokens wait for them.
    pub(crate) async fn count(&self, app: &App) -> Result<usize, StoreError> {
        let organization = |reach: &Reach| match reach {
            Reach::Organization(id) => Some(*id),
            Reach::Instance => None,
        };
        if self.decides.is_empty() {
            return Ok(0);
        }
        // Whoever decides everywhere is not asked where.
        let among = self.decides.iter().map(organization).collect::<Option<Vec<_>>>();
        let filter = CredentialFilter { among, ..waiting(app) };
        let count = app.store.within(Reach::Instance).count_credentials(&filter).await?;
        Ok(usize::try_from(count).unwrap_or_default())
    }

    /// The newest `most` that wait for them.
    pub(crate) async fn waiting(&self, app: &App, most: u32) -> Result<Vec<Credential>, StoreError> {
        let mut tokens = Vec::new();
        for reach in &self.decides {
            let page = Page { after: None, limit: most };
            tokens.extend(app.store.within(*reach).credentials(&waiting(app), &page).await?);
        }
        tokens.sort_by_key(|token| std::cmp::Reverse(token.created_at));
        tokens.truncate(usize::try_from(most).unwrap_or(usize::MAX));
        Ok(tokens)
    }

    /// One that waits or waited, where they may decide.
    pub(crate) async fn find(&self, app: &App, id: PersonalAccessTokenId) -> Result<Request, RequestError> {
        let (authority, token) = self.place(app, id).await?;
        let mut view = app.store.within(authority.reach);
        let look_alikes = authority.look_alikes(&mut view, &token, app.now()).await?;
        let reaches_further = authority.falls_short(&mut view, &token).await?;
        Ok(Request { token, look_alikes, reaches_further })
    }

    /// Decides, by the rule of the API. What has changed since it was `seen` is not approved.
    pub(crate) async fn decide(
        &self,
        app: &App,
        id: PersonalAccessTokenId,
        decision: Decision,
        seen: &str,
    ) -> Result<(), RequestError> {
        let (authority, _) = self.place(app, id).await?;
        decided(app, &authority, id, decision, Some(seen)).await.map(drop)
    }

    async fn place(&self, app: &App, id: PersonalAccessTokenId) -> Result<(Authority<'_>, Credential), RequestError> {
        for reach in self.decides.iter().copied() {
            let token = app.store.within(reach).credential(id).await?;
            let Some(token) = token.filter(|token| token.approval.is_some()) else { continue };
            let sees_all = self.sees_all.iter().copied().find(|reach| reach.covers(token.organization));
            let authority = Authority::of_session(self.session, reach, sees_all, permission::CREDENTIALS_WRITE);
            return Ok((authority, token));
        }
        Err(RequestError::NotFound)
    }
}

/// What has ended or expired meanwhile waits for nobody. What its owner stopped meanwhile still waits.
fn waiting(app: &App) -> CredentialFilter {
    let at = app.now();
    CredentialFilter {
        kind: Some(Kind::PersonalAccessToken),
        waits: true,
        live_at: Some(at),
        ..CredentialFilter::default()
    }
}
