//! `claviger verify`: the verify call from the command line.

use std::{
    io::{self, IsTerminal as _},
    net::IpAddr,
    process::ExitCode,
};

use clap::Args;
use serde::Deserialize;
use serde_json::{Map, Value as Json, json};
use zeroize::Zeroizing;

use crate::{
    client::{Output, Remote},
    failure::Failure,
    output,
};

/// Ask whether a credential is valid
///
/// Exits 0 if it is and 1 if not. Your own credential (CLAVIGER_TOKEN) needs claviger:verify.
#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// The credential, or - to read it from standard input. Prefer -: whatever stands on a command line is visible to
    /// every user of this machine, and stays in your shell's history
    #[arg(default_value = "-", hide_default_value = true)]
    credential: String,
    /// Permission that it must have; may be given several times
    #[arg(long = "permission", value_name = "PERMISSION")]
    permissions: Vec<String>,
    /// Object that it must be good for; may be given several times
    #[arg(long = "object", value_name = "OBJECT")]
    objects: Vec<String>,
    /// Identifier of the API that is asked for
    #[arg(long, value_name = "URI")]
    audience: Option<String>,
    /// Address of the client that presented it
    #[arg(long, value_name = "IP")]
    client_ip: Option<IpAddr>,
    #[command(flatten)]
    remote: Remote,
}

/// What the table needs of a verdict.
#[derive(Debug, Deserialize)]
struct Verdict {
    valid: bool,
    code: String,
    message: Option<String>,
    credential: Option<Json>,
    principal: Option<Json>,
    organization: Option<Json>,
    permissions: Option<Vec<String>>,
}

pub(crate) fn run(verify: Verify) -> Result<ExitCode, Failure> {
    let Verify { credential, permissions, objects, audience, client_ip, remote } = verify;
    let mut credential = Zeroizing::new(credential);
    if credential.as_str() == "-" {
        credential.clear();
        if io::stdin().is_terminal() {
            output::note("Paste the credential, then Enter:");
        }
        io::stdin().read_line(&mut credential)?;
    }
    let mut body = Map::new();
    body.insert("credential".to_owned(), json!(credential.trim()));
    body.insert("permissions".to_owned(), json!(permissions));
    let optional = [
        ("object", (!objects.is_empty()).then(|| json!(objects))),
        ("audience", audience.map(Json::from)),
        ("client_ip", client_ip.map(|ip| json!(ip))),
    ];
    body.extend(optional.into_iter().filter_map(|(name, value)| value.map(|value| (name.to_owned(), value))));
    let answer = remote.service()?.post(&["verify"], &Json::Object(body))?;
    let verdict: Verdict = serde_json::from_str(&answer)?;
    output::answer(&if remote.output == Output::Json { answer } else { verdict.shown() })?;
    Ok(if verdict.valid { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

impl Verdict {
    fn shown(&self) -> String {
        let verdict = if self.valid { "valid".to_owned() } else { format!("refused: {}", self.code) };
        let mut rows = vec![["verdict".to_owned(), verdict]];
        if let Some(message) = &self.message {
            rows.push(["".to_owned(), message.clone()]);
        }
        let named = |thing: &Json, second: &str| {
            let text = |member: &str| thing[member].as_str().unwrap_or_default().to_owned();
            format!("{} ({})", text("id"), text(second))
        };
        let things = [
            ("credential", &self.credential, "name"),
            ("principal", &self.principal, "name"),
            ("organization", &self.organization, "slug"),
        ];
        for (title, thing, second) in things {
            if let Some(thing) = thing {
                rows.push([title.to_owned(), named(thing, second)]);
            }
        }
        if let Some(credential) = &self.credential {
            let text = |member: &str, none: &str| credential[member].as_str().unwrap_or(none).to_owned();
            rows.push(["secret".to_owned(), text("generation", "-")]);
            rows.push(["environment".to_owned(), text("environment", "-")]);
            rows.push(["expires".to_owned(), text("expires_at", "never")]);
        }
        if let Some(permissions) = &self.permissions {
            rows.push(["permissions".to_owned(), permissions.join(" ")]);
        }
        output::table(["", ""], rows)
    }
}
