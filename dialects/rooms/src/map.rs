//! Packets into what is asked of the hub, and what the hub tells into packets: the one bilingual file.

use crate::wire::{self, Packet};
use bytes::Bytes;
use dialect::json;
use model::{Draft, Form, Message, Parts, Payload, Refusal, Unit, Verbatim};
use std::borrow::Cow;

/// The dialect's name, also on the verbatim frames it publishes.
pub const NAME: &str = "rooms";

/// How members hear: what a rooms client said as it said it, everything else as it might have said it.
pub static ROOMS: Form = Form { name: NAME, encode: &encode, verbatim: Some(NAME) };

/// What a packet asks for.
#[derive(Debug)]
pub enum Ask<'a> {
    /// Join these channels.
    Join(Vec<Cow<'a, str>>),
    /// Leave these channels.
    Leave(Vec<Cow<'a, str>>),
    /// Say this to everybody.
    Broadcast(Draft),
    /// Say this to this channel.
    Publish(Cow<'a, str>, Draft),
}

/// Reads a frame; `None` when it asks for nothing. The order of the cases is the original's. SPEC [IN-1].
#[must_use]
pub fn ask(frame: &str) -> Option<Ask<'_>> {
    let packet = wire::packet(frame)?;
    let rooms = || packet.payload.map(wire::rooms).unwrap_or_default();
    Some(match &*packet.event {
        "subscribe" => Ask::Join(rooms()),
        "unsubscribe" => Ask::Leave(rooms()),
        "broadcast" => Ask::Broadcast(draft(frame, &packet)),
        _ => {
            let draft = draft(frame, &packet);
            Ask::Publish(packet.event, draft)
        }
    })
}

/// The frame as a draft: itself for our own, its payload (or all of it) for everybody else. SPEC [PUB-1], [PUB-4].
///
/// PERF: the frame is copied once; verbatim and payload share the copy.
fn draft(frame: &str, packet: &Packet<'_>) -> Draft {
    let bytes = Bytes::copy_from_slice(frame.as_bytes());
    let payload = packet.payload.unwrap_or(frame.trim_ascii());
    // INVARIANT: `payload` is a part of `frame`, hence the same stretch of its copy.
    let start = payload.as_ptr().addr().saturating_sub(frame.as_ptr().addr());
    let payload = Payload::json(bytes.slice(start..start + payload.len()));
    Draft {
        event: None,
        payload,
        verbatim: Some(Verbatim { dialect: NAME, bytes }),
        echo: true,
        joined_only: false,
    }
}

/// A message of another dialect as a packet; one to everybody has the event that asks for that. SPEC [OUT-2].
fn encode(message: &Message, parts: &mut Parts) {
    let room = message.channel.as_ref().map_or("broadcast", |c| c.as_str());
    let payload = |out: &mut Vec<u8>| json::payload_as_json(&message.payload, out);
    parts.add(Unit::Text, |out| wire::foreign(room, message.event.as_deref(), payload, out));
}

/// The units of a message in [`ROOMS`], for the rare session that does not hear in the form itself.
pub fn units(message: &Message, mut each: impl FnMut(&[u8])) {
    if let Some(verbatim) = message.verbatim.as_ref().filter(|v| v.dialect == NAME) {
        return each(&verbatim.bytes);
    }
    let mut parts = Parts::default();
    encode(message, &mut parts);
    parts.iter().for_each(|(_, unit)| each(unit));
}

/// The HTTP status of an upgrade that is refused, and its name. SPEC [WS-4].
#[must_use]
pub fn status(refusal: &Refusal) -> (u16, &'static str) {
    match refusal {
        Refusal::BadToken | Refusal::InvalidToken(_) | Refusal::NotGranted { .. } | Refusal::Assigned => {
            (401, "Unauthorized")
        }
        Refusal::BadName(_) | Refusal::TooBig { .. } | Refusal::BadHook(_) => (400, "Bad Request"),
        Refusal::TooManyChannels { .. }
        | Refusal::TooManyBranches { .. }
        | Refusal::UnknownVHost
        | Refusal::NotJoined
        | Refusal::NotMember
        | Refusal::UnknownPrincipal
        | Refusal::HasJoined => (403, "Forbidden"),
        Refusal::TooFast => (429, "Too Many Requests"),
        Refusal::Busy
        | Refusal::Draining
        | Refusal::TooManyEnrolments { .. }
        | Refusal::TooManySessions { .. }
        | Refusal::TooManyHooks { .. } => (503, "Service Unavailable"),
    }
}
