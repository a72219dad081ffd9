//! Somebody who is signed in, in one organization: what they may do there, and how far it reaches. No credential bounds them, so that
//! they may give what any token of theirs could.

use claviger_token::{OrganizationId, PermissionSet, UserId};

use crate::{rights::Reach, standing::Standing};

/// A signed-in user in one organization.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// Who.
    pub user: UserId,
    /// Where.
    pub organization: OrganizationId,
    /// What they may do there, under its ceiling, and what has instance scope besides.
    pub held: PermissionSet,
    /// The part of it that has instance scope.
    pub everywhere: PermissionSet,
}

impl Person {
    /// A user of these standings in one organization, be it one to which they do not belong: with instance scope they may act there
    /// all the same.
    pub fn of(user: UserId, all: &[Standing], organization: OrganizationId) -> Self {
        let nothing = PermissionSet::default;
        let everywhere = all.iter().fold(nothing(), |sum, one| sum.union(&one.held_everywhere.masked_by(&one.ceiling)));
        let here = all.iter().filter(|one| one.organization == organization);
        let held = here.fold(everywhere.clone(), |sum, one| sum.union(&one.held.masked_by(&one.ceiling)));
        Self { user, organization, held, everywhere }
    }

    /// How far a permission reaches, or `None` if they do not hold it there.
    pub fn reach(&self, permission: &str) -> Option<Reach> {
        if self.everywhere.contains(permission) {
            Some(Reach::Instance)
        } else if self.held.contains(permission) {
            Some(Reach::Organization(self.organization))
        } else {
            None
        }
    }

    /// Whether they hold it there.
    pub fn may(&self, permission: &str) -> bool {
        self.held.contains(permission)
    }
}

#[cfg(test)]
mod tests {
    use claviger_token::TypedId as _;

    use super::*;
    use crate::{
        builtin::default_ceiling,
        fixtures::{World, elsewhere, mask, now, rng, set},
    };

    #[test]
    fn a_person_reaches_as_far_as_what_they_hold_under_the_ceiling_that_admits_it() {
        let (here, there) = (World::new().organization.id, elsewhere());
        let user = UserId::generate(now(), &mut rng());
        let standing = |organization, held: &str, everywhere: &str| Standing {
            organization,
            ceiling: default_ceiling(),
            held: set(held),
            held_everywhere: set(everywhere),
        };
        let check = |all: &[Standing], place, permission: &str, expected| {
            assert_eq!(Person::of(user, all, place).reach(permission), expected, "{permission}");
        };
        check(&[], here, "a", None);
        let member = [standing(here, "a", ""), standing(there, "b", "")];
        check(&member, here, "a", Some(Reach::Organization(here)));
        check(&member, here, "b", None);
        check(&member, there, "b", Some(Reach::Organization(there)));
        // What has instance scope counts where they do not belong, too, unless their own organization may not use it.
        let admin = [standing(here, "a", "a")];
        check(&admin, there, "a", Some(Reach::Instance));
        let capped = [Standing { ceiling: mask("b"), ..standing(here, "a", "a") }];
        check(&capped, there, "a", None);
        check(&capped, here, "a", None);
    }
}
