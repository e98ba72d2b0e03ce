//! For as long as one likes: what no quick check finds. Inputs that nobody thought of, interleavings that are rare,
//! and a crowd around a running server, whose memory and descriptors are watched.
//!
//! `cargo xtask soak --minutes N`: a quarter of the time for the fuzz targets, the rest for the crowd. Leaves
//! `target/soak/report.json`. `CHAPPE_BINARY` names a server that is built already.

mod crowd;
mod fuzz;
mod verdict;

use crate::cargo::cargo;
use crate::report::{self, Report, Trouble};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// Of the time, the fuzz targets' share: one part of so many.
const SHARE_OF_FUZZ: u32 = 4;
/// Interruptions of each model's threads: one more than `cargo test` tries.
const PREEMPTIONS: &str = "4";
/// Random inputs of each property: as many as `cargo test` tries, some thirty times, and others each time.
const INPUTS: &str = "100000";

pub(crate) fn run(root: &Path, minutes: u32, report: &mut Report) {
    let time = Duration::from_secs(60) * minutes;
    let fuzzing = time / SHARE_OF_FUZZ;
    loom(root, report);
    properties(root, report);
    fuzz::run(root, fuzzing, report);
    match (server(root, report), load(root, report)) {
        (Some(server), Some(load)) => crowd::run(root, &server, &load, time.saturating_sub(fuzzing), report),
        _ => report.skip("soak: crowd", "the server or the crowd was not built"),
    }
}

/// The models of `node`, looked at more closely than tests have time for.
fn loom(root: &Path, report: &mut Report) {
    let log = report.log("soak loom");
    report.step("soak: loom", || {
        let mut command = cargo(root);
        command.args(["test", "-p", "node", "--test", "loom_inbox"]).env("LOOM_MAX_PREEMPTIONS", PREEMPTIONS);
        report::run(
            &mut command,
            &log,
            "loom says which thread waits for what; see crates/node/tests/loom_inbox.rs",
        )?;
        Ok(format!("{PREEMPTIONS} interruptions"))
    });
}

/// What must hold for every input, with inputs that nobody has tried yet.
fn properties(root: &Path, report: &mut Report) {
    let log = report.log("soak properties");
    report.step("soak: properties", || {
        let mut command = cargo(root);
        command.args(["test", "-p", "fuzz", "--test", "replay"]).env("PROPTEST_CASES", INPUTS);
        report::run(&mut command, &log, "keep the input it prints in fuzz/corpus, then mend what it breaks")?;
        Ok(format!("{INPUTS} inputs for each target"))
    });
}

/// The server as it is shipped.
fn server(root: &Path, report: &mut Report) -> Option<PathBuf> {
    if let Some(path) = std::env::var_os("CHAPPE_BINARY") {
        return Some(PathBuf::from(path));
    }
    built(root, "chappe", report)
}

fn load(root: &Path, report: &mut Report) -> Option<PathBuf> {
    built(root, "soak", report)
}

/// Builds a binary for release and says where it is.
fn built(root: &Path, package: &str, report: &mut Report) -> Option<PathBuf> {
    let name = format!("soak: build {package}");
    let log = report.log(&name.replace(':', ""));
    report.yielding(&name, || {
        let mut command = cargo(root);
        command.args(["build", "--release", "-p", package]);
        report::run(&mut command, &log, "mend what the compiler says")?;
        let target =
            crate::cargo::metadata(root)?["target_directory"].as_str().unwrap_or("target").to_owned();
        let binary = Path::new(&target).join("release").join(package);
        if !binary.is_file() {
            return Err(Trouble::new(
                format!("{} is not there", binary.display()),
                "xtask expects no build.target",
            ));
        }
        Ok((String::new(), binary))
    })
}

/// A program that leaves the processor to others.
fn nice(program: &Path) -> Command {
    let mut command = Command::new("nice");
    command.args(["-n", "10"]).arg(program);
    command
}
