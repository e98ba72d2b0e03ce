//! The page of metrics is what the program serves. `cargo xtask bless` writes it anew.

use std::path::Path;

#[test]
fn the_page_lists_what_is_served() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/metrics.md");
    let page = admin::names::page();
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(written, page, "docs/metrics.md is not what is served: run `cargo xtask bless`");
}
