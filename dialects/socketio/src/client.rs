//! The client library's files, for pages to load from beside the sessions. SPEC [ENG-19].
//!
//! Holds bytes that somebody else has read. Refuses to know where they come from.

use dialect::{Request, Response, Turn};
use hmac_sha256::Hash;
use std::fmt;
use std::sync::Arc;

/// The files that there may be, as the library's package names them. The first is the library itself.
pub const FILES: [&str; 8] = [
    "socket.io.js",
    "socket.io.js.map",
    "socket.io.min.js",
    "socket.io.min.js.map",
    "socket.io.esm.min.js",
    "socket.io.esm.min.js.map",
    "socket.io.msgpack.min.js",
    "socket.io.msgpack.min.js.map",
];

/// Bytes of its content's digest in a tag: nobody is to be kept from making two alike.
const TAG: usize = 12;

/// Those files that are served; cheap to clone.
#[derive(Clone, Default)]
pub struct Client(Arc<[File]>);

struct File {
    name: &'static str,
    bytes: Vec<u8>,
    /// RFC 9110 §8.8.3, quotes and all.
    tag: String,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|file| file.name)).finish()
    }
}

impl Client {
    /// These files, by names of [`FILES`].
    #[must_use]
    pub fn new(files: impl IntoIterator<Item = (&'static str, Vec<u8>)>) -> Self {
        Self(files.into_iter().map(|(name, bytes)| File { name, tag: tag(&bytes), bytes }).collect())
    }

    fn file(&self, name: &str) -> Option<&File> {
        self.0.iter().find(|file| file.name == name)
    }

    /// Whether there is a file of this name.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.file(name).is_some()
    }

    /// Answers a request for the file of this name. `false`: there is none.
    pub fn answer(&self, name: &str, request: &Request<'_>, turn: &mut Turn) -> bool {
        let Some(file) = self.file(name) else { return false };
        if !matches!(request.method, "GET" | "HEAD") {
            turn.respond(Response::new(405, "text/plain").with("Allow", "GET, HEAD"), |_| {});
            return true;
        }
        let content = match file.name.ends_with(".map") {
            true => "application/json; charset=utf-8",
            false => "application/javascript; charset=utf-8",
        };
        let is_known = request.header("if-none-match").is_some_and(|known| knows(known, &file.tag));
        let (status, bytes) = if is_known { (304, &[][..]) } else { (200, &*file.bytes) };
        let response = Response::new(status, content)
            .with("Cache-Control", "public, max-age=0")
            .with("ETag", file.tag.clone());
        turn.respond(response, |out| out.extend_from_slice(bytes));
        true
    }
}

fn tag(bytes: &[u8]) -> String {
    let digits = Hash::hash(bytes).into_iter().take(TAG).map(|byte| format!("{byte:02x}"));
    format!("\"{}\"", digits.collect::<String>())
}

/// Whether one of these tags, weak or strong, is that one. RFC 9110 §13.1.2.
fn knows(known: &str, tag: &str) -> bool {
    known.split(',').map(str::trim).any(|one| one == "*" || one.strip_prefix("W/").unwrap_or(one) == tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_known_by_what_is_in_it() {
        let (one, other) = (tag(b"one"), tag(b"other"));
        assert!(one != other && one == tag(b"one") && one.len() == 2 + 2 * TAG);
        for known in [one.clone(), format!("W/{one}"), format!("{other}, W/{one}"), "*".to_owned()] {
            assert!(knows(&known, &one), "{known}");
        }
        for unknown in [other.clone(), String::new(), one.trim_matches('"').to_owned()] {
            assert!(!knows(&unknown, &one), "{unknown}");
        }
    }
}
