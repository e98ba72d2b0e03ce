//! What the examples for conformance suites share: their pace, and a server with one dialect of theirs.

use dialect::Dialect;
use server::Settings;
use server::config::{Config, Listener};
use socketio_dialect::Client;
use socketio_dialect::talk::engine::Pace;
use socketio_dialect::talk::peer::Terms;
use socketio_dialect::talk::sid::Key;
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

/// The pace that the suites expect. Nobody but they are here, so that the key is no secret.
pub(crate) fn terms(path: &'static str) -> Arc<Terms> {
    let pace = Pace {
        ping_interval: Duration::from_millis(300),
        ping_timeout: Duration::from_millis(200),
        upgrade_timeout: Duration::from_secs(10),
        max_payload: 1_000_000,
        waiting_bytes: 4 << 20,
        allow_three: true,
    };
    let (key, client) = (Key::new([0; 32]), Client::default());
    Arc::new(Terms { path, pace, key, recovery: None, cookie: None, client })
}

/// Serves this dialect, and nothing else, at a port of 127.0.0.1, until it is killed.
#[expect(clippy::print_stdout, reason = "whoever starts it waits for this line")]
pub(crate) fn serve(port: u16, dialect: impl Dialect + 'static) -> Result<(), Box<dyn Error>> {
    let mut config = Config {
        listener: vec![Listener { address: format!("127.0.0.1:{port}"), ..Listener::default() }],
        ..Config::default()
    };
    config.admin.address = Some("off".into());
    let settings = Settings::resolve(&config).map_err(|problems| problems.to_string())?;
    let running = server::start_with(settings, vec![Box::new(dialect)])?;
    println!("listening at {}", running.address().ok_or("no address")?);
    running.wait()?;
    Ok(())
}
