//! Paths of keys, and the way from a path to what is known of the key.
//!
//! A path has its levels joined by dots, a member of a list by its number: `auth.token.0.name`.

use crate::config::Config;
use dialect::settings::{Below, Describe, Key, Section};

/// A key that holds a value, not a section.
#[derive(Clone, Debug)]
pub struct Leaf {
    /// Its path, without numbers: `auth.token.name`.
    pub path: String,
    /// The key.
    pub key: &'static Key,
    /// Whether it belongs to a member of a list.
    pub listed: bool,
}

/// Every key that holds a value, in the order of the reference.
#[must_use]
pub fn leaves() -> Vec<Leaf> {
    let mut all = Vec::new();
    collect(Config::SECTION, "", false, &mut all);
    all
}

fn collect(section: &Section, path: &str, listed: bool, all: &mut Vec<Leaf>) {
    for key in section.keys {
        let path = join(path, key.name);
        match key.kind.below() {
            Below::One(inner) => collect(inner, &path, listed, all),
            Below::Each(inner) => collect(inner, &path, true, all),
            Below::Nothing => all.push(Leaf { path, key, listed }),
        }
    }
}

/// The path one level down.
pub(crate) fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

/// A path without the numbers of members.
#[must_use]
pub fn generic(path: &str) -> String {
    let names: Vec<_> = path.split('.').filter(|level| !is_number(level)).collect();
    names.join(".")
}

pub(crate) fn is_number(level: &str) -> bool {
    !level.is_empty() && level.bytes().all(|b| b.is_ascii_digit())
}

/// The key at a path, with numbers or without.
#[must_use]
pub fn key(path: &str) -> Option<&'static Key> {
    let mut section = Some(Config::SECTION);
    let mut found = None;
    for level in path.split('.').filter(|level| !is_number(level)) {
        let key = section?.keys.iter().find(|k| k.name == level)?;
        section = match key.kind.below() {
            Below::One(inner) | Below::Each(inner) => Some(inner),
            Below::Nothing => None,
        };
        found = Some(key);
    }
    found
}

/// Whether one path is the other, or lies inside it.
pub(crate) fn related(a: &str, b: &str) -> bool {
    let (short, long) = if a.len() <= b.len() { (a, b) } else { (b, a) };
    long.strip_prefix(short).is_some_and(|rest| rest.is_empty() || rest.starts_with('.') || short.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_has_a_place_and_a_word_about_it() {
        let all = leaves();
        assert!(all.len() > 40, "{}", all.len());
        for leaf in &all {
            assert!(key(&leaf.path).is_some_and(|k| std::ptr::eq(k, leaf.key)), "{}", leaf.path);
            assert!(leaf.key.doc.trim().len() > 5, "{} has no documentation", leaf.path);
        }
        assert!(
            key("auth.token.0.name").is_some() && key("auth.tokn").is_none() && key("shards.x").is_none()
        );
    }

    #[test]
    fn paths_inside_each_other() {
        assert!(related("a.b", "a.b.c") && related("a.b.c", "a") && related("a", "a"));
        assert!(!related("a.b", "a.bc") && !related("a.b", "c"));
    }
}
