//! Whether the kernel lets so many connections in. Told what it allows; looks nowhere.

use super::facts::Facts;
use super::finding::{Finding, count, sysctl};
use model::Limits;

/// Connections that may wait to be accepted, as the server asks for them.
const LISTEN_QUEUE: u64 = 4096;
/// Descriptors that are no connections: listeners, logs, the loops of the shards.
const SPARE: u64 = 256;
/// Below this a server is a toy.
const FEW: u64 = 4096;
/// Ports a load test wants to connect from.
const PORTS: u64 = 28_000;

pub(super) fn findings(facts: &Facts, limits: &Limits) -> Vec<Finding> {
    let connections = limits.connections as u64;
    let mut all = Vec::new();
    all.push(descriptors(facts.descriptors, facts.nr_open, connections));
    all.extend(facts.files.map(|files| machine_files(files, connections)));
    all.extend(facts.somaxconn.map(somaxconn));
    all.extend(facts.syn_backlog.map(syn_backlog));
    all.extend(facts.port_range.map(port_range));
    all.extend(facts.conntrack.map(|tracked| conntrack(tracked, connections)));
    all
}

/// The server raises its own limit as far as it may, so that the hard limit is the one that counts.
pub(super) fn descriptors(limit: Option<(u64, u64)>, nr_open: Option<u64>, connections: u64) -> Finding {
    const ITEM: &str = "descriptor limit";
    let Some((soft, hard)) = limit else {
        return Finding::unknown(ITEM, "this system does not say");
    };
    let needed = connections.saturating_add(SPARE);
    let raised =
        if soft < hard { format!(", raised from {} at the start", count(soft)) } else { String::new() };
    if hard >= needed {
        return Finding::good(ITEM, format!("{}{raised}: enough for limits.connections", amount(hard)));
    }
    let room = count(hard.saturating_sub(SPARE));
    let says = format!(
        "{}{raised}: room for {room} connections; limits.connections is {}",
        count(hard),
        count(connections)
    );
    let mut mend = String::new();
    if let Some(nr_open) = nr_open.filter(|n| *n < needed) {
        // No process may have a limit above this one.
        mend = format!("{}   # {} now\n", sysctl("fs.nr_open", needed), count(nr_open));
    }
    mend.push_str(&format!(
        "sudo prlimit --pid $$ --nofile={needed}:{needed}   # then start it from this shell"
    ));
    let finding = if hard < FEW { Finding::bad(ITEM, says) } else { Finding::better(ITEM, says) };
    finding.mend(mend)
}

fn amount(n: u64) -> String {
    if n == u64::MAX { "unlimited".to_owned() } else { count(n) }
}

/// Files of the whole machine: open now, and how many may be.
pub(super) fn machine_files((open, max): (u64, u64), connections: u64) -> Finding {
    const ITEM: &str = "open files in all";
    let needed = connections.saturating_add(open).saturating_add(SPARE);
    if max >= needed {
        return Finding::good(ITEM, format!("{} may be open, {} are", amount(max), count(open)));
    }
    let says = format!(
        "{} may be open on this machine, {} are; limits.connections is {}",
        count(max),
        count(open),
        count(connections)
    );
    let finding =
        if max.saturating_sub(open) < FEW { Finding::bad(ITEM, says) } else { Finding::better(ITEM, says) };
    finding.mend(sysctl("fs.file-max", needed.saturating_mul(2)))
}

pub(super) fn somaxconn(max: u64) -> Finding {
    const ITEM: &str = "listen queue";
    if max >= LISTEN_QUEUE {
        return Finding::good(ITEM, format!("{} connections may wait to be accepted", count(max)));
    }
    let says = format!(
        "{} connections may wait to be accepted, the server asks for {}: when many come at once, some are refused",
        count(max),
        count(LISTEN_QUEUE)
    );
    Finding::better(ITEM, says).mend(sysctl("net.core.somaxconn", LISTEN_QUEUE))
}

pub(super) fn syn_backlog(max: u64) -> Finding {
    const ITEM: &str = "handshake queue";
    if max >= LISTEN_QUEUE {
        return Finding::good(ITEM, format!("{} handshakes may be under way", count(max)));
    }
    let says = format!(
        "{} handshakes may be under way, fewer than the {} connections of the listen queue",
        count(max),
        count(LISTEN_QUEUE)
    );
    Finding::better(ITEM, says).mend(sysctl("net.ipv4.tcp_max_syn_backlog", LISTEN_QUEUE))
}

pub(super) fn port_range((first, last): (u64, u64)) -> Finding {
    const ITEM: &str = "outgoing ports";
    let ports = (last + 1).saturating_sub(first);
    let says = format!(
        "{}: so many connections can a load test open from one address of this machine",
        count(ports)
    );
    if ports >= PORTS {
        return Finding::good(ITEM, says);
    }
    Finding::better(ITEM, says).mend(sysctl("net.ipv4.ip_local_port_range", "1024 65535"))
}

/// Where a firewall tracks connections, it drops those it has no room for.
pub(super) fn conntrack((tracked, max): (u64, u64), connections: u64) -> Finding {
    const ITEM: &str = "connection tracking";
    let needed = connections.saturating_add(tracked);
    let mend = sysctl("net.netfilter.nf_conntrack_max", needed.max(max));
    if tracked.saturating_mul(10) >= max.saturating_mul(9) {
        let says = format!(
            "{} of {} places are taken: new connections are about to be dropped",
            count(tracked),
            count(max)
        );
        return Finding::bad(ITEM, says).mend(mend);
    }
    if max >= needed {
        return Finding::good(
            ITEM,
            format!("the firewall has room for {}, {} are taken", count(max), count(tracked)),
        );
    }
    let says = format!(
        "the firewall has room for {} connections, {} are taken; limits.connections is {}",
        count(max),
        count(tracked),
        count(connections)
    );
    Finding::better(ITEM, says).mend(mend)
}
