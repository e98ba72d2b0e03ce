//! The HTTP half on the wire: paths, the JSON of requests and answers, errors. Knows no channel names.

/// Whether a path is this dialect's. SPEC [URL-1].
#[must_use]
pub fn is_ours(path: &str) -> bool {
    matches!(path, "/register" | "/unregister" | "/channels" | "/broadcast" | "/send")
        || path.starts_with("/channels/")
}
