//! The section `[rooms]` of the configuration: what the original did by itself and a newer server may leave out.

dialect::section! {
    /// The rooms of ioTower: what a client is told beyond the messages of its rooms.
    #[derive(Copy, PartialEq, Eq)]
    pub struct Settings {
        /// Whether the first frame is the greeting.
        pub greeting: bool,
        /// Whether subscribing and unsubscribing is acknowledged. Refusals are always told.
        pub acks: bool,
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self { greeting: true, acks: true }
    }
}
