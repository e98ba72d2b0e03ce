//! Deadlines: what happens when nothing happens.

use super::Shard;
use crate::link::{Awaited, Speech};
use crate::net::Net;
use crate::session::Session;
use crate::websocket::{self, Opcode};
use crate::wheel::Timer;
use model::{CloseReason, SessionId, Time};
use std::time::Duration;

/// How often goodbyes are said while the server drains.
pub(super) const DRAIN_STEP: Duration = Duration::from_millis(50);

/// How often windows that nobody has come back for are looked at.
pub(super) const SWEEP: Duration = Duration::from_secs(10);

/// Pings that may go unanswered before a peer counts as gone.
const UNANSWERED: u8 = 2;

impl<N: Net> Shard<N> {
    /// Does what is due.
    pub(super) fn tick(&mut self) {
        let mut due = std::mem::take(&mut self.due);
        self.wheel.fire(self.now.time, &mut due);
        for timer in due.drain(..) {
            match timer {
                Timer::Link(slot, generation) => self.link_due(slot, generation),
                Timer::Session(slot, generation) => {
                    self.session_due(SessionId { shard: self.desk.shard, slot, generation });
                }
            }
        }
        self.due = due;
        // One shard sweeps for all.
        if self.desk.shard == 0 && self.swept + SWEEP <= self.now.time {
            self.swept = self.now.time;
            self.exchange.sweep(self.now);
        }
    }

    /// Sets when the next thing must have happened on a link. A later time costs nothing.
    pub(super) fn set_deadline(&mut self, slot: u32, at: Time) {
        let Some(link) = self.links.get_mut(slot as usize) else { return };
        link.deadline = at;
        if link.alarm.set(at) {
            self.wheel.set(at, Timer::Link(slot, link.generation));
        }
    }

    /// A reader has fallen behind. One of a stream, who is never asked for a sign of life, has to take something from
    /// time to time.
    pub(super) fn watch_reader(&mut self, slot: u32) {
        let at = self.now.time + self.limits.stall_timeout;
        let Some(link) = self.links.get_mut(slot as usize) else { return };
        let lasts = matches!(link.speech, Speech::Stream { .. } | Speech::Raw);
        if lasts && std::mem::replace(&mut link.awaited, Awaited::Reader) != Awaited::Reader {
            link.moved = false;
            self.set_deadline(slot, at);
        }
    }

    fn link_due(&mut self, slot: u32, generation: u32) {
        let now = self.now.time;
        let Some(link) = self.links.get_mut(slot as usize).filter(|l| l.generation == generation) else {
            return;
        };
        if !link.alarm.goes_off(now) {
            return;
        }
        if link.deadline > now {
            let at = link.deadline;
            return self.set_deadline(slot, at);
        }
        let patience = self.limits.body_timeout;
        match &link.speech {
            // It is we who do not read: what the peer owes us cannot be late.
            Speech::Http(_) | Speech::WebSocket(_) if link.pause.holding => {
                self.set_deadline(slot, now + patience);
            }
            // Every request ends.
            Speech::Http(_) if link.pause.asking => {
                let session = link.session;
                self.end_session(session, CloseReason::TimedOut, None);
            }
            // Nothing was heard, and nothing said that could be lost: nobody is waited for.
            Speech::Http(_) if link.fresh => self.drop_link(slot),
            Speech::Http(_) => {
                if link.awaited != Awaited::Request {
                    let detail = "the request did not come in time";
                    self.desk.counters.refuse_request(408);
                    self.problem(slot, 408, detail);
                }
                self.begin_close(slot);
            }
            Speech::WebSocket(_) if link.awaited == Awaited::Body => {
                let session = link.session;
                self.end_session(session, CloseReason::TimedOut, None);
            }
            Speech::WebSocket(_) => self.check_life(slot),
            Speech::Stream { .. } | Speech::Raw if link.awaited == Awaited::Reader => {
                let moved = std::mem::take(&mut link.moved);
                link.awaited = Awaited::Request;
                match self.out.is_behind(slot) {
                    true if moved => self.watch_reader(slot),
                    true => self.lose_link(slot, CloseReason::SlowConsumer),
                    false => {}
                }
            }
            // Nobody is waited for who says nothing at all. After that it is for the dialect to be patient.
            Speech::Raw if link.fresh => {
                let session = link.session;
                let is_stranger = |s: &mut Session| s.budget().is_some();
                let reason = match self.sessions.get_mut(session as usize).is_some_and(is_stranger) {
                    true => CloseReason::Unauthorized,
                    false => CloseReason::TimedOut,
                };
                self.end_session(session, reason, None);
            }
            Speech::Stream { .. } | Speech::Raw | Speech::Datagrams { .. } => {}
            // A link that is closing goes on as long as its peer takes what it is owed.
            Speech::Closing if self.out.holds(slot) && std::mem::take(&mut link.moved) => {
                self.set_deadline(slot, now + super::end::STALL);
            }
            Speech::Closing => self.drop_link(slot),
        }
    }

    /// Pings a WebSocket that has been silent; gives it up when it has been for too long.
    fn check_life(&mut self, slot: u32) {
        let link = &mut self.links[slot as usize];
        if std::mem::take(&mut link.heard) {
            link.unanswered = 0;
        } else if link.unanswered >= UNANSWERED {
            return self.lose_link(slot, CloseReason::Silent);
        } else {
            link.unanswered += 1;
            self.out.owe_new(slot, |out| websocket::frame(out, Opcode::Ping, b""));
        }
        let at = self.now.time + self.limits.ping_interval;
        self.set_deadline(slot, at);
    }

    fn session_due(&mut self, id: SessionId) {
        let now = self.now.time;
        let Some(session) = self.session(id) else { return };
        if !session.alarm.goes_off(now) {
            return;
        }
        if self.has_expired(id) {
            return self.dismiss(id, CloseReason::Expired);
        }
        let Some(session) = self.session(id) else { return };
        if let Some(more) = session.more.as_mut() {
            let stranger = more.budget.as_ref().map(|budget| budget.until);
            if stranger.is_some_and(|until| until <= now) {
                return self.end_session(id.slot, CloseReason::Unauthorized, None);
            }
            if more.hold_until.is_some_and(|until| until <= now) {
                return self.end_session(id.slot, CloseReason::TimedOut, None);
            }
            let late: Vec<_> = more.answers.iter().filter(|w| w.1 <= now).map(|w| w.0).collect();
            more.answers.retain(|w| w.1 > now);
            let next = more
                .answers
                .iter()
                .map(|w| w.1)
                .chain(more.hold_until)
                .chain(more.expires)
                .chain(stranger)
                .min();
            session.tidy();
            if let Some(at) = next {
                self.wake_session(id, at);
            }
            for ticket in late {
                self.refuse_waiting(id, ticket);
            }
        }
        if self.session(id).is_none_or(|s| s.stem().is_some()) {
            // The time is told to the session that speaks for it.
            return;
        }
        self.converse(id.slot, None, |c, turn| {
            if c.wake_at().is_some_and(|at| at <= now) {
                c.on_tick(turn);
            }
        });
    }
}
