//! The Messaging profile: clients that show who they are by a token, hear what is meant for them, and speak to all.
//! SPEC [MSG-1] to [MSG-10].

use super::broker::{CONNECT, token};
use crate::map::{self, Profile};
use crate::talk::app::Said;
use crate::talk::engine::Over;
use crate::talk::layer::Line;
use crate::talk::page;
use crate::talk::socket::Sockets;
use crate::talk::worlds::{At, Client, Shown};
use crate::wire::arguments;
use crate::wire::packet::{Head, Kind, Style};
use bytes::Bytes;
use dialect::{Event, Request, Turn, json};
use model::{Principal, Refusal, Ticket, Time, TokenFlaw};
use std::time::Duration;

/// Who has asked by an event to be authenticated.
const AUTHENTICATE: Ticket = Ticket(1 << 60);
/// What nobody waits for.
const SILENT: Ticket = Ticket(1 << 59);
/// The id of the answer that is asked for with `unauthorized`.
const UNAUTHORIZED: u64 = 0;
/// How long a client may leave `unauthorized` unanswered.
const PATIENCE: Duration = Duration::from_secs(5);

/// Tokens that a client may show in vain.
const MISSES: u8 = 3;

/// How long before its token expires a client is told so: its session ends at that moment, and who polls would not hear
/// of it any more.
const WARNING: u64 = 500;

/// What the operator decides.
#[derive(Clone, Copy, Debug)]
pub struct Manners {
    /// How long a client may be nobody.
    pub authenticate_within: Duration,
    /// Whether what a client says with `message` is heard by all.
    pub fan_out: bool,
}

/// A client of Messaging.
#[derive(Debug)]
pub struct Messaging {
    manners: Manners,
    /// The token that came with the first request has been tried.
    has_tried: bool,
    /// Tokens that it has shown in vain, here and elsewhere.
    misses: u8,
    is_known: bool,
    /// When it is sent away.
    until: Option<Time>,
    /// When it is told that its token expires.
    warning: Option<Time>,
}

impl Messaging {
    /// A client of whom nothing is known.
    #[must_use]
    pub fn new(manners: Manners) -> Self {
        Self { manners, has_tried: false, misses: 0, is_known: false, until: None, warning: None }
    }

    /// It is known who it is: from now on it hears what is for it, and what is for all.
    fn welcome(&mut self, principal: &Principal, at: &At<'_>, line: &Line<'_>, turn: &mut Turn) {
        (self.is_known, self.until) = (true, None);
        let left = principal.expires_ms().map(|end| end.saturating_sub(turn.now.wall_ms));
        self.warning = left.map(|left| Time(turn.now.time.0.saturating_add(left.saturating_sub(WARNING))));
        map::listen(Profile::Messaging, at, line, turn);
        for channel in principal.assigned() {
            turn.join(SILENT, channel.as_str(), None);
        }
    }

    fn authenticate(
        &mut self,
        shown: Option<&str>,
        at: &At<'_>,
        sockets: &Sockets,
        line: &mut Line<'_>,
        turn: &mut Turn,
    ) -> Result<(), Over> {
        match token(shown) {
            Some(token) => {
                turn.authenticate_on(AUTHENTICATE, Some(&token), at.page);
                Ok(())
            }
            None => self.unauthorized("invalid token datatype", at, sockets, line, turn),
        }
    }

    /// Says why, and asks for an answer, after which the client is sent away; without one it is after a while.
    fn unauthorized(
        &mut self,
        why: &str,
        at: &At<'_>,
        sockets: &Sockets,
        line: &mut Line<'_>,
        turn: &mut Turn,
    ) -> Result<(), Over> {
        if !self.is_known {
            let patience = turn.now.time + PATIENCE;
            self.until = Some(self.until.map_or(patience, |until| until.min(patience)));
        }
        let mut array = b"[\"unauthorized\",".to_vec();
        complaint(why, &mut array);
        array.push(b']');
        let head = Head::event(at.namespace, Some(UNAUTHORIZED), 0);
        sockets.emit(head, array, &[], line, turn)
    }

    /// A token was refused; whether that was one too many. A server that cannot say is not the client's fault.
    fn misses(&mut self, refusal: &Refusal) -> bool {
        if matches!(refusal, Refusal::InvalidToken(_) | Refusal::BadToken) {
            self.misses = self.misses.saturating_add(1);
        }
        self.misses >= MISSES
    }

    /// Something for all. SPEC [MSG-6].
    fn message(data: &str, attachments: &[Bytes], id: &str, turn: &mut Turn) {
        let mut words = b"{\"from\":".to_vec();
        json::string(id, &mut words);
        words.extend_from_slice(b",\"data\":");
        words.extend_from_slice(data.as_bytes());
        words.push(b'}');
        let mut array = Vec::new();
        arguments::write_event("message", [&*String::from_utf8_lossy(&words)], &mut array);
        let draft = map::draft(&String::from_utf8_lossy(&array), data, attachments);
        if let Some(mut draft) = draft {
            draft.event = Some("message".into());
            turn.broadcast(None, draft);
        }
    }
}

/// The object that tells what is wrong with a token, as the original's library wrote it.
fn complaint(why: &str, out: &mut Vec<u8>) {
    let mut words = Vec::new();
    json::string(why, &mut words);
    for part in [&b"{\"message\":"[..], &words, b",\"inner\":{\"message\":", &words, b"},\"data\":"] {
        out.extend_from_slice(part);
    }
    data(why, out);
    out.push(b'}');
}

fn data(why: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"message\":");
    json::string(why, out);
    out.extend_from_slice(b",\"code\":\"invalid_token\",\"type\":\"UnauthorizedError\"}");
}

/// What is wrong with a token, in the words that clients of the original know.
fn words(refusal: &Refusal) -> String {
    let Refusal::InvalidToken(flaw) = refusal else {
        let known = if *refusal == Refusal::BadToken { "invalid token" } else { return refusal.to_string() };
        return known.to_owned();
    };
    match flaw {
        TokenFlaw::Missing => "jwt must be provided".into(),
        TokenFlaw::TooLong { .. } | TokenFlaw::Malformed => "jwt malformed".into(),
        TokenFlaw::Unsigned => "jwt signature is required".into(),
        TokenFlaw::Unreadable | TokenFlaw::Critical => "invalid token".into(),
        TokenFlaw::Algorithm => "invalid algorithm".into(),
        TokenFlaw::UnknownKey | TokenFlaw::Signature => "invalid signature".into(),
        TokenFlaw::NotBefore => "invalid nbf value".into(),
        TokenFlaw::NotActive => "jwt not active".into(),
        TokenFlaw::Expiry => "invalid exp value".into(),
        TokenFlaw::Expired => "jwt expired".into(),
        TokenFlaw::Audience { expected } => format!("jwt audience invalid. expected: {expected}"),
        TokenFlaw::Issuer { expected } => format!("jwt issuer invalid. expected: {expected}"),
        TokenFlaw::NoExpiry
        | TokenFlaw::LongLived { .. }
        | TokenFlaw::Revoked
        | TokenFlaw::NoClaim { .. }
        | TokenFlaw::BadClaim { .. } => flaw.to_string(),
    }
}

impl Client for Messaging {
    fn another(&self) -> Self {
        // Who guesses tokens does not guess more for being in several namespaces.
        Self { misses: self.misses, ..Self::new(self.manners) }
    }

    fn remember(&mut self, other: &Self) {
        self.misses = self.misses.max(other.misses);
    }

    fn page(request: &Request<'_>) -> Option<String> {
        page::host(request)
    }

    fn token(request: &Request<'_>) -> Option<String> {
        let cookie = || {
            let cookies = request.header("cookie")?.split(';');
            cookies.filter_map(|c| c.trim().split_once('=')).find(|(name, _)| *name == "token")
        };
        let token = request.token().map(std::borrow::Cow::into_owned);
        token.or_else(|| cookie().map(|(_, token)| token.to_owned()))
    }

    fn wishes(
        &mut self,
        shown: &Shown<'_>,
        at: &At<'_>,
        sockets: &mut Sockets,
        line: &mut Line<'_>,
        turn: &mut Turn,
    ) -> Result<(), Over> {
        let first =
            || shown.first.filter(|_| !std::mem::replace(&mut self.has_tried, true)).map(str::to_owned);
        if let Some(credential) = token(shown.wish).or_else(first) {
            turn.authenticate_on(CONNECT, Some(&credential), at.page);
            return Ok(());
        }
        self.until = Some(turn.now.time + self.manners.authenticate_within);
        sockets.connect(at.namespace, &at.id(line), line, turn)
    }

    fn hears(
        &mut self,
        said: &Said<'_>,
        at: &At<'_>,
        sockets: &mut Sockets,
        line: &mut Line<'_>,
        turn: &mut Turn,
    ) -> Result<(), Over> {
        if matches!(said.kind, Kind::Ack | Kind::BinaryAck) {
            let is_awaited = said.ack == Some(UNAUTHORIZED) && !self.is_known;
            return if is_awaited { sockets.disconnect(at.namespace, line, turn) } else { Ok(()) };
        }
        let Some(mut event) = said.event() else { return Ok(()) };
        let argument = event.arguments.next();
        match &*event.name {
            "authenticate" => self.authenticate(argument, at, sockets, line, turn),
            "message" if self.is_known && self.manners.fan_out => {
                Self::message(argument.unwrap_or("null"), said.attachments, &at.id(line), turn);
                Ok(())
            }
            // As it has always been, nothing else is heard.
            _ => Ok(()),
        }
    }

    fn told(
        &mut self,
        event: Event<'_>,
        at: &At<'_>,
        sockets: &mut Sockets,
        line: &mut Line<'_>,
        turn: &mut Turn,
    ) -> Result<(), Over> {
        match event {
            Event::Authenticated { ticket: CONNECT, principal } => {
                self.welcome(principal, at, line, turn);
                sockets.connect(at.namespace, &at.id(line), line, turn)
            }
            Event::Authenticated { principal, .. } => {
                self.welcome(principal, at, line, turn);
                sockets.emit(Head::event(at.namespace, None, 0), "[\"authenticated\"]", &[], line, turn)
            }
            Event::Refused { ticket: CONNECT, refusal } => {
                let (why, mut object) = (words(refusal), Vec::new());
                data(&why, &mut object);
                let object = String::from_utf8_lossy(&object);
                sockets.refuse(
                    at.namespace,
                    (&why, Some(&object)),
                    Style::of(line.revision()),
                    line,
                    turn,
                )?;
                if self.misses(refusal) { Err(Over::Told) } else { Ok(()) }
            }
            Event::Refused { ticket: AUTHENTICATE, refusal } => {
                self.unauthorized(&words(refusal), at, sockets, line, turn)?;
                if self.misses(refusal) {
                    sockets.disconnect(at.namespace, line, turn)?;
                    return Err(Over::Told);
                }
                Ok(())
            }
            Event::Deliver(delivery) => map::deliver(&delivery.message, Profile::Messaging, at, line, turn),
            // Told for all namespaces.
            Event::Gap { .. }
            | Event::Branched { .. }
            | Event::Parted { .. }
            | Event::Refused { .. }
            | Event::Joined { .. }
            | Event::Left { .. }
            | Event::Published { .. }
            | Event::Channels { .. }
            | Event::Checked { .. }
            | Event::Enrolled { .. }
            | Event::Retired { .. }
            | Event::Spawned { .. }
            | Event::Recovered { .. }
            | Event::LinkLost(_)
            | Event::NoSuchSession(_)
            | Event::HookOpened { .. }
            | Event::HookClosed { .. } => Ok(()),
        }
    }

    fn may_return(&self) -> bool {
        self.is_known
    }

    fn returned(&mut self, shown: Option<&str>, page: Option<&str>, turn: &mut Turn) {
        if let Some(token) = token(shown) {
            turn.authenticate_on(CONNECT, Some(&token), page);
        }
    }

    fn changed(&mut self, at: &At<'_>, line: &Line<'_>, turn: &mut Turn) {
        if self.is_known {
            map::listen(Profile::Messaging, at, line, turn);
        }
    }

    fn tick(
        &mut self,
        at: &At<'_>,
        sockets: &mut Sockets,
        line: &mut Line<'_>,
        turn: &mut Turn,
    ) -> Result<(), Over> {
        let now = turn.now.time;
        if self.warning.is_some_and(|at| at <= now) {
            self.warning = None;
            self.unauthorized("jwt expired", at, sockets, line, turn)?;
        }
        if self.until.is_some_and(|until| until <= now) {
            self.until = None;
            return sockets.disconnect(at.namespace, line, turn);
        }
        Ok(())
    }

    fn wake_at(&self) -> Option<Time> {
        self.until.into_iter().chain(self.warning).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_said_as_the_original_said_it() {
        let mut out = Vec::new();
        complaint("jwt expired", &mut out);
        let expected = r#"{"message":"jwt expired","inner":{"message":"jwt expired"},"data":{"message":"jwt expired","code":"invalid_token","type":"UnauthorizedError"}}"#;
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}
