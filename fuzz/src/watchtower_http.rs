//! The HTTP half of the watchtower dialect: what a request asks for, and how what it says looks to streams.
//!
//! An input is a request as people write it down, as for [`crate::http`].

use crate::bound::bounded;
use crate::http::Written;
use dialect::settings::Numbers;
use model::{ChannelName, Draft, Kind, Message, Position, PrincipalId, Publisher, SessionId};
use serde_json::Value;
use watchtower_dialect::map::{self, Aliases};
use watchtower_dialect::wire::http::{self, Ask, Problem, Speech, Style, Wish};

pub(crate) const WORDS: &[&str] = &[
    "POST /broadcast\n\n",
    "POST /send\n\n",
    "POST /register\n\n",
    "GET /channels/join/5?sender=72\n\n",
    "/channels/join/async",
    "/channels/leave",
    "channels=5,6",
    "sender=72",
    "%2C",
    "Accept: application/json\n",
    "Accept: text/plain;q=0.5, */*\n",
    "\"sender\":72",
    "\"channels\":[5,6]",
    "\"receivers\":[52]",
    "\"message\":",
    "\"event\":\"e\"",
    "\"callback_url\":\"http://x/\"",
    "\"secret_key\":\"s\"",
    "null",
    "\"\\ud800\"",
    "4294967295",
    "-1",
    "0",
    "[",
    "{",
    ",",
    "\r\n",
];

const MAX: usize = 3;

pub(crate) fn check(input: &[u8]) {
    let Some(written) = Written::read(input) else { return };
    let request = written.request(false);
    bounded(input.len(), || drop(http::ask(&request, MAX)));
    let style = Style::preferred(request.header("accept"));
    match http::ask(&request, MAX) {
        Err(problem) => refused(&problem, style),
        Ok(Ask::Register(_)) => assert_eq!(request.path, "/register"),
        Ok(Ask::AsSender(_, wish)) => match wish {
            Wish::List | Wish::Unregister => {}
            Wish::Listen(channels) | Wish::Leave(channels) | Wish::BeCalled { channels, .. } => {
                numbered(&channels);
            }
            Wish::Broadcast(channels, speech) => said(&channels, speech),
            Wish::Send(channels, receivers, speech) => {
                let receivers: Vec<u32> = receivers.iter().filter_map(|r| r.enrolment()).collect();
                numbered(&receivers);
                said(&channels, speech);
            }
        },
    }
}

/// At least one, at most as many as allowed, none twice, none 0.
fn numbered(numbers: &[u32]) {
    assert!((1..=MAX).contains(&numbers.len()) && !numbers.contains(&0));
    assert!(numbers.iter().enumerate().all(|(n, a)| numbers.iter().skip(n + 1).all(|b| a != b)));
}

/// What is wrong is a line, and JSON where that is wanted.
fn refused(problem: &Problem, style: Style) {
    assert!((400..500).contains(&problem.status));
    for style in [style, Style::Text, Style::Json] {
        let mut body = Vec::new();
        problem.write(style, &mut body);
        let text = String::from_utf8_lossy(&body);
        assert_eq!(text.find('\n'), Some(body.len() - 1), "{text}");
        if style == Style::Json {
            let value: Value = serde_json::from_slice(&body).unwrap_or_default();
            assert_eq!(value["error"].as_str(), Some(&*problem.detail));
        }
    }
}

/// What is said arrives as it was meant, on one line, in every channel.
fn said(channels: &[u32], speech: Speech) {
    numbered(channels);
    let Draft { event, payload, joined_only, .. } = map::draft(speech);
    assert!(joined_only);
    let text = String::from_utf8(payload.bytes.to_vec());
    assert!(text.is_ok());
    let meant = match payload.kind {
        Kind::Text => text.ok().map(Value::String),
        // Half of a surrogate pair is JSON, and nobody's value.
        Kind::Json => serde_json::from_slice(&payload.bytes).ok(),
        Kind::Bytes => None,
    };
    let aliases = Aliases::new(&[("garden", 5)].into_iter().collect::<Numbers>());
    for number in channels {
        let name = aliases.name(*number).and_then(|name| ChannelName::new(&name).ok());
        assert_eq!(name.as_ref().and_then(|n| aliases.number(n.as_str())), Some(*number));
        let session = SessionId { shard: 0, slot: 0, generation: 0 };
        let message = Message {
            vhost: model::VHostName::root(),
            channel: name,
            event: event.clone(),
            payload: payload.clone(),
            verbatim: None,
            publisher: Publisher { session, name: None, address: PrincipalId::new(72) },
            position: Position::default(),
            recoverable: false,
            time_ms: 0,
        };
        let object = map::object(&message, &aliases).unwrap_or_default();
        assert!(!object.is_empty() && !object.contains(&b'\n') && !object.contains(&b'\r'));
        let Some(meant) = &meant else { continue };
        let heard: Value = serde_json::from_slice(&object).unwrap_or_default();
        assert!(heard["message"] == *meant && heard["content"] == *meant);
        assert_eq!((&heard["channel"], &heard["sender"]), (&Value::from(*number), &Value::from(72)));
        assert_eq!(heard["event"].as_str(), event.as_deref());
    }
}
