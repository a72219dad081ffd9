//! `claviger login`, `claviger logout` and `claviger whoami`: the terminal gets a token of somebody who approves that in a browser (RFC 8628).

use std::{
    env,
    io::{self, IsTerminal as _},
    process::{Command, ExitCode, Stdio},
    sync::Arc,
    thread::{self, sleep},
    time::Duration,
};

use clap::Args;
use claviger_token::Secret;
use serde::Deserialize;
use url::Url;

use crate::{
    client::{Ended, Output, Remote, Service, Told},
    failure::Failure,
    kept_login::KeptLogin,
    noun, output, token,
};

/// Sign in with a browser, so that the next commands need no CLAVIGER_TOKEN
///
/// Prints an address and a code. Whoever opens the address, here or on another device, signs in there, sees what is asked for and approves it. What
/// this terminal gets is a personal access token of theirs, which is kept in the user's directory for settings, readable by nobody
/// else. --token and CLAVIGER_TOKEN come before it.
#[derive(Debug, Args)]
pub(crate) struct Login {
    /// Only print the address; do not open it
    #[arg(long)]
    no_browser: bool,
    /// What the token shall permit; may be given several times [default: all that you may in Claviger]
    #[arg(long = "scope", value_name = "PERMISSION")]
    scopes: Vec<String>,
    #[command(flatten)]
    remote: Remote,
}

/// End the token that `claviger login` got, and forget it
#[derive(Debug, Args)]
pub(crate) struct Logout {
    /// Forget it also if the service cannot be told; the token then works until its end
    #[arg(long)]
    forget: bool,
}

/// Show who you are there, and what you may do
#[derive(Debug, Args)]
pub(crate) struct Whoami {
    #[command(flatten)]
    remote: Remote,
}

const CLIENT: (&str, &str) = ("client_id", "claviger-cli");
const GRANT: (&str, &str) = ("grant_type", "urn:ietf:params:oauth:grant-type:device_code");

/// By how many seconds the wait grows when it is too short, or the service does not answer (RFC 8628, section 3.5).
const SLOWER: u64 = 5;

/// What the service says of a new request.
#[derive(Deserialize)]
struct Asked {
    device_code: String,
    user_code: String,
    verification_uri: String,
    verification_uri_complete: Option<String>,
    expires_in: u64,
    interval: Option<u64>,
}

/// What it says once somebody has approved.
#[derive(Deserialize)]
struct Given {
    access_token: String,
    expires_in: u64,
    approval_url: Option<String>,
}

pub(crate) fn run(Login { no_browser, scopes, remote }: Login) -> Result<ExitCode, Failure> {
    let service = remote.service()?.without_token();
    let (name, scope) = (host_name(), scopes.join(" "));
    let mut fields = vec![CLIENT, ("scope", scope.as_str())];
    fields.extend(name.as_deref().map(|name| ("device_name", name)));
    let asked: Asked = noun::understood(&service.form(&["oauth", "device_authorization"], None, &fields)?)?;
    let address = asked.verification_uri_complete.as_deref().unwrap_or(&asked.verification_uri);
    // Whoever stands between could have somebody approve at another service what they get themselves.
    if !is_at(address, &service.address()) {
        let line =
            format!("{} is not at {}, which was asked for a login", output::printable(address), service.address());
        return Err(Failure::new(line).and("give the address that the page has with --url, if you trust it"));
    }
    output::note(&format!(
        "Open this address in a browser, here or on another device, and compare the code:\n\n  {}\n  code {}\n",
        output::printable(address),
        output::printable(&asked.user_code),
    ));
    if !no_browser {
        open(address);
    }
    let given = wait(&service, &asked)?;
    let login = KeptLogin { url: service.address(), token: Arc::new(Secret::new(given.access_token)) };
    let before = KeptLogin::read().ok().flatten();
    let file = match login.keep() {
        Ok(file) => file,
        Err(failure) => {
            // Nobody would have it, and it would work.
            return match service.with_token(login.token).end_token() {
                Ok(_) => Err(failure),
                Err(_) => Err(failure.and("the token could not be ended: revoke it among your tokens")),
            };
        }
    };
    // One that is replaced is of no more use to anybody, unless the new one does not work yet.
    let works_on = before.is_some_and(|before| {
        before.url != login.url || given.approval_url.is_some() || service.with_token(before.token).end_token().is_err()
    });
    if works_on {
        output::note(
            "The token of the login before works until its end; revoke it among your tokens where it is from.",
        );
    }
    let days = given.expires_in.div_ceil(24 * 60 * 60);
    output::note(&format!("Signed in at {} for {days} days; kept in {}.", login.url, file.display()));
    if env::var_os("CLAVIGER_TOKEN").is_some_and(|token| !token.is_empty()) {
        output::note("CLAVIGER_TOKEN is set and comes before it: unset it to use the login.");
    }
    match given.approval_url {
        Some(url) => output::note(&format!(
            "It works once an administrator has approved it. Send this to one:\n  {}",
            output::printable(&url)
        )),
        None => token::shown(&service, &service.with_token(login.token).get(&["token"], &[])?)?,
    }
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn logout(Logout { forget }: Logout) -> Result<ExitCode, Failure> {
    let Some(login) = KeptLogin::read()? else {
        return Err(Failure::new("no login is kept here; `claviger login` makes one"));
    };
    let ended = Remote::of(&login).service()?.end_token();
    match ended {
        Ok(Ended::Now) => output::note(&format!("Signed out at {}: the token has ended.", login.url)),
        Ok(Ended::Before) => output::note(&format!("Signed out at {}: the token counted no more.", login.url)),
        Err(failure) if !forget => {
            return Err(failure.and("try again, or add --forget to forget the login all the same"));
        }
        Err(failure) => {
            output::complain(&failure);
            output::note("Forgotten here. The token works until its end: revoke it at the service.");
        }
    }
    KeptLogin::forget()?;
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn whoami(Whoami { remote }: Whoami) -> Result<ExitCode, Failure> {
    let service = remote.service()?;
    token::shown(&service, &service.get(&["token"], &[])?)?;
    Ok(ExitCode::SUCCESS)
}

/// Asks until somebody has decided, no more often than the service wants to be asked.
fn wait(service: &Service, asked: &Asked) -> Result<Given, Failure> {
    let again = "`claviger login` begins again";
    let progress = output::Progress::unless(service.output == Output::Json);
    let mut interval = asked.interval.unwrap_or(5).clamp(1, 60);
    let mut waited = 0;
    while waited < asked.expires_in {
        for _ in 0..interval {
            progress.tell(&format!("Waiting until somebody approves … {waited}s"));
            sleep(Duration::from_secs(1));
            waited += 1;
        }
        let fields = [GRANT, CLIENT, ("device_code", asked.device_code.as_str())];
        match service.poll(&["oauth", "token"], &fields)? {
            Told::Answer(answer) => return noun::understood(&answer),
            Told::Refused(error, description) => match error.as_str() {
                "authorization_pending" => {}
                "slow_down" | "temporarily_unavailable" => interval += SLOWER,
                "access_denied" => {
                    let line = format!("it was denied: {}", output::printable(&description));
                    return Err(Failure::new(line).and(again));
                }
                "expired_token" => break,
                _ => return Err(Failure::new(output::printable(&description)).and(again)),
            },
            Told::Nothing => interval += SLOWER,
        }
    }
    Err(Failure::new("nobody approved it in time").and(again))
}

/// Whether an address is one of this service.
fn is_at(address: &str, service: &str) -> bool {
    let origin = |text: &str| Url::parse(text).ok().map(|url| url.origin()).filter(url::Origin::is_tuple);
    origin(address).is_some_and(|there| origin(service) == Some(there))
}

/// What this machine is called.
fn host_name() -> Option<String> {
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    Some(name).filter(|name| !name.is_empty())
}

/// In whatever opens addresses here, if somebody sits before it. Whether that worked nobody knows: the address is printed.
fn open(address: &str) {
    let has_screen =
        cfg!(target_os = "macos") || ["DISPLAY", "WAYLAND_DISPLAY"].iter().any(|name| env::var_os(name).is_some());
    if !has_screen || !io::stderr().is_terminal() {
        return;
    }
    let opener = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
    let mut quiet = Command::new(opener);
    quiet.arg(address).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    // Waited for beside the rest: it may last as long as the browser.
    thread::spawn(move || drop(quiet.status()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_of_another_service_is_not_approved() {
        let check = |address: &str, expected: bool| {
            assert_eq!(is_at(address, "https://keys.acme.test/claviger"), expected, "{address}");
        };
        check("https://keys.acme.test/claviger/device?user_code=BCDF-GHJK", true);
        check("https://KEYS.acme.test:443/device", true);
        check("http://keys.acme.test/device", false);
        check("https://keys.acme.test:8443/device", false);
        check("https://keys.acme.test.evil.test/device", false);
        check("https://keys.acme.test@evil.test/device", false);
        check("httpx://keys.acme.test/device", false);
        check("/device", false);
        check("", false);
    }
}
