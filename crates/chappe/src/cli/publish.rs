//! The arguments of `chappe pub`.

use super::Reach;
use clap::Args;

/// What people may want to see at the end of `chappe pub --help`.
const EXAMPLES: &str = "\
Examples:
  chappe pub chat hello                            the text hello
  chappe pub chat '{\"a\":1}' --event tick           JSON, as the event tick
  tail -f app.log | chappe pub logs --quiet        each line when it is written
  chappe pub files --whole --bytes < picture.png   a file as one message
  chappe pub chat hi --repeat 100 --rate 10        ten a second, for ten seconds";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Publish {
    /// The channel's name
    #[arg(value_name = "CHANNEL")]
    pub(crate) channel: String,

    /// What to publish; `-`, or nothing in a pipe: each line of standard input, when it comes
    #[arg(value_name = "PAYLOAD", allow_negative_numbers = true)]
    pub(crate) payload: Option<String>,

    /// Name the event
    #[arg(long, short, value_name = "NAME")]
    pub(crate) event: Option<String>,

    /// Publish each message so many times
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) repeat: u64,

    /// Publish so many messages a second, at most [default: as fast as the server answers]
    #[arg(long, value_name = "PER_SECOND", value_parser = super::positive)]
    pub(crate) rate: Option<f64>,

    /// Take all of standard input for one message, line breaks and all
    #[arg(long, conflicts_with = "payload")]
    pub(crate) whole: bool,

    /// Say nothing of what was published
    #[arg(long, short)]
    pub(crate) quiet: bool,

    #[command(flatten)]
    pub(crate) sort: Sort,
    #[command(flatten)]
    pub(crate) reach: Reach,
}

/// What a payload is; the server finds out when nobody says so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Args)]
#[group(multiple = false)]
pub(crate) struct Sort {
    /// The payload is JSON, or it is refused [default: JSON if it parses, else text, else bytes]
    #[arg(long)]
    pub(crate) json: bool,

    /// The payload is text, even if it looks like JSON
    #[arg(long)]
    pub(crate) text: bool,

    /// The payload is bytes
    #[arg(long)]
    pub(crate) bytes: bool,
}
