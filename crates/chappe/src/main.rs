//! The program `chappe`. Reads the command line and hands on; does nothing itself.

mod bench;
mod cli;
mod serve;

use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    match cli::Cli::parse().command {
        cli::Command::Serve(options) => serve::serve(options),
        cli::Command::Bench(what) => bench::bench(&what),
    }
}
