//! What devices ask and are answered, whichever way they come: registering, joining, saying, leaving.

use crate::devices::Devices;
use crate::wire::device::{self, Command, TOKEN};
use bytes::Bytes;
use dialect::{Event, Turn};
use model::{CloseReason, Draft, Payload, Principal, PrincipalId, Ticket};
use std::sync::Arc;
use std::time::Duration;
use subtle::ConstantTimeEq;

/// How long somebody is kept who cannot come back, from when it is drawn until its session acts for it.
const FLEETING: Duration = Duration::from_secs(10);

/// What a command comes to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Outcome {
    /// It is answered, or will be; the next one can be heard.
    Done,
    /// Who the device is will be known later: the next command waits for that.
    Waits,
    /// It makes no sense here.
    Fault,
}

/// What was asked about who the device is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Asked {
    Nothing,
    /// With the plain command, which has no words for a token.
    Plain,
    WithToken,
    Resumed,
}

/// What a ticket stands for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Errand {
    Who,
    Join(u32),
    Leave(u32),
}

impl Errand {
    fn ticket(self) -> Ticket {
        let (kind, number) = match self {
            Self::Who => (1, 0),
            Self::Join(channel) => (2, channel),
            Self::Leave(channel) => (3, channel),
        };
        Ticket(kind << 32 | u64::from(number))
    }

    /// `None`: nobody asked here, as when another session of the same sender has left a channel for all of them.
    fn of(ticket: Ticket) -> Option<Self> {
        let number = u32::try_from(ticket.0 & u64::from(u32::MAX)).ok()?;
        match ticket.0 >> 32 {
            1 => Some(Self::Who),
            2 => Some(Self::Join(number)),
            3 => Some(Self::Leave(number)),
            _ => None,
        }
    }
}

/// A device.
pub(super) struct Device {
    pub(super) shared: Arc<Devices>,
    /// 0: it is nobody yet.
    id: u32,
    asked: Asked,
    /// What proves who it is, if it can come back.
    token: Option<Box<[u8; TOKEN]>>,
}

impl Device {
    pub(super) fn new(shared: Arc<Devices>) -> Self {
        Self { shared, id: 0, asked: Asked::Nothing, token: None }
    }

    pub(super) fn is_registered(&self) -> bool {
        self.id != 0
    }

    /// Whether the answer to who it is has not come yet.
    pub(super) fn is_waiting(&self) -> bool {
        self.asked != Asked::Nothing
    }

    pub(super) fn token(&self) -> Option<&[u8; TOKEN]> {
        self.token.as_deref()
    }

    /// Its id, if it can prove that it has it wherever it comes from.
    pub(super) fn may_come_back(&self) -> Option<u32> {
        self.token.as_ref().filter(|_| self.is_registered()).map(|_| self.id)
    }

    /// Whether a command itself shows who says it: the right secret, or the token.
    pub(super) fn is_proof(&self, command: &Command<'_>) -> bool {
        match command {
            Command::RegisterWith { secret } => self.shared.rules.knows(secret),
            Command::Resume { id, token } => *id == self.id && self.has(token),
            Command::Register
            | Command::Join { .. }
            | Command::Leave { .. }
            | Command::Message { .. }
            | Command::KeepAlive => false,
        }
    }

    fn has(&self, token: &[u8]) -> bool {
        self.token().is_some_and(|own| own.ct_eq(token).into())
    }

    /// Does what a command asks. `repeats`: who asks again who it is may have missed the answer.
    pub(super) fn hear(&mut self, command: &Command<'_>, repeats: bool, turn: &mut Turn) -> Outcome {
        if !self.is_registered() {
            return self.hear_nobody(command, turn);
        }
        let is_mine = |id: u32| id == self.id;
        match *command {
            Command::Register if repeats => turn.binary(|out| device::done(out, self.id)),
            Command::Register => {}
            Command::RegisterWith { secret } => match self.token() {
                Some(token) if self.shared.admits(secret) => {
                    turn.binary(|out| device::registered(out, self.id, token));
                }
                Some(_) | None => turn.binary(device::failed),
            },
            Command::Resume { id, token } if is_mine(id) && self.has(token) => {
                turn.binary(|out| device::done(out, id));
            }
            Command::Resume { .. } => turn.binary(device::failed),
            Command::Join { id, channel } if is_mine(id) => match self.shared.rules.aliases.name(channel) {
                Some(name) => turn.join(Errand::Join(channel).ticket(), &name, None),
                None => turn.binary(device::failed),
            },
            Command::Leave { id, channel } if is_mine(id) => match self.shared.rules.aliases.name(channel) {
                Some(name) => turn.leave(Errand::Leave(channel).ticket(), &name),
                None => turn.binary(device::failed),
            },
            Command::Message { id, channel, body } if is_mine(id) => self.say(channel, body, turn),
            Command::KeepAlive => turn.binary(device::alive),
            Command::Join { .. } | Command::Leave { .. } | Command::Message { .. } => return Outcome::Fault,
        }
        Outcome::Done
    }

    fn hear_nobody(&mut self, command: &Command<'_>, turn: &mut Turn) -> Outcome {
        match *command {
            Command::Register => self.register(b"", Asked::Plain, FLEETING, turn),
            Command::RegisterWith { secret } => {
                self.register(secret, Asked::WithToken, self.shared.rules.settings.idle(), turn)
            }
            Command::Resume { id, token } => self.resume(id, token, turn),
            Command::Join { .. } | Command::Leave { .. } | Command::Message { .. } | Command::KeepAlive => {
                Outcome::Fault
            }
        }
    }

    /// Publishes. The protocol has no answer to a message, whatever becomes of it. SPEC [DEV-7].
    fn say(&self, channel: u32, body: &[u8], turn: &mut Turn) {
        let Some(name) = self.shared.rules.aliases.name(channel) else { return };
        let mut draft = Draft::new(Payload::bytes(Bytes::copy_from_slice(body)));
        draft.joined_only = true;
        turn.publish(None, &name, draft);
    }

    fn register(&mut self, secret: &[u8], asked: Asked, idle: Duration, turn: &mut Turn) -> Outcome {
        self.asked = asked;
        if !self.shared.admits(secret) {
            turn.misproved(Errand::Who.ticket());
            return Outcome::Waits;
        }
        let rules = &self.shared.rules;
        let role = if secret.is_empty() { &rules.stranger } else { &rules.sender };
        turn.enrol(Errand::Who.ticket(), Arc::clone(role), idle);
        Outcome::Waits
    }

    fn resume(&mut self, id: u32, token: &[u8], turn: &mut Turn) -> Outcome {
        let (Ok(text), Ok(own), Some(who)) =
            (std::str::from_utf8(token), token.try_into(), PrincipalId::new(id.into()))
        else {
            turn.binary(device::failed);
            return Outcome::Done;
        };
        self.asked = Asked::Resumed;
        self.token = Some(Box::new(own));
        turn.act_as(Errand::Who.ticket(), who, Some(text));
        Outcome::Waits
    }

    /// Who it is, is known now.
    fn be(&mut self, principal: &Principal, token: Option<&str>, turn: &mut Turn) {
        let asked = std::mem::replace(&mut self.asked, Asked::Nothing);
        let id = principal.address.and_then(PrincipalId::enrolment).unwrap_or(0);
        let token = token.and_then(|t| <[u8; TOKEN]>::try_from(t.as_bytes()).ok());
        match (asked, token) {
            (Asked::WithToken, Some(token)) if id != 0 => {
                turn.binary(|out| device::registered(out, id, &token));
                self.token = Some(Box::new(token));
            }
            (Asked::Plain | Asked::Resumed, _) if id != 0 => turn.binary(|out| device::done(out, id)),
            // Whoever was enrolled has a number and a token that fit these frames: the node promises it.
            (Asked::Nothing | Asked::Plain | Asked::WithToken | Asked::Resumed, _) => {
                return turn.close(CloseReason::InternalFault);
            }
        }
        self.id = id;
        // What was kept for another address of it. SPEC [EXT-2].
        if asked == Asked::Resumed
            && let Some(mailbox) = self.shared.shelf.collect(id)
        {
            mailbox.empty(turn);
        }
    }

    /// Answers what was asked. `true`: it is known now who the device is, or that it is nobody.
    pub(super) fn answer(&mut self, event: &Event<'_>, turn: &mut Turn) -> bool {
        match event {
            Event::Authenticated { principal, .. } => {
                self.be(principal, None, turn);
                true
            }
            Event::Enrolled { principal, token, .. } => {
                self.be(principal, Some(token), turn);
                true
            }
            Event::Refused { ticket, .. } => {
                // Messages have no ticket, and are not answered.
                let errand = Errand::of(*ticket);
                if errand.is_some() {
                    turn.binary(device::failed);
                }
                let who = errand == Some(Errand::Who);
                if who {
                    (self.asked, self.token) = (Asked::Nothing, None);
                }
                who
            }
            Event::Joined { ticket, .. } | Event::Left { ticket, .. } => {
                if let Some(Errand::Join(channel) | Errand::Leave(channel)) = Errand::of(*ticket) {
                    turn.binary(|out| device::done(out, channel));
                }
                false
            }
            Event::Published { .. }
            | Event::Channels { .. }
            | Event::Checked { .. }
            | Event::Retired { .. }
            | Event::Spawned { .. }
            | Event::Recovered { .. }
            | Event::Branched { .. }
            | Event::Parted { .. }
            | Event::HookOpened { .. }
            | Event::HookClosed { .. }
            | Event::Deliver(_)
            | Event::Gap { .. }
            | Event::LinkLost(_)
            | Event::NoSuchSession(_) => false,
        }
    }
}
