//! `claviger portal-session`: the way of a product's users to their own tokens.

use std::process::ExitCode;

use clap::{Args, Subcommand};

use crate::{
    body::Body,
    client::{Remote, Service},
    failure::Failure,
    link,
};

/// Let users of your product into the portal of their organization
#[derive(Debug, Args)]
pub(crate) struct PortalSession {
    #[command(flatten)]
    remote: Remote,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a link that lets one in; it goes to stdout, this once
    Create(Create),
}

#[derive(Debug, Args)]
struct Create {
    /// Whose portal: an organization's id or slug
    #[arg(long, value_name = "ORGANIZATION")]
    organization: String,
    /// Who is let in, by their id or address
    #[arg(long, value_name = "ID", required_unless_present = "user_external_id")]
    user: Option<String>,
    /// The same, by what your product calls the user
    #[arg(long, value_name = "ID", conflicts_with = "user")]
    user_external_id: Option<String>,
    /// Where the portal leads back to: a page of one of the organization's portal origins
    #[arg(long, value_name = "URL")]
    return_url: String,
}

pub(crate) fn run(PortalSession { remote, command }: PortalSession) -> Result<ExitCode, Failure> {
    let service = remote.service()?;
    match command {
        Command::Create(create) => create.run(&service)?,
    }
    Ok(ExitCode::SUCCESS)
}

impl Create {
    fn run(self, service: &Service) -> Result<(), Failure> {
        let body = Body::new()
            .with("organization_id", Some(service.organization(&self.organization)?))
            .with("user_id", self.user.map(|user| service.user(&user)).transpose()?)
            .with("user_external_id", self.user_external_id)
            .with("return_url", Some(self.return_url));
        let answer = service.post(&["portal-sessions"], &body.json())?;
        link::shown(service, &answer, "Whoever opens it is taken for the user: send their browser there at once.")
    }
}
