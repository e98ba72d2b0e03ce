//! Socket.IO over an Engine.IO session: who is connected to which namespace, and what is said there.
//!
//! Knows packets and namespaces. What events mean is an [`App`]'s. SPEC [CON-1] to [CON-9], [PAR-1] to [PAR-3].

use crate::talk::app::{App, Said};
use crate::talk::engine::{Over, Up};
use crate::talk::layer::{Layer, Line};
use crate::talk::parser::Parser;
use crate::talk::recovery::Back;
use crate::talk::sid::Key;
use crate::wire::binary::{Reader, Whole};
use crate::wire::engine::{MESSAGE, Revision};
use crate::wire::msgpack;
use crate::wire::packet::{self, Head, Kind, Limits, Packet, Style};
use bytes::Bytes;
use dialect::{Event, Request, Turn};
use model::{CloseReason, Delivery, Position, SessionId, Ticket, Time, Unit};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

/// Who has come back asks what it has missed.
const RETURN: Ticket = Ticket(1 << 58);

/// The sockets of a session: one for each namespace that it is connected to.
#[derive(Debug)]
pub struct Sockets {
    limits: Limits,
    /// `None`: nothing has been heard.
    parser: Option<Parser>,
    reader: Reader,
    /// BOUND: `namespaces`.
    connected: Vec<Box<str>>,
    namespaces: usize,
    /// The namespace that it wants to be connected to.
    connecting: Option<Box<str>>,
    /// What was said meanwhile. BOUND: `bytes` of its limits, each packet counted with [`ENTRY`].
    later: VecDeque<(Unit, Box<[u8]>)>,
    later_bytes: usize,
    /// Until when it must be connected somewhere.
    until: Option<Time>,
    /// What the secrets are sealed with by which clients come back, where they can.
    returns: Option<Key>,
    /// The client has wanted to come back, and cannot.
    begins_anew: bool,
    /// The client has come back, and is about to say so.
    is_returning: bool,
    /// It has been connected to another namespace than `/`: what it has missed there is not known.
    was_elsewhere: bool,
    /// Until when the next attachment must have come, if there is one to come.
    attached_by: Option<Time>,
}

/// What a packet that waits counts beside its bytes.
const ENTRY: usize = 32;

/// How long a packet waits for its next attachment.
const ATTACHMENT: Duration = Duration::from_secs(45);

impl Sockets {
    /// What packets are written in, to the client and by it.
    #[must_use]
    pub fn parser(&self) -> Parser {
        self.parser.unwrap_or(Parser::Text)
    }

    /// Whether there is a socket in this namespace.
    #[must_use]
    pub fn is_connected(&self, namespace: &str) -> bool {
        self.connected.iter().any(|n| **n == *namespace)
    }

    /// The namespace that it wants to be connected to.
    #[must_use]
    pub fn connecting(&self) -> Option<&str> {
        self.connecting.as_deref()
    }

    /// Whether it wants to be connected to this namespace.
    #[must_use]
    pub fn is_connecting(&self, namespace: &str) -> bool {
        self.connecting() == Some(namespace)
    }

    /// Whether it is connected, or wants to be, anywhere.
    #[must_use]
    pub fn is_anywhere(&self) -> bool {
        !self.connected.is_empty() || self.connecting.is_some()
    }

    /// The client is connected to this namespace no more, and is told so.
    ///
    /// # Errors
    /// Too much waits for a poll.
    pub fn disconnect(&mut self, namespace: &str, line: &mut Line<'_>, turn: &mut Turn) -> Result<(), Over> {
        let Some(place) = self.connected.iter().position(|n| **n == *namespace) else { return Ok(()) };
        self.connected.swap_remove(place);
        self.emit(Head::disconnect(namespace), "", &[], line, turn)
    }

    /// The client is connected to this namespace, if it still wants to be. `id`: by which others know it there.
    ///
    /// # Errors
    /// Too much waits for a poll.
    pub fn connect(
        &mut self,
        namespace: &str,
        id: &str,
        line: &mut Line<'_>,
        turn: &mut Turn,
    ) -> Result<(), Over> {
        let Some(namespace) = self.connecting.take_if(|n| **n == *namespace) else { return Ok(()) };
        self.was_elsewhere |= *namespace != *"/";
        let pid = self.returns.as_ref().filter(|_| *namespace == *"/").map(|key| key.pid(line.session));
        let mut data = Vec::new();
        packet::connected(line.revision(), id, pid.as_deref(), &mut data);
        self.emit(Head::connect(&namespace), data, &[], line, turn)?;
        (self.until, self.begins_anew) = (None, false);
        self.connected.push(namespace);
        turn.resume();
        Ok(())
    }

    /// The client is not connected to this namespace, if it still wants to be. `data`: JSON text.
    ///
    /// # Errors
    /// Too much waits for a poll.
    pub fn refuse(
        &mut self,
        namespace: &str,
        (message, data): (&str, Option<&str>),
        style: Style,
        line: &mut Line<'_>,
        turn: &mut Turn,
    ) -> Result<(), Over> {
        let Some(namespace) = self.connecting.take_if(|n| **n == *namespace) else { return Ok(()) };
        let mut why = Vec::new();
        packet::connect_error(style, message, data, &mut why);
        self.emit(Head::connect_error(&namespace), why, &[], line, turn)?;
        turn.resume();
        Ok(())
    }

    /// There is no namespace of the name that the client wanted.
    ///
    /// # Errors
    /// Too much waits for a poll.
    pub fn refuse_unknown(
        &mut self,
        namespace: &str,
        line: &mut Line<'_>,
        turn: &mut Turn,
    ) -> Result<(), Over> {
        self.refuse(namespace, ("Invalid namespace", None), Style::Object, line, turn)
    }

    /// Tells the client in this namespace that it has missed so many messages.
    ///
    /// # Errors
    /// Too much waits for a poll.
    pub fn tell_gap(
        &self,
        namespace: &str,
        missed: u64,
        line: &mut Line<'_>,
        turn: &mut Turn,
    ) -> Result<(), Over> {
        let array = format!("[\"gap\",{{\"missed\":{missed}}}]");
        self.emit(Head::event(namespace, None, 0), array, &[], line, turn)
    }

    /// Says a packet, whose data is JSON text or nothing, to the client.
    ///
    /// # Errors
    /// Too much waits for a poll.
    pub fn emit(
        &self,
        head: Head<'_>,
        data: impl AsRef<[u8]>,
        attachments: &[Bytes],
        line: &mut Line<'_>,
        turn: &mut Turn,
    ) -> Result<(), Over> {
        if self.parser() == Parser::Msgpack {
            let data = String::from_utf8_lossy(data.as_ref());
            let mut out = Vec::new();
            msgpack::write(&head.with(&data), attachments, &mut out);
            return line.say(Unit::Binary, &out, turn);
        }
        let mut out = vec![MESSAGE];
        head.write(&mut out);
        out.extend_from_slice(data.as_ref());
        line.say(Unit::Text, &out, turn)?;
        attachments.iter().try_for_each(|bytes| line.say(Unit::Binary, bytes, turn))
    }
}

/// What bounds sockets.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Of packets.
    pub packets: Limits,
    /// Namespaces of a client.
    pub namespaces: usize,
    /// How long a client may be connected nowhere at first.
    pub connect_timeout: Duration,
}

/// Socket.IO, with an app.
pub struct Sio<A> {
    sockets: Sockets,
    connect_timeout: Duration,
    /// What a client that comes back has shown.
    shown: Option<Box<str>>,
    app: A,
}

impl<A: App> Sio<A> {
    /// A layer in which nobody is connected.
    #[must_use]
    pub fn new(bounds: &Bounds, app: A) -> Self {
        let sockets = Sockets {
            limits: bounds.packets,
            parser: None,
            reader: Reader::new(),
            connected: Vec::new(),
            namespaces: bounds.namespaces,
            connecting: None,
            later: VecDeque::new(),
            until: None,
            returns: None,
            begins_anew: false,
            is_returning: false,
            was_elsewhere: false,
            later_bytes: 0,
            attached_by: None,
        };
        Self { sockets, connect_timeout: bounds.connect_timeout, shown: None, app }
    }

    /// The same, whose clients may come back, by secrets that are sealed with this key.
    #[must_use]
    pub fn with_returns(mut self, key: Option<Key>) -> Self {
        self.sockets.returns = key;
        self
    }

    /// The client comes back: it is to be told what it has missed, and then that it is connected.
    fn come_back(
        &mut self,
        heard: Option<Position>,
        shown: Option<&str>,
        line: &mut Line<'_>,
        turn: &mut Turn,
    ) {
        self.sockets.is_returning = false;
        self.sockets.connecting = Some("/".into());
        self.shown = shown.map(Into::into);
        turn.recover(RETURN, heard, line.has);
    }

    /// Tells what has been missed.
    fn make_up(
        &mut self,
        missed: Option<&[Arc<Delivery>]>,
        line: &mut Line<'_>,
        turn: &mut Turn,
    ) -> Result<(), Over> {
        // Its session is let go; when the client tries again, it begins anew.
        let shown = self.shown.take();
        let missed = missed.ok_or(Over::Told)?;
        for delivery in missed {
            self.app.told(Event::Deliver(delivery), &mut self.sockets, line, turn)?;
        }
        let id = self.sockets.returns.as_ref().map(|key| key.public(line.session, line.revision()));
        self.sockets.connect("/", &id.unwrap_or_default(), line, turn)?;
        self.app.changed(&mut self.sockets, line, turn);
        self.app.returned(shown.as_deref(), line, turn);
        Ok(())
    }

    fn hear(&mut self, up: &Up<'_>, line: &mut Line<'_>, turn: &mut Turn) -> Result<(), Over> {
        let (limits, revision) = (self.sockets.limits, line.revision());
        let parser = *self.sockets.parser.get_or_insert_with(|| Parser::of(up, revision));
        let whole;
        let (packet, attachments) = match up {
            Up::Text(_) if parser == Parser::Msgpack => return Err(Over::Error),
            Up::Text(text) => {
                let read = self.sockets.reader.text(text, revision, &limits);
                (read.map_err(|_| Over::Error)?, &[][..])
            }
            Up::Binary(bytes) => {
                let read = match parser {
                    Parser::Text => self.sockets.reader.bytes(bytes, &limits),
                    Parser::Msgpack => msgpack::read(bytes, revision, &limits).map(Some),
                };
                whole = read.map_err(|_| Over::Error)?;
                (whole.as_ref().map(Whole::packet), whole.as_ref().map_or(&[][..], |w| &w.attachments))
            }
        };
        let awaits = self.sockets.reader.is_waiting();
        self.sockets.attached_by = awaits.then(|| turn.now.time + ATTACHMENT);
        packet.map_or(Ok(()), |packet| self.act(&packet, attachments, line, turn))
    }

    fn act(
        &mut self,
        packet: &Packet<'_>,
        attachments: &[Bytes],
        line: &mut Line<'_>,
        turn: &mut Turn,
    ) -> Result<(), Over> {
        let Packet { kind, namespace, ack, data, query, .. } = *packet;
        match kind {
            Kind::Connect => self.connect(namespace, data.or(query), line, turn),
            Kind::Disconnect => {
                let place = self.sockets.connected.iter().position(|n| **n == *namespace);
                self.sockets.connected.swap_remove(place.ok_or(Over::Error)?);
                self.app.parts(namespace, &self.sockets, line, turn);
                Ok(())
            }
            _ if !self.sockets.is_connected(namespace) => Err(Over::Error),
            Kind::Event | Kind::BinaryEvent | Kind::Ack | Kind::BinaryAck => {
                // An event without a payload is none.
                let Some(array) = data else { return Ok(()) };
                let said = Said { namespace, kind, ack, array, attachments };
                self.app.hears(&said, &mut self.sockets, line, turn)
            }
            Kind::ConnectError => Err(Over::Error),
        }
    }

    fn connect(
        &mut self,
        namespace: &str,
        shown: Option<&str>,
        line: &mut Line<'_>,
        turn: &mut Turn,
    ) -> Result<(), Over> {
        let key = self.sockets.returns.as_ref().filter(|_| namespace == "/" && self.sockets.is_returning);
        if let Some(back) = key.and_then(|key| Back::read(shown, key)).filter(|b| b.session == line.session) {
            self.come_back(back.heard, shown, line, turn);
            return Ok(());
        }
        let is_there = self.sockets.is_connected(namespace);
        if is_there && line.revision() == Revision::Three && namespace == "/" {
            // It is connected there without having asked.
            return Ok(());
        }
        if is_there || self.sockets.connected.len() >= self.sockets.namespaces {
            return Err(Over::Error);
        }
        self.sockets.connecting = Some(namespace.into());
        self.app.wishes(namespace, shown, &mut self.sockets, line, turn)?;
        if self.sockets.connecting.is_some() {
            turn.hold();
        }
        Ok(())
    }

    /// Hears what was said while the client was being connected.
    fn go_on(&mut self, line: &mut Line<'_>, turn: &mut Turn) -> Result<(), Over> {
        while self.sockets.connecting.is_none() {
            let Some((unit, bytes)) = self.sockets.later.pop_front() else { break };
            self.sockets.later_bytes -= bytes.len() + ENTRY;
            let up = match unit {
                Unit::Text => Up::Text(std::str::from_utf8(&bytes).map_err(|_| Over::Error)?),
                Unit::Binary => Up::Binary((&*bytes).into()),
            };
            self.hear(&up, line, turn)?;
        }
        Ok(())
    }
}

impl<A: App> Layer for Sio<A> {
    fn opened(&mut self, request: &Request<'_>, line: &mut Line<'_>, turn: &mut Turn) -> Result<(), Over> {
        self.app.opened(request);
        match line.revision() {
            // Clients of old are connected without asking.
            Revision::Three => self.connect("/", None, line, turn),
            Revision::Four => {
                self.sockets.until = Some(turn.now.time + self.connect_timeout);
                Ok(())
            }
        }
    }

    fn heard(&mut self, up: &Up<'_>, line: &mut Line<'_>, turn: &mut Turn) -> Result<(), Over> {
        if self.sockets.connecting.is_some() {
            let kept: (Unit, Box<[u8]>) = match up {
                Up::Text(text) => (Unit::Text, text.as_bytes().into()),
                Up::Binary(bytes) => (Unit::Binary, bytes.as_ref().into()),
            };
            self.sockets.later_bytes += kept.1.len() + ENTRY;
            if self.sockets.later_bytes > self.sockets.limits.bytes {
                return Err(Over::TooLong);
            }
            self.sockets.later.push_back(kept);
            return Ok(());
        }
        self.hear(up, line, turn)
    }

    fn told(&mut self, event: Event<'_>, line: &mut Line<'_>, turn: &mut Turn) -> Result<(), Over> {
        let is_coming_back = self.shown.is_some();
        match event {
            Event::Recovered { missed, .. } => self.make_up(missed, line, turn)?,
            // It is among what has been missed.
            Event::Deliver(_) if is_coming_back => {}
            Event::Authenticated { .. }
            | Event::Enrolled { .. }
            | Event::Retired { .. }
            | Event::Checked { .. }
            | Event::Joined { .. }
            | Event::Left { .. }
            | Event::Published { .. }
            | Event::Channels { .. }
            | Event::Spawned { .. }
            | Event::Branched { .. }
            | Event::Parted { .. }
            | Event::Refused { .. }
            | Event::Deliver(_)
            | Event::Gap { .. }
            | Event::LinkLost(_)
            | Event::NoSuchSession(_)
            | Event::HookOpened { .. }
            | Event::HookClosed { .. } => self.app.told(event, &mut self.sockets, line, turn)?,
        }
        self.go_on(line, turn)
    }

    fn changed(&mut self, line: &mut Line<'_>, turn: &mut Turn) {
        self.app.changed(&mut self.sockets, line, turn);
    }

    fn tick(&mut self, line: &mut Line<'_>, turn: &mut Turn) -> Result<(), Over> {
        if self.sockets.until.is_some_and(|until| until <= turn.now.time) && self.sockets.connecting.is_none()
        {
            return Err(Over::Told);
        }
        if self.sockets.attached_by.is_some_and(|by| by <= turn.now.time) {
            return Err(Over::Silent);
        }
        if self.app.wake_at().is_some_and(|at| at <= turn.now.time) {
            self.app.tick(&mut self.sockets, line, turn)?;
        }
        Ok(())
    }

    fn wake_at(&self) -> Option<Time> {
        self.sockets.until.into_iter().chain(self.sockets.attached_by).chain(self.app.wake_at()).min()
    }

    fn closing(&mut self, reason: CloseReason, line: &mut Line<'_>, turn: &mut Turn) {
        self.app.closing(reason, &mut self.sockets, line, turn);
    }

    fn may_return(&self) -> bool {
        let Sockets { returns, connected, was_elsewhere, .. } = &self.sockets;
        // While it is coming back it is where it was.
        let is_here = !connected.is_empty() || self.shown.is_some();
        returns.is_some() && is_here && !was_elsewhere && self.app.may_return()
    }

    fn comes_back(&self, up: &Up<'_>) -> Option<SessionId> {
        let key = self.sockets.returns.as_ref().filter(|_| !self.sockets.begins_anew)?;
        match up {
            Up::Text(text) => Back::read(text.strip_prefix('0'), key).map(|back| back.session),
            Up::Binary(bytes) if msgpack::begins_connect(bytes) => {
                let whole = msgpack::read(bytes, Revision::Four, &self.sockets.limits).ok()?;
                let shown = whole.data.as_deref().filter(|_| whole.namespace == "/");
                Back::read(shown, key).map(|back| back.session)
            }
            Up::Binary(_) => None,
        }
    }

    fn begins_to_return(&mut self) {
        self.sockets.reader = Reader::new();
        (self.sockets.attached_by, self.sockets.connecting, self.shown) = (None, None, None);
        self.sockets.later.clear();
        self.sockets.later_bytes = 0;
        self.sockets.connected.clear();
        self.sockets.is_returning = true;
    }

    fn begins_anew(&mut self) {
        self.sockets.begins_anew = true;
    }
}
