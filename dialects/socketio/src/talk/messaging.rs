//! The Messaging profile: clients that show who they are by a token, hear what is meant for them, and speak to all.
//! SPEC [MSG-1] to [MSG-10].

use super::broker::{CONNECT, token};
use crate::map::{self, Profile};
use crate::talk::engine::Over;
use crate::talk::page;
use crate::talk::peer::Line;
use crate::talk::sid::Key;
use crate::talk::socket::{App, Said, Sockets};
use crate::wire::arguments;
use crate::wire::packet::{Head, Kind, Style};
use bytes::Bytes;
use dialect::{Event, Request, Turn, json};
use model::{CloseReason, Principal, Refusal, Ticket, Time, TokenFlaw};
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
pub struct Messaging {
    key: Key,
    manners: Manners,
    /// The token that came with the first request.
    token: Option<Box<str>>,
    /// The host of the page that it runs on.
    page: Option<Box<str>>,
    /// Tokens that it has shown in vain.
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
    pub fn new(key: Key, manners: Manners) -> Self {
        Self { key, manners, token: None, page: None, misses: 0, is_known: false, until: None, warning: None }
    }

    fn id(&self, line: &Line<'_>) -> String {
        self.key.public(line.session, line.revision())
    }

    /// It is known who it is: from now on it hears what is for it, and what is for all.
    fn welcome(&mut self, principal: &Principal, sockets: &Sockets, line: &Line<'_>, turn: &mut Turn) {
        (self.is_known, self.until) = (true, None);
        let left = principal.expires_ms().map(|end| end.saturating_sub(turn.now.wall_ms));
        self.warning = left.map(|left| Time(turn.now.time.0.saturating_add(left.saturating_sub(WARNING))));
        map::listen(Profile::Messaging, sockets.parser(), line, turn);
        for channel in principal.assigned() {
            turn.join(SILENT, channel.as_str(), None);
        }
    }

    /// Sends the client away, as the original did.
    fn send_away(sockets: &Sockets, line: &mut Line<'_>, turn: &mut Turn) -> Result<(), Over> {
        sockets.emit(Head::disconnect("/"), "", &[], line, turn)?;
        Err(Over::Told)
    }

    fn authenticate(
        &mut self,
        shown: Option<&str>,
        sockets: &Sockets,
        line: &mut Line<'_>,
        turn: &mut Turn,
    ) -> Result<(), Over> {
        match token(shown) {
            Some(token) => {
                turn.authenticate_on(AUTHENTICATE, Some(&token), self.page.as_deref());
                Ok(())
            }
            None => self.unauthorized("invalid token datatype", sockets, line, turn),
        }
    }

    /// Says why, and asks for an answer, after which the client is sent away; without one it is after a while.
    fn unauthorized(
        &mut self,
        why: &str,
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
        let head = Head::event("/", Some(UNAUTHORIZED), 0);
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
    fn message(&self, data: &str, attachments: &[Bytes], line: &Line<'_>, turn: &mut Turn) {
        let mut words = b"{\"from\":".to_vec();
        json::string(&self.id(line), &mut words);
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

impl App for Messaging {
    fn opened(&mut self, request: &Request<'_>) {
        let cookie = || {
            let cookies = request.header("cookie")?.split(';');
            cookies.filter_map(|c| c.trim().split_once('=')).find(|(name, _)| *name == "token")
        };
        self.page = page::host(request).map(Into::into);
        let token = request.token().map(std::borrow::Cow::into_owned);
        self.token = token.or_else(|| cookie().map(|(_, token)| token.to_owned())).map(Into::into);
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
            return sockets.refuse_unknown(line, turn);
        }
        if let Some(credential) = token(shown).or_else(|| self.token.take().map(String::from)) {
            turn.authenticate_on(CONNECT, Some(&credential), self.page.as_deref());
            return Ok(());
        }
        self.until = Some(turn.now.time + self.manners.authenticate_within);
        sockets.connect(&self.id(line), line, turn)
    }

    fn hears(
        &mut self,
        said: &Said<'_>,
        sockets: &mut Sockets,
        line: &mut Line<'_>,
        turn: &mut Turn,
    ) -> Result<(), Over> {
        if matches!(said.kind, Kind::Ack | Kind::BinaryAck) {
            let is_awaited = said.ack == Some(UNAUTHORIZED) && !self.is_known;
            return if is_awaited { Self::send_away(sockets, line, turn) } else { Ok(()) };
        }
        let Some(mut event) = said.event() else { return Ok(()) };
        let argument = event.arguments.next();
        match &*event.name {
            "authenticate" => self.authenticate(argument, sockets, line, turn),
            "message" if self.is_known && self.manners.fan_out => {
                self.message(argument.unwrap_or("null"), said.attachments, line, turn);
                Ok(())
            }
            // As it has always been, nothing else is heard.
            _ => Ok(()),
        }
    }

    fn parts(&mut self, _: &str, _: &mut Line<'_>, turn: &mut Turn) {
        turn.close(CloseReason::Done);
    }

    fn told(
        &mut self,
        event: Event<'_>,
        sockets: &mut Sockets,
        line: &mut Line<'_>,
        turn: &mut Turn,
    ) -> Result<(), Over> {
        match event {
            Event::Authenticated { ticket: CONNECT, principal } => {
                self.welcome(principal, sockets, line, turn);
                sockets.connect(&self.id(line), line, turn)
            }
            Event::Authenticated { principal, .. } => {
                self.welcome(principal, sockets, line, turn);
                sockets.emit(Head::event("/", None, 0), "[\"authenticated\"]", &[], line, turn)
            }
            Event::Refused { ticket: CONNECT, refusal } => {
                let (why, mut object) = (words(refusal), Vec::new());
                data(&why, &mut object);
                let object = String::from_utf8_lossy(&object);
                sockets.refuse(&why, Some(&object), Style::of(line.revision()), line, turn)?;
                if self.misses(refusal) { Err(Over::Told) } else { Ok(()) }
            }
            Event::Refused { ticket: AUTHENTICATE, refusal } => {
                self.unauthorized(&words(refusal), sockets, line, turn)?;
                if self.misses(refusal) { Self::send_away(sockets, line, turn) } else { Ok(()) }
            }
            Event::Deliver(delivery) => {
                map::deliver(&delivery.message, Profile::Messaging, sockets.parser(), line, turn)
            }
            Event::Gap { missed } => sockets.tell_gap(missed, line, turn),
            Event::Refused { .. }
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

    fn returned(&mut self, shown: Option<&str>, _: &mut Line<'_>, turn: &mut Turn) {
        if let Some(token) = token(shown) {
            turn.authenticate(CONNECT, Some(&token));
        }
    }

    fn changed(&mut self, sockets: &Sockets, line: &mut Line<'_>, turn: &mut Turn) {
        if self.is_known {
            map::listen(Profile::Messaging, sockets.parser(), line, turn);
        }
    }

    fn tick(&mut self, sockets: &mut Sockets, line: &mut Line<'_>, turn: &mut Turn) -> Result<(), Over> {
        let now = turn.now.time;
        if self.warning.is_some_and(|at| at <= now) {
            self.warning = None;
            self.unauthorized("jwt expired", sockets, line, turn)?;
        }
        if self.until.is_some_and(|until| until <= now) {
            return Self::send_away(sockets, line, turn);
        }
        Ok(())
    }

    fn wake_at(&self) -> Option<Time> {
        self.until.into_iter().chain(self.warning).min()
    }

    fn closing(&mut self, reason: CloseReason, sockets: &Sockets, line: &mut Line<'_>, turn: &mut Turn) {
        if reason == CloseReason::Expired && sockets.is_connected("/") {
            // It ends whether or not that can be said.
            let _ends = Self::send_away(sockets, line, turn).is_err();
        }
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
