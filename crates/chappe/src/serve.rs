//! `chappe serve`: configuration, start, banner, signals, end.

use crate::ending::fail;
use crate::{cli, config};
use server::config::{Listener, Problems};
use server::{Settings, banner, start};
use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use tracing_subscriber::EnvFilter;

/// Runs the server until a signal ends it. 0: it ended cleanly; 1: it could not start or go on; 2: the
/// configuration is wrong.
pub(crate) fn serve(options: cli::Serve) -> ExitCode {
    let filter = match EnvFilter::try_new(&options.log) {
        Ok(filter) => filter,
        Err(e) => {
            return fail(2, &format!("--log `{}`: {e}; write it as `info` or `carrier=debug`", options.log));
        }
    };
    let colours = std::io::stderr().is_terminal();
    tracing_subscriber::fmt().with_env_filter(filter).with_ansi(colours).with_writer(std::io::stderr).init();
    let settings = match settings(options) {
        Ok(settings) => settings,
        Err(problems) => {
            return fail(
                2,
                &format!("the configuration is wrong\n{}", config::complain(&problems).trim_end()),
            );
        }
    };
    if let Err(e) = rlimit::increase_nofile_limit(u64::MAX) {
        tracing::warn!(error = %e, "the descriptor limit stays as it is");
    }
    let (posture, open) = (settings.posture, settings.open);
    let running = match start(settings) {
        Ok(running) => running,
        Err(e) => return fail(1, &e.to_string()),
    };
    if let Err(e) = server::end_on_signals(running.exchange()) {
        return fail(1, &format!("signals cannot be heard: {e}"));
    }
    // Nobody may be reading; the server runs all the same.
    drop(std::io::stdout().write_all(banner::banner(&running, posture, open).as_bytes()));
    match running.wait() {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => fail(1, &e.to_string()),
    }
}

fn settings(options: cli::Serve) -> Result<Settings, Problems> {
    let mut reading = config::read(options.config.as_deref());
    if !options.listen.is_empty() {
        reading.config.listener = options.listen.into_iter().map(Listener::at).collect();
        reading.flagged("listener", "--listen");
    }
    if options.shards.is_some() {
        reading.config.shards = options.shards;
        reading.flagged("shards", "--shards");
    }
    if options.insecure {
        reading.config.insecure = true;
        reading.flagged("insecure", "--insecure");
    }
    config::resolve(reading).map(|(settings, _)| settings)
}
