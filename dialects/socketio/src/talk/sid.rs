//! The ids of sessions: where a session lives, and a seal that nobody can make. Keeps nothing.

use crate::wire::engine::Revision;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use hmac_sha256::HMAC;
use model::SessionId;
use subtle::ConstantTimeEq;

/// Bytes that say which session it is.
const PLACE: usize = 10;
/// Bytes of the seal of a session's id: nobody guesses 112 bits.
const SEAL: usize = 14;
/// Bytes of the seal of a socket's id. It opens nothing; it tells ids from the names of rooms.
const MARK: usize = 4;

/// What ids are sealed with, drawn for this run of the server.
#[derive(Clone)]
pub struct Key([u8; 32]);

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key(…)")
    }
}

impl Key {
    /// A key that nobody else knows.
    #[must_use]
    pub fn new(key: [u8; 32]) -> Self {
        Self(key)
    }

    fn seal<const N: usize>(&self, what: &[u8], place: &[u8]) -> [u8; N] {
        let mut mac = HMAC::new(self.0);
        mac.update(what);
        mac.update(place);
        let mut seal = [0; N];
        seal.iter_mut().zip(mac.finalize()).for_each(|(to, from)| *to = from);
        seal
    }

    /// The id by which the session's polls and its upgrade find it. A secret between it and its client.
    #[must_use]
    pub fn sid(&self, session: SessionId) -> String {
        let place = place(session);
        let seal: [u8; SEAL] = self.seal(b"engine", &place);
        BASE64_URL_SAFE_NO_PAD.encode([&place[..], &seal].concat())
    }

    /// The session that this id is of; `None`: it is no id of this run.
    #[must_use]
    pub fn session(&self, sid: &str) -> Option<SessionId> {
        let (session, seal): (_, [u8; SEAL]) = parts(sid)?;
        bool::from(self.seal::<SEAL>(b"engine", &place(session)).ct_eq(&seal)).then_some(session)
    }

    /// By which the client of a session finds it again when it has lost its links. As secret as the session's id.
    #[must_use]
    pub fn pid(&self, session: SessionId) -> String {
        let place = place(session);
        let seal: [u8; SEAL] = self.seal(b"return", &place);
        BASE64_URL_SAFE_NO_PAD.encode([&place[..], &seal].concat())
    }

    /// The session that a client comes back to; `None`: it is no such id of this run.
    #[must_use]
    pub fn of_pid(&self, pid: &str) -> Option<SessionId> {
        let (session, seal): (_, [u8; SEAL]) = parts(pid)?;
        bool::from(self.seal::<SEAL>(b"return", &place(session)).ct_eq(&seal)).then_some(session)
    }

    /// The id by which others know the session in the namespace of this number.
    #[must_use]
    pub fn socket(&self, session: SessionId, namespace: u8) -> String {
        let place = place(session);
        let mark: [u8; MARK] = self.seal(&[b's', namespace], &place);
        BASE64_URL_SAFE_NO_PAD.encode([&place[..], &[namespace], &mark].concat())
    }

    /// The id by which others know the client of a session in `/`: clients of revision 3 take the session's for it.
    #[must_use]
    pub fn public(&self, session: SessionId, revision: Revision) -> String {
        match revision {
            Revision::Three => self.sid(session),
            Revision::Four => self.socket(session, 0),
        }
    }

    /// The session and the number of the namespace that such an id is of.
    #[must_use]
    pub fn of_socket(&self, id: &str) -> Option<(SessionId, u8)> {
        let (session, [namespace, mark @ ..]): (_, [u8; MARK + 1]) = parts(id)?;
        let own: [u8; MARK] = self.seal(&[b's', namespace], &place(session));
        (own == mark).then_some((session, namespace))
    }
}

fn place(session: SessionId) -> [u8; PLACE] {
    let mut place = [0; PLACE];
    let SessionId { shard, slot, generation } = session;
    let bytes = shard.to_be_bytes().into_iter().chain(slot.to_be_bytes()).chain(generation.to_be_bytes());
    place.iter_mut().zip(bytes).for_each(|(to, from)| *to = from);
    place
}

/// The session that an id names, unproved, and the rest of it.
fn parts<const N: usize>(id: &str) -> Option<(SessionId, [u8; N])> {
    // BOUND: no id is longer.
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(Some(id).filter(|id| id.len() <= 64)?).ok()?;
    let (shard, rest) = bytes.split_first_chunk()?;
    let (slot, rest) = rest.split_first_chunk()?;
    let (generation, rest) = rest.split_first_chunk()?;
    let session = SessionId {
        shard: u16::from_be_bytes(*shard),
        slot: u32::from_be_bytes(*slot),
        generation: u32::from_be_bytes(*generation),
    };
    Some((session, rest.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SESSION: SessionId = SessionId { shard: 3, slot: 70_000, generation: 4_000_000_000 };

    #[test]
    fn ids_are_read_by_who_wrote_them() {
        let (key, other) = (Key::new([7; 32]), Key::new([8; 32]));
        let sid = key.sid(SESSION);
        assert_eq!((sid.len(), key.session(&sid), other.session(&sid)), (32, Some(SESSION), None));
        let socket = key.socket(SESSION, 0);
        assert_eq!((socket.len(), key.of_socket(&socket)), (20, Some((SESSION, 0))));
        assert_eq!((other.of_socket(&socket), key.session(&socket), key.of_socket(&sid)), (None, None, None));
        assert_ne!(key.socket(SESSION, 1), socket);
        assert!(!sid.contains(&socket[14..]), "who knows one id does not know the other");
    }

    #[test]
    fn what_is_no_id() {
        let key = Key::new([7; 32]);
        let sid = key.sid(SESSION);
        for at in 0..sid.len() {
            let mut changed = sid.clone().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            assert_eq!(key.session(std::str::from_utf8(&changed).unwrap()), None, "{at}");
        }
        for wrong in ["", "a", "é", &sid[1..], &sid[..31], &format!("{sid}A"), &"A".repeat(100)] {
            assert_eq!(key.session(wrong), None, "{wrong}");
        }
        assert!(!format!("{key:?}").contains('7'));
    }
}
