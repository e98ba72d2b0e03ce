//! What the system knows of a process: the CPU that its threads have used, and its memory.
//!
//! Reads `/proc`, so it knows nothing where there is none; then the report says so.

use std::fs;

/// Nanoseconds of CPU of all threads that live; of those only whose name begins with `threads`.
pub(super) fn cpu(pid: u32, threads: &str) -> Option<u64> {
    let mut sum = 0;
    for task in fs::read_dir(format!("/proc/{pid}/task")).ok()? {
        let folder = task.ok()?.path();
        // A thread may end while it is looked at.
        let Ok(name) = fs::read_to_string(folder.join("comm")) else { continue };
        let Ok(schedstat) = fs::read_to_string(folder.join("schedstat")) else { continue };
        if name.starts_with(threads) {
            sum += schedstat.split_whitespace().next()?.parse::<u64>().ok()?;
        }
    }
    Some(sum)
}

/// Bytes that are in memory.
pub(super) fn resident(pid: u32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
    let line = text.lines().find(|l| l.starts_with("Rss:"))?;
    Some(line.split_whitespace().nth(1)?.parse::<u64>().ok()? * 1024)
}
