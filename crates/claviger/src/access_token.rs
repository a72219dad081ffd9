//! `claviger token request`, `claviger token exchange` and `claviger introspect`: OAuth's endpoints from the command line.

use std::{
    io::{self, IsTerminal as _},
    path::PathBuf,
    process::ExitCode,
    sync::Arc,
};

use clap::Args;
use claviger_token::Secret;
use serde::Deserialize;
use serde_json::{Value as Json, json};

use crate::{
    client::{Output, Remote, Service},
    device_key::DeviceKey,
    failure::Failure,
    noun, output,
};

/// A service account as an OAuth client.
#[derive(Debug, Args)]
#[command(next_help_heading = "Client")]
pub(crate) struct OAuthClient {
    /// The service account: sa_…
    #[arg(long, value_name = "ID", env = "CLAVIGER_CLIENT_ID")]
    client_id: Option<String>,
    /// Its secret. Better CLAVIGER_CLIENT_SECRET: flags are visible to every user of this machine
    #[arg(long, value_name = "SECRET", env = "CLAVIGER_CLIENT_SECRET", hide_env_values = true, value_parser = secret)]
    client_secret: Option<Arc<Secret>>,
}

fn secret(text: &str) -> Result<Arc<Secret>, std::convert::Infallible> {
    Ok(Arc::new(Secret::new(text.trim().to_owned())))
}

impl OAuthClient {
    fn given(&self) -> Option<(&str, &Secret)> {
        Some((self.client_id.as_deref()?, self.client_secret.as_deref()?))
    }

    fn required(&self) -> Result<(&str, &Secret), Failure> {
        self.given().ok_or_else(|| {
            Failure::usage("this needs a client: CLAVIGER_CLIENT_ID and CLAVIGER_CLIENT_SECRET")
                .and("`claviger service-account secret create` makes a secret; --key signs with a private key instead")
        })
    }
}

/// What a token is wanted for.
#[derive(Debug, Args)]
pub(crate) struct Wanted {
    /// Identifier of the API that the token is for [default: the one that declares the scopes]
    #[arg(long, value_name = "URI")]
    resource: Option<String>,
    /// What it shall permit; may be given several times [default: all that there is]
    #[arg(long = "scope", value_name = "PERMISSION")]
    scopes: Vec<String>,
    /// On which objects only, such as repo:acme/*; may be given several times [default: those of what it is made from]
    #[arg(long = "object", value_name = "OBJECT")]
    objects: Vec<String>,
    #[command(flatten)]
    client: OAuthClient,
}

/// How it is asked for.
#[derive(Debug, Args)]
pub(crate) struct Request {
    /// A file with what an outside issuer says of this workload, or - to read it from standard input: instead of a secret
    #[arg(long, value_name = "FILE")]
    assertion: Option<PathBuf>,
    /// A file with the client's private key (PEM, PKCS#8), whose public one is registered: instead of a secret
    #[arg(long, value_name = "FILE", conflicts_with = "assertion")]
    key: Option<PathBuf>,
    #[command(flatten)]
    wanted: Wanted,
}

/// What is exchanged.
#[derive(Debug, Args)]
pub(crate) struct Exchange {
    /// The credential that is exchanged, or - to read it from standard input. Prefer -: whatever stands on a command line is
    /// visible to every user of this machine
    #[arg(default_value = "-", hide_default_value = true)]
    subject: String,
    /// A token of whoever acts in the owner's name, which the new one then says (`act`): one that was given to this client. Better
    /// CLAVIGER_ACTOR_TOKEN: flags are visible to every user of this machine
    #[arg(long, value_name = "TOKEN", env = "CLAVIGER_ACTOR_TOKEN", hide_env_values = true, value_parser = secret)]
    actor_token: Option<Arc<Secret>>,
    #[command(flatten)]
    wanted: Wanted,
}

/// Ask what a token is worth (RFC 7662)
///
/// Exits 0 if it is active and 1 if not. Asks as the client in CLAVIGER_CLIENT_ID, or else with your own credential
/// (CLAVIGER_TOKEN), which then needs claviger:introspect.
#[derive(Debug, Args)]
pub(crate) struct Introspect {
    /// The token, or - to read it from standard input. Prefer -: whatever stands on a command line is visible to every user of
    /// this machine
    #[arg(value_name = "TOKEN", default_value = "-", hide_default_value = true)]
    asked: String,
    #[command(flatten)]
    client: OAuthClient,
    #[command(flatten)]
    remote: Remote,
}

/// What an exchange calls whatever is presented at an API (RFC 8693, section 3).
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";

/// A token as the service answers with it.
#[derive(Deserialize)]
struct Issued {
    access_token: String,
    expires_in: u64,
    scope: String,
}

pub(crate) fn request(service: &Service, Request { assertion, key, wanted }: Request) -> Result<(), Failure> {
    if let Some(file) = key {
        let id = wanted.client.client_id.as_deref();
        let id = id
            .ok_or_else(|| Failure::usage("--key needs the client that it is of: --client-id or CLAVIGER_CLIENT_ID"))?;
        let assertion = DeviceKey::read(&file)?.assertion(id, &service.address(), None)?;
        let fields = [
            ("grant_type", "client_credentials"),
            ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
            ("client_assertion", assertion.expose()),
        ];
        return issued(service, &wanted, None, &fields);
    }
    let Some(file) = assertion else {
        let client = wanted.client.required()?;
        return issued(service, &wanted, Some(client), &[("grant_type", "client_credentials")]);
    };
    let assertion = if file.as_os_str() == "-" {
        presented("-".to_owned(), "Paste the assertion, then Enter:")?
    } else {
        let shown = file.display();
        let read = std::fs::read_to_string(&file);
        let text = read.map_err(|error| Failure::because(format!("{shown} could not be read"), &error))?;
        Secret::new(text.trim().to_owned())
    };
    let grant = "urn:ietf:params:oauth:grant-type:jwt-bearer";
    let mut fields = vec![("grant_type", grant), ("assertion", assertion.expose())];
    fields.extend(wanted.client.client_id.as_deref().map(|id| ("client_id", id)));
    issued(service, &wanted, None, &fields)
}

pub(crate) fn exchange(service: &Service, Exchange { subject, actor_token, wanted }: Exchange) -> Result<(), Failure> {
    let subject = presented(subject, "Paste the credential, then Enter:")?;
    let mut fields = vec![
        ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
        ("subject_token_type", ACCESS_TOKEN),
        ("subject_token", subject.expose()),
    ];
    if let Some(actor) = &actor_token {
        fields.extend([("actor_token_type", ACCESS_TOKEN), ("actor_token", actor.expose())]);
    }
    let client = wanted.client.required()?;
    issued(service, &wanted, Some(client), &fields)
}

/// A token goes to standard output and what there is to say of it to the other, so that a script has it in one variable.
fn issued(
    service: &Service,
    wanted: &Wanted,
    client: Option<(&str, &Secret)>,
    fields: &[(&str, &str)],
) -> Result<(), Failure> {
    let scope = wanted.scopes.join(" ");
    let mut fields = fields.to_vec();
    fields.extend(wanted.resource.as_deref().map(|resource| ("resource", resource)));
    fields.push(("scope", &scope));
    let details = json!([{ "type": "objects", "objects": wanted.objects }]).to_string();
    if !wanted.objects.is_empty() {
        fields.push(("authorization_details", &details));
    }
    let answer = service.form(&["oauth", "token"], client, &fields)?;
    if service.output == Output::Json {
        return output::json(&answer);
    }
    let Issued { access_token, expires_in, scope } = noun::understood(&answer)?;
    output::note(&format!(
        "It permits {} and ends in {expires_in}s. It is shown this once:",
        output::printable(&scope)
    ));
    output::secret(&Secret::new(access_token))
}

pub(crate) fn introspect(Introspect { asked, client, remote }: Introspect) -> Result<ExitCode, Failure> {
    let token = presented(asked, "Paste the token, then Enter:")?;
    let service = remote.service()?;
    let answer = service.form(&["oauth", "introspect"], client.given(), &[("token", token.expose())])?;
    let told: Json = noun::understood(&answer)?;
    match service.output {
        Output::Json => output::json(&answer)?,
        Output::Table => {
            let members = told.as_object().into_iter().flatten();
            let shown = |value: &Json| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            output::answer(&output::details(members.map(|(name, value)| (name.clone(), shown(value)))))?;
        }
    }
    Ok(if told["active"] == true { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What was given, or stands on standard input.
fn presented(given: String, prompt: &str) -> Result<Secret, Failure> {
    if given != "-" {
        return Ok(Secret::new(given));
    }
    if io::stdin().is_terminal() {
        output::note(prompt);
    }
    let mut line = zeroize::Zeroizing::new(String::new());
    io::stdin().read_line(&mut line)?;
    Ok(Secret::new(line.trim().to_owned()))
}
