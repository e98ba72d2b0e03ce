//! `chappe config check`: everything that is wrong; or, when nothing is, what is opened to whom.

use super::{read, say, wrong};
use serde_json::{Map, Value, json};
use server::config::{Origin, Origins, PREFIX, Problem, Problems};
use server::{Posture, Settings};
use std::fmt::Write;
use std::path::Path;
use std::process::ExitCode;

pub(super) fn check(file: Option<&Path>, as_json: bool) -> ExitCode {
    let outcome = read(file).resolve();
    if as_json {
        let right = outcome.is_ok();
        say(&json(file, &outcome));
        return if right { ExitCode::SUCCESS } else { ExitCode::from(2) };
    }
    match outcome {
        Ok((settings, _)) => say(&format!("{}\n\n{}", named(file), summary(&settings))),
        Err(problems) => wrong(&problems),
    }
}

/// What was looked at, and found right.
fn named(file: Option<&Path>) -> String {
    if let Some(file) = file {
        return format!("{} is right.", file.display());
    }
    let count = std::env::vars_os().filter(|(k, _)| k.to_string_lossy().starts_with(PREFIX)).count();
    match count {
        0 => "Nothing is configured; this holds.".into(),
        1 => "There is no file; 1 variable of the environment is right.".into(),
        _ => format!("There is no file; {count} variables of the environment are right."),
    }
}

/// What is opened to whom, on one screen.
fn summary(settings: &Settings) -> String {
    let mut rows: Vec<(String, String)> = Vec::new();
    let mut row = |name: &str, text: String| rows.push((name.to_owned(), text));
    row("reach", reach(settings).to_owned());
    for listener in &settings.listeners {
        let scheme = if listener.certificates.is_empty() { "" } else { ", TLS" };
        let vhost = match listener.vhost.as_str() {
            "/" => String::new(),
            vhost => format!(", virtual host {vhost}"),
        };
        let maybe = if listener.optional { " (if this machine has it)" } else { "" };
        row("listener", format!("{}{scheme}{vhost}{maybe}", listener.place));
    }
    for vhost in &settings.vhosts {
        row("virtual host", vhost.as_str().to_owned());
    }
    row(
        "admin",
        match &settings.admin {
            None => "off".into(),
            Some(admin) if admin.token.is_some() => format!("{}, with a token", admin.address),
            Some(admin) => format!("{}, without a token", admin.address),
        },
    );
    let grants = |grants: &[model::Grant]| match grants {
        [] => "nothing".to_owned(),
        _ => {
            let all: Vec<_> = grants.iter().map(ToString::to_string).collect();
            all.join(", ")
        }
    };
    for token in &settings.tokens {
        let name = token.principal.role.name.as_deref().unwrap_or_default();
        let vhost = match token.vhost.as_str() {
            "/" => String::new(),
            vhost => format!(" in {vhost}"),
        };
        row(&format!("token {name}"), grants(&token.principal.role.grants) + &vhost);
    }
    let anybody = settings.anonymous.as_ref().map_or_else(|| "refused".into(), |a| grants(&a.role.grants));
    row("no token", anybody);
    if !settings.assigned.is_empty() {
        let all: Vec<_> = settings.assigned.iter().map(ToString::to_string).collect();
        row("assigned", all.join(", "));
    }
    row("watchtower", watchtower(settings).to_owned());
    row("threads", settings.shards.to_string());
    let width = rows.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    let mut out = String::new();
    for (name, text) in rows {
        // Writing to a string cannot fail.
        let _infallible = writeln!(out, "  {name:width$}  {text}");
    }
    out
}

fn watchtower(settings: &Settings) -> &'static str {
    let watchtower = &settings.dialects.watchtower;
    match (watchtower.enabled, &watchtower.secret, watchtower.require_token) {
        (Some(true), _, Some(true)) => "on, senders show their tokens",
        (Some(true), _, _) => "on, senders show no tokens",
        (_, None, _) => "off: dialect.watchtower.secret must be set",
        (_, Some(_), _) => "off",
    }
}

fn reach(settings: &Settings) -> &'static str {
    match (settings.posture, settings.open) {
        (Posture::Loopback, _) => "this machine only",
        (Posture::Exposed, false) => "others too, who authenticate",
        (Posture::Exposed, true) => "INSECURE: anybody who reaches it, without a token",
    }
}

fn json(file: Option<&Path>, outcome: &Result<(Settings, Origins), Problems>) -> String {
    let problems: Vec<Value> = match outcome {
        Ok(_) => Vec::new(),
        Err(problems) => problems.iter().map(problem).collect(),
    };
    let mut all = Map::new();
    all.insert("right".into(), outcome.is_ok().into());
    all.insert("file".into(), file.map_or(Value::Null, |f| f.display().to_string().into()));
    all.insert("problems".into(), problems.into());
    if let Ok((settings, _)) = outcome {
        all.insert("exposed".into(), (settings.posture == Posture::Exposed).into());
        all.insert("open".into(), settings.open.into());
    }
    format!("{}\n", Value::Object(all))
}

/// A problem for machines: keys that mean nothing here are not there.
pub(crate) fn problem(problem: &Problem) -> Value {
    let mut all = Map::new();
    all.insert("key".into(), server::config::generic(&problem.path).into());
    all.insert("path".into(), problem.path.clone().into());
    all.insert("what".into(), problem.what.clone().into());
    all.insert("fix".into(), problem.fix.clone().into());
    match &problem.origin {
        Origin::Default => {}
        Origin::File { path, line, column } => {
            all.insert("file".into(), path.display().to_string().into());
            all.insert("line".into(), json!(line));
            all.insert("column".into(), json!(column));
        }
        Origin::Environment(variable) => {
            all.insert("variable".into(), variable.clone().into());
        }
        Origin::Flag(flag) => {
            all.insert("flag".into(), flag.clone().into());
        }
    }
    Value::Object(all)
}
