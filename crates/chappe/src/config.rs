//! `chappe config`: what is wrong with a configuration, what takes effect, and what there is to configure.
//!
//! Everything is made from the structs of [`server::config`]; no key is named here.

mod check;
mod print;
mod reference;
mod toml_text;
mod variables;

use crate::cli;
use server::Settings;
use server::config::{Origin, Origins, PREFIX, Problem, Problems, Reading};
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

/// 0: done, and the configuration is right; 2: it is wrong.
pub(crate) fn config(what: &cli::Config) -> ExitCode {
    match what {
        cli::Config::Check(options) => check::check(options.written.file.as_deref(), options.json),
        cli::Config::Print(written) => shown(written, print::toml),
        cli::Config::Env(written) => shown(written, variables::list),
        cli::Config::Doc => say(&reference::markdown()),
    }
}

/// Reads the file and the environment.
pub(crate) fn read(file: Option<&Path>) -> Reading {
    let (mut variables, mut strange) = (Vec::new(), Vec::new());
    for (name, value) in std::env::vars_os() {
        match (name.into_string(), value.into_string()) {
            (Ok(name), Ok(value)) => variables.push((name, value)),
            (Ok(name), Err(_)) if name.starts_with(PREFIX) => strange.push(name),
            // It is none of ours.
            (Ok(_) | Err(_), _) => {}
        }
    }
    let mut reading = Reading::of(file, variables.into_iter());
    for name in strange {
        let mut problem = Problem::new("", "its value is no UTF-8", "write it in UTF-8");
        problem.origin = Origin::Environment(name);
        reading.problems.push(problem);
    }
    reading
}

/// Problems for people: one to a line, and how many.
pub(crate) fn complain(problems: &Problems) -> String {
    let count = problems.len();
    format!("{problems}\n{count} problem{}\n", if count == 1 { "" } else { "s" })
}

fn shown(written: &cli::Written, show: fn(&Settings, &Origins) -> String) -> ExitCode {
    match read(written.file.as_deref()).resolve() {
        Ok((settings, origins)) => say(&show(&settings, &origins)),
        Err(problems) => wrong(&problems),
    }
}

fn say(text: &str) -> ExitCode {
    // Nobody may be reading.
    drop(std::io::stdout().write_all(text.as_bytes()));
    ExitCode::SUCCESS
}

#[expect(clippy::print_stderr, reason = "what is wrong is for the person who asked")]
fn wrong(problems: &Problems) -> ExitCode {
    eprint!("{}", complain(problems));
    ExitCode::from(2)
}
