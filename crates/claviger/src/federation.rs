//! `claviger service-account federation`: what outside issuers may say of a workload for it to be a service account.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde::Deserialize;
use serde_json::{Map, Value as Json, json};

use crate::{
    body::{Body, Expiry},
    client::Service,
    client_credential::{self, Delete, List, Members, One, Revoke, Update, of, path},
    failure::Failure,
    noun::{self, Noun, or},
    output,
};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Let workloads elsewhere be this service account, by what their platform says of them
    Add(Box<Add>),
    /// List those of a service account, newest first
    List(List),
    /// Show one
    Show(One),
    /// Change name or end of one, stop it or let it work again
    Update(Update),
    /// End one, for good
    Revoke(Revoke),
    /// End one and take it out of the lists
    #[command(alias = "remove")]
    Delete(Delete),
}

#[derive(Debug, Args)]
pub(crate) struct Add {
    /// sa_…: also the client_id
    account: String,
    /// How you will recognize it
    #[arg(long)]
    name: String,
    /// github, gitlab, kubernetes, spiffe or oidc [default: that of the issuer]
    #[arg(long)]
    preset: Option<String>,
    /// `iss` of the assertions [default: that of GitHub or GitLab, with their presets]
    #[arg(long, value_name = "URL")]
    issuer: Option<String>,
    /// SPIFFE trust domain, such as prod.acme.test
    #[arg(long, value_name = "DOMAIN")]
    trust_domain: Option<String>,
    /// `aud` of the assertions [default: the address of the instance]
    #[arg(long)]
    audience: Option<String>,
    /// What a claim must be; may be given several times, and for one claim too. A claim below others is a JSON Pointer:
    /// /kubernetes.io/namespace=prod
    #[arg(long = "condition", value_name = "CLAIM=VALUE", value_parser = condition)]
    conditions: Vec<(String, String)>,
    /// Workflows of this repository of GitHub, by its id: gh api repos/OWNER/NAME --jq .id
    #[arg(long, value_name = "ID", group = "workload")]
    github_repository_id: Option<String>,
    /// Pipelines of this project of GitLab, by its id
    #[arg(long, value_name = "ID", group = "workload")]
    gitlab_project_id: Option<String>,
    /// Pods of this service account of a Kubernetes cluster
    #[arg(long, value_name = "NAMESPACE/NAME", value_parser = kubernetes, group = "workload")]
    kubernetes: Option<(String, String)>,
    /// A file with the issuer's keys as JWK Set, or the bundle of a trust domain
    #[arg(long, value_name = "FILE")]
    jwks: Option<PathBuf>,
    /// Where these are published, if the issuer does not say so by itself
    #[arg(long, value_name = "URL", conflicts_with = "jwks")]
    jwks_uri: Option<String>,
    /// Each assertion counts once
    #[arg(long)]
    single_use: bool,
    #[command(flatten)]
    expiry: Expiry,
}

fn condition(text: &str) -> Result<(String, String), String> {
    let (claim, value) = text.split_once('=').ok_or("a claim and what it must be: ref=refs/heads/main")?;
    Ok((claim.to_owned(), value.to_owned()))
}

fn kubernetes(text: &str) -> Result<(String, String), String> {
    let (namespace, name) = text.split_once('/').ok_or("namespace and name of a service account: prod/deploy")?;
    Ok((namespace.to_owned(), name.to_owned()))
}

/// What the tables need of one.
#[derive(Debug, Deserialize)]
struct Federation {
    #[serde(flatten)]
    members: Members,
    preset: String,
    issuer: Option<String>,
    trust_domain: Option<String>,
    audience: Option<String>,
    conditions: Map<String, Json>,
    jwks_uri: Option<String>,
    single_use: bool,
    warnings: Vec<String>,
}

pub(crate) fn run(service: &Service, command: Command) -> Result<(), Failure> {
    match command {
        Command::Add(add) => {
            let (account, body) = add.body()?;
            let answer = service.post(&path::<Federation>(&account), &body)?;
            noun::shown::<Federation>(service, &answer)?;
            let made: Federation = noun::understood(&answer)?;
            for warning in made.warnings {
                output::note(&format!("Careful: {}.", output::printable(&warning)));
            }
            output::note(&format!("Its workloads ask for tokens with client_id {}.", output::printable(&account)));
            Ok(())
        }
        Command::List(List { account, paging }) => {
            noun::list_at::<Federation>(service, &path::<Federation>(&account), &paging, &[])
        }
        Command::Show(one) => noun::shown::<Federation>(service, &service.get(&of::<Federation>(&one), &[])?),
        Command::Update(update) => client_credential::update::<Federation>(service, update),
        Command::Revoke(revoke) => client_credential::revoke::<Federation>(service, revoke),
        Command::Delete(delete) => client_credential::delete::<Federation>(service, delete),
    }
}

impl Add {
    fn body(self) -> Result<(String, Json), Failure> {
        let mut conditions: Map<String, Json> = Map::new();
        let (mut known, mut conditioned) = (None, self.conditions);
        if let Some(id) = self.github_repository_id {
            known = Some("github");
            conditioned.push(("repository_id".to_owned(), id));
        }
        if let Some(id) = self.gitlab_project_id {
            known = Some("gitlab");
            conditioned.push(("project_id".to_owned(), id));
        }
        if let Some((namespace, name)) = self.kubernetes {
            known = Some("kubernetes");
            conditioned.push(("sub".to_owned(), format!("system:serviceaccount:{namespace}:{name}")));
        }
        for (claim, value) in conditioned {
            match conditions.get_mut(&claim) {
                Some(Json::Array(values)) => values.push(value.into()),
                Some(first) => *first = json!([first.take(), value]),
                None => drop(conditions.insert(claim, value.into())),
            }
        }
        let body = Body::new()
            .with("name", Some(self.name))
            .with("preset", self.preset.or(known.map(str::to_owned)))
            .with("issuer", self.issuer)
            .with("trust_domain", self.trust_domain)
            .with("audience", self.audience)
            .with("conditions", Some(conditions))
            .with("jwks", self.jwks.as_deref().map(read).transpose()?)
            .with("jwks_uri", self.jwks_uri)
            .with("single_use", self.single_use.then_some(true))
            .with("expires_at", self.expiry.at()?);
        Ok((self.account, body.json()))
    }
}

/// The keys in a file. Private ones do not leave this machine.
fn read(file: &Path) -> Result<Json, Failure> {
    let shown = file.display();
    let text = std::fs::read(file).map_err(|error| Failure::because(format!("{shown} could not be read"), &error))?;
    let set: Json = serde_json::from_slice(&text)?;
    for key in set["keys"].as_array().into_iter().flatten().filter_map(Json::as_object) {
        if let Err(error @ claviger_token::JwkError::Secret) = claviger_token::IssuerKey::from_members(key) {
            return Err(Failure::because(format!("{shown} holds no JWK Set that is taken"), &error));
        }
    }
    Ok(set)
}

impl Noun for Federation {
    const PATH: &'static str = "federations";
    const COMMAND: &'static str = "service-account federation";
    const TITLES: &'static [&'static str] = &["ID", "NAME", "STATUS", "WHOSE", "EXPIRES", "LAST USED"];

    fn row(self) -> Vec<String> {
        let whose = self.trust_domain.or(self.issuer);
        self.members.row(or(whose, "-"))
    }

    fn details(self) -> Vec<(&'static str, String)> {
        let mut rows = self.members.details();
        let some = [
            ("issuer", self.issuer),
            ("trust domain", self.trust_domain),
            ("audience", self.audience),
            ("keys at", self.jwks_uri),
        ];
        rows.push(("preset", self.preset));
        rows.extend(some.into_iter().filter_map(|(title, value)| Some((title, value?))));
        rows.push(("conditions", Json::Object(self.conditions).to_string()));
        if self.single_use {
            rows.push(("single use", "yes".to_owned()));
        }
        rows
    }
}
