//! Whole folders of plays, for tests: each is performed, and all that fail are told of together.

use crate::bless;
use crate::perform::{self, Difference};
use crate::play::{Deed, Line, Play, Setting, Tongue};
use crate::settings;
use crate::stage::Stage;
use crate::stage::live::Live;
use crate::stage::rehearsal::Rehearsal;
use std::fmt::Write as _;
use std::io;
use std::net::ToSocketAddrs;
use std::path::{Path, PathBuf};

/// Set to a server's address, as in `127.0.0.1:6889`: live plays are performed there. The server must say what the
/// plays expect: run it with `CHAPPE__DIALECT__ROOMS__GREETING=false`.
pub const ADDRESS: &str = "CHAPPE_LIVE";
/// Set to anything: plays that differ from what happens are rewritten.
pub const BLESS: &str = "BLESS";
/// How many shards a node has in rehearsals: what happens must not depend on it.
const SHARDS: [u16; 2] = [1, 3];
/// What a server that runs already can be assumed to be set to.
const AGREED: (&str, &str) = ("rooms.greeting", "false");

/// Performs every play of a folder in memory. With `BLESS` set, rewrites those that fail.
///
/// # Panics
/// When a play fails, saying which, and where.
pub fn rehearse(folder: impl AsRef<Path>) {
    let blessing = std::env::var_os(BLESS).is_some();
    each(folder.as_ref(), |play| {
        let result = rehearse_one(play);
        match result {
            Err(_) if blessing => {
                rewrite(play)?;
                rehearse_one(&Play::read(&play.path).map_err(|m| m.to_string())?)
            }
            result => result,
        }
    });
}

/// Performs every play of a folder on sockets, and says which can only be rehearsed.
///
/// # Panics
/// When a play fails, saying which, and where.
pub fn perform_live(folder: impl AsRef<Path>) {
    each(folder.as_ref(), perform_one_live);
}

#[expect(clippy::panic, clippy::print_stdout, reason = "a test ends and talks so")]
fn each(folder: &Path, perform: impl Fn(&Play) -> Result<Option<String>, String>) {
    let mut failures = String::new();
    let mut performed = 0;
    let plays = files(folder);
    assert!(!plays.is_empty(), "{} holds no play", folder.display());
    for path in plays {
        let result = Play::read(&path).map_err(|m| m.to_string()).and_then(|play| perform(&play));
        match result {
            Ok(None) => performed += 1,
            Ok(Some(why)) => println!("{}: only rehearsed: {why}", path.display()),
            // Writing to a string cannot fail.
            Err(words) => write!(failures, "\n{words}\n").unwrap_or_default(),
        }
    }
    println!("{}: {performed} plays", folder.display());
    if !failures.is_empty() {
        panic!("{failures}");
    }
}

/// The plays of a folder, in the order of their names.
#[must_use]
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|e| e.path());
    let mut plays: Vec<_> = entries.filter(|p| p.extension().is_some_and(|e| e == "transcript")).collect();
    plays.sort();
    plays
}

fn rehearse_one(play: &Play) -> Result<Option<String>, String> {
    for shards in SHARDS {
        let mut stage = Rehearsal::of(play, shards).map_err(|m| m.to_string())?;
        perform::perform(play, &mut stage).map_err(|d| told(play, &stage, &d))?;
    }
    Ok(None)
}

fn perform_one_live(play: &Play) -> Result<Option<String>, String> {
    if let Some(why) = play.rehearsal_only() {
        return Ok(Some(why.to_owned()));
    }
    let config = settings::config(play).map_err(|m| m.to_string())?;
    let failed = |e: io::Error| format!("{}: the server: {e}", play.path.display());
    let mut stage = match std::env::var(ADDRESS) {
        Err(_) => Live::start(config).map_err(failed)?,
        Ok(address) => {
            if let Some(why) = other_server(play) {
                return Ok(Some(why));
            }
            let address = address.trim_start_matches("http://").trim_end_matches('/');
            let found = address.to_socket_addrs().map_err(failed)?.next();
            Live::join(found.ok_or_else(|| failed(io::ErrorKind::AddrNotAvailable.into()))?)
                .map_err(failed)?
        }
    };
    perform::perform(play, &mut stage).map_err(|d| told(play, &stage, &d))?;
    Ok(None)
}

/// Why a server that runs already, set as agreed, is not the one this play wants.
fn other_server(play: &Play) -> Option<String> {
    let is_agreed = |s: &Setting| (&*s.key, &*s.value) == AGREED;
    if let Some(other) = play.settings.iter().find(|s| !is_agreed(s)) {
        return Some(format!("the server that runs may not be set to {}", other.key));
    }
    let is_device =
        |l: &Line| matches!(l.deed, Deed::Enter { tongue: Tongue::Device | Tongue::DeviceUdp, .. });
    if play.lines.iter().any(is_device) {
        return Some("nobody knows where the server that runs has its devices".to_owned());
    }
    let greets = |l: &Line| matches!(l.deed, Deed::Enter { tongue: Tongue::Rooms, .. });
    let wants_greeting = play.lines.iter().any(greets) && !play.settings.iter().any(is_agreed);
    wants_greeting.then(|| "the server that runs greets nobody".to_owned())
}

fn rewrite(play: &Play) -> Result<(), String> {
    let mut stage = Rehearsal::of(play, 1).map_err(|m| m.to_string())?;
    let edits = perform::record(play, &mut stage).map_err(|d| told(play, &stage, &d))?;
    let text = bless::blessed(play, &edits);
    std::fs::write(&play.path, text).map_err(|e| format!("{}: cannot be written: {e}", play.path.display()))
}

/// A difference, for a person.
fn told(play: &Play, stage: &dyn Stage, difference: &Difference) -> String {
    let Difference { line, expected, heard } = difference;
    let source = play.source.get(line.saturating_sub(1)).map_or("", String::as_str);
    let (path, stage) = (play.path.display(), stage.name());
    format!("{path}:{line}: {source}\n    expected: {expected}\n    heard:    {heard}\n    ({stage})")
}
