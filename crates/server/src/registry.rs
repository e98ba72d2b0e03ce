//! The registry: every dialect there is, in the order in which they are asked whether a request is theirs.
//!
//! One of the three lists that a new dialect touches.

use crate::config::Dialects;
use dialect::Dialect;
use playground_dialect::{Playground, wire::ADDRESS};
pub use socketio_dialect::Client;
use socketio_dialect::SocketIo;
use std::hash::{BuildHasher, RandomState};
use watchtower_dialect::Watchtower;

/// The dialects, as configured. The last ones claim what nobody else has claimed. `client`: the files of Socket.IO's
/// client library, where they are served.
#[must_use]
pub fn dialects(settings: &Dialects, client: &Client) -> Vec<Box<dyn Dialect>> {
    let mut dialects: Vec<Box<dyn Dialect>> = vec![
        Box::new(http_dialect::Http::new(settings.http)),
        Box::new(SocketIo::new(&settings.socketio, client.clone(), key())),
        Box::new(rooms_dialect::Rooms::new(settings.rooms)),
    ];
    if settings.watchtower.enabled == Some(true) {
        dialects.insert(1, Box::new(Watchtower::new(settings.watchtower.clone(), key())));
    }
    if settings.playground.enabled == Some(true) {
        let lines: Vec<_> = dialects.iter().map(|d| (d.name(), d.paste_line(ADDRESS))).collect();
        dialects.insert(0, Box::new(Playground::new(&lines)));
    }
    dialects
}

/// A key for this run, that nobody can guess: what std draws from the system for its maps.
fn key() -> [u8; 32] {
    let mut key = [0; 32];
    for (number, part) in key.chunks_exact_mut(8).enumerate() {
        part.copy_from_slice(&RandomState::new().hash_one(number).to_le_bytes());
    }
    key
}

#[cfg(test)]
mod tests {
    use super::*;
    use playground_dialect::wire::CHANNEL;

    fn on() -> Dialects {
        let mut settings = Dialects::default();
        settings.playground.enabled = Some(true);
        settings.watchtower.enabled = Some(true);
        settings
    }

    fn served(settings: &Dialects) -> Vec<Box<dyn Dialect>> {
        dialects(settings, &Client::default())
    }

    #[test]
    fn the_playground_is_there_when_it_is_wanted() {
        assert_eq!(served(&on())[0].name(), "playground");
        assert!(served(&Dialects::default()).iter().all(|d| d.name() != "playground"));
    }

    #[test]
    fn what_is_off_is_not_there() {
        assert!(served(&on()).iter().any(|d| d.name() == "watchtower"));
        assert!(served(&Dialects::default()).iter().all(|d| d.name() != "watchtower"));
    }

    #[test]
    fn lines_have_an_address_and_a_channel_that_can_be_replaced() {
        let host = ADDRESS.split(':').next().unwrap();
        for dialect in served(&on()).iter().skip(1) {
            let line = dialect.paste_line(ADDRESS);
            assert!(line.contains(host), "{}: {line}", dialect.name());
            // A dialect whose channels are numbers has no such word.
            if dialect.name() == "watchtower" {
                continue;
            }
            let mut words = line.split(|c: char| !c.is_ascii_alphanumeric());
            assert!(words.any(|word| word == CHANNEL), "{}: {line}", dialect.name());
        }
    }
}
