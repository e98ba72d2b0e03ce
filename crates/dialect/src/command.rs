//! What a conversation asks of the hub, on behalf of its peer. Does not know how it is answered: that is
//! [`Event`](crate::Event).

use crate::{Conversation, HookPlan, Span};
use model::{Draft, Mark, Position, PrincipalId, Role, SessionId};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// What a peer asks of the hub. Channel names are checked where the command is applied.
#[derive(Debug)]
pub enum Command {
    /// Act for whoever holds this credential. Asked again, it takes the place of who was acted for before: the session
    /// stays in the channels that the new principal may read. Where it is refused, all is as it was.
    Authenticate {
        /// What the peer showed; `None`: be anonymous.
        credential: Option<Span>,
        /// The host of the page that it is part of, as its browser says (`Origin`); `None`: of none, or nobody looked.
        page: Option<Span>,
    },
    /// Become a member; heard messages follow. Joining twice is joining once.
    Join {
        /// Where.
        channel: Span,
        /// Deliver first what the channel's window holds after this position.
        since: Option<Position>,
    },
    /// Be a member no more.
    Leave {
        /// Where.
        channel: Span,
    },
    /// Say something to a channel.
    Publish {
        /// Where.
        channel: Span,
        /// What.
        draft: Draft,
    },
    /// Say something to these members of a channel: all of them, or none when one has not joined.
    Direct {
        /// Where.
        channel: Span,
        /// To whom.
        receivers: Vec<PrincipalId>,
        /// What.
        draft: Draft,
    },
    /// Say something to one session of the virtual host, if it is still there and hears: an answer counts it.
    Tell {
        /// To whom.
        session: SessionId,
        /// By which name its peer is known: who may write to a channel of that name may say this.
        name: Span,
        /// What.
        draft: Draft,
    },
    /// Say something to every session of the virtual host.
    Broadcast {
        /// What.
        draft: Draft,
    },
    /// List channels, a page at a time.
    Channels {
        /// 0 to begin, then what the last page said.
        cursor: u32,
    },
    /// Become a new principal that the node makes: a random address, and a token that proves it. Where the session has
    /// joined a channel this is refused.
    Enrol {
        /// What it may do, and what its name begins with: its address follows, in decimal digits.
        role: Arc<Role>,
        /// It is forgotten when no session has acted for it for so long.
        idle: Duration,
    },
    /// Act for an enrolled principal of this virtual host. Where the session has joined a channel for another this is
    /// refused.
    ActAs {
        /// Its address.
        who: PrincipalId,
        /// The token it was given; `None`: the dialect asks for no proof.
        token: Option<Span>,
    },
    /// Take the enrolment of the principal this session acts for out of the world. Its other sessions are kicked; this
    /// one leaves what it has joined, and acts for nobody.
    Retire,
    /// Take every session of the principal out of a channel, this one included. Of a principal that is not enrolled
    /// nobody knows the sessions: it is this one only.
    Withdraw {
        /// From where.
        channel: Span,
    },
    /// What the peer showed to its dialect is wrong. It costs what a publish does, so that nobody guesses faster, and is
    /// refused in any case: as `TooFast` where there is nothing left to spend, so that a right guess looks no other.
    Misproved,
    /// Ask whether the principal has joined a channel, with whichever session of its, and all of these have.
    Check {
        /// Where.
        channel: Span,
        /// Who else.
        who: Vec<PrincipalId>,
    },
    /// Be in this virtual host too: start a branch, a session there that acts for nobody yet. It has no conversation of
    /// its own: this session's is told what happens to it ([`Turn::branch`]), and speaks for it ([`Turn::within`]).
    Branch {
        /// The virtual host's name.
        vhost: Span,
    },
    /// Start a session that has no link, on this shard, for the same principal.
    Spawn {
        /// What runs it. It is told nothing until something happens; where `wake_at` asks for a tick at once, that comes
        /// before the answer, and so do its commands.
        conversation: Box<dyn Conversation>,
    },
    /// Ask for what the session has missed: told at once by [`crate::Event::Recovered`], and before anything else that
    /// it hears. Without [`Turn::recoverable`] before it nothing has been kept.
    Recover {
        /// The last message that its peer has; `None`: none, or which is not known.
        heard: Option<Position>,
        /// Until where its peer has everything: what [`Turn::mark`] was then.
        mark: Mark,
    },
    /// Open a hook for this session, in the place of the one it may have. It closes with the session.
    OpenHook {
        /// Where, and with what words.
        plan: Box<HookPlan>,
    },
}

impl fmt::Debug for dyn Conversation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Conversation")
    }
}
