//! Writing what happened into the file of a play, to be looked at as a difference.

use crate::perform::Edit;
use crate::play::{Play, words};

/// The text of the play with these edits.
pub(crate) fn blessed(play: &Play, edits: &[Edit]) -> String {
    let mut text = String::new();
    let mut add = |line: &str| {
        text.push_str(line);
        text.push('\n');
    };
    for (number, line) in (1..).zip(&play.source) {
        let replaced = edits.iter().find_map(|edit| match edit {
            Edit::Replace(at, lines) if *at == number => Some(lines),
            Edit::Replace(..) | Edit::Insert(..) => None,
        });
        match replaced {
            Some(lines) => lines.iter().for_each(|l| add(l)),
            None => add(line),
        }
        for edit in edits {
            if let Edit::Insert(at, lines) = edit
                && *at == number
            {
                lines.iter().for_each(|l| add(l));
            }
        }
    }
    text
}

/// What differs from one performance to the next, and how it begins in JSON and in event streams.
const VOLATILE: [&str; 4] = ["\"time\":", "\"publisher\":\"", "\"position\":\"", "id: "];

/// What was heard as words that expect it, without what will be different next time.
pub(crate) fn softened(heard: &str) -> String {
    let mut line = words::literally(heard);
    for mark in VOLATILE {
        let Some(at) = line.find(mark).map(|at| at + mark.len()) else { continue };
        let rest = line.get(at..).unwrap_or_default();
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '-').unwrap_or(rest.len());
        if end > 0 {
            line.replace_range(at..at + end, "…");
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn what_changes_is_left_open() {
        let heard = r#"{"payload":1,"publisher":"0-1-22","position":"12-3","time":17}"#;
        assert_eq!(softened(heard), r#"{"payload":1,"publisher":"…","position":"…","time":…}"#);
        assert_eq!(softened(r#"{"publisher":"joe $x"}"#), r#"{"publisher":"joe $$x"}"#);
        assert_eq!(softened("id: 5-6\\ndata: 7"), "id: …\\ndata: 7");
    }

    #[test]
    fn edits_find_their_lines() {
        let play = Play::parse(Path::new("x"), "# T\n+ A rooms\nA< b\nA< c\nA> d\n");
        let edits = [
            Edit::Replace(3, vec!["A< B".into()]),
            Edit::Replace(4, vec![]),
            Edit::Insert(5, vec!["A<-".into()]),
        ];
        assert_eq!(blessed(&play.unwrap(), &edits), "# T\n+ A rooms\nA< B\nA> d\nA<-\n");
    }
}
