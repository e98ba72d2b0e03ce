//! Whether a publish costs the same however many sessions there are: a large world and a small one, in turn.
//!
//! Each is one shard over the void, driven turn by turn on this thread, with every session joined as a client
//! joins. A publish is timed from the call of the exchange to the end of the turn that has written it to the
//! members. Always to the same room: what it touches is in the caches, and nothing else should matter.

use super::process;
use super::progress::Progress;
use super::report::{Report, Value};
use super::stage::{Phase, Stage};
use super::timing::Stopwatch;
use super::work::Work;
use super::world::{Publisher, World};
use crate::cli;

/// How far the costs may be apart.
const BAR: f64 = 0.1;
/// Publishes before each round that are not timed: they bring back to the caches what the other world's round has
/// pushed out.
const WARM: u32 = 100;
/// Bytes of a payload.
const SIZE: usize = 128;

/// One of the two worlds.
struct Side {
    world: World,
    publisher: Publisher,
    speech: (String, Vec<u8>),
    bytes_per_session: Option<u64>,
    /// Nanoseconds of a publish, by round.
    costs: Vec<f64>,
    published: u64,
}

/// Compares the worlds.
pub(super) fn run(options: &cli::Roster) -> Result<Report, String> {
    let watch = Stopwatch::start();
    let mut progress = Progress::new();
    let mut large = Side::build(options.sessions, options.members, (&watch, &mut progress))?;
    let mut small = Side::build(options.against, options.members, (&watch, &mut progress))?;
    let rounds = u64::from(options.rounds);
    for round in 0..rounds {
        // Who goes first alternates, so that neither always finds the caches as the other left them.
        let order = if round % 2 == 0 { [&mut large, &mut small] } else { [&mut small, &mut large] };
        for side in order {
            side.measure(&watch, options.publishes)?;
        }
        progress.show(watch.nanos(), "publishing", round, rounds);
    }
    drop(progress);
    Ok(describe(options, &mut large, &mut small))
}

fn describe(options: &cli::Roster, large: &mut Side, small: &mut Side) -> Report {
    let mut report = Report::default();
    report.add("workload", "workload, in process", Value::Words("roster"));
    report.add("sessions", "sessions of the large world", u64::from(options.sessions));
    report.add("against", "sessions of the small world", u64::from(options.against));
    report.add("members", "members of each room", u64::from(options.members));
    for (side, keys) in [
        (&*large, ["large_touched", "members touched by a publish, large"]),
        (&*small, ["small_touched", "members touched by a publish, small"]),
    ] {
        let sums = side.world.stage.sums();
        let touched = sums.writes as f64 / (side.published as f64).max(1.0);
        report.add(keys[0], keys[1], Value::Number(touched, 2));
        let owed = side.published * u64::from(options.members);
        report.failed |= sums.writes != owed || sums.delivered != owed;
    }
    let cost = |report: &mut Report, keys: [(&'static str, &'static str); 3], spread: [f64; 3]| {
        for ((key, words), ns) in keys.into_iter().zip(spread) {
            report.add(key, words, Value::Number(ns, 1));
        }
    };
    let (large_costs, small_costs) = (spread(&mut large.costs), spread(&mut small.costs));
    cost(
        &mut report,
        [
            ("large_ns", "ns of a publish, large: median"),
            ("large_ns_p10", "  a tenth of the rounds are below"),
            ("large_ns_p90", "  a tenth are above"),
        ],
        large_costs,
    );
    cost(
        &mut report,
        [
            ("small_ns", "ns of a publish, small: median"),
            ("small_ns_p10", "  a tenth of the rounds are below"),
            ("small_ns_p90", "  a tenth are above"),
        ],
        small_costs,
    );
    let ratio = large_costs[0] / small_costs[0];
    report.add("ratio", "large / small, medians", Value::Number(ratio, 3));
    report.add("ratio_p10", "large / small, those tenths", Value::Number(large_costs[1] / small_costs[1], 3));
    let bytes = large.bytes_per_session.map_or(Value::Unknown("the system does not say"), Value::Count);
    report.add("bytes_per_session", "bytes per session, large", bytes);
    let verdict = if (ratio - 1.0).abs() <= BAR { "within" } else { "NOT within" };
    report.remark(format!("The costs are {verdict} {} % of each other.", BAR * 100.0));
    report
}

impl Side {
    fn build(
        sessions: u32,
        members: u32,
        (watch, progress): (&Stopwatch, &mut Progress),
    ) -> Result<Self, String> {
        let before = process::resident(std::process::id());
        let mut work = Work::idle(sessions, sessions.div_ceil(members).max(1));
        work.size = SIZE;
        let mut world = World::build(Stage::new(work, 1, 0, u64::MAX), false)?;
        loop {
            turn(&mut world)?;
            let joined = world.stage.joined();
            progress.show(watch.nanos(), "joining", joined, u64::from(sessions));
            if joined >= u64::from(sessions) {
                break;
            }
        }
        world.stage.begin(Phase::Speaking);
        let after = process::resident(std::process::id());
        let grown = after.zip(before).map(|(after, before)| after.saturating_sub(before));
        let publisher = Publisher::new(&world);
        // One in the middle: neither the first nor the last that was made.
        let speech = publisher.speech(world.stage.work.rooms / 2);
        let bytes_per_session = grown.map(|bytes| bytes / u64::from(sessions.max(1)));
        Ok(Self { world, publisher, speech, bytes_per_session, costs: Vec::new(), published: 0 })
    }

    /// Publishes so many messages, one after the other.
    fn measure(&mut self, watch: &Stopwatch, publishes: u32) -> Result<(), String> {
        (0..WARM).try_for_each(|_| self.publish())?;
        let began = watch.nanos();
        (0..publishes).try_for_each(|_| self.publish())?;
        self.costs.push((watch.nanos() - began) as f64 / f64::from(publishes.max(1)));
        Ok(())
    }

    fn publish(&mut self) -> Result<(), String> {
        if self.publisher.publish(&self.speech).is_some() {
            self.published += 1;
        }
        turn(&mut self.world)
    }
}

fn turn(world: &mut World) -> Result<(), String> {
    world
        .shards
        .iter_mut()
        .try_for_each(carrier::Shard::turn)
        .map_err(|e| format!("a shard could not go on: {e}"))
}

/// The median, and what a tenth is below and above.
fn spread(costs: &mut [f64]) -> [f64; 3] {
    costs.sort_by(f64::total_cmp);
    let at = |i: usize| costs.get(i).copied().unwrap_or(f64::NAN);
    [at(costs.len() / 2), at(costs.len() / 10), at(costs.len() * 9 / 10)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_publish_touches_the_members_of_its_room() {
        let options =
            cli::Roster { sessions: 500, against: 50, members: 10, rounds: 2, publishes: 30, json: false };
        let report = run(&options).unwrap();
        assert!(!report.failed, "{}", report.table());
        for key in ["large_touched", "small_touched"] {
            assert_eq!(report.value(key), Some(&Value::Number(10.0, 2)));
        }
    }

    #[test]
    fn spreads() {
        assert_eq!(spread(&mut [3.0, 1.0, 2.0]), [2.0, 1.0, 3.0]);
        assert!(spread(&mut []).iter().all(|n| n.is_nan()));
    }
}
