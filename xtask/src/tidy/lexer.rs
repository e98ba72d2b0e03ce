//! Rust's lines, taken apart into code and comment, so that a word in a string is not taken for a deed.

/// One line: its code with the insides of strings and characters blanked, and its comment.
#[derive(Default)]
pub(super) struct Line {
    pub(super) code: String,
    pub(super) comment: String,
}

/// What the text is inside of.
#[derive(Clone, Copy, PartialEq)]
enum State {
    Code,
    LineComment,
    /// How deep: they nest.
    BlockComment(usize),
    Text,
    /// How many `#` end it.
    RawText(usize),
}

pub(super) fn lines(source: &str) -> Vec<Line> {
    let chars: Vec<char> = source.chars().collect();
    let mut lines = vec![Line::default()];
    let mut state = State::Code;
    let mut at = 0;
    while let Some(&c) = chars.get(at) {
        if c == '\n' {
            lines.push(Line::default());
            state = if state == State::LineComment { State::Code } else { state };
            at += 1;
            continue;
        }
        let (next, used) = advance(state, &chars, at);
        if let Some(line) = lines.last_mut() {
            let part: String = chars.iter().skip(at).take(used).collect();
            match (state, next) {
                (State::Code, State::Code) if part.starts_with('\'') && used > 1 => line.code.push_str("''"),
                (State::Code, State::Code | State::Text | State::RawText(_)) => line.code.push_str(&part),
                (State::Code | State::LineComment | State::BlockComment(_), _) => {
                    line.comment.push_str(&part);
                }
                (State::Text | State::RawText(_), State::Code) => line.code.push('"'),
                (State::Text | State::RawText(_), _) => {}
            }
        }
        (state, at) = (next, at + used);
    }
    lines
}

/// The state after the next few characters, and how many they are. A newline is never among them, save in an
/// escape, where it is left for the caller.
fn advance(state: State, chars: &[char], at: usize) -> (State, usize) {
    let here = chars[at];
    let then = chars.get(at + 1).copied();
    match state {
        State::LineComment => (state, 1),
        State::BlockComment(depth) => match (here, then) {
            ('*', Some('/')) if depth == 1 => (State::Code, 2),
            ('*', Some('/')) => (State::BlockComment(depth - 1), 2),
            ('/', Some('*')) => (State::BlockComment(depth + 1), 2),
            _ => (state, 1),
        },
        State::Text => match (here, then) {
            ('\\', Some(c)) if c != '\n' => (state, 2),
            ('"', _) => (State::Code, 1),
            _ => (state, 1),
        },
        State::RawText(hashes) => {
            let closes = here == '"' && count(chars, at + 1, '#') >= hashes;
            if closes { (State::Code, 1 + hashes) } else { (state, 1) }
        }
        State::Code => code(chars, at),
    }
}

fn code(chars: &[char], at: usize) -> (State, usize) {
    let in_word = at > 0 && chars.get(at - 1).is_some_and(|c| is_word(*c) && !matches!(c, 'b' | 'c'));
    match (chars[at], chars.get(at + 1).copied()) {
        ('/', Some('/')) => (State::LineComment, 2),
        ('/', Some('*')) => (State::BlockComment(1), 2),
        ('"', _) => (State::Text, 1),
        ('r', Some('"' | '#')) if !in_word => {
            let hashes = count(chars, at + 1, '#');
            // `r#name` is a name.
            let opens = chars.get(at + 1 + hashes) == Some(&'"');
            if opens { (State::RawText(hashes), 2 + hashes) } else { (State::Code, 1) }
        }
        ('\'', Some('\\')) => {
            let end = chars.iter().skip(at + 3).take(12).position(|c| *c == '\'');
            (State::Code, end.map_or(1, |end| end + 4))
        }
        ('\'', Some(c)) if c != '\n' && chars.get(at + 2) == Some(&'\'') => (State::Code, 3),
        _ => (State::Code, 1),
    }
}

fn count(chars: &[char], from: usize, what: char) -> usize {
    chars.iter().skip(from).take_while(|c| **c == what).count()
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Whether the code holds this word, whole: `unsafe`, but not `unsafe_code`.
pub(super) fn has_word(code: &str, word: &str) -> bool {
    code.split(|c| !is_word(c)).any(|w| w == word)
}

/// Every way to read the names in a line, lower-cased: `RoomsDialect` is `roomsdialect`, `rooms` and `dialect`.
pub(super) fn names(line: &str) -> Vec<String> {
    let mut names = Vec::new();
    for token in line.split(|c: char| !c.is_alphanumeric()).filter(|t| !t.is_empty()) {
        names.push(token.to_lowercase());
        let mut part = String::new();
        let mut was_lower = false;
        for c in token.chars() {
            if c.is_uppercase() && was_lower {
                names.push(std::mem::take(&mut part));
            }
            was_lower = c.is_lowercase();
            part.extend(c.to_lowercase());
        }
        names.push(part);
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_blanked_and_comments_set_apart() {
        let source =
            "let a = \"unsafe // no\"; // FIXME \"x\nlet b = 'x'; /* one /* two */ still\n end */ b\n";
        let lines = lines(source);
        assert_eq!(lines[0].code, "let a = \"\"; ");
        assert_eq!(lines[0].comment, "// FIXME \"x");
        assert_eq!(lines[1].code, "let b = ''; ");
        assert_eq!(lines[1].comment, "/* one /* two */ still");
        assert_eq!(lines[2].code, " b");
    }

    #[test]
    fn characters_lifetimes_and_raw_strings() {
        let source =
            r##"fn f<'a>(x: &'a str) { g('"', '\'', '\u{41}', br#"un"safe"#, r"x\", "\\") } unsafe"##;
        let line = &lines(source)[0];
        assert_eq!(line.code, r##"fn f<'a>(x: &'a str) { g('', '', '', br#"", r"", "") } unsafe"##);
        assert_eq!(line.comment, "");
    }

    #[test]
    fn words_are_whole() {
        assert!(has_word("unsafe { x }", "unsafe"));
        assert!(!has_word("unsafe_code = forbid", "unsafe"));
    }

    #[test]
    fn names_are_read_in_every_way() {
        assert!(names("use rooms_dialect::RoomsDialect").contains(&"rooms".to_owned()));
        assert!(names("struct SocketIo;").contains(&"socketio".to_owned()));
        assert!(!names("the classrooms").contains(&"rooms".to_owned()));
    }
}
