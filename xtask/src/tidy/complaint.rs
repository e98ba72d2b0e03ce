//! One broken rule: where, what, and how to mend it.

use std::fmt;

/// Whether the checks fail because of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Weight {
    Warning,
    Error,
}

#[derive(Debug)]
pub(super) struct Complaint {
    pub(super) weight: Weight,
    /// From the root of the workspace.
    pub(super) path: String,
    /// From 1; 0 when it is about the whole file.
    pub(super) line: usize,
    pub(super) what: String,
    pub(super) fix: String,
}

impl Complaint {
    pub(super) fn error(path: &str, line: usize, what: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { weight: Weight::Error, path: path.to_owned(), line, what: what.into(), fix: fix.into() }
    }

    pub(super) fn warning(path: &str, line: usize, what: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { weight: Weight::Warning, ..Self::error(path, line, what, fix) }
    }
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { weight, path, line, what, fix } = self;
        let word = if *weight == Weight::Warning { "warning: " } else { "" };
        match line {
            0 => write!(f, "{word}{path}: {what} — {fix}"),
            _ => write!(f, "{word}{path}:{line}: {what} — {fix}"),
        }
    }
}
