//! Hooks: what sessions without a link hear is posted to URLs that peers have given.
//!
//! Runs on the control runtime, away from the shards. Every hook has a queue and a connection of its own; its POSTs keep
//! their order and wait for nobody else's. Refuses to know sessions and shards: who opens a hook is told how it goes by
//! a function of its own. Read [`queue`], then [`line`]; [`guard`] is what a URL may lead to.

mod client;
pub(crate) mod dial;
mod guard;
mod lanes;
mod line;
mod queue;
mod resolve;
mod sign;
mod target;

pub use client::Failure;
pub use guard::Guard;
pub use line::Hook;
pub use queue::QueueRules;
pub use resolve::{Resolved, Resolver, SystemResolver};
pub use sign::Signer;

use crate::{Clock, Control};
use client::Client;
use dialect::{HookEnd, HookPlan};
use lanes::{Lane, Whose};
use line::Line;
use model::{Principal, PrincipalId, Refusal};
use ring::rand::{SecureRandom, SystemRandom};
use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, RootCertStore};
use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
pub(crate) use target::Target;
use tokio::runtime::Handle;
use tokio::sync::{Notify, oneshot};

/// How POSTs end, in the order of their counts.
pub const OUTCOMES: [&str; 5] = ["delivered", "status", "timeout", "connection", "forbidden"];

/// Names that are looked up at once. Each is a thread that waits.
const LOOKUPS: usize = 64;

/// Hooks that a listing shows at most.
const LISTED: usize = 1000;

/// How hooks are served.
#[derive(Clone, Debug)]
pub struct HookSettings {
    /// What they may lead to.
    pub guard: Guard,
    /// What each queue may hold, and how it is tried again.
    pub queue: QueueRules,
    /// Time for one POST, from connecting to the answer's head; as long again for the rest of the answer.
    pub timeout: Duration,
    /// Whether a receiver has to prove that it wants to be one.
    pub challenge: bool,
    /// What signs for hooks that have no secret of their own; `None`: nothing does.
    pub signer: Option<Signer>,
    /// Whom TLS trusts.
    pub tls: Arc<ClientConfig>,
    /// How long a POST may take in a place that is not for slow or failing receivers.
    pub patience: Duration,
    /// POSTs under way at once: a quarter of the places for receivers that are new, a quarter for those that are slow
    /// or failing; one each at least.
    pub concurrency: usize,
    /// Hooks open at once.
    pub hooks: usize,
    /// Hooks at one host.
    pub per_host: usize,
    /// Hooks of one principal; those without a name or an address are one together.
    pub per_principal: usize,
    /// Bytes that may wait in all queues together.
    pub memory: usize,
}

impl HookSettings {
    /// The usual bounds, the guard up, nothing signed, with this for TLS (see [`trust`]).
    #[must_use]
    pub fn new(tls: Arc<ClientConfig>) -> Self {
        Self {
            guard: Guard::default(),
            queue: QueueRules::default(),
            timeout: Duration::from_secs(5),
            challenge: false,
            signer: None,
            tls,
            patience: Duration::from_secs(1),
            concurrency: 256,
            hooks: 10_000,
            per_host: 64,
            per_principal: 16,
            memory: 256 << 20,
        }
    }
}

/// TLS that trusts the public authorities, and these.
///
/// # Errors
/// The provider of cryptography has no cipher suites.
pub fn trust(further: &[CertificateDer<'static>]) -> Result<Arc<ClientConfig>, rustls::Error> {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    roots.add_parsable_certificates(further.iter().cloned());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let versions = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(Arc::new(versions.with_root_certificates(roots).with_no_client_auth()))
}

/// What is counted of all hooks. Those that only grow and those that say how it stands now.
#[derive(Debug, Default)]
pub struct HookCounts {
    /// POSTs that ended, by [`OUTCOMES`].
    pub outcomes: [AtomicU64; OUTCOMES.len()],
    /// Bodies that were never posted: too many waited, or too long, or their hook closed.
    pub missed: AtomicU64,
    /// Hooks that were opened.
    pub opened: AtomicU64,
    /// Hooks that were given up.
    pub given_up: AtomicU64,
    /// Bodies that wait now.
    pub queued: AtomicUsize,
    /// Their bytes, with some for each.
    pub queued_bytes: AtomicUsize,
}

/// Whose hook it is.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Owner {
    vhost: u16,
    address: Option<PrincipalId>,
    name: Option<Arc<str>>,
}

impl Owner {
    /// This principal's, in the virtual host of this number.
    #[must_use]
    pub fn of(vhost: u16, principal: Option<&Arc<Principal>>) -> Self {
        let address = principal.and_then(|p| p.address);
        Self { vhost, address, name: principal.and_then(|p| p.role.name.clone()) }
    }
}

/// What whoever has asked for a hook is told.
#[derive(Debug)]
pub enum News {
    /// It is open.
    Opened(Hook),
    /// It is not.
    Refused(Refusal),
    /// It was open, and has been given up.
    Closed {
        /// The hook's (see [`Hook::number`]).
        number: u64,
        /// Why.
        why: HookEnd,
    },
}

/// Who is told.
pub type Tell = Box<dyn Fn(News) + Send + Sync>;

/// One hook, as operators see it: nothing of its URL but whom it leads to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HookView {
    /// As `host:port`.
    pub target: String,
    /// Bodies that wait.
    pub queued: usize,
    /// Their bytes, with some for each.
    pub queued_bytes: usize,
    /// POSTs that were accepted.
    pub delivered: u64,
    /// POSTs that failed.
    pub failed: u64,
    /// Of them, those since the last that was accepted.
    pub failures: u32,
    /// Bodies that were lost.
    pub missed: u64,
    /// Why the last that failed did.
    pub last_failure: Option<Failure>,
}

/// What all hooks share.
pub(crate) struct Shared {
    settings: HookSettings,
    resolver: Box<dyn Resolver>,
    clock: Clock,
    counts: HookCounts,
    /// Tells this node's deliveries from those of others, and of this node before it was started again.
    nonce: u64,
    rolled: AtomicU64,
    /// Hooks that have something to post since the dispatcher looked. One bell for all: a message to a thousand hooks
    /// is one wake.
    rung: Mutex<Vec<Arc<Line>>>,
    bell: Notify,
    lanes: Lanes,
    register: Mutex<Register>,
}

/// Places for POSTs, by what is known of their receivers, and those for names to be looked up.
struct Lanes {
    /// For those whose last answer was a good one, and soon. A POST that takes longer has to leave.
    sound: Arc<Lane>,
    /// For those that have not been asked yet. A POST that takes longer has to leave.
    fresh: Arc<Lane>,
    /// For those that are failing or slow.
    slow: Arc<Lane>,
    lookups: Arc<Lane>,
}

impl Lanes {
    fn new(concurrency: usize) -> Self {
        let quarter = (concurrency / 4).max(1);
        Self {
            sound: Lane::new(concurrency.saturating_sub(2 * quarter)),
            fresh: Lane::new(quarter),
            slow: Lane::new(quarter),
            lookups: Lane::new(LOOKUPS),
        }
    }
}

impl Shared {
    /// A number for the length of a pause: spread, not secret.
    fn dice(&self) -> u64 {
        let rolled = self.rolled.fetch_add(1, Ordering::Relaxed);
        let mixed = (self.nonce ^ rolled).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (mixed ^ (mixed >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93)
    }

    /// Wakes the hooks that have something to post.
    async fn dispatch(&self) {
        loop {
            self.bell.notified().await;
            let rung = std::mem::take(&mut *lock(&self.rung));
            rung.iter().for_each(|line| line.wake());
        }
    }
}

/// Who has which hooks.
#[derive(Default)]
struct Register {
    numbers: u64,
    /// Those that are being opened included. BOUND: `hooks`, `per_host`, `per_principal`.
    places: usize,
    hosts: HashMap<Arc<str>, usize>,
    owners: HashMap<Owner, usize>,
    open: BTreeMap<u64, Arc<Line>>,
}

/// A hook's place in the register, given back when it is dropped.
struct Place {
    shared: Arc<Shared>,
    number: u64,
    whose: Arc<Whose>,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut register = lock(&self.shared.register);
        register.places -= 1;
        release(&mut register.hosts, &self.whose.host);
        release(&mut register.owners, &self.whose.owner);
        let line = register.open.remove(&self.number);
        drop(register);
        drop(line);
    }
}

fn release<K: std::hash::Hash + Eq>(counts: &mut HashMap<K, usize>, key: &K) {
    if let Some(count) = counts.get_mut(key) {
        *count -= 1;
        if *count == 0 {
            counts.remove(key);
        }
    }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn bad(words: impl Into<Box<str>>) -> Refusal {
    Refusal::BadHook(words.into())
}

const FORBIDDEN: &str = "the hook's address is not allowed: it is not a public one; `hooks.allow` of the configuration names others";

/// The hooks of a node.
pub struct Hooks {
    shared: Arc<Shared>,
    runtime: Handle,
}

impl Hooks {
    /// Serves hooks on the control runtime, as long as it lives.
    #[must_use]
    pub fn start(
        control: &Control,
        settings: HookSettings,
        resolver: Box<dyn Resolver>,
        clock: Clock,
    ) -> Self {
        let mut nonce = [0; 8];
        if SystemRandom::new().fill(&mut nonce).is_err() {
            nonce = clock.now().wall_ms.to_ne_bytes();
        }
        let lanes = Lanes::new(settings.concurrency);
        let shared = Arc::new(Shared {
            settings,
            resolver,
            clock,
            counts: HookCounts::default(),
            nonce: u64::from_ne_bytes(nonce),
            rolled: AtomicU64::new(0),
            rung: Mutex::default(),
            bell: Notify::new(),
            lanes,
            register: Mutex::default(),
        });
        let dispatcher = Arc::clone(&shared);
        control.spawn(async move { dispatcher.dispatch().await });
        Self { shared, runtime: control.handle() }
    }

    /// Opens a hook. How that goes is told later: its name has to be resolved, and its receiver perhaps asked.
    ///
    /// # Errors
    /// Where it is clear at once that it cannot be: `tell` is not called then.
    pub fn open(&self, plan: &HookPlan, owner: Owner, tell: Tell) -> Result<(), Refusal> {
        let target = Target::parse(&plan.url).map_err(bad)?;
        let guard = &self.shared.settings.guard;
        if target.address().is_some_and(|ip| !guard.allows(ip)) {
            return Err(bad(FORBIDDEN));
        }
        let place = self.place(&target.host, owner)?;
        let shown = format!("{}:{}", target.host, target.port);
        let mut client = Client::new(&place, target, plan).map_err(bad)?;
        let shared = Arc::clone(&self.shared);
        self.runtime.spawn(async move {
            if let Err(refusal) = admit(&shared, &mut client).await {
                drop(place);
                return tell(News::Refused(refusal));
            }
            let line = Arc::new(Line::new(&place, shown));
            lock(&shared.register).open.insert(line.number, Arc::clone(&line));
            shared.counts.opened.fetch_add(1, Ordering::Relaxed);
            let (hook, closed) = Hook::new(Arc::clone(&line), place);
            tell(News::Opened(hook));
            if let Some(why) = run(&line, &mut client, closed).await {
                tell(News::Closed { number: line.number, why });
            }
        });
        Ok(())
    }

    /// What is counted of all hooks.
    #[must_use]
    pub fn counts(&self) -> &HookCounts {
        &self.shared.counts
    }

    /// How many are open.
    #[must_use]
    pub fn len(&self) -> usize {
        lock(&self.shared.register).open.len()
    }

    /// Whether none is open.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Those that are open: at most 1,000, those first that fail most.
    #[must_use]
    pub fn list(&self) -> Vec<HookView> {
        let lines: Vec<_> = lock(&self.shared.register).open.values().map(Arc::clone).collect();
        let mut all: Vec<_> = lines.iter().map(|line| view(line)).collect();
        all.sort_by_key(|view| std::cmp::Reverse((view.failures, view.queued)));
        all.truncate(LISTED);
        all
    }

    /// A place for one more hook there.
    fn place(&self, host: &str, owner: Owner) -> Result<Place, Refusal> {
        let HookSettings { hooks, per_host, per_principal, .. } = self.shared.settings;
        let mut register = lock(&self.shared.register);
        let owned = register.owners.get(&owner).copied().unwrap_or(0);
        let there = register.hosts.get(host).copied().unwrap_or(0);
        if owned >= per_principal {
            return Err(Refusal::TooManyHooks { max: per_principal, of: "principal" });
        }
        if there >= per_host {
            return Err(Refusal::TooManyHooks { max: per_host, of: "host" });
        }
        if register.places >= hooks {
            return Err(Refusal::Busy);
        }
        register.places += 1;
        register.numbers += 1;
        let whose = Arc::new(Whose { owner, host: host.into() });
        *register.hosts.entry(Arc::clone(&whose.host)).or_default() += 1;
        *register.owners.entry(whose.owner.clone()).or_default() += 1;
        let number = register.numbers;
        Ok(Place { shared: Arc::clone(&self.shared), number, whose })
    }
}

/// Asks what is to be known before a hook is opened.
async fn admit(shared: &Shared, client: &mut Client) -> Result<(), Refusal> {
    let looked_up = tokio::time::timeout(shared.settings.timeout, client.addresses()).await;
    match looked_up.unwrap_or(Err(Failure::Unresolved)) {
        Ok(_) => {}
        Err(Failure::Forbidden) => return Err(bad(FORBIDDEN)),
        Err(_) => return Err(bad("the name of the hook's host cannot be resolved")),
    }
    if shared.settings.challenge && !client.challenge().await {
        return Err(bad(
            "the hook's receiver did not prove that it wants to be one: it has to answer a POST that has \
             `X-Challenge` with 200 and that header's value as the body",
        ));
    }
    Ok(())
}

/// Serves a hook until it is closed, or has to be given up: then says why.
async fn run(line: &Line, client: &mut Client, closed: oneshot::Receiver<()>) -> Option<HookEnd> {
    let why = tokio::select! {
        // Who has closed it is posted nothing more, even if an answer has just come.
        biased;
        _ = closed => return None,
        why = line.serve(client) => why,
    };
    line.shared.counts.given_up.fetch_add(1, Ordering::Relaxed);
    tracing::info!(target = line.target, ?why, "a hook is given up");
    Some(why)
}

fn view(line: &Line) -> HookView {
    let state = lock(&line.state);
    HookView {
        target: line.target.clone(),
        queued: state.queue.len(),
        queued_bytes: state.queue.bytes(),
        delivered: state.delivered,
        failed: state.failed,
        failures: state.queue.failures(),
        missed: state.queue.lost(),
        last_failure: state.last_failure,
    }
}
