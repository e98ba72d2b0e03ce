//! The devices' half on the wire: commands out of bytes, whole or in any pieces, and answers into bytes. SPEC.md has the
//! table. All numbers are little-endian. Knows no channel names, and nothing of who may do what.

/// Bytes of a token as it stands on the wire.
pub const TOKEN: usize = 32;
/// Bytes of a cookie: what an address is sent to prove that it receives.
pub const COOKIE: usize = 8;
/// Bytes of a seal's code.
pub const CODE: usize = 16;
/// What one datagram can carry (UDP over IPv4).
pub const DATAGRAM: usize = 65_507;

/// What a device asks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Command<'a> {
    /// `R`: be somebody.
    Register,
    /// `r`: be somebody who can come back. An extension.
    RegisterWith {
        /// What it shows; may be empty.
        secret: &'a [u8],
    },
    /// `T`: be somebody again. An extension.
    Resume {
        /// Who.
        id: u32,
        /// What proves it.
        token: &'a [u8],
    },
    /// `J`: hear a channel.
    Join {
        /// Who asks.
        id: u32,
        /// Which.
        channel: u32,
    },
    /// `L`: hear it no more. An extension.
    Leave {
        /// Who asks.
        id: u32,
        /// Which.
        channel: u32,
    },
    /// `M`: say something to a channel.
    Message {
        /// Who says it.
        id: u32,
        /// Where.
        channel: u32,
        /// What.
        body: &'a [u8],
    },
    /// `K`: nothing but a sign of life. An extension.
    KeepAlive,
}

/// Why bytes are no command.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// None begins so.
    Unknown,
    /// The body is longer than it may be.
    TooLong,
    /// Something stands behind a command in its datagram, or half of one in it.
    NoDatagram,
}

/// Line ends between commands, as `echo` leaves them, mean nothing.
fn blanks(input: &[u8]) -> usize {
    input.iter().take_while(|b| matches!(b, b'\r' | b'\n')).count()
}

fn number(input: &[u8], at: usize) -> Option<u32> {
    input.get(at..at + 4)?.try_into().ok().map(u32::from_le_bytes)
}

/// The command at the beginning of `input`, and its length; `None`: not all of it is there. `bound`: bytes of a body.
fn command(input: &[u8], bound: usize) -> Result<Option<(Command<'_>, usize)>, Fault> {
    let Some(letter) = input.first() else { return Ok(None) };
    let ids = || number(input, 1).zip(number(input, 5));
    let found = match letter {
        b'R' => Some((Command::Register, 1)),
        b'K' => Some((Command::KeepAlive, 1)),
        b'J' => ids().map(|(id, channel)| (Command::Join { id, channel }, 9)),
        b'L' => ids().map(|(id, channel)| (Command::Leave { id, channel }, 9)),
        b'r' => input.get(1).and_then(|length| {
            let end = 2 + usize::from(*length);
            input.get(2..end).map(|secret| (Command::RegisterWith { secret }, end))
        }),
        b'T' => number(input, 1)
            .zip(input.get(5..5 + TOKEN))
            .map(|(id, token)| (Command::Resume { id, token }, 5 + TOKEN)),
        b'M' => {
            let length = number(input, 9).map(|length| usize::try_from(length).unwrap_or(usize::MAX));
            if length.is_some_and(|length| length > bound) {
                return Err(Fault::TooLong);
            }
            length.zip(ids()).and_then(|(length, (id, channel))| {
                let end = 13 + length;
                input.get(13..end).map(|body| (Command::Message { id, channel, body }, end))
            })
        }
        _ => return Err(Fault::Unknown),
    };
    Ok(found)
}

/// Whether whoever hears commands wants the next one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Next {
    /// Yes.
    Go,
    /// Not before something else has happened: the rest is kept.
    Stop,
}

/// Commands out of a stream that may be cut anywhere. Keeps nothing while there is no half a command.
#[derive(Debug, Default)]
pub struct Decoder {
    kept: Vec<u8>,
}

impl Decoder {
    /// Takes bytes, and tells each command that is whole. `bound`: bytes of a body.
    ///
    /// # Errors
    /// What stands there is no command. What follows means nothing any more.
    pub fn feed(
        &mut self,
        bytes: &[u8],
        bound: usize,
        mut hear: impl FnMut(Command<'_>) -> Next,
    ) -> Result<(), Fault> {
        let mut kept = std::mem::take(&mut self.kept);
        let input = if kept.is_empty() {
            bytes
        } else {
            kept.extend_from_slice(bytes);
            &kept
        };
        let mut at = 0;
        loop {
            let rest = input.get(at..).unwrap_or_default();
            at += blanks(rest);
            let rest = input.get(at..).unwrap_or_default();
            let Some((heard, length)) = command(rest, bound)? else { break };
            at += length;
            if hear(heard) == Next::Stop {
                break;
            }
        }
        if at >= input.len() {
            return Ok(());
        }
        if kept.is_empty() {
            self.kept = bytes.get(at..).unwrap_or_default().to_vec();
        } else {
            kept.drain(..at);
            self.kept = kept;
        }
        Ok(())
    }

    /// Bytes that wait: half a command, or what came after [`Next::Stop`].
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.kept.len()
    }

    /// How long the body is that is announced at the front of what waits.
    #[must_use]
    pub fn announced(&self) -> usize {
        let message = self.kept.first() == Some(&b'M');
        let length = number(&self.kept, 9).filter(|_| message);
        length.map_or(0, |length| usize::try_from(length).unwrap_or(usize::MAX))
    }
}

/// What proves that a datagram comes from who knows a token, and comes for the first time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Seal<'a> {
    /// Goes up with each datagram.
    pub counter: u64,
    /// HMAC-SHA-256 over the counter and what it seals, cut short.
    pub code: &'a [u8; CODE],
    /// What it seals.
    pub sealed: &'a [u8],
}

/// A datagram: what stands before its command, and the command.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Datagram<'a> {
    /// `C`: the cookie its address was sent, or anything in place of one.
    pub cookie: Option<&'a [u8; COOKIE]>,
    /// `S`: its seal.
    pub seal: Option<Seal<'a>>,
    /// `None`: a cookie, or nothing, alone.
    pub command: Option<Command<'a>>,
}

/// What a datagram says. It is whole: one command, or none.
///
/// # Errors
/// It says something else.
pub fn datagram(bytes: &[u8], bound: usize) -> Result<Datagram<'_>, Fault> {
    let (mut rest, mut found) = (bytes, Datagram::default());
    if let Some((b'C', after)) = rest.split_first() {
        let (cookie, after) = after.split_first_chunk().ok_or(Fault::NoDatagram)?;
        (found.cookie, rest) = (Some(cookie), after);
    }
    if let Some((b'S', after)) = rest.split_first() {
        let (counter, after) = after.split_first_chunk().ok_or(Fault::NoDatagram)?;
        let (code, sealed) = after.split_first_chunk().ok_or(Fault::NoDatagram)?;
        found.seal = Some(Seal { counter: u64::from_le_bytes(*counter), code, sealed });
        rest = sealed;
    }
    rest = rest.get(blanks(rest)..).unwrap_or_default();
    if rest.is_empty() {
        return Ok(found);
    }
    let (heard, length) = command(rest, bound)?.ok_or(Fault::NoDatagram)?;
    let behind = rest.get(length..).unwrap_or_default();
    if blanks(behind) < behind.len() {
        return Err(Fault::NoDatagram);
    }
    found.command = Some(heard);
    Ok(found)
}

/// `A`: it is done; with the id that was given, or the channel that was asked for.
pub fn done(out: &mut Vec<u8>, number: u32) {
    out.push(b'A');
    out.extend_from_slice(&number.to_le_bytes());
}

/// `E`: it is not done.
pub fn failed(out: &mut Vec<u8>) {
    out.push(b'E');
}

/// `a`: the id that was given, and the token by which its owner can come back. An extension.
pub fn registered(out: &mut Vec<u8>, id: u32, token: &[u8; TOKEN]) {
    out.push(b'a');
    out.extend_from_slice(&id.to_le_bytes());
    out.extend_from_slice(token);
}

/// `K`: still here. An extension.
pub fn alive(out: &mut Vec<u8>) {
    out.push(b'K');
}

/// `G`: so many messages are missing here, or more than it can say. An extension.
pub fn gap(out: &mut Vec<u8>, missed: u64) {
    out.push(b'G');
    out.extend_from_slice(&u32::try_from(missed).unwrap_or(u32::MAX).to_le_bytes());
}

/// `C`: the cookie that proves an address. An extension.
pub fn cookie(out: &mut Vec<u8>, cookie: &[u8]) {
    out.push(b'C');
    out.extend_from_slice(cookie);
}

/// Bytes of a message besides its body.
pub const HEAD: usize = 15;

/// `M`: a message. Its type is always 0. `false`: it is longer than its length can say, and nothing is written.
pub fn message(out: &mut Vec<u8>, sender: u32, channel: u32, body: &[u8]) -> bool {
    let Ok(length) = u32::try_from(body.len()) else { return false };
    out.push(b'M');
    out.extend_from_slice(&sender.to_le_bytes());
    out.extend_from_slice(&channel.to_le_bytes());
    out.extend_from_slice(&0_u16.to_le_bytes());
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(body);
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUND: usize = 10;

    fn heard(bytes: &[u8]) -> Result<Vec<String>, Fault> {
        let mut all = Vec::new();
        let mut decoder = Decoder::default();
        decoder.feed(bytes, BOUND, |c| {
            all.push(format!("{c:?}"));
            Next::Go
        })?;
        all.push(decoder.waiting().to_string());
        Ok(all)
    }

    #[test]
    fn the_documents_commands() {
        assert_eq!(heard(b"R\n").unwrap(), ["Register", "0"]);
        let join = b"J\x01\0\0\0\x05\0\0\0";
        assert_eq!(heard(join).unwrap(), ["Join { id: 1, channel: 5 }", "0"]);
        let message = b"M\x01\0\0\0\x05\0\0\0\x02\0\0\0hi\r\nR";
        assert_eq!(
            heard(message).unwrap(),
            ["Message { id: 1, channel: 5, body: [104, 105] }", "Register", "0"]
        );
        assert_eq!(heard(b"M\x01\0\0\0\x05\0\0\0\x02\0\0\0h").unwrap(), ["14"]);
    }

    #[test]
    fn line_ends_are_skipped_between_commands_and_not_within() {
        assert_eq!(heard(b"\r\n\n\r").unwrap(), ["0"]);
        assert_eq!(
            heard(b"J\n\n\n\n\r\r\r\r\n").unwrap(),
            ["Join { id: 168430090, channel: 218959117 }", "0"]
        );
    }

    #[test]
    fn nonsense_and_what_is_too_long() {
        assert_eq!(heard(b"X"), Err(Fault::Unknown));
        assert_eq!(heard(b"RR X"), Err(Fault::Unknown));
        assert_eq!(heard(b"M\0\0\0\0\0\0\0\0\x0b\0\0\0"), Err(Fault::TooLong), "before its body is there");
        assert_eq!(heard(b"M\0\0\0\0\0\0\0\0\x0a\0\0\0").unwrap(), ["13"]);
        assert_eq!(heard(b"M\0\0\0\0\0\0\0\0\xff\xff\xff\xff"), Err(Fault::TooLong));
    }

    #[test]
    fn what_comes_after_a_stop_is_kept() {
        let mut decoder = Decoder::default();
        let mut count = 0;
        let mut stop = |_: Command<'_>| {
            count += 1;
            Next::Stop
        };
        decoder.feed(b"RKK", BOUND, &mut stop).unwrap();
        assert_eq!(decoder.waiting(), 2);
        decoder.feed(b"J", BOUND, &mut stop).unwrap();
        decoder.feed(b"", BOUND, &mut stop).unwrap();
        assert_eq!((decoder.waiting(), count), (1, 3));
    }

    #[test]
    fn datagrams_are_whole() {
        let plain = |bytes| datagram(bytes, BOUND).map(|d| d.command);
        assert_eq!(plain(b"R\n"), Ok(Some(Command::Register)));
        assert_eq!(plain(b""), Ok(None));
        assert_eq!(plain(b"RR"), Err(Fault::NoDatagram));
        assert_eq!(plain(b"J\x01\0\0\0"), Err(Fault::NoDatagram));
        assert_eq!(plain(b"C1234567"), Err(Fault::NoDatagram));
        assert_eq!(plain(b"r\x03abc"), Ok(Some(Command::RegisterWith { secret: b"abc" })));
        let both = datagram(b"C12345678S\x02\0\0\0\0\0\0\0abcdefghijklmnopK", BOUND).unwrap();
        assert_eq!(both.cookie, Some(b"12345678"));
        let seal = Seal { counter: 2, code: b"abcdefghijklmnop", sealed: b"K" };
        assert_eq!((both.seal, both.command), (Some(seal), Some(Command::KeepAlive)));
    }

    #[test]
    fn a_message_out_has_two_bytes_more_than_one_in() {
        let mut out = Vec::new();
        assert!(message(&mut out, 72, 5, b"hi"));
        assert_eq!(out, b"M\x48\0\0\0\x05\0\0\0\0\0\x02\0\0\0hi");
        assert_eq!(out.len(), HEAD + 2);
    }
}
