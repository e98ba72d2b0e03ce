//! The control runtime: one thread for everything that may wait. Shards never wait; they are told by inbox.

use std::future::Future;
use std::io;
use std::thread::{Builder, JoinHandle};
use tokio::runtime;

/// Runs `main` on a thread of its own, with timers and I/O for what it starts. Ends when `main` does.
///
/// # Errors
/// When the thread or its runtime cannot be had.
pub fn start<F>(main: impl FnOnce() -> F + Send + 'static) -> io::Result<JoinHandle<()>>
where
    F: Future<Output = ()>,
{
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    Builder::new().name("control".into()).spawn(move || runtime.block_on(main()))
}
