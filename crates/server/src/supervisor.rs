//! What whoever started the server is told of its life: systemd, by its notification socket (sd_notify(3)).
//!
//! Where nobody wants to know, nothing happens.

use sd_notify::NotifyState;

/// The server listens.
pub fn ready() {
    tell(&[NotifyState::Ready]);
}

/// The configuration is being read again; [`ready`] says when that is over.
pub(crate) fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now]),
        Err(error) => tracing::warn!(%error, "systemd cannot be told of the reload"),
    }
}

/// Goodbyes are being said.
pub(crate) fn stopping() {
    tell(&[NotifyState::Stopping]);
}

fn tell(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(false, state) {
        tracing::warn!(%error, "systemd cannot be told");
    }
}
