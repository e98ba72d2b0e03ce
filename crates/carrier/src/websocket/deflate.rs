//! Messages made smaller, and whole again (RFC 7692 §7.2). Each message stands for itself: nothing of the one before
//! is needed to read it (`no_context_takeover`), so one compressor and one inflater serve a whole shard.
//!
//! Holds the only calls into the compression library. Refuses to know frames that are cut, and who agreed to what.

use super::encode::{self, frame};
use super::{Fault, Item, NOT_UTF8, Opcode, TOO_LARGE};
use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};
use model::Unit;

/// Shorter payloads go out as they are: a tenth would be won of 100 bytes, for 5 µs.
pub const WORTH_DEFLATING: usize = 128;

/// Longer payloads go out as they are: 256 KiB hold everybody up for half a millisecond if they are JSON, for four if
/// hardly anything in them comes twice.
pub const LONGEST_DEFLATED: usize = 256 << 10;

/// Compressed bytes that are inflated at once. A longer message is inflated in slices of so many: blocks of nothing take
/// 26 ns a byte, six times what JSON does, and yield nothing that could be counted.
pub const AT_ONCE: usize = 64 << 10;

/// The largest window there is, as a power of two; nothing further back can be referred to.
const WINDOW_BITS: u8 = 15;

/// On messages of JSON: a seventh remains. The one below leaves a fifth in half the time, the one above no less in
/// twice the time.
const LEVEL: u32 = 2;

/// Memory that is kept between messages.
const KEEP: usize = 64 << 10;

/// What is asked for at first.
const LEAST: usize = 4 << 10;

/// What compressing may add to a few bytes.
const MARGIN: usize = 64;

/// The end of a message that is not sent (RFC 7692 §7.2.1).
const UNSENT: [u8; 4] = [0, 0, 0xff, 0xff];

/// What is put behind a message to read it: its unsent end, and an empty last block. Only a message that ends where
/// a block ends can be read to the end of that.
const END: [u8; 6] = [0, 0, 0xff, 0xff, 3, 0];

/// BOUND: last blocks of one message. No compressor writes more than one; each costs as much as a beginning, may say
/// nothing, and is two bytes.
const LAST_BLOCKS: u32 = 16;

const NOT_DEFLATED: Fault = Fault { code: 1007, detail: "a compressed message that is none" };

/// What may be received of a message that is compressed: as much as it may be when inflated, and what blocks that
/// could not be made smaller add.
pub(super) fn longest(message_bytes: usize) -> usize {
    message_bytes.saturating_add(message_bytes / 8).saturating_add(MARGIN)
}

/// Writes frames whose payload is compressed. Empty until the first is wanted.
#[derive(Default)]
pub struct Deflater {
    compress: Option<Compress>,
    scratch: Vec<u8>,
}

impl Deflater {
    /// A server's frame for a peer that remembers `2^window_bits` bytes. Its payload is compressed, unless that would
    /// not make it shorter, or it could refer back further than that, or is longer than [`LONGEST_DEFLATED`]. Says
    /// whether it was.
    pub fn frame(&mut self, out: &mut Vec<u8>, opcode: Opcode, payload: &[u8], window_bits: u8) -> bool {
        let deflated = self.deflate(payload, window_bits);
        match deflated {
            Some(deflated) => encode::frame_deflated(out, opcode, deflated),
            None => frame(out, opcode, payload),
        }
        let is_deflated = deflated.is_some();
        self.scratch.clear();
        self.scratch.shrink_to(KEEP);
        is_deflated
    }

    /// The payload of a compressed message; `None`: it would be no shorter.
    fn deflate(&mut self, payload: &[u8], window_bits: u8) -> Option<&[u8]> {
        // A small window of the compressor's own would cost five times as much: it is moved every few hundred bytes.
        let most = if window_bits < WINDOW_BITS { 1 << window_bits } else { LONGEST_DEFLATED };
        if !(WORTH_DEFLATING..=most).contains(&payload.len()) {
            return None;
        }
        let compress = self.compress.get_or_insert_with(|| Compress::new(Compression::new(LEVEL), false));
        // Room for the worst case, so that one call does it all and the flush leaves one marker.
        self.scratch.reserve(payload.len() + payload.len() / 8 + MARGIN);
        let result = compress.compress_vec(payload, &mut self.scratch, FlushCompress::Sync);
        let whole = compress.total_in() == payload.len() as u64;
        compress.reset();
        let deflated = self.scratch.strip_suffix(&UNSENT)?;
        (result.is_ok() && whole && deflated.len() < payload.len()).then_some(deflated)
    }
}

/// Reads messages that are compressed, each at once or in slices. Empty until the first has come.
#[derive(Default)]
pub struct Inflater {
    state: Option<Decompress>,
    message: Vec<u8>,
    /// Compressed bytes of the message so far.
    taken: usize,
    /// What was read last was the end of a last block.
    ended: bool,
    last_blocks: u32,
}

impl Inflater {
    /// An item with its message inflated; every other item as it is. `bound`: bytes that it may have.
    ///
    /// # Errors
    /// When it would be longer than `bound`, which is found out before the memory is there; when it is no compressed
    /// message; when it is no text though it says so.
    pub fn open<'b>(&'b mut self, item: Item<'b>, bound: usize) -> Result<Item<'b>, Fault> {
        let Item::Deflated(unit, payload) = item else { return Ok(item) };
        self.begin();
        self.add(payload, bound)?;
        self.end(unit, bound)
    }

    /// A message begins, of which the parts will be added.
    pub fn begin(&mut self) {
        self.tidy();
        if let Some(state) = &mut self.state {
            state.reset(false);
        }
        (self.taken, self.ended, self.last_blocks) = (0, false, 0);
    }

    /// Inflates the next part of a message's payload. However it is cut, the same comes of it. After an error only
    /// [`begin`](Self::begin) makes sense.
    ///
    /// # Errors
    /// When it would be longer than `bound`, compressed (but for what blocks that could not be made smaller add) or not;
    /// when it is no compressed message.
    pub fn add(&mut self, part: &[u8], bound: usize) -> Result<(), Fault> {
        self.taken = self.taken.saturating_add(part.len());
        if self.taken > longest(bound) {
            return Err(TOO_LARGE);
        }
        self.inflate(part, bound)
    }

    /// The message, all of which was added.
    ///
    /// # Errors
    /// When it does not end where a compressed message may; when it is no text though `unit` says so.
    pub fn end(&mut self, unit: Unit, bound: usize) -> Result<Item<'_>, Fault> {
        self.inflate(&END, bound)?;
        if !self.ended {
            return Err(NOT_DEFLATED);
        }
        match unit {
            Unit::Text => simdutf8::basic::from_utf8(&self.message).map(Item::Text).map_err(|_| NOT_UTF8),
            Unit::Binary => Ok(Item::Binary(&self.message)),
        }
    }

    /// The bytes of the message that was inflated last, as far as it got.
    #[must_use]
    pub fn inflated(&self) -> usize {
        self.message.len()
    }

    /// Gives back the memory of a large message.
    pub fn tidy(&mut self) {
        self.message.clear();
        self.message.shrink_to(KEEP);
    }

    fn inflate(&mut self, part: &[u8], bound: usize) -> Result<(), Fault> {
        // Whatever window the peer uses, the largest holds it.
        let state = self.state.get_or_insert_with(|| Decompress::new(false));
        let mut rest = part;
        while !rest.is_empty() {
            // A last block may be followed by others (RFC 7692 §7.2.3.4).
            if std::mem::take(&mut self.ended) {
                self.last_blocks += 1;
                if self.last_blocks > LAST_BLOCKS {
                    return Err(NOT_DEFLATED);
                }
                state.reset(false);
            }
            make_room(&mut self.message, bound)?;
            let (read, written) = (state.total_in(), self.message.len());
            let status = state.decompress_vec(rest, &mut self.message, FlushDecompress::None);
            self.ended = match status {
                Ok(Status::StreamEnd) => true,
                Ok(Status::Ok | Status::BufError) => false,
                Err(_) => return Err(NOT_DEFLATED),
            };
            let taken = usize::try_from(state.total_in() - read).unwrap_or(usize::MAX);
            rest = rest.get(taken..).unwrap_or_default();
            if self.message.len() > bound {
                return Err(TOO_LARGE);
            }
            let stuck = taken == 0 && self.message.len() == written && !self.ended;
            if stuck {
                return Err(NOT_DEFLATED);
            }
        }
        Ok(())
    }
}

/// Makes room for more of a message, and for one byte beyond the bound, which is how passing it shows.
fn make_room(message: &mut Vec<u8>, bound: usize) -> Result<(), Fault> {
    if message.len() < message.capacity() {
        return Ok(());
    }
    let most = bound.saturating_add(1);
    let wanted = message.capacity().saturating_mul(2).max(LEAST).min(most);
    if wanted <= message.len() {
        return Err(TOO_LARGE);
    }
    message.reserve_exact(wanted - message.len());
    Ok(())
}
