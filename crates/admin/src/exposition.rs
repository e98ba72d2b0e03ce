//! The text that metrics are read as: Prometheus' own format 0.0.4, or OpenMetrics 1.0 for those who ask for it.
//!
//! Knows the two formats; which metrics there are stands in [`names`](crate::names).

use crate::names::{FAMILIES, Family, Kind};
use crate::view::Snapshot;
use node::Histogram;
use node::counters::BOUNDS;
use std::fmt::{Display, Write};

/// How metrics are written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Format {
    /// Prometheus text 0.0.4.
    Prometheus,
    /// OpenMetrics 1.0.
    OpenMetrics,
}

impl Format {
    /// What an `Accept` header asks for; Prometheus' own format when it says nothing of either.
    pub(crate) fn accepted(accept: &str) -> Self {
        let named = accept.split(',').any(|range| {
            let mut parts = range.split(';').map(str::trim);
            let is_named =
                parts.next().is_some_and(|t| t.eq_ignore_ascii_case("application/openmetrics-text"));
            is_named && !parts.any(|p| matches!(p, "q=0" | "q=0.0" | "q=0.00" | "q=0.000"))
        });
        if named { Self::OpenMetrics } else { Self::Prometheus }
    }

    pub(crate) fn content_type(self) -> &'static str {
        match self {
            Self::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// Everything, in a format.
pub(crate) fn write(snapshot: &Snapshot<'_>, format: Format) -> String {
    let mut out = String::with_capacity(16 << 10);
    for family in FAMILIES {
        let before = out.len();
        head(family, format, &mut out);
        let body = out.len();
        (family.read)(snapshot, &mut Samples { name: family.name, out: &mut out });
        if out.len() == body {
            // Nobody knows: it is left out.
            out.truncate(before);
        }
    }
    if format == Format::OpenMetrics {
        out.push_str("# EOF\n");
    }
    out
}

fn head(family: &Family, format: Format, out: &mut String) {
    let name = match format {
        Format::Prometheus => family.name,
        // There the ending belongs to the sample only.
        Format::OpenMetrics => family.name.strip_suffix("_total").unwrap_or(family.name),
    };
    say(out, format_args!("# HELP {name} {}\n# TYPE {name} {}\n", family.help, family.kind.word()));
    if format == Format::OpenMetrics
        && let Some(unit) = family.unit
    {
        say(out, format_args!("# UNIT {name} {unit}\n"));
    }
}

/// Where a family writes what it has.
pub(crate) struct Samples<'o> {
    name: &'static str,
    out: &'o mut String,
}

impl Samples<'_> {
    /// The one value.
    pub(crate) fn plain(&mut self, value: impl Display) {
        say(self.out, format_args!("{} {value}\n", self.name));
    }

    /// One of several values, told apart by a label.
    pub(crate) fn labelled(&mut self, label: &str, word: &str, value: impl Display) {
        let word = word.replace('\\', r"\\").replace('"', r#"\""#).replace('\n', r"\n");
        say(self.out, format_args!("{}{{{label}=\"{word}\"}} {value}\n", self.name));
    }

    /// A histogram, in seconds.
    pub(crate) fn histogram(&mut self, h: &Histogram) {
        let (name, mut so_far) = (self.name, 0);
        for (i, n) in h.buckets.iter().enumerate() {
            so_far += n;
            match BOUNDS.get(i) {
                Some(bound) => {
                    let le = seconds(*bound);
                    say(self.out, format_args!("{name}_bucket{{le=\"{le}\"}} {so_far}\n"));
                }
                None => say(self.out, format_args!("{name}_bucket{{le=\"+Inf\"}} {so_far}\n")),
            }
        }
        say(self.out, format_args!("{name}_sum {}\n{name}_count {so_far}\n", seconds(h.sum)));
    }
}

/// Microseconds as seconds, without a float's digits: `0.00001`, and `1.0` as OpenMetrics wants whole ones.
fn seconds(micros: u64) -> String {
    let digits = format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000);
    let short = digits.trim_end_matches('0');
    if short.ends_with('.') { format!("{short}0") } else { short.to_owned() }
}

fn say(out: &mut String, words: std::fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    let _infallible = out.write_fmt(words);
}

impl Kind {
    fn word(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_exact() {
        let all = [0, 1, 10, 250, 1_000_000, 1_500_000, 5_000_000, 12_345_678];
        let said: Vec<String> = all.into_iter().map(seconds).collect();
        assert_eq!(said, ["0.0", "0.000001", "0.00001", "0.00025", "1.0", "1.5", "5.0", "12.345678"]);
    }

    #[test]
    fn who_asks_for_openmetrics_gets_it() {
        let prometheus =
            "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.1";
        assert_eq!(Format::accepted(prometheus), Format::OpenMetrics);
        for other in ["", "*/*", "text/plain", "application/openmetrics-text;q=0"] {
            assert_eq!(Format::accepted(other), Format::Prometheus, "{other}");
        }
    }

    #[test]
    fn labels_are_escaped() {
        let mut out = String::new();
        Samples { name: "m", out: &mut out }.labelled("l", "a\"b\\c\nd", 1);
        assert_eq!(out, "m{l=\"a\\\"b\\\\c\\nd\"} 1\n");
    }
}
