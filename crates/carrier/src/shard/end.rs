//! How links and sessions end: each session with exactly one reason, each link after what it is owed.

use super::request::write_problem;
use super::{Draining, Shard};
use crate::arena::Stretch;
use crate::http1::{Refused, response};
use crate::link::{Hot, Link, NONE, Speech};
use crate::net::{Net, Stream};
use crate::session::{Session, identified};
use crate::shard::outgoing::Wrote;
use crate::websocket::{self, Opcode};
use dialect::{Effect, Event};
use hub::Lane;
use model::{CloseReason, LinkId, SessionId};
use slab::Slab;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// How long a link that has been closed and has sent everything is listened to, for the peer to end it too.
const LINGER: Duration = Duration::from_secs(2);
/// How long a peer that is owed a last word may take nothing of it.
pub(super) const STALL: Duration = Duration::from_secs(10);

/// Room for a last word beyond the bound, so that a reader who is cut for having met it is told.
const GOODBYE: usize = 1 << 10;

/// Stands for a close frame without a code (RFC 6455 §7.1.5).
pub(super) const NO_CODE: u16 = 1005;

/// The WebSocket close code for a reason (RFC 6455 §7.4.1, and the registry that follows it).
fn close_code(reason: CloseReason) -> u16 {
    match reason {
        CloseReason::Done => 1000,
        CloseReason::Gone | CloseReason::Silent | CloseReason::Draining => 1001,
        CloseReason::Fault => 1002,
        CloseReason::SlowConsumer
        | CloseReason::TimedOut
        | CloseReason::Unauthorized
        | CloseReason::Expired
        | CloseReason::Kicked => 1008,
        CloseReason::TooBig => 1009,
        CloseReason::InternalFault => 1011,
        CloseReason::MemoryBudget => 1013,
    }
}

/// The HTTP status for a request whose session ended before it was answered.
fn status(reason: CloseReason) -> u16 {
    match reason {
        CloseReason::Done | CloseReason::Gone | CloseReason::Fault | CloseReason::Silent => 400,
        CloseReason::Expired => 401,
        CloseReason::Unauthorized | CloseReason::Kicked => 403,
        CloseReason::TooBig => 413,
        CloseReason::InternalFault => 500,
        CloseReason::SlowConsumer | CloseReason::MemoryBudget | CloseReason::Draining => 503,
        CloseReason::TimedOut => 504,
    }
}

/// Whether a stream that ends for this reason has said all that there was to say.
fn ends_whole(reason: CloseReason) -> bool {
    match reason {
        CloseReason::Done | CloseReason::Draining => true,
        CloseReason::Gone
        | CloseReason::Fault
        | CloseReason::TooBig
        | CloseReason::SlowConsumer
        | CloseReason::MemoryBudget
        | CloseReason::Silent
        | CloseReason::TimedOut
        | CloseReason::Unauthorized
        | CloseReason::Expired
        | CloseReason::Kicked
        | CloseReason::InternalFault => false,
    }
}

/// What a person reads beside the code.
fn close_words(reason: CloseReason) -> &'static str {
    match reason {
        CloseReason::Done | CloseReason::Gone => "",
        CloseReason::Fault => "the protocol was broken",
        CloseReason::TooBig => "too big",
        CloseReason::SlowConsumer => "this client reads too slowly",
        CloseReason::MemoryBudget => "the server's memory budget is spent",
        CloseReason::Silent => "nothing was heard for too long",
        CloseReason::TimedOut => "an answer did not come in time",
        CloseReason::Unauthorized => "not allowed",
        CloseReason::Expired => "the token has expired",
        CloseReason::Kicked => "kicked",
        CloseReason::Draining => "the server is stopping",
        CloseReason::InternalFault => "a fault of ours",
    }
}

/// The sessions that somebody speaks for; branches end with theirs.
fn speakers(sessions: &Slab<Session>, shard: u16) -> Vec<SessionId> {
    identified(sessions, shard).filter(|(_, s)| s.stem().is_none()).map(|(id, _)| id).collect()
}

impl<N: Net> Shard<N> {
    /// Writes what links are owed. What does not fit into the turn goes with the next.
    pub(super) fn flush(&mut self) {
        let written = self.desk.counters.bytes_out;
        for _ in 0..super::WRITES {
            if self.desk.counters.bytes_out - written > super::WRITTEN {
                return;
            }
            let Some(slot) = self.out.next_touched() else { return };
            let bound = self.limits.pending_bytes + if self.is_closing(slot) { GOODBYE } else { 0 };
            match self.out.flush(slot, bound, &mut self.desk.counters) {
                Wrote::All => self.after_write(slot),
                Wrote::Some => self.watch_reader(slot),
                Wrote::TooSlow => self.note_broken(slot, None),
                Wrote::Broken(reason) => self.note_broken(slot, Some(reason)),
            }
        }
    }

    fn is_closing(&self, slot: u32) -> bool {
        self.links.get(slot as usize).is_some_and(|l| matches!(l.speech, Speech::Closing))
    }

    /// Notes that a link is to end. Without a reason its reader is too slow, and may be told so.
    fn note_broken(&mut self, slot: u32, reason: Option<CloseReason>) {
        if let Some(link) = self.links.get(slot as usize) {
            self.broken.push((LinkId { slot, generation: link.generation }, reason));
        }
    }

    /// A link can be written again.
    pub(super) fn write_more(&mut self, slot: u32) {
        let Ok(pushed) = self.out.push(slot) else {
            return self.note_broken(slot, Some(CloseReason::Gone));
        };
        if let Some(link) = self.links.get_mut(slot as usize) {
            link.moved |= pushed;
        }
        if !self.out.is_behind(slot) {
            if pushed {
                self.after_write(slot);
            }
            return;
        }
        let written = self.desk.counters.bytes_out;
        let (wrote, missed) = self.out.write_more(slot, &mut self.desk.counters);
        if self.desk.counters.bytes_out > written
            && let Some(link) = self.links.get_mut(slot as usize)
        {
            link.moved = true;
        }
        match wrote {
            Wrote::All => {
                if missed > 0 {
                    self.desk.counters.missed += missed;
                    let session = self.links.get(slot as usize).map_or(NONE, |l| l.session);
                    self.converse(session, None, |c, turn| c.on_event(Event::Gap { missed }, turn));
                }
                self.after_write(slot);
            }
            Wrote::Some | Wrote::TooSlow => {}
            Wrote::Broken(reason) => self.note_broken(slot, Some(reason)),
        }
    }

    /// What was owed to the link has been taken; a last word may have been added since.
    fn after_write(&mut self, slot: u32) {
        if self.is_closing(slot)
            && self.out.is_clear(slot)
            && let Some(stream) = self.out.hot[slot as usize].stream.as_mut()
        {
            stream.finish();
            // What the stream holds back goes out as its peer takes it.
            let patience = if stream.is_holding() { STALL } else { LINGER };
            self.set_deadline(slot, self.now.time + patience);
        }
    }

    /// Ends what broke while something else was being done, and cuts the fullest when memory runs out.
    pub(super) fn mend(&mut self) {
        while let Some((id, reason)) = self.broken.pop() {
            // Its place may have been given to somebody else meanwhile.
            let Some(link) = self.links.get(id.slot as usize).filter(|l| l.generation == id.generation)
            else {
                continue;
            };
            match (reason, link.session) {
                (None, session) if session != NONE => {
                    tracing::debug!(
                        shard = self.desk.shard,
                        session,
                        "a reader is too slow; its session ends"
                    );
                    self.end_session(session, CloseReason::SlowConsumer, None);
                }
                (reason, _) => self.lose_link(id.slot, reason.unwrap_or(CloseReason::SlowConsumer)),
            }
        }
        let share = self.limits.memory_budget / usize::from(self.exchange.shards()).max(1);
        while self.out.pending > share {
            let Some(slot) = self.out.fullest() else { return };
            let pending = self.out.pending;
            tracing::warn!(
                shard = self.desk.shard,
                pending,
                "the memory budget is spent; the fullest reader is cut"
            );
            self.lose_link(slot, CloseReason::MemoryBudget);
        }
    }

    /// A link is gone, or of no more use: nothing can be said on it. Its session ends, unless it can do without.
    pub(super) fn lose_link(&mut self, slot: u32, reason: CloseReason) {
        let Some(link) = self.links.get(slot as usize) else { return };
        let (session, generation) = (link.session, link.generation);
        self.keep_account(session, slot);
        self.drop_link(slot);
        let Some(s) = self.sessions.get_mut(session as usize) else { return };
        s.drop_link(slot);
        if s.link == NONE && !s.outlives {
            return self.end_session(session, reason, None);
        }
        self.unhear(session, slot);
        let lost = LinkId { slot, generation };
        self.converse(session, None, |c, turn| c.on_event(Event::LinkLost(lost), turn));
    }

    /// A session and its branches hear on this link no more.
    pub(super) fn unhear(&mut self, session: u32, slot: u32) {
        let Some(s) = self.sessions.get(session as usize) else { return };
        let branches: Vec<u32> = s.branches().iter().map(|b| b.slot).collect();
        branches.into_iter().for_each(|branch| self.unhear_one(branch, slot));
        self.unhear_one(session, slot);
    }

    fn unhear_one(&mut self, session: u32, slot: u32) {
        let Some(s) = self.sessions.get_mut(session as usize) else { return };
        if s.hearing_on == slot && s.hearing.is_some() {
            // What comes until the conversation has said how it goes on is told to it.
            s.hearing = Some(Lane(0));
            self.desk.roster.set_hearing(session, NONE, Lane(0));
        }
    }

    /// Ends a session: its conversation may say a last word, its memberships end, its branches with it, its links close.
    pub(super) fn end_session(&mut self, slot: u32, reason: CloseReason, code: Option<u16>) {
        let Some(session) = self.sessions.get_mut(slot as usize) else { return };
        let id = session.id(self.desk.shard, slot);
        let (conversation, newest) = (session.conversation.take(), session.link);
        if let Some(mut conversation) = conversation {
            let mut turn = self.turns.pop().unwrap_or_default();
            turn.reset(self.now, None);
            // Its memory is given back under guard too: somebody else's code may run there.
            let said = self.guard(|| {
                conversation.on_close(reason, &mut turn);
                drop(conversation);
            });
            while let Some(effect) = said.and_then(|()| turn.next_effect()) {
                self.last_word(newest, &effect, &turn);
            }
            self.put_away(turn);
        }
        self.keep_account(slot, newest);
        let Some(session) = self.remove_session(id, reason) else { return };
        for branch in session.branches() {
            // What went wrong is counted once.
            self.remove_session(*branch, CloseReason::Done);
        }
        for link in session.links() {
            self.say_goodbye(link, reason, code);
        }
    }

    /// Takes a session out of everything but its links and branches.
    pub(super) fn remove_session(&mut self, id: SessionId, reason: CloseReason) -> Option<Session> {
        let mut session = self.sessions.try_remove(id.slot as usize)?;
        if session.is_held() {
            if let Some(asked) = session.more().born.take() {
                self.announce(id, asked);
            }
            let held = std::mem::take(&mut session.more().held);
            self.guard(move || drop(held));
        }
        if session.hearing.is_some() {
            session.vhost.audience.fetch_sub(1, Ordering::Relaxed);
        }
        self.desk.counters.closed[reason.index()] += 1;
        *self.desk.counters.sessions_of(session.dialect) -= 1;
        self.desk.detach(id, self.now);
        self.forget_old();
        Some(session)
    }

    /// Notes what a session has spent under the address of a link of its, before either is gone.
    pub(super) fn keep_account(&mut self, session: u32, link: u32) {
        if let Some(rate) = self.limits.publish_rate
            && let Some(session) = self.sessions.get(session as usize)
            && let Some(link) = self.links.get(link as usize)
        {
            self.ledger.keep(link.address(), session.allowance, rate, self.now.time);
        }
    }

    /// A conversation that ends may still speak, but ask for nothing.
    fn last_word(&mut self, newest: u32, effect: &Effect, turn: &dialect::Turn) {
        if matches!(effect, Effect::Send { .. } | Effect::Respond { .. }) {
            self.speak(newest, effect, turn);
        }
    }

    /// Ends a link as its protocol wants it.
    fn say_goodbye(&mut self, slot: u32, reason: CloseReason, code: Option<u16>) {
        let Some(link) = self.links.get_mut(slot as usize) else { return };
        link.session = NONE;
        let asking = link.asking.take();
        match &link.speech {
            Speech::WebSocket(_) => {
                let code = code.unwrap_or_else(|| close_code(reason));
                self.out.owe_new(slot, |out| match code {
                    NO_CODE => websocket::frame(out, Opcode::Close, b""),
                    _ => websocket::close(out, code, close_words(reason)),
                });
            }
            // Without its last chunk a reader knows that the body is not whole.
            Speech::Stream { chunked: true } if ends_whole(reason) => {
                self.out.owe_new(slot, response::last_chunk);
            }
            Speech::Http(_) => {
                if let Some(asking) = asking {
                    let refused = Refused { status: status(reason), detail: close_words(reason) };
                    let date = self.date.line(self.now);
                    self.out.owe_new(slot, |out| write_problem(out, &asking, refused, date, true));
                }
            }
            Speech::Stream { .. } | Speech::Raw | Speech::Closing => {}
            Speech::Datagrams { .. } => return self.drop_link(slot),
        }
        self.begin_close(slot);
    }

    /// Ends one link of a session, which goes on. Where nothing was answered, nothing can be.
    pub(super) fn drop_one(&mut self, session: u32, slot: u32, code: Option<u16>) {
        let Some(link) = self.links.get_mut(slot as usize).filter(|l| l.session == session) else { return };
        link.session = NONE;
        if let Some(session) = self.sessions.get_mut(session as usize) {
            session.drop_link(slot);
        }
        self.unhear(session, slot);
        self.say_goodbye(slot, CloseReason::Done, code);
    }

    /// The peer ends one link of a session, which goes on without it.
    pub(super) fn part_from(&mut self, session: u32, slot: u32, code: u16) {
        let Some(link) = self.links.get(slot as usize) else { return };
        let lost = LinkId { slot, generation: link.generation };
        self.keep_account(session, slot);
        self.drop_one(session, slot, Some(code));
        self.converse(session, None, |c, turn| c.on_event(Event::LinkLost(lost), turn));
    }

    /// Lets what is owed go out, then ends the link.
    pub(super) fn begin_close(&mut self, slot: u32) {
        let Some(link) = self.links.get_mut(slot as usize) else { return };
        link.speech = Speech::Closing;
        link.pause = crate::link::Pause::default();
        drop(link.take_unread());
        link.asking = None;
        self.set_deadline(slot, self.now.time + STALL);
        // What was not read yet is read to its end, or the kernel would reset the connection.
        self.read_later(slot);
        if self.out.is_clear(slot) {
            self.after_write(slot);
        }
    }

    /// Ends a link now.
    pub(super) fn drop_link(&mut self, slot: u32) {
        if let Some(stream) = self.out.hot[slot as usize].stream.as_mut() {
            self.net.remove(stream);
        }
        self.forget_link(slot);
        self.exchange.connections.fetch_sub(1, Ordering::Relaxed);
        self.doors.departed(self.desk.shard);
    }

    /// Gives a link's place back.
    pub(super) fn forget_link(&mut self, slot: u32) {
        self.out.forget(slot);
        self.forget_long(slot);
        let hot = &mut self.out.hot[slot as usize];
        // It may stand on the list of touched links; it is passed over there.
        let touched = hot.is_touched();
        *hot = Hot::new(None);
        if touched {
            hot.last = Stretch::default();
        }
        if let Some(address) = self.links.get(slot as usize).and_then(Link::datagrams_to) {
            self.forget_address(slot, address);
        }
        self.links.try_remove(slot as usize);
    }

    /// The server stops: nobody new is let in, and goodbyes are spread over the time there is.
    pub(super) fn begin_drain(&mut self) {
        self.net.close_listeners();
        self.open_ports.clear();
        let left = speakers(&self.sessions, self.desk.shard);
        let steps = self.limits.drain_timeout.as_millis() / super::tick::DRAIN_STEP.as_millis();
        let per_step = left.len() / usize::try_from(steps / 2).unwrap_or(1).max(1) + 1;
        let idle: Vec<u32> = self
            .links
            .iter()
            .filter(|(_, l)| l.session == NONE)
            .filter_map(|(slot, _)| u32::try_from(slot).ok())
            .collect();
        idle.into_iter().for_each(|slot| self.begin_close(slot));
        let until = self.now.time + self.limits.drain_timeout;
        self.draining = Some(Draining { left, per_step, next: self.now.time, until });
    }

    /// Says some of the goodbyes.
    pub(super) fn say_goodbyes(&mut self) {
        let Some(draining) = self.draining.as_mut().filter(|d| d.next <= self.now.time) else { return };
        // Steps that were slept through are made up for.
        let late = self.now.time.since(draining.next).as_millis() / super::tick::DRAIN_STEP.as_millis();
        let told = draining.per_step.saturating_mul(usize::try_from(late).unwrap_or(0) + 1);
        draining.next = self.now.time + super::tick::DRAIN_STEP;
        if draining.left.is_empty() {
            // Sessions that were on their way here when it began.
            draining.left = speakers(&self.sessions, self.desk.shard);
        }
        let keep = draining.left.len().saturating_sub(told);
        for id in draining.left.split_off(keep) {
            if self.session(id).is_some() {
                self.end_session(id.slot, CloseReason::Draining, None);
            }
        }
        self.end_drain();
    }

    /// The time for goodbyes is over: who has not taken his goes without.
    fn end_drain(&mut self) {
        if self.draining.as_ref().is_none_or(|d| self.now.time < d.until) {
            return;
        }
        let left = self.links.iter().filter_map(|(slot, _)| u32::try_from(slot).ok());
        for slot in left.collect::<Vec<_>>() {
            self.lose_link(slot, CloseReason::Draining);
        }
    }
}
