//! A configuration file, then the environment, into a [`Config`]: with where each value comes from, and with
//! everything that is wrong. What is wrong is left out, so that what remains can be looked at too.

use super::origin::{Origin, Origins};
use super::overlay;
use super::problem::{Problem, Problems};
use super::validate::Validation;
use crate::config::{Config, keys};
use crate::settings::Settings;
use dialect::settings::Describe;
use serde::Deserialize;
use std::path::Path;
use std::sync::Arc;
use toml::de::{DeTable, DeValue};
use toml::{Spanned, Table, Value};

/// Environment variables that begin so overlay the file: `CHAPPE__LIMITS__MESSAGE_BYTES=1000`.
pub const PREFIX: &str = "CHAPPE__";

/// A configuration that has been read.
#[derive(Clone, Debug, Default)]
pub struct Reading {
    /// What is right of it.
    pub config: Config,
    /// Where each value comes from.
    pub origins: Origins,
    /// What is wrong with how it is written.
    pub problems: Problems,
}

impl Reading {
    /// Reads a file, if there is one, and lays the environment over it.
    #[must_use]
    pub fn of(file: Option<&Path>, environment: impl Iterator<Item = (String, String)>) -> Self {
        let text = match file.map(|path| (path, std::fs::read_to_string(path))) {
            None => String::new(),
            Some((_, Ok(text))) => text,
            Some((path, Err(e))) => {
                let what = format!("cannot read {}: {e}", path.display());
                let problem = Problem::new("", what, "name a file that this user may read");
                return Self { problems: problem.into(), ..Self::default() };
            }
        };
        Self::of_text(&text, file.unwrap_or(Path::new("")), environment)
    }

    /// As [`Reading::of`], for a text; `file` is what it is called.
    #[must_use]
    pub fn of_text(text: &str, file: &Path, environment: impl Iterator<Item = (String, String)>) -> Self {
        let mut origins = Origins::default();
        origins.set_file(file);
        let mut problems = Problems::default();
        let mut plain = Plain {
            place: Place::InFile(file.into(), Lines::of(text)),
            origins: &mut origins,
            problems: &mut problems,
        };
        let mut root = match DeTable::parse(text) {
            Ok(table) => plain.table(table.get_ref(), ""),
            Err(e) => {
                let mut problem = Problem::new(
                    "",
                    format!("this is not TOML: {}", e.message().replace('\n', ", ")),
                    "mend this first: nothing else has been looked at",
                );
                problem.origin = plain.place.at(e.span().map_or(0, |s| s.start));
                return Self { problems: problem.into(), ..Self::default() };
            }
        };
        overlay::lay(&mut root, environment, &mut origins, &mut problems);
        Validation { origins: &origins, problems: &mut problems }.table(&mut root, Config::SECTION, "");
        let config = Config::deserialize(Value::Table(root)).unwrap_or_else(|e| {
            problems.push(Problem::new("", e.message(), "mend this value"));
            Config::default()
        });
        let problems = problems.located(&origins);
        Self { config, origins, problems }
    }

    /// Says that a value of `config` was set by a flag.
    pub fn flagged(&mut self, path: &str, flag: &str) {
        self.origins.forget(path);
        self.origins.set(path, Origin::Flag(flag.to_owned()));
    }

    /// What it means.
    ///
    /// # Errors
    /// Everything that is wrong: with how it is written, and with what it means.
    pub fn resolve(self) -> Result<(Settings, Origins), Problems> {
        let mut problems = self.problems;
        match Settings::resolve(&self.config) {
            Ok(settings) if problems.is_empty() => return Ok((settings, self.origins)),
            Ok(_) => {}
            Err(later) => problems.follow(later),
        }
        Err(problems.located(&self.origins))
    }
}

/// Where the lines of a text begin.
pub(crate) struct Lines {
    text: String,
    starts: Vec<usize>,
}

impl Lines {
    fn of(text: &str) -> Self {
        let starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self { text: text.to_owned(), starts }
    }

    /// Line and column in characters, both from 1.
    fn place(&self, offset: usize) -> (usize, usize) {
        let line = self.starts.partition_point(|start| *start <= offset).max(1);
        let start = self.starts.get(line - 1).copied().unwrap_or_default();
        let before = self.text.get(start..offset).unwrap_or_default();
        (line, before.chars().count() + 1)
    }
}

/// What values are being read.
pub(crate) enum Place {
    /// A file.
    InFile(Arc<Path>, Lines),
    /// A variable.
    InVariable(String),
}

impl Place {
    fn at(&self, offset: usize) -> Origin {
        match self {
            Self::InFile(path, lines) => {
                let (line, column) = lines.place(offset);
                Origin::File { path: Arc::clone(path), line, column }
            }
            Self::InVariable(name) => Origin::Environment(name.clone()),
        }
    }
}

/// Turns what was parsed into plain values, and notes where each comes from.
pub(crate) struct Plain<'a> {
    pub(crate) place: Place,
    pub(crate) origins: &'a mut Origins,
    pub(crate) problems: &'a mut Problems,
}

impl Plain<'_> {
    fn table(&mut self, written: &DeTable<'_>, path: &str) -> Table {
        let mut table = Table::new();
        for (name, value) in written {
            let path = keys::join(path, name.get_ref());
            self.origins.set(&path, self.place.at(name.span().start));
            if let Some(value) = self.value(value, &path) {
                table.insert(name.get_ref().to_string(), value);
            }
        }
        table
    }

    /// `None`: it is a number that no key takes, which has been said.
    pub(crate) fn value(&mut self, written: &Spanned<DeValue<'_>>, path: &str) -> Option<Value> {
        Some(match written.get_ref() {
            DeValue::String(text) => Value::String(text.to_string()),
            DeValue::Boolean(flag) => Value::Boolean(*flag),
            DeValue::Datetime(time) => Value::Datetime(*time),
            DeValue::Float(float) => Value::Float(float.as_str().parse().unwrap_or(f64::NAN)),
            DeValue::Integer(integer) => {
                let digits = integer.as_str().replace('_', "");
                let Ok(number) = i64::from_str_radix(&digits, integer.radix()) else {
                    let fix = "make it smaller, or leave it out for the default";
                    self.problems.push(Problem::new(path, "the number is too large", fix));
                    return None;
                };
                Value::Integer(number)
            }
            DeValue::Array(members) => {
                let mut array = Vec::new();
                for (number, member) in members.iter().enumerate() {
                    let path = keys::join(path, &number.to_string());
                    self.origins.set(&path, self.place.at(member.span().start));
                    array.push(self.value(member, &path).unwrap_or(Value::Integer(i64::MAX)));
                }
                Value::Array(array)
            }
            DeValue::Table(table) => Value::Table(self.table(table, path)),
        })
    }
}
