//! What a conversation is told. `match` over [`Event`] has no wildcard: a new event is a decision for each dialect.

use crate::hook::HookEnd;
use model::{ChannelName, CloseReason, Delivery, LinkId, Position, Principal, Refusal, SessionId, Ticket};
use std::sync::Arc;

/// A channel and its members on this node, as `Command::Channels` lists them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ChannelCount {
    /// Its name.
    pub channel: ChannelName,
    /// How many sessions have joined it.
    pub members: u32,
}

/// What the hub, or somebody who had to be asked, tells a conversation. Answers carry the ticket of their command.
/// Cannot be printed: it may carry a secret.
#[derive(Clone, Copy)]
pub enum Event<'a> {
    /// The session acts for this principal from now on.
    Authenticated {
        /// Of the command.
        ticket: Ticket,
        /// For whom.
        principal: &'a Arc<Principal>,
    },
    /// The session acts for this new principal from now on.
    Enrolled {
        /// Of the command.
        ticket: Ticket,
        /// For whom. It has a name and an address, above 0 and below 2³².
        principal: &'a Arc<Principal>,
        /// What proves it: 32 hexadecimal digits, told this once. A secret.
        token: &'a str,
    },
    /// The principal that the session acted for is enrolled no more; its other sessions have ended. This one acts for
    /// nobody.
    Retired {
        /// Of the command.
        ticket: Ticket,
    },
    /// The principal of this session has joined the channel, and so have all that were named.
    Checked {
        /// Of the command.
        ticket: Ticket,
    },
    /// The session is a member. What was published before `position` it has not missed, nor will it come.
    Joined {
        /// Of the command.
        ticket: Ticket,
        /// Where.
        channel: &'a ChannelName,
        /// The channel's position at the moment of joining.
        position: Position,
        /// Whether everything since the position asked for has been, or is about to be, delivered;
        /// `None` when no position was asked for.
        recovered: Option<bool>,
    },
    /// The session is no member any more (or was none).
    Left {
        /// Of the command; 0 when another session of the principal has withdrawn it, or when the session acts for
        /// another principal now, which may not read there.
        ticket: Ticket,
        /// Where.
        channel: &'a str,
    },
    /// The message has its position, and members on this node have been handed it before this event.
    Published {
        /// Of the command.
        ticket: Ticket,
        /// Members on this node at that moment.
        members: u32,
    },
    /// A page of the channels this session may read. `next` continues it.
    Channels {
        /// Of the command.
        ticket: Ticket,
        /// In no order between pages.
        page: &'a [ChannelCount],
        /// The cursor for the next page; `None` at the end.
        next: Option<u32>,
    },
    /// The session without a link that was asked for exists.
    Spawned {
        /// Of the command.
        ticket: Ticket,
        /// Its id.
        session: SessionId,
    },
    /// The branch that was asked for exists, and acts for nobody.
    Branched {
        /// Of the command.
        ticket: Ticket,
        /// Its id.
        session: SessionId,
    },
    /// The branch that the turn is about has ended, unasked; or, when it is about none, the session itself has parted
    /// from its virtual host, while its branches go on.
    Parted {
        /// Why.
        reason: CloseReason,
    },
    /// No.
    Refused {
        /// Of the command.
        ticket: Ticket,
        /// Why.
        refusal: &'a Refusal,
    },
    /// A message, for sessions that hear by events rather than in a form.
    Deliver(&'a Arc<Delivery>),
    /// Messages were dropped for this session by a slow policy, or could not be encoded.
    Gap {
        /// How many.
        missed: u64,
    },
    /// What the session has missed.
    Recovered {
        /// Of the command.
        ticket: Ticket,
        /// All of it, in order; `None`: more than has been kept.
        missed: Option<&'a [Arc<Delivery>]>,
    },
    /// A link of this session has gone; it lives on because it asked to.
    LinkLost(LinkId),
    /// The session that this link was to be handed to does not exist (any more).
    NoSuchSession(SessionId),
    /// The session's hook is open: what it posts, and hears in a form from now on, goes there.
    HookOpened {
        /// Of the command.
        ticket: Ticket,
    },
    /// The session's hook has been given up; what had not been posted is lost.
    HookClosed {
        /// Why.
        why: HookEnd,
    },
}
