//! Principals that the node itself makes for peers that ask: their addresses, what proves them, and which sessions
//! act for them.
//!
//! Knows ids, tokens and the time. Does not know why anybody enrols, what its sessions do, or how they are reached.
//! LOCK: the register is locked under no other lock, and nothing is locked under it; so no model under loom needs it.

use foldhash::fast::RandomState;
use hashbrown::HashTable;
use model::{Principal, PrincipalId, Refusal, Role, SessionId, Time};
use ring::rand::{SecureRandom, SystemRandom};
use slab::Slab;
use std::collections::BTreeSet;
use std::fmt;
use std::hash::BuildHasher;
use std::num::NonZeroU32;
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
    pub(crate) role: Arc<Role>,
    pub(crate) idle: Duration,
}

/// There may be very many, and nearly all have one session: so that it takes little.
struct Enrolment {
    principal: Arc<Principal>,
    proof: Proof,
    /// The only virtual host it is good for.
    vhost: u16,
    /// Milliseconds until it is forgotten while no session acts for it.
    idle: u32,
    /// BOUND: `sessions_per_enrolment`.
    sessions: Acting,
    /// When it is forgotten. Means nothing while a session acts for it.
    due: Time,
}

/// The sessions that act for a principal. In no order that is promised.
#[derive(Default)]
#[expect(clippy::box_collection, reason = "several are rare, and a thin pointer keeps the rest small")]
enum Acting {
    #[default]
    Nobody,
    One(SessionId),
    Several(Box<Vec<SessionId>>),
}

impl Acting {
    fn as_slice(&self) -> &[SessionId] {
        match self {
            Self::Nobody => &[],
            Self::One(session) => std::slice::from_ref(session),
            Self::Several(sessions) => sessions,
        }
    }

    fn push(&mut self, session: SessionId) {
        match self {
            Self::Nobody => *self = Self::One(session),
            Self::One(first) => *self = Self::Several(Box::new(vec![*first, session])),
            Self::Several(sessions) => sessions.push(session),
        }
    }

    fn remove(&mut self, session: SessionId) {
        match self {
            Self::One(only) if *only == session => *self = Self::Nobody,
            Self::Nobody | Self::One(_) => {}
            Self::Several(sessions) => {
                sessions.retain(|s| *s != session);
                if let &[last] = sessions.as_slice() {
                    *self = Self::One(last);
                }
            }
        }
    }
}

impl Enrolment {
    /// When it is forgotten; `None` while a session acts for it.
    fn due(&self) -> Option<Time> {
        matches!(self.sessions, Acting::Nobody).then_some(self.due)
    }
}

/// All enrolments of a node.
#[derive(Default)]
pub(crate) struct Enrolments(Mutex<Register>);

#[derive(Default)]
struct Register {
    /// BOUND: `enrolments`.
    known: Slab<Enrolment>,
    /// Where each of them stands there, by its address.
    places: HashTable<u32>,
    hasher: RandomState,
    /// Those that no session acts for, by when they are forgotten.
    idle: BTreeSet<(Time, PrincipalId)>,
}

impl Enrolments {
    fn lock(&self) -> MutexGuard<'_, Register> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a principal that no session acts for yet, and what proves it.
    pub(crate) fn enrol(&self, wish: Wish, max: u32, now: Time) -> Result<(Arc<Principal>, Proof), Refusal> {
        let Wish { vhost, role, idle } = wish;
        let token = random()?;
        let mut register = self.lock();
        if register.known.len() >= max as usize {
            register.forget_idle(now);
        }
        if register.known.len() >= max as usize {
            return Err(Refusal::TooManyEnrolments { max });
        }
        let address = register.draw()?;
        let principal = Arc::new(Principal { role, address: Some(address) });
        let idle = u32::try_from(idle.as_millis()).unwrap_or(u32::MAX);
        let due = Time(now.0 + u64::from(idle));
        let known = Arc::clone(&principal);
        let enrolment =
            Enrolment { principal: known, proof: Proof(token), vhost, idle, sessions: Acting::Nobody, due };
        register.insert(address, enrolment);
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
        if register.get(who).and_then(Enrolment::due).is_some_and(|due| due <= now) {
            register.forget(who);
        }
        let known = register.get(who).filter(|e| e.vhost == vhost);
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
        let mut register = self.lock();
        let who = principal.address.ok_or(Refusal::UnknownPrincipal)?;
        let enrolment = register.get_mut(who).filter(|e| Arc::ptr_eq(&e.principal, principal));
        let enrolment = enrolment.ok_or(Refusal::UnknownPrincipal)?;
        if enrolment.sessions.as_slice().len() >= max as usize {
            return Err(Refusal::TooManySessions { max });
        }
        let was_due = enrolment.due();
        enrolment.sessions.push(session);
        if let Some(due) = was_due {
            register.idle.remove(&(due, who));
        }
        Ok(())
    }

    /// Counts a session out. After the last the principal is idle.
    pub(crate) fn release(&self, who: PrincipalId, session: SessionId, now: Time) {
        let mut register = self.lock();
        let Some(enrolment) = register.get_mut(who) else { return };
        enrolment.sessions.remove(session);
        register.used(who, now);
    }

    /// Forgets the principal. Says which sessions acted for it; `None`: it was not known.
    pub(crate) fn retire(&self, who: PrincipalId) -> Option<Vec<SessionId>> {
        self.lock().forget(who).map(|e| e.sessions.as_slice().to_vec())
    }

    /// The sessions that act for the principal.
    pub(crate) fn sessions(&self, who: PrincipalId) -> Vec<SessionId> {
        self.lock().get(who).map(|e| e.sessions.as_slice().to_vec()).unwrap_or_default()
    }

    /// Whether this principal is enrolled.
    pub(crate) fn stands(&self, principal: &Arc<Principal>) -> bool {
        let register = self.lock();
        let known = principal.address.and_then(|who| register.get(who));
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
            let drawn = NonZeroU32::new(u32::from_ne_bytes(random()?)).map(PrincipalId::from);
            if let Some(address) = drawn.filter(|address| self.get(*address).is_none()) {
                return Ok(address);
            }
        }
        Err(Refusal::Busy)
    }

    fn hash(&self, who: PrincipalId) -> u64 {
        self.hasher.hash_one(who)
    }

    /// Where it stands among the known.
    fn place(&self, who: PrincipalId) -> Option<usize> {
        let is_it =
            |place: &u32| self.known.get(*place as usize).is_some_and(|e| e.principal.address == Some(who));
        self.places.find(self.hash(who), is_it).map(|place| *place as usize)
    }

    fn get(&self, who: PrincipalId) -> Option<&Enrolment> {
        self.known.get(self.place(who)?)
    }

    fn get_mut(&mut self, who: PrincipalId) -> Option<&mut Enrolment> {
        let place = self.place(who)?;
        self.known.get_mut(place)
    }

    /// Adds one that no session acts for yet, and whose address nobody has.
    fn insert(&mut self, who: PrincipalId, enrolment: Enrolment) {
        self.idle.insert((enrolment.due, who));
        let hash = self.hash(who);
        let Self { known, places, hasher, .. } = self;
        let place = known.insert(enrolment);
        // BOUND: `enrolments` is a `u32`, and they take the lowest places.
        let place = u32::try_from(place).unwrap_or(u32::MAX);
        places.insert_unique(hash, place, |place| rehash(known, hasher, *place));
    }

    /// Somebody has used the principal: while no session acts for it, the time it is kept begins anew.
    fn used(&mut self, who: PrincipalId, now: Time) {
        let Some(enrolment) = self.get_mut(who).filter(|e| e.due().is_some()) else { return };
        let due = Time(now.0 + u64::from(enrolment.idle));
        let before = std::mem::replace(&mut enrolment.due, due);
        // It was not among the idle as long as a session acted for it.
        self.idle.remove(&(before, who));
        self.idle.insert((due, who));
    }

    fn forget(&mut self, who: PrincipalId) -> Option<Enrolment> {
        let place = self.place(who)?;
        let hash = self.hash(who);
        if let Ok(entry) = self.places.find_entry(hash, |p| *p as usize == place) {
            entry.remove();
        }
        let gone = self.known.try_remove(place)?;
        if let Some(due) = gone.due() {
            self.idle.remove(&(due, who));
        }
        Some(gone)
    }

    fn forget_idle(&mut self, now: Time) {
        for _ in 0..SWEPT {
            let Some(&(_, who)) = self.idle.first().filter(|(due, _)| *due <= now) else { break };
            self.forget(who);
        }
        // A flood's memory is given back.
        if self.known.capacity() > 1024 && self.known.len() * 8 < self.known.capacity() {
            self.shrink();
        }
    }

    /// Those that are left move together.
    fn shrink(&mut self) {
        let Self { known, places, hasher, .. } = self;
        known.compact(|_, _, _| true);
        places.clear();
        for (place, enrolment) in known.iter() {
            let (Ok(place), Some(who)) = (u32::try_from(place), enrolment.principal.address) else {
                continue;
            };
            places.insert_unique(hasher.hash_one(who), place, |place| rehash(known, hasher, *place));
        }
        places.shrink_to_fit(|place| rehash(known, hasher, *place));
    }
}

fn rehash(known: &Slab<Enrolment>, hasher: &RandomState, place: u32) -> u64 {
    known.get(place as usize).and_then(|e| e.principal.address).map_or(0, |who| hasher.hash_one(who))
}

/// Bytes that nobody can foresee, from the system. Where it has none, nobody can be enrolled.
fn random<const N: usize>() -> Result<[u8; N], Refusal> {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).map_err(|_| Refusal::Busy)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn enrol(all: &Enrolments, max: u32, now: u64) -> Result<(Arc<Principal>, Proof), Refusal> {
        let wish = Wish { vhost: 0, role: Principal::named("w-", Vec::new()).role, idle: MINUTE };
        all.enrol(wish, max, Time(now))
    }

    fn session(slot: u32) -> SessionId {
        SessionId { shard: 0, slot, generation: 1 }
    }

    fn consistent(all: &Enrolments) {
        let register = all.lock();
        let idle: BTreeSet<_> =
            register.known.iter().filter_map(|(_, e)| Some((e.due()?, e.principal.address?))).collect();
        assert_eq!(idle, register.idle);
        assert_eq!(register.places.len(), register.known.len());
        for (place, e) in &register.known {
            assert_eq!(register.place(e.principal.address.unwrap()), Some(place));
        }
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
        assert!(address.is_enrolment());
        assert_eq!(a.name().unwrap().to_string(), format!("w-{address}"));
        let prove = |vhost, who, token| all.prove(vhost, who, token, Time(0)).map(|p| p.address);
        assert_eq!(prove(0, address, Some(&shown)), Ok(a.address));
        assert_eq!(prove(0, address, None), Ok(a.address));
        let longer = format!("{shown}0");
        for wrong in ["", "0", &others, &shown[1..], &longer] {
            assert_eq!(prove(0, address, Some(wrong)), Err(Refusal::BadToken), "{wrong}");
        }
        assert_eq!(prove(1, address, None), Err(Refusal::UnknownPrincipal), "another world");
        assert_eq!(prove(0, PrincipalId::new(u64::MAX).unwrap(), None), Err(Refusal::UnknownPrincipal));
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
        consistent(&all);
        all.sweep(Time(60_000));
        assert_eq!(all.len(), 0);
        consistent(&all);
        let register = all.lock();
        assert!(
            register.known.capacity() < 16 && register.places.capacity() < 16,
            "a flood's memory is given back"
        );
    }

    /// There may be a million of them.
    #[test]
    fn an_enrolment_is_small() {
        assert!(size_of::<Enrolment>() <= 56, "{}", size_of::<Enrolment>());
        assert!(size_of::<Option<Enrolment>>() == size_of::<Enrolment>());
        assert!(size_of::<Principal>() <= 16, "{}", size_of::<Principal>());
    }
}
