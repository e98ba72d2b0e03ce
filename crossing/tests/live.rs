//! Every play there is, on sockets: against a server started here, or the one whose address `CHAPPE_LIVE` names.

/// A folder of the workspace.
macro_rules! folder {
    ($path:literal) => {
        concat!(env!("CARGO_MANIFEST_DIR"), "/../", $path, "/transcripts")
    };
}

#[test]
fn crossing() {
    transcript::perform_live(folder!("crossing"));
}

#[test]
fn rooms() {
    transcript::perform_live(folder!("dialects/rooms"));
}

#[test]
fn watchtower() {
    transcript::perform_live(folder!("dialects/watchtower"));
}

#[test]
fn http() {
    transcript::perform_live(folder!("dialects/http"));
}

#[test]
fn socketio() {
    transcript::perform_live(folder!("dialects/socketio"));
}
