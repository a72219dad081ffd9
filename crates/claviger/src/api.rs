//! `claviger api`: what there is to protect, and the permissions that it declares.

use std::{process::ExitCode, time::Duration};

use clap::{Args, Subcommand};
use claviger_core::RouteRule;
use claviger_token::SigningAlgorithm;
use serde::Deserialize;
use serde_json::{Value as Json, json};

use crate::{
    api_import::{self, Import},
    body::Body,
    client::Remote,
    consent::Consent,
    duration,
    failure::Failure,
    noun::{self, Noun, Paging, joined, or, yes},
    route_rule,
};

/// Declare, list, show, change and delete APIs: what there is to protect
#[derive(Debug, Args)]
pub(crate) struct Api {
    #[command(flatten)]
    remote: Remote,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Declare one
    Create(Create),
    /// List them, newest first
    List(List),
    /// Show one
    Show {
        /// api_…
        id: String,
    },
    /// Change one
    Update(Update),
    Import(Import),
    /// Delete one; its permissions stop working everywhere
    Delete {
        /// api_…
        id: String,
        #[command(flatten)]
        consent: Consent,
    },
}

#[derive(Debug, Args)]
struct Create {
    /// A URI that stays, usually its address
    #[arg(long, value_name = "URI")]
    identifier: String,
    /// How people call it
    #[arg(long)]
    name: String,
    /// What can be permitted on it, such as "invoices:read=See invoices"; may be given several times
    #[arg(long = "permission", value_name = "PERMISSION[=DESCRIPTION]", value_parser = declared, required = true)]
    permissions: Vec<Declared>,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Args)]
struct Common {
    /// Service account that serves it: sa_…; may be given several times
    #[arg(long = "resource-server", value_name = "ID")]
    resource_servers: Vec<String>,
    /// Public origin on which it answers, with scheme and port; may be given several times [default: that of the identifier]
    #[arg(long = "origin", value_name = "ORIGIN")]
    origins: Vec<String>,
    /// Whether gateways also take the credential from Authorization: Basic, as git and curl -u send it
    #[arg(long, value_name = "BOOL")]
    accept_basic: Option<bool>,
    /// Name of a query parameter that may carry the credential
    #[arg(long, value_name = "NAME")]
    query_parameter: Option<String>,
    /// What requests take, such as "GET,PUT /apps/{id} apps:read app:{id}"; may be given several times
    ///
    /// METHODS PATH PERMISSIONS and, perhaps, OBJECT. With - instead of permissions none is asked for; with * instead of the object the
    /// API itself keeps to the objects of the credential. All together replace what was there.
    #[arg(long = "route", value_name = "RULE", value_parser = route_rule::parse)]
    routes: Vec<RouteRule>,
    /// How long access tokens for it count, such as 10m: from 60s to 1h
    #[arg(long, value_name = "TIME", value_parser = duration::parse)]
    access_token_ttl: Option<Duration>,
    /// What signs access tokens: ES256, EdDSA or RS256
    #[arg(long, value_name = "ALGORITHM")]
    signing_algorithm: Option<SigningAlgorithm>,
    /// What access tokens look like: jwt or opaque
    #[arg(long, value_name = "FORMAT", value_parser = ["jwt", "opaque"])]
    access_token_format: Option<String>,
}

#[derive(Debug, Args)]
struct List {
    /// With this text in name or identifier
    #[arg(short, long, value_name = "TEXT")]
    query: Option<String>,
    #[command(flatten)]
    paging: Paging,
}

#[derive(Debug, Args)]
struct Update {
    /// api_…
    id: String,
    /// New name
    #[arg(long)]
    name: Option<String>,
    /// All its permissions from now on; one that is left out stops working everywhere
    #[arg(long = "permission", value_name = "PERMISSION[=DESCRIPTION]", value_parser = declared)]
    permissions: Vec<Declared>,
    /// No permission from now on
    #[arg(long, conflicts_with = "permissions")]
    no_permissions: bool,
    #[command(flatten)]
    common: Common,
    /// No service account serves it
    #[arg(long, conflicts_with = "resource_servers")]
    no_resource_servers: bool,
    /// No origin but that of its identifier
    #[arg(long, conflicts_with = "origins")]
    no_origins: bool,
    /// No query parameter carries the credential
    #[arg(long, conflicts_with = "query_parameter")]
    no_query_parameter: bool,
    /// No route rules, so that gateways that ask by them refuse everything
    #[arg(long, conflicts_with = "routes")]
    no_routes: bool,
}

/// A permission with what it allows.
#[derive(Debug, Clone, Deserialize)]
struct Declared {
    name: String,
    description: Option<String>,
}

fn declared(text: &str) -> Result<Declared, std::convert::Infallible> {
    let (name, description) = text.split_once('=').map_or((text, None), |(name, said)| (name, Some(said.to_owned())));
    Ok(Declared { name: name.to_owned(), description })
}

impl From<Declared> for Json {
    fn from(Declared { name, description }: Declared) -> Self {
        json!({ "name": name, "description": description })
    }
}

/// What the tables need of an API.
#[derive(Debug, Deserialize)]
pub(crate) struct Protected {
    id: String,
    identifier: String,
    name: String,
    permissions: Vec<Declared>,
    resource_servers: Option<Vec<String>>,
    #[serde(default)]
    origins: Vec<String>,
    #[serde(default)]
    accept_basic: bool,
    query_parameter: Option<String>,
    #[serde(default)]
    route_rules: Vec<RouteRule>,
    access_token_ttl_seconds: Option<u64>,
    signing_algorithm: Option<String>,
    access_token_format: Option<String>,
    builtin: bool,
    created_at: String,
}

pub(crate) fn run(Api { remote, command }: Api) -> Result<ExitCode, Failure> {
    let service = remote.service()?;
    match command {
        Command::Create(create) => {
            noun::create(&service, &create.body(), |_: &Protected| {
                "`claviger role create` and `claviger service-account create` give its permissions.".to_owned()
            })?;
        }
        Command::List(List { query, paging }) => {
            noun::list::<Protected>(&service, &paging, &[("q", query.as_deref())])?;
        }
        Command::Show { id } => noun::show::<Protected>(&service, &id)?,
        Command::Update(mut update) => {
            let id = std::mem::take(&mut update.id);
            noun::update::<Protected>(&service, &id, &update.body()?)?;
        }
        Command::Import(import) => api_import::run(&service, import)?,
        Command::Delete { id, consent } => {
            noun::delete::<Protected>(&service, &id, &consent, "Its permissions are refused from now on.")?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

impl Common {
    fn write(self, body: Body) -> Body {
        body.with_list("resource_servers", self.resource_servers)
            .with_list("origins", self.origins)
            .with("accept_basic", self.accept_basic)
            .with("query_parameter", self.query_parameter)
            .with_list("route_rules", self.routes.iter().map(|rule| json!(rule)).collect::<Vec<Json>>())
            .with("access_token_ttl_seconds", self.access_token_ttl.map(|ttl| ttl.as_secs()))
            .with("signing_algorithm", self.signing_algorithm.map(SigningAlgorithm::as_str))
            .with("access_token_format", self.access_token_format)
    }
}

impl Create {
    fn body(self) -> Json {
        let body = Body::new()
            .with("identifier", Some(self.identifier))
            .with("name", Some(self.name))
            .with("permissions", Some(self.permissions));
        self.common.write(body).json()
    }
}

impl Update {
    fn body(self) -> Result<Json, Failure> {
        let body = Body::new()
            .with("name", self.name)
            .with_list("permissions", self.permissions)
            .without_any("permissions", self.no_permissions)
            .without_any("resource_servers", self.no_resource_servers)
            .without_any("origins", self.no_origins)
            .without("query_parameter", self.no_query_parameter)
            .without_any("route_rules", self.no_routes);
        self.common.write(body).changes()
    }
}

impl Noun for Protected {
    const PATH: &'static str = "apis";
    const COMMAND: &'static str = "api";
    const TITLES: &'static [&'static str] = &["ID", "NAME", "IDENTIFIER", "PERMISSIONS"];

    fn row(self) -> Vec<String> {
        let permissions: Vec<String> = self.permissions.into_iter().map(|permission| permission.name).collect();
        vec![self.id, self.name, self.identifier, permissions.join(" ")]
    }

    fn details(self) -> Vec<(&'static str, String)> {
        let ttl = self.access_token_ttl_seconds.map(duration::shown);
        let tokens = [self.access_token_format, self.signing_algorithm, ttl].into_iter().flatten();
        let tokens = tokens.collect::<Vec<_>>().join(", ");
        let mut rows = vec![
            ("id", self.id),
            ("name", self.name),
            ("identifier", self.identifier),
            ("resource servers", joined(self.resource_servers, "none")),
            ("origins", joined(Some(self.origins), "that of the identifier")),
            ("accepts basic", yes(self.accept_basic)),
            ("query parameter", or(self.query_parameter, "none")),
            ("access tokens", tokens),
            ("built in", yes(self.builtin)),
            ("created", self.created_at),
        ];
        for Declared { name, description } in self.permissions {
            let said = description.map(|text| format!(": {text}")).unwrap_or_default();
            rows.push(("permission", format!("{name}{said}")));
        }
        rows.extend(self.route_rules.iter().map(|rule| ("route", route_rule::shown(rule))));
        rows
    }
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory as _, FromArgMatches as _, Parser};

    use super::*;

    #[derive(Debug, Parser)]
    struct Flags {
        #[command(flatten)]
        update: Update,
    }

    #[test]
    fn flags_become_members_of_the_body() {
        let check = |flags: &[&str], expected: Json| {
            let matches = Flags::command().get_matches_from([&["x", "api_1"], flags].concat());
            let flags = Flags::from_arg_matches(&matches).unwrap();
            assert_eq!(flags.update.body().unwrap(), expected);
        };
        check(
            &["--permission=a:read=Read = see", "--permission=a:write"],
            json!({ "permissions": [
                { "name": "a:read", "description": "Read = see" },
                { "name": "a:write", "description": null },
            ] }),
        );
        check(
            &["--accept-basic=true", "--query-parameter=api_key"],
            json!({ "accept_basic": true, "query_parameter": "api_key" }),
        );
        check(
            &["--access-token-ttl=10m", "--signing-algorithm=RS256", "--access-token-format=opaque"],
            json!({ "access_token_ttl_seconds": 600, "signing_algorithm": "RS256", "access_token_format": "opaque" }),
        );
        check(
            &["--origin=https://a.test", "--origin=https://b.test"],
            json!({ "origins": ["https://a.test", "https://b.test"] }),
        );
        check(
            &["--route=GET,PUT /apps/{id} a:read app:{id}", "--route", "GET /apps a:read *"],
            json!({ "route_rules": [
                { "methods": ["GET", "PUT"], "path": "/apps/{id}", "permissions": ["a:read"], "object": "app:{id}",
                  "filters_objects": false },
                { "methods": ["GET"], "path": "/apps", "permissions": ["a:read"], "filters_objects": true },
            ] }),
        );
        check(
            &[
                "--no-routes",
                "--accept-basic",
                "false",
                "--no-query-parameter",
                "--no-resource-servers",
                "--no-origins",
            ],
            json!({ "accept_basic": false, "origins": [], "query_parameter": null, "resource_servers": [], "route_rules": [] }),
        );
    }
}
