//! Memory asked for by a publish: as often for ten thousand members as for ten. Alone in its binary, because the
//! counting allocator counts for everybody in it.

mod common;

use common::peers::Ws;
use common::stage::Stage;
use http_dialect::Http;
use rooms_dialect::Rooms;
use transcript::house::Blueprint;

/// A stage of one shard with so many members of `tea`, warmed up, and a publisher that is none of them.
fn warm(members: usize) -> (Stage, Vec<Ws>, Ws) {
    let stage = Stage::build(Blueprint::new(vec![Box::new(Http::default()), Box::new(Rooms::default())]));
    let mut stage = stage;
    let mut all: Vec<Ws> = (0..members).map(|_| Ws::open(stage.connect(), "/")).collect();
    stage.settle();
    all.iter().for_each(|ws| ws.say(r#"{"event":"subscribe","payload":["tea"]}"#));
    stage.settle();
    let publisher = Ws::open(stage.connect(), "/");
    stage.settle();
    for _ in 0..5 {
        publish(&mut stage, &publisher, 4);
        all.iter_mut().for_each(|ws| drop(ws.peer.read(usize::MAX)));
    }
    (stage, all, publisher)
}

/// How often memory is asked for while so many messages are published and delivered.
fn publish(stage: &mut Stage, publisher: &Ws, messages: usize) -> u64 {
    publisher.say_all((0..messages).map(|n| format!(r#"{{"event":"tea","payload":{n}}}"#)));
    let delivered = stage.counters().delivered;
    let counted = allocation_counter::measure(|| stage.settle());
    assert!(stage.counters().delivered > delivered);
    counted.count_total
}

/// The same, from a stage that was used before.
fn steady(members: usize, messages: usize) -> u64 {
    let (mut stage, mut all, publisher) = warm(members);
    let counts: Vec<u64> = (0..5)
        .map(|_| {
            let count = publish(&mut stage, &publisher, messages);
            all.iter_mut().for_each(|ws| drop(ws.peer.read(usize::MAX)));
            count
        })
        .collect();
    let last = counts[4];
    assert!(counts[2..].iter().all(|c| *c == last), "steady: {counts:?}");
    last
}

/// Turns of the stage, each of which asks for a list of the shards that would run.
const OF_THE_STAGE: u64 = 40;

#[test]
fn a_message_to_ten_thousand_asks_for_memory_as_often_as_one_to_ten() {
    let (few, many) = (steady(10, 1), steady(10_000, 1));
    assert!(many <= few + OF_THE_STAGE, "{few} for ten, {many} for ten thousand");
    assert!(few < OF_THE_STAGE, "{few}");
}

#[test]
fn a_burst_does_so_too() {
    let (few, many) = (steady(10, 32), steady(10_000, 32));
    assert!(many <= few + OF_THE_STAGE, "{few} for ten, {many} for ten thousand");
    // The message, its bytes, its delivery, its parts: a handful for each.
    assert!(few < 32 * 8 + OF_THE_STAGE, "{few} for 32 messages");
}
