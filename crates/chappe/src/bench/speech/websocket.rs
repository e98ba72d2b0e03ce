//! A client's WebSocket: the request, its answer, frames. Knows nothing of what the texts say.

use super::head::Head;
use super::{Ear, Member, Speech};
use carrier::websocket::{self, Decoder, Item, Opcode, Role};
use std::io::{self, ErrorKind};
use std::rc::Rc;

/// The key of all masks. Nobody between us could be misled by one that is known.
const KEY: [u8; 4] = [0x5a, 0xc3, 0x96, 0x0f];

/// What is said over a WebSocket.
pub(super) trait Talk {
    /// It is a WebSocket now.
    fn open(&mut self, member: &mut Member, ear: &mut Ear, out: &mut Vec<u8>);

    /// Hears a text, read at `now`. What is to be said goes to `out`, in frames.
    fn hear(
        &mut self,
        text: &str,
        now: u64,
        member: &mut Member,
        ear: &mut Ear,
        out: &mut Vec<u8>,
    ) -> io::Result<()>;
}

/// A WebSocket.
pub(super) struct WebSocket<T> {
    request: Rc<[u8]>,
    talk: T,
    /// Before it is a WebSocket.
    head: Option<Head>,
    decoder: Decoder,
}

impl<T: Talk> WebSocket<T> {
    pub(super) fn new(request: Rc<[u8]>, talk: T) -> Self {
        Self { request, talk, head: Some(Head::default()), decoder: Decoder::new(Role::Client) }
    }

    fn feed(
        &mut self,
        bytes: &mut [u8],
        member: &mut Member,
        ear: &mut Ear,
        out: &mut Vec<u8>,
    ) -> io::Result<()> {
        let now = ear.watch.nanos();
        let mut at = 0;
        loop {
            let item = match self.decoder.next(bytes, &mut at, &ear.limits) {
                Ok(Some(item)) => item,
                Ok(None) => return Ok(()),
                Err(fault) => {
                    let words = format!("the server broke the WebSocket protocol: {}", fault.detail);
                    return Err(ear.complain(words, ErrorKind::InvalidData));
                }
            };
            match item {
                Item::Text(text) => self.talk.hear(text, now, member, ear, out)?,
                Item::Ping(payload) => websocket::masked(out, Opcode::Pong, payload, KEY),
                Item::Close(said) => {
                    let (code, reason) = said.unwrap_or((1005, ""));
                    let words = format!("closed with {code} {reason}");
                    return Err(ear.complain(words, ErrorKind::ConnectionReset));
                }
                Item::Binary(_) | Item::Deflated(..) | Item::Pong(_) => {}
            }
        }
    }
}

impl<T: Talk> Speech for WebSocket<T> {
    fn begin(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.request);
    }

    fn hear(
        &mut self,
        bytes: &mut [u8],
        member: &mut Member,
        ear: &mut Ear,
        out: &mut Vec<u8>,
    ) -> io::Result<()> {
        let Some(head) = &mut self.head else { return self.feed(bytes, member, ear, out) };
        let Some((_, mut rest)) = head.take(bytes, "101", ear)? else { return Ok(()) };
        self.head = None;
        self.talk.open(member, ear, out);
        self.feed(&mut rest, member, ear, out)
    }
}

/// Appends a text as a client's frame.
pub(in crate::bench) fn mask(out: &mut Vec<u8>, text: &[u8]) {
    websocket::masked(out, Opcode::Text, text, KEY);
}
