//! Peers: a WebSocket, a connection of lines, a connection of requests. Each keeps what it has read and not looked at.

use carrier::websocket::{Agreed, Decoder, Inflater, Item, Opcode, Role, masked};
use model::Limits;
use transcript::sim::Peer;

/// What a WebSocket peer heard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    Text(String),
    Binary(Vec<u8>),
    Ping,
    Pong,
    Close(Option<u16>),
}

impl Heard {
    pub(crate) fn text(s: &str) -> Self {
        Self::Text(s.to_owned())
    }
}

/// A frame as a client writes it.
pub(crate) fn frame(opcode: Opcode, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    masked(&mut out, opcode, payload, [1, 2, 3, 4]);
    out
}

/// A text frame as a client writes it.
pub(crate) fn text_frame(text: &str) -> Vec<u8> {
    frame(Opcode::Text, text.as_bytes())
}

/// A text frame as a client writes it that has agreed to compress.
pub(crate) fn deflated_frame(text: &str) -> Vec<u8> {
    deflated_frame_of(text, 0)
}

/// The same, in so many bytes at least: blocks of nothing follow.
pub(crate) fn deflated_frame_of(text: &str, bytes: usize) -> Vec<u8> {
    let mut compress = flate2::Compress::new(flate2::Compression::best(), false);
    let mut out = Vec::with_capacity(text.len() + text.len() / 8 + 64);
    compress.compress_vec(text.as_bytes(), &mut out, flate2::FlushCompress::Sync).unwrap();
    while out.len() < bytes {
        out.extend([0, 0, 0, 0xff, 0xff]);
    }
    let mut raw = frame(Opcode::Text, out.strip_suffix(&[0, 0, 0xff, 0xff]).unwrap());
    raw[0] |= 0x40;
    raw
}

/// The request to become a WebSocket.
pub(crate) fn upgrade(target: &str) -> String {
    upgrade_with(target, "")
}

/// The same, with further header lines.
fn upgrade_with(target: &str, lines: &str) -> String {
    format!(
        "GET {target} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n{lines}\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
}

/// What the head of a response agrees to, in the words of an offer.
fn agreed(head: &[u8]) -> Option<Agreed> {
    let head = std::str::from_utf8(head).unwrap();
    let line = head.lines().find_map(|l| l.strip_prefix("Sec-WebSocket-Extensions: "))?;
    Agreed::to(std::iter::once(line.as_bytes()))
}

pub(crate) struct Ws {
    pub(crate) peer: Peer,
    head: Vec<u8>,
    /// The 101 has come.
    pub(crate) open: bool,
    decoder: Decoder,
    inflater: Box<Inflater>,
    /// Messages that came compressed, and the bytes of all that came.
    pub(crate) deflated: usize,
    pub(crate) bytes: usize,
    heard: Vec<Heard>,
    /// Whether pings are answered.
    pub(crate) answers: bool,
}

impl Ws {
    pub(crate) fn open(peer: Peer, target: &str) -> Self {
        peer.write(upgrade(target).as_bytes());
        Self::on(peer)
    }

    /// The same, offering an extension.
    pub(crate) fn offering(peer: Peer, target: &str, offer: &str) -> Self {
        let line = format!("Sec-WebSocket-Extensions: {offer}\r\n");
        peer.write(upgrade_with(target, &line).as_bytes());
        Self::on(peer)
    }

    fn on(peer: Peer) -> Self {
        Self {
            peer,
            head: Vec::new(),
            open: false,
            decoder: Decoder::new(Role::Client),
            inflater: Box::default(),
            deflated: 0,
            bytes: 0,
            heard: Vec::new(),
            answers: true,
        }
    }

    /// What was agreed to, once the response is there.
    pub(crate) fn agreed(&self) -> Option<Agreed> {
        self.decoder.agreed()
    }

    pub(crate) fn say(&self, text: &str) {
        self.peer.write(&text_frame(text));
    }

    /// Says several things in one read of the server.
    pub(crate) fn say_all<S: AsRef<str>>(&self, texts: impl IntoIterator<Item = S>) {
        let bytes: Vec<u8> = texts.into_iter().flat_map(|t| text_frame(t.as_ref())).collect();
        self.peer.write(&bytes);
    }

    pub(crate) fn close(&self) {
        self.peer.write(&frame(Opcode::Close, &1000_u16.to_be_bytes()));
    }

    /// Reads at most `max` bytes, and keeps what they say.
    pub(crate) fn pull(&mut self, max: usize) {
        let mut bytes = self.peer.read(max);
        if !self.open {
            self.head.append(&mut bytes);
            let Some(end) = self.head.windows(4).position(|w| w == b"\r\n\r\n") else { return };
            if !self.head.starts_with(b"HTTP/1.1 101 ") {
                return;
            }
            self.open = true;
            bytes = self.head.split_off(end + 4);
            self.decoder = Decoder::new(Role::Client).agreeing(agreed(&self.head));
        }
        self.bytes += bytes.len();
        let (mut at, limits) = (0, Limits::default());
        while let Some(item) = self.decoder.next(&mut bytes, &mut at, &limits).expect("a server's frame") {
            self.deflated += usize::from(matches!(item, Item::Deflated(..)));
            let item = self.inflater.open(item, limits.message_bytes).expect("what was deflated");
            self.heard.push(match item {
                Item::Deflated(..) => unreachable!("it was inflated"),
                Item::Text(text) => Heard::Text(text.trim_end().to_owned()),
                Item::Binary(bytes) => Heard::Binary(bytes.to_vec()),
                Item::Ping(payload) => {
                    if self.answers {
                        self.peer.write(&frame(Opcode::Pong, payload));
                    }
                    Heard::Ping
                }
                Item::Pong(_) => Heard::Pong,
                Item::Close(said) => Heard::Close(said.map(|(code, _)| code)),
            });
        }
    }

    /// Everything heard since this was last asked.
    pub(crate) fn heard(&mut self) -> Vec<Heard> {
        self.pull(usize::MAX);
        std::mem::take(&mut self.heard)
    }

    /// Everything that was pulled since this was last asked.
    pub(crate) fn take_heard(&mut self) -> Vec<Heard> {
        std::mem::take(&mut self.heard)
    }

    /// What was heard of that is text.
    pub(crate) fn texts(&mut self) -> Vec<String> {
        let text = |h| if let Heard::Text(t) = h { Some(t) } else { None };
        self.heard().into_iter().filter_map(text).collect()
    }

    /// The code of the close frame, if that is the last thing heard.
    pub(crate) fn closed_with(&mut self) -> Option<u16> {
        match self.heard().last() {
            Some(Heard::Close(code)) => *code,
            _ => None,
        }
    }

    /// What was answered instead of 101.
    pub(crate) fn refusal(&mut self) -> String {
        self.pull(usize::MAX);
        String::from_utf8_lossy(&self.head).into_owned()
    }
}

/// A connection on which lines are spoken.
pub(crate) struct Lines {
    pub(crate) peer: Peer,
    rest: String,
}

impl Lines {
    pub(crate) fn new(peer: Peer) -> Self {
        Self { peer, rest: String::new() }
    }

    pub(crate) fn say(&self, line: &str) {
        self.peer.write(format!("{line}\n").as_bytes());
    }

    pub(crate) fn heard(&mut self) -> Vec<String> {
        self.rest += &String::from_utf8(self.peer.read(usize::MAX)).unwrap();
        let whole = self.rest.rfind('\n').map_or(0, |i| i + 1);
        let lines = self.rest[..whole].lines().map(str::to_owned).collect();
        self.rest.drain(..whole);
        lines
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
    /// Whether the body is all there.
    pub(crate) whole: bool,
}

/// A connection on which requests are made.
pub(crate) struct Http {
    pub(crate) peer: Peer,
    bytes: Vec<u8>,
}

impl Http {
    pub(crate) fn new(peer: Peer) -> Self {
        Self { peer, bytes: Vec::new() }
    }

    pub(crate) fn get(&self, target: &str) {
        self.peer.write(format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n").as_bytes());
    }

    pub(crate) fn post(&self, target: &str, body: &str) {
        let length = body.len();
        let head = format!("POST {target} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n");
        self.peer.write((head + body).as_bytes());
    }

    pub(crate) fn pull(&mut self, max: usize) {
        self.bytes.append(&mut self.peer.read(max));
    }

    /// All that has come, as it came.
    pub(crate) fn take_bytes(&mut self) -> String {
        String::from_utf8_lossy(&std::mem::take(&mut self.bytes)).into_owned()
    }

    /// The whole responses that have come, one after the other. An open-ended one is the last, as far as it came.
    pub(crate) fn responses(&mut self) -> Vec<Response> {
        self.pull(usize::MAX);
        let mut all = Vec::new();
        while let Some((response, taken)) = response(&self.bytes) {
            if response.whole {
                self.bytes.drain(..taken);
                all.push(response);
            } else {
                all.push(response);
                break;
            }
        }
        all
    }

    /// Whether a body of chunks has come to the end of one of them.
    pub(crate) fn is_at_end_of_chunk(&self) -> bool {
        response(&self.bytes).is_some_and(|(_, taken)| taken == self.bytes.len())
    }

    /// The response that is coming, as far as it came.
    pub(crate) fn peek(&self) -> Option<Response> {
        response(&self.bytes).map(|r| r.0)
    }

    /// The one response that has come.
    pub(crate) fn response(&mut self) -> Response {
        let all = self.responses();
        assert_eq!(all.len(), 1, "{all:?}");
        all.into_iter().next().unwrap()
    }

    pub(crate) fn statuses(&mut self) -> Vec<u16> {
        self.responses().iter().map(|r| r.status).collect()
    }
}

fn response(bytes: &[u8]) -> Option<(Response, usize)> {
    let end = bytes.windows(4).position(|w| w == b"\r\n\r\n")? + 4;
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    let status = head.split(' ').nth(1)?.parse().expect("a status line");
    let body = &bytes[end..];
    let length = head.lines().find_map(|l| l.strip_prefix("Content-Length: "));
    let (body, taken, whole) = if let Some(length) = length {
        let length = length.parse().unwrap();
        (body.get(..length)?.to_vec(), end + length, true)
    } else if head.contains("chunked") {
        let (body, taken, whole) = dechunk(body);
        (body, end + taken, whole)
    } else {
        (body.to_vec(), bytes.len(), true)
    };
    let body = String::from_utf8_lossy(&body).into_owned();
    Some((Response { status, head, body, whole }, taken))
}

/// The body of the whole chunks, how many bytes they took, and whether the last chunk was among them.
fn dechunk(bytes: &[u8]) -> (Vec<u8>, usize, bool) {
    let (mut body, mut at) = (Vec::new(), 0);
    while let Some(line) = bytes[at..].windows(2).position(|w| w == b"\r\n") {
        let size = std::str::from_utf8(&bytes[at..at + line]).unwrap();
        let size = usize::from_str_radix(size, 16).expect("the size of a chunk");
        let start = at + line + 2;
        let Some(chunk) = bytes.get(start..start + size + 2) else { break };
        assert!(chunk.ends_with(b"\r\n"), "a chunk ends where it said");
        body.extend_from_slice(&chunk[..size]);
        at = start + size + 2;
        if size == 0 {
            return (body, at, true);
        }
    }
    (body, at, false)
}
