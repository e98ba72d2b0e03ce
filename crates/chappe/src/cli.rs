//! The command line, as people type it.

mod bench;
mod config;
mod doctor;
mod publish;
mod reach;
mod subscribe;

pub(crate) use bench::{Bench, Load, Manner, Pace, Place, Roster, Tongue};
pub(crate) use config::{Config, Written};
pub(crate) use doctor::Doctor;
pub(crate) use publish::{Publish, Sort};
pub(crate) use reach::{Reach, Secret};
pub(crate) use subscribe::{Format, Subscribe};

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use std::net::SocketAddr;
use std::path::PathBuf;

/// What people may want to see at the end of `chappe --help`.
const EXAMPLES: &str = "\
Examples:
  chappe serve                    a server for this machine, without configuration
  chappe sub chat                 listen to a channel
  chappe pub chat hello           publish to it
  chappe bench fan --members 100  what a delivered message costs
  chappe config check FILE        what is wrong with a configuration, or what it opens to whom

Exit codes:
  0    done
  1    it could not be done: no server there, refused, a bench that lost messages, a doctor's BAD
  2    wrong usage or configuration
  130  ended by Ctrl-C (serve: 0)";

/// One realtime server in which every client meets, and the tools to try and to measure it
#[derive(Debug, Parser)]
#[command(version, arg_required_else_help = true, max_term_width = 100, after_help = EXAMPLES)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the server
    Serve(Serve),
    /// Publish to a channel: an argument, or each line of standard input
    Pub(Publish),
    /// Listen to channels
    Sub(Subscribe),
    /// Check a configuration, print it, or say what there is to configure
    #[command(subcommand)]
    Config(Config),
    /// Say whether this machine can do what a configuration promises, and how to mend what it cannot
    Doctor(Doctor),
    /// Measure a server that runs, or the server's own cost without a network
    #[command(subcommand, after_help = bench::EXAMPLES)]
    Bench(Bench),
    /// Say which build this is
    Version {
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Print a script that completes `chappe` in a shell
    ///
    /// bash: chappe completions bash > ~/.local/share/bash-completion/completions/chappe
    /// zsh: chappe completions zsh > a folder of $fpath, as _chappe
    /// fish: chappe completions fish > ~/.config/fish/completions/chappe.fish
    #[command(verbatim_doc_comment)]
    Completions {
        /// The shell it is for
        #[arg(value_enum, value_name = "SHELL")]
        shell: Shell,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// Read this TOML file; `CHAPPE__SECTION__KEY` variables and flags are laid over it
    #[arg(long, short, value_name = "FILE", env = "CHAPPE_CONFIG")]
    pub(crate) config: Option<PathBuf>,

    /// Listen here instead of where the configuration says [default: 127.0.0.1:6889 and [::1]:6889]; may be repeated
    #[arg(long, short, value_name = "ADDRESS:PORT")]
    pub(crate) listen: Vec<String>,

    /// Stand where another server stood: at its port, with its manners
    #[arg(long, value_name = "NAME", conflicts_with = "listen")]
    pub(crate) preset: Option<Preset>,

    /// With a preset: the address to listen at [default: 127.0.0.1; with --insecure 0.0.0.0]
    #[arg(long, value_name = "ADDRESS", requires = "preset")]
    pub(crate) host: Option<std::net::IpAddr>,

    /// With a preset: the port to listen at [default: the other server's]
    #[arg(long, value_name = "PORT", requires = "preset")]
    pub(crate) port: Option<u16>,

    /// Threads that serve [default: one for each core]
    #[arg(long, value_name = "N")]
    pub(crate) shards: Option<u16>,

    /// Let anybody in who reaches a listener beyond this machine
    #[arg(long)]
    pub(crate) insecure: bool,

    /// For conformance tests: serve a WebSocket echo at /echo there, on this machine only, compressing for clients that
    /// offer it
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(crate) echo: Option<SocketAddr>,

    /// What to log, as `info` or `carrier=debug` [default: info]
    #[arg(long, value_name = "FILTER", env = "CHAPPE_LOG")]
    pub(crate) log: Option<String>,

    /// Log lines for people, or JSON [default: text]
    #[arg(long, value_name = "FORMAT", env = "CHAPPE_LOG_FORMAT")]
    pub(crate) log_format: Option<LogFormat>,
}

/// A server that others wrote.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum Preset {
    /// socket.io-humble-broker, port 5000
    HumbleBroker,
    /// Messaging, port 3000, or that of the variable PORT
    Messaging,
}

impl Preset {
    /// Where it listened.
    pub(crate) fn port(self) -> u16 {
        match self {
            Self::HumbleBroker => 5000,
            Self::Messaging => std::env::var("PORT").ok().and_then(|port| port.parse().ok()).unwrap_or(3000),
        }
    }
}

/// How a line of the log looks.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum LogFormat {
    Text,
    Json,
}

/// Reads a number that is more than 0.
fn positive(text: &str) -> Result<f64, String> {
    let number: f64 = text.parse().map_err(|_| format!("`{text}` is no number"))?;
    if number.is_finite() && number > 0.0 { Ok(number) } else { Err("must be more than 0".into()) }
}
