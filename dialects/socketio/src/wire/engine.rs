//! Engine.IO packets, revisions 3 and 4, as WebSocket messages hold them. Payloads of several are in [`payload`].

pub mod payload;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use std::borrow::Cow;

/// Which revision of the protocol a client speaks: `EIO=4`, or anything before.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Revision {
    /// Clients of Socket.IO 1 and 2.
    Three,
    /// Clients of Socket.IO 3 and 4.
    Four,
}

/// A packet.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Packet<'a> {
    /// `0`. Servers say it.
    Open,
    /// `1`: the session ends.
    Close,
    /// `2`, and what is to come back.
    Ping(&'a str),
    /// `3`, and what came.
    Pong(&'a str),
    /// `4` and text: for the layer above.
    Text(&'a str),
    /// Bytes for the layer above.
    Binary(Cow<'a, [u8]>),
    /// `5`: from now on on this link.
    Upgrade,
    /// `6`: nothing.
    Noop,
}

/// It is no packet, or none that belongs there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Malformed;

/// What a text packet that the layer above has written begins with.
pub const MESSAGE: u8 = b'4';
/// What a binary packet of revision 3 begins with.
pub const BINARY: u8 = 4;

impl<'a> Packet<'a> {
    /// Reads a packet of text.
    ///
    /// # Errors
    /// It is none.
    pub fn of_text(text: &'a str, revision: Revision) -> Result<Self, Malformed> {
        let Some((kind, rest)) = text.split_at_checked(1) else { return Err(Malformed) };
        Ok(match kind {
            "0" => Self::Open,
            "1" => Self::Close,
            "2" => Self::Ping(rest),
            "3" => Self::Pong(rest),
            "4" => Self::Text(rest),
            "5" => Self::Upgrade,
            "6" => Self::Noop,
            "b" => {
                let digits = match revision {
                    Revision::Three => rest.strip_prefix('4').ok_or(Malformed)?,
                    Revision::Four => rest,
                };
                Self::Binary(BASE64_STANDARD.decode(digits).map_err(|_| Malformed)?.into())
            }
            _ => return Err(Malformed),
        })
    }

    /// Reads a packet of bytes.
    ///
    /// # Errors
    /// It is none.
    pub fn of_bytes(bytes: &'a [u8], revision: Revision) -> Result<Self, Malformed> {
        match (revision, bytes.split_first()) {
            (Revision::Four, _) => Ok(Self::Binary(bytes.into())),
            (Revision::Three, Some((&BINARY, rest))) => Ok(Self::Binary(rest.into())),
            (Revision::Three, Some(_) | None) => Err(Malformed),
        }
    }
}

/// Whether bytes go as a message of text, on a WebSocket. `as_text`: the client cannot read binary ones. Those of
/// revision 4 can.
#[must_use]
pub fn is_digits(revision: Revision, as_text: bool) -> bool {
    as_text && revision == Revision::Three
}

/// Writes bytes of the layer above as a WebSocket message: of text where [`is_digits`] says so.
pub fn binary(revision: Revision, as_text: bool, bytes: &[u8], out: &mut Vec<u8>) {
    if is_digits(revision, as_text) {
        return in_digits(revision, bytes, out);
    }
    if revision == Revision::Three {
        out.push(BINARY);
    }
    out.extend_from_slice(bytes);
}

/// Writes bytes as a packet of text.
fn in_digits(revision: Revision, bytes: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(match revision {
        Revision::Three => b"b4",
        Revision::Four => b"b",
    });
    out.extend_from_slice(BASE64_STANDARD.encode(bytes).as_bytes());
}

/// What a server tells who opens a session: all of the `0` packet.
#[derive(Clone, Copy, Debug)]
pub struct Open<'a> {
    /// The session's id.
    pub sid: &'a str,
    /// Whether it may change to WebSocket.
    pub may_upgrade: bool,
    /// Milliseconds between two pings.
    pub ping_interval: u64,
    /// Milliseconds to wait for the answer to one.
    pub ping_timeout: u64,
    /// The longest payload, in bytes.
    pub max_payload: usize,
}

/// Writes the `0` packet.
pub fn open(open: &Open<'_>, out: &mut Vec<u8>) {
    let upgrades = if open.may_upgrade { "[\"websocket\"]" } else { "[]" };
    let Open { sid, ping_interval, ping_timeout, max_payload, .. } = open;
    // An id is of letters, digits, `-` and `_`.
    out.extend_from_slice(
        format!(
            "0{{\"sid\":\"{sid}\",\"upgrades\":{upgrades},\"pingInterval\":{ping_interval},\
             \"pingTimeout\":{ping_timeout},\"maxPayload\":{max_payload}}}"
        )
        .as_bytes(),
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_of_text() {
        for revision in [Revision::Three, Revision::Four] {
            let of = |text| Packet::of_text(text, revision);
            assert_eq!(of("2probe"), Ok(Packet::Ping("probe")));
            assert_eq!(of("42[\"é\"]"), Ok(Packet::Text("2[\"é\"]")));
            assert_eq!(of("4"), Ok(Packet::Text("")));
            assert_eq!(of("6"), Ok(Packet::Noop));
            for wrong in ["", "7", "é", "bx", "b4x", "x"] {
                assert_eq!(of(wrong), Err(Malformed), "{wrong}");
            }
        }
        let bytes = Packet::Binary(vec![1, 2, 3].into());
        assert_eq!(Packet::of_text("bAQID", Revision::Four), Ok(bytes.clone()));
        assert_eq!(Packet::of_text("b4AQID", Revision::Three), Ok(bytes));
    }

    #[test]
    fn bytes_go_there_and_back() {
        for (revision, as_text) in
            [(Revision::Three, false), (Revision::Three, true), (Revision::Four, false)]
        {
            let mut out = Vec::new();
            binary(revision, as_text, &[4, 0, 255], &mut out);
            let read = match is_digits(revision, as_text) {
                true => Packet::of_text(std::str::from_utf8(&out).unwrap(), revision),
                false => Packet::of_bytes(&out, revision),
            };
            assert_eq!(read, Ok(Packet::Binary(vec![4, 0, 255].into())));
        }
        assert_eq!(Packet::of_bytes(b"", Revision::Three), Err(Malformed));
        assert_eq!(Packet::of_bytes(&[2], Revision::Three), Err(Malformed));
        assert_eq!(Packet::of_bytes(b"", Revision::Four), Ok(Packet::Binary(vec![].into())));
    }

    #[test]
    fn a_session_is_opened_as_the_reference_opens_it() {
        let told = Open {
            sid: "x",
            may_upgrade: true,
            ping_interval: 25_000,
            ping_timeout: 20_000,
            max_payload: 1000,
        };
        let mut out = Vec::new();
        open(&told, &mut out);
        let expected = r#"0{"sid":"x","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000}"#;
        assert_eq!(std::str::from_utf8(&out).unwrap(), expected);
    }
}
