//! The arguments of `chappe config`.

use clap::{Args, Subcommand};
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub(crate) enum Config {
    /// Say everything that is wrong with a configuration, or what it opens to whom
    Check(Check),
    /// Print the configuration that takes effect, with where each value comes from
    Print(Written),
    /// Print every key as its environment variable, with its value
    Env(Written),
    /// Print the reference of all keys, as Markdown
    Doc,
}

/// A configuration, as it is written.
#[derive(Debug, Args)]
pub(crate) struct Written {
    /// A TOML file; variables `CHAPPE__SECTION__KEY` are laid over it. Without it: the variables alone
    #[arg(value_name = "FILE", env = "CHAPPE_CONFIG")]
    pub(crate) file: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Check {
    #[command(flatten)]
    pub(crate) written: Written,

    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}
