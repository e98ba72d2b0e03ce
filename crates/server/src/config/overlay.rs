//! The environment over the file: `CHAPPE__LIMITS__MESSAGE_BYTES`, `CHAPPE__AUTH__TOKEN__0__NAME`.

use super::origin::{Origin, Origins};
use super::problem::{Problem, Problems};
use super::read::{PREFIX, Place, Plain};
use super::{keys, near};
use crate::config::Config;
use dialect::settings::{Below, Describe, Key, Kind};
use toml::de::DeTable;
use toml::{Table, Value};

/// Lays every variable that is ours over what was read, the outer ones first.
pub(crate) fn lay(
    root: &mut Table,
    environment: impl Iterator<Item = (String, String)>,
    origins: &mut Origins,
    problems: &mut Problems,
) {
    let mut ours: Vec<_> = environment
        .filter_map(|(name, value)| {
            let levels: Vec<_> = name.strip_prefix(PREFIX)?.to_lowercase().split("__").map(level).collect();
            Some((levels, name, value))
        })
        .collect();
    ours.sort();
    for (levels, name, text) in ours {
        let names: Vec<&str> = levels.iter().map(|(_, name)| name.as_str()).collect();
        let path = names.join(".");
        let outcome = match keys::key(&path) {
            None => Err(unknown(&names)),
            Some(key) => {
                origins.forget(&path);
                let place = Place::InVariable(name.clone());
                let mut plain = Plain { place, origins: &mut *origins, problems: &mut *problems };
                read(&text, key, &path, &mut plain).map_or(Ok(()), |value| put(root, &names, value))
            }
        };
        note(&names, &name, origins);
        if let Err((what, fix)) = outcome {
            let mut problem = Problem::new(path, what, fix);
            problem.origin = Origin::Environment(name);
            problems.push(problem);
        }
    }
}

/// A level of a path; numbers are ordered by their size.
fn level(name: &str) -> (Option<u64>, String) {
    (name.parse().ok(), name.to_owned())
}

/// The variable of a path.
#[must_use]
pub fn variable(path: &str) -> String {
    PREFIX.to_owned() + &path.replace('.', "__").to_uppercase()
}

/// Reads a value as TOML where the key takes anything but text; text may be quoted, and need not be.
fn read(text: &str, key: &Key, path: &str, plain: &mut Plain<'_>) -> Option<Value> {
    let line = format!("v = {text}");
    let parsed = DeTable::parse(&line).ok();
    let parsed = parsed.as_ref().and_then(|t| t.get_ref().get("v"));
    let as_it_stands = Some(Value::String(text.to_owned()));
    match (key.kind, parsed) {
        (_, None) => as_it_stands,
        (Kind::Text | Kind::Secret | Kind::Words(_), Some(value)) => match value.get_ref().as_str() {
            Some(quoted) => Some(Value::String(quoted.to_owned())),
            None => as_it_stands,
        },
        (
            Kind::Flag
            | Kind::Integer { .. }
            | Kind::Texts
            | Kind::Numbers
            | Kind::Table(_)
            | Kind::Tables(_),
            Some(value),
        ) => plain.value(value, path),
    }
}

/// Puts a value where it belongs, making the sections on the way.
fn put(root: &mut Table, names: &[&str], value: Value) -> Result<(), (String, String)> {
    let Some((first, rest)) = names.split_first() else { return Ok(()) };
    let mut cursor = root.entry(*first).or_insert_with(|| room(rest.first()));
    for (depth, name) in rest.iter().enumerate() {
        let next = rest.get(depth + 1);
        let outer = names.get(..=depth).unwrap_or_default().join(".");
        cursor = match cursor {
            Value::Table(table) => table.entry(*name).or_insert_with(|| room(next)),
            Value::Array(members) => {
                let number = name.parse().unwrap_or(usize::MAX);
                let count = members.len();
                if number == count {
                    members.push(room(next));
                }
                members.get_mut(number).ok_or_else(|| {
                    let what = format!("the list `{outer}` has {count} members");
                    (what, format!("members are counted from 0; the next would be {count}"))
                })?
            }
            Value::String(_)
            | Value::Integer(_)
            | Value::Float(_)
            | Value::Boolean(_)
            | Value::Datetime(_) => {
                return Err((format!("`{outer}` is no section"), "take one of the two away".to_owned()));
            }
        };
    }
    *cursor = value;
    Ok(())
}

/// What there must be for a level to be put into.
fn room(next: Option<&&str>) -> Value {
    if next.is_some_and(|name| keys::is_number(name)) {
        Value::Array(Vec::new())
    } else {
        Value::Table(Table::new())
    }
}

/// Notes where a value comes from, and the sections on the way that nobody else has written.
fn note(names: &[&str], variable: &str, origins: &mut Origins) {
    for depth in 1..=names.len() {
        let path = names.get(..depth).unwrap_or_default().join(".");
        if depth == names.len() || *origins.of(&path) == Origin::Default {
            origins.set(&path, Origin::Environment(variable.to_owned()));
        }
    }
}

/// Why no key has this name.
fn unknown(names: &[&str]) -> (String, String) {
    let mut section = Config::SECTION;
    for (depth, name) in names.iter().enumerate().filter(|(_, name)| !keys::is_number(name)) {
        let Some(key) = section.keys.iter().find(|k| k.name == *name) else {
            let outer = names.get(..depth).unwrap_or_default().join(".");
            if let Some(near) = near::nearest(name, section.keys.iter().map(|k| k.name)) {
                let mut meant = names.to_vec();
                if let Some(wrong) = meant.get_mut(depth) {
                    *wrong = near;
                }
                let variable = variable(&meant.join("."));
                return (format!("unknown key `{name}`"), format!("did you mean `{near}`, {variable}?"));
            }
            let advice = near::advice(name, section, &keys::join(&outer, name));
            return (format!("unknown key `{name}`"), advice);
        };
        section = match key.kind.below() {
            Below::One(inner) | Below::Each(inner) => inner,
            Below::Nothing => {
                let levels = names.get(..=depth).unwrap_or_default().join(".");
                return ("there is nothing below it".to_owned(), format!("set {}", variable(&levels)));
            }
        };
    }
    ("unknown key".to_owned(), "see `chappe config doc`".to_owned())
}
