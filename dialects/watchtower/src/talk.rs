//! Conversations: one for each request, stream, callback and device. What they share is here.

mod join;
mod stream;
mod callback;
mod request;
mod device;
pub(crate) mod mailbox;
pub(crate) mod tcp;
pub(crate) mod udp;

pub(crate) use request::Talk;

use crate::map::{self, Aliases};
use crate::settings::{SENDER, Settings};
use crate::wire::http::{Problem, Style};
use dialect::{Response, Turn};
use model::{CloseReason, Form, Grant, Principal, Role};
use std::sync::Arc;
use subtle::ConstantTimeEq;

/// What every conversation knows.
#[derive(Debug)]
pub(crate) struct Rules {
    pub(crate) settings: Settings,
    /// What a sender is called, and may do.
    pub(crate) sender: Arc<Role>,
    /// The same of one that has registered without showing anything.
    pub(crate) stranger: Arc<Role>,
    pub(crate) aliases: Arc<Aliases>,
    /// How streams hear.
    pub(crate) object: &'static Form,
}

impl Rules {
    pub(crate) fn new(settings: Settings) -> Self {
        let aliases = Arc::new(Aliases::new(&settings.aliases));
        let grants = settings.grants.iter().flatten().filter_map(|text| Grant::parse(text).ok());
        let sender = Principal::named(SENDER, grants.collect::<Vec<_>>()).role;
        let stranger = Arc::new(sender.unproven());
        let object = map::lines(&aliases);
        Self { settings, sender, stranger, aliases, object }
    }

    /// Whether this is the secret.
    pub(crate) fn knows(&self, shown: &[u8]) -> bool {
        let secret = self.settings.secret.as_ref();
        secret.is_some_and(|secret| secret.reveal().as_bytes().ct_eq(shown).into())
    }
}

/// The head of every answer. SPEC [ANS-1].
fn answer(status: u16, media: &'static str) -> Response {
    Response::new(status, media).with("X-Server-Name", "Watchtower")
}

const JSON: &str = "application/json; charset=utf-8";

/// Answers with a whole response and ends, and with it whatever was joined on the way.
fn respond(response: Response, write: impl FnOnce(&mut Vec<u8>), turn: &mut Turn) {
    turn.respond(response, write);
    turn.close(CloseReason::Done);
}

fn fail(problem: &Problem, style: Style, turn: &mut Turn) {
    let head = answer(problem.status, style.media());
    let head = match problem.header {
        Some((name, value)) => head.with(name, value),
        None => head,
    };
    respond(head, |out| problem.write(style, out), turn);
}
