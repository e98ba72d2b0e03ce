//! How bytes become frames: reading a link, and handing what it says to its session.

use super::Shard;
use super::inflate::Share;
use crate::door::OwnedFrame;
use crate::http1::{self, Progress, Refused};
use crate::link::{Awaited, Link, NONE, Speech};
use crate::net::{Net, Stream};
use crate::websocket::{self, Fault, Item, Opcode};
use dialect::Frame;
use model::{CloseReason, LinkId};
use std::io::{self, Read};
use std::sync::Arc;

/// What a delivery that a link has caused is charged against its budget for the turn, as if so many bytes had been
/// read.
const DELIVERY: usize = 16;

/// Steps of handshakes in a turn; others go on in the next.
const HANDSHAKES: u32 = 8;

impl<N: Net> Shard<N> {
    /// Reads a link until it has no more, its session holds, or others must have their turn.
    pub(super) fn read_link(&mut self, slot: u32) {
        let Some(link) = self.links.get_mut(slot as usize) else { return };
        if link.is_paused() {
            link.readable = true;
            return;
        }
        // BOUND: replies go to the arena; while it is full of them nobody is read who might ask for more.
        if self.out.arena.len() > super::ARENA_FULL {
            return self.read_later(slot);
        }
        link.heard = true;
        link.readable = false;
        self.share = Share::default();
        if link.long_message().is_some() {
            self.inflate_long(slot);
            match self.leaving.take() {
                Some(over) => self.hand_over(slot, over, b""),
                None => self.read_later(slot),
            }
            return self.desk.commit();
        }
        if link.has_unread() {
            let mut unread = link.take_unread();
            self.feed(slot, &mut unread);
            // What comes from the network comes after what is left of that.
            if self.is_spent() || self.links.get(slot as usize).is_some_and(Link::has_unread) {
                return self.desk.commit();
            }
        }
        let mut scratch = std::mem::take(&mut self.scratch);
        self.read_stream(slot, &mut scratch);
        self.scratch = scratch;
        self.desk.commit();
    }

    fn read_stream(&mut self, slot: u32, scratch: &mut [u8]) {
        let mut budget = self.limits.read_budget;
        loop {
            let Some(link) = self.links.get_mut(slot as usize) else { return };
            if link.is_paused() {
                link.readable = true;
                return;
            }
            // BOUND: a step of a handshake costs as much as thousands of messages.
            if self.out.hot[slot as usize].stream.as_ref().is_some_and(Stream::is_opening) {
                self.handshakes += 1;
                if self.handshakes > HANDSHAKES {
                    return self.read_later(slot);
                }
            }
            let Some(stream) = self.out.hot[slot as usize].stream.as_mut() else { return };
            let n = match stream.read(scratch) {
                Ok(0) => return self.hear_end(slot),
                Ok(n) => n,
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                    if stream.has_more() {
                        self.read_later(slot);
                    }
                    return;
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                Err(e) => {
                    if e.kind() == io::ErrorKind::InvalidData {
                        tracing::debug!(address = %link.peer, error = %e, "a connection ends");
                    }
                    return self.lose_link(slot, CloseReason::Gone);
                }
            };
            let ended = link.ended || stream.is_at_end();
            let has_more = stream.has_more();
            self.desk.counters.reads += 1;
            self.desk.counters.bytes_in += n as u64;
            if std::mem::take(&mut link.fresh) {
                self.hear_announcement(slot);
            }
            let inflated = self.share.inflated;
            self.feed(slot, scratch.get_mut(..n).unwrap_or_default());
            self.desk.commit();
            let caused = self.desk.take_caused();
            if self.is_spent() {
                return;
            }
            if has_more {
                return self.read_later(slot);
            }
            // Fewer bytes than asked for: that was all, and more will be reported.
            if n < scratch.len() && !ended {
                return;
            }
            budget = budget.saturating_sub(caused.saturating_mul(DELIVERY).saturating_add(n));
            budget = budget.saturating_sub(self.share.inflated - inflated);
            if budget == 0 {
                return self.read_later(slot);
            }
        }
    }

    /// Puts the link on the list of those to be read without being reported.
    pub(super) fn read_later(&mut self, slot: u32) {
        if let Some(link) = self.links.get_mut(slot as usize)
            && !link.ready
        {
            link.ready = true;
            self.ready.push_back(slot);
        }
    }

    /// Keeps what was read of a link until its next turn.
    fn rest(&mut self, slot: u32, unread: &[u8]) {
        if let Some(link) = self.links.get_mut(slot as usize)
            && matches!(link.speech, Speech::WebSocket(_))
        {
            link.keep_unread(unread);
            self.read_later(slot);
        }
    }

    /// The peer sends no more. Somebody who waits for a response still gets it.
    fn hear_end(&mut self, slot: u32) {
        let Some(link) = self.links.get_mut(slot as usize) else { return };
        match link.speech {
            Speech::Http(_) if link.pause.asking => link.ended = true,
            Speech::Http(_) if self.out.holds(slot) => self.begin_close(slot),
            Speech::Raw if self.out.holds(slot) => {
                let session = link.session;
                self.end_session(session, CloseReason::Gone, None);
            }
            // It may still take its last word.
            Speech::Closing if self.out.holds(slot) => link.ended = true,
            Speech::Http(_)
            | Speech::Stream { .. }
            | Speech::WebSocket(_)
            | Speech::Raw
            | Speech::Datagrams { .. }
            | Speech::Closing => self.lose_link(slot, CloseReason::Gone),
        }
    }

    /// Does not let a request wait for its answer when nobody is there to hear it. The link is not read meanwhile: what
    /// came before its end stays with the kernel, and who has only closed its half is answered.
    pub(super) fn notice_end(&mut self, slot: u32) {
        let Some(link) = self.links.get(slot as usize) else { return };
        if !link.ended || !link.pause.asking {
            return;
        }
        if link.gone || self.takes_end_for_gone(link.session) {
            self.lose_link(slot, CloseReason::Gone);
        }
    }

    fn takes_end_for_gone(&mut self, session: u32) -> bool {
        let there = self.sessions.get_mut(session as usize).and_then(|s| s.conversation.take());
        let Some(conversation) = there else { return false };
        let takes = self.guard(|| conversation.takes_end_for_gone());
        if let Some(session) = self.sessions.get_mut(session as usize) {
            session.conversation = Some(conversation);
        }
        // One that panics answers nobody.
        takes.unwrap_or(true)
    }

    /// Hands what was read to whatever is spoken on the link.
    fn feed(&mut self, slot: u32, data: &mut [u8]) {
        let mut at = 0;
        while at < data.len() {
            let Some(link) = self.links.get_mut(slot as usize) else { return };
            let rest = data.get_mut(at..).unwrap_or_default();
            if link.is_paused() {
                link.keep_unread(rest);
                link.readable = true;
                return;
            }
            match &mut link.speech {
                Speech::Http(_) => {
                    at += self.feed_http(slot, rest);
                    self.check_upgrade(slot, at < data.len());
                }
                Speech::WebSocket(_) => {
                    at += self.feed_websocket(slot, rest);
                    if self.is_spent() {
                        return self.rest(slot, data.get(at..).unwrap_or_default());
                    }
                }
                Speech::Raw => {
                    let (session, id) = (link.session, LinkId { slot, generation: link.generation });
                    if !self.may_say(session, rest.len()) {
                        return;
                    }
                    return self.converse(session, Some(id), |c, t| c.on_frame(Frame::Stream(rest), t));
                }
                Speech::Stream { .. } | Speech::Datagrams { .. } | Speech::Closing => return,
            }
        }
    }

    /// A WebSocket that was taken up at once ends when bytes came with its request: the 101 is not written yet.
    fn check_upgrade(&mut self, slot: u32, more: bool) {
        if let Some(link) = self.links.get(slot as usize)
            && more
            && matches!(link.speech, Speech::WebSocket(_))
        {
            self.end_session(link.session, CloseReason::Fault, None);
        }
    }

    /// Reads at most one request. Returns the bytes taken.
    fn feed_http(&mut self, slot: u32, data: &[u8]) -> usize {
        let Some(Speech::Http(decoder)) = self.links.get_mut(slot as usize).map(|l| &mut l.speech) else {
            return data.len();
        };
        let mut decoder = std::mem::take(decoder);
        let limits = Arc::clone(&self.limits);
        let mut input = data;
        let progress = decoder.next(&mut input, &limits, |request, manner| {
            self.hear_request(slot, request, manner);
        });
        let taken = data.len() - input.len();
        if let Some(over) = self.leaving.take() {
            self.hand_over(slot, over, input);
            return data.len();
        }
        self.after_http(slot, progress, decoder);
        taken
    }

    fn after_http(&mut self, slot: u32, progress: Result<Progress, Refused>, decoder: http1::Decoder) {
        let in_body = decoder.in_body();
        let stopped = match self.links.get(slot as usize) {
            Some(link) if in_body && link.awaited != Awaited::Body && !self.may_send_body(slot, &decoder) => {
                let detail = "this body is not read from a stranger: show a token that is known with the head of the request";
                Some(Refused { status: 401, detail })
            }
            _ => None,
        };
        let Some(link) = self.links.get_mut(slot as usize) else { return };
        if let Speech::Http(place) = &mut link.speech {
            *place = decoder;
        }
        match progress {
            Ok(Progress::Complete) => link.awaited = Awaited::Request,
            Ok(more @ (Progress::NeedMore | Progress::Continue)) => {
                if more == Progress::Continue && stopped.is_none() {
                    self.out.owe_new(slot, |out| out.extend_from_slice(b"HTTP/1.1 100 Continue\r\n\r\n"));
                }
                let (awaited, time) = match in_body {
                    true => (Awaited::Body, self.limits.body_timeout),
                    false => (Awaited::Head, self.limits.head_timeout),
                };
                if std::mem::replace(&mut link.awaited, awaited) != awaited {
                    if let Some(refused) = stopped {
                        self.desk.counters.rejected += 1;
                        return self.refuse_link(slot, refused);
                    }
                    self.set_deadline(slot, self.now.time + time);
                }
            }
            Err(refused) => {
                self.desk.counters.refuse_request(refused.status);
                self.refuse_link(slot, refused);
            }
        }
    }

    /// Tells who speaks HTTP what is wrong, and ends the link.
    pub(super) fn refuse_link(&mut self, slot: u32, refused: Refused) {
        let Some(link) = self.links.get(slot as usize) else { return };
        if !matches!(link.speech, Speech::Http(_)) {
            return self.lose_link(slot, CloseReason::Unauthorized);
        }
        self.problem(slot, refused.status, refused.detail);
        self.begin_close(slot);
    }

    /// Reads messages until one makes the session hold, or ends it. Returns the bytes taken.
    fn feed_websocket(&mut self, slot: u32, data: &mut [u8]) -> usize {
        let Some(Speech::WebSocket(decoder)) = self.links.get_mut(slot as usize).map(|l| &mut l.speech)
        else {
            return data.len();
        };
        let mut decoder = decoder.take();
        let limits = Arc::clone(&self.limits);
        let (mut at, mut finished) = (0, false);
        loop {
            match decoder.next(data, &mut at, &limits) {
                Ok(Some(item)) => {
                    finished |= matches!(item, Item::Text(_) | Item::Binary(_) | Item::Deflated(..));
                    self.hear_item(slot, item);
                }
                Ok(None) => break,
                Err(fault) => {
                    self.hear_fault(slot, fault);
                    break;
                }
            }
            let goes_on = |l: &Link| matches!(l.speech, Speech::WebSocket(_)) && !l.is_paused();
            if self.is_spent()
                || self.leaving.is_some()
                || !self.links.get(slot as usize).is_some_and(goes_on)
            {
                break;
            }
        }
        let has_begun = !decoder.is_idle();
        if let Some(link) = self.links.get_mut(slot as usize)
            && let Speech::WebSocket(place) = &mut link.speech
        {
            *place = decoder;
            if finished || !has_begun {
                link.awaited = Awaited::Request;
            }
            if has_begun && std::mem::replace(&mut link.awaited, Awaited::Body) != Awaited::Body {
                self.set_deadline(slot, self.now.time + limits.body_timeout);
            }
        }
        if let Some(over) = self.leaving.take() {
            self.hand_over(slot, over, data.get(at..).unwrap_or_default());
            return data.len();
        }
        at
    }

    pub(super) fn hear_item(&mut self, slot: u32, item: Item<'_>) {
        let Some(link) = self.links.get_mut(slot as usize) else { return };
        let (session, id) = (link.session, Some(LinkId { slot, generation: link.generation }));
        // What is compressed is charged when it has been inflated.
        if !matches!(item, Item::Deflated(..)) && !self.may_say(session, item.weight()) {
            return;
        }
        let Some(link) = self.links.get_mut(slot as usize) else { return };
        match item {
            Item::Text(text) => {
                self.telling = Some(slot);
                self.converse(session, id, |c, turn| c.on_frame(Frame::Text(text), turn));
                self.heard(|| OwnedFrame::Text(text.into()));
            }
            Item::Binary(bytes) => {
                self.telling = Some(slot);
                self.converse(session, id, |c, turn| c.on_frame(Frame::Binary(bytes), turn));
                self.heard(|| OwnedFrame::Binary((&*bytes).into()));
            }
            Item::Deflated(_, payload) => self.hear_deflated(slot, session, item, payload.len()),
            Item::Ping(_) if !link.extras().pings.take(self.limits.ping_rate, self.now.time) => {
                self.hear_fault(slot, Fault { code: 1008, detail: "too many pings" });
            }
            Item::Ping(payload) => {
                self.out.owe_new(slot, |out| websocket::frame(out, Opcode::Pong, payload));
            }
            Item::Pong(_) => link.unanswered = 0,
            // RFC 6455 §5.5.1: a close is answered with the code it came with, or with none.
            Item::Close(said) => {
                let code = said.map_or(super::end::NO_CODE, |(code, _)| code);
                match self.sessions.get(session as usize) {
                    Some(s) if s.outlives => self.part_from(session, slot, code),
                    _ => self.end_session(session, CloseReason::Done, Some(code)),
                }
            }
        }
    }

    /// A message has been heard. Its conversation may have found that the link belongs to another session.
    fn heard(&mut self, frame: impl FnOnce() -> OwnedFrame) {
        self.telling = None;
        if let Some(over) = self.leaving.as_mut() {
            over.frame = frame();
        }
    }

    pub(super) fn hear_fault(&mut self, slot: u32, fault: Fault) {
        let session = self.links.get(slot as usize).map_or(NONE, |l| l.session);
        tracing::debug!(code = fault.code, detail = fault.detail, "a peer broke the WebSocket protocol");
        let reason = if fault.code == 1009 { CloseReason::TooBig } else { CloseReason::Fault };
        self.end_session(session, reason, Some(fault.code));
    }
}
