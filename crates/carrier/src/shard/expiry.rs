//! Until when a session may act for its principal: a moment of the wall clock, met by a deadline of the shard's.
//!
//! Knows neither tokens nor what a session is told when its time is over: that is its conversation's.

use super::Shard;
use crate::net::Net;
use model::{SessionId, Time};
use std::time::Duration;

/// How long a deadline may lie ahead until the wall clock is looked at again, which may have been set meanwhile.
const LOOK: Duration = Duration::from_hours(1);

impl<N: Net> Shard<N> {
    /// The session acts for its principal from now on: sees to it that it does not for longer than it may.
    pub(super) fn watch_expiry(&mut self, id: SessionId) {
        let now = self.now;
        let Some(session) = self.session(id) else { return };
        let Some(until_ms) = session.principal.as_ref().and_then(|p| p.expires_ms()) else { return };
        let at = look_at(until_ms, now);
        session.more().expires = Some(at);
        self.wake_session(id, at);
    }

    /// Whether the session's principal has expired. Where it has not, though it was time to look, there is another
    /// time to look.
    pub(super) fn has_expired(&mut self, id: SessionId) -> bool {
        let now = self.now;
        let Some(session) = self.session(id) else { return false };
        let Some(more) = session.more.as_mut().filter(|m| m.expires.is_some_and(|at| at <= now.time)) else {
            return false;
        };
        match session.principal.as_ref().and_then(|p| p.expires_ms()) {
            Some(until_ms) if now.wall_ms >= until_ms => true,
            until_ms => {
                more.expires = until_ms.map(|until_ms| look_at(until_ms, now));
                false
            }
        }
    }
}

fn look_at(until_ms: u64, now: model::Now) -> Time {
    now.time + Duration::from_millis(until_ms.saturating_sub(now.wall_ms)).min(LOOK)
}
