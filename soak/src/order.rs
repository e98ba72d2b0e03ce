//! Whether a listener hears each publisher's messages in order, and none twice.
//!
//! Every payload begins with who says it and its how-manieth message in that channel it is: `[17,4,"…`.

use std::collections::HashMap;

/// What one listener has heard.
#[derive(Debug, Default)]
pub(crate) struct Order {
    /// By channel and publisher, the number heard last.
    last: HashMap<(String, u64), u64>,
}

impl Order {
    /// Notes a message, as text in which the channel and the payload stand somewhere. `None`: it is not one of ours.
    /// `Some(false)`: it came too late, or twice.
    pub(crate) fn hear(&mut self, text: &str) -> Option<bool> {
        let channel = ["\"channel\":\"", "\"event\":\""].iter().find_map(|key| after(text, key))?;
        let channel = channel.split('"').next()?;
        let payload = after(text, "\"payload\":[")?;
        let mut numbers = payload.split(',').map(str::parse::<u64>);
        let (Some(Ok(publisher)), Some(Ok(number))) = (numbers.next(), numbers.next()) else { return None };
        let before = self.last.insert((channel.to_owned(), publisher), number);
        Some(before.is_none_or(|before| before < number))
    }
}

fn after<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    text.find(key).and_then(|at| text.get(at + key.len()..))
}

#[cfg(test)]
mod tests {
    use super::Order;

    #[test]
    fn order_is_by_channel_and_publisher() {
        let mut order = Order::default();
        assert_eq!(order.hear(r#"{"event":"a","payload":[1,5,"x"]}"#), Some(true));
        assert_eq!(order.hear(r#"{"event":"b","payload":[1,4,"x"]}"#), Some(true));
        assert_eq!(order.hear(r#"{"event":"a","payload":[2,1,"x"]}"#), Some(true));
        assert_eq!(order.hear(r#"data: {"channel":"a","payload":[1,6,"x"],"time":1}"#), Some(true));
        assert_eq!(order.hear(r#"{"event":"a","payload":[1,6,"x"]}"#), Some(false), "twice");
        assert_eq!(order.hear(r#"{"event":"b","payload":[1,3,"x"]}"#), Some(false), "too late");
        assert_eq!(order.hear(r#"{"msg":"Subscribed to a"}"#), None);
    }
}
