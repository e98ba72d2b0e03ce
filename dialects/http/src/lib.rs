//! The plain HTTP dialect: what a person with `curl` can do. Publish by POST, listen by GET (NDJSON, server-sent
//! events, or a WebSocket whose messages are payloads), list channels, ask whether the server is well.
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
pub struct Http {
    settings: Settings,
}

impl Http {
    /// The dialect as these settings want it.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self { settings }
    }
}

impl Dialect for Http {
    fn name(&self) -> &'static str {
        "http"
    }

    /// SPEC [URL-1].
    fn claims(&self, request: &Request<'_>) -> bool {
        wire::is_ours(request.path)
    }

    fn converse(&self, _: &Opening) -> Box<dyn Conversation> {
        Box::new(talk::Talk::new(self.settings))
    }

    fn paste_line(&self, address: &str) -> String {
        format!("curl -N http://{address}/c/chat & sleep 1; curl http://{address}/c/chat -d hello")
    }
}
