//! Who belongs to an organization, and who is invited: the commands of `claviger org` about people.

use clap::Args;
use serde::Deserialize;

use crate::{
    body::Body,
    client::Service,
    consent::Consent,
    failure::Failure,
    inventory, link,
    noun::{self, Noun, Paging, joined, or, short, yes},
    output,
};

#[derive(Debug, Args)]
pub(crate) struct Members {
    /// Id or slug of the organization
    organization: String,
    /// With this text in address, name or external id
    #[arg(short, long, value_name = "TEXT")]
    query: Option<String>,
    #[command(flatten)]
    paging: Paging,
}

#[derive(Debug, Args)]
struct Rights {
    /// Role that they have there: name or id; may be given several times
    #[arg(long = "role", value_name = "ROLE")]
    roles: Vec<String>,
    /// Permission that they have there directly; may be given several times
    #[arg(long = "permission", value_name = "PERMISSION")]
    permissions: Vec<String>,
}

/// What is given here is all that they hold there from now on
#[derive(Debug, Args)]
pub(crate) struct AddMember {
    /// Id or slug of the organization
    organization: String,
    /// Their id or address
    user: String,
    #[command(flatten)]
    rights: Rights,
}

#[derive(Debug, Args)]
pub(crate) struct RemoveMember {
    /// Id or slug of the organization
    organization: String,
    /// Their id or address
    user: String,
    #[command(flatten)]
    consent: Consent,
}

#[derive(Debug, Args)]
pub(crate) struct Invite {
    /// Id or slug of the organization
    organization: String,
    /// Whom you invite
    #[arg(long)]
    email: String,
    #[command(flatten)]
    rights: Rights,
    /// For how many days the link works: 1 to 30 [default: 7]
    #[arg(long, value_name = "DAYS")]
    expires_in_days: Option<u32>,
}

#[derive(Debug, Args)]
pub(crate) struct Invitations {
    /// Id or slug of the organization
    organization: String,
    /// open, accepted, revoked or expired
    #[arg(long)]
    status: Option<String>,
    #[command(flatten)]
    paging: Paging,
}

#[derive(Debug, Args)]
pub(crate) struct RevokeInvitation {
    /// Id or slug of the organization
    organization: String,
    /// inv_…
    id: String,
}

/// What the tables need of a member.
#[derive(Debug, Deserialize)]
struct Member {
    organization_id: String,
    user_id: String,
    email: String,
    name: Option<String>,
    external_id: Option<String>,
    disabled: bool,
    roles: Vec<String>,
    permissions: Vec<String>,
    created_at: String,
}

/// What the tables need of an invitation.
#[derive(Debug, Deserialize)]
struct Invitation {
    id: String,
    organization_id: String,
    email: String,
    status: String,
    roles: Vec<String>,
    permissions: Vec<String>,
    created_by: String,
    expires_at: String,
    accepted_by: Option<String>,
}

impl Members {
    pub(crate) fn run(self, service: &Service) -> Result<(), Failure> {
        let organization = service.organization(&self.organization)?;
        let path = ["organizations", &organization, "members"];
        noun::list_at::<Member>(service, &path, &self.paging, &[("q", self.query.as_deref())])
    }
}

impl AddMember {
    pub(crate) fn run(self, service: &Service) -> Result<(), Failure> {
        let organization = service.organization(&self.organization)?;
        // Without roles somebody may still belong: the member is asked for.
        let body = Body::new().with("roles", Some(self.rights.roles)).with_list("permissions", self.rights.permissions);
        let path = ["organizations", &organization, "members", &service.user(&self.user)?];
        noun::shown::<Member>(service, &service.put(&path, &body.json())?)?;
        output::note("Theirs from now on: on that node at once, and on every other within a second.");
        Ok(())
    }
}

impl RemoveMember {
    pub(crate) fn run(self, service: &Service) -> Result<(), Failure> {
        let deed = format!("remove {} from {}", self.user, self.organization);
        self.consent.must_be_possible(&deed)?;
        let (organization, user) = (service.organization(&self.organization)?, service.user(&self.user)?);
        self.consent.must_be_given(&deed, || {
            let theirs = [("organization_id", organization.as_str()), ("principal_id", user.as_str())];
            let tokens = inventory::count(service, &theirs).map(|many| format!(" ({many})")).unwrap_or_default();
            Ok(format!("What they hold there and every token that they have there{tokens} will end."))
        })?;
        service.delete(&["organizations", &organization, "members", &user])?;
        output::note("Removed. What they held there and every token that they had there ended, for good.");
        Ok(())
    }
}

impl Invite {
    pub(crate) fn run(self, service: &Service) -> Result<(), Failure> {
        let organization = service.organization(&self.organization)?;
        let body = Body::new()
            .with("email", Some(self.email))
            .with("roles", Some(self.rights.roles))
            .with_list("permissions", self.rights.permissions)
            .with("expires_in_days", self.expires_in_days);
        let answer = service.post(&["organizations", &organization, "invitations"], &body.json())?;
        link::shown(service, &answer, "Whoever opens it becomes a member: hand it to whom you invite.")
    }
}

impl Invitations {
    pub(crate) fn run(self, service: &Service) -> Result<(), Failure> {
        let organization = service.organization(&self.organization)?;
        let path = ["organizations", &organization, "invitations"];
        noun::list_at::<Invitation>(service, &path, &self.paging, &[("status", self.status.as_deref())])
    }
}

impl RevokeInvitation {
    pub(crate) fn run(self, service: &Service) -> Result<(), Failure> {
        let organization = service.organization(&self.organization)?;
        service.delete(&["organizations", &organization, "invitations", &self.id])?;
        output::note("Taken back. Its link works no more.");
        Ok(())
    }
}

impl Noun for Member {
    const PATH: &'static str = "members";
    const COMMAND: &'static str = "org";
    const TITLES: &'static [&'static str] = &["USER", "EMAIL", "NAME", "ROLES", "PERMISSIONS", "DISABLED", "SINCE"];

    fn row(self) -> Vec<String> {
        let (roles, permissions) = (joined(Some(self.roles), "-"), joined(Some(self.permissions), "-"));
        let since = short(&self.created_at);
        vec![self.user_id, self.email, or(self.name, "-"), roles, permissions, yes(self.disabled), since]
    }

    fn details(self) -> Vec<(&'static str, String)> {
        vec![
            ("user", self.user_id),
            ("email", self.email),
            ("name", or(self.name, "-")),
            ("external id", or(self.external_id, "-")),
            ("disabled", yes(self.disabled)),
            ("organization", self.organization_id),
            ("roles", joined(Some(self.roles), "none")),
            ("permissions", joined(Some(self.permissions), "none")),
            ("since", self.created_at),
        ]
    }
}

impl Noun for Invitation {
    const PATH: &'static str = "invitations";
    const COMMAND: &'static str = "org";
    const TITLES: &'static [&'static str] = &["ID", "EMAIL", "STATUS", "ROLES", "PERMISSIONS", "EXPIRES"];

    fn row(self) -> Vec<String> {
        let (roles, permissions) = (joined(Some(self.roles), "-"), joined(Some(self.permissions), "-"));
        vec![self.id, self.email, self.status, roles, permissions, short(&self.expires_at)]
    }

    fn details(self) -> Vec<(&'static str, String)> {
        vec![
            ("id", self.id),
            ("organization", self.organization_id),
            ("email", self.email),
            ("status", self.status),
            ("roles", joined(Some(self.roles), "none")),
            ("permissions", joined(Some(self.permissions), "none")),
            ("made by", self.created_by),
            ("expires", self.expires_at),
            ("accepted by", or(self.accepted_by, "-")),
        ]
    }
}
