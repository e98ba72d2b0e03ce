//! An argument list and its attachments in one piece, as the hub carries them unaltered: a byte that counts the
//! attachments, the length of each in four bytes (little-endian), the attachments, and the rest is the list's JSON
//! text. Knows no packets.

use super::{uses, written_out};
use crate::wire::packet::{Limits, Malformed};
use bytes::Bytes;
use dialect::json;

/// An argument list and its attachments.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Packed<'a> {
    /// A JSON array as it was written.
    pub arguments: &'a str,
    /// What its placeholders stand for, by number. They share the bytes that came.
    pub attachments: Vec<Bytes>,
}

/// An argument list and its attachments in one piece. `None`: there are more than 255 of them, or one is longer than
/// 4 GiB.
#[must_use]
pub fn pack(arguments: &str, attachments: &[Bytes]) -> Option<Bytes> {
    let bytes: usize = attachments.iter().map(|a| a.len() + 4).sum();
    let mut out = Vec::with_capacity(1 + bytes + arguments.len());
    out.push(u8::try_from(attachments.len()).ok()?);
    for attachment in attachments {
        out.extend_from_slice(&u32::try_from(attachment.len()).ok()?.to_le_bytes());
    }
    for attachment in attachments {
        out.extend_from_slice(attachment);
    }
    out.extend_from_slice(arguments.as_bytes());
    Some(out.into())
}

/// Reads such a piece. What it gives is as safe to write as what came from a client. `None`: the bytes are none, or it
/// is beyond the limits.
#[must_use]
pub fn unpack<'a>(bytes: &'a Bytes, limits: &Limits) -> Option<Packed<'a>> {
    let (count, mut lengths) = bytes.split_first()?;
    if *count > limits.attachments {
        return None;
    }
    let mut at = 1 + 4 * usize::from(*count);
    let mut attachments = Vec::new();
    for _ in 0..*count {
        let (length, rest) = lengths.split_first_chunk()?;
        let end = at.checked_add(usize::try_from(u32::from_le_bytes(*length)).ok()?)?;
        // `slice` panics out of range.
        bytes.get(at..end)?;
        attachments.push(bytes.slice(at..end));
        (lengths, at) = (rest, end);
    }
    let list = bytes.get(at..)?;
    json::check(list).ok()?;
    let arguments = std::str::from_utf8(list).ok().filter(|list| list.starts_with('['))?;
    if !attachments.is_empty() {
        let uses: Result<Vec<usize>, Malformed> = uses(arguments, attachments.len());
        if written_out(&uses.ok()?, attachments.iter().map(Bytes::len)) > limits.bytes {
            return None;
        }
    }
    Some(Packed { arguments, attachments })
}
