//! `claviger enrol`: what a device does itself, with a claim code once and with its own key from then on.

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
};

use clap::{Args, Subcommand};
use claviger_token::Secret;
use serde::Deserialize;
use serde_json::json;

use crate::{
    client::{Output, Remote, Service},
    device_key::{self, DeviceKey},
    failure::Failure,
    noun, output,
};

/// Enrol this device in a fleet, by a claim code from whoever runs it
///
/// Makes the device's private key if it is not there, in a file that only its owner reads and that never leaves this machine, and registers
/// the public one. What fails can be repeated: with the same name and key it takes no second use of the code.
#[derive(Debug, Args)]
#[command(subcommand_negates_reqs = true, args_conflicts_with_subcommands = true)]
pub(crate) struct Enrol {
    #[command(subcommand)]
    command: Option<Command>,
    /// The code. Better CLAVIGER_CLAIM_CODE: flags are visible to every user of this machine
    #[arg(long, value_name = "CODE", env = "CLAVIGER_CLAIM_CODE", hide_env_values = true, value_parser = secret, required = true)]
    claim_code: Option<Arc<Secret>>,
    /// What the device is called, such as its serial number; of a fleet's devices each another
    #[arg(long, required = true)]
    name: Option<String>,
    /// The file with its private key (PEM, PKCS#8), which is made if it is not there
    #[arg(long, value_name = "FILE", required = true)]
    key: Option<PathBuf>,
    #[command(flatten)]
    remote: Remote,
}

/// What the service calls it where a key proves no client.
const PROVES_NOTHING: &str = "invalid_client_assertion";

/// How many keys may wait, each for the answer about the one before.
const MOST_WAITING: u8 = 2;

#[derive(Debug, Subcommand)]
enum Command {
    /// Register the device's next key before the one that it has ends
    ///
    /// The next key is made beside the file and takes its place once it is registered. The key before works for another hour.
    Renew(Renew),
}

#[derive(Debug, Args)]
struct Renew {
    /// The device: sa_…
    #[arg(long, value_name = "ID", env = "CLAVIGER_CLIENT_ID")]
    client_id: String,
    /// The file with the private key that it has
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    #[command(flatten)]
    remote: Remote,
}

fn secret(text: &str) -> Result<Arc<Secret>, std::convert::Infallible> {
    Ok(Arc::new(Secret::new(text.trim().to_owned())))
}

/// What the service says of a device.
#[derive(Deserialize)]
struct Enrolled {
    service_account_id: String,
    public_key_id: String,
    fleet_id: String,
    name: String,
    expires_at: String,
    renew_after: String,
}

pub(crate) fn run(Enrol { command, claim_code, name, key, remote }: Enrol) -> Result<ExitCode, Failure> {
    if let Some(Command::Renew(renew)) = command {
        return renew.run();
    }
    let (Some(code), Some(name), Some(file)) = (claim_code, name, key) else {
        return Err(Failure::usage("this needs --claim-code (or CLAVIGER_CLAIM_CODE), --name and --key"));
    };
    let service = remote.service()?.without_token();
    let (key, made) = DeviceKey::read_or_make(&file)?;
    if made {
        output::note(&format!("Made a private key in {}. It stays there.", file.display()));
    } else {
        output::note(&format!("Using the private key that is in {} already.", file.display()));
    }
    let jwk = key.jwk()?;
    let answer = service.post_proving(&["enrolments"], |url, nonce| {
        let body = json!({ "claim_code": code.expose(), "name": name, "jwk": jwk });
        Ok((body, key.proof(url.as_str(), &code, nonce)?))
    })?;
    let told = shown(&service, &answer)?;
    output::note(&format!(
        "Enrolled. A token: `claviger token request --client-id {0} --key {1}`.\n\
         Before it ends: `claviger enrol renew --client-id {0} --key {1}`.",
        output::printable(&told.service_account_id),
        file.display()
    ));
    Ok(ExitCode::SUCCESS)
}

impl Renew {
    fn run(self) -> Result<ExitCode, Failure> {
        let service = self.remote.service()?.without_token();
        let (answer, registered) = self.renewed(&service, &self.key, MOST_WAITING)?;
        device_key::replace(&registered, &self.key).map_err(|error| {
            Failure::because(format!("the next key is registered and stays in {}", registered.display()), &error)
        })?;
        // What waited before it is over.
        let mut over = DeviceKey::next(&self.key);
        for _ in 0..=MOST_WAITING {
            fs::remove_file(&over).ok();
            over = DeviceKey::next(&over);
        }
        shown(&service, &answer)?;
        output::note(&format!("Renewed. The next key is in {}.", self.key.display()));
        Ok(ExitCode::SUCCESS)
    }

    /// Renews by the key in this file, and tells in which file the key is that was registered.
    fn renewed(&self, service: &Service, file: &Path, more: u8) -> Result<(String, PathBuf), Failure> {
        let (key, waiting) = (DeviceKey::read_own(file)?, DeviceKey::next(file));
        // One that waits was perhaps registered already, and its answer lost: it is asked for again.
        let (next, made) = DeviceKey::read_or_make(&waiting)?;
        let jwk = next.jwk()?;
        let renewed = service.post_proving(&["enrolments", "renew"], |url, nonce| {
            let assertion = key.assertion(&self.client_id, url.as_str(), Some(&next))?;
            let proof = next.proof(url.as_str(), &assertion, nonce)?;
            Ok((json!({ "client_assertion": assertion.expose(), "jwk": jwk }), proof))
        });
        match renewed {
            Ok(answer) => Ok((answer, waiting)),
            // The answer was lost so long ago that the key before has ended: then the one that waited is the device's.
            Err(failure) if !made && more > 0 && failure.is(PROVES_NOTHING) => {
                self.renewed(service, &waiting, more - 1).map_err(|_| failure)
            }
            Err(failure) => Err(failure),
        }
    }
}

fn shown(service: &Service, answer: &str) -> Result<Enrolled, Failure> {
    let told: Enrolled = noun::understood(answer)?;
    match service.output {
        Output::Json => output::json(answer)?,
        Output::Table => output::answer(&output::details([
            ("client id".to_owned(), told.service_account_id.clone()),
            ("name".to_owned(), told.name.clone()),
            ("fleet".to_owned(), told.fleet_id.clone()),
            ("public key".to_owned(), told.public_key_id.clone()),
            ("expires".to_owned(), told.expires_at.clone()),
            ("renew after".to_owned(), told.renew_after.clone()),
        ]))?,
    }
    Ok(told)
}
