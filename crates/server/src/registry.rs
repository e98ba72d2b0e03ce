//! The registry: every dialect there is, in the order in which they are asked whether a request is theirs.
//!
//! One of the three lists that a new dialect touches.

use crate::config::Dialects;
use dialect::Dialect;

/// The dialects, as configured. The last ones claim what nobody else has claimed.
#[must_use]
pub fn dialects(settings: &Dialects) -> Vec<Box<dyn Dialect>> {
    vec![
        Box::new(http_dialect::Http::new(settings.http)),
        Box::new(rooms_dialect::Rooms::new(settings.rooms)),
    ]
}
