//! The HTTP half on the wire: paths, the JSON of requests and answers, errors. Knows no channel names: to it a channel
//! is a number.

mod body;
mod problem;

pub use body::{Said, Speech};
pub use problem::{BAD_CALLBACK, BAD_RECEIVER, BAD_SECRET, BAD_SENDER, Problem, Style, UNJOINED};

use body::Members;
use dialect::settings::Secret;
use dialect::{Request, json, percent};
use model::PrincipalId;
use std::io::Write;
use std::num::NonZeroU32;

/// What a request asks for.
#[derive(Debug)]
pub enum Ask {
    /// To be made a sender, who shows this.
    Register(Option<String>),
    /// This, as a sender.
    AsSender(Sender, Wish),
}

/// For whom a request wants to act.
#[derive(Debug)]
pub struct Sender {
    /// Its number.
    pub id: NonZeroU32,
    /// The token that it shows.
    pub token: Option<String>,
}

/// What a sender wants. Channels and receivers are named once each, in the order of their first mention, and at least
/// one.
#[derive(Debug)]
pub enum Wish {
    /// To know which channels there are.
    List,
    /// To hear these channels, as long as the stream lasts.
    Listen(Vec<u32>),
    /// To be called back with what these channels hear.
    BeCalled {
        /// The channels.
        channels: Vec<u32>,
        /// Where to.
        url: String,
        /// What signs.
        secret: Option<Secret>,
    },
    /// To be in these channels no more, in no way.
    Leave(Vec<u32>),
    /// To be a sender no more.
    Unregister,
    /// To say something to everybody in these channels.
    Broadcast(Vec<u32>, Speech),
    /// To say something to these senders in these channels.
    Send(Vec<u32>, Vec<PrincipalId>, Speech),
}

/// Whether a path is this dialect's. SPEC [URL-1].
#[must_use]
pub fn is_ours(path: &str) -> bool {
    matches!(path, "/register" | "/unregister" | "/channels" | "/broadcast" | "/send")
        || path.starts_with("/channels/")
}

/// Reads a request; it may name `max` channels, and as many receivers.
///
/// # Errors
/// The answer to a request that asks for nothing we have.
pub fn ask(request: &Request<'_>, max: usize) -> Result<Ask, Problem> {
    let token = request.token().map(std::borrow::Cow::into_owned);
    let posted = || allowed(request, &["POST"], "POST, OPTIONS").and_then(|()| Members::of(request.body));
    let asked = || allowed(request, &["GET"], "GET, OPTIONS");
    let (id, wish) = match request.path {
        "/register" => return posted()?.secret().map(Ask::Register),
        "/unregister" => {
            let members = posted()?;
            (members.sender()?, Wish::Unregister)
        }
        "/channels" => {
            allowed(request, &["GET", "HEAD"], "GET, HEAD, OPTIONS")?;
            (named_sender(request)?, Wish::List)
        }
        "/channels/join/async" => {
            let members = posted()?;
            (
                members.sender()?,
                Wish::BeCalled {
                    channels: members.channels(max)?,
                    url: members.callback_url()?,
                    secret: members.callback_secret()?,
                },
            )
        }
        "/channels/leave" => {
            let members = posted()?;
            (members.sender()?, Wish::Leave(members.channels(max)?))
        }
        "/broadcast" => {
            let members = posted()?;
            (members.sender()?, Wish::Broadcast(members.channels(max)?, members.speech()?))
        }
        "/send" => {
            let members = posted()?;
            let (channels, receivers) = (members.channels(max)?, members.receivers(max)?);
            (members.sender()?, Wish::Send(channels, receivers, members.speech()?))
        }
        path => {
            let channels = match path.strip_prefix("/channels/join") {
                Some("") => {
                    asked()?;
                    request.parameter("channels").filter(|list| !list.is_empty())
                }
                Some(rest) if rest.len() > 1 && rest.starts_with('/') => {
                    asked()?;
                    percent::decode(rest.get(1..).unwrap_or_default())
                }
                Some(_) | None => return Err(Problem::new(404, "there is nothing here")),
            };
            let Some(channels) = channels else {
                return Err(Problem::new(
                    400,
                    "`channels` is missing: write it as in /channels/join?channels=5,6&sender=72",
                ));
            };
            (named_sender(request)?, Wish::Listen(written_channels(&channels, max)?))
        }
    };
    Ok(Ask::AsSender(Sender { id, token }, wish))
}

/// SPEC [URL-2].
fn allowed(request: &Request<'_>, methods: &[&str], allow: &'static str) -> Result<(), Problem> {
    if methods.contains(&request.method) {
        return Ok(());
    }
    Err(Problem::new(405, format!("this resource knows {allow}")).with("Allow", allow))
}

/// The sender that a query names. SPEC [ID-1].
fn named_sender(request: &Request<'_>) -> Result<NonZeroU32, Problem> {
    let id = request.parameter("sender").and_then(|text| text.parse().ok());
    id.ok_or_else(|| Problem::new(401, BAD_SENDER))
}

/// The channels that a query or a path names: `5,6`.
fn written_channels(list: &str, max: usize) -> Result<Vec<u32>, Problem> {
    let mut channels = Vec::new();
    for written in list.split(',') {
        let number = written.trim().parse().map_err(|_| {
            Problem::new(400, format!("`{written}` is no channel: channels are numbers, as in 5,6"))
        })?;
        add(number, &mut channels, "channels", max)?;
    }
    Ok(channels)
}

/// Adds a number that is not there yet.
fn add(number: u32, to: &mut Vec<u32>, name: &str, max: usize) -> Result<(), Problem> {
    if number == 0 && name == "channels" {
        return Err(Problem::new(400, "`channels` names 0, which is no channel: it stands for everybody"));
    }
    if number == 0 {
        return Err(Problem::new(400, BAD_RECEIVER));
    }
    if to.contains(&number) {
        return Ok(());
    }
    if to.len() >= max {
        return Err(Problem::new(400, format!("`{name}` is longer than {max}")));
    }
    to.push(number);
    Ok(())
}

/// Writes the answer to who registers. SPEC [REG-1].
pub fn registered(id: u32, token: &str, out: &mut Vec<u8>) {
    number("{\"id\":", id, out);
    out.extend_from_slice(b",\"token\":");
    json::string(token, out);
    out.extend_from_slice(b"}\n");
}

/// Writes the answer to who has spoken. SPEC [BC-1].
pub fn reached(members: u64, out: &mut Vec<u8>) {
    number("{\"members\":", members, out);
    out.extend_from_slice(b"}\n");
}

/// Writes the answer that has nothing to say but yes.
pub fn done(out: &mut Vec<u8>) {
    out.extend_from_slice(b"{}\n");
}

/// Writes `before` and a number after it.
pub fn number(before: &str, n: impl std::fmt::Display, out: &mut Vec<u8>) {
    // Writing to a vector cannot fail.
    write!(out, "{before}{n}").ok();
}

/// A message, as streams and callbacks show it. SPEC [MSG-1].
#[derive(Clone, Copy, Debug)]
pub struct Heard<'a> {
    /// The channel; 0: it is for everybody.
    pub channel: u32,
    /// The sender; 0: it is none of ours.
    pub sender: u32,
    /// The event's name.
    pub event: Option<&'a str>,
}

/// Writes a message as an object without line breaks. `payload` writes JSON, in which line breaks are white space and
/// become blanks.
pub fn heard(heard: Heard<'_>, payload: impl FnOnce(&mut Vec<u8>), out: &mut Vec<u8>) {
    number("{\"channel\":", heard.channel, out);
    number(",\"sender\":", heard.sender, out);
    out.extend_from_slice(b",\"message\":");
    let start = out.len();
    payload(out);
    out.iter_mut().skip(start).filter(|b| matches!(b, b'\n' | b'\r')).for_each(|b| *b = b' ');
    let end = out.len();
    out.extend_from_slice(b",\"content\":");
    out.extend_from_within(start..end);
    if let Some(event) = heard.event {
        out.extend_from_slice(b",\"event\":");
        json::string(event, out);
    }
    out.push(b'}');
}

/// Writes the object that says how many messages are missing. SPEC [GAP-1].
pub fn missed(count: u64, out: &mut Vec<u8>) {
    number("{\"missed\":", count, out);
    out.extend_from_slice(b"}\n");
}

/// Writes a whole list of channels. SPEC [LIST-1].
pub fn channels(numbers: &[u32], out: &mut Vec<u8>) {
    some_channels(true, numbers, out);
    end_of_channels(out);
}

/// Writes a part of a list of channels, perhaps the first.
pub fn some_channels(first: bool, numbers: &[u32], out: &mut Vec<u8>) {
    let mut before = if first { "{\"channels\":[" } else { "," };
    for channel in numbers {
        number(before, channel, out);
        before = ",";
    }
}

/// Writes the end of a list of channels.
pub fn end_of_channels(out: &mut Vec<u8>) {
    out.extend_from_slice(b"]}\n");
}

#[cfg(test)]
mod tests;
