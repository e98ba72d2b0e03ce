//! The seam between protocols and the server: what a dialect is, and what it may say.
//!
//! A [`Dialect`] starts a [`Conversation`] for each peer. A conversation is a plain state machine: it is told
//! frames, events and the time, and fills a [`Turn`] with what it wants done. It does no I/O, reads no clock,
//! holds no lock and knows neither the hub nor a carrier. Read [`frame`], [`turn`], [`event`] next.

pub mod frame;
pub mod knock;
pub mod command;
pub mod turn;
pub mod event;
pub mod hook;
pub mod percent;
pub mod json;
pub mod settings;

pub use command::Command;
pub use event::{ChannelCount, Event};
pub use frame::{Frame, Header, Request};
pub use hook::{HookEnd, HookPlan};
pub use knock::{Knock, Welcome};
pub use turn::{Effect, Hearing, Response, Span, Turn, Words};

use model::{CloseReason, SessionId, Time, VHostName};

/// By which road a peer came.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Road {
    /// A request over HTTP, which may turn into a stream or a WebSocket.
    Http,
    /// A bare TCP connection.
    Tcp,
    /// Datagrams from one address.
    Udp,
    /// None: another conversation asked for it.
    None,
}

/// What is known when a conversation begins.
#[derive(Clone, Debug)]
pub struct Opening {
    /// The session this conversation is for.
    pub session: SessionId,
    /// The virtual host its listener belongs to.
    pub vhost: VHostName,
    /// How the peer came.
    pub road: Road,
}

/// A protocol: shared, immutable; starts a conversation for each peer.
pub trait Dialect: Send + Sync {
    /// Its name in configuration, logs and transcripts.
    fn name(&self) -> &'static str;

    /// Whether an HTTP request is for this dialect. The dialects are asked in the registry's order; the first to
    /// say yes has it. Dialects that do not speak HTTP never say yes.
    fn claims(&self, request: &Request<'_>) -> bool;

    /// Bytes of a body that it reads of a request whose head shows no token that the server knows, where nobody may act
    /// without one. More than 0 is for dialects that are told in the body who asks.
    fn reads_of_strangers(&self) -> usize {
        0
    }

    /// Starts a conversation. The first thing it is told is a frame.
    fn converse(&self, opening: &Opening) -> Box<dyn Conversation>;

    /// What becomes of a datagram from an address that has no session. It is asked for each of them and keeps
    /// nothing: whoever sent it may have lied about the address. What it writes to `answer` goes back to there, unless
    /// that is longer than what came.
    fn knock(&self, knock: &Knock<'_>, answer: &mut Vec<u8>) -> Welcome {
        let _ = (knock, answer);
        Welcome::Enter
    }

    /// A line that a person can paste into a shell to try it, for a server at `address` (host and port). It listens
    /// and speaks to the channel `chat`, and has that word for nothing else: a page may put another in its place. Where
    /// channels are numbers it is 5. Where that takes more than one line, it is the first of them.
    /// What cannot be tried in a shell says in a few words how it is tried.
    fn paste_line(&self, address: &str) -> String;

    /// Such a line for its own protocol over TCP or UDP, for a server that speaks it at `address`. `None`: it has no
    /// such protocol.
    fn own_line(&self, road: Road, address: &str) -> Option<String> {
        let _ = (road, address);
        None
    }
}

/// One peer's protocol state machine. It lives on one shard for life, save when a link is handed over before
/// its conversation has joined anything.
///
/// A panic in any of these ends this conversation only: the turn is thrown away, the session ends with
/// `InternalFault`.
pub trait Conversation: Send {
    /// The peer said something, on the link that `turn.link` names.
    fn on_frame(&mut self, frame: Frame<'_>, turn: &mut Turn);

    /// The hub, or somebody who had to be asked, has something to tell.
    fn on_event(&mut self, event: Event<'_>, turn: &mut Turn);

    /// The moment named by [`Conversation::wake_at`] has come.
    fn on_tick(&mut self, turn: &mut Turn) {
        let _ = turn;
    }

    /// When to call [`Conversation::on_tick`]; asked after each turn. Kept to about 50 ms.
    fn wake_at(&self) -> Option<Time> {
        None
    }

    /// Whether a peer that says it sends no more, while its request waits for an answer, is gone. By HTTP alone it may
    /// have closed its half of the connection only, and is answered. Asked when that happens.
    fn takes_end_for_gone(&self) -> bool {
        false
    }

    /// The session ends; last words may be sent, commands are not heard any more.
    fn on_close(&mut self, reason: CloseReason, turn: &mut Turn) {
        let _ = (reason, turn);
    }
}
