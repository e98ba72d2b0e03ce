//! Where the values of a configuration come from.

use super::keys::join;
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where a value comes from.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum Origin {
    /// Nobody wrote it.
    #[default]
    Default,
    /// The file.
    File {
        /// Which.
        path: Arc<Path>,
        /// The line, from 1.
        line: usize,
        /// The column in characters, from 1.
        column: usize,
    },
    /// A variable of the environment.
    Environment(String),
    /// A flag of the command line.
    Flag(String),
}

impl Origin {
    /// In words that are enough for whoever looks at the value, not for an editor.
    #[must_use]
    pub fn without_column(&self) -> String {
        match self {
            Self::File { path, line, .. } => format!("{}:{line}", path.display()),
            Self::Default | Self::Environment(_) | Self::Flag(_) => self.to_string(),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { path, line, column } => write!(f, "{}:{line}:{column}", path.display()),
            Self::Environment(variable) => f.write_str(variable),
            Self::Flag(flag) => f.write_str(flag),
        }
    }
}

/// Where each value comes from, by path.
#[derive(Clone, Debug, Default)]
pub struct Origins {
    file: PathBuf,
    all: BTreeMap<String, Origin>,
}

impl Origins {
    /// Where the value at this very path comes from.
    #[must_use]
    pub fn of(&self, path: &str) -> &Origin {
        const DEFAULT: &Origin = &Origin::Default;
        self.all.get(path).unwrap_or(DEFAULT)
    }

    /// The nearest place that was written: of the value, or of what it is in.
    #[must_use]
    pub fn near(&self, path: &str) -> &Origin {
        let mut path = path;
        loop {
            match (self.all.get(path), path.rsplit_once('.')) {
                (Some(origin), _) => return origin,
                (None, Some((outer, _))) => path = outer,
                (None, None) => return self.of(""),
            }
        }
    }

    /// Where the file is, if there is one.
    #[must_use]
    pub fn file(&self) -> Option<&Path> {
        (!self.file.as_os_str().is_empty()).then_some(&*self.file)
    }

    pub(crate) fn set_file(&mut self, file: &Path) {
        file.clone_into(&mut self.file);
    }

    /// Says where a value comes from.
    pub fn set(&mut self, path: &str, origin: Origin) {
        self.all.insert(path.to_owned(), origin);
    }

    /// Forgets what is inside: something else has taken its place.
    pub fn forget(&mut self, path: &str) {
        let inside = join(path, "");
        self.all.retain(|p, _| p != path && !p.starts_with(&inside));
    }
}
