//! Signals: SIGTERM and SIGINT ask the server to stop politely, a second one ends it at once; SIGHUP has the
//! configuration read again.

use crate::settings::changes;
use crate::{Running, Settings, log, supervisor};
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// How often the files of certificates are looked at.
const LOOK: Duration = Duration::from_secs(5);

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
        supervisor::stopping();
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

/// Reads the configuration again when SIGHUP comes, by `read`, and takes over what can change while the server runs.
/// What cannot is named in the log; a configuration that is wrong changes nothing. Certificates are taken over without a
/// signal when their files change. `before` is what the server was started with.
///
/// # Errors
/// When the system does not let the signal be heard.
pub fn reload_on_signal(
    running: &Running,
    mut before: Settings,
    read: impl Fn() -> Result<Settings, String> + Send + 'static,
) -> io::Result<()> {
    let control = running.control();
    let mut hangup = control.within(|| signal(SignalKind::hangup()))?;
    let controls = running.controls().clone();
    let exchange = Arc::clone(running.exchange());
    control.spawn(async move {
        loop {
            match tokio::time::timeout(LOOK, hangup.recv()).await {
                Err(_) => controls.renew_certificates(),
                Ok(None) => return,
                // A supervisor that is told of a reload would believe the server to be back.
                Ok(Some(())) if exchange.draining.load(Ordering::Relaxed) => {
                    tracing::warn!("the server is stopping; its configuration is not read again");
                }
                Ok(Some(())) => {
                    supervisor::reloading();
                    match read() {
                        Ok(now) if take_over(&controls, &before, &now) => before = now,
                        Ok(_) => {}
                        Err(words) => {
                            tracing::error!(problems = %words.trim_end(), "the configuration is wrong; nothing changes");
                        }
                    }
                    supervisor::ready();
                }
            }
        }
    });
    Ok(())
}

/// `false`: nothing has changed, as it would not have been safe.
fn take_over(controls: &crate::Controls, before: &Settings, now: &Settings) -> bool {
    let changes = changes(before, now);
    if let Err(problems) = controls.adopt(now) {
        tracing::error!(problems, "the configuration does not fit the server that runs; nothing changes");
        return false;
    }
    if let Err(words) = log::refilter(now.effective.log.filter.as_deref().unwrap_or(log::FILTER)) {
        tracing::error!(%words, "the log's filter stays as it was");
    }
    let (changed, restart) = (changes.live.join(", "), changes.restart.join(", "));
    match (changed.is_empty(), restart.is_empty()) {
        (true, true) => tracing::info!("the configuration has been read again; nothing has changed"),
        (_, true) => tracing::info!(changed, "the configuration has been read again"),
        (_, false) => tracing::warn!(
            changed,
            restart,
            "the configuration has been read again; the keys under `restart` wait for one"
        ),
    }
    true
}
