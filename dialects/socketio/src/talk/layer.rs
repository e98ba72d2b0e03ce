//! What speaks by an Engine.IO session, and what it is given to do so. Does not know what is said.

use crate::talk::engine::{Engine, Over, Pace, Up};
use crate::wire::engine::Revision;
use dialect::{Event, Request, Turn};
use model::{CloseReason, LinkId, Mark, SessionId, Time, Unit};

/// What speaks by an Engine.IO session. Where it says nothing about something, nothing comes of it.
pub trait Layer: Send {
    /// The session is open: for this request.
    ///
    /// # Errors
    /// The session ends.
    fn opened(&mut self, request: &Request<'_>, line: &mut Line<'_>, turn: &mut Turn) -> Result<(), Over> {
        let _ = (request, line, turn);
        Ok(())
    }

    /// The client has said something.
    ///
    /// # Errors
    /// The session ends.
    fn heard(&mut self, up: &Up<'_>, line: &mut Line<'_>, turn: &mut Turn) -> Result<(), Over>;

    /// The hub has told something.
    ///
    /// # Errors
    /// The session ends.
    fn told(&mut self, event: Event<'_>, line: &mut Line<'_>, turn: &mut Turn) -> Result<(), Over> {
        let _ = (event, line, turn);
        Ok(())
    }

    /// The session is carried by a WebSocket from now on. So it is from the beginning, if it was never otherwise.
    fn changed(&mut self, line: &mut Line<'_>, turn: &mut Turn) {
        let _ = (line, turn);
    }

    /// The moment of [`Layer::wake_at`] has come.
    ///
    /// # Errors
    /// The session ends.
    fn tick(&mut self, line: &mut Line<'_>, turn: &mut Turn) -> Result<(), Over> {
        let _ = (line, turn);
        Ok(())
    }

    /// When it is to be told the time.
    fn wake_at(&self) -> Option<Time> {
        None
    }

    /// Somebody else ends the session. Last words may be said.
    fn closing(&mut self, reason: CloseReason, line: &mut Line<'_>, turn: &mut Turn) {
        let _ = (reason, line, turn);
    }

    /// Whether the client may come back when it has lost its links.
    fn may_return(&self) -> bool {
        false
    }

    /// The session that the client comes back to, if that is what it says.
    fn comes_back(&self, up: &Up<'_>) -> Option<SessionId> {
        let _ = up;
        None
    }

    /// The client has come back, and is about to say so: what it had begun to say before is forgotten.
    fn begins_to_return(&mut self) {}

    /// The session that the client wanted to come back to is none any more.
    fn begins_anew(&mut self) {}
}

/// A session, for the layer above.
pub struct Line<'a> {
    pub(super) engine: &'a mut Engine,
    pub(super) pace: &'a Pace,
    /// Which session it is.
    pub session: SessionId,
    /// Until where its client has everything.
    pub has: Mark,
    /// Whether it is told where messages stand, so that it can come back for what follows.
    pub offsets: bool,
}

impl Line<'_> {
    /// Which revision the client speaks.
    #[must_use]
    pub fn revision(&self) -> Revision {
        self.engine.revision()
    }

    /// Whether it cannot be told bytes but in digits.
    #[must_use]
    pub fn as_text(&self) -> bool {
        self.engine.as_text()
    }

    /// The WebSocket that carries it, if one does.
    #[must_use]
    pub fn websocket(&self) -> Option<LinkId> {
        self.engine.websocket()
    }

    /// Says a packet: one of text with the digit `4` before it, one of bytes as they are.
    ///
    /// # Errors
    /// Too much waits.
    pub fn say(&mut self, unit: Unit, packet: &[u8], turn: &mut Turn) -> Result<(), Over> {
        self.engine.say(unit, packet, self.pace, turn)
    }
}
