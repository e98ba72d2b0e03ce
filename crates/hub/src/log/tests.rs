//! What logs give back, and what they do not.

use super::*;
use bytes::Bytes;
use model::{Message, Payload, Publisher, SessionId};

const AGE: Duration = Duration::from_secs(10);

/// A message in a life of a channel, by its offset.
fn message(epoch: u64, offset: u64) -> Arc<Delivery> {
    let session = SessionId { shard: 0, slot: 0, generation: 0 };
    Arc::new(Delivery::new(Message {
        vhost: model::VHostName::root(),
        channel: None,
        event: None,
        payload: Payload::text(Bytes::from_static(b"x")),
        verbatim: None,
        publisher: Publisher { session, name: None, address: None },
        position: Position { epoch, offset },
        recoverable: false,
        time_ms: 0,
    }))
}

fn places(missed: Option<Vec<Arc<Delivery>>>) -> Option<Vec<(u64, u64)>> {
    let place = |d: &Arc<Delivery>| (d.message.position.epoch, d.message.position.offset);
    missed.map(|missed| missed.iter().map(place).collect())
}

fn member_of(channels: &[u32]) -> Absentee<'_> {
    Absentee { session: 1, vhost: 0, channels }
}

#[test]
fn what_is_missed_comes_in_the_order_of_the_shard() {
    let mut log = Log::default();
    let begin = log.end();
    log.note_run(Time(0), 5, &[message(50, 1), message(50, 2)]);
    log.note_run(Time(0), 6, &[message(60, 1)]);
    log.note_run(Time(0), 7, &[message(70, 1)]);
    log.note_broadcast(Time(0), 0, &message(1, 1));
    log.note_broadcast(Time(0), 9, &message(2, 1));
    log.note_told(Time(0), 1, &message(0, 1));
    log.note_told(Time(0), 2, &message(0, 2));
    log.note_run(Time(0), 5, &[message(50, 3)]);
    let missed = |heard: Option<(u64, u64)>, mark| {
        let heard = heard.map(|(epoch, offset)| Position { epoch, offset });
        places(log.missed(member_of(&[5, 6]), heard, mark)).unwrap()
    };
    let all = [(50, 1), (50, 2), (60, 1), (1, 1), (0, 1), (50, 3)];
    assert_eq!(missed(None, begin), all);
    assert_eq!(missed(Some((50, 2)), begin), all[2..]);
    assert_eq!(missed(Some((0, 1)), begin), all[5..]);
    assert_eq!(missed(Some((50, 3)), begin), []);
    assert_eq!(missed(Some((99, 9)), begin), all, "a position that is unknown says nothing");
    assert_eq!(missed(Some((50, 1)), Mark(3)), all[3..], "the mark is later");
    assert_eq!(missed(None, log.end()), []);
}

#[test]
fn what_was_said_where_it_was_no_member_is_not_missed() {
    let mut log = Log::default();
    log.note_run(Time(0), 5, &[message(50, 1)]);
    log.note_membership(Time(0), 1, 5, true);
    log.note_run(Time(0), 5, &[message(50, 2)]);
    log.note_membership(Time(0), 2, 5, false);
    log.note_membership(Time(0), 1, 5, false);
    log.note_run(Time(0), 5, &[message(50, 3)]);
    log.note_membership(Time(0), 1, 5, true);
    log.note_run(Time(0), 5, &[message(50, 4)]);
    let missed = |channels: &[u32], mark| places(log.missed(member_of(channels), None, mark)).unwrap();
    assert_eq!(missed(&[5], Mark(0)), [(50, 2), (50, 4)]);
    assert_eq!(missed(&[5], Mark(2)), [(50, 2), (50, 4)]);
    assert_eq!(missed(&[5], Mark(5)), [(50, 4)]);
    // It has left again, and nothing has been said since.
    log.note_membership(Time(0), 1, 5, false);
    let missed = places(log.missed(member_of(&[]), None, Mark(5)));
    assert_eq!(missed, Some(vec![(50, 4)]), "what it had missed before it left is told");
}

#[test]
fn a_log_is_bounded_and_says_when_it_does_not_reach_back() {
    let mut log = Log::default();
    for i in 0..10 {
        log.note_run(Time(i * 1000), 5, &[message(50, i + 1)]);
    }
    let one = log.bytes() / 10;
    log.forget(Time(12_000), AGE, usize::MAX);
    assert_eq!((log.bytes(), log.end()), (7 * one, Mark(10)), "three were ten seconds old");
    let missed = |log: &Log, heard: Option<u64>, mark| {
        let heard = heard.map(|offset| Position { epoch: 50, offset });
        places(log.missed(member_of(&[5]), heard, Mark(mark)))
    };
    assert_eq!(missed(&log, None, 2), None);
    assert_eq!(missed(&log, Some(9), 2), Some(vec![(50, 10)]), "who has heard that has heard all before it");
    assert_eq!(missed(&log, Some(1), 3).map(|m| m.len()), Some(7), "an old offset, but it is confirmed");
    log.forget(Time(12_000), AGE, 2 * one);
    assert_eq!(missed(&log, None, 8), Some(vec![(50, 9), (50, 10)]));
    assert_eq!(missed(&log, None, 7), None);
    log.forget(Time(60_000), AGE, usize::MAX);
    assert_eq!((log.bytes(), log.end(), missed(&log, None, 10)), (0, Mark(10), Some(vec![])));
}
