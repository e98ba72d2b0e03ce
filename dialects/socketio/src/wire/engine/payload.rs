//! Payloads: several Engine.IO packets in the body of one request or response, in each of their five encodings.

use super::{Malformed, Packet, Revision, in_digits};
use model::Unit;
use std::borrow::Cow;

/// BOUND: packets in one payload.
pub const PACKETS: usize = 65_536;
/// What stands between two packets of revision 4.
const SEPARATOR: u8 = 0x1e;
/// BOUND: digits of a length.
const DIGITS: usize = 10;

/// What a packet in a payload was: its own text, or bytes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Piece<'a> {
    /// With the digit that says its kind.
    Text(&'a str),
    /// Of revision 3: with the byte that says its kind.
    Bytes(&'a [u8]),
}

impl<'a> Piece<'a> {
    /// The packet.
    ///
    /// # Errors
    /// It is none.
    pub fn packet(&self, revision: Revision) -> Result<Packet<'a>, Malformed> {
        match *self {
            Self::Text(text) => Packet::of_text(text, revision),
            Self::Bytes(bytes) => Packet::of_bytes(bytes, revision),
        }
    }
}

/// Cuts the body of a request into packets. `is_binary`: it says that it is no text.
///
/// # Errors
/// It is no payload; those before the fault are not told.
pub fn cut(body: &[u8], is_binary: bool, revision: Revision) -> Result<Vec<Piece<'_>>, Malformed> {
    match revision {
        Revision::Four if is_binary || body.is_empty() => Err(Malformed),
        Revision::Four => {
            let text = std::str::from_utf8(body).map_err(|_| Malformed)?;
            let pieces: Vec<_> =
                text.split(char::from(SEPARATOR)).take(PACKETS + 1).map(Piece::Text).collect();
            if pieces.len() > PACKETS { Err(Malformed) } else { Ok(pieces) }
        }
        Revision::Three if is_binary => cut_bytes(body),
        Revision::Three => cut_text(std::str::from_utf8(body).map_err(|_| Malformed)?),
    }
}

/// `<length>:<packet>…`, the length in UTF-16 code units.
fn cut_text(mut text: &str) -> Result<Vec<Piece<'_>>, Malformed> {
    let mut pieces = Vec::new();
    if text.is_empty() {
        return Err(Malformed);
    }
    while !text.is_empty() {
        let (length, rest) = text.split_once(':').filter(|(l, _)| l.len() <= DIGITS).ok_or(Malformed)?;
        let is_number = !length.is_empty() && length.bytes().all(|b| b.is_ascii_digit());
        let length: usize =
            if is_number { length.parse().map_err(|_| Malformed)? } else { return Err(Malformed) };
        let end = end_of(rest, length).ok_or(Malformed)?;
        let (packet, behind) = rest.split_at_checked(end).ok_or(Malformed)?;
        // `0:` is an empty payload.
        if !(packet.is_empty() && behind.is_empty() && pieces.is_empty()) {
            pieces.push(Piece::Text(packet));
        }
        if pieces.len() > PACKETS {
            return Err(Malformed);
        }
        text = behind;
    }
    Ok(pieces)
}

/// Where so many UTF-16 code units of the text end.
fn end_of(text: &str, units: usize) -> Option<usize> {
    let mut left = units;
    if left == 0 {
        return Some(0);
    }
    for (at, c) in text.char_indices() {
        left = left.checked_sub(c.len_utf16())?;
        if left == 0 {
            return Some(at + c.len_utf8());
        }
    }
    None
}

/// `0|1 <digits as bytes 0-9> 0xFF <packet>…`
fn cut_bytes(mut body: &[u8]) -> Result<Vec<Piece<'_>>, Malformed> {
    let mut pieces = Vec::new();
    while let Some((&kind, rest)) = body.split_first() {
        let digits = rest.iter().take(DIGITS + 1).position(|b| *b == 0xff).ok_or(Malformed)?;
        let length = rest.iter().take(digits).try_fold(0_usize, |length, digit| {
            (*digit <= 9).then_some(())?;
            length.checked_mul(10)?.checked_add(usize::from(*digit))
        });
        let rest = rest.get(digits + 1..).ok_or(Malformed)?;
        let (packet, behind) = rest.split_at_checked(length.ok_or(Malformed)?).ok_or(Malformed)?;
        pieces.push(match kind {
            0 => Piece::Text(std::str::from_utf8(packet).map_err(|_| Malformed)?),
            1 => Piece::Bytes(packet),
            _ => return Err(Malformed),
        });
        if pieces.len() > PACKETS {
            return Err(Malformed);
        }
        body = behind;
    }
    if pieces.is_empty() { Err(Malformed) } else { Ok(pieces) }
}

/// How a client's polls are answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Manner {
    /// Which revision.
    pub revision: Revision,
    /// It cannot read bytes.
    pub as_text: bool,
    /// It asks from a `<script>`, with this number.
    pub jsonp: Option<u32>,
}

/// Writes packets as the body of a response. A packet of text stands there as it is; one of bytes without the byte that
/// says its kind. Says whether the body is text.
pub fn write<'a>(
    packets: impl Iterator<Item = (Unit, &'a [u8])> + Clone,
    manner: Manner,
    out: &mut Vec<u8>,
) -> Unit {
    if let Some(number) = manner.jsonp {
        let mut body = Vec::new();
        write(packets, Manner { jsonp: None, as_text: true, ..manner }, &mut body);
        script(number, &String::from_utf8_lossy(&body), out);
        return Unit::Text;
    }
    let mut some_bytes = packets.clone().map(|(unit, _)| unit == Unit::Binary);
    match manner.revision {
        Revision::Four => {
            for (number, (unit, bytes)) in packets.enumerate() {
                if number > 0 {
                    out.push(SEPARATOR);
                }
                match unit {
                    Unit::Text => out.extend_from_slice(bytes),
                    Unit::Binary => in_digits(Revision::Four, bytes, out),
                }
            }
            Unit::Text
        }
        Revision::Three if !manner.as_text && some_bytes.any(|b| b) => {
            for (unit, bytes) in packets {
                let (kind, length) = match unit {
                    Unit::Text => (0, bytes.len()),
                    Unit::Binary => (1, bytes.len() + 1),
                };
                out.push(kind);
                out.extend(length.to_string().bytes().map(|digit| digit - b'0'));
                out.push(0xff);
                if unit == Unit::Binary {
                    out.push(super::BINARY);
                }
                out.extend_from_slice(bytes);
            }
            Unit::Binary
        }
        Revision::Three => {
            let start = out.len();
            for (unit, bytes) in packets {
                let text: Cow<'_, [u8]> = match unit {
                    Unit::Text => bytes.into(),
                    Unit::Binary => {
                        let mut text = Vec::new();
                        in_digits(Revision::Three, bytes, &mut text);
                        text.into()
                    }
                };
                let units: usize = String::from_utf8_lossy(&text).chars().map(char::len_utf16).sum();
                out.extend_from_slice(units.to_string().as_bytes());
                out.push(b':');
                out.extend_from_slice(&text);
            }
            if out.len() == start {
                out.extend_from_slice(b"0:");
            }
            Unit::Text
        }
    }
}

/// `___eio[<number>]("<payload>");`
fn script(number: u32, payload: &str, out: &mut Vec<u8>) {
    let quoted = serde_json::to_string(payload).unwrap_or_default();
    // Line ends for JavaScript, though not for JSON.
    let quoted = quoted.replace('\u{2028}', "\\u2028").replace('\u{2029}', "\\u2029");
    out.extend_from_slice(format!("___eio[{number}]({quoted});").as_bytes());
}

/// The payload in the form `d=…` that a page posts that asks from a `<script>`. `None`: there is none.
#[must_use]
pub fn posted(body: &[u8]) -> Option<String> {
    let body = std::str::from_utf8(body).ok()?;
    let value = body.split('&').find_map(|pair| pair.strip_prefix("d="))?;
    let value = dialect::percent::decode_form(value)?;
    // The page wrote a line end within a packet as `\n`, and a `\n` of the packet as `\\n`.
    let mut text = String::with_capacity(value.len());
    let mut rest = &*value;
    while let Some(at) = rest.find('\\') {
        let (before, behind) = rest.split_at(at);
        text.push_str(before);
        if let Some(behind) = behind.strip_prefix("\\\\n") {
            text.push_str("\\n");
            rest = behind;
        } else if let Some(behind) = behind.strip_prefix("\\n") {
            text.push('\n');
            rest = behind;
        } else {
            text.push('\\');
            rest = behind.get(1..).unwrap_or_default();
        }
    }
    text.push_str(rest);
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    const THREE: Manner = Manner { revision: Revision::Three, as_text: false, jsonp: None };
    const FOUR: Manner = Manner { revision: Revision::Four, as_text: false, jsonp: None };

    fn written(packets: &[(Unit, &[u8])], manner: Manner) -> (Unit, Vec<u8>) {
        let mut out = Vec::new();
        let unit = write(packets.iter().copied(), manner, &mut out);
        (unit, out)
    }

    #[test]
    fn as_the_reference_writes_them() {
        let both: &[(Unit, &[u8])] = &[(Unit::Text, "4é".as_bytes()), (Unit::Binary, &[1, 2, 3])];
        assert_eq!(written(both, FOUR), (Unit::Text, "4é\u{1e}bAQID".as_bytes().to_vec()));
        assert_eq!(
            written(both, Manner { as_text: true, ..THREE }),
            (Unit::Text, "2:4é6:b4AQID".as_bytes().to_vec())
        );
        let bytes = b"\x00\x03\xff4\xc3\xa9\x01\x04\xff\x04\x01\x02\x03".to_vec();
        assert_eq!(written(both, THREE), (Unit::Binary, bytes));
        assert_eq!(
            written(&[(Unit::Text, "4😀".as_bytes())], THREE),
            (Unit::Text, "3:4😀".as_bytes().to_vec())
        );
        assert_eq!(written(&[], THREE), (Unit::Text, b"0:".to_vec()));
        let script = written(&[(Unit::Text, "4\"\u{2028}".as_bytes())], Manner { jsonp: Some(7), ..FOUR });
        assert_eq!(script, (Unit::Text, br#"___eio[7]("4\"\u2028");"#.to_vec()));
    }

    #[test]
    fn what_is_no_payload() {
        for (body, is_binary, revision) in [
            (&b""[..], false, Revision::Four),
            (b"", false, Revision::Three),
            (b"", true, Revision::Three),
            (b"4a", true, Revision::Four),
            (b"\xff", false, Revision::Four),
            (b"4a", false, Revision::Three),
            (b"3:4a", false, Revision::Three),
            (b"+1:4", false, Revision::Three),
            (b"99999999999999999999:4", false, Revision::Three),
            ("2:😀".as_bytes().split_last().unwrap().1, false, Revision::Three),
            ("2:4😀".as_bytes(), false, Revision::Three),
            (b"\x00\x02\xff4", true, Revision::Three),
            (b"\x00\xff\xfe", true, Revision::Three),
            (b"\x02\x01\xff4", true, Revision::Three),
            (b"\x00\x0a\xff4", true, Revision::Three),
        ] {
            assert_eq!(cut(body, is_binary, revision), Err(Malformed), "{body:?}");
        }
        assert_eq!(cut(b"0:", false, Revision::Three), Ok(vec![]));
        assert_eq!(cut(b"4a\x1e", false, Revision::Four).unwrap().len(), 2, "the second is no packet");
        let many = vec![SEPARATOR; PACKETS];
        assert_eq!(cut(&many, false, Revision::Four), Err(Malformed));
    }

    #[test]
    fn posted_by_a_page() {
        assert_eq!(posted(b"d=4a%5Cnb").as_deref(), Some("4a\nb"));
        assert_eq!(posted(b"x=1&d=5%3A42%5B%22a%5C%5Cn%22%5D").as_deref(), Some("5:42[\"a\\n\"]"));
        assert_eq!(posted(b"e=1"), None);
        assert_eq!(posted(b"d=%ff"), None);
    }

    proptest::proptest! {
        #[test]
        fn what_was_written_is_read(
            packets in proptest::collection::vec((proptest::bool::ANY, "\\PC{0,12}", proptest::collection::vec(0u8.., 0..9)), 1..9),
            as_text in proptest::bool::ANY,
            three in proptest::bool::ANY,
        ) {
            let revision = if three { Revision::Three } else { Revision::Four };
            let packets: Vec<(Unit, Vec<u8>)> = packets.into_iter().map(|(is_text, text, bytes)| {
                if is_text { (Unit::Text, format!("4{text}").into_bytes()) } else { (Unit::Binary, bytes) }
            }).collect();
            let mut out = Vec::new();
            let manner = Manner { revision, as_text, jsonp: None };
            let unit = write(packets.iter().map(|(u, b)| (*u, b.as_slice())), manner, &mut out);
            let pieces = cut(&out, unit == Unit::Binary, revision).unwrap();
            proptest::prop_assert_eq!(pieces.len(), packets.len());
            for (piece, (unit, bytes)) in pieces.iter().zip(&packets) {
                let expected = match unit {
                    Unit::Text => Packet::Text(std::str::from_utf8(bytes).unwrap().get(1..).unwrap()),
                    Unit::Binary => Packet::Binary(bytes.as_slice().into()),
                };
                proptest::prop_assert_eq!(piece.packet(revision), Ok(expected));
            }
        }

        #[test]
        fn any_body_is_a_payload_or_none(body in proptest::collection::vec(0u8.., 0..40), is_binary: bool, three: bool) {
            let revision = if three { Revision::Three } else { Revision::Four };
            if let Ok(pieces) = cut(&body, is_binary, revision) {
                pieces.iter().for_each(|p| drop(p.packet(revision)));
            }
            drop(posted(&body));
        }
    }
}
