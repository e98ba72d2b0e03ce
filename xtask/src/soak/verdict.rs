//! Whether what was measured of a server is what it should be. Numbers in, words out: no process is looked at here.

use serde_json::{Value, json};

/// Of the samples, the part that warms up: one of so many.
const WARM_UP: usize = 10;
/// Hours that must be measured before a slope is judged: a shorter line is mostly noise.
const JUDGED_FROM: f64 = 0.65;
/// MiB an hour by which memory may grow.
const SLOPE: f64 = 1.0;
/// By how much more memory than after the warm-up may be in use when all have left.
const GROWTH: f64 = 1.1;
const MIB: f64 = 1024.0 * 1024.0;

/// What a server held at a moment.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Sample {
    /// Seconds since the crowd came.
    pub(super) at: f64,
    /// Bytes in memory.
    pub(super) resident: u64,
    /// Open descriptors.
    pub(super) descriptors: u64,
}

/// A straight line through samples, by least squares.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Line {
    /// MiB an hour.
    pub(super) slope: f64,
    /// How far that may be off, one standard error.
    pub(super) error: f64,
    /// Hours from the first sample to the last.
    pub(super) hours: f64,
}

/// All that was measured.
pub(super) struct Measured {
    /// Before the crowd came.
    pub(super) before: Sample,
    /// While it was there.
    pub(super) during: Vec<Sample>,
    /// When it had left.
    pub(super) after: Sample,
}

#[expect(clippy::cast_precision_loss, reason = "memory and counts are far below 2^52")]
fn number(n: u64) -> f64 {
    n as f64
}

impl Measured {
    /// The samples after the warm-up.
    fn steady(&self) -> &[Sample] {
        let from = self.during.len().div_ceil(WARM_UP).min(self.during.len());
        self.during.get(from..).unwrap_or_default()
    }

    /// The line through them; `None`: there are too few for one.
    pub(super) fn line(&self) -> Option<Line> {
        let samples = self.steady();
        let count = number(u64::try_from(samples.len()).ok().filter(|n| *n > 2)?);
        let points: Vec<(f64, f64)> =
            samples.iter().map(|s| (s.at / 3600.0, number(s.resident) / MIB)).collect();
        let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / count;
        let (x, y) = (mean(|p| p.0), mean(|p| p.1));
        let spread: f64 = points.iter().map(|p| (p.0 - x).powi(2)).sum();
        let slope = points.iter().map(|p| (p.0 - x) * (p.1 - y)).sum::<f64>() / spread;
        let rest: f64 = points.iter().map(|p| (p.1 - y - slope * (p.0 - x)).powi(2)).sum();
        let error = (rest / (count - 2.0) / spread).sqrt();
        let hours = points.last()?.0 - points.first()?.0;
        slope.is_finite().then_some(Line { slope, error, hours })
    }

    /// What is wrong, each in a sentence. Empty: nothing.
    pub(super) fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        if let Some(line) = self.line()
            && line.hours >= JUDGED_FROM
            && line.slope - 2.0 * line.error > SLOPE
        {
            faults.push(format!("memory grows by {:.2} ± {:.2} MiB an hour", line.slope, line.error));
        }
        if self.after.descriptors > self.before.descriptors {
            let (before, after) = (self.before.descriptors, self.after.descriptors);
            faults.push(format!("{after} descriptors are open after all have left; {before} were before"));
        }
        if let Some(warm) = self.steady().first()
            && number(self.after.resident) > GROWTH * number(warm.resident)
        {
            let (warm, after) = (number(warm.resident) / MIB, number(self.after.resident) / MIB);
            faults.push(format!("{after:.1} MiB in memory after all have left; {warm:.1} after the warm-up"));
        }
        faults
    }

    /// For people who want to draw it.
    pub(super) fn report(&self) -> Value {
        let row = |s: &Sample| json!([s.at.round(), s.resident, s.descriptors]);
        let line = self.line().map(|l| {
            let judged = l.hours >= JUDGED_FROM;
            json!({ "mib_per_hour": l.slope, "standard_error": l.error, "hours": l.hours, "judged": judged })
        });
        json!({
            "columns": ["seconds", "resident_bytes", "descriptors"], "before": row(&self.before),
            "during": self.during.iter().map(row).collect::<Vec<_>>(), "after": row(&self.after), "line": line,
            "faults": self.faults(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{Measured, Sample};

    /// An hour of minutes, of which each adds so many bytes.
    fn hour(each: u64, after: Sample) -> Measured {
        let at = |minute: u32| Sample {
            at: f64::from(minute) * 60.0,
            // Some noise, which repeats.
            resident: (50 << 20) + u64::from(minute) * each + u64::from(minute % 3) * 20_000,
            descriptors: 2000,
        };
        let before = Sample { at: 0.0, resident: 10 << 20, descriptors: 12 };
        Measured { before, during: (0..60).map(at).collect(), after }
    }

    const GONE: Sample = Sample { at: 3700.0, resident: 50 << 20, descriptors: 12 };

    #[test]
    fn what_is_level_is_fine() {
        let measured = hour(0, GONE);
        assert_eq!(measured.faults(), Vec::<String>::new());
        assert!(measured.line().unwrap().slope.abs() < 0.1);
    }

    #[test]
    fn a_leak_is_found() {
        let measured = hour(40_000, GONE);
        let line = measured.line().unwrap();
        assert!((line.slope - 2.29).abs() < 0.05, "{line:?}");
        assert!(measured.faults().concat().contains("memory grows by 2."));
    }

    #[test]
    fn a_short_run_is_not_judged_by_its_slope() {
        let mut measured = hour(400_000, Sample { resident: 51 << 20, ..GONE });
        measured.during.truncate(12);
        assert!(measured.line().is_some());
        assert_eq!(measured.faults(), Vec::<String>::new());
    }

    #[test]
    fn what_stays_behind_is_found() {
        let faults = hour(0, Sample { resident: 56 << 20, descriptors: 13, ..GONE }).faults();
        assert!(faults[0].contains("13 descriptors") && faults[1].contains("56.0 MiB"), "{faults:?}");
    }
}
