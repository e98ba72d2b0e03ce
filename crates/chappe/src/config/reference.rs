//! `chappe config doc`: the reference of all keys, as the tables of `docs/configuration.md`.

use super::toml_text::inline;
use dialect::settings::{Below, Describe, Key, Kind, Section, Setting, Unit, Value};
use server::Settings;
use server::config::{Config, Listener};
use std::fmt::Write;

pub(super) fn markdown() -> String {
    // What holds when nothing is written, and when nothing but an address beyond this machine is.
    let exposed =
        Config { listener: vec![Listener::at("0.0.0.0:6889".into())], insecure: true, ..Config::default() };
    let values =
        |config: &Config| Settings::resolve(config).map(|s| s.effective.value()).unwrap_or(Value::Absent);
    let postures = [values(&Config::default()), values(&exposed)];
    let mut out = String::new();
    section(&mut out, Config::SECTION, "", "Top of the file", [&postures[0], &postures[1]]);
    out
}

fn section(out: &mut String, about: &Section, path: &str, title: &str, postures: [&Value; 2]) {
    let plain: Vec<_> = about.keys.iter().filter(|k| !is_section(k)).collect();
    // Writing to a string cannot fail.
    if !plain.is_empty() {
        let _infallible = write!(out, "### {title}\n\n");
        if !path.is_empty() {
            let _infallible = write!(out, "{}\n\n", about.doc.trim());
        }
        out.push_str("| key | value | default | live | what it is |\n|---|---|---|---|---|\n");
        for key in plain {
            let [loopback, exposed] = postures.map(|values| member(values, key.name));
            let default = default(key, loopback, exposed);
            let live = if key.live { "yes" } else { "" };
            let what = escaped(&sentence(key));
            let _infallible =
                writeln!(out, "| `{}` | {} | {default} | {live} | {what} |", key.name, takes(key));
        }
        out.push('\n');
    }
    for key in about.keys {
        let path = if path.is_empty() { key.name.to_owned() } else { format!("{path}.{}", key.name) };
        match key.kind.below() {
            Below::One(inner) => {
                let postures = postures.map(|values| member(values, key.name));
                section(out, inner, &path, &format!("`[{path}]`"), postures);
            }
            Below::Each(inner) => section(out, inner, &path, &format!("`[[{path}]]`"), [&Value::Absent; 2]),
            Below::Nothing => {}
        }
    }
}

fn is_section(key: &Key) -> bool {
    !matches!(key.kind.below(), Below::Nothing)
}

fn member<'a>(values: &'a Value, name: &str) -> &'a Value {
    let Value::Table(values) = values else { return &Value::Absent };
    values.iter().find(|(n, _)| *n == name).map_or(&Value::Absent, |(_, value)| value)
}

/// What a key is for, in one line, with an example where there is something to learn from it.
pub(super) fn sentence(key: &Key) -> String {
    let doc = key.doc.trim();
    if key.example.is_empty() || matches!(key.kind, Kind::Integer { .. } | Kind::Words(_)) {
        return doc.to_owned();
    }
    format!("{doc} As in `{}`.", key.example)
}

fn takes(key: &Key) -> String {
    match (key.kind, key.unit) {
        (_, Unit::Bytes) => "bytes".into(),
        (_, Unit::Seconds) => "seconds".into(),
        (_, Unit::Milliseconds) => "milliseconds".into(),
        (Kind::Flag, Unit::None) => "true, false".into(),
        (Kind::Integer { .. }, Unit::None) => "number".into(),
        (Kind::Text, Unit::None) => "text".into(),
        (Kind::Secret, Unit::None) => "secret".into(),
        (Kind::Words(words), Unit::None) => {
            words.iter().map(|w| format!("`{w}`")).collect::<Vec<_>>().join(", ")
        }
        (Kind::Texts, Unit::None) => "list of texts".into(),
        (Kind::Numbers, Unit::None) => "numbers by name".into(),
        (Kind::Table(_) | Kind::Tables(_), Unit::None) => "section".into(),
    }
}

/// What holds when nothing is written.
fn default(key: &Key, loopback: &Value, exposed: &Value) -> String {
    if key.required {
        return "must be there".into();
    }
    if !key.default.is_empty() {
        return escaped(key.default);
    }
    let (loopback, exposed) = (plain(key, loopback), plain(key, exposed));
    if loopback == exposed { loopback } else { format!("{loopback} on loopback, {exposed} elsewhere") }
}

fn plain(key: &Key, value: &Value) -> String {
    match (value, key.unit) {
        (Value::Integer(n), Unit::Bytes) => bytes(*n),
        (Value::Integer(n), Unit::Seconds) => format!("{n} s"),
        (Value::Integer(n), Unit::Milliseconds) => format!("{n} ms"),
        (Value::Text(text), _) => format!("`{text}`"),
        (value, _) => inline(value).map_or_else(|| "none".into(), |text| format!("`{text}`")),
    }
}

/// Bytes in the largest unit that leaves a whole number.
pub(crate) fn bytes(n: u64) -> String {
    let units = ["bytes", "KiB", "MiB", "GiB", "TiB"];
    let power = (0..units.len()).rev().find(|p| n > 0 && n.is_multiple_of(1 << (10 * p))).unwrap_or(0);
    format!("{} {}", n >> (10 * power), units.get(power).unwrap_or(&"bytes"))
}

fn escaped(text: &str) -> String {
    text.replace('|', "\\|")
}
