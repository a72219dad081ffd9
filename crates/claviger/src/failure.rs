//! Why a command could not do what it was asked, as the person at the terminal reads it.

use std::{error::Error, fmt, process::ExitCode};

/// What went wrong, on one line, and where there is more to say (field errors, the next step) on lines below it.
#[derive(Debug)]
pub(crate) struct Failure {
    said: String,
    next: Option<&'static str>,
    exit: u8,
    /// What the service calls it, where it refused.
    codes: Vec<String>,
}

impl Failure {
    /// Refused or failed.
    pub(crate) fn new(line: impl Into<String>) -> Self {
        Self { said: line.into(), next: None, exit: 1, codes: Vec::new() }
    }

    /// Asked in a way that makes no sense, which only the whole command line shows.
    pub(crate) fn usage(line: impl Into<String>) -> Self {
        Self { said: line.into(), next: None, exit: 2, codes: Vec::new() }
    }

    /// What was attempted, and everything that the error knows about why not.
    pub(crate) fn because(attempt: impl fmt::Display, cause: &dyn Error) -> Self {
        Self::new(format!("{attempt}: {}", chain(cause)))
    }

    /// The next step, on the same line.
    pub(crate) fn so(self, next: &'static str) -> Self {
        Self { next: Some(next), ..self }
    }

    /// What went wrong, and the next step by itself, if there is one.
    pub(crate) fn parts(&self) -> (&str, Option<&'static str>) {
        (&self.said, self.next)
    }

    pub(crate) fn and(self, line: impl fmt::Display) -> Self {
        Self { said: format!("{}\n  {line}", self.said), ..self }
    }

    /// The same of what the service calls so.
    pub(crate) fn called(self, codes: Vec<String>) -> Self {
        Self { codes, ..self }
    }

    /// Whether the service refused for this.
    pub(crate) fn is(&self, code: &str) -> bool {
        self.codes.iter().any(|one| one == code)
    }

    pub(crate) fn exit(&self) -> ExitCode {
        ExitCode::from(self.exit)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.said)?;
        self.next.map_or(Ok(()), |next| write!(f, "; {next}"))
    }
}

/// Whatever `?` meets.
impl<E: Error> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::new(chain(&error))
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
