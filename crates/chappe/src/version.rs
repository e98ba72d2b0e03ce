//! `chappe version`: which build this is.

use crate::ending::Stop;
use server::config::Dialects;
use server::registry::Client;
use std::env::consts::{ARCH, OS};
use std::io::Write;

/// The commit, where the builder has said so in `CHAPPE_COMMIT`.
const COMMIT: Option<&str> = option_env!("CHAPPE_COMMIT");

/// Prints it.
pub(crate) fn version(json: bool) -> Result<(), Stop> {
    let mut settings = Dialects::default();
    // They are in every build; a configuration decides whether they are served.
    settings.playground.enabled = Some(true);
    settings.watchtower.enabled = Some(true);
    let dialects = server::registry::dialects(&settings, &Client::default());
    let dialects: Vec<&str> = dialects.iter().map(|d| d.name()).collect();
    let version = env!("CARGO_PKG_VERSION");
    let target = target();
    let text = if json {
        let object = serde_json::json!({
            "version": version, "commit": COMMIT, "target": target, "dialects": dialects,
        });
        format!("{object}\n")
    } else {
        format!(
            "chappe {version}\ncommit    {}\ntarget    {target}\ndialects  {}\n",
            COMMIT.unwrap_or("not told at build time"),
            dialects.join(" ")
        )
    };
    Ok(std::io::stdout().write_all(text.as_bytes())?)
}

/// What it was built for, as far as the program can know.
fn target() -> String {
    let environment = if cfg!(target_env = "gnu") {
        "-gnu"
    } else if cfg!(target_env = "musl") {
        "-musl"
    } else if cfg!(target_env = "msvc") {
        "-msvc"
    } else {
        ""
    };
    format!("{ARCH}-{OS}{environment}")
}
