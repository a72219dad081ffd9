//! What principals hold in an organization, of whichever sort they are: named by whoever gives it, checked, and given.

use claviger_core::{Assignment, Granted, Grantor, Reach, Rejection, Scope};
use claviger_store::Tx;
use claviger_token::{OrganizationId, Permission, PermissionSet, PrincipalId};

use super::must_be_few;
use crate::{app::App, problem::RequestError};

/// Whose rights, in which of its organizations.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Holder {
    pub principal: PrincipalId,
    pub home: OrganizationId,
}

/// What somebody wants a principal to hold in one organization; `None` leaves it.
pub(crate) struct Wanted<'a> {
    pub roles: Option<&'a [String]>,
    pub permissions: Option<&'a [String]>,
}

/// Makes the assignments in the holder's organization those that are wanted, out of those that it has (`held`), if the
/// grantor may give what is new.
pub(crate) async fn set_rights(
    app: &App,
    tx: &mut Tx<'_>,
    holder: Holder,
    held: Vec<Assignment>,
    wanted: Wanted<'_>,
    grantor: Grantor<'_>,
) -> Result<Vec<Assignment>, RequestError> {
    let Holder { principal, home } = holder;
    let here = |assignment: &Assignment| assignment.scope == Scope::Organization(home);
    let targets = targets(tx, home, &wanted).await?;
    let mut kept = Vec::new();
    for assignment in held {
        let named = match &assignment.granted {
            Granted::Role { .. } => wanted.roles.is_some(),
            Granted::Permission(_) => wanted.permissions.is_some(),
        };
        if here(&assignment) && named && !targets.iter().any(|(granted, _)| *granted == assignment.granted) {
            tx.delete_assignment(assignment.id).await?;
        } else {
            kept.push(assignment);
        }
    }
    for (granted, permissions) in targets {
        if kept.iter().any(|assignment| here(assignment) && assignment.granted == granted) {
            continue;
        }
        grantor.may_give_for_good(&permissions, Some(home))?;
        let scope = Scope::Organization(home);
        let (assignment, _) = Assignment::create(principal, home, scope, granted, app.now(), &mut app.rng());
        tx.insert_assignment(&assignment).await?;
        kept.push(assignment);
    }
    Ok(kept)
}

/// What is wanted, each with the permissions that it gives.
pub(crate) async fn targets(
    tx: &mut Tx<'_>,
    home: OrganizationId,
    wanted: &Wanted<'_>,
) -> Result<Vec<(Granted, PermissionSet)>, RequestError> {
    must_be_few("/roles", wanted.roles.unwrap_or_default().len())?;
    must_be_few("/permissions", wanted.permissions.unwrap_or_default().len())?;
    let mut targets = Vec::new();
    for (index, called) in wanted.roles.unwrap_or_default().iter().enumerate() {
        targets.push(role(tx, Some(home), called, &format!("/roles/{index}")).await?);
    }
    let declared = tx.within(Reach::Organization(home)).declared_permissions().await?;
    for (index, name) in wanted.permissions.unwrap_or_default().iter().enumerate() {
        targets.push(permission(&declared, name, &format!("/permissions/{index}"))?);
    }
    Ok(targets)
}

/// A role by name or id, with what it holds: one of the organization's or the instance's, or (`None`) the instance's only.
pub(crate) async fn role(
    tx: &mut Tx<'_>,
    organization: Option<OrganizationId>,
    called: &str,
    pointer: &str,
) -> Result<(Granted, PermissionSet), RequestError> {
    let reach = organization.map_or(Reach::Instance, Reach::Organization);
    let role = tx.within(reach).role_called(called, organization).await?;
    let role = role.ok_or_else(|| {
        Rejection::field(
            pointer,
            "unknown_role",
            "there is no such role here; `claviger role list` (GET /v1/roles) tells what there is",
        )
    })?;
    Ok((Granted::Role { id: role.id, name: role.name }, role.permissions))
}

/// A permission that some API declares.
pub(crate) fn permission(
    declared: &PermissionSet,
    name: &str,
    pointer: &str,
) -> Result<(Granted, PermissionSet), RequestError> {
    let permission: Permission =
        name.parse().map_err(|error| Rejection::field(pointer, "invalid_permission", format!("{error}")))?;
    if !declared.contains(name) {
        let message = format!("no API declares {name}; `claviger api list` (GET /v1/apis) tells what there is");
        return Err(Rejection::field(pointer, "unknown_permission", message).into());
    }
    Ok((Granted::Permission(permission.clone()), std::iter::once(permission).collect()))
}
