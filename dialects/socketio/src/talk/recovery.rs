//! Clients that come back: by which secret, how far they have heard, how long their sessions wait, and how many may.
//!
//! Knows ids and offsets. What has been missed is the hub's to know. SPEC [REC-1] to [REC-7].

use crate::talk::sid::Key;
use model::{Mark, Position, SessionId};
use serde::Deserialize;
use std::borrow::Cow;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// How sessions wait for their clients.
#[derive(Clone, Debug)]
pub struct Recovery {
    /// How long one waits.
    pub patience: Duration,
    /// How many may wait at once.
    pub sessions: usize,
    waiting: Arc<AtomicUsize>,
}

/// One session that waits, counted until this is dropped.
#[derive(Debug)]
pub struct Wait(Arc<AtomicUsize>);

impl Drop for Wait {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Recovery {
    /// Sessions wait for so long, and no more than so many at once.
    #[must_use]
    pub fn new(patience: Duration, sessions: usize) -> Self {
        Self { patience, sessions, waiting: Arc::default() }
    }

    /// A place for a session that waits, if there is one.
    #[must_use]
    pub fn wait(&self) -> Option<Wait> {
        let mut before = self.waiting.load(Ordering::Relaxed);
        while before < self.sessions {
            let taken =
                self.waiting.compare_exchange_weak(before, before + 1, Ordering::Relaxed, Ordering::Relaxed);
            match taken {
                Ok(_) => return Some(Wait(Arc::clone(&self.waiting))),
                Err(now) => before = now,
            }
        }
        None
    }
}

/// What a session keeps whose client may come back.
#[derive(Debug, Default)]
pub(crate) struct Returning {
    /// Until where the client has everything: it has answered a ping that came after that.
    pub(crate) has: Mark,
    /// Where the shard stood when the last ping went out.
    pub(crate) pinged: Mark,
    /// The session that the client has opened to come back, by whose id it asks now.
    pub(crate) by: Option<SessionId>,
}

/// A client that says that it comes back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Back {
    /// To which session.
    pub session: SessionId,
    /// The last message that it has, if any.
    pub heard: Option<Position>,
}

#[derive(Deserialize)]
struct Shown<'a> {
    #[serde(borrow)]
    pid: Option<Cow<'a, str>>,
    #[serde(borrow)]
    offset: Option<Cow<'a, str>>,
}

impl Back {
    /// What a client shows when it connects: `{"pid":…,"offset":…}`. `None`: it does not come back, or not with a secret
    /// of this run of the server.
    #[must_use]
    pub fn read(shown: Option<&str>, key: &Key) -> Option<Self> {
        let Shown { pid, offset } = serde_json::from_str(shown.filter(|s| s.starts_with('{'))?).ok()?;
        let session = key.of_pid(&pid?)?;
        Some(Self { session, heard: offset.and_then(|offset| position(&offset)) })
    }
}

/// The last argument of an event that can be recovered: where it stands.
pub fn write_offset(position: Position, out: &mut Vec<u8>) {
    // INVARIANT: writing to a Vec cannot fail.
    let _infallible = write!(out, "{:x}-{:x}", position.epoch, position.offset).is_ok();
}

fn position(offset: &str) -> Option<Position> {
    let (epoch, offset) = offset.split_once('-')?;
    Some(Position {
        epoch: u64::from_str_radix(epoch, 16).ok()?,
        offset: u64::from_str_radix(offset, 16).ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SESSION: SessionId = SessionId { shard: 3, slot: 70_000, generation: 9 };

    #[test]
    fn offsets_are_read_as_they_were_written() {
        for at in [Position { epoch: 0, offset: 1 }, Position { epoch: u64::MAX, offset: u64::MAX }] {
            let mut out = Vec::new();
            write_offset(at, &mut out);
            assert_eq!(position(std::str::from_utf8(&out).unwrap()), Some(at));
        }
        for wrong in ["", "-", "1", "1-", "g-1", "1-1-1", "11111111111111111-1", "Q7w378f"] {
            assert_eq!(position(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn only_who_has_the_secret_comes_back() {
        let (key, other) = (Key::new([7; 32]), Key::new([8; 32]));
        let read = |shown: &str| Back::read(Some(shown), &key);
        let pid = key.pid(SESSION);
        let back = |heard| Some(Back { session: SESSION, heard });
        assert_eq!(read(&format!(r#"{{"pid":"{pid}"}}"#)), back(None));
        assert_eq!(read(&format!(r#"{{"token":5,"pid":"{pid}","offset":"x"}}"#)), back(None));
        let at = Position { epoch: 10, offset: 2 };
        assert_eq!(read(&format!(r#"{{"pid":"{pid}","offset":"a-2"}}"#)), back(Some(at)));
        for not in [key.sid(SESSION), key.socket(SESSION, 0), other.pid(SESSION), String::new()] {
            assert_eq!(read(&format!(r#"{{"pid":"{not}"}}"#)), None);
        }
        assert_eq!((read("{}"), read("[]"), Back::read(None, &key)), (None, None, None));
    }

    #[test]
    fn no_more_wait_than_may() {
        let recovery = Recovery::new(Duration::ZERO, 2);
        let (one, two) = (recovery.wait(), recovery.clone().wait());
        assert!(one.is_some() && two.is_some() && recovery.wait().is_none());
        drop(one);
        assert!(recovery.wait().is_some());
    }
}
