//! `chappe config env`: every key as its variable, in a form that a shell, systemd and others read.

use super::reference::sentence;
use super::toml_text::inline;
use dialect::settings::{Below, Describe, Key, Section, Setting, Value};
use server::Settings;
use server::config::{Config, Origin, Origins, variable};
use std::fmt::Write;

const HEAD: &str = "\
# Every key as its variable, with the value that takes effect and where it comes from. Members of lists
# are counted from 0; a list can also be set as a whole, as TOML. Secrets are not shown.
";

pub(super) fn list(settings: &Settings, origins: &Origins) -> String {
    let mut lister = Lister { out: HEAD.to_owned(), origins };
    if let Value::Table(values) = settings.effective.value() {
        lister.section(Config::SECTION, &values, "");
    }
    lister.out
}

struct Lister<'a> {
    out: String,
    origins: &'a Origins,
}

impl Lister<'_> {
    fn section(&mut self, about: &Section, values: &[(&str, Value)], path: &str) {
        for (key, (_, value)) in about.keys.iter().zip(values) {
            let below = format!("{path}{}", key.name);
            match (key.kind.below(), value) {
                (Below::One(inner), Value::Table(values)) => {
                    self.section(inner, values, &format!("{below}."));
                }
                (Below::One(inner), _) => self.unset(inner, &format!("{below}.")),
                (Below::Each(inner), Value::Tables(members)) if !members.is_empty() => {
                    for (number, member) in members.iter().enumerate() {
                        if let Value::Table(values) = member {
                            self.section(inner, values, &format!("{below}.{number}."));
                        }
                    }
                }
                (Below::Each(inner), _) => self.unset(inner, &format!("{below}.0.")),
                (Below::Nothing, _) => self.line(key, &below, value),
            }
        }
    }

    /// The keys of a section that nobody has written.
    fn unset(&mut self, about: &Section, path: &str) {
        for key in about.keys {
            let below = format!("{path}{}", key.name);
            match key.kind.below() {
                Below::One(inner) => self.unset(inner, &format!("{below}.")),
                Below::Each(inner) => self.unset(inner, &format!("{below}.0.")),
                Below::Nothing => self.line(key, &below, &Value::Absent),
            }
        }
    }

    fn line(&mut self, key: &Key, path: &str, value: &Value) {
        let (name, about) = (variable(path), sentence(key));
        // What is not shown must not be set to stars by somebody who uses this as it is.
        let (hidden, value) = match value {
            Value::Secret(_) => (true, "***".to_owned()),
            Value::Absent => (true, String::new()),
            Value::Text(text) => (false, shell(text)),
            Value::Flag(_)
            | Value::Integer(_)
            | Value::Texts(_)
            | Value::Numbers(_)
            | Value::Table(_)
            | Value::Tables(_) => (false, shell(&inline(value).unwrap_or_default())),
        };
        let mark = if hidden { "# " } else { "" };
        let origin = self.origins.of(path);
        let origin = if hidden && *origin == Origin::Default {
            String::new()
        } else {
            format!(" [{}]", origin.without_column())
        };
        // Writing to a string cannot fail.
        let _infallible = writeln!(self.out, "\n# {about}{origin}\n{mark}{name}={value}");
    }
}

/// A word of the shell.
fn shell(value: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:".contains(c);
    if !value.is_empty() && value.chars().all(plain) {
        return value.to_owned();
    }
    format!("'{}'", value.replace('\'', r"'\''"))
}
