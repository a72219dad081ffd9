//! Whether somebody means what cannot be undone: asked on a terminal, said by `--yes` everywhere else.
//!
//! Every command that deletes asks, and so does what ends others' tokens besides. A revocation names one credential and may
//! have to be quick, and one of many names their count (`inventory.rs`): these ask nothing.

use clap::Args;

use crate::{failure::Failure, output};

/// That it is meant.
#[derive(Debug, Args)]
pub(crate) struct Consent {
    /// Do it without asking; needed where there is no terminal to ask on
    #[arg(short, long)]
    yes: bool,
}

impl Consent {
    /// Refuses where nobody said that it is meant and nobody can be asked. Before anything is looked up.
    pub(crate) fn must_be_possible(&self, deed: &str) -> Result<(), Failure> {
        if self.yes || output::can_ask() {
            return Ok(());
        }
        let deed = output::printable(deed);
        let line = format!("there is no terminal to ask on whether to {deed} for good; add --yes if that is meant");
        Err(Failure::usage(line))
    }

    /// Goes on only with what is meant. What would be lost is looked up only for somebody who reads it.
    pub(crate) fn must_be_given(
        &self,
        deed: &str,
        lost: impl FnOnce() -> Result<String, Failure>,
    ) -> Result<(), Failure> {
        self.must_be_possible(deed)?;
        if self.yes {
            return Ok(());
        }
        output::note(&lost()?);
        if output::agreed(&format!("Really {deed}, for good?"))? {
            return Ok(());
        }
        Err(Failure::new("nothing was done"))
    }
}
