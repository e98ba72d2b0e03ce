//! The head of an HTTP response, gathered until it is whole.

use super::Ear;
use std::io::{self, ErrorKind};

/// Where the head of a response ends.
const END: &[u8] = b"\r\n\r\n";

/// A head that is not all there.
#[derive(Default)]
pub(super) struct Head(Vec<u8>);

impl Head {
    /// Adds bytes. The head once it is whole, and what came behind it; an error when its status is another.
    pub(super) fn take(
        &mut self,
        bytes: &[u8],
        status: &str,
        ear: &mut Ear,
    ) -> io::Result<Option<(Vec<u8>, Vec<u8>)>> {
        self.0.extend_from_slice(bytes);
        let Some(end) = self.0.windows(END.len()).position(|w| w == END) else { return Ok(None) };
        let mut head = std::mem::take(&mut self.0);
        let rest = head.split_off(end + END.len());
        if head.strip_prefix(b"HTTP/1.1 ").is_some_and(|line| line.starts_with(status.as_bytes())) {
            return Ok(Some((head, rest)));
        }
        let head = String::from_utf8_lossy(&head);
        let line = head.lines().next().unwrap_or_default();
        let words = format!("{line} {}", String::from_utf8_lossy(&rest));
        Err(ear.complain(words, ErrorKind::ConnectionRefused))
    }
}
