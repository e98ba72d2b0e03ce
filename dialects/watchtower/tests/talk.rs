//! The conversation alone: what it asks for when it is told this and that. Knows no hub; the test plays its part.

use bytes::Bytes;
use dialect::{
    ChannelCount, Command, Conversation, Dialect, Effect, Event, Frame, HookEnd, Opening, Request, Road, Turn,
};
use model::{
    ChannelName, CloseReason, Delivery, Message, Now, Payload, Position, Principal, Publisher, Refusal,
    SessionId, Ticket, Time, VHostName,
};
use std::sync::Arc;
use watchtower_dialect::{Settings, Watchtower};

const SESSION: SessionId = SessionId { shard: 0, slot: 1, generation: 2 };

/// One request, and what its conversation wanted last.
struct Stage {
    talk: Box<dyn Conversation>,
    turn: Turn,
}

impl Stage {
    fn new() -> Self {
        let settings = Settings { secret: Some("s".to_owned().into()), ..Settings::default() };
        let opening = Opening { session: SESSION, vhost: VHostName::root(), road: Road::Http };
        Self { talk: Watchtower::new(settings, [0; 32]).converse(&opening), turn: Turn::default() }
    }

    fn send(&mut self, line: &str, body: &str) -> Vec<String> {
        let (method, target) = line.split_once(' ').unwrap_or((line, "/"));
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let body = body.as_bytes();
        let request = Request { method, path, query, headers: &[], body, wants_websocket: false };
        self.talk.on_frame(Frame::Request(request), &mut self.turn);
        self.wanted()
    }

    /// The request is sent, and acts for its sender.
    fn sent(line: &str, body: &str) -> (Self, Vec<String>) {
        let mut stage = Self::new();
        assert_eq!(stage.send(line, body), ["act as 72 None"], "{line}");
        let principal = Arc::new(Principal::anonymous(Vec::new()));
        let wanted = stage.event(Event::Authenticated { ticket: Ticket(1), principal: &principal });
        (stage, wanted)
    }

    fn event(&mut self, event: Event<'_>) -> Vec<String> {
        self.talk.on_event(event, &mut self.turn);
        self.wanted()
    }

    fn refused(&mut self, ticket: u64, refusal: Refusal) -> Vec<String> {
        self.event(Event::Refused { ticket: Ticket(ticket), refusal: &refusal })
    }

    fn joined(&mut self, ticket: u64, channel: &str) -> Vec<String> {
        let (ticket, channel) = (Ticket(ticket), &name(channel));
        self.event(Event::Joined { ticket, channel, position: Position::default(), recovered: None })
    }

    fn left(&mut self, channel: &str) -> Vec<String> {
        self.event(Event::Left { ticket: Ticket(0), channel })
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
            Effect::Send { words: span, .. } => words.text(span).to_owned(),
            Effect::Respond { response, body, .. } => format!("{} {}", response.status, words.text(body)),
            Effect::Stream { response, .. } => format!("{}…", response.status),
            Effect::Post { body } => format!("post {}", words.text(body)),
            Effect::Hear { hearing: how, .. } => format!("hear {how:?}"),
            Effect::Close { reason, .. } => format!("close {reason:?}"),
            Effect::Command { ticket, command, .. } => match command {
                Command::ActAs { who, token } => {
                    format!("act as {who} {:?}", token.map(|t| words.text(t)))
                }
                Command::Enrol { role, .. } => {
                    format!("enrol {} {:?}", role.name.as_deref().unwrap_or("?"), role.grants)
                }
                Command::Join { channel, .. } => format!("join {}", words.text(channel)),
                Command::Check { channel, who } => format!("check {} {who:?}", words.text(channel)),
                Command::Withdraw { channel } => format!("withdraw {}", words.text(channel)),
                Command::Publish { channel, draft } => {
                    let (ticket, joined_only) = (ticket.map(|t| t.0), draft.joined_only);
                    format!("publish {} {ticket:?} {joined_only} {:?}", words.text(channel), draft.payload)
                }
                Command::Channels { cursor } => format!("channels {cursor}"),
                Command::OpenHook { plan } => format!("hook {} {:?}", plan.url, plan.headers),
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

fn delivery(channel: &str, text: &'static str) -> Arc<Delivery> {
    Arc::new(Delivery::new(Message {
        vhost: VHostName::root(),
        channel: Some(name(channel)),
        event: None,
        payload: Payload::text(Bytes::from_static(text.as_bytes())),
        verbatim: None,
        publisher: Publisher { session: SESSION, name: None, address: None },
        position: Position::default(),
        recoverable: false,
        time_ms: 5,
    }))
}

const HEAR: &str = "hear Form(watchtower object)";
const CALL: &str = r#"{"sender":72,"channels":[5,6],"callback_url":"http://x/y"}"#;

fn object(channel: u32, text: &str) -> String {
    format!("{{\"channel\":{channel},\"sender\":0,\"message\":\"{text}\",\"content\":\"{text}\"}}\n")
}

#[test]
fn failures_of_the_server_are_called_as_in_the_document() {
    let mut stage = Stage::new();
    assert_eq!(stage.send("POST /register", r#"{"secret_key":"s"}"#), ["enrol watchtower- []"]);
    let said = stage.refused(1, Refusal::Busy);
    assert_eq!(said, ["500 error registering new user: the server is busy; try again\n", "close Done"]);

    let said = r#"{"sender":72,"channels":[5],"receivers":[3],"message":1}"#;
    for (path, what) in [("/broadcast", "broadcast failed"), ("/send", "send failed")] {
        for (refusal, why) in
            [(Refusal::Busy, "the server is busy; try again"), (Refusal::Draining, "the server is stopping")]
        {
            let (mut stage, _) = Stage::sent(&format!("POST {path}"), said);
            let words = format!("500 {what}: channel 5: {why}\n");
            assert_eq!(stage.refused(16, refusal), [words.as_str(), "close Done"]);
        }
    }
    let (mut stage, wanted) = Stage::sent("GET /channels?sender=72", "");
    assert_eq!(wanted, ["channels 0"]);
    assert_eq!(stage.refused(2, Refusal::Busy)[0], "503 the server is busy; try again\n");
}

#[test]
fn the_register_and_a_senders_sessions_are_bounded() {
    let mut stage = Stage::new();
    stage.send("POST /register", r#"{"secret_key":"s"}"#);
    let said = stage.refused(1, Refusal::TooManyEnrolments { max: 9 });
    assert_eq!(said[0], "429 9 principals may be enrolled, and are\n");
    let mut stage = Stage::new();
    stage.send("GET /channels?sender=72", "");
    let said = stage.refused(1, Refusal::TooManySessions { max: 9 });
    assert_eq!(said[0], "429 9 sessions may act for this principal, and do\n");
    let (mut stage, _) = Stage::sent("POST /channels/join/async", CALL);
    let said = stage.refused(4, Refusal::TooManyHooks { max: 9, of: "principal" });
    assert_eq!(said[0], "429 one principal may have 9 callbacks, and has\n");
}

#[test]
fn who_is_unregistered_while_a_request_is_dealt_with_is_nobody() {
    let closed = |stage: &mut Stage, reason| {
        stage.talk.on_close(reason, &mut stage.turn);
        stage.wanted()
    };
    for (line, body) in [
        ("POST /channels/leave", r#"{"sender":72,"channels":[5]}"#),
        ("POST /unregister", r#"{"sender":72}"#),
        ("GET /channels/join/5?sender=72", ""),
        ("GET /channels?sender=72", ""),
    ] {
        let (mut stage, _) = Stage::sent(line, body);
        let said = closed(&mut stage, CloseReason::Kicked);
        assert_eq!(said.first().map(String::as_str), Some("401 invalid or missing sender\n"), "{line}");
        let (mut stage, _) = Stage::sent(line, body);
        assert!(closed(&mut stage, CloseReason::Draining).is_empty(), "{line}: the carrier answers");
    }
    let (mut stage, _) = Stage::sent("GET /channels/join/5?sender=72", "");
    stage.joined(16, "5");
    assert!(closed(&mut stage, CloseReason::Kicked).is_empty(), "the answer has begun");
}

#[test]
fn several_channels_are_asked_before_any_is_told() {
    let (mut stage, wanted) =
        Stage::sent("POST /broadcast", r#"{"sender":72,"channels":[5,6],"message":"hi"}"#);
    assert_eq!(wanted, ["check 5 []", "check 6 []"]);
    assert!(stage.event(Event::Checked { ticket: Ticket(17) }).is_empty());
    let wanted = stage.event(Event::Checked { ticket: Ticket(16) });
    let payload = format!("{:?}", Payload::text(Bytes::from_static(b"hi")));
    assert_eq!(
        wanted,
        [format!("publish 5 Some(16) true {payload}"), format!("publish 6 Some(17) true {payload}")]
    );
    assert!(stage.refused(17, Refusal::NotMember).is_empty());
    let said = stage.event(Event::Published { ticket: Ticket(16), members: 3 });
    assert_eq!(said, ["400 tried to send to unjoined channel 6; done for 5\n", "close Done"]);
}

#[test]
fn what_comes_while_others_are_joined_comes_first() {
    let (mut stage, wanted) = Stage::sent("GET /channels/join/5,6?sender=72", "");
    assert_eq!(wanted, ["hear Events", "join 5", "join 6"]);
    assert!(stage.joined(16, "5").is_empty());
    assert!(stage.event(Event::Deliver(&delivery("5", "a"))).is_empty());
    assert!(stage.event(Event::Gap { missed: 2 }).is_empty());
    assert!(stage.left("5").is_empty());
    assert_eq!(stage.joined(17, "6"), ["200…", "{\"missed\":2}\n", &object(5, "a"), HEAR]);
    assert_eq!(stage.event(Event::Deliver(&delivery("6", "b"))), [object(6, "b")]);
    assert!(stage.at(19_999).is_empty());
    assert_eq!(stage.at(20_000), ["\n"]);
    assert_eq!(stage.left("6"), ["close Done"]);
}

#[test]
fn too_much_before_the_last_channel_is_joined_is_503() {
    let (mut stage, _) = Stage::sent("GET /channels/join/5,6?sender=72", "");
    let one = delivery("5", "a");
    for _ in 0..1024 {
        assert!(stage.event(Event::Deliver(&one)).is_empty());
    }
    let said = stage.event(Event::Deliver(&one));
    assert!(said[0].starts_with("503 ") && said[1] == "close Done", "{said:?}");
}

#[test]
fn a_subscription_outlives_its_request() {
    let (mut stage, wanted) = Stage::sent("POST /channels/join/async", CALL);
    assert_eq!(wanted, [r#"hook http://x/y [("X-Server-Name", "Watchtower")]"#]);
    let wanted = stage.event(Event::HookOpened { ticket: Ticket(4) });
    assert_eq!(wanted, ["hear Events", "join 5", "join 6"]);
    stage.joined(16, "5");
    stage.event(Event::Deliver(&delivery("5", "a")));
    let post = format!("post {}", object(5, "a"));
    assert_eq!(stage.joined(17, "6"), ["Outlive(true)", "200 {}\n", &post, HEAR]);
    assert_eq!(stage.event(Event::Deliver(&delivery("5", "a"))), [post]);
    assert!(stage.event(Event::Gap { missed: 1 }).is_empty());
    assert!(stage.left("5").is_empty());
    assert_eq!(stage.left("6"), ["close Done"]);
}

#[test]
fn a_subscription_ends_with_its_hook() {
    for (why, ends) in [(HookEnd::Dead, "close Gone"), (HookEnd::Unwanted, "close Done")] {
        let (mut stage, _) = Stage::sent("POST /channels/join/async", CALL);
        stage.event(Event::HookOpened { ticket: Ticket(4) });
        stage.joined(16, "5");
        stage.joined(17, "6");
        assert_eq!(stage.event(Event::HookClosed { why }), [ends]);
    }
    let (mut stage, _) = Stage::sent("POST /channels/join/async", CALL);
    let said = stage.refused(4, Refusal::BadHook("no".into()));
    assert_eq!(said, ["400 invalid callback URL: no\n", "close Done"]);
    let (mut stage, _) = Stage::sent("POST /channels/join/async", CALL);
    stage.event(Event::HookOpened { ticket: Ticket(4) });
    let said = stage.refused(17, Refusal::NotGranted { right: "READ" });
    assert_eq!(said, ["403 channel 6: no grant gives READ on this channel\n", "close Done"]);
}

#[test]
fn pages_without_numbers_begin_nothing() {
    let row = |channel: &str| ChannelCount { channel: name(channel), members: 1 };
    let page = |stage: &mut Stage, page: &[ChannelCount], next| {
        stage.event(Event::Channels { ticket: Ticket(2), page, next })
    };
    let (mut stage, _) = Stage::sent("GET /channels?sender=72", "");
    assert_eq!(page(&mut stage, &[row("chat")], Some(7)), ["channels 7"]);
    assert_eq!(
        page(&mut stage, &[row("9"), row("5")], Some(8)),
        ["200…", "{\"channels\":[5,9", "channels 8"]
    );
    assert_eq!(page(&mut stage, &[row("chat")], Some(9)), ["channels 9"]);
    assert_eq!(page(&mut stage, &[row("1")], None), [",1", "]}\n", "close Done"]);

    let (mut stage, _) = Stage::sent("GET /channels?sender=72", "");
    assert_eq!(page(&mut stage, &[row("chat")], Some(7)), ["channels 7"]);
    assert_eq!(page(&mut stage, &[], None), ["204 ", "close Done"]);
    let (mut stage, _) = Stage::sent("GET /channels?sender=72", "");
    page(&mut stage, &[row("5")], Some(7));
    assert_eq!(stage.refused(2, Refusal::Busy), ["close Fault"]);
}
