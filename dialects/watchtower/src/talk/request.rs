//! One request and what follows from it: an answer, a stream, or a subscription that outlives it.
//!
//! Every request but the first of all acts for a sender, which is asked about before anything is done; what it wants
//! waits in the state.

use super::callback::{self, Called};
use super::join::Joining;
use super::stream::Streaming;
use super::{JSON, Rules, answer, fail, respond};
use crate::map::{self, Doing};
use crate::wire::http::{self, Ask, Problem, Sender, Style, Wish};
use dialect::{ChannelCount, Conversation, Event, Frame, Request, Response, Turn};
use model::{CloseReason, Delivery, Draft, PrincipalId, Refusal, Ticket, Time};
use std::sync::Arc;

/// The answer to this one decides for whom the request acts.
const ENTER: Ticket = Ticket(1);
/// A page of channels.
const PAGE: Ticket = Ticket(2);
/// The end of a sender.
const RETIRE: Ticket = Ticket(3);
/// The hook of a subscription.
const HOOK: Ticket = Ticket(4);
/// The first of the tickets that stand for the channels of a request, in order.
const FIRST: u64 = 16;

/// Where the request stands.
#[derive(Debug)]
enum State {
    /// Nothing is asked, or it is answered.
    Quiet,
    /// A sender is being made.
    Registering,
    /// Who asks is being found out.
    Entering(Box<Wish>),
    /// A sender is being forgotten.
    Retiring,
    /// Pages of channels are coming; whether the answer has begun.
    Listing(bool),
    /// Some channels have yet to answer.
    Working(Box<Work>),
    /// A hook is being opened, for these channels.
    Opening(Vec<u32>),
    /// Some channels have yet to be joined.
    Joining(Box<Joining>, Way),
    /// The answer goes on until the session ends.
    Streaming(Streaming),
    /// It is answered, and what its channels hear is posted.
    Called(Called),
}

/// How what is joined is to be heard.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Way {
    Stream,
    Callback,
}

/// Something that is done for each of some channels.
#[derive(Debug)]
struct Work {
    task: Task,
    channels: Vec<u32>,
    /// By channel: how many members heard it.
    outcomes: Vec<Option<Result<u32, Refusal>>>,
}

#[derive(Debug)]
enum Task {
    Leave,
    /// All is well with each before anything is said to any.
    Check(Draft, Option<Vec<PrincipalId>>),
    Broadcast,
    Send,
}

impl Work {
    fn new(task: Task, channels: Vec<u32>) -> Self {
        let outcomes = channels.iter().map(|_| None).collect();
        Self { task, channels, outcomes }
    }

    fn doing(&self, channel: u32) -> Doing {
        match &self.task {
            Task::Leave => Doing::Leaving(channel),
            Task::Broadcast | Task::Check(_, None) => Doing::Broadcasting(channel),
            Task::Send | Task::Check(_, Some(_)) => Doing::Sending(channel),
        }
    }

    /// What a channel said. `true`: it was the last.
    fn note(&mut self, ticket: Ticket, outcome: Result<u32, Refusal>) -> bool {
        if let Some(slot) = place(ticket).and_then(|at| self.outcomes.get_mut(at)) {
            *slot = Some(outcome);
        }
        self.outcomes.iter().all(Option::is_some)
    }

    fn outcomes(&self) -> impl Iterator<Item = (u32, &Result<u32, Refusal>)> {
        self.channels.iter().copied().zip(self.outcomes.iter().flatten())
    }

    /// What to say when not every channel said yes. SPEC [BC-4].
    fn problem(&self) -> Option<Problem> {
        let (channel, refusal) = self.outcomes().find_map(|(c, o)| Some((c, o.as_ref().err()?)))?;
        let problem = map::refused(refusal, self.doing(channel));
        let done: Vec<_> = self.outcomes().filter(|(_, o)| o.is_ok()).map(|(c, _)| c.to_string()).collect();
        if done.is_empty() || matches!(self.task, Task::Check(..)) {
            return Some(problem);
        }
        let detail = format!("{}; done for {}", problem.detail, done.join(", "));
        Some(Problem { detail: detail.into(), ..problem })
    }
}

/// The conversation.
#[derive(Debug)]
pub(crate) struct Talk {
    rules: Arc<Rules>,
    style: Style,
    state: State,
}

impl Talk {
    pub(crate) fn new(rules: Arc<Rules>) -> Self {
        Self { rules, style: Style::Text, state: State::Quiet }
    }

    fn request(&mut self, request: &Request<'_>, turn: &mut Turn) {
        self.style = Style::preferred(request.header("accept"));
        match http::ask(request, self.rules.settings.channels_per_request) {
            Err(problem) => self.fail(&problem, turn),
            Ok(Ask::Register(shown)) => self.register(shown.as_deref(), turn),
            Ok(Ask::AsSender(sender, wish)) => self.enter(&sender, wish, turn),
        }
    }

    /// SPEC [REG-1], [REG-2].
    fn register(&mut self, shown: Option<&str>, turn: &mut Turn) {
        self.state = State::Registering;
        if !shown.is_some_and(|shown| self.rules.knows(shown.as_bytes())) {
            return turn.misproved(ENTER);
        }
        turn.enrol(ENTER, self.rules.sender.clone(), self.rules.settings.idle());
    }

    /// A token that is shown must be right, also where none is asked for. SPEC [ID-2], [ID-3].
    fn enter(&mut self, sender: &Sender, wish: Wish, turn: &mut Turn) {
        if self.rules.settings.require_token == Some(true) && sender.token.is_none() {
            let how = "missing token: show the one that /register returned, as `Authorization: Bearer …` or `?token=…`";
            return self.fail(&Problem::new(401, how), turn);
        }
        self.state = State::Entering(Box::new(wish));
        turn.act_as(ENTER, sender.id.into(), sender.token.as_deref());
    }

    /// The request acts for its sender: does what it wants.
    fn entered(&mut self, turn: &mut Turn) {
        let State::Entering(wish) = std::mem::replace(&mut self.state, State::Quiet) else { return };
        match *wish {
            Wish::List => {
                self.state = State::Listing(false);
                turn.channels(PAGE, 0);
            }
            Wish::Listen(channels) => {
                let joining = Joining::begin(channels, tickets(), &self.rules, turn);
                self.state = State::Joining(Box::new(joining), Way::Stream);
            }
            Wish::BeCalled { channels, url, secret } => {
                self.state = State::Opening(channels);
                turn.open_hook(HOOK, callback::plan(&url, secret));
            }
            Wish::Leave(channels) => self.work(Task::Leave, channels, turn),
            Wish::Unregister => {
                self.state = State::Retiring;
                turn.retire(RETIRE);
            }
            Wish::Broadcast(channels, speech) => self.say(channels, map::draft(speech), None, turn),
            Wish::Send(channels, receivers, speech) => {
                self.say(channels, map::draft(speech), Some(receivers), turn);
            }
        }
    }

    /// One channel decides for itself; several are asked first, so that all hear it or none. SPEC [BC-3].
    fn say(
        &mut self,
        channels: Vec<u32>,
        draft: Draft,
        receivers: Option<Vec<PrincipalId>>,
        turn: &mut Turn,
    ) {
        if channels.len() > 1 {
            self.work(Task::Check(draft, receivers), channels, turn);
        } else {
            self.publish(channels, &draft, receivers.as_deref(), turn);
        }
    }

    fn publish(
        &mut self,
        channels: Vec<u32>,
        draft: &Draft,
        receivers: Option<&[PrincipalId]>,
        turn: &mut Turn,
    ) {
        for (ticket, channel) in tickets().zip(&channels) {
            let name = self.rules.aliases.name(*channel).unwrap_or_default();
            match receivers {
                Some(receivers) => turn.direct(ticket, &name, receivers.to_vec(), draft.clone()),
                None => turn.publish(Some(ticket), &name, draft.clone()),
            }
        }
        let task = if receivers.is_some() { Task::Send } else { Task::Broadcast };
        self.state = State::Working(Box::new(Work::new(task, channels)));
    }

    fn work(&mut self, task: Task, channels: Vec<u32>, turn: &mut Turn) {
        for (ticket, channel) in tickets().zip(&channels) {
            let name = self.rules.aliases.name(*channel).unwrap_or_default();
            match &task {
                Task::Leave => turn.withdraw(ticket, &name),
                Task::Check(_, receivers) => {
                    turn.check(ticket, &name, receivers.clone().unwrap_or_default());
                }
                // Said by `publish`.
                Task::Broadcast | Task::Send => {}
            }
        }
        self.state = State::Working(Box::new(Work::new(task, channels)));
    }

    /// A channel has answered; the last of them completes the work.
    fn worked(&mut self, ticket: Ticket, outcome: Result<u32, Refusal>, turn: &mut Turn) {
        let State::Working(work) = &mut self.state else { return };
        if !work.note(ticket, outcome) {
            return;
        }
        let State::Working(work) = std::mem::replace(&mut self.state, State::Quiet) else { return };
        if let Some(problem) = work.problem() {
            return self.fail(&problem, turn);
        }
        let members = work.outcomes().filter_map(|(_, o)| o.as_ref().ok()).map(|n| u64::from(*n)).sum();
        let Work { task, channels, .. } = *work;
        match task {
            Task::Leave | Task::Send => self.answer(http::done, turn),
            Task::Check(draft, receivers) => self.publish(channels, &draft, receivers.as_deref(), turn),
            Task::Broadcast => self.answer(|out| http::reached(members, out), turn),
        }
    }

    /// The receiver may be posted to: it is subscribed once every channel is joined.
    fn opened(&mut self, turn: &mut Turn) {
        if let State::Opening(channels) = &mut self.state {
            let channels = std::mem::take(channels);
            let joining = Joining::begin(channels, tickets(), &self.rules, turn);
            self.state = State::Joining(Box::new(joining), Way::Callback);
        }
    }

    /// SPEC [ST-1], [CB-1].
    fn joined(&mut self, turn: &mut Turn) {
        let State::Joining(joining, _) = &mut self.state else { return };
        if !joining.joined() {
            return;
        }
        let State::Joining(joining, way) = std::mem::replace(&mut self.state, State::Quiet) else { return };
        self.state = match way {
            Way::Stream => State::Streaming(Streaming::begin(*joining, &self.rules, turn)),
            Way::Callback => {
                turn.outlive_links(true);
                turn.respond(answer(200, JSON), http::done);
                State::Called(Called::begin(*joining, &self.rules, turn))
            }
        };
    }

    fn delivered(&mut self, delivery: &Arc<Delivery>, turn: &mut Turn) {
        match &mut self.state {
            State::Joining(joining, _) => {
                if !joining.keep(delivery) {
                    self.fail(&map::refused(&Refusal::Busy, Doing::Listing), turn);
                }
            }
            State::Streaming(streaming) => streaming.tell(delivery, &self.rules, turn),
            State::Called(called) => called.tell(delivery, &self.rules, turn),
            State::Quiet
            | State::Registering
            | State::Entering(_)
            | State::Retiring
            | State::Listing(_)
            | State::Working(_)
            | State::Opening(_) => {}
        }
    }

    /// A channel was left: as this request asked, or because another of the sender's did.
    fn left(&mut self, ticket: Ticket, channel: &str, turn: &mut Turn) {
        let number = self.rules.aliases.number(channel);
        match &mut self.state {
            State::Working(_) => self.worked(ticket, Ok(0), turn),
            State::Joining(joining, _) => joining.withdrawn(number),
            State::Streaming(streaming) => streaming.withdrawn(number, turn),
            State::Called(called) => called.withdrawn(number, turn),
            State::Quiet
            | State::Registering
            | State::Entering(_)
            | State::Retiring
            | State::Listing(_)
            | State::Opening(_) => {}
        }
    }

    /// SPEC [LIST-1], [LIST-2]: one page is a whole answer, sorted; of several each goes out as it comes.
    fn page(&mut self, page: &[ChannelCount], next: Option<u32>, turn: &mut Turn) {
        let State::Listing(begun) = self.state else { return };
        let mut numbers: Vec<u32> =
            page.iter().filter_map(|row| self.rules.aliases.number(row.channel.as_str())).collect();
        numbers.sort_unstable();
        if !begun && next.is_none() {
            self.state = State::Quiet;
            if numbers.is_empty() {
                let mut head = listing(204);
                head.headers.retain(|(name, _)| *name != "Content-Type");
                return respond(head, |_| (), turn);
            }
            return respond(listing(200), |out| http::channels(&numbers, out), turn);
        }
        if !numbers.is_empty() {
            if !begun {
                turn.stream(listing(200));
            }
            turn.text(|out| http::some_channels(!begun, &numbers, out));
        }
        let begun = begun || !numbers.is_empty();
        match next {
            Some(cursor) => {
                self.state = State::Listing(begun);
                turn.channels(PAGE, cursor);
            }
            None => {
                self.state = State::Quiet;
                turn.text(http::end_of_channels);
                turn.close(CloseReason::Done);
            }
        }
    }

    fn refused(&mut self, ticket: Ticket, refusal: &Refusal, turn: &mut Turn) {
        let doing = match &self.state {
            State::Registering => Doing::Registering,
            State::Entering(_) | State::Retiring => Doing::Entering,
            State::Listing(false) => Doing::Listing,
            // A list that has begun can only be cut short, which its reader notices.
            State::Listing(true) => {
                self.state = State::Quiet;
                return turn.close(CloseReason::Fault);
            }
            State::Working(_) => return self.worked(ticket, Err(refusal.clone()), turn),
            State::Opening(_) => Doing::Entering,
            State::Joining(joining, _) => joining.asked(place(ticket)).map_or(Doing::Listing, Doing::Joining),
            State::Quiet | State::Streaming(_) | State::Called(_) => return,
        };
        self.fail(&map::refused(refusal, doing), turn);
    }

    fn answer(&mut self, write: impl FnOnce(&mut Vec<u8>), turn: &mut Turn) {
        self.state = State::Quiet;
        respond(answer(200, JSON), write, turn);
    }

    fn fail(&mut self, problem: &Problem, turn: &mut Turn) {
        self.state = State::Quiet;
        fail(problem, self.style, turn);
    }
}

impl Conversation for Talk {
    fn on_frame(&mut self, frame: Frame<'_>, turn: &mut Turn) {
        match frame {
            Frame::Request(request) => self.request(&request, turn),
            // Not roads that lead here.
            Frame::Text(_)
            | Frame::Binary(_)
            | Frame::Stream(_)
            | Frame::Multipart(_)
            | Frame::Datagram(_) => {}
        }
    }

    fn on_event(&mut self, event: Event<'_>, turn: &mut Turn) {
        match event {
            Event::Enrolled { principal, token, .. } => {
                let id = principal.address.and_then(PrincipalId::enrolment).unwrap_or(0);
                self.answer(|out| http::registered(id, token, out), turn);
            }
            Event::Authenticated { .. } => self.entered(turn),
            Event::Retired { .. } => self.answer(http::done, turn),
            Event::Checked { ticket } => self.worked(ticket, Ok(0), turn),
            Event::Joined { .. } => self.joined(turn),
            Event::Left { ticket, channel } => self.left(ticket, channel, turn),
            Event::Published { ticket, members } => self.worked(ticket, Ok(members), turn),
            Event::Channels { page, next, .. } => self.page(page, next, turn),
            Event::Refused { ticket, refusal } => self.refused(ticket, refusal, turn),
            Event::Deliver(delivery) => self.delivered(delivery, turn),
            Event::Gap { missed } => match &mut self.state {
                State::Joining(joining, _) => joining.missed += missed,
                State::Streaming(streaming) => streaming.missed(missed, turn),
                State::Quiet
                | State::Registering
                | State::Entering(_)
                | State::Retiring
                | State::Listing(_)
                | State::Working(_)
                | State::Opening(_)
                // The next POST says it.
                | State::Called(_) => {}
            },
            Event::HookOpened { .. } => self.opened(turn),
            Event::HookClosed { why } => Called::given_up(why, turn),
            // Never asked for.
            Event::Spawned { .. }
            | Event::Recovered { .. }
            | Event::Branched { .. }
            | Event::Parted { .. }
            | Event::LinkLost(_)
            | Event::NoSuchSession(_) => {}
        }
    }

    /// Its sender was unregistered while the request was dealt with. SPEC [UNREG-1].
    fn on_close(&mut self, reason: CloseReason, turn: &mut Turn) {
        let waits = match &self.state {
            State::Entering(_)
            | State::Retiring
            | State::Listing(false)
            | State::Working(_)
            | State::Opening(_)
            | State::Joining(..) => true,
            State::Quiet
            | State::Registering
            | State::Listing(true)
            | State::Streaming(_)
            | State::Called(_) => false,
        };
        if waits && reason == CloseReason::Kicked {
            self.fail(&Problem::new(401, http::BAD_SENDER), turn);
        }
    }

    fn on_tick(&mut self, turn: &mut Turn) {
        if let State::Streaming(streaming) = &mut self.state {
            streaming.tick(&self.rules, turn);
        }
    }

    fn wake_at(&self) -> Option<Time> {
        match &self.state {
            State::Streaming(streaming) => streaming.due(),
            State::Quiet
            | State::Registering
            | State::Entering(_)
            | State::Retiring
            | State::Listing(_)
            | State::Working(_)
            | State::Opening(_)
            | State::Joining(..)
            | State::Called(_) => None,
        }
    }
}

fn listing(status: u16) -> Response {
    answer(status, JSON).with("Cache-Control", "no-store")
}

fn tickets() -> impl Iterator<Item = Ticket> {
    (FIRST..).map(Ticket)
}

/// Which of the channels a ticket stands for.
fn place(ticket: Ticket) -> Option<usize> {
    usize::try_from(ticket.0.checked_sub(FIRST)?).ok()
}
