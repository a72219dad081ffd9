//! What the pages of an organization's API keys, of what its OAuth clients prove themselves by, of its members' tokens and of one's own, in the console and at a portal, share, which is nearly everything: a credential is
//! shown, changed, rolled and ended alike. The rules are those of the management API, by the same functions.

pub(crate) mod action;
pub(crate) mod detail;
pub(crate) mod edit;
pub(crate) mod form;
pub(crate) mod history;
pub(crate) mod list;
pub(crate) mod made;
pub(crate) mod once;
pub(crate) mod picker;
pub(crate) mod revoke;
pub(crate) mod roll;
pub(crate) mod routes;
pub(crate) mod shown;
mod wrong;

use claviger_core::{
    ClientCredentialChanges, Credential, CredentialChanges, Event, Issued, Kind, Person, Reach, Rejection, permission,
};
use claviger_store::{StoreError, Tx};
use claviger_token::{CredentialId, OrganizationId, ServiceAccountId};
use jiff::Timestamp;

use super::{
    form::{Fields, who_resumes},
    page::Frame,
    shell::Here,
    trouble::Trouble,
    visit::Visit,
};
use crate::{
    app::App,
    manage::{Authority, api_key, client_credential, client_secret, personal_access_token},
    problem::RequestError,
    session::Session,
};

/// What a token of somebody else is looked at with, as over the API; the list of them wants the first alone.
pub(super) const TOKENS_READ: [&str; 2] = [permission::CREDENTIALS_READ, permission::PERSONAL_ACCESS_TOKENS_READ];

/// What is managed at a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    /// The API keys of an organization.
    ApiKeys,
    /// Somebody's own tokens, wherever they act.
    OwnTokens,
    /// Everybody's tokens that act in an organization. Whoever governs them looks at them, stops and ends them; what they may do, and their
    /// secrets, are their users' own.
    Tokens,
    /// What an OAuth client of an organization proves itself by.
    OfClient(Client),
}

/// One kind of what an OAuth client proves itself by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Client {
    pub(super) account: ServiceAccountId,
    pub(super) kind: Kind,
}

impl Client {
    /// What stands in the path, below the account.
    pub(super) fn word(self) -> &'static str {
        match self.kind {
            Kind::PublicKey => "public-keys",
            Kind::Certificate => "certificates",
            Kind::Federation => "federations",
            Kind::ClientSecret | Kind::ApiKey | Kind::PersonalAccessToken => "secrets",
        }
    }

    /// The kind that a word in a path means.
    pub(super) fn kind_of(word: &str) -> Option<Kind> {
        match word {
            "secrets" => Some(Kind::ClientSecret),
            "public-keys" => Some(Kind::PublicKey),
            "certificates" => Some(Kind::Certificate),
            "federations" => Some(Kind::Federation),
            _ => None,
        }
    }
}

/// Where credentials are managed. A session at a portal makes it the portal's.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) app: &'a App,
    pub(super) session: &'a Session,
    pub(super) visit: &'a Visit,
    /// The organization; `None`: one's own tokens, wherever they act.
    pub(super) here: Option<&'a Here>,
    pub(super) what: What,
}

impl<'a> Place<'a> {
    /// Whether somebody is at a portal, where a page links to nothing else and shows nothing but their tokens there.
    pub(super) fn is_at_portal(&self) -> bool {
        self.session.is_at_portal()
    }

    /// A page's frame.
    pub(super) async fn frame(&self) -> Result<Frame, StoreError> {
        if self.is_at_portal() {
            return Ok(Frame::at_portal(self.session, self.visit, self.app));
        }
        Frame::inside(self.session, self.visit, self.app, self.here).await
    }

    /// The path of the list.
    pub(super) fn list(&self) -> String {
        match (self.what, self.here) {
            (What::ApiKeys, Some(here)) => here.path("/api-keys"),
            (What::Tokens, Some(here)) => here.path("/tokens"),
            (What::OfClient(of), Some(here)) => here.path(&format!("/service-accounts/{}/{}", of.account, of.word())),
            (What::OwnTokens, _) if self.is_at_portal() => "/portal".to_owned(),
            (What::OwnTokens, _) | (_, None) => "/account/tokens".to_owned(),
        }
    }

    /// The key of what the list is called.
    pub(super) fn title(&self) -> &'static str {
        match self.what {
            What::ApiKeys => "nav-api-keys",
            What::OwnTokens => "nav-tokens",
            What::Tokens => "inventory-title",
            What::OfClient(of) => Called::of(of.kind).list,
        }
    }

    /// The client of which something is managed, if it is one's.
    pub(super) fn client(&self) -> Option<Client> {
        match self.what {
            What::OfClient(of) => Some(of),
            What::ApiKeys | What::OwnTokens | What::Tokens => None,
        }
    }

    /// The same where secrets of ours are kept, which are rolled; nothing else is.
    pub(super) fn with_secrets(self) -> Result<Self, Trouble> {
        match self.client().map(|of| of.kind) {
            None | Some(Kind::ClientSecret | Kind::ApiKey | Kind::PersonalAccessToken) => Ok(self),
            Some(Kind::PublicKey | Kind::Certificate | Kind::Federation) => Err(Trouble::Absent),
        }
    }

    /// The path of one credential.
    pub(super) fn path(&self, id: CredentialId) -> String {
        format!("{}/{id}", self.list())
    }

    /// Somebody's, to look at what is here.
    pub(super) fn reader(&self) -> Result<Authority<'a>, Trouble> {
        self.authority(self.seen_with())
    }

    fn seen_with(self) -> &'static [&'static str] {
        match self.what {
            What::ApiKeys => &[permission::API_KEYS_READ],
            What::OwnTokens => &[permission::PERSONAL_ACCESS_TOKENS_READ],
            What::Tokens => &TOKENS_READ,
            What::OfClient(_) => &[permission::SERVICE_ACCOUNTS_READ],
        }
    }

    /// And to change it.
    pub(super) fn writer(&self) -> Result<Authority<'a>, Trouble> {
        self.authority(self.changed_with())
    }

    fn changed_with(self) -> &'static [&'static str] {
        match self.what {
            What::ApiKeys => &[permission::API_KEYS_WRITE],
            What::OwnTokens => &[permission::PERSONAL_ACCESS_TOKENS_WRITE],
            // As over the API, where whoever changes a token of somebody else holds both.
            What::Tokens => &[permission::CREDENTIALS_WRITE, permission::PERSONAL_ACCESS_TOKENS_WRITE],
            What::OfClient(_) => &[permission::SERVICE_ACCOUNTS_WRITE],
        }
    }

    /// As far as all that is needed reaches.
    fn authority(&self, needed: &[&'static str]) -> Result<Authority<'a>, Trouble> {
        let Some(here) = self.here else { return Ok(Authority::over_own(self.session, needed[0])) };
        if !here.may_all(needed) {
            return Err(Trouble::Absent);
        }
        let near = needed.iter().find(|permission| here.person.reach(permission) != Some(Reach::Instance));
        let nearest = near.copied().unwrap_or(needed[0]);
        let authority = match self.client() {
            None => Authority::of_person(self.session, &here.person, nearest),
            Some(of) => Authority::over_client_of_person(self.session, &here.person, nearest, of.account),
        };
        authority.ok_or(Trouble::Absent)
    }

    /// Whether somebody may look at one of what is here, and not only at the list.
    pub(super) fn looks(&self) -> bool {
        self.here.is_none_or(|here| here.may_all(self.seen_with()))
    }

    /// Whether somebody may change what is here, or only look.
    pub(super) fn changes(&self) -> bool {
        self.here.is_none_or(|here| here.may_all(self.changed_with()))
    }

    /// A credential that belongs here.
    pub(super) async fn find(&self, id: CredentialId) -> Result<Credential, Trouble> {
        let authority = self.reader()?;
        let found = authority.find(&mut self.app.store.within(authority.reach), id).await?;
        if self.owns(&found) { Ok(found) } else { Err(Trouble::Absent) }
    }

    fn owns(&self, one: &Credential) -> bool {
        let here = self.here.is_some_and(|here| one.organization == here.organization.id);
        match self.what {
            What::ApiKeys => here && Kind::of(one.id) == Kind::ApiKey,
            What::OwnTokens => {
                Kind::of(one.id) == Kind::PersonalAccessToken && one.principal == self.session.user().into()
            }
            What::Tokens => here && Kind::of(one.id) == Kind::PersonalAccessToken,
            What::OfClient(of) => here && Kind::of(one.id) == of.kind,
        }
    }

    /// What somebody may do where a credential acts.
    pub(super) async fn person(&self, organization: OrganizationId) -> Result<Person, StoreError> {
        if let Some(here) = self.here {
            return Ok(here.person.clone());
        }
        let standings = self.app.store.standings_of(self.session.user()).await?;
        Ok(Person::of(self.session.user(), &standings, organization))
    }

    /// For what outlasts the session: its user proves who they are, and comes back to `next`. At a portal the product vouches for
    /// them, once more.
    pub(super) fn must_be_fresh(&self, next: String) -> Result<(), Trouble> {
        match self.session.is_fresh(self.app.now()) {
            true => Ok(()),
            false if self.is_at_portal() => Err(Trouble::OldPortal),
            false => Err(Trouble::NotFresh { next }),
        }
    }

    /// The page that takes up a form once its user has proved who they are, if the form names one.
    pub(super) fn resumed(&self, fields: &Fields) -> Option<String> {
        let who = who_resumes(Some(self.session), self.visit);
        fields.resumed(&self.app.peppers, who.first().map(String::as_str))
    }

    /// What they typed before, if this page takes it up.
    pub(super) fn taken_up(&self) -> Option<Fields> {
        Fields::taken_up(&self.visit.path, &self.app.peppers, &who_resumes(Some(self.session), self.visit))
    }

    /// A credential as it is changed, in a transaction that is not committed yet.
    pub(super) async fn updated(
        &self,
        authority: &Authority<'a>,
        id: CredentialId,
        changes: CredentialChanges,
    ) -> Result<(Tx<'a>, Credential, Event), RequestError> {
        match id {
            CredentialId::ApiKey(id) => api_key::updated(self.app, authority, id, changes).await,
            CredentialId::PersonalAccessToken(id) => {
                personal_access_token::updated(self.app, authority, id, changes).await
            }
            CredentialId::ClientSecret(_)
            | CredentialId::PublicKey(_)
            | CredentialId::Certificate(_)
            | CredentialId::Federation(_) => {
                let CredentialChanges { name, expires_at, disabled, .. } = changes;
                let changes = ClientCredentialChanges { name, expires_at, disabled };
                client_credential::updated(self.app, authority, id, changes).await
            }
        }
    }

    /// The same with a new secret.
    pub(super) async fn rolled(
        &self,
        authority: &Authority<'a>,
        id: CredentialId,
        overlap_seconds: u32,
        now: Timestamp,
    ) -> Result<(Tx<'a>, Issued), RequestError> {
        match id {
            CredentialId::ApiKey(id) => api_key::rolled(self.app, authority, id, overlap_seconds, now).await,
            CredentialId::PersonalAccessToken(id) => {
                personal_access_token::rolled(self.app, authority, id, overlap_seconds, now).await
            }
            CredentialId::ClientSecret(id) => {
                client_secret::rolled(self.app, authority, id, overlap_seconds, now).await
            }
            CredentialId::PublicKey(_) | CredentialId::Certificate(_) | CredentialId::Federation(_) => {
                Err(RequestError::NotFound)
            }
        }
    }
}

/// What somebody sees where a rule said no and there is no form to tell it in.
pub(super) fn withheld(error: RequestError) -> Trouble {
    let is_withheld = matches!(
        error,
        RequestError::Forbidden { .. }
            | RequestError::Rejected(Rejection::Forbidden { .. } | Rejection::Withheld { .. })
    );
    if is_withheld { Trouble::Withheld } else { error.into() }
}

/// The keys of the texts in which pages speak of each kind.
pub(super) struct Called {
    /// Its list.
    pub(super) list: &'static str,
    /// One that was made now.
    pub(super) made: &'static str,
    /// The question before one is revoked.
    pub(super) revoke: &'static str,
}

impl Called {
    pub(super) fn of(kind: Kind) -> Self {
        let (list, made, revoke) = match kind {
            Kind::ApiKey => ("nav-api-keys", "made-key", "revoke-key"),
            Kind::PersonalAccessToken => ("nav-tokens", "made-token", "revoke-token"),
            Kind::ClientSecret => ("client-secrets", "made-client-secret", "revoke-client-secret"),
            // These have no secret of ours that a page could show.
            Kind::PublicKey => ("public-keys", "public-keys", "revoke-public-key"),
            Kind::Certificate => ("certificates", "certificates", "revoke-certificate"),
            Kind::Federation => ("federations", "federations", "revoke-federation"),
        };
        Self { list, made, revoke }
    }
}
