//! `/organizations/{organization}/service-accounts`: the programs and integrations of an organization, for who holds
//! `claviger:service_accounts:read` there: what each may do, by what it proves itself, and what is done about it for
//! `claviger:service_accounts:write`. The rules are those of the management API, by the same functions.

pub(super) mod certificate;
pub(super) mod clients;
pub(super) mod detail;
pub(super) mod edit;
pub(super) mod federation;
pub(super) mod form;
pub(super) mod list;
pub(super) mod new;
pub(super) mod proof;
pub(super) mod public_key;
#[cfg(test)]
pub(super) mod samples;
pub(super) mod snippets;
pub(super) mod standing;
pub(super) mod terms;

use axum::{extract::FromRequestParts, http::request::Parts};
use claviger_core::{Kind, Reach, ServiceAccount, permission};
use claviger_token::ServiceAccountId;

use super::{
    credential::{Called, Client, Place},
    inside::named,
    shell::Here,
    trouble::Trouble,
};
use crate::app::App;

/// The service account that the path names.
pub(super) struct Account(pub(super) ServiceAccountId);

impl FromRequestParts<App> for Account {
    type Rejection = Trouble;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Trouble> {
        named(parts, app, "account").await?.parse().map(Self).map_err(|_| Trouble::Absent)
    }
}

/// The account and the kind of what it proves itself by, as the path names them.
pub(super) struct Of(pub(super) Client);

impl FromRequestParts<App> for Of {
    type Rejection = Trouble;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Trouble> {
        let Account(account) = Account::from_request_parts(parts, app).await?;
        let kind = Client::kind_of(&named(parts, app, "kind").await?).ok_or(Trouble::Absent)?;
        Ok(Self(Client { account, kind }))
    }
}

/// The path of the list.
fn list_path(here: &Here) -> String {
    here.path("/service-accounts")
}

/// The path of one.
fn path(here: &Here, id: ServiceAccountId) -> String {
    format!("{}/{id}", list_path(here))
}

/// One that belongs here, for who may see it.
async fn find(app: &App, here: &Here, id: ServiceAccountId) -> Result<ServiceAccount, Trouble> {
    here.must(permission::SERVICE_ACCOUNTS_READ)?;
    let found = app.store.within(Reach::Organization(here.organization.id)).service_account(id).await?;
    found.ok_or(Trouble::Absent)
}

/// That somebody may change what is here, and where they are.
fn may_write<'a>(place: &Place<'a>) -> Result<&'a Here, Trouble> {
    let here = place.here.ok_or(Trouble::Absent)?;
    here.must(permission::SERVICE_ACCOUNTS_READ)?;
    here.must(permission::SERVICE_ACCOUNTS_WRITE)?;
    Ok(here)
}

/// What stands above every page of one account: where it is, and its other pages.
pub(crate) struct Head {
    pub(crate) list: String,
    pub(crate) path: String,
    pub(crate) name: String,
    pub(crate) tabs: Vec<Tab>,
}

/// A page of one account.
pub(crate) struct Tab {
    pub(crate) path: String,
    /// The key of its text.
    pub(crate) label: &'static str,
    pub(crate) current: bool,
}

/// The kinds of proof, in the order in which pages tell them.
const PROOFS: [Kind; 4] = [Kind::ClientSecret, Kind::Federation, Kind::PublicKey, Kind::Certificate];

impl Head {
    /// Of the page of this kind; `None`: the first.
    fn of(here: &Here, account: &ServiceAccount, current: Option<Kind>) -> Self {
        let path = path(here, account.id);
        let mut tabs = vec![Tab { path: path.clone(), label: "account-tab", current: current.is_none() }];
        tabs.extend(PROOFS.map(|kind| Tab {
            path: format!("{path}/{}", Client { account: account.id, kind }.word()),
            label: Called::of(kind).list,
            current: current == Some(kind),
        }));
        if here.person.may(permission::API_KEYS_READ) {
            tabs.push(Tab { path: keys_path(here, account.id), label: "nav-api-keys", current: false });
        }
        Self { list: list_path(here), path, name: account.name.to_string(), tabs }
    }
}

/// The list of an account's API keys.
fn keys_path(here: &Here, id: ServiceAccountId) -> String {
    here.path(&format!("/api-keys?account={id}"))
}

/// So many, or so many and more.
fn counted(count: i64, most: u32) -> String {
    if count > i64::from(most) { format!("{most}+") } else { count.to_string() }
}

/// Whether they may hand out what stands for all of an account: whoever has it takes whatever the account comes to hold.
fn gives(here: &Here) -> bool {
    here.person.may(permission::SERVICE_ACCOUNTS_WRITE) && here.person.may(permission::GRANTS_WRITE)
}
