//! `claviger org`: the customers.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde::Deserialize;
use serde_json::Value as Json;

use crate::{
    body::{Body, Switch, json_value},
    certificate_authority,
    client::{Remote, Service},
    consent::Consent,
    failure::Failure,
    inventory,
    limits::{self, LimitChanges, Limits, Quota, RateLimit},
    member::{AddMember, Invitations, Invite, Members, RemoveMember, RevokeInvitation},
    noun::{self, Noun, Paging, joined, or, short, yes},
    policy::Policy,
};

/// Create, list, show, update and delete organizations: your customers
#[derive(Debug, Args)]
pub(crate) struct Org {
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
        /// Its id or slug
        organization: String,
    },
    /// Change one
    Update(Update),
    /// Delete one, and end every credential in it
    Delete {
        /// Its id or slug
        organization: String,
        #[command(flatten)]
        consent: Consent,
    },
    /// List its members
    Members(Members),
    /// Make a user a member, or change what one holds there
    AddMember(AddMember),
    /// Remove a member, and end every token that they have there
    RemoveMember(RemoveMember),
    /// Invite somebody by a link; it goes to stdout, this once
    Invite(Invite),
    /// List who is invited
    Invitations(Invitations),
    /// Take an invitation back
    RevokeInvitation(RevokeInvitation),
    /// Show and change what its credentials must be like
    #[command(subcommand)]
    Policy(Policy),
    /// Add, list and delete the certificate authorities that vouch for its clients
    #[command(subcommand)]
    Authority(certificate_authority::Command),
}

#[derive(Debug, Args)]
struct Create {
    /// How people call it
    #[arg(long)]
    name: String,
    /// Its handle [default: made from the name]
    #[arg(long)]
    slug: Option<String>,
    /// What your own records call it
    #[arg(long, value_name = "ID")]
    external_id: Option<String>,
    /// Where its portal may stand in a frame, as https://host or https://host:port; may be given several times
    #[arg(long = "portal-origin", value_name = "ORIGIN")]
    portal_origins: Vec<String>,
    /// What its portal is called: your product's name [default: the organization's name]
    #[arg(long, value_name = "NAME")]
    portal_name: Option<String>,
    /// The colour of its portal, as #rrggbb
    #[arg(long, value_name = "COLOR")]
    portal_color: Option<String>,
    /// A JSON object
    #[arg(long, value_name = "JSON", value_parser = json_value)]
    metadata: Option<Json>,
    #[command(flatten)]
    limits: Limits,
}

#[derive(Debug, Args)]
struct List {
    /// With this text in name, slug or external id
    #[arg(short, long, value_name = "TEXT")]
    query: Option<String>,
    #[command(flatten)]
    paging: Paging,
}

#[derive(Debug, Args)]
struct Update {
    /// Its id or slug
    organization: String,
    /// New name
    #[arg(long)]
    name: Option<String>,
    /// New handle
    #[arg(long)]
    slug: Option<String>,
    /// What your own records call it
    #[arg(long, value_name = "ID")]
    external_id: Option<String>,
    /// Nothing that your own records call it
    #[arg(long, conflicts_with = "external_id")]
    no_external_id: bool,
    /// All the origins at which its portal may stand in a frame; may be given several times
    #[arg(long = "portal-origin", value_name = "ORIGIN")]
    portal_origins: Vec<String>,
    /// Its portal may stand in no frame
    #[arg(long, conflicts_with = "portal_origins")]
    no_portal_origins: bool,
    /// What its portal is called: your product's name
    #[arg(long, value_name = "NAME")]
    portal_name: Option<String>,
    /// Its portal is called as the organization is
    #[arg(long, conflicts_with = "portal_name")]
    no_portal_name: bool,
    /// The colour of its portal, as #rrggbb
    #[arg(long, value_name = "COLOR")]
    portal_color: Option<String>,
    /// Its portal has no colour of its own
    #[arg(long, conflicts_with = "portal_color")]
    no_portal_color: bool,
    /// A JSON object; replaces the one before
    #[arg(long, value_name = "JSON", value_parser = json_value)]
    metadata: Option<Json>,
    /// All that it may use at all; may be given several times
    #[arg(long = "ceiling", value_name = "PERMISSION")]
    ceiling: Vec<String>,
    /// It may use what every organization may
    #[arg(long, conflicts_with = "ceiling")]
    no_ceiling: bool,
    #[command(flatten)]
    limits: LimitChanges,
    #[command(flatten)]
    switch: Switch,
}

/// What the tables need of an organization.
#[derive(Debug, Deserialize)]
struct Organization {
    id: String,
    slug: String,
    name: String,
    external_id: Option<String>,
    ceiling: Option<Vec<String>>,
    rate_limits: Option<Vec<RateLimit>>,
    quota: Option<Quota>,
    portal_origins: Vec<String>,
    portal_name: Option<String>,
    portal_color: Option<String>,
    metadata: Json,
    disabled: bool,
    created_at: String,
}

pub(crate) fn run(Org { remote, command }: Org) -> Result<ExitCode, Failure> {
    let service = remote.service()?;
    match command {
        Command::Create(create) => {
            noun::create(&service, &create.body(), |made: &Organization| {
                format!(
                    "`claviger service-account create --organization {} --name …` makes an application in it.",
                    made.slug
                )
            })?;
        }
        Command::List(List { query, paging }) => {
            noun::list::<Organization>(&service, &paging, &[("q", query.as_deref())])?;
        }
        Command::Show { organization } => {
            noun::show::<Organization>(&service, &service.organization(&organization)?)?;
        }
        Command::Update(mut update) => {
            let called = std::mem::take(&mut update.organization);
            let changes = update.body()?;
            noun::update::<Organization>(&service, &service.organization(&called)?, &changes)?;
        }
        Command::Delete { organization, consent } => {
            consent.must_be_possible(&format!("delete {organization}"))?;
            let gone = "Every service account and key in it ended with it.";
            noun::delete::<Organization>(&service, &service.organization(&organization)?, &consent, gone)?;
        }
        Command::Members(members) => members.run(&service)?,
        Command::AddMember(add) => add.run(&service)?,
        Command::RemoveMember(remove) => remove.run(&service)?,
        Command::Invite(invite) => invite.run(&service)?,
        Command::Invitations(invitations) => invitations.run(&service)?,
        Command::RevokeInvitation(revoke) => revoke.run(&service)?,
        Command::Policy(policy) => policy.run(&service)?,
        Command::Authority(command) => certificate_authority::run(&service, command)?,
    }
    Ok(ExitCode::SUCCESS)
}

impl Create {
    fn body(self) -> Json {
        let body = Body::new()
            .with("name", Some(self.name))
            .with("slug", self.slug)
            .with("external_id", self.external_id)
            .with_list("portal_origins", self.portal_origins)
            .with("portal_name", self.portal_name)
            .with("portal_color", self.portal_color)
            .with("metadata", self.metadata);
        self.limits.write(body).json()
    }
}

impl Update {
    fn body(self) -> Result<Json, Failure> {
        let body = Body::new()
            .with("name", self.name)
            .with("slug", self.slug)
            .with("external_id", self.external_id)
            .without("external_id", self.no_external_id)
            .with_list("portal_origins", self.portal_origins)
            .without_any("portal_origins", self.no_portal_origins)
            .with("portal_name", self.portal_name)
            .without("portal_name", self.no_portal_name)
            .with("portal_color", self.portal_color)
            .without("portal_color", self.no_portal_color)
            .with("metadata", self.metadata)
            .with_list("ceiling", self.ceiling)
            .without("ceiling", self.no_ceiling)
            .with("disabled", self.switch.disabled());
        self.limits.write(body).changes()
    }
}

impl Noun for Organization {
    const PATH: &'static str = "organizations";
    const COMMAND: &'static str = "org";
    const TITLES: &'static [&'static str] = &["ID", "SLUG", "NAME", "EXTERNAL ID", "DISABLED", "CREATED"];

    fn row(self) -> Vec<String> {
        let external_id = or(self.external_id, "-");
        vec![self.id, self.slug, self.name, external_id, yes(self.disabled), short(&self.created_at)]
    }

    fn ends_with(service: &Service, id: &str) -> Vec<(&'static str, Option<String>)> {
        let of_it = [("organization_id", id)];
        vec![
            ("members", noun::count(service, &["organizations", id, "members"], &[])),
            ("service accounts", noun::count(service, &["service-accounts"], &of_it)),
            ("live credentials", inventory::count(service, &of_it)),
        ]
    }

    fn details(self) -> Vec<(&'static str, String)> {
        vec![
            ("id", self.id),
            ("slug", self.slug),
            ("name", self.name),
            ("external id", or(self.external_id, "-")),
            ("disabled", yes(self.disabled)),
            ("ceiling", self.ceiling.map_or_else(|| "the default".to_owned(), |list| joined(Some(list), "nothing"))),
            ("rate limits", limits::shown(self.rate_limits)),
            ("quota", limits::shown_quota(self.quota)),
            ("portal origins", joined(Some(self.portal_origins), "none")),
            ("portal name", or(self.portal_name, "the organization's")),
            ("portal color", or(self.portal_color, "none")),
            ("created", self.created_at),
            ("metadata", self.metadata.to_string()),
        ]
    }
}

impl Service {
    /// The id of an organization, which people may call by its slug.
    pub(crate) fn organization(&self, called: &str) -> Result<String, Failure> {
        if called.starts_with("org_") {
            return Ok(called.to_owned());
        }
        noun::find(self, "organizations", called, |organization: &Organization| organization.slug == called)?
            .map(|organization| organization.id)
            .ok_or_else(|| {
                let shown = crate::output::printable(called);
                Failure::new(format!("there is no organization with the slug {shown}, or not for you"))
                    .and("`claviger org list` shows those that there are")
            })
    }

    /// The same where none may be named.
    pub(crate) fn organization_id(&self, called: Option<&str>) -> Result<Option<String>, Failure> {
        called.map(|called| self.organization(called)).transpose()
    }
}
