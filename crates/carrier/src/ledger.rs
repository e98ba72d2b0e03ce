//! What addresses may still publish, so that a new connection for each message gains nothing.
//!
//! One for each shard. Forgets who has all of it back, and knows no principals.

use crate::strangers::household;
use hashbrown::HashMap;
use hub::Allowance;
use model::Time;
use std::net::IpAddr;

/// BOUND: addresses that have spent something. Beyond, the least is known of the newest: they begin afresh.
const ADDRESSES: usize = 16 << 10;

/// What addresses have left, of those that have spent something.
#[derive(Debug, Default)]
pub(crate) struct Ledger(HashMap<IpAddr, Allowance>);

impl Ledger {
    pub(crate) fn left(&self, address: IpAddr) -> Allowance {
        self.0.get(&household(address)).copied().unwrap_or_default()
    }

    pub(crate) fn keep(&mut self, address: IpAddr, left: Allowance, rate: (u32, u32), now: Time) {
        let address = household(address);
        // Somebody who has been here for long, and has spent nothing, gives nothing back to those who have.
        let left = self.0.get(&address).map_or(left, |before| left.or_less(*before, rate, now));
        if left.is_full(rate, now) {
            self.0.remove(&address);
            return;
        }
        if self.0.len() >= ADDRESSES && !self.0.contains_key(&address) {
            self.0.retain(|_, left| !left.is_full(rate, now));
            if self.0.len() >= ADDRESSES {
                return;
            }
        }
        self.0.insert(address, left);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    #[test]
    fn what_is_spent_is_remembered_until_it_is_back() {
        let (mut ledger, rate) = (Ledger::default(), (10, 1));
        let address = IpAddr::from([192, 0, 2, 1]);
        let mut left = ledger.left(address);
        assert!(left.take(rate, Time(0)));
        ledger.keep(address, left, rate, Time(0));
        assert!(!ledger.left(address).has(rate, Time(50)));
        assert!(ledger.left(address).has(rate, Time(100)));
        ledger.keep(address, left, rate, Time(100));
        assert!(ledger.0.is_empty());
    }

    #[test]
    fn who_has_spent_nothing_gives_nothing_back_to_others() {
        let (mut ledger, rate) = (Ledger::default(), (10, 1));
        let address = IpAddr::from([192, 0, 2, 1]);
        let (idle, mut spent) = (ledger.left(address), ledger.left(address));
        assert!(spent.take(rate, Time(0)));
        ledger.keep(address, spent, rate, Time(0));
        ledger.keep(address, idle, rate, Time(0));
        assert!(!ledger.left(address).has(rate, Time(50)));
    }

    #[test]
    fn it_is_bounded() {
        let (mut ledger, rate) = (Ledger::default(), (10, 1));
        let mut spent = Allowance::default();
        spent.take(rate, Time(0));
        for n in 0..40_000 {
            ledger.keep(Ipv4Addr::from_bits(n).into(), spent, rate, Time(0));
        }
        assert_eq!(ledger.0.len(), ADDRESSES);
        ledger.keep(Ipv4Addr::from_bits(50_000).into(), spent, rate, Time(50));
        assert_eq!(ledger.0.len(), ADDRESSES);
        let mut late = Allowance::default();
        late.take(rate, Time(1000));
        ledger.keep(Ipv4Addr::from_bits(50_000).into(), late, rate, Time(1000));
        assert_eq!(ledger.0.len(), 1);
    }
}
