//! The steps that are cargo's.
//!
//! Everything is built in the one dev profile, so that tests, clippy's metadata and the server share their
//! dependencies.

use crate::report::{self, Report, Trouble};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The cargo that started us, in the workspace's folder.
pub(crate) fn cargo(root: &Path) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root);
    command
}

pub(crate) fn format(root: &Path, report: &mut Report) {
    let log = report.log("fmt");
    report.step("fmt", || {
        report::run(cargo(root).args(["fmt", "--all", "--check"]), &log, "run `cargo fmt --all`")?;
        Ok(String::new())
    });
}

pub(crate) fn clippy(root: &Path, report: &mut Report) {
    let log = report.log("clippy");
    report.step("clippy", || {
        let mut command = cargo(root);
        command.args(["clippy", "--workspace", "--all-targets", "--quiet", "--", "-D", "warnings"]);
        report::run(&mut command, &log, "mend what clippy says; an `#[allow]` needs a `reason`")?;
        Ok(String::new())
    });
}

/// What `deny.toml` demands of others' crates, where somebody has installed `cargo deny`. The advisories are a database
/// of others', which is not to be had everywhere.
pub(crate) fn deny(root: &Path, report: &mut Report) {
    if !report::works(cargo(root).args(["deny", "--version"])) {
        let what = "licences and advisories of others' crates: `cargo install --locked cargo-deny`";
        return report.lack("deny", what);
    }
    let check = |what: &[&str], log: &Path| {
        let mut command = cargo(root);
        command.args(["deny", "--workspace", "check"]).args(what);
        report::run(&mut command, log, "mend Cargo.toml; or deny.toml, if what it says is not meant")?;
        Ok(String::new())
    };
    let log = report.log("deny");
    report.step("deny", || check(&["bans", "licenses", "sources"], &log));
    if !report::works(cargo(root).args(["deny", "fetch", "db"])) {
        return report.lack("deny advisories", "their database cannot be fetched from here");
    }
    let log = report.log("deny advisories");
    report.step("deny advisories", || check(&["advisories"], &log));
}

/// What the random inputs of the tests grow from: whether a commit passes follows from the commit. New seeds are the
/// soak's to try.
const SEED: &str = "6889";

pub(crate) fn test(root: &Path, report: &mut Report) {
    let log = report.log("test");
    report.step("test", || {
        let mut command = cargo(root);
        command.args(["test", "--workspace", "--no-fail-fast"]).env("PROPTEST_RNG_SEED", SEED);
        report::run(&mut command, &log, "`cargo test -p CRATE NAME` runs one test again")?;
        Ok(counted(&log))
    });
}

/// Performs every play, and lets those that differ from what happens be rewritten; the pages that are made from the
/// program likewise.
pub(crate) fn bless(root: &Path, report: &mut Report) {
    let log = report.log("bless");
    report.step("bless", || {
        let mut command = cargo(root);
        command.args(["test", "--workspace", "--no-fail-fast", "--test", "transcripts", "--test", "config"]);
        command.env("BLESS", "1");
        report::run(&mut command, &log, "what a play cannot expect must be mended by hand")?;
        let mut pages = cargo(root);
        pages.args(["test", "-p", "admin", "--test", "page"]).env("BLESS", "1");
        report::run(&mut pages, &log, "see what crates/admin/tests/page.rs says")?;
        Ok("look at `git diff`".to_owned())
    });
}

/// Builds the server and says where the binary is.
pub(crate) fn build(root: &Path, report: &mut Report) -> Option<PathBuf> {
    let log = report.log("build");
    report.yielding("build", || {
        report::run(cargo(root).args(["build", "-p", "chappe"]), &log, "mend what the compiler says")?;
        let target = metadata(root)?["target_directory"].as_str().unwrap_or("target").to_owned();
        let binary = Path::new(&target).join("debug/chappe");
        if !binary.is_file() {
            let what = format!("{} was built but is not there", binary.display());
            return Err(Trouble::new(what, "xtask expects the dev profile and no build.target"));
        }
        Ok((String::new(), binary))
    })
}

/// Builds examples of the server's crate and says in which folder they are.
pub(crate) fn examples(root: &Path, names: &str, log: &Path) -> Result<PathBuf, Trouble> {
    let mut command = cargo(root);
    command.args(["build", "-p", "chappe"]);
    for name in names.split_whitespace() {
        command.args(["--example", name]);
    }
    report::run(&mut command, log, "mend what the compiler says")?;
    let target = metadata(root)?["target_directory"].as_str().unwrap_or("target").to_owned();
    Ok(Path::new(&target).join("debug/examples"))
}

/// What `cargo metadata` says, for this machine's platform only: others' crates need not be fetched.
pub(crate) fn metadata(root: &Path) -> Result<Value, Trouble> {
    let remedy = "run `cargo metadata --format-version 1` and mend what it says";
    let host = host().ok_or_else(|| Trouble::new("`rustc -vV` names no host", "install rustc"))?;
    let output = cargo(root)
        .args(["metadata", "--format-version", "1", "--filter-platform", &host])
        .output()
        .map_err(|e| Trouble::new(format!("cargo metadata did not start: {e}"), remedy))?;
    if !output.status.success() {
        return Err(Trouble::new(String::from_utf8_lossy(&output.stderr), remedy));
    }
    serde_json::from_slice(&output.stdout)
        .map_err(|e| Trouble::new(format!("cargo metadata is not JSON: {e}"), remedy))
}

/// The platform that rustc builds for when nobody says which.
pub(crate) fn host() -> Option<String> {
    let output = Command::new("rustc").arg("-vV").output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    text.lines().find_map(|line| line.strip_prefix("host: ")).map(str::to_owned)
}

/// How many tests a log of `cargo test` counts.
fn counted(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let sum: u64 = text
        .lines()
        .filter_map(|line| line.strip_prefix("test result: ok. ")?.split(' ').next()?.parse::<u64>().ok())
        .sum();
    format!("{sum} tests")
}
