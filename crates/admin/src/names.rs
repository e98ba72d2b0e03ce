//! Every metric there is: name, kind, unit, what it says, its label, and where it is read from.
//!
//! The one list: what is served and the page `docs/metrics.md` are both made of it. No label takes a value that a
//! peer chooses.

use crate::exposition::Samples;
use crate::view::Snapshot;
use model::CloseReason;
use node::counters::{BOUNDS, DIALECTS, RULES, STATUSES};
use node::hooks::{HookCounts, OUTCOMES};
use std::fmt::Write;
use std::sync::atomic::Ordering;

/// How a metric's values are to be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// It only grows, until the server is started again.
    Counter,
    /// How it stands now.
    Gauge,
    /// How many took how long.
    Histogram,
}

/// A metric, or several of one name that a label tells apart.
pub struct Family {
    /// Its name, as scraped.
    pub name: &'static str,
    /// How its values are to be read.
    pub kind: Kind,
    /// `seconds` or `bytes`; `None`: it counts things.
    pub unit: Option<&'static str>,
    /// The label that tells its values apart, and what its values are.
    pub label: Option<(&'static str, &'static str)>,
    /// What it says.
    pub help: &'static str,
    pub(crate) read: fn(&Snapshot<'_>, &mut Samples<'_>),
}

const fn counter(
    name: &'static str,
    help: &'static str,
    read: fn(&Snapshot<'_>, &mut Samples<'_>),
) -> Family {
    Family { name, kind: Kind::Counter, unit: None, label: None, help, read }
}

const fn gauge(name: &'static str, help: &'static str, read: fn(&Snapshot<'_>, &mut Samples<'_>)) -> Family {
    Family { name, kind: Kind::Gauge, unit: None, label: None, help, read }
}

const fn histogram(
    name: &'static str,
    help: &'static str,
    read: fn(&Snapshot<'_>, &mut Samples<'_>),
) -> Family {
    Family { name, kind: Kind::Histogram, unit: Some("seconds"), label: None, help, read }
}

impl Family {
    const fn in_unit(mut self, unit: &'static str) -> Self {
        self.unit = Some(unit);
        self
    }

    const fn by(mut self, label: &'static str, values: &'static str) -> Self {
        self.label = Some((label, values));
        self
    }
}

/// The reason as a label's value.
#[must_use]
pub fn reason(reason: CloseReason) -> &'static str {
    match reason {
        CloseReason::Done => "done",
        CloseReason::Gone => "gone",
        CloseReason::Fault => "fault",
        CloseReason::TooBig => "too_big",
        CloseReason::SlowConsumer => "slow_consumer",
        CloseReason::MemoryBudget => "memory_budget",
        CloseReason::Silent => "silent",
        CloseReason::TimedOut => "timed_out",
        CloseReason::Unauthorized => "unauthorized",
        CloseReason::Expired => "expired",
        CloseReason::Kicked => "kicked",
        CloseReason::Draining => "draining",
        CloseReason::InternalFault => "internal_fault",
    }
}

/// Every metric, in the order in which they are served.
pub static FAMILIES: &[Family] = &[
    gauge("chappe_sessions", "Sessions open: of a peer one for each virtual host it is in.", sessions)
        .by("dialect", "the protocol they speak"),
    counter(
        "chappe_sessions_attached_total",
        "Sessions that began: those closed, and those open.",
        |s, out| {
            out.plain(s.counters.attached);
        },
    ),
    counter("chappe_sessions_closed_total", "Sessions that ended, each for one reason.", closed)
        .by("reason", "why; slow readers are `slow_consumer` and `memory_budget`"),
    gauge("chappe_connections", "Connections open.", |s, out| out.plain(s.connections)),
    counter("chappe_connections_accepted_total", "Connections accepted.", |s, out| {
        out.plain(s.counters.accepted);
    }),
    counter(
        "chappe_connections_rejected_total",
        "Connections turned away without an answer: the server is stopping, or there are as many as may be.",
        |s, out| out.plain(s.counters.rejected),
    ),
    counter(
        "chappe_accept_pauses_total",
        "Times that accepting rested for a moment: no descriptors, or as many connections as may be.",
        |s, out| out.plain(s.counters.pauses),
    ),
    gauge("chappe_enrolments", "Principals enrolled for peers that asked.", |s, out| out.plain(s.enrolments)),
    gauge("chappe_channels", "Channels, those included that are kept for who comes back.", |s, out| {
        s.channels.iter().for_each(|(vhost, n)| out.labelled("vhost", vhost, n));
    })
    .by("vhost", "the virtual host"),
    counter(
        "chappe_messages_published_total",
        "Messages that got a position in a channel somebody has joined.",
        |s, out| {
            out.plain(s.counters.published);
        },
    ),
    counter("chappe_messages_unheard_total", "Messages to channels that nobody has joined.", |s, out| {
        out.plain(s.counters.unheard);
    }),
    counter("chappe_messages_delivered_total", "Messages handed to sessions, one for each.", |s, out| {
        out.plain(s.counters.delivered);
    }),
    counter(
        "chappe_messages_missed_total",
        "Messages that slow readers missed under `drop-oldest` or `keep-latest`, once each has caught up.",
        |s, out| out.plain(s.counters.missed),
    ),
    counter("chappe_received_bytes_total", "Bytes read from connections.", |s, out| {
        out.plain(s.counters.bytes_in);
    })
    .in_unit("bytes"),
    counter("chappe_sent_bytes_total", "Bytes the kernel took for connections.", |s, out| {
        out.plain(s.counters.bytes_out);
    })
    .in_unit("bytes"),
    gauge("chappe_pending_bytes", "Bytes that wait for slow readers.", |s, out| {
        out.plain(s.counters.pending);
    })
    .in_unit("bytes"),
    gauge(
        "chappe_inbox_bytes",
        "Bytes on their way between shards; publishers are held when one's are too many.",
        |s, out| {
            out.plain(s.inbox_bytes);
        },
    )
    .in_unit("bytes"),
    counter(
        "chappe_refusals_total",
        "Commands and credentials that a rule refused; their sessions live.",
        |s, out| {
            RULES.iter().zip(s.counters.refused).for_each(|(rule, n)| out.labelled("rule", rule, n));
        },
    )
    .by("rule", "which"),
    counter("chappe_http_rejections_total", "HTTP requests refused before any dialect saw them.", rejections)
        .by("status", "what they were answered with"),
    counter(
        "chappe_commands_held_total",
        "Times that a command waited because an inbox was full.",
        |s, out| {
            out.plain(s.counters.held);
        },
    ),
    counter("chappe_panics_total", "Faults of ours that were contained; each is in the log.", |s, out| {
        out.plain(s.counters.panics);
    }),
    histogram(
        "chappe_delivery_latency_seconds",
        "From the beginning of the turn that published a message to the end of the turn that wrote it, \
         one for each run of messages and shard.",
        |s, out| out.histogram(&s.counters.latency),
    ),
    histogram(
        "chappe_turn_seconds",
        "Turns of the shards' loops, without the wait before them.",
        |s, out| {
            out.histogram(&s.counters.turn);
        },
    ),
    counter("chappe_runs_total", "Runs of messages committed, each under one lock.", |s, out| {
        out.plain(s.counters.runs);
    }),
    counter(
        "chappe_encodings_total",
        "Messages written in a form, once for all who hear that form.",
        |s, out| {
            out.plain(s.counters.encoded);
        },
    ),
    counter("chappe_reads_total", "Reads from connections.", |s, out| out.plain(s.counters.reads)),
    counter("chappe_writes_total", "Writes to connections.", |s, out| out.plain(s.counters.writes)),
    counter("chappe_wakes_total", "Times that a shard woke another.", |s, out| out.plain(s.counters.wakes)),
    gauge("chappe_hooks", "Callbacks open; `GET /hooks` lists them.", |s, out| {
        out.plain(s.view.exchange.hooks.as_ref().map_or(0, node::Hooks::len));
    }),
    counter("chappe_hooks_opened_total", "Callbacks that were opened.", |s, out| {
        hooks(s, |c| out.plain(c.opened.load(Ordering::Relaxed)));
    }),
    counter(
        "chappe_hooks_given_up_total",
        "Callbacks that were given up, as too many POSTs failed.",
        |s, out| {
            hooks(s, |c| out.plain(c.given_up.load(Ordering::Relaxed)));
        },
    ),
    counter("chappe_hook_posts_total", "POSTs to callbacks that ended.", |s, out| {
        hooks(s, |c| {
            let counted = OUTCOMES.iter().zip(&c.outcomes);
            counted.for_each(|(word, n)| out.labelled("outcome", word, n.load(Ordering::Relaxed)));
        });
    })
    .by("outcome", "how; `forbidden` is an address that callbacks may not lead to"),
    counter(
        "chappe_hook_messages_missed_total",
        "Messages that were never posted: too many waited, or too long, or their callback ended.",
        |s, out| hooks(s, |c| out.plain(c.missed.load(Ordering::Relaxed))),
    ),
    gauge("chappe_hook_queued_messages", "Messages that wait to be posted.", |s, out| {
        hooks(s, |c| out.plain(c.queued.load(Ordering::Relaxed)));
    }),
    gauge("chappe_hook_queued_bytes", "Bytes of messages that wait to be posted.", |s, out| {
        hooks(s, |c| out.plain(c.queued_bytes.load(Ordering::Relaxed)));
    })
    .in_unit("bytes"),
    counter("chappe_log_lines_dropped_total", "Lines of the log that could not be written.", |s, out| {
        out.plain(s.view.log.dropped.load(Ordering::Relaxed));
    }),
    counter(
        "chappe_log_lines_suppressed_total",
        "Lines of the log left out because their like came too often.",
        |s, out| {
            out.plain(s.view.log.suppressed.load(Ordering::Relaxed));
        },
    ),
    gauge("chappe_shards", "Threads that serve.", |s, out| out.plain(s.view.exchange.shards())),
    gauge("chappe_draining", "1 while the server is stopping, else 0.", |s, out| {
        out.plain(u8::from(s.view.is_draining()));
    }),
    gauge("chappe_build_info", "Always 1.", |s, out| out.labelled("version", s.view.version, 1))
        .by("version", "the program's version"),
    counter("process_cpu_seconds_total", "CPU used, in user mode and in the kernel.", |s, out| {
        s.process.cpu_seconds.into_iter().for_each(|n| out.plain(n));
    })
    .in_unit("seconds"),
    gauge("process_resident_memory_bytes", "Memory that is in RAM.", |s, out| {
        s.process.resident.into_iter().for_each(|n| out.plain(n));
    })
    .in_unit("bytes"),
    gauge("process_open_fds", "Descriptors open.", |s, out| {
        s.process.descriptors.into_iter().for_each(|n| out.plain(n));
    }),
    gauge("process_max_fds", "Descriptors that may be open.", |s, out| {
        s.process.descriptors_max.into_iter().for_each(|n| out.plain(n));
    }),
    gauge("process_start_time_seconds", "When the node began, in seconds since 1970.", |s, out| {
        out.plain(format_args!("{}.{:03}", s.view.began_ms / 1000, s.view.began_ms % 1000));
    })
    .in_unit("seconds"),
];

fn sessions(s: &Snapshot<'_>, out: &mut Samples<'_>) {
    let fit = s.view.dialects.len() <= DIALECTS;
    for (i, n) in s.counters.sessions.iter().enumerate() {
        match s.view.dialects.get(i) {
            Some(_) if !fit && i == DIALECTS - 1 => out.labelled("dialect", "other", n),
            Some(dialect) => out.labelled("dialect", dialect, n),
            None => {}
        }
    }
}

fn closed(s: &Snapshot<'_>, out: &mut Samples<'_>) {
    for r in CloseReason::ALL {
        out.labelled("reason", reason(r), s.counters.closed[r.index()]);
    }
}

/// Nothing where nobody posts.
fn hooks(s: &Snapshot<'_>, mut see: impl FnMut(&HookCounts)) {
    if let Some(hooks) = &s.view.exchange.hooks {
        see(hooks.counts());
    }
}

fn rejections(s: &Snapshot<'_>, out: &mut Samples<'_>) {
    for (status, n) in STATUSES.iter().zip(s.counters.problems) {
        match status {
            0 => out.labelled("status", "other", n),
            _ => out.labelled("status", &status.to_string(), n),
        }
    }
}

/// The page `docs/metrics.md`.
#[must_use]
pub fn page() -> String {
    let mut out = String::from(PREFACE);
    for f in FAMILIES {
        let kind = match f.kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        let (unit, help) = (f.unit.unwrap_or_default(), f.help);
        let label = f.label.map(|(name, values)| format!("`{name}`: {values}")).unwrap_or_default();
        // Writing to a string cannot fail.
        let _infallible = writeln!(out, "| `{}` | {kind} | {unit} | {label} | {help} |", f.name);
    }
    let list = |words: Vec<String>| words.join(", ");
    let micros = BOUNDS.map(|b| if b < 1000 { format!("{b} µs") } else { format!("{} ms", b / 1000) });
    let reasons = CloseReason::ALL.map(|r| format!("`{}`", reason(r)));
    let rules = RULES.map(|r| format!("`{r}`"));
    let _infallible = write!(
        out,
        "\n## Values of labels\n\n* `reason`: {}\n* `rule`: {}\n* `outcome`: {}\n\n## Buckets\n\nUp to {}; and beyond.\n{DISTANCE}",
        list(reasons.to_vec()),
        list(rules.to_vec()),
        list(OUTCOMES.map(|o| format!("`{o}`")).to_vec()),
        list(micros.to_vec()),
    );
    out
}

const PREFACE: &str = "\
# Metrics

`GET /metrics` at the admin listener, `127.0.0.1:6890` unless [configured](configuration.md) otherwise:
`curl http://127.0.0.1:6890/metrics`. Prometheus' text format 0.0.4, or OpenMetrics 1.0 for those who ask for it with `Accept`.
With an `admin.token` it wants `Authorization: Bearer TOKEN`; `/healthz` (200 while the process lives) and `/readyz` (503 once the server is stopping) never do.
Without a token only requests that call this machine by its own name are answered, so that no web page can look by way of a visitor's browser.

Each shard counts for itself and shows its counts at the end of each turn. A scrape sees every shard as it was between two turns:
`chappe_sessions_attached_total` is always the sum of `chappe_sessions_closed_total` and `chappe_sessions`.
No label takes a value that a peer chooses: there are as many series as this page says, whatever happens.

| name | kind | unit | label | what it says |
|---|---|---|---|---|
";

const DISTANCE: &str = "
What `chappe_delivery_latency_seconds` measures begins when the shard that read a message began its turn, and ends with the turn in which
the shard of the members wrote it: reading, the decision, the inbox, the wake of the other shard, encoding and the writes are inside, the network and a slow reader's backlog are not.
It is taken once for each run of messages and shard, not for each member, so a message to 10,000 members on two shards is two measurements.
A turn that takes longer than 100 ms is also a line in the log that says what it did.
";

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn names_follow_the_customs() {
        let mut seen = BTreeSet::new();
        for f in FAMILIES {
            let name = f.name;
            assert!(seen.insert(name), "{name} twice");
            assert!(name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{name}");
            assert_eq!(name.ends_with("_total"), f.kind == Kind::Counter, "{name}");
            let base = name.trim_end_matches("_total");
            assert!(f.unit.is_none_or(|u| base.ends_with(&format!("_{u}"))), "{name} names its unit");
            assert!(f.help.ends_with('.') && !f.help.contains(['\n', '|']), "{name}");
        }
    }
}
