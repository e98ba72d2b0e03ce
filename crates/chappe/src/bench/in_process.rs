//! A run without sockets: shards on threads of their own, and what their CPU comes to for each delivery.

use super::process;
use super::report::{Report, Value};
use super::stage::{Phase, Stage, Sums};
use super::timing::{Stopwatch, nanos_of};
use super::work::{Kind, Work};
use super::world::{Publisher, World};
use node::Counters;
use std::io;
use std::sync::Arc;
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

/// How long what is on its way may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long all members may take to join.
const JOINING: Duration = Duration::from_secs(600);
/// What the threads of shards are called: by this their CPU is told from that of publishers.
const SHARD: &str = "shard-";
const NO_PROC: &str = "the system does not say";

/// Counts at a moment.
struct Snapshot {
    at: u64,
    sums: Sums,
    counters: Counters,
    cpu: Option<u64>,
}

struct Run {
    stage: Arc<Stage>,
    exchange: Arc<node::Exchange>,
    watch: Stopwatch,
    threads: Vec<JoinHandle<io::Result<()>>>,
}

/// Runs the workload on so many shards; `threads` publish instead of a connection, when there are any.
pub(super) fn run(work: &Work, shards: u16, threads: u16) -> Result<Report, String> {
    let resident = process::resident(std::process::id());
    let watch = Stopwatch::start();
    let run = Run::start(work, (shards, threads), u64::MAX)?;
    let joined = watch.nanos();
    let mut report = Report::default();
    report.add("workload", "workload, in process", Value::Words(work.kind.name()));
    report.add("shards", "shards", u64::from(shards));
    report.add("sessions", "sessions", u64::from(work.sessions));
    report.add("rooms", "rooms", u64::from(work.rooms));
    let sessions = u64::from(work.sessions);
    let grown = process::resident(std::process::id()).zip(resident).map(|(a, b)| a as f64 - b as f64);
    if work.kind == Kind::Idle {
        let cpu = run.snapshot().cpu.map(|ns| ns as f64 / 1e3);
        let rate = sessions as f64 / (joined as f64 / 1e9);
        report.add("joined_per_second", "joined/s", Value::Number(rate, 0));
        report.add_share(
            ("server_cpu_us_per_session", "shard CPU µs per connect and join"),
            cpu,
            sessions,
            NO_PROC,
        );
    } else {
        run.stage.begin(Phase::Speaking);
        // Nothing else is to be done here than to let time pass.
        std::thread::sleep(Duration::from_nanos(nanos_of(work.warm)));
        let first = run.snapshot();
        std::thread::sleep(Duration::from_nanos(nanos_of(work.seconds)));
        let last = run.snapshot();
        let sums = run.settle();
        describe(&first, &last, &mut report);
        account(work, sums, &mut report);
    }
    report.add_share(("bytes_per_session", "bytes per session"), grown, sessions, NO_PROC);
    run.end()?;
    Ok(report)
}

impl Run {
    /// Starts the shards, and returns when every member has joined. Publishers stop after `most` messages.
    fn start(work: &Work, (shards, threads): (u16, u16), most: u64) -> Result<Self, String> {
        let mut world = World::build(Stage::new(work.clone(), shards, threads, most), true)?;
        let mut run = Self {
            stage: Arc::clone(&world.stage),
            exchange: Arc::clone(&world.exchange),
            watch: Stopwatch::start(),
            threads: Vec::new(),
        };
        for (number, mut shard) in world.shards.drain(..).enumerate() {
            let stage = Arc::clone(&run.stage);
            run.spawn(format!("{SHARD}{number}"), move || {
                while !stage.is(Phase::Over) {
                    shard.turn()?;
                }
                Ok(())
            })?;
        }
        if !run.stage.wait_until(JOINING, Stage::all_joined) {
            let joined = run.stage.joined();
            run.end()?;
            return Err(format!("only {joined} of {} sessions joined", work.sessions));
        }
        for number in 0..threads {
            let (stage, publisher) = (Arc::clone(&run.stage), Publisher::new(&world));
            run.spawn(format!("publish-{number}"), move || {
                publish(&stage, &publisher, shards + number, number);
                Ok(())
            })?;
        }
        Ok(run)
    }

    fn spawn(
        &mut self,
        name: String,
        body: impl FnOnce() -> io::Result<()> + Send + 'static,
    ) -> Result<(), String> {
        let thread =
            Builder::new().name(name).spawn(body).map_err(|e| format!("no thread can be had: {e}"))?;
        self.threads.push(thread);
        Ok(())
    }

    fn snapshot(&self) -> Snapshot {
        Snapshot {
            at: self.watch.nanos(),
            sums: self.stage.sums(),
            counters: self.exchange.totals.read(),
            cpu: process::cpu(std::process::id(), SHARD),
        }
    }

    /// Lets what is on its way arrive, and says what all came to.
    fn settle(&self) -> Sums {
        self.stage.begin(Phase::Settling);
        self.stage.wait_until(PATIENCE, Stage::all_arrived);
        self.stage.sums()
    }

    fn end(self) -> Result<(), String> {
        self.stage.begin(Phase::Over);
        for thread in self.threads {
            let ended = thread.join().map_err(|_| "a thread panicked".to_owned())?;
            ended.map_err(|e| format!("a shard could not go on: {e}"))?;
        }
        Ok(())
    }
}

/// What a publishing thread does: whole bursts, to its rooms in turn, as long as the window allows.
fn publish(stage: &Stage, publisher: &Publisher, place: u16, number: u16) {
    let rooms: Vec<_> = (0..stage.work.rooms).map(|room| publisher.speech(room)).collect();
    let mut next = rooms.iter().cycle().skip(usize::from(number));
    while !stage.is(Phase::Over) {
        if !stage.may_speak() {
            std::thread::yield_now();
            continue;
        }
        for speech in next.by_ref().take(stage.work.burst as usize) {
            if publisher.publish(speech).is_none() {
                break;
            }
            stage.note_published(place, 1);
        }
        // The last of them may have arrived before it was noted here.
        stage.look();
    }
}

fn describe(first: &Snapshot, last: &Snapshot, report: &mut Report) {
    let seconds = (last.at - first.at) as f64 / 1e9;
    let delivered = last.sums.delivered - first.sums.delivered;
    let published = last.sums.published - first.sums.published;
    let nanos = last.cpu.zip(first.cpu).map(|(last, first)| (last - first) as f64);
    report.add("published", "published", published);
    report.add("delivered", "delivered", delivered);
    report.add("delivered_per_second", "delivered/s", Value::Number(delivered as f64 / seconds, 0));
    let micros = nanos.map(|ns| ns / 1e3);
    report.add_share(("server_cpu_us", "shard CPU µs per delivered message"), micros, delivered, NO_PROC);
    let words = ("server_cpu_us_per_publish", "shard CPU µs per published message");
    report.add_share(words, micros, published, NO_PROC);
    let share = nanos.map(|ns| ns / 1e9 / seconds);
    report.add_share(("server_cpu_share", "shard CPU, cores"), share, 1, NO_PROC);
    let writes = (last.sums.writes - first.sums.writes) as f64;
    report.add_share(("writes_per_delivery", "writes per delivered message"), Some(writes), delivered, "");
    let turns = (last.counters.turns - first.counters.turns) as f64;
    report.add_share(("turns_per_publish", "turns per published message"), Some(turns), published, "");
    report.add("wakes", "wakes of shards", last.counters.wakes - first.counters.wakes);
}

fn account(work: &Work, sums: Sums, report: &mut Report) {
    let owed = sums.published * u64::from(work.members);
    report.add("lost", "lost", owed.saturating_sub(sums.delivered));
    report.add("repeats", "too many", sums.delivered.saturating_sub(owed));
    report.failed = owed != sums.delivered;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Load, Pace};

    const LOAD: Load = Load { size: 64, seconds: 1.0, warm: 1.0 };

    /// Publishes `most` messages and returns what came of them, as the streams and the server count it.
    fn counted(work: &Work, threads: (u16, u16), most: u64) -> (Sums, Counters) {
        let run = Run::start(work, threads, most).unwrap();
        run.stage.begin(Phase::Speaking);
        assert!(run.stage.wait_until(PATIENCE, Stage::all_arrived), "{:?}", run.stage.sums());
        let counted = (run.stage.sums(), run.exchange.totals.read());
        run.end().unwrap();
        counted
    }

    #[test]
    fn every_member_hears_every_message() {
        let pace = Pace { burst: 4, window: 16, rate: None };
        let fan = Work::published(Kind::Fan, (1, 7), &LOAD, &pace);
        let rooms = Work::published(Kind::Rooms, (5, 3), &LOAD, &pace);
        let pairs = Work::pairs(4, &LOAD);
        for (work, members) in [(fan, 7), (rooms, 3), (pairs, 2)] {
            for shards in [1, 2] {
                let (sums, _) = counted(&work, (shards, 0), 103);
                assert_eq!((sums.published, sums.delivered), (103, 103 * members), "{work:?} {shards}");
                assert!(sums.writes <= sums.delivered);
            }
        }
    }

    #[test]
    fn threads_publish_too() {
        let pace = Pace { burst: 1, window: 8, rate: None };
        let (sums, counters) = counted(&Work::published(Kind::Rooms, (5, 3), &LOAD, &pace), (2, 1), 50);
        assert_eq!((sums.published, sums.delivered), (50, 150));
        assert_eq!(counters.published, 0, "no connection publishes besides them");
    }

    #[test]
    fn idle_members_join_and_are_silent() {
        let run = Run::start(&Work::idle(100, 10), (2, 0), 0).unwrap();
        assert_eq!((run.stage.joined(), run.stage.sums()), (100, Sums::default()));
        run.end().unwrap();
    }

    #[test]
    fn losses_fail_the_run() {
        let work = Work::pairs(1, &LOAD);
        for (delivered, failed) in [(20, false), (19, true), (21, true)] {
            let mut report = Report::default();
            account(&work, Sums { published: 10, delivered, writes: 0 }, &mut report);
            assert_eq!(report.failed, failed);
        }
    }
}
