//! What a run found, as a table for people or one JSON object for programs.

use crate::terminal::grouped;
use std::fmt::Write;

/// A number of a report.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Count(u64),
    /// A number with this many places behind the point.
    Number(f64, usize),
    Words(&'static str),
    /// It could not be known; why.
    Unknown(&'static str),
}

impl From<u64> for Value {
    fn from(count: u64) -> Self {
        Self::Count(count)
    }
}

/// What a run found.
#[derive(Debug, Default)]
pub(super) struct Report {
    /// Whether a message was lost, or came again, or a member was thrown out.
    pub(super) failed: bool,
    lines: Vec<(&'static str, &'static str, Value)>,
    remarks: Vec<String>,
}

impl Report {
    /// Adds a line: its name for programs, its words for people, its value.
    pub(super) fn add(&mut self, key: &'static str, words: &'static str, value: impl Into<Value>) {
        self.lines.push((key, words, value.into()));
    }

    /// Adds `sum` for each of `n`, if there is a sum.
    pub(super) fn add_share(
        &mut self,
        (key, words): (&'static str, &'static str),
        sum: Option<f64>,
        n: u64,
        why_not: &'static str,
    ) {
        let share = match sum {
            Some(sum) if n > 0 => number(sum / n as f64),
            Some(_) => Value::Unknown("nothing was delivered"),
            None => Value::Unknown(why_not),
        };
        self.add(key, words, share);
    }

    /// Adds a sentence below the table.
    pub(super) fn remark(&mut self, sentence: impl Into<String>) {
        self.remarks.push(sentence.into());
    }

    /// The value of that name.
    #[cfg(test)]
    pub(super) fn value(&self, key: &str) -> Option<&Value> {
        self.lines.iter().find(|l| l.0 == key).map(|l| &l.2)
    }

    /// The table.
    pub(super) fn table(&self) -> String {
        let mut out = String::new();
        let width = self.lines.iter().map(|l| l.1.chars().count()).max().unwrap_or(0);
        for (_, words, value) in &self.lines {
            // Writing to a string cannot fail.
            writeln!(out, "{words:<width$}  {:>14}", people(value)).ok();
        }
        for remark in &self.remarks {
            write!(out, "\n{remark}\n").ok();
        }
        out
    }

    /// The object, on one line.
    pub(super) fn json(&self) -> String {
        let mut object = serde_json::Map::new();
        for (key, _, value) in &self.lines {
            let value = match value {
                Value::Count(n) => (*n).into(),
                Value::Number(n, places) => rounded(*n, *places).into(),
                Value::Words(words) => (*words).into(),
                Value::Unknown(_) => serde_json::Value::Null,
            };
            object.insert((*key).into(), value);
        }
        object.insert("failed".into(), self.failed.into());
        object.insert("remarks".into(), self.remarks.clone().into());
        format!("{}\n", serde_json::Value::from(object))
    }
}

/// As many places behind the point as can mean something.
fn number(n: f64) -> Value {
    let places = match n.abs() {
        n if n >= 100.0 => 0,
        n if n >= 0.1 => 3,
        _ => 5,
    };
    Value::Number(n, places)
}

fn people(value: &Value) -> String {
    match value {
        Value::Count(n) => grouped(*n),
        Value::Number(n, places) => {
            let text = format!("{n:.places$}");
            text.parse().map_or(text, grouped)
        }
        Value::Words(words) => (*words).into(),
        Value::Unknown(why) => format!("? ({why})"),
    }
}

fn rounded(number: f64, places: usize) -> f64 {
    format!("{number:.places$}").parse().unwrap_or(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_list_makes_both() {
        let mut report = Report::default();
        report.add("workload", "workload", Value::Words("fan"));
        report.add("delivered", "delivered", 1_234_567);
        report.add_share(("cpu_us", "CPU µs"), Some(2.0), 3, "");
        report.add_share(("rss", "bytes"), None, 3, "give --pid");
        report.remark("Hello.");
        let table = report.table();
        assert!(table.contains("delivered       1,234,567\n"), "{table}");
        assert!(table.contains("CPU µs              0.667\n"), "{table}");
        assert!(table.contains("? (give --pid)") && table.ends_with("\nHello.\n"), "{table}");
        let json: serde_json::Value = serde_json::from_str(&report.json()).unwrap();
        assert_eq!(json["delivered"], 1_234_567);
        assert_eq!(json["cpu_us"], 0.667);
        assert!(json["rss"].is_null() && json["failed"] == false);
    }
}
