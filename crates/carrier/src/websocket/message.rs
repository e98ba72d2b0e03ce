//! What is kept of frames and messages that are not all there.
//!
//! Memory follows the bytes that came, never a length that was announced. Text is checked as it arrives, to
//! the byte.

use super::mask::{turned, unmask};
use super::wire::{Header, LONGEST_HEADER, Opcode};
use super::{Fault, Item, NOT_UTF8, TOO_LARGE, deflate};
use model::{Limits, Unit};

/// Bytes that may be received of a message.
pub(super) fn longest(deflated: bool, limits: &Limits) -> usize {
    if deflated { deflate::longest(limits.message_bytes) } else { limits.message_bytes }
}

/// All that is incomplete on one connection.
#[derive(Debug, Default)]
pub(super) struct Partial {
    /// The beginning of a header.
    pub(super) cut: Cut,
    /// What the last item borrows, to be dropped when it is not looked at any more.
    pub(super) lent: Lent,
    /// The frame whose payload is arriving. Its length is what is still missing, its key is turned
    /// accordingly.
    frame: Option<Header>,
    /// The payload of a control frame, apart from the message it may interrupt.
    control: Vec<u8>,
    message: Option<Message>,
    /// Frames of the message.
    fragments: u32,
}

/// What an item borrows of a [`Partial`].
#[derive(Clone, Copy, Debug, Default)]
pub(super) enum Lent {
    #[default]
    Nothing,
    Control,
    Message,
}

impl Partial {
    /// Drops what was lent; true when nothing is left.
    pub(super) fn tidy(&mut self) -> bool {
        match std::mem::take(&mut self.lent) {
            Lent::Nothing => {}
            Lent::Control => self.control.clear(),
            Lent::Message => self.message = None,
        }
        self.is_done()
    }

    /// Whether nothing has begun, save what is lent.
    pub(super) fn is_done(&self) -> bool {
        self.cut.is_empty() && self.frame.is_none() && !self.is_in_message()
    }

    pub(super) fn is_in_frame(&self) -> bool {
        self.frame.is_some()
    }

    pub(super) fn is_in_message(&self) -> bool {
        self.message.is_some() && !matches!(self.lent, Lent::Message)
    }

    pub(super) fn control(&self) -> &[u8] {
        &self.control
    }

    pub(super) fn message(&self) -> Option<Item<'_>> {
        self.message.as_ref().map(|message| match message {
            Message::Text(text, _) => Item::Text(text),
            Message::Binary(bytes) => Item::Binary(bytes),
            Message::Deflated(unit, bytes) => Item::Deflated(*unit, bytes),
        })
    }

    pub(super) fn capacity(&self) -> usize {
        let message = self.message.as_ref().map_or(0, |message| match message {
            Message::Text(text, _) => text.capacity(),
            Message::Binary(bytes) | Message::Deflated(_, bytes) => bytes.capacity(),
        });
        message + self.control.capacity()
    }

    /// A frame begins, of which the header is known to be right where it stands.
    pub(super) fn begin(&mut self, header: Header, limits: &Limits) -> Result<(), Fault> {
        if !header.opcode.is_control() {
            self.fragments = if self.message.is_some() { self.fragments.saturating_add(1) } else { 1 };
            if self.fragments > limits.fragments.max(1) {
                return Err(Fault { code: 1008, detail: "a message of too many fragments" });
            }
            let message = self.message.get_or_insert_with(|| Message::begin(&header));
            if message.len().saturating_add(header.length) > longest(message.is_deflated(), limits) {
                return Err(TOO_LARGE);
            }
        }
        self.frame = Some(header);
        Ok(())
    }

    /// Takes payload from the front of `arrived`. Says how much, and the frame's header when the frame is
    /// whole.
    pub(super) fn take(
        &mut self,
        arrived: &mut [u8],
        limits: &Limits,
    ) -> Result<(usize, Option<Header>), Fault> {
        let Some(frame) = &mut self.frame else { return Ok((0, None)) };
        let taken = arrived.len().min(frame.length);
        let payload = arrived.get_mut(..taken).unwrap_or_default();
        unmask(payload, frame.key);
        frame.key = turned(frame.key, taken);
        frame.length -= taken;
        let header = *frame;
        if header.opcode.is_control() {
            self.control.extend_from_slice(payload);
        } else if let Some(message) = &mut self.message {
            let bound = if header.fin {
                message.len().saturating_add(payload.len()).saturating_add(header.length)
            } else {
                longest(message.is_deflated(), limits)
            };
            message.push(payload, bound)?;
            if header.fin && header.length == 0 {
                message.end()?;
            }
        }
        if header.length > 0 {
            return Ok((taken, None));
        }
        self.frame = None;
        Ok((taken, Some(header)))
    }
}

/// A header that is not all there.
#[derive(Debug, Default)]
pub(super) struct Cut {
    bytes: [u8; LONGEST_HEADER],
    length: usize,
}

impl Cut {
    pub(super) fn is_empty(&self) -> bool {
        self.length == 0
    }

    pub(super) fn len(&self) -> usize {
        self.length
    }

    pub(super) fn clear(&mut self) {
        self.length = 0;
    }

    pub(super) fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }

    /// Adds as many bytes as there is room for: a whole header, and perhaps payload behind it.
    pub(super) fn fill(&mut self, arrived: &[u8]) {
        for (slot, byte) in self.bytes.iter_mut().skip(self.length).zip(arrived) {
            *slot = *byte;
            self.length += 1;
        }
    }
}

/// A data message as far as it came.
#[derive(Debug)]
enum Message {
    /// Checked text, and the bytes of a character that is not all there.
    Text(String, Tail),
    Binary(Vec<u8>),
    /// Inflated when all of it is there, so that what is held is never more than what came.
    Deflated(Unit, Vec<u8>),
}

impl Message {
    fn begin(header: &Header) -> Self {
        match (header.deflated, header.opcode) {
            (true, Opcode::Text) => Self::Deflated(Unit::Text, Vec::new()),
            (true, _) => Self::Deflated(Unit::Binary, Vec::new()),
            (false, Opcode::Text) => Self::Text(String::new(), Tail::default()),
            (false, _) => Self::Binary(Vec::new()),
        }
    }

    fn is_deflated(&self) -> bool {
        matches!(self, Self::Deflated(..))
    }

    fn len(&self) -> usize {
        match self {
            Self::Text(text, tail) => text.len() + tail.length,
            Self::Binary(bytes) | Self::Deflated(_, bytes) => bytes.len(),
        }
    }

    /// Appends payload. The whole message will be no longer than `bound`.
    fn push(&mut self, payload: &[u8], bound: usize) -> Result<(), Fault> {
        match self {
            Self::Text(text, tail) => {
                text.reserve_exact(growth(text.len(), text.capacity(), tail.length + payload.len(), bound));
                tail.push(payload, text)
            }
            Self::Binary(bytes) | Self::Deflated(_, bytes) => {
                bytes.reserve_exact(growth(bytes.len(), bytes.capacity(), payload.len(), bound));
                bytes.extend_from_slice(payload);
                Ok(())
            }
        }
    }

    /// No more will come.
    fn end(&self) -> Result<(), Fault> {
        match self {
            Self::Text(_, tail) if tail.length > 0 => Err(NOT_UTF8),
            Self::Text(..) | Self::Binary(_) | Self::Deflated(..) => Ok(()),
        }
    }
}

/// What to reserve for `more` bytes: nothing when they fit, else twice what there is, but no more than
/// `bound` in all.
fn growth(length: usize, capacity: usize, more: usize, bound: usize) -> usize {
    let needed = length.saturating_add(more);
    let wanted = if needed > capacity { needed.max(capacity.saturating_mul(2).min(bound)) } else { needed };
    wanted.saturating_sub(length)
}

/// The first bytes, up to three, of a character of which the rest has not come.
#[derive(Debug, Default)]
struct Tail {
    bytes: [u8; 4],
    length: usize,
}

impl Tail {
    /// Appends to `text` what is text, keeps a character that is cut, and finds the first byte that cannot be
    /// right.
    fn push(&mut self, mut bytes: &[u8], text: &mut String) -> Result<(), Fault> {
        while self.length > 0 {
            let Some((byte, rest)) = bytes.split_first() else { return Ok(()) };
            bytes = rest;
            self.keep(&[*byte]);
            match std::str::from_utf8(self.bytes.get(..self.length).unwrap_or_default()) {
                Ok(character) => {
                    text.push_str(character);
                    self.length = 0;
                }
                Err(error) if error.error_len().is_some() => return Err(NOT_UTF8),
                Err(_) => {}
            }
        }
        let Err(error) = simdutf8::compat::from_utf8(bytes).map(|all| text.push_str(all)) else {
            return Ok(());
        };
        let (valid, cut) = bytes.split_at_checked(error.valid_up_to()).unwrap_or_default();
        if error.error_len().is_some() {
            return Err(NOT_UTF8);
        }
        text.push_str(std::str::from_utf8(valid).unwrap_or_default());
        self.keep(cut);
        Ok(())
    }

    fn keep(&mut self, bytes: &[u8]) {
        for (slot, byte) in self.bytes.iter_mut().skip(self.length).zip(bytes) {
            *slot = *byte;
            self.length += 1;
        }
    }
}
