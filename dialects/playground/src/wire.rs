//! The page as it goes out: three files put together, and the policy that names their hashes.
//!
//! Knows neither requests nor settings.

use dialect::json;

/// The address that lines are written for; the page puts in its place the one that the browser used.
pub const ADDRESS: &str = "chappe.example:6889";
/// The channel that lines speak to; the page puts in its place the one that the person names.
pub const CHANNEL: &str = "chat";

/// The style sheet.
pub const STYLE: &str = include_str!("../page/page.css");
/// The script.
pub const SCRIPT: &str = include_str!("../page/page.js");
const FRAME: &str = include_str!("../page/page.html");

/// SHA-256 of [`STYLE`] in base64; a test says what it must be.
pub const STYLE_HASH: &str = "gta40jbDhqespTMuzlvPxmu6/ENXCLL7Q3YOdnl+8Xo=";
/// SHA-256 of [`SCRIPT`] in base64; a test says what it must be.
pub const SCRIPT_HASH: &str = "mT54rGy2WMIQIbL3Q0Ux4r0l0WcnJZiwwsTIBfOM5gU=";

/// The Content-Security-Policy: this style, this script, this server, and nothing else. The icon is a `data:` URL.
#[must_use]
pub fn policy() -> String {
    format!(
        "default-src 'none'; script-src 'sha256-{SCRIPT_HASH}'; style-src 'sha256-{STYLE_HASH}'; \
         connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
}

/// The page with these lines, each the name of a dialect and what can be pasted to try it.
#[must_use]
pub fn page(lines: &[(&'static str, String)]) -> String {
    FRAME.replacen("<!-- page.css -->", STYLE, 1).replacen("<!-- lines -->", &data(lines), 1).replacen(
        "<!-- page.js -->",
        SCRIPT,
        1,
    )
}

/// What the script reads, as JSON in which no `<` could end the element around it.
fn data(lines: &[(&'static str, String)]) -> String {
    let mut out = b"{\"address\":".to_vec();
    json::string(ADDRESS, &mut out);
    out.extend_from_slice(b",\"channel\":");
    json::string(CHANNEL, &mut out);
    out.extend_from_slice(b",\"lines\":[");
    for (i, (name, line)) in lines.iter().enumerate() {
        out.extend_from_slice(if i > 0 { b",[" } else { b"[" });
        json::string(name, &mut out);
        out.push(b',');
        json::string(line, &mut out);
        out.push(b']');
    }
    out.extend_from_slice(b"]}");
    String::from_utf8_lossy(&out).replace('<', "\\u003c")
}
