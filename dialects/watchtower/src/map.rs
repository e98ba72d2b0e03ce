//! Numbers of channels and their names, and messages as both halves write them: the one bilingual file.

use crate::wire::device;
use dialect::settings::Numbers;
use model::{Message, Parts, Unit};
use std::borrow::Cow;
use std::collections::HashMap;

/// The number of messages that are for everybody.
pub const EVERYBODY: u32 = 0;

/// Which number each channel goes by: the one its configuration says, else the number that its name is.
#[derive(Debug, Default)]
pub struct Aliases {
    names: HashMap<u32, Box<str>>,
    numbers: HashMap<Box<str>, u32>,
}

impl Aliases {
    /// The aliases that the configuration says. SPEC [NUM-2].
    #[must_use]
    pub fn new(written: &Numbers) -> Self {
        let pairs = || written.iter().map(|(name, number)| (Box::<str>::from(name), number));
        Self { names: pairs().map(|(name, number)| (number, name)).collect(), numbers: pairs().collect() }
    }

    /// The name of the channel that goes by this number; `None`: 0 stands for everybody and is no channel. SPEC [NUM-1].
    #[must_use]
    pub fn name(&self, number: u32) -> Option<Cow<'_, str>> {
        if number == EVERYBODY {
            return None;
        }
        Some(self.names.get(&number).map_or_else(|| number.to_string().into(), |name| Cow::Borrowed(&**name)))
    }

    /// The number by which a channel goes; `None`: it does not exist for Watchtower.
    #[must_use]
    pub fn number(&self, name: &str) -> Option<u32> {
        if let Some(number) = self.numbers.get(name) {
            return Some(*number);
        }
        let number = decimal(name).filter(|number| *number != EVERYBODY)?;
        // The literal number is hidden where another channel goes by it. SPEC [NUM-3].
        (!self.names.contains_key(&number)).then_some(number)
    }
}

/// A message as devices hear it; nothing, where its channel has no number. SPEC [DEV-6].
pub fn frame(aliases: &Aliases, message: &Message, parts: &mut Parts) {
    let channel = match &message.channel {
        None => Some(EVERYBODY),
        Some(name) => aliases.number(name.as_str()),
    };
    let Some(channel) = channel else { return };
    let sender = message.publisher.address.and_then(|address| u32::try_from(address.0).ok()).unwrap_or(0);
    let mut frame = Vec::new();
    if device::message(&mut frame, sender, channel, &message.payload.bytes) {
        parts.add(Unit::Binary, |out| out.append(&mut frame));
    }
}

/// A number as it would be written: no sign, no leading zero.
fn decimal(text: &str) -> Option<u32> {
    let plain = text.bytes().all(|b| b.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    if plain { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_names_are_each_others_way_back() {
        let written: Numbers = [("garden/sprinklers", 5), ("door", 7)].into_iter().collect();
        let aliases = Aliases::new(&written);
        for (number, name) in [(5, "garden/sprinklers"), (7, "door"), (6, "6"), (u32::MAX, "4294967295")] {
            assert_eq!(aliases.name(number).as_deref(), Some(name));
            assert_eq!(aliases.number(name), Some(number));
        }
        assert_eq!(aliases.name(EVERYBODY), None);
        for nameless in ["0", "5", "7", "07", "+6", "-1", "", "4294967296", "chat", "６"] {
            assert_eq!(aliases.number(nameless), None, "{nameless}");
        }
    }
}
