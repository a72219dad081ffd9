//! `claviger service-account`: the applications that hold keys, and OAuth clients.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde::Deserialize;
use serde_json::Value as Json;

use crate::{
    body::{Body, Switch, json_value},
    certificate,
    client::{Remote, Service},
    client_secret,
    consent::Consent,
    failure::Failure,
    federation, inventory,
    limits::{self, LimitChanges, Limits, Quota, RateLimit},
    noun::{self, Noun, Paging, joined, or, short, yes},
    public_key,
};

/// Create, list, show, update and delete service accounts: the applications that hold keys
#[derive(Debug, Args)]
pub(crate) struct ServiceAccount {
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
    /// Show one, with its roles and permissions
    Show {
        /// sa_…
        id: String,
    },
    /// Change one
    Update(Update),
    /// Delete one, and end every credential of it
    Delete {
        /// sa_…
        id: String,
        #[command(flatten)]
        consent: Consent,
    },
    /// Create, list, show, update, roll and revoke its secrets as an OAuth client
    #[command(subcommand)]
    Secret(client_secret::Command),
    /// Register, list, show, change and revoke the public keys with which it signs as an OAuth client
    #[command(subcommand)]
    Key(public_key::Command),
    /// Add, list, show, change and revoke the certificates by which it proves itself as an OAuth client
    #[command(subcommand)]
    Certificate(certificate::Command),
    /// Let workloads elsewhere be it without a secret: GitHub Actions, GitLab CI/CD, Kubernetes, SPIFFE
    #[command(subcommand)]
    Federation(federation::Command),
}

/// How it authenticates at the token endpoint.
#[derive(Debug, Args)]
struct Authentication {
    /// The one way: client_secret_basic, client_secret_post, private_key_jwt, tls_client_auth or self_signed_tls_client_auth
    #[arg(long, value_name = "METHOD")]
    token_endpoint_auth_method: Option<String>,
    /// Whether its assertions may name the token endpoint as their audience, and not only the issuer
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true", require_equals = true)]
    legacy_assertion_audience: Option<bool>,
    /// Whether it gets no tokens but those that are bound to a key, by a DPoP proof (RFC 9449)
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true", require_equals = true)]
    dpop_bound_access_tokens: Option<bool>,
    /// Whether it gets no tokens but those that are bound to the certificate that it shows (RFC 8705)
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true", require_equals = true)]
    tls_client_certificate_bound_access_tokens: Option<bool>,
}

#[derive(Debug, Args)]
struct Create {
    /// Where it will act: id or slug of an organization
    #[arg(long)]
    organization: String,
    /// How you will recognize it
    #[arg(long)]
    name: String,
    #[command(flatten)]
    rights: Rights,
    /// What your own records call it
    #[arg(long, value_name = "ID")]
    external_id: Option<String>,
    #[command(flatten)]
    authentication: Authentication,
    /// A JSON object
    #[arg(long, value_name = "JSON", value_parser = json_value)]
    metadata: Option<Json>,
    #[command(flatten)]
    limits: Limits,
}

#[derive(Debug, Args)]
struct Rights {
    /// Role that it has in its organization: name or id; may be given several times
    #[arg(long = "role", value_name = "ROLE")]
    roles: Vec<String>,
    /// Permission that it has there directly; may be given several times
    #[arg(long = "permission", value_name = "PERMISSION")]
    permissions: Vec<String>,
}

#[derive(Debug, Args)]
struct List {
    /// Of one organization: its id or slug
    #[arg(long, value_name = "ORGANIZATION")]
    organization: Option<String>,
    /// With this text in name or external id
    #[arg(short, long, value_name = "TEXT")]
    query: Option<String>,
    #[command(flatten)]
    paging: Paging,
}

/// Roles and permissions that are given here are all that it has in its organization from now on
#[derive(Debug, Args)]
struct Update {
    /// sa_…
    id: String,
    /// New name
    #[arg(long)]
    name: Option<String>,
    #[command(flatten)]
    rights: Rights,
    /// No role from now on
    #[arg(long, conflicts_with = "roles")]
    no_roles: bool,
    /// No direct permission from now on
    #[arg(long, conflicts_with = "permissions")]
    no_permissions: bool,
    /// What your own records call it
    #[arg(long, value_name = "ID")]
    external_id: Option<String>,
    /// Nothing that your own records call it
    #[arg(long, conflicts_with = "external_id")]
    no_external_id: bool,
    #[command(flatten)]
    authentication: Authentication,
    /// By whatever it holds from now on
    #[arg(long, conflicts_with = "token_endpoint_auth_method")]
    no_token_endpoint_auth_method: bool,
    /// A JSON object; replaces the one before
    #[arg(long, value_name = "JSON", value_parser = json_value)]
    metadata: Option<Json>,
    #[command(flatten)]
    limits: LimitChanges,
    #[command(flatten)]
    switch: Switch,
}

/// What the tables need of a service account.
#[derive(Debug, Deserialize)]
struct Account {
    id: String,
    organization_id: String,
    name: String,
    external_id: Option<String>,
    token_endpoint_auth_method: Option<String>,
    legacy_assertion_audience: bool,
    #[serde(default)]
    dpop_bound_access_tokens: bool,
    #[serde(default)]
    tls_client_certificate_bound_access_tokens: bool,
    roles: Option<Vec<String>>,
    permissions: Option<Vec<String>>,
    rate_limits: Option<Vec<RateLimit>>,
    quota: Option<Quota>,
    metadata: Json,
    disabled: bool,
    created_at: String,
}

pub(crate) fn run(ServiceAccount { remote, command }: ServiceAccount) -> Result<ExitCode, Failure> {
    let service = remote.service()?;
    match command {
        Command::Create(create) => {
            let organization = service.organization(&create.organization)?;
            noun::create(&service, &create.body(organization), |made: &Account| {
                format!(
                    "`claviger api-key create --service-account {} --name … --permission …` makes a key of it.",
                    made.id
                )
            })?;
        }
        Command::List(List { organization, query, paging }) => {
            let organization = service.organization_id(organization.as_deref())?;
            let filters = [("organization_id", organization.as_deref()), ("q", query.as_deref())];
            noun::list::<Account>(&service, &paging, &filters)?;
        }
        Command::Show { id } => noun::show::<Account>(&service, &id)?,
        Command::Update(mut update) => {
            let id = std::mem::take(&mut update.id);
            noun::update::<Account>(&service, &id, &update.body()?)?;
        }
        Command::Secret(command) => client_secret::run(&service, command)?,
        Command::Key(command) => public_key::run(&service, command)?,
        Command::Certificate(command) => certificate::run(&service, command)?,
        Command::Federation(command) => federation::run(&service, command)?,
        Command::Delete { id, consent } => {
            noun::delete::<Account>(&service, &id, &consent, "Every credential of it ended with it.")?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

impl Rights {
    fn write(self, body: Body) -> Body {
        body.with_list("roles", self.roles).with_list("permissions", self.permissions)
    }
}

impl Authentication {
    fn write(self, body: Body) -> Body {
        body.with("token_endpoint_auth_method", self.token_endpoint_auth_method)
            .with("legacy_assertion_audience", self.legacy_assertion_audience)
            .with("dpop_bound_access_tokens", self.dpop_bound_access_tokens)
            .with("tls_client_certificate_bound_access_tokens", self.tls_client_certificate_bound_access_tokens)
    }
}

impl Create {
    fn body(self, organization: String) -> Json {
        let body = Body::new()
            .with("organization_id", Some(organization))
            .with("name", Some(self.name))
            .with("external_id", self.external_id)
            .with("metadata", self.metadata);
        self.limits.write(self.authentication.write(self.rights.write(body))).json()
    }
}

impl Update {
    fn body(self) -> Result<Json, Failure> {
        let body = Body::new()
            .with("name", self.name)
            .without_any("roles", self.no_roles)
            .without_any("permissions", self.no_permissions)
            .with("external_id", self.external_id)
            .without("external_id", self.no_external_id)
            .without("token_endpoint_auth_method", self.no_token_endpoint_auth_method)
            .with("metadata", self.metadata)
            .with("disabled", self.switch.disabled());
        self.limits.write(self.authentication.write(self.rights.write(body))).changes()
    }
}

impl Noun for Account {
    const PATH: &'static str = "service-accounts";
    const COMMAND: &'static str = "service-account";
    const TITLES: &'static [&'static str] = &["ID", "NAME", "EXTERNAL ID", "DISABLED", "CREATED", "ORGANIZATION"];

    fn row(self) -> Vec<String> {
        let external_id = or(self.external_id, "-");
        vec![self.id, self.name, external_id, yes(self.disabled), short(&self.created_at), self.organization_id]
    }

    fn ends_with(service: &Service, id: &str) -> Vec<(&'static str, Option<String>)> {
        vec![("live credentials", inventory::count(service, &[("principal_id", id)]))]
    }

    fn details(self) -> Vec<(&'static str, String)> {
        vec![
            ("id", self.id),
            ("name", self.name),
            ("organization", self.organization_id),
            ("external id", or(self.external_id, "-")),
            ("authenticates by", or(self.token_endpoint_auth_method, "whatever it holds")),
            ("legacy audience", yes(self.legacy_assertion_audience)),
            (
                "bound tokens only",
                or(bound_tokens(self.dpop_bound_access_tokens, self.tls_client_certificate_bound_access_tokens), "no"),
            ),
            ("disabled", yes(self.disabled)),
            ("roles", joined(self.roles, "none")),
            ("permissions", joined(self.permissions, "none")),
            ("rate limits", limits::shown(self.rate_limits)),
            ("quota", limits::shown_quota(self.quota)),
            ("created", self.created_at),
            ("metadata", self.metadata.to_string()),
        ]
    }
}

/// To what its tokens must be bound, if they must.
fn bound_tokens(to_key: bool, to_certificate: bool) -> Option<String> {
    let told = match (to_key, to_certificate) {
        (false, false) => return None,
        (true, false) => "to a key (DPoP)",
        (false, true) => "to a certificate (mutual TLS)",
        (true, true) => "to a key (DPoP) and a certificate (mutual TLS)",
    };
    Some(told.to_owned())
}
