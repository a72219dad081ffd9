//! `claviger service-account key`: with what the assertions of a service account are proved, as an OAuth client.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde::Deserialize;
use serde_json::Value as Json;

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
    /// Register one, or the address at which the client publishes its keys
    Add(Add),
    /// List those of a service account, newest first
    List(List),
    /// Show one
    Show(One),
    /// Change name or end of one, stop it or let it work again
    Update(Update),
    /// End one, for good
    Revoke(Revoke),
    /// End one and take it out of the lists
    Delete(Delete),
}

#[derive(Debug, Args)]
pub(crate) struct Add {
    /// sa_…: also the client_id
    account: String,
    /// How you will recognize it
    #[arg(long)]
    name: String,
    /// A file with the public key as JWK (RFC 7517)
    #[arg(long, value_name = "FILE", required_unless_present = "jwks_uri")]
    jwk: Option<PathBuf>,
    /// Where the client publishes its keys: an https address
    #[arg(long, value_name = "URL", conflicts_with = "jwk")]
    jwks_uri: Option<String>,
    #[command(flatten)]
    expiry: Expiry,
}

/// What the tables need of one.
#[derive(Debug, Deserialize)]
struct PublicKey {
    #[serde(flatten)]
    members: Members,
    jwk: Option<Json>,
    jwk_thumbprint: Option<String>,
    jwks_uri: Option<String>,
}

pub(crate) fn run(service: &Service, command: Command) -> Result<(), Failure> {
    match command {
        Command::Add(add) => {
            let (account, body) = add.body()?;
            noun::shown::<PublicKey>(service, &service.post(&path::<PublicKey>(&account), &body)?)?;
            output::note(&format!("Registered. The client signs as {}.", output::printable(&account)));
            Ok(())
        }
        Command::List(List { account, paging }) => {
            noun::list_at::<PublicKey>(service, &path::<PublicKey>(&account), &paging, &[])
        }
        Command::Show(one) => noun::shown::<PublicKey>(service, &service.get(&of::<PublicKey>(&one), &[])?),
        Command::Update(update) => client_credential::update::<PublicKey>(service, update),
        Command::Revoke(revoke) => client_credential::revoke::<PublicKey>(service, revoke),
        Command::Delete(delete) => client_credential::delete::<PublicKey>(service, delete),
    }
}

impl Add {
    fn body(self) -> Result<(String, Json), Failure> {
        let body = Body::new()
            .with("name", Some(self.name))
            .with("jwk", self.jwk.as_deref().map(read).transpose()?)
            .with("jwks_uri", self.jwks_uri)
            .with("expires_at", self.expiry.at()?);
        Ok((self.account, body.json()))
    }
}

/// The public key in a file. A private one does not leave this machine.
fn read(file: &Path) -> Result<Json, Failure> {
    let shown = file.display();
    let text = std::fs::read(file).map_err(|error| Failure::because(format!("{shown} could not be read"), &error))?;
    let key = claviger_token::VerifyingKey::from_jwk(&text);
    key.map_err(|error| Failure::because(format!("{shown} holds no public JWK that is taken"), &error))?;
    Ok(serde_json::from_slice(&text)?)
}

impl Noun for PublicKey {
    const PATH: &'static str = "public-keys";
    const COMMAND: &'static str = "service-account key";
    const TITLES: &'static [&'static str] = &["ID", "NAME", "STATUS", "KEY", "EXPIRES", "LAST USED"];

    fn row(self) -> Vec<String> {
        let key = self.jwk_thumbprint.or(self.jwks_uri);
        self.members.row(or(key, "-"))
    }

    fn details(self) -> Vec<(&'static str, String)> {
        let mut rows = self.members.details();
        let key = [
            ("thumbprint", self.jwk_thumbprint),
            ("jwk", self.jwk.map(|jwk| jwk.to_string())),
            ("keys at", self.jwks_uri),
        ];
        rows.extend(key.into_iter().filter_map(|(title, value)| Some((title, value?))));
        rows
    }
}
