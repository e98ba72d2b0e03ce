//! Clients that others wrote, against the built server.
//!
//! Every folder of `interop/` but `shared` is a suite: it gets a server of its own, configured by its `chappe.toml`
//! where there is one, and its scripts, `*.py` and `*.cjs`, run one after another against it. A script finds the
//! server by `CHAPPE_PORT` and `CHAPPE_ADMIN_PORT`, the program by `CHAPPE_BINARY`, a browser by `CHAPPE_BROWSER`, the
//! examples that its suite asks for by `CHAPPE_EXAMPLES`; it says `ok …` for each thing it checked, and ends with anything but 0 when one was not so. One that needs a server of
//! another configuration starts it itself.

pub(crate) mod server;

use crate::machine::{self, Python};
use crate::report::{self, Report, Trouble};
use server::Server;
use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};

const TIME_FOR_A_SCRIPT: Duration = Duration::from_secs(60);
/// In a suite's folder: the programs it needs beyond `curl`, and the packages they are in.
const PACKAGES: &str = "packages";
/// In a suite's folder: the examples of the server's crate that it needs.
const EXAMPLES: &str = "examples";
/// In a suite's folder: the Python packages that it needs in other versions than other suites.
const REQUIREMENTS: &str = "requirements.txt";
/// The folder that is no suite.
const SHARED: &str = "shared";

/// With what scripts run.
pub(crate) struct Kitchen {
    root: PathBuf,
    python: Python,
    modules: PathBuf,
    browser: PathBuf,
}

/// With what those of one suite run besides.
#[derive(Default)]
struct Own {
    examples: Option<PathBuf>,
    packages: Option<PathBuf>,
}

/// Gets what the scripts need, so that a test run learns early what the machine lacks.
pub(crate) fn prepare(root: &Path, report: &mut Report) -> Option<Kitchen> {
    let curl = machine::curl(report);
    let python = machine::python(root, report);
    let modules = machine::node(root, report);
    let browser = machine::chromium(report);
    let (true, Some(python), Some(modules), Some(browser)) = (curl, python, modules, browser) else {
        return None;
    };
    Some(Kitchen { root: root.to_path_buf(), python, modules, browser })
}

/// All suites, or the one (or the one script) of this name. `CHAPPE_BINARY` names a server built otherwise.
pub(crate) fn run(root: &Path, kitchen: Option<&Kitchen>, only: Option<&str>, report: &mut Report) {
    let (wanted_suite, wanted_script) = match only.map(|name| name.trim_matches('/')) {
        Some(name) => {
            name.split_once('/').map_or((Some(name), None), |(suite, script)| (Some(suite), Some(script)))
        }
        None => (None, None),
    };
    let mut suites = listing(&root.join("interop"), Path::is_dir);
    suites.retain(|suite| suite != SHARED && wanted_suite.is_none_or(|name| name == suite));
    if suites.is_empty() {
        report
            .step("interop", || Err(Trouble::new("no such suite", "the suites are the folders of interop/")));
        return;
    }
    let binary = match std::env::var_os("CHAPPE_BINARY") {
        Some(path) => Some(PathBuf::from(path)),
        None => crate::cargo::build(root, report),
    };
    for suite in suites {
        match (kitchen, &binary) {
            (Some(kitchen), Some(binary)) => kitchen.suite(&suite, wanted_script, binary, report),
            _ => report.skip(&format!("interop {suite}"), "what it needs did not come about"),
        }
    }
}

impl Kitchen {
    /// One server, and every script of the suite against it.
    fn suite(&self, suite: &str, only: Option<&str>, binary: &Path, report: &mut Report) {
        let folder = self.root.join("interop").join(suite);
        let mut scripts = listing(&folder, |path| path.extension().is_some_and(|e| e == "py" || e == "cjs"));
        scripts.retain(|script| only.is_none_or(|name| name == script || Some(name) == stem(script)));
        let title = format!("interop {suite}");
        if scripts.is_empty() {
            report.step(&title, || Err(Trouble::new("no such script", "scripts end in .py or .cjs")));
            return;
        }
        if let Ok(wanted) = fs::read_to_string(folder.join(PACKAGES)) {
            let log = report.log(&format!("{title} packages"));
            if !report.step(&format!("{title}: packages"), || machine::programs(&wanted, &log)) {
                return report.skip(&title, "what it needs did not come about");
            }
        }
        let Some(own) = self.own(suite, &folder, &title, report) else { return };
        let log = report.log(&format!("{title} server"));
        let mut server = None;
        let config = folder.join("chappe.toml");
        let flags = if config.is_file() { vec!["--config".into(), config.into()] } else { Vec::new() };
        let started = report.yielding(&format!("{title}: start"), || Server::start(binary, &flags, &log));
        match started {
            Some(running) => server = Some(running),
            None => scripts.iter().for_each(|s| report.skip(&named(&title, s), "no server")),
        }
        let Some(server) = server.as_mut() else { return };
        for script in scripts {
            let name = named(&title, &script);
            if server.has_ended() {
                report.skip(&name, "the server ended before");
                continue;
            }
            let log = report.log(&name);
            report.step(&name, || {
                let ports = [server.port, server.admin_port];
                let result = self.script(&folder.join(&script), binary, ports, &own, &log);
                // What became of the server explains more than what a client saw of it.
                server.still_well()?;
                result
            });
        }
        report.step(&format!("{title}: stop"), || server.stop());
    }

    /// What a suite needs that no other does. `None`: it did not come about.
    fn own(&self, suite: &str, folder: &Path, title: &str, report: &mut Report) -> Option<Own> {
        let mut own = Own::default();
        if let Ok(names) = fs::read_to_string(folder.join(EXAMPLES)) {
            let log = report.log(&format!("{title} examples"));
            let build = || Ok((String::new(), crate::cargo::examples(&self.root, &names, &log)?));
            own.examples = Some(report.yielding(&format!("{title}: examples"), build)?);
        }
        if folder.join(REQUIREMENTS).is_file() {
            let log = report.log(&format!("{title} python packages"));
            let install =
                || Ok((String::new(), machine::python_beside(&self.root, &self.python, suite, &log)?));
            own.packages = Some(report.yielding(&format!("{title}: python packages"), install)?);
        }
        Some(own)
    }

    /// Runs one script; the remark is how much it checked.
    fn script(
        &self,
        path: &Path,
        binary: &Path,
        [port, admin_port]: [u16; 2],
        own: &Own,
        log: &Path,
    ) -> Result<String, Trouble> {
        let shared = self.root.join("interop").join(SHARED);
        let python = path.extension().is_some_and(|e| e == "py");
        let mut command =
            Command::new(if python { self.python.program.as_path() } else { Path::new("node") });
        let mut paths = vec![shared.clone()];
        paths.extend(own.packages.clone());
        paths.extend(self.python.packages.clone());
        let joined = |paths: &[PathBuf]| std::env::join_paths(paths).unwrap_or_default();
        command
            .arg(path)
            .current_dir(&self.root)
            .env("CHAPPE_PORT", port.to_string())
            .env("CHAPPE_BROWSER", &self.browser)
            .env("CHAPPE_BINARY", binary)
            .env("CHAPPE_EXAMPLES", own.examples.as_deref().unwrap_or_else(|| Path::new("")))
            .env("CHAPPE_ADMIN_PORT", admin_port.to_string())
            .env("PYTHONPATH", joined(&paths))
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("PYTHONUNBUFFERED", "1")
            .env("NODE_PATH", joined(&[self.modules.clone(), shared]))
            .env("NO_PROXY", "127.0.0.1,localhost")
            .env("no_proxy", "127.0.0.1,localhost")
            // A group of its own: when time is up, what the script started ends with it.
            .process_group(0);
        let again = format!("run it again: `cargo xtask interop {}`", again(path));
        let mut child = report::spawn(&mut command, log)?;
        let Some(status) = wait(&mut child, TIME_FOR_A_SCRIPT) else {
            end_group(&mut child);
            let what = format!("did not end within {} s\n{}", TIME_FOR_A_SCRIPT.as_secs(), report::tail(log));
            return Err(Trouble::new(what, again));
        };
        if !status.success() {
            return Err(Trouble::new(report::said(&path.display().to_string(), status, log), again));
        }
        let text = fs::read_to_string(log).unwrap_or_default();
        match text.lines().filter(|line| line.starts_with("ok ")).count() {
            0 => Err(Trouble::new("it checked nothing", "print `ok WHAT` for every check")),
            checks => Ok(format!("{checks} checks")),
        }
    }
}

/// Waits for a child, up to a moment.
pub(crate) fn wait(child: &mut Child, time: Duration) -> Option<ExitStatus> {
    let end = Instant::now() + time;
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Some(status),
            Ok(None) if Instant::now() < end => std::thread::sleep(Duration::from_millis(10)),
            Ok(None) | Err(_) => return None,
        }
    }
}

/// Ends a child that leads a group, and the group with it.
pub(crate) fn end_group(child: &mut Child) {
    report::works(Command::new("kill").args(["-KILL", "--", &format!("-{}", child.id())]));
    // It may have ended by itself meanwhile.
    drop(child.kill());
    drop(child.wait());
}

fn again(path: &Path) -> String {
    let suite = path.parent().and_then(Path::file_name).unwrap_or_default().to_string_lossy();
    format!("{suite}/{}", path.file_stem().unwrap_or_default().to_string_lossy())
}

fn named(title: &str, script: &str) -> String {
    format!("{title}/{}", stem(script).unwrap_or(script))
}

fn stem(script: &str) -> Option<&str> {
    script.rsplit_once('.').map(|(stem, _)| stem)
}

/// The names in a folder that satisfy, sorted.
fn listing(folder: &Path, wanted: impl Fn(&Path) -> bool) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| wanted(&entry.path()))
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}
