//! HTTP requests: who may ask, whose they are, and how their responses stand on the wire.

use super::Shard;
use crate::door::{HandedOver, Origin, OwnedFrame, OwnedRequest, Parcel};
use crate::gate::Gate;
use crate::http1::response::{self, Length};
use crate::http1::{Manner, Refused};
use crate::link::{Asking, NONE, Pause, Speech};
use crate::net::Net;
use crate::websocket::{self, Role};
use dialect::{Frame, Request, Response, Road, Span, Words};
use model::{CloseReason, LinkId, SessionId};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// What a page of another origin may send, and for how many seconds it need not ask again.
const PREFLIGHT: [(&str, &str); 3] = [
    ("Access-Control-Allow-Methods", "GET, POST, HEAD, OPTIONS"),
    ("Access-Control-Allow-Headers", "Authorization, Content-Type, Last-Event-ID, X-Event"),
    ("Access-Control-Max-Age", "600"),
];

/// How often a link may be handed on at once: a poll to the session it asks for, from there to the one that its client
/// has come back to, and back where that is gone.
const HOPS: u8 = 4;

/// What is said to one peer alone is compressed from so many bytes on: the work is done for it alone too.
const ALONE: usize = 256;

impl<N: Net> Shard<N> {
    /// A request has come, whole.
    pub(super) fn hear_request(&mut self, slot: u32, request: &Request<'_>, manner: &Manner<'_>) {
        let agreed = self.agree(request, manner);
        let Some(link) = self.links.get_mut(slot as usize) else { return };
        let id = LinkId { slot, generation: link.generation };
        let port = link.port;
        link.pause.asking = true;
        link.asking = Some(Box::new(Asking {
            // Behind a request to become a WebSocket that is refused come frames, or what somebody has smuggled: the
            // way there may be no HTTP any more in the eyes of a proxy (T25).
            keep_alive: manner.keep_alive && manner.websocket_key.is_none(),
            http10: manner.http10,
            is_head: manner.is_head,
            accept_key: manner.websocket_key.map(|k| websocket::accept_key(k).into()),
            origin: manner.origin.map(Into::into),
            agreed,
        }));
        self.set_deadline(slot, self.now.time + self.limits.request_timeout);
        let wiring = Arc::clone(&self.wiring);
        let Some(plan) = wiring.ports.get(usize::from(port)) else { return };
        let dialect =
            match self.hear_forwarded(slot, request).and_then(|()| self.route(port, request, manner)) {
                Ok(Some(dialect)) => dialect,
                Ok(None) => return self.answer_preflight(slot),
                Err(refused) => {
                    self.desk.counters.refuse_request(refused.status);
                    return self.answer_problem(slot, refused);
                }
            };
        let Some(session) = self.attach(&plan.vhost, dialect, Road::Http, Some(slot)) else { return };
        self.telling = Some(slot);
        self.converse(session, Some(id), |c, turn| c.on_frame(Frame::Request(*request), turn));
        self.telling = None;
        // The conversation may have found that the link belongs to another session.
        if let Some(over) = self.leaving.as_mut() {
            over.frame = OwnedFrame::Request(OwnedRequest::copy(request));
        }
    }

    /// What is agreed to of the extensions that a request for a WebSocket offers.
    fn agree(&self, request: &Request<'_>, manner: &Manner<'_>) -> Option<websocket::Agreed> {
        manner.websocket_key.filter(|_| self.wiring.deflate)?;
        let lines =
            request.headers.iter().filter(|h| h.name.eq_ignore_ascii_case("sec-websocket-extensions"));
        websocket::Agreed::to(lines.map(|h| h.value))
    }

    /// Which dialect the request is for; `None`: it is a browser that asks whether it may ask.
    fn route(
        &mut self,
        port: u16,
        request: &Request<'_>,
        manner: &Manner<'_>,
    ) -> Result<Option<u8>, Refused> {
        let closed = Gate::loopback();
        let gate = self.rules.gates.get(usize::from(port)).unwrap_or(&closed);
        gate.check(manner.host, manner.origin).map_err(|detail| Refused { status: 403, detail })?;
        if self.exchange.draining.load(Ordering::Relaxed) {
            return Err(Refused { status: 503, detail: "the server is stopping" });
        }
        if request.method == "OPTIONS" {
            return Ok(None);
        }
        let wiring = Arc::clone(&self.wiring);
        let found = self.guard(|| wiring.dialects.iter().position(|d| d.claims(request)));
        let nobody = "nothing is served at this path; a WebSocket, or /c/<channel>, would be";
        match found {
            Some(Some(i)) => Ok(Some(u8::try_from(i).unwrap_or(u8::MAX))),
            Some(None) => Err(Refused { status: 404, detail: nobody }),
            None => Err(Refused { status: 500, detail: "a fault of ours" }),
        }
    }

    fn answer_preflight(&mut self, slot: u32) {
        self.respond_with(slot, 204, PREFLIGHT.into_iter(), b"");
    }

    fn answer_problem(&mut self, slot: u32, refused: Refused) {
        let Some(asking) = self.take_asking(slot) else { return };
        // A problem is always written as to HTTP/1.1, which says nothing of keeping the connection.
        let close = !asking.keep_alive || asking.http10;
        let date = self.date.line(self.now);
        self.out.owe_new(slot, |out| write_problem(out, &asking, refused, date, close));
        self.after_response(slot, close);
    }

    /// A conversation answers with a whole response.
    pub(super) fn respond(&mut self, slot: u32, response: &Response, body: &[u8]) {
        let headers = response.headers.iter().map(|(name, value)| (*name, value.as_ref()));
        self.respond_with(slot, response.status, headers, body);
    }

    fn respond_with<'a>(
        &mut self,
        slot: u32,
        status: u16,
        headers: impl Iterator<Item = (&'a str, &'a str)>,
        body: &[u8],
    ) {
        let Some(asking) = self.take_asking(slot) else { return };
        let draining = self.exchange.draining.load(Ordering::Relaxed);
        let close = !asking.keep_alive || draining;
        let headers = headers.map(|(name, value)| -> (&str, &str) { (name, value) });
        let headers = headers.chain(cors(asking.origin.as_deref())).chain([self.date.line(self.now)]);
        self.out.owe_new(slot, |out| {
            response::head(out, status, asking.http10, headers, Length::Known(body.len()), close);
            if !asking.is_head {
                out.extend_from_slice(body);
            }
        });
        self.after_response(slot, close);
    }

    /// A conversation answers with a body that goes on.
    pub(super) fn stream(&mut self, slot: u32, response: &Response) {
        let Some(asking) = self.take_asking(slot) else { return };
        let headers = response.headers.iter().map(|(name, value)| (*name, value.as_ref()));
        let headers = headers.chain(cors(asking.origin.as_deref())).chain([self.date.line(self.now)]);
        self.out.owe_new(slot, |out| {
            response::head(out, response.status, asking.http10, headers, Length::Chunked, true);
        });
        if asking.is_head {
            return self.lose_head_stream(slot);
        }
        if let Some(link) = self.links.get_mut(slot as usize) {
            link.speech = Speech::Stream { chunked: !asking.http10 };
            link.pause.asking = false;
        }
        self.limit_stranger(slot);
        self.read_later(slot);
    }

    /// A conversation takes up a WebSocket.
    pub(super) fn accept_websocket(&mut self, slot: u32, protocol: Option<&str>) {
        // Bytes that came before the 101 was written are no frames: the peer could not know that there would be one,
        // and whoever sent them may not be who asked (T25).
        if let Some(link) = self.links.get(slot as usize)
            && link.has_unread()
        {
            return self.end_session(link.session, CloseReason::Fault, None);
        }
        let Some(asking) = self.take_asking(slot) else { return };
        let Some(key) = asking.accept_key.as_deref() else {
            tracing::error!("a dialect accepted a WebSocket where none was asked for");
            let session = self.links.get(slot as usize).map_or(NONE, |l| l.session);
            return self.end_session(session, CloseReason::InternalFault, None);
        };
        self.out.owe_new(slot, |out| {
            out.extend_from_slice(
                b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ",
            );
            out.extend_from_slice(key.as_bytes());
            if let Some(protocol) = protocol {
                out.extend_from_slice(b"\r\nSec-WebSocket-Protocol: ");
                out.extend_from_slice(protocol.as_bytes());
            }
            if let Some(agreed) = asking.agreed {
                out.extend_from_slice(b"\r\nSec-WebSocket-Extensions: ");
                out.extend_from_slice(agreed.answer().as_bytes());
            }
            out.extend_from_slice(b"\r\n\r\n");
        });
        if let Some(link) = self.links.get_mut(slot as usize) {
            link.speech = Speech::WebSocket(websocket::Decoder::new(Role::Server).agreeing(asking.agreed));
            link.pause.asking = false;
        }
        self.limit_stranger(slot);
        // Pings of connections that came together do not go out together.
        let interval = self.limits.ping_interval;
        let spread = interval.mul_f64(0.5 + f64::from(slot % 64) / 128.0);
        self.set_deadline(slot, self.now.time + spread);
        self.read_later(slot);
    }

    /// A conversation finds that what it was told is for another session: prepares the link's move. What was read from
    /// it is added by those who know it.
    pub(super) fn prepare_hand_over(&mut self, id: SessionId, slot: u32, to: SessionId) {
        if self.telling != Some(slot) {
            // It is not there any more to be told again.
            tracing::error!("a dialect handed over a link when its request had been dealt with");
            if self.links.get(slot as usize).is_some_and(|l| l.asking.is_none()) {
                return self.drop_one(id.slot, slot, None);
            }
            return self
                .answer_problem(slot, Refused { status: 503, detail: "the request must be made again" });
        }
        let Some(link) = self.links.get_mut(slot as usize) else { return };
        if !matches!(link.speech, Speech::Http(_) | Speech::WebSocket(_)) {
            tracing::error!("a dialect handed over a link that cannot be");
            return;
        }
        // BOUND: two sessions that send a link to each other.
        if self.hops >= HOPS {
            return self.lose_link(slot, CloseReason::Fault);
        }
        self.keep_account(id.slot, slot);
        let Some(link) = self.links.get_mut(slot as usize) else { return };
        let Some(s) = self.sessions.get_mut(id.slot as usize) else { return };
        let origin = if s.outlives {
            Origin::Lives(id)
        } else {
            let Some(conversation) = s.conversation.take() else { return };
            Origin::Ended(conversation, s.dialect)
        };
        let Some(stream) = self.out.hot[slot as usize].stream.take() else { return };
        let (peer, extras, port, asking) = (link.peer, link.extras.take(), link.port, link.asking.take());
        link.session = NONE;
        s.drop_link(slot);
        if s.outlives {
            self.unhear(id.slot, slot);
        } else {
            self.end_session(id.slot, CloseReason::Done, None);
        }
        let (speech, frame, owed) = (Speech::Closing, OwnedFrame::None, Vec::new());
        let over = HandedOver {
            stream,
            peer,
            extras,
            port,
            asking,
            speech,
            frame,
            owed,
            to,
            origin,
            hops: self.hops + 1,
        };
        self.leaving = Some(Box::new(over));
    }

    /// Sends the link on its way, with what was read from it and not looked at.
    pub(super) fn hand_over(&mut self, slot: u32, mut over: Box<HandedOver<N::Stream>>, unread: &[u8]) {
        if !unread.is_empty() {
            over.extras.get_or_insert_default().unread.extend_from_slice(unread);
        }
        over.owed = self.out.owed(slot);
        if let Some(link) = self.links.get_mut(slot as usize) {
            over.speech = std::mem::replace(&mut link.speech, Speech::Closing);
        }
        self.net.remove(&mut over.stream);
        // The connection stays open: only the place here is given up.
        self.forget_link(slot);
        self.pass_on(over);
    }

    /// Sends a link that has no place here to the shard of its session.
    pub(super) fn pass_on(&self, over: Box<HandedOver<N::Stream>>) {
        let to = over.to.shard.min(self.exchange.shards() - 1);
        self.doors.departed(self.desk.shard);
        self.doors.arrived(to);
        self.doors.put(to, Parcel::HandedOver(over));
        self.exchange.inbox(to).ring();
    }

    /// Says what is wrong where no request is being dealt with.
    pub(super) fn problem(&mut self, slot: u32, status: u16, detail: &str) {
        let date = std::iter::once(self.date.line(self.now));
        self.out.owe_new(slot, |out| response::problem(out, status, detail, date, true));
    }

    fn take_asking(&mut self, slot: u32) -> Option<Asking> {
        let asking = self.links.get_mut(slot as usize)?.asking.take();
        if asking.is_none() {
            tracing::error!("a dialect answered where nothing was asked");
        }
        asking.map(|a| *a)
    }

    /// The response is on its way: the link is its session's no more; the next request can be read, or it ends.
    fn after_response(&mut self, slot: u32, close: bool) {
        let Some(link) = self.links.get_mut(slot as usize) else { return };
        let session = std::mem::replace(&mut link.session, NONE);
        self.keep_account(session, slot);
        if let Some(session) = self.sessions.get_mut(session as usize) {
            session.drop_link(slot);
        }
        let Some(link) = self.links.get_mut(slot as usize) else { return };
        if let Some(extras) = link.extras.as_mut()
            && extras.behind.take().is_some()
        {
            // The connection is the proxy's again.
            extras.stranger = None;
        }
        // Neither its question nor the holding of a session that it belonged to.
        link.pause = Pause::default();
        if close {
            return self.begin_close(slot);
        }
        let at = self.now.time + self.limits.keep_alive;
        self.set_deadline(slot, at);
        let link = &self.links[slot as usize];
        // What else was asked is still answered; who has said that nothing further comes is read to that end.
        if link.readable || link.ended || link.has_unread() {
            self.read_later(slot);
        }
    }

    /// A session whose request has been answered ends, unless it has other links or lives without.
    pub(super) fn end_if_done(&mut self, id: SessionId) {
        let Some(session) = self.session(id) else { return };
        if session.links().next().is_none() && !session.outlives {
            self.end_session(id.slot, CloseReason::Done, None);
        }
    }

    /// A HEAD request for a stream: the head was the whole answer.
    fn lose_head_stream(&mut self, slot: u32) {
        let Some(session) = self.links.get(slot as usize).map(|l| l.session) else { return };
        self.end_session(session, CloseReason::Done, None);
    }

    /// Writes one unit to a link, in the manner of what is spoken there.
    pub(super) fn send(&mut self, slot: u32, unit: model::Unit, words: Span, all: &Words) {
        let bytes = all.bytes(words);
        let Some(link) = self.links.get(slot as usize) else { return };
        match &link.speech {
            Speech::WebSocket(decoder) => {
                let opcode = super::expand::opcode(unit);
                match decoder.agreed().filter(|_| bytes.len() >= ALONE) {
                    None => self.out.owe_new(slot, |out| websocket::frame(out, opcode, bytes)),
                    Some(agreed) => {
                        let (deflater, count) = (&mut self.deflater, &mut self.desk.counters.deflated);
                        self.out.owe_new(slot, |out| {
                            *count += u64::from(deflater.frame(out, opcode, bytes, agreed.window_bits()));
                        });
                    }
                }
            }
            Speech::Stream { chunked: true } => self.out.owe_new(slot, |out| response::chunk(out, bytes)),
            Speech::Stream { chunked: false } | Speech::Raw => {
                self.out.owe_new(slot, |out| out.extend_from_slice(bytes));
            }
            Speech::Datagrams { .. } => {
                let Some(to) = link.datagrams_to() else { return };
                self.desk.counters.bytes_out += bytes.len() as u64;
                self.net.send(link.port, to, bytes);
            }
            Speech::Http(_) => tracing::error!("a dialect sent a unit before it answered the request"),
            Speech::Closing => {}
        }
    }
}

/// Answers a request with what is wrong. A page that may not ask is not told more than that.
pub(super) fn write_problem(
    out: &mut Vec<u8>,
    asking: &Asking,
    refused: Refused,
    date: (&str, &str),
    close: bool,
) {
    let start = out.len();
    let origin = asking.origin.as_deref().filter(|_| refused.status != 403);
    let headers = cors(origin).chain([date]);
    response::problem(out, refused.status, refused.detail, headers, close);
    if asking.is_head
        && let Some(head) = out[start..].windows(4).position(|w| w == b"\r\n\r\n")
    {
        out.truncate(start + head + 4);
    }
}

/// What a browser wants to be told before a page of an allowed origin hears the answer. With credentials, which mean
/// nothing here: some client libraries always ask with them, and a WebSocket is opened with them in any case.
fn cors(origin: Option<&str>) -> impl Iterator<Item = (&str, &str)> {
    let credentials = ("Access-Control-Allow-Credentials", "true");
    origin
        .into_iter()
        .flat_map(move |o| [("Access-Control-Allow-Origin", o), credentials, ("Vary", "Origin")])
}
