//! What a customer hangs on a thing: a small JSON object that we keep and hand back, and never read.

use aws_lc_rs::digest;
use serde_json::value::RawValue;

const MAX_BYTES: usize = 4096;

/// A JSON object of at most 4 KiB, kept as text.
#[derive(Debug, Clone)]
pub struct Metadata(Box<RawValue>);

/// What is wrong with a value that should be metadata.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MetadataError {
    /// An array, a string, a number…
    #[error("metadata is a JSON object")]
    NotAnObject,
    /// Over 4 KiB.
    #[error("metadata is at most 4096 bytes of JSON")]
    TooLarge,
}

impl Metadata {
    /// Takes an object of at most 4 KiB.
    pub fn parse(value: &serde_json::Value) -> Result<Self, MetadataError> {
        if !value.is_object() {
            return Err(MetadataError::NotAnObject);
        }
        let text = value.to_string();
        if text.len() > MAX_BYTES {
            return Err(MetadataError::TooLarge);
        }
        RawValue::from_string(text).map(Self).map_err(|_| MetadataError::NotAnObject)
    }

    /// What was stored; it was checked when it was written.
    pub fn from_stored(text: String) -> Result<Self, serde_json::Error> {
        RawValue::from_string(text).map(Self)
    }

    /// The JSON text.
    pub fn as_str(&self) -> &str {
        self.0.get()
    }

    /// What the audit trail tells of it: whether it changed. What is in it may be personal.
    pub(crate) fn sha256(&self) -> String {
        let hash = digest::digest(&digest::SHA256, self.as_str().as_bytes());
        hash.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The JSON text as a value that serializes as itself.
    pub fn raw(&self) -> &RawValue {
        &self.0
    }
}

impl Default for Metadata {
    fn default() -> Self {
        Self(RawValue::from_string("{}".to_owned()).unwrap_or_else(|_| RawValue::NULL.to_owned()))
    }
}

impl PartialEq for Metadata {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}
