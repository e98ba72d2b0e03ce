//! All that a conversation wants done now, in order. Applied after the conversation has returned, never within.
//!
//! A turn keeps the words of its effects in one buffer ([`Words`]) that is used again for the next turn, so that
//! ordinary turns allocate nothing.

use crate::{Command, Conversation, HookPlan};
use model::{
    CloseReason, Draft, Form, LinkId, Mark, Now, Position, PrincipalId, Role, SessionId, Ticket, Unit,
};
use std::borrow::Cow;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

/// A stretch of a turn's [`Words`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Span {
    start: u32,
    end: u32,
}

/// The text and bytes that the effects of a turn refer to.
#[derive(Debug, Default)]
pub struct Words(Vec<u8>);

impl Words {
    /// The bytes of a span of the same turn.
    #[must_use]
    pub fn bytes(&self, span: Span) -> &[u8] {
        self.0.get(span.start as usize..span.end as usize).unwrap_or_default()
    }

    /// The text of a span that was written as text.
    #[must_use]
    pub fn text(&self, span: Span) -> &str {
        std::str::from_utf8(self.bytes(span)).unwrap_or_default()
    }

    fn write(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> Span {
        let start = self.0.len();
        write(&mut self.0);
        // A turn's words are bounded by the message bound, far below 4 GiB.
        let at = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Span { start: at(start), end: at(self.0.len()) }
    }
}

/// How a session hears what is delivered to it.
#[derive(Clone, Copy, Debug)]
pub enum Hearing {
    /// In this form, written to one of its links, or posted to its hook when it has none, without a call into the
    /// conversation.
    Form(&'static Form),
    /// By [`crate::Event::Deliver`].
    Events,
}

/// The head of an HTTP response. Length, framing and CORS headers are the carrier's.
#[derive(Debug)]
pub struct Response {
    /// 200, 404, …
    pub status: u16,
    /// Further header lines.
    pub headers: Vec<(&'static str, Cow<'static, str>)>,
}

impl Response {
    /// A response with this status and content type.
    #[must_use]
    pub fn new(status: u16, content_type: &'static str) -> Self {
        Self { status, headers: vec![("Content-Type", content_type.into())] }
    }

    /// Adds a header line. Control characters in the value are dropped by the carrier.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<Cow<'static, str>>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

/// One thing to be done. Effects that speak go to the link the turn was about unless it has chosen another.
#[derive(Debug)]
pub enum Effect {
    /// Send one unit: a WebSocket message, a chunk of a streamed response, bytes, a datagram.
    Send {
        /// The link, or the session's newest.
        link: Option<LinkId>,
        /// Text or binary.
        unit: Unit,
        /// What.
        words: Span,
    },
    /// Answer the request with a whole response.
    Respond {
        /// The link, or the session's newest.
        link: Option<LinkId>,
        /// Its head.
        response: Response,
        /// Its body.
        body: Span,
    },
    /// Answer the request with a body that goes on until the session ends; `Send` adds to it.
    Stream {
        /// The link, or the session's newest.
        link: Option<LinkId>,
        /// Its head.
        response: Response,
    },
    /// Answer the request with 101 and speak WebSocket from now on.
    AcceptWebSocket {
        /// The link, or the session's newest.
        link: Option<LinkId>,
        /// The subprotocol chosen from those offered.
        protocol: Option<&'static str>,
    },
    /// Post to the session's hook; without an open one to nobody.
    Post {
        /// What.
        body: Span,
    },
    /// How to hear from now on: in a form, on the link that the turn is about, or on the newest. Until then the session
    /// hears no broadcasts.
    Hear {
        /// Of this session, the branch that hears; `None`: it itself.
        branch: Option<SessionId>,
        /// How.
        hearing: Hearing,
    },
    /// End one link, after what was sent on it before has gone out; the session goes on without it.
    Drop {
        /// The link, or the session's newest.
        link: Option<LinkId>,
        /// The WebSocket close code, where it is not the usual one.
        code: Option<u16>,
    },
    /// Ask the hub. Without a ticket there is no answer.
    Command {
        /// Of this session, the branch that asks; `None`: it itself. Of one that has ended nothing is asked.
        branch: Option<SessionId>,
        /// For the answer.
        ticket: Option<Ticket>,
        /// What.
        command: Command,
    },
    /// Read no further frames from this session's links until `Resume`. Ends with the session closed as
    /// `TimedOut` when it lasts longer than the limit for answers.
    Hold,
    /// Read on.
    Resume,
    /// Whether the session lives on when its last link goes.
    Outlive(bool),
    /// End a branch of this session; or, when it is the session itself, have it leave what it has joined, hear nothing,
    /// and act for nobody, while it lives on with its links and its branches.
    Part {
        /// The branch; `None`: the session itself.
        branch: Option<SessionId>,
    },
    /// What the session hears is kept for so long, in case its peer comes back for it; `None`: no more.
    Recoverable(Option<Duration>),
    /// Give the current link, an HTTP request's or a WebSocket, with what was read from it, to another session, which is
    /// told the same frame again. This session ends; when there is no such other, this conversation goes with the link
    /// and is told `NoSuchSession`. Where it outlives its links it lives on, and the link comes back to it: it is told
    /// `NoSuchSession`, and then the same frame again.
    HandOver(SessionId),
    /// End the session, after what was sent before has gone out.
    Close {
        /// Why.
        reason: CloseReason,
        /// The WebSocket close code, where it is not the usual one for the reason.
        code: Option<u16>,
    },
}

/// What a conversation fills: the effects it wants, in order.
#[derive(Debug, Default)]
pub struct Turn {
    /// What the clocks say.
    pub now: Now,
    /// The link that the frame came from, or none when the turn is about something else.
    pub link: Option<LinkId>,
    /// Where the session's shard stands in what it hands out: what was handed to the session before this turn comes
    /// before it, and stands before what the turn says on the link it hears on.
    pub mark: Mark,
    /// The branch of the session that the turn is about, when it is about one: it has been told something.
    pub branch: Option<SessionId>,
    /// Who asks.
    within: Option<SessionId>,
    words: Words,
    effects: VecDeque<Effect>,
}

impl Turn {
    /// Sends a text unit, written by `write`.
    pub fn text(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        self.send(Unit::Text, write);
    }

    /// Sends a binary unit, written by `write`.
    pub fn binary(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        self.send(Unit::Binary, write);
    }

    fn send(&mut self, unit: Unit, write: impl FnOnce(&mut Vec<u8>)) {
        let words = self.words.write(write);
        self.effects.push_back(Effect::Send { link: self.link, unit, words });
    }

    /// What is said meanwhile goes to this link, whatever the turn is about.
    pub fn on_link<T>(&mut self, link: LinkId, say: impl FnOnce(&mut Self) -> T) -> T {
        let about = self.link.replace(link);
        let said = say(self);
        self.link = about;
        said
    }

    /// What is asked meanwhile, this branch of the session asks, and it is the one that hears and parts; `None`: the
    /// session itself, as always otherwise.
    pub fn within<T>(&mut self, branch: Option<SessionId>, ask: impl FnOnce(&mut Self) -> T) -> T {
        let before = std::mem::replace(&mut self.within, branch);
        let asked = ask(self);
        self.within = before;
        asked
    }

    /// Answers the request with a whole response, its body written by `write`.
    pub fn respond(&mut self, response: Response, write: impl FnOnce(&mut Vec<u8>)) {
        let body = self.words.write(write);
        self.effects.push_back(Effect::Respond { link: self.link, response, body });
    }

    /// Answers the request with an open-ended body; text and binary units add to it.
    pub fn stream(&mut self, response: Response) {
        self.effects.push_back(Effect::Stream { link: self.link, response });
    }

    /// Becomes a WebSocket.
    pub fn accept_websocket(&mut self, protocol: Option<&'static str>) {
        self.effects.push_back(Effect::AcceptWebSocket { link: self.link, protocol });
    }

    /// Ends the link that the turn is about; the session goes on.
    pub fn drop_link(&mut self, code: Option<u16>) {
        self.effects.push_back(Effect::Drop { link: self.link, code });
    }

    /// Hears in this form from now on, without a call into the conversation per message.
    pub fn hear(&mut self, form: &'static Form) {
        self.effects.push_back(Effect::Hear { branch: self.within, hearing: Hearing::Form(form) });
    }

    /// Hears by events from now on.
    pub fn hear_events(&mut self) {
        self.effects.push_back(Effect::Hear { branch: self.within, hearing: Hearing::Events });
    }

    /// Asks to act for whoever holds `credential`.
    pub fn authenticate(&mut self, ticket: Ticket, credential: Option<&str>) {
        self.authenticate_on(ticket, credential, None);
    }

    /// The same on a page of this host.
    pub fn authenticate_on(&mut self, ticket: Ticket, credential: Option<&str>, page: Option<&str>) {
        let credential = credential.map(|c| self.word(c));
        let page = page.map(|p| self.word(p));
        self.command(Some(ticket), Command::Authenticate { credential, page });
    }

    /// Asks to become a member of `channel`.
    pub fn join(&mut self, ticket: Ticket, channel: &str, since: Option<Position>) {
        let channel = self.word(channel);
        self.command(Some(ticket), Command::Join { channel, since });
    }

    /// Asks to be a member of `channel` no more.
    pub fn leave(&mut self, ticket: Ticket, channel: &str) {
        let channel = self.word(channel);
        self.command(Some(ticket), Command::Leave { channel });
    }

    /// Publishes. Without a ticket nobody says how it went.
    pub fn publish(&mut self, ticket: Option<Ticket>, channel: &str, draft: Draft) {
        let channel = self.word(channel);
        self.command(ticket, Command::Publish { channel, draft });
    }

    /// Publishes to named members only, all or none.
    pub fn direct(&mut self, ticket: Ticket, channel: &str, receivers: Vec<PrincipalId>, draft: Draft) {
        let channel = self.word(channel);
        self.command(Some(ticket), Command::Direct { channel, receivers, draft });
    }

    /// Publishes to every session of the virtual host.
    pub fn broadcast(&mut self, ticket: Option<Ticket>, draft: Draft) {
        self.command(ticket, Command::Broadcast { draft });
    }

    /// Says something to one session, whose peer is known by this name.
    pub fn tell(&mut self, ticket: Option<Ticket>, session: SessionId, name: &str, draft: Draft) {
        let name = self.words.write(|out| out.extend_from_slice(name.as_bytes()));
        self.command(ticket, Command::Tell { session, name, draft });
    }

    /// Asks for a page of channels.
    pub fn channels(&mut self, ticket: Ticket, cursor: u32) {
        self.command(Some(ticket), Command::Channels { cursor });
    }

    /// Asks for a new principal of this role, and to act for it. It is forgotten when no session has acted for it for
    /// `idle`.
    pub fn enrol(&mut self, ticket: Ticket, role: Arc<Role>, idle: Duration) {
        self.command(Some(ticket), Command::Enrol { role, idle });
    }

    /// Asks to act for an enrolled principal. Without a token nobody asks for one.
    pub fn act_as(&mut self, ticket: Ticket, who: PrincipalId, token: Option<&str>) {
        let token = token.map(|t| self.word(t));
        self.command(Some(ticket), Command::ActAs { who, token });
    }

    /// Asks that the principal this session acts for be enrolled no more.
    pub fn retire(&mut self, ticket: Ticket) {
        self.command(Some(ticket), Command::Retire);
    }

    /// Asks that no session of the principal be a member of `channel` any more.
    pub fn withdraw(&mut self, ticket: Ticket, channel: &str) {
        let channel = self.word(channel);
        self.command(Some(ticket), Command::Withdraw { channel });
    }

    /// Has the peer pay for a wrong proof, and be refused.
    pub fn misproved(&mut self, ticket: Ticket) {
        self.command(Some(ticket), Command::Misproved);
    }

    /// Asks whether the principal, and all of `who`, have joined `channel`.
    pub fn check(&mut self, ticket: Ticket, channel: &str, who: Vec<PrincipalId>) {
        let channel = self.word(channel);
        self.command(Some(ticket), Command::Check { channel, who });
    }

    /// Asks for a branch in the virtual host of this name.
    pub fn branch_into(&mut self, ticket: Ticket, vhost: &str) {
        let vhost = self.word(vhost);
        self.command(Some(ticket), Command::Branch { vhost });
    }

    /// Ends the branch, or parts the session itself from its virtual host. See [`Effect::Part`].
    pub fn part(&mut self) {
        self.effects.push_back(Effect::Part { branch: self.within });
    }

    /// Starts a session without a link.
    pub fn spawn(&mut self, ticket: Ticket, conversation: Box<dyn Conversation>) {
        self.command(Some(ticket), Command::Spawn { conversation });
    }

    /// Asks for a hook. See [`Command::OpenHook`].
    pub fn open_hook(&mut self, ticket: Ticket, plan: HookPlan) {
        self.command(Some(ticket), Command::OpenHook { plan: Box::new(plan) });
    }

    /// Posts a body, written by `write`, to the session's hook.
    pub fn post(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        let body = self.words.write(write);
        self.effects.push_back(Effect::Post { body });
    }

    /// Reads nothing further until [`Turn::resume`].
    pub fn hold(&mut self) {
        self.effects.push_back(Effect::Hold);
    }

    /// Reads on.
    pub fn resume(&mut self) {
        self.effects.push_back(Effect::Resume);
    }

    /// Whether the session lives on without a link.
    pub fn outlive_links(&mut self, outlive: bool) {
        self.effects.push_back(Effect::Outlive(outlive));
    }

    /// Has what the session hears kept for so long, for [`Command::Recover`].
    pub fn recoverable(&mut self, age: Option<Duration>) {
        self.effects.push_back(Effect::Recoverable(age));
    }

    /// Asks for what has been missed after `heard` and `mark`. To be the last thing in a turn.
    pub fn recover(&mut self, ticket: Ticket, heard: Option<Position>, mark: Mark) {
        self.command(Some(ticket), Command::Recover { heard, mark });
    }

    /// Gives this link to another session. To be the last thing in a turn.
    pub fn hand_over(&mut self, session: SessionId) {
        self.effects.push_back(Effect::HandOver(session));
    }

    /// Ends the session.
    pub fn close(&mut self, reason: CloseReason) {
        self.effects.push_back(Effect::Close { reason, code: None });
    }

    /// Ends the session with a WebSocket close code of the dialect's choice.
    pub fn close_with(&mut self, reason: CloseReason, code: u16) {
        self.effects.push_back(Effect::Close { reason, code: Some(code) });
    }

    /// What was asked for, in order, and the words it refers to. For those who look at turns.
    pub fn take(&mut self) -> (std::collections::vec_deque::Drain<'_, Effect>, &Words) {
        (self.effects.drain(..), &self.words)
    }

    /// The next thing to be done. For those who apply turns.
    pub fn next_effect(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    /// Puts back what could not be done yet; it will be next again.
    pub fn put_back(&mut self, effect: Effect) {
        self.effects.push_front(effect);
    }

    /// What the effects refer to.
    #[must_use]
    pub fn words(&self) -> &Words {
        &self.words
    }

    /// Whether nothing was asked for.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.effects.is_empty()
    }

    /// Makes the turn new, keeping its memory unless one large message or many effects have swollen it.
    pub fn reset(&mut self, now: Now, link: Option<LinkId>) {
        self.now = now;
        self.link = link;
        (self.branch, self.within) = (None, None);
        self.effects.clear();
        self.words.0.clear();
        self.words.0.shrink_to(64 << 10);
        self.effects.shrink_to(256);
    }

    fn word(&mut self, text: &str) -> Span {
        self.words.write(|w| w.extend_from_slice(text.as_bytes()))
    }

    fn command(&mut self, ticket: Option<Ticket>, command: Command) {
        self.effects.push_back(Effect::Command { branch: self.within, ticket, command });
    }
}
