//! The program `chappe`. Reads the command line and hands on; does nothing itself.

mod bench;
mod cli;
mod client;
mod completions;
mod config;
mod doctor;
mod ending;
mod publish;
mod serve;
mod subscribe;
mod terminal;
mod trust;
mod version;

use clap::Parser;
use cli::Command;
use std::process::ExitCode;

fn main() -> ExitCode {
    match cli::Cli::parse().command {
        Command::Serve(options) => serve::serve(options),
        Command::Pub(options) => ending::end(publish::publish(&options)),
        Command::Sub(options) => ending::end(subscribe::subscribe(&options)),
        Command::Config(what) => config::config(&what),
        Command::Doctor(options) => doctor::doctor(&options),
        Command::Bench(what) => bench::bench(&what),
        Command::Version { json } => ending::end(version::version(json)),
        Command::Completions { shell } => ending::end(completions::completions(shell)),
    }
}
