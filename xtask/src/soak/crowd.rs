//! A server, the crowd of `soak/` around it, and a look at the server's memory and descriptors every while.

use super::nice;
use super::verdict::{Measured, Sample};
use crate::interop::server::Server;
use crate::report::{Report, Trouble};
use serde_json::{Value, json};
use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

/// Connections there are at once.
const CONNECTIONS: &str = "2000";
/// Between two looks, unless the time is short.
const LOOK: Duration = Duration::from_secs(60);
/// Looks at least.
const LOOKS: u32 = 20;
/// Time for the server to notice that everybody has gone: more than a request's head may take.
const SETTLE: Duration = Duration::from_secs(20);
/// Time for the crowd to leave, beyond its own.
const LEAVING: Duration = Duration::from_secs(30);

/// Bounds that a crowd meets within minutes: small buffers, short times, and channels of every kind.
const CONFIG: &str = "\
shards = 2
[admin]
address = 'off'
[limits]
message_bytes = 65536
pending_bytes = 262144
head_timeout = 3
keep_alive = 5
ping_interval = 10
window_timeout = 20
[[channel]]
pattern = 'w.*'
window = 50
[[channel]]
pattern = 'o.*'
slow = 'drop-oldest'
[[channel]]
pattern = 'k.*'
slow = 'keep-latest'
";

pub(super) fn run(root: &Path, server: &Path, load: &Path, time: Duration, report: &mut Report) {
    let folder = root.join("target/soak");
    let log = report.log("soak server");
    let config = folder.join("chappe.toml");
    let started = report.yielding("soak: start", || {
        fs::create_dir_all(&folder)
            .and_then(|()| fs::write(&config, CONFIG))
            .map_err(|e| Trouble::new(format!("{}: {e}", config.display()), "make it writable"))?;
        Server::start(server, &["--config".into(), config.clone().into()], &log)
    });
    let Some(mut server) = started else { return };
    report.step("soak: crowd", || {
        // The connection that asked for its health is to be gone.
        std::thread::sleep(Duration::from_secs(2));
        let before = look(server.pid(), Instant::now())?;
        let (during, crowd) = watch(&mut server, load, time, &folder)?;
        std::thread::sleep(SETTLE);
        let measured = Measured { before, during, after: look(server.pid(), Instant::now())? };
        conclude(&folder, &measured, &crowd)
    });
    // It answers, and has not panicked; then it drains, and ends with 0.
    report.step("soak: server still well", || server.is_well().map(|()| String::new()));
    report.step("soak: server ends", || server.stop());
}

/// Lets the crowd come, and looks at the server until it has gone. Says what was seen, and what the crowd says.
fn watch(
    server: &mut Server,
    load: &Path,
    time: Duration,
    folder: &Path,
) -> Result<(Vec<Sample>, Value), Trouble> {
    let began = Instant::now();
    let said = folder.join("crowd.json");
    let mut crowd = start(server, load, time, &said)?;
    let every = LOOK.min(time / LOOKS);
    let mut samples = Vec::new();
    let status = loop {
        std::thread::sleep(Duration::from_millis(100));
        if began.elapsed() < time
            && began.elapsed() >= every * u32::try_from(samples.len() + 1).unwrap_or(u32::MAX)
        {
            samples.push(look(server.pid(), began)?);
            server.still_well()?;
        }
        match crowd.try_wait() {
            Ok(Some(status)) => break status,
            Ok(None) if began.elapsed() < time + LEAVING => {}
            Ok(None) | Err(_) => {
                drop(crowd.kill());
                drop(crowd.wait());
                return Err(Trouble::new("the crowd does not go", "is the server stuck? see its log"));
            }
        }
    };
    let text = fs::read_to_string(&said).unwrap_or_default();
    let report: Value = serde_json::from_str(&text).unwrap_or_default();
    if !status.success() || report.is_null() {
        return Err(Trouble::new(format!("the crowd ended with {status}\n{text}"), "run `soak` by hand"));
    }
    Ok((samples, report))
}

fn start(server: &Server, load: &Path, time: Duration, said: &Path) -> Result<Child, Trouble> {
    let trouble =
        |e: std::io::Error| Trouble::new(format!("the crowd did not start: {e}"), "is there a `nice`?");
    let out = File::create(said).map_err(trouble)?;
    let mut command = nice(load);
    command.arg(format!("127.0.0.1:{}", server.port));
    command.args([&time.as_secs().to_string(), CONNECTIONS, "1"]);
    command.stdin(Stdio::null()).stdout(out).spawn().map_err(trouble)
}

/// What a process holds now.
fn look(pid: u32, began: Instant) -> Result<Sample, Trouble> {
    let trouble = |e: std::io::Error| {
        Trouble::new(format!("/proc/{pid}: {e}"), "this needs Linux, and a server that runs")
    };
    let status = fs::read_to_string(format!("/proc/{pid}/status")).map_err(trouble)?;
    let resident = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:")?.split_whitespace().next()?.parse::<u64>().ok());
    let descriptors = fs::read_dir(format!("/proc/{pid}/fd")).map_err(trouble)?.count();
    Ok(Sample {
        at: began.elapsed().as_secs_f64(),
        resident: resident.unwrap_or(0) * 1024,
        descriptors: u64::try_from(descriptors).unwrap_or(u64::MAX),
    })
}

/// Writes the report, shows it, and judges.
fn conclude(folder: &Path, measured: &Measured, crowd: &Value) -> Result<String, Trouble> {
    let report = folder.join("report.json");
    let whole = json!({ "server": measured.report(), "crowd": crowd });
    fs::write(&report, format!("{whole:#}\n"))
        .map_err(|e| Trouble::new(format!("{}: {e}", report.display()), "make it writable"))?;
    println!("\n\n{:>8} {:>10} {:>12}", "seconds", "MiB", "descriptors");
    let rows = std::iter::once(&measured.before).chain(&measured.during).chain([&measured.after]);
    rows.for_each(|s| println!("{:>8.0} {:>10.1} {:>12}", s.at, mib(s.resident), s.descriptors));
    println!("{crowd:#}");
    let mut faults = measured.faults();
    if crowd["wrong"] != 0 {
        faults.push(format!("the crowd complains: {:#}", crowd["complaints"]));
    }
    let line = measured.line().map_or("no line".to_owned(), |l| {
        format!("{:+.2} ± {:.2} MiB/h over {:.2} h", l.slope, l.error, l.hours)
    });
    if faults.is_empty() {
        Ok(line)
    } else {
        let remedy = format!("{} has all numbers", report.display());
        Err(Trouble::new(format!("{}\n{line}", faults.join("\n")), remedy))
    }
}

#[expect(clippy::cast_precision_loss, reason = "memory is far below 2^52")]
fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}
