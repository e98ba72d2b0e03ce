//! Who is here without having been authenticated: how many connections of one address, and what each may still do.
//!
//! What a stranger may cost is a type, not a habit: a place in [`Strangers`] and a [`Budget`]. Both end when the stranger
//! turns out to be somebody.

use hashbrown::HashMap;
use model::Time;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// BOUND: bytes a session may send before it has shown for whom it acts, where nobody may act for nobody.
const BYTES: usize = 16 << 10;

/// Connections of strangers, by address, on all shards.
#[derive(Debug, Default)]
pub struct Strangers(Mutex<HashMap<IpAddr, u32>>);

impl Strangers {
    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, u32>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets one more in. `None`: there are `max` of that address already.
    pub(crate) fn enter(self: &Arc<Self>, address: IpAddr, max: u32) -> Option<Stranger> {
        let address = household(address);
        let mut all = self.lock();
        let count = all.entry(address).or_default();
        if *count >= max {
            return None;
        }
        *count += 1;
        Some(Stranger { among: Arc::clone(self), address })
    }

    /// How many addresses have strangers here.
    #[must_use]
    pub fn addresses(&self) -> usize {
        self.lock().len()
    }
}

/// An address, or, as one house has as many IPv6 addresses as it likes, the network of one.
pub(crate) fn household(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(v4) => v4.into(),
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX)).into(),
    }
}

/// One stranger's place; given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Stranger {
    among: Arc<Strangers>,
    address: IpAddr,
}

impl Drop for Stranger {
    fn drop(&mut self) {
        let mut all = self.among.lock();
        if let Some(count) = all.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                all.remove(&self.address);
            }
        }
    }
}

/// What a session may still do before it has shown for whom it acts.
#[derive(Debug)]
pub(crate) struct Budget {
    bytes: usize,
    /// When its time is over.
    pub(crate) until: Time,
}

impl Budget {
    pub(crate) fn new(until: Time) -> Self {
        Self { bytes: BYTES, until }
    }

    /// Spends so many bytes. `false`: that is more than there are left.
    pub(crate) fn spend(&mut self, bytes: usize) -> bool {
        let left = self.bytes.checked_sub(bytes);
        self.bytes = left.unwrap_or(0);
        left.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_counted_by_address_and_given_back() {
        let all = Arc::new(Strangers::default());
        let one: IpAddr = "192.0.2.1".parse().unwrap();
        let places: Vec<_> = (0..3).filter_map(|_| all.enter(one, 2)).collect();
        assert_eq!(places.len(), 2);
        assert!(all.enter("192.0.2.2".parse().unwrap(), 2).is_some());
        assert!(all.enter("::ffff:192.0.2.1".parse().unwrap(), 2).is_none());
        drop(places);
        assert_eq!(all.addresses(), 0);
        assert!(all.enter(one, 2).is_some());
    }

    #[test]
    fn a_house_with_many_addresses_is_one() {
        let all = Arc::new(Strangers::default());
        let _here = all.enter("2001:db8:1:2::1".parse().unwrap(), 1).unwrap();
        assert!(all.enter("2001:db8:1:2:3::4".parse().unwrap(), 1).is_none());
        assert!(all.enter("2001:db8:1:3::1".parse().unwrap(), 1).is_some());
    }

    #[test]
    fn a_budget_ends() {
        let mut budget = Budget::new(Time(5));
        assert!(budget.spend(BYTES) && !budget.spend(1));
        assert!(!Budget::new(Time(5)).spend(BYTES + 1));
    }
}
