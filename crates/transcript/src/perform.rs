//! A play, line by line, on a stage: says what is to be said, and compares what is heard.
//!
//! The same walk serves two ends: the first difference fails the play, or all of them are noted, to be written into
//! the file. Does not know files, nor which stage it is.

mod hearing;

use crate::client::Client;
use crate::play::words::{self, Names};
use crate::play::{Deed, Line, Order, Play, Tongue};
use crate::stage::{Closed, Stage};
use std::time::Duration;

/// How finely time passes, so that pings are answered when they come.
const STEP: Duration = Duration::from_millis(100);
/// Answers by themselves (pongs, closes) that peers and server may exchange between two lines.
const EXCHANGES: usize = 1000;
/// Where a play and what happened part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The line, from 1.
    pub line: usize,
    /// What it expects.
    pub expected: String,
    /// What happened.
    pub heard: String,
}

/// How a file would have to change to tell what happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Edit {
    /// This line becomes these.
    Replace(usize, Vec<String>),
    /// These come after this line.
    Insert(usize, Vec<String>),
}

/// What became of a line.
type Became = Result<(), Difference>;

struct Actor {
    client: Client,
    wire: usize,
    holds: bool,
    /// It has left by itself.
    gone: bool,
}

struct Performance<'a> {
    play: &'a Play,
    stage: &'a mut dyn Stage,
    actors: Vec<Actor>,
    names: Names,
    /// Ends of sessions that lines have shown.
    shown: Closed,
    /// `None`: the first difference ends the performance.
    edits: Option<Vec<Edit>>,
    /// The line that was performed last.
    last: usize,
}

/// Performs a play.
///
/// # Errors
/// Where it and what happened part first.
pub fn perform(play: &Play, stage: &mut dyn Stage) -> Result<(), Difference> {
    Performance::new(play, stage, None).run().map(drop)
}

/// Performs a play to its end, and says what would have to be written to tell what happened.
pub(crate) fn record(play: &Play, stage: &mut dyn Stage) -> Result<Vec<Edit>, Difference> {
    Performance::new(play, stage, Some(Vec::new())).run()
}

impl<'a> Performance<'a> {
    fn new(play: &'a Play, stage: &'a mut dyn Stage, edits: Option<Vec<Edit>>) -> Self {
        let (names, shown) = (Names::new(), Closed::default());
        Self { play, stage, actors: Vec::new(), names, shown, edits, last: 1 }
    }

    fn run(mut self) -> Result<Vec<Edit>, Difference> {
        let play = self.play;
        let any = |line: &Line| matches!(line.deed, Deed::Hear { order: Order::Any, .. });
        let mut lines = play.lines.as_slice();
        while let Some(line) = lines.first() {
            let neighbours = lines.iter().take_while(|l| any(l)).count();
            let (now, later) = lines.split_at(neighbours.max(1));
            if neighbours > 0 {
                self.hear_in_any_order(now)?;
            } else {
                self.deed(line)?;
            }
            lines = later;
            self.last = now.last().map_or(self.last, |l| l.number);
        }
        self.settle();
        for who in 0..self.actors.len() {
            self.all_was_shown(self.last, who)?;
        }
        self.ends_were_shown()?;
        Ok(self.edits.unwrap_or_default())
    }

    fn deed(&mut self, line: &Line) -> Became {
        let number = line.number;
        match &line.deed {
            Deed::Enter { tongue, by, .. } => self.enter(number, *tongue, by)?,
            Deed::Say { who, words } => {
                self.all_was_shown(number, *who)?;
                let words = words::filled(words, &self.names);
                let Some(actor) = self.actors.get_mut(*who) else { return Ok(()) };
                let said = actor.client.say(&words).map_err(|heard| self.impossible(number, heard))?;
                self.stage.write(self.actors[*who].wire, &said);
            }
            Deed::Hear { who, words, .. } => return self.hear(number, *who, words),
            Deed::HearNothing { who } => return self.hear_nothing(number, *who),
            Deed::End { who, reason, code } => return self.end(number, *who, *reason, *code),
            Deed::Vanish { who } => {
                self.all_was_shown(number, *who)?;
                self.actors[*who].gone = true;
                self.stage.vanish(self.actors[*who].wire);
            }
            Deed::Hold { who } | Deed::Read { who } => {
                let holds = matches!(line.deed, Deed::Hold { .. });
                self.all_was_shown(number, *who)?;
                self.actors[*who].holds = holds;
                self.stage.hold(self.actors[*who].wire, holds);
            }
            Deed::Pass(time) => self.pass(*time),
            Deed::Tick => {}
            Deed::Drain => self.stage.drain(),
        }
        self.settle();
        Ok(())
    }

    fn impossible(&self, line: usize, heard: String) -> Difference {
        Difference { line, expected: "to say it".to_owned(), heard }
    }

    fn enter(&mut self, number: usize, tongue: Tongue, by: &str) -> Became {
        let mut client = Client::new(tongue);
        let by = words::filled(by, &self.names);
        let wire = self.stage.connect(tongue).map_err(|e| self.impossible(number, e.to_string()))?;
        if tongue == Tongue::Rooms {
            let request = client.enter(&by).map_err(|e| self.impossible(number, e))?;
            self.stage.write(wire, &request);
        }
        self.actors.push(Actor { client, wire, holds: false, gone: false });
        Ok(())
    }

    fn pass(&mut self, time: Duration) {
        let mut left = time;
        while !left.is_zero() {
            let step = STEP.min(left);
            left -= step;
            self.stage.pass(step);
            self.settle();
        }
    }

    /// Lets server and peers do what they do by themselves.
    fn settle(&mut self) {
        for _ in 0..EXCHANGES {
            self.stage.settle();
            if !self.take_all() {
                return;
            }
        }
    }

    /// Hands peers what came for them. `true`: one of them answered.
    fn take_all(&mut self) -> bool {
        let mut answered = false;
        for actor in self.actors.iter_mut().filter(|a| !a.holds && !a.gone) {
            let mut bytes = Vec::new();
            let over = self.stage.read(actor.wire, &mut bytes);
            actor.client.take(&bytes);
            let reply = actor.client.take_reply();
            answered |= !reply.is_empty();
            self.stage.write(actor.wire, &reply);
            if over {
                actor.client.take_end();
            }
            // A client that has been told goodbye hangs up.
            if actor.client.is_over() && !bytes.is_empty() {
                self.stage.finish(actor.wire);
                answered = true;
            }
        }
        answered
    }
}
