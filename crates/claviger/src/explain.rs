//! `claviger explain`: why a credential is good for something, or is not.

use std::process::ExitCode;

use clap::Args;
use serde::Deserialize;
use serde_json::Value as Json;

use crate::{
    client::{Output, Remote},
    failure::Failure,
    noun, output,
    token::identity,
    verify::Asked,
};

/// Show why a credential is accepted or refused
///
/// Every test in its order, and for each --permission who gave it and what takes it away. Spends nothing. Exits 0 if the
/// credential is valid and 1 if not. Your own credential (CLAVIGER_TOKEN) needs claviger:verify.
#[derive(Debug, Args)]
pub(crate) struct Explain {
    #[command(flatten)]
    asked: Asked,
    #[command(flatten)]
    remote: Remote,
}

/// What is shown of an explanation.
#[derive(Debug, Deserialize)]
struct Explanation {
    valid: bool,
    code: String,
    message: Option<String>,
    credential: Option<Json>,
    principal: Option<Json>,
    organization: Option<Json>,
    steps: Vec<Step>,
    permissions: Vec<Trace>,
}

#[derive(Debug, Deserialize)]
struct Step {
    code: String,
    outcome: String,
    facts: Json,
}

#[derive(Debug, Deserialize)]
struct Trace {
    permission: String,
    cut_by: Option<String>,
    given_by: Option<Vec<Source>>,
}

#[derive(Debug, Deserialize)]
struct Source {
    role: Option<String>,
    scope: String,
}

pub(crate) fn run(Explain { asked, remote }: Explain) -> Result<ExitCode, Failure> {
    let body = asked.body()?;
    let service = remote.service()?;
    let answer = service.post(&["explain"], &body.json())?;
    let explanation: Explanation = noun::understood(&answer)?;
    let valid = explanation.valid;
    match service.output {
        Output::Json => output::json(&answer)?,
        Output::Table => output::answer(&explanation.shown())?,
    }
    Ok(if valid { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

impl Explanation {
    fn shown(self) -> String {
        let verdict = if self.valid { "valid".to_owned() } else { format!("refused: {}", self.code) };
        let mut rows = vec![("verdict".to_owned(), verdict)];
        rows.extend(self.message.map(|message| (String::new(), message)));
        let identity = identity(self.credential.as_ref(), self.principal.as_ref(), self.organization.as_ref());
        rows.extend(identity.into_iter().map(|(name, value)| (name.to_owned(), value)));
        for Step { code, outcome, facts } in self.steps {
            let facts = match (outcome.as_str(), &facts) {
                ("not_reached", _) | (_, Json::Null) => String::new(),
                (_, facts) => format!("  {facts}"),
            };
            let mark = match outcome.as_str() {
                "passed" => "ok",
                "refused" => "REFUSED",
                _ => "-",
            };
            rows.push((code, format!("{mark}{facts}")));
        }
        for Trace { permission, cut_by, given_by } in self.permissions {
            let by = |source: &Source| {
                let place = if source.scope == "instance" { "everywhere" } else { "in the organization" };
                match &source.role {
                    Some(role) => format!("by role {role} {place}"),
                    None => format!("directly {place}"),
                }
            };
            let given = match given_by.as_deref() {
                None => String::new(),
                Some([]) => "; nobody gave it".to_owned(),
                Some(sources) => format!("; given {}", sources.iter().map(by).collect::<Vec<_>>().join(", ")),
            };
            let says = match cut_by.as_deref() {
                None => "effective",
                Some("not_declared") => "no API declares it",
                Some("not_given") => "the principal does not hold it here",
                Some("not_held") => "the principal does not hold it here, or the organization may not use it",
                Some("ceiling") => "the organization's ceiling leaves it out",
                Some("wildcards_forbidden") => "the organization's policy forbids the wildcard that it came by",
                Some("not_on_credential") => "not on the credential's list",
                Some("not_in_scope") => "not in the scope of the token, though its credential has it",
                Some(other) => other,
            };
            rows.push((permission, format!("{says}{given}")));
        }
        output::details(rows)
    }
}
