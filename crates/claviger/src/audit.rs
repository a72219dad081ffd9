//! `claviger audit`: the trail as the service tells it, and proved straight on the database.

use std::{fs, path::PathBuf, process::ExitCode};

use claviger_store::{AuditFinding, AuditReport, ChainHead, Changes, Store};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::{
    client::Remote,
    failure::Failure,
    noun::{self, Noun, Paging, or},
    open,
    output::{self, Progress},
    settings::{ListenFlags, SettingFlags, Settings},
    time,
};

/// List what happened, and prove the trail
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Audit {
    /// List who did what, newest first; with --output json also what it was before
    List(ListTrail),
    /// Compute every link of every chain again
    ///
    /// Works beside a running service. Who holds the database and the master key could still write a trail anew, or cut
    /// off its end: keep the heads of today elsewhere (`claviger audit verify --json > heads.json`), and compare with
    /// them later (`--heads heads.json`).
    Verify(VerifyTrail),
}

#[derive(Debug, clap::Args)]
pub(crate) struct ListTrail {
    /// Of one organization: its id or slug
    #[arg(long, value_name = "ORGANIZATION")]
    organization: Option<String>,
    /// About this id
    #[arg(long, value_name = "ID")]
    target: Option<String>,
    /// By this principal, or operator or system
    #[arg(long, value_name = "ID")]
    actor: Option<String>,
    /// About this credential or session, or done with it
    #[arg(long, value_name = "ID")]
    credential: Option<String>,
    /// The same by the SHA-256 of a token that was found, in hexadecimal: printf %s "$TOKEN" | sha256sum
    #[arg(long, value_name = "HEX")]
    token_sha256: Option<String>,
    /// Such as api_key.revoked
    #[arg(long)]
    action: Option<String>,
    /// From this moment on (RFC 3339)
    #[arg(long, value_name = "TIME", value_parser = time::parse)]
    since: Option<Timestamp>,
    /// Before this moment (RFC 3339)
    #[arg(long, value_name = "TIME", value_parser = time::parse)]
    until: Option<Timestamp>,
    #[command(flatten)]
    paging: Paging,
    #[command(flatten)]
    remote: Remote,
}

#[derive(Debug, clap::Args)]
pub(crate) struct VerifyTrail {
    /// Print the heads and the findings as JSON
    #[arg(long)]
    json: bool,
    /// Compare with what --json printed earlier
    #[arg(long, value_name = "FILE")]
    heads: Option<PathBuf>,
    #[command(flatten)]
    settings: SettingFlags,
}

/// What is printed as JSON, and read again from a file of heads.
#[derive(Debug, Serialize, Deserialize)]
struct Report {
    ok: bool,
    events: u64,
    chains: Vec<Head>,
    findings: Vec<Finding>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Head {
    chain: String,
    seq: i64,
    hash: String,
}

#[derive(Debug, Serialize, Deserialize)]
struct Finding {
    chain: String,
    seq: i64,
    what: String,
}

/// What the table needs of an event.
#[derive(Debug, Deserialize)]
struct Event {
    id: String,
    at: String,
    action: String,
    actor: Json,
    address: Option<String>,
    target: String,
}

pub(crate) fn list(list: ListTrail) -> Result<ExitCode, Failure> {
    let service = list.remote.service()?;
    let organization = service.organization_id(list.organization.as_deref())?;
    let (since, until) = (list.since.map(|at| at.to_string()), list.until.map(|at| at.to_string()));
    let filters = [
        ("organization_id", organization.as_deref()),
        ("target", list.target.as_deref()),
        ("actor", list.actor.as_deref()),
        ("credential", list.credential.as_deref()),
        ("token_sha256", list.token_sha256.as_deref()),
        ("action", list.action.as_deref()),
        ("since", since.as_deref()),
        ("until", until.as_deref()),
    ];
    noun::list::<Event>(&service, &list.paging, &filters)?;
    Ok(ExitCode::SUCCESS)
}

impl Noun for Event {
    const PATH: &'static str = "audit-events";
    const COMMAND: &'static str = "audit list";
    const TITLES: &'static [&'static str] = &["AT", "ACTION", "TARGET", "ACTOR", "ADDRESS"];

    fn row(self) -> Vec<String> {
        let actor = self.actor["id"].as_str().or(self.actor["type"].as_str()).unwrap_or_default().to_owned();
        // To the second: what happened within one stands in its order.
        let at = self.at.get(..19).unwrap_or(&self.at).replace('T', " ");
        vec![at, self.action, self.target, actor, or(self.address, "-")]
    }

    fn details(self) -> Vec<(&'static str, String)> {
        vec![("id", self.id), ("at", self.at), ("action", self.action), ("target", self.target)]
    }
}

pub(crate) async fn verify(command: VerifyTrail) -> Result<ExitCode, Failure> {
    let settings = Settings::load(&command.settings, &ListenFlags::default())?;
    output::start_log(&settings, "warn", None);
    let saved = command.heads.as_ref().map(read_heads).transpose()?;
    let database = open::existing(&settings).await?;
    let keys = open::existing_keys(&settings, &database).await?;
    let store = Store::new(database, keys.chain, Changes::new(open::monotonic()));
    let progress = Progress::unless(command.json);
    let proved =
        store.verify_audit_telling(|proved, all| progress.tell(&format!("{proved} of {all} events proved …"))).await;
    drop(progress);
    let mut report = Report::from(proved?);
    for head in saved.iter().flatten() {
        report.findings.extend(compare(&store, &report.chains, head).await?);
    }
    report.ok = report.findings.is_empty();
    store.database().close().await;
    output::answer(&if command.json { serde_json::to_string_pretty(&report)? } else { report.shown() })?;
    if report.ok {
        return Ok(ExitCode::SUCCESS);
    }
    Err(Failure::new("the audit trail is broken; keep this database as it is, and compare it with your backups"))
}

fn read_heads(file: &PathBuf) -> Result<Vec<Head>, Failure> {
    let refused = |error: &dyn std::error::Error| {
        Failure::because(format!("{} holds no heads as `audit verify --json` prints them", file.display()), error)
    };
    let text = fs::read_to_string(file).map_err(|error| Failure::because(file.display(), &error))?;
    let report: Report = serde_json::from_str(&text).map_err(|error| refused(&error))?;
    Ok(report.chains)
}

/// Whether the chain still goes through a head of earlier.
async fn compare(store: &Store, chains: &[Head], saved: &Head) -> Result<Option<Finding>, Failure> {
    let finding = |what: String| Some(Finding { chain: saved.chain.clone(), seq: saved.seq, what });
    let length = chains.iter().find(|head| head.chain == saved.chain).map_or(0, |head| head.seq);
    if length < saved.seq {
        return Ok(finding(format!("the chain had {} events when its head was saved and has {length} now", saved.seq)));
    }
    let hash = store.link_hash(&saved.chain, saved.seq).await?;
    Ok(match hash {
        Some(hash) if hex(&hash) == saved.hash => None,
        _ => finding("the event is another than when the head was saved".to_owned()),
    })
}

impl From<AuditReport> for Report {
    fn from(report: AuditReport) -> Self {
        let head = |ChainHead { chain, seq, hash }| Head { chain, seq, hash: hex(&hash) };
        let finding = |AuditFinding { chain, seq, what }| Finding { chain, seq, what: what.to_owned() };
        Self {
            ok: report.findings.is_empty(),
            events: report.events,
            chains: report.heads.into_iter().map(head).collect(),
            findings: report.findings.into_iter().map(finding).collect(),
        }
    }
}

impl Report {
    fn shown(&self) -> String {
        let heads = self.chains.iter().map(|head| [head.chain.clone(), head.seq.to_string(), head.hash.clone()]);
        let mut shown = output::table(&["CHAIN", "EVENTS", "HEAD"], heads);
        if self.ok {
            shown.push_str(&format!("\n\nproved: {} events in {} chains", self.events, self.chains.len()));
        } else {
            let findings = self.findings.iter();
            let findings =
                findings.map(|finding| [finding.chain.clone(), finding.seq.to_string(), finding.what.clone()]);
            shown.push_str("\n\n");
            shown.push_str(&output::table(&["CHAIN", "AT EVENT", "FINDING"], findings));
        }
        shown
    }
}

fn hex(hash: &[u8; 32]) -> String {
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}
