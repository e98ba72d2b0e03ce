//! One line on the terminal that says how far a run is. Silent when nobody is watching.

use std::io::{IsTerminal, Write};

/// Nanoseconds between two looks.
const PAUSE: u64 = 200_000_000;
/// Characters of the bar.
const WIDTH: u64 = 30;

/// The line.
pub(super) struct Progress {
    seen: bool,
    shown: bool,
    next: u64,
}

impl Progress {
    /// On standard error, when that is a terminal.
    pub(super) fn new() -> Self {
        Self { seen: std::io::stderr().is_terminal(), shown: false, next: 0 }
    }

    /// Shows that `done` of `all` are done, unless it did a moment ago.
    pub(super) fn show(&mut self, now: u64, what: &str, done: u64, all: u64) {
        if !self.seen || now < self.next {
            return;
        }
        self.next = now + PAUSE;
        self.shown = true;
        let filled = (done.min(all) * WIDTH / all.max(1)) as usize;
        let bar = format!("{:<width$}", "#".repeat(filled), width = WIDTH as usize);
        write(&format!("\r{what:<10} [{bar}] {:>3} %", done.min(all) * 100 / all.max(1)));
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.shown {
            write(&format!("\r{:60}\r", ""));
        }
    }
}

fn write(line: &str) {
    // A terminal that is gone takes the bar with it.
    drop(std::io::stderr().write_all(line.as_bytes()));
}
