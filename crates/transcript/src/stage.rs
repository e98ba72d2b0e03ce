//! Where plays are performed: the seam between what peers say and a server that hears them.

pub mod live;
pub mod rehearsal;

use crate::play::Tongue;
use model::CloseReason;
use std::io;
use std::time::Duration;

/// Sessions that have ended, by reason, in the order of [`CloseReason::ALL`].
pub type Closed = [u64; CloseReason::ALL.len()];

/// A server, and connections to it. A connection is known by its number, from 0.
pub trait Stage {
    /// What it is, for a person whose play failed.
    fn name(&self) -> String;

    /// Opens a connection where this is spoken, or takes an address to send datagrams from.
    ///
    /// # Errors
    /// When the server cannot be reached.
    fn connect(&mut self, tongue: Tongue) -> io::Result<usize>;

    /// Says something.
    fn write(&mut self, wire: usize, bytes: &[u8]);

    /// Takes what has come by now. `true`: and the server has ended the connection.
    fn read(&mut self, wire: usize, into: &mut Vec<u8>) -> bool;

    /// Waits for more to come on a connection. `false`: it will not, or not in time.
    fn wait(&mut self, wire: usize) -> bool;

    /// Says nothing more on it.
    fn finish(&mut self, wire: usize);

    /// Is gone from it without a word.
    fn vanish(&mut self, wire: usize);

    /// Lets the server do what it has to do, until it has nothing more to do.
    fn settle(&mut self);

    /// Lets nothing (more) be taken from a connection, or everything again. Rehearsals only.
    fn hold(&mut self, wire: usize, holds: bool);

    /// Lets time pass. Rehearsals only.
    fn pass(&mut self, time: Duration);

    /// Tells the server to stop. Rehearsals only.
    fn drain(&mut self);

    /// How many sessions have ended, if the server can be asked.
    fn closed(&self) -> Option<Closed>;
}
