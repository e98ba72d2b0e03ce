//! The broker profile: rooms that anybody may subscribe to and publish in. SPEC [BRK-1] to [BRK-8].

use crate::map::{self, Profile};
use crate::talk::app::Said;
use crate::talk::engine::Over;
use crate::talk::layer::Line;
use crate::talk::socket::Sockets;
use crate::talk::worlds::{At, Client, Shown};
use crate::wire::arguments::{self, Event as Named};
use crate::wire::packet::{Head, Style};
use dialect::{Event, Turn};
use model::{Draft, Ticket};
use serde::Deserialize;
use std::borrow::Cow;

/// Who wants to be connected.
pub(super) const CONNECT: Ticket = Ticket(1 << 63);
/// Who has asked for no answer.
const SILENT: Ticket = Ticket(1 << 62);
/// Stands in a ticket before the id of the answer that was asked for.
const ACK: u64 = 1 << 61;

fn ticket(ack: Option<u64>) -> Ticket {
    // Ids have 53 bits.
    ack.map_or(SILENT, |id| Ticket(ACK | id))
}

fn asked(ticket: Ticket) -> Option<u64> {
    (ticket.0 & ACK != 0).then_some(ticket.0 & !ACK)
}

/// A client of the broker.
#[derive(Debug)]
pub struct Broker;

#[derive(Deserialize)]
struct Auth<'a> {
    #[serde(borrow)]
    token: Option<Cow<'a, str>>,
}

impl Broker {
    fn answer(
        ack: Option<u64>,
        array: &[u8],
        at: &At<'_>,
        sockets: &Sockets,
        line: &mut Line<'_>,
        turn: &mut Turn,
    ) -> Result<(), Over> {
        ack.map_or(Ok(()), |id| sockets.emit(Head::ack(at.namespace, id, 0), array, &[], line, turn))
    }

    fn refuse(
        ack: Option<u64>,
        why: &str,
        at: &At<'_>,
        sockets: &Sockets,
        line: &mut Line<'_>,
        turn: &mut Turn,
    ) -> Result<(), Over> {
        let mut array = b"[{\"error\":".to_vec();
        dialect::json::string(why, &mut array);
        array.extend_from_slice(b"}]");
        Self::answer(ack, &array, at, sockets, line, turn)
    }

    /// Does what an event asks for. `false`: that was done before. What is wrong with it, in words.
    fn act(
        said: &Said<'_>,
        named: Named<'_>,
        at: &At<'_>,
        line: &Line<'_>,
        turn: &mut Turn,
    ) -> Result<bool, &'static str> {
        let mut arguments = named.arguments;
        let ticket = ticket(said.ack);
        match &*named.name {
            "subscribe" => {
                let room = room(arguments.next())?;
                match at.client(&room) {
                    None => turn.join(ticket, &room, None),
                    Some(client) if at.is_own(client, line) => return Ok(false),
                    Some(_) => return Err(OTHERS),
                }
            }
            "unsubscribe" => turn.leave(ticket, &room(arguments.next())?),
            "publish" => {
                let raw = arguments.next();
                let room = room(raw)?;
                let raw = raw.unwrap_or_default();
                let message = arguments.next().ok_or("publish needs a room and a message")?;
                let draft = draft("data", &[raw, message], said).ok_or(TOO_MUCH)?;
                match at.client(&room) {
                    Some(session) => turn.tell(Some(ticket), session, &room, draft),
                    None => turn.publish(Some(ticket), &room, draft),
                }
            }
            "broadcast" => {
                let message = arguments.next().ok_or("broadcast needs a message")?;
                // As it has always been said: nothing is no message.
                let words: &[&str] = if message == "null" { &[] } else { &[message] };
                let mut draft = draft("broadcast", words, said).ok_or(TOO_MUCH)?;
                draft.echo = false;
                turn.broadcast(Some(ticket), draft);
            }
            _ => return Err("this server knows subscribe, unsubscribe, publish and broadcast"),
        }
        Ok(true)
    }
}

const OTHERS: &str = "this is the id of a client, which hears what is said to it without asking";
const TOO_MUCH: &str = "this has more attachments than can be carried";

/// What is published: the event that members hear, of which the last argument is what everybody else does.
fn draft(event: &str, words: &[&str], said: &Said<'_>) -> Option<Draft> {
    let mut array = Vec::new();
    arguments::write_event(event, words.iter().copied(), &mut array);
    let array = String::from_utf8(array).ok()?;
    map::draft(&array, words.last().copied().unwrap_or("null"), said.attachments)
}

/// The room that an argument names: its text, or that of a number or of `true`. Others name none. SPEC [BRK-3].
fn room(raw: Option<&str>) -> Result<Cow<'_, str>, &'static str> {
    let raw = raw.ok_or("the room is missing")?;
    let room = match raw.as_bytes().first() {
        Some(b'"') => arguments::text(raw).filter(|text| !text.is_empty()),
        Some(b'-' | b'0'..=b'9') => Some(Cow::Borrowed(raw)).filter(|_| raw.parse() != Ok(0.0)),
        Some(b't') => Some(Cow::Borrowed(raw)),
        _ => None,
    };
    room.ok_or("a room is a text that is not empty, or a number that is not 0")
}

/// The token that a client shows when it is connected: `{"token":…}`, with or without `Bearer`, or in revision 3 the
/// query of a namespace.
pub(super) fn token(shown: Option<&str>) -> Option<String> {
    let shown = shown?;
    if !shown.starts_with('{') {
        return dialect::percent::query_value(shown, "token").map(Cow::into_owned);
    }
    let shown: Auth<'_> = serde_json::from_str(shown).ok()?;
    let token = shown.token?;
    Some(token.strip_prefix("Bearer ").unwrap_or(&token).trim().to_owned())
}

impl Client for Broker {
    fn another(&self) -> Self {
        Self
    }

    fn wishes(
        &mut self,
        shown: &Shown<'_>,
        _: &At<'_>,
        _: &mut Sockets,
        _: &mut Line<'_>,
        turn: &mut Turn,
    ) -> Result<(), Over> {
        let credential = token(shown.wish).or_else(|| shown.first.map(str::to_owned));
        turn.authenticate(CONNECT, credential.as_deref());
        Ok(())
    }

    fn hears(
        &mut self,
        said: &Said<'_>,
        at: &At<'_>,
        sockets: &mut Sockets,
        line: &mut Line<'_>,
        turn: &mut Turn,
    ) -> Result<(), Over> {
        // Answers are none: nobody has asked for one.
        let Some(named) = said.event() else { return Ok(()) };
        match Self::act(said, named, at, line, turn) {
            Ok(true) => Ok(()),
            Ok(false) => Self::answer(said.ack, b"[]", at, sockets, line, turn),
            Err(why) => Self::refuse(said.ack, why, at, sockets, line, turn),
        }
    }

    fn told(
        &mut self,
        event: Event<'_>,
        at: &At<'_>,
        sockets: &mut Sockets,
        line: &mut Line<'_>,
        turn: &mut Turn,
    ) -> Result<(), Over> {
        match event {
            Event::Authenticated { .. } => {
                map::listen(Profile::Broker, at, line, turn);
                sockets.connect(at.namespace, &at.id(line), line, turn)
            }
            Event::Refused { ticket: CONNECT, refusal } => {
                sockets.refuse(at.namespace, (&refusal.to_string(), None), Style::of(line.revision()), line, turn)
            }
            Event::Refused { ticket, refusal } => {
                Self::refuse(asked(ticket), &refusal.to_string(), at, sockets, line, turn)
            }
            Event::Joined { ticket, .. } | Event::Left { ticket, .. } | Event::Published { ticket, .. } => {
                Self::answer(asked(ticket), b"[]", at, sockets, line, turn)
            }
            Event::Deliver(delivery) => map::deliver(&delivery.message, Profile::Broker, at, line, turn),
            // Told for all namespaces.
            Event::Gap { .. }
            | Event::Branched { .. }
            | Event::Parted { .. }
            // Never asked for.
            | Event::Channels { .. }
            | Event::Checked { .. }
            | Event::Enrolled { .. }
            | Event::Retired { .. }
            | Event::Spawned { .. }
            | Event::Recovered { .. }
            | Event::LinkLost(_)
            | Event::NoSuchSession(_)
            | Event::HookOpened { .. }
            | Event::HookClosed { .. } => Ok(()),
        }
    }

    fn returned(&mut self, shown: Option<&str>, _: Option<&str>, turn: &mut Turn) {
        if let Some(token) = token(shown) {
            turn.authenticate(CONNECT, Some(&token));
        }
    }

    fn changed(&mut self, at: &At<'_>, line: &Line<'_>, turn: &mut Turn) {
        map::listen(Profile::Broker, at, line, turn);
    }
}
