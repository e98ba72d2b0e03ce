//! Packets as socket.io-msgpack-parser (3.0, over notepack.io 2.2) writes them: each is one binary message, a map of
//! `type`, `nsp`, and perhaps `data` and `id`, with bytes where they stand in the data. Reads them into JSON text with
//! placeholders, which is what the rest knows, and writes them from it. Knows no frames.
//!
//! What JSON cannot say becomes what `JSON.stringify` makes of it: a date its ISO text; `undefined` null, or in an
//! object nothing; NaN and infinities null. Of extensions those of notepack.io are read, msgpack-lite's date and bytes,
//! and timestamps (-1); others are refused. As in text an event needs a name that is not reserved, and attachments are counted.

mod read;
mod date;
mod item;
mod write;
#[cfg(test)]
mod tests;

pub use read::{begins_connect, is_likely, read};
pub use write::write;
