//! Plays that should fail do, at the right line and in words that help. Those that should not are everywhere else.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails so, in its helpers too")]

use std::path::Path;
use transcript::{Play, Rehearsal, perform};

const OPENING: &str = "# T\nset: rooms.greeting = false\n+ A rooms\n+ B rooms\n\
                       A> {\"event\":\"subscribe\",\"payload\":[\"c\"]}\nA< {\"msg\":\"Subscribed to c\"}\n";

/// Line, expectation and what was heard instead; `None` when all is well.
fn difference(lines: &str) -> Option<(usize, String, String)> {
    let play = Play::parse(Path::new("x"), &format!("{OPENING}{lines}\n")).unwrap();
    let mut stage = Rehearsal::of(&play, 2).unwrap();
    perform(&play, &mut stage).err().map(|d| (d.line, d.expected, d.heard))
}

fn fails(lines: &str, line: usize, expected: &str, heard: &str) {
    let told = difference(lines);
    let (at, wanted, came) = told.unwrap_or_else(|| panic!("{lines}: nobody noticed"));
    assert!(at == line && wanted.contains(expected) && came.contains(heard), "{lines}: {at} {wanted} {came}");
}

const SAY: &str = "B> {\"event\":\"c\"}";
const SAID: &str = "A< {\"event\":\"c\"}";

#[test]
fn what_is_expected_must_come() {
    assert_eq!(difference(&format!("{SAY}\n{SAID}")), None);
    fails(SAID, 7, "{\"event\":\"c\"}", "nothing");
    fails(&format!("{SAY}\nA< else"), 8, "else", "{\"event\":\"c\"}");
    fails(&format!("{SAY}\n{SAID}\n{SAID}"), 9, "", "nothing");
    fails("B! Done", 7, "Done", "nothing");
    fails("B x\nB! Fault", 8, "Fault", "no end of a session");
}

#[test]
fn what_is_not_expected_must_not_come() {
    fails(SAY, 7, "no line shows", "{\"event\":\"c\"}");
    fails(&format!("{SAY}\nA> x"), 8, "no line shows", "{\"event\":\"c\"}");
    fails(&format!("{SAY}\nA<-"), 8, "nothing", "{\"event\":\"c\"}");
    fails(&format!("{SAY}\nA x"), 8, "no line shows", "{\"event\":\"c\"}");
    // It may be shown later, as long as the peer is not named before.
    assert_eq!(difference(&format!("{SAY}\nB<-\n{SAID}")), None);
}

#[test]
fn neighbours_come_in_any_order() {
    let say = "B> {\"event\":\"c\",\"n\":1}\nB> {\"event\":\"c\",\"n\":2}";
    let hear = |n, m| format!("{say}\nA<~ {{\"event\":\"c\",\"n\":{n}}}\nA<~ {{\"event\":\"c\",\"n\":{m}}}");
    assert_eq!(difference(&hear(1, 2)), None);
    assert_eq!(difference(&hear(2, 1)), None);
    fails(&hear(2, 3), 10, "\"n\":3", "\"n\":1");
    fails(&format!("{}\nA<~ …", hear(2, 1)), 11, "…", "nothing");
}

#[test]
fn ends_are_shown() {
    let http = "+ W http\nW> GET /c/c [Upgrade: websocket]\nW< 101\n";
    let fault = "set: limits.message_bytes = 2\nset: limits.pending_bytes = 9\n";
    let told = |lines: &str| {
        let play = Play::parse(Path::new("x"), &format!("# T\n{fault}{http}W> 123\n{lines}\n")).unwrap();
        let mut stage = Rehearsal::of(&play, 1).unwrap();
        perform(&play, &mut stage).err().map(|d| d.heard)
    };
    assert_eq!(told("W! TooBig"), None);
    assert_eq!(told("W! TooBig 1009"), None);
    assert_eq!(told("W! TooBig 1008").as_deref(), Some("TooBig 1009"));
    assert_eq!(told("W! Fault").as_deref(), Some("TooBig 1009"));
    assert_eq!(told("").as_deref(), Some("(a close, code 1009)"));
}

#[test]
fn names_bind_where_they_first_occur() {
    let say = "+ S http\nS> GET /c/c\nS< 200\nB> {\"event\":\"c\",\"payload\":1}";
    let hear = |name| {
        format!(
            "{say}\nS< {{\"channel\":\"c\",\"payload\":1,\"publisher\":\"${name}\",\"time\":$t}}\nA< {{\"event\":\"c\",\"payload\":1}}"
        )
    };
    let more = "A> {\"event\":\"c\",\"payload\":\"$x\"}\nA< …\nS< {…\"payload\":\"$x\",…}\nA> $x\nA<-";
    assert_eq!(difference(&format!("{}\n{more}", hear("x"))), None);
    let wrong = "A> {\"event\":\"c\",\"payload\":2}\nA< …\nS< {…\"publisher\":\"$x\",…}";
    fails(&format!("{}\n{wrong}", hear("x")), 15, "$x", "\"payload\":2");
}

#[test]
fn what_cannot_be_said_is_told() {
    fails("+ H http\nH> hello", 8, "to say it", "a request is `METHOD /path");
    fails("+ H http\nH> GET /c/x\nH< 200\nH> GET /c", 10, "to say it", "a stream is heard");
}
