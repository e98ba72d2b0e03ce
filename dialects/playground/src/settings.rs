//! The section `dialect.playground` of the configuration: whether there is a page at all.

dialect::section! {
    /// The page at the root: a playground in the browser.
    #[derive(Copy, PartialEq, Eq, Default)]
    pub struct Settings {
        /// Whether the page is handed out; when not said, where only this machine can reach the server.
        pub enabled: Option<bool>,
    }
}
