//! The files of the workspace that people write. Not asked of git: a tarball has none.

use std::fs;
use std::path::Path;

/// Folders that hold what machines wrote.
const SKIPPED: [&str; 7] = ["target", ".git", ".tools", ".venv", "node_modules", "__pycache__", "corpus"];

pub(super) struct SourceFile {
    /// From the root of the workspace, with `/` between the parts.
    pub(super) path: String,
    /// Empty for what is neither Rust, Markdown, TOML nor a transcript.
    pub(super) text: String,
}

impl SourceFile {
    pub(super) fn parts(&self) -> impl Iterator<Item = &str> {
        self.path.split('/')
    }

    /// Under a folder of tests, or a file of nothing else.
    pub(super) fn is_test(&self) -> bool {
        self.parts().any(|part| part == "tests" || part == "tests.rs")
    }

    pub(super) fn has_extension(&self, extension: &str) -> bool {
        Path::new(&self.path).extension().is_some_and(|e| e == extension)
    }
}

/// All of them, in order of their paths.
pub(super) fn files(root: &Path) -> Vec<SourceFile> {
    let mut found = Vec::new();
    walk(root, "", &mut found);
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

fn walk(folder: &Path, prefix: &str, found: &mut Vec<SourceFile>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = if prefix.is_empty() { name.clone() } else { format!("{prefix}/{name}") };
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => {
                if !SKIPPED.contains(&name.as_str()) {
                    walk(&entry.path(), &path, found);
                }
            }
            Ok(kind) if kind.is_file() => {
                let mut file = SourceFile { path, text: String::new() };
                if ["rs", "md", "toml", "transcript"].iter().any(|e| file.has_extension(e)) {
                    file.text = fs::read_to_string(entry.path()).unwrap_or_default();
                }
                found.push(file);
            }
            Ok(_) | Err(_) => {}
        }
    }
}
