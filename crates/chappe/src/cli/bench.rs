//! The arguments of `chappe bench`. The defaults are workloads that a laptop finishes in seconds.

use super::{Reach, Secret};
use clap::{Args, Subcommand, ValueEnum};
use std::net::SocketAddr;

/// Rooms have names of six digits, so that all frames of a run are equally long.
const ROOMS_MAX: i64 = 999_999;

/// What people may want to see at the end of `chappe bench --help`.
pub(super) const EXAMPLES: &str = "\
Examples:
  chappe bench fan --pid $(pidof chappe)               CPU and memory of a server that runs, too
  chappe bench fan --members 100 --rate 50             latency at 50 messages a second
  chappe bench idle --members 10000                    connecting, and what a member costs
  chappe bench idle --url wss://127.0.0.1:6889 --ca ca.pem    the same over TLS
  chappe bench fan --as device --burst 32              members that are devices over TCP
  chappe bench idle --as socketio-polling              clients of Socket.IO that poll
  chappe bench fan --in-process --burst 32             without a server and without the kernel

Ends with 1 when a message was lost, came twice or out of order, or a member was thrown out.";

#[derive(Debug, Subcommand)]
pub(crate) enum Bench {
    /// One publisher, one room, many members
    Fan(Fan),
    /// One publisher, many rooms with a few members each
    Rooms(Rooms),
    /// Pairs that answer each other, each in a room of its own
    Pairs(Pairs),
    /// Many connections that come, subscribe, and are silent
    Idle(Idle),
    /// Whether publishing to one room costs the same however many sessions there are (in process)
    Roster(Roster),
}

#[derive(Debug, Args)]
pub(crate) struct Fan {
    /// Members of the room
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) members: u32,

    #[command(flatten)]
    pub(crate) manner: Manner,
    #[command(flatten)]
    pub(crate) pace: Pace,
    #[command(flatten)]
    pub(crate) load: Load,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Debug, Args)]
pub(crate) struct Rooms {
    /// Rooms, published to in turn
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=ROOMS_MAX))]
    pub(crate) rooms: u32,

    /// Members of each room
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) members: u32,

    #[command(flatten)]
    pub(crate) manner: Manner,
    #[command(flatten)]
    pub(crate) pace: Pace,
    #[command(flatten)]
    pub(crate) load: Load,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Debug, Args)]
pub(crate) struct Pairs {
    /// Pairs, each in a room of its own; each has one message on its way
    #[arg(long, value_name = "N", default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..=ROOMS_MAX))]
    pub(crate) rooms: u32,

    #[command(flatten)]
    pub(crate) load: Load,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Debug, Args)]
pub(crate) struct Idle {
    /// Connections in all
    #[arg(long, value_name = "N", default_value_t = 5000, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) members: u32,

    /// Rooms over which they are spread
    #[arg(long, value_name = "N", default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..=ROOMS_MAX))]
    pub(crate) rooms: u32,

    #[command(flatten)]
    pub(crate) manner: Manner,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Debug, Args)]
pub(crate) struct Roster {
    /// Sessions of the large world; each is in one room
    #[arg(long, value_name = "N", default_value_t = 1_000_000, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    pub(crate) sessions: u32,

    /// Sessions of the small world, to compare with
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    pub(crate) against: u32,

    /// Members of each room, in both worlds
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) members: u32,

    /// Times that both worlds are measured, one after the other
    #[arg(long, value_name = "N", default_value_t = 2000, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) rounds: u32,

    /// Messages of each round, all to one room. Few, so that most rounds are over before the system lets
    /// somebody else have the core
    #[arg(long, value_name = "N", default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) publishes: u32,

    /// Print one JSON object instead of a table
    #[arg(long)]
    pub(crate) json: bool,
}

/// What members speak. Publishers speak rooms, whatever members speak.
#[derive(Clone, Debug, Args)]
pub(crate) struct Manner {
    /// What members speak
    #[arg(long = "as", value_name = "WHAT", value_enum, default_value_t = Tongue::Rooms, conflicts_with = "in_process")]
    pub(crate) tongue: Tongue,

    /// Where the server has its devices, for `--as device`
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:3033")]
    pub(crate) devices: SocketAddr,

    /// The secret of Watchtower, for `--as stream`
    #[arg(long, value_name = "SECRET", default_value = "watchtowers_are_awesome", hide_default_value = true)]
    pub(crate) secret: Secret,
}

/// What members speak.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum Tongue {
    /// WebSockets of the rooms dialect
    Rooms,
    /// HTTP streams of Watchtower
    Stream,
    /// Devices of Watchtower over TCP
    Device,
    /// Clients of Socket.IO with the broker's events, over WebSocket
    #[value(name = "socketio")]
    SocketIo,
    /// The same by polls, one after the other on one connection
    #[value(name = "socketio-polling")]
    SocketIoPolling,
}

/// How one publisher goes about it.
#[derive(Clone, Debug, Args)]
pub(crate) struct Pace {
    /// Messages written at once, at least
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) burst: u32,

    /// Messages that some of their members have not heard, above which the publisher waits
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) window: u32,

    /// Publish so many messages a second, whatever becomes of them, instead of waiting for the window; latency
    /// then counts from the moment a message was due
    #[arg(long, value_name = "PER_SECOND", conflicts_with_all = ["window", "in_process"], value_parser = super::positive)]
    pub(crate) rate: Option<f64>,
}

/// What is published, and for how long.
#[derive(Clone, Debug, Args)]
pub(crate) struct Load {
    /// Bytes of each payload
    #[arg(long, value_name = "BYTES", default_value_t = 128, value_parser = clap::value_parser!(u32).range(32..=65_536))]
    pub(crate) size: u32,

    /// Seconds that are measured
    #[arg(long, value_name = "SECONDS", default_value_t = 5.0, value_parser = super::positive)]
    pub(crate) seconds: f64,

    /// Seconds before that, which are not
    #[arg(long, value_name = "SECONDS", default_value_t = 1.0, value_parser = super::positive)]
    pub(crate) warm: f64,
}

/// Where the server is, and what is printed.
#[derive(Clone, Debug, Args)]
pub(crate) struct Place {
    /// Print one JSON object instead of a table
    #[arg(long)]
    pub(crate) json: bool,

    /// No sockets: run the server's shards in this process, over a network that discards what is written
    #[arg(long, conflicts_with_all = ["url", "token", "ca", "pid", "insecure_tls"], help_heading = IN_PROCESS)]
    pub(crate) in_process: bool,

    /// Shards of the server in this process
    #[arg(long, value_name = "N", default_value_t = 1, requires = "in_process", help_heading = IN_PROCESS, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub(crate) shards: u16,

    /// Publish from so many threads of an embedding program, instead of from a connection
    #[arg(long, value_name = "N", default_value_t = 0, requires = "in_process", help_heading = IN_PROCESS, value_parser = clap::value_parser!(u16).range(0..=256))]
    pub(crate) threads: u16,

    #[command(flatten)]
    pub(crate) reach: Reach,

    /// The server's process, for its CPU and memory
    #[arg(long, value_name = "PID")]
    pub(crate) pid: Option<u32>,

    /// Over https, take any certificate: only the cost is measured
    #[arg(long, conflicts_with = "ca")]
    pub(crate) insecure_tls: bool,
}

const IN_PROCESS: &str = "Without a server";

#[cfg(test)]
mod tests {
    use crate::cli::{Bench, Cli, Command, Tongue};
    use clap::Parser;
    use clap::error::ErrorKind;

    fn read(words: &str) -> Result<Bench, ErrorKind> {
        let cli = Cli::try_parse_from(format!("chappe bench {words}").split_whitespace());
        match cli.map(|c| c.command) {
            Ok(Command::Bench(bench)) => Ok(bench),
            Ok(_) => Err(ErrorKind::InvalidSubcommand),
            Err(e) => Err(e.kind()),
        }
    }

    #[test]
    fn defaults() {
        let Ok(Bench::Fan(fan)) = read("fan") else { panic!("fan needs no arguments") };
        assert_eq!((fan.members, fan.load.size, fan.pace.window, fan.pace.burst), (1000, 128, 64, 1));
        assert_eq!(fan.place.reach.url, None);
        assert!(matches!(read("rooms --rooms 5"), Ok(Bench::Rooms(r)) if (r.rooms, r.members) == (5, 10)));
        let Ok(Bench::Idle(idle)) = read("idle --as socketio-polling") else { panic!("idle by polls") };
        assert_eq!(idle.manner.tongue, Tongue::SocketIoPolling);
        assert!(
            matches!(read("fan --as socketio"), Ok(Bench::Fan(f)) if f.manner.tongue == Tongue::SocketIo)
        );
        assert!(matches!(read("roster"), Ok(Bench::Roster(r)) if r.sessions == 1_000_000));
    }

    #[test]
    fn what_makes_no_sense_together() {
        for words in [
            "fan --in-process --url ws://127.0.0.1:1/",
            "fan --in-process --pid 1",
            "fan --in-process --insecure-tls",
            "fan --ca a --insecure-tls",
            "fan --in-process --rate 5",
            "fan --rate 5 --window 3",
            "fan --in-process --as device",
        ] {
            assert_eq!(read(words).err(), Some(ErrorKind::ArgumentConflict), "{words}");
        }
        assert_eq!(read("fan --shards 2").err(), Some(ErrorKind::MissingRequiredArgument));
        for words in ["fan --members 0", "rooms --rooms 1000000", "fan --size 31", "fan --seconds 0"] {
            assert_eq!(read(words).err(), Some(ErrorKind::ValueValidation), "{words}");
        }
    }

    #[test]
    fn in_process() {
        let Ok(Bench::Pairs(pairs)) = read("pairs --in-process --shards 3 --json") else { panic!("pairs") };
        assert!(pairs.place.in_process && pairs.place.json);
        assert_eq!(pairs.place.shards, 3);
    }
}
