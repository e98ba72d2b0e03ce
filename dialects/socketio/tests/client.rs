//! The client library's files, asked for as browsers do.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails so, in its helpers too")]

mod common;

use common::opening;
use dialect::{Dialect, Effect, Frame, Header, Request, Turn};
use socketio_dialect::{Client, Settings, SocketIo};

/// A server with two files of the library.
fn server() -> SocketIo {
    let files = [("socket.io.js", b"library".to_vec()), ("socket.io.min.js.map", b"{}".to_vec())];
    SocketIo::new(&Settings::default(), Client::new(files), [7; 32])
}

fn request<'a>(method: &'a str, path: &'a str, headers: &'a [Header<'a>]) -> Request<'a> {
    Request { method, path, query: "", headers, body: b"", wants_websocket: false }
}

/// Status, headers, body.
fn ask(request: Request<'_>) -> (u16, Vec<String>, String) {
    let server = server();
    assert!(server.claims(&request));
    let (mut talk, mut turn) = (server.converse(&opening()), Turn::default());
    talk.on_frame(Frame::Request(request), &mut turn);
    let (effects, words) = turn.take();
    let mut effects: Vec<_> = effects.collect();
    let Some(Effect::Respond { response, body, .. }) = effects.pop() else { panic!("no answer") };
    assert!(effects.is_empty(), "{effects:?}");
    let headers = response.headers.iter().map(|(name, value)| format!("{name}: {value}")).collect();
    (response.status, headers, words.text(body).to_owned())
}

#[test]
fn the_library_is_served_beside_the_sessions() {
    let (status, headers, body) = ask(request("GET", "/socket.io/socket.io.js", &[]));
    assert_eq!((status, body.as_str()), (200, "library"));
    assert_eq!(
        headers[..2],
        ["Content-Type: application/javascript; charset=utf-8", "Cache-Control: public, max-age=0"]
    );
    let tag = headers[2].strip_prefix("ETag: ").unwrap();
    let (status, headers, _) = ask(request("HEAD", "/socket.io/socket.io.min.js.map", &[]));
    assert_eq!((status, headers[0].as_str()), (200, "Content-Type: application/json; charset=utf-8"));

    // Who has it already is not sent it again.
    let weak = format!("W/{tag}");
    for (known, status) in [(tag, 304), (weak.as_str(), 304), ("\"4.8.4\"", 200)] {
        let headers = [Header { name: "If-None-Match", value: known.as_bytes() }];
        let (found, told, body) = ask(request("GET", "/socket.io/socket.io.js", &headers));
        assert_eq!((found, body.is_empty()), (status, status == 304), "{known}");
        assert!(told.contains(&format!("ETag: {tag}")), "{told:?}");
    }
    let (status, headers, _) = ask(request("POST", "/socket.io/socket.io.js", &[]));
    assert!(status == 405 && headers.contains(&"Allow: GET, HEAD".to_owned()));
}

#[test]
fn nothing_else_is() {
    for path in [
        "/socket.io/socket.io.min.js",
        "/socket.io/socket.io.js/",
        "/socket.io/../socket.io.js",
        "/socket.io/%73ocket.io.js",
        "/socket.iosocket.io.js",
        "/socket.io.js",
    ] {
        assert!(!server().claims(&request("GET", path, &[])), "{path}");
    }
    let none = SocketIo::new(&Settings::default(), Client::default(), [7; 32]);
    assert!(!none.claims(&request("GET", "/socket.io/socket.io.js", &[])));
}
