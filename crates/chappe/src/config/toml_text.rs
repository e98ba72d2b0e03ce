//! Values as TOML writes them. Secrets are not written.

use dialect::settings::Value;

/// A value on one line; `None`: there is none.
pub(super) fn inline(value: &Value) -> Option<String> {
    Some(match value {
        Value::Absent => return None,
        Value::Flag(flag) => flag.to_string(),
        Value::Integer(n) => n.to_string(),
        Value::Text(text) => quoted(text),
        Value::Secret(_) => quoted("***"),
        Value::Texts(texts) => {
            format!("[{}]", texts.iter().map(|t| quoted(t)).collect::<Vec<_>>().join(", "))
        }
        Value::Numbers(numbers) if numbers.is_empty() => "{}".to_owned(),
        Value::Numbers(numbers) => {
            let pairs = numbers.iter().map(|(name, number)| format!("{} = {number}", quoted(name)));
            format!("{{ {} }}", pairs.collect::<Vec<_>>().join(", "))
        }
        Value::Table(keys) => {
            let keys = keys.iter().filter_map(|(name, value)| Some(format!("{name} = {}", inline(value)?)));
            format!("{{ {} }}", keys.collect::<Vec<_>>().join(", "))
        }
        Value::Tables(members) => {
            format!("[{}]", members.iter().filter_map(inline).collect::<Vec<_>>().join(", "))
        }
    })
}

fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}
