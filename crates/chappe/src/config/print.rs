//! `chappe config print`: the configuration that takes effect, as TOML that would mean the same, with where each
//! value comes from.

use super::toml_text::inline;
use dialect::settings::{Below, Describe, Key, Kind, Section, Setting, Value};
use server::Settings;
use server::config::{Config, Origins};
use std::fmt::Write;

/// Further to the right than this no comment is moved for the sake of its neighbours.
const COMMENTS_AT: usize = 48;

pub(super) fn toml(settings: &Settings, origins: &Origins) -> String {
    let mut printer = Printer { out: String::new(), origins };
    printer.out.push_str("# The configuration that takes effect. Secrets are not shown.\n");
    if let Value::Table(values) = settings.effective.value() {
        printer.section(Config::SECTION, &values, "", "");
    }
    printer.out
}

struct Printer<'a> {
    out: String,
    origins: &'a Origins,
}

impl Printer<'_> {
    fn section(&mut self, section: &Section, values: &[(&str, Value)], path: &str, header: &str) {
        self.plain(section, values, path, header);
        for (key, (_, value)) in section.keys.iter().zip(values) {
            let below = join(path, key.name);
            // Headers have no numbers.
            let name = join(header, key.name);
            match (key.kind.below(), value) {
                (Below::One(inner), Value::Table(values)) => {
                    if inner.keys.iter().any(|k| !matches!(k.kind, Kind::Table(_) | Kind::Tables(_))) {
                        self.write(&format!("\n[{name}]\n"));
                    }
                    self.section(inner, values, &below, &name);
                }
                (Below::Each(inner), Value::Tables(members)) if !members.is_empty() => {
                    for (number, member) in members.iter().enumerate() {
                        self.write(&format!("\n[[{name}]]\n"));
                        if let Value::Table(values) = member {
                            self.section(inner, values, &format!("{below}.{number}"), &name);
                        }
                    }
                }
                (Below::One(_), _) => self.write(&format!("\n# [{name}]: not set\n")),
                (Below::Each(_), _) => self.write(&format!("\n# [[{name}]]: none\n")),
                (Below::Nothing, _) => {}
            }
        }
    }

    /// The keys of a section that are no sections themselves.
    fn plain(&mut self, section: &Section, values: &[(&str, Value)], path: &str, header: &str) {
        let is_plain = |key: &Key| !matches!(key.kind, Kind::Table(_) | Kind::Tables(_));
        let lines: Vec<(String, String)> = section
            .keys
            .iter()
            .zip(values)
            .filter(|(key, _)| is_plain(key))
            .map(|(key, (_, value))| match inline(value) {
                Some(text) => (
                    format!("{} = {text}", key.name),
                    self.origins.of(&join(path, key.name)).without_column(),
                ),
                None => (format!("# {} is not set", key.name), String::new()),
            })
            .collect();
        let width =
            lines.iter().map(|(l, _)| l.chars().count()).filter(|w| *w <= COMMENTS_AT).max().unwrap_or(0);
        if header.is_empty() && !lines.is_empty() {
            self.out.push('\n');
        }
        for (line, origin) in lines {
            match origin.as_str() {
                "" => self.write(&format!("{line}\n")),
                origin => self.write(&format!("{line:width$}  # {origin}\n")),
            }
        }
    }

    fn write(&mut self, text: &str) {
        // Writing to a string cannot fail.
        let _infallible = self.out.write_str(text);
    }
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}
