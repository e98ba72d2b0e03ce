//! Random crowds on random houses, from a seed: whatever happens, every member hears its channels in one order, all
//! of it, once. `CHAPPE_SEEDS=1000` runs more; a failure prints its seed, `CHAPPE_SEED=17` runs that one alone.

mod common;

use common::crowd::{CHANNELS, Client, EVERYBODY, Id, some_client};
use common::numbers::{Blame, Numbers, seeds};
use common::stage::Stage;
use http_dialect::Http;
use rooms_dialect::Rooms;
use std::collections::BTreeMap;
use transcript::house::Blueprint;

struct Play {
    stage: Stage,
    numbers: Numbers,
    observers: Vec<Client>,
    clients: Vec<Client>,
    born: usize,
}

fn blueprint(numbers: &mut Numbers) -> Blueprint {
    let http = http_dialect::Settings { heartbeat_seconds: 0, ..http_dialect::Settings::default() };
    let mut plan = Blueprint::new(vec![Box::new(Http::new(http)), Box::new(Rooms::default())]);
    plan.shards = numbers.one_of(&[1, 2, 3, 4]);
    plan.limits.slice_bytes = numbers.one_of(&[1, 300, 4096, 256 << 10]);
    plan.limits.read_budget = numbers.one_of(&[1, 200, 256 << 10]);
    plan.limits.inbox_high = numbers.one_of(&[1, 700, 3000, 16 << 20]);
    plan.limits.inbox_low = plan.limits.inbox_high / numbers.one_of(&[1, 2, 4]);
    plan
}

impl Play {
    fn begin(seed: u64) -> Self {
        let mut numbers = Numbers::new(seed);
        let plan = blueprint(&mut numbers);
        let stage = Stage::shuffled(plan, seed);
        let mut play = Self { stage, numbers, observers: Vec::new(), clients: Vec::new(), born: 0 };
        for channel in CHANNELS {
            let id = play.next_id();
            let mut observer = Client::rooms(&play.stage, id, 0);
            play.stage.settle();
            observer.read(usize::MAX);
            let join = observer.join(channel);
            observer.say(&[join]);
            play.observers.push(observer);
        }
        play.stage.settle();
        for _ in 0..3 + play.numbers.below(6) {
            play.newcomer();
        }
        play
    }

    fn next_id(&mut self) -> usize {
        self.born += 1;
        self.born - 1
    }

    fn newcomer(&mut self) {
        let id = self.next_id();
        let client = some_client(&self.stage, &mut self.numbers, id);
        self.clients.push(client);
    }

    /// What one client says in one piece: some joins, leaves, messages and bursts.
    fn words(&mut self, who: usize) -> Vec<String> {
        let mut words = Vec::new();
        for _ in 0..1 + self.numbers.below(4) {
            let channel = self.numbers.one_of(&CHANNELS);
            let client = &mut self.clients[who];
            match self.numbers.below(10) {
                0..3 => words.push(client.join(channel)),
                3..5 => words.push(client.leave(channel)),
                5..8 => words.push(client.publish(channel)),
                8 => words.extend((0..20).map(|_| client.publish(channel))),
                _ => words.push(client.publish(EVERYBODY)),
            }
        }
        words
    }

    fn step(&mut self) {
        let who = self.numbers.below(self.clients.len());
        match self.numbers.below(20) {
            0..6 => {
                let client = &mut self.clients[who];
                // Before the 101 there is nothing to say.
                client.read(usize::MAX);
                if client.stays.contains_key(EVERYBODY) {
                    let words = self.words(who);
                    self.clients[who].say(&words);
                }
            }
            6..9 => {
                let max = self.numbers.one_of(&[1, 50, 5000, usize::MAX]);
                self.clients[who].read(max);
            }
            9 if self.numbers.once_in(4) => {
                let client = &mut self.clients[who];
                client.peer().vanish();
                client.gone = true;
                self.newcomer();
            }
            10 if self.numbers.once_in(4) => self.stage.pass_ms(150),
            11 => self.newcomer_sometimes(),
            _ => {
                for _ in 0..self.numbers.below(6) {
                    self.stage.step();
                }
                self.observers.iter_mut().for_each(|o| o.read(usize::MAX));
            }
        }
    }

    fn newcomer_sometimes(&mut self) {
        if self.clients.len() < 12 {
            self.newcomer();
        }
    }

    /// Everybody reads all there is, until nobody has anything more to say.
    fn finish(&mut self) {
        for client in self.observers.iter().chain(&self.clients) {
            client.peer().set_room(1 << 20);
            client.peer().set_piece(1 << 20);
        }
        loop {
            self.stage.settle();
            let before = self.stage.counters().bytes_out;
            self.observers.iter_mut().chain(&mut self.clients).for_each(|c| c.read(usize::MAX));
            self.stage.settle();
            self.observers.iter_mut().chain(&mut self.clients).for_each(|c| c.read(usize::MAX));
            if self.stage.counters().bytes_out == before {
                return;
            }
        }
    }

    /// Each channel's order, as its observer heard it.
    fn order(&self) -> BTreeMap<String, Vec<Id>> {
        let names = CHANNELS.iter().chain([&EVERYBODY]);
        let observers = self.observers.iter().chain([&self.observers[0]]);
        names.zip(observers).map(|(c, o)| ((*c).to_owned(), o.stays[*c].heard.concat())).collect()
    }

    fn check(&self) {
        let order = self.order();
        for (channel, ids) in &order {
            let mut last: BTreeMap<usize, u64> = BTreeMap::new();
            for (who, n) in ids {
                let before = last.insert(*who, *n).unwrap_or(0);
                assert_eq!(*n, before + 1, "client {who} in {channel}: first in, first out");
            }
            for c in self.clients.iter().filter(|c| !c.gone) {
                let heard = last.get(&c.id).copied().unwrap_or(0);
                assert_eq!(heard, c.published(channel), "client {} waits for ever in {channel}", c.id);
            }
        }
        for client in &self.clients {
            assert_eq!(client.closed, None, "client {}", client.id);
            client.check_stays(&order);
            if client.speaks_rooms() && !client.gone {
                client.check_echoes();
            }
        }
    }

    /// Everybody goes; nothing is left.
    fn end(mut self) {
        self.observers.iter().chain(&self.clients).for_each(|c| c.peer().vanish());
        self.stage.settle();
        self.stage.assert_empty();
    }
}

fn run(seed: u64) -> (u64, u64) {
    let blame = Blame(seed);
    let mut play = Play::begin(seed);
    for _ in 0..250 {
        play.step();
    }
    play.finish();
    play.check();
    let c = play.stage.counters();
    play.end();
    drop(blame);
    (c.held, c.published)
}

#[test]
fn every_member_hears_its_channels_in_one_order_without_loss_and_without_doubles() {
    if let Some(seed) = std::env::var("CHAPPE_SEED").ok().and_then(|s| s.parse().ok()) {
        run(seed);
        return;
    }
    let (mut held, mut published) = (0, 0);
    for seed in 0..seeds(150) {
        let (h, p) = run(seed);
        held += h;
        published += p;
    }
    assert!(held > 100, "publishers were held: {held}");
    assert!(published > 1000, "messages were published: {published}");
}
