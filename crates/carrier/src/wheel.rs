//! A timer wheel: cheap to set, lazy to move. Does not know what the timers are for.
//!
//! A timer set beyond the horizon goes to the last slot before it, and is put in again when that comes up; the
//! owner checks each timer that fires against the deadline it really has.

use model::Time;
use std::time::Duration;

/// Milliseconds of a slot: how late a timer may be.
const GRAIN: u64 = 32;
/// Slots; with the grain, a horizon of 65 s.
const SLOTS: usize = 2048;

/// Whose deadline it is: a place and the generation of who had it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Timer {
    Link(u32, u32),
    Session(u32, u32),
}

/// The time for which the wheel has somebody's timer, if it has one; others of his that it may have are stale.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Alarm(Time);

impl Default for Alarm {
    fn default() -> Self {
        Self::OFF
    }
}

impl Alarm {
    /// No timer is set.
    const OFF: Self = Self(Time(u64::MAX));

    /// Asks for a timer. `true`: the wheel must be told; `false`: it has one that goes off before.
    pub(crate) fn set(&mut self, at: Time) -> bool {
        let earlier = at < self.0;
        if earlier {
            self.0 = at;
        }
        earlier
    }

    /// A timer fires. `true`: it is the one that was asked for last, and there is none any more; `false`: it is stale.
    pub(crate) fn goes_off(&mut self, now: Time) -> bool {
        let due = self.0 <= now;
        if due {
            *self = Self::OFF;
        }
        due
    }
}

/// A timer and the tick it fires at, without its upper half: nobody waits for two years.
type Entry = (u32, Timer);

pub(crate) struct Wheel {
    slots: Vec<Vec<Entry>>,
    /// One bit a slot that is not empty.
    filled: [u64; SLOTS / 64],
    /// The slot that fires next, counted from the beginning of time.
    next: u64,
}

impl Wheel {
    pub(crate) fn new(now: Time) -> Self {
        Self { slots: (0..SLOTS).map(|_| Vec::new()).collect(), filled: [0; SLOTS / 64], next: now.0 / GRAIN }
    }

    /// Fires at `at`, or a little later. Never in the turn in which it is set.
    pub(crate) fn set(&mut self, at: Time, timer: Timer) {
        self.put(at.0 / GRAIN + 1, timer);
    }

    fn put(&mut self, tick: u64, timer: Timer) {
        let slot = Self::slot(tick.clamp(self.next + 1, self.next + SLOTS as u64 - 1));
        self.slots[slot].push((low(tick), timer));
        self.filled[slot / 64] |= 1 << (slot % 64);
    }

    /// Takes out what is due.
    pub(crate) fn fire(&mut self, now: Time, due: &mut Vec<Timer>) {
        let until = now.0 / GRAIN;
        // After a long sleep every slot comes up once, not once for every turn of the wheel.
        self.next = self.next.max((until + 1).saturating_sub(SLOTS as u64));
        while self.next <= until {
            let slot = Self::slot(self.next);
            self.next += 1;
            if self.filled[slot / 64] & (1 << (slot % 64)) == 0 {
                continue;
            }
            self.filled[slot / 64] &= !(1 << (slot % 64));
            let mut timers = std::mem::take(&mut self.slots[slot]);
            for (tick, timer) in timers.drain(..) {
                let left = tick.wrapping_sub(low(until));
                // More than half of all ticks is a tick that has been.
                if left == 0 || left > u32::MAX / 2 {
                    due.push(timer);
                } else {
                    self.put(until + u64::from(left), timer);
                }
            }
            // The slot keeps a little room for its next turn.
            if self.slots[slot].is_empty() && timers.capacity() <= 64 {
                self.slots[slot] = timers;
            }
        }
    }

    /// How long until something may be due; `None`: nothing is set.
    pub(crate) fn wait(&self, now: Time) -> Option<Duration> {
        let start = Self::slot(self.next);
        let mut tick = self.next;
        let mut slot = start;
        loop {
            let word = self.filled[slot / 64] >> (slot % 64);
            if word != 0 {
                tick += u64::from(word.trailing_zeros());
                return Some(Duration::from_millis((tick * GRAIN).saturating_sub(now.0).max(1)));
            }
            let step = 64 - slot % 64;
            tick += step as u64;
            slot = (slot + step) % SLOTS;
            if tick >= self.next + SLOTS as u64 {
                return None;
            }
        }
    }

    fn slot(tick: u64) -> usize {
        usize::try_from(tick % SLOTS as u64).unwrap_or(0)
    }
}

/// The lower half.
fn low(tick: u64) -> u32 {
    u32::try_from(tick & u64::from(u32::MAX)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fired(w: &mut Wheel, now: u64) -> Vec<u32> {
        let mut due = Vec::new();
        w.fire(Time(now), &mut due);
        due.iter()
            .map(|t| match t {
                Timer::Link(s, _) | Timer::Session(s, _) => *s,
            })
            .collect()
    }

    #[test]
    fn a_timer_is_small() {
        assert_eq!(size_of::<Entry>(), 16);
    }

    #[test]
    fn years_go_by() {
        let start = u64::from(u32::MAX) * GRAIN - 1000;
        let mut w = Wheel::new(Time(start));
        w.set(Time(start + 300_000), Timer::Link(1, 0));
        w.set(Time(start + 2000), Timer::Link(2, 0));
        assert!(fired(&mut w, start + 1999).is_empty());
        assert_eq!(fired(&mut w, start + 2100), [2]);
        assert!(fired(&mut w, start + 299_999).is_empty());
        assert_eq!(fired(&mut w, start + 300_100), [1]);
    }

    #[test]
    fn near_and_far_timers() {
        let mut w = Wheel::new(Time(1000));
        assert_eq!(w.wait(Time(1000)), None);
        w.set(Time(1100), Timer::Link(1, 0));
        w.set(Time(500_000), Timer::Session(2, 0));
        assert!(w.wait(Time(1000)).unwrap() <= Duration::from_millis(160));
        assert!(fired(&mut w, 1099).is_empty());
        assert_eq!(fired(&mut w, 1160), [1]);
        assert!(fired(&mut w, 400_000).is_empty(), "put in again, not fired");
        assert_eq!(fired(&mut w, 500_100), [2]);
        assert_eq!(w.wait(Time(500_100)), None);
    }

    proptest::proptest! {
        #[test]
        fn every_timer_fires_once_and_in_time(ats in proptest::collection::vec(0u64..300_000, 1..100), step in 1u64..20_000) {
            let mut w = Wheel::new(Time(0));
            for (i, &at) in ats.iter().enumerate() {
                w.set(Time(at), Timer::Link(u32::try_from(i).unwrap(), 0));
            }
            let (mut now, mut seen) = (0, vec![false; ats.len()]);
            while now < 400_000 {
                now += step;
                for i in fired(&mut w, now) {
                    assert!(!std::mem::replace(&mut seen[i as usize], true));
                    assert!(ats[i as usize] <= now && now < ats[i as usize] + step + 2 * GRAIN);
                }
            }
            assert!(seen.iter().all(|s| *s));
        }
    }
}
