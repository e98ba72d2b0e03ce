//! A Watchtower device's side of the wire: its commands in words and as bytes, and the server's frames in words.
//!
//! Written from the protocol's table, not from the server's code: each is the other's proof.

use crate::play::notation::{self, Said};

/// What separates commands that are said in one piece.
const AND: &str = " ;; ";

/// The bytes of what a line says: `0x…` as it is, else commands in words.
pub(super) fn said(words: &str) -> Result<Vec<u8>, String> {
    if let Said::Bytes(bytes) = Said::read(words) {
        return Ok(bytes);
    }
    let mut out = Vec::new();
    for words in words.split(AND) {
        command(words, &mut out).ok_or_else(|| {
            format!(
                "`{words}` is no command: `R`, `r SECRET`, `T ID TOKEN`, `J ID CHANNEL`, `L ID CHANNEL`, \
                 `M ID CHANNEL BODY`, `K`, `C COOKIE`, or bytes as `0x…`"
            )
        })?;
    }
    Ok(out)
}

fn command(words: &str, out: &mut Vec<u8>) -> Option<()> {
    let (letter, rest) = words.split_once(' ').unwrap_or((words, ""));
    let [letter] = *letter.as_bytes() else { return None };
    out.push(letter);
    match letter {
        b'R' | b'K' => rest.is_empty().then_some(()),
        b'r' => {
            out.push(u8::try_from(rest.len()).ok()?);
            out.extend_from_slice(rest.as_bytes());
            Some(())
        }
        b'C' => {
            out.extend_from_slice(Said::read(rest).bytes());
            (out.len() >= 9).then_some(())
        }
        b'T' => {
            let (id, token) = rest.split_once(' ')?;
            number(id, out)?;
            out.extend_from_slice(token.as_bytes());
            Some(())
        }
        b'J' | b'L' => {
            let (id, channel) = rest.split_once(' ')?;
            number(id, out)?;
            number(channel, out)
        }
        b'M' => {
            let (id, rest) = rest.split_once(' ')?;
            let (channel, body) = rest.split_once(' ').unwrap_or((rest, ""));
            number(id, out)?;
            number(channel, out)?;
            let body = Said::read(body);
            out.extend_from_slice(&u32::try_from(body.bytes().len()).ok()?.to_le_bytes());
            out.extend_from_slice(body.bytes());
            Some(())
        }
        _ => None,
    }
}

fn number(digits: &str, out: &mut Vec<u8>) -> Option<()> {
    out.extend_from_slice(&digits.parse::<u32>().ok()?.to_le_bytes());
    Some(())
}

/// The first frame of what came, in words, and its length; `None`: not all of it is there.
///
/// # Errors
/// It is none.
pub(super) fn frame(input: &[u8]) -> Option<Result<(String, usize), ()>> {
    let number = |at: usize| Some(u32::from_le_bytes(input.get(at..at + 4)?.try_into().ok()?));
    let found = match input.first()? {
        b'A' => (format!("A {}", number(1)?), 5),
        b'E' => ("E".to_owned(), 1),
        b'K' => ("K".to_owned(), 1),
        b'G' => (format!("G {}", number(1)?), 5),
        b'C' => (format!("C {}", notation::hex(input.get(1..9)?)), 9),
        b'a' => {
            let token = std::str::from_utf8(input.get(5..37)?).unwrap_or("(no token)");
            (format!("a {} {token}", number(1)?), 37)
        }
        b'M' => {
            let length = usize::try_from(number(11)?).ok()?;
            let body = input.get(15..15 + length)?;
            let body = std::str::from_utf8(body).map_or_else(|_| notation::hex(body), notation::line);
            let kind = input.get(9..11)?;
            let kind = if kind == [0, 0] { String::new() } else { format!("type {} ", notation::hex(kind)) };
            (format!("M {} {} {kind}{body}", number(1)?, number(5)?), 15 + length)
        }
        _ => return Some(Err(())),
    };
    Some(Ok(found))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_said_in_words() {
        assert_eq!(said("R").unwrap(), b"R");
        assert_eq!(said("R ;; K").unwrap(), b"RK");
        assert_eq!(said("0x520a").unwrap(), b"R\n");
        assert_eq!(said("r").unwrap(), b"r\0");
        assert_eq!(said("r sec ret").unwrap(), b"r\x07sec ret");
        assert_eq!(said("J 72 5").unwrap(), b"J\x48\0\0\0\x05\0\0\0");
        assert_eq!(said("M 1 2 hi you").unwrap(), b"M\x01\0\0\0\x02\0\0\0\x06\0\0\0hi you");
        assert_eq!(said("M 1 2 0xff").unwrap(), b"M\x01\0\0\0\x02\0\0\0\x01\0\0\0\xff");
        assert_eq!(said("M 1 2").unwrap(), b"M\x01\0\0\0\x02\0\0\0\0\0\0\0");
        for wrong in ["", "X", "RR", "J 1", "J a 1", "R x", "M 1", "J $id 5"] {
            assert!(said(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn frames_are_heard_in_words() {
        let heard =
            |bytes: &[u8]| frame(bytes).map(|f| f.map(|(words, length)| (words, length == bytes.len())));
        let whole = |words: &str| Some(Ok((words.to_owned(), true)));
        assert_eq!(heard(b"A\x48\0\0\0"), whole("A 72"));
        assert_eq!(heard(b"A\x48\0\0"), None);
        assert_eq!(heard(b"E"), whole("E"));
        assert_eq!(heard(b"M\x48\0\0\0\x05\0\0\0\0\0\x02\0\0\0hi"), whole("M 72 5 hi"));
        assert_eq!(heard(b"M\x48\0\0\0\x05\0\0\0\x01\0\x01\0\0\0\xff"), whole("M 72 5 type 0x0100 0xff"));
        assert_eq!(heard(b"M\x48\0\0\0\x05\0\0\0\0\0\x02\0\0\0h"), None);
        assert_eq!(heard(b"X"), Some(Err(())));
    }
}
