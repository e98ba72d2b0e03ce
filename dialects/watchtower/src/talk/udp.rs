//! A device over UDP: a command in each datagram, from one address, which may sleep between them.

use super::device::{Device, Outcome};
use super::mailbox::{Mailbox, Place};
use crate::devices::Devices;
use crate::wire::device::{self, Command, DATAGRAM, Datagram, Seal};
use crate::wire::seal::{self, Window};
use bytes::Bytes;
use dialect::{Conversation, Event, Frame, Turn};
use model::{CloseReason, Delivery, Form, Framing, Message, Parts, Time};
use std::sync::Arc;

/// A device over UDP.
pub(crate) struct Udp {
    device: Device,
    heard: Time,
    more: Option<Box<More>>,
}

/// What most devices do not have most of the time, and there may be very many.
#[derive(Default)]
struct More {
    /// Once it has sealed a datagram: what it has said is not heard again, and what it has not sealed not at all.
    window: Option<Window>,
    /// What waits until it wakes.
    kept: Option<Kept>,
}

/// What waits for a device until it wakes, and where.
enum Kept {
    Here(Mailbox),
    /// On the shelf: it may wake elsewhere.
    There(Place),
}

impl Drop for Udp {
    fn drop(&mut self) {
        drop(self.take_mailbox());
    }
}

impl Udp {
    pub(crate) fn new(shared: Arc<Devices>) -> Self {
        Self { device: Device::new(shared), heard: Time::default(), more: None }
    }

    fn take(&mut self, bytes: &[u8], turn: &mut Turn) {
        let sealed = self.more.as_ref().is_some_and(|more| more.window.is_some());
        match device::datagram(bytes, self.device.shared.settings().message_bytes()) {
            Ok(Datagram { seal: Some(seal), command: Some(command), .. }) => {
                self.hear_sealed(&seal, &command, turn);
            }
            // Anybody can send anything under the name of an address.
            Ok(Datagram { command: Some(command), .. }) if sealed && !self.device.is_proof(&command) => {}
            Ok(Datagram { command: Some(command), .. }) => {
                if sealed {
                    self.more().window = None;
                }
                self.hear(&command, turn);
            }
            Ok(Datagram { cookie, command: None, .. }) => {
                // The address has been let in: whatever it shows will do.
                if let Some(cookie) = cookie {
                    turn.binary(|out| device::cookie(out, cookie));
                }
                self.forget_nobody(CloseReason::Done, turn);
            }
            Err(_) if sealed => {}
            Err(_) => self.refuse(turn),
        }
    }

    fn hear_sealed(&mut self, seal: &Seal<'_>, command: &Command<'_>, turn: &mut Turn) {
        let Some(token) = self.device.token().filter(|_| self.device.is_registered()) else {
            return self.refuse(turn);
        };
        let is_new =
            seal::is_sealed(seal, token) && self.more().window.get_or_insert_default().take(seal.counter);
        if is_new {
            self.hear(command, turn);
        }
    }

    fn hear(&mut self, command: &Command<'_>, turn: &mut Turn) {
        self.heard = turn.now.time;
        // Who asks again while the answer is on its way gets that one.
        if self.device.is_waiting() {
            return;
        }
        match self.device.hear(command, true, turn) {
            Outcome::Done => self.forget_nobody(CloseReason::Unauthorized, turn),
            Outcome::Waits => {}
            Outcome::Fault => self.refuse(turn),
        }
        if let Some(mailbox) = self.take_mailbox() {
            mailbox.empty(turn);
        }
    }

    /// It is not done. An address that belongs to nobody is forgotten.
    fn refuse(&self, turn: &mut Turn) {
        turn.binary(device::failed);
        self.forget_nobody(CloseReason::Fault, turn);
    }

    fn forget_nobody(&self, reason: CloseReason, turn: &mut Turn) {
        if !self.device.is_registered() && !self.device.is_waiting() {
            turn.close(reason);
        }
    }

    fn deliver(&mut self, delivery: &Delivery, turn: &mut Turn) {
        let shared = Arc::clone(&self.device.shared);
        let frame = delivery.form(shared.form, Framing::Bare, |m| Some(encoded(shared.form, m)));
        match frame {
            Some(frame) if frame.is_empty() => {}
            Some(frame) if frame.len() > DATAGRAM => self.miss(1),
            Some(frame) if turn.now.time < self.heard + shared.settings().awake() => {
                turn.binary(|out| out.extend_from_slice(&frame));
            }
            Some(frame) => self.keep(frame, turn),
            None => self.miss(1),
        }
    }

    /// Keeps a frame until the device wakes. SPEC [UDP-4].
    fn keep(&mut self, frame: Bytes, turn: &mut Turn) {
        let shared = Arc::clone(&self.device.shared);
        let mut kept = self.more().kept.take().unwrap_or_else(|| Kept::Here(Mailbox::default()));
        if let (Kept::Here(mailbox), Some(id)) = (&mut kept, self.device.may_come_back()) {
            match shared.shelf.put(id, std::mem::take(mailbox)) {
                Ok(place) => kept = Kept::There(place),
                Err(back) => *mailbox = back,
            }
        }
        let is_kept = match &mut kept {
            Kept::Here(mailbox) => {
                mailbox.keep(frame, shared.settings());
                true
            }
            Kept::There(place) => shared.shelf.with(place, |mailbox| mailbox.keep(frame, shared.settings())),
        };
        self.more().kept = Some(kept);
        if !is_kept {
            // It has come back elsewhere, and taken what waited.
            turn.close(CloseReason::Silent);
        }
    }

    fn more(&mut self) -> &mut More {
        self.more.get_or_insert_default()
    }

    /// Something did not reach the device, which it is told when it is heard of next.
    fn miss(&mut self, missed: u64) {
        let more = self.more.get_or_insert_default();
        match more.kept.get_or_insert_with(|| Kept::Here(Mailbox::default())) {
            Kept::Here(mailbox) => mailbox.miss(missed),
            // Whoever has collected the mailbox is told nothing more.
            Kept::There(place) => {
                self.device.shared.shelf.with(place, |mailbox| mailbox.miss(missed));
            }
        }
    }

    /// What waits, wherever that is.
    fn take_mailbox(&mut self) -> Option<Mailbox> {
        let more = self.more.as_mut()?;
        let kept = more.kept.take();
        if more.window.is_none() {
            self.more = None;
        }
        match kept? {
            Kept::Here(mailbox) => Some(mailbox),
            Kept::There(place) => self.device.shared.shelf.take(&place),
        }
    }
}

fn encoded(form: &Form, message: &Message) -> Bytes {
    let (mut parts, mut bytes) = (Parts::default(), Vec::new());
    (form.encode)(message, &mut parts);
    parts.iter().for_each(|(_, part)| bytes.extend_from_slice(part));
    bytes.into()
}

impl Conversation for Udp {
    fn on_frame(&mut self, frame: Frame<'_>, turn: &mut Turn) {
        match frame {
            Frame::Datagram(bytes) => self.take(bytes, turn),
            // Nothing else comes by this road.
            Frame::Request(_)
            | Frame::Text(_)
            | Frame::Binary(_)
            | Frame::Multipart(_)
            | Frame::Stream(_) => {}
        }
    }

    fn on_event(&mut self, event: Event<'_>, turn: &mut Turn) {
        if let Event::Deliver(delivery) = event {
            self.deliver(delivery, turn);
        } else if let Event::Gap { missed } = event {
            self.miss(missed);
        } else if self.device.answer(&event, turn) {
            turn.hear_events();
            self.forget_nobody(CloseReason::Unauthorized, turn);
        }
    }

    fn on_tick(&mut self, turn: &mut Turn) {
        if self.wake_at().is_some_and(|at| at <= turn.now.time) {
            turn.close(CloseReason::Silent);
        }
    }

    fn wake_at(&self) -> Option<Time> {
        Some(self.heard + self.device.shared.settings().udp_idle())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// There may be a hundred thousand of them.
    #[test]
    fn an_idle_device_is_small() {
        assert!(size_of::<Udp>() <= 40, "{}", size_of::<Udp>());
    }
}
