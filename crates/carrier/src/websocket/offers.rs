//! What a peer offers to do to messages, and what is agreed to (RFC 6455 §9.1, RFC 7692 §5 and §7.1).
//!
//! Knows the grammar of `Sec-WebSocket-Extensions` and the four parameters of permessage-deflate. Anything it does not
//! know declines the offer it stands in, and what breaks the grammar declines everything: a connection without
//! compression is always right.

/// Window sizes that are used, as powers of two. Peers that ask for one between get the smaller: each size is a form of
/// its own, and a peer must not be able to make many of them.
pub(super) const WINDOWS: [u8; 3] = [9, 12, 15];

const NAME: &str = "permessage-deflate";

/// An agreement to compress messages, each for itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Agreed {
    window_bits: u8,
    /// The peer asked for a window, and is told which it gets (RFC 7692 §7.1.2.1).
    is_asked: bool,
}

impl Agreed {
    /// The first offer among the values of `Sec-WebSocket-Extensions` lines that can be accepted.
    #[must_use]
    pub fn to<'a>(lines: impl Iterator<Item = &'a [u8]>) -> Option<Self> {
        let mut agreed = None;
        for line in lines {
            let mut rest = std::str::from_utf8(line).ok()?;
            while let Some(offer) = Offer::parse(&mut rest)? {
                agreed = agreed.or(offer.accept());
            }
        }
        agreed
    }

    /// Back references of what is sent reach back at most so many bytes, as a power of two.
    #[must_use]
    pub fn window_bits(self) -> u8 {
        self.window_bits
    }

    /// The value of the response's `Sec-WebSocket-Extensions`. Neither side may carry anything from one message to the
    /// next; how far the client refers back is its own affair, as the inflater holds the largest window.
    #[must_use]
    pub fn answer(self) -> String {
        let answer = format!("{NAME}; server_no_context_takeover; client_no_context_takeover");
        if self.is_asked { format!("{answer}; server_max_window_bits={}", self.window_bits) } else { answer }
    }
}

/// An extension with its parameters, as it was offered.
struct Offer<'a> {
    name: &'a str,
    parameters: Vec<(&'a str, Option<String>)>,
}

impl<'a> Offer<'a> {
    /// Takes the next offer from the front of a list. `None`: the list is malformed; `Some(None)`: it is at its end.
    #[expect(clippy::option_option, reason = "three outcomes, taken apart at once by the only caller")]
    fn parse(rest: &mut &'a str) -> Option<Option<Self>> {
        // Empty elements of a list count for nothing (RFC 9110 §5.6.1).
        *rest = rest.trim_start_matches([' ', '\t', ',']);
        if rest.is_empty() {
            return Some(None);
        }
        let mut offer = Self { name: token(rest)?, parameters: Vec::new() };
        loop {
            skip_space(rest);
            if rest.is_empty() || rest.starts_with(',') {
                return Some(Some(offer));
            }
            *rest = rest.strip_prefix(';')?;
            skip_space(rest);
            let name = token(rest)?;
            skip_space(rest);
            let value = match rest.strip_prefix('=') {
                None => None,
                Some(after) => {
                    *rest = after;
                    skip_space(rest);
                    Some(value(rest)?)
                }
            };
            offer.parameters.push((name, value));
        }
    }

    /// What it comes to, if it can be accepted (RFC 7692 §7.1).
    fn accept(&self) -> Option<Agreed> {
        if !self.name.eq_ignore_ascii_case(NAME) {
            return None;
        }
        let mut seen = Vec::new();
        let mut asked = None;
        for (name, value) in &self.parameters {
            if seen.contains(name) {
                return None;
            }
            seen.push(name);
            match (*name, value.as_deref()) {
                ("server_no_context_takeover" | "client_no_context_takeover", None)
                | ("client_max_window_bits", None) => {}
                ("client_max_window_bits", Some(bits)) => drop(window_bits(bits)?),
                ("server_max_window_bits", Some(bits)) => asked = Some(window_bits(bits)?),
                _ => return None,
            }
        }
        // A window of 8 declines: hardly a message would be compressed.
        let window_bits = WINDOWS.into_iter().rfind(|bits| *bits <= asked.unwrap_or(15))?;
        Some(Agreed { window_bits, is_asked: asked.is_some() })
    }
}

/// A number from 8 to 15 without leading zeros (RFC 7692 §7.1.2).
fn window_bits(text: &str) -> Option<u8> {
    let bits = text.parse().ok().filter(|bits| (8..=15).contains(bits))?;
    (text.len() == if bits < 10 { 1 } else { 2 }).then_some(bits)
}

fn skip_space(rest: &mut &str) {
    *rest = rest.trim_start_matches([' ', '\t']);
}

fn is_token(c: char) -> bool {
    c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c)
}

/// Takes a token from the front (RFC 9110 §5.6.2).
fn token<'a>(rest: &mut &'a str) -> Option<&'a str> {
    let end = rest.find(|c| !is_token(c)).unwrap_or(rest.len());
    let (token, after) = rest.split_at_checked(end).filter(|(token, _)| !token.is_empty())?;
    *rest = after;
    Some(token)
}

/// Takes a value from the front: a token, bare or between quotes (RFC 6455 §9.1).
fn value(rest: &mut &str) -> Option<String> {
    let Some(quoted) = rest.strip_prefix('"') else { return token(rest).map(str::to_owned) };
    let mut value = String::new();
    let mut characters = quoted.chars();
    loop {
        match characters.next()? {
            '"' => break,
            '\\' => value.push(characters.next()?),
            c => value.push(c),
        }
    }
    *rest = characters.as_str();
    (!value.is_empty() && value.chars().all(is_token)).then_some(value)
}
