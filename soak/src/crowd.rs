//! The crowd: so many connections on one poll, each replaced when it goes, until the time is over and all leave.

use crate::Plan;
use crate::dice::Dice;
use crate::peer::{Part, Peer, Stay, World};
use crate::tally::Tally;
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use model::Limits;
use socket2::{Domain, SockRef, Socket, Type};
use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// How often everybody is looked at for what is due.
const STEP: Duration = Duration::from_millis(20);
/// Connections begun in a step, at most.
const ARRIVALS: usize = 20;
/// How long a goodbye may take, in milliseconds.
const PATIENCE: u64 = 2_000;
/// Those who say much.
const FLOODERS: usize = 2;
/// What a slow reader lets the kernel keep, in bytes.
const NARROW: usize = 4096;

struct Crowd {
    poll: Poll,
    peers: Vec<Option<Peer>>,
    free: Vec<usize>,
    here: usize,
    flooders: usize,
    births: u64,
    world: World,
    address: SocketAddr,
}

/// Keeps the crowd up for its time, and lets it go. Returns when nobody is left.
pub(crate) fn run(plan: &Plan) -> io::Result<Tally> {
    let began = Instant::now();
    let mut crowd = Crowd {
        poll: Poll::new()?,
        peers: Vec::new(),
        free: Vec::new(),
        here: 0,
        flooders: 0,
        births: 0,
        world: World {
            dice: Dice::new(plan.seed),
            tally: Tally::default(),
            now: 0,
            scratch: vec![0; 64 << 10],
            limits: Limits::default(),
        },
        address: plan.address,
    };
    let mut events = Events::with_capacity(1024);
    let mut looked = began;
    loop {
        let is_over = began.elapsed() >= plan.time;
        if is_over && crowd.here == 0 {
            return Ok(crowd.world.tally);
        }
        crowd.poll.poll(&mut events, Some(STEP)).or_else(interrupted)?;
        crowd.world.now = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        for event in &events {
            crowd.hear(event.token().0, event.is_readable(), event.is_writable());
        }
        if looked.elapsed() >= STEP {
            looked = Instant::now();
            if !is_over {
                crowd.arrive(plan.connections);
            }
            crowd.look_around(is_over);
        }
    }
}

fn interrupted(e: io::Error) -> io::Result<()> {
    if e.kind() == io::ErrorKind::Interrupted { Ok(()) } else { Err(e) }
}

impl Crowd {
    fn arrive(&mut self, connections: usize) {
        for _ in 0..connections.saturating_sub(self.here).min(ARRIVALS) {
            let part =
                if self.flooders < FLOODERS { Part::Flooder } else { Part::draw(&mut self.world.dice) };
            match self.connect(part) {
                Ok(()) => self.world.tally.connected += 1,
                Err(_) => self.world.tally.unconnected += 1,
            }
        }
    }

    fn connect(&mut self, part: Part) -> io::Result<()> {
        let socket = Socket::new(Domain::for_address(self.address), Type::STREAM, None)?;
        socket.set_nonblocking(true)?;
        if part == Part::Slow {
            socket.set_recv_buffer_size(NARROW)?;
        }
        // It says that it is under way, which is as expected.
        drop(socket.connect(&self.address.into()));
        let mut stream = TcpStream::from_std(socket.into());
        let place = self.free.pop().unwrap_or_else(|| {
            self.peers.push(None);
            self.peers.len() - 1
        });
        let interest = Interest::READABLE | Interest::WRITABLE;
        self.poll.registry().register(&mut stream, Token(place), interest)?;
        self.births += 1;
        let peer = Peer::new(stream, part, self.births, &mut self.world);
        if let Some(slot) = self.peers.get_mut(place) {
            *slot = Some(peer);
        }
        self.here += 1;
        self.flooders += usize::from(part == Part::Flooder);
        self.world.tally.most = self.world.tally.most.max(self.here);
        Ok(())
    }

    fn hear(&mut self, place: usize, readable: bool, writable: bool) {
        let Some(Some(peer)) = self.peers.get_mut(place) else { return };
        let failed = writable && peer.send_more().is_err();
        let ended = readable && peer.read(&mut self.world) == Stay::Ended;
        if failed || ended {
            self.world.tally.ended += u64::from(!peer.said_goodbye);
            self.world.tally.cut_off += u64::from(peer.part == Part::Slow);
            self.remove(place);
        }
    }

    /// Lets everybody do what is due, and lets go whose time is over: everybody's, in the end.
    fn look_around(&mut self, is_over: bool) {
        for place in 0..self.peers.len() {
            let Some(Some(peer)) = self.peers.get_mut(place) else { continue };
            let world = &mut self.world;
            if is_over {
                peer.leaves = peer.leaves.min(world.now);
            }
            let is_late = world.now >= peer.leaves + PATIENCE;
            if is_late || world.now >= peer.leaves && !peer.said_goodbye && leaves_at_once(peer, world) {
                self.remove(place);
            } else if peer.act(world).is_err() {
                world.tally.ended += 1;
                self.remove(place);
            }
        }
    }

    fn remove(&mut self, place: usize) {
        let Some(mut peer) = self.peers.get_mut(place).and_then(Option::take) else { return };
        // Closing takes it out of the poll as well.
        drop(self.poll.registry().deregister(&mut peer.stream));
        self.here -= 1;
        self.flooders -= usize::from(peer.part == Part::Flooder);
        self.free.push(place);
    }
}

/// One of three ways to go. `false`: it stays a while longer, to say goodbye, or to see whether it was cut off.
fn leaves_at_once(peer: &mut Peer, world: &mut World) -> bool {
    let way = match world.dice.below(100) {
        0..40 => 0,
        40..80 => 1,
        _ => 2,
    };
    if peer.part == Part::Slow && way != 2 {
        let is_over = peer.wake_up(world) == Stay::Ended;
        world.tally.cut_off += u64::from(is_over);
        return is_over;
    }
    if let Some(count) = world.tally.left.get_mut(way) {
        *count += 1;
    }
    match way {
        0 => peer.say_goodbye(world),
        // A connection that is closed with no time to linger is reset.
        2 => drop(SockRef::from(&peer.stream).set_linger(Some(Duration::ZERO))),
        _ => {}
    }
    way != 0
}
