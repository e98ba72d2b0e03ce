//! What differs between two settings, and what of it a server that runs can take over.

use super::Settings;
use crate::config::{generic, key};
use dialect::settings::{Setting, Value};

/// Keys that differ, without the numbers of members, each once, in the order of the reference.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Changes {
    /// Those that a server that runs can take over.
    pub live: Vec<String>,
    /// Those that need it to be started again.
    pub restart: Vec<String>,
}

impl Changes {
    /// Whether nothing differs.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.live.is_empty() && self.restart.is_empty()
    }

    fn add(&mut self, path: &str) {
        let path = generic(path);
        let list = if key(&path).is_some_and(|k| k.live) { &mut self.live } else { &mut self.restart };
        if !list.contains(&path) {
            list.push(path);
        }
    }
}

/// Which keys differ. Members of a list are compared by their place in it. A secret whose file says something else
/// counts as its `token_file`; certificates are files that are read again anyway, so that only their names count.
#[must_use]
pub fn changes(old: &Settings, new: &Settings) -> Changes {
    let mut changes = Changes::default();
    compare("", &old.effective.value(), &new.effective.value(), &mut changes);
    let same = |a: &node::Token, b: &node::Token| a.secret == b.secret;
    if old.tokens.len() == new.tokens.len()
        && !old.tokens.iter().zip(&new.tokens).all(|(a, b)| same(a, b))
        && !changes.live.iter().any(|key| key.starts_with("auth.token"))
    {
        changes.add("auth.token.token_file");
    }
    let secret = |s: &Settings| s.admin.as_ref().and_then(|a| a.token.clone());
    if secret(old) != secret(new) && !changes.live.iter().any(|key| key.starts_with("admin.token")) {
        changes.add("admin.token_file");
    }
    let revoked = |s: &Settings| s.jwt.as_ref().map(|jwt| jwt.revoked.clone());
    let of = "auth.jwt";
    let is_said = changes.live.iter().chain(&changes.restart).any(|key| key.starts_with(of));
    if revoked(old) != revoked(new) && !is_said {
        changes.add("auth.jwt.revoked_file");
    }
    let secret = |s: &Settings| s.dialects.watchtower.secret.clone();
    let of = "dialect.watchtower.secret";
    if secret(old) != secret(new) && !changes.restart.iter().any(|key| key.starts_with(of)) {
        changes.add("dialect.watchtower.secret_file");
    }
    let of_file = |s: &Settings| s.hooks.signer.clone();
    if of_file(old) != of_file(new) && !changes.restart.iter().any(|key| key.starts_with("hooks.secret")) {
        changes.add("hooks.secret_file");
    }
    changes
}

fn compare(path: &str, old: &Value, new: &Value, changes: &mut Changes) {
    let below = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    if let (Value::Table(old), Value::Table(new)) = (old, new) {
        for ((name, old), (_, new)) in old.iter().zip(new) {
            compare(&below(name), old, new, changes);
        }
    } else if let (Value::Tables(old), Value::Tables(new)) = (old, new)
        && old.len() == new.len()
    {
        for (number, (old, new)) in old.iter().zip(new).enumerate() {
            compare(&below(&number.to_string()), old, new, changes);
        }
    } else if old != new {
        changes.add(path);
    }
}
