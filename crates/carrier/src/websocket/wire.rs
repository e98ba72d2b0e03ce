//! Frame headers and the payload of a close frame, and every rule they must keep (RFC 6455 §5.2, §5.5, §7.4).
//!
//! Refuses to know payloads, limits and how bytes arrive.

use super::{Fault, NOT_UTF8, Role, breach};

/// Bytes of the longest header.
pub(super) const LONGEST_HEADER: usize = 14;

/// Bytes of payload that a control frame may have (RFC 6455 §5.5).
pub(super) const LONGEST_CONTROL: usize = 125;

/// What a frame is (RFC 6455 §5.2).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Opcode {
    /// A further fragment of the message that was begun.
    Continuation = 0x0,
    /// Text, or the first fragment of one.
    Text = 0x1,
    /// Bytes, or the first fragment of such a message.
    Binary = 0x2,
    /// The last frame of each side.
    Close = 0x8,
    /// Asks for a pong.
    Ping = 0x9,
    /// Answers a ping.
    Pong = 0xA,
}

impl Opcode {
    /// Whether it may come between the fragments of a message.
    #[must_use]
    pub fn is_control(self) -> bool {
        matches!(self, Self::Close | Self::Ping | Self::Pong)
    }

    fn from_bits(bits: u8) -> Option<Self> {
        Some(match bits {
            0x0 => Self::Continuation,
            0x1 => Self::Text,
            0x2 => Self::Binary,
            0x8 => Self::Close,
            0x9 => Self::Ping,
            0xA => Self::Pong,
            _ => return None,
        })
    }
}

/// A frame's header, taken apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Header {
    pub(super) fin: bool,
    /// The message that begins here is compressed (RFC 7692 §7.2.1).
    pub(super) deflated: bool,
    pub(super) opcode: Opcode,
    /// As it was announced, which proves nothing.
    pub(super) length: usize,
    /// Zeros when the frame is not masked.
    pub(super) key: [u8; 4],
}

/// What makes a header right or wrong besides itself.
#[derive(Clone, Copy)]
pub(super) struct Manner {
    pub(super) role: Role,
    /// A message has begun.
    pub(super) within: bool,
    /// Messages may be compressed.
    pub(super) deflates: bool,
}

impl Header {
    /// The header that begins `bytes`, and its size; `None` while it is cut.
    pub(super) fn parse(bytes: &[u8], manner: Manner) -> Result<Option<(Self, usize)>, Fault> {
        let Some((first, rest)) = bytes.split_first() else { return Ok(None) };
        let (fin, deflated, opcode) = first_byte(*first, manner)?;
        let Some((second, rest)) = rest.split_first() else { return Ok(None) };
        let short = second_byte(*second, opcode, manner.role)?;
        let (length, rest) = match short {
            126 => match rest.split_first_chunk() {
                Some((length, rest)) => (minimal(u64::from(u16::from_be_bytes(*length)), 126)?, rest),
                None => return Ok(None),
            },
            127 => match rest.split_first_chunk() {
                Some((length, rest)) => (minimal(u64::from_be_bytes(*length), 1 << 16)?, rest),
                None => return Ok(None),
            },
            short => (usize::from(short), rest),
        };
        let (key, rest) = match manner.role {
            Role::Client => ([0; 4], rest),
            Role::Server => match rest.split_first_chunk() {
                Some((key, rest)) => (*key, rest),
                None => return Ok(None),
            },
        };
        Ok(Some((Self { fin, deflated, opcode, length, key }, bytes.len() - rest.len())))
    }
}

fn first_byte(byte: u8, manner: Manner) -> Result<(bool, bool, Opcode), Fault> {
    let (fin, deflated) = (byte & 0x80 != 0, byte & 0x40 != 0);
    if byte & 0x30 != 0 || (deflated && !manner.deflates) {
        return Err(breach("a reserved bit without an extension"));
    }
    let opcode = Opcode::from_bits(byte & 0x0F).ok_or(breach("a reserved opcode"))?;
    if opcode.is_control() {
        if !fin {
            return Err(breach("a fragmented control frame"));
        }
    } else if opcode == Opcode::Continuation && !manner.within {
        return Err(breach("a continuation of nothing"));
    } else if opcode != Opcode::Continuation && manner.within {
        return Err(breach("a new message within another"));
    }
    // RFC 7692 §6.1: the first frame says it for the whole message.
    if deflated && !matches!(opcode, Opcode::Text | Opcode::Binary) {
        return Err(breach("the bit for compression where no message begins"));
    }
    Ok((fin, deflated, opcode))
}

/// The short length: below 126 it is the length.
fn second_byte(byte: u8, opcode: Opcode, role: Role) -> Result<u8, Fault> {
    let is_masked = byte & 0x80 != 0;
    let short = byte & 0x7F;
    if role == Role::Server && !is_masked {
        return Err(breach("a frame without a mask"));
    }
    if role == Role::Client && is_masked {
        return Err(breach("a masked frame from a server"));
    }
    if opcode.is_control() && usize::from(short) > LONGEST_CONTROL {
        return Err(breach("a control frame that is too long"));
    }
    Ok(short)
}

/// A long length, if no shorter form would have done and its top bit is clear. One beyond the memory is as
/// good as the whole memory: too large either way.
fn minimal(length: u64, least: u64) -> Result<usize, Fault> {
    if length < least {
        return Err(breach("a length in a longer form than it needs"));
    }
    if length >> 63 != 0 {
        return Err(breach("a length with its top bit set"));
    }
    Ok(usize::try_from(length).unwrap_or(usize::MAX))
}

/// What a close frame says (RFC 6455 §5.5.1).
pub(super) fn close_reason(payload: &[u8]) -> Result<Option<(u16, &str)>, Fault> {
    if payload.is_empty() {
        return Ok(None);
    }
    let Some((code, reason)) = payload.split_first_chunk() else {
        return Err(breach("a close frame of one byte"));
    };
    let code = u16::from_be_bytes(*code);
    if !may_be_sent(code) {
        return Err(breach("an invalid close code"));
    }
    let reason = std::str::from_utf8(reason).map_err(|_| NOT_UTF8)?;
    Ok(Some((code, reason)))
}

/// RFC 6455 §7.4, and the codes registered with IANA since. The gaps are codes that only describe, and the
/// unassigned.
fn may_be_sent(code: u16) -> bool {
    matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999)
}
