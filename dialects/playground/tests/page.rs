//! The page that goes out is the one its policy names, needs nothing from elsewhere, and is asked for by nobody else.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use dialect::{Dialect, Header, Request};
use playground_dialect::{Playground, wire};

/// What stands between the first `start` and the `end` that follows it; nothing when they are not there.
fn between<'a>(text: &'a str, start: &str, end: &str) -> &'a str {
    let inner = text.split_once(start).and_then(|(_, rest)| rest.split_once(end));
    inner.map_or("", |(inner, _)| inner)
}

fn page() -> String {
    wire::page(&[("one", "say chat </script><script>alert(1)".into()), ("two", "say \"chat\"".into())])
}

fn hash(text: &str) -> String {
    STANDARD.encode(hmac_sha256::Hash::hash(text.as_bytes()))
}

#[test]
fn the_policy_names_the_hashes_of_what_is_in_the_page() {
    let page = page();
    let style = hash(between(&page, "<style>", "</style>"));
    let script = hash(between(&page, "<script type=\"module\">", "</script>"));
    let now = (wire::STYLE_HASH, wire::SCRIPT_HASH);
    assert_eq!(now, (style.as_str(), script.as_str()), "put the right ones into src/wire.rs");
    let policy = wire::policy();
    assert!(policy.contains(&format!("style-src 'sha256-{style}';")), "{policy}");
    assert!(policy.contains(&format!("script-src 'sha256-{script}';")), "{policy}");
    assert!(policy.starts_with("default-src 'none';") && !policy.contains("unsafe"), "{policy}");
}

#[test]
fn lines_cannot_leave_their_place() {
    let page = page();
    assert_eq!(page.matches("<script").count(), 2);
    assert_eq!(page.matches("</script").count(), 2);
    let data = between(&page, "id=\"paste-lines\">", "</script>");
    let told: serde_json::Value = serde_json::from_str(data).unwrap();
    assert_eq!(told["address"], wire::ADDRESS);
    assert_eq!(told["lines"][0][1], "say chat </script><script>alert(1)");
    assert_eq!(told["lines"][1][0], "two");
}

#[test]
fn the_page_is_whole() {
    let page = page();
    assert!(!page.contains("<!-- "), "a part was not put in");
    // Attributes the policy would silence, resources from elsewhere, and ways to write markup.
    for bad in
        [" style=", " onclick=", " onload=", "src=", "@import", "url(", "innerHTML", "insertAdjacentHTML"]
    {
        assert!(!page.contains(bad), "the page has `{bad}`");
    }
    for bad in ["localStorage", "sessionStorage", "document.cookie", "indexedDB"] {
        assert!(!page.contains(bad), "the page keeps something in {bad}");
    }
}

#[test]
fn nothing_but_the_root_is_claimed() {
    let playground = Playground::new(&[]);
    let claims = |method, path, headers: &[Header<'_>], wants_websocket| {
        playground.claims(&Request { method, path, query: "", headers, body: b"", wants_websocket })
    };
    assert!(claims("GET", "/", &[], false) && claims("HEAD", "/", &[], false));
    assert!(!claims("POST", "/", &[], false) && !claims("DELETE", "/", &[], false));
    assert!(!claims("GET", "/index.html", &[], false) && !claims("GET", "//", &[], false));
    assert!(!claims("GET", "/", &[], true));
    let half = [Header { name: "upgrade", value: b"h2c, WebSocket" }];
    assert!(!claims("GET", "/", &half, false), "a WebSocket that lacks a header is not answered with a page");
}
