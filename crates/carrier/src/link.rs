//! A link: what a shard knows of one connection besides its session. A link can move to another shard.
//!
//! Split in two: [`Hot`] is what a delivery touches, kept small and in one array; [`Link`] is the rest.

use crate::arena::Stretch;
use crate::http1;
use crate::strangers::Stranger;
use crate::websocket;
use crate::wheel::Alarm;
use hub::Allowance;
use model::{Time, Unit};
use std::net::{IpAddr, SocketAddr, SocketAddrV6};

/// Stands for no slot.
pub(crate) const NONE: u32 = u32::MAX;

/// What a delivery touches of a link: where it goes, and what of the arena it is owed.
pub(crate) struct Hot<S> {
    /// `None`: the place is free, or the link is an address of datagrams.
    pub(crate) stream: Option<S>,
    /// The stretch that can still grow; none: the link is not on the list of those to be flushed.
    pub(crate) last: Stretch,
    /// Its stretches before that: a place among the shard's spare lists.
    pub(crate) earlier: u32,
    /// What it has been slow to take: a place among the shard's outboxes.
    pub(crate) outbox: u32,
}

impl<S> Hot<S> {
    /// Whether it is on the list of links to be flushed.
    pub(crate) fn is_touched(&self) -> bool {
        self.last != Stretch::NONE
    }

    pub(crate) fn new(stream: Option<S>) -> Self {
        Self { stream, last: Stretch::NONE, earlier: NONE, outbox: NONE }
    }
}

/// What is spoken on a link now.
pub(crate) enum Speech {
    /// HTTP requests, one at a time.
    Http(http1::Decoder),
    /// The body of a response that goes on; what the peer sends is not read as anything.
    Stream {
        /// In chunks, or bare until the connection ends (HTTP/1.0).
        chunked: bool,
    },
    /// WebSocket.
    WebSocket(websocket::Decoder),
    /// A TCP protocol of a dialect's own.
    Raw,
    /// Datagrams to one address: the peer's, with this port, and with this scope if there are several of its network.
    Datagrams {
        /// The peer's port.
        to: u16,
        /// RFC 4007: which of the networks that a link-local address may be in.
        scope: u32,
    },
    /// Nothing any more: what is owed goes out, then it ends.
    Closing,
}

/// A request that waits for its response: what must be remembered of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Asking {
    pub(crate) keep_alive: bool,
    pub(crate) http10: bool,
    pub(crate) is_head: bool,
    pub(crate) accept_key: Option<Box<str>>,
    pub(crate) origin: Option<Box<str>>,
    /// What was agreed to of the extensions that were offered.
    pub(crate) agreed: Option<websocket::Agreed>,
}

/// Why a link is not read for the moment. All must be clear for reading to go on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pause {
    /// A request on it has not been answered.
    pub(crate) asking: bool,
    /// Its session holds.
    pub(crate) holding: bool,
}

/// What is awaited of a peer. The clock is set when this changes, so that drips do not wind it up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Awaited {
    /// Its first byte.
    Request,
    /// The rest of its head.
    Head,
    /// The rest of its body, or of the message.
    Body,
    /// That a slow reader of a stream takes something.
    Reader,
}

/// What few links have: a proxy in front, a stranger at the other end, pings to answer, something to be read later.
#[derive(Debug, Default)]
pub(crate) struct Extras {
    /// Read, but not looked at while reading is paused.
    pub(crate) unread: Vec<u8>,
    /// Whom a proxy that is believed speaks for, with the present request.
    pub(crate) behind: Option<IpAddr>,
    /// Its place among the strangers, until somebody has been authenticated on it.
    pub(crate) stranger: Option<Stranger>,
    /// How many of its pings may still be answered.
    pub(crate) pings: Allowance,
}

#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own, and a byte")]
pub(crate) struct Link {
    pub(crate) generation: u32,
    pub(crate) session: u32,
    pub(crate) speech: Speech,
    pub(crate) pause: Pause,
    pub(crate) asking: Option<Box<Asking>>,
    pub(crate) port: u16,
    /// Who is at the other end: the proxy, if one is.
    pub(crate) peer: IpAddr,
    /// What few links have.
    pub(crate) extras: Option<Box<Extras>>,
    /// Nothing has been read from it yet.
    pub(crate) fresh: bool,
    /// When the next thing must have happened. What that is depends on the speech.
    pub(crate) deadline: Time,
    /// Its timer.
    pub(crate) alarm: Alarm,
    /// Something was heard since the last look.
    pub(crate) heard: bool,
    /// Something of what waited for a slow reader has been taken since the last look.
    pub(crate) moved: bool,
    /// Pings that nobody answered.
    pub(crate) unanswered: u8,
    /// What of a request the deadline is for.
    pub(crate) awaited: Awaited,
    /// There may be bytes in the kernel that nobody will report again.
    pub(crate) readable: bool,
    /// Whether it is on the list of links to be read without being reported.
    pub(crate) ready: bool,
    /// Its peer has said that it sends no more.
    pub(crate) ended: bool,
    /// Its peer hears nothing any more either.
    pub(crate) gone: bool,
}

impl Link {
    pub(crate) fn new(generation: u32, port: u16, peer: IpAddr, speech: Speech) -> Self {
        Self {
            generation,
            session: NONE,
            speech,
            pause: Pause::default(),
            asking: None,
            port,
            peer,
            extras: None,
            fresh: true,
            deadline: Time::default(),
            alarm: Alarm::default(),
            heard: false,
            moved: false,
            unanswered: 0,
            awaited: Awaited::Request,
            readable: false,
            ready: false,
            ended: false,
            gone: false,
        }
    }

    /// Where its peer comes from, as far as is known.
    pub(crate) fn address(&self) -> IpAddr {
        self.extras.as_ref().and_then(|e| e.behind).unwrap_or(self.peer)
    }

    /// What few links have, to be added to.
    pub(crate) fn extras(&mut self) -> &mut Extras {
        self.extras.get_or_insert_default()
    }

    /// Notes its peer's place among the strangers; `None`: he is none.
    pub(crate) fn set_stranger(&mut self, stranger: Option<Stranger>) {
        if stranger.is_some() {
            self.extras().stranger = stranger;
        } else if let Some(extras) = self.extras.as_mut() {
            extras.stranger = None;
            if extras.behind.is_none() && extras.unread.is_empty() && extras.pings.is_new() {
                self.extras = None;
            }
        }
    }

    /// Whether something has been read and not been looked at.
    pub(crate) fn has_unread(&self) -> bool {
        self.extras.as_ref().is_some_and(|e| !e.unread.is_empty())
    }

    /// Takes what has been read and not been looked at.
    pub(crate) fn take_unread(&mut self) -> Vec<u8> {
        self.extras.as_mut().map(|e| std::mem::take(&mut e.unread)).unwrap_or_default()
    }

    /// Keeps what has been read until it can be looked at.
    pub(crate) fn keep_unread(&mut self, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.extras().unread.extend_from_slice(bytes);
        }
    }

    /// Where its datagrams go, if it has such.
    pub(crate) fn datagrams_to(&self) -> Option<SocketAddr> {
        let Speech::Datagrams { to, scope } = self.speech else { return None };
        Some(match self.peer {
            IpAddr::V4(ip) => (ip, to).into(),
            IpAddr::V6(ip) => SocketAddrV6::new(ip, to, 0, scope).into(),
        })
    }

    /// A compressed message that is inflated in slices; nothing else is read meanwhile.
    pub(crate) fn long_message(&self) -> Option<(Unit, &[u8])> {
        if let Speech::WebSocket(decoder) = &self.speech { decoder.long() } else { None }
    }

    pub(crate) fn is_paused(&self) -> bool {
        self.pause.asking || self.pause.holding
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::Session;

    /// An idle connection costs what these say, and its buckets elsewhere: what few need belongs in a box.
    #[test]
    fn an_idle_connection_is_small() {
        assert!(size_of::<Link>() <= 88, "{}", size_of::<Link>());
        assert!(size_of::<Hot<Box<u8>>>() <= 24, "{}", size_of::<Hot<Box<u8>>>());
        assert!(size_of::<Session>() <= 80, "{}", size_of::<Session>());
    }
}
