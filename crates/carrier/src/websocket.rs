//! WebSocket messages out of bytes and into bytes (RFC 6455), for the server and, in tests and loads, the
//! client.
//!
//! Holds the decoder, and below it frame headers, masking, UTF-8 that arrives in pieces, the encoders, and the one
//! extension that is known, permessage-deflate (RFC 7692). Refuses to know sockets, clocks and the handshake.

#![warn(clippy::indexing_slicing)]

mod deflate;
mod encode;
mod mask;
mod message;
mod offers;
mod wire;

pub use deflate::{AT_ONCE, Deflater, Inflater, LONGEST_DEFLATED, WORTH_DEFLATING};
pub use encode::{accept_key, close, frame, header, masked};
pub use offers::Agreed;
pub use wire::Opcode;

use mask::unmask;
use message::{Lent, Partial};
use model::{Limits, Unit};
use std::ops::Range;
use wire::{Header, Manner};

/// Which end of the connection this is (RFC 6455 §5.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// Demands masked frames.
    Server,
    /// Demands unmasked frames.
    Client,
}

/// What was received: a whole message, or a control frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Item<'b> {
    /// A text message.
    Text(&'b str),
    /// A binary message.
    Binary(&'b [u8]),
    /// A whole message that is compressed, for [`Inflater::open`]. Comes only where that was agreed to.
    Deflated(Unit, &'b [u8]),
    /// To be answered by a pong of the same bytes (RFC 6455 §5.5.2).
    Ping(&'b [u8]),
    /// The answer to a ping, or a sign of life.
    Pong(&'b [u8]),
    /// The code and the reason, when a code was given. To be answered by a close.
    Close(Option<(u16, &'b str)>),
}

impl Item<'_> {
    /// Bytes of what was said.
    #[must_use]
    pub fn weight(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Binary(bytes) | Self::Deflated(_, bytes) | Self::Ping(bytes) | Self::Pong(bytes) => {
                bytes.len()
            }
            Self::Close(said) => said.map_or(0, |(_, words)| words.len()),
        }
    }
}

/// How the peer broke the protocol. Close with the code (RFC 6455 §7.4.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fault {
    /// 1002, 1007, 1008 or 1009.
    pub code: u16,
    /// For the person who looks into it.
    pub detail: &'static str,
}

/// A breach of the framing.
const fn breach(detail: &'static str) -> Fault {
    Fault { code: 1002, detail }
}

const NOT_UTF8: Fault = Fault { code: 1007, detail: "text that is not UTF-8" };
const TOO_LARGE: Fault = Fault { code: 1009, detail: "the message is too large" };

/// Reads the messages of one connection, one after the other. An idle one is an empty pointer and three flags.
#[derive(Debug)]
pub struct Decoder {
    partial: Option<Box<Partial>>,
    role: Role,
    agreed: Option<Agreed>,
    /// A close came, or a fault: nothing that follows is read.
    over: bool,
}

/// An item that was found, before it is borrowed.
enum Found {
    /// Its payload lies, unmasked, in the input.
    Here(Header, Range<usize>),
    /// A control frame whose payload was kept.
    KeptControl(Header),
    /// A message that was kept.
    KeptMessage,
}

impl Decoder {
    /// A decoder at the beginning of a connection.
    #[must_use]
    pub fn new(role: Role) -> Self {
        Self { partial: None, role, agreed: None, over: false }
    }

    /// The same, on a connection whose messages may be compressed.
    #[must_use]
    pub fn agreeing(self, agreed: Option<Agreed>) -> Self {
        Self { agreed, ..self }
    }

    /// What holds for messages that are compressed, if they may be.
    #[must_use]
    pub fn agreed(&self) -> Option<Agreed> {
        self.agreed
    }

    /// Takes the decoder away, and leaves one that stands where no message has begun.
    #[must_use]
    pub fn take(&mut self) -> Self {
        let fresh = Self::new(self.role).agreeing(self.agreed);
        std::mem::replace(self, fresh)
    }

    /// Takes bytes from `input[*at..]`, at most one item, and moves `*at` past them. `None`: all is taken,
    /// and what is incomplete is kept.
    ///
    /// A message of one frame that lies whole in `input` is unmasked in place and borrowed, unless it is to be inflated
    /// in slices: see [`long`](Self::long). After a close or a fault all input is taken and nothing is said any more.
    ///
    /// # Errors
    ///
    /// When the peer breaks the protocol or passes a limit, as soon as the first wrong byte is there.
    pub fn next<'b>(
        &'b mut self,
        input: &'b mut [u8],
        at: &mut usize,
        limits: &Limits,
    ) -> Result<Option<Item<'b>>, Fault> {
        self.tidy();
        if self.over {
            *at = input.len();
            return Ok(None);
        }
        let found = match self.find(input, at, limits) {
            Ok(Some(found)) => found,
            Ok(None) => return Ok(None),
            Err(fault) => {
                self.partial = None;
                self.over = true;
                return Err(fault);
            }
        };
        let Self { partial, over, .. } = self;
        let item = match found {
            Found::Here(header, range) => item(&header, input.get(range).unwrap_or_default()),
            Found::KeptControl(header) => item(&header, partial.as_deref().map_or(&[], Partial::control)),
            Found::KeptMessage => {
                Ok(partial.as_deref().and_then(Partial::message).unwrap_or(Item::Binary(&[])))
            }
        };
        *over = matches!(item, Err(_) | Ok(Item::Close(_)));
        item.map(Some)
    }

    /// A compressed message that takes longer than [`AT_ONCE`] to inflate, once more: its bytes are kept here from the
    /// call that lent it until the next, or until [`tidy`](Self::tidy).
    #[must_use]
    pub fn long(&self) -> Option<(Unit, &[u8])> {
        let partial = self.partial.as_deref().filter(|partial| matches!(partial.lent, Lent::Message));
        let Item::Deflated(unit, payload) = partial.and_then(Partial::message)? else { return None };
        (payload.len() > AT_ONCE).then_some((unit, payload))
    }

    /// Gives back the memory of what the last call lent.
    pub fn tidy(&mut self) {
        if self.over || self.partial.as_mut().is_some_and(|partial| partial.tidy()) {
            self.partial = None;
        }
    }

    /// Whether neither a frame nor a message has begun, or nothing is read any more.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.over || self.partial.as_ref().is_none_or(|partial| partial.is_done())
    }

    /// The bytes of memory that are held for what is incomplete, or lent by the last call.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        self.partial.as_ref().map_or(0, |partial| size_of::<Partial>() + partial.capacity())
    }

    fn find(&mut self, input: &mut [u8], at: &mut usize, limits: &Limits) -> Result<Option<Found>, Fault> {
        loop {
            if !self.partial.as_ref().is_some_and(|partial| partial.is_in_frame()) {
                let Some(header) = self.header(input, at)? else { return Ok(None) };
                if let Some(found) = here(&header, input, at, limits)? {
                    return Ok(Some(found));
                }
                self.partial.get_or_insert_default().begin(header, limits)?;
            }
            let partial = self.partial.get_or_insert_default();
            let arrived = input.get_mut(*at..).unwrap_or_default();
            let (taken, ended) = partial.take(arrived, limits)?;
            *at += taken;
            match ended {
                None => return Ok(None),
                Some(header) if header.opcode.is_control() => {
                    partial.lent = Lent::Control;
                    return Ok(Some(Found::KeptControl(header)));
                }
                Some(header) if header.fin => {
                    partial.lent = Lent::Message;
                    return Ok(Some(Found::KeptMessage));
                }
                Some(_) => {}
            }
        }
    }

    /// Reads a frame's header, from the input or from the bytes of it that are kept and the input.
    fn header(&mut self, input: &[u8], at: &mut usize) -> Result<Option<Header>, Fault> {
        let rest = input.get(*at..).unwrap_or_default();
        let within = self.partial.as_ref().is_some_and(|partial| partial.is_in_message());
        let manner = Manner { role: self.role, within, deflates: self.agreed.is_some() };
        let parsed = match &mut self.partial {
            Some(partial) if !partial.cut.is_empty() => {
                let before = partial.cut.len();
                partial.cut.fill(rest);
                Header::parse(partial.cut.bytes(), manner)?.map(|(header, size)| {
                    partial.cut.clear();
                    (header, size.saturating_sub(before))
                })
            }
            partial => {
                let parsed = Header::parse(rest, manner)?;
                if parsed.is_none() && !rest.is_empty() {
                    partial.get_or_insert_default().cut.fill(rest);
                }
                parsed
            }
        };
        *at = parsed.map_or(input.len(), |(_, size)| *at + size);
        Ok(parsed.map(|(header, _)| header))
    }
}

/// The item, when it is a frame for itself that lies whole in the input, and is not looked at again later. It is
/// unmasked there.
fn here(header: &Header, input: &mut [u8], at: &mut usize, limits: &Limits) -> Result<Option<Found>, Fault> {
    let is_long = header.deflated && header.length > AT_ONCE;
    let is_whole = header.fin && header.opcode != Opcode::Continuation && !is_long;
    let is_item = header.opcode.is_control() || is_whole;
    let range = *at..at.saturating_add(header.length);
    let Some(payload) = input.get_mut(range.clone()).filter(|_| is_item) else { return Ok(None) };
    if header.length > message::longest(header.deflated, limits) && !header.opcode.is_control() {
        return Err(TOO_LARGE);
    }
    unmask(payload, header.key);
    *at = range.end;
    Ok(Some(Found::Here(*header, range)))
}

/// The item that a payload holds.
fn item<'b>(header: &Header, payload: &'b [u8]) -> Result<Item<'b>, Fault> {
    match header.opcode {
        Opcode::Text if header.deflated => Ok(Item::Deflated(Unit::Text, payload)),
        Opcode::Binary if header.deflated => Ok(Item::Deflated(Unit::Binary, payload)),
        Opcode::Text => simdutf8::basic::from_utf8(payload).map(Item::Text).map_err(|_| NOT_UTF8),
        Opcode::Binary | Opcode::Continuation => Ok(Item::Binary(payload)),
        Opcode::Ping => Ok(Item::Ping(payload)),
        Opcode::Pong => Ok(Item::Pong(payload)),
        Opcode::Close => wire::close_reason(payload).map(Item::Close),
    }
}
