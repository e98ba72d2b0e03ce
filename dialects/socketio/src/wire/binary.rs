//! Packets with attachments: JSON text in which placeholders stand for bytes that follow. Collects them, carries them
//! through the hub as one piece, and puts the bytes into JSON for whoever has no attachments. Knows no msgpack.

mod pack;
mod placeholder;
#[cfg(test)]
mod tests;

pub use pack::{Packed, pack, unpack};
pub(super) use placeholder::{Place, places};
pub use placeholder::{as_json, sole, write_placeholder};

use crate::wire::engine::Revision;
use crate::wire::packet::{self, Kind, Limits, Malformed, Packet};
use bytes::Bytes;

/// A packet that stands for itself, with its attachments.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Whole {
    /// What it is for; a binary kind exactly if there are attachments.
    pub kind: Kind,
    /// To which namespace it belongs.
    pub namespace: String,
    /// What follows `?` in the namespace, in revision 3.
    pub query: Option<String>,
    /// The id of an acknowledgement.
    pub ack: Option<u64>,
    /// JSON text, as in [`Packet::data`], whose placeholders stand for attachments that are there.
    pub data: Option<String>,
    /// What the placeholders stand for, by number.
    pub attachments: Vec<Bytes>,
}

impl Whole {
    /// The packet without its attachments.
    #[must_use]
    pub fn packet(&self) -> Packet<'_> {
        Packet {
            kind: self.kind,
            // Limits count attachments in a byte.
            attachments: u8::try_from(self.attachments.len()).unwrap_or(u8::MAX),
            namespace: &self.namespace,
            query: self.query.as_deref(),
            ack: self.ack,
            data: self.data.as_deref(),
        }
    }
}

/// Reads packets of text frames, and what follows them in binary frames.
#[derive(Debug, Default)]
pub struct Reader {
    waiting: Option<Box<Assembly>>,
}

impl Reader {
    /// A reader that waits for nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether attachments are to come. Who waits holds what has come of them, up to [`Limits::bytes`].
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        self.waiting.is_some()
    }

    /// Reads a text frame. `None`: its attachments are to follow.
    ///
    /// # Errors
    /// What is wrong with it, or that attachments were to come.
    pub fn text<'a>(
        &mut self,
        text: &'a str,
        revision: Revision,
        limits: &Limits,
    ) -> Result<Option<Packet<'a>>, Malformed> {
        if self.waiting.take().is_some() {
            return Err(Malformed::TextInstead);
        }
        let packet = packet::read(text, revision, limits)?;
        if packet.attachments == 0 {
            return Ok(Some(packet));
        }
        self.waiting = Some(Box::new(Assembly::new(&packet)?));
        Ok(None)
    }

    /// Reads a binary frame. `None`: more attachments are to follow.
    ///
    /// # Errors
    /// No attachment was to come, or they are too long.
    pub fn bytes(&mut self, part: &[u8], limits: &Limits) -> Result<Option<Whole>, Malformed> {
        let mut waiting = self.waiting.take().ok_or(Malformed::BytesInstead)?;
        if waiting.add(part, limits)? {
            return Ok(Some(waiting.whole));
        }
        self.waiting = Some(waiting);
        Ok(None)
    }
}

/// A packet whose attachments have not all come.
#[derive(Debug)]
struct Assembly {
    whole: Whole,
    /// How often each attachment is used.
    uses: Vec<usize>,
    /// Bytes that have come, as often as they are used.
    bytes: usize,
}

impl Assembly {
    fn new(packet: &Packet<'_>) -> Result<Self, Malformed> {
        let uses = uses(packet.data.unwrap_or_default(), usize::from(packet.attachments))?;
        let whole = Whole {
            kind: packet.kind,
            namespace: packet.namespace.to_owned(),
            query: packet.query.map(str::to_owned),
            ack: packet.ack,
            data: packet.data.map(str::to_owned),
            attachments: Vec::new(),
        };
        Ok(Self { whole, uses, bytes: 0 })
    }

    /// Takes an attachment; whether it was the last.
    fn add(&mut self, part: &[u8], limits: &Limits) -> Result<bool, Malformed> {
        let uses = self.uses.get(self.whole.attachments.len()).copied().unwrap_or_default();
        self.bytes = self.bytes.saturating_add(part.len().saturating_mul(uses.max(1)));
        if self.bytes > limits.bytes {
            return Err(Malformed::TooLongAttachments(limits.bytes));
        }
        self.whole.attachments.push(Bytes::copy_from_slice(part));
        Ok(self.whole.attachments.len() == self.uses.len())
    }
}

/// How often placeholders stand for each of so many attachments. As in the reference an attachment may be used more
/// than once, or never.
fn uses(json: &str, attachments: usize) -> Result<Vec<usize>, Malformed> {
    let mut uses = vec![0_usize; attachments];
    for place in places(json) {
        let uses = place.number.and_then(|n| uses.get_mut(n)).ok_or(Malformed::Placeholder)?;
        *uses += 1;
    }
    Ok(uses)
}

/// Bytes of attachments, each as often as it is used: how long they get where they are written out.
fn written_out(uses: &[usize], lengths: impl Iterator<Item = usize>) -> usize {
    let each = uses.iter().zip(lengths).map(|(uses, length)| length.saturating_mul(*uses.max(&1)));
    each.fold(0, usize::saturating_add)
}
