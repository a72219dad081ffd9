//! Why a command could not do what it was asked, as the person at the terminal reads it.

use std::{error::Error, fmt};

/// What went wrong, on one line, and where there is more to say (field errors, the next step) on lines below it.
#[derive(Debug)]
pub(crate) struct Failure(String);

impl Failure {
    pub(crate) fn new(line: impl Into<String>) -> Self {
        Self(line.into())
    }

    /// What was attempted, and everything that the error knows about why not.
    pub(crate) fn because(attempt: impl fmt::Display, cause: &dyn Error) -> Self {
        Self(format!("{attempt}: {}", chain(cause)))
    }

    pub(crate) fn and(self, line: impl fmt::Display) -> Self {
        Self(format!("{}\n  {line}", self.0))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whatever `?` meets.
impl<E: Error> From<E> for Failure {
    fn from(error: E) -> Self {
        Self(chain(&error))
    }
}

/// An error and its causes on one line. Some libraries repeat the cause in their own text; it is said once.
fn chain(error: &dyn Error) -> String {
    let mut said = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        if !said.contains(&text) {
            said = format!("{said}: {text}");
        }
        cause = error.source();
    }
    said.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{0}")]
    struct Layer(&'static str, #[source] Option<Box<Layer>>);

    #[test]
    fn a_chain_of_causes_is_one_line_without_repetition() {
        let layer = |text, below| Layer(text, below);
        let error =
            layer("storage: disk\n full", Some(Box::new(layer("disk\n full", Some(Box::new(layer("os", None)))))));
        assert_eq!(chain(&error), "storage: disk full: os");
    }
}
