//! A peer's side of the wire: what it says into bytes, and bytes into what it hears.
//!
//! Speaks HTTP/1.1, and WebSocket over it, as a client does, or a device's protocol. Answers pings and closes by itself, as every client
//! does. Does not know sockets, time, or what a line of a play expects.

mod device;

use crate::play::Tongue;
use crate::play::notation::{self, Header, Request, Response, Said};
use carrier::websocket::{self, Decoder, Item, Opcode, Role};
use model::Limits;
use std::collections::VecDeque;

/// A key as the example of RFC 6455 §1.2 has it; the answer to it is checked.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
/// The mask of every frame. Guessing it would gain nobody anything here.
const MASK: [u8; 4] = [0x5a, 0x0f, 0xc3, 0x99];
/// What a client takes in one piece.
const ENOUGH: usize = 64 << 20;

/// What a peer hears.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    /// A message, or a piece of a stream, as a play shows it.
    Frame(String),
    /// The response to a request, or the head of a stream.
    Response(Response),
    /// The server ends the connection, perhaps with a WebSocket close code.
    End(Option<u16>),
}

impl Heard {
    /// As a line shows it that expects `expected`.
    pub(crate) fn shown(&self, expected: &str) -> String {
        match self {
            Self::Frame(words) => words.clone(),
            Self::Response(response) => response.shown(expected),
            Self::End(None) => "(the end of the connection)".to_owned(),
            Self::End(Some(code)) => format!("(a close, code {code})"),
        }
    }
}

#[derive(Debug)]
enum Speech {
    Http,
    /// The body of a response, chunk by chunk.
    Stream,
    WebSocket(Box<Decoder>),
    /// A device's frames.
    Device,
    /// Nothing more is heard or said.
    Over,
}

/// A request that has not been answered.
#[derive(Debug)]
struct Asked {
    head: bool,
    /// Becoming a WebSocket is not worth a line.
    silently: bool,
}

/// One peer's connection.
#[derive(Debug)]
pub(crate) struct Client {
    speech: Speech,
    input: Vec<u8>,
    asked: VecDeque<Asked>,
    heard: VecDeque<Heard>,
    reply: Vec<u8>,
    /// It has an address, and no connection that could end.
    by_datagrams: bool,
}

impl Client {
    pub(crate) fn new(tongue: Tongue) -> Self {
        let speech = match tongue {
            Tongue::Http | Tongue::Rooms => Speech::Http,
            Tongue::Device | Tongue::DeviceUdp => Speech::Device,
        };
        Self {
            speech,
            input: Vec::new(),
            asked: VecDeque::new(),
            heard: VecDeque::new(),
            reply: Vec::new(),
            by_datagrams: tongue == Tongue::DeviceUdp,
        }
    }

    /// The request of a peer that is a WebSocket from the beginning. `by`: path and headers, if any.
    pub(crate) fn enter(&mut self, by: &str) -> Result<Vec<u8>, String> {
        let line = if by.is_empty() { "GET /".to_owned() } else { format!("GET {by}") };
        let mut request = Request::parse(&line).ok_or("this is no way to enter")?;
        request.headers.push(("Upgrade".to_owned(), "websocket".to_owned()));
        Ok(self.ask(&request, true))
    }

    /// The bytes of what a line says.
    pub(crate) fn say(&mut self, words: &str) -> Result<Vec<u8>, String> {
        match self.speech {
            Speech::Http => match Request::parse(words) {
                Some(request) => Ok(self.ask(&request, false)),
                None => {
                    Err("this connection speaks HTTP, and a request is `METHOD /path [Header: value] body`"
                        .into())
                }
            },
            Speech::WebSocket(_) => {
                let said = Said::read(words);
                let opcode = if matches!(said, Said::Text(_)) { Opcode::Text } else { Opcode::Binary };
                let mut out = Vec::new();
                websocket::masked(&mut out, opcode, said.bytes(), MASK);
                Ok(out)
            }
            Speech::Device => device::said(words),
            Speech::Stream => Err("a stream is heard on this connection, and nothing can be said".into()),
            Speech::Over => Err("this connection is over".into()),
        }
    }

    fn ask(&mut self, request: &Request<'_>, silently: bool) -> Vec<u8> {
        self.asked.push_back(Asked { head: request.method == "HEAD", silently });
        let body = Said::read(request.body);
        let mut lines = format!("{} {} HTTP/1.1\r\nHost: localhost\r\n", request.method, request.target);
        for (name, value) in &request.headers {
            lines += &format!("{name}: {value}\r\n");
        }
        if request.asks_for_websocket() {
            lines +=
                &format!("Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n");
        }
        if request.method == "POST" || !body.bytes().is_empty() {
            lines += &format!("Content-Length: {}\r\n", body.bytes().len());
        }
        let mut out = (lines + "\r\n").into_bytes();
        out.extend_from_slice(body.bytes());
        out
    }

    /// Takes what came over the wire.
    pub(crate) fn take(&mut self, bytes: &[u8]) {
        self.input.extend_from_slice(bytes);
        loop {
            let took = match &mut self.speech {
                Speech::Http => self.take_response(),
                Speech::Stream => self.take_chunk(),
                Speech::WebSocket(_) => self.take_messages(),
                Speech::Device => self.take_frame(),
                Speech::Over => false,
            };
            if !took {
                return;
            }
        }
    }

    /// The server has ended the connection.
    pub(crate) fn take_end(&mut self) {
        if !matches!(self.speech, Speech::Over) {
            self.speech = Speech::Over;
            self.heard.push_back(Heard::End(None));
        }
    }

    /// What is to be written without having been asked for.
    pub(crate) fn take_reply(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.reply)
    }

    pub(crate) fn heard(&mut self) -> &mut VecDeque<Heard> {
        &mut self.heard
    }

    /// Whether sessions come and go on it while it lives.
    pub(crate) fn outlives_sessions(&self) -> bool {
        matches!(self.speech, Speech::Http) || self.by_datagrams
    }

    pub(crate) fn is_over(&self) -> bool {
        matches!(self.speech, Speech::Over)
    }

    /// The server has broken the protocol: shown where a frame is expected, which nothing will match.
    fn breach(&mut self, what: &str) -> bool {
        self.heard.push_back(Heard::Frame(format!("(the server broke the protocol: {what})")));
        self.speech = Speech::Over;
        false
    }

    fn take_response(&mut self) -> bool {
        let Some((head, end)) = head(&self.input) else { return false };
        let Some((status, headers)) = head else { return self.breach("this is no response") };
        let is =
            |name: &str| headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str());
        if status == 100 {
            self.input.drain(..end);
            return true;
        }
        let chunked = is("transfer-encoding") == Some("chunked");
        let accepted = is("sec-websocket-accept") == Some(websocket::accept_key(KEY).as_str());
        let length = is("content-length").and_then(|v| v.parse::<usize>().ok());
        let Some(asked) = self.asked.front() else { return self.breach("a response to nothing") };
        let (head, silently) = (asked.head, asked.silently && status == 101);
        let mut response = Response { status, headers, body: String::new() };
        let next = match (status, length) {
            (101, _) if accepted => Speech::WebSocket(Box::new(Decoder::new(Role::Client))),
            (101, _) => return self.breach("a wrong Sec-WebSocket-Accept"),
            _ if chunked && !head => Speech::Stream,
            (204 | 304, _) => Speech::Http,
            _ if head => Speech::Http,
            (_, Some(length)) => {
                let Some(body) = self.input.get(end..end + length) else { return false };
                response.body = notation::piece(body);
                self.input.drain(..length);
                Speech::Http
            }
            (_, None) => return self.breach("a body without a length"),
        };
        self.input.drain(..end);
        self.speech = next;
        self.asked.pop_front();
        if !silently {
            self.heard.push_back(Heard::Response(response));
        }
        true
    }

    /// A chunk is a piece of the stream: the server makes one of each unit.
    fn take_chunk(&mut self) -> bool {
        let Some(line) = self.input.windows(2).position(|w| w == b"\r\n") else { return false };
        let digits = self.input.get(..line).and_then(|l| std::str::from_utf8(l).ok());
        let Some(size) = digits.and_then(|d| usize::from_str_radix(d, 16).ok()) else {
            return self.breach("this is no chunk");
        };
        let (start, end) = (line + 2, line + 2 + size);
        let Some(data) = self.input.get(start..end + 2) else { return false };
        let piece = notation::piece(data.get(..size).unwrap_or_default());
        self.input.drain(..end + 2);
        if size == 0 {
            self.speech = Speech::Http;
        } else {
            self.heard.push_back(Heard::Frame(piece));
        }
        true
    }

    fn take_frame(&mut self) -> bool {
        match device::frame(&self.input) {
            None => false,
            Some(Err(())) => self.breach("this is no frame"),
            Some(Ok((words, length))) => {
                self.input.drain(..length);
                self.heard.push_back(Heard::Frame(words));
                true
            }
        }
    }

    fn take_messages(&mut self) -> bool {
        let Speech::WebSocket(decoder) = &mut self.speech else { return false };
        let limits = Limits { message_bytes: ENOUGH, ..Limits::default() };
        let mut input = std::mem::take(&mut self.input);
        let mut at = 0;
        let mut breach = None;
        let mut over = false;
        loop {
            match decoder.next(&mut input, &mut at, &limits) {
                Ok(Some(Item::Text(text))) => self.heard.push_back(Heard::Frame(notation::line(text))),
                Ok(Some(Item::Binary(bytes))) => self.heard.push_back(Heard::Frame(notation::hex(bytes))),
                Ok(Some(Item::Ping(payload))) => {
                    websocket::masked(&mut self.reply, Opcode::Pong, payload, MASK);
                }
                // Compression is not offered here, so nothing compressed comes.
                Ok(Some(Item::Pong(_) | Item::Deflated(..))) => {}
                Ok(Some(Item::Close(said))) => {
                    let payload = said.map(|(code, _)| code.to_be_bytes());
                    let payload = payload.as_ref().map_or(&[][..], |code| code);
                    websocket::masked(&mut self.reply, Opcode::Close, payload, MASK);
                    self.heard.push_back(Heard::End(said.map(|(code, _)| code)));
                    over = true;
                }
                Ok(None) => break,
                Err(fault) => {
                    breach = Some(fault.detail);
                    break;
                }
            }
        }
        if let Some(detail) = breach {
            return self.breach(detail);
        }
        if over {
            self.speech = Speech::Over;
        }
        false
    }
}

/// The head of a response, if all of it has come, and where it ends; `None` within: it is none.
#[expect(clippy::type_complexity, reason = "taken apart at once by the only caller")]
fn head(input: &[u8]) -> Option<(Option<(u16, Vec<Header>)>, usize)> {
    let end = input.windows(4).position(|w| w == b"\r\n\r\n")?;
    let parse = || {
        let text = std::str::from_utf8(input.get(..end)?).ok()?;
        let mut lines = text.split("\r\n");
        let status = lines.next()?.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok()?;
        let header = |line: &str| line.split_once(": ").map(|(n, v)| (n.to_owned(), v.to_owned()));
        Some((status, lines.map(header).collect::<Option<Vec<_>>>()?))
    };
    Some((parse(), end + 4))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hear(client: &mut Client, bytes: &[u8]) -> Vec<String> {
        // As it would come at worst: byte by byte.
        bytes.iter().for_each(|b| client.take(&[*b]));
        client.heard().drain(..).map(|h| h.shown("200")).collect()
    }

    #[test]
    fn responses_then_a_stream() {
        let mut client = Client::new(Tongue::Http);
        let said = client.say("POST /c/x [X-Event: t] 0xff00").unwrap();
        let expected =
            b"POST /c/x HTTP/1.1\r\nHost: localhost\r\nX-Event: t\r\nContent-Length: 2\r\n\r\n\xff\x00";
        assert_eq!(said, expected);
        let heard = hear(&mut client, b"HTTP/1.1 202 Accepted\r\nContent-Length: 2\r\n\r\n{}");
        assert_eq!(heard, ["202 {}"]);
        client.say("GET /c/x").unwrap();
        let heard = hear(
            &mut client,
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n6\r\na\nb\n\n\n\r\n1\r\n\n\r\n1\r\n\xff\r\n0\r\n\r\n",
        );
        assert_eq!(heard, ["200", "a\\nb", "", "0xff"]);
        client.take_end();
        assert_eq!(client.heard().pop_front(), Some(Heard::End(None)));
        assert!(client.say("GET /").is_err());
    }

    #[test]
    fn a_websocket_answers_by_itself() {
        let mut client = Client::new(Tongue::Http);
        client.enter("/x?y [Origin: http://z]").unwrap();
        let mut bytes = format!(
            "HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: {}\r\n\r\n",
            websocket::accept_key(KEY)
        )
        .into_bytes();
        websocket::frame(&mut bytes, Opcode::Text, b"hi");
        websocket::frame(&mut bytes, Opcode::Ping, b"!");
        websocket::frame(&mut bytes, Opcode::Binary, b"\x01");
        websocket::close(&mut bytes, 1008, "no");
        assert_eq!(hear(&mut client, &bytes), ["hi", "0x01", "(a close, code 1008)"]);
        assert_eq!(client.take_reply().len(), (6 + 1) + (6 + 2));
        client.take_end();
        assert!(client.heard().is_empty());
    }

    #[test]
    fn a_server_that_breaks_the_protocol_is_told_of() {
        let mut client = Client::new(Tongue::Http);
        client.enter("").unwrap();
        let heard = hear(&mut client, b"HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: x\r\n\r\n");
        assert!(heard[0].contains("wrong Sec-WebSocket-Accept"), "{heard:?}");
    }
}
