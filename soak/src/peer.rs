//! One connection of the crowd: what it is there for, what it says when, what it makes of what it hears.
//!
//! Knows its own socket and nothing of the others.

use crate::dice::Dice;
use crate::order::Order;
use crate::tally::Tally;
use crate::words;
use carrier::websocket::{Decoder, Item, Opcode, Role};
use mio::net::TcpStream;
use model::Limits;
use std::collections::HashMap;
use std::io::{self, ErrorKind, Read, Write};
use std::net::Shutdown;

/// What a connection is there for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Part {
    /// Joins rooms, talks, leaves some.
    Talker,
    /// A WebSocket of plain HTTP, which says payloads to one channel.
    Socket,
    /// Publishes and lists by requests, one after the other.
    Poster,
    /// Listens to NDJSON.
    Lines,
    /// Listens to server-sent events.
    Events,
    /// Joins where much is said, and reads nothing.
    Slow,
    /// Says that it will say no more, and listens on.
    HalfClosed,
    /// Says what nobody should.
    Nonsense,
    /// Begins a request and never ends it.
    Dawdler,
    /// Says much, so that there are readers who do not keep up.
    Flooder,
}

/// Of a hundred connections, how many play which part.
const SHARES: [(Part, u64); 9] = [
    (Part::Talker, 38),
    (Part::Socket, 5),
    (Part::Poster, 15),
    (Part::Lines, 12),
    (Part::Events, 12),
    (Part::Slow, 3),
    (Part::HalfClosed, 5),
    (Part::Nonsense, 6),
    (Part::Dawdler, 4),
];

impl Part {
    pub(crate) fn draw(dice: &mut Dice) -> Self {
        let mut left = dice.below(SHARES.iter().map(|s| s.1).sum());
        for (part, share) in SHARES {
            if left < share {
                return part;
            }
            left -= share;
        }
        Self::Talker
    }
}

/// What arrives next.
enum Stage {
    /// The head of an answer, of which this has come.
    Head(Vec<u8>),
    /// So many bytes of an answer's body.
    Body(usize),
    /// Lines without end.
    Stream(Vec<u8>),
    /// Frames.
    Frames(Box<Decoder>),
    /// Nothing that is looked at.
    Anything,
}

/// How a visit goes on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Stay {
    /// It does.
    Here,
    /// The server ended it.
    Ended,
}

/// What all connections share.
pub(crate) struct World {
    pub(crate) dice: Dice,
    pub(crate) tally: Tally,
    /// Milliseconds since the beginning.
    pub(crate) now: u64,
    pub(crate) scratch: Vec<u8>,
    pub(crate) limits: Limits,
}

/// A connection.
pub(crate) struct Peer {
    pub(crate) stream: TcpStream,
    pub(crate) part: Part,
    id: u64,
    stage: Stage,
    /// When it leaves, when it says something next.
    pub(crate) leaves: u64,
    next: u64,
    /// What the kernel has not taken.
    backlog: Vec<u8>,
    order: Order,
    /// How many messages it has said, by channel.
    said: HashMap<String, u64>,
    pub(crate) said_goodbye: bool,
}

impl Peer {
    pub(crate) fn new(stream: TcpStream, part: Part, id: u64, world: &mut World) -> Self {
        let (now, dice) = (world.now, &mut world.dice);
        let life = match part {
            Part::Flooder => 60_000,
            Part::Nonsense | Part::Dawdler => 6_000,
            Part::HalfClosed => 8_000,
            Part::Slow => 15_000 + dice.below(15_000),
            Part::Talker | Part::Socket | Part::Poster | Part::Lines | Part::Events => {
                3_000 + dice.below(30_000)
            }
        };
        let mut peer = Self {
            stream,
            part,
            id,
            stage: Stage::Head(Vec::new()),
            leaves: now + life,
            next: u64::MAX,
            backlog: Vec::new(),
            order: Order::default(),
            said: HashMap::new(),
            said_goodbye: false,
        };
        peer.backlog = peer.first_words(dice);
        peer
    }

    fn first_words(&mut self, dice: &mut Dice) -> Vec<u8> {
        let channel = words::channel(dice);
        match self.part {
            Part::Talker | Part::Slow | Part::Flooder => words::upgrade("/"),
            Part::Socket => words::upgrade(&format!("/c/{channel}")),
            Part::Poster => self.request(dice),
            Part::Lines => words::get(&format!("/c/{channel},{}", words::channel(dice)), ""),
            Part::Events => words::get(&format!("/c/{channel}?envelope=1"), "Accept: text/event-stream\r\n"),
            Part::HalfClosed => match dice.below(3) {
                0 => words::post(&channel, "[0,0]", false),
                1 => words::get(&format!("/c/{channel}"), ""),
                _ => words::upgrade("/"),
            },
            Part::Nonsense => {
                self.stage = Stage::Anything;
                words::nonsense(dice)
            }
            Part::Dawdler => {
                self.stage = Stage::Anything;
                let mut request = words::post(&channel, "[1,2,3]", false);
                let kept = dice.below(u64::try_from(request.len()).unwrap_or(1));
                request.truncate(usize::try_from(kept).unwrap_or(1).max(1));
                request
            }
        }
    }

    /// A request of a poster: nearly always a publish.
    fn request(&mut self, dice: &mut Dice) -> Vec<u8> {
        match dice.below(20) {
            0 => words::get("/c", ""),
            1 => words::get("/c/%zz", ""),
            2 => words::get("/healthz", ""),
            _ => {
                let channel = words::channel(dice);
                let payload = self.payload(&channel, dice.number() % 2000);
                words::post(&channel, &payload, dice.happens(30))
            }
        }
    }

    fn payload(&mut self, channel: &str, size: u64) -> String {
        let number = self.said.entry(channel.to_owned()).or_default();
        *number += 1;
        words::payload(self.id, *number, size)
    }

    /// Does what is due.
    pub(crate) fn act(&mut self, world: &mut World) -> io::Result<()> {
        if world.now < self.next || self.said_goodbye {
            return Ok(());
        }
        let dice = &mut world.dice;
        let pause = if self.part == Part::Flooder { 50 } else { 1_000 + dice.below(4_000) };
        self.next = world.now + pause;
        let bytes = match (self.part, &self.stage) {
            (Part::Poster, Stage::Head(head)) if head.is_empty() => {
                world.tally.published += 1;
                self.request(dice)
            }
            (Part::Talker | Part::Flooder, Stage::Frames(_)) => {
                world.tally.published += 1;
                self.talk(dice)
            }
            (Part::Socket, Stage::Frames(_)) => {
                world.tally.published += 1;
                words::text(&format!("[\"{}\"]", "y".repeat(100)), dice)
            }
            _ => return Ok(()),
        };
        self.send(&bytes)
    }

    fn talk(&mut self, dice: &mut Dice) -> Vec<u8> {
        if self.part == Part::Flooder {
            let payload = self.payload(words::FLOOD, 8 << 10);
            return words::text(&format!("{{\"event\":\"{}\",\"payload\":{payload}}}", words::FLOOD), dice);
        }
        let channel = words::channel(dice);
        match dice.below(40) {
            0..4 => words::text(&format!(r#"{{"event":"subscribe","payload":["{channel}"]}}"#), dice),
            4..7 => words::text(&format!(r#"{{"event":"unsubscribe","payload":["{channel}"]}}"#), dice),
            7 => words::text(r#"{"event":"broadcast","payload":"everybody"}"#, dice),
            8 => words::text("no packet at all", dice),
            roll => {
                let size = dice.number() % 3000;
                let payload = self.payload(&channel, size);
                let packet = format!(r#"{{"event":"{channel}","payload":{payload}}}"#);
                if roll < 12 { words::fragments(&packet, dice) } else { words::text(&packet, dice) }
            }
        }
    }

    /// Sends bytes, after those that wait.
    fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.backlog.extend_from_slice(bytes);
        self.send_more()
    }

    /// Sends what waits, as far as the kernel takes it.
    pub(crate) fn send_more(&mut self) -> io::Result<()> {
        while !self.backlog.is_empty() {
            match self.stream.write(&self.backlog) {
                Ok(n) => drop(self.backlog.drain(..n)),
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::NotConnected) => {
                    return Ok(());
                }
                Err(e) => return Err(e),
            }
        }
        if self.part == Part::HalfClosed && !self.said_goodbye {
            self.said_goodbye = true;
            // It may be gone already, which reading will tell.
            drop(self.stream.shutdown(Shutdown::Write));
        }
        Ok(())
    }

    /// Reads what there is.
    pub(crate) fn read(&mut self, world: &mut World) -> Stay {
        let mut scratch = std::mem::take(&mut world.scratch);
        let stay = loop {
            // Whoever is slow reads no further than the answer that let it in.
            if self.part == Part::Slow && matches!(self.stage, Stage::Frames(_)) {
                break Stay::Here;
            }
            match self.stream.read(&mut scratch) {
                Ok(0) => break Stay::Ended,
                Ok(n) => self.take(scratch.get_mut(..n).unwrap_or_default(), world),
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::NotConnected) => {
                    break Stay::Here;
                }
                Err(_) => break Stay::Ended,
            }
        };
        world.scratch = scratch;
        stay
    }

    fn take(&mut self, mut bytes: &mut [u8], world: &mut World) {
        while !bytes.is_empty() {
            let rest = std::mem::take(&mut bytes);
            match &mut self.stage {
                Stage::Anything => {}
                Stage::Body(left) => {
                    let taken = rest.len().min(*left);
                    let (_, after) = rest.split_at_mut(taken);
                    *left -= taken;
                    bytes = after;
                    if *left == 0 {
                        self.stage = Stage::Head(Vec::new());
                    }
                }
                Stage::Stream(line) => {
                    hear_lines(line, rest, &mut self.order, &mut world.tally);
                }
                Stage::Frames(_) => self.hear_frames(rest, world),
                Stage::Head(head) => {
                    head.extend_from_slice(rest);
                    let Some(end) = head.windows(4).position(|w| w == b"\r\n\r\n") else { return };
                    let mut head = std::mem::take(head);
                    let mut after = head.split_off(end + 4);
                    self.answered(&String::from_utf8_lossy(&head), world);
                    self.take(&mut after, world);
                }
            }
        }
    }

    /// An answer has begun.
    fn answered(&mut self, head: &str, world: &mut World) {
        let status = head.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)).unwrap_or_default();
        let upgrades = matches!(self.part, Part::Talker | Part::Socket | Part::Slow | Part::Flooder);
        let tally = &mut world.tally;
        match status {
            "101" => {
                tally.upgraded += 1;
                self.stage = Stage::Frames(Box::new(Decoder::new(Role::Client)));
                self.next = world.now + world.dice.below(2000);
                return self.join(world);
            }
            "200" | "202" | "204" => tally.answered += 1,
            "503" => tally.refused += 1,
            _ if status.starts_with('4') => tally.refused += 1,
            _ => tally.complain(|| format!("an answer of {status:?}: {head}")),
        }
        if upgrades {
            let part = self.part;
            tally.complain(|| format!("a WebSocket was refused to a {part:?}: {head}"));
        }
        let length = head
            .lines()
            .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
        self.stage = match length {
            Some(0) => Stage::Head(Vec::new()),
            Some(length) => Stage::Body(length),
            None => Stage::Stream(Vec::new()),
        };
        self.next = world.now + world.dice.below(2000);
    }

    fn join(&mut self, world: &mut World) {
        let dice = &mut world.dice;
        let rooms = match self.part {
            Part::Slow => format!("\"{}\"", words::FLOOD),
            Part::Talker => format!("\"{}\",\"{}\"", words::channel(dice), words::channel(dice)),
            Part::Socket
            | Part::Poster
            | Part::Lines
            | Part::Events
            | Part::HalfClosed
            | Part::Nonsense
            | Part::Dawdler
            | Part::Flooder => return,
        };
        let frame = words::text(&format!(r#"{{"event":"subscribe","payload":[{rooms}]}}"#), dice);
        // When it fails, reading tells.
        drop(self.send(&frame));
    }

    fn hear_frames(&mut self, bytes: &mut [u8], world: &mut World) {
        let Stage::Frames(decoder) = &mut self.stage else { return };
        let mut at = 0;
        let mut pongs = Vec::new();
        loop {
            match decoder.next(bytes, &mut at, &world.limits) {
                Ok(Some(Item::Text(text))) => note(self.order.hear(text), text, &mut world.tally),
                Ok(Some(Item::Ping(payload))) => {
                    pongs.extend(words::masked(Opcode::Pong, payload, &mut world.dice));
                }
                Ok(Some(Item::Binary(_) | Item::Deflated(..) | Item::Pong(_) | Item::Close(_))) => {}
                Ok(None) => break,
                Err(fault) => {
                    world.tally.complain(|| format!("the server broke the WebSocket protocol: {fault:?}"));
                    break;
                }
            }
        }
        if !pongs.is_empty() && !self.said_goodbye {
            drop(self.send(&pongs));
        }
    }

    /// Begins to read after all, whatever it may be; somebody who is cut off finds the end behind it.
    pub(crate) fn wake_up(&mut self, world: &mut World) -> Stay {
        self.stage = Stage::Anything;
        self.said_goodbye = true;
        self.read(world)
    }

    /// Says goodbye as its protocol has it. The server ends the connection then.
    pub(crate) fn say_goodbye(&mut self, world: &mut World) {
        if let Stage::Frames(_) = self.stage {
            let close = words::masked(Opcode::Close, &1000_u16.to_be_bytes(), &mut world.dice);
            drop(self.send(&close));
        } else {
            drop(self.stream.shutdown(Shutdown::Write));
        }
        self.said_goodbye = true;
    }
}

fn note(in_order: Option<bool>, text: &str, tally: &mut Tally) {
    match in_order {
        Some(true) => tally.heard += 1,
        Some(false) => tally.complain(|| format!("too late, or twice: {}", text.get(..60).unwrap_or(text))),
        None => {}
    }
}

/// Takes the lines out of a stream; what is no message of ours (framing, signs of life) is passed over.
fn hear_lines(line: &mut Vec<u8>, bytes: &[u8], order: &mut Order, tally: &mut Tally) {
    for part in bytes.split_inclusive(|b| *b == b'\n') {
        line.extend_from_slice(part);
        if part.ends_with(b"\n") {
            let text = String::from_utf8_lossy(line);
            note(order.hear(&text), &text, tally);
            line.clear();
        }
    }
}
