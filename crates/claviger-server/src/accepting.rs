//! How an invitation is accepted, for the pages on which somebody does. The room must not know how anybody signs in.

use claviger_core::{
    Assignment, By, Event, Granted, Invitation, InvitationStatus, Membership, NewUser, Organization, Reach, Rejection,
    Scope, User, is_link_code,
};
use claviger_store::{StoreError, Tx, View};
use claviger_token::{PermissionSet, Secret, UserId};
use jiff::Timestamp;

use crate::{app::App, link_maker::link_maker};

/// What the page of an invitation shows.
#[derive(Debug)]
pub struct OpenInvitation {
    /// The invitation.
    pub invitation: Invitation,
    /// To where.
    pub organization: Organization,
    /// Whether somebody has the address already: they sign in to accept.
    pub is_known: bool,
}

/// Who accepts.
#[derive(Debug, Clone)]
pub enum Invited {
    /// Somebody who is signed in, whatever their address.
    User(UserId),
    /// Somebody new, under the address that was invited.
    New {
        /// What to call them, if they said.
        name: Option<String>,
    },
}

/// Why an invitation is not accepted.
#[derive(Debug, thiserror::Error)]
pub enum AcceptError {
    /// It has ended, or whoever invited cannot give what it brings, or what the new user says of themselves is wrong.
    #[error(transparent)]
    Rejected(#[from] Rejection),
    /// The database does not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl App {
    /// What stands behind the code of a link, if it can still be accepted.
    pub async fn open_invitation(&self, code: &Secret) -> Result<Option<OpenInvitation>, StoreError> {
        self.find_open(&mut self.store.within(Reach::Instance), code, self.now()).await
    }

    /// Makes whoever accepts a member. Of two who use one link at once, one does.
    pub async fn accept_invitation(&self, code: &Secret, who: Invited, by: &By) -> Result<UserId, AcceptError> {
        let mut tx = self.store.begin(by).await?;
        let now = self.now();
        let (user, event) = self.accept_within(&mut tx, code, who, now).await?;
        tx.commit(event, now, &mut self.rng()).await?;
        Ok(user.id)
    }

    /// The same inside a transaction, in which somebody new may get a password too. The event is for its commit.
    pub async fn accept_within(
        &self,
        tx: &mut Tx<'_>,
        code: &Secret,
        who: Invited,
        now: Timestamp,
    ) -> Result<(User, Event), AcceptError> {
        let open = self.find_open(&mut tx.within(Reach::Instance), code, now).await?;
        let open = open.ok_or_else(Invitation::ended)?;
        // User, organization, invitation: in this order everywhere, so that nobody waits in a circle.
        let (known, name) = match who {
            Invited::User(id) => {
                let user = tx.to_change(Reach::Instance).user(id).await?.ok_or_else(Invitation::ended)?;
                (Some(user), None)
            }
            Invited::New { name } => (None, name),
        };
        if known.as_ref().is_some_and(|user| user.disabled_at.is_some()) {
            let message = "you are disabled here; ask an administrator".to_owned();
            return Err(Rejection::Conflict { code: "user_disabled", message }.into());
        }
        let organization = open.organization.id;
        let organization = tx.to_change(Reach::Instance).organization(organization).await?;
        let organization = organization.ok_or_else(Invitation::ended)?;
        let invitation = tx.to_change(Reach::Instance).invitation(open.invitation.id).await?;
        let invitation = invitation.ok_or_else(Invitation::ended)?;
        let user = match known {
            Some(user) => user,
            None => self.new_user(tx, &invitation, name, now).await?,
        };
        let mut view = tx.within(Reach::Instance);
        let made = (invitation.created_by.as_str(), invitation.created_with);
        let inviter = link_maker(&mut view, made, Some(&organization), now).await?;
        let given = brought(tx, &invitation).await?;
        let (invitation, event) = invitation.accept(user.id, &inviter, &given, now)?;
        tx.save_invitation(&invitation).await?;
        self.join(tx, &organization, &user, given, now).await?;
        Ok((user, event))
    }

    async fn find_open(
        &self,
        view: &mut View<'_>,
        code: &Secret,
        now: Timestamp,
    ) -> Result<Option<OpenInvitation>, StoreError> {
        if !is_link_code(code.expose()) {
            return Ok(None);
        }
        let mut found = None;
        for digest in self.peppers.candidates(&code.hash()) {
            found = found.or(view.invitation_by_code(&digest).await?);
        }
        let found = found.filter(|found| found.status(now) == InvitationStatus::Open);
        let Some(invitation) = found else { return Ok(None) };
        let organization = view.organization(invitation.organization).await?;
        let Some(organization) = organization.filter(|found| found.disabled_at.is_none()) else { return Ok(None) };
        let is_known = view.user_by_email(&invitation.email).await?.is_some();
        Ok(Some(OpenInvitation { invitation, organization, is_known }))
    }

    async fn new_user(
        &self,
        tx: &mut Tx<'_>,
        invitation: &Invitation,
        name: Option<String>,
        now: Timestamp,
    ) -> Result<User, AcceptError> {
        let new = NewUser { name, ..NewUser::with_email(invitation.email.as_str()) };
        let (user, event) = User::create(&new, now, &mut self.rng())?;
        let user = user.claimed();
        match tx.insert_user(&user).await {
            Err(StoreError::Taken(_)) => {
                let message = "somebody has this address already; sign in to accept".to_owned();
                return Err(Rejection::Conflict { code: "sign_in_to_accept", message }.into());
            }
            done => done?,
        }
        tx.also(event);
        Ok(user)
    }

    /// Gives what the invitation brings, beside what a member may hold already.
    async fn join(
        &self,
        tx: &mut Tx<'_>,
        organization: &Organization,
        user: &User,
        given: Vec<(Granted, PermissionSet)>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let (home, scope) = (organization.id, Scope::Organization(organization.id));
        let before = tx.within(Reach::Organization(home)).membership(home, user.id).await?;
        let held = tx.within(Reach::Organization(home)).assignments_of(user.id.into()).await?;
        let mut after = held.clone();
        for (granted, _) in given {
            if after.iter().any(|assignment| assignment.scope == scope && assignment.granted == granted) {
                continue;
            }
            let (assignment, _) = Assignment::create(user.id.into(), home, scope, granted, now, &mut self.rng());
            tx.insert_assignment(&assignment).await?;
            after.push(assignment);
        }
        match before {
            Some(membership) => tx.also(membership.change(&held, &after)),
            None => {
                let (membership, event) = Membership::join(home, user.id, &after, now);
                tx.insert_membership(&membership).await?;
                tx.also(event);
            }
        }
        Ok(())
    }
}

/// What the invitation brings by now: a role that is gone, and a permission that no API declares any more, is nobody's.
async fn brought(tx: &mut Tx<'_>, invitation: &Invitation) -> Result<Vec<(Granted, PermissionSet)>, StoreError> {
    let mut view = tx.within(Reach::Organization(invitation.organization));
    let declared = view.declared_permissions().await?;
    let roles = view.roles_by_id(invitation.roles.iter().copied()).await?;
    let roles = roles.into_iter().map(|role| (Granted::Role { id: role.id, name: role.name }, role.permissions));
    let permissions = invitation.permissions.iter().filter(|permission| declared.contains(permission.as_str()));
    let permissions = permissions.map(|one| (Granted::Permission(one.clone()), std::iter::once(one.clone()).collect()));
    Ok(roles.chain(permissions).collect())
}
