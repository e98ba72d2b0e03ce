//! Events into messages and messages into events: the one bilingual file.

use crate::talk::engine::Over;
use crate::talk::layer::Line;
use crate::talk::parser::Parser;
use crate::talk::recovery;
use crate::talk::worlds::At;
use crate::wire::arguments;
use crate::wire::binary::{self, Packed};
use crate::wire::engine::{self, MESSAGE, Revision};
use crate::wire::msgpack;
use crate::wire::packet::{Head, Limits, RESERVED};
use bytes::Bytes;
use dialect::{Turn, json};
use model::{Draft, Form, Kind, Message, Parts, Payload, Unit, Verbatim};

/// The dialect's name, also on the events that it publishes.
pub const NAME: &str = "socketio";

/// What a message of another dialect is called that has no event: with the room, or without.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Profile {
    /// `data(room, payload)`.
    Broker,
    /// `message(payload)`.
    Messaging,
}

macro_rules! form {
    ($name:literal, $namespace:expr, $profile:ident, $revision:ident, $as_text:literal, $offsets:literal) => {
        Form {
            name: $name,
            encode: &|m, out| {
                let namespace: fn(&Message) -> &str = $namespace;
                let way = Way { revision: Revision::$revision, as_text: $as_text, offsets: $offsets };
                encode(m, namespace(m), Profile::$profile, way, out);
            },
            verbatim: None,
        }
    };
}

/// How WebSockets hear in `/`, by profile; of each those of revision 4, those of them that may come back, those of 3, and
/// of 3 that cannot read bytes.
static FORMS: [[Form; 4]; 2] = [
    [
        form!("socketio broker 4", |_| "/", Broker, Four, false, false),
        form!("socketio broker 4, recoverable", |_| "/", Broker, Four, false, true),
        form!("socketio broker 3", |_| "/", Broker, Three, false, false),
        form!("socketio broker 3, text", |_| "/", Broker, Three, true, false),
    ],
    [
        form!("socketio messaging 4", |_| "/", Messaging, Four, false, false),
        form!("socketio messaging 4, recoverable", |_| "/", Messaging, Four, false, true),
        form!("socketio messaging 3", |_| "/", Messaging, Three, false, false),
        form!("socketio messaging 3, text", |_| "/", Messaging, Three, true, false),
    ],
];

/// How they hear in other namespaces, which are called as their virtual hosts are, and which nobody comes back to.
static BRANCH_FORMS: [[Form; 3]; 2] = [
    [
        form!("socketio broker 4, by namespace", |m| m.vhost.as_str(), Broker, Four, false, false),
        form!("socketio broker 3, by namespace", |m| m.vhost.as_str(), Broker, Three, false, false),
        form!("socketio broker 3, text, by namespace", |m| m.vhost.as_str(), Broker, Three, true, false),
    ],
    [
        form!("socketio messaging 4, by namespace", |m| m.vhost.as_str(), Messaging, Four, false, false),
        form!("socketio messaging 3, by namespace", |m| m.vhost.as_str(), Messaging, Three, false, false),
        form!(
            "socketio messaging 3, text, by namespace",
            |m| m.vhost.as_str(),
            Messaging,
            Three,
            true,
            false
        ),
    ],
];

macro_rules! packed {
    ($name:literal, $namespace:expr, $profile:ident, $offsets:literal) => {
        Form {
            name: $name,
            encode: &|m, out| {
                let namespace: fn(&Message) -> &str = $namespace;
                encode_msgpack(m, namespace(m), Profile::$profile, $offsets, out);
            },
            verbatim: None,
        }
    };
}

/// How WebSockets in msgpack hear, by profile; of each those that may come back second.
static PACKED: [[Form; 2]; 2] = [
    [
        packed!("socketio broker msgpack", |_| "/", Broker, false),
        packed!("socketio broker msgpack, recoverable", |_| "/", Broker, true),
    ],
    [
        packed!("socketio messaging msgpack", |_| "/", Messaging, false),
        packed!("socketio messaging msgpack, recoverable", |_| "/", Messaging, true),
    ],
];

/// How they hear in other namespaces, by profile.
static BRANCH_PACKED: [Form; 2] = [
    packed!("socketio broker msgpack, by namespace", |m| m.vhost.as_str(), Broker, false),
    packed!("socketio messaging msgpack, by namespace", |m| m.vhost.as_str(), Messaging, false),
];

/// Hears from now on, the quickest way there is: on a WebSocket without being asked for each message.
pub fn listen(profile: Profile, at: &At<'_>, line: &Line<'_>, turn: &mut Turn) {
    let Some(link) = line.websocket() else { return turn.hear_events() };
    let form =
        if at.is_branch() { branch_form(profile, at.parser, line) } else { form(profile, at.parser, line) };
    turn.on_link(link, |turn| turn.hear(form));
}

/// Which of two, one for each profile.
fn of<T>(profile: Profile, [broker, messaging]: &[T; 2]) -> &T {
    match profile {
        Profile::Broker => broker,
        Profile::Messaging => messaging,
    }
}

fn form(profile: Profile, parser: Parser, line: &Line<'_>) -> &'static Form {
    if parser == Parser::Msgpack {
        let [plain, recoverable] = of(profile, &PACKED);
        return if line.offsets { recoverable } else { plain };
    }
    let [four, recoverable, three, text] = of(profile, &FORMS);
    match (line.revision(), line.as_text()) {
        (Revision::Four, _) if line.offsets => recoverable,
        (Revision::Four, _) => four,
        (Revision::Three, false) => three,
        (Revision::Three, true) => text,
    }
}

fn branch_form(profile: Profile, parser: Parser, line: &Line<'_>) -> &'static Form {
    if parser == Parser::Msgpack {
        return of(profile, &BRANCH_PACKED);
    }
    let [four, three, text] = of(profile, &BRANCH_FORMS);
    match (line.revision(), line.as_text()) {
        (Revision::Four, _) => four,
        (Revision::Three, false) => three,
        (Revision::Three, true) => text,
    }
}

/// Says a message to who hears it by being asked.
///
/// # Errors
/// Too much waits for a poll.
pub fn deliver(
    message: &Message,
    profile: Profile,
    at: &At<'_>,
    line: &mut Line<'_>,
    turn: &mut Turn,
) -> Result<(), Over> {
    let mut parts = Parts::default();
    let offsets = line.offsets && !at.is_branch();
    let way = Way { revision: Revision::Four, as_text: false, offsets };
    match at.parser {
        // In a payload bytes are what they are in revision 4: without a byte that says so.
        Parser::Text => encode(message, at.namespace, profile, way, &mut parts),
        Parser::Msgpack => encode_msgpack(message, at.namespace, profile, offsets, &mut parts),
    }
    parts.iter().try_for_each(|(unit, bytes)| line.say(unit, bytes, turn))
}

/// Attachments that the hub carries have been within the bounds of who published them.
const CARRIED: Limits = Limits { attachments: u8::MAX, bytes: usize::MAX, namespace: 0 };

/// Something to publish: members of this dialect hear the event as it is; everybody else its last argument.
///
/// `None`: there is more of it than can be carried.
#[must_use]
pub fn draft(event: &str, payload: &str, attachments: &[Bytes]) -> Option<Draft> {
    let bytes = binary::pack(event, attachments)?;
    let payload = match binary::sole(payload, attachments) {
        Some(attachment) => Payload::bytes(attachment.clone()),
        None => {
            let mut text = Vec::with_capacity(payload.len());
            binary::as_json(payload, attachments, &mut text);
            Payload::json(text.into())
        }
    };
    let verbatim = Some(Verbatim { dialect: NAME, bytes });
    Some(Draft { verbatim, ..Draft::new(payload) })
}

/// How a client is told messages in text.
#[derive(Clone, Copy, Debug)]
pub struct Way {
    /// Which revision it speaks.
    pub revision: Revision,
    /// It cannot read bytes.
    pub as_text: bool,
    /// The last argument of an event says where it stands, so that a client can come back for what follows.
    pub offsets: bool,
}

/// A message as the packets of an event in a namespace. SPEC [OUT-1] to [OUT-4], [REC-2].
pub fn encode(message: &Message, namespace: &str, profile: Profile, way: Way, parts: &mut Parts) {
    if let Some(Packed { arguments, attachments }) = own(message) {
        parts.add(Unit::Text, |out| {
            begin(namespace, attachments.len(), out);
            out.extend_from_slice(arguments.as_bytes());
            if way.offsets {
                add_offset(message, out);
            }
        });
        attachments.iter().for_each(|bytes| attach(bytes, way, parts));
        return;
    }
    let bytes = attachment(message);
    parts.add(Unit::Text, |out| {
        begin(namespace, usize::from(bytes.is_some()), out);
        foreign(message, profile, out);
        if way.offsets {
            add_offset(message, out);
        }
    });
    if let Some(bytes) = bytes {
        attach(bytes, way, parts);
    }
}

/// The same in msgpack. SPEC [PAR-4], [REC-2].
pub fn encode_msgpack(
    message: &Message,
    namespace: &str,
    profile: Profile,
    offsets: bool,
    parts: &mut Parts,
) {
    let mut array = Vec::new();
    let attachments = match own(message) {
        Some(Packed { arguments, attachments }) => {
            array.extend_from_slice(arguments.as_bytes());
            attachments
        }
        None => {
            foreign(message, profile, &mut array);
            attachment(message).cloned().into_iter().collect()
        }
    };
    if offsets {
        add_offset(message, &mut array);
    }
    let array = String::from_utf8_lossy(&array);
    let packet = Head::event(namespace, None, attachments.len()).with(&array);
    parts.add(Unit::Binary, |out| msgpack::write(&packet, &attachments, out));
}

/// What a client of this dialect has said.
fn own(message: &Message) -> Option<Packed<'_>> {
    let own = message.verbatim.as_ref().filter(|v| v.dialect == NAME)?;
    binary::unpack(&own.bytes, &CARRIED)
}

/// The attachment of a message of another dialect.
fn attachment(message: &Message) -> Option<&Bytes> {
    (message.payload.kind == Kind::Bytes).then_some(&message.payload.bytes)
}

/// The array of the event that a message of another dialect is.
fn foreign(message: &Message, profile: Profile, out: &mut Vec<u8>) {
    let mut payload = Vec::new();
    match attachment(message) {
        Some(_) => binary::write_placeholder(0, &mut payload),
        None => json::payload_as_json(&message.payload, &mut payload),
    }
    let payload = String::from_utf8_lossy(&payload);
    // A foreign message is no event of a name that means something to the library of the receiver.
    let name = message.event.as_deref().filter(|event| !RESERVED.contains(event));
    match (&message.channel, name) {
        (None, _) => arguments::write_event("broadcast", [&*payload], out),
        (Some(_), Some(name)) => arguments::write_event(name, [&*payload], out),
        (Some(_), None) if profile == Profile::Messaging => {
            arguments::write_event("message", [&*payload], out);
        }
        (Some(channel), None) => {
            let mut room = Vec::new();
            json::string(channel.as_str(), &mut room);
            arguments::write_event("data", [&*String::from_utf8_lossy(&room), &*payload], out);
        }
    }
}

/// Adds an argument to the array that was just written: where the message stands.
fn add_offset(message: &Message, out: &mut Vec<u8>) {
    if out.pop_if(|last| *last == b']').is_some() {
        out.extend_from_slice(b",\"");
        recovery::write_offset(message.position, out);
        out.extend_from_slice(b"\"]");
    }
}

fn begin(namespace: &str, attachments: usize, out: &mut Vec<u8>) {
    out.push(MESSAGE);
    Head::event(namespace, None, attachments).write(out);
}

fn attach(bytes: &[u8], way: Way, parts: &mut Parts) {
    let Way { revision, as_text, .. } = way;
    let unit = if engine::is_digits(revision, as_text) { Unit::Text } else { Unit::Binary };
    parts.add(unit, |out| engine::binary(revision, as_text, bytes, out));
}
