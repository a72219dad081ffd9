//! `/organizations/{organization}/members`: who belongs to an organization and what they may do there, for who holds
//! `claviger:members:read`; with `claviger:members:write` rights are given and taken, members removed, and others invited.

pub(super) mod change;
pub(super) mod detail;
pub(super) mod invitation;
pub(super) mod invitations;
pub(super) mod list;
pub(super) mod offer;
pub(super) mod remove;
#[cfg(test)]
pub(super) mod samples;

use claviger_core::{Kind, Reach, permission};
use claviger_store::{CredentialFilter, Member, StoreError};
use claviger_token::UserId;

use super::{credential::Place, shell::Here, trouble::Trouble};
use crate::manage::Authority;

/// How far tokens are counted.
const MOST_COUNTED: u32 = 1000;

/// The list of members.
fn list_of(here: &Here) -> String {
    here.path("/members")
}

/// What to call somebody, and the address beside it, if that is another text.
fn called(member: &Member) -> (String, Option<String>) {
    let email = member.user.email.to_string();
    match &member.user.name {
        Some(name) => (name.to_string(), Some(email)),
        None => (email, None),
    }
}

/// The first of many names, for a row of a list.
fn few(mut names: Vec<String>) -> Vec<String> {
    const MOST: usize = 8;
    if names.len() > MOST {
        names.truncate(MOST);
        names.push("…".to_owned());
    }
    names
}

/// Somebody who belongs here.
async fn member(place: &Place<'_>, here: &Here, user: UserId) -> Result<Member, Trouble> {
    here.must(permission::MEMBERS_READ)?;
    let organization = here.organization.id;
    let mut view = place.app.store.within(Reach::Organization(organization));
    let membership = view.membership(organization, user).await?.ok_or(Trouble::Absent)?;
    let user = view.user(user).await?.ok_or(Trouble::Absent)?;
    Ok(Member { membership, user })
}

/// Theirs who gives and takes rights here.
fn writer<'a>(place: &Place<'a>) -> Result<(&'a Here, Authority<'a>), Trouble> {
    let here = place.here.ok_or(Trouble::Absent)?;
    here.must(permission::MEMBERS_READ)?;
    let authority = Authority::of_person(place.session, &here.person, permission::MEMBERS_WRITE);
    Ok((here, authority.ok_or(Trouble::Absent)?))
}

/// Whether somebody who governs only this organization may not touch them: they administer the instance.
async fn reaches_further(place: &Place<'_>, here: &Here, user: UserId) -> Result<bool, StoreError> {
    if here.person.reach(permission::MEMBERS_WRITE) == Some(Reach::Instance) {
        return Ok(false);
    }
    let mut view = place.app.store.within(Reach::Organization(here.organization.id));
    Ok(!view.held_everywhere(user.into()).await?.is_empty())
}

/// The tokens that somebody has here and that still work, or may yet.
fn tokens_of(place: &Place<'_>, here: &Here, user: UserId) -> CredentialFilter {
    CredentialFilter {
        kind: Some(Kind::PersonalAccessToken),
        organization: Some(here.organization.id),
        principal: Some(user.into()),
        live_at: Some(place.app.now()),
        ..CredentialFilter::default()
    }
}

async fn count_tokens(place: &Place<'_>, here: &Here, user: UserId) -> Result<usize, StoreError> {
    let mut view = place.app.store.within(Reach::Organization(here.organization.id));
    let count = view.count_credentials_up_to(&tokens_of(place, here, user), MOST_COUNTED).await?;
    Ok(usize::try_from(count).unwrap_or_default())
}
