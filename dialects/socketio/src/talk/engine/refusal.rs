//! What requests are answered that cannot be served, in the numbers and words of the reference.

use dialect::{Response, Turn};

/// Why a request is not served.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refused {
    /// 0.
    UnknownTransport,
    /// 1.
    UnknownSession,
    /// 2.
    BadMethod,
    /// 3.
    BadRequest,
    /// 5.
    BadVersion,
}

impl Refused {
    fn parts(self) -> (u8, &'static str) {
        match self {
            Self::UnknownTransport => (0, "Transport unknown"),
            Self::UnknownSession => (1, "Session ID unknown"),
            Self::BadMethod => (2, "Bad handshake method"),
            Self::BadRequest => (3, "Bad request"),
            Self::BadVersion => (5, "Unsupported protocol version"),
        }
    }

    /// Answers the request: with JSON, or, where it wants to be a WebSocket, with the bare words.
    pub fn answer(self, wants_websocket: bool, turn: &mut Turn) {
        let (code, words) = self.parts();
        if wants_websocket {
            return turn
                .respond(Response::new(400, "text/html"), |out| out.extend_from_slice(words.as_bytes()));
        }
        turn.respond(Response::new(400, "application/json"), |out| {
            out.extend_from_slice(format!("{{\"code\":{code},\"message\":\"{words}\"}}").as_bytes());
        });
    }
}
