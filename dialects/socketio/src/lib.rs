//! The Socket.IO dialect: Engine.IO sessions by polls and WebSocket, and the sockets in them.
//!
//! `SPEC.md` beside this crate has its promises by number. Knows neither the hub nor a carrier. Read in this
//! order: [`wire`], [`map`], [`talk`].

pub mod settings;
pub mod client;
pub mod wire;
pub mod map;
pub mod talk;

pub use client::Client;
pub use settings::Settings;

use dialect::{Conversation, Dialect, Opening, Request};
use settings::Meaning;
use std::sync::Arc;
use talk::broker::Broker;
use talk::messaging::{Manners, Messaging};
use talk::peer::{Peer, Terms};
use talk::sid::Key;
use talk::socket::{Bounds, Sio};
use talk::worlds::Worlds;

/// The dialect, with its settings.
#[derive(Debug)]
pub struct SocketIo {
    terms: Arc<Terms>,
    bounds: Bounds,
    meaning: Meaning,
    manners: Manners,
    answer_all: bool,
}

impl SocketIo {
    /// The dialect as these settings want it. `client`: the files of the client library, if they are served. `key`:
    /// drawn for this run of the server, known to nobody.
    #[must_use]
    pub fn new(settings: &Settings, client: Client, key: [u8; 32]) -> Self {
        let terms = Arc::new(Terms {
            path: "/socket.io",
            pace: settings.pace(),
            key: Key::new(key),
            recovery: settings.recovery(),
            cookie: settings.cookie.as_deref().map(Into::into),
            client,
        });
        let (bounds, meaning, manners) = (settings.bounds(), settings.profile, settings.manners());
        Self { terms, bounds, meaning, manners, answer_all: settings.answer_all }
    }
}

impl Dialect for SocketIo {
    fn name(&self) -> &'static str {
        map::NAME
    }

    fn claims(&self, request: &Request<'_>) -> bool {
        let is_ours = self.terms.is_ours(request) || self.terms.file(request).is_some();
        is_ours || (self.answer_all && !request.wants_websocket)
    }

    fn converse(&self, opening: &Opening) -> Box<dyn Conversation> {
        let (terms, key) = (Arc::clone(&self.terms), self.terms.key.clone());
        let returns = terms.recovery.is_some().then(|| key.clone());
        match self.meaning {
            Meaning::Broker => {
                let app = Worlds::new(key, Broker);
                Box::new(Peer::new(terms, opening, Sio::new(&self.bounds, app).with_returns(returns)))
            }
            Meaning::Messaging => {
                let app = Worlds::new(key, Messaging::new(self.manners));
                Box::new(Peer::new(terms, opening, Sio::new(&self.bounds, app).with_returns(returns)))
            }
        }
    }

    fn paste_line(&self, address: &str) -> String {
        match self.meaning {
            Meaning::Broker => {
                format!("io('http://{address}').emit('subscribe', 'chat').on('data', console.log)")
            }
            Meaning::Messaging => {
                format!(
                    "io('http://{address}').emit('authenticate', {{token: 'chat'}}).on('message', console.log)"
                )
            }
        }
    }
}
