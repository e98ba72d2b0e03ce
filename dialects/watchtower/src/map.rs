//! Numbers of channels and their names, and messages as both halves write them: the one bilingual file.

use crate::wire::device;
use crate::wire::http::{self, Heard, Problem, Said, Speech};
use dialect::json;
use dialect::settings::Numbers;
use model::{Draft, Form, Message, Parts, Payload, PrincipalId, Refusal, Unit};
use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

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
    let Some(channel) = channel(aliases, message) else { return };
    let mut frame = Vec::new();
    if device::message(&mut frame, sender(message), channel, &message.payload.bytes) {
        parts.add(Unit::Binary, |out| out.append(&mut frame));
    }
}

/// A number as it would be written: no sign, no leading zero.
fn decimal(text: &str) -> Option<u32> {
    let plain = text.bytes().all(|b| b.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    if plain { text.parse().ok() } else { None }
}

/// The number of the channel that a message is in; `None`: it has none.
fn channel(aliases: &Aliases, message: &Message) -> Option<u32> {
    match &message.channel {
        None => Some(EVERYBODY),
        Some(name) => aliases.number(name.as_str()),
    }
}

/// A form that depends on how the dialect is configured: made once for a server, and kept for the life of the program,
/// since a form is known by where it stands.
pub(crate) fn form(
    name: &'static str,
    encode: impl Fn(&Message, &mut Parts) + Sync + 'static,
) -> &'static Form {
    Box::leak(Box::new(Form { name, encode: Box::leak(Box::new(encode)), verbatim: None }))
}

/// A message as streams and callbacks show it, for a dialect with these aliases. SPEC [MSG-1].
#[must_use]
pub fn lines(aliases: &Arc<Aliases>) -> &'static Form {
    let aliases = Arc::clone(aliases);
    form("watchtower object", move |message, parts| {
        if let Some(line) = line(message, &aliases) {
            parts.add(Unit::Text, |out| out.extend_from_slice(&line));
        }
    })
}

/// A message as a line of its own: its object, and the end of the line.
#[must_use]
pub fn line(message: &Message, aliases: &Aliases) -> Option<Vec<u8>> {
    let mut line = object(message, aliases)?;
    line.push(b'\n');
    Some(line)
}

/// A message as an object; `None`: its channel has no number. SPEC [MSG-1], [ALL-1].
#[must_use]
pub fn object(message: &Message, aliases: &Aliases) -> Option<Vec<u8>> {
    let channel = channel(aliases, message)?;
    let event = if message.channel.is_none() { Some("broadcast") } else { message.event.as_deref() };
    let heard = Heard { channel, sender: sender(message), event };
    let mut out = Vec::new();
    http::heard(heard, |out| json::payload_as_json(&message.payload, out), &mut out);
    Some(out)
}

/// The number of the sender who said it; 0: it was none of ours.
#[must_use]
pub fn sender(message: &Message) -> u32 {
    message.publisher.address.and_then(PrincipalId::enrolment).unwrap_or(0)
}

/// What is said as something to publish, for members only. SPEC [BC-2].
#[must_use]
pub fn draft(speech: Speech) -> Draft {
    let payload = match speech.message {
        Said::Text(text) => Payload::text(text.into()),
        Said::Json(json) => Payload::json(json.into()),
    };
    Draft { event: speech.event.map(Into::into), joined_only: true, ..Draft::new(payload) }
}

/// What was being done when something was refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Doing {
    /// Making somebody a sender.
    Registering,
    /// Acting for a sender.
    Entering,
    /// Listing channels.
    Listing,
    /// Joining this channel.
    Joining(u32),
    /// Leaving this channel.
    Leaving(u32),
    /// Speaking to this channel.
    Broadcasting(u32),
    /// Speaking to receivers in this channel.
    Sending(u32),
}

impl Doing {
    fn channel(self) -> Option<u32> {
        match self {
            Self::Registering | Self::Entering | Self::Listing => None,
            Self::Joining(n) | Self::Leaving(n) | Self::Broadcasting(n) | Self::Sending(n) => Some(n),
        }
    }

    /// The status when it failed for a reason of ours, and what it is called, where the document says so.
    fn failed(self) -> (u16, Option<&'static str>) {
        match self {
            Self::Registering => (500, Some("error registering new user")),
            Self::Broadcasting(_) => (500, Some("broadcast failed")),
            Self::Sending(_) => (500, Some("send failed")),
            Self::Entering | Self::Listing | Self::Joining(_) | Self::Leaving(_) => (503, None),
        }
    }
}

/// The answer to a request that policy refuses. SPEC [ERR-3].
#[must_use]
pub fn refused(refusal: &Refusal, doing: Doing) -> Problem {
    let detail = match doing.channel() {
        Some(channel) => format!("channel {channel}: {refusal}"),
        None => refusal.to_string(),
    };
    let of = |words: &str| doing.channel().map_or_else(|| words.to_owned(), |n| format!("{words} {n}"));
    match refusal {
        Refusal::BadToken if doing == Doing::Registering => Problem::new(401, http::BAD_SECRET),
        Refusal::BadToken | Refusal::InvalidToken(_) | Refusal::UnknownPrincipal => {
            Problem::new(401, http::BAD_SENDER)
        }
        Refusal::NotMember if matches!(doing, Doing::Leaving(_)) => {
            Problem::new(400, of("tried to leave unjoined channel"))
        }
        Refusal::NotMember => Problem::new(400, of(http::UNJOINED)),
        Refusal::NotJoined => Problem::new(400, of(http::BAD_RECEIVER)),
        Refusal::BadName(_) => Problem::new(400, detail),
        Refusal::BadHook(why) => Problem::new(400, format!("{}: {why}", http::BAD_CALLBACK)),
        Refusal::NotGranted { .. }
        | Refusal::Assigned
        | Refusal::TooManyChannels { .. }
        | Refusal::TooManyBranches { .. }
        | Refusal::UnknownVHost => Problem::new(403, detail),
        Refusal::HasJoined => Problem::new(409, detail),
        Refusal::TooBig { .. } => Problem::new(413, detail),
        Refusal::TooFast if doing == Doing::Registering => {
            Problem::new(429, "too many registrations from this address; try again").with("Retry-After", "1")
        }
        Refusal::TooFast => Problem::new(429, detail).with("Retry-After", "1"),
        Refusal::TooManyEnrolments { .. }
        | Refusal::TooManySessions { .. }
        | Refusal::TooManyHooks { .. } => Problem::new(429, detail).with("Retry-After", "60"),
        Refusal::Busy | Refusal::Draining => {
            let (status, failed) = doing.failed();
            let detail = failed.map_or_else(|| detail.clone(), |what| format!("{what}: {detail}"));
            Problem::new(status, detail).with("Retry-After", "1")
        }
    }
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
