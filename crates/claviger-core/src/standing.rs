//! What somebody who is signed in may do, in each organization that they belong to. No credential bounds them there: they
//! stand as any token of theirs could.

use claviger_token::{OrganizationId, PermissionMask, PermissionSet};

use crate::rights::Reach;

/// What a user holds in an organization that they belong to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Where.
    pub organization: OrganizationId,
    /// What the organization may use at all.
    pub ceiling: PermissionMask,
    /// What they hold there, what has instance scope included.
    pub held: PermissionSet,
    /// The part of it that has instance scope.
    pub held_everywhere: PermissionSet,
}

impl Standing {
    /// How far a permission reaches for who stands like this: in one organization, in several, or everywhere.
    pub fn reaches(all: &[Self], permission: &str) -> Vec<Reach> {
        let counts = |standing: &&Self| standing.ceiling.admits(permission);
        if all.iter().filter(counts).any(|standing| standing.held_everywhere.contains(permission)) {
            return vec![Reach::Instance];
        }
        let there = all.iter().filter(counts).filter(|standing| standing.held.contains(permission));
        there.map(|standing| Reach::Organization(standing.organization)).collect()
    }
}

#[cfg(test)]
mod tests {
    use claviger_token::TypedId as _;
    use rand::{SeedableRng as _, rngs::StdRng};

    use super::*;
    use crate::{
        builtin::default_ceiling,
        fixtures::{mask, now, set},
    };

    const WRITE: &str = "claviger:credentials:write";

    #[test]
    fn a_permission_reaches_as_far_as_it_is_held_under_a_ceiling_that_admits_it() {
        let [here, there] = [1, 2].map(|seed| OrganizationId::generate(now(), &mut StdRng::seed_from_u64(seed)));
        let standing = |organization, held: &str, everywhere: &str| Standing {
            organization,
            ceiling: default_ceiling(),
            held: set(held),
            held_everywhere: set(everywhere),
        };
        let check = |all: &[Standing], expected: &[Reach]| assert_eq!(Standing::reaches(all, WRITE), expected);
        check(&[], &[]);
        check(&[standing(here, "invoices:read", "")], &[]);
        let (one, other) = (standing(here, WRITE, ""), standing(there, WRITE, ""));
        check(&[one.clone(), standing(there, "", "")], &[Reach::Organization(here)]);
        check(&[one.clone(), other.clone()], &[Reach::Organization(here), Reach::Organization(there)]);
        check(&[one.clone(), standing(there, WRITE, WRITE)], &[Reach::Instance]);
        let capped = |standing: Standing| Standing { ceiling: mask("*"), ..standing };
        check(&[one.clone(), capped(other)], &[Reach::Organization(here)]);
        check(&[one, capped(standing(there, WRITE, WRITE))], &[Reach::Organization(here)]);
    }
}
