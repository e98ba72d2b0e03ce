//! A server that says back what it is told over Engine.IO, for conformance suites: the product's own carriers and engine,
//! with nothing above it.
//!
//! `cargo run --release --example engineio_echo -- --port 3000`

mod common;

use clap::Parser;
use dialect::{Conversation, Dialect, Event, Opening, Request, Turn};
use model::{Time, Unit};
use socketio_dialect::talk::engine::{Over, Up};
use socketio_dialect::talk::peer::{Layer, Line, Peer, Terms};
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
    fn opened(&mut self, _: &Request<'_>, _: &mut Line<'_>, _: &mut Turn) -> Result<(), Over> {
        Ok(())
    }

    fn heard(&mut self, up: &Up<'_>, line: &mut Line<'_>, turn: &mut Turn) -> Result<(), Over> {
        match up {
            Up::Text(text) => line.say(Unit::Text, format!("4{text}").as_bytes(), turn),
            Up::Binary(bytes) => line.say(Unit::Binary, bytes, turn),
        }
    }

    fn told(&mut self, _: Event<'_>, _: &mut Line<'_>, _: &mut Turn) -> Result<(), Over> {
        Ok(())
    }

    fn changed(&mut self, _: &mut Line<'_>, _: &mut Turn) {}

    fn tick(&mut self, _: &mut Line<'_>, _: &mut Turn) -> Result<(), Over> {
        Ok(())
    }

    fn wake_at(&self) -> Option<Time> {
        None
    }

    fn ended(&mut self, _: &mut Line<'_>, _: &mut Turn) {}
}

fn main() -> Result<(), Box<dyn Error>> {
    common::serve(Arguments::parse().port, EngineIo(common::terms("/engine.io")))
}
