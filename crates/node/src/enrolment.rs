//! Principals that the node itself makes for peers that ask: their addresses, what proves them, and which sessions
//! act for them.
//!
//! Knows ids, tokens and the time. Does not know why anybody enrols, what its sessions do, or how they are reached.
//! LOCK: the register is locked under no other lock, and nothing is locked under it; so no model under loom needs it.

use model::{Grant, Principal, PrincipalId, Refusal, SessionId, Time};
use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use subtle::ConstantTimeEq;

/// Bytes of a token before they are written down: nobody guesses 128 bits.
const TOKEN: usize = 16;
/// Times an address is drawn that nobody has.
const DRAWS: usize = 64;
/// Enrolments that one sweep forgets at most; the next goes on.
const SWEPT: usize = 10_000;

/// What proves that a peer may act for an enrolled principal. Never shown by `Debug`.
pub struct Proof([u8; TOKEN]);

impl Proof {
    /// The token as a peer writes it: 32 hexadecimal digits.
    #[must_use]
    pub fn expose(&self) -> String {
        self.0.iter().fold(String::with_capacity(2 * TOKEN), |mut text, byte| {
            text.extend([byte >> 4, byte & 15].map(|half| char::from_digit(half.into(), 16).unwrap_or('0')));
            text
        })
    }
}

impl fmt::Debug for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Proof(…)")
    }
}

/// What somebody who enrols is to be.
pub(crate) struct Wish {
    pub(crate) vhost: u16,
    pub(crate) name: &'static str,
    pub(crate) grants: Arc<[Grant]>,
    pub(crate) idle: Duration,
}

struct Enrolment {
    principal: Arc<Principal>,
    proof: Proof,
    /// The only virtual host it is good for.
    vhost: u16,
    idle: Duration,
    /// BOUND: `sessions_per_enrolment`.
    sessions: Vec<SessionId>,
    /// When it is forgotten; `None` while a session acts for it.
    due: Option<Time>,
}

/// All enrolments of a node.
#[derive(Default)]
pub(crate) struct Enrolments(Mutex<Register>);

#[derive(Default)]
struct Register {
    /// BOUND: `enrolments`.
    known: HashMap<PrincipalId, Box<Enrolment>>,
    /// Those that no session acts for, by when they are forgotten.
    idle: BTreeSet<(Time, PrincipalId)>,
}

impl Enrolments {
    fn lock(&self) -> MutexGuard<'_, Register> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a principal that no session acts for yet, and what proves it.
    pub(crate) fn enrol(&self, wish: Wish, max: u32, now: Time) -> Result<(Arc<Principal>, Proof), Refusal> {
        let Wish { vhost, name, grants, idle } = wish;
        let token = random()?;
        let mut register = self.lock();
        if register.known.len() >= max as usize {
            register.forget_idle(now);
        }
        if register.known.len() >= max as usize {
            return Err(Refusal::TooManyEnrolments { max });
        }
        let address = register.draw()?;
        let name = Some(format!("{name}{}", address.0).into());
        let principal = Arc::new(Principal { name, address: Some(address), grants });
        let due = now + idle;
        let enrolment = Enrolment {
            principal: Arc::clone(&principal),
            proof: Proof(token),
            vhost,
            idle,
            sessions: Vec::new(),
            due: Some(due),
        };
        register.known.insert(address, Box::new(enrolment));
        register.idle.insert((due, address));
        Ok((principal, Proof(token)))
    }

    /// The principal of that address, for a peer that shows this token, or need not show one. That is a use of it.
    pub(crate) fn prove(
        &self,
        vhost: u16,
        who: PrincipalId,
        token: Option<&str>,
        now: Time,
    ) -> Result<Arc<Principal>, Refusal> {
        let mut register = self.lock();
        if register.known.get(&who).is_some_and(|e| e.due.is_some_and(|due| due <= now)) {
            register.forget(who);
        }
        let known = register.known.get(&who).filter(|e| e.vhost == vhost);
        let enrolment = known.ok_or(Refusal::UnknownPrincipal)?;
        let same = |token: &str| bool::from(enrolment.proof.expose().as_bytes().ct_eq(token.as_bytes()));
        if !token.is_none_or(same) {
            return Err(Refusal::BadToken);
        }
        let principal = Arc::clone(&enrolment.principal);
        register.used(who, now);
        Ok(principal)
    }

    /// Counts a session in that acts for the principal from now on. It must not be counted in already.
    pub(crate) fn attach(
        &self,
        principal: &Arc<Principal>,
        session: SessionId,
        max: u32,
    ) -> Result<(), Refusal> {
        let mut guard = self.lock();
        let Register { known, idle } = &mut *guard;
        let enrolment = principal.address.and_then(|who| Some((who, known.get_mut(&who)?)));
        let (who, enrolment) = enrolment
            .filter(|(_, e)| Arc::ptr_eq(&e.principal, principal))
            .ok_or(Refusal::UnknownPrincipal)?;
        if enrolment.sessions.len() >= max as usize {
            return Err(Refusal::TooManySessions { max });
        }
        if enrolment.sessions.is_empty() {
            // Most have one, and there are many of them.
            enrolment.sessions.reserve_exact(1);
        }
        enrolment.sessions.push(session);
        if let Some(due) = enrolment.due.take() {
            idle.remove(&(due, who));
        }
        Ok(())
    }

    /// Counts a session out. After the last the principal is idle.
    pub(crate) fn release(&self, who: PrincipalId, session: SessionId, now: Time) {
        let mut register = self.lock();
        let Some(enrolment) = register.known.get_mut(&who) else { return };
        if let Some(i) = enrolment.sessions.iter().position(|s| *s == session) {
            enrolment.sessions.swap_remove(i);
        }
        register.used(who, now);
    }

    /// Forgets the principal. Says which sessions acted for it; `None`: it was not known.
    pub(crate) fn retire(&self, who: PrincipalId) -> Option<Vec<SessionId>> {
        self.lock().forget(who)
    }

    /// The sessions that act for the principal.
    pub(crate) fn sessions(&self, who: PrincipalId) -> Vec<SessionId> {
        self.lock().known.get(&who).map(|e| e.sessions.clone()).unwrap_or_default()
    }

    /// Whether this principal is enrolled.
    pub(crate) fn stands(&self, principal: &Arc<Principal>) -> bool {
        let register = self.lock();
        let known = principal.address.and_then(|who| register.known.get(&who));
        known.is_some_and(|e| Arc::ptr_eq(&e.principal, principal))
    }

    /// How many are known.
    pub(crate) fn len(&self) -> usize {
        self.lock().known.len()
    }

    /// Forgets those that nobody has used for too long.
    pub(crate) fn sweep(&self, now: Time) {
        self.lock().forget_idle(now);
    }
}

impl Register {
    /// An address that nobody has.
    fn draw(&self) -> Result<PrincipalId, Refusal> {
        for _ in 0..DRAWS {
            let drawn = u32::from_ne_bytes(random()?);
            let address = PrincipalId(drawn.into());
            if drawn != 0 && !self.known.contains_key(&address) {
                return Ok(address);
            }
        }
        Err(Refusal::Busy)
    }

    /// Somebody has used the principal: while no session acts for it, the time it is kept begins anew.
    fn used(&mut self, who: PrincipalId, now: Time) {
        let Some(enrolment) = self.known.get_mut(&who).filter(|e| e.sessions.is_empty()) else { return };
        let due = now + enrolment.idle;
        if let Some(before) = enrolment.due.replace(due) {
            self.idle.remove(&(before, who));
        }
        self.idle.insert((due, who));
    }

    fn forget(&mut self, who: PrincipalId) -> Option<Vec<SessionId>> {
        let enrolment = self.known.remove(&who)?;
        if let Some(due) = enrolment.due {
            self.idle.remove(&(due, who));
        }
        Some(enrolment.sessions)
    }

    fn forget_idle(&mut self, now: Time) {
        for _ in 0..SWEPT {
            let Some(&(due, who)) = self.idle.first().filter(|(due, _)| *due <= now) else { break };
            self.idle.remove(&(due, who));
            self.known.remove(&who);
        }
        // A flood's memory is given back.
        if self.known.capacity() > 1024 && self.known.len() * 8 < self.known.capacity() {
            self.known.shrink_to(self.known.len() * 2);
        }
    }
}

/// Bytes that nobody can foresee, from the system. Where it has none, nobody can be enrolled.
fn random<const N: usize>() -> Result<[u8; N], Refusal> {
    let mut bytes = [0; N];
    getrandom::getrandom(&mut bytes).map_err(|_| Refusal::Busy)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn enrol(all: &Enrolments, max: u32, now: u64) -> Result<(Arc<Principal>, Proof), Refusal> {
        let wish = Wish { vhost: 0, name: "w-", grants: Arc::default(), idle: MINUTE };
        all.enrol(wish, max, Time(now))
    }

    fn session(slot: u32) -> SessionId {
        SessionId { shard: 0, slot, generation: 1 }
    }

    fn consistent(all: &Enrolments) {
        let register = all.lock();
        let idle: BTreeSet<_> = register.known.iter().filter_map(|(who, e)| Some((e.due?, *who))).collect();
        assert_eq!(idle, register.idle);
        assert!(register.known.values().all(|e| e.due.is_some() == e.sessions.is_empty()));
    }

    #[test]
    fn what_proves_somebody_is_random_and_never_printed() {
        let all = Enrolments::default();
        let ((a, proof), (b, other)) = (enrol(&all, 9, 0).unwrap(), enrol(&all, 9, 0).unwrap());
        let (shown, others) = (proof.expose(), other.expose());
        assert!(shown.len() == 32 && shown.bytes().all(|b| b.is_ascii_hexdigit()));
        assert!(shown != others && a.address != b.address);
        assert!(!format!("{proof:?}").contains(&shown));
        let address = a.address.unwrap();
        assert!(address.is_enrolment() && address.0 != 0);
        assert_eq!(a.name.as_deref(), Some(&*format!("w-{}", address.0)));
        let prove = |vhost, who, token| all.prove(vhost, who, token, Time(0)).map(|p| p.address);
        assert_eq!(prove(0, address, Some(&shown)), Ok(a.address));
        assert_eq!(prove(0, address, None), Ok(a.address));
        let longer = format!("{shown}0");
        for wrong in ["", "0", &others, &shown[1..], &longer] {
            assert_eq!(prove(0, address, Some(wrong)), Err(Refusal::BadToken), "{wrong}");
        }
        assert_eq!(prove(1, address, None), Err(Refusal::UnknownPrincipal), "another world");
        assert_eq!(prove(0, PrincipalId(0), None), Err(Refusal::UnknownPrincipal));
    }

    #[test]
    fn who_is_idle_for_too_long_is_forgotten_and_nobody_else() {
        let all = Enrolments::default();
        let (a, _) = enrol(&all, 9, 0).unwrap();
        let who = a.address.unwrap();
        all.prove(0, who, None, Time(59_999)).unwrap();
        all.sweep(Time(119_998));
        assert!(all.stands(&a), "showing the token was a use of it");
        all.attach(&a, session(1), 9).unwrap();
        consistent(&all);
        all.sweep(Time(10_000_000));
        assert!(all.stands(&a), "a session acts for it");
        all.release(who, session(1), Time(10_000_000));
        consistent(&all);
        all.sweep(Time(10_059_999));
        assert!(all.stands(&a));
        let late = all.prove(0, who, None, Time(10_060_000));
        assert_eq!(late.map(|p| p.address), Err(Refusal::UnknownPrincipal), "before anybody has swept");
        assert_eq!((all.stands(&a), all.len()), (false, 0));
        consistent(&all);
    }

    #[test]
    fn bounds_are_met_and_room_is_made_again() {
        let all = Enrolments::default();
        let (a, _) = enrol(&all, 2, 0).unwrap();
        enrol(&all, 2, 0).unwrap();
        assert_eq!(enrol(&all, 2, 59_999).err(), Some(Refusal::TooManyEnrolments { max: 2 }));
        all.attach(&a, session(1), 1).unwrap();
        assert_eq!(all.attach(&a, session(2), 1), Err(Refusal::TooManySessions { max: 1 }));
        enrol(&all, 2, 60_000).expect("the idle one makes room without a sweep");
        assert_eq!(all.retire(a.address.unwrap()), Some(vec![session(1)]));
        assert_eq!(all.retire(a.address.unwrap()), None);
        assert_eq!(all.attach(&a, session(2), 9), Err(Refusal::UnknownPrincipal));
        consistent(&all);
        enrol(&all, 2, 60_000).expect("who retires makes room");
    }

    #[test]
    fn a_sweep_is_bounded() {
        let all = Enrolments::default();
        for _ in 0..=SWEPT {
            enrol(&all, u32::MAX, 0).unwrap();
        }
        all.sweep(Time(60_000));
        assert_eq!(all.len(), 1);
        all.sweep(Time(60_000));
        assert_eq!(all.len(), 0);
        consistent(&all);
    }
}
