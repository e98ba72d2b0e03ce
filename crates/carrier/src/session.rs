//! A session as its shard keeps it: the conversation, for whom it acts, its links, and what it waits for.

use crate::link::NONE;
use dialect::{Conversation, Turn};
use hub::{Allowance, Lane};
use model::{Principal, SessionId, Ticket, Time};
use node::VHost;
use std::collections::VecDeque;
use std::sync::Arc;

pub(crate) struct Session {
    pub(crate) id: SessionId,
    /// Away while it runs, and when it has panicked.
    pub(crate) conversation: Option<Box<dyn Conversation>>,
    pub(crate) vhost: Arc<VHost>,
    pub(crate) principal: Option<Arc<Principal>>,
    pub(crate) allowance: Allowance,
    /// The newest link: where deliveries in a form go.
    pub(crate) link: u32,
    /// Its other links. Most sessions have none.
    pub(crate) other_links: Vec<u32>,
    /// How it hears, once it does.
    pub(crate) hearing: Option<Lane>,
    /// Turns that wait behind a full inbox, and go on, in order, when it is not full any more.
    pub(crate) held: Option<Box<VecDeque<Turn>>>,
    /// What it waits for, and until when.
    pub(crate) waiting: Vec<(Ticket, Time)>,
    /// When a hold becomes too long.
    pub(crate) hold_until: Option<Time>,
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
            held: None,
            waiting: Vec::new(),
            hold_until: None,
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
        self.held.is_some() || self.hold_until.is_some()
    }
}
