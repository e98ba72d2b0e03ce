//! The rules for Rust files: how they open, how long they are, what they are called, what they must not say.

use super::complaint::Complaint;
use super::lexer::{self, Line};
use super::tree::SourceFile;

const TOO_LONG: usize = 800;
const LONG: usize = 500;
const HOMELESS: [&str; 5] = ["utils", "util", "helpers", "helper", "misc"];
const ROOTS: [&str; 4] = ["crates/", "dialects/", "crossing/", "xtask/"];

/// Crates in which the product's dialects have no name.
const NAMELESS: [&str; 6] = [
    "crates/model/",
    "crates/hub/",
    "crates/dialect/",
    "crates/backplane/",
    "crates/node/",
    "crates/carrier/",
];
const PRODUCTS: [&str; 6] = ["rooms", "iotower", "watchtower", "webrocket", "socketio", "broker"];

pub(super) fn check(files: &[SourceFile]) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    for file in files.iter().filter(|f| ROOTS.iter().any(|root| f.path.starts_with(root))) {
        complaints.extend(name(file));
        if file.has_extension("rs") {
            let lines = lexer::lines(&file.text);
            complaints.extend(opening(file));
            complaints.extend(length(file, &lines));
            complaints.extend(leftovers(file, &lines));
            complaints.extend(products(file));
        }
    }
    complaints
}

fn name(file: &SourceFile) -> Option<Complaint> {
    let homeless = file.parts().find(|part| HOMELESS.contains(&part.split('.').next().unwrap_or(part)))?;
    let fix = "a thing without a home is a missing noun: name the file after what it holds";
    Some(Complaint::error(&file.path, 0, format!("`{homeless}` says nothing"), fix))
}

fn opening(file: &SourceFile) -> Option<Complaint> {
    if file.text.starts_with("//!") {
        return None;
    }
    let fix = "begin with `//!`: what it holds, what it refuses to know, where its data comes from";
    Some(Complaint::error(&file.path, 1, "does not say what it is", fix))
}

/// What counts is what is not a test.
fn length(file: &SourceFile, lines: &[Line]) -> Option<Complaint> {
    if file.is_test() {
        return None;
    }
    let tests = lines.windows(2).position(|pair| {
        pair[0].code.trim() == "#[cfg(test)]" && pair[1].code.trim_start().starts_with("mod ")
    });
    let length = tests.unwrap_or(file.text.lines().count());
    let what = format!("{length} lines without its tests");
    let fix = "split it where its nouns part";
    if length > TOO_LONG {
        Some(Complaint::error(&file.path, 0, format!("{what}, more than {TOO_LONG}"), fix))
    } else {
        (length > LONG).then(|| Complaint::warning(&file.path, 0, format!("{what}, more than {LONG}"), fix))
    }
}

fn leftovers(file: &SourceFile, lines: &[Line]) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    for (number, line) in (1..).zip(lines) {
        let mut say =
            |what: &str, fix: &str| complaints.push(Complaint::error(&file.path, number, what, fix));
        if lexer::has_word(&line.comment, "FIXME") {
            say("FIXME", "mend it before it is merged");
        }
        if line.code.contains("todo!") {
            say("`todo!`", "write it, or answer with an error that says what is missing");
        }
        if line.code.contains("dbg!") {
            say("`dbg!`", "take it out; use `tracing` for what is worth keeping");
        }
        if lexer::has_word(&line.code, "unsafe") {
            say("`unsafe`", "find the safe wrapper; an exception needs an ADR and a line in this check");
        }
    }
    complaints
}

fn products(file: &SourceFile) -> Vec<Complaint> {
    if file.is_test() || !NAMELESS.iter().any(|root| file.path.starts_with(root)) {
        return Vec::new();
    }
    let mut complaints = Vec::new();
    for (number, line) in (1..).zip(file.text.lines()) {
        let names = lexer::names(line);
        let dotted = line.to_lowercase().contains("socket.io").then_some("socket.io");
        let product = PRODUCTS.into_iter().find(|p| names.iter().any(|n| n == p)).or(dotted);
        if let Some(product) = product {
            let what = format!("names a dialect of the product: `{product}`");
            let fix = "say it in the hub's own nouns, or move it to the dialect; crates from model to carrier know none";
            complaints.push(Complaint::error(&file.path, number, what, fix));
        }
    }
    complaints
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaints(path: &str, text: &str) -> Vec<String> {
        let file = SourceFile { path: path.to_owned(), text: text.to_owned() };
        check(&[file]).into_iter().map(|c| format!("{}: {}", c.line, c.what)).collect()
    }

    #[test]
    fn a_good_file_is_let_be() {
        let text = "//! What it is.\n\n/// Refuses to be `unsafe`.\nconst A: &str = \"todo! dbg! unsafe\";\n";
        assert_eq!(complaints("crates/hub/src/a.rs", text), Vec::<String>::new());
    }

    #[test]
    fn each_rule_is_heard() {
        let text = "fn a() { todo!() } // FIXME\nunsafe fn b() {}\n/// As in the Rooms protocol.\nfn c() { dbg!(1) }\n";
        let expected = [
            "0: `helpers` says nothing",
            "1: does not say what it is",
            "1: FIXME",
            "1: `todo!`",
            "2: `unsafe`",
            "4: `dbg!`",
            "3: names a dialect of the product: `rooms`",
        ];
        assert_eq!(complaints("crates/hub/helpers/a.rs", text), expected);
    }

    #[test]
    fn dialects_may_say_their_names_and_so_may_tests() {
        let text = "//! The rooms of socket.io.\n";
        assert_eq!(complaints("dialects/rooms/src/lib.rs", text), Vec::<String>::new());
        assert_eq!(complaints("crates/carrier/tests/a.rs", text), Vec::<String>::new());
        assert_eq!(complaints("crates/carrier/src/a.rs", text).len(), 1);
    }

    #[test]
    fn tests_do_not_lengthen_a_file() {
        let body = "fn a() {}\n".repeat(790);
        let tests = format!("#[cfg(test)]\nmod tests {{\n{}}}\n", "fn b() {}\n".repeat(100));
        assert_eq!(complaints("crates/hub/src/a.rs", &format!("//! A.\n{body}{tests}")).len(), 1);
        let long = complaints("crates/hub/src/a.rs", &format!("//! A.\n{body}{body}{tests}"));
        assert_eq!(long, ["0: 1581 lines without its tests, more than 800"]);
    }
}
