//! One request and what follows from it: an answer, or a stream that lasts, or a WebSocket.
//!
//! Every request that touches channels first finds out for whom it acts; what it asked waits in the state.

use crate::map::{self, Ask, Listen, Shown, Style};
use crate::settings::Settings;
use crate::wire::{self, Problem};
use dialect::{ChannelCount, Conversation, Event, Frame, Request, Response, Turn};
use model::{CloseReason, Delivery, Draft, Parts, Payload, Refusal, Ticket, Time, Unit};
use std::sync::Arc;

/// The answer to this one decides for whom the request acts.
const ENTER: Ticket = Ticket(1);
/// A page of channels.
const PAGE: Ticket = Ticket(2);
/// The first of the tickets that stand for the channels of a request, in order.
const FIRST: u64 = 16;

/// BOUND: messages that may wait for the last of several joins.
const KEPT_MAX: usize = 1024;

/// Where the request stands.
#[derive(Debug)]
enum State {
    /// Nothing is asked, or it is answered.
    Quiet,
    /// Who asks is being found out.
    Entering(Box<Ask>),
    /// Pages of channels are coming; the rows written, once the answer has begun.
    Listing(Option<u64>),
    /// Some channels have yet to say how many heard it.
    Publishing(Box<Publishing>),
    /// Some channels have yet to be joined.
    Joining(Box<Joining>),
    /// The answer goes on until the session ends.
    Streaming(Style, Option<Time>),
    /// A WebSocket that speaks to these channels.
    Socket(Box<[String]>),
}

#[derive(Debug)]
struct Publishing {
    channels: Vec<String>,
    outcomes: Vec<Option<Result<u32, Refusal>>>,
}

#[derive(Debug)]
struct Joining {
    listen: Listen,
    joined: usize,
    /// Whether messages since the position asked for are lost.
    gap: bool,
    /// What arrived on some channels while others were being joined, in order.
    kept: Vec<Arc<Delivery>>,
}

/// The conversation.
#[derive(Debug)]
pub(crate) struct Talk {
    settings: Settings,
    shown: Shown,
    state: State,
}

impl Talk {
    pub(crate) fn new(settings: Settings) -> Self {
        Self { settings, shown: Shown::Nothing, state: State::Quiet }
    }

    fn request(&mut self, request: &Request<'_>, turn: &mut Turn) {
        match map::ask(request, &self.settings) {
            // Neither needs a name: a watchdog has no token.
            Err(problem) => self.fail(&problem, turn),
            Ok(Ask::Health) => self.answer(Response::new(200, "application/json"), wire::healthy, turn),
            Ok(ask) => {
                let token = request.token();
                self.shown = if token.is_some() { Shown::Token } else { Shown::Nothing };
                self.state = State::Entering(Box::new(ask));
                turn.authenticate(ENTER, token.as_deref());
            }
        }
    }

    /// The request acts for somebody: does what it asked.
    fn entered(&mut self, turn: &mut Turn) {
        let State::Entering(ask) = std::mem::replace(&mut self.state, State::Quiet) else { return };
        match *ask {
            // Was answered at once.
            Ask::Health => {}
            Ask::List => {
                self.state = State::Listing(None);
                turn.channels(PAGE, 0);
            }
            Ask::Publish(channels, draft) => self.publish(channels, &draft, turn),
            Ask::Listen(listen) => {
                // INVARIANT: it hears before it joins, or messages would fall between.
                turn.hear_events();
                for (ticket, channel) in tickets().zip(&listen.channels) {
                    turn.join(ticket, channel, listen.since);
                }
                self.state =
                    State::Joining(Box::new(Joining { listen, joined: 0, gap: false, kept: Vec::new() }));
            }
        }
    }

    fn publish(&mut self, channels: Vec<String>, draft: &Draft, turn: &mut Turn) {
        for (ticket, channel) in tickets().zip(&channels) {
            turn.publish(Some(ticket), channel, draft.clone());
        }
        let outcomes = channels.iter().map(|_| None).collect();
        self.state = State::Publishing(Box::new(Publishing { channels, outcomes }));
    }

    /// A channel has the message, or will not have it; the last of them completes the answer. SPEC [PUB-1], [PUB-5].
    fn published(&mut self, ticket: Ticket, outcome: Result<u32, Refusal>, turn: &mut Turn) {
        let State::Publishing(publishing) = &mut self.state else { return };
        if let Some(slot) = place(ticket).and_then(|at| publishing.outcomes.get_mut(at)) {
            *slot = Some(outcome);
        }
        if publishing.outcomes.iter().any(Option::is_none) {
            return;
        }
        let State::Publishing(publishing) = std::mem::replace(&mut self.state, State::Quiet) else { return };
        let Publishing { channels, outcomes } = *publishing;
        let outcomes = || channels.iter().zip(outcomes.iter().flatten());
        let counts = || outcomes().filter_map(|(c, o)| o.as_ref().ok().map(|n| (c.as_str(), *n)));
        let refused = outcomes().find_map(|(c, o)| o.as_ref().err().map(|refusal| (c, refusal)));
        let several = |out: &mut Vec<u8>| {
            if channels.len() > 1 {
                out.extend_from_slice(b",\"channels\":");
                wire::counts(counts(), out);
            }
        };
        if let Some((channel, refusal)) = refused {
            let problem = map::refused(refusal, Some(channel), self.shown);
            return self.fail_with(&problem, several, turn);
        }
        let sum = counts().fold(0_u64, |sum, (_, members)| sum + u64::from(members));
        let write = |out: &mut Vec<u8>| {
            wire::number("{\"members\":", sum, out);
            several(out);
            out.push(b'}');
        };
        self.answer(Response::new(202, "application/json"), write, turn);
    }

    /// SPEC [JOIN-1]: the answer begins when the last channel is joined.
    fn joined(&mut self, recovered: Option<bool>, turn: &mut Turn) {
        let State::Joining(joining) = &mut self.state else { return };
        joining.joined += 1;
        joining.gap |= recovered == Some(false);
        if joining.joined < joining.listen.channels.len() {
            return;
        }
        let State::Joining(joining) = std::mem::replace(&mut self.state, State::Quiet) else { return };
        let style = joining.listen.style;
        if joining.gap && style == Style::Socket {
            // SPEC [GAP-2]: it has no words for it once it has begun.
            let problem = match recovered {
                Some(false) => Problem::new(410, GONE),
                Some(true) | None => map::refused(&Refusal::Busy, None, self.shown),
            };
            return self.fail(&problem, turn);
        }
        match style.head() {
            Some(head) => turn.stream(head),
            None => turn.accept_websocket(None),
        }
        if let Some(write) = style.opening() {
            turn.text(|out| write(self.settings.retry_ms, out));
        }
        if joining.gap {
            tell_gap(style, None, turn);
        }
        joining.kept.iter().for_each(|delivery| tell(style, delivery, turn));
        turn.hear(style.form());
        self.state = if style == Style::Socket {
            State::Socket(joining.listen.channels.into())
        } else {
            State::Streaming(style, self.next_heartbeat(turn.now.time))
        };
    }

    fn delivered(&mut self, delivery: &Arc<Delivery>, turn: &mut Turn) {
        match &mut self.state {
            State::Joining(joining) if joining.kept.len() < KEPT_MAX => {
                joining.kept.push(Arc::clone(delivery));
            }
            State::Joining(_) => {
                let problem = map::refused(&Refusal::Busy, None, self.shown);
                self.fail(&problem, turn);
            }
            State::Streaming(style, _) => tell(*style, delivery, turn),
            State::Socket(_) => tell(Style::Socket, delivery, turn),
            State::Quiet | State::Entering(_) | State::Listing(_) | State::Publishing(_) => {}
        }
    }

    /// SPEC [LIST-1], [LIST-2]: one page is a whole answer, sorted; of several each goes out as it comes.
    fn page(&mut self, page: &[ChannelCount], next: Option<u32>, turn: &mut Turn) {
        let State::Listing(rows) = self.state else { return };
        let head = || Response::new(200, "application/json").with("Cache-Control", "no-store");
        if let (None, None) = (rows, next) {
            let mut page: Vec<&ChannelCount> = page.iter().collect();
            page.sort_unstable_by_key(|row| &row.channel);
            let write = |out: &mut Vec<u8>| {
                out.extend_from_slice(b"{\"channels\":[");
                write_rows(page.into_iter(), 0, out);
                out.extend_from_slice(b"]}");
            };
            return self.answer(head(), write, turn);
        }
        if rows.is_none() {
            turn.stream(head());
            turn.text(|out| out.extend_from_slice(b"{\"channels\":["));
        }
        let before = rows.unwrap_or(0);
        if !page.is_empty() {
            turn.text(|out| write_rows(page.iter(), before, out));
        }
        match next {
            Some(cursor) => {
                self.state = State::Listing(Some(before + page.len() as u64));
                turn.channels(PAGE, cursor);
            }
            None => {
                self.state = State::Quiet;
                turn.text(|out| out.extend_from_slice(b"]}"));
                turn.close(CloseReason::Done);
            }
        }
    }

    fn refused(&mut self, ticket: Ticket, refusal: &Refusal, turn: &mut Turn) {
        match &self.state {
            State::Entering(_) | State::Listing(None) => {
                let problem = map::refused(refusal, None, self.shown);
                self.fail(&problem, turn);
            }
            State::Publishing(_) => self.published(ticket, Err(refusal.clone()), turn),
            State::Joining(joining) => {
                let channel = place(ticket).and_then(|at| joining.listen.channels.get(at));
                let problem = map::refused(refusal, channel.map(String::as_str), self.shown);
                self.fail(&problem, turn);
            }
            State::Socket(_) => {
                let (reason, code) = map::refused_on_socket(refusal);
                self.state = State::Quiet;
                turn.close_with(reason, code);
            }
            // A list that has begun can only be cut short, which its reader notices.
            State::Listing(Some(_)) => {
                self.state = State::Quiet;
                turn.close(CloseReason::Fault);
            }
            State::Quiet | State::Streaming(..) => {}
        }
    }

    /// A message on the WebSocket, for each of its channels. Only its refusal is answered.
    fn say(&self, payload: impl FnOnce() -> Payload, turn: &mut Turn) {
        let State::Socket(channels) = &self.state else { return };
        let draft = Draft::new(payload());
        channels.iter().for_each(|channel| turn.publish(None, channel, draft.clone()));
    }

    /// Answers with a whole response and ends, and with it whatever was joined on the way.
    fn answer(&mut self, response: Response, write: impl FnOnce(&mut Vec<u8>), turn: &mut Turn) {
        self.state = State::Quiet;
        turn.respond(response, write);
        turn.close(CloseReason::Done);
    }

    fn fail(&mut self, problem: &Problem, turn: &mut Turn) {
        self.fail_with(problem, |_| (), turn);
    }

    fn fail_with(&mut self, problem: &Problem, more: impl FnOnce(&mut Vec<u8>), turn: &mut Turn) {
        self.answer(problem_response(problem), |out| problem.write(more, out), turn);
    }

    fn next_heartbeat(&self, now: Time) -> Option<Time> {
        self.settings.heartbeat().map(|interval| now + interval)
    }
}

impl Conversation for Talk {
    fn on_frame(&mut self, frame: Frame<'_>, turn: &mut Turn) {
        match frame {
            Frame::Request(request) => self.request(&request, turn),
            Frame::Text(text) => self.say(|| map::text_payload(text), turn),
            Frame::Binary(bytes) => self.say(|| Payload::bytes(bytes.to_vec().into()), turn),
            // Not roads that lead here.
            Frame::Stream(_) | Frame::Multipart(_) | Frame::Datagram(_) => {}
        }
    }

    fn on_event(&mut self, event: Event<'_>, turn: &mut Turn) {
        match event {
            Event::Authenticated { .. } => self.entered(turn),
            Event::Joined { recovered, .. } => self.joined(recovered, turn),
            Event::Published { ticket, members } => self.published(ticket, Ok(members), turn),
            Event::Channels { page, next, .. } => self.page(page, next, turn),
            Event::Refused { ticket, refusal } => self.refused(ticket, refusal, turn),
            Event::Deliver(delivery) => self.delivered(delivery, turn),
            Event::Gap { missed } => match &mut self.state {
                State::Joining(joining) => joining.gap = true,
                State::Streaming(style, _) => tell_gap(*style, Some(missed), turn),
                // SPEC [GAP-2]: it has no words for it, and must not go on as if nothing were missing.
                State::Socket(_) => turn.close(CloseReason::SlowConsumer),
                State::Quiet | State::Entering(_) | State::Listing(_) | State::Publishing(_) => {}
            },
            // Never asked for.
            Event::Left { .. }
            | Event::Spawned { .. }
            | Event::Recovered { .. }
            | Event::Branched { .. }
            | Event::Parted { .. }
            | Event::Enrolled { .. }
            | Event::Retired { .. }
            | Event::Checked { .. }
            | Event::LinkLost(_)
            | Event::NoSuchSession(_)
            | Event::HookOpened { .. }
            | Event::HookClosed { .. } => {}
        }
    }

    fn on_tick(&mut self, turn: &mut Turn) {
        let next = self.next_heartbeat(turn.now.time);
        if let State::Streaming(style, due) = &mut self.state
            && due.is_some_and(|due| due <= turn.now.time)
        {
            *due = next;
            if let Some(sign) = style.heartbeat() {
                turn.text(|out| out.extend_from_slice(sign.as_bytes()));
            }
        }
    }

    fn wake_at(&self) -> Option<Time> {
        match self.state {
            State::Streaming(_, due) => due,
            State::Quiet
            | State::Entering(_)
            | State::Listing(_)
            | State::Publishing(_)
            | State::Joining(_)
            | State::Socket(_) => None,
        }
    }
}

fn tickets() -> impl Iterator<Item = Ticket> {
    (FIRST..).map(Ticket)
}

/// Which of the channels a ticket stands for.
fn place(ticket: Ticket) -> Option<usize> {
    usize::try_from(ticket.0.checked_sub(FIRST)?).ok()
}

/// A WebSocket is told this whose position is not kept any more.
const GONE: &str = "not everything after `since` is kept any more; without it you hear what comes";

fn problem_response(problem: &Problem) -> Response {
    let response = Response::new(problem.status, "application/problem+json");
    match problem.header {
        Some((name, value)) => response.with(name, value),
        None => response,
    }
}

/// A delivery that came by event, written as the style's form would have it.
fn tell(style: Style, delivery: &Delivery, turn: &mut Turn) {
    let mut parts = Parts::default();
    (style.form().encode)(&delivery.message, &mut parts);
    for (unit, bytes) in parts.iter() {
        match unit {
            Unit::Text => turn.text(|out| out.extend_from_slice(bytes)),
            Unit::Binary => turn.binary(|out| out.extend_from_slice(bytes)),
        }
    }
}

fn tell_gap(style: Style, missed: Option<u64>, turn: &mut Turn) {
    if let Some(words) = style.missed(missed) {
        turn.text(|out| out.extend_from_slice(&words));
    }
}

fn write_rows<'a>(rows: impl Iterator<Item = &'a ChannelCount>, before: u64, out: &mut Vec<u8>) {
    for (i, row) in rows.enumerate() {
        if i > 0 || before > 0 {
            out.push(b',');
        }
        wire::row(row.channel.as_str(), row.members, out);
    }
}
