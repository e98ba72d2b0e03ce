//! What happens when nothing happens: requests that do not come, peers that fall silent, links that do not end.

mod common;

use carrier::websocket::Opcode;
use common::peers::{Heard, Http as Peer, Ws, frame, text_frame, upgrade};
use common::puppet::plan;
use common::stage::Stage;
use http_dialect::Http;
use model::CloseReason;
use rooms_dialect::Rooms;
use std::time::Duration;
use transcript::house::Blueprint;

fn stage() -> Stage {
    Stage::build(Blueprint::new(vec![Box::new(Http::default()), Box::new(Rooms::default())]))
}

fn seconds(stage: &mut Stage, n: u64) {
    stage.pass(Duration::from_secs(n));
}

#[test]
fn a_head_that_does_not_come_in_time_is_answered_408_however_it_drips() {
    let mut stage = stage();
    let mut http = Peer::new(stage.connect());
    http.peer.write(b"GET /c HTTP/1.1\r\nHost: local");
    for _ in 0..9 {
        seconds(&mut stage, 1);
        http.peer.write(b"x");
    }
    assert!(http.responses().is_empty());
    seconds(&mut stage, 2);
    assert_eq!(http.statuses(), [408]);
    assert!(http.peer.is_over());
    http.peer.finish();
    stage.settle();
    stage.assert_empty();
}

#[test]
fn who_says_nothing_at_all_is_told_nothing() {
    let mut stage = stage();
    let mut http = Peer::new(stage.connect());
    stage.settle();
    seconds(&mut stage, 9);
    assert!(!http.peer.is_over());
    seconds(&mut stage, 2);
    assert!(http.responses().is_empty() && http.peer.is_over());
    seconds(&mut stage, 13);
    stage.assert_empty();
}

#[test]
fn a_body_that_does_not_come_in_time_is_answered_408() {
    let mut stage = stage();
    for head in
        ["Content-Length: 100", "Transfer-Encoding: chunked", "Content-Length: 9\r\nExpect: 100-continue"]
    {
        let mut http = Peer::new(stage.connect());
        http.peer.write(format!("POST /c/tea HTTP/1.1\r\nHost: localhost\r\n{head}\r\n\r\n").as_bytes());
        stage.settle();
        if head.contains("Expect") {
            http.pull(usize::MAX);
            assert_eq!(http.take_bytes(), "HTTP/1.1 100 Continue\r\n\r\n");
        } else {
            http.peer.write(b"5");
        }
        seconds(&mut stage, 29);
        assert!(http.responses().is_empty() && !http.peer.is_over(), "{head}");
        seconds(&mut stage, 2);
        assert_eq!(http.statuses(), [408], "{head}");
        http.peer.finish();
    }
    stage.settle();
    stage.assert_empty();
}

#[test]
fn a_body_that_comes_in_time_is_taken() {
    let mut stage = stage();
    let mut http = Peer::new(stage.connect());
    http.peer.write(b"POST /c/tea HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\n");
    stage.settle();
    seconds(&mut stage, 25);
    http.peer.write(b"abc");
    stage.settle();
    assert_eq!(http.statuses(), [202]);
}

#[test]
fn a_kept_connection_ends_when_it_is_idle_for_too_long_and_not_before() {
    let mut stage = stage();
    let mut http = Peer::new(stage.connect());
    for _ in 0..3 {
        http.get("/c");
        stage.settle();
        assert_eq!(http.statuses(), [200]);
        seconds(&mut stage, 74);
        assert!(!http.peer.is_over());
    }
    seconds(&mut stage, 2);
    assert!(http.responses().is_empty() && http.peer.is_over());
}

#[test]
fn the_next_head_on_a_kept_connection_has_its_own_time() {
    let mut stage = stage();
    let mut http = Peer::new(stage.connect());
    http.get("/c");
    stage.settle();
    http.responses();
    seconds(&mut stage, 30);
    http.peer.write(b"GET /c HT");
    stage.settle();
    seconds(&mut stage, 9);
    assert!(!http.peer.is_over());
    seconds(&mut stage, 2);
    assert_eq!(http.statuses(), [408]);
}

#[test]
fn a_stream_lasts_and_says_that_it_lives() {
    let mut stage = stage();
    let mut http = Peer::new(stage.connect());
    http.get("/c/tea");
    stage.settle();
    seconds(&mut stage, 605);
    let body = &http.responses()[0].body;
    assert_eq!(*body, "\n".repeat(30), "a heartbeat every 20 seconds");
}

#[test]
fn a_peer_that_answers_pings_stays_and_one_that_does_not_goes_after_some_intervals() {
    let mut stage = stage();
    let mut alive = Ws::open(stage.connect(), "/");
    let mut dead = Ws::open(stage.connect(), "/");
    let mut busy = Ws::open(stage.connect(), "/");
    (dead.answers, busy.answers) = (false, false);
    let pings = |ws: &mut Ws| ws.heard().iter().filter(|h| **h == Heard::Ping).count();
    let (mut asked, mut asked_dead, mut went) = (0, 0, None);
    for half in 0..40 {
        seconds(&mut stage, 15);
        asked += pings(&mut alive);
        asked_dead += pings(&mut dead);
        busy.pull(usize::MAX);
        busy.say("{}");
        if went.is_none() && dead.peer.is_over() {
            went = Some(half);
        }
    }
    assert!(asked >= 9, "{asked} pings in 20 intervals");
    assert_eq!(asked_dead, 2, "two pings go unanswered");
    assert!(went.is_some_and(|half| (5..9).contains(&half)), "gone after three to four intervals: {went:?}");
    assert_eq!((stage.sessions(), stage.closed(CloseReason::Silent)), (2, 1));
    assert!(!alive.peer.is_over() && !busy.peer.is_over(), "who speaks lives, answers or not");
}

#[test]
fn pings_of_peers_that_came_together_are_spread() {
    let mut stage = stage();
    let mut all: Vec<Ws> = (0..64).map(|_| Ws::open(stage.connect(), "/")).collect();
    stage.settle();
    let mut most = 0;
    for _ in 0..60 {
        seconds(&mut stage, 1);
        let pinged = all.iter_mut().map(|ws| usize::from(ws.heard().contains(&Heard::Ping))).sum();
        most = most.max(pinged);
    }
    assert!((1..16).contains(&most), "{most} pings in one second");
}

#[test]
fn a_message_that_is_begun_must_be_finished_in_time() {
    let mut stage = stage();
    let mut ws = Ws::open(stage.connect(), "/");
    stage.settle();
    ws.heard();
    let whole = text_frame(&"x".repeat(1000));
    for (n, byte) in whole.iter().enumerate().take(31) {
        ws.peer.write(&[*byte]);
        if n % 3 == 0 {
            // Signs of life between do not wind the clock up.
            stage.settle();
        }
        seconds(&mut stage, 1);
    }
    assert_eq!(ws.closed_with(), Some(1008));
    assert_eq!(stage.closed(CloseReason::TimedOut), 1);
}

#[test]
fn pongs_between_the_fragments_do_not_give_a_message_more_time() {
    let mut stage = stage();
    let ws = Ws::open(stage.connect(), "/");
    stage.settle();
    // A first fragment, and then only control frames.
    let mut first = text_frame("half");
    first[0] &= 0x7F;
    ws.peer.write(&first);
    for _ in 0..31 {
        seconds(&mut stage, 1);
        ws.peer.write(&frame(Opcode::Pong, b""));
    }
    assert_eq!(stage.closed(CloseReason::TimedOut), 1);
}

#[test]
fn messages_that_follow_each_other_without_a_pause_have_each_their_own_time() {
    let mut stage = stage();
    let mut ws = Ws::open(stage.connect(), "/");
    stage.settle();
    let whole = text_frame(r#"{"event":"broadcast","payload":1}"#);
    let (begin, rest) = whole.split_at(10);
    ws.peer.write(begin);
    for _ in 0..10 {
        seconds(&mut stage, 20);
        // The end of one and the beginning of the next come together.
        ws.peer.write(&[rest, begin].concat());
    }
    stage.settle();
    assert_eq!(ws.texts().iter().filter(|t| t.contains("broadcast")).count(), 10);
    assert!(!ws.peer.is_over());
}

#[test]
fn a_link_that_was_closed_does_not_wait_for_its_peer_for_ever() {
    let mut stage = stage();
    let mut polite = Ws::open(stage.connect(), "/");
    let mut deaf = Ws::open(stage.connect(), "/");
    stage.settle();
    polite.heard();
    deaf.peer.set_room(0);
    polite.close();
    deaf.close();
    stage.settle();
    assert_eq!(polite.closed_with(), Some(1000));
    assert_eq!(stage.sessions(), 0);
    assert_eq!(stage.connections(), 2);
    seconds(&mut stage, 3);
    assert_eq!(stage.connections(), 1, "it has its last word, and two seconds more");
    seconds(&mut stage, 18);
    stage.assert_empty();
    assert!(deaf.closed_with().is_none());
}

#[test]
fn bytes_behind_the_request_to_become_a_websocket_end_the_connection() {
    let mut stage = stage();
    for target in ["/", "/c/tea"] {
        let mut http = Peer::new(stage.connect());
        let smuggled = text_frame(r#"{"event":"tea","payload":1}"#);
        http.peer.write(&[upgrade(target).as_bytes(), &smuggled].concat());
        stage.settle();
        assert_eq!(http.statuses(), [400], "{target}");
        assert!(http.peer.is_over());
        http.peer.finish();
    }
    stage.settle();
    stage.assert_empty();
    assert_eq!(stage.counters().published + stage.counters().unheard, 0);
}

#[test]
fn an_answer_that_takes_its_time_is_not_cut_by_the_clock_of_its_request() {
    let mut stage = Stage::build(plan(1));
    let mut http = Peer::new(stage.connect());
    http.get("/puppet?do=after+60000+respond+late");
    stage.settle();
    seconds(&mut stage, 59);
    assert!(http.responses().is_empty() && !http.peer.is_over());
    seconds(&mut stage, 2);
    assert_eq!(http.response().body, "late");
    http.get("/puppet?do=respond+next");
    stage.settle();
    assert_eq!(http.response().body, "next");
}

#[test]
fn a_stream_whose_reader_takes_nothing_ends_and_one_that_takes_a_little_goes_on() {
    let mut stage = stage();
    let mut open = |name: &str| {
        let http = Peer::new(stage.connect());
        http.peer.set_room(256);
        http.peer.write(format!("GET /c/{name} HTTP/1.1\r\nHost: localhost\r\n\r\n").as_bytes());
        stage.settle();
        http
    };
    let (idle, slow) = (open("tea"), open("tea"));
    let speaker = Peer::new(stage.connect());
    for _ in 0..20 {
        speaker.peer.write(b"POST /c/tea HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\n\"hi\"");
        stage.settle();
    }
    for _ in 0..13 {
        seconds(&mut stage, 10);
        drop(slow.peer.read(8));
        stage.settle();
    }
    let closed = stage.closed(CloseReason::SlowConsumer);
    assert_eq!(closed, 1, "the one that takes nothing");
    drop(idle.peer.read(usize::MAX));
    assert!(idle.peer.is_over() && !slow.peer.is_over());
}

#[test]
fn every_answer_says_when_it_was_given() {
    let mut stage = stage();
    let mut http = Peer::new(stage.connect());
    for (path, wait) in [("/healthz", 0), ("/nowhere", 61), ("/c/tea", 0)] {
        seconds(&mut stage, wait);
        http.peer.write(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").as_bytes());
        stage.settle();
    }
    http.pull(usize::MAX);
    let said = http.take_bytes();
    let dates: Vec<&str> = said.lines().filter_map(|l| l.strip_prefix("Date: ")).collect();
    let (first, later) = ("Tue, 14 Nov 2023 22:13:20 GMT", "Tue, 14 Nov 2023 22:14:21 GMT");
    assert_eq!(dates, [first, later, later], "{said}");
}
