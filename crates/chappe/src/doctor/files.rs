//! Files that hold secrets: whether others on this machine can read them. That they can be read by the server is a
//! matter of the configuration.

use super::finding::Finding;
use server::config::Config;
use std::fs;
use std::path::Path;

/// What was found about the files that the configuration names, and about itself where it holds a secret.
pub(super) fn findings(file: Option<&Path>, written: &Config) -> Vec<Finding> {
    let tokens = written.auth.token.iter();
    let inline = written.admin.token.is_some() || tokens.clone().any(|t| t.token.is_some());
    let configuration = file.filter(|_| inline).map(|f| ("configuration file", f));
    let tokens = tokens.filter_map(|t| t.token_file.as_deref());
    let tokens = tokens.chain(written.admin.token_file.as_deref()).map(|f| ("token file", f));
    let keys = written.listener.iter().flat_map(|l| &l.tls).map(|t| ("private key", t.key.as_path()));
    let mut all: Vec<Finding> = Vec::new();
    for (what, file) in configuration.into_iter().chain(tokens).chain(keys) {
        // One that cannot be read has been named already.
        let Some(mode) = mode(file) else { continue };
        let finding = judge(what, file, mode);
        if !all.contains(&finding) {
            all.push(finding);
        }
    }
    all
}

#[cfg(unix)]
fn mode(file: &Path) -> Option<u32> {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(file).ok().map(|m| m.permissions().mode() & 0o777)
}

#[cfg(not(unix))]
fn mode(_: &Path) -> Option<u32> {
    None
}

/// A file with a secret, and its mode.
pub(super) fn judge(what: &str, file: &Path, mode: u32) -> Finding {
    let item = format!("{what} {}", file.file_name().unwrap_or_default().to_string_lossy());
    let mend = format!("chmod o= {}", file.display());
    if mode & 0o006 != 0 {
        let says =
            format!("its mode is {mode:03o}: everybody on this machine can read the secret or change it");
        return Finding::bad(item, says).mend(mend);
    }
    if mode & 0o020 != 0 {
        let says = format!("its mode is {mode:03o}: its group can change the secret");
        return Finding::better(item, says).mend(format!("chmod g-w {}", file.display()));
    }
    Finding::good(item, format!("its mode is {mode:03o}"))
}
