//! Which parser a client uses. Parses nothing itself.

use crate::talk::engine::Up;
use crate::wire::engine::Revision;
use crate::wire::msgpack;

/// What packets are written in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Parser {
    /// Text, with attachments behind it.
    Text,
    /// A binary message each, in msgpack.
    Msgpack,
}

impl Parser {
    /// What a client uses, by the first that it says. SPEC [PAR-1].
    pub(super) fn of(up: &Up<'_>, revision: Revision) -> Self {
        match (up, revision) {
            (Up::Binary(bytes), Revision::Four) if msgpack::is_likely(bytes) => Self::Msgpack,
            (Up::Binary(_) | Up::Text(_), _) => Self::Text,
        }
    }
}
