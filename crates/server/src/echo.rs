//! An echo beside the server, for the conformance suites of others: a node of its own, in the same process, that says
//! back what it is told by WebSocket at `/echo`, with the codec that everything else is served with.
//!
//! Meets nobody else's channels and listens on loopback only.

use crate::config::{Admin, Config, Listener, Problem, Problems, WebSocket};
use crate::running::{Running, StartError, start_with};
use crate::settings::Settings;
use dialect::{Conversation, Dialect, Event, Frame, Opening, Request, Response, Turn};
use model::{CloseReason, Limits, Ticket};
use std::net::SocketAddr;
use std::time::Duration;

/// The only path there is.
pub const PATH: &str = "/echo";
/// For the answer to being let in.
const ENTER: Ticket = Ticket(0);

/// Starts an echo. It ends after [`node::Exchange::drain`], as any server does.
///
/// # Errors
/// When others than this machine could reach the address, or it cannot be listened at.
pub fn start(address: SocketAddr) -> Result<Running, EchoError> {
    let settings = settings(address).map_err(EchoError::Unfit)?;
    start_with(settings, vec![Box::new(Echo)]).map_err(EchoError::Start)
}

/// Why there is no echo.
#[derive(Debug)]
pub enum EchoError {
    /// The address is none for an echo.
    Unfit(Problems),
    /// It did not start.
    Start(StartError),
}

impl std::fmt::Display for EchoError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unfit(problems) => problems.fmt(f),
            Self::Start(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for EchoError {}

fn settings(address: SocketAddr) -> Result<Settings, Problems> {
    if !address.ip().is_loopback() {
        let mut problems = Problems::default();
        problems.push(Problem::new(
            "--echo",
            format!("{address}: an echo says anything back to anybody, so it listens on this machine only"),
            format!("write it as 127.0.0.1:{}", address.port()),
        ));
        return Err(problems);
    }
    let config = Config {
        shards: Some(1),
        listener: vec![Listener::at(address.to_string())],
        websocket: WebSocket { deflate: true },
        admin: Admin { address: Some("off".into()), ..Admin::default() },
        ..Config::default()
    };
    let settings = Settings::resolve(&config)?;
    Ok(Settings { limits: limits(settings.limits.clone()), ..settings })
}

/// Suites send larger messages in smaller fragments than anybody else.
fn limits(limits: Limits) -> Limits {
    Limits {
        message_bytes: 32 << 20,
        pending_bytes: 64 << 20,
        fragments: 1 << 20,
        drain_timeout: Duration::from_secs(1),
        ..limits
    }
}

struct Echo;

impl Dialect for Echo {
    fn name(&self) -> &'static str {
        "echo"
    }

    fn claims(&self, request: &Request<'_>) -> bool {
        request.path == PATH
    }

    fn converse(&self, _: &Opening) -> Box<dyn Conversation> {
        Box::new(Talk)
    }

    fn paste_line(&self, address: &str) -> String {
        format!("websocat ws://{address}{PATH}")
    }
}

struct Talk;

impl Conversation for Talk {
    fn on_frame(&mut self, frame: Frame<'_>, turn: &mut Turn) {
        match frame {
            Frame::Request(request) if request.wants_websocket => turn.authenticate(ENTER, None),
            Frame::Request(_) => {
                let response = Response::new(426, "text/plain").with("Upgrade", "websocket");
                turn.respond(response, |out| out.extend_from_slice(b"a WebSocket is wanted here\n"));
            }
            Frame::Text(text) => turn.text(|out| out.extend_from_slice(text.as_bytes())),
            Frame::Binary(bytes) => turn.binary(|out| out.extend_from_slice(bytes)),
            // Not roads that lead here.
            Frame::Stream(_) | Frame::Multipart(_) | Frame::Datagram(_) => {}
        }
    }

    fn on_event(&mut self, event: Event<'_>, turn: &mut Turn) {
        match event {
            Event::Authenticated { .. } => turn.accept_websocket(None),
            Event::Refused { .. } => turn.close(CloseReason::Unauthorized),
            // Nothing else is asked for.
            Event::Joined { .. }
            | Event::Left { .. }
            | Event::Deliver(_)
            | Event::Gap { .. }
            | Event::Published { .. }
            | Event::Channels { .. }
            | Event::Spawned { .. }
            | Event::Recovered { .. }
            | Event::Branched { .. }
            | Event::Parted { .. }
            | Event::Enrolled { .. }
            | Event::Retired { .. }
            | Event::Checked { .. }
            | Event::LinkLost(_)
            | Event::NoSuchSession(_)
            | Event::HookOpened { .. }
            | Event::HookClosed { .. } => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn others_than_this_machine_are_not_echoed_to() {
        for address in ["0.0.0.0:9001", "192.0.2.1:9001", "[::]:9001"] {
            let words = settings(address.parse().unwrap()).err().map(|p| p.to_string()).unwrap_or_default();
            assert!(words.contains("this machine only") && words.contains("127.0.0.1:9001"), "{words}");
        }
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let settings = settings(address.parse().unwrap()).unwrap();
            assert!(settings.deflate && settings.admin.is_none() && settings.shards == 1);
            assert!(
                settings
                    .listeners
                    .iter()
                    .all(|l| l.gate == carrier::Gate::loopback() || l.gate.hosts.is_some())
            );
        }
    }
}
