//! Before a principal holds something with instance scope, or more of it: nobody else comes along.
//!
//! Somebody of one organization may have made or rolled a credential of the principal, or let them in at a portal, and may have kept
//! what they saw. It would reach every organization from then on.

use claviger_core::{CodePurpose, Reach, Rejection, SessionEnd, permission::GRANTS_WRITE};
use claviger_store::Tx;
use claviger_token::{PermissionSet, PrincipalId};
use jiff::Timestamp;

use crate::problem::RequestError;

/// Refuses as long as somebody who could not give `given` themselves saw a credential that works, and ends what a user has at
/// portals: it was opened by somebody who needed to give less.
pub(super) async fn nobody_else_must_come_along(
    tx: &mut Tx<'_>,
    principal: PrincipalId,
    given: &PermissionSet,
    now: Timestamp,
) -> Result<(), RequestError> {
    let mut view = tx.within(Reach::Instance);
    let mut others = Vec::new();
    for other in view.others_who_saw_credentials(principal, now).await? {
        let held = match other.parse::<PrincipalId>() {
            Ok(id) => view.held_everywhere(id).await?,
            Err(_) => PermissionSet::default(),
        };
        if !given.is_subset(&held) && !held.contains(GRANTS_WRITE) {
            others.push(other);
        }
    }
    if !others.is_empty() {
        let seen = view.credentials_seen_by(principal, others, now).await?;
        let message = format!(
            "{seen} live credentials of this principal ({principal}) were made or rolled by others, or at a portal, who do not hold \
             with instance scope what is given, and would reach every organization; revoke them first \
             (`claviger credential list --owner {principal}`, GET /v1/credentials?principal_id={principal})"
        );
        return Err(Rejection::Conflict { code: "credentials_of_others", message }.into());
    }
    if let PrincipalId::User(user) = principal {
        tx.void_one_time_codes(user, CodePurpose::Portal).await?;
        tx.end_portal_sessions_of(user, SessionEnd::ReachesFurther).await?;
    }
    Ok(())
}
