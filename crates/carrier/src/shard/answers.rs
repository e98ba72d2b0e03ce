//! What becomes of commands: the answers in the inbox become events, and some change for whom a session acts.

use super::Shard;
use crate::net::Net;
use dialect::Event;
use model::{Principal, Refusal, SessionId, Ticket, TokenFlaw};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

impl<N: Net> Shard<N> {
    /// Tells a session the answer to one of its commands.
    pub(super) fn hear_answer(&mut self, id: SessionId, ticket: Ticket, answer: node::Answer) {
        use node::Answer;
        let Some(session) = self.session(id) else { return };
        match answer {
            Answer::Late(verdict) => {
                let Some(more) = session.more.as_mut() else { return };
                let Some(i) = more.answers.iter().position(|w| w.0 == ticket) else { return };
                more.answers.swap_remove(i);
                session.tidy();
                self.hear_answer(id, ticket, Answer::Admitted(verdict));
            }
            Answer::Admitted(Ok(principal)) => self.tell_who(id, ticket, &principal, true),
            Answer::Named(principal) => self.tell_who(id, ticket, &principal, false),
            Answer::Enrolled(principal, proof) => match self.act_for(id, &principal, true) {
                Ok(()) => {
                    let event = Event::Enrolled { ticket, principal: &principal, token: &proof.expose() };
                    self.converse(id.slot, None, |c, t| c.on_event(event, t));
                }
                Err(refusal) => {
                    self.desk.discard(&principal);
                    self.hear_answer(id, ticket, Answer::Refused(refusal));
                }
            },
            Answer::Retired(who) => {
                // It may act for somebody else by now.
                if session.principal.as_ref().is_some_and(|p| p.address == Some(who)) {
                    session.principal = None;
                }
                self.converse(id.slot, None, |c, t| c.on_event(Event::Retired { ticket }, t));
            }
            Answer::Checked => self.converse(id.slot, None, |c, t| c.on_event(Event::Checked { ticket }, t)),
            Answer::Admitted(Err(refusal)) | Answer::Refused(refusal) => {
                self.desk.counters.refuse(&refusal);
                tracing::debug!(shard = id.shard, session = id.slot, %refusal, "a command is refused");
                let event = Event::Refused { ticket, refusal: &refusal };
                self.converse(id.slot, None, |c, t| c.on_event(event, t));
            }
            Answer::Spawned(session) => {
                let event = Event::Spawned { ticket, session };
                self.converse(id.slot, None, |c, t| c.on_event(event, t));
            }
            Answer::Branched(session) => {
                let event = Event::Branched { ticket, session };
                self.converse(id.slot, None, |c, t| c.on_event(event, t));
            }
            Answer::Hook(news) => self.hear_of_hook(id, ticket, news),
            Answer::Published { members } => {
                let event = Event::Published { ticket, members };
                self.converse(id.slot, None, |c, t| c.on_event(event, t));
            }
            Answer::Channels { page, next } => {
                let event = Event::Channels { ticket, page: &page, next };
                self.converse(id.slot, None, |c, t| c.on_event(event, t));
            }
        }
    }

    /// Tells a session for whom it acts from now on.
    fn tell_who(&mut self, id: SessionId, ticket: Ticket, principal: &Arc<Principal>, proved: bool) {
        match self.act_for(id, principal, proved) {
            Ok(()) => {
                let event = Event::Authenticated { ticket, principal };
                self.converse(id.slot, None, |c, t| c.on_event(event, t));
            }
            Err(refusal) => self.hear_answer(id, ticket, node::Answer::Refused(refusal)),
        }
    }

    /// From now on the session acts for this principal, if it still may. Its peer is a stranger still, unless that was
    /// proved, and of one that not everybody can become.
    fn act_for(&mut self, id: SessionId, principal: &Arc<Principal>, proved: bool) -> Result<(), Refusal> {
        let enrolled = principal.address.is_some_and(model::PrincipalId::is_enrolment);
        // The rules may have changed since it was admitted; those who were here then have been looked through.
        if !self.stands(principal) {
            return Err(if enrolled { Refusal::UnknownPrincipal } else { Refusal::BadToken });
        }
        if principal.has_expired(self.now.wall_ms) {
            return Err(Refusal::InvalidToken(TokenFlaw::Expired));
        }
        self.desk.act_for(id, principal, self.now)?;
        let Some(session) = self.session(id) else { return Ok(()) };
        session.principal = Some(Arc::clone(principal));
        if let Some(more) = session.more.as_mut() {
            more.expires = None;
        }
        let peer = session.stem().unwrap_or(id);
        if let Some(session) = self.session(peer)
            && let Some(more) = session.more.as_mut()
        {
            more.budget = None;
            session.tidy();
        }
        self.watch_expiry(id);
        if proved && !principal.is_stranger() {
            self.make_known(peer.slot);
        }
        Ok(())
    }

    /// Whether somebody who was admitted may stay. Who decides that is somebody else's code; where it fails, nobody may.
    pub(super) fn stands(&self, principal: &Arc<Principal>) -> bool {
        catch_unwind(AssertUnwindSafe(|| self.exchange.stands(principal))).unwrap_or(false)
    }

    /// Refuses what a session has waited for too long.
    pub(super) fn refuse_waiting(&mut self, id: SessionId, ticket: Ticket) {
        self.answer(id, ticket, node::Answer::Refused(Refusal::Busy));
    }
}
