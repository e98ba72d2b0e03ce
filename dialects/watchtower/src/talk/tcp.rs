//! A device over TCP: a stream of commands, cut anywhere.

use super::device::{Device, Outcome};
use crate::devices::Devices;
use crate::wire::device::{self, Decoder, Fault, Next};
use dialect::{Conversation, Event, Frame, Turn};
use model::{CloseReason, Time};
use std::sync::Arc;
use std::time::Duration;

/// A device that sends a long message need be no faster than this, in bytes a second.
const SLOWEST: u64 = 1024;

/// A device over TCP.
pub(crate) struct Tcp {
    device: Device,
    decoder: Decoder,
    /// Since when it is awaited that it registers, or finishes what it has begun.
    since: Option<Time>,
    heard: Time,
    over: bool,
}

impl Tcp {
    pub(crate) fn new(shared: Arc<Devices>) -> Self {
        let (decoder, heard) = (Decoder::default(), Time::default());
        Self { device: Device::new(shared), decoder, since: None, heard, over: false }
    }

    /// Hears as many commands as there are, up to one that has to be answered first.
    fn take(&mut self, bytes: &[u8], turn: &mut Turn) {
        if self.over {
            return;
        }
        let bound = self.device.shared.settings().message_bytes();
        let (mut outcome, mut heard) = (Outcome::Done, false);
        let device = &mut self.device;
        let fed = self.decoder.feed(bytes, bound, |command| {
            heard = true;
            outcome = device.hear(&command, false, turn);
            match outcome {
                Outcome::Done => Next::Go,
                Outcome::Waits | Outcome::Fault => Next::Stop,
            }
        });
        match (fed, outcome) {
            (Err(Fault::TooLong), _) => return self.end(CloseReason::TooBig, turn),
            (Err(Fault::Unknown | Fault::NoDatagram), _) | (Ok(()), Outcome::Fault) => {
                return self.end(CloseReason::Fault, turn);
            }
            (Ok(()), Outcome::Waits) => turn.hold(),
            (Ok(()), Outcome::Done) => {}
        }
        let waits = self.decoder.waiting() > 0 || !self.device.is_registered();
        // Drips do not wind the clock up: it runs from where the present command began.
        let fresh = heard && self.device.is_registered();
        self.since = match self.since {
            Some(since) if waits && !fresh => Some(since),
            Some(_) | None => waits.then_some(turn.now.time),
        };
    }

    fn end(&mut self, reason: CloseReason, turn: &mut Turn) {
        self.over = true;
        self.decoder = Decoder::default();
        turn.binary(device::failed);
        turn.close(reason);
    }

    /// When what is awaited must have come. While an answer of ours is awaited the device owes nothing.
    fn deadline(&self) -> Option<Time> {
        let long = u64::try_from(self.decoder.announced()).unwrap_or(u64::MAX) / SLOWEST;
        let patience = self.device.shared.settings().handshake() + Duration::from_secs(long);
        self.since.filter(|_| !self.device.is_waiting()).map(|since| since + patience)
    }

    /// When it will have said nothing for too long.
    fn silence(&self) -> Option<Time> {
        self.device.shared.settings().tcp_idle().map(|idle| self.heard + idle)
    }
}

impl Conversation for Tcp {
    fn on_frame(&mut self, frame: Frame<'_>, turn: &mut Turn) {
        match frame {
            Frame::Stream(bytes) => {
                self.heard = turn.now.time;
                self.take(bytes, turn);
            }
            // Nothing else comes over a bare connection.
            Frame::Request(_)
            | Frame::Text(_)
            | Frame::Binary(_)
            | Frame::Multipart(_)
            | Frame::Datagram(_) => {}
        }
    }

    fn on_event(&mut self, event: Event<'_>, turn: &mut Turn) {
        if let Event::Gap { missed } = event {
            // To a device that does not know the extensions there are no words for it.
            if self.device.token().is_some() {
                turn.binary(|out| device::gap(out, missed));
            }
            return;
        }
        if !self.device.answer(&event, turn) {
            return;
        }
        if self.device.is_registered() {
            self.since = None;
            turn.hear(self.device.shared.form);
        }
        turn.resume();
        self.take(b"", turn);
    }

    fn on_tick(&mut self, turn: &mut Turn) {
        let is_due = |at: Option<Time>| at.is_some_and(|at| at <= turn.now.time);
        if is_due(self.deadline()) {
            self.end(CloseReason::TimedOut, turn);
        } else if is_due(self.silence()) {
            self.end(CloseReason::Silent, turn);
        }
    }

    fn wake_at(&self) -> Option<Time> {
        if self.over { None } else { self.deadline().into_iter().chain(self.silence()).min() }
    }
}
