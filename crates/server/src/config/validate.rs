//! Whether every key is one, and every value of the kind that its key takes. What is wrong is said, and taken out.

use super::origin::{Origin, Origins};
use super::overlay::variable;
use super::problem::{Problem, Problems};
use super::{keys, near};
use dialect::settings::{Key, Kind, Section, Unit};
use toml::{Table, Value};

/// A look at values, section by section.
pub(crate) struct Validation<'a> {
    pub(crate) origins: &'a Origins,
    pub(crate) problems: &'a mut Problems,
}

impl Validation<'_> {
    pub(crate) fn table(&mut self, table: &mut Table, section: &Section, path: &str) {
        table.retain(|name, value| {
            let path = keys::join(path, name);
            let Some(key) = section.keys.iter().find(|k| k.name == name) else {
                let advice = near::advice(name, section, &path);
                self.problems.push(Problem::new(path, format!("unknown key `{name}`"), advice));
                return false;
            };
            self.value(value, key, &path)
        });
        for key in section.keys.iter().filter(|k| k.required && !table.contains_key(k.name)) {
            let path = keys::join(path, key.name);
            // It may have been there, and wrong: that is enough to say.
            if *self.origins.of(&path) == Origin::Default {
                let fix = format!("add {}", self.example(key, &path));
                self.problems.push(Problem::new(path, "is missing", fix));
            }
        }
    }

    /// Whether it can stay.
    fn value(&mut self, value: &mut Value, key: &Key, path: &str) -> bool {
        match (key.kind, &mut *value) {
            (Kind::Flag, Value::Boolean(_)) | (Kind::Text | Kind::Secret, Value::String(_)) => true,
            (Kind::Integer { max }, Value::Integer(n)) if u64::try_from(*n).is_ok_and(|n| n <= max) => true,
            (Kind::Integer { .. }, Value::Integer(n)) => {
                let found = n.to_string();
                self.wrong(key, path, &found)
            }
            (Kind::Words(words), Value::String(word)) => {
                words.contains(&word.as_str()) || {
                    let found = format!("\"{word}\"");
                    self.wrong(key, path, &found)
                }
            }
            (Kind::Texts, Value::Array(members)) => self.texts(members, key, path),
            (Kind::Numbers, Value::Table(table)) => {
                self.numbers(table, key, path);
                true
            }
            (Kind::Table(section), Value::Table(table)) => {
                self.table(table, section, path);
                true
            }
            (Kind::Tables(section), Value::Array(members)) => {
                for (number, member) in members.iter_mut().enumerate() {
                    self.member(member, section, &keys::join(path, &number.to_string()));
                }
                true
            }
            (
                Kind::Flag
                | Kind::Integer { .. }
                | Kind::Text
                | Kind::Secret
                | Kind::Words(_)
                | Kind::Texts
                | Kind::Numbers
                | Kind::Table(_)
                | Kind::Tables(_),
                _,
            ) => self.wrong(key, path, kind_of(value)),
        }
    }

    fn texts(&mut self, members: &[Value], key: &Key, path: &str) -> bool {
        let mut right = true;
        for (number, member) in members.iter().enumerate().filter(|(_, m)| !m.is_str()) {
            let path = keys::join(path, &number.to_string());
            let what = format!("expected text in quotes, found {}", kind_of(member));
            let fix = format!("write it as in {}", self.example(key, &path));
            self.problems.push(Problem::new(path, what, fix));
            right = false;
        }
        right
    }

    /// What is no number is taken out.
    fn numbers(&mut self, table: &mut Table, key: &Key, path: &str) {
        table.retain(|name, value| {
            let number = value.as_integer();
            let right = number.is_some_and(|n| u32::try_from(n).is_ok());
            if !right {
                let found = number.map_or_else(|| kind_of(value).into(), |n| n.to_string());
                let what = format!("expected a whole number from 0 to {}, found {found}", u32::MAX);
                let fix = format!("write it as in {}", self.example(key, path));
                self.problems.push(Problem::new(keys::join(path, name), what, fix));
            }
            right
        });
    }

    fn member(&mut self, member: &mut Value, section: &Section, path: &str) {
        if let Value::Table(table) = member {
            self.table(table, section, path);
            return;
        }
        let what = format!("expected a section, found {}", kind_of(member));
        let keys: Vec<_> = section.keys.iter().map(|k| k.name).collect();
        let fix = format!("each member has keys of its own: {}", keys.join(", "));
        self.problems.push(Problem::new(path, what, fix));
        // The others keep their numbers.
        *member = Value::Table(Table::new());
    }

    fn wrong(&mut self, key: &Key, path: &str, found: &str) -> bool {
        let what = format!("expected {}, found {found}", key.kind.words());
        let unit = match key.unit {
            Unit::None => "",
            Unit::Bytes => "in bytes, ",
            Unit::Seconds => "in seconds, ",
            Unit::Milliseconds => "in milliseconds, ",
        };
        let fix = format!("write it {unit}as in {}", self.example(key, path));
        self.problems.push(Problem::new(path, what, fix));
        false
    }

    /// How it could be written, where it is written.
    fn example(&self, key: &Key, path: &str) -> String {
        let value = match (key.kind, key.example) {
            (_, example) if !example.is_empty() => example,
            (Kind::Flag, _) => "true",
            (Kind::Integer { .. }, _) => match key.unit {
                Unit::Bytes => "4194304",
                Unit::Seconds => "30",
                Unit::Milliseconds => "2000",
                Unit::None => "100",
            },
            (Kind::Text | Kind::Secret, _) => "\"…\"",
            (Kind::Words(words), _) => {
                return format!("`{} = \"{}\"`", key.name, words.last().unwrap_or(&""));
            }
            (Kind::Texts, _) => "[\"…\"]",
            (Kind::Numbers, _) => "{ \"…\" = 1 }",
            (Kind::Table(_), _) => return format!("`[{}]`", keys::generic(path)),
            (Kind::Tables(_), _) => return format!("`[[{}]]`", keys::generic(path)),
        };
        match self.origins.near(path) {
            Origin::Environment(_) => {
                let path = if matches!(key.kind, Kind::Texts) {
                    path.trim_end_matches(|c: char| c == '.' || c.is_ascii_digit())
                } else {
                    path
                };
                format!("`{}='{value}'`", variable(path))
            }
            Origin::Default | Origin::File { .. } | Origin::Flag(_) => format!("`{} = {value}`", key.name),
        }
    }
}

/// What a value is. Never the value itself: it may be a secret in the wrong place.
fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::String(_) => "text",
        Value::Integer(_) => "a whole number",
        Value::Float(_) => "a fraction",
        Value::Boolean(_) => "`true` or `false`",
        Value::Datetime(_) => "a date",
        Value::Array(_) => "a list",
        Value::Table(_) => "a section",
    }
}
