//! A hook: a URL that a peer has given, to which the node posts what a session without a link hears.
//!
//! Says what a conversation must name to open one, and why one ends. Refuses to know connections, queues and retries.

use crate::settings::Secret;
use std::borrow::Cow;

/// What is to be posted, and where to. The signature, the delivery's id and its time are the node's.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HookPlan {
    /// As the peer wrote it. Whether it may be posted to is decided by the node, each time it connects.
    pub url: String,
    /// Of every body.
    pub content_type: &'static str,
    /// Further header lines of every POST.
    pub headers: Vec<(&'static str, Cow<'static, str>)>,
    /// What signs, instead of the node's own secret.
    pub secret: Option<Secret>,
}

impl HookPlan {
    /// A hook at this URL whose bodies are of this type.
    #[must_use]
    pub fn new(url: impl Into<String>, content_type: &'static str) -> Self {
        Self { url: url.into(), content_type, headers: Vec::new(), secret: None }
    }

    /// Adds a header line.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<Cow<'static, str>>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Has this sign, so that nobody who can verify another hook's POSTs can make some for this one.
    #[must_use]
    pub fn signed_by(mut self, secret: Option<Secret>) -> Self {
        self.secret = secret;
        self
    }
}

/// Why the node has given a hook up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HookEnd {
    /// As many POSTs in a row as may have failed.
    Dead,
    /// The receiver has answered 410: it wants no more.
    Unwanted,
}
