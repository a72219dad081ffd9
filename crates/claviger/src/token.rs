//! `claviger token`: personal access tokens, and one's own credential, whatever its kind.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde::Deserialize;
use serde_json::Value as Json;

use crate::{
    access_token::{self, Exchange, Request},
    binding::Binding,
    body::Body,
    client::{Output, Remote, Service},
    consent::Consent,
    credential::{Changes, Common, Credential, Overlap, issued, reasons, rolled},
    failure::Failure,
    limits::Limits,
    noun::{self, Noun, Paging, joined},
    output,
};

/// Create, list, show, update, roll, approve and revoke personal access tokens; and your own credential
///
/// Without an ID, show, roll and revoke are about the credential in CLAVIGER_TOKEN, whatever its kind.
#[derive(Debug, Args)]
pub(crate) struct Token {
    #[command(flatten)]
    remote: Remote,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make one; it goes to stdout, this once
    Create(Create),
    /// List them, newest first
    List(List),
    /// Show what one is and may do; never the token itself
    Show {
        /// pat_… [default: the credential in CLAVIGER_TOKEN]
        id: Option<String>,
    },
    /// Change one; its secret stays
    Update {
        /// pat_…
        id: String,
        #[command(flatten)]
        changes: Changes,
    },
    /// Give one a new secret; it goes to stdout, this once
    Roll {
        /// pat_… [default: the credential in CLAVIGER_TOKEN]
        id: Option<String>,
        #[command(flatten)]
        overlap: Overlap,
    },
    /// Let one work that waits for an approval
    Approve {
        /// pat_…
        id: String,
    },
    /// End one that waits for an approval
    Deny {
        /// pat_…
        id: String,
    },
    /// End one, for good
    Revoke {
        /// pat_… [default: the credential in CLAVIGER_TOKEN]
        id: Option<String>,
        /// Why [default: unspecified]
        #[arg(long, requires = "id", value_parser = reasons())]
        reason: Option<String>,
    },
    /// Get an access token for a client's own rights; it goes to stdout
    Request(Request),
    /// Exchange a credential for an access token of one API that is worth no more; it goes to stdout
    Exchange(Exchange),
    /// End one and take it out of the lists
    Delete {
        /// pat_…
        id: String,
        #[command(flatten)]
        consent: Consent,
    },
}

#[derive(Debug, Args)]
struct Create {
    /// Where it will act: an organization's id or slug
    #[arg(long, value_name = "ORGANIZATION")]
    organization: String,
    /// Whose it will be, by their id or address [default: you, if you are a user]
    #[arg(long, value_name = "ID")]
    user: Option<String>,
    /// The same, by what your product calls the user
    #[arg(long, value_name = "ID", conflicts_with = "user")]
    user_external_id: Option<String>,
    /// How you will recognize it
    #[arg(long)]
    name: String,
    /// What it may do; may be given several times. "*" follows the user
    #[arg(long = "permission", value_name = "PERMISSION", required = true)]
    permissions: Vec<String>,
    /// No end, if the organization's policy allows it [default: as the policy says]
    #[arg(long, conflicts_with_all = ["expires_at", "expires_in"])]
    no_expiry: bool,
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    binding: Binding,
    #[command(flatten)]
    limits: Limits,
}

#[derive(Debug, Args)]
struct List {
    /// Of one organization: its id or slug
    #[arg(long, value_name = "ORGANIZATION")]
    organization: Option<String>,
    /// Of one user
    #[arg(long, value_name = "ID")]
    user: Option<String>,
    /// active, revoked, disabled, expired, not_yet_valid or pending_approval
    #[arg(long)]
    status: Option<String>,
    /// With this text in the name
    #[arg(short, long, value_name = "TEXT")]
    query: Option<String>,
    #[command(flatten)]
    paging: Paging,
}

/// A token, as the tables show it.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
struct Pat(Credential);

/// What the table needs of one's own credential.
#[derive(Debug, Deserialize)]
struct Own {
    credential: Json,
    principal: Json,
    organization: Json,
    permissions: Vec<String>,
    objects: Option<Vec<String>>,
}

pub(crate) fn run(Token { remote, command }: Token) -> Result<ExitCode, Failure> {
    let service = remote.service()?;
    match command {
        Command::Create(create) => {
            let body = create.body(&service)?;
            issued(&service, &service.post(&[Pat::PATH], &body)?, "The token was made")?;
        }
        Command::List(list) => list.run(&service)?,
        Command::Show { id: Some(id) } => noun::show::<Pat>(&service, &id)?,
        Command::Show { id: None } => shown(&service, &service.get(&["token"], &[])?)?,
        Command::Update { id, changes } => noun::update::<Pat>(&service, &id, &changes.body()?)?,
        Command::Roll { id, overlap } => {
            let path = match &id {
                Some(id) => vec![Pat::PATH, id, "roll"],
                None => vec!["token", "roll"],
            };
            rolled(&service, &service.post(&path, &overlap.body())?, "It was rolled")?;
        }
        Command::Approve { id } => {
            noun::shown::<Pat>(&service, &service.post(&[Pat::PATH, &id, "approve"], &Body::new().json())?)?;
            output::note("Approved: it works from now on.");
        }
        Command::Deny { id } => {
            noun::shown::<Pat>(&service, &service.post(&[Pat::PATH, &id, "deny"], &Body::new().json())?)?;
            output::note("Denied: it has ended, and never worked.");
        }
        Command::Revoke { id: Some(id), reason } => {
            let body = Body::new().with("reason", reason).json();
            noun::shown::<Pat>(&service, &service.post(&[Pat::PATH, &id, "revoke"], &body)?)?;
            output::note("Revoked: refused on that node from now on, and on every other within a second.");
        }
        Command::Revoke { id: None, .. } => {
            service.delete(&["token"])?;
            output::note("Revoked: CLAVIGER_TOKEN holds nothing that counts any more.");
        }
        Command::Request(request) => access_token::request(&service, request)?,
        Command::Exchange(exchange) => access_token::exchange(&service, exchange)?,
        Command::Delete { id, consent } => {
            noun::delete::<Pat>(&service, &id, &consent, "Its secrets are refused from now on.")?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

impl Create {
    fn body(self, service: &Service) -> Result<Json, Failure> {
        let body = Body::new()
            .with("organization_id", service.organization_id(Some(&self.organization))?)
            .with("user_id", self.user.map(|user| service.user(&user)).transpose()?)
            .with("user_external_id", self.user_external_id)
            .with("name", Some(self.name))
            .with("permissions", Some(self.permissions))
            .without("expires_at", self.no_expiry);
        Ok(self.limits.write(self.binding.write(self.common.write(body)?)?).json())
    }
}

impl List {
    fn run(&self, service: &Service) -> Result<(), Failure> {
        let organization = service.organization_id(self.organization.as_deref())?;
        let user = self.user.as_deref().map(|user| service.user(user)).transpose()?;
        let filters = [
            ("organization_id", organization.as_deref()),
            ("user_id", user.as_deref()),
            ("status", self.status.as_deref()),
            ("q", self.query.as_deref()),
        ];
        noun::list::<Pat>(service, &self.paging, &filters)
    }
}

impl Noun for Pat {
    const PATH: &'static str = "personal-access-tokens";
    const COMMAND: &'static str = "token";
    const TITLES: &'static [&'static str] = Credential::TITLES;

    fn row(self) -> Vec<String> {
        self.0.row()
    }

    fn details(self) -> Vec<(&'static str, String)> {
        self.0.details()
    }

    fn warning(&self) -> Option<String> {
        self.0.warning()
    }
}

/// One's own credential.
pub(crate) fn shown(service: &Service, answer: &str) -> Result<(), Failure> {
    if service.output == Output::Json {
        return output::json(answer);
    }
    let Own { credential, principal, organization, permissions, objects } = noun::understood(answer)?;
    let mut rows = identity(Some(&credential), Some(&principal), Some(&organization));
    rows.push(("permissions", joined(Some(permissions), "none")));
    rows.push(("objects", joined(objects, "any")));
    output::answer(&output::details(rows.into_iter().map(|(name, value)| (name.to_owned(), value))))
}

/// Who stands behind a credential, as far as it is told.
pub(crate) fn identity(
    credential: Option<&Json>,
    principal: Option<&Json>,
    organization: Option<&Json>,
) -> Vec<(&'static str, String)> {
    let text = |thing: &Json, member: &str, none: &str| thing[member].as_str().unwrap_or(none).to_owned();
    let named = |thing: &Json, second: &str| format!("{} ({})", text(thing, "id", ""), text(thing, second, ""));
    let things =
        [("credential", credential, "name"), ("principal", principal, "name"), ("organization", organization, "slug")];
    let mut rows: Vec<_> =
        things.into_iter().filter_map(|(title, thing, second)| Some((title, named(thing?, second)))).collect();
    if let Some(credential) = credential {
        rows.push(match credential["generation"].as_str() {
            Some(generation) => ("secret", generation.to_owned()),
            None => ("kind", text(credential, "kind", "-")),
        });
        rows.push(("environment", text(credential, "environment", "-")));
        rows.push(("expires", text(credential, "expires_at", "never")));
    }
    rows
}
