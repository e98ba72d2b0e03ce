//! Ends the program when nobody reads its output any more: `chappe sub chat | head -1` is over with the first
//! message, not with the second, which may never come.

/// Watches standard output, where it is something that can be watched.
#[cfg(unix)]
pub(super) fn end_when_unread() {
    // Without a watch, the next write notices.
    drop(std::thread::Builder::new().name("unread".to_owned()).spawn(watch));
}

/// Elsewhere the next write notices.
#[cfg(not(unix))]
pub(super) fn end_when_unread() {}

#[cfg(unix)]
fn watch() -> std::io::Result<()> {
    use mio::unix::SourceFd;
    use mio::{Events, Interest, Poll, Token};
    use std::os::fd::AsRawFd;

    let mut poll = Poll::new()?;
    let mut events = Events::with_capacity(1);
    // A file cannot be watched, and is never closed by a reader.
    poll.registry().register(&mut SourceFd(&std::io::stdout().as_raw_fd()), Token(0), Interest::WRITABLE)?;
    loop {
        match poll.poll(&mut events, None) {
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => continue,
            other => other?,
        }
        if events.iter().any(|event| event.is_error() || event.is_write_closed()) {
            // What was printed was read or never will be.
            std::process::exit(0);
        }
    }
}
