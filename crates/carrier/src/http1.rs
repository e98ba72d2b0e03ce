//! HTTP/1.1 requests out of bytes, strictly: whatever two readers could understand differently is refused.
//!
//! Holds the decoder, and below it heads, targets, chunked bodies and the writing of responses (RFC 9110,
//! 9112). Refuses to know sockets, clocks, and what a request is for: it is told bytes and says requests.

#![warn(clippy::indexing_slicing)]

mod chunked;
pub mod date;
mod head;
mod target;

pub mod response;

#[cfg(test)]
mod tests;

use chunked::Chunks;
use dialect::Request;
use head::{Framing, Head, Scan};
use model::Limits;

/// Reads the requests of one connection, one after the other. An idle one is an empty pointer.
#[derive(Debug, Default)]
pub struct Decoder {
    pending: Option<Box<Pending>>,
}

/// What the carrier must know about a request besides what the dialect sees.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Manner<'a> {
    /// Whether the peer expects the connection to stay open (RFC 9112 §9.3).
    pub keep_alive: bool,
    /// Whether it speaks HTTP/1.0, which knows neither chunks nor `100 Continue`.
    pub http10: bool,
    /// Whether the answer must have no body (RFC 9110 §9.3.2).
    pub is_head: bool,
    /// The key to answer with [`crate::websocket::accept_key`], when it wants to be a WebSocket.
    pub websocket_key: Option<&'a str>,
    /// Whom it asks: the `Host` line, or the host of an absolute target. Empty only in HTTP/1.0.
    pub host: &'a str,
    /// The page that a browser asks for.
    pub origin: Option<&'a str>,
}

/// How far a call of [`Decoder::next`] came.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Progress {
    /// All input is taken, and it was not a whole request.
    NeedMore,
    /// The peer waits for `100 Continue` before it sends the body: say it, and call again (RFC 9110 §10.1.1).
    Continue,
    /// One request was dealt; what follows it is left in the input.
    Complete,
}

/// Why a connection is not read any further. Answer with it, and close.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Refused {
    /// 400, 413, 417, 426, 431, 501 or 505.
    pub status: u16,
    /// For the person who looks into it.
    pub detail: &'static str,
}

/// A malformed request.
const fn bad(detail: &'static str) -> Refused {
    Refused { status: 400, detail }
}

const BODY_TOO_LARGE: Refused = Refused { status: 413, detail: "the body is too large" };
const BARE_LF: Refused = bad("a line feed without a carriage return");

impl Decoder {
    /// Takes bytes from the front of `input`, at most one request; keeps what is incomplete.
    ///
    /// A request that lies whole in `input` is read in place. Before `Complete` is returned, `deal` has been
    /// called once with the request and its whole body; else it has not been called.
    ///
    /// # Errors
    ///
    /// When the request is malformed, ambiguous or too large. The same refusal then answers every further
    /// call, so that bytes of which the meaning is in doubt are never read as another request.
    pub fn next(
        &mut self,
        input: &mut &[u8],
        limits: &Limits,
        deal: impl FnOnce(&Request<'_>, &Manner<'_>),
    ) -> Result<Progress, Refused> {
        let progress = self.read(input, limits, deal);
        if let Err(refused) = progress {
            self.pending = Some(Box::new(Pending { bytes: Vec::new(), stage: Stage::Refused(refused) }));
        }
        progress
    }

    /// Whether nothing incomplete is kept: no head has begun.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.pending.is_none()
    }

    /// Whether a head was read whose body is incomplete.
    #[must_use]
    pub fn in_body(&self) -> bool {
        self.pending.as_ref().is_some_and(|pending| matches!(pending.stage, Stage::Body(_)))
    }

    /// Looks at a request whose head has been read and whose body is incomplete; `None`: there is none.
    pub fn look<T>(&self, limits: &Limits, look: impl FnOnce(&Request<'_>) -> T) -> Option<T> {
        let pending = self.pending.as_ref()?;
        let Stage::Body(body) = pending.stage else { return None };
        let head = Head::parse(pending.bytes.get(..body.head)?, limits).ok()?;
        let mut seen = None;
        head.deal(&[], |request, _| seen = Some(look(request)));
        seen
    }

    /// The bytes of memory that are held for an incomplete request.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        self.pending.as_ref().map_or(0, |pending| pending.bytes.capacity())
    }

    fn read(
        &mut self,
        input: &mut &[u8],
        limits: &Limits,
        deal: impl FnOnce(&Request<'_>, &Manner<'_>),
    ) -> Result<Progress, Refused> {
        let mut pending = match self.pending.take() {
            Some(pending) => pending,
            None if input.is_empty() => return Ok(Progress::NeedMore),
            None => {
                if let Some((head, body, after)) = whole(input, limits)? {
                    *input = after;
                    head.deal(body, deal);
                    return Ok(Progress::Complete);
                }
                Box::default()
            }
        };
        let body = match pending.stage {
            Stage::Refused(refused) => return Err(refused),
            Stage::Body(body) => Some(body),
            Stage::Head(scan) => pending.take_head(scan, input, limits)?,
        };
        let Some(mut body) = body else {
            self.pending = Some(pending);
            return Ok(Progress::NeedMore);
        };
        // A peer that has begun its body does not wait any more.
        let waits = body.awaits_continue && input.is_empty();
        body.awaits_continue = false;
        if body.take(&mut pending.bytes, input, limits)? {
            let (head, body) = pending.bytes.split_at_checked(body.head).unwrap_or_default();
            Head::parse(head, limits)?.deal(body, deal);
            return Ok(Progress::Complete);
        }
        pending.stage = Stage::Body(body);
        self.pending = Some(pending);
        Ok(if waits { Progress::Continue } else { Progress::NeedMore })
    }
}

/// The request at the front of `input`, its body and what follows, if it is all there and its body needs no
/// decoding.
#[expect(
    clippy::type_complexity,
    reason = "three parts of one slice, taken apart at once by the only caller"
)]
fn whole<'a>(input: &'a [u8], limits: &Limits) -> Result<Option<(Head<'a>, &'a [u8], &'a [u8])>, Refused> {
    let Some(end) = Scan::default().end_of_head(input, limits)? else { return Ok(None) };
    let (head, rest) = input.split_at_checked(end).unwrap_or_default();
    let head = Head::parse(head, limits)?;
    let Framing::Known(length) = head.framing else { return Ok(None) };
    Ok(rest.split_at_checked(length).map(|(body, after)| (head, body, after)))
}

/// A request that is not all there.
#[derive(Debug, Default)]
struct Pending {
    /// The head, then the body without its chunk framing.
    bytes: Vec<u8>,
    stage: Stage,
}

#[derive(Clone, Copy, Debug)]
enum Stage {
    Head(Scan),
    Body(Body),
    Refused(Refused),
}

impl Default for Stage {
    fn default() -> Self {
        Self::Head(Scan::default())
    }
}

impl Pending {
    /// Takes bytes up to the end of the head, and no further. When the end is there, says what body follows.
    fn take_head(
        &mut self,
        mut scan: Scan,
        input: &mut &[u8],
        limits: &Limits,
    ) -> Result<Option<Body>, Refused> {
        let before = self.bytes.len();
        let room = limits.head_bytes.saturating_sub(before);
        let arrived = input.get(..room).unwrap_or(input);
        append(&mut self.bytes, arrived, limits.head_bytes);
        let end = scan.end_of_head(&self.bytes, limits)?;
        let taken = end.unwrap_or(self.bytes.len()).saturating_sub(before);
        *input = input.get(taken..).unwrap_or_default();
        let Some(end) = end else {
            self.stage = Stage::Head(scan);
            return Ok(None);
        };
        self.bytes.truncate(end);
        let head = Head::parse(&self.bytes, limits)?;
        Ok(Some(Body {
            head: end,
            framing: head.framing,
            chunks: Chunks::default(),
            awaits_continue: head.awaits_continue,
        }))
    }
}

/// What is known of an incomplete body.
#[derive(Clone, Copy, Debug)]
struct Body {
    /// Where it begins.
    head: usize,
    framing: Framing,
    chunks: Chunks,
    awaits_continue: bool,
}

impl Body {
    /// Moves bytes of the body from `input` to `bytes`; true when it is whole.
    fn take(&mut self, bytes: &mut Vec<u8>, input: &mut &[u8], limits: &Limits) -> Result<bool, Refused> {
        match self.framing {
            Framing::Chunked => self.chunks.take(input, bytes, self.head, limits),
            Framing::Known(length) => {
                let bound = self.head.saturating_add(length);
                let missing = bound.saturating_sub(bytes.len());
                let (arrived, after) = input.split_at_checked(missing).unwrap_or((input, &[]));
                append(bytes, arrived, bound);
                *input = after;
                Ok(bytes.len() == bound)
            }
        }
    }
}

/// Appends, growing as `Vec` does, by doubling, but never beyond what `bound` says will be needed at most:
/// memory follows what has arrived, not what was announced, and does not pass the limits.
fn append(bytes: &mut Vec<u8>, arrived: &[u8], bound: usize) {
    let length = bytes.len().saturating_add(arrived.len());
    if length > bytes.capacity() {
        let doubled = bytes.capacity().saturating_mul(2).min(bound);
        bytes.reserve_exact(doubled.max(length).saturating_sub(bytes.len()));
    }
    bytes.extend_from_slice(arrived);
}
