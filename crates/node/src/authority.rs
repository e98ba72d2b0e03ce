//! Who a credential stands for. The one place that turns tokens into principals.
//!
//! An authority may know at once, or keep the [`Reply`] and answer later, from any thread. Sessions never wait
//! in a call.

use crate::exchange::Exchange;
use crate::inbox::{Answer, Entry};
use model::{Now, Principal, Refusal, SessionId, Ticket, VHostName};
use std::fmt;
use std::sync::Arc;
use subtle::ConstantTimeEq;

/// What an authority says.
#[derive(Debug)]
pub enum Verdict {
    /// Known at once.
    Now(Result<Arc<Principal>, Refusal>),
    /// The reply will be used.
    Later,
}

/// Decides for whom a session acts. Called on a shard: whatever may wait is done elsewhere.
pub trait Authority: Send + Sync {
    /// `credential` is what the peer showed; `None`: it showed nothing and would be anonymous.
    fn admit(&self, credential: Option<&str>, vhost: &VHostName, now: Now, reply: Reply) -> Verdict;
}

/// The way back to a session that waits for an answer. An answer that comes too late, or for a session that is
/// gone, is dropped.
pub struct Reply {
    pub(crate) exchange: Arc<Exchange>,
    pub(crate) session: SessionId,
    pub(crate) ticket: Ticket,
}

impl Reply {
    /// Answers, and wakes the session's shard.
    pub fn send(self, verdict: Result<Arc<Principal>, Refusal>) {
        let answer = Answer::Late(verdict);
        let entry = Entry::Answer { session: self.session, ticket: self.ticket, answer };
        self.exchange.push_and_wake(self.session.shard, entry);
    }
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reply to {}", self.session)
    }
}

/// A token of the configuration, and who shows it.
pub struct Token {
    /// The secret.
    pub secret: Box<str>,
    /// The only virtual host it is good for.
    pub vhost: VHostName,
    /// Who shows it.
    pub principal: Arc<Principal>,
}

/// Tokens written in the configuration, and what those may do who show none.
#[derive(Default)]
pub struct StaticTokens {
    tokens: Vec<Token>,
    anonymous: Option<Arc<Principal>>,
}

impl StaticTokens {
    /// `anonymous`: for whom a session acts that shows no token; `None`: for nobody, it is refused.
    #[must_use]
    pub fn new(tokens: Vec<Token>, anonymous: Option<Arc<Principal>>) -> Self {
        Self { tokens, anonymous }
    }
}

impl Authority for StaticTokens {
    fn admit(&self, credential: Option<&str>, vhost: &VHostName, _: Now, _: Reply) -> Verdict {
        let Some(credential) = credential else {
            return Verdict::Now(self.anonymous.clone().ok_or(Refusal::BadToken));
        };
        // Every token is compared, whichever matches, so that time tells nothing about the others.
        let mut found = None;
        for token in &self.tokens {
            let same: bool = token.secret.as_bytes().ct_eq(credential.as_bytes()).into();
            if same && token.vhost == *vhost {
                found = Some(Arc::clone(&token.principal));
            }
        }
        Verdict::Now(found.ok_or(Refusal::BadToken))
    }
}
