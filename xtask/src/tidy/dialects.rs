//! The rules for a dialect's folder: it is complete, and its promises and transcripts answer each other.

use super::complaint::Complaint;
use super::tree::SourceFile;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

const MODULES: [&str; 5] = ["lib", "settings", "wire", "map", "talk"];

/// Where a promise is named: path and line.
type Places = BTreeMap<String, (String, usize)>;

pub(super) fn check(root: &Path, files: &[SourceFile]) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    let mut all = BTreeSet::new();
    for folder in folders(&root.join("dialects")) {
        let prefix = format!("dialects/{folder}/");
        let own: Vec<&SourceFile> = files.iter().filter(|f| f.path.starts_with(&prefix)).collect();
        complaints.extend(complete(&prefix, &own));
        let promised = promised(&own);
        all.extend(promised.keys().cloned());
        complaints.extend(answered(&promised, &cited(&own)));
        if !promised.is_empty() {
            complaints.extend(own.iter().flat_map(|file| invented(file, &promised)));
        }
    }
    let between: Vec<&SourceFile> = files.iter().filter(|f| f.path.starts_with("crossing/")).collect();
    let promised = promised(&between);
    let cited = cited(&between);
    let (ours, theirs): (Places, Places) = cited.into_iter().partition(|(id, _)| !all.contains(id));
    drop(theirs);
    complaints.extend(answered(&promised, &ours));
    complaints
}

fn complete(prefix: &str, own: &[&SourceFile]) -> Vec<Complaint> {
    let has = |path: &str| own.iter().any(|f| f.path == format!("{prefix}{path}"));
    let mut missing = Vec::new();
    if !has("SPEC.md") {
        missing.push("SPEC.md".to_owned());
    }
    for module in MODULES {
        if !has(&format!("src/{module}.rs")) && !has(&format!("src/{module}/mod.rs")) {
            missing.push(format!("src/{module}.rs"));
        }
    }
    if !own.iter().any(|f| is_transcript(f)) {
        missing.push("transcripts/*.transcript".to_owned());
    }
    let fix = "the folders of dialects are identical inside; house.md says what belongs into each file";
    missing.iter().map(|m| Complaint::error(&format!("{prefix}{m}"), 0, "is missing", fix)).collect()
}

/// Both ways: no promise without a play, no play without a promise.
fn answered(promised: &Places, cited: &Places) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    for (id, (path, line)) in promised.iter().filter(|(id, _)| !cited.contains_key(*id)) {
        let fix = format!("write one with `spec: {id}`, or take the promise back");
        complaints.push(Complaint::error(path, *line, format!("no transcript proves [{id}]"), fix));
    }
    for (id, (path, line)) in cited.iter().filter(|(id, _)| !promised.contains_key(*id)) {
        let fix = format!("promise it in SPEC.md as [{id}], or correct the `spec:` line");
        complaints.push(Complaint::error(path, *line, format!("{id} is promised nowhere"), fix));
    }
    complaints
}

/// Comments that point at a promise, `SPEC [SUB-3]`, point at one that is there.
fn invented(file: &SourceFile, promised: &Places) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    for (number, line) in (1..).zip(file.text.lines()).filter(|_| file.has_extension("rs")) {
        let Some((_, ids)) = line.split_once("SPEC [") else { continue };
        for id in ids.split([',', ' ', '[', ']']).filter(|id| is_id(id) && !promised.contains_key(*id)) {
            let fix = "correct the number, or promise it in SPEC.md";
            complaints.push(Complaint::error(&file.path, number, format!("{id} is promised nowhere"), fix));
        }
    }
    complaints
}

/// The promises of SPEC.md, each where it stands first.
fn promised(own: &[&SourceFile]) -> Places {
    let mut places = Places::new();
    for file in own.iter().filter(|f| f.path.ends_with("/SPEC.md")) {
        for (number, line) in (1..).zip(file.text.lines()) {
            for bracket in line.split('[').skip(1) {
                let Some((id, rest)) = bracket.split_once(']') else { continue };
                if is_id(id) && !rest.starts_with(['(', '[']) {
                    places.entry(id.to_owned()).or_insert((file.path.clone(), number));
                }
            }
        }
    }
    places
}

/// The promises that `spec:` lines name, each where it stands first.
fn cited(own: &[&SourceFile]) -> Places {
    let mut places = Places::new();
    for file in own.iter().filter(|f| is_transcript(f)) {
        for (number, line) in (1..).zip(file.text.lines()) {
            let Some(ids) = line.strip_prefix("spec:") else { continue };
            for id in ids.split([',', ' ']).filter(|id| is_id(id)) {
                places.entry(id.to_owned()).or_insert((file.path.clone(), number));
            }
        }
    }
    places
}

/// `SUB-3`: capitals and digits, a hyphen, a number.
fn is_id(text: &str) -> bool {
    text.split_once('-').is_some_and(|(word, number)| {
        word.starts_with(|c: char| c.is_ascii_uppercase())
            && word.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit())
            && !number.is_empty()
            && number.chars().all(|c| c.is_ascii_digit())
    })
}

fn is_transcript(file: &SourceFile) -> bool {
    file.has_extension("transcript")
}

fn folders(path: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(path)
        .into_iter()
        .flatten()
        .flatten()
        .filter(|e| e.path().is_dir())
        .map(|e| e.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, text: &str) -> SourceFile {
        SourceFile { path: path.to_owned(), text: text.to_owned() }
    }

    #[test]
    fn promises_and_transcripts_answer_each_other() {
        let spec =
            file("dialects/a/SPEC.md", "# A\n\n- [SUB-1] one\n- [SUB-2] two, see [RFC-1](x.md) and [x]\n");
        let play = file("dialects/a/transcripts/x.transcript", "# T\nspec: SUB-1, SUB-3\n");
        let own = [&spec, &play];
        let heard: Vec<String> =
            answered(&promised(&own), &cited(&own)).iter().map(Complaint::to_string).collect();
        let expected = [
            "dialects/a/SPEC.md:4: no transcript proves [SUB-2] — write one with `spec: SUB-2`, or take the promise back",
            "dialects/a/transcripts/x.transcript:2: SUB-3 is promised nowhere — promise it in SPEC.md as [SUB-3], or correct the `spec:` line",
        ];
        assert_eq!(heard, expected);
    }

    #[test]
    fn comments_point_at_promises_that_are_there() {
        let spec = file("dialects/a/SPEC.md", "# A\n\n- [SUB-1] one\n");
        let map = file("dialects/a/src/map.rs", "//! A.\n/// So. SPEC [SUB-1], [SUB-2].\n// UTF-8\n");
        let heard: Vec<String> = invented(&map, &promised(&[&spec]))
            .into_iter()
            .map(|c| format!("{}: {}", c.line, c.what))
            .collect();
        assert_eq!(heard, ["2: SUB-2 is promised nowhere"]);
    }

    #[test]
    fn folders_are_complete() {
        let spec = file("dialects/a/SPEC.md", "# A\n");
        let lib = file("dialects/a/src/lib.rs", "//! A.\n");
        let missing: Vec<String> =
            complete("dialects/a/", &[&spec, &lib]).into_iter().map(|c| c.path).collect();
        assert_eq!(missing.len(), 5);
        assert_eq!(missing[0], "dialects/a/src/settings.rs");
        assert_eq!(missing[4], "dialects/a/transcripts/*.transcript");
    }
}
