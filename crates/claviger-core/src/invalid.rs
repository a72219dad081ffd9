//! How the domain says no to an input: which member, which rule, and what would be right.

use serde::{Deserialize, Deserializer, Serialize};

/// One thing that is wrong with a request body, as RFC 9457 extension member `errors` shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FieldError {
    /// JSON Pointer (RFC 6901) to the member, or to the list entry, that is wrong.
    #[cfg_attr(feature = "openapi", schema(example = "/permissions/0"))]
    pub pointer: String,
    /// Stable code of the rule that was broken.
    #[cfg_attr(feature = "openapi", schema(value_type = String, example = "permission_not_held"))]
    pub code: &'static str,
    /// What is wrong and what would be right, for a person.
    pub message: String,
}

/// Collects everything that is wrong with one input, so that a caller mends it in one go.
#[derive(Debug, Default)]
pub struct FieldErrors(Vec<FieldError>);

impl FieldErrors {
    /// Notes one error.
    pub fn add(&mut self, pointer: impl Into<String>, code: &'static str, message: impl Into<String>) {
        self.0.push(FieldError { pointer: pointer.into(), code, message: message.into() });
    }

    /// Takes the value, or notes the error and goes on without it.
    pub fn keep<T, E: std::fmt::Display>(
        &mut self,
        pointer: impl Into<String>,
        code: &'static str,
        parsed: Result<T, E>,
    ) -> Option<T> {
        parsed.map_err(|error| self.add(pointer, code, error.to_string())).ok()
    }

    /// Like [`FieldErrors::keep`], for a list whose parser tells which entry is wrong.
    pub fn keep_list<T, E: std::fmt::Display>(
        &mut self,
        pointer: &str,
        code: &'static str,
        parsed: Result<T, (usize, E)>,
    ) -> Option<T> {
        parsed.map_err(|(index, error)| self.add(format!("{pointer}/{index}"), code, error.to_string())).ok()
    }

    /// Notes a list that is too long.
    pub fn at_most(&mut self, most: usize, pointer: &str, entries: usize) -> Option<()> {
        if entries <= most {
            return Some(());
        }
        self.add(pointer, "too_many", format!("at most {most} entries"));
        None
    }

    /// `Ok` while nothing was noted.
    pub fn finish(self) -> Result<(), Rejection> {
        if self.0.is_empty() { Ok(()) } else { Err(Rejection::Invalid(self.0)) }
    }
}

/// Why a change does not happen although storage works: the caller's to mend, never an outage.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// The input breaks rules; each is named.
    #[error("the request body is not acceptable")]
    Invalid(Vec<FieldError>),
    /// The caller may not do this; the permission that would allow it is named.
    #[error("{message}")]
    Forbidden {
        /// The permission that the caller lacks.
        permission: String,
        /// What was attempted and what would allow it.
        message: String,
    },
    /// The caller may do such things, but not this one: that is for whoever holds the permission.
    #[error("{message}")]
    Withheld {
        /// Stable code.
        code: &'static str,
        /// The permission that would allow it.
        permission: &'static str,
        /// What is in the way, and the next step.
        message: String,
    },
    /// The thing is in a state in which this cannot happen.
    #[error("{message}")]
    Conflict {
        /// Stable code.
        code: &'static str,
        /// What is in the way, and the next step.
        message: String,
    },
}

impl Rejection {
    /// A single wrong member.
    pub fn field(pointer: impl Into<String>, code: &'static str, message: impl Into<String>) -> Self {
        Self::Invalid(vec![FieldError { pointer: pointer.into(), code, message: message.into() }])
    }

    pub(crate) fn conflict(code: &'static str, message: impl Into<String>) -> Self {
        Self::Conflict { code, message: message.into() }
    }
}

/// Tells `null` from absent in a PATCH body: absent leaves the value, `null` clears it.
///
/// For `#[serde(default, deserialize_with = "present")]` on an `Option<Option<T>>`.
pub fn present<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<T>>, D::Error> {
    Option::<T>::deserialize(deserializer).map(Some)
}
