//! Frames into bytes, each whole and final (RFC 6455 §5), and the answer to a handshake's key (§4.2.2).
//!
//! Holds plain functions that append. Refuses to fragment: a message is written as one frame.

use super::mask::unmask;
use super::wire::{LONGEST_CONTROL, Opcode};
use base64::Engine as _;

/// The header of a server's frame whose payload of `len` bytes follows. Control frames hold at most 125
/// bytes.
pub fn header(out: &mut Vec<u8>, opcode: Opcode, len: usize) {
    head(out, 0x80 | opcode as u8, len, 0);
}

/// A server's frame.
pub fn frame(out: &mut Vec<u8>, opcode: Opcode, payload: &[u8]) {
    header(out, opcode, payload.len());
    out.extend_from_slice(payload);
}

/// A server's frame whose payload is compressed (RFC 7692 §7.2.1).
pub(super) fn frame_deflated(out: &mut Vec<u8>, opcode: Opcode, payload: &[u8]) {
    head(out, 0xC0 | opcode as u8, payload.len(), 0);
    out.extend_from_slice(payload);
}

/// A server's close frame. A reason that does not fit is cut at a character.
pub fn close(out: &mut Vec<u8>, code: u16, reason: &str) {
    let reason = reason.get(..reason.floor_char_boundary(LONGEST_CONTROL - 2)).unwrap_or_default();
    header(out, Opcode::Close, 2 + reason.len());
    out.extend_from_slice(&code.to_be_bytes());
    out.extend_from_slice(reason.as_bytes());
}

/// A client's frame. The key should be one that nobody can guess (RFC 6455 §5.3).
pub fn masked(out: &mut Vec<u8>, opcode: Opcode, payload: &[u8], key: [u8; 4]) {
    head(out, 0x80 | opcode as u8, payload.len(), 0x80);
    out.extend_from_slice(&key);
    let start = out.len();
    out.extend_from_slice(payload);
    unmask(out.get_mut(start..).unwrap_or_default(), key);
}

/// The value of `Sec-WebSocket-Accept` for a `Sec-WebSocket-Key` (RFC 6455 §4.2.2).
#[must_use]
pub fn accept_key(key: &str) -> String {
    let mut hash = sha1_smol::Sha1::new();
    hash.update(key.as_bytes());
    hash.update(b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    base64::engine::general_purpose::STANDARD.encode(hash.digest().bytes())
}

fn head(out: &mut Vec<u8>, first: u8, len: usize, mask: u8) {
    out.push(first);
    match (u8::try_from(len), u16::try_from(len)) {
        (Ok(short @ ..126), _) => out.push(mask | short),
        (_, Ok(medium)) => {
            out.push(mask | 126);
            out.extend_from_slice(&medium.to_be_bytes());
        }
        _ => {
            out.push(mask | 127);
            out.extend_from_slice(&u64::try_from(len).unwrap_or(u64::MAX).to_be_bytes());
        }
    }
}
