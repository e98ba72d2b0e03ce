//! What the system knows of this process. Reads `/proc`, so it knows nothing where there is none: then those metrics
//! are left out.

use std::fs;

/// Parts of a second in which `/proc` counts CPU: `USER_HZ`, 100 on every architecture this is built for.
const TICKS: f64 = 100.0;

pub(crate) struct Process {
    /// Seconds, of all threads, in user mode and in the kernel.
    pub(crate) cpu_seconds: Option<f64>,
    /// Bytes in memory.
    pub(crate) resident: Option<u64>,
    /// Descriptors open.
    pub(crate) descriptors: Option<u64>,
    /// Descriptors that may be open.
    pub(crate) descriptors_max: Option<u64>,
}

impl Process {
    pub(crate) fn look() -> Self {
        let read = |file: &str| fs::read_to_string(format!("/proc/self/{file}")).unwrap_or_default();
        Self {
            cpu_seconds: cpu_seconds(&read("stat")),
            resident: resident(&read("status")),
            descriptors: descriptors(),
            descriptors_max: descriptors_max(&read("limits")),
        }
    }
}

/// proc_pid_stat(5): the name in parentheses may hold anything, so counting begins behind its last one.
fn cpu_seconds(stat: &str) -> Option<f64> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace().skip(11);
    let (user, system) = (fields.next()?.parse::<u32>().ok()?, fields.next()?.parse::<u32>().ok()?);
    Some((f64::from(user) + f64::from(system)) / TICKS)
}

fn resident(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:"))?;
    Some(line.split_whitespace().next()?.parse::<u64>().ok()? * 1024)
}

/// Since Linux 6.2 the folder's size says how many there are; before, they are counted.
fn descriptors() -> Option<u64> {
    match fs::metadata("/proc/self/fd").ok()?.len() {
        // One of them is the look itself.
        0 => Some((fs::read_dir("/proc/self/fd").ok()?.count() as u64).saturating_sub(1)),
        n => Some(n),
    }
}

fn descriptors_max(limits: &str) -> Option<u64> {
    let line = limits.lines().find_map(|l| l.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proc_is_understood() {
        let stat = "7 (a ) b) S 1 7 7 0 -1 4194560 900 0 3 0 150 25 0 0 20 0 4 0 100 0 0";
        assert_eq!(cpu_seconds(stat), Some(1.75));
        assert_eq!(resident("Name:\tx\nVmRSS:\t  2048 kB\n"), Some(2 << 20));
        let limits = "Limit  Soft Limit  Hard Limit  Units\nMax open files            1024                 4096                 files\n";
        assert_eq!(descriptors_max(limits), Some(1024));
        assert_eq!((cpu_seconds(""), resident(""), descriptors_max("")), (None, None, None));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_descriptor_more_is_one_more() {
        let before = descriptors().unwrap();
        let held: Vec<_> = (0..50).map(|_| fs::File::open("/dev/null").unwrap()).collect();
        // Other tests open and close some meanwhile.
        assert!(descriptors().unwrap() >= before + 30, "{before}");
        drop(held);
        assert!(Process::look().resident.unwrap() > 0);
    }
}
