//! What the crowd says: requests, frames, and nonsense. Knows no sockets.

use crate::dice::Dice;
use carrier::websocket::{self, Opcode};

/// Channels of each kind. The kinds are told apart by the server's configuration.
const CHANNELS: u64 = 12;
/// Kinds of channels: plain, with a window, whose slow readers lose the oldest, who keep the latest.
const KINDS: [&str; 4] = ["r", "w", "o", "k"];
/// The channel of much and large talk, for readers that do not read.
pub(crate) const FLOOD: &str = "flood";

pub(crate) fn channel(dice: &mut Dice) -> String {
    let kind = KINDS.get(usize::from(dice.number().to_le_bytes()[0] % 4)).unwrap_or(&"r");
    format!("{kind}.{}", dice.below(CHANNELS))
}

/// A request that makes a connection a WebSocket.
pub(crate) fn upgrade(path: &str) -> Vec<u8> {
    format!(
        "GET {path} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    .into_bytes()
}

pub(crate) fn get(path: &str, headers: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n").into_bytes()
}

/// A publish by HTTP; its body whole or in chunks.
pub(crate) fn post(channel: &str, payload: &str, chunked: bool) -> Vec<u8> {
    let head = format!("POST /c/{channel} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n");
    if chunked {
        let (front, back) = payload.split_at(payload.len() / 2);
        let chunk = |part: &str| format!("{:x}\r\n{part}\r\n", part.len());
        format!("{head}Transfer-Encoding: chunked\r\n\r\n{}{}0\r\n\r\n", chunk(front), chunk(back))
            .into_bytes()
    } else {
        format!("{head}Content-Length: {}\r\n\r\n{payload}", payload.len()).into_bytes()
    }
}

/// A payload that says who says it, and which of its messages it is.
pub(crate) fn payload(publisher: u64, number: u64, size: u64) -> String {
    let padding = "x".repeat(usize::try_from(size).unwrap_or(0));
    format!("[{publisher},{number},\"{padding}\"]")
}

pub(crate) fn text(text: &str, dice: &mut Dice) -> Vec<u8> {
    masked(Opcode::Text, text.as_bytes(), dice)
}

pub(crate) fn masked(opcode: Opcode, payload: &[u8], dice: &mut Dice) -> Vec<u8> {
    let [a, b, c, d, ..] = dice.number().to_le_bytes();
    let mut out = Vec::new();
    websocket::masked(&mut out, opcode, payload, [a, b, c, d]);
    out
}

/// A text message in pieces, with a ping among them.
pub(crate) fn fragments(text: &str, dice: &mut Dice) -> Vec<u8> {
    let (front, back) = text.split_at(text.len() / 2);
    let mut out = masked(Opcode::Text, front.as_bytes(), dice);
    let mut last = masked(Opcode::Continuation, back.as_bytes(), dice);
    // The first is not final.
    if let Some(first) = out.first_mut() {
        *first &= 0x7f;
    }
    out.extend(masked(Opcode::Ping, b"between", dice));
    out.append(&mut last);
    out
}

/// What nobody should send.
pub(crate) fn nonsense(dice: &mut Dice) -> Vec<u8> {
    let size = dice.below(600) + 1;
    match dice.below(6) {
        0 => dice.bytes(size),
        1 => b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n".to_vec(),
        2 => [upgrade("/"), dice.bytes(size)].concat(),
        3 => format!("GET /{} HTTP/1.1\r\nHost: localhost\r\n", "a".repeat(40_000)).into_bytes(),
        4 => [post("r.1", "[]", true), b"zz\r\n".to_vec(), dice.bytes(size)].concat(),
        _ => {
            let mut request = get("/c/r.1", "Accept: text/event-stream\r\n");
            let place = dice.below(u64::try_from(request.len()).unwrap_or(1));
            if let Some(byte) = usize::try_from(place).ok().and_then(|place| request.get_mut(place)) {
                *byte = dice.number().to_le_bytes()[0];
            }
            request
        }
    }
}
