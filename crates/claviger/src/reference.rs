//! `claviger completions` and `claviger man`: the command line tells shells and manuals about itself.

use std::{fs, path::PathBuf, process::ExitCode};

use clap::Args;
use clap_complete::Shell;

use crate::{failure::Failure, output};

/// Print completions for a shell
///
/// For bash: `claviger completions bash > ~/.local/share/bash-completion/completions/claviger`. For zsh, a file
/// `_claviger` in a directory of $fpath; for fish, ~/.config/fish/completions/claviger.fish.
#[derive(Debug, Args)]
pub(crate) struct Completions {
    /// Which shell
    shell: Shell,
}

/// Write manual pages
///
/// Read the top one with `claviger man | man -l -`.
#[derive(Debug, Args)]
pub(crate) struct Man {
    /// Where a page for each command goes, such as ~/.local/share/man/man1 [default: the top one to stdout]
    directory: Option<PathBuf>,
}

pub(crate) fn completions(Completions { shell }: Completions, mut cli: clap::Command) -> Result<ExitCode, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut cli, "claviger", &mut script);
    output::bytes(&script)?;
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn man(Man { directory }: Man, cli: clap::Command) -> Result<ExitCode, Failure> {
    let Some(directory) = directory else {
        let mut page = Vec::new();
        clap_mangen::Man::new(cli).render(&mut page)?;
        output::bytes(&page)?;
        return Ok(ExitCode::SUCCESS);
    };
    let refused = |error| Failure::because(format!("cannot write to {}", directory.display()), &error);
    fs::create_dir_all(&directory).map_err(refused)?;
    clap_mangen::generate_to(cli, &directory).map_err(refused)?;
    output::note(&format!("The pages are in {}; `man -l FILE` shows one.", directory.display()));
    Ok(ExitCode::SUCCESS)
}
