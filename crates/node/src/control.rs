//! The control runtime: one thread for everything that may wait. Shards never wait; they are told by inbox.

use std::future::Future;
use std::io;
use std::thread::Builder;
use tokio::runtime::{self, Handle};
use tokio::sync::oneshot;

/// One thread with timers and sockets for tasks that wait. When this is dropped the thread ends, and its tasks with
/// it, wherever they are.
#[derive(Debug)]
pub struct Control {
    handle: Handle,
    _alive: oneshot::Sender<()>,
}

impl Control {
    /// Starts the thread.
    ///
    /// # Errors
    /// When the thread or its runtime cannot be had.
    pub fn start() -> io::Result<Self> {
        let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (alive, over) = oneshot::channel();
        Builder::new().name("control".into()).spawn(move || runtime.block_on(over).unwrap_or_default())?;
        Ok(Self { handle, _alive: alive })
    }

    /// Runs a task on the thread.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        // Nobody waits for it: it ends by itself, or with the thread.
        drop(self.handle.spawn(task));
    }

    /// For those who run tasks on the thread from other threads.
    pub(crate) fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Calls `f` where tokio's sockets and signals can be made.
    pub fn within<T>(&self, f: impl FnOnce() -> T) -> T {
        let _guard = self.handle.enter();
        f()
    }
}
