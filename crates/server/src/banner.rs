//! What a person sees when the server has started: where it is, who can reach it, a line to paste per dialect.

use crate::running::Running;
use crate::settings::Posture;
use std::fmt::Write;

/// The banner of a server that runs.
#[must_use]
pub fn banner(running: &Running, posture: Posture, open: bool) -> String {
    let mut out = String::new();
    let addresses: Vec<String> = running.addresses().iter().map(ToString::to_string).collect();
    let reach = match (posture, open) {
        (Posture::Loopback, _) => "this machine only",
        (Posture::Exposed, false) => "reachable by others, who authenticate",
        (Posture::Exposed, true) => "INSECURE: anybody who reaches it may read and write everything",
    };
    // Writing to a string cannot fail.
    let _infallible = writeln!(
        out,
        "chappe {} is listening at {} ({reach})\n",
        env!("CARGO_PKG_VERSION"),
        addresses.join(" and ")
    );
    for (name, line) in running.paste_lines() {
        let _infallible = writeln!(out, "  {name:10} {line}");
    }
    if let Some(address) = running.admin() {
        let _infallible = writeln!(out, "  {:10} curl http://{address}/metrics", "metrics");
    }
    out.push_str("\nCtrl-C stops it.\n");
    out
}
