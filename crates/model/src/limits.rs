//! Every bound a peer can meet, named in one place, with its default and the reason for it.

use std::time::Duration;

/// What happens to a reader that does not keep up, by channel.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Hash)]
pub enum SlowPolicy {
    /// The session is closed with `SlowConsumer`. Nothing is lost unsaid.
    #[default]
    Disconnect,
    /// The oldest pending message of such channels goes; the session is told of the gap.
    DropOldest,
    /// Only the newest message of the channel stays pending; the session is told of the gap.
    KeepLatest,
}

/// The bounds of a node. Sizes in bytes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Limits {
    /// One message: a WebSocket message, an HTTP body. Larger ones end the connection (or are 413).
    pub message_bytes: usize,
    /// What may wait for one reader beyond what the kernel took. At least twice `message_bytes`.
    pub pending_bytes: usize,
    /// What may wait for all readers together; past it the fullest sessions are cut first.
    pub memory_budget: usize,
    /// An HTTP request's head.
    pub head_bytes: usize,
    /// Header lines of a request.
    pub head_lines: usize,
    /// Fragments of one WebSocket message (tiny fragments cost more than their bytes).
    pub fragments: u32,
    /// What a compressed WebSocket message may inflate to before the session acts for anybody: a stranger's bomb does
    /// not get far.
    pub strangers_inflated_bytes: usize,
    /// Pings answered on one WebSocket in a second, and how many at once; more are no sign of life but work. Clients
    /// ping every few seconds; test suites ten times at once.
    pub ping_rate: (u32, u32),
    /// Channels one session may join. Joining looks at those it has joined, so this is never unbounded.
    pub channels_per_session: u32,
    /// Branches of one session. Ending it ends them all, and losing a link looks at them all.
    pub branches_per_session: u32,
    /// Principals that the node enrols for peers that ask. Each takes some hundred bytes until it has been idle for too
    /// long.
    pub enrolments: u32,
    /// Sessions that may act for one enrolled principal. Withdrawing and retiring it looks at them all.
    pub sessions_per_enrolment: u32,
    /// Time for a request's head to arrive, and for the next request on a kept connection.
    pub head_timeout: Duration,
    /// Time a kept connection may be idle between requests.
    pub keep_alive: Duration,
    /// Time for the rest of a request's body, or of a begun WebSocket message.
    pub body_timeout: Duration,
    /// How long a reader of a stream that is behind may take nothing at all.
    pub stall_timeout: Duration,
    /// Time for the answer to a command that waits for somebody.
    pub answer_timeout: Duration,
    /// Time for the answer to a request, a long poll's included.
    pub request_timeout: Duration,
    /// How often a silent WebSocket is pinged; after two unanswered ones it is gone.
    pub ping_interval: Duration,
    /// Bytes waiting in a shard's inbox above which publishers are held.
    pub inbox_high: usize,
    /// Bytes in an inbox below which held publishers go on.
    pub inbox_low: usize,
    /// What a turn may expand before it flushes. Below the smallest bound of a session.
    pub slice_bytes: usize,
    /// Bytes read from one link in a turn before others have theirs.
    pub read_budget: usize,
    /// How long a channel that everybody has left keeps its window.
    pub window_timeout: Duration,
    /// What the windows of channels that everybody has left may take together; past it the oldest go first.
    pub window_bytes: usize,
    /// What each shard keeps of what it has handed out, for sessions that may come back for it; past it the oldest goes.
    pub recovery_bytes: usize,
    /// Messages per second a session may publish, and how many at once; `None`: as many as it can.
    pub publish_rate: Option<(u32, u32)>,
    /// Open connections in all; past it accepting pauses.
    pub connections: usize,
    /// Connections accepted in a second, with a burst of one second's worth; `None`: as many as come. Those beyond
    /// wait in the kernel's queue.
    pub accept_rate: Option<u32>,
    /// Connections of one address for which nobody has been authenticated; `None`: any number.
    pub unauthenticated_per_address: Option<u32>,
    /// Time to authenticate, where those may do nothing who have not.
    pub auth_timeout: Duration,
    /// The time over which closes are spread when the server stops.
    pub drain_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            message_bytes: 2 << 20,
            pending_bytes: 4 << 20,
            memory_budget: 1 << 30,
            head_bytes: 16 << 10,
            head_lines: 64,
            fragments: 1024,
            strangers_inflated_bytes: 64 << 10,
            ping_rate: (10, 20),
            channels_per_session: 10_000,
            branches_per_session: 255,
            enrolments: 100_000,
            sessions_per_enrolment: 1000,
            head_timeout: Duration::from_secs(10),
            keep_alive: Duration::from_secs(75),
            body_timeout: Duration::from_secs(30),
            stall_timeout: Duration::from_secs(60),
            answer_timeout: Duration::from_secs(10),
            request_timeout: Duration::from_secs(120),
            ping_interval: Duration::from_secs(30),
            inbox_high: 16 << 20,
            inbox_low: 4 << 20,
            slice_bytes: 256 << 10,
            read_budget: 256 << 10,
            window_timeout: Duration::from_secs(300),
            window_bytes: 64 << 20,
            recovery_bytes: 16 << 20,
            publish_rate: None,
            connections: 1 << 20,
            accept_rate: None,
            unauthenticated_per_address: None,
            auth_timeout: Duration::from_secs(10),
            drain_timeout: Duration::from_secs(5),
        }
    }
}
