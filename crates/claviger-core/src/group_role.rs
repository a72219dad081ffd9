//! Groups of an outside OpenID Connect provider that give roles here: which a sign-in gives and which it takes.
//!
//! The mapping speaks only of the roles that it names. Whatever else somebody holds was given by people and stays.

use std::str::FromStr;

use claviger_token::RoleId;

use crate::{
    assignment::{Assignment, Granted, Scope},
    organization::Slug,
};

/// Whoever is in the group has the role in the organization.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupRole {
    /// As the provider calls it.
    pub group: String,
    /// The organization's slug.
    pub organization: Slug,
    /// The role's name.
    pub role: String,
}

impl FromStr for GroupRole {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        const RIGHT: &str = "GROUP=ORGANIZATION:ROLE, such as engineers=acme:member";
        // A group may be a distinguished name, in which there are more of these signs.
        let (group, target) = text.rsplit_once('=').ok_or(RIGHT)?;
        let (organization, role) = target.split_once(':').ok_or(RIGHT)?;
        let (group, role) = (group.trim(), role.trim());
        if group.is_empty() || role.is_empty() {
            return Err(RIGHT);
        }
        let organization = Slug::parse(organization.trim()).map_err(|_| RIGHT)?;
        Ok(Self { group: group.to_owned(), organization, role: role.to_owned() })
    }
}

/// A role that the mapping names, in one organization, and whether one of somebody's groups gives it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MappedRole {
    /// Which.
    pub id: RoleId,
    /// Its name.
    pub name: String,
    /// Whether it is theirs.
    pub given: bool,
}

/// What changes of what somebody holds `here`: the roles to give, and the assignments to take.
pub fn follow_groups<'a>(
    mapped: &'a [MappedRole],
    held: &'a [Assignment],
    here: Scope,
) -> (Vec<&'a MappedRole>, Vec<&'a Assignment>) {
    let is = |assignment: &Assignment, role: &MappedRole| match &assignment.granted {
        Granted::Role { id, .. } => *id == role.id && assignment.scope == here,
        Granted::Permission(_) => false,
    };
    let given = |role: &&MappedRole| role.given && !held.iter().any(|assignment| is(assignment, role));
    let taken = |assignment: &&Assignment| mapped.iter().any(|role| !role.given && is(assignment, role));
    (mapped.iter().filter(given).collect(), held.iter().filter(taken).collect())
}

#[cfg(test)]
mod tests {
    use claviger_token::{TypedId as _, UserId};

    use super::*;
    use crate::fixtures::{at, elsewhere, now, rng};

    #[test]
    fn a_mapping_is_written_as_group_organization_and_role() {
        let check = |text: &str, expected: Option<(&str, &str, &str)>| {
            let read = text.parse::<GroupRole>().ok();
            let read = read.as_ref().map(|read| (read.group.as_str(), read.organization.as_str(), read.role.as_str()));
            assert_eq!(read, expected, "{text}");
        };
        check("engineers=acme:member", Some(("engineers", "acme", "member")));
        check(" ops = acme : organization-admin ", Some(("ops", "acme", "organization-admin")));
        check("cn=ops:eu,dc=acme=acme:member", Some(("cn=ops:eu,dc=acme", "acme", "member")));
        for wrong in ["", "engineers", "engineers=acme", "=acme:member", "a=Acme Corp:member", "a=acme:"] {
            check(wrong, None);
        }
    }

    #[test]
    fn what_the_mapping_names_is_given_and_taken_and_the_rest_is_left_alone() {
        let here = Scope::Organization(elsewhere());
        let mut rng = rng();
        let mut role =
            |name: &str, given| MappedRole { id: RoleId::generate(at(0), &mut rng), name: name.to_owned(), given };
        let mapped = [role("new", true), role("kept", true), role("lost", false), role("never", false)];
        let by_hand = role("by hand", false);
        let user = UserId::generate(at(0), &mut rng);
        let mut hold = |role: &MappedRole, scope| {
            let granted = Granted::Role { id: role.id, name: role.name.clone() };
            Assignment::create(user.into(), elsewhere(), scope, granted, now(), &mut rng).0
        };
        let held = [
            hold(&mapped[1], here),
            hold(&mapped[2], here),
            hold(&by_hand, here),
            hold(&mapped[0], Scope::Instance),
            hold(&mapped[3], Scope::Instance),
        ];
        let (given, taken) = follow_groups(&mapped, &held, here);
        assert_eq!((given, taken), (vec![&mapped[0]], vec![&held[1]]));
        let none = follow_groups(&[], &held, here);
        assert_eq!(none, (Vec::new(), Vec::new()));
    }
}
