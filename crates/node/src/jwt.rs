//! The authority for tokens that prove themselves (RFC 7519): verified with keys of the operator's, by algorithms that
//! the operator has named. The same for every dialect.
//!
//! A shard verifies, in a few microseconds to a few hundred; where that needs a key that is not there yet, the control
//! runtime fetches the set, and the session hears later. Read [`token`], [`key`], [`rules`]; [`refresh`] is the part
//! that waits.

mod cache;
mod key;
mod refresh;
mod revoked;
mod rules;
mod template;
mod token;

pub use key::{Algorithm, Family, Key, KeySet};
pub use refresh::{Source, Url};
pub use revoked::Revoked;
pub use rules::{NAMES, Rules};
pub use template::Template;
pub use token::TOKEN_MAX;

use crate::authority::{Authority, Reply, Shown, StaticTokens, Verdict};
use crate::{Clock, Control};
use cache::{Cache, hash};
use model::{Now, Principal, Refusal, TokenFlaw, VHostName};
use refresh::Refresh;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;
use token::Token;

/// How tokens are verified.
#[derive(Clone, Debug)]
pub struct JwtSettings {
    /// What holds for every token.
    pub rules: Rules,
    /// The only virtual host they are good for.
    pub vhost: VHostName,
    /// Where the keys are.
    pub source: Source,
    /// How often they are fetched again.
    pub refresh: Duration,
    /// Tokens that are good no more.
    pub revoked: Revoked,
}

/// Why a token proves nothing.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Unproven {
    Flaw(TokenFlaw),
    /// The key of this name, or the one key that fits, is not there.
    NoKey(Option<Box<str>>),
}

impl From<TokenFlaw> for Unproven {
    fn from(flaw: TokenFlaw) -> Self {
        Self::Flaw(flaw)
    }
}

/// Verifies tokens.
pub struct Jwt {
    rules: Rules,
    vhost: VHostName,
    keys: RwLock<Arc<KeySet>>,
    cache: Mutex<Cache>,
    revoked: RwLock<Revoked>,
    /// `None`: the keys are what they are.
    refresh: Option<Refresh>,
}

impl Jwt {
    /// Verifies with the keys of the settings. Those of a file or a URL are fetched only once [`Jwt::start`] is called.
    #[must_use]
    pub fn new(settings: JwtSettings) -> Self {
        let JwtSettings { rules, vhost, source, refresh, revoked } = settings;
        let (keys, refresh) = match source {
            Source::Keys(keys) => (keys, None),
            Source::File(path, keys) => (keys, Some(Refresh::of_file(path, refresh))),
            Source::Url(url, tls) => (KeySet::default(), Some(Refresh::of_url(url, tls, refresh))),
        };
        let (keys, revoked) = (RwLock::new(Arc::new(keys)), RwLock::new(revoked));
        Self { rules, vhost, keys, cache: Mutex::default(), revoked, refresh }
    }

    /// From now on these are taken back, and no others. Who has shown one stands no more.
    pub fn revoke(&self, revoked: Revoked) {
        *self.revoked.write().unwrap_or_else(PoisonError::into_inner) = revoked;
    }

    fn is_revoked(&self, principal: &Principal) -> bool {
        self.revoked.read().unwrap_or_else(PoisonError::into_inner).has(principal)
    }

    /// Verifies as these settings say, and keeps the keys new on the control runtime, as long as that lives.
    #[must_use]
    pub fn start(settings: JwtSettings, control: &Control, clock: Clock) -> Arc<Self> {
        let jwt = Arc::new(Self::new(settings));
        if jwt.refresh.is_some() {
            let keeper = Arc::clone(&jwt);
            control.spawn(async move { keeper.keep_keys(clock).await });
        }
        jwt
    }

    /// Who shows this token.
    pub(crate) fn verify(&self, text: &str, now: Now) -> Result<Arc<Principal>, Unproven> {
        self.verify_on(text, None, now)
    }

    /// Who shows this token on a page of this host.
    fn verify_on(&self, text: &str, page: Option<&str>, now: Now) -> Result<Arc<Principal>, Unproven> {
        let principal = self.owner(text, page, now)?;
        if self.is_revoked(&principal) { Err(TokenFlaw::Revoked.into()) } else { Ok(principal) }
    }

    /// Who shows this token, though it may have been taken back.
    fn owner(&self, text: &str, page: Option<&str>, now: Now) -> Result<Arc<Principal>, Unproven> {
        let token = Token::read(text)?;
        let page = page.filter(|_| self.rules.ask_for_pages());
        let hash = hash(text, page);
        let known = self.cache.lock().unwrap_or_else(PoisonError::into_inner).get(&hash, now.wall_ms);
        if let Some(principal) = known {
            return Ok(principal);
        }
        if !self.rules.algorithms.contains(&token.algorithm) {
            return Err(TokenFlaw::Algorithm.into());
        }
        let keys = Arc::clone(&self.keys.read().unwrap_or_else(PoisonError::into_inner));
        let Some(key) = keys.choose(token.kid.as_deref(), token.algorithm) else {
            return Err(Unproven::NoKey(token.kid));
        };
        if !key.verify(token.algorithm, token.signed.as_bytes(), &token.signature) {
            return Err(TokenFlaw::Signature.into());
        }
        let principal = Arc::new(self.rules.owner(&token.claims()?, page, now.wall_ms)?);
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        // A key that has been taken away meanwhile has been looked for before the cache was emptied.
        if Arc::ptr_eq(&keys, &self.keys.read().unwrap_or_else(PoisonError::into_inner)) {
            cache.put(hash, Arc::clone(&principal));
        }
        Ok(principal)
    }

    /// From now on tokens are verified with these keys, whatever was verified before.
    fn adopt(&self, keys: KeySet) {
        let mut current = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        if **current == keys {
            return;
        }
        *current = Arc::new(keys);
        drop(current);
        self.cache.lock().unwrap_or_else(PoisonError::into_inner).clear();
        tracing::info!("the keys for tokens have changed");
    }
}

impl Authority for Jwt {
    fn admit(&self, shown: Shown<'_>, vhost: &VHostName, now: Now, reply: Reply) -> Verdict {
        let Some(text) = shown.credential.filter(|_| *vhost == self.vhost) else {
            return Verdict::Now(Err(Refusal::BadToken));
        };
        match (self.verify_on(text, shown.page, now), &self.refresh) {
            (Ok(principal), _) => Verdict::Now(Ok(principal)),
            (Err(Unproven::Flaw(flaw)), _) => Verdict::Now(Err(Refusal::InvalidToken(flaw))),
            (Err(Unproven::NoKey(kid)), Some(refresh)) => {
                refresh.ask(kid, (text, shown.page), now.time, reply)
            }
            (Err(Unproven::NoKey(_)), None) => {
                Verdict::Now(Err(Refusal::InvalidToken(TokenFlaw::UnknownKey)))
            }
        }
    }

    fn recognises(&self, credential: Option<&str>, vhost: &VHostName, now: Now) -> Option<bool> {
        let Some(text) = credential.filter(|_| *vhost == self.vhost) else { return Some(false) };
        match (self.verify(text, now), &self.refresh) {
            (Ok(_), _) => Some(true),
            (Err(Unproven::NoKey(_)), Some(_)) => None,
            (Err(Unproven::Flaw(_) | Unproven::NoKey(_)), _) => Some(false),
        }
    }

    /// Whoever has shown a token that proves itself stays until it expires, or is taken back.
    fn stands(&self, principal: &Arc<Principal>) -> bool {
        principal.role.pass.is_some() && !self.is_revoked(principal)
    }
}

/// Static tokens, and tokens that prove themselves. Who shows none is the former's.
pub struct Credentials {
    tokens: Arc<StaticTokens>,
    jwt: Option<Arc<Jwt>>,
}

impl Credentials {
    /// Asks these for a token, and then, if it knows none such, the other.
    #[must_use]
    pub fn new(tokens: Arc<StaticTokens>, jwt: Option<Arc<Jwt>>) -> Self {
        Self { tokens, jwt }
    }

    /// Who verifies a credential that is none of the static tokens.
    fn jwt(&self, credential: Option<&str>, vhost: &VHostName, now: Now) -> Option<&Jwt> {
        let jwt = self.jwt.as_deref().filter(|_| credential.is_some())?;
        (self.tokens.recognises(credential, vhost, now) != Some(true)).then_some(jwt)
    }
}

impl Authority for Credentials {
    fn admit(&self, shown: Shown<'_>, vhost: &VHostName, now: Now, reply: Reply) -> Verdict {
        match self.jwt(shown.credential, vhost, now) {
            Some(jwt) => jwt.admit(shown, vhost, now, reply),
            None => self.tokens.admit(shown, vhost, now, reply),
        }
    }

    fn recognises(&self, credential: Option<&str>, vhost: &VHostName, now: Now) -> Option<bool> {
        match self.jwt(credential, vhost, now) {
            Some(jwt) => jwt.recognises(credential, vhost, now),
            None => self.tokens.recognises(credential, vhost, now),
        }
    }

    fn stands(&self, principal: &Arc<Principal>) -> bool {
        self.tokens.stands(principal) || self.jwt.as_ref().is_some_and(|jwt| jwt.stands(principal))
    }
}

#[cfg(test)]
mod tests;
