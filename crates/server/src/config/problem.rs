//! What is wrong with a configuration. Never shows the value of a secret, nor a line of the file.

use super::keys::{generic, related};
use super::origin::{Origin, Origins};
use std::fmt;

/// One thing that is wrong.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Problem {
    /// The path of the key, members of lists by number; empty: the file as a whole.
    pub path: String,
    /// Where it is written.
    pub origin: Origin,
    /// What is wrong.
    pub what: String,
    /// What would be right.
    pub fix: String,
    /// Further keys that make it a problem.
    about: Vec<&'static str>,
}

impl Problem {
    /// A problem with the value at a path.
    #[must_use]
    pub fn new(path: impl Into<String>, what: impl Into<String>, fix: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            origin: Origin::Default,
            what: what.into(),
            fix: fix.into(),
            about: Vec::new(),
        }
    }

    /// The same, which would be none if these keys were otherwise.
    #[must_use]
    pub(crate) fn about(mut self, keys: &[&'static str]) -> Self {
        self.about.extend(keys);
        self
    }

    /// Key, problem and fix, without the place.
    #[must_use]
    pub fn words(&self) -> String {
        let key = generic(&self.path);
        if key.is_empty() {
            return format!("{}; {}", self.what, self.fix);
        }
        format!("{key}: {}; {}", self.what, self.fix)
    }

    /// Whether it may be no more than a consequence of `other`.
    fn follows_from(&self, other: &Self) -> bool {
        related(&self.path, &other.path) || self.about.iter().any(|key| related(key, &other.path))
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.origin != Origin::Default {
            write!(f, "{}: ", self.origin)?;
        }
        f.write_str(&self.words())
    }
}

/// Everything that is wrong, in the order of the file; then of the environment; then the rest.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Problems(Vec<Problem>);

impl Problems {
    /// Adds one.
    pub fn push(&mut self, problem: Problem) {
        self.0.push(problem);
    }

    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Each.
    pub fn iter(&self) -> std::slice::Iter<'_, Problem> {
        self.0.iter()
    }

    /// Adds those that do not merely follow from what is known already.
    pub fn follow(&mut self, later: Self) {
        let known = self.0.len();
        for problem in later.0 {
            if !self.0.iter().take(known).any(|earlier| problem.follows_from(earlier)) {
                self.0.push(problem);
            }
        }
    }

    /// Says of each where it is written, and puts them into that order.
    #[must_use]
    pub fn located(mut self, origins: &Origins) -> Self {
        for problem in &mut self.0 {
            if problem.origin == Origin::Default {
                problem.origin = origins.near(&problem.path).clone();
            }
        }
        self.0.sort_by_key(|p| match &p.origin {
            Origin::File { line, column, .. } => (0, *line, *column),
            Origin::Environment(_) => (1, 0, 0),
            Origin::Flag(_) => (2, 0, 0),
            Origin::Default => (3, 0, 0),
        });
        self
    }
}

impl<'a> IntoIterator for &'a Problems {
    type Item = &'a Problem;
    type IntoIter = std::slice::Iter<'a, Problem>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl From<Problem> for Problems {
    fn from(problem: Problem) -> Self {
        Self(vec![problem])
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, problem) in self.0.iter().enumerate() {
            if number > 0 {
                f.write_str("\n")?;
            }
            problem.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}
