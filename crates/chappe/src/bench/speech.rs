//! What the clients of a run speak: how each protocol lets a member in, and where the stamp of a message stands in
//! what it hears. Knows no sockets.

mod device;
mod head;
mod rooms;
mod stream;

pub(super) use rooms::mask;

use super::client::{Ear, Member};
use super::stamp;
use super::target::Target;
use crate::cli::Tongue;
use std::io;
use std::rc::Rc;

/// A client's side of a protocol.
pub(super) trait Speech {
    /// What is said first, once there is a connection.
    fn begin(&mut self, out: &mut Vec<u8>);

    /// Hears bytes, cut anywhere. What is to be said goes to `out`.
    fn hear(
        &mut self,
        bytes: &mut [u8],
        member: &mut Member,
        ear: &mut Ear,
        out: &mut Vec<u8>,
    ) -> io::Result<()>;
}

/// What the clients of a run have in common.
pub(super) struct School {
    tongue: Tongue,
    /// Which run this is, in the names of rooms.
    run: u32,
    request: Rc<[u8]>,
    host: String,
    secret: String,
    /// By room, what stands before the stamp in what a member hears.
    prefixes: Vec<Rc<[u8]>>,
}

impl School {
    pub(super) fn new(tongue: Tongue, target: &Target, rooms: u32) -> Self {
        let run = std::process::id();
        let prefix = |room| match tongue {
            Tongue::Rooms => stamp::prefix(&stamp::room(tongue, run, room)),
            Tongue::Stream => stream::prefix(&stamp::room(tongue, run, room)),
            Tongue::Device => device::PREFIX.to_vec(),
        };
        Self {
            tongue,
            run,
            request: target.request().into(),
            host: target.host().to_owned(),
            secret: target.secret().to_owned(),
            prefixes: (0..rooms).map(|room| prefix(room).into()).collect(),
        }
    }

    /// What a message to a room begins with: publishers speak rooms, whatever members speak.
    pub(super) fn opening(&self, room: u32) -> Vec<u8> {
        stamp::prefix(&self.room(room))
    }

    /// The speech of a client; of one that only publishes when there is no room.
    pub(super) fn speech(&self, room: Option<u32>) -> Box<dyn Speech> {
        let request = Rc::clone(&self.request);
        let named = room.and_then(|n| Some((self.room(n), Rc::clone(self.prefixes.get(n as usize)?))));
        match (named, self.tongue) {
            (None, _) => Box::new(rooms::Rooms::new(request, None)),
            (named, Tongue::Rooms) => Box::new(rooms::Rooms::new(request, named)),
            (Some(named), Tongue::Stream) => Box::new(stream::Stream::new(&self.host, &self.secret, named)),
            (Some((room, _)), Tongue::Device) => Box::new(device::Device::new(&room)),
        }
    }

    fn room(&self, room: u32) -> String {
        stamp::room(self.tongue, self.run, room)
    }
}
