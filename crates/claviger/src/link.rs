//! Links that Claviger makes and nobody sees twice: alone on stdout, and what they are for beside them.

use claviger_token::Secret;
use serde::Deserialize;

use crate::{
    client::{Output, Service},
    failure::Failure,
    noun, output,
};

/// What the answers with a link have in common.
#[derive(Deserialize)]
struct Answer {
    url: Option<String>,
    expires_at: String,
}

pub(crate) fn shown(service: &Service, answer: &str, what: &str) -> Result<(), Failure> {
    if service.output == Output::Json {
        return output::json(answer);
    }
    let Answer { url, expires_at } = noun::understood(answer)?;
    let url = url.map(Secret::new).ok_or_else(|| Failure::new("the answer holds no link"))?;
    output::secret(&url)?;
    let expires_at = output::printable(&expires_at);
    output::note(&format!("{what} It works once, until {expires_at}, and is not shown again."));
    Ok(())
}
