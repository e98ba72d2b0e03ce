//! Bounds: what was written, the defaults of the posture, and those that could not be kept.

use super::{Posture, Problem, Problems};
use crate::config;
use model::Limits;
use std::time::Duration;

/// Bytes a channel's window may take.
pub(super) const WINDOW_BYTES: usize = 4 << 20;

/// A bound as it was written, where 0 means none.
fn unless_zero(written: Option<u32>, default: Option<u32>) -> Option<u32> {
    written.map_or(default, |n| (n > 0).then_some(n))
}

pub(super) fn limits(written: &config::Limits, posture: Posture, problems: &mut Problems) -> Limits {
    let d = Limits::default();
    let exposed = posture == Posture::Exposed;
    let seconds = |s: Option<u64>, default| s.map_or(default, Duration::from_secs);
    let rate = unless_zero(written.publish_rate, exposed.then_some(50));
    let limits = Limits {
        message_bytes: written.message_bytes.unwrap_or(d.message_bytes),
        pending_bytes: written.pending_bytes.unwrap_or(d.pending_bytes),
        memory_budget: written.memory_budget.unwrap_or_else(quarter_of_memory),
        channels_per_session: written.channels_per_session.unwrap_or(if exposed {
            128
        } else {
            d.channels_per_session
        }),
        enrolments: written.enrolments.unwrap_or(d.enrolments),
        sessions_per_enrolment: written.sessions_per_enrolment.unwrap_or(d.sessions_per_enrolment),
        publish_rate: rate.map(|rate| (rate, written.publish_burst.unwrap_or(rate.saturating_mul(2)).max(1))),
        connections: written.connections.unwrap_or(d.connections),
        accept_rate: unless_zero(written.accept_rate, exposed.then_some(2000)),
        unauthenticated_per_address: unless_zero(written.unauthenticated_per_address, exposed.then_some(64)),
        auth_timeout: seconds(written.auth_timeout, d.auth_timeout),
        head_timeout: seconds(written.head_timeout, d.head_timeout),
        keep_alive: seconds(written.keep_alive, d.keep_alive),
        ping_interval: seconds(written.ping_interval, d.ping_interval),
        stall_timeout: seconds(written.stall_timeout, d.stall_timeout),
        drain_timeout: seconds(written.drain_timeout, d.drain_timeout),
        window_timeout: seconds(written.window_timeout, d.window_timeout),
        window_bytes: written.window_bytes.unwrap_or(d.window_bytes),
        recovery_bytes: written.recovery_bytes.unwrap_or(d.recovery_bytes),
        ..d
    };
    zeros(&limits, problems);
    sizes(&limits, problems);
    limits
}

fn zeros(limits: &Limits, problems: &mut Problems) {
    let zeros = [
        ("message_bytes", limits.message_bytes == 0),
        ("channels_per_session", limits.channels_per_session == 0),
        ("enrolments", limits.enrolments == 0),
        ("sessions_per_enrolment", limits.sessions_per_enrolment == 0),
        ("connections", limits.connections == 0),
        ("auth_timeout", limits.auth_timeout.is_zero()),
        ("head_timeout", limits.head_timeout.is_zero()),
        ("keep_alive", limits.keep_alive.is_zero()),
        ("ping_interval", limits.ping_interval.is_zero()),
        ("stall_timeout", limits.stall_timeout.is_zero()),
    ];
    of_use("limits", &zeros, problems);
}

/// Says which of a section's keys are 0, and must not be.
pub(super) fn of_use(section: &str, zeros: &[(&str, bool)], problems: &mut Problems) {
    for (key, _) in zeros.iter().filter(|(_, zero)| *zero) {
        let fix = "make it at least 1, or leave it out";
        problems.push(Problem::new(format!("{section}.{key}"), "0 would serve nobody", fix));
    }
}

/// Two messages must fit into whatever is kept under this key.
pub(super) fn two_messages(key: &str, bytes: usize, message: usize, problems: &mut Problems) {
    if bytes / 2 < message {
        let what = format!("{bytes} is less than two messages of {message}");
        let fix = format!("make it at least {}", message.saturating_mul(2));
        problems.push(Problem::new(key, what, fix).about(&["limits.message_bytes"]));
    }
}

fn sizes(limits: &Limits, problems: &mut Problems) {
    let Limits { message_bytes, pending_bytes, memory_budget, .. } = *limits;
    two_messages("limits.pending_bytes", pending_bytes, message_bytes, problems);
    if memory_budget < pending_bytes {
        let what = format!("{memory_budget} is less than one slow reader may take, {pending_bytes}");
        let fix = format!("make it at least {pending_bytes}");
        let problem = Problem::new("limits.memory_budget", what, fix);
        problems.push(problem.about(&["limits.pending_bytes"]));
    }
}

/// A quarter of the machine's memory; a quarter of 4 GiB where nobody can say.
fn quarter_of_memory() -> usize {
    let kib = std::fs::read_to_string("/proc/meminfo").ok().and_then(|text| {
        let line = text.lines().find(|l| l.starts_with("MemTotal:"))?;
        line.split_whitespace().nth(1)?.parse::<usize>().ok()
    });
    kib.map_or(1 << 30, |kib| kib * 256)
}
