//! Whoever made a link, as they stand now: of an invitation, to a new password, or into a portal; or a claim code. The rule is in core
//! (`link_maker.rs`).

use claviger_core::{Actor, CredentialStatus, LinkMaker, Organization};
use claviger_store::{StoreError, View};
use claviger_token::{CredentialId, PermissionSet, PrincipalId};
use jiff::Timestamp;

/// What whoever made a link, with a credential that must still count, may do by now: in one organization, or (`None`) with instance
/// scope.
pub(crate) async fn link_maker(
    view: &mut View<'_>,
    (created_by, created_with): (&str, Option<CredentialId>),
    organization: Option<&Organization>,
    now: Timestamp,
) -> Result<LinkMaker, StoreError> {
    if created_by == Actor::Operator.id() {
        return Ok(LinkMaker::Operator);
    }
    let Ok(principal) = created_by.parse::<PrincipalId>() else { return Ok(LinkMaker::Gone) };
    let disabled = match principal {
        PrincipalId::User(id) => view.user(id).await?.map(|user| user.disabled_at.is_some()),
        PrincipalId::ServiceAccount(id) => view.service_account(id).await?.map(|account| account.disabled_at.is_some()),
    };
    if disabled != Some(false) {
        return Ok(LinkMaker::Gone);
    }
    // A key that was stolen made its links, and they end with it.
    if let Some(id) = created_with {
        let status = view.credential(id).await?.map(|credential| credential.status(now));
        if status != Some(CredentialStatus::Active) {
            return Ok(LinkMaker::Gone);
        }
    }
    let there = match organization {
        Some(organization) => view.held(principal, organization.id).await?.masked_by(&organization.effective_ceiling()),
        None => PermissionSet::default(),
    };
    Ok(LinkMaker::Holds(there.union(&view.held_everywhere(principal).await?)))
}
