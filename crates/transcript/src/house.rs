//! A whole node on the simulated network: its shards take their turns when they are told to, in an order that is
//! chosen, so that a seed decides everything.

use crate::sim::{Peer, Sim, SimNet};
use backplane::Alone;
use carrier::net::Port;
use carrier::wiring::{PortPlan, Speak, Wiring};
use carrier::{Doors, Gate, Network, Rules, Shard};
use dialect::Dialect;
use model::{Grant, Limits, Pattern, Principal, VHostName};
use node::exchange::Plan;
use node::{Authority, ChannelPolicy, Exchange, Hooks, StaticTokens};
use std::sync::Arc;
use std::time::Duration;

/// Turns after which a house that is still busy counts as running in circles.
const TURNS: usize = 200_000;

/// How a house is built.
pub struct Blueprint {
    /// How many shards.
    pub shards: u16,
    /// Virtual hosts besides `/`, which all ports open to.
    pub vhosts: Vec<VHostName>,
    /// Bounds.
    pub limits: Limits,
    /// Channels that behave in some way.
    pub policies: Vec<ChannelPolicy>,
    /// Channels that the server assigns.
    pub assigned: Vec<Pattern>,
    /// Who decides for whom sessions act.
    pub authority: Box<dyn Authority>,
    /// The registry.
    pub dialects: Vec<Box<dyn Dialect>>,
    /// Proxies that say truly for whom they speak.
    pub proxies: Vec<Network>,
    /// Whether WebSocket messages are compressed for those who offer it.
    pub deflate: bool,
    /// Who posts to the URLs that peers give, in the world outside.
    pub hooks: Option<Hooks>,
    /// The ports after port 0, which speaks HTTP: kind, and the dialect's place in the registry.
    pub own_ports: Vec<(Port, u8)>,
}

impl Blueprint {
    /// One shard, default bounds, everybody may do everything.
    #[must_use]
    pub fn new(dialects: Vec<Box<dyn Dialect>>) -> Self {
        Self {
            shards: 1,
            vhosts: Vec::new(),
            limits: Limits::default(),
            policies: Vec::new(),
            assigned: Vec::new(),
            authority: Box::new(StaticTokens::new(Vec::new(), Some(everybody()))),
            dialects,
            proxies: Vec::new(),
            deflate: false,
            hooks: None,
            own_ports: Vec::new(),
        }
    }
}

/// Somebody who may do everything that is not assigned.
#[must_use]
pub fn everybody() -> Arc<Principal> {
    let grants: Vec<_> = ["READ **", "WRITE **"].into_iter().filter_map(|g| Grant::parse(g).ok()).collect();
    Arc::new(Principal::anonymous(grants))
}

/// A node on a simulated network.
pub struct House {
    /// The network and the clock.
    pub sim: Sim,
    /// What the shards share.
    pub exchange: Arc<Exchange>,
    /// The ports, the rulebook, and the strangers.
    pub wiring: Arc<Wiring>,
    /// The shards.
    pub shards: Vec<Shard<SimNet>>,
}

impl House {
    /// Builds it.
    #[must_use]
    pub fn build(plan: Blueprint) -> Self {
        let ports = std::iter::once(Port::Listener).chain(plan.own_ports.iter().map(|p| p.0)).collect();
        let sim = Sim::new(ports);
        let rules = Rules { limits: plan.limits.clone(), gates: vec![Gate::loopback()] };
        let exchange = Arc::new(Exchange::new(Plan {
            shards: plan.shards,
            vhosts: plan.vhosts,
            limits: plan.limits,
            policies: plan.policies,
            assigned: plan.assigned,
            authority: plan.authority,
            backplane: Box::new(Alone),
            hooks: plan.hooks,
            began: sim.now(),
        }));
        let vhost = exchange.vhost(&VHostName::root()).map(Arc::clone);
        let speak = std::iter::once(Speak::Http)
            .chain(plan.own_ports.iter().map(|&(_, dialect)| Speak::Own { dialect }));
        let ports = speak.filter_map(|speak| Some(PortPlan { vhost: vhost.clone()?, speak })).collect();
        let mut wiring = Wiring::new(plan.dialects, ports, rules);
        wiring.proxies = plan.proxies;
        wiring.deflate = plan.deflate;
        let wiring = Arc::new(wiring);
        let doors = Arc::new(Doors::new(plan.shards));
        let shard =
            |n| Shard::new(sim.net(n), n, Arc::clone(&exchange), Arc::clone(&wiring), Arc::clone(&doors));
        let shards = (0..plan.shards).map(shard).collect();
        Self { sim, exchange, wiring, shards }
    }

    /// Connects a peer to a port.
    #[must_use]
    pub fn connect(&self, port: u16) -> Peer {
        self.sim.connect(port)
    }

    /// One turn of one shard.
    ///
    /// # Panics
    /// When the shard cannot go on.
    #[expect(clippy::expect_used, reason = "a simulated network does not fail")]
    pub fn turn(&mut self, shard: usize) {
        let n = self.shards.len();
        self.shards[shard % n].turn().expect("the simulated network never fails");
    }

    /// Gives every shard its turns until nobody has anything to do.
    ///
    /// # Panics
    /// When that never comes to an end.
    pub fn settle(&mut self) {
        for _ in 0..TURNS {
            let busy = |s: &mut Shard<SimNet>| s.has_work() || s.net_mut().has_news();
            let Some(next) = self.shards.iter_mut().position(busy) else { return };
            self.turn(next);
        }
        assert!(self.shards.iter().all(|s| !s.has_work()), "the house runs in circles");
    }

    /// Lets time pass in small steps, so that deadlines in between are met in order.
    pub fn pass(&mut self, d: Duration) {
        let step = Duration::from_millis(100);
        let mut left = d;
        while !left.is_zero() {
            let now = step.min(left);
            left -= now;
            self.sim.pass(now);
            (0..self.shards.len()).for_each(|s| self.turn(s));
            self.settle();
        }
    }
}
