//! `chappe doctor`: whether this machine can do what the configuration promises, and how to mend what it cannot.
//!
//! [`facts`], [`ports`], [`files`] and [`certificates`] look; every other file judges: its functions are told what
//! was found and know nothing else. Nothing is changed, but for ports that are bound for a moment.

mod certificates;
mod clock;
mod facts;
mod files;
mod finding;
mod kernel;
mod memory;
mod ports;
mod render;
mod service;

use crate::{cli, config};
use facts::Facts;
use finding::{Finding, Verdict};
use server::Settings;
use server::config::{Config, Problems, Reading};
use std::io::{IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;

/// 0: nothing is bad; 1: something is.
pub(crate) fn doctor(options: &cli::Doctor) -> ExitCode {
    let file = options.config.as_deref();
    let groups = examine(file, config::read(file));
    let text = if options.json {
        render::json(&groups)
    } else {
        render::text(
            &groups,
            render::Look::of(std::io::stdout().is_terminal(), |name| std::env::var(name).ok()),
        )
    };
    // Nobody may be reading; the exit code says it all the same.
    drop(std::io::stdout().write_all(text.as_bytes()));
    let bad = groups.iter().flat_map(|g| &g.findings).any(|f| f.verdict == Verdict::Bad);
    ExitCode::from(u8::from(bad))
}

/// Findings that belong together.
struct Group {
    title: &'static str,
    findings: Vec<Finding>,
}

fn examine(file: Option<&Path>, reading: Reading) -> Vec<Group> {
    let written = reading.config.clone();
    let resolved = reading.resolve();
    let right = resolved.is_ok();
    let mut configuration = vec![judge(file, resolved.as_ref().err())];
    configuration.extend(resolved.as_ref().ok().and_then(|(settings, _)| reach(settings.open)));
    configuration.extend(files::findings(file, &written));
    configuration.extend(certificates::findings(&written));
    // A machine can be looked at without a configuration: then as for the one that everybody has.
    let settings = match resolved {
        Ok((settings, _)) => Some(settings),
        Err(_) => Settings::resolve(&Config::default()).ok(),
    };
    let mut groups = vec![Group { title: "Configuration", findings: configuration }];
    if let Some(settings) = settings {
        if right {
            groups.push(Group { title: "Places", findings: ports::findings(&settings) });
        }
        let facts = Facts::gather();
        let mut machine = kernel::findings(&facts, &settings.limits);
        machine.extend(memory::findings(&facts, &settings));
        machine.extend(service::findings(&facts, &settings.limits));
        machine.extend(clock::findings(&facts));
        groups.push(Group { title: "Machine", findings: machine });
    }
    groups
}

fn judge(file: Option<&Path>, problems: Option<&Problems>) -> Finding {
    const ITEM: &str = "configuration";
    let Some(problems) = problems else {
        let says =
            file.map_or_else(|| "no file is named".to_owned(), |f| format!("{} is right", f.display()));
        return Finding::good(ITEM, says);
    };
    let mut says = String::from("wrong, so that the places it names have not been looked at:");
    for problem in problems {
        says.push_str("\n- ");
        says.push_str(&problem.to_string());
    }
    Finding::bad(ITEM, says)
}

/// Who does not have to say who he is.
fn reach(open: bool) -> Option<Finding> {
    let says =
        "INSECURE: anybody who reaches a listener may come in without a token; configure [[auth.token]]";
    open.then(|| Finding::better("reach", says))
}

#[cfg(test)]
mod tests;
