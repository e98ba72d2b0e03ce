//! A crowd for a server: `soak ADDRESS SECONDS CONNECTIONS SEED`. Prints what happened as one JSON object.
//!
//! Holds who comes and what they do; `cargo xtask soak` starts the server, looks at its memory meanwhile, and judges.
//! Only loopback addresses: a crowd is an attack on whoever does not expect it. Read in this order: [`crowd`],
//! [`peer`], [`words`].

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "its report is what it prints")]
#![allow(clippy::disallowed_methods, reason = "it lives on a real clock, beside a real server")]

mod crowd;
mod dice;
mod order;
mod peer;
mod tally;
mod words;

use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let Some(plan) = Plan::read(&words) else {
        eprintln!("usage: soak ADDRESS SECONDS CONNECTIONS SEED; the address must be of this machine");
        return ExitCode::from(2);
    };
    match crowd::run(&plan) {
        Ok(tally) => {
            println!("{}", tally.report());
            ExitCode::SUCCESS
        }
        Err(e) => {
            eprintln!("soak: {e}");
            ExitCode::FAILURE
        }
    }
}

/// How many, for how long, where.
struct Plan {
    address: SocketAddr,
    time: Duration,
    connections: usize,
    seed: u64,
}

impl Plan {
    fn read(words: &[String]) -> Option<Self> {
        let [address, seconds, connections, seed] = words else { return None };
        let address: SocketAddr = address.parse().ok().filter(|a: &SocketAddr| a.ip().is_loopback())?;
        Some(Self {
            address,
            time: Duration::from_secs(seconds.parse().ok()?),
            connections: connections.parse().ok()?,
            seed: seed.parse().ok()?,
        })
    }
}
