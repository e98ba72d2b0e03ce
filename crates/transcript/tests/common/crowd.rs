//! A crowd in a simulation, and the shadow that it is compared with.
//!
//! Every message carries who published it and the how-manieth of that publisher's in the channel it is: `3.17`. An
//! observer for each channel joins before anybody speaks, reads at once and never leaves: what it heard is the
//! channel's order. Everybody else heard stretches of it, whole, each from a join to a leave.

use super::numbers::Numbers;
use super::peers::{Heard, Http, Ws};
use super::stage::Stage;
use std::collections::BTreeMap;

/// A message: its publisher, and a number that counts that publisher's messages in the channel.
pub(crate) type Id = (usize, u64);

/// The stretches that a member heard of a channel. The last may go on.
#[derive(Debug, Default, Clone)]
pub(crate) struct Stay {
    pub(crate) heard: Vec<Vec<Id>>,
    pub(crate) inside: bool,
}

/// What a client has asked for, on its own connection and hence in order: its own messages that it must hear again,
/// by stay.
#[derive(Debug, Default, Clone)]
struct Asked {
    inside: bool,
    echoes: Vec<Vec<u64>>,
    published: u64,
}

pub(crate) enum Tongue {
    Rooms(Ws),
    /// A stream of lines from one channel, for as long as it lasts.
    Stream(Http, String, usize),
}

pub(crate) struct Client {
    pub(crate) id: usize,
    pub(crate) tongue: Tongue,
    pub(crate) stays: BTreeMap<String, Stay>,
    asked: BTreeMap<String, Asked>,
    /// It is gone without a word.
    pub(crate) gone: bool,
    /// The code with which the server closed it.
    pub(crate) closed: Option<u16>,
    /// Messages that the server said it has missed.
    pub(crate) missed: u64,
    /// What a message is filled up with.
    padding: usize,
}

/// The channel that everybody is in.
pub(crate) const EVERYBODY: &str = "broadcast";

impl Client {
    pub(crate) fn rooms(stage: &Stage, id: usize, padding: usize) -> Self {
        Self::new(id, Tongue::Rooms(Ws::open(stage.connect(), "/")), padding)
    }

    pub(crate) fn stream(stage: &Stage, id: usize, channel: &str) -> Self {
        let http = Http::new(stage.connect());
        http.get(&format!("/c/{channel}"));
        Self::new(id, Tongue::Stream(http, channel.to_owned(), 0), 0)
    }

    fn new(id: usize, tongue: Tongue, padding: usize) -> Self {
        let (stays, asked) = (BTreeMap::new(), BTreeMap::new());
        Self { id, tongue, stays, asked, gone: false, closed: None, missed: 0, padding }
    }

    fn ws(&mut self) -> Option<&mut Ws> {
        match &mut self.tongue {
            Tongue::Rooms(ws) => Some(ws),
            Tongue::Stream(..) => None,
        }
    }

    pub(crate) fn peer(&self) -> &transcript::sim::Peer {
        match &self.tongue {
            Tongue::Rooms(ws) => &ws.peer,
            Tongue::Stream(http, ..) => &http.peer,
        }
    }

    pub(crate) fn speaks_rooms(&self) -> bool {
        matches!(self.tongue, Tongue::Rooms(_))
    }

    pub(crate) fn join(&mut self, channel: &str) -> String {
        let asked = self.asked.entry(channel.to_owned()).or_default();
        if !std::mem::replace(&mut asked.inside, true) {
            asked.echoes.push(Vec::new());
        }
        format!(r#"{{"event":"subscribe","payload":["{channel}"]}}"#)
    }

    pub(crate) fn leave(&mut self, channel: &str) -> String {
        self.asked.entry(channel.to_owned()).or_default().inside = false;
        format!(r#"{{"event":"unsubscribe","payload":["{channel}"]}}"#)
    }

    pub(crate) fn publish(&mut self, channel: &str) -> String {
        let asked = self.asked.entry(channel.to_owned()).or_default();
        asked.published += 1;
        let n = asked.published;
        if asked.inside || channel == EVERYBODY {
            if asked.echoes.is_empty() {
                asked.echoes.push(Vec::new());
            }
            asked.echoes.last_mut().unwrap().push(n);
        }
        let (id, padding) = (self.id, "x".repeat(self.padding));
        format!(r#"{{"event":"{channel}","payload":"{id}.{n}.{padding}"}}"#)
    }

    /// Says these, all in one piece.
    pub(crate) fn say(&mut self, words: &[String]) {
        if !self.gone
            && self.closed.is_none()
            && let Some(ws) = self.ws()
        {
            ws.say_all(words);
        }
    }

    /// Reads at most so many bytes, and notes what they say.
    pub(crate) fn read(&mut self, max: usize) {
        if self.gone {
            return;
        }
        match &mut self.tongue {
            Tongue::Rooms(ws) => {
                ws.pull(max);
                if !ws.open {
                    return;
                }
                for heard in ws.take_heard() {
                    self.note(&heard);
                }
            }
            Tongue::Stream(http, channel, seen) => {
                http.pull(max);
                let Some(response) = http.peek() else { return };
                assert_eq!(response.status, 200);
                let stay = self.stays.entry(channel.clone()).or_default();
                if stay.heard.is_empty() {
                    stay.heard.push(Vec::new());
                    stay.inside = true;
                }
                let whole = response.body.rfind('\n').map_or(0, |i| i + 1);
                for line in response.body[..whole].lines().skip(*seen) {
                    *seen += 1;
                    if line.contains(&format!(r#""channel":"{channel}""#)) {
                        stay.heard.last_mut().unwrap().push(payload(line));
                    }
                }
            }
        }
    }

    fn note(&mut self, heard: &Heard) {
        let text = match heard {
            Heard::Text(text) => text,
            Heard::Close(code) => {
                self.closed = Some(code.unwrap_or(0));
                return;
            }
            Heard::Ping | Heard::Pong | Heard::Binary(_) => return,
        };
        let told = |what: &str| text.strip_prefix(&format!(r#"{{"msg":"{what}"#))?.strip_suffix(r#""}"#);
        if let Some(channel) = told("Subscribed to ") {
            let stay = self.stays.entry(channel.to_owned()).or_default();
            if !std::mem::replace(&mut stay.inside, true) {
                stay.heard.push(Vec::new());
            }
        } else if let Some(channel) = told("Unsubscribed to ") {
            self.stays.entry(channel.to_owned()).or_default().inside = false;
        } else if let Some(n) = told("Missed ") {
            self.missed += n.strip_suffix(" messages").unwrap().parse::<u64>().unwrap();
        } else if text.starts_with(r#"{"msg""#) {
            assert!(text.contains("MCP"), "nothing is refused: {text}");
            let stay = self.stays.entry(EVERYBODY.to_owned()).or_default();
            (stay.inside, stay.heard) = (true, vec![Vec::new()]);
        } else {
            let channel = text.split('"').nth(3).expect("an event");
            let id = payload(text);
            let stay = self.stays.entry(channel.to_owned()).or_default();
            assert!(stay.inside, "client {} heard {text} outside of its stay", self.id);
            stay.heard.last_mut().unwrap().push(id);
        }
    }

    /// What it published to the channel.
    pub(crate) fn published(&self, channel: &str) -> u64 {
        self.asked.get(channel).map_or(0, |a| a.published)
    }

    /// Its own messages, by stay, as it must have heard them when everything has been read.
    pub(crate) fn check_echoes(&self) {
        for (channel, asked) in &self.asked {
            let none = Stay::default();
            let stay = self.stays.get(channel).unwrap_or(&none);
            assert_eq!(stay.inside, asked.inside || channel == EVERYBODY, "client {} in {channel}", self.id);
            let own = |ids: &Vec<Id>| ids.iter().filter(|i| i.0 == self.id).map(|i| i.1).collect::<Vec<_>>();
            let heard: Vec<Vec<u64>> = stay.heard.iter().map(own).collect();
            if channel == EVERYBODY && asked.echoes.is_empty() {
                continue;
            }
            assert_eq!(heard, asked.echoes, "client {} hears itself in {channel}, by stay", self.id);
        }
    }

    /// Every stay is a stretch of the channel's order; one that goes on reaches to its end, unless it was cut short.
    pub(crate) fn check_stays(&self, order: &BTreeMap<String, Vec<Id>>) {
        for (channel, stay) in &self.stays {
            let order = &order[channel];
            let mut from = 0;
            for (n, ids) in stay.heard.iter().enumerate() {
                let Some(first) = ids.first() else { continue };
                let at = order.iter().skip(from).position(|i| i == first);
                let at = at.map(|a| a + from);
                let at = at
                    .unwrap_or_else(|| panic!("client {}: {first:?} of {channel} is out of order", self.id));
                from = at + ids.len();
                let expected = order.get(at..from);
                assert_eq!(
                    Some(&ids[..]),
                    expected,
                    "client {} in {channel}: lost, doubled or swapped",
                    self.id
                );
                let goes_on = stay.inside && n + 1 == stay.heard.len();
                if goes_on && !self.gone && self.closed.is_none() {
                    assert_eq!(from, order.len(), "client {} has not heard the end of {channel}", self.id);
                }
            }
        }
    }
}

/// The id in a payload `"3.17.xxx"`.
fn payload(line: &str) -> Id {
    let (_, rest) = line.split_once(r#""payload":""#).unwrap_or_else(|| panic!("a payload in {line}"));
    let mut parts = rest.split('.');
    let mut number = || parts.next().unwrap().parse::<u64>().unwrap();
    (usize::try_from(number()).unwrap(), number())
}

/// A client of the crowd: sometimes a slow one, with little room and small pieces.
pub(crate) fn some_client(stage: &Stage, numbers: &mut Numbers, id: usize) -> Client {
    let client = if numbers.once_in(4) {
        let channel = numbers.one_of(&CHANNELS);
        Client::stream(stage, id, channel)
    } else {
        Client::rooms(stage, id, numbers.one_of(&[0, 0, 10, 300, 3000]))
    };
    if numbers.once_in(3) {
        client.peer().set_room(numbers.one_of(&[1, 7, 100, 1000]));
    }
    if numbers.once_in(3) {
        client.peer().set_piece(numbers.one_of(&[1, 5, 64, 1500]));
    }
    client
}

pub(crate) const CHANNELS: [&str; 3] = ["a", "b", "c"];
