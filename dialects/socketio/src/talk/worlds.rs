//! The sockets of a client of the hub: each namespace is a virtual host, in which the client acts for somebody of its own
//! and hears what is said there. `/` is the virtual host of the listener; what is in others is a branch of the session.
//!
//! Knows which client is in which. What events mean is a [`Client`]'s. SPEC [NSP-1] to [NSP-8].

use crate::talk::app::{App, Said};
use crate::talk::engine::Over;
use crate::talk::layer::Line;
use crate::talk::parser::Parser;
use crate::talk::sid::Key;
use crate::talk::socket::Sockets;
use crate::wire::engine::Revision;
use crate::wire::packet::Style;
use dialect::{Event, Request, Turn};
use model::{CloseReason, Refusal, SessionId, Ticket, Time};

/// Stands in a ticket before the number of a wish for a branch.
const BRANCH: u64 = 1 << 57;
/// Stands in the ids of sockets that are not in `/`.
const BRANCHED: u8 = 1;

/// What events mean to a client, in one namespace. Where it says nothing about something, nothing comes of it. What it
/// asks the hub for, it asks for there.
pub trait Client: Send + Sized {
    /// Another of its kind, of whom nothing is known.
    #[must_use]
    fn another(&self) -> Self;

    /// What is to be known of one of its kind that has left another namespace.
    fn remember(&mut self, other: &Self) {
        let _ = other;
    }

    /// The host of the page that it runs on, where that matters.
    fn page(request: &Request<'_>) -> Option<String> {
        let _ = request;
        None
    }

    /// The token that is shown with the request that opens the session.
    fn token(request: &Request<'_>) -> Option<String> {
        request.token().map(std::borrow::Cow::into_owned)
    }

    /// It wants to be connected, and shows this. As [`App::wishes`].
    ///
    /// # Errors
    /// The session ends.
    fn wishes(
        &mut self,
        shown: &Shown<'_>,
        at: &At<'_>,
        sockets: &mut Sockets,
        line: &mut Line<'_>,
        turn: &mut Turn,
    ) -> Result<(), Over>;

    /// It is connected, and says something.
    ///
    /// # Errors
    /// The session ends.
    fn hears(
        &mut self,
        said: &Said<'_>,
        at: &At<'_>,
        sockets: &mut Sockets,
        line: &mut Line<'_>,
        turn: &mut Turn,
    ) -> Result<(), Over>;

    /// The hub tells something.
    ///
    /// # Errors
    /// The session ends.
    fn told(
        &mut self,
        event: Event<'_>,
        at: &At<'_>,
        sockets: &mut Sockets,
        line: &mut Line<'_>,
        turn: &mut Turn,
    ) -> Result<(), Over>;

    /// It is connected, and from now on a WebSocket carries the session.
    fn changed(&mut self, at: &At<'_>, line: &Line<'_>, turn: &mut Turn);

    /// The moment of [`Client::wake_at`] has come, or another's.
    ///
    /// # Errors
    /// The session ends.
    fn tick(
        &mut self,
        at: &At<'_>,
        sockets: &mut Sockets,
        line: &mut Line<'_>,
        turn: &mut Turn,
    ) -> Result<(), Over> {
        let _ = (at, sockets, line, turn);
        Ok(())
    }

    /// When it is to be told the time.
    fn wake_at(&self) -> Option<Time> {
        None
    }

    /// Whether it may come back. As [`App::may_return`].
    fn may_return(&self) -> bool {
        true
    }

    /// It has come back to the page of this host, and shows this again. As [`App::returned`].
    fn returned(&mut self, shown: Option<&str>, page: Option<&str>, turn: &mut Turn);
}

/// What a client shows that wants to be connected.
#[derive(Debug)]
pub struct Shown<'a> {
    /// With its wish: JSON text, an object; in revision 3 the query of the namespace.
    pub wish: Option<&'a str>,
    /// The token that came with the first request, whatever was wished for then.
    pub first: Option<&'a str>,
}

/// Where a client is.
#[derive(Debug)]
pub struct At<'a> {
    /// The namespace.
    pub namespace: &'a str,
    /// How it is spoken to.
    pub parser: Parser,
    /// The host of the page that the client runs on.
    pub page: Option<&'a str>,
    branch: Option<SessionId>,
    key: &'a Key,
}

impl At<'_> {
    /// Whether it is in a virtual host of that name, and not in whichever its listener is for.
    #[must_use]
    pub fn is_branch(&self) -> bool {
        self.branch.is_some()
    }

    /// The id by which others know the client here. In revision 3 it makes that itself, of the session's.
    #[must_use]
    pub fn id(&self, line: &Line<'_>) -> String {
        match (self.branch, line.revision()) {
            (None, revision) => self.key.public(line.session, revision),
            (Some(branch), Revision::Four) => self.key.socket(branch, BRANCHED),
            (Some(_), Revision::Three) => format!("{}#{}", self.namespace, self.key.sid(line.session)),
        }
    }

    /// Whether this session is the client's own, as [`At::client`] gives it.
    #[must_use]
    pub fn is_own(&self, client: SessionId, line: &Line<'_>) -> bool {
        client == line.session || Some(client) == self.branch
    }

    /// The session of the client that has this id here; of another namespace it is no id.
    #[must_use]
    pub fn client(&self, id: &str) -> Option<SessionId> {
        let socket = self.key.of_socket(id);
        if self.namespace == "/" {
            return socket.map(|(session, _)| session).or_else(|| self.key.session(id));
        }
        let socket = socket.filter(|(_, number)| *number == BRANCHED).map(|(session, _)| session);
        let own = || id.strip_prefix(self.namespace)?.strip_prefix('#');
        socket.or_else(|| self.key.session(own()?))
    }
}

/// A client in a namespace that is not `/`.
struct Place<C> {
    namespace: Box<str>,
    branch: SessionId,
    client: C,
}

/// The clients of a session, one for each namespace.
pub struct Worlds<C> {
    key: Key,
    /// The token that came with the first request.
    first: Option<Box<str>>,
    page: Option<Box<str>>,
    /// In `/`.
    root: C,
    /// BOUND: `namespaces`.
    others: Vec<Place<C>>,
    /// What was shown for the namespace whose branch has been asked for.
    shown: Option<Box<str>>,
    /// How many branches have been asked for: only the last is still wanted.
    wishes: u32,
}

impl<C: Client> Worlds<C> {
    /// A client that is connected nowhere.
    #[must_use]
    pub fn new(key: Key, client: C) -> Self {
        Self { key, first: None, page: None, root: client, others: Vec::new(), shown: None, wishes: 0 }
    }

    /// Under which the last branch has been asked for.
    fn wish(&self) -> Ticket {
        Ticket(BRANCH | u64::from(self.wishes))
    }

    fn branch(&self, namespace: &str) -> Option<SessionId> {
        self.others.iter().find(|p| *p.namespace == *namespace).map(|p| p.branch)
    }

    /// Lets the client do something that is there; sees to what comes of it.
    fn with(
        &mut self,
        branch: Option<SessionId>,
        (sockets, line, turn): (&mut Sockets, &mut Line<'_>, &mut Turn),
        act: impl FnOnce(&mut C, &At<'_>, &mut Sockets, &mut Line<'_>, &mut Turn) -> Result<(), Over>,
    ) -> Result<(), Over> {
        let (namespace, client) = match branch {
            None => ("/", &mut self.root),
            Some(branch) => match self.others.iter_mut().find(|p| p.branch == branch) {
                Some(place) => (&*place.namespace, &mut place.client),
                // It has been left.
                None => return Ok(()),
            },
        };
        let (parser, page) = (sockets.parser(), self.page.as_deref());
        let at = At { namespace, parser, page, branch, key: &self.key };
        let was_connected = sockets.is_connected(namespace);
        turn.within(branch, |turn| act(client, &at, sockets, line, turn))?;
        if sockets.is_connected(namespace) || sockets.is_connecting(namespace) {
            return Ok(());
        }
        if was_connected && !sockets.is_anywhere() {
            return Err(Over::Told);
        }
        if was_connected || branch.is_some() {
            self.leave(branch, turn);
        }
        Ok(())
    }

    /// The client is in this namespace no more.
    fn leave(&mut self, branch: Option<SessionId>, turn: &mut Turn) {
        turn.within(branch, Turn::part);
        match branch {
            None => self.root = self.root.another(),
            Some(branch) => {
                let left = self.others.iter().position(|p| p.branch == branch);
                let left = left.map(|place| self.others.swap_remove(place));
                left.iter().for_each(|place| self.root.remember(&place.client));
            }
        }
    }

    /// There is a branch for the namespace that is asked for.
    fn branched(
        &mut self,
        branch: SessionId,
        sockets: &mut Sockets,
        line: &mut Line<'_>,
        turn: &mut Turn,
    ) -> Result<(), Over> {
        let Some(namespace) = sockets.connecting().filter(|n| *n != "/") else {
            // It is not wanted any more.
            turn.within(Some(branch), Turn::part);
            return Ok(());
        };
        let place = Place { namespace: namespace.into(), branch, client: self.root.another() };
        self.others.push(place);
        let (wish, first) = (self.shown.take(), self.first.clone());
        let shown = Shown { wish: wish.as_deref(), first: first.as_deref() };
        self.with(Some(branch), (sockets, line, turn), |client, at, sockets, line, turn| {
            client.wishes(&shown, at, sockets, line, turn)
        })
    }

    /// The client may be in this namespace no more, and is told so. Where it is in no other the session ends.
    fn parted(
        &mut self,
        branch: Option<SessionId>,
        reason: CloseReason,
        sockets: &mut Sockets,
        line: &mut Line<'_>,
        turn: &mut Turn,
    ) -> Result<(), Over> {
        let place = branch.and_then(|branch| self.others.iter().position(|p| p.branch == branch));
        let namespace: Box<str> = match (branch, place) {
            (None, _) => {
                self.root = self.root.another();
                "/".into()
            }
            (Some(_), Some(place)) => self.others.swap_remove(place).namespace,
            (Some(_), None) => return Ok(()),
        };
        sockets.disconnect(&namespace, line, turn)?;
        if !sockets.is_anywhere() {
            turn.close(reason);
        }
        Ok(())
    }

    /// Tells the client what is for it.
    fn pass_on(
        &mut self,
        event: Event<'_>,
        sockets: &mut Sockets,
        line: &mut Line<'_>,
        turn: &mut Turn,
    ) -> Result<(), Over> {
        let branch = turn.branch;
        if branch.is_none() && !sockets.is_connected("/") && !sockets.is_connecting("/") {
            // It has left, and nobody waits for this any more.
            if matches!(event, Event::Authenticated { .. }) {
                turn.part();
            }
            return Ok(());
        }
        self.with(branch, (sockets, line, turn), |client, at, sockets, line, turn| {
            client.told(event, at, sockets, line, turn)
        })
    }

    /// Messages were dropped: of a link, which is all namespaces', or of one of these.
    fn gap(&self, missed: u64, sockets: &Sockets, line: &mut Line<'_>, turn: &mut Turn) -> Result<(), Over> {
        let branch = self.others.iter().find(|p| turn.branch == Some(p.branch)).map(|p| &*p.namespace);
        let all = std::iter::once("/").chain(self.others.iter().map(|p| &*p.namespace));
        let namespace = branch.or_else(|| all.into_iter().find(|n| sockets.is_connected(n)));
        namespace.map_or(Ok(()), |namespace| sockets.tell_gap(namespace, missed, line, turn))
    }

    fn branches(&self) -> impl Iterator<Item = Option<SessionId>> + use<C> {
        let others: Vec<_> = self.others.iter().map(|p| Some(p.branch)).collect();
        std::iter::once(None).chain(others)
    }
}

impl<C: Client> App for Worlds<C> {
    fn opened(&mut self, request: &Request<'_>) {
        self.first = C::token(request).map(Into::into);
        self.page = C::page(request).map(Into::into);
    }

    fn wishes(
        &mut self,
        namespace: &str,
        shown: Option<&str>,
        sockets: &mut Sockets,
        line: &mut Line<'_>,
        turn: &mut Turn,
    ) -> Result<(), Over> {
        if namespace != "/" {
            self.shown = shown.map(Into::into);
            self.wishes = self.wishes.wrapping_add(1);
            turn.branch_into(self.wish(), namespace);
            return Ok(());
        }
        let first = self.first.clone();
        self.with(None, (sockets, line, turn), |client, at, sockets, line, turn| {
            client.wishes(&Shown { wish: shown, first: first.as_deref() }, at, sockets, line, turn)
        })
    }

    fn hears(
        &mut self,
        said: &Said<'_>,
        sockets: &mut Sockets,
        line: &mut Line<'_>,
        turn: &mut Turn,
    ) -> Result<(), Over> {
        let branch = self.branch(said.namespace);
        self.with(branch, (sockets, line, turn), |client, at, sockets, line, turn| {
            client.hears(said, at, sockets, line, turn)
        })
    }

    fn parts(&mut self, namespace: &str, sockets: &Sockets, _: &mut Line<'_>, turn: &mut Turn) {
        if sockets.is_anywhere() {
            self.leave(self.branch(namespace), turn);
        } else {
            // Whoever is connected nowhere is in no room.
            turn.close(CloseReason::Done);
        }
    }

    fn told(
        &mut self,
        event: Event<'_>,
        sockets: &mut Sockets,
        line: &mut Line<'_>,
        turn: &mut Turn,
    ) -> Result<(), Over> {
        match event {
            Event::Branched { ticket, session } if ticket == self.wish() => {
                self.branched(session, sockets, line, turn)
            }
            Event::Branched { session, .. } => {
                // It is not wanted any more.
                turn.within(Some(session), Turn::part);
                Ok(())
            }
            Event::Refused { ticket, refusal } if ticket.0 & BRANCH != 0 => {
                let wanted = sockets.connecting().filter(|_| ticket == self.wish()).map(str::to_owned);
                match wanted {
                    None => Ok(()),
                    Some(namespace) if *refusal == Refusal::UnknownVHost => {
                        sockets.refuse_unknown(&namespace, line, turn)
                    }
                    Some(namespace) => {
                        let style = Style::of(line.revision());
                        sockets.refuse(&namespace, (&refusal.to_string(), None), style, line, turn)
                    }
                }
            }
            Event::Parted { reason } => self.parted(turn.branch, reason, sockets, line, turn),
            Event::Gap { missed } => self.gap(missed, sockets, line, turn),
            Event::Authenticated { .. }
            | Event::Enrolled { .. }
            | Event::Retired { .. }
            | Event::Checked { .. }
            | Event::Joined { .. }
            | Event::Left { .. }
            | Event::Published { .. }
            | Event::Channels { .. }
            | Event::Spawned { .. }
            | Event::Recovered { .. }
            | Event::Refused { .. }
            | Event::Deliver(_)
            | Event::LinkLost(_)
            | Event::NoSuchSession(_)
            | Event::HookOpened { .. }
            | Event::HookClosed { .. } => self.pass_on(event, sockets, line, turn),
        }
    }

    fn changed(&mut self, sockets: &mut Sockets, line: &mut Line<'_>, turn: &mut Turn) {
        for branch in self.branches() {
            // None of these leaves for it.
            let _stays = self.with(branch, (sockets, line, turn), |client, at, sockets, line, turn| {
                if sockets.is_connected(at.namespace) {
                    client.changed(at, line, turn);
                }
                Ok(())
            });
        }
    }

    fn tick(&mut self, sockets: &mut Sockets, line: &mut Line<'_>, turn: &mut Turn) -> Result<(), Over> {
        for branch in self.branches() {
            self.with(branch, (sockets, line, turn), |client, at, sockets, line, turn| {
                client.tick(at, sockets, line, turn)
            })?;
        }
        Ok(())
    }

    fn wake_at(&self) -> Option<Time> {
        let others = self.others.iter().filter_map(|p| p.client.wake_at());
        self.root.wake_at().into_iter().chain(others).min()
    }

    fn may_return(&self) -> bool {
        // What was missed elsewhere is not known.
        self.others.is_empty() && self.root.may_return()
    }

    fn returned(&mut self, shown: Option<&str>, _: &mut Line<'_>, turn: &mut Turn) {
        self.root.returned(shown, self.page.as_deref(), turn);
    }

    fn closing(&mut self, reason: CloseReason, sockets: &mut Sockets, line: &mut Line<'_>, turn: &mut Turn) {
        if reason == CloseReason::Expired && sockets.is_connected("/") {
            // It ends whether or not that can be said.
            let _ends = sockets.disconnect("/", line, turn).is_err();
        }
    }
}
