//! Signals: the first asks the server to stop politely, the second ends it at once.

use node::Exchange;
use std::io;
use std::sync::Arc;
use tokio::signal::unix::{SignalKind, signal};

/// Drains the server when SIGTERM or SIGINT comes, and ends the program at the second.
///
/// # Errors
/// When the control runtime cannot be had.
pub fn end_on_signals(exchange: &Arc<Exchange>) -> io::Result<()> {
    let exchange = Arc::clone(exchange);
    node::control::start(move || async move {
        let (Ok(mut term), Ok(mut int)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
        else {
            return tracing::error!("signals cannot be heard; only SIGKILL will stop this server");
        };
        let mut asked = false;
        loop {
            tokio::select! {
                _ = term.recv() => {}
                _ = int.recv() => {}
            }
            if asked {
                tracing::warn!("ending at once");
                std::process::exit(1);
            }
            asked = true;
            tracing::info!("stopping: saying goodbye to everybody; a second signal ends at once");
            exchange.drain();
        }
    })
    .map(drop)
}
