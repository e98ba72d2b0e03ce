//! The command line, as people type it.

mod bench;

pub(crate) use bench::{Bench, Load, Pace, Place, Roster};

use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;

/// One realtime server in which every client meets, whatever it speaks.
#[derive(Debug, Parser)]
#[command(version, arg_required_else_help = true, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the server
    Serve(Serve),
    /// Measure a server that runs, or the server's own cost without a network
    #[command(subcommand)]
    Bench(Bench),
}

#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// Read this TOML file; `CHAPPE__SECTION__KEY` variables and flags are laid over it
    #[arg(long, short, value_name = "FILE", env = "CHAPPE_CONFIG")]
    pub(crate) config: Option<PathBuf>,

    /// Listen here instead of 127.0.0.1:6889 and [::1]:6889; may be repeated
    #[arg(long, short, value_name = "ADDRESS:PORT")]
    pub(crate) listen: Vec<String>,

    /// Threads that serve [default: one for each core]
    #[arg(long, value_name = "N")]
    pub(crate) shards: Option<u16>,

    /// Let anybody in who reaches a listener beyond this machine
    #[arg(long)]
    pub(crate) insecure: bool,

    /// What to log, as `info` or `carrier=debug`
    #[arg(long, value_name = "FILTER", default_value = "info", env = "CHAPPE_LOG")]
    pub(crate) log: String,
}
