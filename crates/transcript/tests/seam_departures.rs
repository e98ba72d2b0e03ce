//! The seam on a made-up dialect: peers that go, or say no more, while their requests wait for an answer.

mod common;

use common::peers::Http;
use common::puppet::{Names, named, plan, puppet, who};
use common::stage::Stage;
use model::CloseReason;

fn stage(shards: u16) -> (Stage, Names) {
    let names = Names::default();
    let mut plan = plan(shards);
    plan.authority = Box::new(names.clone());
    (Stage::build(plan), names)
}

#[test]
fn nobody_is_waited_for_who_is_gone() {
    let (mut stage, names) = stage(1);
    let http = Http::new(stage.connect());
    http.get("/puppet?do=auth+later;join+tea");
    // What came behind it is not read for somebody who is gone.
    http.get("/puppet?do=respond+second");
    stage.settle();
    assert_eq!(stage.sessions(), 1);
    http.peer.vanish();
    stage.settle();
    assert_eq!((stage.sessions(), stage.connections()), (0, 0));
    assert_eq!(stage.closed(CloseReason::Gone), 1);
    names.reply().send(Ok(named("ann", 1)));
    stage.settle();
    stage.assert_empty();
}

#[test]
fn who_only_says_no_more_is_answered_all_that_was_asked() {
    let (mut stage, names) = stage(1);
    let mut http = Http::new(stage.connect());
    http.get("/puppet?do=auth+later;respond+first");
    stage.settle();
    http.get("/puppet?do=auth+later;respond+second");
    http.peer.finish();
    stage.settle();
    assert!(http.responses().is_empty() && !http.peer.is_over());
    for said in ["first", "second"] {
        names.reply().send(Ok(named("ann", 1)));
        stage.settle();
        assert_eq!(http.response().body, said);
    }
    assert!(http.peer.is_over());
    stage.assert_empty();
    assert_eq!(stage.closed(CloseReason::Gone), 0);
}

#[test]
fn where_a_protocol_takes_the_end_for_gone_it_is() {
    // The end comes after the request, or with it.
    for together in [false, true] {
        let (mut stage, _names) = stage(1);
        let http = Http::new(stage.connect());
        http.get("/puppet?do=leave-with-it;auth+later");
        if !together {
            stage.settle();
            assert_eq!(stage.sessions(), 1);
        }
        http.peer.finish();
        stage.settle();
        assert_eq!((stage.sessions(), stage.connections()), (0, 0), "together: {together}");
        assert_eq!(stage.closed(CloseReason::Gone), 1);
    }
}

#[test]
fn who_is_answered_at_once_is_answered_though_the_end_comes_with_the_request() {
    let (mut stage, _names) = stage(1);
    let mut http = Http::new(stage.connect());
    http.get("/puppet?do=leave-with-it;respond+tea");
    http.peer.finish();
    stage.settle();
    assert_eq!(http.response().body, "tea");
    assert_eq!((stage.sessions(), stage.closed(CloseReason::Done)), (0, 1));
}

#[test]
fn the_end_is_noticed_where_the_link_has_moved_to() {
    let mut stage = Stage::build(plan(2));
    let _first = puppet(&mut stage, "auth");
    let mut line = puppet(&mut stage, "auth;outlive");
    let id = who(&mut stage, &mut line);
    assert!(id.starts_with("1-"), "{id}");
    for together in [false, true] {
        let http = Http::new(stage.connect());
        http.get(&format!("/puppet?do=handover+{id}&then=leave-with-it"));
        if !together {
            stage.settle();
            assert_eq!(stage.connections(), 3);
        }
        http.peer.finish();
        stage.settle();
        assert_eq!(stage.connections(), 2, "together: {together}");
    }
    line.say("say it lives");
    stage.settle();
    assert!(line.heard().contains(&"it lives".to_owned()));
}

#[test]
fn who_cannot_say_whether_the_end_is_one_is_left() {
    let (mut stage, _names) = stage(1);
    let http = Http::new(stage.connect());
    http.get("/puppet?do=bomb+end;auth+later");
    http.peer.finish();
    stage.settle();
    assert_eq!((stage.sessions(), stage.connections()), (0, 0));
    assert_eq!(stage.counters().panics, 1);
}
