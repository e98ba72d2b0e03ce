//! Keys that somebody else changes: fetched again now and then, and when a token names one that is not there.
//!
//! One fetch at a time, and the next no sooner than [`FLOOR`] after it, whatever tokens say: what is fetched, and from
//! where, is the operator's word alone. Whoever needs a key meanwhile waits for the fetch that is under way.

use super::key::KeySet;
use super::{Jwt, Unproven};
use crate::Clock;
use crate::authority::{Reply, Verdict};
use crate::hooks::dial::{Dial, read_whole};
use crate::hooks::{Guard, SystemResolver, Target, lock};
use bytes::Bytes;
use http_body_util::Full;
use hyper::Request;
use hyper::header::{ACCEPT, HOST, HeaderValue, USER_AGENT};
use model::{Refusal, Time, TokenFlaw};
use rustls::ClientConfig;
use std::collections::HashMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::timeout;

/// The time between two fetches, at least.
const FLOOR: Duration = Duration::from_secs(10);
/// Time for one fetch.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long nobody fetches for the sake of a key that a set did not have.
const MISSING: Duration = Duration::from_mins(1);
/// BOUND: names of keys that are known to be missing.
const MISSING_MAX: usize = 256;
/// BOUND: sessions that wait for keys.
const WAITING_MAX: usize = 256;
/// BOUND: bytes of a set.
pub(crate) const SET_MAX: usize = 256 << 10;

/// Where keys are.
#[derive(Clone)]
pub enum Source {
    /// Here.
    Keys(KeySet),
    /// In a file, where these were when it was read.
    File(PathBuf, KeySet),
    /// At a URL, asked by TLS that trusts whom it should.
    Url(Url, Arc<ClientConfig>),
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Keys(keys) => keys.fmt(f),
            Self::File(path, _) => path.fmt(f),
            Self::Url(url, _) => write!(f, "{}", url.0.host),
        }
    }
}

/// The URL of a key set.
#[derive(Clone, Debug)]
pub struct Url(Target);

impl Url {
    /// Reads it.
    ///
    /// # Errors
    /// In words: it is none, or keys that come from there might be anybody's.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let target = Target::parse(text).map_err(|_| "it is no URL that keys can be fetched from")?;
        let is_here = target.host == "localhost" || target.address().is_some_and(|ip| ip.is_loopback());
        if target.tls || is_here {
            Ok(Self(target))
        } else {
            Err("keys that come without TLS may be anybody's")
        }
    }
}

enum From {
    File(PathBuf),
    Url(Url, Arc<ClientConfig>),
}

/// Who waits for a key.
struct Waiting {
    token: Box<str>,
    /// The host of the page where it was shown.
    page: Option<Box<str>>,
    reply: Reply,
}

#[derive(Default)]
struct State {
    under_way: bool,
    /// When the last fetch ended, and whether it brought keys.
    last: Option<(Time, bool)>,
    waiting: Vec<Waiting>,
    /// Keys that are known to be missing, and until when that is believed.
    missing: HashMap<Box<str>, Time>,
}

/// What keeps keys new.
pub(super) struct Refresh {
    from: From,
    every: Duration,
    state: Mutex<State>,
    bell: Notify,
}

impl Refresh {
    pub(super) fn of_file(path: PathBuf, every: Duration) -> Self {
        Self::new(From::File(path), every)
    }

    pub(super) fn of_url(url: Url, tls: Arc<ClientConfig>, every: Duration) -> Self {
        Self::new(From::Url(url, tls), every)
    }

    fn new(from: From, every: Duration) -> Self {
        // From a URL nothing has been fetched yet, and the first thing that is done is that.
        let under_way = matches!(from, From::Url(..));
        let state = Mutex::new(State { under_way, ..State::default() });
        Self { from, every: every.max(FLOOR), state, bell: Notify::new() }
    }

    /// Somebody shows a token of a key that is not there, perhaps on a page.
    pub(super) fn ask(
        &self,
        kid: Option<Box<str>>,
        (token, page): (&str, Option<&str>),
        now: Time,
        reply: Reply,
    ) -> Verdict {
        let mut state = lock(&self.state);
        let unknown = Verdict::Now(Err(Refusal::InvalidToken(TokenFlaw::UnknownKey)));
        if kid.is_some_and(|kid| state.missing.get(&kid).is_some_and(|until| now < *until)) {
            return unknown;
        }
        match state.last {
            _ if state.under_way => {}
            Some((at, true)) if now < at + FLOOR => return unknown,
            Some((at, false)) if now < at + FLOOR => return Verdict::Now(Err(Refusal::Busy)),
            Some(_) | None => {
                state.under_way = true;
                self.bell.notify_one();
            }
        }
        if state.waiting.len() >= WAITING_MAX {
            return Verdict::Now(Err(Refusal::Busy));
        }
        state.waiting.push(Waiting { token: token.into(), page: page.map(Into::into), reply });
        Verdict::Later
    }

    async fn fetch(&self) -> Result<KeySet, String> {
        let set = match &self.from {
            // The operator's own small file, on a thread where others may wait.
            From::File(path) => std::fs::read(path).map_err(|e| e.to_string())?,
            From::Url(Url(target), tls) => timeout(PATIENCE, download(target, tls))
                .await
                .unwrap_or_else(|_| Err("it did not answer in time".into()))?,
        };
        KeySet::from_json(&set).map_err(Into::into)
    }
}

async fn download(target: &Target, tls: &Arc<ClientConfig>) -> Result<Vec<u8>, String> {
    // The operator has named it: it may be anywhere.
    let guard = Guard { private: true, hosts: vec![target.host.clone()], ..Guard::default() };
    let resolver = SystemResolver;
    let dial = Dial { resolver: &resolver, guard: &guard, tls, timeout: PATIENCE };
    let mut connection = dial.connect(target).await.map_err(|failure| failure.to_string())?;
    let mut request = Request::new(Full::new(Bytes::new()));
    *request.uri_mut() = hyper::Uri::from(target.path.clone());
    request.headers_mut().insert(HOST, target.authority.clone());
    request.headers_mut().insert(USER_AGENT, HeaderValue::from_static("chappe"));
    request
        .headers_mut()
        .insert(ACCEPT, HeaderValue::from_static("application/jwk-set+json, application/json"));
    let response = connection.send(request).await.map_err(|failure| failure.to_string())?;
    if response.status() != hyper::StatusCode::OK {
        return Err(format!("it answered {}", response.status().as_u16()));
    }
    read_whole(response.into_body(), SET_MAX)
        .await
        .ok_or_else(|| "its answer is too long, or has no end".into())
}

impl Jwt {
    /// Fetches keys, for ever.
    pub(super) async fn keep_keys(&self, clock: Clock) {
        let Some(refresh) = &self.refresh else { return };
        let mut pause = match refresh.from {
            From::File(_) => refresh.every,
            From::Url(..) => Duration::ZERO,
        };
        let mut failures = 0_u32;
        loop {
            tokio::select! {
                () = refresh.bell.notified() => {}
                () = tokio::time::sleep(pause) => {}
            }
            lock(&refresh.state).under_way = true;
            let fetched = refresh.fetch().await;
            let came = fetched.is_ok();
            failures = if came { 0 } else { failures.saturating_add(1) };
            pause = if came { refresh.every } else { (FLOOR * (1 << failures.min(5))).min(refresh.every) };
            match fetched {
                Ok(keys) => self.adopt(keys),
                Err(error) => {
                    tracing::warn!(error, "the keys for tokens cannot be fetched; they stay as they were");
                }
            }
            self.answer_waiting(refresh, came, clock);
        }
    }

    fn answer_waiting(&self, refresh: &Refresh, came: bool, clock: Clock) {
        let now = clock.now();
        let mut state = lock(&refresh.state);
        (state.under_way, state.last) = (false, Some((now.time, came)));
        let waiting = std::mem::take(&mut state.waiting);
        drop(state);
        for Waiting { token, page, reply } in waiting {
            let verdict = self.verify_on(&token, page.as_deref(), now).map_err(|unproven| match unproven {
                Unproven::Flaw(flaw) => Refusal::InvalidToken(flaw),
                Unproven::NoKey(_) if !came => Refusal::Busy,
                Unproven::NoKey(kid) => {
                    let mut state = lock(&refresh.state);
                    if state.missing.len() >= MISSING_MAX {
                        state.missing.clear();
                    }
                    state.missing.extend(kid.map(|kid| (kid, now.time + MISSING)));
                    Refusal::InvalidToken(TokenFlaw::UnknownKey)
                }
            });
            reply.send(verdict);
        }
    }
}
