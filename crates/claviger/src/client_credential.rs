//! What `claviger service-account secret`, `… key`, `… certificate` and `… federation` share: which one is meant, what can be changed, and how one is shown.

use clap::Args;
use serde::Deserialize;
use serde_json::Value as Json;

use crate::{
    body::{Body, Expiry, Switch},
    client::Service,
    consent::Consent,
    credential::reasons,
    failure::Failure,
    noun::{self, Noun, Paging, or, short},
    output,
};

/// Those of one service account
#[derive(Debug, Args)]
pub(crate) struct List {
    /// sa_…
    pub(crate) account: String,
    #[command(flatten)]
    pub(crate) paging: Paging,
}

/// One of a service account
#[derive(Debug, Args)]
pub(crate) struct One {
    /// sa_…
    pub(crate) account: String,
    /// csec_…, ckey_…, cert_… or fed_…
    pub(crate) id: String,
}

#[derive(Debug, Args)]
pub(crate) struct Update {
    #[command(flatten)]
    pub(crate) one: One,
    /// New name
    #[arg(long)]
    name: Option<String>,
    #[command(flatten)]
    expiry: Expiry,
    /// No end
    #[arg(long, conflicts_with_all = ["expires_at", "expires_in"])]
    no_expiry: bool,
    #[command(flatten)]
    switch: Switch,
}

#[derive(Debug, Args)]
pub(crate) struct Revoke {
    #[command(flatten)]
    pub(crate) one: One,
    /// Why [default: unspecified]
    #[arg(long, value_parser = reasons())]
    reason: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Delete {
    #[command(flatten)]
    pub(crate) one: One,
    #[command(flatten)]
    pub(crate) consent: Consent,
}

/// Where those of a service account are.
pub(crate) fn path<N: Noun>(account: &str) -> [&str; 3] {
    ["service-accounts", account, N::PATH]
}

/// Where one is.
pub(crate) fn of<N: Noun>(one: &One) -> [&str; 4] {
    ["service-accounts", &one.account, N::PATH, &one.id]
}

pub(crate) fn update<N: Noun>(service: &Service, update: Update) -> Result<(), Failure> {
    let (one, changes) = update.body()?;
    noun::shown::<N>(service, &service.patch(&of::<N>(&one), &changes)?)?;
    output::note("Changed: on that node from now on, and on every other within a second.");
    Ok(())
}

pub(crate) fn revoke<N: Noun>(service: &Service, revoke: Revoke) -> Result<(), Failure> {
    let (one, body) = revoke.body();
    let answer = service.post(&[of::<N>(&one).as_slice(), &["revoke"]].concat(), &body)?;
    noun::shown::<N>(service, &answer)?;
    output::note("Revoked: it and its tokens, on that node from now on, and on every other within a second.");
    Ok(())
}

pub(crate) fn delete<N: Noun>(service: &Service, Delete { one, consent }: Delete) -> Result<(), Failure> {
    consent.must_be_given(&format!("delete {}", one.id), || {
        Ok(noun::detailed(noun::understood::<N>(&service.get(&of::<N>(&one), &[])?)?))
    })?;
    service.delete(&of::<N>(&one))?;
    output::note(&format!("Deleted {}. Its tokens are refused from now on.", output::printable(&one.id)));
    Ok(())
}

/// What the tables need of one.
#[derive(Debug, Deserialize)]
pub(crate) struct Members {
    id: String,
    client_id: String,
    organization_id: String,
    name: String,
    status: String,
    expires_at: Option<String>,
    revoked_at: Option<String>,
    revoke_reason: Option<String>,
    last_used_at: Option<String>,
    created_at: String,
    created_by: String,
}

impl Update {
    pub(crate) fn body(self) -> Result<(One, Json), Failure> {
        let body = Body::new()
            .with("name", self.name)
            .with("expires_at", self.expiry.at()?)
            .without("expires_at", self.no_expiry)
            .with("disabled", self.switch.disabled());
        Ok((self.one, body.changes()?))
    }
}

impl Revoke {
    pub(crate) fn body(self) -> (One, Json) {
        (self.one, Body::new().with("reason", self.reason).json())
    }
}

impl Members {
    /// A line of a list; `by` is how one recognizes it.
    pub(crate) fn row(self, by: String) -> Vec<String> {
        let never = |at: Option<String>| at.map_or_else(|| "never".to_owned(), |at| short(&at));
        vec![self.id, self.name, self.status, by, never(self.expires_at), never(self.last_used_at)]
    }

    pub(crate) fn details(self) -> Vec<(&'static str, String)> {
        let end = self.revoked_at.map(|at| format!(" {at} ({})", or(self.revoke_reason, "unspecified")));
        vec![
            ("id", self.id),
            ("client id", self.client_id),
            ("name", self.name),
            ("status", self.status + &end.unwrap_or_default()),
            ("organization", self.organization_id),
            ("expires", or(self.expires_at, "never")),
            ("last used", or(self.last_used_at, "never")),
            ("created", format!("{} by {}", self.created_at, self.created_by)),
        ]
    }
}
