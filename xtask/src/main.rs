//! The kitchen: everything the checks run, as `cargo xtask …`.
//!
//! Holds the menu and what each dish is made of. Knows nothing about the server but how its binary is started
//! (`interop::server`). Read in this order: [`report`], [`machine`], [`tidy`], [`interop`], [`autobahn`], [`soak`].

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "it talks to a person at a terminal")]
#![allow(clippy::disallowed_methods, reason = "it measures real steps on a real clock")]

mod autobahn;
mod cargo;
mod interop;
mod machine;
mod report;
mod soak;
mod tidy;

use report::Report;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

const MENU: &str = "\
cargo xtask test             everything: install what is missing, lint, tidy, tests, interop, most of Autobahn
cargo xtask lint             cargo fmt --check, clippy, tidy, and cargo deny where it is installed
cargo xtask tidy             the house rules and the floors (also a #[test], so `cargo test` is enough)
cargo xtask interop [NAME]   clients that others wrote, against the built server; NAME is a folder of interop/
                             or folder/script
cargo xtask autobahn [CASE…] the Autobahn test suite against `chappe serve --echo`; all 517 cases, or those named
                             as `7.*`; all of them write conformance/
cargo xtask soak [--minutes N]
                             60 minutes of fuzzing and of a crowd around the server, whose memory is watched
cargo xtask bless            rewrite the expected lines of transcripts from what happened, docs/metrics.md and the
                             reference of keys; then look at `git diff`";

/// How long a soak takes when nobody says.
const SOAK_MINUTES: u32 = 60;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let root = root();
    let mut report = Report::new(&root);
    match *words {
        ["test"] => test(&root, &mut report),
        ["lint"] => lint(&root, &mut report),
        ["tidy"] => tidy::run(&root, &mut report),
        ["interop"] => interop(&root, None, &mut report),
        ["interop", name] => interop(&root, Some(name), &mut report),
        ["autobahn", ref cases @ ..] => {
            autobahn::run(&root, if cases.is_empty() { autobahn::ALL } else { cases }, &mut report);
        }
        ["bless"] => cargo::bless(&root, &mut report),
        ["soak"] => soak::run(&root, SOAK_MINUTES, &mut report),
        ["soak", "--minutes", minutes] => match minutes.parse() {
            Ok(minutes) if minutes > 0 => soak::run(&root, minutes, &mut report),
            Ok(_) | Err(_) => return misread(&format!("`{minutes}` are no minutes; write `--minutes 10`")),
        },
        [] | ["help" | "--help" | "-h"] => {
            println!("{MENU}");
            return ExitCode::SUCCESS;
        }
        _ => {
            return misread(&format!("no such task: {}", words.join(" ")));
        }
    }
    report.finish()
}

fn misread(words: &str) -> ExitCode {
    eprintln!("{words}\n\n{MENU}");
    ExitCode::from(2)
}

fn lint(root: &Path, report: &mut Report) {
    machine::components(root, report);
    cargo::format(root, report);
    cargo::clippy(root, report);
    cargo::deny(root, report);
    tidy::run(root, report);
}

fn interop(root: &Path, only: Option<&str>, report: &mut Report) {
    let kitchen = interop::prepare(root, report);
    interop::run(root, kitchen.as_ref(), only, report);
}

fn test(root: &Path, report: &mut Report) {
    let kitchen = interop::prepare(root, report);
    lint(root, report);
    cargo::test(root, report);
    interop::run(root, kitchen.as_ref(), None, report);
    autobahn::run(root, autobahn::QUICK, report);
}

/// The folder of the workspace: xtask's own folder is directly inside.
fn root() -> PathBuf {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.parent().unwrap_or(own).to_path_buf()
}
