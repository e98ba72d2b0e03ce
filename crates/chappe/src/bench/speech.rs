//! What the clients of a run speak: how each protocol lets a member in, and where the stamp of a message stands in
//! what it hears. Knows no sockets.

mod device;
mod head;
mod polling;
mod rooms;
mod socketio;
mod stream;
mod websocket;

pub(super) use websocket::mask;

use super::client::{Ear, Member};
use super::stamp;
use super::target::Target;
use crate::cli::Tongue;
use polling::Polling;
use rooms::Rooms;
use socketio::SocketIo;
use std::io;
use std::rc::Rc;
use websocket::WebSocket;

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
    /// The same for a client of Socket.IO.
    socketio: Rc<[u8]>,
    host: String,
    credentials: String,
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
            Tongue::SocketIo | Tongue::SocketIoPolling => socketio::prefix(&stamp::room(tongue, run, room)),
        };
        Self {
            tongue,
            run,
            request: target.request().into(),
            socketio: target.request_at(socketio::PATH).into(),
            host: target.host().to_owned(),
            credentials: target.credentials(),
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
        let named = room.and_then(|n| Some((self.room(n), Rc::clone(self.prefixes.get(n as usize)?))));
        let Some(named) = named else { return over_websocket(&self.request, Rooms::new(None)) };
        match self.tongue {
            Tongue::Rooms => over_websocket(&self.request, Rooms::new(Some(named))),
            Tongue::Stream => Box::new(stream::Stream::new(&self.host, &self.secret, named)),
            Tongue::Device => Box::new(device::Device::new(&named.0)),
            Tongue::SocketIo => over_websocket(&self.socketio, SocketIo::new(named)),
            Tongue::SocketIoPolling => {
                Box::new(Polling::new(&self.host, &self.credentials, SocketIo::new(named)))
            }
        }
    }

    fn room(&self, room: u32) -> String {
        stamp::room(self.tongue, self.run, room)
    }
}

fn over_websocket(request: &Rc<[u8]>, talk: impl websocket::Talk + 'static) -> Box<dyn Speech> {
    Box::new(WebSocket::new(Rc::clone(request), talk))
}
