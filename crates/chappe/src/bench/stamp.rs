//! What each message carries: its number in its room and when it was sent, in letters that JSON does not escape.
//!
//! A message is a rooms packet. What a member hears of it depends on what it speaks, but it knows where the stamp is.

use crate::cli::Tongue;

/// Bytes of a stamp, and so of the shortest payload.
const STAMP: usize = 2 * LETTERS;
/// A letter is four bits.
const LETTERS: usize = 16;

/// The stamp of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    /// Counts the messages of the room from 0.
    pub(super) number: u64,
    /// When it was sent, or due.
    pub(super) at: u64,
}

/// The name of a room. `run` keeps runs apart that meet in one server. Where channels are numbers it is one, of 32 bits.
pub(super) fn room(tongue: Tongue, run: u32, room: u32) -> String {
    match tongue {
        Tongue::Rooms | Tongue::SocketIo | Tongue::SocketIoPolling => format!("bench-{run}-{room:06}"),
        Tongue::Stream | Tongue::Device => (run % 4000 * 1_000_000 + 1_000_000 + room).to_string(),
    }
}

/// What every message to a room begins with.
pub(super) fn prefix(room: &str) -> Vec<u8> {
    format!("{{\"event\":\"{room}\",\"payload\":\"").into_bytes()
}

/// Subscribes to a room.
pub(super) fn subscribe(room: &str) -> Vec<u8> {
    format!("{{\"event\":\"subscribe\",\"payload\":[\"{room}\"]}}").into_bytes()
}

/// Appends a message whose payload is `size` bytes.
pub(super) fn write(out: &mut Vec<u8>, prefix: &[u8], stamp: Stamp, size: usize) {
    out.extend_from_slice(prefix);
    out.extend_from_slice(&letters(stamp.number));
    out.extend_from_slice(&letters(stamp.at));
    out.resize(out.len() + size.saturating_sub(STAMP), b'.');
    out.extend_from_slice(b"\"}");
}

/// The stamp of a message to the room of this prefix; `None` for anything else.
pub(super) fn read(text: &[u8], prefix: &[u8]) -> Option<Stamp> {
    let (number, rest) = text.strip_prefix(prefix)?.split_first_chunk::<LETTERS>()?;
    let (at, _) = rest.split_first_chunk::<LETTERS>()?;
    Some(Stamp { number: number_of(*number), at: number_of(*at) })
}

fn letters(number: u64) -> [u8; LETTERS] {
    let mut shift = u64::BITS;
    std::array::from_fn(|_| {
        shift -= 4;
        b'a' + (number >> shift & 15) as u8
    })
}

/// PERF: every delivery of a run is read here, on the generator's only thread: half a number at a time.
fn number_of(letters: [u8; LETTERS]) -> u64 {
    let both = u128::from_be_bytes(letters);
    half((both >> 64) as u64) << 32 | half(both as u64)
}

/// Eight letters as 32 bits: neighbours are moved together, then pairs of them, then fours.
fn half(letters: u64) -> u64 {
    let x = letters.wrapping_sub(u64::from_ne_bytes([b'a'; 8]));
    let x = (x | x >> 4) & 0x00ff_00ff_00ff_00ff;
    let x = (x | x >> 8) & 0x0000_ffff_0000_ffff;
    (x | x >> 16) & 0xffff_ffff
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_survive() {
        let prefix = prefix(&room(Tongue::Rooms, 7, 12));
        for (number, at) in [(0, 0), (1, u64::MAX), (0x0123_4567_89ab_cdef, 0xfedc_ba98_7654_3210)] {
            for size in [STAMP, 128] {
                let mut text = Vec::new();
                write(&mut text, &prefix, Stamp { number, at }, size);
                assert_eq!(read(&text, &prefix), Some(Stamp { number, at }));
                assert_eq!(text.len(), prefix.len() + size + 2);
                let json: serde_json::Value = serde_json::from_slice(&text).unwrap();
                assert_eq!(json["event"], "bench-7-000012");
                assert_eq!(json["payload"].as_str().map(str::len), Some(size));
            }
        }
    }

    #[test]
    fn rooms_that_are_numbers_have_32_bits() {
        for tongue in [Tongue::Stream, Tongue::Device] {
            assert_eq!(room(tongue, 7, 12), "8000012");
            assert!(room(tongue, u32::MAX, 999_999).parse::<u32>().is_ok());
        }
    }

    #[test]
    fn other_frames_have_none() {
        let prefix = prefix(&room(Tongue::Rooms, 7, 12));
        assert_eq!(read(b"{\"msg\":\"Subscribed to bench-7-000012\"}", &prefix), None);
        assert_eq!(read(&prefix, &prefix), None);
        assert_eq!(
            subscribe("bench-7-000001"),
            b"{\"event\":\"subscribe\",\"payload\":[\"bench-7-000001\"]}"
        );
    }
}
