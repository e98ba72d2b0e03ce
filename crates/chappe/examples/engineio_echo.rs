//! A server that says back what it is told over Engine.IO, for conformance suites: the product's own carriers and engine,
//! with nothing above it.
//!
//! `cargo run --release --example engineio_echo -- --port 3000`

mod common;

use clap::Parser;
use dialect::{Conversation, Dialect, Opening, Request, Turn};
use model::Unit;
use socketio_dialect::talk::engine::{Over, Up};
use socketio_dialect::talk::layer::{Layer, Line};
use socketio_dialect::talk::peer::{Peer, Terms};
use std::error::Error;
use std::sync::Arc;

#[derive(Parser)]
struct Arguments {
    /// The port of 127.0.0.1 to listen on.
    #[arg(long, default_value_t = 3000)]
    port: u16,
}

struct EngineIo(Arc<Terms>);

impl Dialect for EngineIo {
    fn name(&self) -> &'static str {
        "engineio-echo"
    }

    fn claims(&self, request: &Request<'_>) -> bool {
        self.0.is_ours(request)
    }

    fn converse(&self, opening: &Opening) -> Box<dyn Conversation> {
        Box::new(Peer::new(Arc::clone(&self.0), opening, Echo))
    }

    fn paste_line(&self, address: &str) -> String {
        format!("curl 'http://{address}/engine.io/?EIO=4&transport=polling'")
    }
}

/// Says back what it is told.
struct Echo;

impl Layer for Echo {
    fn heard(&mut self, up: &Up<'_>, line: &mut Line<'_>, turn: &mut Turn) -> Result<(), Over> {
        match up {
            Up::Text(text) => line.say(Unit::Text, format!("4{text}").as_bytes(), turn),
            Up::Binary(bytes) => line.say(Unit::Binary, bytes, turn),
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    common::serve(Arguments::parse().port, EngineIo(common::terms("/engine.io")))
}
