//! One run: which rows, how many keys, how long; and what several rows share.

use std::{
    ops::Range,
    path::{Path, PathBuf},
    process::ExitCode,
    rc::Rc,
};

use clap::ValueEnum;

use crate::{
    Result, create, everywhere, flood, forward_auth, jwt, nginx, oauth, process,
    report::{self, Row},
    revocation, sdk,
    site::Site,
    start,
    tokens::Tokens,
    usage, verify,
};

#[derive(Debug, clap::Args)]
pub(crate) struct Run {
    /// Only the rows of one group; docs/performance.md is left as it is
    #[arg(long, value_enum)]
    only: Option<Group>,
    /// Small numbers, to try the benchmark itself; docs/performance.md is left as it is
    #[arg(long)]
    quick: bool,
    /// How many counts of use are stored for the rows about reports [default: 10 million, with --quick 200 thousand]
    #[arg(long)]
    buckets: Option<usize>,
    /// A directory on a real disk, for some gigabytes
    #[arg(long)]
    scratch: PathBuf,
    /// A PostgreSQL with `pg_stat_statements`, whose user may do everything
    #[arg(long, env = "CLAVIGER_TEST_POSTGRES")]
    postgres: String,
}

/// Rows that are measured together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Group {
    /// Verify from memory
    Verify,
    /// Verify of keys that are not in memory, from SQLite
    Cold,
    /// The same from PostgreSQL
    ColdPostgres,
    /// Forward-auth from memory
    ForwardAuth,
    /// Verify of JWTs, seen before and for the first time
    Jwt,
    /// Verify inside of a service, by the SDK
    Sdk,
    /// Getting tokens and introspecting them
    Oauth,
    /// Forward-auth behind nginx
    Nginx,
    /// Making keys
    Create,
    /// From a revocation to the first refusal, on two nodes
    Revocation,
    /// The same of keys on three nodes, in a sidecar and in a service, under load
    Everywhere,
    /// Memory
    Memory,
    /// What others feel of a million unknown tokens, and of 100,000 revocations
    Flood,
    /// Start to ready
    Start,
    /// Verify from memory, from few keys stored to many
    Growth,
    /// Reports of use, with many counts stored
    Usage,
}

/// How many and how long.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scale {
    /// Keys stored.
    pub(crate) few: usize,
    pub(crate) many: usize,
    pub(crate) most: usize,
    /// Keys that are asked for again and again.
    pub(crate) hot: usize,
    /// The same, where many are: the use of each is counted and written.
    pub(crate) spread: usize,
    /// Of one load.
    pub(crate) seconds: u64,
    /// How often each side is measured.
    pub(crate) rounds: usize,
    /// How often something is revoked, of what tokens are got with, or a report is asked for.
    pub(crate) tries: usize,
    /// How many keys are revoked one after the other, and how many at once.
    pub(crate) revoked: usize,
    pub(crate) at_once: usize,
    /// Counts of use stored: a credential's, of an hour, with one verdict.
    pub(crate) buckets: usize,
}

const FULL: Scale = Scale {
    few: 1_000,
    many: 1_000_000,
    most: 10_000_000,
    hot: 1_000,
    spread: 20_000,
    seconds: 4,
    rounds: 3,
    tries: 100,
    revoked: 1_000,
    at_once: 100_000,
    buckets: 10_000_000,
};
const QUICK: Scale = Scale {
    few: 1_000,
    many: 20_000,
    most: 50_000,
    hot: 200,
    spread: 2_000,
    seconds: 1,
    rounds: 1,
    tries: 10,
    revoked: 20,
    at_once: 5_000,
    buckets: 200_000,
};

/// What the groups work with.
pub(crate) struct Bench {
    pub(crate) scale: Scale,
    pub(crate) postgres: String,
    scratch: PathBuf,
    few: Option<Rc<Site>>,
    many: Option<Rc<Site>>,
    most: Option<Rc<Site>>,
    rows: Vec<Row>,
}

pub(crate) fn run(run: &Run) -> Result<ExitCode> {
    let began = process::now();
    let scale = if run.quick { QUICK } else { FULL };
    let scale = Scale { buckets: run.buckets.unwrap_or(scale.buckets), ..scale };
    let (scratch, postgres) = (run.scratch.canonicalize()?, run.postgres.clone());
    let mut bench = Bench { scale, postgres, scratch, few: None, many: None, most: None, rows: Vec::new() };
    for group in Group::value_variants().iter().copied().filter(|group| run.only.is_none_or(|only| only == *group)) {
        println!("== {group:?}, after {:.0} s", began.elapsed().as_secs_f32());
        match group {
            Group::Verify => verify::warm(&mut bench),
            Group::Cold => verify::cold(&mut bench),
            Group::ColdPostgres => verify::cold_postgres(&mut bench),
            Group::ForwardAuth => forward_auth::warm(&mut bench),
            Group::Jwt => jwt::verify(&mut bench),
            Group::Sdk => sdk::alone(&mut bench),
            Group::Oauth => oauth::tokens(&mut bench).and_then(|()| oauth::introspection(&mut bench)),
            Group::Nginx => nginx::beside(&mut bench),
            Group::Create => create::keys(&mut bench),
            Group::Revocation => revocation::refusal(&mut bench),
            Group::Memory => start::memory(&mut bench),
            Group::Everywhere => everywhere::refusal(&mut bench),
            Group::Flood => flood::unknown(&mut bench).and_then(|()| flood::revoked(&mut bench)),
            Group::Start => start::ready(&mut bench),
            Group::Growth => verify::growth(&mut bench),
            Group::Usage => usage::reports(&mut bench),
        }?;
    }
    println!("\n{}", report::table(&bench.rows));
    if !run.quick && run.only.is_none() && run.buckets.is_none() {
        report::write(&bench.rows, began.elapsed().as_secs_f64() / 60.0)?;
    }
    Ok(ExitCode::SUCCESS)
}

impl Bench {
    pub(crate) fn scratch(&self) -> &Path {
        &self.scratch
    }

    /// A finding.
    pub(crate) fn report(&mut self, row: Row) {
        print!(
            "{}",
            report::table(std::slice::from_ref(&row))
                .lines()
                .last()
                .map(|line| format!("{line}\n"))
                .unwrap_or_default()
        );
        self.rows.push(row);
    }

    /// The instance with few keys.
    pub(crate) fn few(&mut self) -> Result<Rc<Site>> {
        made(&mut self.few, self.scratch.join("few"), self.scale.few)
    }

    /// The one with many.
    pub(crate) fn many(&mut self) -> Result<Rc<Site>> {
        made(&mut self.many, self.scratch.join("many"), self.scale.many)
    }

    /// The one with the most.
    pub(crate) fn most(&mut self) -> Result<Rc<Site>> {
        made(&mut self.most, self.scratch.join("most"), self.scale.most)
    }

    /// A file with the tokens of these keys.
    pub(crate) fn tokens(&self, range: Range<usize>) -> Result<Tokens> {
        Tokens::of_keys(&self.scratch, &range)
    }
}

fn made(site: &mut Option<Rc<Site>>, directory: PathBuf, keys: usize) -> Result<Rc<Site>> {
    if let Some(site) = site {
        return Ok(Rc::clone(site));
    }
    let made = Rc::new(Site::new(directory, None, keys)?);
    Ok(Rc::clone(site.insert(made)))
}
