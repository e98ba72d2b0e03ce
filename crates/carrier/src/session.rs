//! A session as its shard keeps it: the conversation, for whom it acts, its links, and what it waits for.

use crate::link::NONE;
use crate::strangers::Budget;
use dialect::{Conversation, Turn};
use hub::{Allowance, Lane};
use model::{Principal, SessionId, Ticket, Time};
use node::{Hook, VHost};
use std::collections::VecDeque;
use std::sync::Arc;

/// What a session waits for.
#[derive(Default)]
pub(crate) struct Waits {
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
}

pub(crate) struct Session {
    pub(crate) id: SessionId,
    /// Away while it runs, and when it has panicked.
    pub(crate) conversation: Option<Box<dyn Conversation>>,
    pub(crate) vhost: Arc<VHost>,
    pub(crate) principal: Option<Arc<Principal>>,
    pub(crate) allowance: Allowance,
    /// The newest link.
    pub(crate) link: u32,
    /// Its other links. Most sessions have none.
    pub(crate) other_links: Vec<u32>,
    /// How it hears, once it does.
    pub(crate) hearing: Option<Lane>,
    /// What it waits for; most sessions wait for nothing.
    pub(crate) waits: Option<Box<Waits>>,
    /// Where it posts; most sessions post nowhere.
    pub(crate) hook: Option<Hook>,
    /// The link that deliveries in a form are written to.
    pub(crate) hearing_on: u32,
    /// The time for which the wheel has its timer.
    pub(crate) timer: Option<Time>,
    pub(crate) outlives: bool,
    pub(crate) dialect: u8,
}

impl Session {
    pub(crate) fn new(id: SessionId, vhost: Arc<VHost>, dialect: u8) -> Self {
        Self {
            id,
            conversation: None,
            vhost,
            principal: None,
            allowance: Allowance::default(),
            link: NONE,
            other_links: Vec::new(),
            hearing: None,
            waits: None,
            hook: None,
            hearing_on: NONE,
            timer: None,
            outlives: false,
            dialect,
        }
    }

    pub(crate) fn links(&self) -> impl Iterator<Item = u32> {
        let newest = (self.link != NONE).then_some(self.link);
        newest.into_iter().chain(self.other_links.iter().copied())
    }

    /// Forgets a link; the one before it becomes the newest.
    pub(crate) fn drop_link(&mut self, link: u32) {
        if self.link == link {
            self.link = self.other_links.pop().unwrap_or(NONE);
        } else {
            self.other_links.retain(|l| *l != link);
        }
    }

    pub(crate) fn add_link(&mut self, link: u32) {
        if self.link != NONE {
            self.other_links.push(self.link);
        }
        self.link = link;
    }

    /// Whether nothing may be read from its links now.
    pub(crate) fn holds(&self) -> bool {
        self.waits.as_ref().is_some_and(|w| !w.held.is_empty() || w.hold_until.is_some())
    }

    /// What it waits for, to be added to.
    pub(crate) fn waits(&mut self) -> &mut Waits {
        self.waits.get_or_insert_default()
    }

    /// What a stranger may still do.
    pub(crate) fn budget(&mut self) -> Option<&mut Budget> {
        self.waits.as_mut().and_then(|w| w.budget.as_mut())
    }

    /// Whether an earlier turn has to go on before another is applied.
    pub(crate) fn is_held(&self) -> bool {
        self.waits.as_ref().is_some_and(|w| !w.held.is_empty())
    }

    /// Gives the memory back when nothing is waited for any more.
    pub(crate) fn tidy(&mut self) {
        let idle = |w: &Waits| {
            w.held.is_empty()
                && w.answers.is_empty()
                && w.hold_until.is_none()
                && w.budget.is_none()
                && w.born.is_none()
        };
        if self.waits.as_deref().is_some_and(idle) {
            self.waits = None;
        }
    }
}
