//! Whether memory and cores are enough for what is promised. Told what there is; looks nowhere.

use super::facts::Facts;
use super::finding::{Finding, bytes, count, sysctl};
use server::Settings;

/// What the kernel needs for sockets to be worth having.
const TCP_MEMORY: u64 = 64 << 20;

pub(super) fn findings(facts: &Facts, settings: &Settings) -> Vec<Finding> {
    let limits = &settings.limits;
    let promised = (limits.memory_budget as u64).saturating_add(limits.window_bytes as u64);
    let mut all = vec![budget(facts.memory, facts.memory_available, promised)];
    all.extend(facts.group_memory.map(|limit| group(limit, promised)));
    all.extend(facts.tcp_memory.map(tcp));
    all.extend(facts.overcommit.and_then(overcommit));
    all.push(shards(facts.cores, u64::from(settings.shards)));
    all
}

const FOR_WHAT: &str = "limits.memory_budget and limits.window_bytes may take";

/// What slow readers and abandoned windows may take together, of the machine's memory.
pub(super) fn budget(memory: Option<u64>, available: Option<u64>, promised: u64) -> Finding {
    const ITEM: &str = "memory";
    let Some(memory) = memory else {
        return Finding::unknown(ITEM, "this system does not say how much there is");
    };
    let says = format!("{FOR_WHAT} {} of {}", bytes(promised), bytes(memory));
    let mend = format!("export CHAPPE__LIMITS__MEMORY_BUDGET={}   # or limits.memory_budget", memory / 4);
    if promised >= memory {
        return Finding::bad(ITEM, format!("{says}: the system will end the server first")).mend(mend);
    }
    if promised > memory / 2 {
        return Finding::better(ITEM, format!("{says}: more than half")).mend(mend);
    }
    match available.filter(|a| *a < promised) {
        Some(available) => {
            Finding::better(ITEM, format!("{says}, of which others have left {}", bytes(available)))
        }
        None => Finding::good(ITEM, says),
    }
}

/// The control group ends a process that wants more.
pub(super) fn group(limit: u64, promised: u64) -> Finding {
    const ITEM: &str = "memory of the group";
    let says = format!("{FOR_WHAT} {}; the control group may have {}", bytes(promised), bytes(limit));
    let mend = format!("export CHAPPE__LIMITS__MEMORY_BUDGET={}   # or limits.memory_budget", limit / 4);
    if promised >= limit {
        return Finding::bad(ITEM, format!("{says}: the system will end the server first")).mend(mend);
    }
    if promised > limit / 2 { Finding::better(ITEM, says).mend(mend) } else { Finding::good(ITEM, says) }
}

/// What the kernel holds for all sockets comes on top.
pub(super) fn tcp(max: u64) -> Finding {
    const ITEM: &str = "memory of sockets";
    if max >= TCP_MEMORY {
        return Finding::good(ITEM, format!("the kernel may take {} for all of them", bytes(max)));
    }
    let says =
        format!("the kernel may take {} for all of them: connections stall when it is used up", bytes(max));
    Finding::better(ITEM, says).mend(sysctl("net.ipv4.tcp_mem", "16384 32768 65536"))
}

/// Only the strict kind matters.
pub(super) fn overcommit(kind: u64) -> Option<Finding> {
    let says =
        "overcommit is off: memory that is reserved counts as used, and the server may be refused some";
    let finding = Finding::better("overcommit", says).mend(sysctl("vm.overcommit_memory", 0));
    (kind == 2).then_some(finding)
}

pub(super) fn shards(cores: u64, shards: u64) -> Finding {
    const ITEM: &str = "cores";
    if shards > cores {
        let says = format!("{} shards for {}: they wait for each other", count(shards), of(cores));
        return Finding::better(ITEM, says).mend(format!("export CHAPPE__SHARDS={cores}   # or shards"));
    }
    let words = if shards == 1 { "1 shard".to_owned() } else { format!("{shards} shards") };
    Finding::good(ITEM, format!("{words} for {}", of(cores)))
}

fn of(cores: u64) -> String {
    if cores == 1 { "1 core".to_owned() } else { format!("{cores} cores") }
}
