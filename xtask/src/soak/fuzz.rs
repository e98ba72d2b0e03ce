//! The fuzz targets under libFuzzer, with coverage, on the stable compiler: `fuzz/guided/.cargo/config.toml` says how.

use super::nice;
use crate::cargo::{cargo, metadata};
use crate::report::{self, Report, Trouble};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Inputs are no longer than this.
const LONGEST: u32 = 8192;
/// Seconds after which one input has taken too long.
const STUCK: u32 = 25;

/// Each target for its part of the time. What was found lies in `target/soak/corpus/` and stays for the next run.
pub(super) fn run(root: &Path, time: Duration, report: &mut Report) {
    let guided = root.join("fuzz/guided");
    let targets = targets(&guided);
    let each = time / u32::try_from(targets.len().max(1)).unwrap_or(1);
    let Some(folder) = build(&guided, report) else {
        return report.skip("soak: fuzz", "the targets were not built");
    };
    for target in targets {
        let name = format!("soak: fuzz {target}");
        let log = report.log(&name.replace(':', ""));
        report.step(&name, || fuzz(root, &folder.join(&target), &target, each, &log));
    }
}

/// The names of the targets, which are those of their files.
fn targets(guided: &Path) -> Vec<String> {
    let files = fs::read_dir(guided.join("targets")).into_iter().flatten().flatten();
    let mut names: Vec<String> =
        files.filter_map(|f| Some(f.path().file_stem()?.to_string_lossy().into_owned())).collect();
    names.sort();
    names
}

/// Builds all targets; says in which folder they are.
fn build(guided: &Path, report: &mut Report) -> Option<PathBuf> {
    let log = report.log("soak fuzz build");
    report.yielding("soak: fuzz build", || {
        // In its own folder, so that cargo finds the flags there.
        report::run(
            cargo(guided).args(["build", "--release"]),
            &log,
            "libFuzzer is C++: is there a `c++`? `apt-get install g++` brings one",
        )?;
        let target = metadata(guided)?["target_directory"].as_str().unwrap_or("target").to_owned();
        let host =
            crate::cargo::host().ok_or_else(|| Trouble::new("`rustc -vV` names no host", "install rustc"))?;
        Ok((String::new(), Path::new(&target).join(host).join("release")))
    })
}

fn fuzz(root: &Path, binary: &Path, target: &str, time: Duration, log: &Path) -> Result<String, Trouble> {
    let found = root.join("target/soak/corpus").join(target);
    let crashes = root.join("target/soak/crashes");
    for folder in [&found, &crashes] {
        fs::create_dir_all(folder)
            .map_err(|e| Trouble::new(format!("{}: {e}", folder.display()), "make it writable"))?;
    }
    let prefix = crashes.join(format!("{target}-"));
    let mut command = nice(binary);
    command
        .arg(format!("-max_total_time={}", time.as_secs().max(1)))
        .arg(format!("-max_len={LONGEST}"))
        .arg(format!("-timeout={STUCK}"))
        .arg(format!("-artifact_prefix={}", prefix.display()))
        .arg("-print_final_stats=1")
        .arg(&found)
        .arg(root.join("fuzz/corpus").join(target));
    let remedy = format!(
        "the input is {}*; mend the code, and keep the input in fuzz/corpus/{target}/",
        prefix.display()
    );
    report::run(&mut command, log, &remedy)?;
    Ok(remark(&fs::read_to_string(log).unwrap_or_default()))
}

/// How many inputs were tried and how much of the code they reached, out of libFuzzer's log.
fn remark(log: &str) -> String {
    let runs = log.lines().find_map(|line| line.strip_prefix("stat::number_of_executed_units: "));
    let coverage = log.lines().rev().find_map(|line| line.split_once("cov: ")?.1.split(' ').next());
    format!("{} inputs, {} edges", runs.unwrap_or("?").trim(), coverage.unwrap_or("?"))
}

#[cfg(test)]
mod tests {
    use super::remark;

    #[test]
    fn the_remark_is_out_of_the_log() {
        let log = "#7\tNEW    cov: 90 ft: 2\n#9\tDONE   cov: 91 ft: 3\nstat::number_of_executed_units: 12\n";
        assert_eq!(remark(log), "12 inputs, 91 edges");
        assert_eq!(remark(""), "? inputs, ? edges");
    }
}
