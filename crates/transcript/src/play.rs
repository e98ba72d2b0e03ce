//! A play as it was written: its title, what it proves, its settings, and its lines in order.
//!
//! Holds the words of the format (the grammar is on the crate's front page). Does not know how a play is
//! performed. Read [`parse`](Play::parse) first.

mod parse;
pub(crate) mod notation;
pub(crate) mod words;

pub use parse::Mistake;

use model::CloseReason;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A play.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Play {
    /// The file it stands in.
    pub path: PathBuf,
    /// Its first paragraph of prose.
    pub title: String,
    /// The promises it proves.
    pub spec: Vec<String>,
    /// How the server is set for it.
    pub settings: Vec<Setting>,
    /// The peers, in the order in which they enter.
    pub cast: Vec<String>,
    /// What happens.
    pub lines: Vec<Line>,
    /// The file, line by line.
    pub source: Vec<String>,
}

/// A `set:` line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Where it stands, from 1.
    pub number: usize,
    /// Which setting.
    pub key: String,
    /// As it was written.
    pub value: String,
}

/// A line on which something happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Where it stands, from 1.
    pub number: usize,
    /// What happens.
    pub deed: Deed,
}

/// Which of the cast.
pub type Who = usize;

/// What a peer speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tongue {
    /// A WebSocket, open from the beginning.
    Rooms,
    /// Requests, one at a time, on one connection.
    Http,
    /// Commands of a device, over TCP.
    Device,
    /// Commands of a device, one in each datagram.
    DeviceUdp,
}

/// In which order frames must come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// This one next.
    Next,
    /// Before or after its neighbours on other such lines.
    Any,
}

/// What happens on a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deed {
    /// `+ A rooms`, perhaps with a path and headers.
    Enter {
        /// Who.
        who: Who,
        /// What it speaks.
        tongue: Tongue,
        /// The request it enters with, as far as it was said: `/path [Header: value]`.
        by: String,
    },
    /// `A> words`.
    Say {
        /// Who.
        who: Who,
        /// What.
        words: String,
    },
    /// `A< words` or `A<~ words`.
    Hear {
        /// Who.
        who: Who,
        /// What.
        words: String,
        /// When.
        order: Order,
    },
    /// `A<-`.
    HearNothing {
        /// Who.
        who: Who,
    },
    /// `A! Reason`, perhaps with the code of the close.
    End {
        /// Whose session.
        who: Who,
        /// Why.
        reason: CloseReason,
        /// The WebSocket close code, when it is named.
        code: Option<u16>,
    },
    /// `A x`.
    Vanish {
        /// Who.
        who: Who,
    },
    /// `A holds`: it does not read from here.
    Hold {
        /// Who.
        who: Who,
    },
    /// `A reads`: it does again.
    Read {
        /// Who.
        who: Who,
    },
    /// `@+25s`.
    Pass(Duration),
    /// `@ tick`.
    Tick,
    /// `@ drain`: the server is told to stop.
    Drain,
}

impl Play {
    /// Reads a file.
    ///
    /// # Errors
    /// Says which line is wrong, and what would be right.
    pub fn read(path: &Path) -> Result<Self, Mistake> {
        let unreadable = |e: std::io::Error| Mistake {
            path: path.to_owned(),
            line: 0,
            what: format!("cannot be read: {e}"),
            fix: "look whether the file is there".to_owned(),
        };
        let text = std::fs::read_to_string(path).map_err(unreadable)?;
        Self::parse(path, &text)
    }

    /// Why only a rehearsal can show it: what a server on real sockets cannot be made to do at a line's command.
    #[must_use]
    pub fn rehearsal_only(&self) -> Option<&'static str> {
        self.lines.iter().find_map(|line| match line.deed {
            Deed::Pass(_) => Some("time passes"),
            Deed::Hold { .. } | Deed::Read { .. } => Some("a reader holds"),
            Deed::Drain => Some("the server stops"),
            Deed::Enter { .. }
            | Deed::Say { .. }
            | Deed::Hear { .. }
            | Deed::HearNothing { .. }
            | Deed::End { .. }
            | Deed::Vanish { .. }
            | Deed::Tick => None,
        })
    }
}
