//! `chappe serve`: configuration, log, start, banner, signals, end.

mod preset;

use crate::ending::fail;
use crate::{cli, config};
use server::config::{Listener, LogFormat, Problems};
use server::echo::{self, EchoError};
use server::{Running, Settings, banner, log, start, supervisor};
use std::fmt::Write as _;
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::ExitCode;

/// Runs the server until a signal ends it. 0: it ended cleanly; 1: it could not start or go on; 2: the
/// configuration is wrong.
pub(crate) fn serve(options: cli::Serve) -> ExitCode {
    let settings = match configured(&options) {
        Ok(settings) => settings,
        Err(problems) => {
            let list = config::complain(&problems);
            return fail(2, &format!("the configuration is wrong\n{}", list.trim_end()));
        }
    };
    let log = &settings.effective.log;
    if let Err(words) = log::start(log.format, log.filter.as_deref().unwrap_or(log::FILTER)) {
        return fail(2, &words);
    }
    let code = run(settings, options);
    log::settle();
    code
}

fn run(settings: Settings, options: cli::Serve) -> ExitCode {
    if let Err(e) = rlimit::increase_nofile_limit(u64::MAX) {
        tracing::warn!(error = %e, "the descriptor limit stays as it is");
    }
    let (posture, open, before) = (settings.posture, settings.open, settings.clone());
    let preset = preset(&options);
    let running = match start(settings) {
        Ok(running) => running,
        Err(e) => return fail(1, &e.to_string()),
    };
    let echo = match options.echo.map(echo::start).transpose() {
        Ok(echo) => echo,
        Err(e @ EchoError::Unfit(_)) => return fail(2, &e.to_string()),
        Err(e @ EchoError::Start(_)) => return fail(1, &e.to_string()),
    };
    let again = move || configured(&options).map_err(|problems| config::complain(&problems));
    let heard = server::end_on_signals(&running);
    if let Err(e) = heard.and_then(|()| server::reload_on_signal(&running, before, again)) {
        return fail(1, &format!("signals cannot be heard: {e}"));
    }
    // Nobody may be reading; the server runs all the same.
    let mut banner = banner::banner(&running, posture, open);
    if let Some(address) = echo.as_ref().and_then(Running::address) {
        // Writing to a string cannot fail.
        let _infallible = writeln!(banner, "For conformance tests: ws://{address}{}", echo::PATH);
    }
    if let Some(preset) = preset.filter(|address| address.ip().is_loopback()) {
        let port = preset.port();
        let _infallible = writeln!(
            banner,
            "Only this machine can reach it; with --insecure anybody can, at 0.0.0.0:{port} as it used to be."
        );
    }
    drop(std::io::stdout().write_all(banner.as_bytes()));
    supervisor::ready();
    match running.wait().and_then(|()| echo.map_or(Ok(()), end)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => fail(1, &e.to_string()),
    }
}

/// Where a preset wants to listen.
fn preset(options: &cli::Serve) -> Option<SocketAddr> {
    let preset = options.preset?;
    let everywhere = if options.insecure { Ipv4Addr::UNSPECIFIED } else { Ipv4Addr::LOCALHOST };
    let host = options.host.unwrap_or(everywhere.into());
    Some(SocketAddr::new(host, options.port.unwrap_or_else(|| preset.port())))
}

/// Ends the echo, which the signals do not reach, after the server itself.
fn end(echo: Running) -> std::io::Result<()> {
    echo.exchange().drain();
    echo.wait()
}

/// What is configured, with the flags laid over it.
fn configured(options: &cli::Serve) -> Result<Settings, Problems> {
    let mut reading = config::read(options.config.as_deref());
    if !options.listen.is_empty() {
        reading.config.listener = options.listen.iter().cloned().map(Listener::at).collect();
        reading.flagged("listener", "--listen");
    }
    if let Some(address) = preset(options) {
        reading.config.listener = vec![Listener::at(address.to_string())];
        reading.flagged("listener", "--preset");
        if options.preset == Some(cli::Preset::Messaging) {
            preset::messaging(&mut reading, address.ip().is_loopback());
        }
    }
    if options.shards.is_some() {
        reading.config.shards = options.shards;
        reading.flagged("shards", "--shards");
    }
    if options.insecure {
        reading.config.insecure = true;
        reading.flagged("insecure", "--insecure");
    }
    if options.log.is_some() {
        reading.config.log.filter.clone_from(&options.log);
        reading.flagged("log.filter", "--log");
    }
    if let Some(format) = options.log_format {
        reading.config.log.format = match format {
            cli::LogFormat::Text => LogFormat::Text,
            cli::LogFormat::Json => LogFormat::Json,
        };
        reading.flagged("log.format", "--log-format");
    }
    reading.resolve().map(|(settings, _)| settings)
}
