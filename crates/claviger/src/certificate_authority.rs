//! `claviger org authority`: whose word counts when clients of an organization show certificates (RFC 8705, section 2.1).

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde::Deserialize;

use crate::{
    body::Body,
    client::Service,
    consent::Consent,
    failure::Failure,
    noun::{self, Noun, Paging, or, short},
    output,
};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Let a certificate authority vouch for the organization's clients
    Add(Add),
    /// List them, newest first
    List {
        /// Id or slug of the organization
        organization: String,
        #[command(flatten)]
        paging: Paging,
    },
    /// Show one
    Show(One),
    /// Let one vouch no more: tokens that were got with certificates end with it
    #[command(alias = "remove")]
    Delete {
        #[command(flatten)]
        one: One,
        #[command(flatten)]
        consent: Consent,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Add {
    /// Id or slug of the organization
    organization: String,
    /// How you will recognize it
    #[arg(long)]
    name: String,
    /// A file with its certificates as PEM, without keys: the one that issues the clients' is enough
    #[arg(long, value_name = "FILE")]
    certificates: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct One {
    /// Id or slug of the organization
    organization: String,
    /// ca_…
    id: String,
}

/// What the tables need of one.
#[derive(Debug, Deserialize)]
struct Authority {
    id: String,
    organization_id: String,
    name: String,
    certificates: Vec<Trusted>,
    created_at: String,
    created_by: String,
}

#[derive(Debug, Deserialize)]
struct Trusted {
    subject: String,
    #[serde(rename = "x5t#S256")]
    thumbprint: String,
    not_after: Option<String>,
}

fn path(organization: &str) -> [&str; 3] {
    ["organizations", organization, Authority::PATH]
}

impl One {
    fn path<'a>(&'a self, organization: &'a str) -> [&'a str; 4] {
        ["organizations", organization, Authority::PATH, &self.id]
    }
}

pub(crate) fn run(service: &Service, command: Command) -> Result<(), Failure> {
    match command {
        Command::Add(Add { organization, name, certificates }) => {
            let organization = service.organization(&organization)?;
            let pem = std::fs::read_to_string(&certificates)
                .map_err(|error| Failure::because(format!("{} could not be read", certificates.display()), &error))?;
            // A private key does not leave this machine.
            claviger_token::Certificate::all_from_pem(&pem).map_err(|error| {
                Failure::because(format!("{} holds no certificates that are taken", certificates.display()), &error)
            })?;
            let body = Body::new().with("name", Some(name)).with("certificates_pem", Some(pem)).json();
            noun::shown::<Authority>(service, &service.post(&path(&organization), &body)?)?;
            output::note("Added. `claviger service-account certificate add` names the clients that it may vouch for.");
            Ok(())
        }
        Command::List { organization, paging } => {
            let organization = service.organization(&organization)?;
            noun::list_at::<Authority>(service, &path(&organization), &paging, &[])
        }
        Command::Show(one) => {
            let organization = service.organization(&one.organization)?;
            noun::shown::<Authority>(service, &service.get(&one.path(&organization), &[])?)
        }
        Command::Delete { one, consent } => {
            let organization = service.organization(&one.organization)?;
            consent.must_be_given(&format!("delete {}", one.id), || {
                let answer = service.get(&one.path(&organization), &[])?;
                Ok(noun::detailed(noun::understood::<Authority>(&answer)?))
            })?;
            service.delete(&one.path(&organization))?;
            output::note("Deleted. Its certificates and the tokens that came of them are refused from now on.");
            Ok(())
        }
    }
}

impl Noun for Authority {
    const PATH: &'static str = "certificate-authorities";
    const COMMAND: &'static str = "org authority";
    const TITLES: &'static [&'static str] = &["ID", "NAME", "CERTIFICATES", "FIRST SUBJECT", "ENDS"];

    fn row(self) -> Vec<String> {
        let count = self.certificates.len().to_string();
        let first = self.certificates.into_iter().next();
        let (subject, end) = first.map_or((None, None), |one| (Some(one.subject), one.not_after));
        vec![self.id, self.name, count, or(subject, "-"), end.map_or_else(|| "never".to_owned(), |end| short(&end))]
    }

    fn details(self) -> Vec<(&'static str, String)> {
        let mut rows = vec![
            ("id", self.id),
            ("name", self.name),
            ("organization", self.organization_id),
            ("created", format!("{} by {}", self.created_at, self.created_by)),
        ];
        for Trusted { subject, thumbprint, not_after } in self.certificates {
            rows.push(("certificate", format!("{subject}, until {}, {thumbprint}", or(not_after, "for ever"))));
        }
        rows
    }
}
