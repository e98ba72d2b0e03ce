//! Which requests are for the page, and what is answered to them.

use crate::wire;
use dialect::{Request, Response};

/// Whether the request asks for the page. One that tries to become a WebSocket does not, well-formed or not: a
/// page would tell its sender nothing. SPEC [URL-1], [URL-2].
#[must_use]
pub fn is_ours(request: &Request<'_>) -> bool {
    request.path == "/"
        && matches!(request.method, "GET" | "HEAD")
        && !request.wants_websocket
        && !request.header("upgrade").is_some_and(|v| v.to_ascii_lowercase().contains("websocket"))
}

/// The head of the answer. SPEC [SAFE-1], [SAFE-2].
#[must_use]
pub fn head() -> Response {
    Response::new(200, "text/html; charset=utf-8")
        .with("Content-Security-Policy", wire::policy())
        .with("X-Content-Type-Options", "nosniff")
        .with("Referrer-Policy", "no-referrer")
        .with("Cross-Origin-Opener-Policy", "same-origin")
        .with("Cache-Control", "no-cache")
}
