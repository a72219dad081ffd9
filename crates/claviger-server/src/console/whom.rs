//! Who is meant by what somebody types: an id, or a part of a name or an address. Nobody is found who could not be looked up elsewhere.

use claviger_core::{Reach, permission};
use claviger_store::{Page, StoreError};
use claviger_token::PrincipalId;

use super::shell::Here;
use crate::app::App;

/// How many are offered to choose from.
const MOST: u32 = 8;

/// Who was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Whom {
    /// This one.
    One(PrincipalId),
    /// One of these: an id and a name of each.
    Several(Vec<(PrincipalId, String)>),
    Nobody,
}

impl Whom {
    /// A member of an organization, or with `accounts` a service account.
    pub(super) async fn find(app: &App, here: &Here, typed: &str, accounts: bool) -> Result<Self, StoreError> {
        if let Ok(id) = typed.parse() {
            return Ok(Self::One(id));
        }
        let organization = here.organization.id;
        let mut view = app.store.within(Reach::Organization(organization));
        let mut found: Vec<(PrincipalId, String)> = Vec::new();
        if here.person.may(permission::MEMBERS_READ) {
            let page = Page { after: None, limit: MOST };
            let members = view.members(organization, Some(typed), &page).await?;
            found.extend(members.into_iter().map(|member| {
                let email = member.user.email.to_string();
                let name = member.user.name.map(|name| format!("{name} · {email}"));
                (member.user.id.into(), name.unwrap_or(email))
            }));
        }
        if accounts && here.person.may(permission::SERVICE_ACCOUNTS_READ) {
            let page = Page { after: None, limit: MOST };
            let accounts = view.service_accounts(Some(organization), Some(typed), &page).await?;
            found.extend(accounts.into_iter().map(|account| (account.id.into(), account.name.to_string())));
        }
        Ok(match found.as_slice() {
            [] => Self::Nobody,
            [(id, _)] => Self::One(*id),
            _ => Self::Several(found),
        })
    }
}
