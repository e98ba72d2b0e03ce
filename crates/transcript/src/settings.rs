//! The `set:` lines of a play into a configuration, by the server's own reading of it.
//!
//! A key is one of the configuration file, with a dialect's section called by the dialect's name alone. Lists of
//! sections, which a key cannot name, have a short form: `channel.window`, `channel.slow`, `auth.token`.

use crate::play::{Mistake, Play, Setting};
use server::Settings;
use server::config::{Config, PREFIX, Problem, Problems};
use std::collections::BTreeMap;

/// Sections that are a dialect's.
const DIALECTS: [&str; 5] = ["rooms", "http", "playground", "socketio", "watchtower"];

/// What the `set:` lines of a play say.
///
/// # Errors
/// Says which line sets what does not exist, or to what it cannot be.
pub(crate) fn config(play: &Play) -> Result<Config, Mistake> {
    settled(play).map(|(config, _)| config)
}

/// What the `set:` lines of a play mean.
///
/// # Errors
/// As [`config`].
pub(crate) fn settings(play: &Play) -> Result<Settings, Mistake> {
    settled(play).map(|(_, settings)| settings)
}

fn settled(play: &Play) -> Result<(Config, Settings), Mistake> {
    let mut lists = Lists::default();
    let mut variables = BTreeMap::new();
    for setting in &play.settings {
        let mistake = |what: String| Mistake {
            path: play.path.clone(),
            line: setting.number,
            what,
            fix: "a key of chappe's configuration, as in `set: limits.message_bytes = 100`, or \
                  `channel.window = news.* 10`, `channel.slow = news.* drop-oldest`, \
                  `auth.token = alice s3cret READ a.*, WRITE **`, or `alice@/vhost`"
                .to_owned(),
        };
        if !lists.take(setting).map_err(mistake)? {
            let variable = (variable(&setting.key), setting.value.clone());
            // Each is tried alone, so that the line that is wrong is the line that is named.
            load([variable.clone()].into_iter()).map_err(mistake)?;
            variables.insert(variable.0, variable.1);
        }
    }
    variables.extend(lists.variables());
    let whole = |what| Mistake {
        path: play.path.clone(),
        line: play.settings.first().map_or(0, |s| s.number),
        what,
        fix: "mend the `set:` lines".to_owned(),
    };
    let config = load(variables.into_iter()).map_err(whole)?;
    let settings = Settings::resolve(&config).map_err(|problems| whole(words(&problems)))?;
    Ok((config, settings))
}

fn load(variables: impl Iterator<Item = (String, String)>) -> Result<Config, String> {
    Config::load(None, variables).map(|(config, _)| config).map_err(|problems| words(&problems))
}

/// What is wrong, without the variables that plays do not have.
fn words(problems: &Problems) -> String {
    problems.iter().map(Problem::words).collect::<Vec<_>>().join("; ")
}

/// The environment variable of a key.
fn variable(key: &str) -> String {
    let section = key.split('.').next().unwrap_or_default();
    let key = if DIALECTS.contains(&section) { format!("dialect.{key}") } else { key.to_owned() };
    PREFIX.to_owned() + &key.replace('.', "__").to_uppercase()
}

/// What is said about the members of lists.
#[derive(Default)]
struct Lists {
    /// By pattern: what is said of such channels.
    channels: Vec<(String, Vec<String>)>,
    tokens: Vec<String>,
}

impl Lists {
    /// Takes a setting that is about a member of a list.
    fn take(&mut self, setting: &Setting) -> Result<bool, String> {
        let mut words = setting.value.split_whitespace();
        let (first, second) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        match setting.key.as_str() {
            "channel.window" => {
                let n: usize = second.parse().map_err(|_| format!("`{second}` is no number of messages"))?;
                self.channel(first, format!("window = {n}"));
            }
            "channel.slow" => self.channel(first, format!("slow = {}", quoted(second))),
            "auth.token" => {
                let rest = setting.value.splitn(3, ' ').nth(2).unwrap_or_default();
                let grants: Vec<_> =
                    rest.split(',').map(str::trim).filter(|g| !g.is_empty()).map(quoted).collect();
                let (name, vhost) = first.split_once('@').unwrap_or((first, "/"));
                let (name, vhost, secret) = (quoted(name), quoted(vhost), quoted(second));
                let grants = grants.join(", ");
                self.tokens.push(format!(
                    "{{name = {name}, vhost = {vhost}, token = {secret}, grants = [{grants}]}}"
                ));
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn channel(&mut self, pattern: &str, says: String) {
        match self.channels.iter_mut().find(|(p, _)| p == pattern) {
            Some((_, all)) => all.push(says),
            None => self.channels.push((pattern.to_owned(), vec![says])),
        }
    }

    fn variables(&self) -> impl Iterator<Item = (String, String)> {
        let channel = |(pattern, says): &(String, Vec<String>)| {
            format!("{{pattern = {}, {}}}", quoted(pattern), says.join(", "))
        };
        let channels = self.channels.iter().map(channel).collect::<Vec<_>>();
        [("CHANNEL", channels), ("AUTH__TOKEN", self.tokens.clone())]
            .into_iter()
            .filter(|(_, members)| !members.is_empty())
            .map(|(key, members)| (PREFIX.to_owned() + key, format!("[{}]", members.join(", "))))
    }
}

/// A TOML string.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn set(lines: &str) -> Result<Config, String> {
        let text = format!("# T\n{lines}\n");
        let play = Play::parse(Path::new("x"), &text).map_err(|m| m.to_string())?;
        config(&play).map_err(|m| m.to_string())
    }

    #[test]
    fn settings_are_the_servers() {
        let c = set("set: rooms.greeting = false\nset: http.heartbeat_seconds = 7\n\
             set: anonymous.grants = [\"READ **\"]\nset: limits.publish_rate = 1\n\
             set: channel.window = news.* 10\nset: channel.slow = news.* drop-oldest\nset: channel.window = b 1\n\
             set: auth.token = alice s3cret READ a.*, WRITE **\nset: assigned = [\"user(*)\"]")
        .unwrap();
        assert!(!c.dialect.rooms.greeting);
        assert_eq!(c.dialect.http.heartbeat_seconds, 7);
        assert_eq!((c.channel.len(), c.channel[0].window), (2, 10));
        assert_eq!(c.auth.token[0].grants, ["READ a.*", "WRITE **"]);
        assert_eq!((c.assigned.len(), c.limits.publish_rate), (1, Some(1)));
    }

    #[test]
    fn mistakes_name_the_line() {
        let e = set("set: rooms.acks = true\nset: rooms.greting = false").unwrap_err();
        assert!(e.starts_with("x:3: ") && e.contains("greting") && e.contains("greeting"), "{e}");
        let e = set("set: limits.pending_bytes = 5").unwrap_err();
        assert!(e.contains("make it at least"), "{e}");
        assert!(set("set: channel.window = x y").unwrap_err().contains("no number"));
        assert!(set("set: auth.token = a b SHOUT x").unwrap_err().contains("READ, WRITE or MANAGE"));
    }
}
