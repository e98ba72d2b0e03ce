//! Events into messages and messages into events: the one bilingual file.

use crate::wire::arguments;
use crate::wire::binary::{self, Packed};
use crate::wire::engine::{self, MESSAGE, Revision};
use crate::wire::packet::{Head, Limits};
use bytes::Bytes;
use dialect::json;
use model::{Draft, Form, Kind, Message, Parts, Payload, Refusal, Unit, Verbatim};

/// The dialect's name, also on the events that it publishes.
pub const NAME: &str = "socketio";

/// How a WebSocket of revision 4 hears; and, before they are put into payloads, all polls.
pub static FOUR: Form =
    Form { name: "socketio 4", encode: &|m, out| encode(m, Revision::Four, false, out), verbatim: None };
/// How a WebSocket of revision 3 hears.
pub static THREE: Form =
    Form { name: "socketio 3", encode: &|m, out| encode(m, Revision::Three, false, out), verbatim: None };
/// How a WebSocket of revision 3 hears that cannot read bytes.
pub static THREE_TEXT: Form = Form {
    name: "socketio 3, text",
    encode: &|m, out| encode(m, Revision::Three, true, out),
    verbatim: None,
};

/// How such a client hears on its WebSocket.
#[must_use]
pub fn form(revision: Revision, as_text: bool) -> &'static Form {
    match (revision, as_text) {
        (Revision::Four, _) => &FOUR,
        (Revision::Three, false) => &THREE,
        (Revision::Three, true) => &THREE_TEXT,
    }
}

/// Names that mean something to the library of the receiver: no foreign message is an event of that name.
const RESERVED: [&str; 6] =
    ["connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"];

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

/// A message as the packets of an event. SPEC [OUT-1] to [OUT-4].
pub fn encode(message: &Message, revision: Revision, as_text: bool, parts: &mut Parts) {
    let own = message.verbatim.as_ref().filter(|v| v.dialect == NAME);
    if let Some(Packed { arguments, attachments }) = own.and_then(|v| binary::unpack(&v.bytes, &CARRIED)) {
        parts.add(Unit::Text, |out| {
            begin(attachments.len(), out);
            out.extend_from_slice(arguments.as_bytes());
        });
        attachments.iter().for_each(|bytes| attach(bytes, revision, as_text, parts));
        return;
    }
    let bytes = (message.payload.kind == Kind::Bytes).then_some(&message.payload.bytes);
    let mut payload = Vec::new();
    match bytes {
        Some(_) => binary::write_placeholder(0, &mut payload),
        None => json::payload_as_json(&message.payload, &mut payload),
    }
    let payload = String::from_utf8_lossy(&payload);
    let name = message.event.as_deref().filter(|event| !RESERVED.contains(event));
    parts.add(Unit::Text, |out| {
        begin(usize::from(bytes.is_some()), out);
        match (&message.channel, name) {
            (None, _) => arguments::write_event("broadcast", [&*payload], out),
            (Some(_), Some(name)) => arguments::write_event(name, [&*payload], out),
            (Some(channel), None) => {
                let mut room = Vec::new();
                json::string(channel.as_str(), &mut room);
                arguments::write_event("data", [&*String::from_utf8_lossy(&room), &*payload], out);
            }
        }
    });
    if let Some(bytes) = bytes {
        attach(bytes, revision, as_text, parts);
    }
}

fn begin(attachments: usize, out: &mut Vec<u8>) {
    out.push(MESSAGE);
    Head::event("/", None, attachments).write(out);
}

fn attach(bytes: &[u8], revision: Revision, as_text: bool, parts: &mut Parts) {
    let unit = if engine::is_digits(revision, as_text) { Unit::Text } else { Unit::Binary };
    parts.add(unit, |out| engine::binary(revision, as_text, bytes, out));
}

/// Why something was refused, for who asked for an answer, or to be connected.
#[must_use]
pub fn words(refusal: &Refusal) -> String {
    refusal.to_string()
}
