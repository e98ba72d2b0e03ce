//! What must hold for every input that strangers send, as plain functions: a target takes bytes and panics when
//! something does not hold.
//!
//! Tests replay the corpus through them; `guided/` lets libFuzzer look for more. See `README.md` for the oracles.

mod bound;
mod config;
mod cuts;
mod deflate;
mod device_tcp;
mod device_udp;
mod http;
mod http1;
mod proxy;
mod rooms;
mod socketio;
mod socketio_payload;
mod watchtower_http;
mod websocket;

/// A function that holds for all inputs, or panics.
pub struct Target {
    /// Its name: a folder of `corpus/`, a binary of `guided/`.
    pub name: &'static str,
    /// Panics when something does not hold for these bytes.
    pub check: fn(&[u8]),
    /// Pieces of input that matter to it: what a mutation may insert.
    pub words: &'static [&'static str],
}

/// All targets.
pub const TARGETS: [Target; 13] = [
    Target { name: "http1", check: http1::check, words: http1::WORDS },
    Target { name: "websocket", check: websocket::check, words: websocket::WORDS },
    Target { name: "deflate", check: deflate::check, words: deflate::WORDS },
    Target { name: "rooms", check: rooms::check, words: rooms::WORDS },
    Target { name: "http", check: http::check, words: http::WORDS },
    Target { name: "watchtower-http", check: watchtower_http::check, words: watchtower_http::WORDS },
    Target { name: "proxy", check: proxy::check, words: proxy::WORDS },
    Target { name: "device-tcp", check: device_tcp::check, words: device_tcp::WORDS },
    Target { name: "device-udp", check: device_udp::check, words: device_udp::WORDS },
    Target { name: "socketio-payload", check: socketio_payload::check, words: socketio_payload::WORDS },
    Target { name: "socketio-packet", check: socketio::packet, words: socketio::PACKET_WORDS },
    Target { name: "socketio-msgpack", check: socketio::msgpack, words: socketio::MSGPACK_WORDS },
    Target { name: "config", check: config::check, words: config::WORDS },
];

/// Checks an input against the target of this name.
///
/// # Panics
/// When something does not hold for the input: that is what it is for. Also when there is no such target.
pub fn check(name: &str, input: &[u8]) {
    let target = TARGETS.iter().find(|t| t.name == name);
    assert!(target.is_some(), "there is no target `{name}`");
    if let Some(target) = target {
        (target.check)(input);
    }
}
