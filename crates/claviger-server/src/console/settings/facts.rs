//! What somebody who helps asks first: which version, on what, reached where. Never a secret, nor an address that may hold one.

use claviger_store::Database;

use crate::app::App;

/// The key of a name, and what is so.
pub(in crate::console) struct Fact {
    pub(super) words: &'static str,
    pub(super) value: Value,
}

/// What is so.
pub(in crate::console) enum Value {
    Text(String),
    /// Several, or none.
    List(Vec<String>),
    /// Whether something is set, of which nothing more is told.
    Set(bool),
}

pub(super) fn facts(app: &App) -> Vec<Fact> {
    let config = &app.config;
    let text = |text: &str| Value::Text(text.to_owned());
    let list = |all: Vec<String>| Value::List(all);
    let networks = config.trusted_proxies.iter().flat_map(|all| all.iter().map(ToString::to_string)).collect();
    let staleness = format!("{} s", config.max_staleness.as_secs());
    let database = format!("{}, {}", app.store.database().engine(), Database::newest_schema());
    let facts = [
        ("fact-version", text(env!("CARGO_PKG_VERSION"))),
        ("fact-database", Value::Text(database)),
        ("fact-public", text(&config.public_url)),
        ("fact-mtls", list(config.mtls_url.iter().cloned().collect())),
        ("fact-internal", text(&config.internal_url)),
        ("fact-internal-hosts", list(config.internal_hosts.clone())),
        ("fact-internal-token", Value::Set(config.internal_token.is_some())),
        ("fact-proxies", list(networks)),
        ("fact-redis", Value::Set(config.redis.is_some())),
        ("fact-provider", list(app.provider.iter().map(|provider| provider.at.issuer.clone()).collect())),
        ("fact-traces", Value::Set(config.traces)),
        ("fact-staleness", Value::Text(staleness)),
    ];
    facts.into_iter().map(|(words, value)| Fact { words, value }).collect()
}
