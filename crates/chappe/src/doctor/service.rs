//! What would hold for the server as a service of systemd. Told what systemd says; looks nowhere.

use super::facts::{Facts, Systemd};
use super::finding::{Finding, count};
use model::Limits;

pub(super) fn findings(facts: &Facts, limits: &Limits) -> Option<Finding> {
    facts.systemd.as_ref().map(|systemd| descriptors(systemd, limits.connections as u64))
}

/// What is added to the unit of the service.
const FOLDER: &str = "/etc/systemd/system/chappe.service.d";

/// A service has the limit of its unit, not that of this shell.
pub(super) fn descriptors(systemd: &Systemd, connections: u64) -> Finding {
    const ITEM: &str = "systemd service";
    let needed = connections.saturating_add(256);
    let whose = if systemd.unit { "chappe.service" } else { "a service without LimitNOFILE" };
    let Some(limit) = systemd.descriptors else {
        return Finding::unknown(ITEM, format!("systemd does not say how many descriptors {whose} may have"));
    };
    if limit >= needed {
        return Finding::good(ITEM, format!("{whose} may have enough descriptors for limits.connections"));
    }
    let says = format!(
        "{whose} may have {} descriptors; limits.connections is {}",
        count(limit),
        count(connections)
    );
    let finding = if limit < 4096 { Finding::bad(ITEM, says) } else { Finding::better(ITEM, says) };
    finding.mend(format!(
        "sudo mkdir -p {FOLDER}\n\
         printf '[Service]\\nLimitNOFILE={needed}\\n' | sudo tee {FOLDER}/descriptors.conf\n\
         sudo systemctl daemon-reload"
    ))
}
