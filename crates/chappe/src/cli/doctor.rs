//! The arguments of `chappe doctor`.

use clap::Args;
use std::path::PathBuf;

#[derive(Debug, Args)]
pub(crate) struct Doctor {
    /// The configuration to look at, as `chappe serve` would
    #[arg(long, short, value_name = "FILE", env = "CHAPPE_CONFIG")]
    pub(crate) config: Option<PathBuf>,

    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}
