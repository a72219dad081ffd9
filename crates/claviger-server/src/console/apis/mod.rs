//! `/apis`: the APIs of the instance, how tokens for them are made, and what can be permitted on them, for who holds `claviger:apis:read`
//! with instance scope, and to change them `claviger:apis:write`. Route rules are shown; they are written beside an API's own code.

pub(super) mod change;
pub(super) mod delete;
pub(super) mod detail;
pub(super) mod list;
pub(super) mod permission;
#[cfg(test)]
pub(super) mod samples;

use claviger_core::{Api, Reach, permission as permissions};
use claviger_token::ApiId;

use super::{everywhere::Everywhere, trouble::Trouble};
use crate::{app::App, manage::Authority};

const LIST: &str = "/apis";

fn path_of(api: ApiId) -> String {
    format!("{LIST}/{api}")
}

/// One that they may look at.
async fn find(app: &App, at: &Everywhere, id: ApiId) -> Result<Api, Trouble> {
    at.authority(permissions::APIS_READ)?;
    app.store.within(Reach::Instance).api(id).await?.ok_or(Trouble::Absent)
}

/// Theirs who declares and changes APIs.
fn writer(at: &Everywhere) -> Result<Authority<'_>, Trouble> {
    at.authority(permissions::APIS_READ)?;
    at.authority(permissions::APIS_WRITE)
}

/// One that they change: Claviger's own nobody does.
async fn to_change<'a>(app: &App, at: &'a Everywhere, id: ApiId) -> Result<(Api, Authority<'a>), Trouble> {
    let (authority, api) = (writer(at)?, find(app, at, id).await?);
    if api.builtin { Err(Trouble::Absent) } else { Ok((api, authority)) }
}
