//! The playground: one page for a newcomer with a browser, at `GET /`. It joins channels, publishes, and shows
//! for every other dialect a line to paste into a terminal.
//!
//! `SPEC.md` beside this crate has its promises by number. The page uses the server as anybody can, by its public
//! ways; this crate only hands it out. Read in this order: [`wire`], [`map`], `talk`; the page is in `page/`.

pub mod settings;
pub mod wire;
pub mod map;
mod talk;

pub use settings::Settings;

use dialect::{Conversation, Dialect, Opening, Request};
use std::sync::Arc;

/// The dialect, with its page.
#[derive(Clone, Debug)]
pub struct Playground {
    page: Arc<str>,
}

impl Playground {
    /// The dialect whose page shows these lines: for each dialect its name and what its `paste_line` says of a
    /// server at [`wire::ADDRESS`].
    #[must_use]
    pub fn new(lines: &[(&'static str, String)]) -> Self {
        Self { page: wire::page(lines).into() }
    }
}

impl Dialect for Playground {
    fn name(&self) -> &'static str {
        "playground"
    }

    fn claims(&self, request: &Request<'_>) -> bool {
        map::is_ours(request)
    }

    fn converse(&self, _: &Opening) -> Box<dyn Conversation> {
        Box::new(talk::Talk::new(Arc::clone(&self.page)))
    }

    fn paste_line(&self, address: &str) -> String {
        format!("open http://{address}/ in a browser")
    }
}
