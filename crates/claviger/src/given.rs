//! Values as the operator gave them: from the file, the environment and the flags, each as text with its place, so that
//! a refusal can name both. What a value means is `settings.rs`'s to know.

use std::{cell::RefCell, ffi::OsString, path::Path, str::FromStr};

use figment::{
    Figment, Metadata, Profile, Provider, Source,
    providers::{Format as _, Toml},
    value::{Dict, Map, Value},
};

use crate::failure::Failure;

/// What a settings file may say.
const NAMES: &[&str] = &[
    "data_dir",
    "database_url",
    "redis_url",
    "listen",
    "internal_listen",
    "internal_hosts",
    "internal_token",
    "public_url",
    "tls_certificate_file",
    "tls_key_file",
    "mtls_listen",
    "mtls_url",
    "trusted_proxies",
    "client_certificate_header",
    "outbound_networks",
    "brand",
    "former_brands",
    MASTER_KEY_FILE,
    "max_staleness",
    "drain_time",
    "cache_entries",
    "access_log",
    "session_idle",
    "session_life",
    "signing_key_rotation",
    "usage_hours_kept",
    "usage_days_kept",
    "dpop_nonce",
    "oidc_issuer",
    "oidc_client_id",
    "oidc_client_secret",
    "oidc_name",
    "oidc_scopes",
    "oidc_groups_claim",
    "oidc_group_roles",
    "oidc_create_users",
    "otlp_endpoint",
    "otlp_service_name",
    "log_format",
    "log",
];
pub(crate) const MASTER_KEY_FILE: &str = "master_key_file";
/// A variable only: a key that stands in a settings file is soon in a repository.
pub(crate) const MASTER_KEY: &str = "master_key";
const PREFIX: &str = "CLAVIGER_";
/// Variables of ours that are no settings of the service: those of users' commands and of our tests.
const OTHER_VARIABLES: &[&str] = &[
    "CONFIG",
    "URL",
    "TOKEN",
    "CLIENT_ID",
    "CLIENT_SECRET",
    "ACTOR_TOKEN",
    "CLAIM_CODE",
    "TEST_POSTGRES",
    "TEST_POSTGRES_BIN",
];

/// Values as they were given, each with its place.
pub(crate) struct Given {
    values: Figment,
    /// Where refusals are noted, if all of them are wanted; else the first one ends the reading.
    refused: Option<RefCell<Vec<Failure>>>,
}

impl Given {
    pub(crate) fn gather(
        file: &Path,
        variables: impl Iterator<Item = (OsString, OsString)>,
        flags: impl Iterator<Item = (&'static str, String)>,
    ) -> Result<Self, Failure> {
        let mut figment = from_file(file)?;
        for (variable, value) in variables {
            let Some(name) = variable.to_str().and_then(|variable| variable.strip_prefix(PREFIX)) else { continue };
            let variable = format!("{PREFIX}{name}");
            let value = value
                .into_string()
                .map_err(|_| Failure::new(format!("the value of {variable} is not UTF-8; give it as UTF-8 text")))?;
            if OTHER_VARIABLES.contains(&name) || is_service_link(name, &value) {
                continue;
            }
            let lower = name.to_ascii_lowercase();
            let known =
                NAMES.iter().chain([&MASTER_KEY]).find(|known| **known == lower && name == lower.to_ascii_uppercase());
            let known = known.ok_or_else(|| unknown(&lower, &variable))?;
            if value.is_empty() {
                return Err(Failure::new(format!("{variable} is empty; unset it, or give it a value")));
            }
            figment = figment.merge(One { name: known, value, place: variable });
        }
        for (name, value) in flags {
            figment = figment.merge(One { name, value, place: format!("--{}", name.replace('_', "-")) });
        }
        Ok(Self { values: figment, refused: None })
    }

    /// From now on a refusal is noted, and what was refused counts as not given.
    pub(crate) fn noting_refusals(self) -> Self {
        Self { refused: Some(RefCell::default()), ..self }
    }

    pub(crate) fn refusals(self) -> Vec<Failure> {
        self.refused.map(RefCell::into_inner).unwrap_or_default()
    }

    /// Refuses, or notes it.
    pub(crate) fn refuse<T>(&self, failure: Failure) -> Result<Option<T>, Failure> {
        let Some(refused) = &self.refused else { return Err(failure) };
        refused.borrow_mut().push(failure);
        Ok(None)
    }

    /// Whether there is a value, sound or not.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.find(name).is_some()
    }

    fn find(&self, name: &str) -> Option<(Value, String)> {
        let value = self.values.find_value(name).ok()?;
        let place = self.values.get_metadata(value.tag()).map_or_else(String::new, |metadata| match &metadata.source {
            Some(Source::File(path)) => path.display().to_string(),
            _ => metadata.name.to_string(),
        });
        Some((value, place))
    }

    /// A value that `read` understands; `right` says what that is.
    pub(crate) fn checked<T>(
        &self,
        name: &str,
        right: &str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, Failure> {
        let Some((value, place)) = self.find(name) else { return Ok(None) };
        let text = text(&value);
        match text.as_deref().and_then(read) {
            Some(value) => Ok(Some(value)),
            None => self.refuse(refused(name, &place, text.as_deref(), right)),
        }
    }

    pub(crate) fn parse<T: FromStr>(&self, name: &str, right: &str) -> Result<Option<T>, Failure> {
        self.checked(name, right, |text| text.parse().ok())
    }

    /// The same for what must not be repeated in a refusal.
    pub(crate) fn secret<T>(
        &self,
        name: &str,
        right: &str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, Failure> {
        let Some((value, place)) = self.find(name) else { return Ok(None) };
        match text(&value).as_deref().and_then(read) {
            Some(value) => Ok(Some(value)),
            None => self.refuse(refused(name, &place, None, right)),
        }
    }

    /// A list in the file; elsewhere, separated by commas.
    pub(crate) fn list<T>(
        &self,
        name: &str,
        right: &str,
        read: impl Fn(&str) -> Option<T>,
    ) -> Result<Option<Vec<T>>, Failure> {
        let Some((value, place)) = self.find(name) else { return Ok(None) };
        let items: Option<Vec<String>> = if let Value::Array(_, items) = &value {
            items.iter().map(text).collect()
        } else {
            text(&value).map(|text| text.split(',').map(|item| item.trim().to_owned()).collect())
        };
        let items = items.ok_or_else(|| refused(name, &place, None, right));
        let read = |item: String| read(&item).ok_or_else(|| refused(name, &place, Some(&item), right));
        match items.and_then(|items| items.into_iter().map(read).collect::<Result<_, _>>()) {
            Ok(items) => Ok(Some(items)),
            Err(failure) => self.refuse(failure),
        }
    }
}

fn from_file(file: &Path) -> Result<Figment, Failure> {
    if !file.exists() {
        return Ok(Figment::new());
    }
    let layer = Toml::file_exact(file);
    let values = layer.data().map_err(|error| {
        // Without the excerpt of the file: a secret may stand there.
        let said = error.to_string();
        let said: Vec<&str> = said.lines().filter(|line| !line.contains('|')).map(str::trim).collect();
        Failure::new(format!("cannot read {}: {}", file.display(), said.join(": ")))
    })?;
    for name in values.values().flat_map(Dict::keys) {
        if name == MASTER_KEY {
            let line =
                format!("the master key does not belong in {}; name its file with {MASTER_KEY_FILE}", file.display());
            return Err(Failure::new(line));
        }
        if !NAMES.contains(&name.as_str()) {
            return Err(unknown(name, &file.display().to_string()));
        }
    }
    Ok(Figment::from(layer))
}

/// Kubernetes puts such variables into every container beside a service called `claviger` or `claviger-…`.
fn is_service_link(name: &str, value: &str) -> bool {
    let numbered_port = |(_, after): (&str, &str)| after.starts_with(|first: char| first.is_ascii_digit());
    let name = format!("_{name}");
    name.ends_with("_SERVICE_HOST")
        || name.contains("_SERVICE_PORT")
        || name.split_once("_PORT_").is_some_and(numbered_port)
        || (name.ends_with("_PORT") && value.contains("://"))
}

fn unknown(name: &str, place: &str) -> Failure {
    Failure::new(format!("unknown setting {name} in {place}; there are: {}", NAMES.join(", ")))
}

fn refused(name: &str, place: &str, value: Option<&str>, right: &str) -> Failure {
    let value = value.map(|value| format!("{:?} ", value.chars().take(100).collect::<String>())).unwrap_or_default();
    Failure::new(format!("setting {name} in {place}: {value}is not acceptable; give {right}"))
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(_, text) => Some(text.clone()),
        Value::Num(_, number) => number.to_i128().map(|number| number.to_string()),
        Value::Bool(_, flag) => Some(flag.to_string()),
        Value::Char(..) | Value::Empty(..) | Value::Dict(..) | Value::Array(..) => None,
    }
}

/// One value from one place. Figment's own reader of the environment would guess types: a token of digits is text.
struct One {
    name: &'static str,
    value: String,
    place: String,
}

impl Provider for One {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.place.clone())
    }

    fn data(&self) -> figment::error::Result<Map<Profile, Dict>> {
        let values = Dict::from([(self.name.to_owned(), Value::from(self.value.as_str()))]);
        Ok(Map::from([(Profile::Default, values)]))
    }
}
