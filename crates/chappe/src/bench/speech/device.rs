//! A device of Watchtower over TCP: it registers, joins, and reads frames.

use super::{Ear, Member, Speech, stamp};
use std::io::{self, ErrorKind};

/// What the payload begins with, up to the stamp: publishers say a JSON string, and devices hear its text.
pub(super) const PREFIX: &[u8] = b"\"";
/// An acknowledgement: `A` and a number.
const ACK: usize = 5;
/// A message before its payload: `M`, sender, channel, type, length.
const HEADER: usize = 15;

/// A device.
pub(super) struct Device {
    channel: u32,
    /// Registered, and so the next acknowledgement is that of its channel.
    is_registered: bool,
    /// A frame that is not all there.
    partial: Vec<u8>,
}

impl Device {
    pub(super) fn new(room: &str) -> Self {
        Self { channel: room.parse().unwrap_or(0), is_registered: false, partial: Vec::new() }
    }

    /// Takes one frame. Its length; 0 when it is not all there.
    fn frame(
        &mut self,
        bytes: &[u8],
        member: &mut Member,
        ear: &mut Ear,
        out: &mut Vec<u8>,
    ) -> io::Result<usize> {
        match bytes.first() {
            None => Ok(0),
            Some(b'A') => {
                let Some(id) = bytes.get(1..ACK) else { return Ok(0) };
                if std::mem::replace(&mut self.is_registered, true) {
                    ear.note_joined(member);
                } else {
                    out.push(b'J');
                    out.extend_from_slice(id);
                    out.extend_from_slice(&self.channel.to_le_bytes());
                }
                Ok(ACK)
            }
            Some(b'M') => {
                let Some(length) = bytes.get(HEADER - 4..HEADER).and_then(|b| b.try_into().ok()) else {
                    return Ok(0);
                };
                let end = HEADER + u32::from_le_bytes(length) as usize;
                let Some(payload) = bytes.get(HEADER..end) else { return Ok(0) };
                if let Some(stamp) = stamp::read(payload, PREFIX) {
                    let now = ear.watch.nanos();
                    ear.hear(member, stamp, now);
                }
                Ok(end)
            }
            Some(other) => {
                let words = format!("a device was answered `{}`", other.escape_ascii());
                Err(ear.complain(words, ErrorKind::InvalidData))
            }
        }
    }
}

impl Speech for Device {
    fn begin(&mut self, out: &mut Vec<u8>) {
        out.push(b'R');
    }

    fn hear(
        &mut self,
        bytes: &mut [u8],
        member: &mut Member,
        ear: &mut Ear,
        out: &mut Vec<u8>,
    ) -> io::Result<()> {
        let gathered = std::mem::take(&mut self.partial);
        let gathered = if gathered.is_empty() { None } else { Some([&gathered, &*bytes].concat()) };
        let mut rest = gathered.as_deref().unwrap_or(bytes);
        loop {
            let taken = self.frame(rest, member, ear, out)?;
            if taken == 0 {
                self.partial.extend_from_slice(rest);
                return Ok(());
            }
            rest = rest.get(taken..).unwrap_or_default();
        }
    }
}
