//! Sessions that post: what a hook's owner is told, and how deliveries come into its hook without a call.

use super::Shard;
use super::expand::encode;
use crate::link::NONE;
use crate::net::Net;
use dialect::{Event, HookEnd};
use hub::Lane;
use model::{Delivery, Form, Framing, SessionId, Ticket};
use node::hooks::News;
use std::sync::Arc;

impl<N: Net> Shard<N> {
    /// What has become of a hook that the session has asked for. Who has been told that it took too long does not get it.
    pub(super) fn hear_of_hook(&mut self, id: SessionId, ticket: Ticket, news: News) {
        let Some(session) = self.session(id) else { return };
        if let News::Closed { number, why } = news {
            // Another may have taken its place meanwhile.
            if session.hook().is_some_and(|hook| hook.number() == number) {
                self.lose_hook(id, why);
            }
            return;
        }
        let Some(more) = session.more.as_mut() else { return };
        let Some(i) = more.answers.iter().position(|w| w.0 == ticket) else { return };
        more.answers.swap_remove(i);
        session.tidy();
        match news {
            News::Opened(hook) => {
                session.set_hook(Some(hook));
                self.converse(id.slot, None, |c, t| c.on_event(Event::HookOpened { ticket }, t));
            }
            News::Refused(refusal) => self.hear_answer(id, ticket, node::Answer::Refused(refusal)),
            News::Closed { .. } => {}
        }
    }

    /// The session's hook has been given up. What comes until the conversation has said how it goes on is told to it.
    fn lose_hook(&mut self, id: SessionId, why: HookEnd) {
        let Some(session) = self.session(id) else { return };
        session.set_hook(None);
        if session.link == NONE && session.hearing.is_some() {
            session.hearing = Some(Lane(0));
            self.desk.roster.set_hearing(id.slot, NONE, Lane(0));
        }
        self.converse(id.slot, None, |c, t| c.on_event(Event::HookClosed { why }, t));
    }

    /// Posts these messages to the hooks of these sessions. Each is encoded once for all of them.
    pub(super) fn post_run(&mut self, form: &'static Form, sessions: &[u32], run: &[Arc<Delivery>]) {
        for delivery in run {
            let (deflater, counters) = (&mut self.deflater, &mut self.desk.counters);
            let body = delivery.form(form, Framing::Post, |message| {
                counters.encoded += 1;
                let bytes = encode(form, Framing::Post, message, deflater, &mut counters.deflated);
                counters.panics += u64::from(bytes.is_none());
                bytes
            });
            let hooks = sessions.iter().filter_map(|s| self.sessions.get(*s as usize)?.hook());
            match body {
                // A form without parts is not sent.
                Some(body) if body.is_empty() => {}
                Some(body) => hooks.for_each(|hook| hook.post(body.clone())),
                None => {
                    hooks.for_each(|hook| hook.miss(1));
                    for session in sessions {
                        self.converse(*session, None, |c, t| c.on_event(Event::Gap { missed: 1 }, t));
                    }
                }
            }
        }
    }
}
