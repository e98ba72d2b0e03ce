//! Datagrams from addresses that have no session: who sent them is not known, and may have lied about it.

use model::Now;

/// A datagram from an address that has no session.
#[derive(Clone, Copy, Debug)]
pub struct Knock<'a> {
    /// What came.
    pub datagram: &'a [u8],
    /// Where it says it comes from: sixteen bytes of the address (IPv4 as IPv6 has it), two of the port.
    pub address: [u8; 18],
    /// Whether that is this machine, about which nobody beyond it can lie.
    pub is_local: bool,
    /// What the clocks say.
    pub now: Now,
}

/// What becomes of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Welcome {
    /// A session begins for the address, and is told the datagram.
    Enter,
    /// What was written goes back. Nothing is kept.
    Answer,
    /// It is lost, as datagrams are.
    Ignore,
}
