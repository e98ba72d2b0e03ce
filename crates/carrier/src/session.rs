//! A session as its shard keeps it: the conversation, for whom it acts, its links, and what it waits for.

use crate::link::NONE;
use crate::strangers::Budget;
use crate::wheel::Alarm;
use dialect::{Conversation, Turn};
use hub::{Allowance, Lane};
use model::{Principal, SessionId, Ticket, Time};
use node::{Hook, VHost};
use slab::Slab;
use std::collections::VecDeque;
use std::sync::Arc;

/// What most sessions do not have most of the time.
#[derive(Default)]
pub(crate) struct More {
    /// Turns behind a full inbox; they go on, in order, when it is not full any more.
    pub(crate) held: VecDeque<Turn>,
    /// Answers that come later, and until when.
    pub(crate) answers: Vec<(Ticket, Time)>,
    /// When a hold becomes too long.
    pub(crate) hold_until: Option<Time>,
    /// Who asked for this session, and is told when it has done what it wanted first.
    pub(crate) born: Option<(SessionId, Ticket)>,
    /// For whom it acts, where nobody may act for nobody: what it may do until that is known.
    pub(crate) budget: Option<Budget>,
    /// When the principal's time is over, or is to be asked for again.
    pub(crate) expires: Option<Time>,
    /// Which session it is a branch of: that one has its links and its conversation.
    pub(crate) stem: Option<SessionId>,
    /// What it is in further virtual hosts. BOUND: `branches_per_session`.
    pub(crate) branches: Vec<SessionId>,
    /// Links besides the newest, oldest first.
    links: Vec<u32>,
    /// Where it posts.
    hook: Option<Hook>,
}

/// There are very many, and most are idle: what few need belongs in a box.
pub(crate) struct Session {
    pub(crate) generation: u32,
    /// Away while it runs, and when it has panicked. A branch has none.
    pub(crate) conversation: Option<Box<dyn Conversation>>,
    pub(crate) vhost: Arc<VHost>,
    pub(crate) principal: Option<Arc<Principal>>,
    pub(crate) allowance: Allowance,
    /// The newest link.
    pub(crate) link: u32,
    /// How it hears, once it does.
    pub(crate) hearing: Option<Lane>,
    /// What it waits for, its other links, and where it posts: most sessions have none of that.
    pub(crate) more: Option<Box<More>>,
    /// The link that deliveries in a form are written to.
    pub(crate) hearing_on: u32,
    /// Its timer.
    pub(crate) alarm: Alarm,
    pub(crate) outlives: bool,
    pub(crate) dialect: u8,
}

/// The sessions of a shard, with their ids.
pub(crate) fn identified(
    sessions: &Slab<Session>,
    shard: u16,
) -> impl Iterator<Item = (SessionId, &Session)> {
    sessions.iter().filter_map(move |(slot, s)| Some((s.id(shard, u32::try_from(slot).ok()?), s)))
}

impl Session {
    pub(crate) fn new(generation: u32, vhost: Arc<VHost>, dialect: u8) -> Self {
        Self {
            generation,
            conversation: None,
            vhost,
            principal: None,
            allowance: Allowance::default(),
            link: NONE,
            hearing: None,
            more: None,
            hearing_on: NONE,
            alarm: Alarm::default(),
            outlives: false,
            dialect,
        }
    }

    pub(crate) fn links(&self) -> impl Iterator<Item = u32> {
        let newest = (self.link != NONE).then_some(self.link);
        newest.into_iter().chain(self.more.iter().flat_map(|m| m.links.iter().copied()))
    }

    /// Forgets a link; the one before it becomes the newest.
    pub(crate) fn drop_link(&mut self, link: u32) {
        let more = self.more.as_mut();
        if self.link == link {
            self.link = more.and_then(|m| m.links.pop()).unwrap_or(NONE);
        } else if let Some(more) = more {
            more.links.retain(|l| *l != link);
        }
        self.tidy();
    }

    pub(crate) fn add_link(&mut self, link: u32) {
        if self.link != NONE {
            let before = self.link;
            self.more().links.push(before);
        }
        self.link = link;
    }

    /// The session that speaks for it, when it is a branch.
    pub(crate) fn stem(&self) -> Option<SessionId> {
        self.more.as_ref()?.stem
    }

    /// What it is in further virtual hosts.
    pub(crate) fn branches(&self) -> &[SessionId] {
        self.more.as_ref().map_or(&[], |m| &m.branches)
    }

    /// Where it posts.
    pub(crate) fn hook(&self) -> Option<&Hook> {
        self.more.as_ref()?.hook.as_ref()
    }

    /// From now on it posts there, or nowhere.
    pub(crate) fn set_hook(&mut self, hook: Option<Hook>) {
        self.more().hook = hook;
        self.tidy();
    }

    /// Its id; it stands there, in that shard.
    pub(crate) fn id(&self, shard: u16, slot: u32) -> SessionId {
        SessionId { shard, slot, generation: self.generation }
    }

    /// Whether nothing may be read from its links now.
    pub(crate) fn holds(&self) -> bool {
        self.more.as_ref().is_some_and(|w| !w.held.is_empty() || w.hold_until.is_some())
    }

    /// What most sessions do not have, to be added to.
    pub(crate) fn more(&mut self) -> &mut More {
        self.more.get_or_insert_default()
    }

    /// What a stranger may still do.
    pub(crate) fn budget(&mut self) -> Option<&mut Budget> {
        self.more.as_mut().and_then(|w| w.budget.as_mut())
    }

    /// Whether an earlier turn has to go on before another is applied.
    pub(crate) fn is_held(&self) -> bool {
        self.more.as_ref().is_some_and(|w| !w.held.is_empty())
    }

    /// Gives the memory back when it has nothing of what few have.
    pub(crate) fn tidy(&mut self) {
        let idle = |w: &More| {
            w.held.is_empty()
                && w.answers.is_empty()
                && w.hold_until.is_none()
                && w.budget.is_none()
                && w.expires.is_none()
                && w.born.is_none()
                && w.stem.is_none()
                && w.branches.is_empty()
                && w.links.is_empty()
                && w.hook.is_none()
        };
        if self.more.as_deref().is_some_and(idle) {
            self.more = None;
        }
    }
}
