//! What `[dialect.socketio]` must not say, and the files that it names.

use super::{Problem, Problems};
use socketio_dialect::client::FILES;
use socketio_dialect::settings::is_cookie_name;
use socketio_dialect::{Client, Settings};
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// Bytes of a file of the client library: several times what there is in any that was published.
const LONGEST: usize = 2 << 20;
/// Bytes of a response beside its body.
const HEAD: usize = 1 << 10;

/// The files of the client library. `room`: bytes that may wait for a reader.
pub(super) fn client(written: &Settings, room: usize, problems: &mut Problems) -> Client {
    if let Some(name) = written.cookie.as_deref().filter(|name| !is_cookie_name(name)) {
        let what = format!("`{}` is no name for a cookie", name.escape_default());
        let fix = "write letters, digits, `-` and `_`, 64 at most, as in \"io\"; or leave it out for none";
        problems.push(Problem::new("dialect.socketio.cookie", what, fix));
    }
    let Some(folder) = written.client.as_deref() else { return Client::default() };
    let longest = LONGEST.min(room.saturating_sub(HEAD));
    let mut files = Vec::new();
    for (number, name) in FILES.into_iter().enumerate() {
        let file = folder.join(name);
        let what = match read(&file, longest) {
            Ok(bytes) if bytes.len() <= longest => {
                files.push((name, bytes));
                continue;
            }
            Ok(_) => format!("{} is longer than {longest} bytes", file.display()),
            // Packages of some generations have fewer; the library itself is in all of them.
            Err(e) if e.kind() == io::ErrorKind::NotFound && number > 0 => continue,
            Err(e) => format!("cannot read {}: {e}", file.display()),
        };
        let fix =
            "name the folder `client-dist` of the npm package `socket.io`, or `dist` of `socket.io-client`";
        problems.push(Problem::new("dialect.socketio.client", what, fix).about(&["limits.pending_bytes"]));
        return Client::default();
    }
    Client::new(files)
}

/// What is in a file, up to one byte more than it may have.
fn read(file: &Path, longest: usize) -> io::Result<Vec<u8>> {
    // Whatever is no file might never end, or never begin.
    if !std::fs::metadata(file)?.is_file() {
        return Err(io::Error::other("it is no file"));
    }
    let mut bytes = Vec::new();
    let most = u64::try_from(longest).unwrap_or(u64::MAX).saturating_add(1);
    File::open(file)?.take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use crate::Settings;
    use std::path::PathBuf;

    fn words(text: &str) -> String {
        let config = toml::from_str(&format!("[dialect.socketio]\n{text}\n")).unwrap();
        Settings::resolve(&config).err().map(|p| p.to_string()).unwrap_or_default()
    }

    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("chappe-client-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        folder
    }

    #[test]
    fn a_cookie_has_a_name_that_can_be_one() {
        let long = "c".repeat(65);
        for wrong in ["", "a b", "a;b", "a=b", "\u{e9}", "a\\r\\nX: y", &long] {
            let found = words(&format!("cookie = \"{wrong}\""));
            assert!(
                found.contains("dialect.socketio.cookie: `") && found.contains("as in \"io\""),
                "{found}"
            );
            assert!(!found.contains('\r'), "{found:?}");
        }
        for right in ["io", "__Host-sid", "a.b~c", &long[1..]] {
            assert_eq!(words(&format!("cookie = '{right}'")), "");
        }
    }

    #[test]
    fn the_clients_files_are_read_at_once_and_those_that_cannot_be_are_named() {
        let folder = folder("files");
        let key = format!("client = '{}'", folder.display());
        let found = words(&key);
        assert!(
            found.contains("dialect.socketio.client: cannot read") && found.contains("client-dist"),
            "{found}"
        );
        std::fs::create_dir(folder.join("socket.io.js")).unwrap();
        assert!(words(&key).contains("socket.io.js: it is no file"));
        std::fs::remove_dir(folder.join("socket.io.js")).unwrap();
        std::fs::write(folder.join("socket.io.js"), "library").unwrap();
        std::fs::write(folder.join("socket.io.esm.min.js"), "module").unwrap();
        let config = toml::from_str(&format!("[dialect.socketio]\n{key}\n")).unwrap();
        let client = Settings::resolve(&config).map_err(|p| p.to_string()).unwrap().client;
        let there = ["socket.io.js", "socket.io.esm.min.js", "socket.io.min.js"].map(|name| client.has(name));
        assert_eq!(there, [true, true, false]);
        std::fs::write(folder.join("socket.io.js.map"), vec![b' '; (2 << 20) + 1]).unwrap();
        assert!(words(&key).contains("socket.io.js.map is longer than 2097152 bytes"), "{}", words(&key));
        std::fs::remove_dir_all(folder).unwrap();
    }
}
