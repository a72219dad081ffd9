//! An instance of Claviger with so many keys, the servers that run on it, and a bare server that answers the same.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use claviger_core::{MasterKey, TokenFormat};
use claviger_server::Keys;
use claviger_store::{Changes, Database, Store};
use claviger_token::SigningAlgorithm;
use rand::{SeedableRng as _, rngs::StdRng};
use reqwest::{
    Method,
    blocking::{Client, Response},
};
use serde_json::{Value as Json, json};

use crate::{
    Result,
    bare::{self, Answer},
    bulk,
    customer::{self, Customer},
    process::{Core, Process, SERVER, free_port, now},
    tokens,
};

/// A directory or a PostgreSQL database with keys in it.
#[derive(Debug)]
pub(crate) struct Site {
    directory: PathBuf,
    /// `sqlite://…` or `postgres://…`.
    pub(crate) database: String,
    master_key: String,
    administrator: String,
    pub(crate) customer: Customer,
    client: Client,
}

/// A running server.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) process: Process,
    pub(crate) public: u16,
    pub(crate) internal: u16,
    /// From the start of the process to the first 200 of `/health/ready`.
    pub(crate) started_in: Duration,
}

impl Site {
    /// A directory in which no server has run yet.
    pub(crate) fn unused(directory: PathBuf, postgres: Option<&str>) -> Result<Self> {
        fs::create_dir(&directory)?;
        let database = match postgres {
            Some(url) => bulk::new_database(url, &directory)?,
            None => format!("sqlite://{}", directory.join("claviger.db").display()),
        };
        // It guards nothing: all that it seals is thrown away.
        let master_key = MasterKey::generate(&mut StdRng::seed_from_u64(0)).to_string();
        // What is revoked at once takes its time.
        let client = Client::builder().timeout(None).build()?;
        let (administrator, customer) = (String::new(), Customer::default());
        Ok(Self { directory, database, master_key, administrator, customer, client })
    }

    /// A new instance in a directory of its own, with a customer who has this many keys.
    pub(crate) fn new(directory: PathBuf, postgres: Option<&str>, keys: usize) -> Result<Self> {
        let mut site = Self::unused(directory, postgres)?;
        let server = site.serve(SERVER)?;
        let bootstrap = site.command(Command::new(claviger()?)).args(["bootstrap", "--json"]).output()?;
        let made: Json = serde_json::from_slice(&bootstrap.stdout)
            .map_err(|_| format!("claviger bootstrap: {}", String::from_utf8_lossy(&bootstrap.stderr)))?;
        site.administrator = made["api_key"].as_str().ok_or("bootstrap printed no key")?.to_owned();
        site.customer = Customer::make(|path, body| site.send(&server, Method::POST, path, body))?;
        drop(server);
        bulk::load(&site.database, &site.master_key, &site.customer.key, keys)?;
        Ok(site)
    }

    /// Sends a body as the administrator, and returns what is answered.
    pub(crate) fn send(&self, server: &Server, method: Method, path: &str, body: &Json) -> Result<Json> {
        let url = format!("http://127.0.0.1:{}{path}", server.public);
        let answer = self.client.request(method, url).bearer_auth(&self.administrator).json(body).send()?;
        Ok(answer.error_for_status()?.json()?)
    }

    /// What a path answers to the administrator.
    pub(crate) fn get(&self, server: &Server, path: &str) -> Result<Json> {
        let url = format!("http://127.0.0.1:{}{path}", server.public);
        Ok(self.client.get(url).bearer_auth(&self.administrator).send()?.error_for_status()?.json()?)
    }

    /// Sets how the access tokens for the customer's API are made from now on.
    pub(crate) fn issue(&self, server: &Server, algorithm: SigningAlgorithm, format: TokenFormat) -> Result<()> {
        let path = format!("/v1/apis/{}", self.customer.api);
        let changes = json!({ "signing_algorithm": algorithm, "access_token_format": format });
        self.send(server, Method::PATCH, &path, &changes).map(drop)
    }

    /// Starts a server, as an operator would who sets nothing but where things are.
    pub(crate) fn serve(&self, core: Core) -> Result<Server> {
        let (public, internal) = (free_port()?, free_port()?);
        let began = now();
        let mut command = self.command(core.command(claviger()?));
        command.env("CLAVIGER_LISTEN", format!("127.0.0.1:{public}"));
        command.env("CLAVIGER_INTERNAL_LISTEN", format!("127.0.0.1:{internal}"));
        command.arg("serve").stderr(File::create(self.directory.join("log"))?);
        let mut process = Process::spawn(&mut command)?;
        let ready = process.ready(internal, "/health/ready");
        let started_in = began.elapsed();
        ready.map_err(|error| {
            format!("{error}:\n{}", fs::read_to_string(self.directory.join("log")).unwrap_or_default())
        })?;
        Ok(Server { process, public, internal, started_in })
    }

    /// What it stores, past every server.
    pub(crate) async fn store(&self) -> Result<Store> {
        let database = Database::open(&self.database).await?;
        let master = MasterKey::parse(&self.master_key).ok_or("no master key")?;
        let keys = Keys::open(&database, &master, bulk::wall_clock(), &mut StdRng::seed_from_u64(0)).await?;
        Ok(Store::new(database, keys.chain, Changes::new(now())))
    }

    /// The header that makes a request the administrator's.
    pub(crate) fn authorization(&self) -> String {
        format!("Authorization: Bearer {}", self.administrator)
    }

    fn command(&self, mut command: Command) -> Command {
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("CLAVIGER_")) {
            command.env_remove(name);
        }
        command.env("CLAVIGER_DATA_DIR", &self.directory).env("CLAVIGER_DATABASE_URL", &self.database);
        // What every node says of itself, and every token of its issuer, is the same on all of them.
        command.env("CLAVIGER_PUBLIC_URL", "http://127.0.0.1:7420");
        command.env("CLAVIGER_MASTER_KEY", &self.master_key).current_dir(&self.directory);
        command
    }
}

impl Server {
    /// What `/v1/verify` answers for a key, which must be valid.
    pub(crate) fn verify(&self, token: &str) -> Result<Response> {
        let url = format!("http://127.0.0.1:{}/v1/verify", self.internal);
        let ask = || Client::new().post(&url).json(&customer::question(token)).send()?.error_for_status();
        let answer: Json = ask()?.json()?;
        if answer["valid"] == true { Ok(ask()?) } else { Err(format!("a key is not valid: {answer}").into()) }
    }

    /// The same of `/v1/forward-auth`, with the same permission as in the guide to nginx.
    pub(crate) fn forward_auth(&self, token: &str) -> Result<Response> {
        let url = format!("http://127.0.0.1:{}/v1/forward-auth?permission={}", self.internal, customer::PERMISSION);
        Ok(Client::new().get(url).bearer_auth(token).send()?.error_for_status()?)
    }

    /// Fails unless the first and the last key that were loaded are valid.
    pub(crate) fn check(&self, keys: usize) -> Result<()> {
        for number in [0, keys - 1] {
            self.verify(tokens::nth(number).expose())?;
        }
        Ok(())
    }

    /// A bare server that answers what this one answers.
    pub(crate) fn bare(&self, core: Core, token: &str, scratch: &Path) -> Result<(Process, u16)> {
        let answers = BTreeMap::from([
            ("/v1/verify", Answer::like(self.verify(token)?)?),
            ("/v1/forward-auth", Answer::like(self.forward_auth(token)?)?),
        ]);
        bare::start(core, &answers, scratch)
    }
}

/// The service, which is built beside this program.
pub(crate) fn claviger() -> Result<PathBuf> {
    Ok(std::env::current_exe()?.with_file_name("claviger"))
}
