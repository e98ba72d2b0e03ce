//! How a command ends: its exit code and its last words. Knows no command.

use std::io::{self, Write};
use std::process::ExitCode;

/// Why a command did not do what it was asked for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Trouble {
    code: u8,
    words: String,
}

impl Trouble {
    /// It could not be done: exit code 1.
    pub(crate) fn failed(words: impl Into<String>) -> Self {
        Self { code: 1, words: words.into() }
    }

    /// It was asked for wrongly: exit code 2.
    pub(crate) fn usage(words: impl Into<String>) -> Self {
        Self { code: 2, words: words.into() }
    }

    /// Says the last words, and gives the exit code.
    pub(crate) fn end(&self) -> ExitCode {
        fail(self.code, &self.words)
    }

    /// What happened and what to do about it.
    pub(crate) fn words(&self) -> &str {
        &self.words
    }
}

/// Why a command stops printing.
#[derive(Debug)]
pub(crate) enum Stop {
    /// Something went wrong.
    Trouble(Trouble),
    /// Whoever read the output has gone, as `head` does: nothing is wrong.
    Unread,
}

impl From<Trouble> for Stop {
    fn from(trouble: Trouble) -> Self {
        Self::Trouble(trouble)
    }
}

/// Of writing to standard output.
impl From<io::Error> for Stop {
    fn from(e: io::Error) -> Self {
        if e.kind() == io::ErrorKind::BrokenPipe {
            return Self::Unread;
        }
        Self::Trouble(Trouble::failed(format!("the output cannot be written: {e}")))
    }
}

/// The exit code of a command, after its last words.
pub(crate) fn end(outcome: Result<(), Stop>) -> ExitCode {
    match outcome {
        Ok(()) | Err(Stop::Unread) => ExitCode::SUCCESS,
        Err(Stop::Trouble(trouble)) => trouble.end(),
    }
}

/// Says why on standard error, and gives the exit code.
pub(crate) fn fail(code: u8, words: &str) -> ExitCode {
    say(words);
    ExitCode::from(code)
}

/// Says something on standard error: last words, or news beside the work.
pub(crate) fn say(words: &str) {
    // Nobody may be listening there either.
    drop(io::stderr().write_all(format!("chappe: {words}\n").as_bytes()));
}
