//! The conversation alone: what it asks for when it is told this and that. Knows no hub; the test plays its part.

use dialect::{Command, Conversation, Dialect, Effect, Event, Frame, Header, Opening, Request, Road, Turn};
use model::{
    ChannelName, CloseReason, Delivery, Message, NameError, Payload, Position, Principal, Publisher, Refusal,
    SessionId, Ticket, VHostName, Verbatim,
};
use rooms_dialect::{Rooms, Settings};
use std::sync::Arc;

const NOBODY: SessionId = SessionId { shard: 0, slot: 0, generation: 0 };

/// One client and what its conversation wanted last.
struct Stage {
    talk: Box<dyn Conversation>,
    turn: Turn,
}

impl Stage {
    fn new(settings: Settings) -> Self {
        let opening = Opening { session: NOBODY, vhost: VHostName::root(), road: Road::Http };
        Self { talk: Rooms::new(settings).converse(&opening), turn: Turn::default() }
    }

    /// A client that has been let in.
    fn seated() -> Self {
        let mut stage = Self::new(Settings::default());
        stage.arrive(&[]);
        stage.enter();
        stage
    }

    fn arrive(&mut self, headers: &[Header<'_>]) -> Vec<String> {
        let request =
            Request { method: "GET", path: "/any", query: "", headers, body: b"", wants_websocket: true };
        self.frame(Frame::Request(request))
    }

    fn enter(&mut self) -> Vec<String> {
        let principal = Arc::new(Principal::anonymous(Vec::new()));
        self.event(Event::Authenticated { ticket: Ticket(1), principal: &principal })
    }

    fn frame(&mut self, frame: Frame<'_>) -> Vec<String> {
        self.talk.on_frame(frame, &mut self.turn);
        self.wanted()
    }

    fn text(&mut self, text: &str) -> Vec<String> {
        self.frame(Frame::Text(text))
    }

    fn event(&mut self, event: Event<'_>) -> Vec<String> {
        self.talk.on_event(event, &mut self.turn);
        self.wanted()
    }

    #[allow(clippy::wildcard_enum_match_arm, reason = "what a test does not name it shows as it is")]
    fn wanted(&mut self) -> Vec<String> {
        let (effects, words) = self.turn.take();
        let show = |effect| match effect {
            Effect::Send { words: span, .. } => words.text(span).to_owned(),
            Effect::Respond { response, body, .. } => {
                format!("{} {:?} {}", response.status, response.headers, words.text(body))
            }
            Effect::Hear { hearing: how, .. } => format!("hear {how:?}"),
            Effect::Command { ticket, command, .. } => match command {
                Command::Authenticate { credential, .. } => {
                    format!("authenticate {:?}", credential.map(|c| words.text(c)))
                }
                Command::Join { channel, .. } => format!("join {}", words.text(channel)),
                Command::Leave { channel } => format!("leave {}", words.text(channel)),
                Command::Publish { channel, draft } => {
                    format!("publish {} {} {}", words.text(channel), ticket.is_some(), show_draft(&draft))
                }
                Command::Broadcast { draft } => format!("broadcast {}", show_draft(&draft)),
                Command::Direct { .. }
                | Command::Tell { .. }
                | Command::Channels { .. }
                | Command::Spawn { .. }
                | Command::Branch { .. }
                | Command::Recover { .. }
                | Command::Enrol { .. }
                | Command::ActAs { .. }
                | Command::Retire
                | Command::Withdraw { .. }
                | Command::Check { .. }
                | Command::Misproved
                | Command::OpenHook { .. } => "?".to_owned(),
            },
            other => format!("{other:?}"),
        };
        let wanted = effects.map(show).collect();
        self.turn.reset(self.turn.now, None);
        wanted
    }
}

fn show_draft(draft: &model::Draft) -> String {
    let text = |bytes: &bytes::Bytes| String::from_utf8_lossy(bytes).into_owned();
    let verbatim = draft.verbatim.as_ref().map(|v| (v.dialect, text(&v.bytes)));
    assert!(draft.echo && draft.event.is_none() && draft.payload.kind == model::Kind::Json);
    format!("{} {verbatim:?}", text(&draft.payload.bytes))
}

#[test]
fn a_client_is_let_in_and_greeted() {
    let mut stage = Stage::new(Settings::default());
    assert_eq!(stage.arrive(&[]), ["authenticate None"]);
    let wanted = stage.enter();
    assert!(wanted[0].starts_with("AcceptWebSocket"), "{wanted:?}");
    assert!(wanted[1].starts_with("{\"msg\": \"Yes, I'm old."), "{wanted:?}");
    assert_eq!(wanted[2], "hear Form(rooms)");
    assert_eq!(wanted.len(), 3);
}

#[test]
fn a_wrong_token_is_401() {
    let mut stage = Stage::new(Settings::default());
    let headers = [Header { name: "Authorization", value: b"Bearer wrong" }];
    assert_eq!(stage.arrive(&headers), ["authenticate Some(\"wrong\")"]);
    let wanted = stage.event(Event::Refused { ticket: Ticket(1), refusal: &Refusal::BadToken });
    assert!(wanted[0].starts_with("401 "), "{wanted:?}");
    assert!(wanted[0].contains(r#"("WWW-Authenticate", "Bearer")"#), "{wanted:?}");
    assert!(
        wanted[0].contains(r#""status":401,"detail":"the token is unknown or has expired"}"#),
        "{wanted:?}"
    );
    assert!(wanted[1].contains("Unauthorized"), "{wanted:?}");
}

#[test]
fn who_expires_is_told() {
    let mut stage = Stage::seated();
    stage.talk.on_close(CloseReason::Kicked, &mut stage.turn);
    assert_eq!(stage.wanted(), [""; 0]);
    stage.talk.on_close(CloseReason::Expired, &mut stage.turn);
    assert_eq!(stage.wanted(), [r#"{"msg":"Refused: the token has expired"}"#]);
    let mut arriving = Stage::new(Settings::default());
    arriving.arrive(&[]);
    arriving.talk.on_close(CloseReason::Expired, &mut arriving.turn);
    assert_eq!(arriving.wanted(), [""; 0], "its request is answered by the carrier");
}

#[test]
fn rooms_are_joined_and_left_one_by_one() {
    let mut stage = Stage::seated();
    assert_eq!(
        stage.text(r#"{"event":"subscribe","payload":["chat",5,null,"","chat"]}"#),
        ["join chat", "join 5", "join chat"]
    );
    assert_eq!(stage.text(r#"{"event":"unsubscribe","payload":{"a":"chat"}}"#), ["leave chat"]);
    assert!(stage.text(r#"{"event":"subscribe"}"#).is_empty());
    assert!(stage.text(r#"{"event":"subscribe","payload":"chat"}"#).is_empty());
    let chat = ChannelName::new("chat").unwrap();
    let joined =
        Event::Joined { ticket: Ticket(2), channel: &chat, position: Position::default(), recovered: None };
    assert_eq!(stage.event(joined), [r#"{"msg":"Subscribed to chat"}"#]);
    let left = Event::Left { ticket: Ticket(2), channel: "chat" };
    assert_eq!(stage.event(left), [r#"{"msg":"Unsubscribed to chat"}"#]);
}

#[test]
fn frames_are_published_unaltered_with_their_payload_beside() {
    let mut stage = Stage::seated();
    assert_eq!(
        stage.text(r#" {"event":"chat", "payload": [1] } "#),
        [r#"publish chat false [1] Some(("rooms", " {\"event\":\"chat\", \"payload\": [1] } "))"#]
    );
    assert_eq!(
        stage.text(r#" {"event":"chat","x":1} "#),
        [r#"publish chat false {"event":"chat","x":1} Some(("rooms", " {\"event\":\"chat\",\"x\":1} "))"#]
    );
    assert_eq!(
        stage.frame(Frame::Binary(br#"{"event":"broadcast","payload":""}"#)),
        [r#"broadcast "" Some(("rooms", "{\"event\":\"broadcast\",\"payload\":\"\"}"))"#]
    );
    assert!(stage.frame(Frame::Binary(b"{\"event\":\"a\xff\"}")).is_empty());
    assert!(stage.text("not json").is_empty());
}

#[test]
fn refusals_and_gaps_are_told() {
    let mut stage = Stage::seated();
    let refusal = Refusal::NotGranted { right: "WRITE" };
    assert_eq!(
        stage.event(Event::Refused { ticket: Ticket(0), refusal: &refusal }),
        [r#"{"msg":"Refused: no grant gives WRITE on this channel"}"#]
    );
    let refusal = Refusal::BadName(NameError::TooLong);
    assert_eq!(
        stage.event(Event::Refused { ticket: Ticket(2), refusal: &refusal }),
        [r#"{"msg":"Refused: the channel name is longer than 255 bytes"}"#]
    );
    assert_eq!(stage.event(Event::Gap { missed: 2 }), [r#"{"msg":"Missed 2 messages"}"#]);
}

#[test]
fn greeting_and_acks_can_be_switched_off() {
    let mut stage = Stage::new(Settings { greeting: false, acks: false });
    stage.arrive(&[]);
    assert_eq!(stage.enter().len(), 2);
    let left = Event::Left { ticket: Ticket(2), channel: "chat" };
    assert!(stage.event(left).is_empty());
}

#[test]
fn deliveries_by_event_look_like_those_in_the_form() {
    let mut stage = Stage::seated();
    let mut message = Message {
        vhost: VHostName::root(),
        channel: Some(ChannelName::new("chat").unwrap()),
        event: Some("tick".into()),
        payload: Payload::text("hi".into()),
        verbatim: None,
        publisher: Publisher { session: NOBODY, name: None, address: None },
        position: Position::default(),
        recoverable: false,
        time_ms: 0,
    };
    let foreign = Arc::new(Delivery::new(message.clone()));
    assert_eq!(stage.event(Event::Deliver(&foreign)), [r#"{"event":"chat","payload":"hi","name":"tick"}"#]);
    message.channel = None;
    message.event = None;
    let everybody = Arc::new(Delivery::new(message.clone()));
    assert_eq!(stage.event(Event::Deliver(&everybody)), [r#"{"event":"broadcast","payload":"hi"}"#]);
    message.verbatim = Some(Verbatim { dialect: "rooms", bytes: "{ }".into() });
    let own = Arc::new(Delivery::new(message));
    assert_eq!(stage.event(Event::Deliver(&own)), ["{ }"]);
}

#[test]
fn settings_refuse_what_they_do_not_know() {
    let settings: Settings = serde_json::from_str(r#"{"acks":false}"#).unwrap();
    assert_eq!(settings, Settings { greeting: true, acks: false });
    assert!(serde_json::from_str::<Settings>(r#"{"ack":false}"#).is_err());
}
