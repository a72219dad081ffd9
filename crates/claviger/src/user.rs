//! `claviger user`: people.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde::Deserialize;
use serde_json::Value as Json;

use crate::{
    body::{Body, Switch, json_value},
    client::{Remote, Service},
    consent::Consent,
    failure::Failure,
    inventory, link,
    noun::{self, Noun, Paging, joined, or, short, yes},
    output,
};

/// Create, list, show, update and delete users: people, who may belong to several organizations
#[derive(Debug, Args)]
pub(crate) struct User {
    #[command(flatten)]
    remote: Remote,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make one
    Create(Create),
    /// List them, newest first
    List(List),
    /// Show one
    Show {
        /// Their id or address
        id: String,
    },
    /// Change one
    Update(Update),
    /// Make the user whom your own records call so, or change them
    Upsert(Upsert),
    /// Delete one, end every token of them, and erase what is personal
    Delete {
        /// Their id or address
        id: String,
        #[command(flatten)]
        consent: Consent,
    },
    /// Make a link on which they choose a new password; it goes to stdout, this once
    ResetPassword(ResetPassword),
    /// Remove the authenticator app of somebody who lost it, with its recovery codes; ends all their sessions
    RemoveSecondFactor {
        /// Their id or address
        id: String,
        #[command(flatten)]
        consent: Consent,
    },
    /// List the passkeys by which one signs in
    Passkeys {
        /// Their id or address
        id: String,
    },
    /// Remove the passkey of a device that somebody lost; ends all their sessions
    RemovePasskey {
        /// Their id or address
        id: String,
        /// The passkey's id
        passkey: String,
        #[command(flatten)]
        consent: Consent,
    },
}

#[derive(Debug, Args)]
struct Create {
    /// Their address
    #[arg(long)]
    email: String,
    /// What to call them
    #[arg(long)]
    name: Option<String>,
    /// What your own records call them
    #[arg(long, value_name = "ID")]
    external_id: Option<String>,
    /// A JSON object
    #[arg(long, value_name = "JSON", value_parser = json_value)]
    metadata: Option<Json>,
}

#[derive(Debug, Args)]
struct List {
    /// Members of one organization: its id or slug
    #[arg(long, value_name = "ORGANIZATION")]
    organization: Option<String>,
    /// With exactly this external id
    #[arg(long, value_name = "ID")]
    external_id: Option<String>,
    /// Those who are disabled, or with false those who are not
    #[arg(long, value_name = "BOOL")]
    disabled: Option<bool>,
    /// With this text in address, name or external id
    #[arg(short, long, value_name = "TEXT")]
    query: Option<String>,
    #[command(flatten)]
    paging: Paging,
}

#[derive(Debug, Args)]
struct Update {
    /// Their id or address
    id: String,
    /// New address
    #[arg(long)]
    email: Option<String>,
    /// New name
    #[arg(long)]
    name: Option<String>,
    /// No name
    #[arg(long, conflicts_with = "name")]
    no_name: bool,
    /// What your own records call them
    #[arg(long, value_name = "ID")]
    external_id: Option<String>,
    /// Nothing that your own records call them
    #[arg(long, conflicts_with = "external_id")]
    no_external_id: bool,
    /// A JSON object; replaces the one before
    #[arg(long, value_name = "JSON", value_parser = json_value)]
    metadata: Option<Json>,
    #[command(flatten)]
    switch: Switch,
}

/// Of a user who is there already, what is not given here stays
#[derive(Debug, Args)]
struct Upsert {
    /// What your own records call them
    external_id: String,
    /// Their address
    #[arg(long)]
    email: String,
    /// What to call them
    #[arg(long)]
    name: Option<String>,
    /// No name
    #[arg(long, conflicts_with = "name")]
    no_name: bool,
    /// A JSON object; replaces the one before
    #[arg(long, value_name = "JSON", value_parser = json_value)]
    metadata: Option<Json>,
}

#[derive(Debug, Args)]
struct ResetPassword {
    /// Their id or address
    id: String,
    /// For how many hours the link works: 1 to 24 [default: 24]
    #[arg(long, value_name = "HOURS")]
    expires_in_hours: Option<u32>,
}

/// What the tables need of a user.
#[derive(Debug, Deserialize)]
struct Person {
    id: String,
    email: String,
    name: Option<String>,
    external_id: Option<String>,
    organization_ids: Option<Vec<String>>,
    metadata: Json,
    disabled: bool,
    created_at: String,
}

/// What the tables need of a passkey.
#[derive(Debug, Deserialize)]
struct Passkey {
    id: String,
    name: String,
    backed_up: bool,
    created_at: String,
    last_used_at: Option<String>,
}

pub(crate) fn run(User { remote, command }: User) -> Result<ExitCode, Failure> {
    let service = remote.service()?;
    match command {
        Command::Create(create) => {
            noun::create(&service, &create.body(), |made: &Person| {
                format!(
                    "`claviger org add-member ORGANIZATION {0} --role member` makes them a member, and `claviger user reset-password {0}` \
                     a link on which they choose a password.",
                    made.id
                )
            })?;
        }
        Command::List(List { organization, external_id, disabled, query, paging }) => {
            let organization = service.organization_id(organization.as_deref())?;
            let disabled = disabled.map(|disabled| disabled.to_string());
            let filters = [
                ("organization_id", organization.as_deref()),
                ("external_id", external_id.as_deref()),
                ("disabled", disabled.as_deref()),
                ("q", query.as_deref()),
            ];
            noun::list::<Person>(&service, &paging, &filters)?;
        }
        Command::Show { id } => noun::show::<Person>(&service, &service.user(&id)?)?,
        Command::Update(mut update) => {
            let id = service.user(&std::mem::take(&mut update.id))?;
            noun::update::<Person>(&service, &id, &update.body()?)?;
        }
        Command::Upsert(upsert) => {
            let path = ["users", "by-external-id", upsert.external_id.as_str()];
            noun::shown::<Person>(&service, &service.put(&path, &upsert.body())?)?;
            output::note("There it is, as you gave it.");
        }
        Command::Delete { id, consent } => {
            consent.must_be_possible(&format!("delete {id}"))?;
            let gone = "Every token and session of them ended, and what was personal is erased.";
            noun::delete::<Person>(&service, &service.user(&id)?, &consent, gone)?;
        }
        Command::ResetPassword(ResetPassword { id, expires_in_hours }) => {
            let body = Body::new().with("expires_in_hours", expires_in_hours).json();
            let answer = service.post(&["users", &service.user(&id)?, "password-reset"], &body)?;
            link::shown(&service, &answer, "Whoever opens it chooses the user's password: give it to them alone.")?;
        }
        Command::RemoveSecondFactor { id, consent } => {
            let deed = format!("remove the authenticator app of {id}");
            consent
                .must_be_given(&deed, || Ok("Their recovery codes and all their sessions end with it.".to_owned()))?;
            service.delete(&["users", &service.user(&id)?, "second-factor"])?;
            output::note("Signing in asks for no code until they set up an app again. All their sessions ended.");
        }
        Command::Passkeys { id } => {
            let answer = service.get(&["users", &service.user(&id)?, Passkey::PATH], &[])?;
            noun::listed::<Passkey>(&service, &answer)?;
        }
        Command::RemovePasskey { id, passkey, consent } => {
            let deed = format!("remove the passkey {passkey} of {id}");
            consent.must_be_given(&deed, || Ok("All their sessions end with it.".to_owned()))?;
            service.delete(&["users", &service.user(&id)?, Passkey::PATH, &passkey])?;
            output::note("Nobody signs in by it any more. All their sessions ended.");
        }
    }
    Ok(ExitCode::SUCCESS)
}

impl Service {
    /// The id of a user, whom people may call by their address.
    pub(crate) fn user(&self, called: &str) -> Result<String, Failure> {
        if !called.contains('@') {
            return Ok(called.to_owned());
        }
        let is = |user: &Person| user.email.to_lowercase() == called.to_lowercase();
        noun::find(self, "users", called, is)?.map(|user| user.id).ok_or_else(|| {
            let shown = output::printable(called);
            Failure::new(format!("there is no user with the address {shown}, or not for you"))
                .and("`claviger user list` shows those that there are")
        })
    }
}

impl Create {
    fn body(self) -> Json {
        Body::new()
            .with("email", Some(self.email))
            .with("name", self.name)
            .with("external_id", self.external_id)
            .with("metadata", self.metadata)
            .json()
    }
}

impl Update {
    fn body(self) -> Result<Json, Failure> {
        Body::new()
            .with("email", self.email)
            .with("name", self.name)
            .without("name", self.no_name)
            .with("external_id", self.external_id)
            .without("external_id", self.no_external_id)
            .with("metadata", self.metadata)
            .with("disabled", self.switch.disabled())
            .changes()
    }
}

impl Upsert {
    fn body(&self) -> Json {
        Body::new()
            .with("email", Some(self.email.as_str()))
            .with("name", self.name.as_deref())
            .without("name", self.no_name)
            .with("metadata", self.metadata.clone())
            .json()
    }
}

impl Noun for Passkey {
    const PATH: &'static str = "passkeys";
    const COMMAND: &'static str = "user";
    const TITLES: &'static [&'static str] = &["ID", "NAME", "ON SEVERAL DEVICES", "CREATED", "LAST USED"];

    fn row(self) -> Vec<String> {
        let used = self.last_used_at.map_or_else(|| "never".to_owned(), |at| short(&at));
        vec![self.id, self.name, yes(self.backed_up), short(&self.created_at), used]
    }

    fn details(self) -> Vec<(&'static str, String)> {
        vec![("id", self.id), ("name", self.name), ("created", self.created_at)]
    }
}

impl Noun for Person {
    const PATH: &'static str = "users";
    const COMMAND: &'static str = "user";
    const TITLES: &'static [&'static str] = &["ID", "EMAIL", "NAME", "EXTERNAL ID", "DISABLED", "CREATED"];

    fn row(self) -> Vec<String> {
        let (name, external_id) = (or(self.name, "-"), or(self.external_id, "-"));
        vec![self.id, self.email, name, external_id, yes(self.disabled), short(&self.created_at)]
    }

    fn ends_with(service: &Service, id: &str) -> Vec<(&'static str, Option<String>)> {
        vec![("live credentials", inventory::count(service, &[("principal_id", id)]))]
    }

    fn details(self) -> Vec<(&'static str, String)> {
        let mut rows = vec![
            ("id", self.id),
            ("email", self.email),
            ("name", or(self.name, "-")),
            ("external id", or(self.external_id, "-")),
            ("disabled", yes(self.disabled)),
        ];
        if self.organization_ids.is_some() {
            rows.push(("organizations", joined(self.organization_ids, "none")));
        }
        rows.extend([("created", self.created_at), ("metadata", self.metadata.to_string())]);
        rows
    }
}
