//! What this machine says about itself, mostly under `/proc`. Judges nothing. What it does not say is `None`.

use node::Clock;
use std::fs;
use std::path::Path;
use std::process::Command;

/// The machine, as far as it matters here.
#[derive(Clone, Debug, Default)]
pub(super) struct Facts {
    /// Descriptors a process may have: as it is, and as it may be raised to.
    pub(super) descriptors: Option<(u64, u64)>,
    /// To what anybody may raise that.
    pub(super) nr_open: Option<u64>,
    /// Files open on the whole machine, and how many may be.
    pub(super) files: Option<(u64, u64)>,
    pub(super) somaxconn: Option<u64>,
    pub(super) syn_backlog: Option<u64>,
    pub(super) port_range: Option<(u64, u64)>,
    /// Tracked connections, and how many may be.
    pub(super) conntrack: Option<(u64, u64)>,
    /// Bytes TCP may take for all sockets.
    pub(super) tcp_memory: Option<u64>,
    pub(super) memory: Option<u64>,
    /// What is left of it.
    pub(super) memory_available: Option<u64>,
    /// What the control group of this process may take.
    pub(super) group_memory: Option<u64>,
    pub(super) overcommit: Option<u64>,
    pub(super) cores: u64,
    pub(super) wall_ms: u64,
    /// What keeps the clock, if that is known.
    pub(super) clock_kept_by: Option<&'static str>,
    pub(super) systemd: Option<Systemd>,
}

/// What systemd would give the server.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Systemd {
    /// Whether there is a unit of this name already.
    pub(super) unit: bool,
    /// Descriptors of the service.
    pub(super) descriptors: Option<u64>,
}

impl Facts {
    pub(super) fn gather() -> Self {
        let meminfo = read("/proc/meminfo").unwrap_or_default();
        let memory = kib(&meminfo, "MemTotal:");
        let page = read("/proc/self/smaps").and_then(|text| kib(&text, "KernelPageSize:"));
        Self {
            descriptors: rlimit::getrlimit(rlimit::Resource::NOFILE).ok(),
            nr_open: number("/proc/sys/fs/nr_open"),
            files: files(),
            somaxconn: number("/proc/sys/net/core/somaxconn"),
            syn_backlog: number("/proc/sys/net/ipv4/tcp_max_syn_backlog"),
            port_range: numbers("/proc/sys/net/ipv4/ip_local_port_range").and_then(|n| pair(&n)),
            conntrack: number("/proc/sys/net/netfilter/nf_conntrack_count")
                .zip(number("/proc/sys/net/netfilter/nf_conntrack_max")),
            tcp_memory: numbers("/proc/sys/net/ipv4/tcp_mem")
                .and_then(|n| n.get(2).copied())
                .zip(page)
                .map(|(pages, page)| pages.saturating_mul(page)),
            memory,
            memory_available: kib(&meminfo, "MemAvailable:"),
            group_memory: group_memory().filter(|limit| memory.is_none_or(|all| *limit < all)),
            overcommit: number("/proc/sys/vm/overcommit_memory"),
            cores: std::thread::available_parallelism().map_or(1, |n| n.get() as u64),
            wall_ms: Clock::start().now().wall_ms,
            clock_kept_by: clock_kept_by(),
            systemd: systemd(),
        }
    }
}

fn read(path: impl AsRef<Path>) -> Option<String> {
    fs::read_to_string(path).ok()
}

fn numbers(path: &str) -> Option<Vec<u64>> {
    read(path)?.split_whitespace().map(|word| word.parse().ok()).collect()
}

fn number(path: &str) -> Option<u64> {
    numbers(path)?.first().copied()
}

fn pair(numbers: &[u64]) -> Option<(u64, u64)> {
    Some((*numbers.first()?, *numbers.get(1)?))
}

fn files() -> Option<(u64, u64)> {
    let all = numbers("/proc/sys/fs/file-nr")?;
    Some((*all.first()?, *all.get(2)?))
}

/// Bytes of a line such as `MemTotal:  123 kB`.
fn kib(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|l| l.strip_prefix(name))?;
    line.split_whitespace().next()?.parse::<u64>().ok()?.checked_mul(1024)
}

/// The limit of this process's control group, of either version.
fn group_memory() -> Option<u64> {
    let groups = read("/proc/self/cgroup")?;
    let of = |first: &str| groups.lines().find_map(|l| l.split_once(':')?.1.strip_prefix(first));
    let two = of(":").map(|path| format!("/sys/fs/cgroup{path}/memory.max"));
    let one = of("memory:").map(|path| format!("/sys/fs/cgroup/memory{path}/memory.limit_in_bytes"));
    // In a container the path is often that of the outside, and the group is at the top.
    let top = ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"].map(String::from);
    two.into_iter().chain(one).chain(top).find_map(|path| number(&path))
}

/// Files that time services leave behind. Asking the kernel itself needs a call that there is no safe way to make.
fn clock_kept_by() -> Option<&'static str> {
    let signs = [
        ("/run/systemd/timesync/synchronized", "systemd-timesyncd"),
        ("/run/chrony/chronyd.pid", "chronyd"),
        ("/run/ntpd.pid", "ntpd"),
    ];
    signs.iter().find(|(path, _)| Path::new(path).exists()).map(|(_, name)| *name)
}

fn systemd() -> Option<Systemd> {
    if !Path::new("/run/systemd/system").exists() {
        return None;
    }
    let ask = |words: &[&str]| {
        let output = Command::new("systemctl").arg("show").args(words).output().ok()?;
        String::from_utf8(output.stdout).ok()
    };
    let unit = ask(&["chappe.service", "--property=LoadState,LimitNOFILE"])?;
    if unit.lines().any(|l| l == "LoadState=loaded") {
        return Some(Systemd { unit: true, descriptors: property(&unit, "LimitNOFILE=") });
    }
    let defaults = ask(&["--property=DefaultLimitNOFILE"])?;
    Some(Systemd { unit: false, descriptors: property(&defaults, "DefaultLimitNOFILE=") })
}

fn property(text: &str, name: &str) -> Option<u64> {
    let value = text.lines().find_map(|l| l.strip_prefix(name))?;
    if value == "infinity" { Some(u64::MAX) } else { value.parse().ok() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_the_system() {
        assert_eq!(kib("MemTotal:       24684092 kB\nMemFree: 1 kB\n", "MemTotal:"), Some(24_684_092 * 1024));
        assert_eq!(property("LoadState=loaded\nLimitNOFILE=infinity\n", "LimitNOFILE="), Some(u64::MAX));
        assert_eq!(property("LimitNOFILE=524288\n", "LimitNOFILE="), Some(524_288));
    }
}
