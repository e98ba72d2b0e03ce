//! `chappe serve`: configuration, log, start, banner, signals, end.

use crate::cli;
use crate::ending::fail;
use server::config::{Config, Listener, LogFormat};
use server::echo::{self, EchoError};
use server::{Running, Settings, banner, log, start};
use std::fmt::Write as _;
use std::io::Write;
use std::net::SocketAddr;
use std::process::ExitCode;

/// Runs the server until a signal ends it. 0: it ended cleanly; 1: it could not start or go on; 2: the
/// configuration is wrong.
pub(crate) fn serve(options: cli::Serve) -> ExitCode {
    let echo = options.echo;
    let config = match config(options) {
        Ok(config) => config,
        Err(words) => return fail(2, &words),
    };
    if let Err(words) = log::start(config.log.format, config.log.filter.as_deref().unwrap_or(log::FILTER)) {
        return fail(2, &words);
    }
    let code = run(&config, echo);
    log::settle();
    code
}

fn run(config: &Config, echo: Option<SocketAddr>) -> ExitCode {
    let settings = match Settings::resolve(config) {
        Ok(settings) => settings,
        Err(e) => return fail(2, &e.to_string()),
    };
    if let Err(e) = rlimit::increase_nofile_limit(u64::MAX) {
        tracing::warn!(error = %e, "the descriptor limit stays as it is");
    }
    let (posture, open) = (settings.posture, settings.open);
    let running = match start(settings) {
        Ok(running) => running,
        Err(e) => return fail(1, &e.to_string()),
    };
    let echo = match echo.map(echo::start).transpose() {
        Ok(echo) => echo,
        Err(e @ EchoError::Unfit(_)) => return fail(2, &e.to_string()),
        Err(e @ EchoError::Start(_)) => return fail(1, &e.to_string()),
    };
    if let Err(e) = server::end_on_signals(&running) {
        return fail(1, &format!("signals cannot be heard: {e}"));
    }
    // Nobody may be reading; the server runs all the same.
    let mut banner = banner::banner(&running, posture, open);
    if let Some(address) = echo.as_ref().and_then(Running::address) {
        // Writing to a string cannot fail.
        let _infallible = writeln!(banner, "For conformance tests: ws://{address}{}", echo::PATH);
    }
    drop(std::io::stdout().write_all(banner.as_bytes()));
    let ended = running.wait().and_then(|()| echo.map_or(Ok(()), end));
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => fail(1, &e.to_string()),
    }
}

/// Ends the echo, which the signals do not reach, after the server itself.
fn end(echo: Running) -> std::io::Result<()> {
    echo.exchange().drain();
    echo.wait()
}

/// What is written, with the flags laid over it.
fn config(options: cli::Serve) -> Result<Config, String> {
    let mut config = Config::load(options.config.as_deref(), std::env::vars()).map_err(|e| e.to_string())?;
    if !options.listen.is_empty() {
        config.listener = options.listen.into_iter().map(Listener::at).collect();
    }
    config.shards = options.shards.or(config.shards);
    config.insecure |= options.insecure;
    config.log.filter = options.log.or(config.log.filter);
    config.log.format = match options.log_format {
        Some(cli::LogFormat::Text) => LogFormat::Text,
        Some(cli::LogFormat::Json) => LogFormat::Json,
        None => config.log.format,
    };
    Ok(config)
}
