//! Who a credential stands for. The one place that turns tokens into principals.
//!
//! An authority may know at once, or keep the [`Reply`] and answer later, from any thread. Sessions never wait
//! in a call.

use crate::exchange::Exchange;
use crate::inbox::{Answer, Entry};
use model::{Now, Principal, Refusal, SessionId, Ticket, VHostName};
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use subtle::ConstantTimeEq;

/// What an authority says.
#[derive(Debug)]
pub enum Verdict {
    /// Known at once.
    Now(Result<Arc<Principal>, Refusal>),
    /// The reply will be used.
    Later,
}

/// What a peer shows of itself.
#[derive(Clone, Copy, Debug, Default)]
pub struct Shown<'a> {
    /// `None`: it would be anonymous.
    pub credential: Option<&'a str>,
    /// The host of the page that it is part of. Browsers tell the truth about it; programs say what they like.
    pub page: Option<&'a str>,
}

/// Decides for whom a session acts. Called on a shard: whatever may wait is done elsewhere.
pub trait Authority: Send + Sync {
    /// For whom the session acts that has shown this.
    fn admit(&self, shown: Shown<'_>, vhost: &VHostName, now: Now, reply: Reply) -> Verdict;

    /// Whether this credential would be admitted, as far as that is known without asking anybody; `None`: it is not.
    /// Asked before much is taken from somebody who has not been admitted yet.
    fn recognises(&self, credential: Option<&str>, vhost: &VHostName, now: Now) -> Option<bool> {
        let _ = (credential, vhost, now);
        None
    }

    /// Whether a principal that was admitted may stay. Asked when the rules have changed.
    fn stands(&self, principal: &Arc<Principal>) -> bool {
        let _ = principal;
        true
    }
}

impl<A: Authority> Authority for Arc<A> {
    fn admit(&self, shown: Shown<'_>, vhost: &VHostName, now: Now, reply: Reply) -> Verdict {
        (**self).admit(shown, vhost, now, reply)
    }

    fn recognises(&self, credential: Option<&str>, vhost: &VHostName, now: Now) -> Option<bool> {
        (**self).recognises(credential, vhost, now)
    }

    fn stands(&self, principal: &Arc<Principal>) -> bool {
        (**self).stands(principal)
    }
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
#[derive(Clone)]
pub struct Token {
    /// The secret.
    pub secret: Box<str>,
    /// The only virtual host it is good for.
    pub vhost: VHostName,
    /// Who shows it.
    pub principal: Arc<Principal>,
}

/// Tokens written in the configuration, and what those may do who show none. Can be replaced while it is asked.
#[derive(Default)]
pub struct StaticTokens(RwLock<Register>);

#[derive(Default)]
struct Register {
    tokens: Vec<Token>,
    anonymous: Option<Arc<Principal>>,
}

impl StaticTokens {
    /// `anonymous`: for whom a session acts that shows no token; `None`: for nobody, it is refused.
    #[must_use]
    pub fn new(tokens: Vec<Token>, anonymous: Option<Arc<Principal>>) -> Self {
        Self(RwLock::new(Register { tokens, anonymous }))
    }

    /// Replaces everything. Principals that are as they were before stay the same, and [`Authority::stands`] says so.
    pub fn replace(&self, mut tokens: Vec<Token>, mut anonymous: Option<Arc<Principal>>) {
        let mut register = self.0.write().unwrap_or_else(PoisonError::into_inner);
        for token in &mut tokens {
            let same = |old: &&Token| {
                old.secret == token.secret && old.vhost == token.vhost && old.principal == token.principal
            };
            if let Some(old) = register.tokens.iter().find(same) {
                token.principal = Arc::clone(&old.principal);
            }
        }
        if anonymous == register.anonymous {
            anonymous.clone_from(&register.anonymous);
        }
        *register = Register { tokens, anonymous };
    }
}

impl Register {
    fn find(&self, credential: Option<&str>, vhost: &VHostName) -> Option<Arc<Principal>> {
        let Some(credential) = credential else { return self.anonymous.clone() };
        // Every token is compared, whichever matches, so that time tells nothing about the others.
        let mut found = None;
        for token in &self.tokens {
            let same: bool = token.secret.as_bytes().ct_eq(credential.as_bytes()).into();
            if same && token.vhost == *vhost {
                found = Some(Arc::clone(&token.principal));
            }
        }
        found
    }
}

impl Authority for StaticTokens {
    fn admit(&self, shown: Shown<'_>, vhost: &VHostName, _: Now, _: Reply) -> Verdict {
        let register = self.0.read().unwrap_or_else(PoisonError::into_inner);
        Verdict::Now(register.find(shown.credential, vhost).ok_or(Refusal::BadToken))
    }

    fn recognises(&self, credential: Option<&str>, vhost: &VHostName, _: Now) -> Option<bool> {
        let register = self.0.read().unwrap_or_else(PoisonError::into_inner);
        Some(register.find(credential, vhost).is_some())
    }

    fn stands(&self, principal: &Arc<Principal>) -> bool {
        let register = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let mut all = register.tokens.iter().map(|t| &t.principal).chain(&register.anonymous);
        all.any(|p| Arc::ptr_eq(p, principal))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::Grant;

    fn token(secret: &str, grant: &str) -> Token {
        let grants = vec![Grant::parse(grant).unwrap()];
        let principal = Arc::new(Principal::named(secret, grants));
        Token { secret: secret.into(), vhost: VHostName::root(), principal }
    }

    #[test]
    fn who_is_as_before_stays_and_who_is_not_goes() {
        let all = StaticTokens::new(vec![token("a", "READ x"), token("b", "READ x")], None);
        let who = |secret| {
            let register = all.0.read().unwrap();
            register.find(Some(secret), &VHostName::root())
        };
        let (a, b) = (who("a").unwrap(), who("b").unwrap());
        all.replace(vec![token("a", "READ x"), token("b", "READ y")], None);
        assert!(all.stands(&a) && !all.stands(&b));
        assert!(all.stands(&who("b").unwrap()));
        all.replace(Vec::new(), None);
        assert!(!all.stands(&a));
        assert_eq!(all.recognises(Some("a"), &VHostName::root(), Now::default()), Some(false));
    }
}
