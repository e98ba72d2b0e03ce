//! `chappe completions`: what a shell needs to complete the command line.

use crate::cli::Cli;
use crate::ending::Stop;
use clap::CommandFactory;
use clap_complete::Shell;
use std::io::Write;

/// Prints the script.
pub(crate) fn completions(shell: Shell) -> Result<(), Stop> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "chappe", &mut script);
    Ok(std::io::stdout().write_all(&script)?)
}
