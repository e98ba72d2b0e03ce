//! A small Socket.IO application, for conformance suites: the product's own carriers, engine and sockets, with handlers
//! that greet and say back.
//!
//! `cargo run --release --example socketio_app -- --port 3000`

mod common;

use clap::Parser;
use dialect::{Conversation, Dialect, Opening, Request, Turn};
use socketio_dialect::talk::app::{App, Said};
use socketio_dialect::talk::engine::Over;
use socketio_dialect::talk::layer::Line;
use socketio_dialect::talk::peer::{Peer, Terms};
use socketio_dialect::talk::sid::Key;
use socketio_dialect::talk::socket::{Bounds, Sio, Sockets};
use socketio_dialect::wire::arguments;
use socketio_dialect::wire::packet::{Head, Limits};
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

#[derive(Parser)]
struct Arguments {
    /// The port of 127.0.0.1 to listen on.
    #[arg(long, default_value_t = 3000)]
    port: u16,
}

struct SocketIoApp {
    terms: Arc<Terms>,
    bounds: Bounds,
}

impl Dialect for SocketIoApp {
    fn name(&self) -> &'static str {
        "socketio-app"
    }

    fn claims(&self, request: &Request<'_>) -> bool {
        self.terms.is_ours(request)
    }

    fn converse(&self, opening: &Opening) -> Box<dyn Conversation> {
        let app = Greeter { key: self.terms.key.clone() };
        Box::new(Peer::new(Arc::clone(&self.terms), opening, Sio::new(&self.bounds, app)))
    }

    fn paste_line(&self, address: &str) -> String {
        format!("io('http://{address}').emit('message', 'hello').on('message-back', console.log)")
    }
}

/// Greets whoever is connected with what was shown, and says back what is said in `/`.
struct Greeter {
    key: Key,
}

impl App for Greeter {
    fn wishes(
        &mut self,
        namespace: &str,
        shown: Option<&str>,
        sockets: &mut Sockets,
        line: &mut Line<'_>,
        turn: &mut Turn,
    ) -> Result<(), Over> {
        let number = match namespace {
            "/" => 0,
            "/custom" => 1,
            _ => return sockets.refuse_unknown(namespace, line, turn),
        };
        let id = self.key.socket(line.session, number);
        sockets.connect(namespace, &id, line, turn)?;
        let mut array = Vec::new();
        arguments::write_event("auth", [shown.unwrap_or("{}")], &mut array);
        let head = Head::event(namespace, None, 0);
        sockets.emit(head, array, &[], line, turn)
    }

    fn hears(
        &mut self,
        said: &Said<'_>,
        sockets: &mut Sockets,
        line: &mut Line<'_>,
        turn: &mut Turn,
    ) -> Result<(), Over> {
        let Some(event) = said.event().filter(|_| said.namespace == "/") else { return Ok(()) };
        let (mut array, count) = (Vec::new(), said.attachments.len());
        let head = match (&*event.name, said.ack) {
            ("message", _) => {
                arguments::write_event("message-back", event.arguments, &mut array);
                Head::event("/", None, count)
            }
            ("message-with-ack", Some(id)) => {
                arguments::write(event.arguments, &mut array);
                Head::ack("/", id, count)
            }
            _ => return Ok(()),
        };
        sockets.emit(head, array, said.attachments, line, turn)
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let bounds =
        Bounds { packets: Limits::default(), namespaces: 16, connect_timeout: Duration::from_secs(1) };
    common::serve(Arguments::parse().port, SocketIoApp { terms: common::terms("/socket.io"), bounds })
}
