//! What somebody may have meant who wrote a key that there is not.

use super::keys;
use dialect::settings::Section;
use strsim::osa_distance;

/// What to do about an unknown key of a section: follows "unknown key; ".
pub(crate) fn advice(name: &str, section: &Section, path: &str) -> String {
    if let Some(near) = nearest(name, section.keys.iter().map(|k| k.name)) {
        return format!("did you mean `{near}`?");
    }
    let leaves = keys::leaves();
    let elsewhere = leaves.iter().filter(|l| l.path.rsplit('.').next() == Some(name) && l.path != path);
    if let Some(leaf) = elsewhere.min_by_key(|l| (l.path.matches('.').count(), l.path.len())) {
        return format!("did you mean `{}`?", leaf.path);
    }
    let names: Vec<_> = section.keys.iter().map(|k| format!("`{}`", k.name)).collect();
    format!("the keys here are {}", names.join(", "))
}

/// The nearest of some words, if it is near.
pub(crate) fn nearest<'a>(word: &str, all: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase();
    let (distance, near) = all.map(|a| (osa_distance(&word, a), a)).min()?;
    (distance <= (near.len() / 3).max(1)).then_some(near)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use dialect::settings::Describe;

    #[test]
    fn the_nearest_key_is_named() {
        let section = crate::config::Limits::SECTION;
        assert_eq!(advice("mesage_bytes", section, ""), "did you mean `message_bytes`?");
        assert_eq!(advice("Connections", section, ""), "did you mean `connections`?");
        assert_eq!(advice("grants", Config::SECTION, "grants"), "did you mean `anonymous.grants`?");
        assert!(advice("colour", section, "").starts_with("the keys here are `message_bytes`, "));
    }
}
