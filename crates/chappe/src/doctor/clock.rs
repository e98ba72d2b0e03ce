//! Whether the clock can be believed: certificates and the log depend on it. Told the time; looks nowhere.

use super::certificates::date;
use super::facts::Facts;
use super::finding::Finding;

/// 2026 and 2100, in milliseconds since 1970: before this was written, and after anybody will run it.
const SANE: std::ops::Range<u64> = 1_767_225_600_000..4_102_444_800_000;

pub(super) fn findings(facts: &Facts) -> Vec<Finding> {
    vec![time(facts.wall_ms), kept(facts.clock_kept_by)]
}

pub(super) fn time(wall_ms: u64) -> Finding {
    const ITEM: &str = "clock";
    let says = format!("it is {} here", date(wall_ms / 1000));
    if SANE.contains(&wall_ms) {
        return Finding::good(ITEM, says);
    }
    let says = format!("{says}, which cannot be: certificates seem expired, or not valid yet");
    Finding::bad(ITEM, says).mend("sudo timedatectl set-ntp true")
}

pub(super) fn kept(by: Option<&str>) -> Finding {
    const ITEM: &str = "clock service";
    match by {
        Some(name) => Finding::good(ITEM, format!("{name} keeps the clock")),
        None => Finding::unknown(
            ITEM,
            "nothing here says whether somebody keeps the clock; `timedatectl` may know",
        ),
    }
}
