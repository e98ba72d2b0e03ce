//! What a run does, whatever carries it: the workload with its numbers, out of the arguments.

use crate::cli::{Load, Pace, Tongue};

/// Which workload.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    Fan,
    Rooms,
    Pairs,
    Idle,
}

impl Kind {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Fan => "fan",
            Self::Rooms => "rooms",
            Self::Pairs => "pairs",
            Self::Idle => "idle",
        }
    }
}

/// The workload and its numbers.
#[derive(Clone, Debug)]
pub(super) struct Work {
    pub(super) kind: Kind,
    /// What members speak.
    pub(super) tongue: Tongue,
    /// Members in all.
    pub(super) sessions: u32,
    pub(super) rooms: u32,
    /// Members of each room.
    pub(super) members: u32,
    pub(super) size: usize,
    pub(super) burst: u32,
    pub(super) window: u32,
    pub(super) rate: Option<f64>,
    pub(super) seconds: f64,
    pub(super) warm: f64,
}

impl Work {
    fn of(kind: Kind, rooms: u32, members: u32, load: &Load) -> Self {
        Self {
            kind,
            tongue: Tongue::Rooms,
            sessions: rooms.saturating_mul(members),
            rooms,
            members,
            size: load.size as usize,
            burst: 1,
            window: rooms,
            rate: None,
            seconds: load.seconds,
            warm: load.warm,
        }
    }

    /// One publisher.
    pub(super) fn published(kind: Kind, (rooms, members): (u32, u32), load: &Load, pace: &Pace) -> Self {
        // A burst that does not fit into the window would never be sent.
        let window = pace.window.max(pace.burst);
        Self { burst: pace.burst, window, rate: pace.rate, ..Self::of(kind, rooms, members, load) }
    }

    /// Pairs that answer each other.
    pub(super) fn pairs(rooms: u32, load: &Load) -> Self {
        Self::of(Kind::Pairs, rooms, 2, load)
    }

    /// Members that do nothing.
    pub(super) fn idle(sessions: u32, rooms: u32) -> Self {
        let rooms = rooms.min(sessions);
        let members = sessions.div_ceil(rooms.max(1));
        let load = Load { size: 32, seconds: 0.0, warm: 0.0 };
        Self { sessions, ..Self::of(Kind::Idle, rooms, members, &load) }
    }

    /// The same work with members that speak this.
    pub(super) fn heard_by(self, tongue: Tongue) -> Self {
        Self { tongue, ..self }
    }

    /// The room of a member.
    pub(super) fn room_of(&self, member: u32) -> u32 {
        member / self.members.max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_member_has_a_room() {
        let idle = Work::idle(25, 10);
        assert_eq!((idle.sessions, idle.members), (25, 3));
        assert!((0..25).all(|m| idle.room_of(m) < 10));
        assert_eq!(Work::idle(3, 10).rooms, 3);
        let load = Load { size: 32, seconds: 1.0, warm: 1.0 };
        let pace = Pace { burst: 32, window: 8, rate: None };
        let rooms = Work::published(Kind::Rooms, (5, 10), &load, &pace);
        assert_eq!((rooms.sessions, rooms.room_of(49), rooms.window), (50, 4, 32));
    }
}
