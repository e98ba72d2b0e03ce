//! The Socket.IO dialect: Engine.IO sessions by polls and WebSocket, and the sockets in them.
//!
//! `SPEC.md` beside this crate has its promises by number. Knows neither the hub nor a carrier. Read in this
//! order: [`wire`], [`map`], [`talk`].

pub mod settings;
pub mod wire;
pub mod map;
pub mod talk;

pub use settings::Settings;

use dialect::{Conversation, Dialect, Opening, Request};
use std::sync::Arc;
use talk::broker::Broker;
use talk::peer::{Peer, Terms};
use talk::sid::Key;
use talk::socket::{Bounds, Sio};

/// The dialect, with its settings.
#[derive(Debug)]
pub struct SocketIo {
    terms: Arc<Terms>,
    bounds: Bounds,
}

impl SocketIo {
    /// The dialect as these settings want it. `key`: drawn for this run of the server, known to nobody.
    #[must_use]
    pub fn new(settings: Settings, key: [u8; 32]) -> Self {
        let terms = Terms { pace: settings.pace(), key: Key::new(key) };
        Self { terms: Arc::new(terms), bounds: settings.bounds() }
    }
}

impl Dialect for SocketIo {
    fn name(&self) -> &'static str {
        map::NAME
    }

    fn claims(&self, request: &Request<'_>) -> bool {
        matches!(request.path, "/socket.io/" | "/socket.io")
    }

    fn converse(&self, opening: &Opening) -> Box<dyn Conversation> {
        let layer = Sio::new(&self.bounds, Broker::new(self.terms.key.clone()));
        Box::new(Peer::new(Arc::clone(&self.terms), opening, layer))
    }

    fn paste_line(&self, address: &str) -> String {
        format!("io('http://{address}').emit('subscribe', 'chat').on('data', console.log)")
    }
}
