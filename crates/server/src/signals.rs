//! Signals: the first asks the server to stop politely, the second ends it at once.

use crate::{Running, log};
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Drains the server when SIGTERM or SIGINT comes, and ends the program at the second.
///
/// # Errors
/// When the system does not let them be heard.
pub fn end_on_signals(running: &Running) -> io::Result<()> {
    let control = running.control();
    let (term, int) = control.within(|| {
        Ok::<_, io::Error>((signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?))
    })?;
    let exchange = Arc::clone(running.exchange());
    control.spawn(async move {
        let mut both = (term, int);
        next(&mut both).await;
        let sessions: u64 = exchange.totals.read().sessions.iter().sum();
        let connections = exchange.connections.load(Ordering::Relaxed);
        tracing::info!(
            sessions,
            connections,
            "stopping: saying goodbye to everybody; a second signal ends at once"
        );
        exchange.drain();
        next(&mut both).await;
        tracing::warn!("ending at once");
        log::settle();
        std::process::exit(1);
    });
    Ok(())
}

async fn next((term, int): &mut (Signal, Signal)) {
    tokio::select! {
        _ = term.recv() => {}
        _ = int.recv() => {}
    }
}
