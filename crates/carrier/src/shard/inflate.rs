//! How compressed messages are heard: inflated no further than they may be, those that would take long in slices.
//!
//! A slice is a link's share of a turn, and one is inflated in a turn for all links: the others wait, with what they
//! have sent still compressed. Refuses to know the format.

use super::Shard;
use crate::link::Speech;
use crate::net::Net;
use crate::websocket::{AT_ONCE, Fault, Inflater, Item};

/// What has been inflated for a link since it was last its turn.
#[derive(Default)]
pub(super) struct Share {
    /// Bytes that came of it.
    pub(super) inflated: usize,
    /// Bytes of it as they were sent.
    deflated: usize,
}

/// BOUND: the message that is inflated in slices is one in a shard. What has been inflated of it may be a thousand times
/// what its sender sent.
#[derive(Default)]
pub(super) struct Long {
    /// Whose it is.
    link: Option<u32>,
    inflater: Inflater,
    /// Bytes of it, as they were sent, that have been inflated.
    at: usize,
}

impl<N: Net> Shard<N> {
    /// Whether the link that is being read has had its share of inflating: a little that was read may be a lot, or be
    /// much work for nothing.
    pub(super) fn is_spent(&self) -> bool {
        self.share.inflated >= self.limits.read_budget || self.share.deflated >= AT_ONCE
    }

    /// A message that is compressed, in so many bytes: inflated, then heard like any other; or later.
    pub(super) fn hear_deflated(&mut self, slot: u32, session: u32, item: Item<'_>, deflated: usize) {
        if deflated > AT_ONCE {
            // Its decoder keeps it until something else is read of this link.
            self.share.deflated = AT_ONCE;
            return;
        }
        let bound = self.may_inflate_to(session);
        let mut inflater = std::mem::take(&mut self.inflater);
        self.share.deflated += deflated;
        let opened = inflater.open(item, bound);
        self.hear_opened(slot, session, opened, deflated);
        self.count_inflated(inflater.inflated());
        inflater.tidy();
        self.inflater = inflater;
    }

    /// Inflates the next slice of a link's long message, unless another's is being inflated or this turn has had its
    /// slice. After the last the message is heard.
    pub(super) fn inflate_long(&mut self, slot: u32) {
        if self.has_sliced || self.is_long_of_another(slot) {
            return;
        }
        self.has_sliced = true;
        if self.long.link != Some(slot) {
            self.long = Long { link: Some(slot), ..Long::default() };
            self.long.inflater.begin();
        }
        let Some(link) = self.links.get(slot as usize) else { return };
        let Some((unit, payload)) = link.long_message() else { return };
        let (session, whole) = (link.session, payload.len());
        let bound = self.may_inflate_to(session);
        let mut long = std::mem::take(&mut self.long);
        let before = long.inflater.inflated();
        let rest = payload.get(long.at..).unwrap_or_default();
        let (slice, after) = rest.split_at_checked(AT_ONCE).unwrap_or((rest, &[]));
        long.at += slice.len();
        let added = long.inflater.add(slice, bound);
        if added.is_ok() && !after.is_empty() {
            self.count_inflated(long.inflater.inflated() - before);
            self.long = long;
            return;
        }
        if let Some(link) = self.links.get_mut(slot as usize)
            && let Speech::WebSocket(decoder) = &mut link.speech
        {
            decoder.tidy();
        }
        let opened = added.and_then(|()| long.inflater.end(unit, bound));
        self.hear_opened(slot, session, opened, whole);
        self.count_inflated(long.inflater.inflated() - before);
    }

    /// A link ends: nothing is inflated for it any more.
    pub(super) fn forget_long(&mut self, slot: u32) {
        if self.long.link == Some(slot) {
            self.long = Long::default();
        }
    }

    /// Whether there is a message of another link to be gone on with first. One that may not be heard now gives up its
    /// place, and begins again: nobody waits for a session that holds.
    fn is_long_of_another(&self, slot: u32) -> bool {
        let other = self.long.link.filter(|other| *other != slot);
        let other = other.and_then(|other| self.links.get(other as usize));
        other.is_some_and(|link| link.long_message().is_some() && !link.is_paused())
    }

    /// How long a message of this session may be.
    fn may_inflate_to(&self, session: u32) -> usize {
        let is_known = self.sessions.get(session as usize).is_some_and(|s| s.principal.is_some());
        let strangers = if is_known { usize::MAX } else { self.limits.strangers_inflated_bytes };
        self.limits.message_bytes.min(strangers)
    }

    /// Hears what a message of so many compressed bytes was found to be. A stranger pays for what is more, what he sent
    /// or what came of it.
    fn hear_opened(&mut self, slot: u32, session: u32, opened: Result<Item<'_>, Fault>, deflated: usize) {
        match opened {
            Ok(item) => {
                if self.may_say(session, deflated.saturating_sub(item.weight())) {
                    self.hear_item(slot, item);
                }
            }
            Err(fault) => self.hear_fault(slot, fault),
        }
    }

    fn count_inflated(&mut self, bytes: usize) {
        self.share.inflated += bytes;
        self.desk.counters.bytes_inflated += bytes as u64;
    }
}
