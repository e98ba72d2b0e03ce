//! Which requests are this dialect's.

use dialect::{Dialect, Request};
use watchtower_dialect::{Settings, Watchtower};

#[test]
fn what_wants_a_websocket_is_somebody_elses() {
    let watchtower = Watchtower::new(Settings::default(), [0; 32]);
    let claims = |path, wants_websocket| {
        let request = Request { method: "GET", path, query: "", headers: &[], body: b"", wants_websocket };
        watchtower.claims(&request)
    };
    for path in ["/register", "/unregister", "/channels", "/channels/", "/channels/x", "/broadcast", "/send"]
    {
        assert!(claims(path, false) && !claims(path, true), "{path}");
    }
    for path in ["/", "/c/5", "/registers", "/register/", "/channel", "/broadcast/5", "/Send"] {
        assert!(!claims(path, false), "{path}");
    }
}
