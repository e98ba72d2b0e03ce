//! What the machine must have, and how it gets it. Every step is quick when the thing is already there.
//!
//! A Debian 12 with Rust, Node and Python, and root or a sudo that asks nothing, is enough to begin with.
//! What is installed for the checks alone lies in `.tools/`, which git ignores; a `done` file beside each
//! remembers what it was installed from.

use crate::autobahn::Wstest;
use crate::cargo::cargo;
use crate::report::{self, Report, Trouble};
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A Python that can import what `interop/requirements.txt` names.
#[derive(Clone)]
pub(crate) struct Python {
    pub(crate) program: PathBuf,
    /// Where its packages lie, when it is not a venv of its own.
    pub(crate) packages: Option<PathBuf>,
}

impl Python {
    fn imports(&self, module: &str) -> bool {
        let mut command = Command::new(&self.program);
        if let Some(packages) = &self.packages {
            command.env("PYTHONPATH", packages);
        }
        report::works(command.args(["-c", &format!("import {module}")]))
    }
}

/// rustfmt and clippy.
pub(crate) fn components(root: &Path, report: &mut Report) {
    let log = report.log("rustup");
    report.step("rustfmt and clippy", || {
        let mut added = Vec::new();
        for (subcommand, component) in [("fmt", "rustfmt"), ("clippy", "clippy")] {
            if report::works(cargo(root).args([subcommand, "--version"])) {
                continue;
            }
            let remedy = format!("install it by hand: `rustup component add {component}`");
            let mut rustup = Command::new("rustup");
            rustup.current_dir(root).args(["component", "add", component]);
            report::run(&mut rustup, &log, &remedy)?;
            added.push(component);
        }
        Ok(remark(&added))
    });
}

pub(crate) fn curl(report: &mut Report) -> bool {
    let log = report.log("curl");
    report.step("curl", || {
        if report::works(Command::new("curl").arg("--version")) {
            return Ok(String::new());
        }
        apt("curl", &log)?;
        Ok(remark(&["curl"]))
    })
}

/// A browser, for the page. Says where it is.
pub(crate) fn chromium(report: &mut Report) -> Option<PathBuf> {
    let log = report.log("chromium");
    report.yielding("chromium", || {
        let browser = PathBuf::from("/usr/bin/chromium");
        if report::works(Command::new(&browser).arg("--version")) {
            return Ok((String::new(), browser));
        }
        apt("chromium", &log)?;
        Ok((remark(&["chromium"]), browser))
    })
}

/// Programs that some checks need: `PROGRAM PACKAGE` in a line each.
pub(crate) fn programs(wanted: &str, log: &Path) -> Result<String, Trouble> {
    let mut added = Vec::new();
    for (program, package) in wanted.lines().filter_map(|line| line.split_once(' ')) {
        // Some lie where only root looks.
        let mut look = Command::new("sh");
        look.args(["-c", "PATH=$PATH:/usr/sbin:/usr/local/sbin; command -v \"$0\"", program]);
        if !report::works(&mut look) {
            apt(package, log)?;
            added.push(package);
        }
    }
    Ok(remark(&added))
}

/// The Python clients.
pub(crate) fn python(root: &Path, report: &mut Report) -> Option<Python> {
    let log = report.log("python packages");
    report.yielding("python packages", || {
        let wanted = read(&root.join("interop/requirements.txt"))?;
        let tools = root.join(".tools");
        let done = tools.join("python.done");
        let venv = Python { program: tools.join("venv/bin/python"), packages: None };
        let beside = Python { program: "python3".into(), packages: Some(tools.join("py")) };
        if fs::read_to_string(&done).is_ok_and(|was| was == wanted)
            && let Some(python) = [&venv, &beside].into_iter().find(|p| p.imports("websockets"))
        {
            return Ok((String::new(), python.clone()));
        }
        write(&tools.join("README"), "What `cargo xtask` installed for the checks. Delete it freely.\n")?;
        let python = if make_venv(&tools.join("venv"), &log) { venv } else { beside };
        let mut pip = Command::new(&python.program);
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--upgrade"]);
        if let Some(packages) = &python.packages {
            pip.arg("--target").arg(packages);
        }
        pip.arg("-r").arg(root.join("interop/requirements.txt"));
        report::run(
            &mut pip,
            &log,
            "is PyPI reachable, and is there a pip? `apt-get install python3-venv` brings one",
        )?;
        write(&done, &wanted)?;
        Ok((remark(&["interop/requirements.txt"]), python))
    })
}

/// Python packages in other versions than those of the other suites, for one suite. Says where they lie.
pub(crate) fn python_beside(
    root: &Path,
    python: &Python,
    suite: &str,
    log: &Path,
) -> Result<PathBuf, Trouble> {
    let requirements = root.join("interop").join(suite).join("requirements.txt");
    let folder = root.join(".tools/python-of").join(suite);
    let (wanted, done) = (read(&requirements)?, folder.join("done"));
    if fs::read_to_string(&done).is_ok_and(|was| was == wanted) {
        return Ok(folder);
    }
    let mut pip = Command::new(&python.program);
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--upgrade", "--target"]);
    report::run(pip.arg(&folder).arg("-r").arg(&requirements), log, "is PyPI reachable?")?;
    write(&done, &wanted)?;
    Ok(folder)
}

/// The Node clients. Says where they lie.
pub(crate) fn node(root: &Path, report: &mut Report) -> Option<PathBuf> {
    let log = report.log("node packages");
    report.yielding("node packages", || {
        let folder = root.join(".tools/node");
        let modules = folder.join("node_modules");
        let done = folder.join("done");
        let wanted = read(&root.join("interop/package-lock.json"))?;
        if fs::read_to_string(&done).is_ok_and(|was| was == wanted) && modules.is_dir() {
            return Ok((String::new(), modules));
        }
        write(&folder.join("package.json"), &read(&root.join("interop/package.json"))?)?;
        write(&folder.join("package-lock.json"), &wanted)?;
        let mut npm = Command::new("npm");
        npm.current_dir(&folder).args(["ci", "--no-audit", "--no-fund", "--ignore-scripts"]);
        let remedy = "is Node with npm installed and registry.npmjs.org reachable?";
        report::run(&mut npm, &log, remedy)?;
        write(&done, &wanted)?;
        Ok((remark(&["interop/package-lock.json"]), modules))
    })
}

/// The Autobahn test suite's client, installed for this Python 2.7.
pub(crate) fn autobahn(root: &Path, python: &Path, version: &str, report: &mut Report) -> Option<Wstest> {
    let log = report.log("autobahn packages");
    report.yielding("autobahn packages", || {
        // `pip --target` would not do: one of its packages is a part of another's namespace.
        let base = root.join(".tools/autobahn");
        let (program, done) = (base.join("bin/wstest"), base.join("done"));
        let wanted = format!("{version} {}\n", python.display());
        if fs::read_to_string(&done).is_ok_and(|was| was == wanted) && program.is_file() {
            return Ok((String::new(), Wstest { program, base }));
        }
        let mut pip = Command::new(python);
        pip.env("PYTHONUSERBASE", &base).args(["-m", "pip", "install", "--quiet", "--user"]);
        let suite = format!("autobahntestsuite=={version}");
        report::run(pip.arg(&suite), &log, "is PyPI reachable?")?;
        write(&done, &wanted)?;
        Ok((remark(&[&suite]), Wstest { program, base }))
    })
}

/// Debian's python3 has venv but not the pip it would put inside; the package python3-venv brings it.
/// A Python that is not Debian's gains nothing by it, hence the answer is a yes or a no.
fn make_venv(folder: &Path, log: &Path) -> bool {
    let make = || {
        let mut command = Command::new("python3");
        command.args(["-m", "venv", "--clear"]).arg(folder);
        report::works(&mut command)
    };
    make() || (apt("python3-venv", log).is_ok() && make()) || {
        // A half-made venv would be taken for a whole one.
        drop(fs::remove_dir_all(folder));
        false
    }
}

fn apt(package: &str, log: &Path) -> Result<(), Trouble> {
    let remedy = format!("install it by hand: `apt-get install {package}`");
    let root = Command::new("id").arg("-u").output().is_ok_and(|o| o.stdout.trim_ascii() == b"0");
    for words in [&["update", "-qq"][..], &["install", "-y", "-qq", "--no-install-recommends", package][..]] {
        let mut line: Vec<OsString> = Vec::new();
        if !root {
            line.extend(["sudo".into(), "-n".into()]);
        }
        line.extend(["env".into(), "DEBIAN_FRONTEND=noninteractive".into(), "apt-get".into()]);
        line.extend(words.iter().map(Into::into));
        let mut words = line.into_iter();
        let mut command = Command::new(words.next().unwrap_or_default());
        report::run(command.args(words), log, &remedy)?;
    }
    Ok(())
}

fn read(path: &Path) -> Result<String, Trouble> {
    fs::read_to_string(path)
        .map_err(|e| Trouble::new(format!("{}: {e}", path.display()), "restore it: `git checkout` it"))
}

pub(crate) fn write(path: &Path, text: &str) -> Result<(), Trouble> {
    let folder = path.parent().unwrap_or(path);
    fs::create_dir_all(folder)
        .and_then(|()| fs::write(path, text))
        .map_err(|e| Trouble::new(format!("{}: {e}", path.display()), "make the folder writable"))
}

fn remark(installed: &[&str]) -> String {
    if installed.is_empty() { String::new() } else { format!("installed {}", installed.join(", ")) }
}
