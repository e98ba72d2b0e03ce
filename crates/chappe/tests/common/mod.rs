//! The built binary, run in a folder of its own.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "this is a test")]

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

/// A folder that is gone afterwards.
pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    pub(crate) fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("chappe-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(self.0.join(name), text).unwrap();
    }

    /// The program, about to be run there with these arguments.
    pub(crate) fn command(&self, words: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_chappe"));
        // The tests' own environment is none of theirs.
        for (name, _) in std::env::vars_os().filter(|(k, _)| k.to_string_lossy().starts_with("CHAPPE")) {
            command.env_remove(name);
        }
        command.args(words.split_whitespace()).current_dir(&self.0);
        command
    }

    pub(crate) fn chappe(&self, words: &str, variables: &[(&str, &str)]) -> Output {
        self.command(words).envs(variables.iter().copied()).output().unwrap()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}
