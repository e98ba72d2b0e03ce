//! What the reference server makes of what clients send, measured once, and what we make of it. `facts.txt` has the
//! facts, in sessions that were captured and in single messages.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot read its facts has failed")]

use socketio_dialect::wire::binary::Reader;
use socketio_dialect::wire::engine::Revision;
use socketio_dialect::wire::packet::{Kind, Limits, Malformed};

/// What the reference takes and we do not: no client writes it. A character that JavaScript calls white space for an
/// id, which it then takes for 0, and numbers of attachments that are none to read.
const STRICTER: [&str; 4] = ["2 ", "2\u{feff}[\"x\"]", "51.0-[\"x\"]", "5+1-[\"x\"]"];

/// A line of facts.
struct Fact<'a> {
    revision: Revision,
    verdict: &'a str,
    message: String,
}

fn fact(line: &str) -> Fact<'_> {
    let mut words = line.splitn(3, ' ');
    let revision = match words.next() {
        Some("3") => Revision::Three,
        Some("4") => Revision::Four,
        other => panic!("{other:?} is no revision: {line}"),
    };
    let verdict = words.next().unwrap();
    assert!(["takes", "session", "closes"].contains(&verdict), "{line}");
    Fact { revision, verdict, message: characters(words.next().unwrap_or_default()) }
}

/// Text with its `\u{...}` as the characters they are.
fn characters(text: &str) -> String {
    let mut parts = text.split("\\u{");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (code, rest) = part.split_once('}').unwrap();
        out.extend(char::from_u32(u32::from_str_radix(code, 16).unwrap()));
        out.push_str(rest);
    }
    out
}

fn hex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

fn hear(reader: &mut Reader, fact: &Fact<'_>) -> Result<(), Malformed> {
    let limits = Limits::default();
    match fact.message.strip_prefix("bytes ") {
        Some(bytes) => reader.bytes(&hex(bytes), &limits).map(|_| ()),
        None => reader.text(&fact.message, fact.revision, &limits).map(|_| ()),
    }
}

#[test]
fn what_the_reference_takes_we_take_and_nothing_else() {
    let mut reader = Reader::new();
    let (mut took, mut refused, mut stricter) = (0, 0, 0);
    for line in include_str!("facts.txt").lines().filter(|line| !line.starts_with('#')) {
        if line.is_empty() {
            reader = Reader::new();
            continue;
        }
        let fact = fact(line);
        let heard = hear(&mut reader, &fact);
        if STRICTER.contains(&fact.message.as_str()) {
            assert!(heard.is_err() && fact.verdict == "takes", "{line}: {heard:?}");
            stricter += 1;
            continue;
        }
        match (fact.verdict, &heard) {
            ("takes", Ok(())) => took += 1,
            ("closes", Err(_)) => refused += 1,
            // Whether the state is right is not for packets to say, but for what only servers send.
            ("session", Ok(()) | Err(Malformed::FromServer(Kind::ConnectError))) => {}
            _ => panic!("{line}: {heard:?}"),
        }
    }
    assert_eq!((took, refused, stricter), (83, 57, STRICTER.len()), "every fact was looked at");
}
