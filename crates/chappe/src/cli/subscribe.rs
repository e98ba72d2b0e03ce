//! The arguments of `chappe sub`.

use super::Reach;
use clap::{Args, ValueEnum};

/// What people may want to see at the end of `chappe sub --help`.
const EXAMPLES: &str = "\
Examples:
  chappe sub chat                        listen until Ctrl-C
  chappe sub chat news                   to two channels at once
  chappe sub chat --count 1              wait for one message
  chappe sub chat | jq .payload          NDJSON, since it is a pipe
  chappe sub news --since 7-41           what came after a position, then what comes

A line of `pretty` is: time of day (UTC), channel, <publisher>, [event], payload. A line of `ndjson`
is an object as the server sends it, or {\"missed\":n} where messages are missing.
Ends with 130 after Ctrl-C, as programs do that a signal ends; with 0 after --count messages,
and when nobody reads its output any more.";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Subscribe {
    /// The channels' names
    #[arg(value_name = "CHANNEL", required = true)]
    pub(crate) channels: Vec<String>,

    /// How to print messages; auto: pretty in a terminal, NDJSON elsewhere
    #[arg(long, short, value_enum, value_name = "FORMAT", default_value_t = Format::Auto)]
    pub(crate) format: Format,

    /// End after so many messages
    #[arg(long, short = 'n', value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) count: Option<u64>,

    /// Begin after this position of a channel that keeps a window
    #[arg(long, value_name = "POSITION")]
    pub(crate) since: Option<String>,

    /// End when the connection is lost, with 1, instead of coming back
    #[arg(long)]
    pub(crate) no_reconnect: bool,

    /// Take the connection for lost after so long without a sign of life, of which the server gives one every
    /// 20 seconds unless it is configured otherwise; 0: never
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    pub(crate) silence: u64,

    #[command(flatten)]
    pub(crate) reach: Reach,
}

/// How messages are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    // Comments of documentation would be printed by the help, which is to stay short.
    Auto,
    Pretty,
    Ndjson,
}
