//! Channels that everybody has left, and whose windows are kept for those who come back.

use super::{Channel, Exchange, VHost, lock};
use model::{Now, Time};
use std::collections::VecDeque;
use std::sync::Arc;

/// Bytes a deserted channel takes besides its window, about.
const CHANNEL: usize = 512;

/// Such channels, in the order in which they were left. BOUND: `window_timeout`, `window_bytes`.
#[derive(Default)]
pub(super) struct Abandoned {
    queue: VecDeque<Left>,
    bytes: usize,
}

struct Left {
    since: Time,
    bytes: usize,
    vhost: Arc<VHost>,
    channel: Arc<Channel>,
}

impl Exchange {
    /// Notes that everybody has left a channel with a window of so many bytes.
    pub(crate) fn abandon(&self, vhost: &Arc<VHost>, channel: &Arc<Channel>, bytes: usize, now: Now) {
        let (vhost, channel) = (Arc::clone(vhost), Arc::clone(channel));
        let bytes = bytes + CHANNEL;
        let mut abandoned = lock(&self.abandoned);
        abandoned.bytes += bytes;
        abandoned.queue.push_back(Left { since: now.time, bytes, vhost, channel });
        drop(abandoned);
        self.sweep_windows(now);
    }

    /// Forgets what nobody has come back for in time: windows and enrolments. Called now and then.
    pub fn sweep(&self, now: Now) {
        self.sweep_windows(now);
        self.enrolments.sweep(now.time);
    }

    /// Forgets the windows that nobody has come back for in time, and the oldest when all together are too large.
    fn sweep_windows(&self, now: Now) {
        let mut guard = lock(&self.abandoned);
        let Abandoned { queue, bytes } = &mut *guard;
        let is_over = |left: &Left, bytes: usize| {
            left.since + self.limits.window_timeout <= now.time || bytes > self.limits.window_bytes
        };
        while let Some(oldest) = queue.pop_front_if(|left| is_over(left, *bytes)) {
            *bytes -= oldest.bytes;
            oldest.channel.lock().clear_window();
            self.bury(&oldest.vhost, &oldest.channel);
        }
    }
}
