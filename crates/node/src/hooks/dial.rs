//! Connections to servers elsewhere, for HTTP/1.1: to an address that was judged at the moment of connecting.
//!
//! Knows neither hooks nor what is asked there.

use super::client::Failure;
use super::guard::Guard;
use super::resolve::Resolver;
use super::target::Target;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

/// What hyper may read ahead: an answer's head, and no more than it takes.
const BUFFER: usize = 16 << 10;
/// Addresses of one name that are tried.
const ADDRESSES: usize = 4;

/// A connection, and the task that moves its bytes.
pub(crate) struct Connection {
    sender: SendRequest<Full<Bytes>>,
    driver: JoinHandle<()>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Connection {
    async fn over<I>(io: I) -> Result<Self, Failure>
    where
        I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (sender, driver) = http1::Builder::new()
            .title_case_headers(true)
            .max_buf_size(BUFFER)
            .handshake(TokioIo::new(io))
            .await
            .map_err(|_| Failure::Broken)?;
        // How it ends is seen by whoever sends.
        let driver = tokio::spawn(async move { drop(driver.await) });
        Ok(Self { sender, driver })
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.sender.is_closed()
    }

    pub(crate) async fn send(
        &mut self,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<Incoming>, Failure> {
        self.sender.ready().await.map_err(|_| Failure::Broken)?;
        self.sender.send_request(request).await.map_err(|_| Failure::Broken)
    }
}

/// How connections are made.
pub(crate) struct Dial<'a> {
    pub(crate) resolver: &'a dyn Resolver,
    pub(crate) guard: &'a Guard,
    pub(crate) tls: &'a Arc<ClientConfig>,
    /// For all addresses of a name together.
    pub(crate) timeout: Duration,
}

impl Dial<'_> {
    /// The addresses to connect to. Each has been judged; one that is not allowed spoils them all, since who mixes
    /// them has something in mind.
    pub(crate) async fn addresses(&self, target: &Target) -> Result<Vec<SocketAddr>, Failure> {
        let Target { host, port, .. } = target;
        let found = self.resolver.resolve(host, *port).await.map_err(|_| Failure::Unresolved)?;
        if !self.guard.trusts(host) && !found.iter().all(|address| self.guard.allows(address.ip())) {
            return Err(Failure::Forbidden);
        }
        if found.is_empty() { Err(Failure::Unresolved) } else { Ok(found) }
    }

    pub(crate) async fn connect(&self, target: &Target) -> Result<Connection, Failure> {
        let addresses = self.addresses(target).await?;
        let tried = addresses.len().min(ADDRESSES);
        let patience = self.timeout / u32::try_from(tried).unwrap_or(1).max(1);
        let mut connected = None;
        for address in addresses.into_iter().take(ADDRESSES) {
            if let Ok(Ok(stream)) = timeout(patience, TcpStream::connect(address)).await {
                connected = Some(stream);
                break;
            }
        }
        let stream = connected.ok_or(Failure::Unreachable)?;
        stream.set_nodelay(true).map_err(|_| Failure::Unreachable)?;
        if !target.tls {
            return Connection::over(stream).await;
        }
        let name = ServerName::try_from(target.host.clone()).map_err(|_| Failure::Tls)?;
        let connector = TlsConnector::from(Arc::clone(self.tls));
        Connection::over(connector.connect(name, stream).await.map_err(|_| Failure::Tls)?).await
    }
}

/// Reads the rest of an answer. `None`: it broke off, or is longer than that.
pub(crate) async fn read_whole(mut body: Incoming, max: usize) -> Option<Vec<u8>> {
    let mut whole = Vec::new();
    while let Some(frame) = body.frame().await {
        if let Some(data) = frame.ok()?.data_ref() {
            if whole.len() + data.len() > max {
                return None;
            }
            whole.extend_from_slice(data);
        }
    }
    Some(whole)
}
