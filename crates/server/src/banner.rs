//! What a person sees when the server has started: where it is, who can reach it, a line to paste per dialect.

use crate::listeners::Address;
use crate::running::Running;
use crate::settings::Posture;
use std::fmt::Write;

/// The banner of a server that runs.
#[must_use]
pub fn banner(running: &Running, posture: Posture, open: bool) -> String {
    let mut out = String::new();
    let (own, web): (Vec<_>, Vec<_>) =
        running.addresses().iter().partition(|a| matches!(a, Address::Own(..)));
    let reach = match (posture, open) {
        (Posture::Loopback, _) => "this machine only",
        (Posture::Exposed, false) => "reachable by others, who authenticate",
        (Posture::Exposed, true) => "INSECURE: anybody who reaches it may read and write everything",
    };
    // Writing to a string cannot fail.
    let _infallible = writeln!(
        out,
        "chappe {} is listening at {} ({reach})",
        env!("CARGO_PKG_VERSION"),
        listed(if web.is_empty() { &own } else { &web })
    );
    if !own.is_empty() && !web.is_empty() {
        let _infallible = writeln!(out, "and for devices at {}", listed(&own));
    }
    out.push('\n');
    for (name, line) in running.paste_lines() {
        let _infallible = writeln!(out, "  {name:10} {line}");
    }
    if let Some(address) = running.admin() {
        let _infallible = writeln!(out, "  {:10} curl http://{address}/metrics", "metrics");
    }
    out.push_str("\nCtrl-C stops it.\n");
    out
}

fn listed(addresses: &[&Address]) -> String {
    addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(" and ")
}
