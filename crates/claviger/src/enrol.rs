//! `claviger enrol`: what a device does itself, with a claim code once and with its own key from then on.

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
};

use clap::{Args, Subcommand};
use claviger_token::{Certificate, Secret};
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
/// the public one, or with --certificate gets a certificate for it. What fails can be repeated: with the same name and key it takes no second
/// use of the code.
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
    /// Get a certificate for the key, and keep it in this file with that of the fleet's authority (PEM): the device shows it then instead of
    /// signing
    #[arg(long, value_name = "FILE")]
    certificate: Option<PathBuf>,
    #[command(flatten)]
    remote: Remote,
}

/// What the service calls it where a key proves no client.
const PROVES_NOTHING: &str = "invalid_client_assertion";

/// How many keys may wait, each for the answer about the one before.
const MOST_WAITING: u8 = 2;

#[derive(Debug, Subcommand)]
enum Command {
    /// Register the device's next key, or get its next certificate, before the one that it has ends
    ///
    /// The next key is made beside the file and takes its place once it is registered. The key before works for another hour. A device with
    /// a certificate shows that: --url is then the address where the service asks for certificates.
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
    /// The file with the certificate that it has
    #[arg(long, value_name = "FILE")]
    certificate: Option<PathBuf>,
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
    public_key_id: Option<String>,
    certificate_id: Option<String>,
    certificate_pem: Option<String>,
    chain_pem: Option<String>,
    token_endpoint: String,
    fleet_id: String,
    name: String,
    expires_at: String,
    renew_after: String,
}

pub(crate) fn run(Enrol { command, claim_code, name, key, certificate, remote }: Enrol) -> Result<ExitCode, Failure> {
    if let Some(Command::Renew(renew)) = command {
        return renew.run();
    }
    let (Some(code), Some(name), Some(file)) = (claim_code, name, key) else {
        return Err(Failure::usage("this needs --claim-code (or CLAVIGER_CLAIM_CODE), --name and --key"));
    };
    if let Some(certificate) = &certificate {
        must_be_apart(certificate, &file)?;
    }
    let service = remote.service()?.without_token();
    let (key, made) = DeviceKey::read_or_make(&file)?;
    if made {
        output::note(&format!("Made a private key in {}. It stays there.", file.display()));
    } else {
        output::note(&format!("Using the private key that is in {} already.", file.display()));
    }
    if let Some(certificate) = certificate {
        let body = json!({ "claim_code": code.expose(), "name": name, "csr": key.certificate_request()? });
        let answer = service.post(&["enrolments"], &body)?;
        let told = shown(&service, &answer)?;
        told.keep_certificate(&certificate, &key)?;
        let (id, base) = (output::printable(&told.service_account_id), told.base());
        output::note(&format!(
            "Enrolled, with the certificate in {1}. A token: POST grant_type=client_credentials and client_id={id} to {2}/oauth/token, showing it.\n\
             Before it ends: `claviger enrol renew --client-id {id} --key {0} --certificate {1} --url {2}`.",
            file.display(),
            certificate.display(),
            output::printable(base)
        ));
        return Ok(ExitCode::SUCCESS);
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

/// Refuses a file for the certificate that is one of the key's, or that holds something else.
fn must_be_apart(certificate: &Path, key: &Path) -> Result<(), Failure> {
    if [key.to_owned(), DeviceKey::next(key)].iter().any(|one| device_key::are_one_file(certificate, one)) {
        let line =
            "--certificate names the file of the private key, or of the next; the certificate needs a file of its own";
        return Err(Failure::usage(line));
    }
    device_key::must_take_certificate(certificate)
}

impl Renew {
    fn run(self) -> Result<ExitCode, Failure> {
        let service = self.remote.service()?.without_token();
        if let Some(certificate) = &self.certificate {
            return self.renewed_certificate(&service, certificate);
        }
        let (answer, registered) = self.renewed(&service, &self.key, MOST_WAITING)?;
        self.take(&registered)?;
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

    /// Puts a key that is registered in the place of the one before.
    fn take(&self, registered: &Path) -> Result<(), Failure> {
        device_key::replace(registered, &self.key).map_err(|error| {
            Failure::because(format!("the next key is registered and stays in {}", registered.display()), &error)
        })
    }

    /// Gets the next certificate, of a next key, by the one that is there.
    fn renewed_certificate(&self, service: &Service, file: &Path) -> Result<ExitCode, Failure> {
        let none =
            || Failure::new(format!("{} is not there; it holds the certificate that the device has", file.display()));
        let (key, waiting) = (DeviceKey::read_own(&self.key)?, DeviceKey::next(&self.key));
        must_be_apart(file, &self.key)?;
        let own = device_key::certificate_in(file)?.ok_or_else(none)?;
        let (next, made) = DeviceKey::read_or_make(&waiting)?;
        if !key.is_of(&own) && next.is_of(&own) {
            // The certificate had its place already when power was lost.
            self.take(&waiting)?;
            output::note(&format!("Renewed already. The next key is in {}.", self.key.display()));
            return Ok(ExitCode::SUCCESS);
        }
        let body = json!({ "client_id": self.client_id, "csr": next.certificate_request()? });
        let ask = |service: &Service| service.post(&["enrolments", "renew"], &body);
        let showing = service.showing(&key.shown_with(&own))?;
        let answer = match ask(&showing) {
            // The answer was lost so long ago that what is shown has ended: the key that waits is proved by its request.
            Err(failure) if !made => ask(service).map_err(|_| failure)?,
            asked => asked?,
        };
        let told: Enrolled = noun::understood(&answer)?;
        // First the certificate: which key it is of says what is left to be done.
        told.keep_certificate(file, &next)?;
        self.take(&waiting)?;
        shown(service, &answer)?;
        output::note(&format!(
            "Renewed. The next key is in {}, its certificate in {}.",
            self.key.display(),
            file.display()
        ));
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

impl Enrolled {
    /// Where the service asks for certificates.
    fn base(&self) -> &str {
        self.token_endpoint.strip_suffix("/oauth/token").unwrap_or(&self.token_endpoint)
    }

    /// Keeps the certificate of this key and those above it, as they are shown.
    fn keep_certificate(&self, file: &Path, key: &DeviceKey) -> Result<(), Failure> {
        let (Some(own), Some(above)) = (&self.certificate_pem, &self.chain_pem) else {
            return Err(Failure::new("the service answered without a certificate; it may be older than this command"));
        };
        if !Certificate::from_pem(own).is_ok_and(|answered| key.is_of(&answered)) {
            return Err(Failure::new(
                "the service answered with what is no certificate of this key; nothing was written",
            ));
        }
        device_key::keep_certificate(file, &format!("{own}{above}"))
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
            match (&told.public_key_id, &told.certificate_id) {
                (Some(id), _) => ("public key".to_owned(), id.clone()),
                (None, id) => ("certificate".to_owned(), id.clone().unwrap_or_default()),
            },
            ("expires".to_owned(), told.expires_at.clone()),
            ("renew after".to_owned(), told.renew_after.clone()),
        ]))?,
    }
    Ok(told)
}
