//! One request, one page.

use crate::map;
use dialect::{Conversation, Event, Frame, Turn};
use model::CloseReason;
use std::sync::Arc;

/// The conversation.
#[derive(Debug)]
pub(crate) struct Talk {
    page: Arc<str>,
}

impl Talk {
    pub(crate) fn new(page: Arc<str>) -> Self {
        Self { page }
    }
}

impl Conversation for Talk {
    /// SPEC [PAGE-1]: to anybody, for nothing in the page is a secret.
    fn on_frame(&mut self, frame: Frame<'_>, turn: &mut Turn) {
        if let Frame::Request(_) = frame {
            turn.respond(map::head(), |out| out.extend_from_slice(self.page.as_bytes()));
            turn.close(CloseReason::Done);
        }
    }

    /// It asks for nothing that would be answered.
    fn on_event(&mut self, _: Event<'_>, _: &mut Turn) {}
}
