//! A message on its way to many, with its wire forms filled in on first need and shared by all who need them.

use crate::grant::PrincipalId;
use crate::id::SessionId;
use crate::message::Message;
use bytes::Bytes;
use std::fmt;
use std::sync::{Mutex, PoisonError};

/// Whether a form's bytes are text or binary, for the carriers that tell them apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unit {
    /// UTF-8.
    Text,
    /// Anything.
    Binary,
}

/// What an encoder writes: the units of one message, in order. A message of several units stays together on
/// the wire, whatever else is sent.
#[derive(Debug, Default)]
pub struct Parts {
    bytes: Vec<u8>,
    ends: Vec<(Unit, usize)>,
}

impl Parts {
    /// Appends one unit, written by `write` to the end of the buffer it is given.
    pub fn add(&mut self, unit: Unit, write: impl FnOnce(&mut Vec<u8>)) {
        write(&mut self.bytes);
        self.ends.push((unit, self.bytes.len()));
    }

    /// The units, in order.
    pub fn iter(&self) -> impl Iterator<Item = (Unit, &[u8])> {
        let mut start = 0;
        self.ends.iter().map(move |&(unit, end)| {
            let part = self.bytes.get(start..end).unwrap_or_default();
            start = end;
            (unit, part)
        })
    }
}

/// One way to write a delivery, the same for all sessions that hear it in this form.
///
/// Dialects declare each form once, as a `static`: a form is recognised by where it stands. One that depends on how
/// the dialect is configured is made when the dialect is, and never freed.
pub struct Form {
    /// For people: logs, counters, panics.
    pub name: &'static str,
    /// Writes the message. Called at most once per message, framing and process; no parts: nothing is sent.
    pub encode: &'static (dyn Fn(&Message, &mut Parts) + Sync),
    /// The dialect whose verbatim words are this form as they stand, as text.
    pub verbatim: Option<&'static str>,
}

impl fmt::Debug for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// How a carrier puts one unit of a form onto its wire; part of what makes two encodings differ.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Framing {
    /// A WebSocket data frame.
    WebSocket,
    /// A WebSocket data frame whose payload is compressed where that makes it shorter (RFC 7692).
    Deflated {
        /// How far it refers back: at most `2^window_bits` bytes.
        window_bits: u8,
    },
    /// A chunk of an HTTP/1.1 body.
    Chunk,
    /// As it is: a datagram, or the body of a response that ends with its connection.
    Bare,
    /// The body of a POST: the units of a message, one after the other.
    Post,
}

/// A form filled in: the bytes for the wire, or the news that encoding it panicked.
pub type FormBytes = Option<Bytes>;

struct Cast {
    form: &'static Form,
    framing: Framing,
    bytes: FormBytes,
}

/// A message on its way to many.
pub struct Delivery {
    /// What is delivered.
    pub message: Message,
    /// The session that is left out, when its dialect does not echo.
    pub except: Option<SessionId>,
    /// When not `None`, only members that act for one of these principals hear it.
    pub only: Option<Box<[PrincipalId]>>,
    /// When it set out, in microseconds of its node's clock; `None` when nobody measures.
    pub began: Option<u64>,
    /// Filled in once each; as many as there are forms in the program, so a short list.
    forms: Mutex<Vec<Cast>>,
}

impl Delivery {
    /// A delivery to every member.
    #[must_use]
    pub fn new(message: Message) -> Self {
        Self { message, except: None, only: None, began: None, forms: Mutex::new(Vec::new()) }
    }

    /// Whether everybody in the channel hears it, so that no member needs a second look.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        self.except.is_none() && self.only.is_none()
    }

    /// What a publish weighs in an inbox: its content and an allowance for its bookkeeping, in bytes.
    #[must_use]
    pub fn weight(&self) -> usize {
        let words = self.message.verbatim.as_ref().map_or(0, |v| v.bytes.len());
        256 + self.message.payload.bytes.len().max(words)
    }

    /// The wire bytes in `form` under `framing`: from the store, or made by `make` and stored.
    ///
    /// `make` runs at most once per form and framing in the life of the delivery, whatever the number of
    /// shards that ask (they wait for each other). It returns `None` when encoding failed; that is kept too.
    pub fn form(
        &self,
        form: &'static Form,
        framing: Framing,
        make: impl FnOnce(&Message) -> FormBytes,
    ) -> FormBytes {
        let mut forms = self.forms.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(cast) = forms.iter().find(|c| std::ptr::eq(c.form, form) && c.framing == framing) {
            return cast.bytes.clone();
        }
        let bytes = make(&self.message);
        forms.push(Cast { form, framing, bytes: bytes.clone() });
        bytes
    }
}

impl fmt::Debug for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delivery").field("message", &self.message).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{Payload, Position, Publisher};

    static A: Form = Form { name: "a", encode: &|_, _| (), verbatim: None };
    static B: Form = Form { name: "b", encode: &|_, _| (), verbatim: None };

    #[test]
    fn each_form_is_made_once() {
        let session = SessionId { shard: 0, slot: 0, generation: 0 };
        let d = Delivery::new(Message {
            vhost: crate::name::VHostName::root(),
            channel: None,
            event: None,
            payload: Payload::text(Bytes::from_static(b"x")),
            verbatim: None,
            publisher: Publisher { session, name: None, address: None },
            position: Position::default(),
            recoverable: false,
            time_ms: 0,
        });
        let mut made = 0;
        for (form, framing) in [
            (&A, Framing::WebSocket),
            (&B, Framing::WebSocket),
            (&A, Framing::WebSocket),
            (&A, Framing::Chunk),
            (&B, Framing::WebSocket),
            (&A, Framing::Deflated { window_bits: 15 }),
            (&A, Framing::Deflated { window_bits: 9 }),
            (&A, Framing::Deflated { window_bits: 15 }),
        ] {
            d.form(form, framing, |_| {
                made += 1;
                Some(Bytes::new())
            });
        }
        assert_eq!(made, 5);
    }
}
