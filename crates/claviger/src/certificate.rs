//! `claviger service-account certificate`: by which certificates a service account proves itself, as an OAuth client (RFC 8705).

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde::Deserialize;
use serde_json::Value as Json;

use crate::{
    binding::certificate_in,
    body::{Body, Expiry},
    client::Service,
    client_credential::{self, Delete, List, Members, One, Revoke, Update, of, path},
    failure::Failure,
    noun::{self, Noun, or},
    output,
};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Add one certificate, or a name that its certificates have
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
    #[command(flatten)]
    certificates: Certificates,
    #[command(flatten)]
    expiry: Expiry,
}

/// Which certificates count: this one, or those with a name that an authority of the organization vouches for.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct Certificates {
    /// The certificate in this file, as PEM: this one counts, and nobody need vouch for it
    #[arg(long, value_name = "FILE")]
    certificate: Option<PathBuf>,
    /// Those with this subject, as CN=billing,O=Acme (RFC 4514)
    #[arg(long, value_name = "DN")]
    subject_dn: Option<String>,
    /// Those with this host name
    #[arg(long, value_name = "HOST")]
    san_dns: Option<String>,
    /// Those with this URI, as spiffe://acme.test/billing
    #[arg(long, value_name = "URI")]
    san_uri: Option<String>,
    /// Those with this IP address
    #[arg(long, value_name = "ADDRESS")]
    san_ip: Option<String>,
    /// Those with this e-mail address
    #[arg(long, value_name = "ADDRESS")]
    san_email: Option<String>,
}

/// What the tables need of one.
#[derive(Debug, Deserialize)]
struct Certificate {
    #[serde(flatten)]
    members: Members,
    method: String,
    #[serde(rename = "x5t#S256")]
    thumbprint: Option<String>,
    subject: Option<String>,
    not_after: Option<String>,
    subject_dn: Option<String>,
    san_dns: Option<String>,
    san_uri: Option<String>,
    san_ip: Option<String>,
    san_email: Option<String>,
}

pub(crate) fn run(service: &Service, command: Command) -> Result<(), Failure> {
    match command {
        Command::Add(add) => {
            let (account, body) = add.body()?;
            let answer = service.post(&path::<Certificate>(&account), &body)?;
            noun::shown::<Certificate>(service, &answer)?;
            let made: Certificate = noun::understood(&answer)?;
            let next = match made.thumbprint {
                Some(_) => "and shows this certificate",
                None => {
                    "and shows a certificate with this name, from an authority of the organization (`claviger org authority`)"
                }
            };
            output::note(&format!("Added. The client asks with client_id {} {next}.", output::printable(&account)));
            Ok(())
        }
        Command::List(List { account, paging }) => {
            noun::list_at::<Certificate>(service, &path::<Certificate>(&account), &paging, &[])
        }
        Command::Show(one) => noun::shown::<Certificate>(service, &service.get(&of::<Certificate>(&one), &[])?),
        Command::Update(update) => client_credential::update::<Certificate>(service, update),
        Command::Revoke(revoke) => client_credential::revoke::<Certificate>(service, revoke),
        Command::Delete(delete) => client_credential::delete::<Certificate>(service, delete),
    }
}

impl Add {
    fn body(self) -> Result<(String, Json), Failure> {
        let Certificates { certificate, subject_dn, san_dns, san_uri, san_ip, san_email } = self.certificates;
        let certificate = certificate.as_deref().map(certificate_in).transpose()?;
        let body = Body::new()
            .with("name", Some(self.name))
            .with("certificate_pem", certificate.map(|certificate| certificate.to_pem()))
            .with("subject_dn", subject_dn)
            .with("san_dns", san_dns)
            .with("san_uri", san_uri)
            .with("san_ip", san_ip)
            .with("san_email", san_email)
            .with("expires_at", self.expiry.at()?);
        Ok((self.account, body.json()))
    }
}

impl Certificate {
    fn names(&self) -> [(&'static str, &Option<String>); 6] {
        [
            ("thumbprint", &self.thumbprint),
            ("subject DN", &self.subject_dn),
            ("DNS name", &self.san_dns),
            ("URI", &self.san_uri),
            ("IP address", &self.san_ip),
            ("e-mail", &self.san_email),
        ]
    }
}

impl Noun for Certificate {
    const PATH: &'static str = "certificates";
    const COMMAND: &'static str = "service-account certificate";
    const TITLES: &'static [&'static str] = &["ID", "NAME", "STATUS", "CERTIFICATE", "EXPIRES", "LAST USED"];

    fn row(self) -> Vec<String> {
        let by = self.names().into_iter().find_map(|(_, name)| name.clone());
        self.members.row(or(by, "-"))
    }

    fn details(self) -> Vec<(&'static str, String)> {
        let names = self.names().map(|(title, name)| (title, name.clone()));
        let mut rows = self.members.details();
        rows.push(("method", self.method));
        let own = [("subject", self.subject), ("certificate ends", self.not_after)];
        rows.extend(names.into_iter().chain(own).filter_map(|(title, value)| Some((title, value?))));
        rows
    }
}
