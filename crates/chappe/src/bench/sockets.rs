//! A run over sockets against a server that runs: joining, publishing, counting.
//!
//! One thread does it all, so it is often the limit itself; the report says when.

use super::crowd::Crowd;
use super::histogram::Histogram;
use super::process;
use super::progress::Progress;
use super::report::{Report, Value};
use super::stamp::{self, Stamp};
use super::target::Target;
use super::timing::nanos_of;
use super::work::{Kind, Work};
use super::{report_latency, speech};
use std::time::Duration;

/// The longest wait for events: phases end in time even when nothing happens.
const WAIT: u64 = 50_000_000;
/// Less than this cannot be waited for, only looked for.
const SHORTEST: u64 = 1_000_000;
/// Bytes of a write after which an open loop that is late writes on in the next turn.
const WRITE: usize = 64 << 10;
/// Nanoseconds without a delivery after which the rest counts as lost.
const PATIENCE: u64 = 2_000_000_000;
/// The share of a core above which the generator is the limit.
const BUSY: f64 = 0.9;

/// Counts at a moment.
#[derive(Clone, Copy, Debug, Default)]
struct Snapshot {
    at: u64,
    delivered: u64,
    published: u64,
    server_cpu: Option<u64>,
    own_cpu: Option<u64>,
    spun: u64,
}

struct Run<'a> {
    work: &'a Work,
    pid: Option<u32>,
    crowd: Crowd,
    /// What messages to each room begin with.
    openings: Vec<Vec<u8>>,
    /// Messages published to each room.
    sent: Vec<u64>,
    published: u64,
    /// Deliveries that are owed to the members.
    owed: u64,
    /// When the first message of an open loop was due.
    began: u64,
    next_room: u32,
    out: Vec<u8>,
}

/// Runs the workload.
pub(super) fn run(work: &Work, target: Target, pid: Option<u32>) -> Result<Report, String> {
    let resident_before = pid.and_then(process::resident);
    let crowd = Crowd::new(target, work.tongue, work.rooms)?;
    let mut run = Run {
        work,
        pid,
        openings: (0..work.rooms).map(|room| crowd.school.opening(room)).collect(),
        crowd,
        sent: vec![0; work.rooms as usize],
        published: 0,
        owed: 0,
        began: 0,
        next_room: 0,
        out: Vec::new(),
    };
    let before = run.snapshot();
    let publishers = usize::from(matches!(work.kind, Kind::Fan | Kind::Rooms));
    let members = work.sessions as usize;
    run.crowd.join((0..members + publishers).map(|place| {
        let member = u32::try_from(place).ok().filter(|_| place < members);
        member.map(|m| work.room_of(m))
    }))?;
    let joined = run.snapshot();
    let bytes = pid.and_then(process::resident).zip(resident_before).map(|(a, b)| a as f64 - b as f64);
    let mut report = Report::default();
    report.add("workload", "workload", Value::Words(work.kind.name()));
    report.add("sessions", "sessions", u64::from(work.sessions));
    report.add("rooms", "rooms", u64::from(work.rooms));
    if work.kind == Kind::Idle {
        run.report_joining(before, joined, &mut report);
    } else {
        run.go(&mut report)?;
    }
    report.add_share(
        ("bytes_per_session", "server bytes per session"),
        bytes,
        u64::from(work.sessions),
        NO_PID,
    );
    if let Some(complaint) = &run.crowd.ear.complaint {
        report.remark(format!("The server said: {complaint}"));
    }
    Ok(report)
}

const NO_PID: &str = "give --pid";

impl Run<'_> {
    fn snapshot(&self) -> Snapshot {
        Snapshot {
            at: self.crowd.now(),
            delivered: self.crowd.ear.delivered,
            published: self.published,
            server_cpu: self.pid.and_then(|pid| process::cpu(pid, "")),
            own_cpu: process::cpu(std::process::id(), ""),
            spun: self.crowd.spun,
        }
    }

    /// Publishes for the time of the run and counts what becomes of it.
    fn go(&mut self, report: &mut Report) -> Result<(), String> {
        let mut progress = Progress::new();
        self.began = self.crowd.now();
        let warm = self.began + nanos_of(self.work.warm);
        let end = warm + nanos_of(self.work.seconds);
        if self.work.kind == Kind::Pairs {
            self.crowd.ear.answers = Some(Vec::new());
            (0..self.work.rooms).for_each(|room| self.say(room, room as usize * 2));
        }
        let mut first = None;
        loop {
            let now = self.crowd.now();
            if now >= warm && first.is_none() {
                first = Some(self.snapshot());
                self.crowd.ear.latency.clear();
            }
            if now >= end {
                break;
            }
            progress.show(now, self.work.kind.name(), now - self.began, end - self.began);
            let due = self.publish(now);
            self.step(due.min(end).saturating_sub(now))?;
        }
        drop(progress);
        let last = self.snapshot();
        let first = first.unwrap_or(last);
        let latency = self.crowd.ear.latency.clone();
        self.settle()?;
        self.report(first, last, &latency, report);
        Ok(())
    }

    /// One turn of the clients, and the answers of pairs.
    fn step(&mut self, wait: u64) -> Result<(), String> {
        // The system counts milliseconds, and would wait too long for what is due before.
        let wait = if wait < SHORTEST { 0 } else { wait.min(WAIT) / SHORTEST };
        self.crowd.turn(Some(Duration::from_millis(wait)))?;
        let Some(mut answers) = self.crowd.ear.answers.take() else { return Ok(()) };
        for (place, number) in answers.drain(..) {
            // The first member of a pair says the even numbers, the second the odd ones.
            if u64::from(place & 1) != number & 1 {
                self.say(place / 2, place as usize);
            }
        }
        self.crowd.ear.answers = Some(answers);
        Ok(())
    }

    /// Publishes one message to the room, from the client of that place.
    fn say(&mut self, room: u32, place: usize) {
        let now = self.crowd.now();
        self.out.clear();
        self.write(room, now);
        let out = std::mem::take(&mut self.out);
        self.crowd.send(place, &out);
        self.out = out;
    }

    /// Appends a message to what is sent next.
    fn write(&mut self, room: u32, at: u64) {
        let (Some(sent), Some(prefix)) = (self.sent.get_mut(room as usize), self.openings.get(room as usize))
        else {
            return;
        };
        let mut text = Vec::with_capacity(prefix.len() + self.work.size + 2);
        stamp::write(&mut text, prefix, Stamp { number: *sent, at }, self.work.size);
        speech::mask(&mut self.out, &text);
        if let Some(under_way) = self.crowd.ear.under_way.get_mut(room as usize) {
            under_way.send(self.work.members);
        }
        *sent += 1;
        self.published += 1;
        self.owed += u64::from(self.work.members);
    }

    /// Publishes what is due, all with one write. Says when there will be more.
    fn publish(&mut self, now: u64) -> u64 {
        let publisher = self.work.sessions as usize;
        if self.work.kind == Kind::Pairs || self.crowd.is_behind(publisher) {
            return u64::MAX;
        }
        self.out.clear();
        let next = loop {
            let at = match self.work.rate {
                Some(rate) => {
                    let due = self.began + nanos_of(self.published as f64 / rate);
                    if due > now || self.out.len() > WRITE {
                        break due;
                    }
                    due
                }
                None => {
                    let under_way = self.published - self.crowd.ear.through;
                    if under_way + u64::from(self.work.burst) > u64::from(self.work.window) {
                        break u64::MAX;
                    }
                    now
                }
            };
            for _ in 0..self.work.burst {
                self.write(self.next_room, at);
                self.next_room = (self.next_room + 1) % self.work.rooms;
            }
        };
        if !self.out.is_empty() {
            let out = std::mem::take(&mut self.out);
            self.crowd.send(publisher, &out);
            self.out = out;
        }
        next
    }

    /// Waits for what is still on its way.
    fn settle(&mut self) -> Result<(), String> {
        self.crowd.ear.answers = None;
        let mut last = (self.crowd.ear.delivered, self.crowd.now());
        while self.crowd.ear.delivered < self.owed && self.crowd.now() - last.1 < PATIENCE {
            self.crowd.turn(Some(Duration::from_nanos(WAIT)))?;
            if self.crowd.ear.delivered > last.0 {
                last = (self.crowd.ear.delivered, self.crowd.now());
            }
        }
        Ok(())
    }

    fn report(&self, first: Snapshot, last: Snapshot, latency: &Histogram, report: &mut Report) {
        let seconds = (last.at - first.at) as f64 / 1e9;
        let delivered = last.delivered - first.delivered;
        report.add("published", "published", last.published - first.published);
        report.add("delivered", "delivered", delivered);
        report.add("delivered_per_second", "delivered/s", Value::Number(delivered as f64 / seconds, 0));
        self.report_losses(report);
        report_latency(report, latency);
        let cpu = micros(last.server_cpu, first.server_cpu);
        let words = ("server_cpu_us", "server CPU µs per delivered message");
        report.add_share(words, cpu, delivered, NO_PID);
        let share = cpu.map(|us| us / 1e6 / seconds);
        report.add_share(("server_cpu_share", "server CPU, cores"), share, 1, NO_PID);
        report_generator(first, last, report);
    }

    fn report_losses(&self, report: &mut Report) {
        let members = self.crowd.clients.iter().filter_map(|c| Some((c.member.room?, c.member.heard)));
        let (mut lost, mut gaps, mut repeats) = (0, 0, 0);
        for (room, heard) in members {
            lost += heard.lost(self.sent.get(room as usize).copied().unwrap_or(0));
            gaps += heard.gaps;
            repeats += heard.repeats;
        }
        report.add("lost", "lost", lost);
        report.add("gaps", "gaps", gaps);
        report.add("repeats", "repeats", repeats);
        report.add("closed", "closed by the server", self.crowd.closed);
        report.failed = lost + gaps + repeats + self.crowd.closed > 0;
    }

    fn report_joining(&self, before: Snapshot, joined: Snapshot, report: &mut Report) {
        let seconds = (joined.at - before.at) as f64 / 1e9;
        let sessions = u64::from(self.work.sessions);
        report.add("joined_per_second", "joined/s", Value::Number(sessions as f64 / seconds, 0));
        let words = ("server_cpu_us_per_session", "server CPU µs per connect and join");
        report.add_share(words, micros(joined.server_cpu, before.server_cpu), sessions, NO_PID);
        report_generator(before, joined, report);
    }
}

/// What the generator itself used, and whether that was all it could.
fn report_generator(first: Snapshot, last: Snapshot, report: &mut Report) {
    let seconds = (last.at - first.at) as f64 / 1e9;
    let spun = (last.spun - first.spun) as f64 / 1e3;
    let own = micros(last.own_cpu, first.own_cpu).map(|us| (us - spun) / 1e6 / seconds);
    report.add_share(("generator_cpu_share", "generator CPU, cores"), own, 1, "the system does not say");
    if own.is_some_and(|own| own > BUSY) {
        report.remark(
            "The generator was the limit: its one thread was busy all the time, so the server may be faster. \
             The server's CPU is right all the same.",
        );
    }
}

fn micros(later: Option<u64>, earlier: Option<u64>) -> Option<f64> {
    later.zip(earlier).map(|(later, earlier)| later.saturating_sub(earlier) as f64 / 1e3)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Load, Pace, Tongue};
    use server::config::{Config, Listener};
    use server::{Running, Settings};

    const LOAD: Load = Load { size: 64, seconds: 0.05, warm: 0.01 };

    /// A server at a port that is free.
    fn serve() -> (Running, Target) {
        let config = Config {
            shards: Some(2),
            listener: vec![Listener::at("127.0.0.1:0".into())],
            ..Config::default()
        };
        let settings = Settings::resolve(&config).unwrap();
        let running = server::start(settings).unwrap();
        let target = Target::parse(&format!("ws://{}/", running.address().unwrap())).unwrap();
        (running, target)
    }

    #[test]
    fn nothing_is_lost_in_a_server_that_runs() {
        let (running, target) = serve();
        let pace = Pace { burst: 2, window: 8, rate: None };
        let steady = Pace { burst: 1, window: 8, rate: Some(1000.0) };
        for work in [
            Work::published(Kind::Fan, (1, 5), &LOAD, &pace),
            Work::published(Kind::Rooms, (3, 2), &LOAD, &steady),
            Work::pairs(3, &LOAD),
            Work::idle(200, 10),
            Work::published(Kind::Fan, (1, 5), &LOAD, &pace).heard_by(Tongue::SocketIo),
            Work::published(Kind::Fan, (1, 5), &LOAD, &pace).heard_by(Tongue::SocketIoPolling),
            Work::idle(200, 10).heard_by(Tongue::SocketIo),
            Work::idle(200, 10).heard_by(Tongue::SocketIoPolling),
        ] {
            let report = run(&work, target.clone(), Some(std::process::id())).unwrap();
            assert!(!report.failed, "{work:?}\n{}", report.table());
            if work.kind != Kind::Idle {
                for key in ["lost", "gaps", "repeats", "closed"] {
                    assert_eq!(report.value(key), Some(&Value::Count(0)), "{work:?} {key}");
                }
            }
        }
        running.exchange().drain();
        running.wait().unwrap();
    }

    #[test]
    fn nobody_there() {
        let (running, target) = serve();
        running.exchange().drain();
        running.wait().unwrap();
        let words = run(&Work::idle(1, 1), target, None).unwrap_err();
        assert!(words.contains("start `chappe serve`"), "{words}");
    }
}
