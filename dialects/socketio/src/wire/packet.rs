//! A Socket.IO packet as text: what a client says, checked as the reference server checks it, and what a server says.
//! Data stays the text that came. Over revision 3 of Engine.IO this is revision 4 of Socket.IO's protocol, over 4 it is
//! 5; a [`Revision`] is Engine.IO's. Knows no frames, and not who is connected.

mod malformed;
mod write;
#[cfg(test)]
mod tests;

pub use malformed::Malformed;
pub use write::{Head, Style, connect_error, connected};

use super::arguments;
use super::engine::Revision;
use dialect::json;
use serde_json::value::RawValue;
use std::fmt;

/// What a packet is for. As numbers they stand on the wire.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// `0`: be connected to a namespace.
    Connect,
    /// `1`: be it no more.
    Disconnect,
    /// `2`: an event.
    Event,
    /// `3`: the answer to an event that asked for one.
    Ack,
    /// `4`: you are not connected. Revision 4 calls it ERROR.
    ConnectError,
    /// `5`: an event with attachments.
    BinaryEvent,
    /// `6`: an answer with attachments.
    BinaryAck,
}

impl Kind {
    fn read(digit: u8) -> Option<Self> {
        Some(match digit {
            b'0' => Self::Connect,
            b'1' => Self::Disconnect,
            b'2' => Self::Event,
            b'3' => Self::Ack,
            b'4' => Self::ConnectError,
            b'5' => Self::BinaryEvent,
            b'6' => Self::BinaryAck,
            _ => return None,
        })
    }

    fn digit(self) -> u8 {
        match self {
            Self::Connect => b'0',
            Self::Disconnect => b'1',
            Self::Event => b'2',
            Self::Ack => b'3',
            Self::ConnectError => b'4',
            Self::BinaryEvent => b'5',
            Self::BinaryAck => b'6',
        }
    }

    /// Whether attachments follow.
    #[must_use]
    pub fn is_binary(self) -> bool {
        matches!(self, Self::BinaryEvent | Self::BinaryAck)
    }

    /// The same kind for a packet with this many attachments.
    #[must_use]
    pub fn with(self, attachments: usize) -> Self {
        match (self, attachments) {
            (Self::Event | Self::BinaryEvent, 0) => Self::Event,
            (Self::Event | Self::BinaryEvent, _) => Self::BinaryEvent,
            (Self::Ack | Self::BinaryAck, 0) => Self::Ack,
            (Self::Ack | Self::BinaryAck, _) => Self::BinaryAck,
            (Self::Connect | Self::Disconnect | Self::ConnectError, _) => self,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connect => "CONNECT",
            Self::Disconnect => "DISCONNECT",
            Self::Event => "EVENT",
            Self::Ack => "ACK",
            Self::ConnectError => "CONNECT_ERROR",
            Self::BinaryEvent => "BINARY_EVENT",
            Self::BinaryAck => "BINARY_ACK",
        })
    }
}

/// What a packet may come to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Attachments of one packet.
    pub attachments: u8,
    /// Bytes of all attachments of one packet, each counted as often as a placeholder stands for it.
    pub bytes: usize,
    /// Bytes of a namespace, without its query.
    pub namespace: usize,
}

impl Default for Limits {
    /// The reference's bounds, and 255 bytes of a namespace, for which it has none.
    fn default() -> Self {
        Self { attachments: 10, bytes: 1_000_000, namespace: 255 }
    }
}

/// Names of events that a client may not send: they mean something to the library of the receiver.
pub(crate) const RESERVED: [&str; 6] =
    ["connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"];

/// The largest id: what JavaScript counts exactly.
const ACK_MAX: u64 = (1 << 53) - 1;

/// A packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Packet<'a> {
    /// What it is for.
    pub kind: Kind,
    /// How many attachments follow; 0 unless the kind is binary.
    pub attachments: u8,
    /// To which namespace it belongs; `/` when it says none.
    pub namespace: &'a str,
    /// What follows `?` in the namespace, in revision 3.
    pub query: Option<&'a str>,
    /// The id of an acknowledgement: asked for by an event, given by an ack.
    pub ack: Option<u64>,
    /// JSON as it was written, of the shape that the kind carries, and nested no deeper than [`json::DEPTH_MAX`].
    pub data: Option<&'a str>,
}

/// Reads a packet that a client sent.
///
/// An empty packet is none: the reference takes it for a CONNECT.
///
/// # Errors
/// What is wrong with it; the reference closes the connection for each.
pub fn read<'a>(text: &'a str, revision: Revision, limits: &Limits) -> Result<Packet<'a>, Malformed> {
    let first = text.bytes().next().ok_or(Malformed::Empty)?;
    let kind = Kind::read(first).ok_or(Malformed::Kind)?;
    if kind == Kind::ConnectError {
        return Err(Malformed::FromServer(kind));
    }
    let rest = text.get(1..).unwrap_or_default();
    let (attachments, rest) = if kind.is_binary() { announced(rest, limits)? } else { (0, rest) };
    let (whole, rest) = namespace(rest);
    let (namespace, query) = split_query(whole, revision, limits)?;
    let (ack, rest) = ack(rest)?;
    let data = if rest.is_empty() { None } else { Some(data(kind, rest)?) };
    Ok(Packet { kind, attachments, namespace, query, ack, data })
}

/// How many attachments are announced, and what follows.
fn announced<'a>(rest: &'a str, limits: &Limits) -> Result<(u8, &'a str), Malformed> {
    let (digits, rest) = rest.split_once('-').ok_or(Malformed::Attachments)?;
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(Malformed::Attachments);
    }
    match digits.trim_start_matches('0') {
        "" => Err(Malformed::NoAttachments),
        digits => match digits.parse() {
            Ok(count) if count <= limits.attachments => Ok((count, rest)),
            Ok(_) | Err(_) => Err(Malformed::TooManyAttachments(limits.attachments)),
        },
    }
}

/// The namespace with its query, and what follows: it ends at a comma, or with the packet.
fn namespace(rest: &str) -> (&str, &str) {
    if rest.starts_with('/') { rest.split_once(',').unwrap_or((rest, "")) } else { ("/", rest) }
}

/// A namespace without its query, and the query. In revision 4 a `?` is like any other character.
pub(super) fn split_query<'a>(
    whole: &'a str,
    revision: Revision,
    limits: &Limits,
) -> Result<(&'a str, Option<&'a str>), Malformed> {
    let (namespace, query) = match revision {
        Revision::Three => whole.split_once('?').map_or((whole, None), |(name, query)| (name, Some(query))),
        Revision::Four => (whole, None),
    };
    if namespace.len() > limits.namespace {
        return Err(Malformed::Namespace(limits.namespace));
    }
    Ok((namespace, query))
}

/// The id for an acknowledgement, if there is one, and what follows.
fn ack(rest: &str) -> Result<(Option<u64>, &str), Malformed> {
    let end = rest.bytes().position(|b| !b.is_ascii_digit()).unwrap_or(rest.len());
    match rest.split_at_checked(end) {
        None | Some(("", _)) => Ok((None, rest)),
        Some((digits, rest)) => {
            Ok((Some(digits.parse().ok().and_then(bounded_ack).ok_or(Malformed::Ack)?), rest))
        }
    }
}

/// An id within its bound.
pub(super) fn bounded_ack(id: u64) -> Option<u64> {
    (id <= ACK_MAX).then_some(id)
}

fn data(kind: Kind, text: &str) -> Result<&str, Malformed> {
    if json::is_deep(text) {
        return Err(Malformed::Deep);
    }
    let raw: &RawValue = serde_json::from_str(text).map_err(|error| Malformed::Json(error.to_string()))?;
    shape(kind, raw.get())?;
    Ok(raw.get())
}

/// Whether JSON without white space around it is what a kind carries from a client.
pub(super) fn shape(kind: Kind, json: &str) -> Result<(), Malformed> {
    let fits = match kind {
        Kind::Connect => json.starts_with('{'),
        Kind::Disconnect | Kind::ConnectError => false,
        Kind::Event | Kind::BinaryEvent | Kind::Ack | Kind::BinaryAck => json.starts_with('['),
    };
    if !fits {
        return Err(Malformed::Data(kind));
    }
    if matches!(kind, Kind::Event | Kind::BinaryEvent) {
        let event = arguments::event(json).ok_or(Malformed::Name)?;
        // A number is no name of the library's.
        if let Some(name) = RESERVED.into_iter().find(|name| *name == event.name) {
            return Err(Malformed::Reserved(name));
        }
    }
    Ok(())
}
