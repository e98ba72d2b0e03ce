//! The Autobahn test suite's fuzzing client against `chappe serve --echo`: 517 cases of RFC 6455 and RFC 7692.
//!
//! The suite runs on Python 2.7 only; a machine without one skips it, loudly. Nothing but `OK` and `INFORMATIONAL`
//! passes, neither of a case nor of how its connection was closed. A run of all cases writes `conformance/`.

use crate::interop::server::Server;
use crate::interop::{end_group, wait};
use crate::machine;
use crate::report::{self, Report, Trouble};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// Every case there is.
pub(crate) const ALL: &[&str] = &["*"];
/// What takes minutes of every test run: all but the long cases of compression.
pub(crate) const QUICK: &[&str] =
    &["1.*", "2.*", "3.*", "4.*", "5.*", "6.*", "7.*", "9.*", "10.*", "12.1.*", "13.1.*"];

/// How many cases there are.
const CASES: usize = 517;
const VERSION: &str = "25.10.1";
/// Most of it is the suite's own work, on one core.
const TIME: Duration = Duration::from_secs(60 * 60);
const TIME_TO_START: Duration = Duration::from_secs(20);

/// What the groups are about.
const GROUPS: [(u32, &str); 11] = [
    (1, "framing"),
    (2, "pings and pongs"),
    (3, "reserved bits"),
    (4, "opcodes"),
    (5, "fragmentation"),
    (6, "UTF-8"),
    (7, "closing"),
    (9, "limits and performance"),
    (10, "other"),
    (12, "compression: payloads"),
    (13, "compression: parameters"),
];

/// A case's number, so that they sort as people count.
type Number = Vec<u32>;
/// A case's verdict, and that of how the connection was closed.
type Verdicts = BTreeMap<Number, (String, String)>;

/// Runs these cases.
pub(crate) fn run(root: &Path, cases: &[&str], report: &mut Report) {
    let Some(python) = python() else {
        return report.lack(
            "autobahn",
            "no Python 2.7 here, which the suite needs: `pyenv install 2.7.18` builds one",
        );
    };
    let wstest = machine::autobahn(root, &python, VERSION, report);
    let (Some(wstest), Some(binary)) = (wstest, crate::cargo::build(root, report)) else {
        return report.skip("autobahn", "what it needs did not come about");
    };
    let log = report.log("autobahn server");
    let started = report.yielding("autobahn: start", || start(&binary, &log));
    let Some((mut server, url)) = started else { return report.skip("autobahn", "no server") };
    let log = report.log("autobahn");
    let folder = root.join("target/xtask/autobahn");
    let mut verdicts = Verdicts::new();
    report.step("autobahn", || {
        fuzz(&wstest, &url, cases, &folder, &log)?;
        server.still_well()?;
        verdicts = read(&folder)?;
        judge(&verdicts)
    });
    report.step("autobahn: stop", || server.stop());
    print!("{}", table(&verdicts));
    if cases == ALL && verdicts.len() == CASES {
        report.step("autobahn: conformance/", || write(root, &verdicts));
    }
}

/// A Python 2.7, if there is one: on the path, or where pyenv keeps them.
fn python() -> Option<PathBuf> {
    let runs = |python: &PathBuf| report::works(Command::new(python).args(["-m", "pip", "--version"]));
    let on_path = PathBuf::from("python2.7");
    if runs(&on_path) {
        return Some(on_path);
    }
    let said = |words: &[&str]| {
        let output = Command::new("pyenv").args(words).output().ok()?;
        String::from_utf8(output.stdout).ok()
    };
    let versions = said(&["versions", "--bare"])?;
    let version = versions.lines().rfind(|v| v.trim().starts_with("2.7"))?.trim();
    Some(Path::new(said(&["prefix", version])?.trim()).join("bin/python2.7")).filter(runs)
}

/// Starts the server with its echo, and finds out where that is.
fn start(binary: &Path, log: &Path) -> Result<(String, (Server, String)), Trouble> {
    let (_, server) = Server::start(binary, &["--echo".into(), "127.0.0.1:0".into()], log)?;
    let end = Instant::now() + TIME_TO_START;
    loop {
        let text = fs::read_to_string(log).unwrap_or_default();
        let url = text.lines().find_map(|l| l.strip_prefix("For conformance tests: "));
        if let Some(url) = url {
            return Ok((url.to_owned(), (server, url.to_owned())));
        }
        if Instant::now() > end {
            return Err(Trouble::new(
                report::tail(log),
                "the banner names no echo: see crates/chappe/src/serve.rs",
            ));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Lets the suite's client loose on the echo.
fn fuzz(wstest: &Wstest, url: &str, cases: &[&str], folder: &Path, log: &Path) -> Result<(), Trouble> {
    // Verdicts of another run would be taken for this one's.
    drop(fs::remove_dir_all(folder));
    let spec = folder.join("spec.json");
    let words = json!({
        "outdir": folder.join("report"),
        "servers": [{"agent": "chappe", "url": url}],
        "cases": cases,
        "exclude-cases": [],
        "exclude-agent-cases": {},
    });
    machine::write(&spec, &words.to_string())?;
    let mut command = Command::new(&wstest.program);
    command.args(["-m", "fuzzingclient", "-s"]).arg(&spec).current_dir(folder);
    command.env("PYTHONUSERBASE", &wstest.base).process_group(0);
    let remedy = "`cargo xtask autobahn 1.1.1` tries one case";
    let mut child = report::spawn(&mut command, log)?;
    let Some(status) = wait(&mut child, TIME) else {
        end_group(&mut child);
        let what = format!("did not end within {} s\n{}", TIME.as_secs(), report::tail(log));
        return Err(Trouble::new(what, remedy));
    };
    if status.success() { Ok(()) } else { Err(Trouble::new(report::said("wstest", status, log), remedy)) }
}

/// The suite's client, and where its packages lie.
pub(crate) struct Wstest {
    pub(crate) program: PathBuf,
    pub(crate) base: PathBuf,
}

/// What the suite found.
fn read(folder: &Path) -> Result<Verdicts, Trouble> {
    let index = folder.join("report/index.json");
    let remedy = "look at the log of the step";
    let text =
        fs::read_to_string(&index).map_err(|e| Trouble::new(format!("{}: {e}", index.display()), remedy))?;
    let found: Value =
        serde_json::from_str(&text).map_err(|e| Trouble::new(format!("{}: {e}", index.display()), remedy))?;
    let cases = found["chappe"].as_object().into_iter().flatten();
    let verdict = |v: &Value| v.as_str().unwrap_or("missing").to_owned();
    let number = |name: &str| name.split('.').filter_map(|n| n.parse().ok()).collect();
    Ok(cases.map(|(n, v)| (number(n), (verdict(&v["behavior"]), verdict(&v["behaviorClose"])))).collect())
}

fn passes(verdict: &str) -> bool {
    matches!(verdict, "OK" | "INFORMATIONAL")
}

fn judge(verdicts: &Verdicts) -> Result<String, Trouble> {
    let bad = verdicts.iter().filter(|(_, (case, close))| !passes(case) || !passes(close));
    let bad: Vec<String> =
        bad.map(|(number, (case, close))| format!("{}: {case}, closing: {close}", name(number))).collect();
    if verdicts.is_empty() {
        return Err(Trouble::new("no case was run", "cases are named as `7.*` or `7.1.1`"));
    }
    if !bad.is_empty() {
        let remedy = "the case's page in target/xtask/autobahn/report shows every byte";
        return Err(Trouble::new(bad.join("\n"), remedy));
    }
    let ok = verdicts.values().filter(|v| v.0 == "OK").count();
    Ok(format!("{ok} OK, {} informational", verdicts.len() - ok))
}

fn name(number: &[u32]) -> String {
    number.iter().map(u32::to_string).collect::<Vec<_>>().join(".")
}

/// How many of each verdict, by group, as a table that people read.
fn table(verdicts: &Verdicts) -> String {
    let mut out =
        "| group | about | cases | OK | informational | else |\n|---|---|---|---|---|---|\n".to_owned();
    let mut row = |group: &str, about: &str, cases: Vec<&(String, String)>| {
        let count = |wanted: &str| cases.iter().filter(|v| v.0 == wanted && passes(&v.1)).count();
        let (all, ok, info) = (cases.len(), count("OK"), count("INFORMATIONAL"));
        // Writing to a string cannot fail.
        let _infallible =
            writeln!(out, "| {group} | {about} | {all} | {ok} | {info} | {} |", all - ok - info);
    };
    for (group, about) in GROUPS {
        let cases: Vec<_> =
            verdicts.iter().filter(|(n, _)| n.first() == Some(&group)).map(|(_, v)| v).collect();
        if !cases.is_empty() {
            row(&group.to_string(), about, cases);
        }
    }
    row("all", "", verdicts.values().collect());
    out
}

/// Writes the summary for people, and every verdict.
fn write(root: &Path, verdicts: &Verdicts) -> Result<String, Trouble> {
    let folder = root.join("conformance");
    let chappe = env!("CARGO_PKG_VERSION");
    let mut all = format!(
        "{{\n  \"suite\": \"autobahntestsuite {VERSION}\",\n  \"server\": \"chappe {chappe}\",\n  \"cases\": {{\n"
    );
    for (i, (number, (case, close))) in verdicts.iter().enumerate() {
        let comma = if i + 1 < verdicts.len() { "," } else { "" };
        let _infallible = writeln!(all, "    \"{}\": [\"{case}\", \"{close}\"]{comma}", name(number));
    }
    all += "  }\n}\n";
    machine::write(&folder.join("autobahn.json"), &all)?;
    let page = format!(
        "# Autobahn\n\n\
         What the fuzzing client of autobahntestsuite {VERSION} finds of chappe {chappe}'s `serve --echo`, which is the production \
         WebSocket codec with compression on. `cargo xtask autobahn` wrote this page and [autobahn.json](autobahn.json), \
         with every case's verdict and how its connection was closed.\n\n{}\n\
         Informational cases have no right answer: what becomes of a message behind a close, and close codes beyond 4999.\n\n\
         To run it again: `cargo xtask autobahn`, 10 to 30 minutes, mostly the suite's own work. It needs a Python 2.7 \
         (`pyenv install 2.7.18`); the rest it installs into `.tools/`. `cargo xtask autobahn '7.*' 6.1.1` runs some; \
         `cargo xtask test` runs all but the long cases of groups 12 and 13, and fails at anything but OK and \
         informational.\n",
        table(verdicts)
    );
    machine::write(&folder.join("autobahn.md"), &page)?;
    Ok("written".to_owned())
}
