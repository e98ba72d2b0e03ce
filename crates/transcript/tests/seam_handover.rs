//! The seam on a made-up dialect: connections that are handed to a session of another shard, with what was read from
//! them, and sessions that outlive their links.

mod common;

use common::peers::{Http, Lines, Ws, deflated_frame, text_frame, upgrade};
use common::puppet::{plan, puppet, who};
use common::stage::Stage;
use model::CloseReason;
use transcript::house::Blueprint;

/// A session on shard 1 behind a line, and its id.
fn target(stage: &mut Stage) -> (Lines, String) {
    let first = puppet(stage, "auth");
    let mut line = puppet(stage, "auth;hear;join tea");
    let id = who(stage, &mut line);
    assert!(id.starts_with("1-"), "the second connection is dealt to the second shard: {id}");
    first.peer.vanish();
    stage.settle();
    (line, id)
}

#[test]
fn a_request_for_a_session_of_another_shard_is_answered_by_that_session() {
    let mut stage = Stage::build(plan(2));
    let (mut line, id) = target(&mut stage);
    let mut http = Http::new(stage.connect());
    http.get(&format!("/puppet?do=handover+{id}&then=tell+tea+moved;answer"));
    stage.settle();
    assert_eq!(http.response().body, "published 1");
    assert_eq!(line.heard(), ["tea@1 moved"], "its older link still works");
    line.say("say and speaks");
    stage.settle();
    assert_eq!(line.heard(), ["and speaks"]);
}

#[test]
fn a_connection_that_was_handed_over_goes_on_there_with_its_next_request() {
    let mut stage = Stage::build(plan(2));
    let (_line, id) = target(&mut stage);
    let mut http = Http::new(stage.connect());
    for n in 0..3 {
        http.get(&format!("/puppet?do=handover+{id}&then=respond+{n}"));
        stage.settle();
        assert_eq!(http.response().body, n.to_string());
    }
    http.get("/puppet?do=respond+own");
    stage.settle();
    assert_eq!(http.response().body, "own", "it is nobody's in particular again");
}

#[test]
fn pipelined_bytes_move_with_the_connection() {
    let mut stage = Stage::build(plan(2));
    let (mut line, id) = target(&mut stage);
    for piece in [usize::MAX, 1, 7, 100] {
        let mut http = Http::new(stage.connect());
        http.peer.set_piece(piece);
        http.get(&format!("/puppet?do=handover+{id}&then=respond+first"));
        http.get("/puppet?do=respond+second");
        http.post("/puppet?do=respond+third", &"x".repeat(1000));
        http.get(&format!("/puppet?do=handover+{id}&then=respond+fourth"));
        stage.settle();
        let bodies: Vec<_> = http.responses().into_iter().map(|r| r.body).collect();
        assert_eq!(bodies, ["first", "second", "third", "fourth"], "pieces of {piece}");
    }
    line.say("say well");
    stage.settle();
    assert_eq!(line.heard(), ["well"]);
}

#[test]
fn what_was_answered_before_on_the_connection_is_not_lost() {
    let mut stage = Stage::build(plan(2));
    let (_line, id) = target(&mut stage);
    let mut http = Http::new(stage.connect());
    http.get("/puppet?do=respond+before");
    http.get(&format!("/puppet?do=handover+{id}&then=respond+after"));
    stage.settle();
    let bodies: Vec<_> = http.responses().into_iter().map(|r| r.body).collect();
    assert_eq!(bodies, ["before", "after"]);
}

#[test]
fn what_a_slow_reader_has_not_taken_yet_is_not_lost_either() {
    let mut stage = Stage::build(plan(2));
    let (_line, id) = target(&mut stage);
    let mut http = Http::new(stage.connect());
    http.peer.set_room(10);
    http.get("/puppet?do=respond+before");
    stage.settle();
    http.get(&format!("/puppet?do=handover+{id}&then=respond+after"));
    for _ in 0..100 {
        stage.settle();
        http.pull(4);
    }
    let bodies: Vec<_> = http.responses().into_iter().map(|r| r.body).collect();
    assert_eq!(bodies, ["before", "after"]);
}

#[test]
fn the_conversation_travels_along_and_answers_when_there_is_no_such_session() {
    let mut stage = Stage::build(plan(2));
    let (line, id) = target(&mut stage);
    line.peer.vanish();
    stage.settle();
    for to in [&*id, "0-77-1", "1-0-0", "9-0-0"] {
        let mut http = Http::new(stage.connect());
        http.get(&format!("/puppet?do=handover+{to}&else=respond+gone"));
        http.get("/puppet?do=respond+next");
        stage.settle();
        let bodies: Vec<_> = http.responses().into_iter().map(|r| r.body).collect();
        assert_eq!(bodies, ["gone", "next"], "to {to}");
        http.peer.finish();
        stage.settle();
    }
    assert_eq!(stage.sessions(), 0);
}

#[test]
fn a_websocket_taken_up_by_a_session_elsewhere_is_its_newest_link() {
    let mut stage = Stage::build(plan(2));
    let (mut line, id) = target(&mut stage);
    let mut ws = Ws::open(stage.connect(), &format!("/puppet?do=handover+{id}&then=accept;hear;say+welcome"));
    stage.settle();
    assert_eq!(ws.texts(), ["welcome"]);
    ws.say("publish tea over the new one");
    stage.settle();
    assert_eq!(ws.texts(), ["tea@1 over the new one"], "it hears on the newest link");
    assert!(line.heard().is_empty());
    line.say("publish tea over the old one;say to the old one");
    stage.settle();
    assert_eq!(line.heard(), ["to the old one"]);
    assert_eq!(ws.texts(), ["tea@2 over the old one"]);
    // The newest goes: the session lives on with the older, and says how it wants to hear.
    ws.peer.vanish();
    stage.settle();
    line.say("publish tea and now;hear;publish tea again");
    stage.settle();
    let heard = line.heard();
    assert_eq!(heard[0], "link lost");
    assert!(heard[1].ends_with("tea@3 and now") && heard[2].ends_with("tea@4 again"), "{heard:?}");
}

#[test]
fn frames_sent_before_the_101_end_a_websocket_that_moved_too() {
    let mut stage = Stage::build(plan(2));
    let (mut line, id) = target(&mut stage);
    let mut http = Http::new(stage.connect());
    let request = upgrade(&format!("/puppet?do=handover+{id}&then=accept"));
    http.peer.write(&[request.as_bytes(), &text_frame("publish tea smuggled")].concat());
    stage.settle();
    http.pull(usize::MAX);
    assert!(line.heard().is_empty(), "nothing of it is heard");
    assert!(http.peer.is_over());
}

#[test]
fn a_session_with_a_request_open_hears_broadcasts_on_the_link_it_hears_on() {
    let mut stage = Stage::build(plan(2));
    let (_line, id) = target(&mut stage);
    let mut ws = Ws::open(stage.connect(), &format!("/puppet?do=handover+{id}&then=accept;hear;say+welcome"));
    stage.settle();
    ws.heard();
    // A poll that is not answered yet is the newest link now, and speaks another language.
    let mut poll = Http::new(stage.connect());
    poll.get(&format!("/puppet?do=handover+{id}&then=answer"));
    stage.settle();
    let talker = puppet(&mut stage, "auth");
    talker.say("broadcast all;publish tea some");
    stage.settle();
    assert_eq!(ws.texts(), ["*@1 all", "tea@1 some"]);
    assert!(poll.responses().is_empty(), "nothing was said to the poll");
    ws.say("tell tea more");
    stage.settle();
    assert_eq!(poll.response().body, "published 1", "the poll takes what comes next");
}

#[test]
fn a_session_that_outlives_its_links_is_told_of_each_and_takes_a_new_one() {
    let mut stage = Stage::build(plan(2));
    let mut listener = puppet(&mut stage, "auth;hear;join out");
    let mut line = puppet(&mut stage, "auth;outlive;relay out;hear;join tea");
    let id = who(&mut stage, &mut line);
    line.peer.vanish();
    stage.settle();
    assert_eq!(stage.sessions(), 2);
    listener.say("publish tea while away");
    stage.settle();
    assert_eq!(listener.heard(), ["out@1 heard while away"], "without a link it hears by events");
    let mut http = Http::new(stage.connect());
    http.get(&format!("/puppet?do=handover+{id}&then=outlive+no;respond+back"));
    stage.settle();
    assert_eq!(http.response().body, "back");
    assert_eq!(stage.sessions(), 1, "it does not outlive this one any more");
    assert_eq!(stage.closed(CloseReason::Done), 1 + 1, "its own end, and the traveller's");
}

#[test]
fn a_session_that_hands_on_what_was_handed_to_it_does_not_confuse_anybody() {
    let mut stage = Stage::build(plan(2));
    let (_line, id) = target(&mut stage);
    let mut other = puppet(&mut stage, "auth");
    let there = who(&mut stage, &mut other);
    let mut bystander = Http::new(stage.connect());
    bystander.get("/puppet?do=stream;say+open");
    let http = Http::new(stage.connect());
    http.get(&format!("/puppet?do=handover+{id}&then=handover+{there}"));
    stage.settle();
    for _ in 0..3 {
        let mut next = Http::new(stage.connect());
        next.get("/puppet?do=respond+mine");
        stage.settle();
        assert_eq!(next.response().body, "mine", "somebody else's request is not touched");
    }
    assert_eq!(bystander.responses()[0].body, "open\n");
}

#[test]
fn a_request_that_is_to_be_handed_over_only_after_a_full_inbox_disturbs_nobody() {
    let mut plan = plan(2);
    (plan.limits.inbox_high, plan.limits.inbox_low) = (600, 300);
    let mut stage = Stage::build(plan);
    let (mut line, id) = target(&mut stage);
    let orders = "tell+tea+1;tell+tea+2;tell+tea+3;tell+tea+4;tell+tea+5;tell+tea+6";
    let mut http = Http::new(stage.connect());
    http.get(&format!("/puppet?do=handover+{id}&then={orders};handover+0-9-9"));
    stage.settle();
    assert!(stage.counters().held > 0);
    let mut next = Http::new(stage.connect());
    next.get("/puppet?do=respond+mine");
    stage.settle();
    assert_eq!(next.response().body, "mine");
    assert_eq!(http.statuses(), [503], "it is to be made again");
    line.say("say well");
    stage.settle();
    assert_eq!(line.heard().last().unwrap(), "well");
}

#[test]
fn links_that_moved_are_counted_once() {
    let mut stage = Stage::build(plan(3));
    let (line, id) = target(&mut stage);
    let https: Vec<Http> = (0..5).map(|_| Http::new(stage.connect())).collect();
    for http in &https {
        http.get(&format!("/puppet?do=handover+{id}&then=respond+moved"));
        stage.settle();
    }
    https.iter().for_each(|h| h.peer.finish());
    line.peer.finish();
    stage.settle();
    stage.assert_empty();
    // Loads are back to nothing: newcomers are dealt evenly.
    let _peers: Vec<_> = (0..6).map(|_| puppet(&mut stage, "auth")).collect();
    assert!(stage.house.shards.iter().all(|s| s.sessions() == 2));
}

/// A WebSocket on shard 0 whose session outlives its links, and its id.
fn visitor(stage: &mut Stage) -> (Ws, String) {
    loop {
        let mut ws = Ws::open(stage.connect(), "/puppet?do=accept;outlive;who");
        stage.settle();
        let said = ws.texts().remove(0);
        let id = said.trim().trim_start_matches("i am ").to_owned();
        if id.starts_with("0-") {
            return (ws, id);
        }
    }
}

#[test]
fn a_websocket_is_handed_over_with_what_was_said_and_read() {
    for compress in [false, true] {
        let mut stage = Stage::build(Blueprint { deflate: compress, ..plan(2) });
        let (line, id) = target(&mut stage);
        let path = "/puppet?do=accept;outlive";
        let mut ws = match compress {
            true => Ws::offering(stage.connect(), path, "permessage-deflate; client_max_window_bits"),
            false => Ws::open(stage.connect(), path),
        };
        stage.settle();
        // The first is told again there; the others have been read with it, the last in part.
        let mut bytes = [format!("handover {id}"), "say two".into(), "who".into(), "hear".into()]
            .map(|text| if compress { deflated_frame(&text) } else { text_frame(&text) })
            .concat();
        assert_eq!((ws.texts().len(), ws.agreed().is_some()), (0, compress));
        let rest = bytes.split_off(bytes.len() - 3);
        ws.peer.write(&bytes);
        stage.settle();
        assert_eq!(ws.texts(), ["taken", "two", &format!("i am {id}")]);
        ws.peer.write(&rest);
        stage.settle();
        line.say("publish tea on both shards");
        stage.settle();
        assert_eq!(ws.texts(), ["tea@1 on both shards"], "it hears there");
        ws.say("say well");
        stage.settle();
        assert_eq!(ws.texts(), ["well"]);
    }
}

#[test]
fn a_websocket_comes_back_to_a_session_that_lives_when_there_is_no_other() {
    let mut stage = Stage::build(plan(2));
    let (line, id) = target(&mut stage);
    line.peer.vanish();
    stage.settle();
    let (mut ws, own) = visitor(&mut stage);
    for gone in [&*id, "0-77-1", "9-0-0"] {
        ws.say_all([&format!("handover {gone}"), "who"]);
        stage.settle();
        let texts = ws.texts();
        assert_eq!(texts, [&format!("no session {gone}"), "nowhere", &format!("i am {own}")]);
    }
}

#[test]
fn a_session_that_gives_its_request_away_and_lives_gets_the_next_one_too() {
    let mut stage = Stage::build(plan(2));
    let (_line, id) = target(&mut stage);
    let (ws, own) = visitor(&mut stage);
    ws.say(&format!("handover {id}"));
    stage.settle();
    let mut http = Http::new(stage.connect());
    http.get(&format!("/puppet?do=handover+{own}&then=handover+{id}"));
    stage.settle();
    assert_eq!(
        http.statuses(),
        [200u16; 0],
        "its request is at the other's, which has said so to its own links"
    );
    assert_eq!(stage.sessions(), 2, "and it lives");
}

#[test]
fn a_websocket_that_is_closed_properly_is_lost_to_a_session_that_lives_on() {
    let mut stage = Stage::build(plan(1));
    let mut line = puppet(&mut stage, "auth;outlive");
    let id = who(&mut stage, &mut line);
    let mut ws = Ws::open(stage.connect(), &format!("/puppet?do=handover+{id}&then=accept"));
    stage.settle();
    ws.close();
    stage.settle();
    assert_eq!(ws.closed_with(), Some(1000), "it is told what it said");
    assert_eq!(line.heard(), ["link lost"]);
    assert_eq!(stage.sessions(), 1);
}

#[test]
fn a_link_that_two_sessions_send_to_each_other_is_lost() {
    let mut stage = Stage::build(plan(2));
    let (_line, id) = target(&mut stage);
    let (ws, own) = visitor(&mut stage);
    let mut other = puppet(&mut stage, "auth;outlive");
    let there = who(&mut stage, &mut other);
    assert_ne!(there, own);
    // What each does with it, the other undoes.
    ws.say("outlive");
    let http = Http::new(stage.connect());
    http.get(&format!("/puppet?do=outlive;handover+{own}&then=bounce+{own}+{there}"));
    stage.settle();
    assert!(http.peer.is_over(), "it does not go to and fro for ever");
    assert_eq!(stage.house.shards.iter().filter(|s| s.has_work()).count(), 0);
    let _ = id;
}
