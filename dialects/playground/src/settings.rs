//! The section `dialect.playground` of the configuration: whether there is a page at all.

use serde::Deserialize;

/// Whether the page is handed out.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// `None`: where only this machine can reach the server.
    pub enabled: Option<bool>,
}
