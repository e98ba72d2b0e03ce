//! The log: one line for each event, to the standard error, as text or JSON.
//!
//! Whatever a peer puts into a name, an event stays one line of printable characters. Shards never wait for whoever
//! reads the log: lines go through a bounded queue to a thread of their own, and those that find no room, or cannot be
//! written, are counted and gone. Events that come too often are left out, and it is said how many.

mod limiter;
mod line;

use crate::config::LogFormat;
use limiter::{Limiter, Verdict};
use line::Said;
use node::{Clock, LogCounts};
use std::backtrace::{Backtrace, BacktraceStatus};
use std::io::{self, IsTerminal, Write};
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::Builder;
use std::time::Duration;
use tracing::callsite::Identifier;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::{EnvFilter, Registry, reload};

/// What is logged when nobody says.
pub const FILTER: &str = "info";

/// Lines that may wait to be written.
const QUEUE: usize = 1024;
/// How often it is said what was left out.
const TICK: Duration = Duration::from_secs(1);
/// How long the last lines may take.
const LAST: Duration = Duration::from_millis(500);

static COUNTS: LogCounts = LogCounts::new();
static SIEVE: OnceLock<reload::Handle<EnvFilter, Registry>> = OnceLock::new();
static QUILL: OnceLock<SyncSender<Job>> = OnceLock::new();

enum Job {
    Line(String),
    /// Everything before this has been dealt with.
    Settle(SyncSender<()>),
}

/// What became of the lines.
#[must_use]
pub fn counts() -> &'static LogCounts {
    &COUNTS
}

/// Begins to log, for the whole program. Panics are logged like everything else.
///
/// # Errors
/// When the filter makes no sense, somebody else logs already, or a thread cannot be had.
pub fn start(format: LogFormat, filter: &str) -> Result<(), String> {
    let filter = sieve(filter)?;
    let colours = format == LogFormat::Text && io::stderr().is_terminal() && !is_set("NO_COLOR");
    let (quill, jobs) = sync_channel(QUEUE);
    let lines = Lines::new(format, colours, quill.clone());
    let scribe = lines.scribe();
    Builder::new()
        .name("log".into())
        .spawn(move || scribe.write(&jobs, io::stderr()))
        .map_err(|e| format!("the log: {e}"))?;
    let (filter, handle) = reload::Layer::new(filter);
    tracing::subscriber::set_global_default(Registry::default().with(filter).with(lines))
        .map_err(|e| format!("the log: {e}"))?;
    drop(SIEVE.set(handle));
    // Only who could set the subscriber comes here, once.
    drop(QUILL.set(quill));
    log_panics();
    Ok(())
}

/// Whether a filter makes sense.
///
/// # Errors
/// Says why it does not.
pub fn understands(filter: &str) -> Result<(), String> {
    EnvFilter::try_new(filter).map(drop).map_err(|e| e.to_string())
}

/// Logs something else from now on.
///
/// # Errors
/// When the filter makes no sense.
pub fn refilter(filter: &str) -> Result<(), String> {
    let filter = sieve(filter)?;
    SIEVE.get().map_or(Ok(()), |handle| handle.reload(filter).map_err(|e| e.to_string()))
}

fn sieve(filter: &str) -> Result<EnvFilter, String> {
    EnvFilter::try_new(filter)
        .map_err(|e| format!("the log's filter `{filter}`: {e}; write it as `info` or `carrier=debug`"))
}

/// Waits for what has been logged to be written, but not long: before the program ends.
pub fn settle() {
    let (done, wait) = sync_channel(1);
    if let Some(quill) = QUILL.get()
        && quill.try_send(Job::Settle(done)).is_ok()
    {
        // Nobody may be reading.
        let _late = wait.recv_timeout(LAST);
    }
}

fn is_set(variable: &str) -> bool {
    std::env::var_os(variable).is_some_and(|v| !v.is_empty())
}

fn log_panics() {
    std::panic::set_hook(Box::new(|info| {
        let words = info.payload_as_str().unwrap_or("not said in words");
        let at = info.location().map(ToString::to_string).unwrap_or_default();
        let thread = std::thread::current();
        let thread = thread.name().unwrap_or_default();
        let trace = Backtrace::capture();
        if trace.status() == BacktraceStatus::Captured {
            tracing::error!(thread, why = words, %trace, "panicked at {at}");
        } else {
            tracing::error!(thread, why = words, "panicked at {at}");
        }
    }));
}

/// Makes lines of events.
struct Lines {
    format: LogFormat,
    colours: bool,
    clock: Clock,
    limiter: Arc<Mutex<Limiter<Identifier>>>,
    quill: SyncSender<Job>,
    counts: &'static LogCounts,
}

impl Lines {
    fn new(format: LogFormat, colours: bool, quill: SyncSender<Job>) -> Self {
        let (clock, limiter) = (Clock::start(), Arc::default());
        Self { format, colours, clock, limiter, quill, counts: &COUNTS }
    }

    fn scribe(&self) -> Scribe {
        let Self { format, clock, counts, .. } = *self;
        Scribe { format, clock, counts, limiter: Arc::clone(&self.limiter) }
    }
}

impl<S: Subscriber> Layer<S> for Lines {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let metadata = event.metadata();
        let (kind, target) = (metadata.callsite(), metadata.target());
        let verdict = lock(&self.limiter).judge(kind.clone(), second(&self.clock));
        if verdict == Verdict::LeaveOut {
            self.counts.suppressed.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let said = Said::of(event);
        if verdict == Verdict::SayAndName {
            lock(&self.limiter).name(&kind, target, said.gist());
        }
        let line = said.line(self.format, *metadata.level(), target, self.colours);
        if self.quill.try_send(Job::Line(line)).is_err() {
            self.counts.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

fn second(clock: &Clock) -> u64 {
    clock.now().time.0 / 1000
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Writes lines, wherever that leads.
struct Scribe {
    format: LogFormat,
    clock: Clock,
    limiter: Arc<Mutex<Limiter<Identifier>>>,
    counts: &'static LogCounts,
}

impl Scribe {
    /// Until nobody can say anything any more.
    fn write(&self, jobs: &Receiver<Job>, out: impl Write) {
        let mut paper = Paper { out, torn: false };
        let mut looked = second(&self.clock);
        loop {
            let mut asked = None;
            match jobs.recv_timeout(TICK) {
                Ok(Job::Line(line)) => self.put(&mut paper, &line),
                Ok(Job::Settle(done)) => asked = Some(done),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            let now = second(&self.clock);
            if now > looked || asked.is_some() {
                looked = now;
                // At the end the present second is over as well.
                let until = if asked.is_some() { u64::MAX } else { now };
                let left_out = lock(&self.limiter).left_out_before(until);
                for (target, gist, n) in left_out {
                    let line = Said::suppressed(n, &gist).line(self.format, Level::WARN, target, false);
                    self.put(&mut paper, &line);
                }
            }
            // Whoever asked may have stopped waiting.
            let _gone = asked.map(|done| done.try_send(()));
        }
    }

    fn put(&self, paper: &mut Paper<impl Write>, line: &str) {
        if !paper.put(line.as_bytes()) {
            self.counts.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// What is written on. A line that was begun and could not be ended does not run into the next.
struct Paper<W> {
    out: W,
    torn: bool,
}

impl<W: Write> Paper<W> {
    /// `false`: not written, or not all of it.
    fn put(&mut self, line: &[u8]) -> bool {
        if self.torn && self.take(b"\n") == 0 {
            return false;
        }
        let taken = self.take(line);
        self.torn = taken > 0 && taken < line.len();
        taken == line.len()
    }

    /// How many of these bytes are written before that fails.
    fn take(&mut self, bytes: &[u8]) -> usize {
        let mut taken = 0;
        while let Some(rest) = bytes.get(taken..).filter(|rest| !rest.is_empty()) {
            match self.out.write(rest) {
                Ok(0) => break,
                Ok(n) => taken += n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => break,
            }
        }
        taken
    }
}

#[cfg(test)]
mod tests;
