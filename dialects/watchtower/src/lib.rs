//! The Watchtower dialect: senders that register, join channels by number, and hear by a stream of HTTP, by being
//! called back, or as devices over TCP and UDP.
//!
//! `SPEC.md` beside this crate has its promises by number. Knows neither the hub nor a carrier. Read in this
//! order: [`wire`], [`map`], `talk`.

pub mod settings;
pub mod wire;
pub mod map;
mod talk;
mod devices;

pub use settings::Settings;

use devices::Devices;
use dialect::settings::Secret;
use dialect::{Conversation, Dialect, Knock, Opening, Request, Road, Welcome};
use settings::LOOPBACK_SECRET;
use std::sync::Arc;

/// BOUND: bytes of a body from who has not shown a token of the server's own, where there are such tokens.
const BODY_MAX: usize = 64 << 10;

/// The dialect, with its settings.
#[derive(Debug)]
pub struct Watchtower {
    rules: Arc<talk::Rules>,
    devices: Arc<Devices>,
}

impl Watchtower {
    /// The dialect as these settings want it, in which the posture has decided what was left to it. Some bytes of it are
    /// never freed. `key`: drawn for this run of the server, known to nobody.
    #[must_use]
    pub fn new(settings: Settings, key: [u8; 32]) -> Self {
        let rules = Arc::new(talk::Rules::new(settings));
        Self { devices: Arc::new(Devices::new(Arc::clone(&rules), key)), rules }
    }
}

impl Dialect for Watchtower {
    fn name(&self) -> &'static str {
        "watchtower"
    }

    /// SPEC [URL-1].
    fn claims(&self, request: &Request<'_>) -> bool {
        !request.wants_websocket && wire::http::is_ours(request.path)
    }

    /// Senders name themselves in the body.
    fn reads_of_strangers(&self) -> usize {
        BODY_MAX
    }

    fn converse(&self, opening: &Opening) -> Box<dyn Conversation> {
        let device = self.devices.converse(opening.road);
        device.unwrap_or_else(|| Box::new(talk::Talk::new(Arc::clone(&self.rules))))
    }

    fn knock(&self, knock: &Knock<'_>, answer: &mut Vec<u8>) -> Welcome {
        self.devices.knock(knock, answer)
    }

    fn own_line(&self, road: Road, address: &str) -> Option<String> {
        self.devices.own_line(road, address)
    }

    /// The line to begin with: what follows needs the number that it is answered. A secret that was configured is not
    /// shown.
    fn paste_line(&self, address: &str) -> String {
        let secret = self.rules.settings.secret.as_ref().map(Secret::reveal);
        let secret = secret.filter(|s| *s == LOOPBACK_SECRET).unwrap_or("YOUR SECRET");
        format!("curl http://{address}/register -d '{{\"secret_key\":\"{secret}\"}}'")
    }
}
