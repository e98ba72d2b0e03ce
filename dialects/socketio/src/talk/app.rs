//! What events mean, and what a client says: between sockets and what is done with them.

use crate::talk::engine::Over;
use crate::talk::layer::Line;
use crate::talk::socket::Sockets;
use crate::wire::arguments;
use crate::wire::packet::Kind;
use bytes::Bytes;
use dialect::{Event, Request, Turn};
use model::{CloseReason, Time};

/// What events mean. Where an app says nothing about something, nothing comes of it.
pub trait App: Send {
    /// The session is open, for this request.
    fn opened(&mut self, request: &Request<'_>) {
        let _ = request;
    }

    /// A client wants to be connected to a namespace, and shows this (JSON text, an object). Ends with
    /// [`Sockets::connect`] or [`Sockets::refuse`], now or later; until then nothing else is heard.
    ///
    /// # Errors
    /// The session ends.
    fn wishes(
        &mut self,
        namespace: &str,
        shown: Option<&str>,
        sockets: &mut Sockets,
        line: &mut Line<'_>,
        turn: &mut Turn,
    ) -> Result<(), Over>;

    /// A client that is connected says something.
    ///
    /// # Errors
    /// The session ends.
    fn hears(
        &mut self,
        said: &Said<'_>,
        sockets: &mut Sockets,
        line: &mut Line<'_>,
        turn: &mut Turn,
    ) -> Result<(), Over>;

    /// A client has left a namespace.
    fn parts(&mut self, namespace: &str, sockets: &Sockets, line: &mut Line<'_>, turn: &mut Turn) {
        let _ = (namespace, sockets, line, turn);
    }

    /// The hub tells something.
    ///
    /// # Errors
    /// The session ends.
    fn told(
        &mut self,
        event: Event<'_>,
        sockets: &mut Sockets,
        line: &mut Line<'_>,
        turn: &mut Turn,
    ) -> Result<(), Over> {
        let _ = (event, sockets, line, turn);
        Ok(())
    }

    /// From now on a WebSocket carries the session.
    fn changed(&mut self, sockets: &mut Sockets, line: &mut Line<'_>, turn: &mut Turn) {
        let _ = (sockets, line, turn);
    }

    /// The moment of [`App::wake_at`] has come.
    ///
    /// # Errors
    /// The session ends.
    fn tick(&mut self, sockets: &mut Sockets, line: &mut Line<'_>, turn: &mut Turn) -> Result<(), Over> {
        let _ = (sockets, line, turn);
        Ok(())
    }

    /// When it is to be told the time.
    fn wake_at(&self) -> Option<Time> {
        None
    }

    /// Whether the client may come back when it has lost its links.
    fn may_return(&self) -> bool {
        true
    }

    /// The client has come back, and been told what it had missed; it shows this again.
    fn returned(&mut self, shown: Option<&str>, line: &mut Line<'_>, turn: &mut Turn) {
        let _ = (shown, line, turn);
    }

    /// Somebody else ends the session. Last words may be said.
    fn closing(&mut self, reason: CloseReason, sockets: &mut Sockets, line: &mut Line<'_>, turn: &mut Turn) {
        let _ = (reason, sockets, line, turn);
    }
}

/// What a client says.
#[derive(Debug)]
pub struct Said<'a> {
    /// Where.
    pub namespace: &'a str,
    /// An event, or the answer to one.
    pub kind: Kind,
    /// The id of the answer that is asked for, or given.
    pub ack: Option<u64>,
    /// The array, as JSON text.
    pub array: &'a str,
    /// What its placeholders stand for.
    pub attachments: &'a [Bytes],
}

impl<'a> Said<'a> {
    /// The name of an event, and its arguments. `None`: it is none.
    #[must_use]
    pub fn event(&self) -> Option<arguments::Event<'a>> {
        let is_event = matches!(self.kind, Kind::Event | Kind::BinaryEvent);
        if is_event { arguments::event(self.array) } else { None }
    }
}
