//! What was found about one item: the verdict, the reason, and the command that mends it.

/// How it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Verdict {
    /// As it should be.
    Good,
    /// Enough to run; not for all that is configured.
    Better,
    /// The server does not start, is not safe, or will break.
    Bad,
    /// Nobody here can tell.
    Unknown,
}

impl Verdict {
    /// The word for it.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Better => "could be better",
            Self::Bad => "bad",
            Self::Unknown => "cannot tell",
        }
    }
}

/// What was found about one item.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Finding {
    pub(super) item: String,
    pub(super) verdict: Verdict,
    /// Why. Further lines are details.
    pub(super) says: String,
    /// Commands, one to a line, which mend it; empty: there is nothing to mend, or no command does.
    pub(super) mend: String,
}

impl Finding {
    fn new(item: impl Into<String>, verdict: Verdict, says: impl Into<String>) -> Self {
        Self { item: item.into(), verdict, says: says.into(), mend: String::new() }
    }

    pub(super) fn good(item: impl Into<String>, says: impl Into<String>) -> Self {
        Self::new(item, Verdict::Good, says)
    }

    pub(super) fn better(item: impl Into<String>, says: impl Into<String>) -> Self {
        Self::new(item, Verdict::Better, says)
    }

    pub(super) fn bad(item: impl Into<String>, says: impl Into<String>) -> Self {
        Self::new(item, Verdict::Bad, says)
    }

    pub(super) fn unknown(item: impl Into<String>, says: impl Into<String>) -> Self {
        Self::new(item, Verdict::Unknown, says)
    }

    pub(super) fn mend(mut self, command: impl Into<String>) -> Self {
        self.mend = command.into();
        self
    }
}

/// A command that sets a value of the kernel.
pub(super) fn sysctl(key: &str, value: impl std::fmt::Display) -> String {
    let value = value.to_string();
    let quote = if value.contains(' ') { "\"" } else { "" };
    format!("sudo sysctl -w {key}={quote}{value}{quote}")
}

/// Bytes as people say them.
pub(super) fn bytes(n: u64) -> String {
    let units = ["bytes", "KiB", "MiB", "GiB", "TiB"];
    let power = (0..units.len()).rev().find(|p| n >> (10 * p) > 0).unwrap_or(0);
    let unit = units.get(power).unwrap_or(&"bytes");
    if power == 0 {
        format!("{n} {unit}")
    } else {
        format!("{:.1} {unit}", n as f64 / (1_u64 << (10 * power)) as f64)
    }
}

/// A number with its thousands apart.
pub(super) fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}
