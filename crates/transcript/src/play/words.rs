//! What a line expects against what was heard: `…` for anything, `$name` for what is the same everywhere.

use std::collections::BTreeMap;

/// What the names of a play stand for, once they have been heard.
pub(crate) type Names = BTreeMap<String, String>;

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Exactly(String),
    Anything,
    Named(String),
}

/// Whether `heard` is what `expected` says. Names that occur for the first time are bound when it is.
pub(crate) fn matches(expected: &str, heard: &str, names: &mut Names) -> bool {
    let pieces = pieces(expected);
    let mut trial = names.clone();
    let matched = fits(&pieces, heard, &mut trial);
    if matched {
        *names = trial;
    }
    matched
}

/// What is said, with the names in it replaced. A name that stands for nothing yet is said as it is.
pub(crate) fn filled(words: &str, names: &Names) -> String {
    let said = pieces(words).into_iter().map(|piece| match piece {
        Piece::Exactly(text) => text,
        Piece::Anything => "…".to_owned(),
        Piece::Named(name) => names.get(&name).cloned().unwrap_or_else(|| format!("${name}")),
    });
    said.collect()
}

/// `words` as a line that expects exactly them.
pub(crate) fn literally(words: &str) -> String {
    let mut line = String::new();
    let mut rest = words;
    while let Some((before, after)) = rest.split_once('$') {
        line.push_str(before);
        line.push_str(if after.starts_with('$') || !name(after).is_empty() { "$$" } else { "$" });
        rest = after;
    }
    line + rest
}

/// The name at the beginning of `text`: a small letter, then small letters, digits and underscores.
fn name(text: &str) -> &str {
    let is_of_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let end = text.find(|c| !is_of_name(c)).unwrap_or(text.len());
    text.get(..end).filter(|n| n.starts_with(|c: char| c.is_ascii_lowercase())).unwrap_or_default()
}

fn pieces(text: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut exact = String::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let after = rest.get(c.len_utf8()..).unwrap_or_default();
        let name = name(after);
        let piece = match c {
            '…' => Some(Piece::Anything),
            '$' if !name.is_empty() => Some(Piece::Named(name.to_owned())),
            _ => None,
        };
        rest = match piece {
            Some(piece) => {
                let beyond = if piece == Piece::Anything { 0 } else { name.len() };
                if !exact.is_empty() {
                    pieces.push(Piece::Exactly(std::mem::take(&mut exact)));
                }
                pieces.push(piece);
                after.get(beyond..).unwrap_or_default()
            }
            None => {
                exact.push(c);
                // `$$` is a dollar.
                if c == '$' { after.strip_prefix('$').unwrap_or(after) } else { after }
            }
        };
    }
    if !exact.is_empty() {
        pieces.push(Piece::Exactly(exact));
    }
    pieces
}

/// Tries the shortest stretch for each `…` and each new name first, and longer ones when that leads nowhere.
fn fits(pieces: &[Piece], heard: &str, names: &mut Names) -> bool {
    let Some((first, more)) = pieces.split_first() else { return heard.is_empty() };
    match first {
        Piece::Exactly(text) => heard.strip_prefix(text.as_str()).is_some_and(|rest| fits(more, rest, names)),
        Piece::Anything if more.is_empty() => true,
        Piece::Anything => ends(heard).any(|at| fits(more, heard.get(at..).unwrap_or_default(), names)),
        Piece::Named(name) => match names.get(name).cloned() {
            Some(value) => heard.strip_prefix(value.as_str()).is_some_and(|rest| fits(more, rest, names)),
            None => ends(heard).skip(1).any(|at| {
                let (value, rest) = heard.split_at(at);
                names.insert(name.clone(), value.to_owned());
                let fit = fits(more, rest, names);
                if !fit {
                    names.remove(name);
                }
                fit
            }),
        },
    }
}

/// Where a stretch at the beginning of `text` can end.
fn ends(text: &str) -> impl Iterator<Item = usize> {
    text.char_indices().map(|(at, _)| at).chain([text.len()])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn anything_and_names() {
        let mut names = Names::new();
        for (expected, heard, fit) in [
            ("", "", true),
            ("", "x", false),
            ("…", "", true),
            ("a…c", "abc", true),
            ("a…c", "abcd", false),
            ("…b…", "abc", true),
            (r#"{"id":"$sid","x":…}"#, r#"{"id":"7-8","x":5}"#, true),
            ("$sid", "7-9", false),
            ("again $sid.", "again 7-8.", true),
            ("$new", "", false),
            ("$$sid", "$sid", true),
            ("$5 $", "$5 $", true),
            ("5 $ €", "5 $ €", true),
        ] {
            assert_eq!(matches(expected, heard, &mut names), fit, "{expected} {heard}");
        }
        assert_eq!(names.get("sid").map(String::as_str), Some("7-8"));
        assert_eq!(filled("GET /c?since=$sid&$other $$x", &names), "GET /c?since=7-8&$other $x");
    }

    #[test]
    fn what_is_written_down_expects_itself() {
        for words in ["", "$", "$$", "$a", "a $ b", "{\"$binary\":\"x\"}", "$1$", "5$"] {
            assert!(matches(&literally(words), words, &mut Names::new()), "{words}");
        }
    }
}
