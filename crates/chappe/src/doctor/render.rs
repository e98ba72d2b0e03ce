//! Findings as people and machines read them.

use super::Group;
use super::finding::{Finding, Verdict};
use serde_json::{Value, json};
use std::fmt::Write;

/// Text is broken before this column, commands are not: they are to be copied.
const WIDTH: usize = 100;

/// How it may look.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Look {
    /// ✓ and ✗ instead of words.
    pub(super) marks: bool,
    pub(super) colours: bool,
}

impl Look {
    /// Marks and colours are for terminals: marks for those that show UTF-8, colours for people who want them.
    pub(super) fn of(terminal: bool, variable: impl Fn(&str) -> Option<String>) -> Self {
        let set = |name: &str| variable(name).filter(|value| !value.is_empty());
        let locale =
            ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(set).unwrap_or_default().to_lowercase();
        let utf8 = locale.contains("utf-8") || locale.contains("utf8");
        let dumb = set("TERM").as_deref() == Some("dumb");
        Self { marks: terminal && utf8, colours: terminal && !dumb && set("NO_COLOR").is_none() }
    }

    fn mark(self, verdict: Verdict) -> &'static str {
        match (verdict, self.marks) {
            (Verdict::Good, true) => "✓",
            (Verdict::Better, true) => "!",
            (Verdict::Bad, true) => "✗",
            (Verdict::Unknown, true) => "?",
            (Verdict::Good, false) => "good",
            (Verdict::Better, false) => "better",
            (Verdict::Bad, false) => "BAD",
            (Verdict::Unknown, false) => "unsure",
        }
    }

    fn mark_width(self) -> usize {
        if self.marks { 1 } else { 6 }
    }

    fn painted(self, text: &str, code: &str) -> String {
        if self.colours && !text.is_empty() { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    fn colour(verdict: Verdict) -> &'static str {
        match verdict {
            Verdict::Good => "32",
            Verdict::Better => "33",
            Verdict::Bad => "31",
            Verdict::Unknown => "2",
        }
    }
}

pub(super) fn text(groups: &[Group], look: Look) -> String {
    let all = || groups.iter().flat_map(|g| &g.findings);
    let width = all().map(|f| f.item.chars().count()).filter(|w| *w <= 32).max().unwrap_or(0);
    let mut out = String::new();
    for group in groups {
        out.push_str(&look.painted(group.title, "1"));
        out.push('\n');
        for finding in &group.findings {
            line(&mut out, finding, width, look);
        }
        out.push('\n');
    }
    let count = |verdict: Verdict| all().filter(|f| f.verdict == verdict).count();
    let verdicts = [Verdict::Good, Verdict::Better, Verdict::Bad, Verdict::Unknown];
    let counts: Vec<_> = verdicts
        .into_iter()
        .filter(|v| count(*v) > 0)
        .map(|v| look.painted(&format!("{} {}", count(v), v.word()), Look::colour(v)))
        .collect();
    out.push_str(&counts.join(", "));
    out.push('\n');
    if all().any(|f| f.mend.contains("sysctl -w")) {
        out.push_str(
            "What `sysctl -w` sets holds until the machine starts again; a file in /etc/sysctl.d keeps it.\n",
        );
    }
    out
}

fn line(out: &mut String, finding: &Finding, width: usize, look: Look) {
    let (mark, mark_width) = (look.mark(finding.verdict), look.mark_width());
    let mark = look.painted(&format!("{mark:mark_width$}"), Look::colour(finding.verdict));
    // Writing to a string cannot fail.
    let _infallible = write!(out, "  {mark} {:width$}", finding.item);
    let indent = 2 + mark_width + 1 + width + 2;
    if finding.item.chars().count() > width {
        let _infallible = write!(out, "\n{:indent$}", "");
    } else {
        out.push_str("  ");
    }
    for (number, line) in finding.says.lines().enumerate() {
        if number > 0 {
            let _infallible = write!(out, "{:indent$}", "");
        }
        wrapped(out, line, indent);
    }
    for command in finding.mend.lines() {
        let _infallible = writeln!(out, "{:indent$}{}", "", look.painted(command, "1"));
    }
}

/// Writes a line whose first words stand at `indent` already.
fn wrapped(out: &mut String, line: &str, indent: usize) {
    let mut at = indent;
    for word in line.split(' ') {
        let width = word.chars().count();
        if at > indent && at + 1 + width > WIDTH {
            // Writing to a string cannot fail.
            let _infallible = write!(out, "\n{:indent$}", "");
            at = indent;
        } else if at > indent {
            out.push(' ');
            at += 1;
        }
        out.push_str(word);
        at += width;
    }
    out.push('\n');
}

pub(super) fn json(groups: &[Group]) -> String {
    let finding = |title: &str, f: &Finding| {
        let mend: Vec<&str> = f.mend.lines().collect();
        json!({ "group": title, "item": f.item, "verdict": word(f.verdict), "says": f.says, "mend": mend })
    };
    let all: Vec<Value> =
        groups.iter().flat_map(|g| g.findings.iter().map(|f| finding(g.title, f))).collect();
    let bad = groups.iter().flat_map(|g| &g.findings).any(|f| f.verdict == Verdict::Bad);
    format!("{}\n", json!({ "bad": bad, "findings": all }))
}

/// The verdict for machines.
fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Good => "good",
        Verdict::Better => "better",
        Verdict::Bad => "bad",
        Verdict::Unknown => "unknown",
    }
}
