//! The listener: few connections, each with one request and little time, so that nobody can use it against the
//! server.

use crate::routes::routes;
use crate::view::View;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

/// How long accepting rests when the system refuses.
const REST: Duration = Duration::from_millis(100);
/// What hyper may read ahead: a head, and no more than it takes.
const BUFFER: usize = 16 << 10;

/// What the listener can be asked for at once.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Connections at once; those beyond wait in the kernel's queue.
    pub connections: usize,
    /// Time for a connection, from its first byte to its last.
    pub patience: Duration,
}

impl Default for Bounds {
    /// Probes and scrapers ask seldom and at once: 64 connections of ten seconds.
    fn default() -> Self {
        Self { connections: 64, patience: Duration::from_secs(10) }
    }
}

/// Serves until its runtime ends.
pub async fn serve(listener: TcpListener, view: Arc<View>, bounds: Bounds) {
    let service = TowerToHyperService::new(routes(&view));
    let places = Arc::new(Semaphore::new(bounds.connections));
    loop {
        // Nobody closes it.
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "the admin listener cannot accept");
                sleep(REST).await;
                continue;
            }
        };
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(bounds.patience)
            .keep_alive(false)
            .max_buf_size(BUFFER)
            .serve_connection(TokioIo::new(stream), service.clone());
        tokio::spawn(async move {
            // Whether it ended well concerns its peer only.
            drop(timeout(bounds.patience, connection).await);
            drop(place);
        });
    }
}
