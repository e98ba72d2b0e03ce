//! What links are owed, and the writes that pay it: one for each touched link and flush.

use crate::arena::{Arena, Stretch};
use crate::link::{Hot, NONE};
use crate::net::Stream;
use hub::{Outbox, Pushed, Retain};
use model::{CloseReason, SlowPolicy};
use node::Counters;
use slab::Slab;
use std::io::{self, IoSlice};

/// Stretches of one `writev`; what is beyond goes with the next.
const GATHER: usize = 64;

/// What became of a write.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Wrote {
    /// Everything went out.
    All,
    /// The rest waits for the reader.
    Some,
    /// The reader is too slow: what was kept are whole messages, and there is no room for more.
    TooSlow,
    /// The link is of no use any more.
    Broken(CloseReason),
}

pub(crate) struct Outgoing<S> {
    pub(crate) arena: Arena,
    pub(crate) hot: Vec<Hot<S>>,
    /// Links that are owed something, and how many of them have been flushed.
    touched: Vec<u32>,
    flushed: usize,
    /// Lists of stretches, for links that are owed several.
    lists: Slab<Vec<Stretch>>,
    outboxes: Slab<Outbox>,
    /// Bytes in all outboxes.
    pub(crate) pending: usize,
}

impl<S> Default for Outgoing<S> {
    fn default() -> Self {
        Self {
            arena: Arena::default(),
            hot: Vec::new(),
            touched: Vec::new(),
            flushed: 0,
            lists: Slab::new(),
            outboxes: Slab::new(),
            pending: 0,
        }
    }
}

impl<S> Outgoing<S> {
    /// Whether nobody is owed anything that is not in an outbox.
    pub(crate) fn is_flushed(&self) -> bool {
        self.touched.is_empty()
    }

    /// What the link is owed, in order, for another shard to pay.
    pub(crate) fn owed(&self, link: u32) -> Vec<u8> {
        let Some(hot) = self.hot.get(link as usize) else { return Vec::new() };
        let kept = self.outboxes.get(hot.outbox as usize).into_iter().flat_map(Outbox::stretches);
        let earlier = self.lists.get(hot.earlier as usize).into_iter().flatten();
        let last = hot.is_touched().then_some(&hot.last);
        let fresh = earlier.chain(last).map(|s| self.arena.get(*s));
        kept.chain(fresh).flatten().copied().collect()
    }

    /// Owes the link this stretch, after all that it is owed already.
    #[inline]
    pub(crate) fn owe(&mut self, link: u32, stretch: Stretch) {
        let hot = &mut self.hot[link as usize];
        if !hot.is_touched() {
            hot.last = stretch;
            self.touched.push(link);
        } else if hot.last.end == stretch.start {
            hot.last.end = stretch.end;
        } else {
            self.owe_apart(link, stretch);
        }
    }

    #[cold]
    fn owe_apart(&mut self, link: u32, stretch: Stretch) {
        let hot = &mut self.hot[link as usize];
        if hot.earlier == NONE {
            hot.earlier = u32::try_from(self.lists.insert(Vec::new())).unwrap_or(NONE);
        }
        if let Some(list) = self.lists.get_mut(hot.earlier as usize) {
            list.push(hot.last);
        }
        hot.last = stretch;
    }

    /// Owes the link what `write` appends.
    pub(crate) fn owe_new(&mut self, link: u32, write: impl FnOnce(&mut Vec<u8>)) {
        let start = self.arena.end();
        write(self.arena.buffer());
        let stretch = self.arena.since(start);
        if !stretch.is_empty() {
            self.owe(link, stretch);
        }
    }

    /// Whether the link's reader is slow.
    pub(crate) fn is_behind(&self, link: u32) -> bool {
        self.hot.get(link as usize).is_some_and(|h| h.outbox != NONE)
    }

    /// Whether nothing at all is owed to the link.
    pub(crate) fn is_clear(&self, link: u32) -> bool {
        self.hot.get(link as usize).is_none_or(|h| !h.is_touched() && h.outbox == NONE)
    }

    /// The link with the most bytes in its outbox.
    pub(crate) fn fullest(&self) -> Option<u32> {
        let bytes = |h: &Hot<S>| self.outboxes.get(h.outbox as usize).map(Outbox::bytes);
        let behind = self.hot.iter().enumerate().filter_map(|(i, h)| Some((bytes(h)?, i)));
        behind.max().and_then(|(_, i)| u32::try_from(i).ok())
    }

    /// Forgets what the link was owed.
    pub(crate) fn forget(&mut self, link: u32) {
        let hot = &mut self.hot[link as usize];
        let outbox = std::mem::replace(&mut hot.outbox, NONE);
        let earlier = std::mem::replace(&mut hot.earlier, NONE);
        if hot.is_touched() {
            // It stays on the list, and is owed nothing.
            hot.last = Stretch::default();
        }
        if let Some(outbox) = self.outboxes.try_remove(outbox as usize) {
            self.pending -= outbox.bytes();
        }
        self.lists.try_remove(earlier as usize);
    }

    /// Takes the next link to be flushed. At the end everything written in this turn is forgotten.
    pub(crate) fn next_touched(&mut self) -> Option<u32> {
        let next = self.touched.get(self.flushed).copied();
        match next {
            Some(_) => self.flushed += 1,
            None => {
                self.touched.clear();
                self.flushed = 0;
                self.arena.clear();
            }
        }
        next
    }
}

impl<S: Stream> Outgoing<S> {
    /// Whether something is owed to the link, or held back by its stream.
    pub(crate) fn holds(&self, link: u32) -> bool {
        let stream = self.hot.get(link as usize).and_then(|h| h.stream.as_ref());
        !self.is_clear(link) || stream.is_some_and(Stream::is_holding)
    }

    /// Lets the link's stream go on with what it holds back. Says whether some of that went out.
    pub(crate) fn push(&mut self, link: u32) -> io::Result<bool> {
        let Some(stream) = self.hot.get_mut(link as usize).and_then(|h| h.stream.as_mut()) else {
            return Ok(false);
        };
        let held = stream.is_holding();
        stream.push()?;
        Ok(held)
    }

    /// Writes what the link is owed, with one call. `bound`: bytes that may wait for it.
    pub(crate) fn flush(&mut self, link: u32, bound: usize, counters: &mut Counters) -> Wrote {
        let hot = &mut self.hot[link as usize];
        if !hot.is_touched() {
            // Its place was given to somebody else while it stood on the list, who has been paid already.
            return Wrote::All;
        }
        let last = std::mem::replace(&mut hot.last, Stretch::NONE);
        let Some(stream) = hot.stream.as_mut() else {
            self.forget(link);
            return Wrote::All;
        };
        let list = self.lists.try_remove(std::mem::replace(&mut hot.earlier, NONE) as usize);
        if hot.outbox != NONE {
            // It is slow already: what comes now waits behind the rest.
            return self.keep(link, list.as_deref().unwrap_or_default(), last, 0, bound);
        }
        let list = list.unwrap_or_default();
        let Ok(wrote) = write_stretches(stream, &self.arena, &list, last, counters) else {
            return Wrote::Broken(CloseReason::Gone);
        };
        counters.bytes_out += wrote as u64;
        self.keep(link, &list, last, wrote, bound)
    }

    /// Keeps what is beyond the first `skip` bytes of these stretches in the link's outbox.
    fn keep(&mut self, link: u32, list: &[Stretch], last: Stretch, mut skip: usize, bound: usize) -> Wrote {
        for s in list.iter().chain([&last]) {
            let len = (s.end - s.start) as usize;
            let cut = skip.min(len);
            skip -= cut;
            if cut == len {
                continue;
            }
            let rest = Stretch { start: s.start + u32::try_from(cut).unwrap_or(0), end: s.end };
            if self.keep_one(link, rest, bound) == Pushed::Overflow {
                // Half a message can be followed by nothing, not even by a goodbye.
                return if cut > 0 { Wrote::Broken(CloseReason::SlowConsumer) } else { Wrote::TooSlow };
            }
        }
        if self.hot[link as usize].outbox == NONE { Wrote::All } else { Wrote::Some }
    }

    fn keep_one(&mut self, link: u32, rest: Stretch, bound: usize) -> Pushed {
        let hot = &mut self.hot[link as usize];
        if hot.outbox == NONE {
            hot.outbox = u32::try_from(self.outboxes.insert(Outbox::default())).unwrap_or(NONE);
        }
        let Some(outbox) = self.outboxes.get_mut(hot.outbox as usize) else { return Pushed::Overflow };
        let before = outbox.bytes();
        let mut pushed = Pushed::Kept;
        for (at, mark) in self.arena.pieces(rest) {
            let (channel, policy) = mark.map_or((0, SlowPolicy::Disconnect), |m| (m.channel, m.policy));
            let message = match mark.and_then(|m| m.shared.clone()) {
                Some(shared) => Retain::Share(shared),
                None => Retain::Copy(self.arena.get(at)),
            };
            pushed = outbox.push(message, channel, policy, bound);
            if pushed == Pushed::Overflow {
                break;
            }
        }
        self.pending = self.pending + outbox.bytes() - before;
        pushed
    }

    /// Writes from the outbox of a link that can be written again. Also says how many messages its reader has
    /// missed, once it has caught up.
    pub(crate) fn write_more(&mut self, link: u32, counters: &mut Counters) -> (Wrote, u64) {
        let hot = &mut self.hot[link as usize];
        let (Some(stream), Some(outbox)) = (hot.stream.as_mut(), self.outboxes.get_mut(hot.outbox as usize))
        else {
            return (Wrote::All, 0);
        };
        while !outbox.is_empty() {
            let mut slices = [IoSlice::new(&[]); GATHER];
            let mut n = 0;
            for (slice, bytes) in slices.iter_mut().zip(outbox.stretches()) {
                *slice = IoSlice::new(bytes);
                n += 1;
            }
            counters.writes += 1;
            match settle(|| stream.write_vectored(slices.get(..n).unwrap_or_default())) {
                Ok(0) => return (Wrote::Some, 0),
                Ok(n) => {
                    counters.bytes_out += n as u64;
                    self.pending -= n;
                    outbox.advance(n);
                }
                Err(_) => return (Wrote::Broken(CloseReason::Gone), 0),
            }
        }
        let missed = outbox.take_missed();
        self.outboxes.remove(hot.outbox as usize);
        hot.outbox = NONE;
        (Wrote::All, missed)
    }
}

/// Writes these stretches in order: with one call, unless there are more than fit into one. Says how many bytes
/// the kernel took; fewer than all only when it will report that it takes more.
fn write_stretches<S: Stream>(
    stream: &mut S,
    arena: &Arena,
    list: &[Stretch],
    last: Stretch,
    counters: &mut Counters,
) -> io::Result<usize> {
    if list.is_empty() {
        counters.writes += 1;
        return settle(|| stream.write(arena.get(last)));
    }
    let mut total = 0;
    let mut stretches = list.iter().chain([&last]).peekable();
    while stretches.peek().is_some() {
        let mut slices = [IoSlice::new(&[]); GATHER];
        let (mut n, mut wanted) = (0, 0);
        for (slice, s) in slices.iter_mut().zip(&mut stretches) {
            *slice = IoSlice::new(arena.get(*s));
            n += 1;
            wanted += slice.len();
        }
        counters.writes += 1;
        let wrote = settle(|| stream.write_vectored(slices.get(..n).unwrap_or_default()))?;
        total += wrote;
        if wrote < wanted {
            break;
        }
    }
    Ok(total)
}

/// Calls again when a signal came between, and takes "not now" for nothing written.
fn settle(mut write: impl FnMut() -> io::Result<usize>) -> io::Result<usize> {
    loop {
        match write() {
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(0),
            other => return other,
        }
    }
}
