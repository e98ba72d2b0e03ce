//! The corpus, and inputs that differ from it a little, through every oracle.

#![allow(clippy::unwrap_used, reason = "a test that cannot read its corpus has failed")]

use fuzz::{TARGETS, Target};
use proptest::collection::vec;
use proptest::prelude::{Strategy, any, prop_oneof};
use proptest::sample::{Index, select};
use proptest::test_runner::{Config, TestRunner};
use std::path::{Path, PathBuf};
use std::{env, fs};

/// Inputs that are made of each target's corpus, when `PROPTEST_CASES` does not ask for more. Which ones follows from
/// `PROPTEST_RNG_SEED`: the project's test command gives it, so that a commit passes or fails by what it holds.
const MUTATED: u32 = 3000;

/// The files of a target's corpus, by name.
fn corpus(target: &Target) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target.name);
    let mut files: Vec<_> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_file())
        .collect();
    files.sort();
    files.into_iter().map(|path| (path.clone(), fs::read(path).unwrap())).collect()
}

/// A change to an input.
#[derive(Clone, Debug)]
enum Edit {
    Byte(Index, u8),
    Insert(Index, Vec<u8>),
    Remove(Index, Index),
    /// What stands there once more.
    Repeat(Index, Index, usize),
    /// The end of another input instead of its own.
    Cross(Index, Vec<u8>),
}

impl Edit {
    fn apply(&self, input: &mut Vec<u8>) {
        let at = |index: &Index, input: &[u8]| index.index(input.len() + 1);
        let stretch = |a: &Index, b: &Index, input: &[u8]| {
            let (a, b) = (at(a, input), at(b, input));
            a.min(b)..a.max(b)
        };
        match self {
            Self::Byte(index, byte) => {
                if !input.is_empty() {
                    let place = index.index(input.len());
                    input[place] = *byte;
                }
            }
            Self::Insert(index, bytes) => {
                let place = at(index, input);
                input.splice(place..place, bytes.iter().copied());
            }
            Self::Remove(a, b) => drop(input.drain(stretch(a, b, input))),
            Self::Repeat(a, b, times) => {
                let stretch = stretch(a, b, input);
                let more = input[stretch.clone()].repeat(*times);
                input.splice(stretch.end..stretch.end, more);
            }
            Self::Cross(index, other) => {
                input.truncate(at(index, input));
                input.extend_from_slice(&other[at(index, other)..]);
            }
        }
    }
}

/// Inputs that a stranger could have made of one of these.
fn near(corpus: Vec<Vec<u8>>, words: &'static [&'static str]) -> impl Strategy<Value = Vec<u8>> {
    let other = select(corpus.clone());
    let word = select(words).prop_map(|word| word.as_bytes().to_vec());
    let edit = prop_oneof![
        (any::<Index>(), any::<u8>()).prop_map(|(i, b)| Edit::Byte(i, b)),
        (any::<Index>(), word).prop_map(|(i, w)| Edit::Insert(i, w)),
        (any::<Index>(), vec(any::<u8>(), 1..4)).prop_map(|(i, b)| Edit::Insert(i, b)),
        (any::<Index>(), any::<Index>()).prop_map(|(a, b)| Edit::Remove(a, b)),
        (any::<Index>(), any::<Index>(), 1..40_usize).prop_map(|(a, b, n)| Edit::Repeat(a, b, n)),
        (any::<Index>(), other).prop_map(|(i, o)| Edit::Cross(i, o)),
    ];
    (select(corpus), vec(edit, 0..6)).prop_map(|(mut input, edits)| {
        edits.iter().for_each(|edit| edit.apply(&mut input));
        input
    })
}

#[test]
fn the_corpus_holds() {
    for target in &TARGETS {
        let files = corpus(target);
        assert!(files.len() > 9, "{} has a corpus", target.name);
        for (path, input) in files {
            // Said only when it fails.
            println!("{}", path.display());
            (target.check)(&input);
        }
    }
}

#[test]
fn what_is_near_the_corpus_holds() {
    for target in &TARGETS {
        let inputs = corpus(target).into_iter().map(|(_, input)| input).collect();
        let cases = if env::var_os("PROPTEST_CASES").is_some() { Config::default().cases } else { MUTATED };
        let config = Config { cases, failure_persistence: None, ..Config::default() };
        let mut runner = TestRunner::new(config);
        let result = runner.run(&near(inputs, target.words), |input| {
            (target.check)(&input);
            Ok(())
        });
        assert!(result.is_ok(), "{}: {}", target.name, result.unwrap_err());
    }
}
