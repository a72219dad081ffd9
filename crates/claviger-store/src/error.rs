//! Why storage did not do what was asked. A refusal of the domain is never one of these.

use std::io;

/// An outage, a clash, or damage.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database does not answer, or not in time. Nothing was decided; try again.
    #[error("storage is unavailable")]
    Unavailable(#[source] sqlx::Error),
    /// The transaction took longer than its cap, after which other nodes no longer wait for it.
    #[error("the transaction took too long and was rolled back")]
    TooSlow,
    /// Another row has this value already.
    #[error("{0} is taken")]
    Taken(&'static str),
    /// A row does not hold what we write into such rows.
    #[error("stored data is damaged: {0}")]
    Damaged(String),
    /// The schema was made by a later version.
    #[error("the database was written by a newer Claviger (schema {0}); start that version, or restore a backup")]
    NewerSchema(i64),
    /// The migration failed; nothing of it was kept.
    #[error("the database could not be migrated")]
    Migration(#[source] sqlx::migrate::MigrateError),
}

/// Why a database could not be entered, as far as whoever runs it can mend that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotLetIn {
    /// Nobody listens there.
    NobodyThere,
    /// Nothing answers there.
    Silent,
    /// No machine has this name.
    NoSuchHost,
    /// The user or the password is not one that it takes, from here.
    Credentials,
    /// It has no such database.
    NoSuchDatabase,
    /// It speaks no TLS, or not as it is asked for.
    Tls,
}

/// Columns that are unique, by the word that the engines' messages name them with.
const UNIQUE: &[(&str, &str)] = &[
    ("signing_key", "signing_key"),
    ("external_id", "external_id"),
    ("email", "email"),
    ("slug", "slug"),
    ("identifier", "identifier"),
    ("idempotency", "idempotency_key"),
    ("permission", "permission"),
    ("passkey", "passkey"),
    ("name", "name"),
];

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        if let sqlx::Error::Database(cause) = &error
            && cause.is_unique_violation()
        {
            let said = cause.constraint().unwrap_or_default().to_owned() + cause.message();
            let column = UNIQUE.iter().find(|(word, _)| said.contains(word));
            return Self::Taken(column.map_or("value", |(_, column)| column));
        }
        Self::Unavailable(error)
    }
}

impl StoreError {
    /// Why a database could not be entered; `None` if that is none of the usual reasons.
    pub fn not_let_in(&self) -> Option<NotLetIn> {
        let Self::Unavailable(error) = self else { return None };
        if let sqlx::Error::Database(cause) = error {
            return match cause.code()?.as_ref() {
                "28P01" | "28000" => Some(NotLetIn::Credentials),
                "3D000" => Some(NotLetIn::NoSuchDatabase),
                _ => None,
            };
        }
        if matches!(error, sqlx::Error::Tls(_)) {
            return Some(NotLetIn::Tls);
        }
        let sqlx::Error::Io(error) = error else { return None };
        let is = |kind| error.kind() == kind;
        match () {
            () if is(io::ErrorKind::ConnectionRefused) || is(io::ErrorKind::NotFound) => Some(NotLetIn::NobodyThere),
            () if is(io::ErrorKind::TimedOut) => Some(NotLetIn::Silent),
            // A failure of the resolver has no kind of its own.
            () if error.to_string().contains("lookup address") => Some(NotLetIn::NoSuchHost),
            () => None,
        }
    }

    pub(crate) fn damaged(what: impl std::fmt::Display) -> Self {
        Self::Damaged(what.to_string())
    }
}
