//! A made-up dialect that does what its peer says, effect by effect, and tells its peer every event in words. It
//! speaks lines over TCP, text over WebSocket, datagrams, and requests whose query says what to do.
//!
//! A script is a list of orders between `;` (`|` within the orders of another: a spawned session, a timer, a bomb).

use super::stage::Stage;
use dialect::{Conversation, Dialect, Event, Frame, HookPlan, Opening, Request, Response, Turn};
use model::{
    CloseReason, Draft, Form, Grant, Mark, Message, Parts, Payload, Principal, PrincipalId, Refusal,
    SessionId, Ticket, Time, Unit, VHostName,
};
use node::{Authority, Reply, Shown, Verdict};
use std::collections::HashMap;
use std::fmt::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use transcript::house::{Blueprint, everybody};

/// Where the addresses of an authority begin.
const THEIRS: u64 = 1 << 32;

/// What a puppet throws.
const BOMB: &str = "a bomb went off, as it should";

pub(crate) struct Puppets;

impl Dialect for Puppets {
    fn name(&self) -> &'static str {
        "puppet"
    }

    fn claims(&self, request: &Request<'_>) -> bool {
        assert!(request.parameter("bomb").as_deref() != Some("claims"), "{BOMB}");
        request.path.starts_with("/puppet")
    }

    fn converse(&self, opening: &Opening) -> Box<dyn Conversation> {
        Box::new(Puppet::new(opening.session))
    }

    fn paste_line(&self, address: &str) -> String {
        address.to_owned()
    }
}

/// A dialect whose conversations never begin.
pub(crate) struct Stillborn;

impl Dialect for Stillborn {
    fn name(&self) -> &'static str {
        "stillborn"
    }

    fn claims(&self, request: &Request<'_>) -> bool {
        request.path == "/stillborn"
    }

    fn converse(&self, _: &Opening) -> Box<dyn Conversation> {
        panic!("{BOMB}")
    }

    fn paste_line(&self, address: &str) -> String {
        address.to_owned()
    }
}

/// `tea@3 words`.
pub(crate) static LINE: Form = Form { name: "puppet line", encode: &encode_line, verbatim: None };
/// The place as text, the words as bytes.
pub(crate) static PARTS: Form = Form { name: "puppet parts", encode: &encode_parts, verbatim: None };
/// As [`LINE`], but cannot write `boom`.
pub(crate) static BRITTLE: Form = Form { name: "puppet brittle", encode: &encode_brittle, verbatim: None };

fn place(m: &Message) -> String {
    match m.vhost.as_str() {
        "/" => spot(m),
        vhost => format!("{vhost} {}", spot(m)),
    }
}

fn spot(m: &Message) -> String {
    format!("{}@{}", m.channel.as_ref().map_or("*", |c| c.as_str()), m.position.offset)
}

fn words(m: &Message) -> String {
    String::from_utf8_lossy(&m.payload.bytes).into_owned()
}

fn encode_line(m: &Message, parts: &mut Parts) {
    parts.add(Unit::Text, |out| out.extend_from_slice(format!("{} {}\n", place(m), words(m)).as_bytes()));
}

fn encode_parts(m: &Message, parts: &mut Parts) {
    parts.add(Unit::Text, |out| out.extend_from_slice(place(m).as_bytes()));
    parts.add(Unit::Binary, |out| out.extend_from_slice(&m.payload.bytes));
}

fn encode_brittle(m: &Message, parts: &mut Parts) {
    parts.add(Unit::Text, |out| out.extend_from_slice(b"half "));
    assert!(!words(m).contains("boom"), "{BOMB}");
    encode_line(m, parts);
}

struct Puppet {
    id: SessionId,
    /// It has been told a frame.
    begun: bool,
    /// A line that is not all there.
    line: String,
    timers: Vec<(Time, String)>,
    /// By callback: what is done before it panics.
    bombs: HashMap<String, String>,
    /// The next thing to report is the answer to a request.
    answers: bool,
    /// What to do once it acts for somebody: what followed the order to authenticate.
    admitted: String,
    /// What to do once its hook is open: what followed the order to open one.
    hooked: String,
    /// What to do when a session does not exist.
    otherwise: String,
    /// Where what is heard is published again.
    relay: Option<String>,
    last_words: Option<String>,
    /// Until where it has everything.
    mark: Mark,
    /// The session that does not exist.
    missing: Option<String>,
    /// Nobody is answered who says no more.
    leaves: bool,
    tickets: u64,
}

impl Puppet {
    fn new(id: SessionId) -> Self {
        Self {
            id,
            begun: false,
            line: String::new(),
            timers: Vec::new(),
            bombs: HashMap::new(),
            answers: false,
            admitted: String::new(),
            hooked: String::new(),
            otherwise: String::new(),
            relay: None,
            last_words: None,
            mark: Mark::default(),
            missing: None,
            leaves: false,
            tickets: 0,
        }
    }

    fn ticket(&mut self) -> Ticket {
        self.tickets += 1;
        Ticket(self.tickets)
    }

    fn perform(&mut self, script: &str, turn: &mut Turn) {
        let mut rest = script;
        while !rest.is_empty() {
            let (order, after) = rest.split_once(';').unwrap_or((rest, ""));
            self.obey(order, turn);
            if order.starts_with("auth") {
                after.clone_into(&mut self.admitted);
                return;
            }
            if order.starts_with("hook ") {
                after.clone_into(&mut self.hooked);
                return;
            }
            rest = after;
        }
    }

    fn obey(&mut self, order: &str, turn: &mut Turn) {
        let (verb, rest) = order.split_once(' ').unwrap_or((order, ""));
        let ticket = self.ticket();
        let inner = || rest.replace('|', ";");
        match verb {
            "auth" => turn.authenticate(ticket, (!rest.is_empty()).then_some(rest)),
            "join" => turn.join(ticket, rest, None),
            "leave" => turn.leave(ticket, rest),
            "publish" | "tell" | "noecho" | "inside" | "direct" | "whisper" | "broadcast" => {
                self.publish(verb, rest, ticket, turn);
            }
            "hear" => match rest {
                "" => turn.hear(&LINE),
                "parts" => turn.hear(&PARTS),
                "brittle" => turn.hear(&BRITTLE),
                _ => turn.hear_events(),
            },
            "enrol" | "act" | "retire" | "withdraw" | "check" => enrolments(verb, rest, ticket, turn),
            "hook" => {
                turn.open_hook(ticket, HookPlan::new(rest, "text/plain").with("X-Server-Name", "Puppet"));
            }
            "post" => turn.post(|out| out.extend_from_slice(rest.as_bytes())),
            "branch" => turn.branch_into(ticket, rest),
            "in" => {
                let (branch, order) = rest.split_once(' ').unwrap();
                turn.within(Some(session_id(branch)), |turn| self.obey(order, turn));
            }
            "part" => turn.part(),
            "list" => turn.channels(ticket, 0),
            "hold" => turn.hold(),
            "resume" => turn.resume(),
            "outlive" => turn.outlive_links(rest.is_empty()),
            "spawn" => {
                let mut child = Self::new(self.id);
                (child.begun, child.timers) = (true, vec![(Time(0), inner())]);
                if rest == "bomb drop" {
                    child.bombs.insert("drop".into(), String::new());
                }
                turn.spawn(ticket, Box::new(child));
            }
            "after" => {
                let inner = inner();
                let (ms, script) = inner.split_once(' ').unwrap();
                let at = Time(turn.now.time.0 + ms.parse::<u64>().unwrap());
                self.timers.push((at, script.to_owned()));
            }
            "bomb" => {
                let inner = inner();
                let (callback, script) = inner.split_once(' ').unwrap_or((&inner, ""));
                self.bombs.insert(callback.to_owned(), script.to_owned());
            }
            "handover" | "bounce" => self.hand_over(verb, rest, turn),
            "keep" => turn.recoverable(Some(Duration::from_millis(rest.parse().unwrap()))),
            "mark" => self.mark = turn.mark,
            "recover" => turn.recover(ticket, None, self.mark),
            "who" => turn.text(|out| out.extend_from_slice(format!("i am {}\n", self.id).as_bytes())),
            "say" => turn.text(|out| out.extend_from_slice(format!("{rest}\n").as_bytes())),
            "binary" => turn.binary(|out| out.extend_from_slice(rest.as_bytes())),
            "respond" => {
                turn.respond(Response::new(200, "text/plain"), |o| o.extend_from_slice(rest.as_bytes()));
            }
            "answer" => self.answers = true,
            "stream" => turn.stream(Response::new(200, "text/plain")),
            "accept" => turn.accept_websocket(None),
            "relay" => self.relay = Some(rest.to_owned()),
            "lastly" => self.last_words = Some(rest.to_owned()),
            "leave-with-it" => self.leaves = true,
            "close" => turn.close(CloseReason::Done),
            "panic" => panic!("{BOMB}"),
            other => panic!("no puppet knows how to {other}"),
        }
    }

    fn hand_over(&self, verb: &str, to: &str, turn: &mut Turn) {
        if verb == "bounce" {
            let other = to.split(' ').map(session_id).find(|to| *to != self.id);
            turn.hand_over(other.unwrap());
        } else if self.missing.as_deref() == Some(to) {
            turn.text(|out| out.extend_from_slice(b"nowhere\n"));
        } else if session_id(to) == self.id {
            turn.text(|out| out.extend_from_slice(b"taken\n"));
        } else {
            turn.hand_over(session_id(to));
        }
    }

    fn publish(&mut self, verb: &str, rest: &str, ticket: Ticket, turn: &mut Turn) {
        let draft = |words: &str| Draft::new(Payload::text(words.to_owned().into()));
        if verb == "broadcast" {
            return turn.broadcast(None, draft(rest));
        }
        let (channel, words) = rest.split_once(' ').unwrap();
        match verb {
            "tell" => turn.publish(Some(ticket), channel, draft(words)),
            "noecho" => turn.publish(None, channel, Draft { echo: false, ..draft(words) }),
            "inside" => turn.publish(Some(ticket), channel, Draft { joined_only: true, ..draft(words) }),
            "whisper" => {
                let (name, words) = words.split_once(' ').unwrap();
                turn.tell(Some(ticket), session_id(channel), name, draft(words));
            }
            "direct" => {
                let (receivers, words) = words.split_once(' ').unwrap();
                let inside = words.starts_with("inside");
                turn.direct(
                    ticket,
                    channel,
                    addresses(receivers),
                    Draft { joined_only: inside, ..draft(words) },
                );
            }
            _ => turn.publish(None, channel, draft(words)),
        }
    }

    /// Says it in a channel, where somebody may hear it who cannot be told.
    fn relay_on(&self, what: &str, turn: &mut Turn) {
        if let Some(channel) = &self.relay {
            turn.publish(None, channel, Draft::new(Payload::text(what.to_owned().into())));
        }
    }

    fn report(&mut self, what: &str, turn: &mut Turn) {
        let what = turn.branch.map_or_else(|| what.to_owned(), |branch| format!("in {branch}: {what}"));
        if std::mem::take(&mut self.answers) {
            turn.respond(Response::new(200, "text/plain"), |out| out.extend_from_slice(what.as_bytes()));
        } else {
            turn.text(|out| out.extend_from_slice(format!("{what}\n").as_bytes()));
        }
    }

    fn explode(&mut self, callback: &str, turn: &mut Turn) {
        if let Some(script) = self.bombs.remove(callback) {
            self.perform(&script, turn);
            panic!("{BOMB}");
        }
    }
}

/// `enrol 60000` is forgotten after a minute without a session, `act #5 token` shows a token, `check tea #5,1` asks
/// about two.
fn enrolments(verb: &str, rest: &str, ticket: Ticket, turn: &mut Turn) {
    match verb {
        "enrol" => {
            let grants = ["READ **", "WRITE **"].map(|g| Grant::parse(g).unwrap()).to_vec();
            let role = Principal::named("puppet-", grants).role;
            turn.enrol(ticket, role, Duration::from_millis(rest.parse().unwrap()));
        }
        "act" => {
            let (who, token) = rest.split_once(' ').map_or((rest, None), |(who, token)| (who, Some(token)));
            turn.act_as(ticket, address(who), token);
        }
        "retire" => turn.retire(ticket),
        "withdraw" => turn.withdraw(ticket, rest),
        _ => {
            let (channel, who) = rest.split_once(' ').map_or((rest, Vec::new()), |(c, w)| (c, addresses(w)));
            turn.check(ticket, channel, who);
        }
    }
}

/// `#5` is enrolled under 5, `5` is whom the authority calls that.
fn address(text: &str) -> PrincipalId {
    match text.strip_prefix('#') {
        Some(enrolled) => PrincipalId::new(enrolled.parse().unwrap()).unwrap(),
        None => PrincipalId::new(THEIRS + text.parse::<u64>().unwrap()).unwrap(),
    }
}

fn addresses(text: &str) -> Vec<PrincipalId> {
    text.split(',').map(address).collect()
}

fn session_id(text: &str) -> SessionId {
    let mut parts = text.split('-').map(|p| p.parse::<u32>().unwrap());
    let shard = u16::try_from(parts.next().unwrap()).unwrap();
    SessionId { shard, slot: parts.next().unwrap(), generation: parts.next().unwrap() }
}

impl Conversation for Puppet {
    fn on_frame(&mut self, frame: Frame<'_>, turn: &mut Turn) {
        match frame {
            Frame::Request(r) => {
                let parameter = |name| r.parameter(name).unwrap_or_default().into_owned();
                let script = parameter(if self.begun { "then" } else { "do" });
                self.otherwise = parameter("else");
                self.perform(&script, turn);
            }
            Frame::Text(text) => self.perform(text, turn),
            Frame::Stream(bytes) => {
                self.line += std::str::from_utf8(bytes).unwrap();
                while let Some((line, rest)) = self.line.split_once('\n') {
                    let (line, rest) = (line.to_owned(), rest.to_owned());
                    self.line = rest;
                    self.perform(&line, turn);
                }
            }
            Frame::Datagram(bytes) => self.perform(std::str::from_utf8(bytes).unwrap(), turn),
            Frame::Binary(_) | Frame::Multipart(_) => {}
        }
        self.begun = true;
        // Not by the frame that arms it.
        if self.bombs.get("frame").is_some_and(|s| s != "armed") {
            self.bombs.insert("frame".into(), "armed".into());
        } else if self.bombs.contains_key("frame") {
            panic!("{BOMB}");
        }
    }

    fn on_event(&mut self, event: Event<'_>, turn: &mut Turn) {
        self.explode("event", turn);
        let told = match event {
            Event::Authenticated { principal, .. } => {
                let name = principal.name().map_or("you".into(), |name| name.to_string());
                let hello = format!("hello {name}");
                let script = std::mem::take(&mut self.admitted);
                if script.starts_with("answer") {
                    self.answers = true;
                }
                self.report(&hello, turn);
                return self.perform(script.trim_start_matches("answer"), turn);
            }
            Event::Joined { channel, position, .. } => format!("joined {channel}@{}", position.offset),
            Event::Left { ticket: Ticket(0), channel } => format!("withdrawn from {channel}"),
            Event::Left { channel, .. } => format!("left {channel}"),
            Event::Enrolled { principal, token, .. } => {
                let address = principal.address.unwrap();
                format!("enrolled #{address} {token} {}", principal.name().unwrap())
            }
            Event::Retired { .. } => "retired".to_owned(),
            Event::Checked { .. } => "checked".to_owned(),
            Event::Published { members, .. } => format!("published {members}"),
            Event::Channels { page, .. } => page.iter().fold("channels".to_owned(), |mut all, c| {
                write!(all, " {}={}", c.channel, c.members).unwrap();
                all
            }),
            Event::Spawned { session, .. } => format!("spawned {session}"),
            Event::Branched { session, .. } => format!("branched {session}"),
            Event::Parted { reason } => format!("parted {reason:?}"),
            Event::Refused { refusal, .. } => {
                if self.relay.is_some() {
                    return self.relay_on(&format!("refused: {refusal}"), turn);
                }
                format!("refused {refusal:?}")
            }
            Event::Deliver(d) => {
                self.relay_on(&format!("heard {}", words(&d.message)), turn);
                format!("event {} {}", place(&d.message), words(&d.message))
            }
            Event::HookOpened { .. } => {
                self.relay_on("hooked", turn);
                let script = std::mem::take(&mut self.hooked);
                return self.perform(&script, turn);
            }
            Event::HookClosed { why } => return self.relay_on(&format!("hook closed: {why:?}"), turn),
            Event::Gap { missed } => format!("gap {missed}"),
            Event::LinkLost(_) => "link lost".to_owned(),
            Event::Recovered { missed, .. } => match missed {
                None => "not all is there".to_owned(),
                Some(missed) => missed.iter().fold("missed".to_owned(), |mut all, d| {
                    write!(all, " {} {}", place(&d.message), words(&d.message)).unwrap();
                    all
                }),
            },
            Event::NoSuchSession(id) => {
                self.missing = Some(id.to_string());
                let script = std::mem::take(&mut self.otherwise);
                if !script.is_empty() {
                    return self.perform(&script, turn);
                }
                format!("no session {id}")
            }
        };
        self.report(&told, turn);
    }

    fn on_tick(&mut self, turn: &mut Turn) {
        self.explode("tick", turn);
        let now = turn.now.time;
        let (due, later) = std::mem::take(&mut self.timers).into_iter().partition(|t| t.0 <= now);
        self.timers = later;
        let due: Vec<(Time, String)> = due;
        due.iter().for_each(|(_, script)| self.perform(script, turn));
    }

    fn wake_at(&self) -> Option<Time> {
        assert!(!self.bombs.contains_key("wake"), "{BOMB}");
        self.timers.iter().map(|t| t.0).min()
    }

    fn takes_end_for_gone(&self) -> bool {
        assert!(!self.bombs.contains_key("end"), "{BOMB}");
        self.leaves
    }

    fn on_close(&mut self, reason: CloseReason, turn: &mut Turn) {
        self.explode("close", turn);
        if let Some(words) = self.last_words.take() {
            turn.text(|out| out.extend_from_slice(format!("{words} {reason:?}\n").as_bytes()));
        }
    }
}

impl Drop for Puppet {
    fn drop(&mut self) {
        assert!(!self.bombs.contains_key("drop"), "{BOMB}");
    }
}

/// Keeps the expected panics out of the tests' output.
pub(crate) fn hush() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let is_bomb = info.payload_as_str().is_some_and(|s| s.contains(BOMB));
            if !is_bomb {
                before(info);
            }
        }));
    });
}

/// `ann:7` is Ann, who can be addressed as 7; `later` is answered when the test gets round to it; `nobody` is
/// refused; who shows nothing may do everything.
#[derive(Clone, Default)]
pub(crate) struct Names {
    pub(crate) replies: Arc<Mutex<Vec<Reply>>>,
    /// Who may not stay any more.
    pub(crate) fallen: Arc<Mutex<Vec<Arc<Principal>>>>,
}

impl Names {
    /// The oldest question that was not answered.
    pub(crate) fn reply(&self) -> Reply {
        self.replies.lock().unwrap().remove(0)
    }
}

/// Somebody with a name and an address.
pub(crate) fn named(name: &str, address: u64) -> Arc<Principal> {
    let grants = ["READ **", "WRITE **"].map(|g| Grant::parse(g).unwrap()).to_vec();
    Arc::new(Principal { address: PrincipalId::new(THEIRS + address), ..Principal::named(name, grants) })
}

impl Authority for Names {
    fn admit(&self, shown: Shown<'_>, _: &VHostName, _: model::Now, reply: Reply) -> Verdict {
        match shown.credential {
            None => Verdict::Now(Ok(everybody())),
            Some("later") => {
                self.replies.lock().unwrap().push(reply);
                Verdict::Later
            }
            Some(who) => Verdict::Now(match who.split_once(':') {
                Some((name, address)) => Ok(named(name, address.parse().unwrap())),
                None => Err(Refusal::BadToken),
            }),
        }
    }

    fn stands(&self, principal: &Arc<Principal>) -> bool {
        !self.fallen.lock().unwrap().iter().any(|fallen| Arc::ptr_eq(fallen, principal))
    }
}

/// The plan of a house that speaks puppet: over HTTP and WebSocket at port 0, over TCP at 1, over UDP at 2 and 3.
pub(crate) fn plan(shards: u16) -> Blueprint {
    use carrier::net::Port;
    hush();
    let mut plan = Blueprint::new(vec![Box::new(Puppets), Box::new(Stillborn)]);
    plan.shards = shards;
    plan.authority = Box::new(Names::default());
    plan.own_ports =
        vec![(Port::Listener, 0), (Port::Datagrams, 0), (Port::Datagrams, 0), (Port::Listener, 1)];
    plan
}

/// A puppet on a line, that has said these orders; what it answered is thrown away.
pub(crate) fn puppet(stage: &mut Stage, script: &str) -> super::peers::Lines {
    let mut lines = super::peers::Lines::new(stage.house.connect(1));
    lines.say(script);
    stage.settle();
    lines.heard();
    lines
}

/// The id of the session behind a line.
pub(crate) fn who(stage: &mut Stage, lines: &mut super::peers::Lines) -> String {
    lines.say("who");
    stage.settle();
    let heard = lines.heard();
    heard.last().unwrap().strip_prefix("i am ").unwrap().to_owned()
}
