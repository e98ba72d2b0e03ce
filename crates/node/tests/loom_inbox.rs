//! The inbox, the exchange and the desk under loom: every interleaving of a few threads, within a bound.
//!
//! The files of `node` are compiled here once more, with loom's locks and atomics behind [`sync`]; so the code that
//! is proved is the code that runs, and no flag rebuilds the workspace. A shard is played by a thread that sleeps as
//! `carrier::shard` does. loom finds a lost wake as a deadlock.

#![allow(dead_code, unreachable_pub, reason = "the models need a part of what the files hold")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a model that cannot go on has failed")]

#[path = "../src/authority.rs"]
mod authority;
#[path = "../src/counters.rs"]
mod counters;
#[path = "../src/desk.rs"]
mod desk;
#[path = "../src/enrolment.rs"]
mod enrolment;
#[path = "../src/exchange.rs"]
mod exchange;
#[path = "../src/inbox.rs"]
mod inbox;

/// loom's, in the place of the standard library's.
mod sync {
    pub(crate) use loom::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
    pub(crate) use loom::sync::{Mutex, MutexGuard};
}

use desk::{Applied, Caller, Desk};
use dialect::{Effect, Turn};
use exchange::{Exchange, Plan};
use inbox::{Entry, Fence};
use loom::sync::{Condvar, Mutex};
use loom::thread;
use model::{Draft, Grant, Limits, Now, Payload, Principal, SessionId, Ticket, VHostName};
use node::hooks;
use std::collections::VecDeque;
use std::sync::Arc;

/// Threads of a model that may be interrupted where they did not wait: enough for every fault these protocols had
/// on paper, and done in seconds.
const PREEMPTIONS: usize = 3;

/// Every interleaving of the threads that `model` starts, with so many interruptions.
fn explore(model: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    // `LOOM_MAX_PREEMPTIONS` may ask for more.
    builder.preemption_bound.get_or_insert(PREEMPTIONS);
    builder.max_branches = 10_000;
    builder.check(model);
}

/// What a sleeping shard waits for. As eventfd: a ring that comes too early is kept.
#[derive(Default)]
struct Bell {
    rung: Mutex<bool>,
    heard: Condvar,
}

impl Bell {
    fn ring(&self) {
        *self.rung.lock().unwrap() = true;
        self.heard.notify_one();
    }

    fn wait(&self) {
        let mut rung = self.rung.lock().unwrap();
        while !*rung {
            rung = self.heard.wait(rung).unwrap();
        }
        *rung = false;
    }
}

/// An exchange of so many shards and their bells.
fn stage(shards: u16, limits: Limits) -> (Arc<Exchange>, Vec<Arc<Bell>>) {
    let exchange = Arc::new(Exchange::new(Plan {
        shards,
        vhosts: Vec::new(),
        limits,
        policies: Vec::new(),
        assigned: Vec::new(),
        authority: Box::new(authority::StaticTokens::default()),
        backplane: Box::new(backplane::Alone),
        hooks: None,
        began: Now::default(),
    }));
    let bells: Vec<_> = (0..shards).map(|_| Arc::new(Bell::default())).collect();
    for (shard, bell) in (0..).zip(&bells) {
        let bell = Arc::clone(bell);
        exchange.inbox(shard).set_wake(Box::new(move || bell.ring()));
    }
    (exchange, bells)
}

/// How a shard goes to sleep.
#[derive(Clone, Copy)]
enum Sleep {
    /// It announces that it will, then looks again.
    Announced,
    /// It looks, then announces: what comes in between wakes nobody.
    Careless,
}

/// Waits as `Shard::wait` does, unless something has come or `busy` says so.
fn wait(exchange: &Exchange, shard: u16, bell: &Bell, how: Sleep, busy: impl Fn() -> bool) {
    let inbox = exchange.inbox(shard);
    let empty = inbox.is_empty();
    let may = inbox.may_sleep();
    let may = match how {
        Sleep::Announced => may,
        Sleep::Careless => empty,
    };
    if may && !busy() {
        bell.wait();
    }
    inbox.is_awake();
}

/// Two threads push an entry each and ring; the shard must come to see both.
fn two_push_and_one_sleeps(how: Sleep) {
    explore(move || {
        let (exchange, bells) = stage(1, Limits::default());
        let pushers = [(); 2].map(|()| {
            let exchange = Arc::clone(&exchange);
            thread::spawn(move || exchange.push_and_wake(0, Entry::Drain))
        });
        let mut entries = VecDeque::new();
        while entries.len() < 2 {
            wait(&exchange, 0, &bells[0], how, || false);
            exchange.inbox(0).take(&mut entries);
        }
        pushers.into_iter().for_each(|p| p.join().unwrap());
    });
}

#[test]
fn no_wake_is_lost() {
    two_push_and_one_sleeps(Sleep::Announced);
}

#[test]
#[should_panic(expected = "deadlock")]
fn a_shard_that_looks_before_it_announces_is_found_out() {
    two_push_and_one_sleeps(Sleep::Careless);
}

const SESSION: SessionId = SessionId { shard: 0, slot: 0, generation: 1 };

fn draft() -> Draft {
    Draft::new(Payload::text(b"x".to_vec().into()))
}

/// Applies one command of a session at a desk.
fn ask(desk: &mut Desk, say: impl FnOnce(&mut Turn)) -> Applied {
    let mut turn = Turn::default();
    say(&mut turn);
    let vhost = Arc::clone(desk.exchange().vhost(&VHostName::root()).unwrap());
    let grants = ["READ **", "WRITE **"].map(|g| Grant::parse(g).unwrap()).to_vec();
    let principal = Arc::new(Principal::anonymous(grants));
    let Some(Effect::Command { ticket, command, .. }) = turn.next_effect() else { panic!("a command") };
    let mut caller = Caller {
        session: SessionId { shard: desk.shard, ..SESSION },
        vhost: &vhost,
        principal: Some(&principal),
        allowance: &mut Default::default(),
        now: Now::default(),
    };
    desk.apply(&mut caller, ticket, command, turn.words())
}

/// A desk with one session.
fn desk(exchange: &Arc<Exchange>, shard: u16) -> Desk {
    let mut desk = Desk::new(shard, Arc::clone(exchange));
    desk.roster.seat(SESSION.slot);
    desk
}

/// All that waits in a shard's inbox.
fn emptied(exchange: &Exchange, shard: u16) -> VecDeque<Entry> {
    let mut entries = VecDeque::new();
    exchange.inbox(shard).take(&mut entries);
    entries.iter().for_each(|entry| exchange.finish(shard, entry.weight()));
    entries
}

/// The offsets of the messages in an entry.
fn offsets(entry: &Entry) -> Vec<u64> {
    match entry {
        Entry::Run { run, .. } => run.deliveries().iter().map(|d| d.message.position.offset).collect(),
        Entry::Broadcast { .. }
        | Entry::Tell { .. }
        | Entry::Fence { .. }
        | Entry::Answer { .. }
        | Entry::Kick { .. }
        | Entry::Withdraw { .. }
        | Entry::Vacate { .. }
        | Entry::Drain => Vec::new(),
    }
}

/// A session joins and leaves while two threads publish. It hears what was published between, all of it, in the
/// order that everybody hears; and nothing of the channel comes after its place was given back.
#[test]
fn a_member_hears_what_stands_between_its_fences() {
    explore(|| {
        let (exchange, _) = stage(2, Limits::default());
        let mut witness = desk(&exchange, 1);
        ask(&mut witness, |turn| turn.join(Ticket(1), "tea", None));
        let publishers = [(); 2].map(|()| {
            let exchange = Arc::clone(&exchange);
            thread::spawn(move || {
                let vhost = Arc::clone(exchange.vhost(&VHostName::root()).unwrap());
                assert!(exchange.publish(&vhost, "tea", draft(), Now::default()).is_ok());
            })
        });
        let mut comer = desk(&exchange, 0);
        ask(&mut comer, |turn| turn.join(Ticket(2), "tea", None));
        ask(&mut comer, |turn| turn.leave(Ticket(3), "tea"));
        publishers.into_iter().for_each(|p| p.join().unwrap());

        let all: Vec<u64> = emptied(&exchange, 1).iter().flat_map(offsets).collect();
        assert_eq!(all, [1, 2], "the witness hears everything in order");
        let entries = emptied(&exchange, 0);
        let Some(Entry::Fence { fence: Fence::Joined { position, .. }, .. }) = entries.front() else {
            panic!("something overtook the fence: {entries:?}");
        };
        let heard: Vec<u64> = entries.iter().flat_map(offsets).collect();
        let expected: Vec<u64> = (position.offset + 1..).take(heard.len()).collect();
        assert_eq!(heard, expected, "nothing is missing behind the fence: {entries:?}");
        let last: Vec<&Entry> = entries.iter().skip(1 + heard.len()).collect();
        let is_end =
            matches!(last[..], [Entry::Fence { fence: Fence::Left { .. }, .. }, Entry::Vacate { .. }]);
        assert!(is_end, "something came behind the end: {entries:?}");
    });
}

/// A publisher that meets a full inbox sleeps, and goes on when it is not full.
#[test]
fn a_held_publisher_goes_on() {
    explore(|| {
        let full = Entry::Drain.weight();
        let limits = Limits { inbox_high: full, inbox_low: 0, ..Limits::default() };
        let (exchange, bells) = stage(2, limits);
        let mut reader = desk(&exchange, 0);
        ask(&mut reader, |turn| turn.join(Ticket(1), "tea", None));
        emptied(&exchange, 0);
        exchange.push_and_wake(0, Entry::Drain);
        assert!(exchange.inbox(0).is_full());

        let (shared, bell) = (Arc::clone(&exchange), Arc::clone(&bells[1]));
        let publisher = thread::spawn(move || {
            let mut desk = desk(&shared, 1);
            loop {
                let relieved = shared.relieved();
                match ask(&mut desk, |turn| turn.publish(None, "tea", draft())) {
                    Applied::Done => break,
                    Applied::Waiting(_) => panic!("nobody is asked"),
                    Applied::Held(_) => {
                        wait(&shared, 1, &bell, Sleep::Announced, || shared.relieved() != relieved);
                    }
                }
            }
            desk.commit();
            desk.ring();
        });
        while !emptied(&exchange, 0).iter().any(|entry| !offsets(entry).is_empty()) {
            wait(&exchange, 0, &bells[0], Sleep::Announced, || false);
        }
        publisher.join().unwrap();
        assert!(!exchange.inbox(0).is_full());
    });
}
