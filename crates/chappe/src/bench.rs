//! `chappe bench`: loads a server and says what a delivered message costs it; good enough to see a regression.
//!
//! * [`sockets`]: a run against a server that runs, with all that the kernel adds. [`crowd`] has the clients.
//! * [`in_process`]: the server's shards in this process, over the network of [`void`], which discards what is
//!   written: the server's own cost.
//! * [`roster`]: whether a publish costs the same in a world of a million sessions as in one of a thousand.

mod client;
mod crowd;
mod histogram;
mod in_process;
mod process;
mod progress;
mod report;
mod roster;
mod sealing;
mod sequence;
mod sockets;
mod speech;
mod stage;
mod stamp;
mod target;
mod timing;
mod void;
mod wire;
mod work;
mod world;

use crate::cli::{Bench, Manner, Place};
use crate::ending::Trouble;
use histogram::Histogram;
use report::{Report, Value};
use std::io::Write;
use std::process::ExitCode;
use target::Target;
use work::{Kind, Work};

/// Measures. 0: nothing was lost; 1: something was, or it could not be measured.
pub(crate) fn bench(what: &Bench) -> ExitCode {
    let (outcome, json) = match what {
        Bench::Fan(o) => {
            let work = Work::published(Kind::Fan, (1, o.members), &o.load, &o.pace);
            (measure(&work.heard_by(o.manner.tongue), &o.place, Some(&o.manner)), o.place.json)
        }
        Bench::Rooms(o) => {
            let work = Work::published(Kind::Rooms, (o.rooms, o.members), &o.load, &o.pace);
            (measure(&work.heard_by(o.manner.tongue), &o.place, Some(&o.manner)), o.place.json)
        }
        Bench::Pairs(o) => (measure(&Work::pairs(o.rooms, &o.load), &o.place, None), o.place.json),
        Bench::Idle(o) => {
            let work = Work::idle(o.members, o.rooms).heard_by(o.manner.tongue);
            (measure(&work, &o.place, Some(&o.manner)), o.place.json)
        }
        Bench::Roster(o) => (roster::run(o).map_err(Trouble::failed), o.json),
    };
    match outcome {
        Ok(report) => {
            let text = if json { report.json() } else { report.table() };
            // Nobody may be reading; the exit code says it all the same.
            drop(std::io::stdout().write_all(text.as_bytes()));
            ExitCode::from(u8::from(report.failed))
        }
        Err(trouble) => trouble.end(),
    }
}

fn measure(work: &Work, place: &Place, manner: Option<&Manner>) -> Result<Report, Trouble> {
    if place.in_process {
        return in_process::run(work, place.shards, place.threads).map_err(Trouble::failed);
    }
    let target = Target::of(place, manner)?;
    if let Some(pid) = place.pid
        && process::cpu(pid, "").is_none()
    {
        let words = format!("--pid {pid}: there is no such process, or this system has no /proc");
        return Err(Trouble::usage(words));
    }
    // Where the limit cannot be raised, connecting says so.
    drop(rlimit::increase_nofile_limit(u64::MAX));
    sockets::run(work, target, place.pid).map_err(Trouble::failed)
}

/// Adds the latencies of a run.
fn report_latency(report: &mut Report, latency: &Histogram) {
    for (key, words, share) in [
        ("latency_p50_us", "latency µs, p50", 0.5),
        ("latency_p99_us", "latency µs, p99", 0.99),
        ("latency_p999_us", "latency µs, p99.9", 0.999),
    ] {
        let value = match latency.quantile(share) {
            Some(nanos) => Value::Number(nanos as f64 / 1e3, 1),
            None => Value::Unknown("nothing was delivered"),
        };
        report.add(key, words, value);
    }
}
