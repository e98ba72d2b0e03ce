//! Packets into text: what stands before the data, and the packets of a server that have one shape. Knows no sessions.

use super::{Kind, Packet};
use crate::wire::engine::Revision;
use dialect::json;
use std::io::Write;

/// What stands before the data.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Head<'a> {
    /// What the packet is for.
    pub kind: Kind,
    /// How many attachments follow. Written with a binary kind only.
    pub attachments: usize,
    /// The namespace; `/` is not written.
    pub namespace: &'a str,
    /// The id of an acknowledgement.
    pub ack: Option<u64>,
}

impl<'a> Head<'a> {
    /// Of an event: a binary one if there are attachments. With an id, it asks for an answer.
    #[must_use]
    pub fn event(namespace: &'a str, ack: Option<u64>, attachments: usize) -> Self {
        Self { kind: Kind::Event.with(attachments), attachments, namespace, ack }
    }

    /// Of the answer to an event: a binary one if there are attachments.
    #[must_use]
    pub fn ack(namespace: &'a str, id: u64, attachments: usize) -> Self {
        Self { kind: Kind::Ack.with(attachments), attachments, namespace, ack: Some(id) }
    }

    /// That a client is connected.
    #[must_use]
    pub fn connect(namespace: &'a str) -> Self {
        Self { kind: Kind::Connect, attachments: 0, namespace, ack: None }
    }

    /// That it is not.
    #[must_use]
    pub fn connect_error(namespace: &'a str) -> Self {
        Self { kind: Kind::ConnectError, attachments: 0, namespace, ack: None }
    }

    /// Of a DISCONNECT, which is nothing else.
    #[must_use]
    pub fn disconnect(namespace: &'a str) -> Self {
        Self { kind: Kind::Disconnect, attachments: 0, namespace, ack: None }
    }

    /// The packet with its data, JSON text, or nothing.
    #[must_use]
    pub fn with<'b>(&self, data: &'b str) -> Packet<'b>
    where
        'a: 'b,
    {
        Packet {
            kind: self.kind,
            // Limits count attachments in a byte.
            attachments: u8::try_from(self.attachments).unwrap_or(u8::MAX),
            namespace: self.namespace,
            query: None,
            ack: self.ack,
            data: Some(data).filter(|data| !data.is_empty()),
        }
    }

    /// Writes it. The packet's data, JSON text, is to follow.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.push(self.kind.digit());
        if self.kind.is_binary() {
            number(self.attachments as u64, out);
            out.push(b'-');
        }
        if self.namespace != "/" {
            out.extend_from_slice(self.namespace.as_bytes());
            out.push(b',');
        }
        if let Some(id) = self.ack {
            number(id, out);
        }
    }
}

impl Packet<'_> {
    /// Writes it as it would have come.
    pub fn write(&self, out: &mut Vec<u8>) {
        let whole = self.query.map(|query| format!("{}?{query}", self.namespace));
        let namespace = whole.as_deref().unwrap_or(self.namespace);
        Head { kind: self.kind, attachments: usize::from(self.attachments), namespace, ack: self.ack }
            .write(out);
        out.extend_from_slice(self.data.unwrap_or_default().as_bytes());
    }
}

fn number(n: u64, out: &mut Vec<u8>) {
    // INVARIANT: writing to a Vec cannot fail.
    let _infallible = write!(out, "{n}").is_ok();
}

/// Writes what a client that is connected is told. Revision 4 tells it its id, and by which secret it may recover;
/// revision 3 tells neither.
pub fn connected(revision: Revision, sid: &str, pid: Option<&str>, out: &mut Vec<u8>) {
    match revision {
        Revision::Three => {}
        Revision::Four => {
            out.extend_from_slice(b"{\"sid\":");
            json::string(sid, out);
            if let Some(pid) = pid {
                out.extend_from_slice(b",\"pid\":");
                json::string(pid, out);
            }
            out.push(b'}');
        }
    }
}

/// How a CONNECT_ERROR says why.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Style {
    /// `{"message":…}`, with `"data"` if there is some: revision 4, and the reference's unknown namespaces in both.
    Object,
    /// The data alone, or the message as a string without data: revision 3.
    Bare,
}

impl Style {
    /// As clients of this revision are told what an application has to say.
    #[must_use]
    pub fn of(revision: Revision) -> Self {
        match revision {
            Revision::Three => Self::Bare,
            Revision::Four => Self::Object,
        }
    }
}

/// Writes why a client is not connected. `data`: JSON text, what the application adds.
pub fn connect_error(style: Style, message: &str, data: Option<&str>, out: &mut Vec<u8>) {
    match (style, data) {
        (Style::Object, data) => {
            out.extend_from_slice(b"{\"message\":");
            json::string(message, out);
            if let Some(data) = data {
                out.extend_from_slice(b",\"data\":");
                out.extend_from_slice(data.as_bytes());
            }
            out.push(b'}');
        }
        (Style::Bare, Some(data)) => out.extend_from_slice(data.as_bytes()),
        (Style::Bare, None) => json::string(message, out),
    }
}
