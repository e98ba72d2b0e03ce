//! Who is in which channel, as one shard sees it: lists of members, and the memberships of each session.
//!
//! Everything is an index: a delivery walks a plain list, and joining, leaving and ending a session cost the
//! same however large the channel is. Does not know what a channel or a session is beyond its index; `C` is
//! whatever the owner wants to find again under a channel's place.

use model::PrincipalId;
use smallvec::SmallVec;

/// How a member hears: 0 by events, else one of its shard's forms.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Hash)]
pub struct Lane(pub u8);

/// A member of a channel, with what a delivery needs to know about it.
#[derive(Clone, Copy, Debug)]
pub struct Member {
    /// The session's place in its shard.
    pub session: u32,
    /// The link it hears on.
    pub link: u32,
    /// Which of the session's memberships this is.
    back: u32,
    /// How it hears.
    pub lane: Lane,
}

/// Stands for a place in a list of members that is not taken yet.
const NOWHERE: u32 = u32::MAX;

#[derive(Clone, Copy, Debug)]
struct Membership {
    channel: u32,
    /// Where in the channel's list; `NOWHERE` while joining.
    at: u32,
    /// Leaving has been committed; the list still has it, because earlier messages are still on their way.
    leaving: bool,
}

/// What is known of a session.
#[derive(Debug, Default)]
struct Seat {
    /// Nearly all sessions have one, and there are many of them.
    memberships: SmallVec<[Membership; 1]>,
    link: u32,
    lane: Lane,
    /// It may come back for what it has missed.
    returns: bool,
    address: Option<PrincipalId>,
}

#[derive(Debug)]
struct Local<C> {
    members: Vec<Member>,
    /// How many of them may come back for what they have missed.
    returning: u32,
    /// `None`: the place is free.
    handle: Option<C>,
}

/// The channels and sessions of one shard.
#[derive(Debug)]
pub struct Roster<C> {
    channels: Vec<Local<C>>,
    free: Vec<u32>,
    seats: Vec<Seat>,
    /// Sessions that may come back for what they have missed.
    returning: usize,
}

impl<C> Default for Roster<C> {
    fn default() -> Self {
        Self { channels: Vec::new(), free: Vec::new(), seats: Vec::new(), returning: 0 }
    }
}

fn index(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(NOWHERE)
}

impl<C> Roster<C> {
    /// Takes a place for a channel that gets its first member here.
    pub fn open_channel(&mut self, handle: C) -> u32 {
        if let Some(slot) = self.free.pop() {
            self.channels[slot as usize].handle = Some(handle);
            return slot;
        }
        self.channels.push(Local { members: Vec::new(), returning: 0, handle: Some(handle) });
        index(self.channels.len() - 1)
    }

    /// Gives the place back. No member and no delivery on its way may refer to it.
    pub fn close_channel(&mut self, slot: u32) {
        let local = &mut self.channels[slot as usize];
        debug_assert!(local.members.is_empty());
        local.members = Vec::new();
        local.handle = None;
        self.free.push(slot);
    }

    /// What stands at a channel's place.
    #[must_use]
    pub fn handle(&self, slot: u32) -> Option<&C> {
        self.channels.get(slot as usize)?.handle.as_ref()
    }

    /// The members of a channel. In no order that is promised.
    #[must_use]
    pub fn members(&self, slot: u32) -> &[Member] {
        self.channels.get(slot as usize).map_or(&[], |c| &c.members)
    }

    /// Makes the session's place new.
    pub fn seat(&mut self, session: u32) {
        let at = session as usize;
        if self.seats.len() <= at {
            self.seats.resize_with(at + 1, Seat::default);
        }
        self.seats[at] = Seat::default();
    }

    /// How, and on which link, the session hears from now on, in every channel.
    pub fn set_hearing(&mut self, session: u32, link: u32, lane: Lane) {
        let seat = &mut self.seats[session as usize];
        (seat.link, seat.lane) = (link, lane);
        for m in seat.memberships.iter().filter(|m| m.at != NOWHERE) {
            let member = &mut self.channels[m.channel as usize].members[m.at as usize];
            (member.link, member.lane) = (link, lane);
        }
    }

    /// Whether the session may come back for what it has missed.
    #[must_use]
    pub fn returns(&self, session: u32) -> bool {
        self.seats.get(session as usize).is_some_and(|seat| seat.returns)
    }

    /// From now on the session may come back for what it has missed, or may not.
    pub fn set_returns(&mut self, session: u32, returns: bool) {
        let seat = &mut self.seats[session as usize];
        if seat.returns == returns {
            return;
        }
        seat.returns = returns;
        self.returning = if returns { self.returning + 1 } else { self.returning - 1 };
        for m in seat.memberships.iter().filter(|m| m.at != NOWHERE) {
            let returning = &mut self.channels[m.channel as usize].returning;
            *returning = if returns { *returning + 1 } else { *returning - 1 };
        }
    }

    /// How many sessions may come back for what they have missed.
    #[must_use]
    pub fn returning(&self) -> usize {
        self.returning
    }

    /// Whether a member of the channel may come back for what it has missed.
    #[must_use]
    pub fn is_missed_by_some(&self, channel: u32) -> bool {
        self.channels.get(channel as usize).is_some_and(|c| c.returning > 0)
    }

    /// By which name the session can be addressed from now on, in channels that it joins from now on.
    pub fn set_address(&mut self, session: u32, address: Option<PrincipalId>) {
        self.seats[session as usize].address = address;
    }

    /// By which name the session can be addressed.
    #[must_use]
    pub fn address(&self, session: u32) -> Option<PrincipalId> {
        self.seats.get(session as usize)?.address
    }

    /// How many channels the session is in, joining or leaving. BOUND: finding one of them looks at them all, so
    /// that whoever lets sessions join bounds this.
    #[must_use]
    pub fn memberships(&self, session: u32) -> usize {
        self.seats[session as usize].memberships.len()
    }

    /// The channels the session is in, or joining.
    pub fn joined(&self, session: u32) -> impl Iterator<Item = u32> {
        self.seats[session as usize].memberships.iter().filter(|m| !m.leaving).map(|m| m.channel)
    }

    /// The channels whose messages the session is handed: not yet those that it joins, still those that it leaves.
    pub fn heard(&self, session: u32) -> impl Iterator<Item = u32> {
        self.seats[session as usize].memberships.iter().filter(|m| m.at != NOWHERE).map(|m| m.channel)
    }

    /// Whether the session is in the channel, or joining it.
    #[must_use]
    pub fn is_member(&self, session: u32, channel: u32) -> bool {
        self.seats[session as usize].memberships.iter().any(|m| m.channel == channel && !m.leaving)
    }

    /// Joining has been committed: the session counts as a member, but hears nothing yet.
    pub fn begin_join(&mut self, session: u32, channel: u32) {
        let seat = &mut self.seats[session as usize];
        seat.memberships.push(Membership { channel, at: NOWHERE, leaving: false });
    }

    /// All that was published before has been handed out: the session hears from here.
    /// `false`: it is not joining (any more).
    ///
    /// Who joins, leaves and joins again before the first of these is finished has two memberships here; the one
    /// that is to be left again was first.
    pub fn finish_join(&mut self, session: u32, channel: u32) -> bool {
        let seat = &mut self.seats[session as usize];
        let joining = |m: &Membership| m.channel == channel && m.at == NOWHERE;
        let first = seat.memberships.iter().position(|m| joining(m) && m.leaving);
        let Some(back) = first.or_else(|| seat.memberships.iter().position(joining)) else { return false };
        let local = &mut self.channels[channel as usize];
        local.returning += u32::from(seat.returns);
        let members = &mut local.members;
        seat.memberships[back].at = index(members.len());
        members.push(Member { session, link: seat.link, back: index(back), lane: seat.lane });
        true
    }

    /// Leaving has been committed: no member any more, though what was published before is still heard.
    /// `false`: it was no member.
    pub fn begin_leave(&mut self, session: u32, channel: u32) -> bool {
        let found =
            self.seats[session as usize].memberships.iter_mut().find(|m| m.channel == channel && !m.leaving);
        found.map(|m| m.leaving = true).is_some()
    }

    /// All that was published before has been handed out: the session hears nothing further.
    pub fn finish_leave(&mut self, session: u32, channel: u32) {
        let seat = &self.seats[session as usize];
        let leaving = |m: &Membership| m.channel == channel && m.leaving;
        let first = seat.memberships.iter().position(|m| leaving(m) && m.at != NOWHERE);
        if let Some(i) = first.or_else(|| seat.memberships.iter().position(leaving)) {
            self.drop_membership(session, i);
        }
    }

    /// Ends the session's memberships at once. Says which channels it was in or joining, for them to be told.
    pub fn unseat(&mut self, session: u32) -> Vec<u32> {
        let mut left = Vec::new();
        while let Some(m) = self.seats[session as usize].memberships.last().copied() {
            if !m.leaving {
                left.push(m.channel);
            }
            self.drop_membership(session, self.seats[session as usize].memberships.len() - 1);
        }
        self.returning -= usize::from(self.seats[session as usize].returns);
        self.seats[session as usize] = Seat::default();
        left
    }

    fn drop_membership(&mut self, session: u32, i: usize) {
        let seat = &mut self.seats[session as usize];
        let (memberships, returns) = (&mut seat.memberships, seat.returns);
        let gone = memberships.swap_remove(i);
        // Another membership may have taken its place: its member must point there.
        if let Some(moved) = memberships.get(i).copied()
            && moved.at != NOWHERE
        {
            self.channels[moved.channel as usize].members[moved.at as usize].back = index(i);
        }
        if gone.at == NOWHERE {
            return;
        }
        let local = &mut self.channels[gone.channel as usize];
        local.returning -= u32::from(returns);
        let members = &mut local.members;
        members.swap_remove(gone.at as usize);
        // Likewise for the member that has taken its place in the list.
        if let Some(moved) = members.get(gone.at as usize) {
            let (session, back) = (moved.session as usize, moved.back as usize);
            self.seats[session].memberships[back].at = gone.at;
        }
        if members.capacity() > 16 && members.len() * 4 < members.capacity() {
            members.shrink_to(members.len() * 2);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// An idle session costs this, and a member in each of its channels.
    #[test]
    fn an_idle_session_is_small() {
        assert!(size_of::<Seat>() <= 40, "{}", size_of::<Seat>());
        assert!(size_of::<Member>() <= 16, "{}", size_of::<Member>());
    }

    #[test]
    fn joining_again_while_leaving() {
        let mut r: Roster<()> = Roster::default();
        let c = r.open_channel(());
        r.seat(0);
        r.begin_join(0, c);
        assert!(r.members(c).is_empty() && r.is_member(0, c));
        assert!(r.finish_join(0, c));
        assert!(r.begin_leave(0, c) && !r.begin_leave(0, c));
        r.begin_join(0, c);
        assert_eq!(r.members(c).len(), 1, "messages from before the leave are still heard");
        r.finish_leave(0, c);
        assert!(r.members(c).is_empty());
        assert!(r.finish_join(0, c) && !r.finish_join(0, c));
        assert_eq!(r.unseat(0), [c]);
        assert!(r.members(c).is_empty());
    }

    proptest::proptest! {
        /// Whatever the order of joins, leaves and ends, the lists say who is a member.
        #[test]
        fn lists_and_memberships_agree(script in proptest::collection::vec((0u8..4, 0u32..8, 0u32..5), 1..300)) {
            let mut r: Roster<()> = Roster::default();
            let mut truth: BTreeSet<(u32, u32)> = BTreeSet::new();
            (0..5).for_each(|_| { r.open_channel(()); });
            (0..8).for_each(|s| r.seat(s));
            for (what, s, c) in script {
                match what {
                    0 | 1 if !r.is_member(s, c) => {
                        r.begin_join(s, c);
                        r.finish_join(s, c);
                        truth.insert((s, c));
                    }
                    2 if r.begin_leave(s, c) => {
                        r.finish_leave(s, c);
                        truth.remove(&(s, c));
                    }
                    3 => {
                        let left: BTreeSet<u32> = r.unseat(s).into_iter().collect();
                        let was: BTreeSet<u32> = truth.iter().filter(|t| t.0 == s).map(|t| t.1).collect();
                        assert_eq!(left, was);
                        truth.retain(|t| t.0 != s);
                    }
                    _ => {}
                }
                r.set_hearing(s, s + 100, Lane(1));
                r.set_returns(s, what == 1);
                for c in 0..5 {
                    let some = r.members(c).iter().any(|m| r.returns(m.session));
                    assert_eq!(r.is_missed_by_some(c), some);
                }
                let lists: BTreeSet<(u32, u32)> =
                    (0..5).flat_map(|c| r.members(c).iter().map(move |m| (m.session, c))).collect();
                assert_eq!(lists, truth);
                assert_eq!((0..5).map(|c| r.members(c).len()).sum::<usize>(), truth.len());
            }
        }
    }
}
