//! The text of a play into its lines, strictly: what is not understood is an error that says what would be.

use super::notation::Request;
use super::{Deed, Line, Order, Play, Setting, Tongue, Who};
use model::CloseReason;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What is wrong with a play, where, and what would be right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// The file.
    pub path: PathBuf,
    /// The line, from 1; 0: the file as a whole.
    pub line: usize,
    /// What is wrong.
    pub what: String,
    /// What to do.
    pub fix: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}\n    {}", self.path.display(), self.line, self.what, self.fix)
    }
}

impl std::error::Error for Mistake {}

/// Where a Socket.IO client of today finds a WebSocket.
const SOCKETIO: &str = "/socket.io/?EIO=4&transport=websocket";

/// What is wrong, and what would be right.
type Flaw = (String, String);

fn flaw<T>(what: impl Into<String>, fix: impl Into<String>) -> Result<T, Flaw> {
    Err((what.into(), fix.into()))
}

impl Play {
    /// Reads the text of a play.
    ///
    /// # Errors
    /// Says which line is wrong, and what would be right.
    pub fn parse(path: &Path, text: &str) -> Result<Self, Mistake> {
        let mut play = Self {
            path: path.to_owned(),
            title: String::new(),
            spec: Vec::new(),
            settings: Vec::new(),
            cast: Vec::new(),
            lines: Vec::new(),
            source: text.lines().map(str::to_owned).collect(),
        };
        let mistake = |line, (what, fix)| Mistake { path: path.to_owned(), line, what, fix };
        let title = text.lines().take_while(|l| l.starts_with('#')).map(|l| l.trim_start_matches('#').trim());
        play.title = title.collect::<Vec<_>>().join(" ");
        if play.title.is_empty() {
            let fix = "begin with what the play shows: `# A room carries what one says to every member.`";
            return Err(mistake(1, ("a play has a title".into(), fix.into())));
        }
        for (number, line) in (1..).zip(text.lines()) {
            play.line(number, line).map_err(|flaw| mistake(number, flaw))?;
        }
        Ok(play)
    }

    fn line(&mut self, number: usize, line: &str) -> Result<(), Flaw> {
        let words = line.trim_end();
        if words.is_empty() || words.starts_with('#') || words.starts_with("proved:") {
            return Ok(());
        }
        if let Some(ids) = words.strip_prefix("spec:") {
            return self.promises(ids);
        }
        if let Some(setting) = words.strip_prefix("set:") {
            return self.setting(number, setting);
        }
        let deed = if let Some(rest) = words.strip_prefix("+ ") {
            self.enter(rest)?
        } else if let Some(rest) = words.strip_prefix('@') {
            time(rest)?
        } else if ["node ", "cut ", "join "].iter().any(|w| words.starts_with(w)) {
            return flaw(
                format!("`{words}`: not yet, there are no clusters"),
                "play it on one node, or take the line out",
            );
        } else {
            // What a peer says keeps the blanks at its end.
            self.peer(line)?
        };
        self.lines.push(Line { number, deed });
        Ok(())
    }

    fn promises(&mut self, ids: &str) -> Result<(), Flaw> {
        for id in ids.split(',').map(str::trim) {
            let parts = id.split_once('-');
            let is_id = parts.is_some_and(|(word, number)| {
                word.starts_with(|c: char| c.is_ascii_uppercase())
                    && word.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit())
                    && !number.is_empty()
                    && number.chars().all(|c| c.is_ascii_digit())
            });
            if !is_id {
                return flaw(
                    format!("`{id}` is no promise"),
                    "write them as in SPEC.md: `spec: SUB-1, SUB-2`",
                );
            }
            self.spec.push(id.to_owned());
        }
        Ok(())
    }

    fn setting(&mut self, number: usize, setting: &str) -> Result<(), Flaw> {
        if !self.lines.is_empty() {
            return flaw("a setting after the play has begun", "settings stand above the first `+`");
        }
        let Some((key, value)) = setting.split_once('=') else {
            return flaw(
                format!("`{}` sets nothing", setting.trim()),
                "write `set: key = value`, as in `set: rooms.greeting = false`",
            );
        };
        let (key, value) = (key.trim().to_owned(), value.trim().to_owned());
        self.settings.push(Setting { number, key, value });
        Ok(())
    }

    fn enter(&mut self, rest: &str) -> Result<Deed, Flaw> {
        let usage = "write `+ A rooms`, `+ A socketio`, `+ A http`, `+ A device` or `+ A device-udp`";
        let Some((name, rest)) = rest.trim().split_once(' ') else {
            return flaw("a peer that speaks no dialect", usage);
        };
        if !is_name(name) {
            return flaw(format!("`{name}` is no name for a peer"), "a capital, then letters and digits");
        }
        if self.cast.iter().any(|n| n == name) {
            return flaw(format!("{name} has entered before"), "give the newcomer a name of its own");
        }
        let (dialect, by) = rest.trim().split_once(' ').unwrap_or((rest.trim(), ""));
        let tongue = match dialect {
            "rooms" | "socketio" => Tongue::Rooms,
            "http" => Tongue::Http,
            "device" => Tongue::Device,
            "device-udp" => Tongue::DeviceUdp,
            other => return flaw(format!("nobody speaks `{other}` yet"), usage),
        };
        let by = match (dialect, by.trim()) {
            ("socketio", "") => SOCKETIO,
            (_, by) => by,
        };
        let by = by.to_owned();
        if tongue == Tongue::Http && !by.is_empty() {
            let fix = "an http peer shows paths and headers with each request: `A> GET /c/x [Header: value]`";
            return flaw(format!("`{by}` belongs to no request"), fix);
        }
        if matches!(tongue, Tongue::Device | Tongue::DeviceUdp) && !by.is_empty() {
            return flaw(format!("`{by}` is nothing to a device"), "devices begin with `A> R`");
        }
        let line = format!("GET {by}");
        if !by.is_empty() && Request::parse(&line).is_none_or(|r| !r.body.is_empty()) {
            let fix =
                "after the dialect comes a path, then headers: `+ A rooms /?token=x [Origin: http://y]`";
            return flaw(format!("`{by}` is no way to enter"), fix);
        }
        self.cast.push(name.to_owned());
        Ok(Deed::Enter { who: self.cast.len() - 1, tongue, by })
    }

    fn peer(&self, line: &str) -> Result<Deed, Flaw> {
        let end = line.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(line.len());
        let (name, rest) = line.split_at(end);
        let grammar = "a line is `A> …`, `A< …`, `A<~ …`, `A<-`, `A! Reason`, `A x`, `A holds`, `A reads`, \
                       `+ A dialect`, `@+25s`, `@ tick`, `# prose`, `spec: …` or `set: …`";
        if !is_name(name) {
            return flaw(format!("`{line}` is no line of a play"), grammar);
        }
        let Some(who) = self.cast.iter().position(|n| n == name) else {
            return flaw(format!("{name} has not entered"), format!("write `+ {name} rooms` above it"));
        };
        // The words after a sign and one blank; none at all is the empty frame.
        let after = |sign: &str| rest.strip_prefix(sign).filter(|w| w.is_empty() || w.starts_with(' '));
        let words = |sign| after(sign).map(|w| w.strip_prefix(' ').unwrap_or_default().to_owned());
        Ok(if rest.trim_end() == "<-" {
            Deed::HearNothing { who }
        } else if let Some(words) = words("<~") {
            Deed::Hear { who, words, order: Order::Any }
        } else if let Some(words) = words("<") {
            Deed::Hear { who, words, order: Order::Next }
        } else if let Some(words) = words(">") {
            Deed::Say { who, words }
        } else if let Some(rest) = after("!") {
            end_of(who, rest)?
        } else {
            match rest.trim() {
                "x" => Deed::Vanish { who },
                "holds" => Deed::Hold { who },
                "reads" => Deed::Read { who },
                _ => return flaw(format!("`{line}`: what does {name} do?"), grammar),
            }
        })
    }
}

fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_uppercase()) && name.chars().all(|c| c.is_ascii_alphanumeric())
}

fn end_of(who: Who, rest: &str) -> Result<Deed, Flaw> {
    let mut words = rest.split_whitespace();
    let word = words.next().unwrap_or_default();
    let all = CloseReason::ALL.map(|r| format!("{r:?}"));
    let Some(reason) = CloseReason::ALL.into_iter().find(|r| format!("{r:?}") == word) else {
        return flaw(
            format!("`{word}` is no reason for a session to end"),
            format!("it is one of {}", all.join(", ")),
        );
    };
    match (words.next().map(str::parse), words.next()) {
        (None, None) => Ok(Deed::End { who, reason, code: None }),
        (Some(Ok(code)), None) => Ok(Deed::End { who, reason, code: Some(code) }),
        _ => flaw(
            format!("`{}` is no close code", rest.trim()),
            "after the reason there may be a WebSocket close code, as in `A! Unauthorized 1008`",
        ),
    }
}

fn time(rest: &str) -> Result<Deed, Flaw> {
    match rest.trim() {
        "tick" => return Ok(Deed::Tick),
        "drain" => return Ok(Deed::Drain),
        _ => {}
    }
    let passed = rest.strip_prefix('+').and_then(|rest| {
        let rest = rest.trim();
        let (digits, unit) = rest.split_at(rest.find(|c: char| !c.is_ascii_digit())?);
        let n: u64 = digits.parse().ok()?;
        match unit {
            "ms" => Some(Duration::from_millis(n)),
            "s" => Some(Duration::from_secs(n)),
            "m" => Some(Duration::from_secs(n * 60)),
            "h" => Some(Duration::from_secs(n * 3600)),
            _ => None,
        }
    });
    match passed {
        Some(passed) => Ok(Deed::Pass(passed)),
        None => flaw(format!("`@{rest}` is no time"), "write `@+25s` (or ms, m, h), `@ tick` or `@ drain`"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Play, String> {
        Play::parse(Path::new("x.transcript"), text).map_err(|m| m.to_string())
    }

    #[test]
    fn every_kind_of_line_is_read() {
        let play = parse(
            "# One.\n# Two.\nproved: nobody\nspec: SUB-3, A-2\nset: rooms.acks = a = b\n\n+ A rooms /x [Y: z]\n\
             + B http\nA>  words \nA< w\nA<\nA<~ x\nA<-\nA! SlowConsumer\nB! Unauthorized 1008\nA x\nA holds\n\
             B reads\n@+25s\n@ tick\n@ drain\n# prose\n",
        )
        .unwrap();
        assert_eq!((play.title.as_str(), play.spec.len(), play.cast.len()), ("One. Two.", 2, 2));
        assert_eq!((&*play.settings[0].key, &*play.settings[0].value), ("rooms.acks", "a = b"));
        let deed = |n: usize| &play.lines[n].deed;
        assert_eq!(*deed(2), Deed::Say { who: 0, words: " words ".into() });
        assert_eq!(*deed(4), Deed::Hear { who: 0, words: String::new(), order: Order::Next });
        assert_eq!(*deed(5), Deed::Hear { who: 0, words: "x".into(), order: Order::Any });
        let code = Some(1008);
        assert_eq!(*deed(8), Deed::End { who: 1, reason: CloseReason::Unauthorized, code });
        assert_eq!(*deed(12), Deed::Pass(Duration::from_secs(25)));
        assert_eq!(play.lines[12].number, 19);
        assert_eq!(play.rehearsal_only(), Some("a reader holds"));
    }

    #[test]
    fn a_socketio_peer_is_a_websocket_where_such_are() {
        let entered = |line: &str| parse(&format!("# T\n{line}\n")).unwrap().lines[0].deed.clone();
        assert_eq!(entered("+ A socketio"), entered(&format!("+ A rooms {SOCKETIO}")));
        let by = "/socket.io/?EIO=3&transport=websocket";
        assert_eq!(entered(&format!("+ A socketio {by}")), entered(&format!("+ A rooms {by}")));
    }

    #[test]
    fn mistakes_say_where_and_what_would_be_right() {
        for (text, says) in [
            ("+ A rooms\n", "x.transcript:1: a play has a title\n    begin with"),
            ("# T\nA> hi\n", "x.transcript:2: A has not entered\n    write `+ A rooms`"),
            ("# T\n+ A mqtt\n", "nobody speaks `mqtt` yet"),
            ("# T\n+ A rooms\n+ A http\n", ":3: A has entered before"),
            ("# T\n+ A http /x\n", "`/x` belongs to no request"),
            ("# T\n+ A rooms x\n", "`x` is no way to enter"),
            ("# T\n+ A rooms\nA ! x\n", "what does A do?"),
            ("# T\n+ A rooms\nA! Tired\n", "one of Done, Gone, Fault"),
            ("# T\n+ A rooms\nA! Done x\n", "no close code"),
            ("# T\n+ A rooms\nset: a = b\n", "after the play has begun"),
            ("# T\nset: a\n", "sets nothing"),
            ("# T\nspec: SUB\n", "`SUB` is no promise"),
            ("# T\n@+5\n", "`@+5` is no time"),
            ("# T\ncut 1-2\n", "not yet, there are no clusters"),
            ("# T\nand so on\n", "no line of a play"),
        ] {
            let said = parse(text).unwrap_err();
            assert!(said.contains(says), "{text:?}: {said}");
        }
    }
}
