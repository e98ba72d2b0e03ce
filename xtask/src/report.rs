//! Steps: each prints one line when it ends, and a table at the end says how all of them went.
//!
//! A step's noise goes to a log under `target/xtask/`; it is shown only when the step fails.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// The last lines of a log that are worth showing.
const SHOWN: usize = 120;

/// Why a step failed, and what a person can do about it.
pub(crate) struct Trouble {
    pub(crate) what: String,
    pub(crate) remedy: String,
}

impl Trouble {
    pub(crate) fn new(what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { what: what.into(), remedy: remedy.into() }
    }
}

enum Outcome {
    Passed(String),
    Failed,
    Skipped(String),
    /// The machine lacks what nobody can install for it.
    Lacking(String),
}

struct Row {
    name: String,
    outcome: Outcome,
    took: Duration,
}

/// What was done, and how it went.
pub(crate) struct Report {
    rows: Vec<Row>,
    logs: PathBuf,
    began: Instant,
}

impl Report {
    pub(crate) fn new(root: &Path) -> Self {
        Self { rows: Vec::new(), logs: root.join("target/xtask"), began: Instant::now() }
    }

    /// Does one step. What it returns is a remark for the table. Says whether it went well.
    pub(crate) fn step(&mut self, name: &str, act: impl FnOnce() -> Result<String, Trouble>) -> bool {
        self.yielding(name, || act().map(|remark| (remark, ()))).is_some()
    }

    /// As [`Report::step`], for a step that others build upon.
    pub(crate) fn yielding<T>(
        &mut self,
        name: &str,
        act: impl FnOnce() -> Result<(String, T), Trouble>,
    ) -> Option<T> {
        print!("{name:<34} ");
        // The line is finished below; a terminal that is gone is nothing to stop for.
        drop(io::stdout().flush());
        let began = Instant::now();
        let result = act();
        let took = began.elapsed();
        let (outcome, value) = match result {
            Ok((remark, value)) => {
                println!("ok      {:>7.1} s  {remark}", took.as_secs_f64());
                (Outcome::Passed(remark), Some(value))
            }
            Err(trouble) => {
                println!("FAILED  {:>7.1} s", took.as_secs_f64());
                println!("{}\n\n  what to do: {}\n", indent(&trouble.what), trouble.remedy);
                (Outcome::Failed, None)
            }
        };
        self.rows.push(Row { name: name.to_owned(), outcome, took });
        value
    }

    pub(crate) fn skip(&mut self, name: &str, why: &str) {
        println!("{name:<34} skipped            {why}");
        self.rows.push(Row {
            name: name.to_owned(),
            outcome: Outcome::Skipped(why.to_owned()),
            took: Duration::ZERO,
        });
    }

    /// Says loudly that something was not checked, because of what this machine is: no reason to fail.
    pub(crate) fn lack(&mut self, name: &str, what: &str) {
        println!("{name:<34} SKIPPED            {what}");
        self.rows.push(Row {
            name: name.to_owned(),
            outcome: Outcome::Lacking(what.to_owned()),
            took: Duration::ZERO,
        });
    }

    /// A new log, empty, for the step of this name.
    pub(crate) fn log(&self, name: &str) -> PathBuf {
        self.logs.join(format!("{}.log", name.replace([' ', '/'], "-")))
    }

    /// The table. Anything that did not pass fails the whole.
    pub(crate) fn finish(self) -> ExitCode {
        println!("\n{:<34} {:<8} {:>9}", "step", "result", "time");
        let (mut good, mut lacking) = (true, 0);
        for row in &self.rows {
            let (result, remark) = match &row.outcome {
                Outcome::Passed(remark) => ("ok", remark.as_str()),
                Outcome::Failed => ("FAILED", ""),
                Outcome::Skipped(why) => ("skipped", why.as_str()),
                Outcome::Lacking(what) => ("SKIPPED", what.as_str()),
            };
            good &= matches!(row.outcome, Outcome::Passed(_) | Outcome::Lacking(_));
            lacking += usize::from(matches!(row.outcome, Outcome::Lacking(_)));
            println!("{:<34} {result:<8} {:>7.1} s  {remark}", row.name, row.took.as_secs_f64());
        }
        let verdict = match (good, lacking) {
            (true, 0) => "all passed".to_owned(),
            (true, n) => format!("all passed, BUT {n} SKIPPED"),
            (false, _) => "NOT ALL PASSED".to_owned(),
        };
        println!("{:<34} {:<8} {:>7.1} s", verdict, "", self.began.elapsed().as_secs_f64());
        if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}

/// Starts a program whose noise goes to a log.
pub(crate) fn spawn(command: &mut Command, log: &Path) -> Result<Child, Trouble> {
    let name = command.get_program().to_string_lossy().into_owned();
    let mut start = || -> io::Result<Child> {
        if let Some(folder) = log.parent() {
            fs::create_dir_all(folder)?;
        }
        let file = File::create(log)?;
        command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file).spawn()
    };
    start().map_err(|e| Trouble::new(format!("`{name}` did not start: {e}"), format!("install `{name}`")))
}

/// Runs a program to its end; its noise is the trouble when it fails.
pub(crate) fn run(command: &mut Command, log: &Path, remedy: &str) -> Result<(), Trouble> {
    let status = spawn(command, log)?.wait();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(Trouble::new(said(&shown(command), status, log), remedy)),
        Err(e) => Err(Trouble::new(format!("`{}` cannot be waited for: {e}", shown(command)), remedy)),
    }
}

/// Whether a program runs and ends well, quietly.
pub(crate) fn works(command: &mut Command) -> bool {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// What a program that ended badly said last.
pub(crate) fn said(what: &str, status: ExitStatus, log: &Path) -> String {
    format!("`{what}` ended with {status}\n{}", tail(log))
}

/// The last lines of a log.
pub(crate) fn tail(log: &Path) -> String {
    let bytes = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().collect();
    let from = lines.len().saturating_sub(SHOWN);
    let head =
        if from > 0 { format!("… {from} lines before, in {}\n", log.display()) } else { String::new() };
    head + &lines[from..].join("\n")
}

fn shown(command: &Command) -> String {
    let mut words = vec![command.get_program().to_string_lossy()];
    words.extend(command.get_args().map(|a| a.to_string_lossy()));
    words.join(" ")
}

fn indent(text: &str) -> String {
    text.lines().map(|line| format!("    {line}")).collect::<Vec<_>>().join("\n")
}
