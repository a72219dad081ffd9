//! `/organizations/{organization}/roles`: the roles that can be given here, the organization's own and the instance's, for who holds
//! `claviger:roles:read`; with `claviger:roles:write` its own are made, changed and deleted, and with instance scope the instance's.

pub(super) mod change;
pub(super) mod delete;
pub(super) mod detail;
pub(super) mod list;
#[cfg(test)]
pub(super) mod samples;

use claviger_core::{Reach, Role, permission};
use claviger_store::{StoreError, View};
use claviger_token::RoleId;

use super::{credential::Place, page::Frame, sheet::Offered, shell::Here, trouble::Trouble};
use crate::manage::Authority;

/// How far holders are counted.
const MOST_COUNTED: u32 = 1000;

fn list_of(here: &Here) -> String {
    here.path("/roles")
}

fn path_of(here: &Here, role: RoleId) -> String {
    format!("{}/{role}", list_of(here))
}

/// A role that can be given here.
async fn find(place: &Place<'_>, here: &Here, id: RoleId) -> Result<Role, Trouble> {
    here.must(permission::ROLES_READ)?;
    place.app.store.within(Reach::Organization(here.organization.id)).role(id).await?.ok_or(Trouble::Absent)
}

/// Theirs who makes and changes roles here.
fn writer<'a>(place: &Place<'a>) -> Result<(&'a Here, Authority<'a>), Trouble> {
    let here = place.here.ok_or(Trouble::Absent)?;
    here.must(permission::ROLES_READ)?;
    let authority = Authority::of_person(place.session, &here.person, permission::ROLES_WRITE);
    Ok((here, authority.ok_or(Trouble::Absent)?))
}

/// Whether they may change one: those of Claviger nobody, those of the instance who reaches it.
fn may_change(here: &Here, role: &Role) -> bool {
    match here.person.reach(permission::ROLES_WRITE) {
        None => false,
        Some(_) if role.builtin => false,
        Some(Reach::Instance) => true,
        Some(Reach::Organization(_)) => role.organization.is_some(),
    }
}

/// One that they change.
async fn to_change(place: &Place<'_>, here: &Here, id: RoleId) -> Result<Role, Trouble> {
    let role = find(place, here, id).await?;
    if may_change(here, &role) { Ok(role) } else { Err(Trouble::Absent) }
}

/// How many have a role, wherever the role can be given.
async fn count_holders(view: &mut View<'_>, role: &Role) -> Result<usize, StoreError> {
    let count = view.count_holders_up_to(role.id, MOST_COUNTED).await?;
    Ok(usize::try_from(count).unwrap_or_default())
}

/// Where those are who may have it.
fn reach_of(role: &Role) -> Reach {
    role.organization.map_or(Reach::Instance, Reach::Organization)
}

/// Roles to choose from, by id: an organization's and the instance's may have one name.
pub(super) fn choices(mut all: Vec<Role>, chosen: &[RoleId], frame: &Frame) -> Vec<Offered> {
    all.sort_by(|one, other| (&one.name, one.id).cmp(&(&other.name, other.id)));
    all.dedup_by_key(|role| role.id);
    let choice = |role: &Role| {
        let is_twice = all.iter().filter(|other| other.name == role.name).count() > 1;
        let of_instance = (is_twice && role.organization.is_none()).then(|| frame.text("role-of-instance"));
        Offered {
            value: role.id.to_string(),
            label: [role.name.clone()].into_iter().chain(of_instance).collect::<Vec<_>>().join(" · "),
            hint: role.description.clone().unwrap_or_default(),
            chosen: chosen.contains(&role.id),
        }
    };
    all.iter().map(choice).collect()
}

/// Whose a role is and where it comes from, as badges.
fn badges(role: &Role, frame: &Frame) -> Vec<String> {
    let builtin = role.builtin.then(|| frame.text("role-builtin"));
    let everywhere = role.organization.is_none().then(|| frame.text("role-of-instance"));
    builtin.into_iter().chain(everywhere).collect()
}
