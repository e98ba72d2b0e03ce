//! The conversation alone: what it asks for when it is told this and that. Knows no hub; the test plays its part.

use bytes::Bytes;
use dialect::{
    ChannelCount, Command, Conversation, Dialect, Effect, Event, Frame, Header, Opening, Request, Road, Turn,
};
use http_dialect::{Http, Settings};
use model::{
    ChannelName, Delivery, Message, Now, Parts, Payload, Position, Principal, Publisher, Refusal, SessionId,
    Ticket, Time, VHostName,
};
use std::sync::Arc;

const SESSION: SessionId = SessionId { shard: 0, slot: 1, generation: 2 };

/// One request and what its conversation wanted last.
struct Stage {
    talk: Box<dyn Conversation>,
    turn: Turn,
}

impl Stage {
    fn new() -> Self {
        let opening = Opening { session: SESSION, vhost: VHostName::root(), road: Road::Http };
        Self { talk: Http::default().converse(&opening), turn: Turn::default() }
    }

    /// Sends `GET /c/chat?query` or the like.
    fn send(&mut self, line: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<String> {
        let (method, target) = line.split_once(' ').unwrap_or((line, "/"));
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let headers: Vec<Header<'_>> =
            headers.iter().map(|&(name, value)| Header { name, value: value.as_bytes() }).collect();
        let wants_websocket = headers.iter().any(|h| h.name == "Upgrade");
        let request = Request { method, path, query, headers: &headers, body, wants_websocket };
        self.frame(Frame::Request(request))
    }

    /// The request is sent, and acts for an anonymous principal.
    fn sent(line: &str, headers: &[(&str, &str)], body: &[u8]) -> (Self, Vec<String>) {
        let mut stage = Self::new();
        assert_eq!(stage.send(line, headers, body), ["authenticate None"], "{line}");
        let wanted = stage.enter();
        (stage, wanted)
    }

    fn enter(&mut self) -> Vec<String> {
        let principal = Arc::new(Principal::anonymous(Vec::new()));
        self.event(Event::Authenticated { ticket: Ticket(1), principal: &principal })
    }

    fn joined(&mut self, channel: &str, recovered: Option<bool>) -> Vec<String> {
        let channel = &name(channel);
        self.event(Event::Joined { ticket: Ticket(16), channel, position: Position::default(), recovered })
    }

    fn frame(&mut self, frame: Frame<'_>) -> Vec<String> {
        self.talk.on_frame(frame, &mut self.turn);
        self.wanted()
    }

    fn event(&mut self, event: Event<'_>) -> Vec<String> {
        self.talk.on_event(event, &mut self.turn);
        self.wanted()
    }

    fn refused(&mut self, ticket: u64, refusal: Refusal) -> Vec<String> {
        self.event(Event::Refused { ticket: Ticket(ticket), refusal: &refusal })
    }

    fn at(&mut self, ms: u64) -> Vec<String> {
        self.turn.reset(Now { time: Time(ms), wall_ms: 0 }, None);
        self.talk.on_tick(&mut self.turn);
        self.wanted()
    }

    #[allow(clippy::wildcard_enum_match_arm, reason = "what a test does not name it shows as it is")]
    fn wanted(&mut self) -> Vec<String> {
        let (effects, words) = self.turn.take();
        let show = |effect| match effect {
            Effect::Send { words: span, .. } => String::from_utf8_lossy(words.bytes(span)).into_owned(),
            Effect::Respond { response, body, .. } => {
                format!("{} {}", response.status, words.text(body))
            }
            Effect::Stream { response, .. } => {
                format!("{} {}…", response.status, response.headers[0].1)
            }
            Effect::AcceptWebSocket { .. } => "101".to_owned(),
            Effect::Hear { hearing: how, .. } => format!("hear {how:?}"),
            Effect::Close { reason, code } => format!("close {reason:?} {code:?}"),
            Effect::Command { ticket, command, .. } => match command {
                Command::Authenticate { credential, .. } => {
                    format!("authenticate {:?}", credential.map(|c| words.text(c)))
                }
                Command::Join { channel, since } => format!("join {} {since:?}", words.text(channel)),
                Command::Publish { channel, draft } => {
                    let Payload { kind, bytes } = draft.payload;
                    let ticket = ticket.map(|t| t.0);
                    format!("publish {} {ticket:?} {:?} {kind:?} {bytes:?}", words.text(channel), draft.event)
                }
                Command::Channels { cursor } => format!("channels {cursor}"),
                other => format!("{other:?}"),
            },
            other => format!("{other:?}"),
        };
        let wanted = effects.map(show).collect();
        self.turn.reset(self.turn.now, None);
        wanted
    }
}

#[allow(clippy::panic, reason = "a wrong name is a wrong test")]
fn name(channel: &str) -> ChannelName {
    ChannelName::new(channel).unwrap_or_else(|e| panic!("{e}"))
}

fn message(channel: &str, payload: Payload) -> Message {
    Message {
        vhost: VHostName::root(),
        channel: Some(name(channel)),
        event: None,
        payload,
        verbatim: None,
        publisher: Publisher { session: SESSION, name: None, address: None },
        position: Position { epoch: 7, offset: 9 },
        recoverable: false,
        time_ms: 5,
    }
}

fn delivery(channel: &str, json: &'static str) -> Arc<Delivery> {
    Arc::new(Delivery::new(message(channel, Payload::json(Bytes::from_static(json.as_bytes())))))
}

const OPENING: &str = "retry: 2000\n: open\n\n";

#[test]
fn health_needs_nobody() {
    for line in ["GET /healthz", "HEAD /readyz"] {
        assert_eq!(Stage::new().send(line, &[], b""), ["200 {\"status\":\"ok\"}", "close Done None"]);
    }
}

#[test]
fn a_publish_answers_with_the_members() {
    let (mut stage, wanted) = Stage::sent("POST /c/chat", &[], b"hello");
    assert_eq!(wanted, ["publish chat Some(16) None Text b\"hello\""]);
    let wanted = stage.event(Event::Published { ticket: Ticket(16), members: 2 });
    assert_eq!(wanted, ["202 {\"members\":2}", "close Done None"]);
}

#[test]
fn a_publish_to_several_answers_with_each_and_all() {
    let (mut stage, wanted) = Stage::sent("POST /c/a,b%2C", &[("x-event", "tick")], b"{\"x\": 1}\n");
    assert_eq!(
        wanted,
        [
            r#"publish a Some(16) Some("tick") Json b"{\"x\": 1}""#,
            r#"publish b, Some(17) Some("tick") Json b"{\"x\": 1}""#
        ]
    );
    assert!(stage.event(Event::Published { ticket: Ticket(16), members: 1 }).is_empty());
    let wanted = stage.event(Event::Published { ticket: Ticket(17), members: 2 });
    assert_eq!(wanted, [r#"202 {"members":3,"channels":{"a":1,"b,":2}}"#, "close Done None"]);
}

#[test]
fn a_publish_refused_in_part_says_what_was_done() {
    let (mut stage, _) = Stage::sent("POST /c/a,b", &[], b"1");
    stage.event(Event::Published { ticket: Ticket(16), members: 1 });
    let wanted = stage.refused(17, Refusal::TooFast);
    assert_eq!(
        wanted[0],
        r#"429 {"type":"about:blank","title":"Too Many Requests","status":429,"detail":"b: this session publishes faster than it may","channels":{"a":1}}"#
    );
}

#[test]
fn kinds_of_bodies() {
    for (content_type, body, expected) in [
        ("application/json", &b" [1, 2] "[..], r#"Json b"[1, 2]""#),
        ("text/plain", b"5", r#"Text b"5""#),
        ("application/octet-stream", b"5", r#"Bytes b"5""#),
        ("application/x-www-form-urlencoded", b"5", r#"Json b"5""#),
        ("application/x-www-form-urlencoded", b"a=b", r#"Text b"a=b""#),
        ("application/x-www-form-urlencoded", b"\xff", r#"Bytes b"\xff""#),
        ("application/x-www-form-urlencoded", b"", r#"Text b"""#),
    ] {
        let (_, wanted) = Stage::sent("POST /c/x", &[("Content-Type", content_type)], body);
        assert_eq!(wanted, [format!("publish x Some(16) None {expected}")]);
    }
}

#[test]
fn bad_requests_are_answered_before_anything_is_done() {
    let json = [("Content-Type", "application/json")];
    for (line, headers, body, starts, says) in [
        ("POST /c/x", &json[..], &b"{\n]"[..], "400", "line 2 column 1"),
        ("POST /c/x", &[("Content-Type", "text/plain")], b"a\xff", "400", "byte 1"),
        ("POST /c/x", &[("X-Event", "a\tb")], b"", "400", "control character"),
        ("POST /c/a,%00", &[], b"", "400", "control character"),
        ("GET /c/", &[], b"", "404", "missing"),
        ("POST /c", &[], b"", "405", "GET, HEAD, OPTIONS"),
        ("DELETE /c/x", &[], b"", "405", "GET, POST, OPTIONS"),
        ("GET /c/x?since=yesterday", &[], b"", "400", "since"),
        ("GET /c/x,y?since=1-2", &[], b"", "400", "several"),
    ] {
        let wanted = Stage::new().send(line, headers, body);
        assert!(wanted[0].starts_with(starts) && wanted[0].contains(says), "{line}: {wanted:?}");
        assert_eq!(wanted[1], "close Done None");
    }
}

#[test]
fn refusals_have_their_status() {
    let without = |refusal| {
        let (mut stage, _) = Stage::sent("GET /c/x", &[], b"");
        stage.refused(16, refusal)[0][..3].to_owned()
    };
    let with = |refusal| {
        let mut stage = Stage::new();
        assert_eq!(stage.send("GET /c/x?token=t", &[], b""), ["authenticate Some(\"t\")"]);
        stage.enter();
        stage.refused(16, refusal)[0][..3].to_owned()
    };
    assert_eq!(without(Refusal::NotGranted { right: "READ" }), "401");
    assert_eq!(with(Refusal::NotGranted { right: "READ" }), "403");
    assert_eq!(with(Refusal::Assigned), "403");
    assert_eq!(with(Refusal::TooManyChannels { max: 1 }), "403");
    assert_eq!(with(Refusal::TooBig { max: 1 }), "413");
    assert_eq!(with(Refusal::TooFast), "429");
    assert_eq!(with(Refusal::Busy), "503");
    assert_eq!(with(Refusal::Draining), "503");
    let mut stage = Stage::new();
    stage.send("GET /c?token=t", &[], b"");
    assert_eq!(stage.refused(1, Refusal::BadToken)[0][..3], *"401");
}

#[test]
fn a_stream_begins_when_all_is_joined_and_loses_nothing_before() {
    let (mut stage, wanted) = Stage::sent("GET /c/a,b", &[], b"");
    assert_eq!(wanted, ["hear Events", "join a None", "join b None"]);
    assert!(stage.joined("a", None).is_empty());
    assert!(stage.event(Event::Deliver(&delivery("a", "[1,\n2]"))).is_empty());
    let wanted = stage.joined("b", None);
    let line = "{\"channel\":\"a\",\"payload\":[1, 2],\"publisher\":\"0-1-2\",\"time\":5}\n";
    assert_eq!(wanted, ["200 application/x-ndjson…", line, "hear Form(http lines)"]);
}

#[test]
fn a_refused_join_is_a_problem_not_half_a_stream() {
    let (mut stage, _) = Stage::sent("GET /c/a,b", &[], b"");
    stage.joined("a", None);
    let wanted = stage.refused(17, Refusal::NotGranted { right: "READ" });
    assert!(wanted[0].starts_with("401") && wanted[0].contains("b: no grant gives READ"), "{wanted:?}");
    assert_eq!(wanted[1], "close Done None");
    assert!(stage.event(Event::Deliver(&delivery("a", "1"))).is_empty());
}

#[test]
fn waiting_messages_are_bounded() {
    let (mut stage, _) = Stage::sent("GET /c/a,b", &[], b"");
    stage.joined("a", None);
    let one = delivery("a", "1");
    for _ in 0..1024 {
        assert!(stage.event(Event::Deliver(&one)).is_empty());
    }
    assert!(stage.event(Event::Deliver(&one))[0].starts_with("503"));
}

#[test]
fn streams_of_sent_events() {
    let sse = [("Accept", "text/event-stream")];
    for (line, form) in [
        ("GET /c/a", "hear Form(http event payloads)"),
        ("GET /c/a?envelope=1", "hear Form(http event envelopes)"),
        ("GET /c/a,b", "hear Form(http mixed envelopes)"),
    ] {
        let (mut stage, _) = Stage::sent(line, &sse, b"");
        let mut wanted = stage.joined("a", None);
        if wanted.is_empty() {
            wanted = stage.joined("b", None);
        }
        assert_eq!(wanted, ["200 text/event-stream…", OPENING, form]);
    }
}

#[test]
fn a_stream_can_be_taken_up_again() {
    let since = "join a Some(Position { epoch: 7, offset: 9 })";
    let again = [("Accept", "text/event-stream"), ("Last-Event-ID", "7-9")];
    let (mut stage, wanted) = Stage::sent("GET /c/a?since=1-1", &again, b"");
    assert_eq!(wanted, ["hear Events", since]);
    let gap = "event: gap\ndata: {\"missed\":null}\n\n";
    assert_eq!(stage.joined("a", Some(false))[1..3], [OPENING, gap]);
    let (mut stage, wanted) = Stage::sent("GET /c/a?since=7-9", &[("Last-Event-ID", "x")], b"");
    assert_eq!(wanted[1], since);
    assert_eq!(stage.joined("a", Some(true)).len(), 2);
    assert_eq!(stage.event(Event::Gap { missed: 3 }), ["{\"missed\":3}\n"]);
}

#[test]
fn streams_show_that_they_live() {
    for (accept, sign) in [("*/*", "\n"), ("text/event-stream", ":\n\n")] {
        let (mut stage, _) = Stage::sent("GET /c/a", &[("Accept", accept)], b"");
        assert_eq!(stage.talk.wake_at(), None);
        stage.joined("a", None);
        assert_eq!(stage.talk.wake_at(), Some(Time(20_000)));
        assert!(stage.at(19_999).is_empty());
        assert_eq!(stage.at(20_001), [sign]);
        assert_eq!(stage.talk.wake_at(), Some(Time(40_001)));
    }
    let silent = Settings { heartbeat_seconds: 0, ..Settings::default() };
    assert_eq!(silent.heartbeat(), None);
}

#[test]
fn a_websocket_carries_payloads_both_ways() {
    let (mut stage, _) = Stage::sent("GET /c/a,b", &[("Upgrade", "websocket")], b"");
    stage.joined("a", None);
    let bytes = Arc::new(Delivery::new(message("a", Payload::bytes(Bytes::from_static(b"\x01")))));
    stage.event(Event::Deliver(&bytes));
    assert_eq!(stage.joined("b", None), ["101", "\u{1}", "hear Form(http socket)"]);
    assert_eq!(
        stage.frame(Frame::Text("[1]")),
        ["publish a None None Json b\"[1]\"", "publish b None None Json b\"[1]\""]
    );
    assert_eq!(stage.frame(Frame::Text("hi"))[0], "publish a None None Text b\"hi\"");
    assert_eq!(stage.frame(Frame::Binary(b"[1]"))[0], "publish a None None Bytes b\"[1]\"");
    assert_eq!(stage.talk.wake_at(), None);
    let wanted = stage.refused(0, Refusal::NotGranted { right: "WRITE" });
    assert_eq!(wanted, ["close Unauthorized Some(1008)"]);
}

fn page(page: &[ChannelCount], next: Option<u32>) -> Event<'_> {
    Event::Channels { ticket: Ticket(2), page, next }
}

#[test]
fn channels_are_listed() {
    let row = |channel, members| ChannelCount { channel: name(channel), members };
    let (mut stage, wanted) = Stage::sent("GET /c", &[], b"");
    assert_eq!(wanted, ["channels 0"]);
    let wanted = stage.event(page(&[row("b", 1), row("a", 2)], None));
    let whole = r#"200 {"channels":[{"channel":"a","members":2},{"channel":"b","members":1}]}"#;
    assert_eq!(wanted, [whole, "close Done None"]);

    let (mut stage, _) = Stage::sent("GET /c", &[], b"");
    let wanted = stage.event(page(&[], Some(7)));
    assert_eq!(wanted, ["200 application/json…", "{\"channels\":[", "channels 7"]);
    assert_eq!(stage.event(page(&[row("b", 1)], Some(8))), [r#"{"channel":"b","members":1}"#, "channels 8"]);
    assert_eq!(
        stage.event(page(&[row("a", 2)], None)),
        [r#",{"channel":"a","members":2}"#, "]}", "close Done None"]
    );
}

/// What a message looks like in the form that a request leads to.
fn heard(line: &str, headers: &[(&str, &str)], message: Message) -> String {
    let (mut stage, _) = Stage::sent(line, headers, b"");
    stage.joined("a", None);
    stage.joined("b", None);
    stage.event(Event::Deliver(&Arc::new(Delivery::new(message)))).concat()
}

#[test]
fn messages_in_each_style() {
    let sse = [("Accept", "text/event-stream")];
    let mut m = message("a", Payload::text(Bytes::from_static(b"x\ny")));
    m.event = Some("tick".into());
    m.recoverable = true;
    m.publisher.name = Some("joe".into());
    let line =
        r#"{"channel":"a","event":"tick","payload":"x\ny","publisher":"joe","position":"7-9","time":5}"#;
    assert_eq!(heard("GET /c/a", &[], m.clone()), format!("{line}\n"));
    assert_eq!(heard("GET /c/a", &sse, m.clone()), "id: 7-9\nevent: tick\ndata: x\ndata: y\n\n");
    assert_eq!(
        heard("GET /c/a?envelope=1", &sse, m.clone()),
        format!("id: 7-9\nevent: tick\ndata: {line}\n\n")
    );
    assert_eq!(heard("GET /c/a,b", &sse, m.clone()), format!("event: tick\ndata: {line}\n\n"));
    assert_eq!(heard("GET /c/a", &[("Upgrade", "websocket")], m.clone()), "x\ny");
    m.payload = Payload::bytes(Bytes::from_static(b"\xff"));
    assert_eq!(heard("GET /c/a", &sse, m.clone()), "id: 7-9\nevent: binary\ndata: /w==\n\n");
    m.channel = None;
    let line = r#"{"event":"broadcast","payload":{"$binary":"/w=="},"publisher":"joe","time":5}"#;
    assert_eq!(heard("GET /c/a", &[], m), format!("{line}\n"));
}

#[test]
fn each_style_writes_one_unit() {
    let m = message("a", Payload::text(Bytes::from_static(b"x")));
    for style in [
        http_dialect::map::Style::Lines,
        http_dialect::map::Style::Payloads,
        http_dialect::map::Style::Envelopes,
        http_dialect::map::Style::Mixed,
        http_dialect::map::Style::Socket,
    ] {
        let mut parts = Parts::default();
        (style.form().encode)(&m, &mut parts);
        assert_eq!(parts.iter().count(), 1);
    }
}

#[test]
fn settings_refuse_what_they_do_not_know() {
    let settings: Settings = serde_json::from_str(r#"{"heartbeat_seconds":5}"#).unwrap();
    assert_eq!(settings, Settings { heartbeat_seconds: 5, ..Settings::default() });
    assert!(serde_json::from_str::<Settings>(r#"{"heartbeat":5}"#).is_err());
}
