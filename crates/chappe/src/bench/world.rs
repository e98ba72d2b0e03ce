//! A server without sockets: an exchange and its shards over the void, wired as `server` wires them.

use super::stage::Stage;
use super::stamp;
use super::void::{Void, VoidStream};
use crate::cli::Tongue;
use backplane::Alone;
use bytes::Bytes;
use carrier::wiring::{PortPlan, Speak, Wiring};
use carrier::{Doors, Gate, Rules, Shard};
use model::{Draft, Grant, Limits, Payload, Principal, VHostName, Verbatim};
use node::exchange::Plan;
use node::{Clock, Exchange, StaticTokens, VHost};
use server::config::Dialects;
use server::registry::{self, Client};
use std::sync::Arc;
use std::time::Duration;

/// Longer than a run: the streams answer no pings.
const SILENCE: Duration = Duration::from_secs(24 * 3600);
/// The dialect of the members, whose words are passed on as they are.
const ROOMS: &str = "rooms";

/// The server.
pub(super) struct World {
    pub(super) stage: Arc<Stage>,
    pub(super) exchange: Arc<Exchange>,
    pub(super) vhost: Arc<VHost>,
    pub(super) clock: Clock,
    pub(super) shards: Vec<Shard<Void>>,
}

impl World {
    /// Shards in which nobody is yet. `sleeps`: they run on threads of their own.
    pub(super) fn build(stage: Stage, sleeps: bool) -> Result<Self, String> {
        let (clock, stage) = (Clock::start(), Arc::new(stage));
        let grants = ["READ **", "WRITE **"].map(Grant::parse).into_iter().collect::<Result<_, _>>()?;
        let limits = Limits { connections: usize::MAX, ping_interval: SILENCE, ..Limits::default() };
        let exchange = Arc::new(Exchange::new(Plan {
            shards: u16::try_from(stage.bells.len()).unwrap_or(u16::MAX),
            vhosts: Vec::new(),
            limits,
            policies: Vec::new(),
            assigned: Vec::new(),
            authority: Box::new(StaticTokens::new(Vec::new(), Some(Arc::new(Principal::anonymous(grants))))),
            backplane: Box::new(Alone),
            hooks: None,
            began: clock.now(),
        }));
        let vhost = exchange.vhost(&VHostName::root()).map(Arc::clone).ok_or("there is no virtual host")?;
        let port = PortPlan { vhost: Arc::clone(&vhost), speak: Speak::Http };
        let rules = Rules { limits: exchange.limits.clone(), gates: vec![Gate::loopback()] };
        let wiring = Arc::new(Wiring::new(
            registry::dialects(&Dialects::default(), &Client::default()),
            vec![port],
            rules,
        ));
        let doors: Arc<Doors<VoidStream>> = Arc::new(Doors::new(exchange.shards()));
        let shard = |number: u16| {
            let bell = Arc::clone(&stage);
            let wake =
                move || bell.bells.get(usize::from(number)).into_iter().for_each(super::stage::Bell::ring);
            exchange.inbox(number).set_wake(Box::new(wake));
            let net = Void::new(&stage, clock, number, sleeps);
            Shard::new(net, number, Arc::clone(&exchange), Arc::clone(&wiring), Arc::clone(&doors))
        };
        let shards = (0..exchange.shards()).map(shard).collect();
        Ok(Self { stage, exchange, vhost, clock, shards })
    }
}

/// Publishes to one room from outside the shards, as an embedding program does.
pub(super) struct Publisher {
    pub(super) exchange: Arc<Exchange>,
    pub(super) vhost: Arc<VHost>,
    pub(super) clock: Clock,
    size: usize,
}

impl Publisher {
    pub(super) fn new(world: &World) -> Self {
        let (exchange, vhost) = (Arc::clone(&world.exchange), Arc::clone(&world.vhost));
        Self { exchange, vhost, clock: world.clock, size: world.stage.work.size }
    }

    /// What is said to the room: its name, and the text.
    pub(super) fn speech(&self, room: u32) -> (String, Vec<u8>) {
        (stamp::room(Tongue::Rooms, 0, room), super::stage::text(room, self.size))
    }

    /// Publishes. How many members will hear it; `None`: not now, an inbox is full.
    pub(super) fn publish(&self, (room, text): &(String, Vec<u8>)) -> Option<u32> {
        let bytes = Bytes::copy_from_slice(text);
        let verbatim = Some(Verbatim { dialect: ROOMS, bytes: bytes.clone() });
        let draft =
            Draft { event: None, payload: Payload::json(bytes), verbatim, echo: true, joined_only: false };
        self.exchange.publish(&self.vhost, room, draft, self.clock.now()).ok()
    }
}
