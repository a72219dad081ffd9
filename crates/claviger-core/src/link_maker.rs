//! Whoever made a link, when somebody uses it. A link lets nobody in whom its maker could not let in now, and brings nothing that
//! they could not give.

use claviger_token::PermissionSet;

use crate::builtin::permission::{FLEETS_WRITE, GRANTS_WRITE, MEMBERS_WRITE, PORTAL_SESSIONS_WRITE, USERS_WRITE};

/// What whoever made a link may do by now where it counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkMaker {
    /// The operator, who could change the database as well.
    Operator,
    /// They left, were disabled, or are no more; or the credential that they made the link with does not count any more.
    Gone,
    /// They hold this, there or everywhere.
    Holds(PermissionSet),
}

impl LinkMaker {
    /// Whether an invitation of theirs may still bring `brought`.
    pub(crate) fn may_still_invite(&self, brought: &PermissionSet) -> bool {
        self.may_still(MEMBERS_WRITE, brought)
    }

    /// Whether somebody may still choose the password of a user who holds `held`. Of this, what the maker holds is what they hold
    /// with instance scope.
    pub fn may_still_let_in(&self, held: &PermissionSet) -> bool {
        self.may_still(USERS_WRITE, held)
    }

    /// The same at the portal, of what both hold in its organization, or of what both hold with instance scope.
    pub fn may_still_let_in_at_portal(&self, held: &PermissionSet) -> bool {
        self.may_still(PORTAL_SESSIONS_WRITE, held)
    }

    /// Whether devices may still get `brought` by a claim code of theirs.
    pub(crate) fn may_still_enrol(&self, brought: &PermissionSet) -> bool {
        self.may_still(FLEETS_WRITE, brought)
    }

    /// They could make it now: they hold `by`, and all that it gives or the right to give anything.
    fn may_still(&self, by: &str, given: &PermissionSet) -> bool {
        match self {
            Self::Operator => true,
            Self::Gone => false,
            Self::Holds(own) => own.contains(by) && (given.is_subset(own) || own.contains(GRANTS_WRITE)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::set;

    #[test]
    fn a_link_lets_in_as_long_as_its_maker_could() {
        let check = |maker: LinkMaker, held: &str, expected| {
            assert_eq!(maker.may_still_let_in(&set(held)), expected, "{maker:?} {held}");
        };
        let holds = |held: &str| LinkMaker::Holds(set(held));
        check(LinkMaker::Operator, "a", true);
        check(LinkMaker::Gone, "", false);
        check(holds(USERS_WRITE), "", true);
        check(holds(USERS_WRITE), "a", false);
        check(holds("a"), "a", false);
        check(holds(&format!("a {USERS_WRITE}")), "a", true);
        check(holds(&format!("{GRANTS_WRITE} {USERS_WRITE}")), "a", true);
        assert!(holds(&format!("a {PORTAL_SESSIONS_WRITE}")).may_still_let_in_at_portal(&set("a")));
        assert!(!holds(&format!("a {USERS_WRITE}")).may_still_let_in_at_portal(&set("a")));
    }
}
