//! The rooms dialect: the protocol of ioTower, JSON objects over a WebSocket on any path.
//!
//! `SPEC.md` beside this crate has its promises by number. Knows neither the hub nor a carrier. Read in this
//! order: [`wire`], [`map`], `talk`.

pub mod settings;
pub mod wire;
pub mod map;
mod talk;

pub use settings::Settings;

use dialect::{Conversation, Dialect, Opening, Request};

/// The dialect, with its settings.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rooms {
    settings: Settings,
}

impl Rooms {
    /// The dialect as these settings want it.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self { settings }
    }
}

impl Dialect for Rooms {
    fn name(&self) -> &'static str {
        map::NAME
    }

    /// SPEC [WS-1]: any path will do, so this dialect must be asked last.
    fn claims(&self, request: &Request<'_>) -> bool {
        request.wants_websocket
    }

    fn converse(&self, _: &Opening) -> Box<dyn Conversation> {
        Box::new(talk::Talk::new(self.settings))
    }

    fn paste_line(&self, address: &str) -> String {
        let (listen, speak) =
            (r#"{"event":"subscribe","payload":["chat"]}"#, r#"{"event":"chat","payload":"hello"}"#);
        format!("npx wscat -c ws://{address}/ -w 600 -x '{listen}' -x '{speak}'")
    }
}
