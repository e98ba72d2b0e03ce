//! One rooms client: it arrives by a request to become a WebSocket, is seated, and from then on says packets.
//!
//! Keeps no list of rooms (the hub has it) and no deadline (the carrier pings).

use crate::map::{self, Ask};
use crate::settings::Settings;
use crate::wire;
use dialect::{Conversation, Event, Frame, Response, Turn};
use model::{CloseReason, Refusal, Ticket, TokenFlaw};

/// The answer to this one decides whether the client is let in.
const ENTER: Ticket = Ticket(1);
/// Joins and leaves, whose answers say what they are about. What is published has no ticket: no news is good news.
const ROOM: Ticket = Ticket(2);

/// Where the client stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    /// Its request is not answered yet.
    Arriving,
    /// It is a WebSocket and hears.
    Seated,
}

/// The conversation; three bytes.
#[derive(Debug)]
pub(crate) struct Talk {
    settings: Settings,
    state: State,
}

impl Talk {
    pub(crate) fn new(settings: Settings) -> Self {
        Self { settings, state: State::Arriving }
    }

    fn packet(&self, frame: &str, turn: &mut Turn) {
        if self.state == State::Arriving {
            return;
        }
        match map::ask(frame) {
            None => {}
            Some(Ask::Join(rooms)) => rooms.iter().for_each(|room| turn.join(ROOM, room, None)),
            Some(Ask::Leave(rooms)) => rooms.iter().for_each(|room| turn.leave(ROOM, room)),
            Some(Ask::Broadcast(draft)) => turn.broadcast(None, draft),
            Some(Ask::Publish(room, draft)) => turn.publish(None, &room, draft),
        }
    }

    fn seat(&mut self, turn: &mut Turn) {
        self.state = State::Seated;
        turn.accept_websocket(None);
        if self.settings.greeting {
            turn.text(wire::greeting);
        }
        turn.hear(&map::ROOMS);
    }

    fn refuse(&self, refusal: &Refusal, turn: &mut Turn) {
        if self.state == State::Seated {
            return turn.text(|out| wire::refused(refusal, out));
        }
        let (status, title) = map::status(refusal);
        let response = Response::new(status, "application/problem+json");
        let response = if status == 401 { response.with("WWW-Authenticate", "Bearer") } else { response };
        turn.respond(response, |out| wire::problem(status, title, refusal, out));
        turn.close(if status == 401 { CloseReason::Unauthorized } else { CloseReason::Done });
    }
}

impl Conversation for Talk {
    fn on_frame(&mut self, frame: Frame<'_>, turn: &mut Turn) {
        match frame {
            Frame::Request(request) => turn.authenticate(ENTER, request.token().as_deref()),
            Frame::Text(text) => self.packet(text, turn),
            // SPEC [IN-4].
            Frame::Binary(bytes) => {
                if let Ok(text) = std::str::from_utf8(bytes) {
                    self.packet(text, turn);
                }
            }
            // Not roads that lead here.
            Frame::Stream(_) | Frame::Multipart(_) | Frame::Datagram(_) => {}
        }
    }

    /// SPEC [NO-1].
    fn on_close(&mut self, reason: CloseReason, turn: &mut Turn) {
        if reason == CloseReason::Expired && self.state == State::Seated {
            self.refuse(&Refusal::InvalidToken(TokenFlaw::Expired), turn);
        }
    }

    fn on_event(&mut self, event: Event<'_>, turn: &mut Turn) {
        match event {
            Event::Authenticated { .. } if self.state == State::Arriving => self.seat(turn),
            Event::Joined { channel, .. } if self.settings.acks => {
                turn.text(|out| wire::subscribed(channel.as_str(), out));
            }
            Event::Left { channel, .. } if self.settings.acks => {
                turn.text(|out| wire::unsubscribed(channel, out));
            }
            Event::Refused { refusal, .. } => self.refuse(refusal, turn),
            Event::Deliver(delivery) => {
                map::units(&delivery.message, |unit| turn.text(|out| out.extend_from_slice(unit)));
            }
            Event::Gap { missed } => turn.text(|out| wire::missed(missed, out)),
            // Said already, switched off, or never asked for.
            Event::Authenticated { .. }
            | Event::Joined { .. }
            | Event::Left { .. }
            | Event::Published { .. }
            | Event::Channels { .. }
            | Event::Spawned { .. }
            | Event::Recovered { .. }
            | Event::Branched { .. }
            | Event::Parted { .. }
            | Event::Enrolled { .. }
            | Event::Retired { .. }
            | Event::Checked { .. }
            | Event::LinkLost(_)
            | Event::NoSuchSession(_)
            | Event::HookOpened { .. }
            | Event::HookClosed { .. } => {}
        }
    }
}
