//! Tokens that have been verified, so that showing one again costs a hash. They are known by that hash alone.

use model::Principal;
use ring::digest;
use std::collections::HashMap;
use std::sync::Arc;

/// BOUND: tokens of a generation; there are two.
const GENERATION: usize = 4096;

/// The SHA-256 of a token, and of the page where it was shown, if that matters.
pub(crate) type Hash = [u8; 32];

pub(crate) fn hash(token: &str, page: Option<&str>) -> Hash {
    let mut digest = digest::Context::new(&digest::SHA256);
    digest.update(token.as_bytes());
    if let Some(page) = page {
        // No token has a line's end in it.
        digest.update(b"\n");
        digest.update(page.as_bytes());
    }
    let mut hash = [0; 32];
    hash.copy_from_slice(digest.finish().as_ref());
    hash
}

/// Who showed which token. When a generation is full the one before it is forgotten.
#[derive(Default)]
pub(crate) struct Cache {
    young: HashMap<Hash, Arc<Principal>>,
    old: HashMap<Hash, Arc<Principal>>,
}

impl Cache {
    /// Whose token it is, while that is good.
    pub(crate) fn get(&mut self, hash: &Hash, wall_ms: u64) -> Option<Arc<Principal>> {
        if let Some(principal) = self.young.get(hash) {
            return Some(Arc::clone(principal)).filter(|p| !p.has_expired(wall_ms));
        }
        let principal = self.old.remove(hash).filter(|p| !p.has_expired(wall_ms))?;
        self.put(*hash, Arc::clone(&principal));
        Some(principal)
    }

    pub(crate) fn put(&mut self, hash: Hash, principal: Arc<Principal>) {
        if self.young.len() >= GENERATION {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(hash, principal);
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.young.len() + self.old.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_stays_bounded_and_keeps_what_is_asked_for() {
        let (mut cache, who) = (Cache::default(), Arc::new(Principal::named("a", Vec::new())));
        let first = hash("first", None);
        cache.put(first, Arc::clone(&who));
        for n in 0..GENERATION * 5 {
            cache.put(hash(&n.to_string(), None), Arc::clone(&who));
            assert!(cache.get(&first, 0).is_some() && cache.len() <= 2 * GENERATION);
        }
        assert!(cache.get(&hash("0", None), 0).is_none());
    }
}
