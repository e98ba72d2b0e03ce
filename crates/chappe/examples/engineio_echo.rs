//! A server that says back what it is told over Engine.IO, for conformance suites: the product's own carriers and engine,
//! with nothing above it.
//!
//! `cargo run --release --example engineio_echo -- --port 3000`

use clap::Parser;
use dialect::{Conversation, Dialect, Event, Opening, Request, Turn};
use model::{Time, Unit};
use server::Settings;
use server::config::{Config, Listener};
use socketio_dialect::engine::{Over, Pace, Up};
use socketio_dialect::peer::{Layer, Line, Peer, Terms};
use socketio_dialect::sid::Key;
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

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
        request.path == "/engine.io/" || request.path == "/engine.io"
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
    let port = Arguments::parse().port;
    let pace = Pace {
        ping_interval: Duration::from_millis(300),
        ping_timeout: Duration::from_millis(200),
        upgrade_timeout: Duration::from_secs(10),
        max_payload: 1_000_000,
        waiting_bytes: 4 << 20,
        allow_three: true,
    };
    // Nobody but the suite is here.
    let terms = Arc::new(Terms { pace, key: Key::new([0; 32]) });
    let mut config = Config::default();
    config.listener = vec![Listener { address: format!("127.0.0.1:{port}"), ..Listener::default() }];
    config.admin.address = Some("off".into());
    let settings = Settings::resolve(&config).map_err(|problems| problems.to_string())?;
    let running = server::start_with(settings, vec![Box::new(EngineIo(terms))])?;
    println!("listening at {}", running.address().ok_or("no address")?);
    running.wait()?;
    Ok(())
}
