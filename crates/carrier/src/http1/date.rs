//! The `Date` of responses (RFC 9110 §6.6.1): written anew when a second has passed and somebody is answered.

use model::Now;
use std::time::{Duration, UNIX_EPOCH};

/// What the clock last said, as a header line says it.
#[derive(Debug, Default)]
pub struct Date {
    second: Option<u64>,
    text: String,
}

impl Date {
    /// The header line of this moment.
    pub fn line(&mut self, now: Now) -> (&'static str, &str) {
        let second = now.wall_ms / 1000;
        if self.second.replace(second) != Some(second) {
            self.text = httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(second));
        }
        ("Date", &self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_follows_the_clock() {
        let mut date = Date::default();
        let mut at = |wall_ms| date.line(Now { wall_ms, ..Now::default() }).1.to_owned();
        assert_eq!(at(784_111_777_000), "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(at(784_111_777_999), "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(at(784_111_778_000), "Sun, 06 Nov 1994 08:49:38 GMT");
    }
}
