//! Who may do what: tokens, their secrets and grants, and those who show none.

use super::{Problem, Problems, places};
use crate::config;
use model::{Grant, Principal};
use node::Token;
use std::path::Path;
use std::sync::Arc;

const GRANT: &str = "write it as `READ chat.*`, `WRITE **` or `MANAGE news.*`";

/// What those may do who show no token; `None`: they are refused.
pub(super) fn anonymous(
    written: Option<&config::Anonymous>,
    authenticates: bool,
    problems: &mut Problems,
) -> Option<Vec<Grant>> {
    match written {
        Some(anonymous) => Some(grants(&anonymous.grants, "anonymous", problems)),
        None if authenticates => None,
        None => Some(grants(&["READ **", "WRITE **"].map(String::from), "anonymous", problems)),
    }
}

pub(super) fn grants(written: &[String], path: &str, problems: &mut Problems) -> Vec<Grant> {
    let mut all = Vec::new();
    for (number, text) in written.iter().enumerate() {
        match Grant::parse(text) {
            Ok(grant) => all.push(grant),
            Err(what) => problems.push(Problem::new(format!("{path}.grants.{number}"), what, GRANT)),
        }
    }
    all
}

/// Tokens. Those that are wrong have been said, and are left out.
pub(super) fn tokens(written: &[config::Token], problems: &mut Problems) -> Vec<Token> {
    let mut all: Vec<Token> = Vec::new();
    for (number, written) in written.iter().enumerate() {
        let path = format!("auth.token.{number}");
        let name = &written.name;
        let known = problems.len();
        let secret =
            secret((&path, "token"), written.token.as_ref(), written.token_file.as_deref(), problems);
        if secret.is_none() && problems.len() == known {
            let what = format!("`{name}` has no secret: `token` or `token_file` is missing");
            problems.push(Problem::new(path.clone(), what, "add `token_file = \"/etc/chappe/NAME.token\"`"));
        }
        let vhost = places::vhost(written.vhost.as_deref(), &path, problems);
        let grants = grants(&written.grants, &path, problems);
        let Some(secret) = secret else { continue };
        if let Some(other) = all.iter().find(|t| *t.secret == secret && t.vhost == vhost) {
            let other = other.principal.role.name.as_deref().unwrap_or_default();
            let what = format!("`{name}` has the same secret as `{other}`: nobody could tell them apart");
            problems.push(Problem::new(path.clone(), what, "give each a secret of its own"));
        }
        let principal = Arc::new(Principal::named(name.as_str(), grants));
        all.push(Token { secret: secret.into(), vhost, principal });
    }
    all
}

/// A secret that is written in a section under a key, or stands on the first line of the file that `<key>_file` names.
/// `None`: there is none, or it is wrong, which has been said.
pub(super) fn secret(
    (path, key): (&str, &str),
    written: Option<&config::Secret>,
    file: Option<&Path>,
    problems: &mut Problems,
) -> Option<String> {
    let of_file = format!("{key}_file");
    let (at, secret) = match (written, file) {
        (None, None) => return None,
        (Some(secret), None) => (key, Ok(secret.reveal().to_owned())),
        (None, Some(file)) => (of_file.as_str(), first_line(file)),
        (Some(_), Some(_)) => {
            let what = format!("there is a `{key}` and a `{of_file}`");
            problems.push(Problem::new(format!("{path}.{of_file}"), what, "say one of the two"));
            return None;
        }
    };
    let (what, fix) = match (secret, file) {
        (Ok(secret), _) if !secret.is_empty() => return Some(secret),
        (Ok(_), None) => (format!("the {key} is empty"), "write a long one that nobody can guess"),
        (Ok(_), Some(file)) => {
            (format!("the first line of {} is empty", file.display()), "write the secret there")
        }
        (Err(e), file) => {
            let file = file.unwrap_or(Path::new(""));
            (format!("cannot read {}: {e}", file.display()), "name a file that this user may read")
        }
    };
    problems.push(Problem::new(format!("{path}.{at}"), what, fix));
    None
}

fn first_line(file: &Path) -> std::io::Result<String> {
    Ok(std::fs::read_to_string(file)?.lines().next().unwrap_or_default().trim().to_owned())
}
