//! What peers hear against what lines expect, and what is told of the difference.

use super::{Became, Difference, Edit, Performance};
use crate::bless;
use crate::client::Heard;
use crate::play::{Deed, Line, Who, words};
use model::CloseReason;

/// How often a server is looked at again for the end of a session, which it counts after its last word.
const LOOKS: usize = 1000;
/// Sessions end so whenever a request is answered or a peer leaves: no line need show it.
const UNREMARKABLE: [CloseReason; 2] = [CloseReason::Done, CloseReason::Gone];

impl Performance<'_> {
    /// What the peer hears next, if it comes in time.
    fn next(&mut self, who: Who) -> Option<Heard> {
        loop {
            let actor = self.actors.get_mut(who)?;
            if let Some(heard) = actor.client.heard().pop_front() {
                return Some(heard);
            }
            let wire = actor.wire;
            if actor.holds || actor.gone || actor.client.is_over() || !self.stage.wait(wire) {
                return None;
            }
            self.take_all();
        }
    }

    pub(super) fn hear(&mut self, number: usize, who: Who, expected: &str) -> Became {
        let heard = self.next(who);
        let shown = heard.as_ref().map(|h| h.shown(expected));
        if let (Some(Heard::Frame(_) | Heard::Response(_)), Some(shown)) = (&heard, &shown)
            && words::matches(expected, shown, &mut self.names)
        {
            return Ok(());
        }
        let becomes = match &heard {
            Some(heard) => self.lines_of(who, std::slice::from_ref(heard), expected),
            None => Vec::new(),
        };
        self.differs(number, expected, shown, Edit::Replace(number, becomes))
    }

    /// Neighbouring `<~` lines: of each peer as many frames as it has lines, each on one of them.
    pub(super) fn hear_in_any_order(&mut self, lines: &[Line]) -> Became {
        let mut open: Vec<(usize, Who, &str)> = Vec::new();
        for line in lines {
            if let Deed::Hear { who, words, .. } = &line.deed {
                open.push((line.number, *who, words));
            }
        }
        let mut strange = Vec::new();
        for who in 0..self.actors.len() {
            for _ in 0..open.iter().filter(|o| o.1 == who).count() {
                let Some(heard) = self.next(who) else { break };
                let names = &mut self.names;
                let fits =
                    |o: &(usize, Who, &str)| o.1 == who && words::matches(o.2, &heard.shown(o.2), names);
                match open.iter().position(fits) {
                    Some(i) => drop(open.remove(i)),
                    None => strange.push((who, heard)),
                }
            }
        }
        for (number, who, expected) in open {
            let own = strange.iter().position(|s| s.0 == who).map(|i| strange.remove(i).1);
            let shown = own.as_ref().map(|h| h.shown(expected));
            let becomes = own.map_or_else(Vec::new, |h| self.lines_of(who, &[h], expected));
            let becomes = becomes.into_iter().map(|l| l.replacen("< ", "<~ ", 1)).collect();
            self.differs(number, expected, shown, Edit::Replace(number, becomes))?;
        }
        Ok(())
    }

    pub(super) fn hear_nothing(&mut self, number: usize, who: Who) -> Became {
        self.settle();
        let heard: Vec<Heard> = self.actors[who].client.heard().iter().cloned().collect();
        let Some(first) = heard.first() else { return Ok(()) };
        let shown = first.shown("");
        if self.edits.is_some() {
            self.actors[who].client.heard().clear();
        }
        let becomes = self.lines_of(who, &heard, "");
        self.differs(number, "nothing", Some(shown), Edit::Replace(number, becomes))
    }

    /// A session has ended: the server counts one more end of that kind, and the connection has ended too, unless
    /// it is one on which sessions come and go with requests.
    pub(super) fn end(&mut self, number: usize, who: Who, reason: CloseReason, code: Option<u16>) -> Became {
        let expected = format!("{reason:?}{}", code.map(|c| format!(" {c}")).unwrap_or_default());
        let actor = &mut self.actors[who];
        let heard = match actor.client.heard().is_empty() && (actor.gone || actor.client.outlives_sessions())
        {
            true => Some(Heard::End(None)),
            false => self.next(who),
        };
        let Some(Heard::End(said)) = heard else {
            let shown = heard.as_ref().map(|h| h.shown(""));
            let becomes = heard.map_or_else(Vec::new, |h| self.lines_of(who, &[h], ""));
            return self.differs(number, &expected, shown, Edit::Replace(number, becomes));
        };
        let counted = self.count(reason);
        if counted && (code.is_none() || code == said) {
            return Ok(());
        }
        let others = self.unshown();
        let really = if counted { reason } else { others.first().copied().unwrap_or(CloseReason::Done) };
        let shown =
            if counted || !others.is_empty() { format!("{really:?}") } else { "no end of a session".into() };
        let shown = shown + &said.map(|c| format!(" {c}")).unwrap_or_default();
        if !counted && self.edits.is_some() {
            self.count(really);
        }
        let name = &self.play.cast[who];
        let becomes = vec![format!("{name}! {shown}")];
        self.differs(number, &expected, Some(shown), Edit::Replace(number, becomes))
    }

    /// Ticks off one end of a session. `false`: there is none left of that kind.
    fn count(&mut self, reason: CloseReason) -> bool {
        for _ in 0..LOOKS {
            let Some(closed) = self.stage.closed() else { return true };
            let i = reason.index();
            if closed[i] > self.shown[i] {
                self.shown[i] += 1;
                return true;
            }
            self.stage.settle();
        }
        false
    }

    /// Ends of sessions, of a kind to be remarked, that no line has shown.
    fn unshown(&self) -> Vec<CloseReason> {
        let Some(closed) = self.stage.closed() else { return Vec::new() };
        let left = |r: &CloseReason| closed[r.index()] > self.shown[r.index()];
        CloseReason::ALL.into_iter().filter(|r| !UNREMARKABLE.contains(r)).filter(left).collect()
    }

    pub(super) fn ends_were_shown(&mut self) -> Became {
        let unshown = self.unshown();
        if unshown.is_empty() {
            return Ok(());
        }
        let heard = format!("a session ended: {unshown:?}");
        self.differs(self.last, "no end that is not shown", Some(heard), Edit::Insert(self.last, Vec::new()))
    }

    /// Before a line that names a peer, and at the end: it has heard nothing that no line shows.
    pub(super) fn all_was_shown(&mut self, number: usize, who: Who) -> Became {
        let heard: Vec<Heard> = self.actors[who].client.heard().iter().cloned().collect();
        let Some(first) = heard.first() else { return Ok(()) };
        let shown = first.shown("");
        if self.edits.is_some() {
            self.actors[who].client.heard().clear();
        }
        let lines = self.lines_of(who, &heard, "");
        let name = &self.play.cast[who];
        let expected = format!("nothing that {name} hears before this line and no line shows");
        self.differs(number, &expected, Some(shown), Edit::Insert(self.last, lines))
    }

    fn differs(&mut self, line: usize, expected: &str, heard: Option<String>, edit: Edit) -> Became {
        match &mut self.edits {
            Some(edits) => {
                edits.push(edit);
                Ok(())
            }
            None => {
                let heard = heard.unwrap_or_else(|| "nothing".to_owned());
                Err(Difference { line, expected: expected.to_owned(), heard })
            }
        }
    }

    /// What was heard as lines that expect it.
    fn lines_of(&mut self, who: Who, heard: &[Heard], expected: &str) -> Vec<String> {
        let name = &self.play.cast[who];
        let mut lines = Vec::new();
        for heard in heard {
            lines.push(match heard {
                Heard::Frame(words) if words.is_empty() => format!("{name}<"),
                Heard::Frame(_) | Heard::Response(_) => {
                    format!("{name}< {}", bless::softened(&heard.shown(expected)))
                }
                Heard::End(code) => {
                    let reason = self.unshown().first().copied().unwrap_or(CloseReason::Done);
                    if self.edits.is_some() {
                        let i = reason.index();
                        self.shown[i] += 1;
                    }
                    let code = code.map(|c| format!(" {c}")).unwrap_or_default();
                    format!("{name}! {reason:?}{code}")
                }
            });
        }
        lines
    }
}
