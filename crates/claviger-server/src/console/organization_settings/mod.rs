//! An organization itself: made (`/organizations/-/new`, which no slug can be), shown and changed (`/organizations/{organization}/settings`),
//! stopped, and ended. Who holds `claviger:organizations:write` there changes its name and its portal; the rest is for who holds it with
//! instance scope.

pub(super) mod change;
pub(super) mod detail;
pub(super) mod end;
pub(super) mod new;
#[cfg(test)]
pub(super) mod samples;

use claviger_core::{Reach, permission};

use super::{credential::Place, shell::Here, trouble::Trouble};
use crate::manage::Authority;

fn path_of(here: &Here) -> String {
    here.path("/settings")
}

/// Theirs who changes it.
fn writer<'a>(place: &Place<'a>) -> Result<(&'a Here, Authority<'a>), Trouble> {
    let here = place.here.ok_or(Trouble::Absent)?;
    here.must(permission::ORGANIZATIONS_READ)?;
    let authority = Authority::of_person(place.session, &here.person, permission::ORGANIZATIONS_WRITE);
    Ok((here, authority.ok_or(Trouble::Absent)?))
}

/// Theirs who may stop and end it, too.
fn owner<'a>(place: &Place<'a>) -> Result<(&'a Here, Authority<'a>), Trouble> {
    let (here, authority) = writer(place)?;
    if authority.reach == Reach::Instance { Ok((here, authority)) } else { Err(Trouble::Absent) }
}
