//! What a node counts: plain numbers on each shard, added to the totals once a turn.
//!
//! Nothing here is per message and shared: the hot path touches only its own shard's [`Counters`].

use model::CloseReason;
use std::sync::atomic::{AtomicU64, Ordering};

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// One shard's counts since they were last published.
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        pub struct Counters {
            $($(#[$doc])* pub $name: u64,)*
            /// Sessions ended, by reason.
            pub closed: [u64; CloseReason::ALL.len()],
        }

        /// The counts of all shards, since the node began.
        #[derive(Debug, Default)]
        pub struct Totals {
            $($name: AtomicU64,)*
            closed: [AtomicU64; CloseReason::ALL.len()],
        }

        impl Totals {
            /// Adds what a shard has counted, and starts the shard at zero again.
            pub fn add(&self, c: &mut Counters) {
                $(if c.$name > 0 { self.$name.fetch_add(c.$name, Ordering::Relaxed); })*
                for (total, n) in self.closed.iter().zip(c.closed) {
                    if n > 0 {
                        total.fetch_add(n, Ordering::Relaxed);
                    }
                }
                *c = Counters::default();
            }

            /// The sums as they are now.
            #[must_use]
            pub fn read(&self) -> Counters {
                Counters {
                    $($name: self.$name.load(Ordering::Relaxed),)*
                    closed: std::array::from_fn(|i| self.closed[i].load(Ordering::Relaxed)),
                }
            }
        }
    };
}

counters! {
    /// Connections accepted.
    accepted,
    /// Sessions that began.
    attached,
    /// Messages that got a position.
    published,
    /// Messages dropped because nobody has joined their channel.
    unheard,
    /// Runs of messages committed, each under one lock.
    runs,
    /// Messages handed to a session.
    delivered,
    /// Forms encoded.
    encoded,
    /// Writes to sockets.
    writes,
    /// Bytes the kernel took.
    bytes_out,
    /// Reads from sockets.
    reads,
    /// Bytes read.
    bytes_in,
    /// Wakes sent to other shards.
    wakes,
    /// Turns of the loop.
    turns,
    /// Commands held back because an inbox was full.
    held,
    /// Commands refused by a rule.
    refused,
    /// Messages dropped by a slow policy.
    missed,
    /// Panics caught.
    panics,
    /// Requests and connections refused before there was a session.
    rejected,
}
