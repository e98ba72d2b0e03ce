//! Chunked bodies (RFC 9112 §7.1), a byte at a time save for their data.
//!
//! Extensions and trailers are checked, counted and forgotten. Refuses to know heads, and never trusts a
//! size: memory grows with the data that came.

use super::{BARE_LF, BODY_TOO_LARGE, Refused, append, bad};
use model::Limits;

/// Digits of a chunk's size at most: those of 64 bits.
const MOST_DIGITS: u8 = 16;

/// How far the decoding of one chunked body has come.
#[derive(Clone, Copy, Debug)]
pub(super) struct Chunks {
    at: At,
    /// The size as read so far, then what is missing of the chunk's data.
    left: usize,
    /// Bytes of extensions and trailers, all together.
    idle_talk: usize,
}

/// What must come next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum At {
    /// A digit of the size, or after the first digit an extension or the end of the line.
    Size {
        digits: u8,
    },
    Extension,
    SizeLf,
    Data,
    DataCr,
    DataLf,
    /// A trailer line, or the empty line that ends the body.
    Trailer,
    TrailerText,
    TrailerLf,
    LastLf,
    Done,
}

impl Default for Chunks {
    fn default() -> Self {
        Self { at: At::Size { digits: 0 }, left: 0, idle_talk: 0 }
    }
}

impl Chunks {
    /// Appends to `out`, where the body begins at `start`, the data found in `input`; true when the body is
    /// whole.
    pub(super) fn take(
        &mut self,
        input: &mut &[u8],
        out: &mut Vec<u8>,
        start: usize,
        limits: &Limits,
    ) -> Result<bool, Refused> {
        let bound = start.saturating_add(limits.message_bytes);
        while self.at != At::Done {
            if self.at == At::Data {
                let (data, after) = input.split_at_checked(self.left).unwrap_or((input, &[]));
                append(out, data, bound);
                *input = after;
                self.left -= data.len();
                if self.left > 0 {
                    return Ok(false);
                }
                self.at = At::DataCr;
            }
            let Some((byte, after)) = input.split_first() else { return Ok(false) };
            *input = after;
            self.at = self.step(*byte, bound.saturating_sub(out.len()), limits)?;
        }
        Ok(true)
    }

    /// What must come after this byte of the framing, when there is room for so many bytes of data.
    fn step(&mut self, byte: u8, room: usize, limits: &Limits) -> Result<At, Refused> {
        match (self.at, byte) {
            (At::Size { digits }, _) => self.size(byte, digits),
            (At::Extension, b'\r') => Ok(At::SizeLf),
            (At::TrailerText, b'\r') => Ok(At::TrailerLf),
            (At::SizeLf, b'\n') if self.left == 0 => Ok(At::Trailer),
            (At::SizeLf, b'\n') if self.left > room => Err(BODY_TOO_LARGE),
            (At::SizeLf, b'\n') => Ok(At::Data),
            (At::DataCr, b'\r') => Ok(At::DataLf),
            (At::DataLf, b'\n') => Ok(At::Size { digits: 0 }),
            (At::Trailer, b'\r') => Ok(At::LastLf),
            (At::Trailer, b' ' | b'\t') => Err(bad("a folded trailer line")),
            (At::TrailerLf, b'\n') => Ok(At::Trailer),
            (At::LastLf, b'\n') => Ok(At::Done),
            (At::Trailer | At::TrailerText, _) => self.forget(byte, At::TrailerText, limits),
            (At::Extension, _) => self.forget(byte, At::Extension, limits),
            (At::DataCr | At::DataLf, _) => Err(bad("a chunk that is longer than its size")),
            (At::SizeLf | At::TrailerLf | At::LastLf, _) => Err(bad("a carriage return without a line feed")),
            (At::Data | At::Done, _) => Ok(self.at),
        }
    }

    fn size(&mut self, byte: u8, digits: u8) -> Result<At, Refused> {
        match (char::from(byte).to_digit(16), byte) {
            (Some(_), _) if digits == MOST_DIGITS => Err(bad("a chunk size of too many digits")),
            (Some(digit), _) => {
                // What overflows is too large whatever it was.
                let digit = usize::try_from(digit).unwrap_or(usize::MAX);
                self.left = if digits == 0 { 0 } else { self.left };
                self.left = self.left.saturating_mul(16).saturating_add(digit);
                Ok(At::Size { digits: digits + 1 })
            }
            (None, b'\n') => Err(BARE_LF),
            (None, b'\r') if digits > 0 => Ok(At::SizeLf),
            (None, b';') if digits > 0 => Ok(At::Extension),
            (None, _) => Err(bad("a malformed chunk size")),
        }
    }

    /// A byte of an extension or a trailer, which nobody wants to know.
    fn forget(&mut self, byte: u8, at: At, limits: &Limits) -> Result<At, Refused> {
        self.idle_talk += 1;
        match byte {
            b'\n' => Err(BARE_LF),
            byte if byte.is_ascii_control() && byte != b'\t' => {
                Err(bad("a control character in a chunk extension or trailer"))
            }
            _ if self.idle_talk > limits.head_bytes => {
                Err(Refused { status: 431, detail: "too many chunk extensions or trailers" })
            }
            _ => Ok(at),
        }
    }
}
