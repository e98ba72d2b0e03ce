//! From polls to a WebSocket, while the session goes on. SPEC [ENG-9], [ENG-10].

use super::{Engine, Pace, Refused, Transport};
use crate::wire::engine::Packet;
use dialect::{Request, Turn};
use model::{LinkId, Time};
use std::time::Duration;

/// How often a poll that waits is answered with nothing, so that its client can change to WebSocket.
const NUDGE: Duration = Duration::from_millis(100);

/// A WebSocket that may become what carries the session.
pub(super) struct Probe {
    pub(super) link: LinkId,
    pub(super) until: Time,
    /// When the poll is to be answered, once the client has shown that the WebSocket works.
    pub(super) nudge: Option<Time>,
}

impl Engine {
    /// A WebSocket for a session that has polled until now.
    pub(super) fn probe(&mut self, request: &Request<'_>, pace: &Pace, turn: &mut Turn) {
        if !request.wants_websocket {
            return Refused::BadRequest.answer(false, turn);
        }
        turn.accept_websocket(None);
        match (turn.link, &self.transport) {
            (Some(link), Transport::Polling(_)) if self.probe.is_none() => {
                let until = turn.now.time + pace.upgrade_timeout;
                self.probe = Some(Box::new(Probe { link, until, nudge: None }));
            }
            _ => turn.drop_link(None),
        }
    }

    /// What was said on a WebSocket that carries nothing yet.
    pub(super) fn probed(&mut self, packet: Option<&Packet<'_>>, pace: &Pace, turn: &mut Turn) {
        if let (Some(link), None, Transport::Polling(_)) = (turn.link, &self.probe, &self.transport)
            && self.adopts
            && matches!(packet, Some(Packet::Ping("probe") | Packet::Upgrade))
        {
            let nudge = matches!(packet, Some(Packet::Upgrade)).then_some(turn.now.time);
            self.probe = Some(Box::new(Probe { link, until: turn.now.time + pace.upgrade_timeout, nudge }));
        }
        let Some(probe) = self.probe.as_mut().filter(|p| Some(p.link) == turn.link) else {
            return turn.drop_link(None);
        };
        match packet {
            Some(Packet::Ping("probe")) if probe.nudge.is_none() => {
                turn.text(|out| out.extend_from_slice(b"3probe"));
                probe.nudge = Some(turn.now.time);
                self.nudge(turn);
            }
            Some(Packet::Upgrade) if probe.nudge.is_some() => self.change(turn),
            _ => {
                self.probe = None;
                turn.drop_link(None);
            }
        }
    }

    /// Answers the poll that waits, so that its client changes to WebSocket.
    pub(super) fn nudge(&mut self, turn: &mut Turn) {
        if let Transport::Polling(waiting) = &mut self.transport
            && waiting.is_asked()
        {
            waiting.answer_with("6", turn);
        }
        if let Some(probe) = self.probe.as_mut() {
            probe.nudge = Some(turn.now.time + NUDGE);
        }
    }

    /// From now on by WebSocket: what waits goes there.
    pub(super) fn change(&mut self, turn: &mut Turn) {
        let Some(probe) = self.probe.take() else { return };
        let before = std::mem::replace(&mut self.transport, Transport::WebSocket(probe.link));
        if let Transport::Polling(mut waiting) = before {
            if waiting.is_asked() {
                waiting.answer_with("6", turn);
            }
            turn.on_link(probe.link, |turn| {
                waiting.packets().for_each(|(unit, bytes)| self.write(unit, bytes, turn));
            });
        }
    }
}
