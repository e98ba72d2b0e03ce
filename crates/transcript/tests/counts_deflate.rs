//! Memory and work of compression, counted. Alone in its binary, because the counting allocator counts for everybody
//! in it.

mod common;

use common::peers::{Ws, deflated_frame, deflated_frame_of};
use common::stage::Stage;
use http_dialect::Http;
use node::Counters;
use rooms_dialect::Rooms;
use std::sync::Mutex;
use transcript::house::Blueprint;

/// One at a time: memory is counted by thread, but the threads' tests share a processor.
static ALONE: Mutex<()> = Mutex::new(());

fn stage(shards: u16) -> Stage {
    let mut plan = Blueprint::new(vec![Box::new(Http::default()), Box::new(Rooms::default())]);
    (plan.shards, plan.deflate) = (shards, true);
    Stage::build(plan)
}

fn members(stage: &mut Stage, n: usize, offer: &str) -> Vec<Ws> {
    let mut all: Vec<Ws> = (0..n).map(|_| Ws::offering(stage.connect(), "/", offer)).collect();
    stage.settle();
    for ws in &mut all {
        ws.say(r#"{"event":"subscribe","payload":["tea"]}"#);
    }
    stage.settle();
    all.iter_mut().for_each(|ws| drop(ws.heard()));
    all
}

fn counted(stage: &mut Stage, what: impl FnOnce(&mut Stage)) -> Counters {
    let before = stage.counters();
    what(stage);
    let mut after = stage.counters();
    after.deflated -= before.deflated;
    after.encoded -= before.encoded;
    after.delivered -= before.delivered;
    after.writes -= before.writes;
    after
}

fn said(n: usize) -> String {
    format!(r#"{{"event":"tea","payload":"{n} {}"}}"#, "wonderful ".repeat(50))
}

#[test]
fn a_message_is_compressed_once_for_a_thousand_members() {
    let _alone = ALONE.lock();
    let mut stage = stage(3);
    let mut all = members(&mut stage, 1_000, "permessage-deflate; client_max_window_bits");
    let c = counted(&mut stage, |stage| {
        all[0].say(&said(1));
        stage.settle();
    });
    assert_eq!((c.delivered, c.encoded, c.deflated), (1_000, 1, 1));
    let c = counted(&mut stage, |stage| {
        all[0].say_all((0..32).map(said));
        stage.settle();
    });
    assert_eq!((c.delivered, c.encoded, c.deflated), (32_000, 32, 32));
    assert_eq!(c.writes, 1_000, "a burst is one write for each member");
    assert!(all.iter_mut().all(|ws| ws.texts().len() == 33 && ws.deflated == 33));
}

/// Peers choose the window; they must not be able to choose how often a message is compressed.
#[test]
fn whatever_peers_agree_to_there_are_few_forms() {
    let _alone = ALONE.lock();
    let mut stage = stage(1);
    let mut all = members(&mut stage, 20, "x-other");
    for bits in 9..=15 {
        all.extend(members(&mut stage, 20, &format!("permessage-deflate; server_max_window_bits={bits}")));
    }
    let mut lines: Vec<_> = ["*/*", "text/event-stream"]
        .map(|accept| {
            let http = common::peers::Http::new(stage.connect());
            let head = format!("GET /c/tea HTTP/1.1\r\nHost: localhost\r\nAccept: {accept}\r\n\r\n");
            http.peer.write(head.as_bytes());
            http
        })
        .into();
    let publisher = Ws::open(stage.connect(), "/");
    stage.settle();
    let c = counted(&mut stage, |stage| {
        // Longer than the smallest window.
        publisher.say(&said(1));
        stage.settle();
    });
    assert_eq!(
        (c.delivered, c.encoded, c.deflated),
        (162, 3 + 2, 2),
        "beyond its window nothing is compressed"
    );
    assert_eq!(c.writes, 162);
    for ws in &mut all {
        assert_eq!(ws.texts(), [said(1)]);
    }
    assert!(lines.iter_mut().all(|l| l.responses()[0].body.contains("wonderful")));
}

/// Forms beyond the first few are written once for all their members too.
#[test]
fn the_ninth_form_is_written_once() {
    let _alone = ALONE.lock();
    let mut stage = stage(1);
    let offers = [15, 12, 9].map(|bits| format!("permessage-deflate; server_max_window_bits={bits}"));
    let mut all: Vec<Ws> = Vec::new();
    for offer in &offers {
        all.push(Ws::offering(stage.connect(), "/c/tea", offer));
        all.append(&mut members(&mut stage, 1, offer));
    }
    all.push(Ws::open(stage.connect(), "/c/tea"));
    let mut streams = ["*/*", "text/event-stream"].map(|accept| {
        let http = common::peers::Http::new(stage.connect());
        let head = format!("GET /c/tea HTTP/1.1\r\nHost: localhost\r\nAccept: {accept}\r\n\r\n");
        http.peer.write(head.as_bytes());
        http
    });
    stage.settle();
    all.extend(members(&mut stage, 200, "x-other"));
    let publisher = Ws::open(stage.connect(), "/");
    stage.settle();
    let large = format!(r#"{{"event":"tea","payload":"{}"}}"#, "wonderful ".repeat(1_000));
    let mut peak = 0;
    for _ in 0..3 {
        publisher.say(&large);
        // What the pipes hold is theirs from the first time on.
        peak = allocation_counter::measure(|| stage.settle()).bytes_max;
        all.iter_mut().for_each(|ws| drop(ws.peer.read(usize::MAX)));
        streams.iter_mut().for_each(|http| http.pull(usize::MAX));
    }
    assert!(peak < 500_000, "{peak} bytes, for 10,000 that 200 members are owed");
}

/// Peak of the memory that is asked for while a peer sends these.
fn peak(stage: &mut Stage, ws: &Ws, raw: &[u8]) -> u64 {
    ws.peer.write(raw);
    allocation_counter::measure(|| stage.settle()).bytes_max
}

#[test]
fn bombs_take_no_more_memory_than_one_message() {
    let _alone = ALONE.lock();
    let mut stage = stage(1);
    let ws = members(&mut stage, 1, "permessage-deflate").remove(0);
    let bomb = deflated_frame(&"\0".repeat(1_000_000));
    assert!(bomb.len() < 1_100, "a thousand to one: {}", bomb.len());
    let peak_of_many = peak(&mut stage, &ws, &bomb.repeat(100));
    assert_eq!(stage.counters().bytes_inflated, 100_000_000);
    // The buffer grows by doubling: the old one is still there while the new one is made.
    assert!(peak_of_many < 2_000_000, "{peak_of_many} bytes");
    let large = deflated_frame(&"\0".repeat(50_000_000));
    let peak_of_one = peak(&mut stage, &ws, &large);
    assert!(peak_of_one < 2 * (2 << 20), "{peak_of_one} bytes for 50,000,000 that were not let in");
    assert_eq!(stage.closed(model::CloseReason::TooBig), 1);
}

/// Of messages that are inflated in slices one is inflated, however many have come.
#[test]
fn long_bombs_take_no_more_memory_than_one_message() {
    let _alone = ALONE.lock();
    let mut stage = stage(1);
    let bombers = members(&mut stage, 20, "permessage-deflate");
    let bomb = deflated_frame_of(&"\0".repeat(2_000_000), 100_000);
    bombers.iter().for_each(|ws| ws.peer.write(&bomb));
    let peak = allocation_counter::measure(|| stage.settle()).bytes_max;
    assert_eq!(stage.counters().bytes_inflated, 20 * 2_000_000);
    let sent = 20 * 100_000;
    assert!(peak < 3 * sent + 2 * (2 << 20), "{peak} bytes");
}
