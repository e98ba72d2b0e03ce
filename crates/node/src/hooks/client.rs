//! One hook's connection: HTTP/1.1, kept alive, to an address that was judged at the moment of connecting.
//!
//! Follows no redirect, reads little of an answer and believes nothing in it but the status. Knows no queue.

use super::dial::{Connection, Dial, read_whole};
use super::lanes::Whose;
use super::queue::Post;
use super::resolve::{Resolved, Resolver};
use super::sign::Signer;
use super::target::Target;
use super::{HookSettings, Place, Shared};
use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue, USER_AGENT};
use hyper::{Request, Response, StatusCode};
use ring::rand::{SecureRandom, SystemRandom};
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use subtle::ConstantTimeEq;
use tokio::time::timeout;

const ID: HeaderName = HeaderName::from_static("webhook-id");
const TIMESTAMP: HeaderName = HeaderName::from_static("webhook-timestamp");
const SIGNATURE: HeaderName = HeaderName::from_static("webhook-signature");
const MISSED: HeaderName = HeaderName::from_static("x-missed");
const CHALLENGE: HeaderName = HeaderName::from_static("x-challenge");

/// Bytes of an answer's body that are read; a connection with more is given up.
const ANSWER: usize = 64 << 10;

/// Why a POST failed. Says nothing that a receiver has chosen, nor its URL.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Failure {
    /// Its name has no address.
    Unresolved,
    /// Its name resolves to an address that is not allowed.
    Forbidden,
    /// No address could be connected to.
    Unreachable,
    /// There was no trust.
    Tls,
    /// The connection ended, or what came was no answer.
    Broken,
    /// It did not answer in time.
    TimedOut,
    /// It answered with something else than success.
    Status(u16),
}

impl Failure {
    /// What it is counted as.
    #[must_use]
    pub fn outcome(self) -> usize {
        match self {
            Self::Status(_) => 1,
            Self::TimedOut => 2,
            Self::Unresolved | Self::Unreachable | Self::Tls | Self::Broken => 3,
            Self::Forbidden => 4,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unresolved => f.write_str("its name cannot be resolved"),
            Self::Forbidden => f.write_str("its address is not allowed"),
            Self::Unreachable => f.write_str("it cannot be connected to"),
            Self::Tls => f.write_str("its certificate is not trusted, or it speaks no TLS"),
            Self::Broken => f.write_str("the connection ended without an answer"),
            Self::TimedOut => f.write_str("it did not answer in time"),
            Self::Status(status) => write!(f, "it answered {status}"),
        }
    }
}

/// What posts for one hook.
pub(crate) struct Client {
    shared: Arc<Shared>,
    whose: Arc<Whose>,
    target: Target,
    /// Those of every POST.
    headers: HeaderMap,
    /// What signs; `None`: nothing does.
    signer: Option<Signer>,
    /// The hook's number, a part of its deliveries' ids.
    number: u64,
    connection: Option<Connection>,
}

/// Looks names up as the places for that allow.
struct InTurn<'a>(&'a Client);

impl Resolver for InTurn<'_> {
    /// A look-up goes on, and keeps its place, when nobody waits for it any more: there is no way to call it off.
    fn resolve<'a>(&'a self, host: &'a str, port: u16) -> Resolved<'a> {
        let Self(client) = *self;
        Box::pin(async move {
            if let Ok(ip) = host.parse() {
                return Ok(vec![SocketAddr::new(ip, port)]);
            }
            let seat = client.shared.lanes.lookups.take(&client.whose, client.number).await;
            let (shared, host) = (Arc::clone(&client.shared), host.to_owned());
            let looked_up = tokio::spawn(async move {
                let found = shared.resolver.resolve(&host, port).await;
                drop(seat);
                found
            });
            looked_up.await.map_err(io::Error::other)?
        })
    }
}

impl Client {
    /// For this hook.
    ///
    /// # Errors
    /// In words: a header line that cannot be sent, a secret that cannot sign.
    pub(super) fn new(place: &Place, target: Target, plan: &dialect::HookPlan) -> Result<Self, String> {
        const WRONG: &str = "a header line of the hook cannot be sent";
        let mut headers = HeaderMap::new();
        headers.insert(HOST, target.authority.clone());
        headers.insert(USER_AGENT, HeaderValue::from_static("chappe"));
        headers.insert(CONTENT_TYPE, HeaderValue::from_str(plan.content_type).map_err(|_| WRONG)?);
        for (name, value) in &plan.headers {
            let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| WRONG)?;
            headers.insert(name, HeaderValue::from_str(value).map_err(|_| WRONG)?);
        }
        let own = plan.secret.as_ref().map(|secret| Signer::new(secret.reveal())).transpose();
        let own = own.map_err(|what| format!("the secret that it is to be signed with is none: {what}"))?;
        let signer = own.or_else(|| place.shared.settings.signer.clone());
        let (shared, whose) = (Arc::clone(&place.shared), Arc::clone(&place.whose));
        Ok(Self { shared, whose, target, headers, signer, number: place.number, connection: None })
    }

    /// Posts, once.
    pub(crate) async fn attempt(&mut self, post: &Post) -> Result<(), Failure> {
        let id = format!("msg_{:016x}_{}_{}", self.shared.nonce, self.number, post.number);
        let missed = (post.missed > 0).then(|| (MISSED, HeaderValue::from(post.missed)));
        let response = self.ask(&id, &post.body, missed).await?;
        let status = response.status();
        self.finish(response.into_body()).await;
        if status.is_success() { Ok(()) } else { Err(Failure::Status(status.as_u16())) }
    }

    /// Lets the receiver prove that it wants this: it has to answer with what a header says. A receiver that says back
    /// what it is sent, which many do, says nothing here.
    pub(crate) async fn challenge(&mut self) -> bool {
        let mut dice = [0; 16];
        if SystemRandom::new().fill(&mut dice).is_err() {
            return false;
        }
        let word = format!("{:032x}", u128::from_ne_bytes(dice));
        let Ok(value) = HeaderValue::from_str(&word) else { return false };
        let id = format!("msg_{:016x}_{}_0", self.shared.nonce, self.number);
        let Ok(response) = self.ask(&id, &Bytes::new(), Some((CHALLENGE, value))).await else { return false };
        let accepted = response.status().is_success();
        let said = self.finish(response.into_body()).await;
        accepted && bool::from(said.trim_ascii().ct_eq(word.as_bytes()))
    }

    /// Ends the connection, if there is one.
    pub(crate) fn hang_up(&mut self) {
        self.connection = None;
    }

    /// The addresses to connect to.
    pub(crate) async fn addresses(&self) -> Result<Vec<SocketAddr>, Failure> {
        self.dial(&InTurn(self)).addresses(&self.target).await
    }

    fn dial<'a>(&'a self, resolver: &'a InTurn<'a>) -> Dial<'a> {
        let HookSettings { guard, tls, timeout, .. } = &self.shared.settings;
        Dial { resolver, guard, tls, timeout: *timeout }
    }

    /// One exchange, on the connection that is kept or on a new one, in time. A connection that was kept may have ended
    /// without our knowing; then it is begun again, which may post twice what has one id.
    async fn ask(
        &mut self,
        id: &str,
        body: &Bytes,
        further: Option<(HeaderName, HeaderValue)>,
    ) -> Result<Response<Incoming>, Failure> {
        let request = self.request(id, body, further)?;
        let kept = self.connection.take();
        let exchange = async {
            if let Some(mut kept) = kept
                && !kept.is_closed()
                && let Ok(response) = kept.send(request.clone()).await
            {
                return Ok((kept, response));
            }
            let mut fresh = self.dial(&InTurn(self)).connect(&self.target).await?;
            let response = fresh.send(request).await?;
            Ok((fresh, response))
        };
        let (connection, response) =
            timeout(self.shared.settings.timeout, exchange).await.unwrap_or(Err(Failure::TimedOut))?;
        self.connection = Some(connection);
        Ok(response)
    }

    fn request(
        &self,
        id: &str,
        body: &Bytes,
        further: Option<(HeaderName, HeaderValue)>,
    ) -> Result<Request<Full<Bytes>>, Failure> {
        let mut request = Request::new(Full::new(body.clone()));
        *request.method_mut() = hyper::Method::POST;
        *request.uri_mut() = hyper::Uri::from(self.target.path.clone());
        let headers = request.headers_mut();
        headers.clone_from(&self.headers);
        let timestamp = self.shared.clock.now().wall_ms / 1000;
        let value = |text: &str| HeaderValue::from_str(text).map_err(|_| Failure::Broken);
        headers.insert(ID, value(id)?);
        headers.insert(TIMESTAMP, HeaderValue::from(timestamp));
        if let Some(signer) = &self.signer {
            headers.insert(SIGNATURE, value(&signer.sign(id, timestamp, body))?);
        }
        headers.extend(further);
        Ok(request)
    }

    /// Reads the rest of an answer, so that its connection can be used again. One that says too much, or takes its time
    /// with it, has had its connection.
    async fn finish(&mut self, body: Incoming) -> Vec<u8> {
        let said = timeout(self.shared.settings.timeout, read_whole(body, ANSWER)).await.ok().flatten();
        if said.is_none() {
            self.hang_up();
        }
        said.unwrap_or_default()
    }

    /// Whether an answer says that the receiver wants no more.
    pub(crate) fn is_farewell(failure: Failure) -> bool {
        failure == Failure::Status(StatusCode::GONE.as_u16())
    }
}
