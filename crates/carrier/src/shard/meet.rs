//! Strangers at the door: where they come from, whom proxies announce, and what they may cost until they have shown for
//! whom they act.
//!
//! Counts and limits; whether somebody may do something once he is known is the desk's.

use super::{Shard, Speak};
use crate::http1::{self, Refused};
use crate::net::{Net, Stream};
use crate::proxy;
use crate::strangers::{Budget, Stranger};
use dialect::Request;
use model::CloseReason;
use node::VHost;
use std::io::Write;
use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// What somebody is told whose address has too many connections already.
const TOO_MANY: &str = "this address has as many connections without authentication as it may \
                        (limits.unauthenticated_per_address)";

/// There are as many strangers of an address as there may be.
pub(super) struct TooMany;

impl<N: Net> Shard<N> {
    /// Counts a stranger in, where strangers are counted. This machine's own addresses are not, nor those of proxies.
    ///
    /// # Errors
    /// There are as many of that address as there may be.
    pub(super) fn meet(&self, address: IpAddr) -> Result<Option<Stranger>, TooMany> {
        let Some(max) = self.limits.unauthenticated_per_address else { return Ok(None) };
        if address.to_canonical().is_loopback() || self.is_proxy(address) {
            return Ok(None);
        }
        self.wiring.strangers.enter(address, max).map(Some).ok_or(TooMany)
    }

    pub(super) fn is_proxy(&self, address: IpAddr) -> bool {
        self.wiring.proxies.iter().any(|n| n.contains(address))
    }

    /// Ends a connection that is one too many of its address. Who speaks plain HTTP is told why, if he listens.
    pub(super) fn turn_away(&mut self, mut stream: N::Stream, speak: &Speak, peer: IpAddr) {
        self.desk.counters.rejected += 1;
        tracing::debug!(address = %peer, "too many connections of one address without authentication");
        if matches!(speak, Speak::Http) && !stream.is_opening() {
            let mut out = Vec::new();
            let date = std::iter::once(self.date.line(self.now));
            http1::response::problem(&mut out, 429, TOO_MANY, date, true);
            // Nothing has been written yet, so there is room; and nobody waits for whether it was heard.
            let _unheard = stream.write(&out);
            stream.finish();
        }
        self.exchange.connections.fetch_sub(1, Ordering::Relaxed);
        self.doors.departed(self.desk.shard);
    }

    /// The first bytes have come on a link: a proxy may have said for whom.
    pub(super) fn hear_announcement(&mut self, slot: u32) {
        let announced = self.out.hot[slot as usize].stream.as_ref().and_then(Stream::announced);
        let Some(address) = announced else { return };
        let stranger = self.meet(address);
        let Some(link) = self.links.get_mut(slot as usize) else { return };
        link.peer = address;
        match stranger {
            Ok(stranger) => link.set_stranger(stranger),
            Err(TooMany) => {
                self.desk.counters.refuse_request(429);
                self.refuse_link(slot, Refused { status: 429, detail: TOO_MANY });
            }
        }
    }

    /// A proxy that is believed asks for somebody: from now on the link is that somebody's.
    ///
    /// # Errors
    /// What he is told whose address has too many connections already.
    pub(super) fn hear_forwarded(&mut self, slot: u32, request: &Request<'_>) -> Result<(), Refused> {
        let Some(link) = self.links.get(slot as usize) else { return Ok(()) };
        if !self.is_proxy(link.peer) {
            return Ok(());
        }
        let lines = request.headers.iter().filter(|h| h.name.eq_ignore_ascii_case("x-forwarded-for"));
        let behind = proxy::forwarded(lines.map(|h| h.value), &self.wiring.proxies);
        let stranger = match behind {
            Some(address) => self.meet(address),
            None => Ok(None),
        };
        let refused = stranger.is_err();
        if let Some(link) = self.links.get_mut(slot as usize) {
            link.extras().behind = behind;
            link.set_stranger(stranger.ok().flatten());
        }
        if refused { Err(Refused { status: 429, detail: TOO_MANY }) } else { Ok(()) }
    }

    /// The peer of this session is no stranger any more.
    pub(super) fn make_known(&mut self, slot: u32) {
        let Some(session) = self.sessions.get(slot as usize) else { return };
        for link in session.links() {
            if let Some(link) = self.links.get_mut(link as usize) {
                link.set_stranger(None);
            }
        }
    }

    /// Where nobody may act without having shown for whom, a session that lasts has little time and few words to do so.
    pub(super) fn limit_stranger(&mut self, link: u32) {
        let Some(link) = self.links.get(link as usize) else { return };
        let Some(session) = self.sessions.get_mut(link.session as usize) else { return };
        let (slot, id) = (link.session, session.id(self.desk.shard, link.session));
        if session.principal.is_some() || session.budget().is_some() {
            return;
        }
        let vhost = Arc::clone(&session.vhost);
        if self.acts_somewhere(slot) || !self.is_refused(None, &vhost) {
            return;
        }
        let until = self.now.time + self.limits.auth_timeout;
        if let Some(session) = self.sessions.get_mut(slot as usize) {
            session.more().budget = Some(Budget::new(until));
        }
        self.wake_session(id, until);
    }

    /// Charges what a peer says to the budget of a stranger. `false`: there is none left, and the session has ended.
    pub(super) fn may_say(&mut self, slot: u32, bytes: usize) -> bool {
        let Some(session) = self.sessions.get_mut(slot as usize) else { return true };
        let within = session.budget().is_none_or(|budget| budget.spend(bytes));
        if !within {
            self.end_session(slot, CloseReason::Unauthorized, None);
        }
        within
    }

    /// Whether somebody may send a body that does not come with its head: not before he has shown for whom he acts,
    /// where nobody may act without; but for a short one, where its dialect is told in it who asks.
    pub(super) fn may_send_body(&self, slot: u32, decoder: &http1::Decoder) -> bool {
        let Some(link) = self.links.get(slot as usize) else { return true };
        let Some(plan) = self.wiring.ports.get(usize::from(link.port)) else { return true };
        let refused = |request: &Request<'_>| {
            self.is_refused(request.token().as_deref(), &plan.vhost) && !self.is_read_of_strangers(request)
        };
        !decoder.look(&self.limits, refused).unwrap_or(false)
    }

    /// Whether the body is as short as its dialect reads them of strangers. One of chunks may become any length.
    fn is_read_of_strangers(&self, request: &Request<'_>) -> bool {
        let length = request.header("content-length").and_then(|text| text.parse().ok());
        let most =
            || self.wiring.dialects.iter().find(|d| d.claims(request)).map_or(0, |d| d.reads_of_strangers());
        let most = catch_unwind(AssertUnwindSafe(most)).unwrap_or(0);
        length.is_some_and(|length: usize| length <= most)
    }

    /// Whether it is known at once that this credential is not admitted. Who decides that is somebody else's code.
    fn is_refused(&self, credential: Option<&str>, vhost: &VHost) -> bool {
        let asked = || self.exchange.recognises(credential, &vhost.name, self.now);
        catch_unwind(AssertUnwindSafe(asked)).ok().flatten() == Some(false)
    }
}
