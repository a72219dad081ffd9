//! `claviger verify`: the verify call from the command line.

use std::{
    io::{self, IsTerminal as _},
    net::IpAddr,
    process::ExitCode,
};

use clap::Args;
use serde::Deserialize;
use serde_json::Value as Json;
use zeroize::Zeroizing;

use crate::{
    body::Body,
    client::{Output, Remote},
    failure::Failure,
    noun, output,
    token::identity,
};

/// Ask whether a credential is valid
///
/// Exits 0 if it is and 1 if not. Your own credential (CLAVIGER_TOKEN) needs claviger:verify.
#[derive(Debug, Args)]
pub(crate) struct Verify {
    #[command(flatten)]
    asked: Asked,
    #[command(flatten)]
    remote: Remote,
}

/// A credential and what is asked of it.
#[derive(Debug, Args)]
pub(crate) struct Asked {
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
    /// What the request counts as against limits and quotas [default: 1]
    #[arg(long, value_name = "N")]
    cost: Option<u32>,
}

impl Asked {
    /// The body of the request.
    pub(crate) fn body(self) -> Result<Body, Failure> {
        let Self { credential, permissions, objects, audience, client_ip, cost } = self;
        let mut credential = Zeroizing::new(credential);
        if credential.as_str() == "-" {
            credential.clear();
            if io::stdin().is_terminal() {
                output::note("Paste the credential, then Enter:");
            }
            io::stdin().read_line(&mut credential)?;
        }
        Ok(Body::new()
            .with("credential", Some(credential.trim()))
            .with("permissions", Some(permissions))
            .with_list("object", objects)
            .with("audience", audience)
            .with("client_ip", client_ip.map(|ip| ip.to_string()))
            .with("cost", cost))
    }
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
    limits: Option<Vec<Standing>>,
    retry_after_seconds: Option<u64>,
}

/// Where one of its limits stands.
#[derive(Debug, Deserialize)]
struct Standing {
    name: String,
    limit: u64,
    remaining: u64,
    reset_seconds: u64,
}

pub(crate) fn run(Verify { asked, remote }: Verify) -> Result<ExitCode, Failure> {
    let body = asked.body()?;
    let service = remote.service()?;
    let answer = service.post(&["verify"], &body.json())?;
    let verdict: Verdict = noun::understood(&answer)?;
    let valid = verdict.valid;
    match service.output {
        Output::Json => output::json(&answer)?,
        Output::Table => output::answer(&verdict.shown())?,
    }
    Ok(if valid { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

impl Verdict {
    fn shown(self) -> String {
        let verdict = if self.valid { "valid".to_owned() } else { format!("refused: {}", self.code) };
        let mut rows = vec![("verdict", verdict)];
        rows.extend(self.message.map(|message| ("", message)));
        rows.extend(self.retry_after_seconds.map(|seconds| ("retry", format!("in {seconds}s"))));
        rows.extend(identity(self.credential.as_ref(), self.principal.as_ref(), self.organization.as_ref()));
        rows.extend(self.permissions.map(|permissions| ("permissions", permissions.join(" "))));
        for Standing { name, limit, remaining, reset_seconds } in self.limits.unwrap_or_default() {
            rows.push(("limit", format!("{name}: {remaining} of {limit} left, more in {reset_seconds}s")));
        }
        output::details(rows.into_iter().map(|(name, value)| (name.to_owned(), value)))
    }
}
