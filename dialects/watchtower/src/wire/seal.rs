//! What proves something over UDP: cookies prove that an address receives, seals that a datagram is its sender's and
//! comes for the first time. Both are HMAC-SHA-256 (RFC 2104), cut short. Keeps no time and draws no keys.

use super::device::{CODE, COOKIE, Seal};
use hmac_sha256::HMAC;
use model::Time;
use std::fmt;
use subtle::ConstantTimeEq;

/// How long cookies of one kind are given out, in milliseconds; they are taken for as long again.
const SLOT: u64 = 60_000;

/// Gives out cookies, and knows them again. Keeps nothing.
pub struct Cookies {
    key: [u8; 32],
}

impl fmt::Debug for Cookies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cookies(***)")
    }
}

impl Cookies {
    /// `key`: drawn for this run of the server.
    #[must_use]
    pub fn new(key: [u8; 32]) -> Self {
        Self { key }
    }

    fn of_slot(&self, address: &[u8], slot: u64) -> [u8; COOKIE] {
        let mut mac = HMAC::new(self.key);
        mac.update(slot.to_le_bytes());
        mac.update(address);
        short(&mac.finalize())
    }

    /// The cookie that this address is sent now.
    #[must_use]
    pub fn make(&self, address: &[u8], now: Time) -> [u8; COOKIE] {
        self.of_slot(address, now.0 / SLOT)
    }

    /// Whether this address was sent that cookie, not long ago.
    #[must_use]
    pub fn know(&self, address: &[u8], shown: &[u8], now: Time) -> bool {
        let slot = now.0 / SLOT;
        let own = [slot, slot.saturating_sub(1)].map(|slot| self.of_slot(address, slot).ct_eq(shown));
        own.into_iter().any(bool::from)
    }
}

/// Whether a seal was made by who knows the token.
#[must_use]
pub fn is_sealed(seal: &Seal<'_>, token: &[u8]) -> bool {
    code(seal.counter, seal.sealed, token).ct_eq(seal.code).into()
}

/// The code of a seal.
#[must_use]
pub fn code(counter: u64, sealed: &[u8], token: &[u8]) -> [u8; CODE] {
    let mut mac = HMAC::new(token);
    mac.update(counter.to_le_bytes());
    mac.update(sealed);
    short(&mac.finalize())
}

fn short<const N: usize>(mac: &[u8; 32]) -> [u8; N] {
    let mut short = [0; N];
    for (place, byte) in short.iter_mut().zip(mac) {
        *place = *byte;
    }
    short
}

/// Which counters have been seen: the highest, and the 64 up to it. What is older counts as seen.
#[derive(Clone, Copy, Debug, Default)]
pub struct Window {
    top: u64,
    /// The lowest bit is `top`.
    seen: u64,
}

impl Window {
    /// Takes a counter. `false`: it has been seen, or may have been.
    pub fn take(&mut self, counter: u64) -> bool {
        let far = |by: u64| u32::try_from(by).unwrap_or(u32::MAX);
        if counter > self.top {
            self.seen = self.seen.checked_shl(far(counter - self.top)).unwrap_or(0) | 1;
            self.top = counter;
            return true;
        }
        let Some(bit) = 1_u64.checked_shl(far(self.top - counter)) else { return false };
        let fresh = self.seen & bit == 0;
        self.seen |= bit;
        fresh
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    #[test]
    fn a_cookie_is_for_one_address_and_a_little_while() {
        let cookies = Cookies::new([7; 32]);
        let made = cookies.make(b"here", Time(59_999));
        assert!(cookies.know(b"here", &made, Time(59_999)) && cookies.know(b"here", &made, Time(119_999)));
        assert!(!cookies.know(b"here", &made, Time(120_000)), "too old");
        assert!(!cookies.know(b"there", &made, Time(59_999)));
        assert!(!Cookies::new([8; 32]).know(b"here", &made, Time(59_999)), "of another run");
        assert!(!cookies.know(b"here", b"", Time(0)) && !cookies.know(b"here", &[0; 8], Time(0)));
    }

    /// RFC 4231 §4.3.
    #[test]
    fn the_code_is_hmac_sha_256() {
        let mac = HMAC::mac(b"what do ya want for nothing?", b"Jefe");
        assert_eq!(mac[..4], [0x5b, 0xdc, 0xc1, 0x46]);
        let mut input = 5_u64.to_le_bytes().to_vec();
        input.extend_from_slice(b"K");
        assert_eq!(code(5, b"K", b"Jefe"), HMAC::mac(input, b"Jefe")[..CODE]);
    }

    #[test]
    fn a_seal_holds_for_its_words_and_its_number_only() {
        let code = code(1, b"K", b"token");
        let seal = |counter, sealed| Seal { counter, code: &code, sealed };
        assert!(is_sealed(&seal(1, b"K"), b"token"));
        assert!(!is_sealed(&seal(2, b"K"), b"token"));
        assert!(!is_sealed(&seal(1, b"R"), b"token"));
        assert!(!is_sealed(&seal(1, b"K"), b"other"));
    }

    proptest! {
        /// No counter is taken twice, none beyond the window, and every fresh one within it is taken.
        #[test]
        fn the_window_takes_each_counter_once(counters in prop::collection::vec(0_u64..200, 1..100)) {
            let (mut window, mut taken) = (Window::default(), BTreeSet::new());
            for counter in counters {
                let top = taken.last().copied().unwrap_or(0);
                let within = counter + 64 > top;
                prop_assert_eq!(window.take(counter), within && !taken.contains(&counter), "{}", counter);
                if within {
                    taken.insert(counter);
                }
            }
        }
    }

    #[test]
    fn the_window_reaches_to_the_last_number_there_is() {
        let mut window = Window::default();
        assert!(window.take(0) && !window.take(0));
        assert!(window.take(u64::MAX) && !window.take(u64::MAX) && !window.take(0));
        assert!(window.take(u64::MAX - 63) && !window.take(u64::MAX - 64));
    }
}
